"""The target densities of targets/src in JAX: log γ, and exact draws where maximum likelihood asks for them.

Sources and constants stand in targets/src/{u1,u2,u3,u4,two_ridges,soft_uniform,wave,icg,scg,gaussian,funnel}.rs.
Shapes: x `[d, n]`, a point a column, so that XLA vectorises over points; log γ `[n]`. Derivatives are JAX's.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, random

Array = jax.Array
LOG_TAU = float(np.log(2 * np.pi))
WIDTH, SOFTNESS = 8.0, 10.0


class Target(NamedTuple):
    """A density γ with its dimension and exact draws `(key, n) -> [d, n]`."""

    dim: int
    log_density: Callable[[Array], Array]
    draw: Callable[[Array, int], Array] | None = None


def u1_log_density(x: Array) -> Array:
    """A ring of radius 2 with two bright sides."""
    radius = jnp.sqrt(jnp.maximum((x * x).sum(0), 1e-24))
    side = jnp.abs(x[0])
    squares = ((radius - 2) / 0.4) ** 2 + ((side - 2) / 0.6) ** 2
    return -0.5 * squares + jnp.log1p(jnp.exp(-4 / 0.36 * side))


def u1_draw(key: Array, n: int) -> Array:
    """The rejections of targets/src/u1.rs, eight candidates a point at a time until every point has one."""

    def bell(z: Array) -> Array:
        return jnp.exp(-0.5 * (z / 0.6) ** 2)

    def candidates(key: Array) -> tuple[Array, Array]:
        keys = random.split(key)
        radius = 2 + 0.5 * 0.4**2 + 0.4 * random.normal(keys[0], (8, n))
        uniforms = random.uniform(keys[1], (3, 8, n))
        angle = 2 * jnp.pi * uniforms[0]
        z = jnp.stack([radius * jnp.cos(angle), radius * jnp.sin(angle)])
        fair = uniforms[1] * 2 * jnp.exp(radius / 2 - 1) < radius
        bright = uniforms[2] * (1 + bell(2.0)) < bell(z[0] - 2) + bell(z[0] + 2)
        good = fair & bright
        first = jnp.argmax(good, 0)
        return jnp.take_along_axis(z, first[None, None], 1)[:, 0], good.any(0)

    def more(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        key, x, done = state
        key, now = random.split(key)
        found, good = candidates(now)
        return key, jnp.where(done, x, found), done | good

    start = (key, jnp.zeros((2, n)), jnp.zeros(n, bool))
    return lax.while_loop(lambda state: ~state[2].all(), more, start)[1]


def window(z: Array) -> Array:
    """log of the soft uniform on |z| ≤ 4."""
    half = SOFTNESS * WIDTH / 2
    return jax.nn.log_sigmoid(SOFTNESS * z + half) + jax.nn.log_sigmoid(half - SOFTNESS * z)


def window_draw(key: Array, n: int) -> Array:
    """Its draws: uniform plus logistic."""
    keys = random.split(key)
    return WIDTH * (random.uniform(keys[0], (n,)) - 0.5) + random.logistic(keys[1], (n,)) / SOFTNESS


def sine(z: Array) -> Array:
    return jnp.sin(jnp.pi / 2 * z)


def bump(z: Array) -> Array:
    return 3 * jnp.exp(-0.5 * ((z - 1) / 0.6) ** 2)


def rise(z: Array) -> Array:
    return 3 * jax.nn.sigmoid((z - 1) / 0.3)


def u2_log_density(x: Array) -> Array:
    """A ridge along a sine wave."""
    return -0.5 * ((x[1] - sine(x[0])) / 0.4) ** 2 + window(x[0])


def u2_draw(key: Array, n: int) -> Array:
    keys = random.split(key)
    z1 = window_draw(keys[0], n)
    return jnp.stack([z1, sine(z1) + 0.4 * random.normal(keys[1], (n,))])


def two_ridges(gap: Callable[[Array], Array], sds: tuple[float, float]) -> Target:
    """Two ridges along a sine wave, the second lower by `gap`."""

    def log_density(x: Array) -> Array:
        upper = x[1] - sine(x[0])
        lower = upper + gap(x[0])
        return jnp.logaddexp(-0.5 * (upper / sds[0]) ** 2, -0.5 * (lower / sds[1]) ** 2) + window(x[0])

    def draw(key: Array, n: int) -> Array:
        keys = random.split(key, 3)
        z1 = window_draw(keys[0], n)
        second = random.uniform(keys[1], (n,)) >= sds[0] / (sds[0] + sds[1])
        middle = sine(z1) - jnp.where(second, gap(z1), 0)
        return jnp.stack([z1, middle + jnp.where(second, sds[1], sds[0]) * random.normal(keys[2], (n,))])

    return Target(2, log_density, draw)


def diagonal(sds: np.ndarray) -> Target:
    """A Gaussian about zero with independent coordinates."""
    sd = jnp.array(sds, jnp.float32)[:, None]
    precision = jnp.array(sds**-2.0, jnp.float32)
    constant = float(np.log(sds).sum() + 0.5 * len(sds) * LOG_TAU)
    return Target(
        len(sds),
        lambda x: -0.5 * (precision @ (x * x)) - constant,
        lambda key, n: sd * random.normal(key, (len(sds), n)),
    )


def scg_log_density(x: Array) -> Array:
    """A Gaussian of variances 100 and 0.01, turned by π/4."""
    u, v = (x[0] + x[1]) * np.sqrt(0.5), (x[1] - x[0]) * np.sqrt(0.5)
    return -0.5 * ((u / 10) ** 2 + (v / 0.1) ** 2) - LOG_TAU


def funnel(dim: int) -> Target:
    """x₀ ~ N(0, 3²), the others N(0, exp x₀)."""
    constant = float(np.log(3) + dim / 2 * LOG_TAU)

    def log_density(x: Array) -> Array:
        scaled = x[1:] * jnp.exp(jnp.minimum(-0.5 * x[0], 88.0))
        return -0.5 * ((x[0] / 3) ** 2 + (scaled * scaled).sum(0) + (dim - 1) * x[0]) - constant

    def draw(key: Array, n: int) -> Array:
        x = random.normal(key, (dim, n))
        neck = 3 * x[0]
        return jnp.concatenate([neck[None], jnp.exp(neck / 2) * x[1:]])

    return Target(dim, log_density, draw)


def icg(dim: int) -> Target:
    """Ill-conditioned Gaussian."""
    return diagonal(10.0 ** np.linspace(-1, 1, dim))


TARGETS = {
    "u1": Target(2, u1_log_density, u1_draw),
    "u2": Target(2, u2_log_density, u2_draw),
    "u3": two_ridges(bump, (0.35, 0.35)),
    "u4": two_ridges(rise, (0.4, 0.35)),
    "gaussian": diagonal(np.ones(2)),
    "funnel": funnel(10),
    "icg": icg(50),
    "scg": Target(2, scg_log_density),
}
