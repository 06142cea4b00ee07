"""Matrix products, dense layers and the gradient of relu with a bias."""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import numpy as np

from tapegrad_kernels._compile import on_warmup
from tapegrad_kernels._compile.threads import most_threads
from tapegrad_kernels.cpu.gemm import blocking
from tapegrad_kernels.cpu.gemm.blocking import gemm_parts
from tapegrad_kernels.cpu.gemm.entry import (
    LAUNCH_WORDS,
    SERIAL_PRODUCTS,
    Entry,
    entry_for,
    product_block,
)
from tapegrad_kernels.cpu.gemm.microkernel import ACCUMULATE, BIAS, RELU, tile_for
from tapegrad_kernels.cpu.gemm.table import table_address
from tapegrad_kernels.cpu.program.builder import Builder
from tapegrad_kernels.cpu.program.copying import broadcast_strides
from tapegrad_kernels.cpu.program.lowering import NotNative, lowers
from tapegrad_kernels.cpu.program.operand import Operand

_SECOND_PASS = ("tanh", "sigmoid")


class _Matrices(NamedTuple):
    """An operand of a product as gemm reads it: rows `stride` elements apart, or columns."""

    operand: Operand
    transpose: int
    """Whether it is transposed, or `blocking.PANELS`."""
    stride: int


def _entry(a: Operand, b: Operand, out: Operand) -> Entry:
    name = a.dtype.name
    if name not in ("float32", "float64") or not a.dtype.isnative:
        raise NotNative(f"product of {name}")
    if b.dtype != a.dtype or out.dtype != a.dtype:
        raise NotNative("product of several dtypes")
    return entry_for(name)


