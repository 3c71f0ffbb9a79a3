"""L2HMC on the strongly correlated Gaussian, stated a second time: in JAX, from the authors' two-branch form.

Levy, Hoffman & Sohl-Dickstein (ICLR 2018, arXiv 1711.09268): M = 10, ε₀ = 0.1, 200 chains, 5000 iterations, Adam 1e-3 ×
0.96 per 1000 steps, two networks of 2 × 10 units, λ² = 0.1. It shares no code with the plugin `nn-hmc` and is there to
check one finding of results/reference/nn-hmc: with the loss's term for chains from the base at weight 1 training learns
to leap out of the base, and the chains that matter hardly move; without it they do. It reports nothing that the harness
reports.

    python -m venv venv && venv/bin/pip install -r scripts/l2hmc/requirements.txt
    venv/bin/python scripts/l2hmc/check.py WEIGHT SEED [STEPS]

prints loss, acceptance, E[δ] of either kind of chains every 500 iterations, then the authors' ESS per step.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np

WEIGHT, SEED = float(sys.argv[1]), int(sys.argv[2])
STEPS = int(sys.argv[3]) if len(sys.argv) > 3 else 5000
DIM, M, HIDDEN, CHAINS, SCALE, DRAWS = 2, 10, 10, 200, 0.1, 2000
COVARIANCE = np.array([[50.005, -49.995], [-49.995, 50.005]])  # variances 100 and 0.01, turned by π/4
PRECISION = jnp.array(np.linalg.inv(COVARIANCE))
random = np.random.RandomState(SEED)


def energy(x):
    return 0.5 * jnp.sum((x @ PRECISION) * x, axis=1)


def linear(inputs, outputs, factor):
    return {"w": jnp.array(random.randn(inputs, outputs) * np.sqrt(2 * factor / inputs)), "b": jnp.zeros(outputs)}


def network(factor):
    return {
        "first": linear(DIM, HIDDEN, 1 / 3),
        "second": linear(DIM, HIDDEN, factor / 3),
        "time": linear(2, HIDDEN, 1 / 3),
        "inner": linear(HIDDEN, HIDDEN, 1.0),
        **{head: linear(HIDDEN, DIM, 0.001) for head in "stq"},
        "scale_s": jnp.zeros(DIM),
        "scale_q": jnp.zeros(DIM),
    }


def bend(net, a, b, t):
    apply = lambda layer, x: x @ net[layer]["w"] + net[layer]["b"]
    z = jax.nn.relu(apply("inner", jax.nn.relu(apply("first", a) + apply("second", b) + apply("time", t))))
    return (
        jnp.exp(net["scale_s"]) * jnp.tanh(apply("s", z)),
        apply("t", z),
        jnp.exp(net["scale_q"]) * jnp.tanh(apply("q", z)),
    )


masks = np.zeros((M, DIM))
for step in range(M):
    masks[step, random.permutation(DIM)[: DIM // 2]] = 1
params = {"x": network(2.0), "v": network(1.0), "log_eps": jnp.log(0.1)}


def clock(step, rows):
    angle = 2 * np.pi * step / M
    return jnp.tile(jnp.array([[np.cos(angle), np.sin(angle)]]), (rows, 1))


def forward(params, x, v):
    eps, log_det = jnp.exp(params["log_eps"]), 0.0
    for step in range(M):
        t, m, grad = clock(step, len(x)), masks[step], x @ PRECISION
        s, tr, q = bend(params["v"], x, grad, t)
        v = v * jnp.exp(0.5 * eps * s) + 0.5 * eps * (-jnp.exp(eps * q) * grad + tr)
        log_det += (0.5 * eps * s).sum(1)
        for keep in (m, 1 - m):
            s, tr, q = bend(params["x"], v, keep * x, t)
            x = keep * x + (1 - keep) * (x * jnp.exp(eps * s) + eps * (jnp.exp(eps * q) * v + tr))
            log_det += ((1 - keep) * eps * s).sum(1)
        grad = x @ PRECISION
        s, tr, q = bend(params["v"], x, grad, t)
        v = v * jnp.exp(0.5 * eps * s) + 0.5 * eps * (-jnp.exp(eps * q) * grad + tr)
        log_det += (0.5 * eps * s).sum(1)
    return x, v, log_det


def backward(params, x, v):
    eps, log_det = jnp.exp(params["log_eps"]), 0.0
    for step in reversed(range(M)):
        t, m, grad = clock(step, len(x)), masks[step], x @ PRECISION
        s, tr, q = bend(params["v"], x, grad, t)
        v = (v - 0.5 * eps * (-jnp.exp(eps * q) * grad + tr)) * jnp.exp(-0.5 * eps * s)
        log_det -= (0.5 * eps * s).sum(1)
        for keep in (1 - m, m):
            s, tr, q = bend(params["x"], v, keep * x, t)
            x = keep * x + (1 - keep) * jnp.exp(-eps * s) * (x - eps * (jnp.exp(eps * q) * v + tr))
            log_det -= ((1 - keep) * eps * s).sum(1)
        grad = x @ PRECISION
        s, tr, q = bend(params["v"], x, grad, t)
        v = jnp.exp(-0.5 * eps * s) * (v - 0.5 * eps * (-jnp.exp(eps * q) * grad + tr))
        log_det -= (0.5 * eps * s).sum(1)
    return x, v, log_det


def propose(params, x, key):
    keys = jax.random.split(key, 3)
    forth = jax.random.bernoulli(keys[0], 0.5, (len(x),))
    ends = []
    for move, key in ((forward, keys[1]), (backward, keys[2])):
        v = jax.random.normal(key, x.shape)
        there, w, log_det = move(params, x, v)
        ratio = energy(x) + 0.5 * (v * v).sum(1) - energy(there) - 0.5 * (w * w).sum(1) + log_det
        accept = jnp.exp(jnp.minimum(ratio, 0.0))
        ends.append((there, jnp.where(jnp.isfinite(accept), accept, 0.0)))
    (a, pa), (b, pb) = ends
    return jnp.where(forth[:, None], a, b), jnp.where(forth, pa, pb)


def loss(params, x, z, key):
    keys = jax.random.split(key)
    total, seen = 0.0, []
    for weight, start, key in ((1.0, x, keys[0]), (WEIGHT, z, keys[1])):
        there, accept = propose(params, start, key)
        delta = ((there - start) ** 2).sum(1) * accept + 1e-4
        total += weight * (SCALE * (1 / delta).mean() - delta.mean() / SCALE)
        seen.append((there, accept, delta.mean()))
    return total, seen


@jax.jit
def train(params, first, second, x, key, i):
    keys = jax.random.split(key, 3)
    z = jax.random.normal(keys[0], x.shape)
    (value, seen), grad = jax.value_and_grad(loss, has_aux=True)(params, x, z, keys[1])
    rate = 1e-3 * 0.96 ** jnp.floor(i / 1000.0)
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, grad)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, grad)
    adam = lambda p, m, v: p - rate * (m / (1 - 0.9 ** (i + 1))) / (jnp.sqrt(v / (1 - 0.999 ** (i + 1))) + 1e-8)
    there, accept, jump = seen[0]
    x = jnp.where((jax.random.uniform(keys[2], accept.shape) < accept)[:, None], there, x)
    return jax.tree.map(adam, params, first, second), first, second, x, (value, accept.mean(), jump, seen[1][2])


@jax.jit
def move(params, x, key):
    keys = jax.random.split(key)
    there, accept = propose(params, x, keys[0])
    return jnp.where((jax.random.uniform(keys[1], accept.shape) < accept)[:, None], there, x)


def main():
    state = (params, jax.tree.map(jnp.zeros_like, params), jax.tree.map(jnp.zeros_like, params))
    x, key = jnp.array(random.randn(CHAINS, DIM)), jax.random.PRNGKey(SEED)
    for i in range(STEPS):
        key, now = jax.random.split(key)
        *state, x, seen = train(*state, x, now, float(i))
        if i % 500 == 0 or i == STEPS - 1:
            names = ("loss", "acceptance", "jump of running chains", "jump of chains from the base")
            print(i, *(f"{name} {float(value):.4g}" for name, value in zip(names, seen)), flush=True)
    x = jnp.array(random.randn(CHAINS, DIM) @ np.linalg.cholesky(COVARIANCE).T)
    trace = []
    for _ in range(DRAWS):
        key, now = jax.random.split(key)
        x = move(state[0], x, now)
        trace.append(np.array(x))
    trace = np.array(trace)
    lags = range(1, DRAWS - 1)
    rho = np.array([(trace[: DRAWS - lag] * trace[lag:]).sum(2).mean() for lag in lags]) / np.trace(COVARIANCE)
    print("ESS per step", 1 / (1 + 2 * (rho * (rho > 0.05)).sum()))


if __name__ == "__main__":
    main()
