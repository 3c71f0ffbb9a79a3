"""How our steps grow: time and memory of a step against batch, dimension, depth, width, threads, one at a time.

    growth.py [--rounds 5] [--out results/peers]

Everything but the axis is the workload of `compare.py`. Writes growth.csv: the median of the windows' time a step, and the
peak of resident memory.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from compare import PAUSE_S, ROOT, STEP, Runner, write_csv

Axis = tuple[str, str, list[int], Callable[[int], list[str]]]


def batch(value: int) -> list[str]:
    return ["--batch", str(value)]


def params(**of: Callable[[int], object]) -> Callable[[int], list[str]]:
    return lambda value: ["--params", json.dumps({name: make(value) for name, make in of.items()})]


def target(name: str) -> Callable[[int], list[str]]:
    return lambda value: ["--target", json.dumps({name: {"dim": value}})]


def same(value: int) -> int:
    return value


def square(value: int) -> list[int]:
    return [value, value]


AXES: list[Axis] = [
    ("planar-32", "batch", [64, 128, 256, 512, 1024, 2048, 4096, 8192], batch),
    ("planar-32", "K", [1, 2, 4, 8, 16, 32, 64, 128], params(layers=same)),
    ("planar-32", "d", [2, 4, 8, 16, 32, 64], target("gaussian")),
    ("radial-16", "K", [1, 2, 4, 8, 16, 32, 64, 128], params(layers=same)),
    ("nhf-512", "batch", [16, 32, 64, 128, 256, 512, 1024, 2048, 4096], batch),
    ("nhf-512", "width", [16, 32, 64, 128, 256, 512], params(hidden=square, encoder_hidden=square)),
    ("nhf-512", "T", [1, 2, 4, 8, 16], params(hamiltonians=same)),
    ("nhf-512", "n_steps", [1, 2, 4, 8, 16], params(n_steps=same)),
    ("nhf-512", "d", [2, 4, 8, 16, 32, 64], target("gaussian")),
    ("hmc", "chains", [25, 50, 100, 200, 400, 800, 1600, 3200], batch),
    ("hmc", "d", [2, 10, 50, 100, 200, 400], target("icg")),
    ("hmc", "n_steps", [1, 2, 5, 10, 20, 50], params(n_steps=same)),
    ("nn-hmc", "chains", [32, 64, 128, 200, 400, 800, 1600], batch),
    ("nn-hmc", "hidden", [5, 10, 20, 40, 80], params(hidden=same)),
    ("nn-hmc", "n_steps", [1, 2, 5, 10, 20, 40], params(n_steps=same)),
]


def measure(workload: str, threads: int, changes: list[str], rounds: int) -> tuple[float, float]:
    """µs a step, peak MiB."""
    runner = Runner("ours", [str(STEP), workload, "--threads", str(threads), *changes])
    times = []
    for _ in range(rounds):
        time.sleep(PAUSE_S)
        times.append(runner.take(runner.steps) / runner.steps)
    status = Path(f"/proc/{runner.process.pid}/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    runner.close()
    return 1e6 * statistics.median(times), peak / 1024


def rows(rounds: int) -> Iterator[dict[str, object]]:
    for workload, axis, values, change in AXES:
        for threads in (1, 2):
            for value in values:
                step_us, peak_mib = measure(workload, threads, change(value), rounds)
                yield {
                    "workload": workload,
                    "axis": axis,
                    "value": value,
                    "threads": threads,
                    "step_us": f"{step_us:.2f}",
                    "peak_mib": f"{peak_mib:.1f}",
                }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=ROOT / "results/peers")
    args = parser.parse_args()
    args.out = args.out.resolve()
    args.out.mkdir(parents=True, exist_ok=True)
    found = []
    for row in rows(args.rounds):
        found.append(row)
        print(*row.values(), flush=True)
    write_csv(args.out / "growth.csv", list(found[0]), found)


if __name__ == "__main__":
    main()
