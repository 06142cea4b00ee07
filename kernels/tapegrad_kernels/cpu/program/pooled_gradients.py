"""The gradient through max-pooling, a relu and a bias in one visit.

After ``y = relu(z + bias)`` and max-pooling by windows that do not overlap, the gradient by
`z` is zero but at the largest element of each window, and there only if that is positive:
all of it follows from arrays of the size of the pooled ones. So `y` need not be read, and
what would be written by the gradient of pooling to be read by that of relu never is.

The sum, the gradient by the bias, is that of `tapegrad_kernels.cpu.relu_bias` to the bit:
the same blocks of rows, in each two rows at a time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from tapegrad_kernels._compile import Block, block, features, kernel, on_warmup
from tapegrad_kernels._compile.intrinsic import intrinsic
from tapegrad_kernels._compile.pointers import int64_at
from tapegrad_kernels.cpu import pooling
from tapegrad_kernels.cpu._map import REAL_NAMES
from tapegrad_kernels.cpu._memory import clear_bytes
from tapegrad_kernels.cpu._reduction_kernels import CHUNK, ROW_BLOCK
from tapegrad_kernels.cpu.program.builder import Builder
from tapegrad_kernels.cpu.program.copying import fill
from tapegrad_kernels.cpu.program.lowering import NotNative, lowers
from tapegrad_kernels.cpu.program.operand import Operand, Shape
from tapegrad_kernels.cpu.program.reductions import add_partial_sums
from tapegrad_kernels.cpu.simd import (
    BYTE,
    INT32,
    INT64,
    ITEM_SIZE,
    POINTER,
    VOID,
    VectorWriter,
    int32,
    int64,
)

_ARGUMENTS = 13
"""(dy, largest, positions, first, second, step, first_tap, second_tap, x, apart, sums, pairs,
channels): five addresses; where the windows of a pair's two pixels are in `dy`, how far it is
to those of the next pair, and from a pixel to its neighbour in `x`, in bytes; numbers."""
NOWHERE = -1
"""In place of the number of an element in its window, for pixels that are under none."""
MOST_TAPS = 255
"""Elements of a window whose numbers are bytes, and none of which is `NOWHERE`."""


class _PairWriter(VectorWriter):
    """Writes the strip: pairs of pixels, each two windows further on than the last."""

    def __init__(self, module: Any, function: Any, dtype: str, lanes: int) -> None:
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        super().__init__(module, builder, dtype, lanes)
        (
            self.dy, self.largest, self.positions, self.first, self.second, self.step,
            self.first_tap, self.second_tap, self.x, self.apart, self.sums, self.pairs,
            self.channels,
        ) = function.args  # fmt: skip
        self.bytes = ir.VectorType(BYTE, lanes)

    def write(self) -> None:
        """Emit the whole function: whole vectors of channels, then what is left."""
        builder, width = self.builder, int64(self.lanes * self.size)

        def vectors(state: list[Any]) -> list[Any]:
            self._vector(state[0], None)
            return [builder.add(state[0], width)]

        vectors_of = builder.sdiv(self.channels, int64(self.lanes))
        (done,) = self.loop(vectors_of, [int64(0)], vectors, "channels")
        rest = builder.srem(self.channels, int64(self.lanes))

        def last(values: Any) -> list[Any]:
            self._vector(done, self.lanes_below(rest))
            return []

        self.when(builder.icmp_signed(">", rest, int64(0)), [], last, "rest")
        builder.ret_void()

    def _vector(self, channel: Any, mask: Any) -> None:
        builder = self.builder
        sums = self._pointer(self.sums, channel)
        twice = builder.add(self.apart, self.apart)
        taps = [self._splat_byte(tap) for tap in (self.first_tap, self.second_tap)]

        def pair(state: list[Any]) -> list[Any]:
            first, second, x, total = state
            one = self._routed(first, taps[0], mask)
            other = self._routed(second, taps[1], mask)
            # A last pixel without a neighbour has it at its own place, and overwrites it.
            self._write(other, self.at(x, self.apart), mask)
            self._write(one, x, mask)
            total = builder.fadd(total, builder.fadd(one, other))
            return [
                builder.add(first, self.step),
                builder.add(second, self.step),
                self.at(x, twice),
                total,
            ]

        places = [builder.add(place, channel) for place in (self.first, self.second)]
        state = [*places, self._pointer(self.x, channel), self._read(sums, mask)]
        total = self.loop(self.pairs, state, pair, "pair")[3]
        self._write(total, sums, mask)

    def _routed(self, place: Any, tap: Any, mask: Any) -> Any:
        """What a pixel gets: the window's gradient, if it is its largest and above zero."""
        builder = self.builder
        gradient = self._read(self._pointer(self.dy, place), mask)
        largest = self._read(self._pointer(self.largest, place), mask)
        at = self._pointer(self.positions, builder.ashr(place, int64(self.size.bit_length() - 1)))
        if mask is None:
            numbers = builder.load(at, typ=self.bytes, align=1)
        else:
            numbers = self._bytes_masked(at, mask)
        chosen = builder.and_(
            builder.icmp_signed("==", numbers, tap), builder.fcmp_ordered(">", largest, self.zero)
        )
        # Added to zero, as by the gradient of pooling: it makes -0 zero.
        return builder.fadd(builder.select(chosen, gradient, self.zero), self.zero)

    def _pointer(self, address: Any, offset: Any) -> Any:
        return self.at(self.builder.inttoptr(address, POINTER), offset)

    def _splat_byte(self, number: Any) -> Any:
        undefined = ir.Constant(self.bytes, ir.Undefined)
        narrow = self.builder.trunc(number, BYTE)
        first = self.builder.insert_element(undefined, narrow, int32(0))
        lanes = ir.Constant(ir.VectorType(INT32, self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(first, undefined, lanes)

    def _bytes_masked(self, pointer: Any, mask: Any) -> Any:
        zeros = ir.Constant(self.bytes, [0] * self.lanes)
        if self.lanes == 2:  # then it is one, and LLVM has trouble with two; see `sliding.frame`
            first = self.builder.load(pointer, typ=BYTE, align=1)
            return self.builder.insert_element(zeros, first, int32(0))
        function = self._declare(
            f"llvm.masked.load.v{self.lanes}i8.p0",
            self.bytes,
            [POINTER, INT32, self.mask, self.bytes],
        )
        return self.builder.call(function, [pointer, int32(1), mask, zeros])

    def _read(self, pointer: Any, mask: Any) -> Any:
        return self.load(pointer) if mask is None else self.load_masked(pointer, mask)

    def _write(self, vector: Any, pointer: Any, mask: Any) -> None:
        if mask is None:
            self.store(vector, pointer)
        else:
            self.store_masked(vector, pointer, mask)


def _strip(real: str) -> Any:
    """An intrinsic that calls the strip."""

    @intrinsic
    def route_pairs(typing_context: Any, arguments: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            name = f"route_pairs_{real}"
            function = builder.module.globals.get(name)
            if function is None:
                kind = ir.FunctionType(VOID, [INT64] * _ARGUMENTS)
                function = ir.Function(builder.module, kind, name)
                function.linkage = "internal"
                function.attributes.add("noinline")
                function.attributes.add("nounwind")
                lanes = features.vector_bits() // (8 * ITEM_SIZE[real])
                _PairWriter(builder.module, function, real, lanes).write()
            passed = [
                context.cast(builder, builder.extract_value(values[0], i), given, types.int64)
                for i, given in enumerate(signature.args[0])
            ]
            builder.call(function, passed)
            return context.get_dummy_value()

        return types.void(arguments), generate

    return route_pairs


@kernel(inline=True)
def _window_of(row, column, height, window_height, window_width, out_height, out_width):  # type: ignore[no-untyped-def]
    """Number of the window over a pixel, and that of the pixel in it; rows are of all images."""
    image = row // height
    y = row - image * height
    i, j = y // window_height, column // window_width
    if i >= out_height or j >= out_width:
        return 0, NOWHERE
    tap = (y - i * window_height) * window_width + column - j * window_width
    return (image * out_height + i) * out_width + j, tap


def _make_block(real: str) -> Block:
    route_pairs, item = _strip(real), ITEM_SIZE[real]

    @block(f"pooled_relu_bias.{real}")
    def rows(record, start, stop):  # type: ignore[no-untyped-def]
        # A task is a block of pixels; its sums go to a row of `partial`.
        r = int64_at(record)
        dy, largest, positions, x, partial = r[0], r[1], r[2], r[3], r[4]
        pixels, height, width, channels = r[5], r[6], r[7], r[8]
        tall, wide, out_height, out_width = r[9], r[10], r[11], r[12]
        size = channels * item
        for task in range(start, stop):
            sums = partial + task * size
            clear_bytes(sums, size)
            i = task * ROW_BLOCK
            bottom = min(i + ROW_BLOCK, pixels)
            while i < bottom:
                row = i // width
                column = i - row * width
                first, tap = _window_of(row, column, height, tall, wide, out_height, out_width)
                second, second_tap = first, NOWHERE
                apart, pairs, step = 0, 1, 0
                if i + 1 < bottom:
                    apart = size
                    next_column = column + 1
                    if next_column == width:
                        row, next_column = row + 1, 0
                    second, second_tap = _window_of(
                        row, next_column, height, tall, wide, out_height, out_width
                    )
                    # The usual windows are of two columns: the next pairs lie under the next
                    # windows as these do, as far as there are windows in this row.
                    if wide == 2 and tap >= 0 and second_tap >= 0 and next_column > 0:
                        step = size
                        pairs = min(min(width, 2 * out_width) - column, bottom - i) // 2
                route_pairs(
                    (
                        dy, largest, positions, first * size, second * size, step,
                        tap, second_tap, x + i * size, apart, sums, pairs, channels,
                    )
                )  # fmt: skip
                i += 2 * pairs

    return rows


_BLOCKS = {np.dtype(real): _make_block(real) for real in REAL_NAMES}


def windows_are_apart(x_shape: Shape, pool_size: Any, strides: Any, padding: Any) -> bool:
    """Whether each pixel is under one window of a pooling at most, at a place that a byte says.

    Windows may end beyond the images, but not begin before them.
    """
    pool = pooling.geometry_of("max_pool2d", tuple(x_shape), pool_size, strides, padding)
    return pool.is_apart and pool.window[0] * pool.window[1] <= MOST_TAPS


@lowers("max_pool2d_relu_bias_grad")
def _lower_max_pool2d_relu_bias_grad(
    b: Builder,
    out: tuple[Operand, Operand],
    dy: Operand,
    positions: Operand,
    largest: Operand,
    *,
    x_shape: Shape,
    pool_size: Any,
    strides: Any = None,
    padding: Any = "valid",
) -> None:
    """The rows of ``relu_bias_grad(max_pool2d_grad(dy, positions, …), y)``.

    `largest` and `positions` are the results of `max_pool2d` of `y`, which has shape `x_shape`.
    """
    by_x, by_bias = out
    if not windows_are_apart(x_shape, pool_size, strides, padding):
        raise NotNative("max_pool2d_relu_bias_grad of windows that overlap")
    if dy.dtype != by_x.dtype or largest.dtype != by_x.dtype or by_x.dtype not in _BLOCKS:
        raise NotNative("max_pool2d_relu_bias_grad of several dtypes")
    if not by_x.size:
        fill(b, by_bias, 0)
        return
    pool = pooling.geometry_of("max_pool2d", tuple(x_shape), pool_size, strides, padding)
    images, height, width, channels = by_x.shape
    pixels = images * height * width
    count = -(-pixels // ROW_BLOCK)
    partial = by_bias if count == 1 else b.temporary((count, channels), by_x.dtype)
    pooled = b.contiguous(dy), b.contiguous(largest), b.contiguous(positions, pool.position_dtype)
    b.run(
        _BLOCKS[by_x.dtype],
        *(pooled[0], pooled[1], pooled[2], by_x, partial),
        *(pixels, height, width, channels, *pool.window, *pool.y_shape[1:3]),
        count=count,
        chunk=max(1, CHUNK // (min(pixels, ROW_BLOCK) * channels)),
    )
    if count > 1:
        add_partial_sums(b, partial, by_bias, 1, count, channels)


@on_warmup("program pooled gradients")
def _warm() -> None:
    for chosen in _BLOCKS.values():
        chosen.address  # noqa: B018
