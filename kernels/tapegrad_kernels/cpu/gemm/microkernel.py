"""Generator of the matrix-multiplication micro-kernels, in LLVM vector IR.

A micro-kernel computes one tile of C that fits into registers. All of gemm, in
all layouts, and convolution as well, is made of one form::

    C[i, j] (+)= sum_s sum_p A[s*sa + i*rs + p*cs] * B[s*sb + p*ldb + j]

for ``i`` up to the tile's rows and ``j`` up to its columns. Segments ``s`` are
what a convolution needs (one for each row of its window); gemm has one. Of A's
two strides one is always 1, which gives two modes:

``COLUMNS``  rs is 1: A packed into panels, or transposed.
``ROWS``     cs is 1: A row-major, read in place.

The loop over p carries the accumulators as phi nodes, so they stay in registers:
28 of 32 in the 14-row tile of AVX-512, beside two vectors of B and one broadcast
element of A. Each element of C is one chain of multiply-adds in the order of p,
whatever the tile, so how a product is cut into tiles never changes its bits.
"""

from __future__ import annotations

import dataclasses
import platform
from typing import Any

from llvmlite import ir

from tapegrad_kernels._compile import features
from tapegrad_kernels.cpu.simd import INT64, ITEM_SIZE, POINTER, VOID, VectorWriter, int64

COLUMNS = 0
"""Mode: consecutive rows of A are adjacent in memory."""
ROWS = 1
"""Mode: consecutive columns of A are adjacent in memory."""

ACCUMULATE = 1
"""Flag: add to what C holds."""
BIAS = 2
"""Flag: add a row vector."""
RELU = 4
"""Flag: replace negative results with zero (after the bias)."""

MICROKERNEL_ARGUMENTS = 13
"""(a, a_stride, b, ldb, c, ldc, depth, columns, flags, bias, segments, sa, sb):
addresses in bytes, strides in elements."""


