"""A neural Hamiltonian flow trained on u1 by reverse KL, in PyTorch: eager, or `--compile`.

The flow, its loss and its names are those of nhf_jax.py, which see. ∇E is written out, so that the reverse pass
differentiates once; Adam is fused.
Shapes: states `[n, d]`, a point a row.
"""

import protocol

args = protocol.arguments(__doc__, "compile", batch=512, hidden=128)

import math  # noqa: E402

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from targets_torch import LOG_TAU, TARGETS  # noqa: E402
from torch import Tensor  # noqa: E402

Params = dict[str, Tensor]
DIM, HAMILTONIANS, STEP = 2, 4, 0.25
# Two leapfrog steps: kicks, with drifts between them. The kick in the middle is two half kicks in one.
KICKS = (0.5, 1.0, 0.5)


def init(hidden: int) -> Params:
    """As `Energy::declare` and `Encoder::declare` have it."""

    def normal(rows: int, columns: int, gain: float) -> Tensor:
        return torch.randn(rows, columns) * math.sqrt(gain / columns)

    params = {}
    for i in range(HAMILTONIANS):
        for name in (f"potential.{i}", f"kinetic.{i}"):
            params[f"{name}.w0"], params[f"{name}.b0"] = normal(hidden, DIM, 1), torch.zeros(hidden)
            params[f"{name}.w1"], params[f"{name}.b1"] = normal(hidden, hidden, 1), torch.zeros(hidden)
            params[f"{name}.out"] = normal(1, hidden, 0.01)[0]
    for name in ("encoder.mean", "encoder.log_sd"):
        params[f"{name}.w0"], params[f"{name}.b0"] = normal(hidden, DIM, 2), torch.zeros(hidden)
        params[f"{name}.w1"], params[f"{name}.b1"] = normal(hidden, hidden, 2), torch.zeros(hidden)
        params[f"{name}.w2"], params[f"{name}.b2"] = torch.zeros(DIM, hidden), torch.zeros(DIM)
    return params


def energy_gradient(params: Params, name: str, x: Tensor) -> Tensor:
    """∇E(x) by formula: δ_l = σ(z_l) ⊙ e_l, e_{l−1} = δ_l W_l (flows/phase-space/src/energy.rs)."""
    w0, w1 = params[f"{name}.w0"], params[f"{name}.w1"]
    z0 = F.linear(x, w0, params[f"{name}.b0"])
    z1 = F.linear(F.softplus(z0), w1, params[f"{name}.b1"])
    delta = (torch.sigmoid(z1) * params[f"{name}.out"]) @ w1
    return (torch.sigmoid(z0) * delta) @ w0


def encoder(params: Params, head: str, x: Tensor) -> Tensor:
    for layer in range(3):
        x = x if layer == 0 else F.relu(x)
        x = F.linear(x, params[f"encoder.{head}.w{layer}"], params[f"encoder.{head}.b{layer}"])
    return x


def draw(params: Params, start: Tensor) -> tuple[Tensor, Tensor]:
    """q_T and the extended log q of (q₀, p₀)."""
    q, p = start[:, :DIM], start[:, DIM:]
    for i in range(HAMILTONIANS):
        for stage, share in enumerate(KICKS):
            if stage > 0:
                q = q + STEP * energy_gradient(params, f"kinetic.{i}", p)
            p = p - share * STEP * energy_gradient(params, f"potential.{i}", q)
    log_sd = 5 * torch.tanh(encoder(params, "log_sd", q) / 5)
    error = (p - encoder(params, "mean", q)) * torch.exp(-log_sd)
    log_encoder = -0.5 * (error.square().sum(1) + DIM * LOG_TAU) - log_sd.sum(1)
    return q, -0.5 * (start.square().sum(1) + 2 * DIM * LOG_TAU) - log_encoder


def loss(params: Params, start: Tensor) -> Tensor:
    q, log_q = draw(params, start)
    return (log_q - TARGETS["u1"].log_density(q)).mean()


def compute(dump: dict) -> protocol.Found:
    params = {name: torch.tensor(value, requires_grad=True) for name, value in dump["params"].items()}
    start = torch.tensor(dump["noise"])
    x, log_q = draw(params, start)
    value = (torch.compile(loss) if args.compile else loss)(params, start)
    value.backward()
    return {"x": x, "log_q": log_q, "loss": value, "grad": {name: tensor.grad for name, tensor in params.items()}}


def main() -> None:
    torch.set_num_threads(args.threads)
    torch.set_default_device(args.device)
    if args.check:
        protocol.check(args.check, compute)
    params = {name: value.requires_grad_() for name, value in init(args.hidden).items()}
    adam = torch.optim.Adam(params.values(), lr=1e-3, fused=True)
    objective = torch.compile(loss) if args.compile else loss

    def run(n: int) -> None:
        for _ in range(n):
            adam.zero_grad()
            objective(params, torch.randn(args.batch, 2 * DIM)).backward()
            adam.step()

    protocol.serve(protocol.on_torch_device(args.device, run))


if __name__ == "__main__":
    main()
