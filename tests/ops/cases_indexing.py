"""Cases of indexing by rows, ordering, segments and running operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from case import Reference, Structured

IDS = np.array([2, 0, 1, 0, 3])


def _with(indices: Any, *shape: int) -> Callable[[np.random.Generator], tuple[Any, ...]]:
    return lambda g: (g.standard_normal(shape), np.asarray(indices))


def _scatter(g: Any, indices: Any, rows: int) -> Any:
    result = np.zeros((rows, *g.shape[indices.ndim :]))
    np.add.at(result, indices, g)
    return result


def _scatter_along(g: Any, indices: Any, axis: int, length: int) -> Any:
    shape = list(g.shape)
    shape[axis] = length
    result = np.zeros(shape)
    places = list(np.indices(indices.shape))
    places[axis] = indices
    np.add.at(result, tuple(places), g)
    return result


def _segments(ufunc: Any, empty: float) -> Reference:
    def reference(x: Any, ids: Any, num_segments: int) -> Any:
        result = np.full((num_segments, *x.shape[1:]), empty)
        ufunc.at(result, ids, x)
        return result

    return reference


def _running(ufunc: Any) -> Reference:
    def reference(*arrays: Any, axis: int, reverse: bool = False) -> Any:
        x = np.flip(arrays[0], axis) if reverse else arrays[0]
        y = ufunc.accumulate(x, axis=axis)
        return np.flip(y, axis) if reverse else y

    return reference


def _extreme(ufunc: Any) -> Reference:
    def reference(x: Any, axis: int, reverse: bool) -> Any:
        values = _running(ufunc)(x, axis=axis, reverse=reverse)
        equal = np.expand_dims(x, axis) == np.expand_dims(values, axis + 1)
        return values, np.argmax(equal, axis=axis + 1)

    return reference


def _linear(a: Any, b: Any, axis: int, reverse: bool) -> Any:
    a, b = np.moveaxis(a, axis, 0), np.moveaxis(b, axis, 0)
    if reverse:
        a, b = a[::-1], b[::-1]
    y = b.copy()
    for i in range(1, len(y)):
        y[i] += a[i] * y[i - 1]
    return np.moveaxis(y[::-1] if reverse else y, 0, axis)


def _sorted(x: Any, axis: int, descending: bool) -> Any:
    return np.flip(np.sort(x, axis), axis) if descending else np.sort(x, axis)


def _order(x: Any, axis: int, descending: bool) -> Any:
    return np.argsort(-x if descending else x, axis, kind="stable")


def _top_k(x: Any, k: int, sorted: bool) -> Any:
    order = np.argsort(-x, -1, kind="stable")[..., :k]
    return np.take_along_axis(x, order, -1), order


def _zeros_too(g: np.random.Generator) -> tuple[Any, ...]:
    x = g.standard_normal((3, 5))
    x[0, 1] = x[0, 3] = x[1, 0] = 0.0
    return (x,)


def _over_axes(name: str, reference: Reference, count: int = 1) -> list[Structured]:
    return [
        Structured(
            f"axis={axis} reverse={reverse}",
            lambda g: tuple(g.standard_normal((2, 3, 4)) for _ in range(count)),
            reference,
            {"axis": axis, "reverse": reverse},
            tuple(range(count)),
        )
        for axis, reverse in [(2, False), (0, True), (1, False), (2, True)]
    ]


STRUCTURED: dict[str, list[Structured]] = {
    "gather": [
        Structured("rows", _with([[1, 0], [1, 2]], 3, 2), lambda x, i: x[i]),
        Structured("numbers", _with([1, 1, 0], 3), lambda x, i: x[i]),
        Structured("none", _with(np.zeros(0, int), 3, 2), lambda x, i: x[i]),
    ],
    "scatter_add": [
        Structured("rows", _with([[1, 0], [1, 2]], 2, 2, 3), _scatter, {"rows": 4}),
        Structured("numbers", _with([1, 1, 0], 3), _scatter, {"rows": 2}),
    ],
    "gather_along_axis": [
        Structured(
            f"axis {axis}",
            _with(indices, 3, 2),
            lambda x, i, axis: np.take_along_axis(x, i, axis),
            {"axis": axis},
        )
        for axis, indices in [(0, [[2, 0], [0, 0]]), (1, [[1], [0], [1]])]
    ],
    "scatter_along_axis": [
        Structured(
            f"axis {axis}", _with(indices, 2, 2), _scatter_along, {"axis": axis, "length": 3}
        )
        for axis, indices in [(0, [[2, 0], [0, 0]]), (1, [[1, 0], [1, 1]])]
    ],
    "segment_sum": [
        Structured("rows", _with(IDS, 5, 2), _segments(np.add, 0.0), {"num_segments": 6}),
    ],
    "segment_max": [
        Structured("rows", _with(IDS, 5, 2), _segments(np.maximum, -np.inf), {"num_segments": 4}),
    ],
    "segment_min": [
        Structured("rows", _with(IDS, 5, 2), _segments(np.minimum, np.inf), {"num_segments": 4}),
    ],
    "segment_prod": [
        Structured("rows", _with(IDS, 5, 2), _segments(np.multiply, 1.0), {"num_segments": 4}),
        Structured(
            "with zeros",
            lambda g: (np.array([0.0, 2.0, 0.0, 3.0, 0.0, -1.0]), np.array([0, 0, 0, 1, 1, 1])),
            _segments(np.multiply, 1.0),
            {"num_segments": 2},
        ),
    ],
    "bincount": [
        Structured(
            "numbers",
            lambda g: (np.array([0, 2, 0]),),
            lambda x, length: np.bincount(x, minlength=length),
            {"length": 4},
        ),
    ],
    "argsort": [
        Structured(
            f"axis={axis} descending={descending}",
            lambda g: (g.integers(0, 3, (4, 5)).astype(float),),
            _order,
            {"axis": axis, "descending": descending},
        )
        for axis, descending in [(1, False), (0, True)]
    ],
    "sort": [
        Structured(
            f"axis={axis} descending={descending}",
            lambda g: (g.standard_normal((4, 5)),),
            _sorted,
            {"axis": axis, "descending": descending},
        )
        for axis, descending in [(1, False), (0, True)]
    ],
    "top_k": [
        Structured(
            f"{k} of 6",
            lambda g: (g.standard_normal((3, 6)),),
            _top_k,
            {"k": k, "sorted": True},
        )
        for k in (2, 6)
    ],
    "cumsum": [
        Structured(
            "from the end",
            lambda g: (g.standard_normal((2, 3)),),
            _running(np.add),
            {"axis": 1, "reverse": True},
        ),
    ],
    "cumprod": [
        *_over_axes("cumprod", _running(np.multiply)),
        Structured("with zeros", _zeros_too, _running(np.multiply), {"axis": 1, "reverse": False}),
        Structured(
            "with zeros from the end",
            _zeros_too,
            _running(np.multiply),
            {"axis": 1, "reverse": True},
        ),
    ],
    "cummax": _over_axes("cummax", _extreme(np.maximum)),
    "cummin": _over_axes("cummin", _extreme(np.minimum)),
    "logcumsumexp": _over_axes("logcumsumexp", _running(np.logaddexp)),
    "linear_scan": _over_axes("linear_scan", _linear, 2),
}
