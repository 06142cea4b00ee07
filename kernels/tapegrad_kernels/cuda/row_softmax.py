"""Softmax, its logarithm, and the cross-entropies that are fused with it.

A block of threads takes one row. It finds the largest element and the sum of the
exponentials by trees in shared memory and writes the result: subtracting the
largest element first makes all of them safe for logits of any size. As on the
CPU, -Inf is a logit like another, of probability 0; a row that has no other, or
that contains +Inf or NaN, gives NaN.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import numba
import numpy as np

from tapegrad_kernels.cuda import arrays, elementwise, layout, library, reductions
from tapegrad_kernels.cuda.reductions import join_threads, most_blocks
from tapegrad_kernels.cuda.shim import SIMULATED, Specimen, cuda, kernel, specimens

_WIDE_ROW = 8 if SIMULATED else 256


def _threads_for(length: int) -> int:
    """Threads of a block, by the length of a row: short rows would leave most idle."""
    narrow, wide = (2, 4) if SIMULATED else (32, 256)
    return narrow if length <= _WIDE_ROW else wide


@functools.cache
def _softmax_kernel(dtype: str, logarithm: bool, threads: int) -> Any:
    element = getattr(numba, dtype)
    real = np.dtype(dtype).type
    zero, one, lowest = real(0), real(1), real(-np.inf)
    functions = library.shared(dtype)
    exp, log = functions.exp, functions.log
    largest_of = join_threads("max", dtype, threads)
    sum_of = join_threads("sum", dtype, threads)

    @kernel
    def softmax_rows(x, y):  # type: ignore[no-untyped-def]
        shared = cuda.shared.array(threads, element)
        thread = np.uint32(cuda.threadIdx.x)
        inner, length = x.shape[1], x.shape[2]
        for row in range(cuda.blockIdx.x, x.shape[0] * inner, cuda.gridDim.x):
            i, j = row // inner, row % inner
            largest = lowest
            for p in range(thread, length, threads):
                value = x[i, j, p]
                if value > largest or value != value:
                    largest = value
            largest = largest_of(shared, thread, largest)
            total = zero
            for p in range(thread, length, threads):
                total += exp(x[i, j, p] - largest)
            total = sum_of(shared, thread, total)
            if logarithm:
                offset = log(total)
                for p in range(thread, length, threads):
                    y[i, j, p] = (x[i, j, p] - largest) - offset
            else:
                scale = one / total
                for p in range(thread, length, threads):
                    y[i, j, p] = exp(x[i, j, p] - largest) * scale

    return softmax_rows


@functools.cache
def _gradient_kernel(dtype: str, logarithm: bool, threads: int) -> Any:
    element = getattr(numba, dtype)
    zero = np.dtype(dtype).type(0)
    exp = library.shared(dtype).exp
    sum_of = join_threads("sum", dtype, threads)

    @kernel
    def softmax_gradient(g, y, dx):  # type: ignore[no-untyped-def]
        shared = cuda.shared.array(threads, element)
        thread = np.uint32(cuda.threadIdx.x)
        inner, length = y.shape[1], y.shape[2]
        for row in range(cuda.blockIdx.x, y.shape[0] * inner, cuda.gridDim.x):
            i, j = row // inner, row % inner
            total = zero
            for p in range(thread, length, threads):
                if logarithm:
                    total += g[i, j, p]
                else:
                    total += g[i, j, p] * y[i, j, p]
            total = sum_of(shared, thread, total)
            for p in range(thread, length, threads):
                if logarithm:
                    dx[i, j, p] = g[i, j, p] - exp(y[i, j, p]) * total
                else:
                    dx[i, j, p] = y[i, j, p] * (g[i, j, p] - total)

    return softmax_gradient


@functools.cache
def _cross_entropy_kernel(dtype: str, labels: bool, threads: int) -> Any:
    element = getattr(numba, dtype)
    real = np.dtype(dtype).type
    zero, one, lowest = real(0), real(1), real(-np.inf)
    functions = library.shared(dtype)
    exp, log = functions.exp, functions.log
    largest_of = join_threads("max", dtype, threads)
    sum_of = join_threads("sum", dtype, threads)

    @kernel
    def cross_entropy_rows(x, targets, losses, probabilities):  # type: ignore[no-untyped-def]
        shared = cuda.shared.array(threads, element)
        thread = np.uint32(cuda.threadIdx.x)
        count, length = x.shape
        for row in range(cuda.blockIdx.x, count, cuda.gridDim.x):
            largest = lowest
            for p in range(thread, length, threads):
                value = x[row, p]
                if value > largest or value != value:
                    largest = value
            largest = largest_of(shared, thread, largest)
            total = zero
            for p in range(thread, length, threads):
                total += exp(x[row, p] - largest)
            total = sum_of(shared, thread, total)
            scale = one / total
            for p in range(thread, length, threads):
                probabilities[row, p] = exp(x[row, p] - largest) * scale
            offset = log(total)
            if labels:
                loss = offset - (x[row, targets[row]] - largest)
            else:
                loss = zero
                for p in range(thread, length, threads):
                    # A class of target probability 0 adds 0, also where its logit is -Inf.
                    target = targets[row, p]
                    if target != zero:
                        loss += target * (offset - (x[row, p] - largest))
                loss = sum_of(shared, thread, loss)
            if thread == 0:
                losses[row] = loss

    return cross_entropy_rows


@functools.cache
def _cross_entropy_gradient_kernel(dtype: str, labels: bool, threads: int) -> Any:
    element = getattr(numba, dtype)
    real = np.dtype(dtype).type
    zero, one = real(0), real(1)
    sum_of = join_threads("sum", dtype, threads)

    @kernel
    def cross_entropy_gradient(g, probabilities, targets, dx):  # type: ignore[no-untyped-def]
        shared = cuda.shared.array(threads, element)
        thread = np.uint32(cuda.threadIdx.x)
        count, length = probabilities.shape
        for row in range(cuda.blockIdx.x, count, cuda.gridDim.x):
            scale = g[row]
            if labels:
                for p in range(thread, length, threads):
                    target = one if p == targets[row] else zero
                    dx[row, p] = scale * (probabilities[row, p] - target)
            else:
                total = zero
                for p in range(thread, length, threads):
                    total += targets[row, p]
                total = sum_of(shared, thread, total)
                for p in range(thread, length, threads):
                    dx[row, p] = scale * (probabilities[row, p] * total - targets[row, p])

    return cross_entropy_gradient


def _as_real(x: Any) -> Any:
    return x if x.dtype.kind == "f" else elementwise.astype(x, dtype=np.float64)


def _along(name: str, make_kernel: Any, logarithm: bool, axis: int, operands: list[Any]) -> Any:
    """Run a row kernel along any axis of arrays of one shape."""
    elementwise.check_operands(name, operands)
    first = operands[-1]
    if first.ndim == 0:
        raise ValueError(f"{name}: got a 0-d array, expected at least one axis")
    axes = layout.normalize_axes(name, axis, first.ndim)
    if tuple(operands[0].shape) != tuple(first.shape):
        raise ValueError(
            f"{name}: the gradient has shape {tuple(operands[0].shape)} and the output "
            f"{tuple(first.shape)}; they must be equal"
        )
    dtype = np.result_type(*(_as_real(x).dtype for x in operands))
    # Contiguous operands all merge their axes alike.
    operands = [elementwise.contiguous(elementwise.astype(x, dtype=dtype)) for x in operands]
    out = arrays.empty(first.shape, dtype)
    if out.size:
        views = [layout.split_axes(x, axes) for x in (*operands, out)]
        rows = [seen[0] for seen in views if seen is not None]
        length = rows[0].shape[2]
        threads = _threads_for(length)
        blocks = most_blocks(out.size // length)
        make_kernel(dtype.name, logarithm, threads)[blocks, threads](*rows)
    return out


def softmax(x: Any, *, axis: int = -1) -> Any:
    """``exp(x) / sum(exp(x))`` along an axis."""
    return _along("softmax", _softmax_kernel, False, axis, [x])


def log_softmax(x: Any, *, axis: int = -1) -> Any:
    """``x - log(sum(exp(x)))`` along an axis."""
    return _along("log_softmax", _softmax_kernel, True, axis, [x])


def softmax_grad(g: Any, y: Any, *, axis: int = -1) -> Any:
    """``y * (g - sum(g * y))``: gradient of `softmax` by its output `y`."""
    return _along("softmax_grad", _gradient_kernel, False, axis, [g, y])


def log_softmax_grad(g: Any, y: Any, *, axis: int = -1) -> Any:
    """``g - exp(y) * sum(g)``: gradient of `log_softmax` by its output `y`."""
    return _along("log_softmax_grad", _gradient_kernel, True, axis, [g, y])


def logsumexp(x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """``log(sum(exp(x)))`` along axes, without overflow."""
    x = _as_real(x)
    functions: Any = elementwise
    kept = reductions.max(x, axis=axis, keepdims=True)
    # An infinite largest element is the result; subtracting it would give NaN.
    finite = functions.isfinite(kept)
    shift = elementwise.select(finite, kept, 0.0)
    total = reductions.sum(functions.exp(functions.subtract(x, shift)), axis=axis, keepdims=True)
    result = functions.add(functions.log(total), shift)
    if keepdims:
        return result
    axes = layout.normalize_axes("logsumexp", axis, x.ndim)
    shape = tuple(n for i, n in enumerate(x.shape) if i not in axes)
    return arrays.view(result, shape, arrays.contiguous_strides(shape, result.dtype.itemsize))


def logsumexp_grad(g: Any, x: Any, y: Any, *, axis: Any = None) -> Any:
    """``g * exp(x - y)``: gradient of `logsumexp`, whose result `y` kept its axes.

    Where `y` is not finite, 0 stands for it. `axis` is known from the shape of `y`.
    """
    functions: Any = elementwise
    shift = elementwise.select(functions.isfinite(y), y, 0.0)
    return functions.multiply(g, functions.exp(functions.subtract(_as_real(x), shift)))


def _checked_targets(
    name: str, targets: Any, shape: tuple[int, ...], dtype: Any
) -> tuple[Any, bool]:
    """Labels that lie inside the classes, or probabilities of the given dtype."""
    elementwise.check_operands(name, [targets])
    given = tuple(targets.shape)
    classes = shape[-1]
    if targets.dtype.kind in "iu" and given == shape[:-1]:
        labels = elementwise.contiguous(targets)
        if labels.size:
            # One small copy to the host, which waits for the GPU: the price of naming
            # the label instead of reading outside the row.
            low = int(arrays.to_host(reductions.min(labels)))
            high = int(arrays.to_host(reductions.max(labels)))
            if low < 0 or high >= classes:
                wrong = low if low < 0 else high
                host = arrays.to_host(labels)
                place = tuple(int(i) for i in np.argwhere(host == wrong)[0])
                raise ValueError(
                    f"{name}: label {wrong} at index {place} is out of range for {classes} "
                    f"classes; labels are the integers from 0 to {classes - 1}"
                )
        return arrays.flat(labels), True
    if given == shape and targets.dtype.kind in "fiub":
        seen = elementwise.contiguous(elementwise.astype(targets, dtype=dtype))
        return _as_matrix(seen), False
    raise ValueError(
        f"{name}: targets of shape {given} and dtype {targets.dtype} do not fit logits of shape "
        f"{shape}; expected integer labels of shape {shape[:-1]} or probabilities of shape {shape}"
    )


def _as_matrix(x: Any) -> Any:
    """A contiguous array as a matrix of its rows."""
    shape = tuple(x.shape)
    width = shape[-1]
    count = math.prod(shape[:-1])
    return arrays.view(x, (count, width), (width * x.dtype.itemsize, x.dtype.itemsize))


def softmax_cross_entropy(logits: Any, targets: Any) -> tuple[Any, Any]:
    """Cross-entropy between targets and the softmax of logits, along the last axis.

    Parameters
    ----------
    logits : device array, shape (..., classes)
    targets : device array
        Integer labels of shape ``logits.shape[:-1]``, or probabilities of the shape of
        `logits`.

    Returns
    -------
    losses : device array, shape (...)
    probabilities : device array, shape (..., classes)
        The softmax, which the gradient needs.

    Raises
    ------
    ValueError
        If a label is out of range, or the shapes do not fit.
    """
    name = "softmax_cross_entropy"
    elementwise.check_operands(name, [logits])
    if logits.ndim == 0:
        raise ValueError(f"{name}: got 0-d logits, expected an axis of classes")
    logits = elementwise.contiguous(_as_real(logits))
    shape = tuple(logits.shape)
    targets, labels = _checked_targets(name, targets, shape, logits.dtype)
    losses = arrays.empty(shape[:-1], logits.dtype)
    probabilities = arrays.empty(shape, logits.dtype)
    if logits.size:
        threads = _threads_for(shape[-1])
        run = _cross_entropy_kernel(logits.dtype.name, labels, threads)
        run[most_blocks(losses.size), threads](
            _as_matrix(logits), targets, arrays.flat(losses), _as_matrix(probabilities)
        )
    elif losses.size:
        elementwise.fill(losses, 0)
    return losses, probabilities


def softmax_cross_entropy_grad(g: Any, probabilities: Any, targets: Any) -> Any:
    """``g[..., None] * (probabilities * sum(targets) - targets)``, with one-hot rows for labels."""
    name = "softmax_cross_entropy_grad"
    elementwise.check_operands(name, [probabilities])
    shape = tuple(probabilities.shape)
    dtype = probabilities.dtype
    targets, labels = _checked_targets(name, targets, shape, dtype)
    scale = arrays.empty(shape[:-1], dtype)
    given = g.dtype if arrays.is_device_array(g) else dtype
    elementwise.map_into(scale, elementwise.identity, [g], [given])
    out = arrays.empty(shape, dtype)
    if out.size:
        threads = _threads_for(shape[-1])
        run = _cross_entropy_gradient_kernel(dtype.name, labels, threads)
        run[most_blocks(scale.size), threads](
            arrays.flat(scale),
            _as_matrix(elementwise.contiguous(probabilities)),
            targets,
            _as_matrix(out),
        )
    return out


__all__ = [
    "log_softmax",
    "log_softmax_grad",
    "logsumexp",
    "logsumexp_grad",
    "softmax",
    "softmax_cross_entropy",
    "softmax_cross_entropy_grad",
    "softmax_grad",
]


@specimens
def _softmax_specimens() -> Iterator[Specimen]:
    for dtype in ("float32", "float64"):
        element = getattr(numba, dtype)
        rows, matrix, vector = element[:, :, ::1], element[:, ::1], element[::1]
        labels = numba.int64[::1]
        for threads in (32, 256):
            for logarithm in (False, True):
                name = "log_softmax" if logarithm else "softmax"
                yield Specimen(
                    f"{name} {dtype}, {threads} threads",
                    _softmax_kernel(dtype, logarithm, threads),
                    (rows, rows),
                )
                yield Specimen(
                    f"{name}_grad {dtype}, {threads} threads",
                    _gradient_kernel(dtype, logarithm, threads),
                    (rows, rows, rows),
                )
            for by_label in (True, False):
                targets = labels if by_label else matrix
                what = "labels" if by_label else "probabilities"
                yield Specimen(
                    f"softmax_cross_entropy of {what} {dtype}, {threads} threads",
                    _cross_entropy_kernel(dtype, by_label, threads),
                    (matrix, targets, vector, matrix),
                )
                yield Specimen(
                    f"softmax_cross_entropy_grad of {what} {dtype}, {threads} threads",
                    _cross_entropy_gradient_kernel(dtype, by_label, threads),
                    (vector, matrix, targets, matrix),
                )
