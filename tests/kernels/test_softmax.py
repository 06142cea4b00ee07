"""Softmax and the cross-entropies against SciPy in float64."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special

from tapegrad_kernels import cpu

DTYPES = [np.float32, np.float64]
SHAPES = [(1,), (5,), (3, 1), (4, 10), (3, 17), (2, 3, 33), (700, 40), (2, 5000)]


def logits(shape: tuple[int, ...], dtype: type, seed: int = 0) -> np.ndarray:
    return (10 * np.random.default_rng(seed).normal(size=shape)).astype(dtype)


def tolerance(dtype: type, factor: float = 20.0) -> dict[str, float]:
    return {"rtol": factor * np.finfo(dtype).eps, "atol": factor * np.finfo(dtype).eps}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_softmax_and_log_softmax(shape, dtype):
    x = logits(shape, dtype)
    g = logits(shape, dtype, 1)
    wide = x.astype(np.float64)
    for axis in range(-len(shape), len(shape)):
        p = scipy.special.softmax(wide, axis)
        log_p = scipy.special.log_softmax(wide, axis)
        y, log_y = cpu.softmax(x, axis=axis), cpu.log_softmax(x, axis=axis)
        assert y.dtype == log_y.dtype == dtype
        np.testing.assert_allclose(y, p, **tolerance(dtype, 60))
        np.testing.assert_allclose(log_y, log_p, **tolerance(dtype, 60))
        np.testing.assert_allclose(
            cpu.softmax_grad(g, y, axis=axis),
            p * (g - np.sum(g * p, axis, keepdims=True)),
            **tolerance(dtype, 600),
        )
        np.testing.assert_allclose(
            cpu.log_softmax_grad(g, log_y, axis=axis),
            g - p * np.sum(g, axis, keepdims=True, dtype=np.float64),
            **tolerance(dtype, 3000),
        )


@pytest.mark.parametrize("dtype", DTYPES)
def test_extreme_logits(dtype):
    inf, nan = np.inf, np.nan
    x = np.array([[1000, 1000, -1000], [-1000, -1000, -1001], [-inf, 0, 0]], dtype)
    p = cpu.softmax(x)
    tail = 1 / (2 + np.exp(-1.0))
    np.testing.assert_allclose(
        p, [[0.5, 0.5, 0], [tail, tail, 1 - 2 * tail], [0, 0.5, 0.5]], rtol=1e-6
    )
    np.testing.assert_allclose(
        cpu.log_softmax(x)[0], [-np.log(2), -np.log(2), -2000 - np.log(2)], rtol=1e-6
    )
    for row in ([-inf, -inf], [inf, 0], [nan, 0]):
        assert np.isnan(cpu.softmax(np.array(row, dtype))).all()


def test_softmax_of_views_and_errors():
    x = logits((6, 8), np.float32)
    np.testing.assert_array_equal(cpu.softmax(x[::2, ::-1]), cpu.softmax(x[::2, ::-1].copy()))
    np.testing.assert_array_equal(cpu.softmax(x.T, axis=0), cpu.softmax(x).T)
    assert cpu.softmax(np.arange(3)).dtype == np.float64
    assert cpu.softmax(np.empty((0, 4), np.float32)).shape == (0, 4)
    with pytest.raises(ValueError, match="axis 2 does not exist"):
        cpu.softmax(x, axis=2)
    with pytest.raises(ValueError, match="0-d"):
        cpu.softmax(np.float32(1.0))
    with pytest.raises(TypeError, match="complex"):
        cpu.softmax(x * 1j)
    with pytest.raises(ValueError, match="must be equal"):
        cpu.softmax_grad(x, x[:3])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_softmax_cross_entropy(shape, dtype):
    x = logits(shape, dtype)
    generator = np.random.default_rng(1)
    labels = generator.integers(0, shape[-1], shape[:-1])
    soft = generator.dirichlet(np.ones(shape[-1]), shape[:-1]).astype(dtype)
    p = scipy.special.softmax(x.astype(np.float64), -1)
    log_p = scipy.special.log_softmax(x.astype(np.float64), -1)
    one_hot = np.eye(shape[-1])[labels]
    g = generator.normal(size=shape[:-1]).astype(dtype)
    for targets, dense in ((labels, one_hot), (labels.astype(np.uint16), one_hot), (soft, soft)):
        losses, probabilities = cpu.softmax_cross_entropy(x, targets)
        assert losses.dtype == probabilities.dtype == dtype
        assert losses.shape == shape[:-1]
        np.testing.assert_allclose(losses, -np.sum(dense * log_p, -1), **tolerance(dtype, 200))
        np.testing.assert_allclose(probabilities, p, **tolerance(dtype, 60))
        total = np.sum(dense, -1, keepdims=True, dtype=np.float64)
        np.testing.assert_allclose(
            cpu.softmax_cross_entropy_grad(g, probabilities, targets),
            g[..., None] * (p * total - dense),
            **tolerance(dtype, 60),
        )


def test_cross_entropy_with_impossible_classes():
    x = np.array([[0.0, -np.inf, 0.0]])
    losses, _ = cpu.softmax_cross_entropy(x, np.array([[0.5, 0.0, 0.5]]))
    np.testing.assert_allclose(losses, [np.log(2)])
    assert cpu.softmax_cross_entropy(x, np.array([1]))[0] == np.inf
    confident = np.array([[1000.0, -1000.0]], np.float32)
    np.testing.assert_array_equal(cpu.softmax_cross_entropy(confident, np.array([1]))[0], [2000.0])


def test_labels_are_checked_before_memory_is_read():
    x = np.zeros((3, 4), np.float32)
    for wrong in (4, -1, 10**12):
        with pytest.raises(ValueError, match=rf"label {wrong} at index \(1,\)"):
            cpu.softmax_cross_entropy(x, np.array([0, wrong, 2]))
        with pytest.raises(ValueError, match=f"label {wrong}"):
            cpu.softmax_cross_entropy_grad(np.ones(3), x, np.array([0, wrong, 2]))
    with pytest.raises(ValueError, match="do not fit logits"):
        cpu.softmax_cross_entropy(x, np.array([0, 1]))
    with pytest.raises(ValueError, match="do not fit logits"):
        cpu.softmax_cross_entropy(x, np.array([0.0, 1.0, 2.0]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_sigmoid_cross_entropy(dtype):
    x = np.concatenate([logits((500,), dtype), np.array([-1000, 1000, 0], dtype)])
    t = np.random.default_rng(2).uniform(size=x.size).astype(dtype)
    wide = x.astype(np.float64)
    expected = np.logaddexp(0, wide) - wide * t
    got = cpu.sigmoid_cross_entropy(x, t)
    assert got.dtype == dtype
    np.testing.assert_allclose(got, expected, **tolerance(dtype, 200))
    g = logits(x.shape, dtype, 4)
    np.testing.assert_allclose(
        cpu.sigmoid_cross_entropy_grad(g, x, t),
        g * (scipy.special.expit(wide) - t),
        **tolerance(dtype, 60),
    )
    broadcast = cpu.sigmoid_cross_entropy_grad(dtype(2.0), x, t)
    np.testing.assert_array_equal(broadcast, cpu.sigmoid_cross_entropy_grad(0 * x + 2, x, t))
