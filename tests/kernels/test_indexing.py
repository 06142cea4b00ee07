"""Indexing, segments, ordering and running operations against NumPy in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.special

from tapegrad_kernels import cpu

DTYPES = [np.float32, np.float64]
AXES = [
    ((1,), 0),
    ((7,), 0),
    ((35,), 0),
    ((8193,), 0),
    ((20_001,), 0),
    ((5, 300), 1),
    ((5, 300), 0),
    ((3, 9000), 1),
    ((3, 40, 270), 1),
    ((4, 1, 3), 1),
    ((0, 3), 1),
    ((3, 0), 1),
]
REDUCED = [
    ((), None),
    ((1,), 0),
    ((9001,), None),
    ((7, 100), 1),
    ((7, 9001), 1),
    ((700, 3), 0),
    ((513, 600), 0),
    ((3, 4, 5), (0, 2)),
    ((3, 4, 5), 1),
    ((3, 4, 5), (0, 1)),
    ((3, 0), 0),
    ((640, 33), 0),
    ((3, 40), ()),
    ((50, 20), 1),
    ((40, 700), -1),
]


def numbers(shape: Any, dtype: type, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def layouts(x: np.ndarray) -> list[np.ndarray]:
    """Return `x` in C order, in Fortran's, and with gaps."""
    gaps = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
    gaps[..., ::2] = x
    return [x, np.asfortranarray(x), gaps[..., ::2]]


# ---- rows of a table ------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [(), (1,), (3,), (64,), (2, 33), (0,)])
@pytest.mark.parametrize("count", [0, 1, 700])
def test_rows_of_a_table(count, width, dtype):
    table, g = numbers((50, *width), dtype), numbers((count, *width), dtype, 1)
    indices = np.random.default_rng(2).integers(0, 50, count)
    expected = np.zeros((50, *width))
    np.add.at(expected, indices, g)
    for x in layouts(table) if width else [table]:
        np.testing.assert_array_equal(cpu.gather(x, indices), table[indices])
    for x in layouts(g) if width else [g]:
        got = cpu.scatter_add(x, indices.astype(np.int32), rows=50)
        assert got.dtype == dtype
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
        by_index = cpu.index_add(x, index=indices - 50, shape=(50, *width))
        np.testing.assert_array_equal(by_index, got)


def test_more_axes_of_indices_and_other_dtypes():
    indices = np.array([[1, 0], [1, 1]])
    table = np.arange(6).reshape(3, 2)
    np.testing.assert_array_equal(cpu.gather(table, indices), table[indices])
    assert cpu.gather(table, indices).dtype == table.dtype
    assert cpu.gather(table.astype(complex), indices).dtype == complex
    got = cpu.scatter_add(np.ones((2, 2, 3)), indices, rows=2)
    np.testing.assert_array_equal(got, [[1.0] * 3, [3.0] * 3])
    assert cpu.scatter_add(np.ones(2, np.int32), [0, 0], rows=1).dtype == np.float64
    assert cpu.scatter_add(np.ones((2, 2), np.float16), [0, 0], rows=1).dtype == np.float32
    # What comes broadcast is added as often as it is named.
    np.testing.assert_array_equal(
        cpu.index_add(np.array([1.0, 2.0]), index=np.array([0, 0, 1]), shape=(2, 2)),
        [[2.0, 4.0], [1.0, 2.0]],
    )


def test_contributions_are_added_in_order():
    g = np.array([1.0, 1e8, -1e8, 1.0] * 500, np.float32)
    expected = np.float32(0)
    for value in g:
        expected += value
    wide = np.repeat(g[:, None], 64, axis=1)
    assert cpu.scatter_add(g, np.zeros(2000, int), rows=1)[0] == expected
    np.testing.assert_array_equal(
        cpu.scatter_add(wide, np.zeros(2000, int), rows=1), np.full((1, 64), expected)
    )


