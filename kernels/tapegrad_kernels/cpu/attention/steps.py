"""The softmax steps of attention on a tile of scores, in LLVM vector IR.

A tile of scores stands transposed: its rows are keys, its columns queries, as many
as a panel of gemm is wide. The largest score of a query, the sum of its weights and
what scales its results are then vectors over queries, and no step ever adds up the
lanes of a vector.

`make_steps` gives, for one real type, functions of compiled code whose arguments
are addresses in bytes and numbers of rows:

``softmax_step(scores, rows, largest, total, sums, sums_rows)``
    One step of the online softmax (M. Milakov and N. Gimelshein, *Online normalizer
    calculation for softmax*, arXiv:1805.02867). Replaces the scores by
    ``exp(score - largest)``, where `largest` now includes these scores, adds their
    sum to `total`, and scales the former `total` and `sums` to the new `largest`.
``gradient_step(scores, slopes, rows, row_bytes, logsumexp, delta)``
    Replaces the scores by the weights ``p = exp(score - logsumexp)`` and the
    derivatives by the weights, `slopes`, by those by the scores,
    ``p * (slope - delta)``.
"""

from __future__ import annotations

import functools
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from tapegrad_kernels._compile.intrinsic import intrinsic
from tapegrad_kernels._scalar.coefficients import BY_NAME
from tapegrad_kernels.cpu.gemm.microkernel import Tile, tile_for
from tapegrad_kernels.cpu.simd import POINTER, VectorWriter, int64

_FRACTION_BITS = {"float32": 23, "float64": 52}
_BIAS = {"float32": 127, "float64": 1023}


class _StepWriter(VectorWriter):
    """Writes the steps, and the exponential that they share."""

    def __init__(self, module: Any, builder: Any, tile: Tile) -> None:
        super().__init__(module, builder, tile.dtype, tile.lanes)
        self.name = tile.dtype
        self.width = tile.lanes * self.size
        self.offsets = [v * self.width for v in range(tile.vectors)]

    def pointer(self, address: Any) -> Any:
        """A pointer from an address."""
        return self.builder.inttoptr(address, POINTER)

    def constant(self, value: float) -> Any:
        """A vector of one number."""
        rounded = float(np.dtype(self.name).type(value))
        return ir.Constant(self.vector, [rounded] * self.lanes)

    def exp(self, x: Any) -> Any:
        """Exponential of numbers that are not above zero; what would be subnormal is zero.

        The reduction and polynomial are those of the shared scalar function.
        """
        builder, c = self.builder, BY_NAME[self.name]
        bits, bias = _FRACTION_BITS[self.name], _BIAS[self.name]
        integers = ir.VectorType(ir.IntType(8 * self.size), self.lanes)
        lowest = self.constant((2 - bias) * math.log(2.0))
        magic = 1.5 * 2.0**bits
        magic_bits = int(np.array(magic, self.name).view(f"int{8 * self.size}"))
        vanishes = builder.fcmp_ordered("<", x, lowest)  # false for NaN, which stays
        x = builder.select(vanishes, lowest, x)
        t = self.multiply_add(x, self.constant(math.log2(math.e)), self.constant(magic))
        k = builder.fsub(t, self.constant(magic))
        r = self.multiply_add(k, self.constant(-c.log2_high), x)
        r = self.multiply_add(k, self.constant(-c.log2_low), r)
        tail = self.constant(c.exp[0])
        for coefficient in c.exp[1:]:
            tail = self.multiply_add(tail, r, self.constant(coefficient))
        m = self.multiply_add(builder.fmul(r, r), tail, r)
        shift = ir.Constant(integers, [bias - magic_bits] * self.lanes)
        exponent = builder.add(builder.bitcast(t, integers), shift)
        exponent = builder.shl(exponent, ir.Constant(integers, [bits] * self.lanes))
        scale = builder.bitcast(exponent, self.vector)
        return builder.select(vanishes, self.zero, self.multiply_add(m, scale, scale))

    def softmax(
        self, scores: Any, rows: Any, largest: Any, total: Any, sums: Any, sums_rows: Any
    ) -> None:
        """Emit `softmax_step`."""
        builder = self.builder
        stride = len(self.offsets) * self.width
        before = [self.load(self.at(largest, offset)) for offset in self.offsets]

        def compare(state: list[Any]) -> list[Any]:
            row, *best = state
            following = [self.at(row, stride)]
            for offset, value in zip(self.offsets, best, strict=True):
                score = self.load(self.at(row, offset))
                above = builder.fcmp_ordered(">", score, value)
                following.append(builder.select(above, score, value))
            return following

        best = self.loop(rows, [scores, *before], compare, "largest")[1:]
        # A query that may not attend to any key so far: its scores are all -Inf, and
        # -Inf - 0 gives weights of zero where -Inf - (-Inf) would give NaN.
        nothing = self.constant(-math.inf)
        shifts = [
            builder.select(builder.fcmp_ordered("==", value, nothing), self.zero, value)
            for value in best
        ]

        def weigh(state: list[Any]) -> list[Any]:
            row, *parts = state
            following = [self.at(row, stride)]
            for offset, shift, part in zip(self.offsets, shifts, parts, strict=True):
                place = self.at(row, offset)
                weight = self.exp(builder.fsub(self.load(place), shift))
                self.store(weight, place)
                following.append(builder.fadd(part, weight))
            return following

        added = self.loop(rows, [scores, *[self.zero] * len(best)], weigh, "weights")[1:]
        decays = [
            self.exp(builder.fsub(old, shift)) for old, shift in zip(before, shifts, strict=True)
        ]
        for v, offset in enumerate(self.offsets):
            self.store(best[v], self.at(largest, offset))
            place = self.at(total, offset)
            self.store(self.multiply_add(self.load(place), decays[v], added[v]), place)

        def decay(state: list[Any]) -> list[Any]:
            for offset, factor in zip(self.offsets, decays, strict=True):
                place = self.at(state[0], offset)
                self.store(builder.fmul(self.load(place), factor), place)
            return [self.at(state[0], stride)]

        self.loop(sums_rows, [sums], decay, "decay")

    def gradient(
        self, scores: Any, slopes: Any, rows: Any, row_bytes: Any, logsumexp: Any, delta: Any
    ) -> None:
        """Emit `gradient_step`."""
        builder = self.builder
        shifts = [self.load(self.at(logsumexp, offset)) for offset in self.offsets]
        deltas = [self.load(self.at(delta, offset)) for offset in self.offsets]

        def row(state: list[Any]) -> list[Any]:
            for offset, shift, mean in zip(self.offsets, shifts, deltas, strict=True):
                score, slope = self.at(state[0], offset), self.at(state[1], offset)
                weight = self.exp(builder.fsub(self.load(score), shift))
                self.store(weight, score)
                change = builder.fsub(self.load(slope), mean)
                self.store(builder.fmul(weight, change), slope)
            return [self.at(state[0], row_bytes), self.at(state[1], row_bytes)]

        self.loop(rows, [scores, slopes], row, "gradient")


