"""A training step of the learnt sampler L2HMC on scg, in PyTorch: eager, or `--compile`.

The sampler, its loss, its names and what a check reads are those of l2hmc_jax.py, which see. Adam is fused.
Shapes: x, v `[n, d]`, a chain a row, running ones first; signs `[n, 1]`.
"""

import protocol

args = protocol.arguments(__doc__, "compile", batch=200, hidden=10, n_steps=10)

import math  # noqa: E402

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from targets_torch import TARGETS  # noqa: E402
from torch import Tensor  # noqa: E402

Params = dict[str, Tensor]
DIM, SCALE, BURN_IN, FLOOR = 2, 0.1, 1.0, 1e-4
MASKS = "tuned.masks"


def init(hidden: int) -> Params:
    """As `Network::declare` has it."""

    def normal(rows: int, columns: int, factor: float) -> Tensor:
        return torch.randn(rows, columns) * math.sqrt(2 * factor / rows)

    params = {"step.log_size": torch.full((1,), math.log(0.1))}
    for name, second in (("velocity", 1 / 3), ("position", 2 / 3)):
        parts = {
            "first": normal(DIM, hidden, 1 / 3),
            "second": normal(DIM, hidden, second),
            "time": normal(2, hidden, 1 / 3),
            "bias": torch.zeros(hidden),
            "inner": normal(hidden, hidden, 1),
            "inner_bias": torch.zeros(hidden),
            "heads": normal(hidden, 3 * DIM, 0.001),
            "heads_bias": torch.zeros(3 * DIM),
            "log_scale_s": torch.zeros(DIM),
            "log_scale_q": torch.zeros(DIM),
        }
        params |= {f"{name}.{part}": value for part, value in parts.items()}
    return params