@pytest.mark.parametrize("index", [-1, 3, 2**40, -(2**63)])
def test_indices_out_of_range(index):
    x, indices = np.ones((3, 2)), np.array([[0, 1], [index, 7]])
    with pytest.raises(IndexError, match=rf"gather: index {index} at position \(1, 0\) .* 3 rows"):
        cpu.gather(x, indices)
    with pytest.raises(IndexError, match=rf"scatter_add: index {index} at position \(1, 0\)"):
        cpu.scatter_add(np.ones((2, 2, 2)), indices, rows=3)
    with pytest.raises(IndexError, match=rf"segment_sum: segment {index} at position \(1,\)"):
        cpu.segment_sum(x, [0, index, 0], num_segments=3)
    with pytest.raises(IndexError, match=rf"bincount: number {index} at position \(1,\)"):
        cpu.bincount([0, index], length=3)
    with pytest.raises(IndexError, match=rf"gather_along_axis: index {index} at position \(0, 1\)"):
        cpu.gather_along_axis(x.T, [[0, index], [0, 0]], axis=1)
    with pytest.raises(IndexError, match=rf"scatter_along_axis: index {index}"):
        cpu.scatter_along_axis(x.T[:, :2], [[0, index], [0, 0]], axis=1, length=3)
    if index not in range(-3, 3):
        with pytest.raises(IndexError, match=f"index_add: index {index} is out of range"):
            cpu.index_add(np.ones(2), index=np.array([0, index]), shape=(3,))


def test_wrong_arguments():
    x = np.ones((3, 2))
    with pytest.raises(TypeError, match="gather: indices are float64, expected integers"):
        cpu.gather(x, [0.5])
    with pytest.raises(ValueError, match="gather: got a 0-d table"):
        cpu.gather(np.array(1.0), [0])
    with pytest.raises(ValueError, match=r"scatter_add: rows of shape \(3, 2\)"):
        cpu.scatter_add(x, [0, 1], rows=3)
    with pytest.raises(ValueError, match="scatter_add: got -1 rows"):
        cpu.scatter_add(x, [0, 1, 0], rows=-1)
    with pytest.raises(TypeError, match="scatter_add: got an array of complex128"):
        cpu.scatter_add(x.astype(complex), [0, 1, 0], rows=3)
    with pytest.raises(ValueError, match="segment_max: x has shape"):
        cpu.segment_max(x, [0, 1], num_segments=3)
    with pytest.raises(ValueError, match="num_segments is -1"):
        cpu.segment_sum(x, [0, 0, 0], num_segments=-1)
    with pytest.raises(ValueError, match="agree in all axes but axis 1"):
        cpu.gather_along_axis(x, np.zeros((2, 2), int), axis=1)
    with pytest.raises(ValueError, match="they must be equal"):
        cpu.scatter_along_axis(x, np.zeros((3, 1), int), axis=1, length=3)
    with pytest.raises(ValueError, match="axis 2 does not exist"):
        cpu.gather_along_axis(x, np.zeros((3, 2), int), axis=2)
    with pytest.raises(ValueError, match="one_hot: depth is -1"):
        cpu.one_hot([0], depth=-1, dtype="float32")
    with pytest.raises(ValueError, match="top_k: k is 3, expected a number from 0 to the length 2"):
        cpu.top_k(x, k=3)
    with pytest.raises(ValueError, match="top_k: got a 0-d array"):
        cpu.top_k(1.0, k=0)
    for name in ("argsort", "sort", "cumsum", "cumprod", "cummax", "logcumsumexp"):
        with pytest.raises(ValueError, match=f"{name}: axis 2 does not exist"):
            getattr(cpu, name)(x, axis=2)
    with pytest.raises(ValueError, match="linear_scan: a has shape"):
        cpu.linear_scan(x, x[:1])
    with pytest.raises(ValueError, match="logsumexp: axis 0 of an array of shape"):
        cpu.logsumexp(np.ones((0, 2)), axis=0)
    with pytest.raises(ValueError, match="logsumexp_grad: g has shape"):
        cpu.logsumexp_grad(np.ones((2, 2)), x, np.ones((3, 1)), axis=1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_logsumexp_of_long_parts_without_a_finite_number(dtype):
    """What one part is measured from must not drown what stands in another."""
    for axis, x in (
        (1, np.full((2, 9000), -np.inf, dtype)),
        (0, np.full((9000, 2), -np.inf, dtype)),
    ):
        low = x.copy()
        low[-1, -1] = -5000.0
        got = cpu.logsumexp(low, axis=axis)
        np.testing.assert_array_equal(got, [-np.inf, -5000.0])
        low[0, 0] = np.inf
        low[:, -1] = 5000.0 if axis == 0 else low[:, -1]
        assert cpu.logsumexp(low, axis=axis)[0] == np.inf
        assert cpu.logsumexp(low) == np.inf
        low[0, 1 - axis] = np.nan
        assert np.isnan(cpu.logsumexp(low))


# ---- segments and one-hot -------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [(), (5,), (40,)])
def test_segments(width, dtype):
    x = numbers((900, *width), dtype)
    ids = np.random.default_rng(1).integers(0, 30, 900)
    ids[ids == 7] = 8
    for name, ufunc, empty in [
        ("sum", np.add, 0.0),
        ("max", np.maximum, -np.inf),
        ("min", np.minimum, np.inf),
        ("prod", np.multiply, 1.0),
    ]:
        expected = np.full((31, *width), empty)
        ufunc.at(expected, ids, x.astype(np.float64))
        # Sums may cancel, products come near zero.
        got = getattr(cpu, f"segment_{name}")(x, ids, num_segments=31)
        assert got.dtype == dtype
        assert (got[7] == empty).all()
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-5)
    np.testing.assert_array_equal(cpu.bincount(ids, length=40), np.bincount(ids, minlength=40))
    x[3] = np.nan
    assert np.isnan(cpu.segment_max(x, ids, num_segments=31)[ids[3]]).all()
    assert cpu.segment_sum(x[:0], ids[:0], num_segments=2).shape == (2, *width)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "bool", "float16"])
