"""Pictures of what compare.py and growth.py have written: ratios.svg, growth.svg.

    plot.py FOLDER      # with ratios.csv, and growth.csv if there is one
"""

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams |= {"svg.hashsalt": "peers", "svg.fonttype": "none", "font.size": 9}

import matplotlib.pyplot as plt  # noqa: E402

Rows = list[dict[str, str]]
PLAIN = {"Date": None}
COLOURS = {"jax": "#3b6fb6", "torch": "#d1603d", "normflows": "#8a6bb0", "blackjax": "#4c9f70"}


def read(path: Path) -> Rows:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def ratios(rows: Rows, path: Path) -> None:
    """A bar for every peer: its time over ours, with quartiles."""
    rows = [row for row in rows if row["ratio_median"]][::-1]
    figure, axes = plt.subplots(figsize=(7.2, 0.24 * len(rows) + 1.0))
    for place, row in enumerate(rows):
        low, middle, high = (float(row[f"ratio_{which}"]) for which in ("q1", "median", "q3"))
        colour = COLOURS[row["who"].split()[0]]
        axes.barh(place, middle - 1, left=1, color=colour, height=0.7)
        axes.plot([low, high], [place, place], color="black", linewidth=1)
        axes.text(high * 1.06, place, f"{middle:.3g}", va="center", fontsize=8)
    axes.set_yticks(range(len(rows)), [f"{row['workload']}   {row['who']}" for row in rows])
    axes.margins(y=0.01)
    axes.set_xscale("log")
    axes.set_xlim(1, 1500)
    axes.set_xticks([1, 2, 5, 10, 20, 50, 100, 200, 500, 1000], [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000])
    axes.minorticks_off()
    axes.set_xlabel("time of a training step (of a transition: hmc) over ours, two threads each")
    axes.grid(axis="x", color="#dddddd")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, bbox_inches="tight", metadata=PLAIN)


def growth(rows: Rows, path: Path) -> None:
    """A panel for every axis: time a step, on logarithmic scales, with a slope of one for comparison."""
    panels: dict[tuple[str, str], dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        panels[row["workload"], row["axis"]][row["threads"]].append((float(row["value"]), float(row["step_us"])))
    columns = 4
    lines = -(-len(panels) // columns)
    figure, grid = plt.subplots(lines, columns, figsize=(9.6, 2.1 * lines), layout="constrained")
    for axes in grid.flat[len(panels) :]:
        axes.axis("off")
    for axes, ((workload, axis), of) in zip(grid.flat, panels.items()):
        for (threads, points), colour in zip(of.items(), ("#3b6fb6", "#d1603d")):
            axes.plot(*zip(*points), marker="o", markersize=3, color=colour, label="1 thread" if threads == "1" else f"{threads} threads")
        (first, _), (last, top) = points[0], points[-1]
        axes.plot([first, last], [top * first / last, top], color="#999999", linewidth=0.8, linestyle=":")
        axes.set(xscale="log", yscale="log", title=f"{workload}: {axis}")
        axes.set_xticks([value for value, _ in points], [f"{value:.0f}" for value, _ in points], fontsize=7)
        axes.minorticks_off()
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel("µs a step")
    grid.flat[0].legend(fontsize=7, frameon=False)
    figure.savefig(path, metadata=PLAIN)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    ratios(read(folder / "ratios.csv"), folder / "ratios.svg")
    if (folder / "growth.csv").exists():
        growth(read(folder / "growth.csv"), folder / "growth.svg")


if __name__ == "__main__":
    main()
