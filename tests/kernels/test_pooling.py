"""Pooling and its gradients against a loop over windows in float64."""

from __future__ import annotations

import numpy as np
import pytest

from tapegrad_kernels import cpu
from tapegrad_kernels.cpu._window import pair, window_2d

DTYPES = [np.float32, np.float64]
# (x shape, pool_size, strides, padding)
CASES = [
    ((2, 8, 10, 19), 2, None, "valid"),
    ((2, 9, 11, 32), 2, 2, "same"),
    ((1, 9, 13, 5), 3, 2, "same"),
    ((2, 9, 9, 17), 3, 1, "same"),
    ((2, 12, 7, 3), (2, 3), (3, 1), "valid"),
    ((1, 7, 6, 33), (3, 2), (2, 5), ((2, 1), (1, 0))),
    ((1, 1, 30, 4), (1, 4), (1, 2), "same"),
    ((2, 5, 5, 1), 5, 1, "valid"),
    ((1, 4, 4, 2), 1, 3, "valid"),
    ((1, 20, 21, 3), 17, 4, "same"),  # more than 256 elements in a window
]


def boxes(shape, pool_size, strides, padding):
    """For each window its output, its first row and column, and the slices inside the image."""
    size = pair("", "", pool_size)
    steps = size if strides is None else pair("", "", strides)
    pads, (height, width) = window_2d("", shape[1:3], size, steps, padding)
    for u in range(height):
        for v in range(width):
            top, left = u * steps[0] - pads[0][0], v * steps[1] - pads[1][0]
            rows = slice(max(top, 0), min(top + size[0], shape[1]))
            columns = slice(max(left, 0), min(left + size[1], shape[2]))
            yield (u, v), (top, left), rows, columns
    return


def output_shape(shape, pool_size, strides, padding):
    last = [place for place, *_ in boxes(shape, pool_size, strides, padding)][-1]
    return (shape[0], last[0] + 1, last[1] + 1, shape[3])


def largest(x, pool_size, strides, padding):
    shape = output_shape(x.shape, pool_size, strides, padding)
    y, positions = np.empty(shape), np.empty(shape, np.int64)
    wide = pair("", "", pool_size)[1]
    for (u, v), (top, left), rows, columns in boxes(x.shape, pool_size, strides, padding):
        part = x[:, rows, columns].astype(np.float64)
        flat = part.reshape(x.shape[0], -1, x.shape[3])
        chosen = flat.argmax(1)
        y[:, u, v] = np.take_along_axis(flat, chosen[:, None], 1)[:, 0]
        i, j = np.divmod(chosen, part.shape[2])
        positions[:, u, v] = (i + rows.start - top) * wide + (j + columns.start - left)
    return y, positions


def routed(dy, positions, x_shape, pool_size, strides, padding):
    dx = np.zeros(x_shape)
    wide = pair("", "", pool_size)[1]
    images, channels = np.ogrid[: x_shape[0], : x_shape[3]]
    for (u, v), (top, left), _, _ in boxes(x_shape, pool_size, strides, padding):
        i, j = np.divmod(positions[:, u, v].astype(np.int64), wide)
        np.add.at(dx, (images, i + top, j + left, channels), dy[:, u, v].astype(np.float64))
    return dx


def near(got, expected, dtype):
    assert got.dtype == dtype
    tolerance = 40 * np.finfo(dtype).eps
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "pool_size", "strides", "padding"), CASES)
def test_max_pool(shape, pool_size, strides, padding, dtype):
    generator = np.random.default_rng(0)
    how = {"pool_size": pool_size, "strides": strides, "padding": padding}
    # Few different values, so that most windows hold the largest more than once.
    for x in (generator.normal(size=shape), generator.integers(-2, 3, shape)):
        x = x.astype(dtype)
        y, positions = cpu.max_pool2d(x, **how)
        expected, places = largest(x, **how)
        assert y.dtype == dtype
        np.testing.assert_array_equal(y, expected)
        np.testing.assert_array_equal(positions, places)
        assert positions.dtype == (np.int32 if pool_size == 17 else np.uint8)
        dy = generator.normal(size=y.shape).astype(dtype)
        dx = cpu.max_pool2d_grad(dy, positions, x_shape=shape, **how)
        near(dx, routed(dy, places, shape, **how), dtype)
        h = generator.normal(size=shape).astype(dtype)
        gathered = cpu.max_pool2d_gather(h, positions, **how)
        np.testing.assert_allclose(
            np.vdot(gathered, dy), np.vdot(h, dx), rtol=1e-3 if dtype == np.float32 else 1e-11
        )
        np.testing.assert_array_equal(cpu.max_pool2d_gather(x, positions, **how), y)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "pool_size", "strides", "padding"), CASES)
