"""Operations that users define."""

from __future__ import annotations

import numba
import numpy as np
import pytest

import tapegrad as tg


def _softsign() -> object:
    @tg.primitive
    def softsign(x):
        return x / (1 + np.abs(x))

    return softsign


def test_rules_in_the_form_of_autograd():
    softsign = _softsign()
    tg.defvjp(softsign, lambda ans, x: lambda g: g / tg.ops.square(1 + tg.ops.absolute(x)))
    tg.test_util.check_grads(softsign, order=2)(np.array([0.5, -2.0]))


def test_rules_in_the_flat_form():
    softsign = _softsign()
    tg.defvjp(softsign, lambda g, ans, x: g / tg.ops.square(1 + tg.ops.absolute(x)))
    tg.test_util.check_grads(softsign, order=2)(np.array([0.5, -2.0]))


def test_arrays_in_arrays_out_and_tensors_in_tensors_out():
    softsign = _softsign()
    assert isinstance(softsign(np.ones(2)), np.ndarray)
    assert isinstance(softsign(tg.tensor([1.0])), tg.Tensor)


def test_a_numba_kernel_of_the_user():
    @numba.njit
    def cumulative_maximum(x):
        out = np.empty_like(x)
        best = -np.inf
        for i in range(x.size):
            best = max(best, x[i])
            out[i] = best
        return out

    @numba.njit
    def pull_back(g, x, y):
        out = np.zeros_like(x)
        for i in range(x.size):
            j = i
            while x[j] != y[i]:
                j -= 1
            out[j] += g[i]
        return out

    @tg.primitive
    def forward(x):
        return cumulative_maximum(x)

    @tg.primitive
    def backward(g, x, y):
        return pull_back(g, x, y)

    tg.defvjp(forward, lambda g, ans, x: backward(g, x, ans))
    tg.test_util.check_grads(forward, order=1)(np.array([0.1, 0.7, 0.3, 0.9]))


def test_argnums_and_arguments_without_a_derivative():
    @tg.primitive
    def scaled(x, factor):
        return x * factor

    tg.defvjp(scaled, lambda ans, x, factor: lambda g: g * x, argnums=(1,))
    assert tg.grad(scaled, 1)(3.0, 2.0) == 3.0

    @tg.primitive
    def chosen(x, mask):
        return np.where(mask, x, 0.0)

    tg.defvjp(chosen, lambda g, ans, x, mask: g * mask, None)
    gradient = tg.grad(lambda x: chosen(x, tg.tensor([True, False])).sum())(np.ones(2))
    np.testing.assert_array_equal(gradient, [1.0, 0.0])


def test_a_missing_rule_is_named():
    softsign = _softsign()
    with pytest.raises(TypeError, match="softsign has no derivative rule for argument 0"):
        tg.grad(softsign)(1.0)


def test_a_rule_of_the_wrong_form_is_refused():
    softsign = _softsign()
    with pytest.raises(TypeError, match="softsign takes 1 argument"):
        tg.defvjp(softsign, lambda g: g)
    with pytest.raises(TypeError, match=r"tapegrad\.primitive"):
        tg.defvjp(np.sin, lambda ans, x: lambda g: g)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="function"):
        tg.primitive(3)  # type: ignore[arg-type]


def test_the_function_cannot_write_into_its_arguments():
    @tg.primitive
    def careless(x):
        x[0] = 0.0
        return x

    with pytest.raises(ValueError, match=r"careless.*read-only"):
        careless(tg.tensor([1.0]))
