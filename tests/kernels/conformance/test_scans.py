"""Running sums and products from the end, and the gradient of logsumexp, on both devices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

# The simulator computes with NumPy scalars, which warn of what arrays do silently.
pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")

TOLERANCE = {"float32": 3e-6, "float64": 1e-13}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("axis", [0, 1, None])
def test_running_operations_from_the_end(backend: Any, axis: int | None, dtype: str) -> None:
    x = np.random.default_rng(0).normal(size=(3, 11)).astype(dtype)
    wide = x.astype(np.float64)
    flat, along = (wide.reshape(-1), 0) if axis is None else (wide, axis)
    for name, function in (("cumsum", np.cumsum), ("cumprod", np.cumprod)):
        got = backend.run(name, x, axis=axis, reverse=True)
        wanted = np.flip(function(np.flip(flat, along), axis=along), along)
        np.testing.assert_allclose(got, wanted, rtol=20 * TOLERANCE[dtype], atol=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("axis", [0, 1, None])
def test_gradient_of_logsumexp(backend: Any, axis: int | None, dtype: str) -> None:
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(dtype)
    if axis == 1:
        x[1] = -np.inf
    y = backend.run("logsumexp", x, axis=axis, keepdims=True)
    g = np.random.default_rng(1).normal(size=y.shape).astype(dtype)
    got = backend.run("logsumexp_grad", g, x, y, axis=axis)
    finite = np.where(np.isfinite(y), y, 0).astype(np.float64)
    wanted = g * np.exp(x - finite)
    np.testing.assert_allclose(got, wanted, rtol=20 * TOLERANCE[dtype], atol=TOLERANCE[dtype])
