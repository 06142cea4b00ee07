"""Generators of the packers, which copy panels of A and B into the order of use.

A packed panel holds, for each p, the elements of its rows (of A) or columns (of
B) side by side. Where the source has them side by side as well, packing copies
(`build_copy_packer`); otherwise it transposes squares of one vector's width in
registers (`build_transpose_packer`).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from tapegrad_kernels.cpu.gemm.microkernel import Tile
from tapegrad_kernels.cpu.simd import INT64, POINTER, VOID, VectorWriter, int32, int64

PACKER_ARGUMENTS = 6
"""(source, source_stride, target, target_stride, count, depth): addresses in
bytes, strides in elements."""


def _begin(module: Any, tile: Tile, name: str) -> tuple[Any, VectorWriter]:
    function = ir.Function(
        module, ir.FunctionType(VOID, [INT64] * PACKER_ARGUMENTS), f"{name}_{tile.dtype}"
    )
    function.linkage = "internal"
    function.attributes.add("noinline")
    function.attributes.add("nounwind")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    return function, VectorWriter(module, builder, tile.dtype, tile.lanes)


def build_transpose_packer(module: Any, tile: Tile) -> Any:
    """Emit ``target[p * target_stride + i] = source[i * source_stride + p]``.

    For ``i`` below one vector's lanes and ``p < depth``. Rows from `count` on
    repeat the last one: they fill the padding with harmless numbers.
    """
    function, writer = _begin(module, tile, "pack_transposed")
    builder, lanes = writer.builder, tile.lanes
    source, source_stride, target, target_stride, count, depth = function.args
    size = int64(writer.size)
    source_stride = builder.mul(source_stride, size)
    target_stride = builder.mul(target_stride, size)
    origin = builder.inttoptr(source, POINTER)
    last = builder.mul(source_stride, builder.sub(count, int64(1)))
    rows = []
    for i in range(lanes):
        exists = builder.icmp_signed("<", int64(i), count)
        here = builder.mul(source_stride, int64(i))
        rows.append(writer.at(origin, builder.select(exists, here, last)))

    def whole(state: list[Any]) -> list[Any]:
        offset, place = state
        square = writer.transpose([writer.load(writer.at(row, offset)) for row in rows])
        for vector in square:
            writer.store(vector, place)
            place = writer.at(place, target_stride)
        return [builder.add(offset, int64(lanes * writer.size)), place]

    def rest(state: list[Any]) -> list[Any]:
        offset, place = state
        column = writer.undefined
        for i, row in enumerate(rows):
            element = writer.load_element(writer.at(row, offset))
            column = builder.insert_element(column, element, int32(i))
        writer.store(column, place)
        return [builder.add(offset, size), writer.at(place, target_stride)]

    state = [int64(0), builder.inttoptr(target, POINTER)]
    state = writer.loop(builder.sdiv(depth, int64(lanes)), state, whole, "square")
    writer.loop(builder.srem(depth, int64(lanes)), state, rest, "column")
    builder.ret_void()
    return function


def build_copy_packer(module: Any, tile: Tile) -> Any:
    """Emit ``target[p * target_stride + j] = source[p * source_stride + j]``.

    For ``j < count`` and ``p < depth``; the target is filled with zeros up to
    the end of its last vector. `count` is at most the tile's columns.
    """
    function, writer = _begin(module, tile, "pack_copied")
    builder, lanes = writer.builder, tile.lanes
    source, source_stride, target, target_stride, count, depth = function.args
    size = int64(writer.size)
    source_stride = builder.mul(source_stride, size)
    target_stride = builder.mul(target_stride, size)
    state = [builder.inttoptr(source, POINTER), builder.inttoptr(target, POINTER)]
    width = lanes * writer.size

    def copy(vectors: int, masked: bool) -> Any:
        masks = [writer.lanes_below(count, v * lanes) for v in range(vectors)]

        def row(state: list[Any]) -> list[Any]:
            place, goal = state
            for v in range(vectors):
                here = writer.at(place, v * width)
                vector = writer.load_masked(here, masks[v]) if masked else writer.load(here)
                writer.store(vector, writer.at(goal, v * width))
            return [writer.at(place, source_stride), writer.at(goal, target_stride)]

        return row

    # One loop for each number of vectors, whole or with a ragged last one.
    for vectors in range(1, tile.vectors + 1):
        for masked in (False, True):
            fits = builder.icmp_signed("<=" if masked else "==", count, int64(vectors * lanes))
            label = f"{'ragged' if masked else 'whole'}{vectors}"
            chosen = builder.append_basic_block(label)
            other = builder.append_basic_block(label + ".not")
            builder.cbranch(fits, chosen, other)
            builder.position_at_end(chosen)
            writer.loop(depth, state, copy(vectors, masked), label + ".rows")
            builder.ret_void()
            builder.position_at_end(other)
    builder.ret_void()
    return function
