"""Sums, means, products and extremes, over all elements or along axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad_kernels._compile import on_warmup
from tapegrad_kernels.cpu._map import FLOAT32, FLOAT64
from tapegrad_kernels.cpu._reduction_kernels import (
    CHUNK,
    COLUMN_BLOCK,
    ROW_BLOCK,
    block_of,
    chunk_of,
    passes,
)
from tapegrad_kernels.cpu.program.builder import Builder
from tapegrad_kernels.cpu.program.lowering import NotNative, lowers
from tapegrad_kernels.cpu.program.operand import Operand, Shape
from tapegrad_kernels.cpu.program.sequential import (
    add_arg_reduction,
    add_bool_reduction,
    add_integer_reduction,
    add_product,
)
from tapegrad_kernels.cpu.reductions import Axis, normalized_axes
from tapegrad_kernels.cpu.relu_bias import block_of as relu_bias_block

_REALS = (FLOAT32, FLOAT64)

# ---- sums and extremes of real numbers -----------------------------------------------------


def add_partial_sums(
    b: Builder, partial: Operand, out: Operand, matrices: int, down: int, width: int
) -> None:
    """A row that adds the sums that `down` blocks of rows of each matrix left."""
    chunk = chunk_of("join", down, width)
    join = block_of("sum", "join", partial.dtype)
    b.run(join, partial, out, down, width, count=matrices * width, chunk=chunk)


def _add_all(b: Builder, operation: str, x: Operand, out: Operand, size: int) -> None:
    if size <= CHUNK:
        b.run(block_of(operation, "rows", x.dtype), x, out, size, 0, count=1, chunk=1)
        return
    count = -(-size // CHUNK)
    partial = b.temporary((count,), FLOAT64)
    b.run(block_of(operation, "chunks", x.dtype), x, partial, size, 0, count=count, chunk=1)
    join_all(b, operation, partial, out)


def join_all(b: Builder, operation: str, partial: Operand, out: Operand) -> None:
    """Rows that reduce what the pieces of an array left, float64 numbers."""
    count = partial.size
    whole = out if out.dtype == FLOAT64 else b.temporary((1,), FLOAT64)
    if operation == "sum":
        b.call(block_of("sum", "join", FLOAT64), partial, whole, count, 1)
    else:
        b.call(block_of(operation, "rows", FLOAT64), partial, whole, count, 0)
    if whole is not out:
        b.copy(whole, out)


def _add_columns(
    b: Builder, operation: str, x: Operand, out: Operand, sizes: tuple[int, int, int]
) -> None:
    matrices, height, width = sizes
    down, across = -(-height // ROW_BLOCK), -(-width // COLUMN_BLOCK)
    partial = out if down == 1 else b.temporary((matrices * down * width,), x.dtype)
    columns = block_of(operation, "columns", x.dtype)
    chunk, count = chunk_of("columns", height, width), matrices * down * across
    b.run(columns, x, partial, height, width, count=count, chunk=chunk)
    if down == 1:
        return
    if operation == "sum":
        add_partial_sums(b, partial, out, matrices, down, width)
    else:
        _add_columns(b, operation, partial, out, (matrices, down, width))


def add_reduction(
    b: Builder, operation: str, x: Operand, axes: tuple[int, ...], out: Operand
) -> None:
    """Rows that reduce axes of an operand of real numbers that has elements.

    Parameters
    ----------
    operation : {"sum", "max", "min"}
    x : Operand
        float32 or float64, any strides.
    axes : tuple of int
        Sorted; at least one.
    out : Operand
        Contiguous, of the dtype of `x`, for the other axes in their order.
    """
    source = b.contiguous(x)
    add_passes(b, operation, source, passes(x.shape, axes), out)


def add_passes(
    b: Builder, operation: str, source: Operand, todo: list[tuple[int, int, int]], out: Operand
) -> None:
    """Rows for `passes` over a contiguous operand, one after another."""
    for number, (outer, length, inner) in enumerate(todo, 1):
        y = out if number == len(todo) else b.temporary((outer * inner,), source.dtype)
        if inner > 1:
            _add_columns(b, operation, source, y, (outer, length, inner))
        elif outer > 1:
            chunk = chunk_of("rows", outer, length)
            rows = block_of(operation, "rows", source.dtype)
            b.run(rows, source, y, length, 0, count=outer, chunk=chunk)
        else:
            _add_all(b, operation, source, y, length)
        source = y


def _is_real(x: Operand) -> bool:
    return x.dtype in _REALS


def _fill(b: Builder, out: Operand, value: Any) -> None:
    b.copy(b.constant(np.asarray(value, out.dtype)), out)


def _add_to_nothing(b: Builder, x: Operand, out: Operand) -> None:
    """A sum over no axis: it starts at 0, which turns -0 into 0."""
    if out.dtype.kind == "f":
        b.lower(
            "add",
            out.view(x.shape),
            b.contiguous(x, out.dtype),
            b.constant(np.zeros((), out.dtype)),
        )
    else:
        b.copy(x, out.view(x.shape))


def summed_axes(name: str, shape: Shape, how: dict[str, Any]) -> tuple[int, ...]:
    """The axes that ``sum``, ``mean`` or ``sum_to_shape`` with parameters `how` adds up."""
    if name != "sum_to_shape":
        return normalized_axes(how.get("axis"), len(shape))
    wanted = how["shape"]
    missing = len(shape) - len(wanted)
    return tuple(range(missing)) + tuple(
        axis + missing
        for axis, length in enumerate(wanted)
        if length == 1 and shape[axis + missing] != 1
    )


@lowers("sum")
def _lower_sum(
    b: Builder, out: Operand, x: Operand, *, axis: Axis = None, keepdims: bool = False
) -> None:
    axes = normalized_axes(axis, x.ndim)
    if x.size == 0:
        _fill(b, out, 0)
    elif not axes:
        _add_to_nothing(b, x, out)
    elif _is_real(x):
        add_reduction(b, "sum", x, axes, out)
    else:
        add_integer_reduction(b, "sum", x, axes, out)


@lowers("sum_to_shape")
def _lower_sum_to_shape(b: Builder, out: Operand, x: Operand, *, shape: tuple[int, ...]) -> None:
    axes = summed_axes("sum_to_shape", x.shape, {"shape": shape})
    if axes:
        _lower_sum(b, out, x, axis=axes)
    else:
        b.copy(x, out.view(x.shape))


@lowers("mean")
def _lower_mean(
    b: Builder, out: Operand, x: Operand, *, axis: Axis = None, keepdims: bool = False
) -> None:
    axes = normalized_axes(axis, x.ndim)
    if x.size == 0:
        raise NotNative("mean of nothing")
    if not axes:
        _add_to_nothing(b, x, out)
        return
    if not _is_real(x):
        # Their sums are exact in float64 as long as they are below 2**53.
        if x.dtype.kind not in "iub" or x.itemsize > 4 or x.size >= 1 << 21:
            raise NotNative(f"mean of {x.dtype}")
        x = b.contiguous(x, FLOAT64)
    total = b.temporary((out.size,), out.dtype)
    add_reduction(b, "sum", x, axes, total)
    count = np.asarray(x.size // out.size, out.dtype)
    b.lower("divide", out.flat(), total, b.constant(count))


def _lower_extreme(operation: str, b: Builder, out: Operand, x: Operand, axis: Axis) -> None:
    axes = normalized_axes(axis, x.ndim)
    if x.size == 0:
        raise NotNative(f"{operation} of nothing")
    if not axes:
        b.copy(x, out.view(x.shape))
    elif _is_real(x):
        add_reduction(b, operation, x, axes, out)
    else:
        add_integer_reduction(b, operation, x, axes, out)


@lowers("max")
def _lower_max(
    b: Builder, out: Operand, x: Operand, *, axis: Axis = None, keepdims: bool = False
) -> None:
    _lower_extreme("max", b, out, x, axis)


@lowers("min")
def _lower_min(
    b: Builder, out: Operand, x: Operand, *, axis: Axis = None, keepdims: bool = False
) -> None:
    _lower_extreme("min", b, out, x, axis)


# ---- the rest: NumPy's, element after element ----------------------------------------------


@lowers("prod")
def _lower_prod(
    b: Builder, out: Operand, x: Operand, *, axis: Axis = None, keepdims: bool = False
) -> None:
    axes = normalized_axes(axis, x.ndim)
    if x.size == 0:
        _fill(b, out, 1)
    elif _is_real(x):
        add_product(b, x, axes, out)
    else:
        add_integer_reduction(b, "prod", x, axes, out)


@lowers("any")
def _lower_any(
    b: Builder, out: Operand, x: Operand, *, axis: Any = None, keepdims: bool = False
) -> None:
    if x.size == 0:
        _fill(b, out, False)
    else:
        add_bool_reduction(b, "any", x, normalized_axes(axis, x.ndim), out)


@lowers("all")
def _lower_all(
    b: Builder, out: Operand, x: Operand, *, axis: Any = None, keepdims: bool = False
) -> None:
    if x.size == 0:
        _fill(b, out, True)
    else:
        add_bool_reduction(b, "all", x, normalized_axes(axis, x.ndim), out)


def _lower_arg(b: Builder, out: Operand, x: Operand, axis: int | None, largest: bool) -> None:
    if x.size == 0:
        raise NotNative("the position in nothing")
    add_arg_reduction(b, x, normalized_axes(axis, x.ndim), out, largest)


@lowers("argmax")
def _lower_argmax(
    b: Builder, out: Operand, x: Operand, *, axis: int | None = None, keepdims: bool = False
) -> None:
    _lower_arg(b, out, x, axis, True)


@lowers("argmin")
def _lower_argmin(
    b: Builder, out: Operand, x: Operand, *, axis: int | None = None, keepdims: bool = False
) -> None:
    _lower_arg(b, out, x, axis, False)


# ---- the gradient of relu with a bias --------------------------------------------------------


@lowers("relu_bias_grad")
def _lower_relu_bias_grad(b: Builder, out: tuple[Operand, Operand], g: Operand, y: Operand) -> None:
    by_x, by_bias = out
    if g.dtype != y.dtype or not _is_real(g) or not g.size or g.shape != y.shape:
        raise NotNative("relu_bias_grad of these arguments")
    width = g.shape[-1]
    height = g.size // width
    count = -(-height // ROW_BLOCK)
    partial = by_bias if count == 1 else b.temporary((count * width,), g.dtype)
    b.run(
        relu_bias_block(g.dtype),
        b.contiguous(g), b.contiguous(y), by_x, partial, height, width,
        count=count,
        chunk=max(1, CHUNK // (min(height, ROW_BLOCK) * width)),
    )  # fmt: skip
    if count > 1:
        add_partial_sums(b, partial, by_bias, 1, count, width)


@on_warmup("program reductions")
def _warm() -> None:
    # The blocks of sums and extremes of real numbers serve ordinary calls too.
    b, few = Builder(), Operand(2, 0, (2,), np.int64)
    for kind in _REALS:
        add_arg_reduction(b, Operand(3, 0, (2, 2), kind), (1,), few, True)
    add_integer_reduction(b, "sum", Operand(3, 0, (2, 2), np.int64), (1,), few)
    add_bool_reduction(b, "all", Operand(3, 0, (2, 2), bool), (1,), Operand(2, 0, (2,), bool))