def test_average_pool(shape, pool_size, strides, padding, dtype):
    generator = np.random.default_rng(1)
    how = {"pool_size": pool_size, "strides": strides, "padding": padding}
    x = generator.normal(size=shape).astype(dtype)
    y = cpu.avg_pool2d(x, **how)
    dy = generator.normal(size=y.shape).astype(dtype)
    expected, dx = np.empty(y.shape), np.zeros(shape)
    for (u, v), _, rows, columns in boxes(shape, **how):
        part = x[:, rows, columns].astype(np.float64)
        expected[:, u, v] = part.mean((1, 2))
        share = dy[:, u, v].astype(np.float64) / (part.shape[1] * part.shape[2])
        dx[:, rows, columns] += share[:, None, None]
    near(y, expected, dtype)
    near(cpu.avg_pool2d_grad(dy, x_shape=shape, **how), dx, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_and_infinities(dtype):
    inf, nan = np.inf, np.nan
    rows = [[1, nan, 3, nan], [nan, 1, 2, 3], [-inf] * 4, [-inf, -5, inf, inf], [0, -1, -2, 0]]
    x = np.repeat(np.array(rows, dtype).reshape(5, 2, 2, 1), 18, axis=3)
    y, positions = cpu.max_pool2d(x, pool_size=2)
    np.testing.assert_array_equal(y[:, 0, 0, 7], [nan, nan, -inf, inf, 0])
    np.testing.assert_array_equal(positions[:, 0, 0, 7], [1, 0, 0, 2, 0])
    np.testing.assert_array_equal(positions, np.broadcast_to(positions[..., :1], positions.shape))


@pytest.mark.parametrize("dtype", DTYPES)
def test_views_are_read_in_place_and_nothing_around_them(dtype):
    around = np.full((4, 16, 18, 50), np.nan, dtype)
    x = around[1:3, 2:13, 3:15, 5:40]
    x[...] = np.random.default_rng(2).normal(size=x.shape)
    how = {"pool_size": 3, "strides": 2, "padding": "same"}
    for view in (
        x,
        x.copy()[:, ::-1, ::-1][:, ::-1, ::-1],
        np.moveaxis(np.moveaxis(x, 3, 0), 0, 3),
    ):
        for got, expected in zip(
            (*cpu.max_pool2d(view, **how), cpu.avg_pool2d(view, **how)),
            (*cpu.max_pool2d(x.copy(), **how), cpu.avg_pool2d(x.copy(), **how)),
            strict=True,
        ):
            assert np.isfinite(got).all()
            np.testing.assert_array_equal(got, expected)
    _, positions = cpu.max_pool2d(x, **how)
    g = np.broadcast_to(dtype(2), positions.shape)
    np.testing.assert_array_equal(
        cpu.max_pool2d_grad(g, positions.astype(np.int64), x_shape=x.shape, **how),
        cpu.max_pool2d_grad(g.copy(), positions, x_shape=x.shape, **how),
    )


def test_other_dtypes_and_empty():
    y, _ = cpu.max_pool2d(np.arange(4).reshape(1, 2, 2, 1), pool_size=2)
    assert y.dtype == np.float64
    assert cpu.avg_pool2d(np.ones((1, 2, 2, 1), np.float16), pool_size=2).dtype == np.float32
    for shape in ((0, 4, 4, 3), (2, 4, 4, 0)):
        y, positions = cpu.max_pool2d(np.empty(shape, np.float32), pool_size=2)
        assert y.shape == positions.shape == (shape[0], 2, 2, shape[3])
        assert cpu.max_pool2d_grad(y, positions, x_shape=shape, pool_size=2).shape == shape
        assert cpu.avg_pool2d_grad(y, x_shape=shape, pool_size=2).shape == shape


def test_errors():
    x = np.zeros((2, 5, 6, 3))
    y, positions = cpu.max_pool2d(x, pool_size=2)
    with pytest.raises(ValueError, match=r"max_pool2d: the input has shape .*four axes"):
        cpu.max_pool2d(x[0], pool_size=2)
    with pytest.raises(ValueError, match="max_pool2d: size 5, window 7"):
        cpu.max_pool2d(x, pool_size=7)
    with pytest.raises(ValueError, match="avg_pool2d: pool_size is 0"):
        cpu.avg_pool2d(x, pool_size=0)
    with pytest.raises(ValueError, match=r"avg_pool2d: padding .* windows that hold no element"):
        cpu.avg_pool2d(x, pool_size=2, padding=2)
    with pytest.raises(TypeError, match="max_pool2d: got an array of complex128"):
        cpu.max_pool2d(x * 1j, pool_size=2)
    with pytest.raises(
        ValueError, match=r"max_pool2d_grad: dy has shape .*expected \(2, 2, 3, 3\)"
    ):
        cpu.max_pool2d_grad(y[:1], positions, x_shape=x.shape, pool_size=2)
    with pytest.raises(ValueError, match="max_pool2d_grad: positions has shape"):
        cpu.max_pool2d_grad(y, positions[:1], x_shape=x.shape, pool_size=2)
    with pytest.raises(TypeError, match="positions are of float64; expected the integers"):
        cpu.max_pool2d_gather(x, positions * 1.0, pool_size=2)
    with pytest.raises(ValueError, match="avg_pool2d_grad: dy has shape"):
        cpu.avg_pool2d_grad(y, x_shape=(2, 9, 6, 3), pool_size=2)


def test_images_without_rows():
    x = np.empty((2, 0, 3, 4), np.float32)
    how = {"pool_size": 2, "padding": "same"}
    y, positions = cpu.max_pool2d(x, **how)
    assert y.shape == (2, 0, 2, 4)
    assert cpu.max_pool2d_grad(y, positions, x_shape=x.shape, **how).shape == x.shape
    assert cpu.avg_pool2d_grad(cpu.avg_pool2d(x, **how), x_shape=x.shape, **how).shape == x.shape


def test_arguments_may_be_lists():
    x = np.arange(16.0).reshape(1, 4, 4, 1)
    y, _ = cpu.max_pool2d(x, pool_size=[2, 2], strides=[2, 2], padding=[[0, 0], [0, 0]])
    np.testing.assert_array_equal(y, cpu.max_pool2d(x, pool_size=2)[0])
