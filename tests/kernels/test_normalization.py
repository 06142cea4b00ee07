"""Normalizations against plain NumPy in float64."""

from __future__ import annotations

from typing import Any

import normalization_reference as reference
import numpy as np
import pytest

from tapegrad_kernels import cpu

DTYPES = [np.float32, np.float64]
# Narrow ones are folded, with and without rows left over; wide ones pass in bands; the
# longest row is added in pieces.
SHAPES = [(1, 1), (5, 7), (2, 3, 64), (130, 3), (3001, 33), (17, 9, 11, 20), (70, 700), (3, 9001)]
EPSILON = 1e-3


def numbers(shape: tuple[int, ...], dtype: type, seed: int = 0, mean: float = 0.5) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 1.5, shape).astype(dtype)


def check(got: Any, wanted: Any, dtype: type, factor: float = 30.0, least: float = 1.0) -> None:
    """Compare results, or tuples of them, on the scale of their largest number or of `least`."""
    pairs = zip(got, wanted, strict=True) if isinstance(got, tuple) else [(got, wanted)]
    for result, expected in pairs:
        assert result.dtype == dtype
        assert result.shape == expected.shape
        scale = np.abs(expected).max(initial=least)
        bound = factor * np.finfo(dtype).eps * scale
        np.testing.assert_allclose(result, expected, rtol=0, atol=bound)


def wide(*arrays: Any) -> list[Any]:
    return [None if a is None else a.astype(np.float64) for a in arrays]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_batch_norm(shape: tuple[int, ...], dtype: type):
    x, dy = numbers(shape, dtype), numbers(shape, dtype, 1)
    gamma, beta = numbers(shape[-1:], dtype, 2), numbers(shape[-1:], dtype, 3)
    for g, b in ((gamma, beta), (None, beta), (gamma, None)):
        y, mean, variance = cpu.batch_norm(x, g, b, epsilon=EPSILON)
        expected = reference.batch_norm(*wide(x, g, b), epsilon=EPSILON)
        check((y, mean, variance), expected, dtype)
    gradients = cpu.batch_norm_grad(dy, x, gamma, mean, variance, epsilon=EPSILON)
    expected = reference.batch_norm_grad(*wide(dy, x, gamma), *expected[1:], epsilon=EPSILON)
    check(gradients, expected, dtype, 600)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_batch_norm_inference(shape: tuple[int, ...], dtype: type):
    x, dy = numbers(shape, dtype), numbers(shape, dtype, 1)
    gamma, beta, mean = (numbers(shape[-1:], dtype, i) for i in (2, 3, 4))
    variance = np.abs(numbers(shape[-1:], dtype, 5)) + dtype(0.1)
    for g, b in ((gamma, beta), (None, None)):
        arguments = (x, g, b, mean, variance)
        y = cpu.batch_norm_inference(*arguments, epsilon=EPSILON)
        check(y, reference.batch_norm_inference(*wide(*arguments), epsilon=EPSILON), dtype)
        arguments = (dy, x, g, mean, variance)
        gradients = cpu.batch_norm_inference_grad(*arguments, epsilon=EPSILON)
        expected = reference.batch_norm_inference_grad(*wide(*arguments), epsilon=EPSILON)
        check(gradients, expected, dtype, 600)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("shape", "groups"),
    [
        ((1, 1), 1),
        ((3, 6), 3),
        ((2, 5, 4), 1),
        ((4, 33, 7, 12), 4),
        ((2, 9, 600), 3),
        ((1, 50, 40, 32), 32),
        ((40, 3, 3, 64), 8),
    ],
)
def test_group_norm(shape: tuple[int, ...], groups: int, dtype: type):
    x, dy = numbers(shape, dtype), numbers(shape, dtype, 1)
    gamma, beta = numbers(shape[-1:], dtype, 2), numbers(shape[-1:], dtype, 3)
    for g, b in ((None, beta), (gamma, beta)):
        y, mean, variance = cpu.group_norm(x, g, b, groups=groups, epsilon=EPSILON)
        expected = reference.group_norm(*wide(x, g, b), groups=groups, epsilon=EPSILON)
        check((y, mean, variance), expected, dtype)
    gradients = cpu.group_norm_grad(dy, x, gamma, mean, variance, groups=groups, epsilon=EPSILON)
    expected = reference.group_norm_grad(
        *wide(dy, x, gamma), *expected[1:], groups=groups, epsilon=EPSILON
    )
    check(gradients, expected, dtype, 600)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_normalized_rows(shape: tuple[int, ...], dtype: type):
    x, dy = numbers(shape, dtype), numbers(shape, dtype, 1)
    for ndim in range(1, len(shape) + 1):
        gamma, beta = (numbers(shape[-ndim:], dtype, i) for i in (2, 3))
        params: dict[str, Any] = {"epsilon": EPSILON, "ndim": ndim}
        for g, b in ((gamma, beta), (None, None)):
            y = cpu.layer_norm(x, g, b, **params)
            check(y, reference.layer_norm(*wide(x, g, b), **params), dtype)
            y = cpu.rms_norm(x, g, **params)
            check(y, reference.rms_norm(*wide(x, g), **params), dtype)
            for name in ("layer_norm_grad", "rms_norm_grad"):
                gradients = getattr(cpu, name)(dy, x, g, **params)
                expected = getattr(reference, name)(*wide(dy, x, g), **params)
                check(gradients, expected, dtype, 600)
        for least in (1e-12, 1000.0):
            params["epsilon"] = least
            check(cpu.unit_norm(x, **params), reference.unit_norm(*wide(x), **params), dtype)
            expected = reference.unit_norm_grad(*wide(dy, x), **params)
            check(cpu.unit_norm_grad(dy, x, **params), expected, dtype, 100)


