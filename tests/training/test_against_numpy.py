"""The first steps of a network, against the same written out in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import layers
from tapegrad.optimizers import Adam

STEPS, BATCH, RATE, BETA_1, BETA_2, EPSILON = 20, 8, 0.01, 0.9, 0.999, 1e-7


def train_with_numpy(weights, x, labels):
    """Return the losses of each step, and the weights after all, of 784-style relu networks.

    Forward, backward and Adam by hand, in float64.
    """
    w = [np.array(part, dtype=np.float64) for part in weights]
    m, v = [np.zeros_like(p) for p in w], [np.zeros_like(p) for p in w]
    losses = []
    for step in range(1, STEPS + 1):
        part = slice((step - 1) * BATCH, step * BATCH)
        a0, t = x[part], np.eye(3)[labels[part]]
        z1 = a0 @ w[0] + w[1]
        a1 = np.maximum(z1, 0)
        z2 = a1 @ w[2] + w[3]
        a2 = np.maximum(z2, 0)
        z3 = a2 @ w[4] + w[5]
        shifted = z3 - z3.max(axis=1, keepdims=True)
        p = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
        losses.append(-np.log((p * t).sum(axis=1)).mean())
        d3 = (p - t) / BATCH
        d2 = (d3 @ w[4].T) * (z2 > 0)
        d1 = (d2 @ w[2].T) * (z1 > 0)
        gradients = [a0.T @ d1, d1.sum(0), a1.T @ d2, d2.sum(0), a2.T @ d3, d3.sum(0)]
        rate = RATE * np.sqrt(1 - BETA_2**step) / (1 - BETA_1**step)
        for i, g in enumerate(gradients):
            m[i] = BETA_1 * m[i] + (1 - BETA_1) * g
            v[i] = BETA_2 * v[i] + (1 - BETA_2) * g * g
            w[i] = w[i] - rate * m[i] / (np.sqrt(v[i]) + EPSILON)
    return losses, w


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-11), ("float32", 1e-4)])
def test_first_twenty_steps(dtype, tolerance):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(STEPS * BATCH, 10))
    labels = rng.integers(0, 3, STEPS * BATCH)
    tg.set_seed(0)
    model = tg.Sequential(
        [
            layers.Dense(16, "relu", input_dim=10, dtype=dtype),
            layers.Dense(12, "relu", dtype=dtype),
            layers.Dense(3, "softmax", dtype=dtype),
        ],
        dtype=dtype,
    )
    model.compile(Adam(RATE), "sparse_categorical_crossentropy")
    expected_losses, expected_weights = train_with_numpy(model.get_weights(), x, labels)
    losses = [
        model.train_on_batch(x[start : start + BATCH], labels[start : start + BATCH])
        for start in range(0, STEPS * BATCH, BATCH)
    ]
    np.testing.assert_allclose(losses, expected_losses, rtol=0, atol=tolerance)
    for weight, expected in zip(model.get_weights(), expected_weights):
        np.testing.assert_allclose(weight, expected, rtol=0, atol=tolerance)
