"""Tensors made from numbers, and constants."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import ops


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (lambda: ops.zeros(3), np.zeros(3, np.float32)),
        (lambda: ops.ones((2, 1), "int32"), np.ones((2, 1), np.int32)),
        (lambda: ops.full((2,), 1.5, "float64"), np.full(2, 1.5)),
        (lambda: ops.eye(2, 3, 1), np.eye(2, 3, 1, np.float32)),
        (lambda: ops.arange(2, 8, 3), np.arange(2, 8, 3)),
        (lambda: ops.arange(0.0, 1.0, 0.25), np.arange(0, 1, 0.25, np.float32)),
        (lambda: ops.linspace(-1, 1, 5, dtype="float64"), np.linspace(-1, 1, 5)),
        (lambda: ops.convert_to_tensor([True, False], "float32"), np.float32([1, 0])),
    ],
)
def test_values_and_dtypes(made, expected):
    result = made()
    assert type(result) is tg.Tensor
    assert result.dtype == expected.dtype
    np.testing.assert_array_equal(result.numpy(), expected)


def test_defaults_follow_floatx():
    tg.set_floatx("float64")
    try:
        assert ops.zeros(2).dtype == ops.linspace(0, 1).dtype == np.float64
    finally:
        tg.set_floatx("float32")


def test_a_stopped_gradient_is_a_constant_of_any_order():
    def f(x):
        return (ops.stop_gradient(x) * x * x).sum()

    x = np.array([2.0, 3.0])
    np.testing.assert_allclose(tg.grad(f)(x), 2 * x * x)
    np.testing.assert_allclose(tg.hessian(f)(x), np.diag(2 * x))


def test_a_constant_of_a_variable_stays_as_it_was():
    w = tg.Variable([1.0, 2.0])
    before = ops.stop_gradient(w)
    w.assign([5.0, 5.0])
    np.testing.assert_array_equal(before.numpy(), [1.0, 2.0])