@dataclasses.dataclass(frozen=True)
class Tile:
    """Shape of the register tile.

    Attributes
    ----------
    dtype : {"float32", "float64"}
        Element type.
    lanes : int
        Elements in a vector.
    rows : int
        Largest number of rows; at most 16.
    vectors : int
        Vectors in a row.
    """

    dtype: str
    lanes: int
    rows: int
    vectors: int = 2

    @property
    def columns(self) -> int:
        """Elements in a row."""
        return self.lanes * self.vectors

    @property
    def packed_rows(self) -> int:
        """Rows of a packed panel of A: whole vectors, for the transposing packer."""
        return -(-self.rows // self.lanes) * self.lanes


def tile_for(dtype: str) -> Tile:
    """The tile that fills the registers of the CPU that is compiled for.

    Rows times two accumulators, two vectors of B and one element of A: 31 of the
    32 registers of AVX-512, 15 of the 16 of AVX2, 11 of the 16 of SSE, 19 of the
    32 of NEON.
    """
    bits = features.vector_bits()
    rows = {512: 14, 256: 6, 128: 4}[bits]
    if bits == 128 and platform.machine().lower() in {"arm64", "aarch64"}:
        rows = 8
    return Tile(dtype, bits // (8 * ITEM_SIZE[dtype]), rows)


def build_microkernel(module: Any, tile: Tile, rows: int, vectors: int, mode: int) -> Any:
    """Emit the micro-kernel for `rows` rows of `vectors` vectors into `module`.

    Up to the last vector's end B is read whole: ragged panels of B have to be
    packed and padded. A and C are read and written where they exist only.
    """
    kind = "rows" if mode == ROWS else "columns"
    name = f"gemm_{kind}_{tile.dtype}_{rows}x{vectors}x{tile.lanes}"
    function = ir.Function(module, ir.FunctionType(VOID, [INT64] * MICROKERNEL_ARGUMENTS), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    function.attributes.add("nounwind")
    _MicroKernelWriter(module, function, tile, rows, vectors, mode).write()
    return function


class _MicroKernelWriter(VectorWriter):
    """Writes the body of one micro-kernel."""

    # In ROWS mode each group of three rows shares a pointer and reaches its rows
    # through the addressing modes (base, base + stride, base + 2 * stride): five
    # pointers serve 14 rows, and none is spilled.
    _GROUP = 3

    def __init__(
        self, module: Any, function: Any, tile: Tile, rows: int, vectors: int, mode: int
    ) -> None:
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        super().__init__(module, builder, tile.dtype, tile.lanes)
        self.rows = rows
        self.vectors = vectors
        self.mode = mode
        (
            a,
            a_stride,
            b,
            ldb,
            c,
            ldc,
            self.depth,
            self.columns,
            self.flags,
            bias,
            self.segments,
            sa,
            sb,
        ) = function.args
        size = int64(self.size)
        self.a_stride = builder.mul(a_stride, size)
        self.ldb = builder.mul(ldb, size)
        self.ldc = builder.mul(ldc, size)
        self.sa = builder.mul(sa, size)
        self.sb = builder.mul(sb, size)
        self.a, self.b, self.c, self.bias = (
            builder.inttoptr(address, POINTER) for address in (a, b, c, bias)
        )

    def write(self) -> None:
        """Emit the whole function."""
        self._finish(self._sum_segments())

    def _sum_segments(self) -> list[Any]:
        count = self.rows * self.vectors

        def segment(state: list[Any]) -> list[Any]:
            a, b, *sums = state
            sums = self._sum_depth(a, b, sums)
            return [self.at(a, self.sa), self.at(b, self.sb), *sums]

        return self.loop(self.segments, [self.a, self.b, *[self.zero] * count], segment, "segment")[
            2:
        ]

    def _sum_depth(self, a: Any, b: Any, sums: list[Any]) -> list[Any]:
        builder = self.builder
        pointers = [a]
        if self.mode == ROWS:
            three = builder.mul(self.a_stride, int64(self._GROUP))
            for _ in range(1, -(-self.rows // self._GROUP)):
                pointers.append(self.at(pointers[-1], three))
        # ROWS is never unrolled: LLVM would then vectorise the loads of A across
        # p and spill the accumulators (a quarter of the speed).
        small = self.rows * self.vectors <= 8
        unroll = 1 if self.mode == ROWS else 4 if small else 2
        state = [b, *pointers, *sums]
        if unroll > 1:
            steps = int64(unroll)
            state = self.loop(
                builder.udiv(self.depth, steps), state, self._steps(unroll), "unrolled"
            )
            state = self.loop(builder.urem(self.depth, steps), state, self._steps(1), "rest")
        else:
            state = self.loop(self.depth, state, self._steps(1), "depth")
        return state[1 + len(pointers) :]

    def _steps(self, unroll: int) -> Any:
        count = self.rows * self.vectors

        def body(state: list[Any]) -> list[Any]:
            b, *pointers = state[:-count]
            sums = state[-count:]
            for _ in range(unroll):
                b, pointers, sums = self._step(b, pointers, sums)
            return [b, *pointers, *sums]

        return body

    def _step(self, b: Any, pointers: list[Any], sums: list[Any]) -> tuple[Any, Any, Any]:
        """One value of p: an outer product of a column of A and a row of B."""
        width = self.lanes * self.size
        row_of_b = [self.load(self.at(b, v * width)) for v in range(self.vectors)]
        following = list(sums)
        for i in range(self.rows):
            element = self.splat(self.load_element(self._pointer_to_row(pointers, i)))
            for v in range(self.vectors):
                k = i * self.vectors + v
                following[k] = self.multiply_add(element, row_of_b[v], following[k])
        step = self.size if self.mode == ROWS else self.a_stride
        return self.at(b, self.ldb), [self.at(p, step) for p in pointers], following

    def _pointer_to_row(self, pointers: list[Any], i: int) -> Any:
        if self.mode == COLUMNS:
            return self.at(pointers[0], i * self.size)
        group, place = divmod(i, self._GROUP)
        offset: Any = 0
        if place == 1:
            offset = self.a_stride
        elif place == 2:
            offset = self.builder.mul(self.a_stride, int64(2))
        return self.at(pointers[group], offset)

    def _finish(self, sums: list[Any]) -> None:
        """Accumulate, add the bias, apply relu and store."""
        builder = self.builder
        width = self.lanes * self.size
        masks = [self.lanes_below(self.columns, v * self.lanes) for v in range(self.vectors)]
        places = []
        row = self.c
        for i in range(self.rows):
            if i:
                row = self.at(row, self.ldc)
            places += [self.at(row, v * width) for v in range(self.vectors)]

        def accumulate(values: Any) -> list[Any]:
            return [
                builder.fadd(value, self.load_masked(place, masks[k % self.vectors]))
                for k, (value, place) in enumerate(zip(values, places, strict=True))
            ]

        def add_bias(values: Any) -> list[Any]:
            bias = [
                self.load_masked(self.at(self.bias, v * width), masks[v])
                for v in range(self.vectors)
            ]
            return [builder.fadd(value, bias[k % self.vectors]) for k, value in enumerate(values)]

        def relu(values: Any) -> list[Any]:
            # An ordered comparison is false for NaN, which therefore passes.
            return [
                builder.select(builder.fcmp_ordered("<", value, self.zero), self.zero, value)
                for value in values
            ]

        for flag, change in ((ACCUMULATE, accumulate), (BIAS, add_bias), (RELU, relu)):
            is_set = builder.icmp_signed("!=", builder.and_(self.flags, int64(flag)), int64(0))
            sums = self.when(is_set, sums, change, change.__name__)

        whole = builder.append_basic_block("whole")
        ragged = builder.append_basic_block("ragged")
        full = int64(self.vectors * self.lanes)
        builder.cbranch(builder.icmp_signed(">=", self.columns, full), whole, ragged)
        builder.position_at_end(whole)
        for value, place in zip(sums, places, strict=True):
            self.store(value, place)
        builder.ret_void()
        builder.position_at_end(ragged)
        for k, (value, place) in enumerate(zip(sums, places, strict=True)):
            self.store_masked(value, place, masks[k % self.vectors])
        builder.ret_void()
