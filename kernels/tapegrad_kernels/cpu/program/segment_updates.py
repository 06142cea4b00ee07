"""Updates that look at a variable as a whole: norms and clipping, Lamb, Adafactor, Muon."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tapegrad_kernels._compile import Block, block, on_warmup
from tapegrad_kernels._compile.pointers import POINTER_TO, float64_at, int64_at
from tapegrad_kernels._scalar import update_numbers
from tapegrad_kernels.cpu._map import REAL_NAMES
from tapegrad_kernels.cpu.optimizers import _factors
from tapegrad_kernels.cpu.optimizers._factors import FACTOR_BLOCKS
from tapegrad_kernels.cpu.optimizers._pieces import BLOCKS, piece_chunk, segments
from tapegrad_kernels.cpu.optimizers.factored import factored_table, variable_chunk
from tapegrad_kernels.cpu.optimizers.orthogonal import checked_shapes
from tapegrad_kernels.cpu.program.builder import Builder
from tapegrad_kernels.cpu.program.lowering import NotNative, lowers
from tapegrad_kernels.cpu.program.operand import Operand
from tapegrad_kernels.cpu.program.updates import (
    checked_buffers,
    constant_setting,
    lower_numbered,
    lower_update,
    setting_words,
)


class _Segments:
    """Pieces of the variables of a buffer, as constants of a program."""

    def __init__(self, b: Builder, offsets: Sequence[int], size: int) -> None:
        table, firsts, _ = _checked(segments, "segments", tuple(offsets), size)
        self.pieces = table.size // 3
        self.count = firsts.size
        self.chunk = piece_chunk(self.pieces, size)
        self.table, self.firsts = b.constant(table), b.constant(firsts)


def _checked(function: Callable[..., Any], *args: Any) -> Any:
    """What a function returns; if it refuses its arguments, so does the kernel itself."""
    try:
        return function(*args)
    except ValueError as error:
        raise NotNative(str(error)) from None


def _run_pieces(b: Builder, name: str, at: _Segments, arrays: Sequence[Operand], sums: Any) -> None:
    """Rows of a block without numbers over all pieces."""
    padded = [*arrays, *[arrays[0]] * (4 - len(arrays))]
    made = BLOCKS[name, arrays[0].dtype]
    b.run(made, *padded, at.table, sums, count=at.pieces, chunk=at.chunk)


def _squares(b: Builder, x: Operand, at: _Segments) -> Operand:
    """Sum of squares of each piece."""
    sums = b.temporary((at.pieces,), np.float64)
    _run_pieces(b, "square_pieces", at, (x,), sums)
    return sums


def _factors_of(
    b: Builder,
    kind: int,
    at: _Segments,
    sums: Operand | None,
    results: Operand,
    settings: Sequence[Any] = (),
    decayed: Operand | None = None,
) -> None:
    """The row that computes a number for each segment; see `optimizers._factors`."""
    kinds, words = setting_words(b, settings)
    b.call(
        FACTOR_BLOCKS[results.dtype],
        kind, kinds, b.status, at.count, at.pieces, sums or at.firsts, at.firsts, results,
        decayed or at.firsts, *words,
    )  # fmt: skip


def _scaled(b: Builder, x: Operand, at: _Segments, kind: int, *args: Any) -> None:
    """Multiply each segment of `x` by its factor."""
    factors = b.temporary((at.count,), x.dtype)
    sums = _squares(b, x, at) if kind in (_factors.CLIP, _factors.CLIP_ALL, _factors.UNIT) else None
    _factors_of(b, kind, at, sums, factors, *args)
    _run_pieces(b, "scale_pieces", at, (x, factors), at.firsts)


# ---- norms, clipping, decay --------------------------------------------------------------


def _norms(b: Builder, out: Operand, x: Operand, offsets: Sequence[int]) -> None:
    if x.ndim != 1 or x.dtype not in FACTOR_BLOCKS:
        raise NotNative(f"norms of {x.dtype}")
    x = b.contiguous(x)
    at = _Segments(b, offsets, x.size)
    _factors_of(b, _factors.NORM, at, _squares(b, x, at), out)


@lowers("global_norm")
def _lower_global_norm(b: Builder, out: Operand, x: Operand) -> None:
    _norms(b, out, x, (0,))


@lowers("variable_norms")
def _lower_variable_norms(b: Builder, out: Operand, x: Operand, *, offsets: Sequence[int]) -> None:
    _norms(b, out, x, offsets)


@lowers("clip_by_norm_update")
def _lower_clip_by_norm(
    b: Builder, out: None, gradients: Operand, clipnorm: Any, *, offsets: Sequence[int]
) -> None:
    (g,) = checked_buffers(gradients)
    _scaled(b, g, _Segments(b, offsets, g.size), _factors.CLIP, (clipnorm,))


@lowers("clip_by_global_norm_update")
def _lower_clip_by_global_norm(b: Builder, out: None, gradients: Operand, clipnorm: Any) -> None:
    (g,) = checked_buffers(gradients)
    _scaled(b, g, _Segments(b, (0,), g.size), _factors.CLIP_ALL, (clipnorm,))


@lowers("scale_update")
def _lower_scale(b: Builder, out: None, buffer: Operand, factor: Any) -> None:
    (x,) = checked_buffers(buffer)
    _scaled(b, x, _Segments(b, (0,), x.size), _factors.SCALE, (factor,))


@lowers("weight_decay_update")
def _lower_weight_decay(
    b: Builder,
    out: None,
    parameters: Operand,
    learning_rate: Any,
    weight_decay: Any,
    *,
    offsets: Sequence[int] = (0,),
    decayed: Sequence[bool] = (True,),
) -> None:
    (p,) = checked_buffers(parameters)
    if len(offsets) != len(decayed):
        raise NotNative("decay of other variables than there are")
    chosen = b.constant(np.array(decayed, np.int64))
    at = _Segments(b, offsets, p.size)
    _scaled(b, p, at, _factors.DECAY, (learning_rate, weight_decay), chosen)


# ---- rules -------------------------------------------------------------------------------


@lowers("lamb_update")
def _lower_lamb(
    b: Builder,
    out: None,
    parameters: Operand,
    gradients: Operand,
    momentum: Operand,
    velocity: Operand,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    step: Any,
    weight_decay: Any = 0.0,
    *,
    offsets: Sequence[int],
) -> None:
    arrays = p, _, m, v = checked_buffers(parameters, gradients, momentum, velocity)
    at = _Segments(b, offsets, p.size)
    sums = b.temporary((2 * at.pieces,), np.float64)
    ratios = b.temporary((at.count,), p.dtype)
    settings = learning_rate, beta_1, beta_2, epsilon, step, weight_decay

    def run(name: str, buffers: Sequence[Operand]) -> None:
        made, words = BLOCKS[name, p.dtype], (*buffers, at.table, sums)
        formula = update_numbers.lamb
        lower_numbered(b, name, made, formula, settings, words, at.pieces, at.chunk)

    run("lamb_moments", arrays)
    _factors_of(b, _factors.RATIO, at, sums, ratios)
    run("lamb_step", (p, ratios, m, v))


@lowers("adafactor_update")
def _lower_adafactor(
    b: Builder,
    out: None,
    parameters: Operand,
    gradients: Operand,
    statistics: Operand,
    learning_rate: Any,
    beta_2_decay: Any,
    epsilon_1: Any,
    epsilon_2: Any,
    clip_threshold: Any,
    step: Any,
    weight_decay: Any = 0.0,
    *,
    offsets: Sequence[int],
    shapes: Sequence[Sequence[int]],
) -> None:
    p, g = checked_buffers(parameters, gradients)
    (s,) = checked_buffers(statistics)
    sizes = tuple([tuple(shape) for shape in shapes])
    _checked(checked_shapes, "adafactor_update", sizes, tuple(offsets), p.size)
    table, needed = factored_table(tuple(offsets), sizes)
    if s.dtype != p.dtype or s.size != needed:
        raise NotNative("statistics of other variables")
    factors, sums = b.temporary(s.shape, s.dtype), b.temporary(s.shape, np.float64)
    settings = (
        learning_rate, beta_2_decay, epsilon_1, epsilon_2, clip_threshold, step, weight_decay,
    )  # fmt: skip
    words = p, g, s, factors, b.constant(table), sums
    made, formula = BLOCKS["adafactor", p.dtype], update_numbers.adafactor
    count, chunk = len(sizes), variable_chunk(p.size, len(sizes))
    lower_numbered(b, "adafactor_update", made, formula, settings, words, count, chunk)


def _make_diagonal_block(real: str) -> Block:
    at: Any = POINTER_TO[real]
    number: Any = np.dtype(real).type

    @block(f"add_to_diagonal.{real}")
    def add_to_diagonal(record, start, stop):  # type: ignore[no-untyped-def]
        # The record holds the address of a square matrix, its rows, and what is added.
        x, rows = at(int64_at(record)[0]), int64_at(record)[1]
        added = number(float64_at(record)[2])
        for i in range(rows):
            x[i * rows + i] += added

    return add_to_diagonal


_DIAGONAL = {np.dtype(real): _make_diagonal_block(real) for real in REAL_NAMES}


def _orthogonalized(b: Builder, x: Operand, steps: int, coefficients: Sequence[float]) -> Operand:
    """Newton and Schulz's iteration in rows; `x` is overwritten."""
    a, second, third = coefficients
    rows, columns = x.shape
    _scaled(b, x.flat(), _Segments(b, (0,), x.size), _factors.UNIT)
    gram = b.temporary((rows, rows), x.dtype)
    polynomial = b.temporary((rows, rows), x.dtype)
    other = b.temporary((rows, columns), x.dtype)
    for _ in range(steps):
        b.lower("gemm", gram, x, x, transpose_b=True)
        b.lower("gemm", polynomial, gram, gram)
        pair = polynomial.flat(), gram.flat()
        lower_update(b, "ema", pair, update_numbers.pair, (third, second))
        b.call(_DIAGONAL[x.dtype], polynomial, rows, float(a))
        b.lower("gemm", other, polynomial, x)
        x, other = other, x
    return x


