"""What every peer speaks: warm up, say `ready`, take as many steps as a line on stdin asks for, print the seconds.

Without a check: builds, compiles, takes WARM_UP steps, prints `ready`; for every integer N on a line of stdin takes N
steps, waits until their result is there, and prints the elapsed seconds; ends at the end of stdin.
With `--check FILE`: computes from the inputs of a JSON file, that our program wrote, what our program computed from
them, prints the relative gaps, and exits 1 where one is too large.

Call `arguments` before a numerical library is imported: threads are limited by the affinity of the process, which
OpenMP, MKL and XLA read once.
"""

import argparse
import ctypes
import json
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

WARM_UP = 20
# f32: a loss is a mean of sums of some hundred roundings of 6e-8; gradients lose more where terms cancel.
LOSS_LIMIT = 1e-4
TENSOR_LIMIT = 1e-3
# Of the norm of the whole gradient: what a tensor may be off whose own gradient is nothing but rounding.
FLOOR = 1e-6

Found = dict[str, object]


def arguments(description: str, *switches: str, **integers: int) -> argparse.Namespace:
    """Parses the command line, pins the process to its first `--threads` processors, and keeps freed memory.

    `switches` are further flags, `integers` further options with their defaults. On a CUDA device a peer uses one, the first.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--check", type=Path, metavar="FILE")
    for name in switches:
        parser.add_argument(f"--{name}", action="store_true")
    for name, default in integers.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    limit_threads(args.threads)
    keep_memory()
    # Read by JAX when it is imported: a device that is not there is an error, never the processor in its place.
    os.environ["JAX_PLATFORMS"] = args.device
    # On a GPU, JAX would round products to TF32, which neither PyTorch nor ours does, and keep three quarters of its memory.
    os.environ["JAX_DEFAULT_MATMUL_PRECISION"] = "highest"
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    return args


def limit_threads(threads: int) -> None:
    """Pins this process to the first `threads` processors that it may use."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(threads)


def keep_memory() -> None:
    """Has glibc keep what is freed: otherwise large temporaries are mapped anew, a page fault at a time, every step.

    mallopt(3): M_MMAP_MAX = 0 takes large blocks from the heap, M_TRIM_THRESHOLD and M_TOP_PAD keep it.
    """
    libc = ctypes.CDLL(None)
    for parameter, value in ((-4, 0), (-1, 2**31 - 1), (-2, 2**26)):
        libc.mallopt(parameter, value)


def on_torch_device(device: str, run: Callable[[int], None]) -> Callable[[int], None]:
    """`run` in PyTorch, which returns before a CUDA device has done its work."""
    import torch

    def waiting(n: int) -> None:
        run(n)
        if device == "cuda":
            torch.cuda.synchronize()

    return waiting


def serve(run: Callable[[int], None]) -> None:
    """The protocol, for a `run` that takes that many steps and returns when their result is there."""
    run(WARM_UP)
    print("ready", flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        run(int(line))
        print(time.perf_counter() - start, flush=True)


def check(path: Path, compute: Callable[[dict], Found]) -> None:
    """Compares what `compute` makes of a dump with what stands in it, and exits.

    `compute` returns some of the dump's outputs under the dump's names: numbers, nested lists, or maps of them.
    """
    dump = json.loads(path.read_text())
    found = compute(dump)
    gaps, bad = [], []
    for name, value in found.items():
        expected = dump[name]
        if isinstance(value, dict):
            whole = math.sqrt(sum(norm(flat(tensor)) ** 2 for tensor in expected.values()))
            if value.keys() != expected.keys():
                bad.append(f"{name}: other names: {sorted(value.keys() ^ expected.keys())}")
            common = value.keys() & expected.keys()
            parts = [(f"{name} {key}", value[key], expected[key], FLOOR * whole) for key in common]
        else:
            parts = [(name, value, expected, 0.0)]
        for label, ours, theirs, floor in parts:
            gap, size = difference(flat(ours), flat(theirs))
            limit = LOSS_LIMIT if name == "loss" else TENSOR_LIMIT
            gaps.append((gap / max(size, floor, sys.float_info.min), label))
            if not gap <= limit * size + floor:
                bad.append(f"{label}: off by {gap:.3g} of {size:.3g}")
    for gap, label in sorted(gaps, reverse=True)[:5]:
        print(f"{label}: {gap:.2e}")
    for line in bad:
        print(f"FAILED {line}")
    sys.exit(1 if bad else 0)


def difference(a: list[float], b: list[float]) -> tuple[float, float]:
    """Norm of a − b, and of b."""
    if len(a) != len(b):
        return math.inf, norm(b)
    return norm([x - y for x, y in zip(a, b)]), norm(b)


def norm(values: list[float]) -> float:
    """Euclidean."""
    return math.sqrt(math.fsum(value * value for value in values))


def flat(value: object) -> list[float]:
    """All numbers of a number, a nested list or an array, in order."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list):
        return [number for part in value for number in flat(part)]
    return [float(value)]
