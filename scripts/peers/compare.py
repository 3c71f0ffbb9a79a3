"""Times peers beside our program: windows of steps in turns, ratios paired by round; or whole cells of a sweep.

    compare.py [--threads 1] [--rounds 15] [--only planar-8 hmc] [--out results/peers]
    compare.py --sweep [--cells 12] [--only ours jax]
    compare.py --device cuda [--rounds 15] [--out results/peers-cuda]

A peer whose `--check` on a fresh dump of ours fails is reported as failed and not timed. Ours is the example `step`, which
speaks the same protocol. Writes windows.csv, ratios.csv and ratios.md, or sweep.csv and what each program printed.
"""

import argparse
import csv
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import protocol

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# Where each device's build is.
TARGET = {"cpu": ROOT / "target", "cuda": ROOT / "target/cuda"}
HARNESS = TARGET["cpu"] / "release/harness"
OURS = "ours"
WINDOW_S, PAUSE_S = 0.3, 0.05

# Workload, as `step` knows it: the peers' names and commands.
WORKLOADS: dict[str, dict[str, str]] = {
    **{
        f"nhf-{batch}": {
            "jax": f"nhf_jax.py --batch {batch}",
            "jax scan": f"nhf_jax.py --batch {batch} --scan",
            "torch": f"nhf_torch.py --batch {batch}",
            "torch compile": f"nhf_torch.py --batch {batch} --compile",
        }
        for batch in (512, 64)
    },
    **{
        f"{flow}-{layers}": {
            "jax": f"{flow}_jax.py --layers {layers}",
            "jax scan": f"{flow}_jax.py --layers {layers} --scan",
            "normflows": f"{flow}_normflows.py --layers {layers}",
            "normflows compile": f"{flow}_normflows.py --layers {layers} --compile",
        }
        for flow, layers in (("planar", 8), ("planar", 32), ("radial", 16))
    },
    "hmc": {"blackjax": "hmc_blackjax.py", "blackjax scan": "hmc_blackjax.py --scan"},
    "nn-hmc": {
        "jax": "l2hmc_jax.py",
        "jax scan": "l2hmc_jax.py --scan",
        "torch": "l2hmc_torch.py",
        "torch compile": "l2hmc_torch.py --compile",
    },
}

# What ours is told beside the name of a workload.
OPTIONS: dict[str, list[str]] = {
    "planar-32 of 65536": ["--batch", "65536"],
    "hmc of 10000": ["--batch", "10000", "--target", '{"icg": {"dim": 100}}'],
}
# Large enough for a GPU.
ON_CUDA: dict[str, dict[str, str]] = {
    "nhf-8192": {
        "jax": "nhf_jax.py --batch 8192",
        "jax scan": "nhf_jax.py --batch 8192 --scan",
        "torch": "nhf_torch.py --batch 8192",
        "torch compile": "nhf_torch.py --batch 8192 --compile",
    },
    "planar-32 of 65536": {
        "jax": "planar_jax.py --layers 32 --batch 65536",
        "jax scan": "planar_jax.py --layers 32 --batch 65536 --scan",
        "normflows": "planar_normflows.py --layers 32 --batch 65536",
        "normflows compile": "planar_normflows.py --layers 32 --batch 65536 --compile",
    },
    "hmc of 10000": {
        "blackjax": "hmc_blackjax.py --chains 10000 --dim 100",
        "blackjax scan": "hmc_blackjax.py --chains 10000 --dim 100 --scan",
    },
}

# The grid of results/reference/first-look/sweep.yaml.
FLOWS, OBJECTIVES, LAYERS = ("planar", "radial"), ("reverse-kl", "data"), (2, 8, 32)
TARGETS = ("u1", "u2", "u3", "u4", "gaussian", "funnel")
TARGETS_YAML = "[u1, u2, u3, u4, {gaussian: {dim: 2}}, {funnel: {dim: 10}}]"
Cell = tuple[str, int, str, str]
# Whose cells `--sweep` times.
PROGRAMS = ("ours", "jax", "torch")


class Ended(Exception):
    """A process that is no longer there."""


class Runner:
    """A process that speaks the protocol."""

    def __init__(self, who: str, command: list[str]) -> None:
        self.who = who
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE)
        while self._line() != "ready":
            pass
        self.steps = self._calibrate()

    def take(self, steps: int) -> float:
        """Seconds of that many steps."""
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        return float(self._line())

    def close(self) -> None:
        """Ends it."""
        self.process.stdin.close()
        self.process.wait()

    def _line(self) -> str:
        line = self.process.stdout.readline()
        if not line:
            raise Ended(f"{self.who} ended with exit status {self.process.wait()}")
        return line.strip()

    def _calibrate(self) -> int:
        """Steps in a window."""
        steps = 1
        while (seconds := self.take(steps)) < WINDOW_S / 3:
            steps *= 2
        return max(1, round(steps * WINDOW_S / seconds))


