"""Whole cells of results/reference/first-look/sweep.yaml in eager PyTorch, one after another, a JSON line a cell.

What a cell is, and the arguments, are those of first_look_jax.py, which see; nothing is compiled. Adam is fused.
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

import torch  # noqa: E402
from layers_torch import FLOWS  # noqa: E402
from targets_torch import LOG_TAU, TARGETS  # noqa: E402
from torch import Tensor  # noqa: E402

STEPS, BATCH, RATE, CLIP, GIVE_UP = 4000, 256, 1e-2, 10.0, 100
ANNEAL_FROM, ANNEAL_STEPS = 0.01, 2000
EVERY, DRAWS, FINAL_DRAWS = 500, 2000, 20000


def run(flow: str, layers: int, name: str, objective: str, seed: int) -> dict[str, Any]:
    """Trains and evaluates one cell."""
    started = time.perf_counter()
    torch.manual_seed(seed)
    init, forward, inverse = FLOWS[flow]
    target = TARGETS[name]
    params = {key: value.requires_grad_() for key, value in init(layers, target.dim).items()}
    adam = torch.optim.Adam(params.values(), lr=RATE, fused=True)

    def log_base(z: Tensor) -> Tensor:
        return -0.5 * (z.square().sum(1) + target.dim * LOG_TAU)

    def sample(n: int) -> tuple[Tensor, Tensor]:
        z = torch.randn(n, target.dim)
        x, log_det = forward(params, z)
        return x, log_base(z) - log_det

    def log_q(x: Tensor) -> Tensor:
        z, log_det = inverse(params, x)
        return log_base(z) - log_det

    def loss(step: int) -> Tensor:
        if objective == "data":
            return -log_q(target.draw(BATCH)).mean()
        x, log_q_x = sample(BATCH)
        beta = min(ANNEAL_FROM + (1 - ANNEAL_FROM) * step / ANNEAL_STEPS, 1)
        return (log_q_x - beta * target.log_density(x)).mean()

    @torch.no_grad()
    def reverse(n: int) -> Tensor:
        x, log_q_x = sample(n)
        return (target.log_density(x) - log_q_x).double()

    @torch.no_grad()
    def ahead(n: int) -> Tensor:
        x = target.draw(n)
        return (target.log_density(x) - log_q(x)).double()

    bad = 0
    for step in range(STEPS):
        if step % EVERY == 0:
            reverse(DRAWS).mean().item()
        adam.zero_grad()
        loss(step).backward()
        size = torch.nn.utils.clip_grad_norm_(params.values(), CLIP)
        bad = 0 if math.isfinite(size) else bad + 1
        if bad >= GIVE_UP:
            break
        if bad == 0:
            adam.param_groups[0]["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * step / STEPS))
            adam.step()
    log_w = torch.cat([reverse(DRAWS) for _ in range(FINAL_DRAWS // DRAWS)])
    eubo = torch.cat([ahead(DRAWS) for _ in range(FINAL_DRAWS // DRAWS)]).mean()
    weights = torch.exp(log_w - log_w.max())
    return {
        "status": "diverged" if bad >= GIVE_UP or not log_w.isfinite().all() else "ok",
        "elbo_nats": finite(log_w.mean()),
        "eubo_nats": finite(eubo),
        "reverse_ess": finite(weights.sum() ** 2 / weights.square().sum() / len(weights)),
        "seconds": time.perf_counter() - started,
    }


def finite(value: Tensor) -> float | None:
    """Missing is empty."""
    return value.item() if math.isfinite(value) else None


def main() -> None:
    torch.set_num_threads(args.threads)
    for cell in args.cells:
        flow, layers, target, objective, seed = cell.split(":")
        print(json.dumps({"cell": cell} | run(flow, int(layers), target, objective, int(seed))), flush=True)


if __name__ == "__main__":
    main()