def test_one_hot(dtype):
    labels = np.array([[0, 3, -1], [4, 1, 100]])
    expected = (labels[..., None] == np.arange(4)).astype(dtype)
    for given in (labels, labels.astype(np.float32), labels.astype(np.int16)):
        got = cpu.one_hot(given, depth=4, dtype=dtype)
        assert got.dtype == dtype
        np.testing.assert_array_equal(got, expected)
    assert not cpu.one_hot([0.5], depth=2, dtype=dtype).any()
    assert cpu.one_hot([], depth=2, dtype=dtype).shape == (0, 2)
    assert cpu.one_hot(labels, depth=0, dtype=dtype).shape == (2, 3, 0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_along_an_axis(axis, dtype):
    x = numbers((4, 5, 6), dtype)
    indices = np.random.default_rng(0).integers(0, 4, (4, 5, 6))
    indices = indices.take([0, 1, 2], axis)
    for array in layouts(x):
        np.testing.assert_array_equal(
            cpu.gather_along_axis(array, indices, axis=axis),
            np.take_along_axis(x, indices, axis),
        )
    g = numbers(indices.shape, dtype, 1)
    shape = list(g.shape)
    shape[axis] = 7
    expected = np.zeros(shape)
    places = list(np.indices(indices.shape))
    places[axis] = indices
    np.add.at(expected, tuple(places), g)
    for array in layouts(g):
        got = cpu.scatter_along_axis(array, indices, axis=axis, length=7)
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


# ---- ordering -------------------------------------------------------------------------


def descending_order(x: np.ndarray) -> np.ndarray:
    """Return the order of a row with the largest first, NaN before all, equal ones as they are."""
    missing = np.isnan(x)
    return np.lexsort((np.where(missing, 0, -x), ~missing))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1,), (7,), (48,), (49,), (5000,), (5, 300), (3, 4, 70), (0, 4)])
