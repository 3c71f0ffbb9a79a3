"""Whole cells of results/reference/first-look/sweep.yaml in JAX, one after another, a JSON line a cell.

    first_look_jax.py --threads 2 --cells planar:8:u1:reverse-kl:0 radial:2:funnel:data:1

A cell: 4000 steps of batch 256, Adam 1e-2 with cosine schedule, gradients clipped to norm 10, β from 0.01 to 1 in 2000
steps (reverse-kl), steps whose gradient is not finite skipped; the ELBO on 2000 draws every 500 steps, and ELBO, EUBO
and reverse effective sample size on 20000 in the end. `seconds` is all of it, `compile_s` the part of compiling.
A cell compiles its own three programs; the 500 steps between evaluations are one of them. Evaluations are in blocks
of 2000.
Deviation: seeds are JAX's, so figures agree with ours in distribution only.
"""

import argparse
import json
import math
import time
from typing import Any

import protocol

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--cells", nargs="+", required=True, metavar="FLOW:LAYERS:TARGET:OBJECTIVE:SEED")
args = parser.parse_args()
protocol.limit_threads(args.threads)
protocol.keep_memory()

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import optax  # noqa: E402
from jax import lax, random  # noqa: E402
from jax.flatten_util import ravel_pytree  # noqa: E402
from layers_jax import FLOWS  # noqa: E402
from targets_jax import LOG_TAU, TARGETS  # noqa: E402

Array = jax.Array
STEPS, BATCH, RATE, CLIP, GIVE_UP = 4000, 256, 1e-2, 10.0, 100
ANNEAL_FROM, ANNEAL_STEPS = 0.01, 2000
EVERY, DRAWS, FINAL_DRAWS = 500, 2000, 20000


def run(flow: str, layers: int, name: str, objective: str, seed: int) -> dict[str, Any]:
    """Trains and evaluates one cell."""
    started = time.perf_counter()
    init, forward, inverse = FLOWS[flow]
    target = TARGETS[name]
    start_key, train_key, look_key = random.split(random.key(seed), 3)
    flat, unravel = ravel_pytree(init(start_key, layers, target.dim))
    adam = optax.chain(optax.clip_by_global_norm(CLIP), optax.scale_by_adam())

    def log_base(z: Array) -> Array:
        return -0.5 * ((z * z).sum(0) + target.dim * LOG_TAU)

    def sample(flat: Array, key: Array, n: int) -> tuple[Array, Array]:
        z = random.normal(key, (target.dim, n))
        x, log_det = forward(unravel(flat), z, unroll=False)
        return x, log_base(z) - log_det

    def log_q(flat: Array, x: Array) -> Array:
        z, log_det = inverse(unravel(flat), x, unroll=False)
        return log_base(z) - log_det

    def loss(flat: Array, key: Array, step: Array) -> Array:
        if objective == "data":
            return -log_q(flat, target.draw(key, BATCH)).mean()
        x, log_q_x = sample(flat, key, BATCH)
        beta = jnp.minimum(ANNEAL_FROM + (1 - ANNEAL_FROM) * step / ANNEAL_STEPS, 1)
        return (log_q_x - beta * target.log_density(x)).mean()

    def one(step: Array, state: tuple[Any, ...]) -> tuple[Any, ...]:
        flat, moments, bad, most = state
        grad = jax.grad(loss)(flat, random.fold_in(train_key, step), step)
        finite = jnp.isfinite(jnp.linalg.norm(grad))
        direction, after = adam.update(grad, moments)
        rate = RATE * 0.5 * (1 + jnp.cos(jnp.pi * step / STEPS))
        flat, moments = jax.tree.map(
            lambda new, old: jnp.where(finite, new, old), (flat - rate * direction, after), (flat, moments)
        )
        bad = jnp.where(finite, 0, bad + 1)
        return flat, moments, bad, jnp.maximum(most, bad)

    def train(first: Array, state: tuple[Any, ...]) -> tuple[Any, ...]:
        return lax.fori_loop(first, first + EVERY, one, state)

    def reverse(flat: Array, key: Array) -> Array:
        x, log_q_x = sample(flat, key, DRAWS)
        return target.log_density(x) - log_q_x

    def ahead(flat: Array, key: Array) -> Array:
        x = target.draw(key, DRAWS)
        return target.log_density(x) - log_q(flat, x)

    state = (flat, adam.init(flat), jnp.int32(0), jnp.int32(0))
    train = jax.jit(train, donate_argnums=1).lower(jnp.int32(0), state).compile()
    reverse = jax.jit(reverse).lower(flat, look_key).compile()
    ahead = jax.jit(ahead).lower(flat, look_key).compile()
    compiled = time.perf_counter()

    for step in range(0, STEPS, EVERY):
        reverse(state[0], random.fold_in(look_key, step)).mean().item()
        state = train(jnp.int32(step), state)
        if state[3].item() >= GIVE_UP:
            break
    keys = random.split(random.fold_in(look_key, STEPS), FINAL_DRAWS // DRAWS)
    log_w = np.concatenate([reverse(state[0], key) for key in keys]).astype(np.float64)
    eubo = np.concatenate([ahead(state[0], key) for key in keys]).astype(np.float64).mean()
    weights = np.exp(log_w - log_w.max())
    diverged = state[3].item() >= GIVE_UP or not np.isfinite(log_w).all()
    return {
        "status": "diverged" if diverged else "ok",
        "elbo_nats": finite(log_w.mean()),
        "eubo_nats": finite(eubo),
        "reverse_ess": finite(weights.sum() ** 2 / (weights**2).sum() / len(weights)),
        "compile_s": compiled - started,
        "seconds": time.perf_counter() - started,
    }


def finite(value: float) -> float | None:
    """Missing is empty."""
    return float(value) if math.isfinite(value) else None


def main() -> None:
    for cell in args.cells:
        flow, layers, target, objective, seed = cell.split(":")
        print(json.dumps({"cell": cell} | run(flow, int(layers), target, objective, int(seed))), flush=True)


if __name__ == "__main__":
    main()
