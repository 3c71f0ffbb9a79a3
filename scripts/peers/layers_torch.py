"""Planar and radial layers in PyTorch, forth and back, with initial parameters as our flows have them.

Rezende & Mohamed, "Variational inference with normalizing flows" (ICML 2015, arXiv 1505.05770), equations 10–14 and
appendix A, in the form of flows/planar/src and flows/radial/src, which say what the letters are.
Shapes: w, u, z0 `[K, d]`; a, b `[K]`; points `[n, d]`; log-det `[n]`, of the forward map both ways, taken of all layers
at once, since eager PyTorch pays by the operation.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

Params = dict[str, Tensor]


def planar_init(layers: int, dim: int) -> Params:
    """Near the identity: u = m⁻¹(0)·w/‖w‖² and a little noise."""
    w = torch.randn(layers, dim) / math.sqrt(dim)
    u = 0.01 * torch.randn(layers, dim) + math.log(math.e - 1) * w / w.square().sum(1, keepdim=True)
    return {"w": w, "u": u, "b": torch.randn(layers)}


def planar_constrain(params: Params) -> tuple[Tensor, Tensor]:
    """û `[K, d]` and 1 + wᵀû `[K]`."""
    w, u = params["w"], params["u"]
    wu = (w * u).sum(1)
    s_plus = F.softplus(wu)
    return u + ((s_plus - 1 - wu) / w.square().sum(1))[:, None] * w, s_plus


def planar_log_det(tanhs: list[Tensor], s_plus: Tensor) -> Tensor:
    squares = torch.stack(tanhs).square()
    return torch.log(squares + (1 - squares) * s_plus[:, None]).sum(0)


def planar_forward(params: Params, z: Tensor) -> tuple[Tensor, Tensor]:
    """x and log |det| of z."""
    u_hat, s_plus = planar_constrain(params)
    tanhs = []
    for w, u, b in zip(params["w"].unbind(), u_hat.unbind(), params["b"].unbind()):
        tanhs.append(torch.tanh(torch.addmv(b, z, w)))
        z = torch.addr(z, tanhs[-1], u)
    return z, planar_log_det(tanhs, s_plus)


def planar_inverse(params: Params, x: Tensor) -> tuple[Tensor, Tensor]:
    """z and log |det| of x."""
    u_hat, s_plus = planar_constrain(params)
    rows = zip(params["w"].unbind(), u_hat.unbind(), params["b"].unbind(), (s_plus - 1).unbind())
    tanhs = []
    for w, u, b, s in reversed(list(rows)):
        tanhs.append(torch.tanh(planar_root(s, torch.addmv(b, x, w))))
        x = torch.addr(x, tanhs[-1], u, alpha=-1)
    return x, planar_log_det(tanhs[::-1], s_plus)


def planar_root(s: Tensor, c: Tensor) -> Tensor:
    """α with α + s·tanh(α) = c, differentiable by the implicit function: one Newton step from the root carries it.

    Newton's method in |c|. For s ≥ 0 the left side is concave on α ≥ 0 and the start 0 is below the root, for s < 0 it
    is convex and the start |c| + |s| above: no step can leap over it.
    """
    with torch.no_grad():
        size = c.abs()
        tolerance = 1e-6 * (1 + size)
        root = torch.zeros_like(size) if s >= 0 else size - s
        for _ in range(50):
            tanh = torch.tanh(root)
            change = (root + s * tanh - size) / (1 + s * (1 - tanh.square()))
            root = root - change
            if (change.abs() <= tolerance).all():
                break
        root = torch.copysign(root, c)
        tanh = torch.tanh(root)
        slope = 1 + s * (1 - tanh.square())
    return root + (c - root - s * tanh) / slope


def radial_init(layers: int, dim: int) -> Params:
    """The identity: a = b."""
    start = torch.full((layers,), math.log(math.e - 1))
    return {"z0": torch.randn(layers, dim), "a": start, "b": start.clone()}


def radial_constrain(params: Params) -> tuple[Tensor, Tensor]:
    """α and β̂, `[K]`."""
    alpha = F.softplus(params["a"])
    return alpha, F.softplus(params["b"]) - alpha


def radial_log_det(hs: list[Tensor], alpha: Tensor, beta: Tensor, dim: int) -> Tensor:
    h = torch.cat(hs, 1)
    return ((dim - 1) * torch.log(1 + beta * h) + torch.log(1 + alpha * beta * h.square())).sum(1)


def radial_forward(params: Params, z: Tensor) -> tuple[Tensor, Tensor]:
    """x and log |det| of z."""
    alpha, beta = radial_constrain(params)
    hs = []
    for centre, a, b in zip(params["z0"].unbind(), alpha.unbind(), beta.unbind()):
        delta = z - centre
        hs.append((a + distance(delta)).reciprocal())
        z = centre + delta * (1 + b * hs[-1])
    return z, radial_log_det(hs, alpha, beta, z.shape[1])


def radial_inverse(params: Params, x: Tensor) -> tuple[Tensor, Tensor]:
    """z and log |det| of x: the distance solves a quadratic."""
    alpha, beta = radial_constrain(params)
    hs = []
    for centre, a, b in reversed(list(zip(params["z0"].unbind(), alpha.unbind(), beta.unbind()))):
        delta = x - centre
        outer = distance(delta)
        p, product = outer - (a + b), outer * a
        root = torch.sqrt(p.square() + 4 * product)
        inner = torch.where(p >= 0, 0.5 * (root + p), 2 * product / (root + p.abs()))
        hs.append((a + inner).reciprocal())
        x = centre + delta / (1 + b * hs[-1])
    return x, radial_log_det(hs[::-1], alpha, beta, x.shape[1])


def distance(delta: Tensor) -> Tensor:
    return delta.square().sum(1, keepdim=True).clamp_min(1e-30).sqrt()


FLOWS = {
    "planar": (planar_init, planar_forward, planar_inverse),
    "radial": (radial_init, radial_forward, radial_inverse),
}
