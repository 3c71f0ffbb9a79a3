"""Reverse KL divergence of a planar or radial flow to the target u1, in JAX: the training step and its check.

Loss: the mean of log q(x) − log γ(x) over draws x = f(z), z ~ N(0, I) (harness/src/train/objective.rs, β = 1).
"""

import argparse

import jax
import jax.numpy as jnp
import protocol
from jax import random
from layers_jax import FLOWS
from step_jax import adam_step, runner
from targets_jax import LOG_TAU, TARGETS

Array = jax.Array


def main(flow: str, args: argparse.Namespace, unroll: bool) -> None:
    """`unroll`: layers are unrolled, not scanned over."""
    init, forward, _ = FLOWS[flow]
    target = TARGETS["u1"]

    def draw(params: dict[str, Array], z: Array) -> tuple[Array, Array]:
        x, log_det = forward(params, z, unroll=unroll)
        return x, -0.5 * ((z * z).sum(0) + target.dim * LOG_TAU) - log_det

    def loss(params: dict[str, Array], z: Array) -> Array:
        x, log_q = draw(params, z)
        return (log_q - target.log_density(x)).mean()

    def compute(dump: dict) -> protocol.Found:
        params = {name: jnp.array(value, jnp.float32) for name, value in dump["params"].items()}
        z = jnp.array(dump["noise"], jnp.float32).T
        (x, log_q), (value, grad) = jax.jit(draw)(params, z), jax.jit(jax.value_and_grad(loss))(params, z)
        return {"x": x.T, "log_q": log_q, "loss": value, "grad": grad}

    if args.check:
        protocol.check(args.check, compute)
    params = init(random.key(1), args.layers, target.dim)
    step, state = adam_step(
        lambda params, key, _: (loss(params, random.normal(key, (target.dim, args.batch))), ()), params
    )
    protocol.serve(runner(step, state, args.scan))
