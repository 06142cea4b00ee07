"""Sums that metrics keep over batches: a total and a count, in float64.

What is counted lies in a vector of two numbers, and `accumulate_mean` says what a batch adds to
them; the mean over all batches is their quotient. Sums are cut by size and combined in a fixed
order.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from tapegrad_kernels._compile import Block, block, kernel, native_entry, on_warmup
from tapegrad_kernels._compile.launch import chunk_block, parallel_launcher, run_chunks
from tapegrad_kernels._compile.pointers import (
    POINTER_TO,
    address_of,
    call_block,
    float64_at,
    int64_at,
    pack,
)
from tapegrad_kernels.cpu._map import FLOAT32, FLOAT64, REAL_NAMES

Array = NDArray[Any]
Shape = tuple[int, ...]

CHUNK = 65_536
"""Elements up to which one thread is quicker, and that a thread takes at a time."""

MEAN, EQUAL, BINARY, SPARSE, CATEGORICAL = 0, 1, 2, 3, 4
"""What is summed: values, or matches of predictions and labels."""

KINDS = {"equal": EQUAL, "binary": BINARY, "sparse": SPARSE, "categorical": CATEGORICAL}


class Plan(NamedTuple):
    """How a batch is summed.

    Attributes
    ----------
    shape : tuple of int
        Shape of the weights.
    rows, inner : int
        Values with one weight follow one another: so many weights, and values of each.
    classes : int
        Elements of a prediction.
    divisor : float
        What the sum of all values is divided by.
    samples : float
        What is added to the count if there are no weights.
    weight_divisor : float
        What the sum of the weights is divided by, before it is added to the count.
    chunk, parts : int
        Rows that a task takes, and the number of tasks.
    """

    shape: Shape
    rows: int
    inner: int
    classes: int
    divisor: float
    samples: float
    weight_divisor: float
    chunk: int
    parts: int


def _plan(
    shape: Shape, rows: int, inner: int, classes: int,
    divisor: float, samples: float, weight_divisor: float,
) -> Plan:  # fmt: skip
    chunk = max(1, CHUNK // max(inner * classes, 1))
    parts = max(1, -(-rows // chunk))
    return Plan(shape, rows, inner, classes, divisor, samples, weight_divisor, chunk, parts)


@functools.lru_cache(1024)
def plan(shape: Shape, weights: Shape | None, classes: int = 1) -> Plan:
    """How values of a shape are summed with weights of a shape, or None.

    Raises
    ------
    ValueError
        If the weights do not begin the shape of the values.
    """
    size = math.prod(shape)
    samples = shape[0] if shape else 1
    divisor = max(size // max(samples, 1), 1)
    if weights is None:
        return _plan(shape[:1], samples, divisor if size else 0, classes, divisor, samples, 1.0)
    given = weights
    if len(weights) == len(shape) + 1 and weights[-1] == 1:
        weights = weights[:-1]
    count = len(weights)
    if count > len(shape) or any(w not in (1, n) for w, n in zip(weights, shape)):
        raise ValueError(
            f"weights have shape {given}, which does not begin the shape of the values, {shape}"
        )
    rows, inner = math.prod(shape[:count]), math.prod(shape[count:])
    if count == 0:  # the mean of all values counts as one
        return _plan((), 1, inner, classes, max(size, 1), 0.0, 1.0)
    weight_divisor = max(math.prod(shape[1:count]), 1)
    return _plan(shape[:count], rows, inner, classes, divisor, 0.0, weight_divisor)


def _make_block(real: str) -> Block:
    at: Any = POINTER_TO[real]
    number: Any = np.dtype(real).type

    @kernel(inline=True)
    def largest(x, start, stop):  # type: ignore[no-untyped-def]
        # The first of equal ones, and the first NaN before all, as in NumPy.
        best = start
        for i in range(start, stop):
            if x[i] != x[i]:
                return i - start
            if x[i] > x[best]:
                best = i
        return best - start

    @kernel(inline=True)
    def summed(x, start, stop):  # type: ignore[no-untyped-def]
        # Eight sums side by side: each addition waits for the one before in its own sum alone.
        a = b = c = d = e = f = g = h = 0.0
        whole = start + (stop - start) // 8 * 8
        for i in range(start, whole, 8):
            a += x[i]
            b += x[i + 1]
            c += x[i + 2]
            d += x[i + 3]
            e += x[i + 4]
            f += x[i + 5]
            g += x[i + 6]
            h += x[i + 7]
        total = ((a + b) + (c + d)) + ((e + f) + (g + h))
        for i in range(whole, stop):
            total += x[i]
        return total

    @block(f"metric_rows.{real}")
    def metric_rows(record, start, stop):  # type: ignore[no-untyped-def]
        # The record holds what to sum, the addresses of predictions (or values), labels, weights
        # (or 0) and partial sums, values of a row, elements of a prediction, rows of a task, and
        # the threshold.
        packed = int64_at(record)
        kind, weights, inner, classes = packed[0], packed[3], packed[5], packed[6]
        x, labels, same = at(packed[1]), float64_at(packed[2]), at(packed[2])
        threshold = number(float64_at(record)[8])
        first_row, total = start, 0.0
        if kind == MEAN and weights == 0:
            total = summed(x, start * inner, stop * inner)
            start = stop
        for row in range(start, stop):
            part = 0.0
            if kind == MEAN:
                part = summed(x, row * inner, row * inner + inner)
            for i in range(row * inner, row * inner + inner if kind != MEAN else row * inner):
                if kind == EQUAL:
                    part += 1.0 if labels[i] == x[i] else 0.0
                elif kind == BINARY:
                    part += 1.0 if labels[i] == (1.0 if x[i] > threshold else 0.0) else 0.0
                else:
                    first = i * classes
                    found = largest(x, first, first + classes)
                    if kind == SPARSE:
                        part += 1.0 if labels[i] == found else 0.0
                    else:
                        wanted = largest(same, first, first + classes)
                        part += 1.0 if wanted == found else 0.0
            total += float64_at(weights)[row] * part if weights != 0 else part
        float64_at(packed[4])[first_row // packed[7]] = total

    return metric_rows


ROW_BLOCKS = {np.dtype(real): _make_block(real) for real in REAL_NAMES}


@block("metric_finish")
def finish_block(record, start, stop):  # type: ignore[no-untyped-def]
    """Add partial sums and weights to what was counted.

    The record holds the address of what was counted, that of the partial sums and their number,
    the divisor, the samples, the address of the weights or 0, their number and their divisor.
    """
    packed, numbers = int64_at(record), float64_at(record)
    counted, sums = float64_at(packed[0]), float64_at(packed[1])
    total = 0.0
    for part in range(packed[2]):
        total += sums[part]
    counted[0] += total / numbers[3]
    if packed[5] == 0:
        counted[1] += numbers[4]
    else:
        weights, weight = float64_at(packed[5]), 0.0
        for i in range(packed[6]):
            weight += weights[i]
        counted[1] += weight / numbers[7]


def _run(  # type: ignore[no-untyped-def]
    address, finish, chunker, launcher, kind, weighted, rows, inner, classes, chunk,
    counted, x, labels, weights, sums, threshold, divisor, samples, weight_divisor,
):  # fmt: skip
    by_weight = address_of(weights) if weighted != 0 else 0
    arrays = address_of(x), address_of(labels), by_weight, address_of(sums)
    record = pack((kind, *arrays, inner, classes, chunk, threshold))
    run_chunks(address, record, rows, chunk, chunker, launcher)
    totals = address_of(counted), address_of(sums), sums.size, divisor, samples
    call_block(finish, pack((*totals, by_weight, weights.size, weight_divisor)), 0, 1)


@functools.cache
def _entry(
    x: np.dtype[Any], labels: np.dtype[Any]
) -> tuple[Callable[..., None], int, int, int, int]:
    def vector(dtype: Any) -> Any:
        return numba.types.Array(numba.from_dtype(np.dtype(dtype)), 1, "C")

    wide = vector(FLOAT64)
    arrays = wide, vector(x), vector(labels), wide, wide
    arguments = (numba.int64,) * 10 + arrays + (numba.float64,) * 4
    run = native_entry(_run, f"metric.{x.name}.{labels.name}", *arguments)
    launch = chunk_block.address, parallel_launcher.address
    return run, ROW_BLOCKS[x].address, finish_block.address, *launch


_NONE = np.zeros(0)


def _accumulate(
    kind: int, counted: Array, x: Array, labels: Array, weights: Array | None, how: Plan,
    threshold: float = 0.0,
) -> None:  # fmt: skip
    if weights is not None:
        weights = np.asarray(weights, np.float64)
        if weights.ndim > len(how.shape):
            weights = weights[..., 0]
        if weights.shape != how.shape or not weights.flags.c_contiguous:
            weights = np.ascontiguousarray(np.broadcast_to(weights, how.shape))
    _, rows, inner, classes, divisor, samples, weight_divisor, chunk, parts = how
    if rows * inner == 0:
        return
    sums = np.empty(parts)
    run, *addresses = _entry(x.dtype, labels.dtype)
    x = x.reshape(-1)
    run(
        *addresses, kind, weights is not None, rows, inner, classes, chunk,
        counted, x, x if kind == MEAN else labels.reshape(-1),
        _NONE if weights is None else weights.reshape(-1), sums,
        threshold, divisor, samples, weight_divisor,
    )  # fmt: skip


def _real(x: Any) -> Array:
    if type(x) is np.ndarray and x.dtype in (FLOAT32, FLOAT64) and x.flags.c_contiguous:
        return x
    array = np.asarray(x)
    return np.asarray(array, array.dtype if array.dtype in (FLOAT32, FLOAT64) else FLOAT64, "C")


def _check(operation: str, counted: Array) -> None:
    vector = type(counted) is np.ndarray and counted.dtype == FLOAT64 and counted.shape == (2,)
    if not vector or not counted.flags.c_contiguous or not counted.flags.writeable:
        raise ValueError(f"{operation}: counted must be a writable vector of 2 float64")


def accumulate_loss(counted: Array, loss: Any, *, samples: float) -> None:
    """Add the loss of a batch to a total, as often as it has samples, and these to a count.

    Parameters
    ----------
    counted : ndarray of float64, shape (2,)
        The total and the count.
    loss : float or array of one element
        The mean over the batch.
    samples : float
        Size of the batch.

    Examples
    --------
    >>> counted = np.zeros(2)
    >>> accumulate_loss(counted, 0.5, samples=32)
    >>> counted
    array([16., 32.])
    """
    counted[0] += float(loss) * samples
    counted[1] += samples


def accumulate_mean(counted: Array, values: Any, weights: Any = None) -> None:
    """Add values to a total and their number to a count, in place.

    Parameters
    ----------
    counted : ndarray of float64, shape (2,)
        The total and the count.
    values : array_like
        A number, or an array of which the first axis counts samples; all other axes are averaged
        over.
    weights : array_like, optional
        How often each counts: the shape of `values`, its first axes, or a number, with which the
        mean of `values` counts as one. The count grows by the weights, averaged as the values are.

    Raises
    ------
    ValueError
        If the weights do not begin the shape of the values.

    Examples
    --------
    >>> counted = np.zeros(2)
    >>> accumulate_mean(counted, np.array([1.0, 3.0]), np.array([3.0, 1.0]))
    >>> counted
    array([6., 4.])
    """
    _check("accumulate_mean", counted)
    x = _real(values)
    if weights is None:
        _accumulate(MEAN, counted, x, x, None, plan(x.shape, None))
        return
    if x.ndim == 0:
        x = np.ascontiguousarray(np.broadcast_to(x, np.shape(weights)))
    _accumulate(MEAN, counted, x, x, weights, plan(x.shape, np.shape(weights)))


def count_matches(
    counted: Array,
    y_true: Any,
    y_pred: Any,
    weights: Any = None,
    *,
    kind: str,
    threshold: float = 0.5,
) -> None:
    """Add the number of right predictions to a total, and that of all to a count, in place.

    Parameters
    ----------
    counted : ndarray of float64, shape (2,)
        The total and the count.
    y_true : array_like
        Labels.
    y_pred : array_like
        Predictions.
    weights : array_like, optional
        As in `accumulate_mean`.
    kind : {"sparse", "categorical", "binary", "equal"}
        ``"sparse"``: the largest of the last axis of `y_pred` stands where `y_true` says, which
        lacks that axis. ``"categorical"``: where the largest of `y_true` does; the first of equal
        ones counts. ``"binary"``: `y_true` is 1 and `y_pred` above the threshold, or 0 and not.
        ``"equal"``: both are equal.
    threshold : float, default 0.5
        For ``"binary"``.

    Raises
    ------
    ValueError
        If the shapes do not fit, or there are no classes.

    Examples
    --------
    >>> counted = np.zeros(2)
    >>> count_matches(counted, [1, 0], [[0.2, 0.8], [0.4, 0.6]], kind="sparse")
    >>> counted
    array([1., 2.])
    """
    _check("count_matches", counted)
    number = KINDS[kind]
    x, labels = _real(y_pred), _real(y_true)
    shape, classes = matched_shape(number, labels.shape, x.shape)
    if number != CATEGORICAL:
        labels = np.asarray(labels, FLOAT64)
    elif labels.dtype != x.dtype:
        labels, x = np.asarray(labels, FLOAT64), np.asarray(x, FLOAT64)
    how = plan(shape, None if weights is None else np.shape(weights), classes)
    _accumulate(number, counted, x, labels, weights, how, float(threshold))


def matched_shape(kind: int, y_true: Shape, y_pred: Shape) -> tuple[Shape, int]:
    """Shape of the matches, and elements of a prediction.

    Raises
    ------
    ValueError
        If the shapes do not fit, or there are no classes.
    """
    shape, classes = y_pred, 1
    if kind in (SPARSE, CATEGORICAL):
        if not y_pred or y_pred[-1] == 0:
            raise ValueError(f"count_matches: y_pred of shape {y_pred} has no classes")
        shape, classes = y_pred[:-1], y_pred[-1]
    wanted = y_pred if kind == CATEGORICAL else shape
    if math.prod(y_true) != math.prod(wanted):
        raise ValueError(
            f"count_matches: y_true has shape {y_true} and y_pred {y_pred}; expected {wanted} for "
            "y_true"
        )
    return shape, classes


def _warm(real: str) -> None:
    counted, x = np.zeros(2), np.ones((1, 1), real)
    accumulate_mean(counted, x)
    for kind in KINDS:
        count_matches(counted, x, x, kind=kind)


for _name in REAL_NAMES:
    on_warmup(f"accumulate_mean count_matches {_name}")(lambda real=_name: _warm(real))

__all__ = ["accumulate_loss", "accumulate_mean", "count_matches"]