def test_order_with_ties_and_special_values(shape, dtype):
    generator = np.random.default_rng(0)
    x = generator.integers(-5, 5, shape).astype(dtype)
    x[x == 3] = np.nan
    x[x == 4] = np.copysign(np.nan, -1)  # whatever the sign, NaN is the largest
    x[x == 2] = np.inf
    x[x == -4] = -np.inf
    x = np.where((x == 0) & (generator.random(shape) < 0.5), -x, x)
    rows = x.reshape(-1, shape[-1])
    backwards = np.array([descending_order(row) for row in rows], np.int64).reshape(shape)
    np.testing.assert_array_equal(cpu.argsort(x), np.argsort(x, kind="stable"))
    np.testing.assert_array_equal(cpu.argsort(x, descending=True), backwards)
    np.testing.assert_array_equal(cpu.sort(x), np.sort(x))
    expected = np.take_along_axis(x, backwards, -1)
    np.testing.assert_array_equal(cpu.sort(x, descending=True), expected)
    for k in {0, 1, min(5, shape[-1]), min(60, shape[-1]), shape[-1]}:
        values, places = cpu.top_k(x, k=k)
        np.testing.assert_array_equal(places, backwards[..., :k])
        np.testing.assert_array_equal(values, expected[..., :k])
        assert values.dtype == dtype
        assert places.dtype == np.int64


@pytest.mark.parametrize("dtype", DTYPES)
def test_order_along_any_axis_of_any_layout(dtype):
    x = numbers((4, 60, 3), dtype)
    for axis in (0, 1, -1, None):
        for array in layouts(x):
            np.testing.assert_array_equal(
                cpu.argsort(array, axis=axis), np.argsort(x, axis, kind="stable")
            )
            np.testing.assert_array_equal(cpu.sort(array, axis=axis), np.sort(x, axis))
    small = np.array([1e-45, -1e-45, 0.0, -0.0], np.float32)
    np.testing.assert_array_equal(cpu.argsort(small), [1, 2, 3, 0])


def test_order_of_integers_and_booleans():
    x = np.array([3, -(2**63), 3, 2**63 - 1])
    np.testing.assert_array_equal(cpu.argsort(x, descending=True), [3, 0, 2, 1])
    np.testing.assert_array_equal(cpu.argsort(x), [1, 0, 2, 3])
    np.testing.assert_array_equal(cpu.sort(x), np.sort(x))
    np.testing.assert_array_equal(cpu.argsort([True, False, True], descending=True), [0, 2, 1])
    values, places = cpu.top_k(np.array([3, 5, 3]), k=2)
    assert values.tolist() == [5.0, 3.0]
    assert places.tolist() == [1, 0]


# ---- running operations ---------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("shape", "axis"), AXES)
def test_running_operations(shape, axis, reverse, dtype):
    def flip(a: np.ndarray) -> np.ndarray:
        return np.flip(a, axis) if reverse else a

    x = numbers(shape, dtype)
    wide = x.astype(np.float64)
    eps = float(np.finfo(dtype).eps)
    sums = flip(np.cumsum(flip(wide), axis=axis))
    got = cpu.cumsum(x, axis=axis, reverse=reverse)
    assert got.dtype == dtype
    # Rounded once: within one unit of the last place, but for the error of float64 itself.
    np.testing.assert_allclose(got, sums, rtol=eps, atol=1e-11)
    factors = (1 + x / 100).astype(dtype)
    products = flip(np.cumprod(flip(factors.astype(np.float64)), axis=axis))
    got = cpu.cumprod(factors, axis=axis, reverse=reverse)
    np.testing.assert_allclose(got, products, rtol=eps * 4 * shape[axis] ** 0.5 + 4 * eps)
    for name, ufunc in (("cummax", np.maximum), ("cummin", np.minimum)):
        values, places = getattr(cpu, name)(x, axis=axis, reverse=reverse)
        np.testing.assert_array_equal(values, flip(ufunc.accumulate(flip(x), axis=axis)))
        np.testing.assert_array_equal(np.take_along_axis(x, places, axis), values)
    exponentials = flip(np.logaddexp.accumulate(flip(wide), axis=axis))
    got = cpu.logcumsumexp(x, axis=axis, reverse=reverse)
    np.testing.assert_allclose(
        got, exponentials, rtol=eps * 4 * shape[axis] ** 0.5 + 8 * eps, atol=100 * eps
    )
    b = numbers(shape, dtype, 1)
    expected = np.array(flip(b), np.float64)
    along, by = np.moveaxis(expected, axis, 0), np.moveaxis(flip(wide), axis, 0)
    for i in range(1, len(along)):
        along[i] += 0.5 * by[i] * along[i - 1]
    got = cpu.linear_scan((x / 2).astype(dtype), b, axis=axis, reverse=reverse)
    np.testing.assert_allclose(got, flip(expected), rtol=1e5 * eps, atol=1e3 * eps)


