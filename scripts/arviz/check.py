"""Diagnostics of Markov chains as ArviZ computes them: the reference of harness/src/measure/chains.

    python3 -m venv /tmp/arviz && /tmp/arviz/bin/pip install -r scripts/arviz/requirements.txt
    /tmp/arviz/bin/python scripts/arviz/check.py scripts/arviz/draws.csv > scripts/arviz/expected.csv

is the command that regenerates the table which the test `measure::chains::arviz` compares with. Any other file of draws
does as well: one row a draw, `case,draw,` and then the value of each chain.

    /tmp/arviz/bin/python scripts/arviz/check.py --draw > scripts/arviz/draws.csv

makes the draws themselves. They are rounded, so that both sides read the same numbers from a small file.
"""

import csv
import sys

import arviz
import numpy as np

CHAINS = 4


def autoregression(rng, phi, draws):
    """AR(1) of unit variance, from its stationary law."""
    x = rng.standard_normal((draws, CHAINS))
    for t in range(1, draws):
        x[t] = phi * x[t - 1] + np.sqrt(1 - phi**2) * x[t]
    return x


def sticky(rng, stay, draws, fresh):
    """Independent draws of `fresh`, each of which is kept for a geometric number of steps."""
    x = fresh(rng, (draws, CHAINS))
    for t in range(1, draws):
        x[t] = np.where(rng.random(CHAINS) < stay, x[t - 1], x[t])
    return x


CASES = {
    "ar1": lambda rng: autoregression(rng, 0.6, 200),
    "shifted": lambda rng: autoregression(rng, 0.6, 200) + np.array([0, 0, 0, 1]),
    # Another scale at the same location: only the folded half of R-hat sees it. 101 draws have a middle one.
    "scaled": lambda rng: autoregression(rng, 0.3, 101) * np.array([1, 1, 1, 3]),
    "ties": lambda rng: sticky(rng, 0.5, 200, lambda rng, size: rng.poisson(3.0, size)),
    "cauchy": lambda rng: sticky(rng, 0.3, 200, lambda rng, size: rng.standard_cauchy(size)),
    # More effective draws than draws, up to the bound of the estimator.
    "antithetic": lambda rng: autoregression(rng, -0.95, 101),
    "short": lambda rng: autoregression(rng, 0.0, 5),
}


def draw():
    print("case,draw," + ",".join(f"chain_{n}" for n in range(CHAINS)))
    for seed, (case, make) in enumerate(CASES.items()):
        for t, values in enumerate(make(np.random.default_rng(seed))):
            print(f"{case},{t}," + ",".join(f"{value:.4g}" for value in values))


def check(path):
    cases = {}
    with open(path, newline="") as file:
        rows = csv.reader(file)
        next(rows)
        for case, _, *values in rows:
            cases.setdefault(case, []).append([float(value) for value in values])
    print("case,rhat,ess_bulk,ess_tail")
    for case, rows in cases.items():
        chains = np.array(rows).T
        figures = (
            arviz.rhat(chains, method="rank"),
            arviz.ess(chains, method="bulk"),
            arviz.ess(chains, method="tail"),
        )
        print(case, *(repr(float(figure)) for figure in figures), sep=",")


if __name__ == "__main__":
    if sys.argv[1:] == ["--draw"]:
        draw()
    elif len(sys.argv) == 2:
        check(sys.argv[1])
    else:
        sys.exit(__doc__)
