"""NUTS by blackjax with its window adaptation, every chain its own: effective draws a gradient, by ArviZ.

    nuts_blackjax.py [--chains 20] [--warm_up 1000] [--draws 1000] [--seeds 5] > blackjax.csv

Targets icg (d = 50), scg, funnel (d = 10), from N(0, 1), target acceptance 0.8, diagonal masses, f64. Cabezas et al., "BlackJAX"
(2024, arXiv 2402.10797). A row is a seed: ESS and R̂ of the worst coordinate, gradients of the measured transitions, seconds of
both phases without compilation.
"""

import os

import protocol

args = protocol.arguments(__doc__, chains=20, warm_up=1000, draws=1000, seeds=5)
os.environ["JAX_ENABLE_X64"] = "1"

import time  # noqa: E402
from collections.abc import Callable  # noqa: E402

import arviz  # noqa: E402
import blackjax  # noqa: E402
import jax  # noqa: E402
import numpy as np  # noqa: E402
from jax import random  # noqa: E402
from targets_jax import funnel, icg, scg_log_density  # noqa: E402

Array = jax.Array
TARGETS: dict[str, tuple[Callable[[Array], Array], int]] = {
    "icg": (icg(50).log_density, 50),
    "scg": (scg_log_density, 2),
    "funnel": (funnel(10).log_density, 10),
}


def sampling(log_density: Callable[[Array], Array], dim: int) -> Callable[[Array], tuple[Array, Array]]:
    """From a key to the draws `[chains, draws, d]` and gradients `[chains, draws]`, compiled."""

    def of_one(x: Array) -> Array:
        return log_density(x[:, None])[0]

    warm_up = blackjax.window_adaptation(blackjax.nuts, of_one, target_acceptance_rate=0.8)

    def chain(key: Array) -> tuple[Array, Array]:
        first, second, third = random.split(key, 3)
        (state, tuned), _ = warm_up.run(first, random.normal(second, (dim,)), args.warm_up)
        nuts = blackjax.nuts(of_one, **tuned)

        def step(state: blackjax.mcmc.hmc.HMCState, key: Array) -> tuple:
            state, info = nuts.step(key, state)
            return state, (state.position, info.num_integration_steps)

        return jax.lax.scan(step, state, random.split(third, args.draws))[1]

    return jax.jit(lambda key: jax.vmap(chain)(random.split(key, args.chains)))


def main() -> None:
    print("target,seed,ess_bulk_min,ess_tail_min,rhat_max,gradients,seconds")
    for name, (log_density, dim) in TARGETS.items():
        sample = sampling(log_density, dim)
        jax.block_until_ready(sample(random.key(args.seeds)))
        for seed in range(args.seeds):
            start = time.perf_counter()
            x, gradients = jax.block_until_ready(sample(random.key(seed)))
            seconds = time.perf_counter() - start
            coordinates = np.moveaxis(np.asarray(x), -1, 0)
            bulk, tail = (min(float(arviz.ess(x, method=method)) for x in coordinates) for method in ("bulk", "tail"))
            rhat = max(float(arviz.rhat(x)) for x in coordinates)
            print(f"{name},{seed},{bulk},{tail},{rhat},{int(gradients.sum())},{seconds}", flush=True)


if __name__ == "__main__":
    main()
