"""A training step of the learnt sampler L2HMC on scg, in JAX.

`--scan`: the steps of a window are a loop inside one program.
Levy, Hoffman & Sohl-Dickstein (ICLR 2018, arXiv 1711.09268) in the form of flows/nn-hmc, of which layout and names are:
M = 10 augmented leapfrog steps from ε = 0.1, two networks of 2 × 10 units, both directions of time in one pass by a
sign a chain. Loss as harness/src/train/esjd.rs: with δ = ‖x′ − x‖² A + 10⁻⁴ over 200 running chains and 200 from the
base N(0, I), λ² E[1/δ] − E[δ]/λ² of either kind, λ² = 0.1. Then the running chains move by Metropolis' test, and Adam
takes a step.
Shapes: x, v `[d, n]`, a chain a column, running ones first; weights act from the left, ours transposed.
Deviation: none in the map; the loss is summed in f32, ours in f64.

A check reads, all as nested lists, with n = 2·batch rows, running chains first:
inputs `params` (every slice of our layout, `tuned.masks` `[M, d]` included), `x` `[n, d]`, `noise` `[n, d]` (the
normals ξ; v = σξ), `signs` `[n]` (σ, 1 or −1), `scale` (λ²), `burn_in` (weight of the second half);
outputs `proposal` `[n, d]`, `accept` `[n]`, `loss`, `grad` (every slice but the tuned ones).
"""

import protocol

args = protocol.arguments(__doc__, "scan", batch=200, hidden=10, n_steps=10)

from typing import NamedTuple  # noqa: E402

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from jax import random  # noqa: E402
from step_jax import adam_step, runner  # noqa: E402
from targets_jax import TARGETS  # noqa: E402

Array = jax.Array
Params = dict[str, Array]
DIM, SCALE, BURN_IN, FLOOR = 2, 0.1, 1.0, 1e-4
MASKS = "tuned.masks"


class Phase(NamedTuple):
    """Where the chains are, and log |J| so far."""

    x: Array
    v: Array
    log_det: Array


def init(key: Array, hidden: int) -> Params:
    """As `Network::declare` has it."""
    keys = iter(random.split(key, 16))

    def normal(rows: int, columns: int, factor: float) -> Array:
        return random.normal(next(keys), (rows, columns)) * np.sqrt(2 * factor / rows)

    params = {"step.log_size": jnp.log(jnp.full(1, 0.1))}
    for name, second in (("velocity", 1 / 3), ("position", 2 / 3)):
        parts = {
            "first": normal(DIM, hidden, 1 / 3),
            "second": normal(DIM, hidden, second),
            "time": normal(2, hidden, 1 / 3),
            "bias": jnp.zeros(hidden),
            "inner": normal(hidden, hidden, 1),
            "inner_bias": jnp.zeros(hidden),
            "heads": normal(hidden, 3 * DIM, 0.001),
            "heads_bias": jnp.zeros(3 * DIM),
            "log_scale_s": jnp.zeros(DIM),
            "log_scale_q": jnp.zeros(DIM),
        }
        params |= {f"{name}.{part}": value for part, value in parts.items()}
    return params


