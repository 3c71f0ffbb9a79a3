"""Planar and radial layers in JAX, forth and back, with initial parameters as our flows have them.

Rezende & Mohamed, "Variational inference with normalizing flows" (ICML 2015, arXiv 1505.05770), equations 10–14 and
appendix A, in the form of flows/planar/src and flows/radial/src, which say what the letters are.
Shapes: w, u, z0 `[K, d]`; a, b `[K]`; points `[d, n]`, one a column; log-det `[n]`, of the forward map both ways.
Layers are a scan, which `unroll` unrolls: it compiles four times as long, and is faster or slower by the case.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, random

Array = jax.Array
Params = dict[str, Array]


def planar_init(key: Array, layers: int, dim: int) -> Params:
    """Near the identity: u = m⁻¹(0)·w/‖w‖² and a little noise."""
    keys = random.split(key, 3)
    w = random.normal(keys[0], (layers, dim)) / np.sqrt(dim)
    u = 0.01 * random.normal(keys[1], (layers, dim)) + np.log(np.e - 1) * w / (w * w).sum(1, keepdims=True)
    return {"w": w, "u": u, "b": random.normal(keys[2], (layers,))}


def planar_layers(params: Params) -> tuple[Array, ...]:
    """w, û, b and 1 + wᵀû, a row a layer."""
    w, u, b = params["w"], params["u"], params["b"]
    wu = (w * u).sum(1)
    s_plus = jax.nn.softplus(wu)
    return w, u + ((s_plus - 1 - wu) / (w * w).sum(1))[:, None] * w, b, s_plus


def planar_forward(params: Params, z: Array, unroll: bool) -> tuple[Array, Array]:
    """x and log |det| of z."""

    def layer(z: Array, of: tuple[Array, ...]) -> tuple[Array, Array]:
        w, u_hat, b, s_plus = of
        tanh = jnp.tanh(w @ z + b)
        return z + u_hat[:, None] * tanh, jnp.log(tanh**2 + (1 - tanh**2) * s_plus)

    x, log_dets = lax.scan(layer, z, planar_layers(params), unroll=unroll)
    return x, log_dets.sum(0)


def planar_inverse(params: Params, x: Array, unroll: bool) -> tuple[Array, Array]:
    """z and log |det| of x."""

    def layer(x: Array, of: tuple[Array, ...]) -> tuple[Array, Array]:
        w, u_hat, b, s_plus = of
        tanh = jnp.tanh(planar_root(s_plus - 1, w @ x + b))
        return x - u_hat[:, None] * tanh, jnp.log(tanh**2 + (1 - tanh**2) * s_plus)

    z, log_dets = lax.scan(layer, x, planar_layers(params), reverse=True, unroll=unroll)
    return z, log_dets.sum(0)


def planar_root(s: Array, c: Array) -> Array:
    """α with α + s·tanh(α) = c, differentiable by the implicit function: one Newton step from the root carries it.

    Newton's method in |c|. For s ≥ 0 the left side is concave on α ≥ 0 and the start 0 is below the root, for s < 0 it
    is convex and the start |c| + |s| above: no step can leap over it.
    """
    fixed, size = lax.stop_gradient(s), jnp.abs(lax.stop_gradient(c))

    def residual(alpha: Array) -> tuple[Array, Array]:
        tanh = jnp.tanh(alpha)
        return alpha + fixed * tanh - size, 1 + fixed * (1 - tanh**2)

    def step(state: tuple[Array, Array, int]) -> tuple[Array, Array, int]:
        alpha, _, count = state
        value, slope = residual(alpha)
        change = value / slope
        return alpha - change, jnp.max(jnp.abs(change) / (1 + size)), count + 1

    start = (jnp.where(fixed >= 0, jnp.zeros_like(size), size - fixed), jnp.ones((), c.dtype), 0)
    root = lax.while_loop(lambda state: (state[1] > 1e-6) & (state[2] < 50), step, start)[0]
    root = jnp.copysign(root, lax.stop_gradient(c))
    tanh = jnp.tanh(root)
    return root + (c - root - s * tanh) / (1 + fixed * (1 - tanh**2))


def radial_init(key: Array, layers: int, dim: int) -> Params:
    """The identity: a = b."""
    start = jnp.full((layers,), np.log(np.e - 1), jnp.float32)
    return {"z0": random.normal(key, (layers, dim)), "a": start, "b": start}


def radial_layers(params: Params) -> tuple[Array, ...]:
    """The centre, α and β̂, a row a layer."""
    alpha = jax.nn.softplus(params["a"])
    return params["z0"], alpha, jax.nn.softplus(params["b"]) - alpha


def radial_forward(params: Params, z: Array, unroll: bool) -> tuple[Array, Array]:
    """x and log |det| of z."""

    def layer(z: Array, of: tuple[Array, ...]) -> tuple[Array, Array]:
        centre, alpha, beta = of[0][:, None], of[1], of[2]
        delta = z - centre
        h = 1 / (alpha + distance(delta))
        return centre + delta * (1 + beta * h), radial_log_det(h, alpha, beta, len(z))

    x, log_dets = lax.scan(layer, z, radial_layers(params), unroll=unroll)
    return x, log_dets.sum(0)


def radial_inverse(params: Params, x: Array, unroll: bool) -> tuple[Array, Array]:
    """z and log |det| of x: the distance solves a quadratic."""

    def layer(x: Array, of: tuple[Array, ...]) -> tuple[Array, Array]:
        centre, alpha, beta = of[0][:, None], of[1], of[2]
        delta = x - centre
        outer = distance(delta)
        p = outer - alpha - beta
        root = jnp.sqrt(p**2 + 4 * alpha * outer)
        inner = jnp.where(p >= 0, 0.5 * (root + p), 2 * alpha * outer / (root + jnp.abs(p)))
        h = 1 / (alpha + inner)
        return centre + delta / (1 + beta * h), radial_log_det(h, alpha, beta, len(x))

    z, log_dets = lax.scan(layer, x, radial_layers(params), reverse=True, unroll=unroll)
    return z, log_dets.sum(0)


def radial_log_det(h: Array, alpha: Array, beta: Array, dim: int) -> Array:
    return (dim - 1) * jnp.log(1 + beta * h) + jnp.log(1 + alpha * beta * h**2)


def distance(delta: Array) -> Array:
    return jnp.sqrt(jnp.maximum((delta * delta).sum(0), 1e-30))


FLOWS = {
    "planar": (planar_init, planar_forward, planar_inverse),
    "radial": (radial_init, radial_forward, radial_inverse),
}
