"""Indexing as rows of a program."""

from __future__ import annotations

import numpy as np
import pytest
from kernels.program.native import Native, assert_same_bits

RANDOM = np.random.default_rng(0)
REALS = pytest.mark.parametrize("dtype", ["float32", "float64"])


def normal(*shape, dtype="float32"):
    return RANDOM.standard_normal(shape).astype(dtype)


def indices(length, *shape, dtype="int64"):
    return np.asarray(RANDOM.integers(0, length, shape)).astype(dtype)


@pytest.mark.parametrize("labels", ["int64", "int32", "uint8", "float32", "float64", "bool"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
def test_one_hot(labels, dtype):
    for shape in ((), (5,), (2, 3), (0,), (9000,)):
        found = np.asarray(RANDOM.integers(0, 6, shape)).astype(labels)
        assert_same_bits("one_hot", found, depth=4, dtype=np.dtype(dtype))
    assert_same_bits("one_hot", np.arange(12).reshape(3, 4).T.astype(labels), depth=5, dtype=dtype)
    assert_same_bits("one_hot", np.arange(3).astype(labels), depth=0, dtype=dtype)


def test_one_hot_of_what_is_no_label():
    labels = np.array([-1.0, 0.5, 2.0, 3.0, -0.0, 1e18, np.nan])
    assert_same_bits("one_hot", labels, depth=3, dtype="float32")
    assert_same_bits("one_hot", np.array([-1, 3, 2, 2**62]), depth=3, dtype="float32")


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int16", "bool"])
def test_gather(dtype):
    for table in (normal(10, 4), normal(6), normal(5, 2, 3), normal(4, 6).T, normal(1000, 64)):
        table = (table * 9).astype(dtype)
        for chosen in (indices(4, 7), indices(4), indices(4, 2, 3), indices(4, 0), indices(4, 900)):
            assert_same_bits("gather", table, chosen)
    assert_same_bits("gather", table, indices(4, 5, dtype="uint8"))
    assert_same_bits("gather", np.zeros((3, 0), dtype), indices(3, 5))


@REALS
def test_scatter_add(dtype):
    for shape, width in (((7,), (3,)), ((2, 3), ()), ((), (4,)), ((900,), (64,)), ((0,), (3,))):
        chosen = indices(5, *shape)
        g = np.asarray(normal(*shape, *width, dtype=dtype))
        assert_same_bits("scatter_add", g, chosen, rows=5)
        assert_same_bits("scatter_add", g, chosen, rows=1000)
    assert_same_bits("scatter_add", normal(6, 40).T, indices(9, 40), rows=9)


@REALS
@pytest.mark.parametrize("name", ["segment_sum", "segment_max", "segment_min", "segment_prod"])
def test_segments(name, dtype):
    for shape in ((7,), (6, 3), (0, 3), (500, 40)):
        x = normal(*shape, dtype=dtype)
        assert_same_bits(name, x, indices(4, len(x)), num_segments=6)
    assert_same_bits(name, np.arange(6), indices(4, 6, dtype="int32"), num_segments=4)


def test_bincount():
    for chosen in (indices(5, 20), indices(5, 3, 4), indices(5, 0), indices(3, 4, dtype="uint8")):
        assert_same_bits("bincount", chosen, length=6)


@REALS
def test_along_axis(dtype):
    x = normal(4, 5, 6, dtype=dtype)
    for view in (x, x.T, x[::2]):
        for axis in range(-3, 3):
            shape = list(view.shape)
            shape[axis] = 3
            chosen = indices(view.shape[axis], *shape)
            assert_same_bits("gather_along_axis", view, chosen, axis=axis)
            g = normal(*shape, dtype=dtype)
            assert_same_bits("scatter_along_axis", g, chosen, axis=axis, length=view.shape[axis])
    none = indices(4, 0, 5, 6)
    assert_same_bits("gather_along_axis", x, none, axis=0)
    assert_same_bits("scatter_along_axis", normal(0, 5, 6, dtype=dtype), none, axis=0, length=4)
    assert_same_bits("gather_along_axis", normal(900, 40), indices(40, 900, 1), axis=1)


INDEX = pytest.mark.parametrize(
    "index",
    [
        2,
        (-1, 3),
        (np.int64(2), ..., 0),
        (slice(None, None, -2), 3),
        (..., None, slice(1, 3)),
        slice(4, 4),
        (),
        (np.array([0, 3, 0, -1]),),
        (np.array([[0, 1], [1, 0]]),),
        (np.array([0, 1, 1]), np.array([2, 2, 2])),
        (slice(1, 3), np.array([2, -1, 2])),
        (RANDOM.random((4, 5)) < 0.5,),
        (RANDOM.random(4) < 0.5,),
        True,
        (np.array([], int),),
        [0, 2],
    ],
)


@INDEX
@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
def test_getitem(index, dtype):
    x = (normal(4, 5) * 5).astype(dtype)
    assert_same_bits("getitem", x, index=index)
    assert_same_bits("getitem", x.copy("F"), index=index)


@INDEX
def test_index_add(index):
    shape = (4, 5)
    for dtype in ("float32", "float64"):
        g = np.array(normal(*np.zeros(shape)[index].shape, dtype=dtype))
        g.reshape(-1)[:1] = -0.0
        assert_same_bits("index_add", g, index=index, shape=shape)
        assert_same_bits("index_add", np.ones((), dtype), index=index, shape=shape)


@pytest.mark.parametrize("wrong", [-1, 4, 2**40])
def test_indices_out_of_range_set_the_status(wrong):
    x, chosen = normal(4, 4), np.array([0, wrong, 1, 2])
    spread = np.repeat(chosen[:, None], 4, 1)
    for name, arguments, params, out in (
        ("gather", (x, chosen), {}, x),
        ("scatter_add", (x, chosen), {"rows": 4}, x),
        ("segment_sum", (x, chosen), {"num_segments": 4}, x),
        ("bincount", (chosen,), {"length": 4}, chosen),
        ("gather_along_axis", (x, spread), {"axis": 0}, x),
        ("scatter_along_axis", (x, spread), {"axis": 1, "length": 4}, x),
    ):
        native = Native(name, arguments, params, out)
        assert native.run() != 0, name
        native.arguments[-1][...] = 3
        assert native.run() == 0, name