def command(peer: str, threads: int, device: str = "cpu") -> list[str]:
    """A peer's, in this Python."""
    script, *rest = peer.split()
    return [sys.executable, str(HERE / script), *rest, "--threads", str(threads), "--device", device]


def passes(peer: str, threads: int, device: str, dump: Path) -> bool:
    """Whether a peer computes from a dump what we did."""
    done = subprocess.run([*command(peer, threads, device), "--check", str(dump)], cwd=HERE, capture_output=True, text=True)
    print(f"check of {peer}: {'passed' if done.returncode == 0 else 'FAILED'}\n{done.stdout}", file=sys.stderr)
    if done.returncode != 0:
        print(done.stderr[-2000:], file=sys.stderr)
    return done.returncode == 0


def start(workload: str, threads: int, device: str) -> tuple[list[Runner], dict[str, str]]:
    """Ours and every peer that does not fail its check, warm; the status of all."""
    step = TARGET[device] / "release/examples/step"
    ours = [str(step), workload.split()[0], *OPTIONS.get(workload, []), "--threads", str(threads), "--device", device]
    peers, status = (WORKLOADS | ON_CUDA)[workload], {}
    with tempfile.TemporaryDirectory() as folder:
        dump = Path(folder) / "dump.json"
        subprocess.run([*ours, "--dump", str(dump)], check=True)
        for who, peer in peers.items():
            status[who] = "ok" if passes(peer, threads, device, dump) else "failed"
    runners = [Runner(OURS, ours)]
    for who in [who for who in peers if status[who] != "failed"]:
        try:
            runners.append(Runner(who, command(peers[who], threads, device)))
        except Ended as ended:
            print(f"{workload}: {ended}", file=sys.stderr)
            status[who] = "failed"
    return runners, {OURS: "ok"} | status


def rounds(workload: str, runners: list[Runner], count: int) -> Iterator[dict[str, Any]]:
    """Windows in turns, the order rotated each round."""
    for index in range(count):
        for place in range(len(runners)):
            runner = runners[(index + place) % len(runners)]
            time.sleep(PAUSE_S)
            seconds = runner.take(runner.steps)
            yield {"workload": workload, "who": runner.who, "round": index, "steps": runner.steps, "seconds": seconds}


