"""Layer, RMS and unit normalization as rows of a program."""

from __future__ import annotations

import math

import numpy as np

from tapegrad_kernels.cpu.normalization import _row_kernels
from tapegrad_kernels.cpu.normalization._row_kernels import DEVIATION, LENGTH
from tapegrad_kernels.cpu.normalization._rows import FORWARD_CHUNK, cut_of
from tapegrad_kernels.cpu.normalization._totals import totals_block
from tapegrad_kernels.cpu.program.builder import Builder
from tapegrad_kernels.cpu.program.lowering import lowers
from tapegrad_kernels.cpu.program.normalizations import fill, parameter
from tapegrad_kernels.cpu.program.operand import Operand

Optional = Operand | None


def _lower_rows(
    builder: Builder,
    name: str,
    out: Operand,
    x: Operand,
    gamma: Optional,
    beta: Optional,
    epsilon: float,
    ndim: int,
    mode: int = 0,
) -> None:
    if x.size == 0:
        return
    shape = x.shape[x.ndim - ndim :]
    width = math.prod(shape)
    factors = parameter(builder, gamma, shape, out.dtype, 1.0)
    summands = parameter(builder, beta, shape, out.dtype, 0.0) if name == "layer_norm" else factors
    builder.run(
        _row_kernels.BLOCKS[name, out.dtype],
        *(builder.contiguous(x, out.dtype), factors, summands, out),
        *(width, float(epsilon), mode),
        count=x.size // width,
        chunk=FORWARD_CHUNK // width,
    )


def _lower_row_gradients(
    builder: Builder,
    name: str,
    dx: Operand,
    totals: tuple[Operand, ...],
    dy: Operand,
    x: Operand,
    gamma: Optional,
    epsilon: float,
    ndim: int,
    mode: int = 0,
) -> None:
    """Rows for the gradients by x and, into `totals`, by the parameters."""
    if x.size == 0:
        fill(builder, 0.0, *totals)
        return
    dtype, shape = dx.dtype, x.shape[x.ndim - ndim :]
    width = math.prod(shape)
    height = x.size // width
    task_rows, tile_rows, tasks = cut_of(height, width)
    partial = builder.temporary((2 * tasks * width if totals else 0,), dtype)
    scratch = builder.temporary((3 * tasks * tile_rows,), dtype)
    arrays = (
        builder.contiguous(dy, dtype),
        builder.contiguous(x, dtype),
        parameter(builder, gamma, shape, dtype, 1.0),
    )
    sizes = width, height, task_rows, tile_rows, float(epsilon), mode
    words = *arrays, dx, partial, scratch, *sizes
    builder.run(_row_kernels.BLOCKS[name, dtype], *words, count=tasks, chunk=1)
    if totals:
        count = width * len(totals)
        sums = builder.temporary((count,), np.float64)
        cut = partial, 2 * width, tasks, count, sums, width
        builder.call(totals_block(dtype.name, dtype.name), *cut, totals[0], totals[-1])


@lowers("layer_norm")
def _lower_layer_norm(
    builder: Builder,
    out: Operand,
    x: Operand,
    gamma: Optional = None,
    beta: Optional = None,
    *,
    epsilon: float = 1e-3,
    ndim: int = 1,
) -> None:
    _lower_rows(builder, "layer_norm", out, x, gamma, beta, epsilon, ndim)


@lowers("layer_norm_grad")
def _lower_layer_norm_grad(
    builder: Builder,
    out: tuple[Operand, ...],
    dy: Operand,
    x: Operand,
    gamma: Optional = None,
    *,
    epsilon: float = 1e-3,
    ndim: int = 1,
) -> None:
    dx, *totals = out
    _lower_row_gradients(builder, "layer_norm_grad", dx, tuple(totals), dy, x, gamma, epsilon, ndim)


@lowers("rms_norm")
def _lower_rms_norm(
    builder: Builder,
    out: Operand,
    x: Operand,
    gamma: Optional = None,
    *,
    epsilon: float = 1e-6,
    ndim: int = 1,
) -> None:
    _lower_rows(builder, "rms_norm", out, x, gamma, None, epsilon, ndim, DEVIATION)


@lowers("rms_norm_grad")
def _lower_rms_norm_grad(
    builder: Builder,
    out: tuple[Operand, ...],
    dy: Operand,
    x: Operand,
    gamma: Optional = None,
    *,
    epsilon: float = 1e-6,
    ndim: int = 1,
) -> None:
    dx, dgamma = out
    _lower_row_gradients(
        builder, "rms_norm_grad", dx, (dgamma,), dy, x, gamma, epsilon, ndim, DEVIATION
    )


@lowers("unit_norm")
def _lower_unit_norm(
    builder: Builder, out: Operand, x: Operand, *, epsilon: float = 1e-12, ndim: int = 1
) -> None:
    _lower_rows(builder, "rms_norm", out, x, None, None, epsilon, ndim, LENGTH)


@lowers("unit_norm_grad")
def _lower_unit_norm_grad(
    builder: Builder,
    out: Operand,
    dy: Operand,
    x: Operand,
    *,
    epsilon: float = 1e-12,
    ndim: int = 1,
) -> None:
    _lower_row_gradients(builder, "rms_norm_grad", out, (), dy, x, None, epsilon, ndim, LENGTH)