def _matrices(b: Builder, operand: Operand, transpose: bool) -> _Matrices:
    """An operand whose last two axes gemm can read: a copy if neither is adjacent."""
    size = operand.itemsize
    rows, columns = operand.shape[-2:]
    outer, inner = operand.strides[-2:]
    aligned = all(step % size == 0 for step in (operand.offset, *operand.strides))
    if aligned and (inner == size or columns <= 1):
        return _Matrices(operand, transpose, outer // size)
    if aligned and (outer == size or rows <= 1):
        # An operand whose columns are adjacent is the transpose of one whose rows are.
        return _Matrices(operand, not transpose, inner // size)
    copied = b.temporary(operand.shape, operand.dtype)
    b.copy(operand, copied)
    return _Matrices(copied, transpose, columns)


def _workspace_bytes(name: str, n: int, depth: int) -> int:
    """Bytes that a thread needs to pack for a product; see `blocking.workspace_bytes`."""
    tile, size = tile_for(name), 4 if name == "float32" else 8
    width = min(-(-n // tile.columns) * tile.columns, blocking.COLUMN_BYTES // size)
    all_columns = blocking.DEPTH_BLOCK * blocking.COLUMN_BYTES
    packed_b = min(depth, blocking.DEPTH_BLOCK) * width * size
    needed = blocking.workspace_bytes(tile.packed_rows, size) - all_columns + packed_b
    return -(-needed // blocking.LINE) * blocking.LINE


def _add_product(
    b: Builder,
    entry: Entry,
    left: _Matrices,
    right: _Matrices,
    out: Operand,
    sizes: tuple[int, int, int],
    bias: Operand | None = None,
    flags: int = 0,
    offsets: tuple[Operand, Operand] | None = None,
) -> None:
    """The row of ``out = op(left) @ op(right)``, for each pair of offsets where there are any."""
    (m, n, depth), batches = sizes, offsets[0].size if offsets else 1
    if 0 in (m, n, batches):
        return
    ldc = out.strides[-2] // out.itemsize
    panels = right.transpose == blocking.PANELS
    if n == 1 and m > 1 and ldc == 1 and bias is None and not offsets and not panels:
        # One column fills one lane of a tile; its transpose, one row, fills them all.
        turned = [_Matrices(x.operand, not x.transpose, x.stride) for x in (right, left)]
        left, right = turned
        m, n = n, m
    one_thread = m * n * depth * batches < SERIAL_PRODUCTS
    part_bytes = _workspace_bytes(out.dtype.name, 0 if panels else n, depth)
    record: list[Any] = [0] * blocking.RECORD_LENGTH
    for word, value in (
        (blocking.TABLE, table_address(out.dtype.name)),
        (blocking.TRANSPOSE_A, left.transpose),
        (blocking.TRANSPOSE_B, right.transpose),
        (blocking.M, m),
        (blocking.N, n),
        (blocking.K, depth),
        (blocking.A, left.operand),
        (blocking.LDA, left.stride),
        (blocking.B, right.operand),
        (blocking.LDB, right.stride),
        (blocking.C, out),
        (blocking.LDC, ldc),
        (blocking.BIAS_ROW, bias or 0),
        (blocking.FLAGS, flags | (BIAS if bias is not None else 0)),
        (blocking.WORKSPACE, b.scratch(part_bytes * (1 if one_thread else most_threads()))),
        (blocking.WORKSPACE_BYTES, part_bytes),
        (blocking.ROW_PARTS, 1),
        (blocking.COLUMN_PARTS, 1),
        (blocking.BATCH_PARTS, 1),
        (blocking.BATCHES, batches),
        (blocking.A_OFFSETS, offsets[0] if offsets else 0),
        (blocking.B_OFFSETS, offsets[1] if offsets else 0),
        (blocking.C_STEP, m * n * out.itemsize if offsets else 0),
    ):
        record[word] = value
    if one_thread:
        b.call(gemm_parts, *record)
    else:
        b.call(product_block, *record, *[0] * LAUNCH_WORDS, entry.setup)


def _multiply(
    b: Builder,
    out: Operand,
    left: Operand,
    right: Operand,
    transpose_a: bool = False,
    transpose_b: bool = False,
    bias: Operand | None = None,
    flags: int = 0,
) -> None:
    """``out = op(left) @ op(right) + bias`` of two matrices."""
    entry = _entry(left, right, out)
    depth, n = right.shape[::-1] if transpose_b else right.shape
    m = left.shape[1 if transpose_a else 0]
    if left.shape[0 if transpose_a else 1] != depth or out.shape != (m, n):
        raise NotNative("matrices that do not fit")
    if bias is not None:
        if bias.shape != (n,) or bias.dtype != out.dtype:
            raise NotNative("a bias that does not fit")
        bias = b.contiguous(bias)
    a, c = _matrices(b, left, transpose_a), _matrices(b, right, transpose_b)
    _add_product(b, entry, a, c, out, (m, n, depth), bias, flags)


def multiply_panels(b: Builder, out: Operand, left: Operand, panels: Operand) -> None:
    """``out = left.T @ right`` of a right matrix that is packed already.

    As `tapegrad_kernels.cpu.gemm.interface.multiply_panels`.
    """
    depth, m = left.shape
    right = _Matrices(panels, blocking.PANELS, panels.shape[1])
    transposed = _Matrices(left, True, left.strides[0] // left.itemsize)
    _add_product(b, entry_for(out.dtype.name), transposed, right, out, (m, out.shape[1], depth))


@lowers("gemm")
def _lower_gemm(
    b: Builder,
    out: Operand,
    left: Operand,
    right: Operand,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    bias: Operand | None = None,
    activation: str | None = None,
    accumulate: bool = False,
) -> None:
    """The rows of `out` may be apart. With `accumulate` the product is added to it."""
    flags = ACCUMULATE if accumulate else 0
    if activation in (None, "linear", "relu"):
        flags |= RELU if activation == "relu" else 0
        _multiply(b, out, left, right, transpose_a, transpose_b, bias, flags)
        return
    if activation not in _SECOND_PASS:
        raise NotNative(f"gemm with activation={activation!r}")
    product = b.temporary(out.shape, out.dtype)
    if accumulate:
        b.copy(out, product)
    _multiply(b, product, left, right, transpose_a, transpose_b, bias, flags)
    target = out if out.is_contiguous else b.temporary(out.shape, out.dtype)
    b.lower(activation, target, product)
    if target is not out:
        b.copy(target, out)


def _as_rows(b: Builder, stack: Operand) -> Operand:
    """A stack of matrices as one matrix of all their rows; a copy if they are not evenly apart."""
    depth = stack.shape[-1]
    count = math.prod(stack.shape[:-1])
    if stack.ndim == 1:
        return stack.view((1, depth), (depth * stack.itemsize, stack.strides[0]))
    axes = [axis for axis in zip(stack.shape[:-1], stack.strides) if axis[0] != 1]
    even = all(step == length * inner for (_, step), (length, inner) in itertools.pairwise(axes))
    if not even:
        stack = b.contiguous(stack)
        return stack.view((count, depth))
    step = axes[-1][1] if axes else depth * stack.itemsize
    return stack.view((count, depth), (step, stack.strides[-1]))


@lowers("dense")
def _lower_dense(
    b: Builder,
    out: Operand,
    x: Operand,
    w: Operand,
    bias: Operand | None = None,
    *,
    activation: str | None = None,
) -> None:
    if x.ndim == 0 or w.ndim != 2:
        raise NotNative("dense with these dimensions")
    rows = out.view((math.prod(out.shape[:-1]), w.shape[1]))
    _lower_gemm(b, rows, _as_rows(b, x), w, bias=bias, activation=activation)


def _offsets(b: Builder, stack: Operand, leading: tuple[int, ...]) -> Operand:
    """Offset in bytes of each matrix of a stack broadcast to `leading`."""
    steps = broadcast_strides(stack, leading + stack.shape[-2:])[: len(leading)]
    numbers = np.indices(leading, np.int64).reshape(len(leading), -1)
    return b.constant(np.array(steps, np.int64) @ numbers)


def _multiply_stacks(
    b: Builder, out: Operand, left: Operand, right: Operand, transpose_a: bool, transpose_b: bool
) -> None:
    """Products of stacks, whose leading axes are broadcast."""
    entry = _entry(left, right, out)
    depth, n = right.shape[-2:][::-1] if transpose_b else right.shape[-2:]
    m, inner = left.shape[-2:][::-1] if transpose_a else left.shape[-2:]
    if inner != depth:
        raise NotNative("matrices that do not fit")
    leading = out.shape[:-2]
    a, c = _matrices(b, left, transpose_a), _matrices(b, right, transpose_b)
    offsets = _offsets(b, a.operand, leading), _offsets(b, c.operand, leading)
    _add_product(b, entry, a, c, out, (m, n, depth), offsets=offsets)


@lowers("matmul")
def _lower_matmul(
    b: Builder,
    out: Operand,
    left: Operand,
    right: Operand,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
) -> None:
    if not left.ndim or not right.ndim:
        raise NotNative("matmul of numbers")
    # A vector is a matrix of one row or one column, and so the result has this axis too.
    if right.ndim == 1:
        transpose_b = False
        right = right.view((*right.shape, 1), (*right.strides, right.itemsize))
        out = out.view((*out.shape, 1))
    if left.ndim == 1:
        transpose_a = False
        left = left.view((1, *left.shape), (left.nbytes, *left.strides))
        out = out.view((*out.shape[:-1], 1, out.shape[-1]))
    if right.ndim == 2 and not transpose_a and left.ndim > 2:
        # One matrix for a whole stack of rows: a single product.
        rows = out.view((math.prod(out.shape[:-1]), out.shape[-1]))
        _multiply(b, rows, _as_rows(b, left), right, False, transpose_b)
    elif left.ndim == 2 and right.ndim == 2:
        _multiply(b, out, left, right, transpose_a, transpose_b)
    else:
        _multiply_stacks(b, out, left, right, transpose_a, transpose_b)


@on_warmup("program products")
def _warm() -> None:
    gemm_parts.address  # noqa: B018
    product_block.address  # noqa: B018