def draw_masks(n_steps: int) -> Array:
    """Ones at ⌊d/2⌋ random coordinates of every step."""
    order = np.random.default_rng(0).random((n_steps, DIM)).argsort(1)
    return jnp.array(order < DIM // 2, jnp.float32)


def bend(params: Params, name: str, first: Array, second: Array, time: Array) -> tuple[Array, Array, Array]:
    """S, T, Q (flows/nn-hmc/src/network.rs)."""
    embed = jnp.concatenate([params[f"{name}.{part}"] for part in ("first", "second", "time")])
    inputs = jnp.concatenate([first, second, time])
    embedded = jax.nn.relu(embed.T @ inputs + params[f"{name}.bias"][:, None])
    inner = jax.nn.relu(params[f"{name}.inner"].T @ embedded + params[f"{name}.inner_bias"][:, None])
    s, t, q = jnp.split(params[f"{name}.heads"].T @ inner + params[f"{name}.heads_bias"][:, None], 3)
    scale_s, scale_q = jnp.exp(params[f"{name}.log_scale_s"]), jnp.exp(params[f"{name}.log_scale_q"])
    return scale_s[:, None] * jnp.tanh(s), t, scale_q[:, None] * jnp.tanh(q)


def signed(a: Array, s: Array, t: Array, signs: Array) -> Array:
    """a ⊙ eˢ + t forth, its inverse back: a ⊙ e^{σs} + σ t ⊙ e^{s(σ−1)/2}."""
    return a * jnp.exp(signs * s) + signs * t * jnp.exp(s * (signs - 1) / 2)


def score(x: Array) -> Array:
    """∇ log γ of scg (targets/src/scg.rs)."""
    u, v = -0.5 * (x[0] + x[1]) / 100, -0.5 * (x[1] - x[0]) / 0.01
    return jnp.stack([u - v, u + v])


def kick(params: Params, at: Phase, grad: Array, time: Array, signs: Array) -> Phase:
    step = jnp.exp(params["step.log_size"])
    s, t, q = bend(params, "velocity", at.x, -grad, time)
    s = 0.5 * step * s
    t = 0.5 * step * (grad * jnp.exp(step * q) + t)
    return Phase(at.x, signed(at.v, s, t, signs), at.log_det + signs * s.sum(0))


def drift(params: Params, at: Phase, keep: Array, time: Array, signs: Array) -> Phase:
    step = jnp.exp(params["step.log_size"])
    s, t, q = bend(params, "position", at.v, keep * at.x, time)
    s = step * s
    t = step * (at.v * jnp.exp(step * q) + t)
    x = keep * at.x + (1 - keep) * signed(at.x, s, t, signs)
    return Phase(x, at.v, at.log_det + signs * ((1 - keep) * s).sum(0))


def propose(params: Params, masks: Array, x: Array, noise: Array, signs: Array) -> tuple[Array, Array]:
    """x′ `[d, n]` and its acceptance probability `[n]`."""
    forth, back = signs > 0, jnp.flip(masks, 0)
    angles = 2 * np.pi / len(masks) * jnp.arange(len(masks))

    def step(state: tuple[Phase, Array], of: tuple[Array, ...]) -> tuple[tuple[Phase, Array], None]:
        at, grad = state
        angle = jnp.where(forth, of[0], of[1])
        time = jnp.stack([jnp.cos(angle), jnp.sin(angle)])
        keep = jnp.where(forth, of[2][:, None], 1 - of[3][:, None])
        at = kick(params, at, grad, time, signs)
        at = drift(params, at, keep, time, signs)
        at = drift(params, at, 1 - keep, time, signs)
        grad = score(at.x)
        return (kick(params, at, grad, time, signs), grad), None

    start = Phase(x, signs * noise, jnp.zeros(x.shape[1])), score(x)
    (at, _), _ = jax.lax.scan(step, start, (angles, jnp.flip(angles), masks, back))

    def energy(x: Array, v: Array) -> Array:
        return 0.5 * (v * v).sum(0) - TARGETS["scg"].log_density(x)

    log_ratio = energy(x, noise) - energy(at.x, at.v) + at.log_det
    number = ~jnp.isnan(log_ratio)
    return at.x, jnp.exp(jnp.minimum(jnp.where(number, log_ratio, 0), 0)) * number


def jumps(x: Array, proposal: Array, accept: Array, scale: float, burn_in: float) -> Array:
    """The loss; a chain whose proposal is not finite moves nothing."""
    square = ((proposal - x) ** 2).sum(0)
    delta = jnp.where(jnp.isfinite(square), square, 0) * accept + FLOOR
    terms = scale / delta - delta / scale
    running, base = jnp.split(terms, 2)
    return running.mean() + burn_in * base.mean()


def loss(params: Params, key: Array, carried: tuple[Array, Array]) -> tuple[Array, tuple[Array, Array]]:
    """The loss, and where Metropolis' test leaves the running chains."""
    masks, running = carried
    keys, batch = random.split(key, 4), running.shape[1]
    x = jnp.concatenate([running, random.normal(keys[0], running.shape)], 1)
    signs = random.rademacher(keys[1], (2 * batch,), jnp.float32)
    proposal, accept = propose(params, masks, x, random.normal(keys[2], x.shape), signs)
    goes = random.uniform(keys[3], (batch,)) < accept[:batch]
    running = jax.lax.stop_gradient(jnp.where(goes, proposal[:, :batch], running))
    return jumps(x, proposal, accept, SCALE, BURN_IN), (masks, running)


def compute(dump: dict) -> protocol.Found:
    params = {name: jnp.array(value, jnp.float32) for name, value in dump["params"].items()}
    masks = params.pop(MASKS)
    x, noise = jnp.array(dump["x"], jnp.float32).T, jnp.array(dump["noise"], jnp.float32).T
    signs = jnp.array(dump["signs"], jnp.float32).reshape(-1)

    def objective(params: Params) -> tuple[Array, tuple[Array, Array]]:
        proposal, accept = propose(params, masks, x, noise, signs)
        return jumps(x, proposal, accept, dump["scale"], dump["burn_in"]), (proposal, accept)

    (value, (proposal, accept)), grad = jax.jit(jax.value_and_grad(objective, has_aux=True))(params)
    return {"loss": value, "proposal": proposal.T, "accept": accept, "grad": grad}


def main() -> None:
    if args.check:
        protocol.check(args.check, compute)
    running = random.normal(random.key(2), (DIM, args.batch))
    step, state = adam_step(loss, init(random.key(1), args.hidden), (draw_masks(args.n_steps), running))
    protocol.serve(runner(step, state, args.scan))


if __name__ == "__main__":
    main()