def ratios(windows: list[dict[str, Any]], status: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Time of a step over ours, by peer: the median of the rounds and its quartiles. Missing is empty."""
    workload = windows[0]["workload"]
    step_s: dict[str, list[float]] = {}
    for window in windows:
        step_s.setdefault(window["who"], []).append(window["seconds"] / window["steps"])
    for who, word in status.items():
        row = {"workload": workload, "who": who, "status": word}
        if times := step_s.get(who):
            row["step_us"] = 1e6 * statistics.median(times)
        if times and who != OURS:
            paired = [theirs / ours for theirs, ours in zip(times, step_s[OURS], strict=True)]
            quartiles = statistics.quantiles(paired, n=4, method="inclusive") if len(paired) > 1 else paired * 3
            row |= dict(zip(("ratio_q1", "ratio_median", "ratio_q3"), quartiles))
        yield row


def markdown(rows: list[dict[str, Any]]) -> str:
    """The table of ratios."""
    lines = ["| workload | who | status | µs a step | times ours (quartiles) |", "|---|---|---|--:|--:|"]
    for row in rows:
        step = f"{row['step_us']:.0f}" if "step_us" in row else ""
        ratio = "{ratio_median:.2f} ({ratio_q1:.2f}–{ratio_q3:.2f})".format(**row) if "ratio_median" in row else ""
        lines.append(f"| {row['workload']} | {row['who']} | {row['status']} | {step} | {ratio} |")
    return "\n".join(lines) + "\n"


def write_csv(path: Path, columns: list[str], rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def compare(args: argparse.Namespace) -> None:
    """Every workload asked for, one after another, all on the same processors."""
    protocol.limit_threads(args.threads)
    windows, rows = [], []
    workloads = ON_CUDA if args.device == "cuda" else WORKLOADS
    for workload in [name for name in workloads if not args.only or name in args.only]:
        runners, status = start(workload, args.threads, args.device)
        found = list(rounds(workload, runners, args.rounds))
        for runner in runners:
            runner.close()
        windows += found
        rows += ratios(found, status)
        write_csv(args.out / "windows.csv", ["workload", "who", "round", "steps", "seconds"], windows)
        columns = ["workload", "who", "status", "step_us", "ratio_q1", "ratio_median", "ratio_q3"]
        write_csv(args.out / "ratios.csv", columns, rows)
        (args.out / "ratios.md").write_text(markdown(rows))
    print(markdown(rows), end="")


def cells(count: int) -> list[Cell]:
    """Flow × objective × layers in turn, with targets that rotate so that either objective meets all of them."""
    grid = list(itertools.product(FLOWS, OBJECTIVES, LAYERS))
    chosen = []
    for index in range(count):
        lap, place = divmod(index, len(grid))
        flow, objective, layers = grid[place]
        target = TARGETS[(place + 3 * (place // 6) + lap) % len(TARGETS)]
        chosen.append((flow, layers, target, objective))
    return chosen


def sweep_yaml(chosen: list[Cell]) -> str:
    """A sweep of just these cells, with the settings of first-look and nothing measured that peers do not."""
    rules = []
    for flow, objective, layers in itertools.product(FLOWS, OBJECTIVES, LAYERS):
        kept = {target for *rest, target, of in chosen if (*rest, of) == (flow, layers, objective)}
        rest = [target for target in TARGETS if target not in kept]
        if rest:
            targets = f", target: [{', '.join(rest)}]" if kept else ""
            rules.append(f"  - {{flow: {flow}, layers: {layers}, objective: {objective}{targets}}}\n")
    return (
        "version: 1\nname: peers\n"
        f"flows:\n  - planar: {{layers: {list(LAYERS)}}}\n  - radial: {{layers: {list(LAYERS)}}}\n"
        f"targets: {TARGETS_YAML}\nseeds: [0]\n"
        f"{'exclude:' if rules else ''}\n{''.join(rules)}"
        "train:\n  objective: [reverse-kl, data]\n  steps: 4000\n  batch: 256\n  optimizer: {adam: {lr: 1e-2}}\n"
        "  schedule: cosine\n  clip_norm: 10\n  anneal: {from: 0.01, steps: 2000}\n"
        "eval: {every: 500, draws: 2000, final_draws: 20000, throughput: false}\n"
    )


def sweep(args: argparse.Namespace) -> None:
    """The same cells by every program, one program after another, on two processors."""
    protocol.limit_threads(2)
    chosen = cells(args.cells)
    names = [f"{flow}:{layers}:{target}:{objective}:0" for flow, layers, target, objective in chosen]
    file = args.out / "sweep.yaml"
    file.write_text(sweep_yaml(chosen))
    harness = [str(HARNESS), "run", str(file), "--force", "--out"]
    programs = {
        "ours, 2 jobs of 1 thread": [*harness, str(args.out / "jobs"), "--jobs", "2", "--threads", "1"],
        "ours, 1 job of 2 threads": [*harness, str(args.out / "threads"), "--jobs", "1", "--threads", "2"],
        "jax, 2 threads": [*command("first_look_jax.py", 2), "--cells", *names],
        "torch, 2 threads": [*command("first_look_torch.py", 2), "--cells", *names],
        "torch, 1 thread": [*command("first_look_torch.py", 1), "--cells", *names],
    }
    rows = []
    for who, program in programs.items():
        if args.only and who.split(",")[0] not in args.only:
            continue
        started = time.perf_counter()
        done = subprocess.run(program, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        seconds = time.perf_counter() - started
        (args.out / f"{who.replace(', ', '-').replace(' ', '-')}.txt").write_text(done.stdout)
        status = "ok" if done.returncode == 0 else f"exit status {done.returncode}"
        per_h = 3600 * len(names) / seconds
        rows.append({"who": who, "status": status, "cells": len(names), "seconds": seconds, "cells_per_h": per_h})
        print(json.dumps(rows[-1]), flush=True)
        write_csv(args.out / "sweep.csv", list(rows[0]), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=sorted(TARGET), default="cpu", help="cuda: workloads large enough for a GPU")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", nargs="+", choices=[*WORKLOADS, *ON_CUDA, *PROGRAMS], metavar="WORKLOAD")
    parser.add_argument("--out", type=Path, default=ROOT / "results/peers")
    parser.add_argument("--sweep", action="store_true")
    parser.add_argument("--cells", type=int, default=12, help="at most 72")
    args = parser.parse_args()
    args.out = args.out.resolve()
    args.out.mkdir(parents=True, exist_ok=True)
    sweep(args) if args.sweep else compare(args)


if __name__ == "__main__":
    main()
