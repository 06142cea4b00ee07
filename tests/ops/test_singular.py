"""Where derivatives do not exist: what is documented is what comes."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import ops


@pytest.mark.parametrize(
    ("function", "at", "expected"),
    [
        (ops.absolute, 0.0, 0.0),
        (ops.relu, 0.0, 0.0),
        (ops.sqrt, 0.0, np.inf),
        (ops.cbrt, 0.0, np.inf),
        (ops.log, 0.0, np.inf),
        (lambda x: ops.maximum(x, 1.0), 1.0, 0.5),
        (lambda x: ops.minimum(x, 1.0), 1.0, 0.5),
        (lambda x: ops.maximum(x, x), 1.0, 1.0),
        (lambda x: ops.clip(x, 0.0, 1.0), 0.0, 1.0),
        (lambda x: ops.clip(x, 0.0, 1.0), 1.0, 1.0),
        (lambda x: ops.clip(x, 0.0, 1.0), 1.5, 0.0),
        (lambda x: ops.clip(x, None, 1.0), -5.0, 1.0),
        (lambda x: ops.clip(x, 0.0, None), -5.0, 0.0),
        (lambda x: x**2, 0.0, 0.0),
        (lambda x: x**0, 0.0, 0.0),
        (lambda x: x**1, 0.0, 1.0),
        (lambda x: ops.power(x, tg.tensor(0.0)), 0.0, 0.0),
        (lambda x: ops.power(tg.tensor(0.0), x), 2.0, 0.0),
        (lambda x: ops.hypot(x, 0.0), 0.0, 0.0),
        (lambda x: ops.remainder(x, 2.0), 3.0, 1.0),
        (lambda x: ops.where(x > 0, x, 0.0), -1.0, 0.0),
        (lambda x: ops.sigmoid(x), 1000.0, 0.0),
        (lambda x: ops.softplus(x), -1000.0, 0.0),
        (lambda x: ops.softplus(x), 1000.0, 1.0),
        (lambda x: ops.tanh(x), 1000.0, 0.0),
    ],
)
def test_derivative_at_a_singular_point(function, at, expected):
    with np.errstate(all="ignore"):
        assert tg.grad(function)(at) == expected


def test_equal_largest_elements_share_the_gradient():
    gradient = tg.grad(lambda x: x.max())(np.array([1.0, 3.0, 3.0]))
    np.testing.assert_array_equal(gradient, [0.0, 0.5, 0.5])


@pytest.mark.parametrize("zeros", [0, 1, 2])
def test_product_with_zeros(zeros: int):
    x = np.array([2.0, 3.0, 4.0, 5.0, 6.0])
    x[:zeros] = 0.0
    expected = [np.prod(np.delete(x, i)) for i in range(5)]
    np.testing.assert_allclose(tg.grad(ops.prod)(x), expected)


def test_logsumexp_of_minus_infinity():
    x = np.array([-np.inf, 0.0])
    np.testing.assert_array_equal(tg.grad(ops.logsumexp)(x), [0.0, 1.0])


def test_piecewise_constant_operations_have_no_gradient():
    x = tg.Variable([0.3, 1.7])
    with tg.Tape() as tape:
        y = ops.floor(x) + ops.sign(x) + ops.rint(x)
    assert tape.gradient(y, x) is None


def test_every_documented_singularity_is_in_the_docstring():
    for name in ("absolute", "relu", "sqrt", "maximum", "power", "log"):
        assert "Derivative:" in (getattr(ops, name).__doc__ or "")