@pytest.mark.parametrize(("mean", "deviation"), [(1e4, 1e-2), (-1e6, 1.0), (1e-6, 1e-6)])
def test_small_deviations_from_a_large_mean_survive(mean: float, deviation: float):
    x = np.random.default_rng(0).normal(mean, deviation, (3000, 40)).astype(np.float32)
    dy = numbers(x.shape, np.float32, 1)
    epsilon = 1e-2 * deviation**2
    exact = x.astype(np.float64)
    y, average, variance = cpu.batch_norm(x, epsilon=epsilon)
    expected = reference.batch_norm(exact, epsilon=epsilon)
    check((y, average, variance), expected, np.float32, 30, least=0.0)
    got = cpu.batch_norm_grad(dy, x, None, average, variance, epsilon=epsilon)
    gradients = reference.batch_norm_grad(*wide(dy, x, None), *expected[1:], epsilon=epsilon)
    check(got, gradients, np.float32, 600)
    check(
        cpu.layer_norm(x, epsilon=epsilon),
        reference.layer_norm(exact, epsilon=epsilon, ndim=1),
        np.float32,
        10,
    )
    check(
        cpu.layer_norm_grad(dy, x, epsilon=epsilon),
        reference.layer_norm_grad(*wide(dy, x, None), epsilon=epsilon, ndim=1),
        np.float32,
        600,
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_number_far_from_all_others(dtype: type):
    # In the first row of a tile it is the worst origin that sums of squares can have.
    x = np.full((6400, 3), 7.0, dtype) + numbers((6400, 3), dtype, mean=0.0) * dtype(1e-3)
    x[0] = 1e6
    _, mean, variance = cpu.batch_norm(x)
    expected = reference.batch_norm(x.astype(np.float64), epsilon=EPSILON)
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(variance, expected[2], rtol=1000 * eps)
    np.testing.assert_array_less(np.abs(mean - expected[1]), 100 * eps * np.sqrt(expected[2]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [0.0, 0.1, -1e4 / 3])
def test_equal_numbers_give_beta(value: float, dtype: type):
    x = np.full((300, 37), value, dtype)
    beta = numbers((37,), dtype)
    for y in (
        cpu.batch_norm(x, None, beta)[0],
        cpu.group_norm(x, None, beta, groups=1)[0],
        cpu.layer_norm(x, None, beta),
    ):
        np.testing.assert_allclose(y, np.broadcast_to(beta, x.shape), atol=1e-6, rtol=1e-6)
    assert (cpu.batch_norm(x)[2] >= 0).all()
    np.testing.assert_array_equal(cpu.unit_norm(np.zeros((2, 3), dtype)), np.zeros((2, 3)))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_reach_what_they_concern(value: float):
    x = numbers((200, 40), np.float32)
    x[3, 5] = value
    y, mean, variance = cpu.batch_norm(x)
    spoiled = np.asarray(np.isnan(y).all(axis=0))
    assert spoiled[5]
    assert spoiled.sum() == 1
    assert not np.isfinite(mean[5])
    assert np.isnan(variance[5])
    assert np.isnan(cpu.batch_norm_grad(x, x, None, mean, variance)[0][:, 5]).all()
    y = cpu.layer_norm(x)
    assert np.isnan(y[3]).all()
    assert np.isfinite(np.delete(y, 3, axis=0)).all()
    assert np.isnan(cpu.layer_norm_grad(x, x)[0][3]).all()
    assert np.isnan(cpu.rms_norm(x)[3, 5])
    assert np.isnan(cpu.unit_norm(x)[3, 5])


def test_strides_types_and_read_only_arrays():
    x = numbers((6, 8, 10), np.float32)
    view = x[::2, ::-1, 1::3]
    for result, same in (
        (cpu.layer_norm(view), cpu.layer_norm(view.copy())),
        (cpu.batch_norm(view.T)[0], cpu.batch_norm(view.T.copy())[0]),
        (cpu.group_norm(view, groups=1)[0], cpu.group_norm(view.copy(), groups=1)[0]),
        (cpu.rms_norm(view), cpu.rms_norm(view.copy())),
    ):
        np.testing.assert_array_equal(result, same)
    row = np.broadcast_to(x[0, 0], (4, 10))
    np.testing.assert_array_equal(
        cpu.layer_norm_grad(row, row)[0], cpu.layer_norm_grad(+row, +row)[0]
    )
    frozen = x.copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(cpu.layer_norm(frozen), cpu.layer_norm(x))
    assert cpu.layer_norm(np.arange(6).reshape(2, 3)).dtype == np.float64
    assert cpu.batch_norm(x.astype(np.float16))[0].dtype == np.float32
    assert cpu.rms_norm(x, np.ones(10)).dtype == np.float64


def test_nothing_in_nothing_out():
    x = np.empty((0, 4), np.float32)
    y, mean, variance = cpu.batch_norm(x)
    assert y.shape == (0, 4)
    assert np.isnan(mean).all()
    assert np.isnan(variance).all()
    for part in cpu.batch_norm_grad(x, x, None, mean, variance)[1:]:
        np.testing.assert_array_equal(part, np.zeros(4))
    assert cpu.batch_norm_inference(x, None, None, np.ones(4), np.ones(4)).shape == (0, 4)
    gradients = cpu.batch_norm_inference_grad(x, x, None, np.ones(4), np.ones(4))
    assert [part.shape for part in gradients] == [(0, 4)] + [(4,)] * 4
    y, mean, _ = cpu.group_norm(x, groups=2)
    assert (y.shape, mean.shape) == ((0, 4), (0, 2))
    assert cpu.group_norm_grad(x, x, None, mean, mean, groups=2)[1].tolist() == [0.0] * 4
    assert cpu.layer_norm(x).shape == (0, 4)
    assert cpu.layer_norm_grad(x, x)[2].tolist() == [0.0] * 4
    assert cpu.layer_norm(x.T).shape == (4, 0)
    assert cpu.rms_norm_grad(x, x)[1].tolist() == [0.0] * 4
    assert cpu.unit_norm_grad(x, x).shape == cpu.unit_norm(x).shape == (0, 4)


def test_moving_average():
    average = np.array([1.0, 2.0], np.float32)
    cpu.moving_average_update(average, np.array([3.0, 2.0]), 0.75)
    np.testing.assert_array_equal(average, np.array([1.5, 2.0], np.float32))
    with pytest.raises(ValueError, match="must be equal"):
        cpu.moving_average_update(average, np.ones(3), 0.5)
    with pytest.raises(ValueError, match="from 0 to 1"):
        cpu.moving_average_update(average, average, 1.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, v: cpu.batch_norm(x, v[:2]), r"batch_norm: gamma has shape \(2,\), expected"),
        (lambda x, v: cpu.batch_norm(x, None, x), "batch_norm: beta has shape"),
        (lambda x, v: cpu.batch_norm(np.float32(1.0)), "0-d"),
        (lambda x, v: cpu.batch_norm(x, epsilon=-1.0), "epsilon is -1.0"),
        (lambda x, v: cpu.batch_norm_grad(x[1:], x, v, v, v), "must be equal"),
        (lambda x, v: cpu.batch_norm_grad(x, x, v, v[1:], v), "mean has shape"),
        (lambda x, v: cpu.batch_norm_grad(x, x, v, v, v[1:]), "variance has shape"),
        (lambda x, v: cpu.batch_norm_inference(x, v, v, v[1:], v), "mean has shape"),
        (lambda x, v: cpu.batch_norm_inference_grad(x[1:], x, v, v, v), "must be equal"),
        (lambda x, v: cpu.group_norm(x, groups=3), "4 channels cannot be split into 3 groups"),
        (lambda x, v: cpu.group_norm(x, groups=0), "into 0 groups"),
        (lambda x, v: cpu.group_norm(v, groups=2), "at least two axes"),
        (lambda x, v: cpu.group_norm_grad(x, x, v, v, v, groups=2), "mean has shape"),
        (lambda x, v: cpu.layer_norm(x, v[1:]), "layer_norm: gamma has shape"),
        (lambda x, v: cpu.layer_norm(x, ndim=3), "ndim is 3, expected 1 to 2"),
        (lambda x, v: cpu.layer_norm(x, epsilon=np.nan), "epsilon is nan"),
        (lambda x, v: cpu.layer_norm_grad(x[1:], x), "must be equal"),
        (lambda x, v: cpu.rms_norm(x, x), "rms_norm: gamma has shape"),
        (lambda x, v: cpu.rms_norm_grad(x, x[1:]), "must be equal"),
        (lambda x, v: cpu.unit_norm(x, epsilon=0.0), "expected a positive number"),
        (lambda x, v: cpu.unit_norm_grad(x, v), "must be equal"),
    ],
)
def test_errors(call: Any, message: str):
    with pytest.raises(ValueError, match=message):
        call(np.ones((3, 4), np.float32), np.ones(4, np.float32))


def test_complex_numbers_are_refused():
    with pytest.raises(TypeError, match="layer_norm: got an array of complex64"):
        cpu.layer_norm(np.ones((2, 2), np.complex64))
