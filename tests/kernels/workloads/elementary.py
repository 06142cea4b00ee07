"""Vector math, reductions, softmax, products and random numbers, large enough for many threads."""

from __future__ import annotations

import numpy as np

from tapegrad_kernels import cpu

Results = dict[str, list[np.ndarray]]
SIZE = 70_003


def results() -> Results:
    """Return what each kernel computes, by its public name."""
    found: Results = {}
    for dtype in (np.float32, np.float64):
        _add(found, _elementwise(dtype))
        _add(found, _rows(dtype))
        _add(found, _products(dtype))
        _add(found, _draws(dtype))
    return found


def _add(found: Results, more: Results) -> None:
    for name, arrays in more.items():
        found.setdefault(name, []).extend(arrays)


def _numbers(dtype: type, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=SIZE).astype(dtype)


def _elementwise(dtype: type) -> Results:
    x, g = _numbers(dtype), _numbers(dtype, 1)
    z = (np.abs(x) % 1).astype(dtype)
    found: Results = {}
    for name in ("exp", "tanh", "erf", "sigmoid", "softplus", "gelu", "relu"):
        found[name] = [getattr(cpu, name)(x)]
    found["log"] = [cpu.log(np.abs(x))]
    for name in ("tanh", "erf", "sigmoid", "softplus", "gelu", "relu"):
        found[f"{name}_grad"] = [getattr(cpu, f"{name}_grad")(g, x)]
    found["sigmoid_cross_entropy"] = [cpu.sigmoid_cross_entropy(x, z)]
    found["sigmoid_cross_entropy_grad"] = [cpu.sigmoid_cross_entropy_grad(g, x, z)]
    m, v, parameters = np.zeros_like(x), np.zeros_like(x), x.copy()
    cpu.adam_update(parameters, g, m, v, 0.1, 0.9, 0.999, 1e-7, 1)
    found["adam_update"] = [parameters.copy(), m.copy(), v]
    cpu.sgd_update(parameters, g, m, 0.1, 0.9)
    found["sgd_update"] = [parameters, m]
    return found


def _rows(dtype: type) -> Results:
    table = _numbers(dtype)[:70_000].reshape(700, 100)
    g = _numbers(dtype, 1)[:70_000].reshape(700, 100)
    found: Results = {}
    for name in ("sum", "mean", "max", "min", "prod", "logsumexp"):
        found[name] = [getattr(cpu, name)(table, axis=axis) for axis in (None, 0, 1)]
        cube = table.reshape(7, 500, 20)
        found[name] += [getattr(cpu, name)(cube, axis=axis) for axis in (1, (0, 2))]
    for name in ("softmax", "log_softmax"):
        y = getattr(cpu, name)(table)
        found[name] = [y]
        found[f"{name}_grad"] = [getattr(cpu, f"{name}_grad")(g, y)]
    found["softmax_cross_entropy"] = []
    found["softmax_cross_entropy_grad"] = []
    for targets in (np.arange(700) % 100, cpu.softmax(g)):
        losses, p = cpu.softmax_cross_entropy(table, targets)
        found["softmax_cross_entropy"] += [losses, p]
        found["softmax_cross_entropy_grad"].append(
            cpu.softmax_cross_entropy_grad(losses, p, targets)
        )
    return found


def _products(dtype: type) -> Results:
    a = _numbers(dtype)[:59_700].reshape(199, 300)
    b = _numbers(dtype, 1)[:60_300].reshape(300, 201)
    bias = b[0]
    stack = np.broadcast_to(a, (3, *a.shape))
    return {
        "gemm": [
            cpu.gemm(a, b),
            cpu.gemm(a, a, transpose_b=True),
            cpu.gemm(a, a, transpose_a=True),
        ],
        "dense": [cpu.dense(a, b, bias, activation="relu")],
        "relu_bias_grad": [*cpu.relu_bias_grad(a, np.maximum(a, 0))],
        "matmul": [cpu.matmul(stack, b), cpu.matmul(stack, np.stack([b] * 3))],
    }


def _draws(dtype: type) -> Results:
    return {
        "random_uniform": [cpu.random_uniform(1, 2, shape=SIZE, dtype=dtype)],
        "random_normal": [cpu.random_normal(1, 2, shape=SIZE, dtype=dtype)],
        "random_bernoulli": [cpu.random_bernoulli(1, 2, shape=SIZE, probability=0.3, dtype=dtype)],
        "random_permutation": [cpu.random_permutation(1, 2, n=SIZE)],
        "random_permutations": [cpu.random_permutations(1, 2, n=SIZE // 8, count=8)],
    }
