"""The target densities of targets/src in PyTorch: log γ, and exact draws where maximum likelihood asks for them.

Sources and constants stand in targets/src/{u1,u2,u3,u4,two_ridges,soft_uniform,wave,scg,gaussian,funnel}.rs.
Shapes: x `[n, d]`, log γ `[n]`. Derivatives are autograd's.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

LOG_TAU = math.log(2 * math.pi)
WIDTH, SOFTNESS = 8.0, 10.0


class Target(NamedTuple):
    """A density γ with its dimension and exact draws `n -> [n, d]`."""

    dim: int
    log_density: Callable[[Tensor], Tensor]
    draw: Callable[[int], Tensor] | None = None


def u1_log_density(x: Tensor) -> Tensor:
    """A ring of radius 2 with two bright sides."""
    radius = x.square().sum(1).clamp_min(1e-24).sqrt()
    side = x[:, 0].abs()
    squares = ((radius - 2) / 0.4).square() + ((side - 2) / 0.6).square()
    return -0.5 * squares + torch.log1p(torch.exp(side * (-4 / 0.36)))


def u1_draw(n: int) -> Tensor:
    """The rejections of targets/src/u1.rs, eight candidates a point at a time until there are enough."""

    def bell(z: Tensor) -> Tensor:
        return torch.exp(-0.5 * (z / 0.6).square())

    found = torch.empty(0, 2)
    while len(found) < n:
        radius = 2 + 0.5 * 0.4**2 + 0.4 * torch.randn(8 * n)
        uniforms = torch.rand(3, 8 * n)
        angle = 2 * math.pi * uniforms[0]
        z = torch.stack([radius * angle.cos(), radius * angle.sin()], 1)
        fair = uniforms[1] * 2 * torch.exp(radius / 2 - 1) < radius
        bright = uniforms[2] * (1 + math.exp(-0.5 * (2 / 0.6) ** 2)) < bell(z[:, 0] - 2) + bell(z[:, 0] + 2)
        found = torch.cat([found, z[fair & bright]])
    return found[:n]


def window(z: Tensor) -> Tensor:
    """log of the soft uniform on |z| ≤ 4."""
    half = SOFTNESS * WIDTH / 2
    return F.logsigmoid(SOFTNESS * z + half) + F.logsigmoid(half - SOFTNESS * z)


def window_draw(n: int) -> Tensor:
    """Its draws: uniform plus logistic."""
    return WIDTH * (torch.rand(n) - 0.5) + torch.logit(torch.rand(n), eps=1e-7) / SOFTNESS


def sine(z: Tensor) -> Tensor:
    return torch.sin(math.pi / 2 * z)


def bump(z: Tensor) -> Tensor:
    return 3 * torch.exp(-0.5 * ((z - 1) / 0.6).square())


def rise(z: Tensor) -> Tensor:
    return 3 * torch.sigmoid((z - 1) / 0.3)


def u2_log_density(x: Tensor) -> Tensor:
    """A ridge along a sine wave."""
    return -0.5 * ((x[:, 1] - sine(x[:, 0])) / 0.4).square() + window(x[:, 0])


def u2_draw(n: int) -> Tensor:
    z1 = window_draw(n)
    return torch.stack([z1, sine(z1) + 0.4 * torch.randn(n)], 1)


def two_ridges(gap: Callable[[Tensor], Tensor], sds: tuple[float, float]) -> Target:
    """Two ridges along a sine wave, the second lower by `gap`."""

    def log_density(x: Tensor) -> Tensor:
        upper = x[:, 1] - sine(x[:, 0])
        lower = upper + gap(x[:, 0])
        both = torch.logaddexp(-0.5 * (upper / sds[0]).square(), -0.5 * (lower / sds[1]).square())
        return both + window(x[:, 0])

    def draw(n: int) -> Tensor:
        z1 = window_draw(n)
        second = (torch.rand(n) >= sds[0] / (sds[0] + sds[1])).float()
        sd = sds[0] + second * (sds[1] - sds[0])
        return torch.stack([z1, sine(z1) - second * gap(z1) + sd * torch.randn(n)], 1)

    return Target(2, log_density, draw)


def gaussian(dim: int) -> Target:
    """N(0, I)."""
    return Target(dim, lambda x: -0.5 * (x.square().sum(1) + dim * LOG_TAU), lambda n: torch.randn(n, dim))


def scg_log_density(x: Tensor) -> Tensor:
    """A Gaussian of variances 100 and 0.01, turned by π/4."""
    u, v = (x[:, 0] + x[:, 1]) * math.sqrt(0.5), (x[:, 1] - x[:, 0]) * math.sqrt(0.5)
    return -0.5 * ((u / 10).square() + (v / 0.1).square()) - LOG_TAU


def funnel(dim: int) -> Target:
    """x₀ ~ N(0, 3²), the others N(0, exp x₀)."""
    constant = math.log(3) + dim / 2 * LOG_TAU

    def log_density(x: Tensor) -> Tensor:
        scaled = x[:, 1:] * torch.exp((-0.5 * x[:, :1]).clamp_max(88.0))
        return -0.5 * ((x[:, 0] / 3).square() + scaled.square().sum(1) + (dim - 1) * x[:, 0]) - constant

    def draw(n: int) -> Tensor:
        x = torch.randn(n, dim)
        neck = 3 * x[:, :1]
        return torch.cat([neck, torch.exp(neck / 2) * x[:, 1:]], 1)

    return Target(dim, log_density, draw)


TARGETS = {
    "u1": Target(2, u1_log_density, u1_draw),
    "u2": Target(2, u2_log_density, u2_draw),
    "u3": two_ridges(bump, (0.35, 0.35)),
    "u4": two_ridges(rise, (0.4, 0.35)),
    "gaussian": gaussian(2),
    "funnel": funnel(10),
    "scg": Target(2, scg_log_density),
}
