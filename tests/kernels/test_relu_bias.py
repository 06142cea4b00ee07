"""The gradient before a relu together with its sum over rows."""

from __future__ import annotations

import numpy as np
import pytest

from tapegrad_kernels import cpu

SHAPES = [
    (1,),
    (5,),
    (1, 3),
    (3, 1),
    (32, 64),
    (255, 7),
    (256, 9),
    (257, 17),
    (2, 3, 5, 33),
    (1030, 3),
]


def expected(g, y):
    by_x = np.where(y > 0, g, 0)
    return by_x, by_x.reshape(-1, g.shape[-1]).sum(0, dtype=np.float64)


def check(g, y):
    by_x, by_bias = cpu.relu_bias_grad(g, y)
    wanted_x, wanted_bias = expected(g, y)
    np.testing.assert_array_equal(by_x, wanted_x)
    assert by_x.dtype == by_bias.dtype == g.dtype
    assert by_bias.shape == g.shape[-1:]
    rows = max(1, g.size // g.shape[-1])
    bound = 4 * np.finfo(g.dtype).eps * np.sqrt(rows) * max(1.0, np.abs(g).max(initial=0))
    np.testing.assert_allclose(by_bias, wanted_bias, rtol=1e-6, atol=4 * bound)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_values(shape, dtype):
    rng = np.random.default_rng(0)
    g = rng.normal(size=shape).astype(dtype)
    check(g, np.maximum(rng.normal(size=shape), 0).astype(dtype))


def test_many_rows_are_added_on_all_threads():
    rng = np.random.default_rng(1)
    g = rng.normal(size=(40_000, 24)).astype(np.float32)
    check(g, np.maximum(rng.normal(size=g.shape), 0).astype(np.float32))


def test_any_strides_and_no_rows():
    rng = np.random.default_rng(2)
    g, y = rng.normal(size=(2, 8, 6))[:, ::2, ::-1], np.maximum(rng.normal(size=(2, 8, 6)), 0)
    check(g, y[:, ::2, ::-1])
    check(np.zeros((0, 4)), np.zeros((0, 4)))


def test_what_is_not_positive_lets_nothing_through():
    g = np.array([[1.0, np.inf, np.nan, 2.0, -np.inf]])
    y = np.array([[0.0, -0.0, 0.0, np.nan, 1.0]])
    by_x, by_bias = cpu.relu_bias_grad(g, y)
    np.testing.assert_array_equal(by_x, [[0.0, 0.0, 0.0, 0.0, -np.inf]])
    np.testing.assert_array_equal(by_bias, by_x[0])


def test_shapes_that_differ():
    with pytest.raises(ValueError, match=r"g has shape \(2, 3\) and y \(3,\)"):
        cpu.relu_bias_grad(np.ones((2, 3)), np.ones(3))