@functools.cache
def make_steps(real: str) -> SimpleNamespace:
    """The steps for ``"float32"`` or ``"float64"``, for use in compiled code."""
    six = (types.int64,) * 6

    @intrinsic
    def softmax_step(  # type: ignore[no-untyped-def]
        typing_context, scores, rows, largest, total, sums, sums_rows
    ):
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            writer = _StepWriter(builder.module, builder, tile_for(real))
            scores, rows, largest, total, sums, sums_rows = arguments
            scores, largest, total, sums = map(writer.pointer, (scores, largest, total, sums))
            writer.softmax(scores, rows, largest, total, sums, sums_rows)
            return context.get_dummy_value()

        return types.void(*six), generate

    @intrinsic
    def gradient_step(  # type: ignore[no-untyped-def]
        typing_context, scores, slopes, rows, row_bytes, logsumexp, delta
    ):
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            writer = _StepWriter(builder.module, builder, tile_for(real))
            scores, slopes, rows, row_bytes, logsumexp, delta = arguments
            pointers = map(writer.pointer, (scores, slopes, logsumexp, delta))
            scores, slopes, logsumexp, delta = pointers
            writer.gradient(scores, slopes, rows, row_bytes, logsumexp, delta)
            return context.get_dummy_value()

        return types.void(*six), generate

    return SimpleNamespace(softmax_step=softmax_step, gradient_step=gradient_step)


@intrinsic
def byte_at(typing_context: Any, address: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
    """The byte at an address, as int64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], POINTER)
        byte = builder.load(pointer, typ=ir.IntType(8), align=1)
        return builder.zext(byte, int64(0).type)

    return types.int64(types.int64), generate
