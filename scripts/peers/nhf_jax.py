"""A neural Hamiltonian flow trained on u1 by reverse KL, in JAX.

`--scan`: the steps of a window are a loop inside one program.
Toth et al., "Hamiltonian generative networks" (ICLR 2020, arXiv 1909.13789), in the form of flows/hamiltonian and
flows/phase-space: T = 4 Hamiltonians U(q) + K(p), each integrated by two leapfrog steps of size 0.25 with adjacent half
kicks merged, five gradients of an energy; energies 2-128-128-1 without an output bias, softplus; encoder f(p|q) =
N(μ, σ²) of two networks 2-128-128-2 with ReLU, log σ = 5 tanh(s/5); prior N(0, I) on q and p.
Loss: the mean of log π(q₀, p₀) − log f(p_T|q_T) − log γ(q_T). Layouts and names are ours.
Shapes: states `[d, n]`, a point a column, so that every product is W·x as in our kernel.
"""

import protocol

args = protocol.arguments(__doc__, "scan", batch=512, hidden=128)

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from jax import random  # noqa: E402
from step_jax import adam_step, runner  # noqa: E402
from targets_jax import LOG_TAU, TARGETS  # noqa: E402

Array = jax.Array
Params = dict[str, Array]
DIM, HAMILTONIANS, STEP = 2, 4, 0.25
# Two leapfrog steps: kicks, with drifts between them. The kick in the middle is two half kicks in one.
KICKS = (0.5, 1.0, 0.5)


def init(key: Array, hidden: int) -> Params:
    """As `Energy::declare` and `Encoder::declare` have it."""
    keys = iter(random.split(key, 64))

    def normal(rows: int, columns: int, gain: float) -> Array:
        return random.normal(next(keys), (rows, columns)) * np.sqrt(gain / columns)

    params = {}
    for i in range(HAMILTONIANS):
        for name in (f"potential.{i}", f"kinetic.{i}"):
            params[f"{name}.w0"], params[f"{name}.b0"] = normal(hidden, DIM, 1), jnp.zeros(hidden)
            params[f"{name}.w1"], params[f"{name}.b1"] = normal(hidden, hidden, 1), jnp.zeros(hidden)
            params[f"{name}.out"] = normal(1, hidden, 0.01)[0]
    for name in ("encoder.mean", "encoder.log_sd"):
        params[f"{name}.w0"], params[f"{name}.b0"] = normal(hidden, DIM, 2), jnp.zeros(hidden)
        params[f"{name}.w1"], params[f"{name}.b1"] = normal(hidden, hidden, 2), jnp.zeros(hidden)
        params[f"{name}.w2"], params[f"{name}.b2"] = jnp.zeros((DIM, hidden)), jnp.zeros(DIM)
    return params


def energy_gradient(params: Params, name: str, x: Array) -> Array:
    """∇E(x) by formula: δ_l = σ(z_l) ⊙ e_l, e_{l−1} = W_lᵀ δ_l (flows/phase-space/src/energy.rs)."""
    w0, w1 = params[f"{name}.w0"], params[f"{name}.w1"]
    z0 = w0 @ x + params[f"{name}.b0"][:, None]
    z1 = w1 @ jax.nn.softplus(z0) + params[f"{name}.b1"][:, None]
    delta = w1.T @ (jax.nn.sigmoid(z1) * params[f"{name}.out"][:, None])
    return w0.T @ (jax.nn.sigmoid(z0) * delta)


def encoder(params: Params, head: str, x: Array) -> Array:
    for layer in range(3):
        x = x if layer == 0 else jax.nn.relu(x)
        x = params[f"encoder.{head}.w{layer}"] @ x + params[f"encoder.{head}.b{layer}"][:, None]
    return x


def draw(params: Params, start: Array) -> tuple[Array, Array]:
    """q_T and the extended log q of (q₀, p₀)."""
    q, p = start[:DIM], start[DIM:]
    for i in range(HAMILTONIANS):
        for stage, share in enumerate(KICKS):
            if stage > 0:
                q = q + STEP * energy_gradient(params, f"kinetic.{i}", p)
            p = p - share * STEP * energy_gradient(params, f"potential.{i}", q)
    log_sd = 5 * jnp.tanh(encoder(params, "log_sd", q) / 5)
    error = (p - encoder(params, "mean", q)) * jnp.exp(-log_sd)
    log_encoder = -0.5 * ((error**2).sum(0) + DIM * LOG_TAU) - log_sd.sum(0)
    return q, -0.5 * ((start**2).sum(0) + 2 * DIM * LOG_TAU) - log_encoder


def loss(params: Params, start: Array) -> Array:
    q, log_q = draw(params, start)
    return (log_q - TARGETS["u1"].log_density(q)).mean()


def compute(dump: dict) -> protocol.Found:
    params = {name: jnp.array(value, jnp.float32) for name, value in dump["params"].items()}
    start = jnp.array(dump["noise"], jnp.float32).T
    (x, log_q), (value, grad) = jax.jit(draw)(params, start), jax.jit(jax.value_and_grad(loss))(params, start)
    return {"x": x.T, "log_q": log_q, "loss": value, "grad": grad}


def main() -> None:
    if args.check:
        protocol.check(args.check, compute)
    step, state = adam_step(
        lambda params, key, _: (loss(params, random.normal(key, (2 * DIM, args.batch))), ()),
        init(random.key(1), args.hidden),
    )
    protocol.serve(runner(step, state, args.scan))


if __name__ == "__main__":
    main()