def test_running_sums_of_float32_do_not_lose():
    x = np.full(1_000_000, 0.1, np.float32)
    got = cpu.cumsum(x)
    exact = np.float64(np.float32(0.1)) * np.arange(1, x.size + 1)
    np.testing.assert_allclose(got, exact, rtol=1.2e-7)
    assert cpu.cumsum(np.arange(3)).dtype == np.int64
    assert cpu.cumsum(np.ones(3, complex)).dtype == complex
    np.testing.assert_array_equal(cpu.cumprod(np.array([1, 2, 3]), reverse=True), [6, 6, 3])
    np.testing.assert_array_equal(cpu.cumsum(np.ones((2, 2)), axis=None), [1, 2, 3, 4])


@pytest.mark.parametrize("dtype", DTYPES)
def test_special_values_on_the_way(dtype):
    inf, nan = np.inf, np.nan
    x = np.array([-inf, -inf, 1.0, inf, inf, 2.0], dtype)
    np.testing.assert_array_equal(cpu.logcumsumexp(x), [-inf, -inf, 1.0, inf, inf, inf])
    x = np.array([1.0, nan, 3.0, nan], dtype)
    assert np.isnan(cpu.logcumsumexp(x)).tolist() == [False, True, True, True]
    for name in ("cummax", "cummin"):
        values, places = getattr(cpu, name)(x)
        assert np.isnan(values).tolist() == [False, True, True, True]
        assert places.tolist() == [0, 1, 1, 1]
    values, places = cpu.cummax(np.array([2.0, 1.0, 2.0, -inf], dtype), reverse=True)
    assert places.tolist() == [2, 2, 2, 3]
    assert cpu.logcumsumexp(np.array([1000.0, 1000.0], dtype))[1] == dtype(1000 + np.log(2))


# ---- logsumexp ------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "axis"), REDUCED)
def test_logsumexp_and_its_gradient(shape, axis, dtype):
    x = (numbers(shape, dtype) * 5).astype(dtype)
    wide = x.astype(np.float64)
    tolerance = 20 * float(np.finfo(dtype).eps)
    expected: Any = None
    for keepdims in (False, True):
        expected = scipy.special.logsumexp(wide, axis=axis, keepdims=keepdims)
        got = cpu.logsumexp(x, axis=axis, keepdims=keepdims)
        assert got.dtype == dtype
        np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)
    for array in layouts(x) if shape else [x]:
        np.testing.assert_allclose(
            cpu.logsumexp(array, axis=axis, keepdims=True), expected, tolerance, tolerance
        )
    y = np.asarray(expected, dtype).reshape(cpu.logsumexp(x, axis=axis, keepdims=True).shape)
    g = numbers(y.shape, dtype, 1)
    got = cpu.logsumexp_grad(g, x, y, axis=axis)
    wanted = g.astype(np.float64) * np.exp(wide - y.astype(np.float64))
    np.testing.assert_allclose(got, wanted, rtol=10 * tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axis", [0, 1])
def test_logsumexp_of_infinities(axis, dtype):
    inf, nan = np.inf, np.nan
    rows = np.array([[-inf, -inf], [inf, 0.0], [nan, 0.0], [-inf, 2.0], [1e30, -1e30]], dtype)
    x = rows if axis == 1 else np.ascontiguousarray(rows.T)
    y = cpu.logsumexp(x, axis=axis)
    np.testing.assert_array_equal(y, np.array([-inf, inf, nan, 2.0, 1e30], dtype))
    shape = (5, 1) if axis == 1 else (1, 5)
    dx = cpu.logsumexp_grad(np.ones(shape, dtype), x, y.reshape(shape), axis=axis)
    dx = dx if axis == 1 else dx.T
    np.testing.assert_array_equal(dx[0], [0, 0])
    np.testing.assert_array_equal(dx[3], [0, 1])