@lowers("muon_update")
def _lower_muon(
    b: Builder,
    out: None,
    parameters: Operand,
    gradients: Operand,
    momentum: Operand,
    learning_rate: Any,
    momentum_rate: Any = 0.95,
    weight_decay: Any = 0.0,
    *,
    offsets: Sequence[int],
    shapes: Sequence[Sequence[int]],
    nesterov: bool = True,
    steps: int = 5,
    coefficients: Sequence[float] = (3.4445, -4.7750, 2.0315),
    rms_rate: float | None = 0.2,
) -> None:
    p, g, m = checked_buffers(parameters, gradients, momentum)
    sizes = tuple([tuple(shape) for shape in shapes])
    _checked(checked_shapes, "muon_update", sizes, tuple(offsets), p.size)
    if any(len(shape) != 2 for shape in sizes):
        raise NotNative("muon_update of what is no matrix")
    mass = constant_setting("momentum_rate", momentum_rate)
    whole = _Segments(b, (0,), p.size)
    chosen = b.constant(np.ones(1, np.int64))
    _scaled(b, p, whole, _factors.DECAY, (learning_rate, weight_decay), chosen)
    lower_update(b, "ema", (m, g), update_numbers.pair, (mass, 1.0))
    begin, peak = b.scratch_bytes, b.scratch_bytes
    for shape, offset in zip(sizes, offsets):
        b.scratch_bytes = begin  # each matrix takes the place of the one before
        size = math.prod(shape)
        if size == 0:
            continue
        part_p, part_g, part_m = (x.view((size,), offset=offset * x.itemsize) for x in (p, g, m))
        direction = b.temporary((size,), p.dtype)
        b.copy(part_m, direction)
        if nesterov:
            lower_update(b, "ema", (direction, part_g), update_numbers.pair, (mass, 1.0))
        x = direction.view(shape)
        tall = shape[0] > shape[1]
        if tall:
            x = b.contiguous(_transposed(x))
        x = _orthogonalized(b, x, steps, coefficients)
        if tall:
            x = b.contiguous(_transposed(x))
        stretch = 1.0 if rms_rate is None else math.sqrt(max(shape)) * rms_rate
        settings = learning_rate, stretch
        lower_update(b, "sgd", (part_p, x.flat()), update_numbers.stretched, settings)
        peak = max(peak, b.scratch_bytes)
    b.scratch_bytes = peak


def _transposed(x: Operand) -> Operand:
    return x.view(x.shape[::-1], x.strides[::-1])


@on_warmup("program muon")
def _warm() -> None:
    for made in _DIAGONAL.values():
        made.address  # noqa: B018
