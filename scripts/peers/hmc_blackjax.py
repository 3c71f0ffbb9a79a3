"""Hamiltonian Monte Carlo on icg by blackjax.

200 chains, 50 dimensions if not told otherwise, 10 leapfrog steps, identity mass, fixed step size.
Cabezas et al., "BlackJAX" (2024, arXiv 2402.10797): `blackjax.hmc`, a chain a lane of `vmap`. A step is one transition
of all chains; its state keeps log γ and ∇ log γ, as ours does.
`--scan`: the steps of a window are a loop inside one program.
The check puts the dump's momenta in place of blackjax's own draws and goes the library's trajectory from there.
"""

import protocol

args = protocol.arguments(__doc__, "scan", chains=200, dim=50, n_steps=10)

from typing import Any  # noqa: E402

import blackjax  # noqa: E402
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
from blackjax.mcmc import hmc, integrators, metrics  # noqa: E402
from jax import random  # noqa: E402
from step_jax import runner  # noqa: E402
from targets_jax import icg  # noqa: E402

Array = jax.Array
STEP_SIZE = 0.1
ICG = icg(args.dim)


def log_density(x: Array) -> Array:
    """Of one chain, `[d]`."""
    return ICG.log_density(x[:, None])[0]


def compute(dump: dict) -> protocol.Found:
    x, p = jnp.array(dump["x"], jnp.float32), jnp.array(dump["p"], jnp.float32)
    metric = metrics.default_metric(jnp.ones(ICG.dim))
    step = integrators.velocity_verlet(log_density, metric.kinetic_energy)
    propose = hmc.hmc_proposal(step, metric.kinetic_energy, dump["step_size"], dump["n_steps"])

    def chain(x: Array, p: Array) -> tuple[Array, Array]:
        start = integrators.IntegratorState(x, p, *jax.value_and_grad(log_density)(x))
        info = propose(random.key(0), start)[1]
        return info.proposal.position, info.acceptance_rate

    proposal, accept = jax.jit(jax.vmap(chain))(x, p)
    return {"proposal": proposal, "accept": accept}


def main() -> None:
    if args.check:
        protocol.check(args.check, compute)
    sampler = blackjax.hmc(log_density, STEP_SIZE, jnp.ones(ICG.dim), args.n_steps)

    def step(state: tuple[Any, Array]) -> tuple[Any, Array]:
        chains, key = state
        key, now = random.split(key)
        chains, _ = jax.vmap(sampler.step)(random.split(now, args.chains), chains)
        return chains, key

    start = random.normal(random.key(1), (args.chains, ICG.dim))
    protocol.serve(runner(step, (jax.vmap(sampler.init)(start), random.key(0)), args.scan))


if __name__ == "__main__":
    main()
