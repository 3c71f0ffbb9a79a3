"""Reverse KL divergence of normflows' own planar or radial layers to the target u1: the training step and its check.

Stimper et al., "normflows" (JOSS 2023): `NormalizingFlow.reverse_kld` as the library has it, Adam fused.
Parameters map onto ours one to one. Planar: w, u, b are the same numbers. Radial: theirs is α = |alpha| where ours is
α = softplus(a), so alpha = softplus(a), and a gradient by alpha times σ(a) is one by a; b is their beta.
"""

import argparse

import normflows as nf
import protocol
import torch
from targets_torch import TARGETS, Target
from torch import Tensor, nn

Maps = dict[str, list[Tensor]]


class Density(nn.Module):
    """A target as normflows wants it."""

    def __init__(self, target: Target) -> None:
        super().__init__()
        self.log_prob = target.log_density


def planar(params: dict[str, Tensor]) -> list[nn.Module]:
    """Layers with our parameters."""
    rows = zip(params["w"], params["u"], params["b"])
    return [nf.flows.Planar((len(w),), w=w[None], u=u[None], b=b[None]) for w, u, b in rows]


def radial(params: dict[str, Tensor]) -> list[nn.Module]:
    """Layers with our parameters."""
    layers = []
    for z0, a, b in zip(params["z0"], params["a"], params["b"]):
        layer = nf.flows.Radial((len(z0),), z_0=z0[None])
        layer.alpha.data, layer.beta.data = nn.functional.softplus(a)[None], b[None].clone()
        layers.append(layer)
    return layers


def gradients(flow: str, layers: list[nn.Module], params: dict[str, Tensor]) -> dict[str, Tensor]:
    """By our parameters, after a reverse pass."""
    if flow == "planar":
        return {
            name: torch.stack([getattr(layer, name).grad.reshape(params[name][0].shape) for layer in layers])
            for name in ("w", "u", "b")
        }
    return {
        "z0": torch.cat([layer.z_0.grad for layer in layers]),
        "a": torch.cat([layer.alpha.grad for layer in layers]) * torch.sigmoid(params["a"]),
        "b": torch.cat([layer.beta.grad for layer in layers]),
    }


def main(flow: str, args: argparse.Namespace) -> None:
    torch.set_num_threads(args.threads)
    torch.set_default_device(args.device)
    target = TARGETS["u1"]
    base = nf.distributions.DiagGaussian(target.dim, trainable=False)

    def compute(dump: dict) -> protocol.Found:
        params = {name: torch.tensor(value) for name, value in dump["params"].items()}
        layers = {"planar": planar, "radial": radial}[flow](params)
        x = torch.tensor(dump["noise"])
        log_q = base.log_prob(x)
        for layer in layers:
            x, log_det = layer(x)
            log_q = log_q - log_det
        loss = (log_q - target.log_density(x)).mean()
        loss.backward()
        return {"x": x, "log_q": log_q, "loss": loss, "grad": gradients(flow, layers, params)}

    if args.check:
        protocol.check(args.check, compute)
    layer = {"planar": nf.flows.Planar, "radial": nf.flows.Radial}[flow]
    model = nf.NormalizingFlow(base, [layer((target.dim,)) for _ in range(args.layers)], Density(target))
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    reverse_kl = torch.compile(model.reverse_kld) if args.compile else model.reverse_kld

    def run(n: int) -> None:
        for _ in range(n):
            adam.zero_grad()
            reverse_kl(args.batch).backward()
            adam.step()

    protocol.serve(protocol.on_torch_device(args.device, run))