def draw_masks(n_steps: int) -> Tensor:
    """Ones at ⌊d/2⌋ random coordinates of every step."""
    return (torch.rand(n_steps, DIM).argsort(1) < DIM // 2).float()


class Network:
    """The velocity's or the position's (flows/nn-hmc/src/network.rs), its parameters read once a trajectory."""

    def __init__(self, params: Params, name: str) -> None:
        self.embed = torch.cat([params[f"{name}.{part}"] for part in ("first", "second", "time")])
        self.bias, self.inner = params[f"{name}.bias"], params[f"{name}.inner"]
        self.inner_bias, self.heads = params[f"{name}.inner_bias"], params[f"{name}.heads"]
        self.heads_bias = params[f"{name}.heads_bias"]
        self.scale_s, self.scale_q = params[f"{name}.log_scale_s"].exp(), params[f"{name}.log_scale_q"].exp()

    def bend(self, first: Tensor, second: Tensor, time: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """S, T, Q."""
        embedded = F.relu(torch.addmm(self.bias, torch.cat([first, second, time], 1), self.embed))
        inner = F.relu(torch.addmm(self.inner_bias, embedded, self.inner))
        s, t, q = torch.addmm(self.heads_bias, inner, self.heads).chunk(3, 1)
        return self.scale_s * torch.tanh(s), t, self.scale_q * torch.tanh(q)


def signed(a: Tensor, s: Tensor, t: Tensor, signs: Tensor) -> Tensor:
    """a ⊙ eˢ + t forth, its inverse back: a ⊙ e^{σs} + σ t ⊙ e^{s(σ−1)/2}."""
    return a * torch.exp(signs * s) + signs * t * torch.exp(s * ((signs - 1) / 2))


def score(x: Tensor) -> Tensor:
    """∇ log γ of scg (targets/src/scg.rs). A product with the precision matrix would cancel in f32."""
    first, second = x[:, :1], x[:, 1:]
    u, v = (first + second) * (-0.5 / 100), (second - first) * (-0.5 / 0.01)
    return torch.cat([u - v, u + v], 1)


def propose(params: Params, masks: Tensor, x0: Tensor, noise: Tensor, signs: Tensor) -> tuple[Tensor, Tensor]:
    """x′ `[n, d]` and its acceptance probability `[n]`."""
    velocity, position = Network(params, "velocity"), Network(params, "position")
    step, forth, n_steps = params["step.log_size"].exp(), signs > 0, len(masks)
    x, v, grad, log_det = x0, signs * noise, score(x0), 0.0

    def kick(x: Tensor, v: Tensor, grad: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        s, t, q = velocity.bend(x, -grad, time)
        s = 0.5 * step * s
        return signed(v, s, 0.5 * step * (grad * torch.exp(step * q) + t), signs), s.sum(1)

    def drift(x: Tensor, v: Tensor, keep: Tensor, move: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        kept = keep * x
        s, t, q = position.bend(v, kept, time)
        s = step * s
        return kept + move * signed(x, s, step * (v * torch.exp(step * q) + t), signs), (move * s).sum(1)

    angles = 2 * math.pi / n_steps * torch.arange(n_steps)
    clock = torch.stack([angles.cos(), angles.sin()], 1)
    for k in range(n_steps):
        back = n_steps - 1 - k
        time = torch.where(forth, clock[k], clock[back])
        keep = torch.where(forth, masks[k], 1 - masks[back])
        move = 1 - keep
        v, first = kick(x, v, grad, time)
        x, second = drift(x, v, keep, move, time)
        x, third = drift(x, v, move, keep, time)
        grad = score(x)
        v, fourth = kick(x, v, grad, time)
        log_det = log_det + (first + second + third + fourth)

    def energy(x: Tensor, v: Tensor) -> Tensor:
        return 0.5 * v.square().sum(1) - TARGETS["scg"].log_density(x)

    log_ratio = energy(x0, noise) - energy(x, v) + log_det * signs[:, 0]
    number = ~torch.isnan(log_ratio)
    return x, torch.where(number, log_ratio, 0).clamp_max(0).exp() * number


def jumps(x: Tensor, proposal: Tensor, accept: Tensor, scale: float, burn_in: float) -> Tensor:
    """The loss; a chain whose proposal is not finite moves nothing."""
    square = (proposal - x).square().sum(1)
    delta = torch.where(torch.isfinite(square), square, 0) * accept + FLOOR
    running, base = (scale / delta - delta / scale).chunk(2)
    return running.mean() + burn_in * base.mean()


def loss(params: Params, masks: Tensor, x: Tensor, noise: Tensor, signs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    proposal, accept = propose(params, masks, x, noise, signs)
    return jumps(x, proposal, accept, SCALE, BURN_IN), proposal, accept


def compute(dump: dict) -> protocol.Found:
    params = {name: torch.tensor(value, requires_grad=name != MASKS) for name, value in dump["params"].items()}
    masks = params.pop(MASKS)
    x, noise = torch.tensor(dump["x"]), torch.tensor(dump["noise"])
    signs = torch.tensor(dump["signs"]).reshape(-1, 1)
    proposal, accept = (torch.compile(propose) if args.compile else propose)(params, masks, x, noise, signs)
    value = jumps(x, proposal, accept, dump["scale"], dump["burn_in"])
    value.backward()
    grad = {name: tensor.grad for name, tensor in params.items()}
    return {"loss": value, "proposal": proposal, "accept": accept, "grad": grad}


def main() -> None:
    torch.set_num_threads(args.threads)
    if args.check:
        protocol.check(args.check, compute)
    params = {name: value.requires_grad_() for name, value in init(args.hidden).items()}
    adam = torch.optim.Adam(params.values(), lr=1e-3, fused=True)
    masks, running, n = draw_masks(args.n_steps), torch.randn(args.batch, DIM), 2 * args.batch
    objective = torch.compile(loss) if args.compile else loss

    def run(steps: int) -> None:
        nonlocal running
        for _ in range(steps):
            adam.zero_grad()
            x = torch.cat([running, torch.randn(args.batch, DIM)])
            signs = torch.randint(0, 2, (n, 1)) * 2.0 - 1.0
            value, proposal, accept = objective(params, masks, x, torch.randn(n, DIM), signs)
            value.backward()
            goes = torch.rand(args.batch) < accept.detach()[: args.batch]
            running = torch.where(goes[:, None], proposal.detach()[: args.batch], running)
            adam.step()

    protocol.serve(run)


if __name__ == "__main__":
    main()
