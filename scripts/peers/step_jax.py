"""One training step in JAX, compiled alone or in a loop inside one program.

Adam: Kingma & Ba (ICLR 2015), by optax over one flat vector, which hands fewer buffers from step to step than a
tree does.
State: flat parameters, Adam's moments, the key, and what else the objective carries along. Its buffers are donated.
"""

from collections.abc import Callable
from typing import Any

import jax
import optax
from jax import lax, random
from jax.flatten_util import ravel_pytree

Array = jax.Array
Step = Callable[[Any], Any]


def adam_step(loss: Callable[[Any, Array, Any], tuple[Array, Any]], params: Any, carried: Any = ()) -> tuple[Step, Any]:
    """The step that descends `loss(params, key, carried) -> (loss, carried)`, and its first state."""
    flat, unravel = ravel_pytree(params)
    adam = optax.adam(1e-3)

    def step(state: Any) -> Any:
        flat, moments, key, carried = state
        key, now = random.split(key)
        gradient = jax.grad(lambda flat: loss(unravel(flat), now, carried), has_aux=True)
        grad, carried = gradient(flat)
        updates, moments = adam.update(grad, moments)
        return optax.apply_updates(flat, updates), moments, key, carried

    return step, (flat, adam.init(flat), random.key(0), carried)


def runner(step: Step, state: Any, inside: bool) -> Callable[[int], None]:
    """Takes n steps: by n calls of a compiled step, or `inside` one compiled program, which is JAX's best case."""
    once = jax.jit(step, donate_argnums=0)
    many = jax.jit(lambda n, state: lax.fori_loop(0, n, lambda _, state: step(state), state), donate_argnums=1)

    def run(n: int) -> None:
        nonlocal state
        if inside:
            state = many(n, state)
        else:
            for _ in range(n):
                state = once(state)
        jax.block_until_ready(state)

    return run
