"""Vectors in LLVM IR: the few words in which micro-kernels are written.

Numba has no vector types. Where the compiler's own vectoriser does not find the
wanted code, a kernel emits LLVM IR through an intrinsic. `VectorWriter` keeps
that readable: it knows one element type and one number of lanes, and each of its
methods emits one operation. Only generic LLVM operations are used, none of a
particular processor, so the same text serves x86-64 and AArch64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

BOOL = ir.IntType(1)
BYTE = ir.IntType(8)
INT32 = ir.IntType(32)
INT64 = ir.IntType(64)
POINTER = ir.PointerType()
VOID = ir.VoidType()

ELEMENT = {"float32": ir.FloatType(), "float64": ir.DoubleType()}
"""LLVM's element types by NumPy's names."""
ITEM_SIZE = {"float32": 4, "float64": 8}
"""Bytes of an element."""
_SUFFIX = {"float32": "f32", "float64": "f64"}


def int64(value: int) -> Any:
    """A constant."""
    return ir.Constant(INT64, value)


def int32(value: int) -> Any:
    """A constant."""
    return ir.Constant(INT32, value)


class VectorWriter:
    """Emits vector operations on one element type into a function under construction.

    Parameters
    ----------
    module : llvmlite.ir.Module
        Where intrinsics are declared.
    builder : llvmlite.ir.IRBuilder
        Where instructions go.
    dtype : {"float32", "float64"}
        Element type.
    lanes : int
        Elements in a vector; a power of two.

    Attributes
    ----------
    element, vector : llvmlite.ir.Type
        Types of one element and of a vector.
    size : int
        Bytes of an element.
    zero : llvmlite.ir.Constant
        A vector of zeros.
    """

    def __init__(self, module: Any, builder: Any, dtype: str, lanes: int) -> None:
        self.module = module
        self.builder = builder
        self.lanes = lanes
        self.element = ELEMENT[dtype]
        self.size = ITEM_SIZE[dtype]
        self.vector = ir.VectorType(self.element, lanes)
        self.mask = ir.VectorType(BOOL, lanes)
        self.zero = ir.Constant(self.vector, [0.0] * lanes)
        self.undefined = ir.Constant(self.vector, ir.Undefined)
        self._kind = f"v{lanes}{_SUFFIX[dtype]}"

    def _declare(self, name: str, result: Any, arguments: Sequence[Any]) -> Any:
        # By name: llvmlite's declare_intrinsic cannot spell vector overloads.
        known = self.module.globals.get(name)
        if known is not None:
            return known
        return ir.Function(self.module, ir.FunctionType(result, arguments), name)

    def at(self, pointer: Any, byte_offset: Any) -> Any:
        """The pointer so many bytes further on."""
        if isinstance(byte_offset, int):
            if byte_offset == 0:
                return pointer
            byte_offset = int64(byte_offset)
        return self.builder.gep(pointer, [byte_offset], source_etype=BYTE)

    def load(self, pointer: Any) -> Any:
        """A vector from memory, aligned as an element is."""
        return self.builder.load(pointer, typ=self.vector, align=self.size)

    def store(self, vector: Any, pointer: Any) -> None:
        """A vector to memory, aligned as an element is."""
        self.builder.store(vector, pointer, align=self.size)

    def load_element(self, pointer: Any) -> Any:
        """One element from memory."""
        return self.builder.load(pointer, typ=self.element, align=self.size)

    def splat(self, scalar: Any) -> Any:
        """A vector whose lanes all hold `scalar`."""
        first = self.builder.insert_element(self.undefined, scalar, int32(0))
        lanes = ir.Constant(ir.VectorType(INT32, self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(first, self.undefined, lanes)

    def shuffle(self, left: Any, right: Any, lanes: Sequence[int]) -> Any:
        """The named lanes of `left` followed by `right`."""
        order = ir.Constant(ir.VectorType(INT32, len(lanes)), list(lanes))
        return self.builder.shuffle_vector(left, right, order)

    def multiply_add(self, left: Any, right: Any, addend: Any) -> Any:
        """``left * right + addend``, rounded once where the processor can.

        ``llvm.fmuladd`` and not ``llvm.fma``: without the instruction the latter
        becomes a call into the mathematics library for each lane.
        """
        function = self._declare(f"llvm.fmuladd.{self._kind}", self.vector, [self.vector] * 3)
        return self.builder.call(function, [left, right, addend])

    def lanes_below(self, count: Any, first_lane: int = 0) -> Any:
        """Mask of the lanes whose number, counted from `first_lane`, is below `count`."""
        integers = ir.VectorType(INT64, self.lanes)
        numbers = ir.Constant(integers, list(range(first_lane, first_lane + self.lanes)))
        undefined = ir.Constant(integers, ir.Undefined)
        first = self.builder.insert_element(undefined, count, int32(0))
        lanes = ir.Constant(ir.VectorType(INT32, self.lanes), [0] * self.lanes)
        counts = self.builder.shuffle_vector(first, undefined, lanes)
        return self.builder.icmp_signed("<", numbers, counts)

    def load_masked(self, pointer: Any, mask: Any) -> Any:
        """The masked lanes from memory and zeros elsewhere; other memory is not touched."""
        function = self._declare(
            f"llvm.masked.load.{self._kind}.p0",
            self.vector,
            [POINTER, INT32, self.mask, self.vector],
        )
        return self.builder.call(function, [pointer, int32(self.size), mask, self.zero])

    def store_masked(self, vector: Any, pointer: Any, mask: Any) -> None:
        """The masked lanes to memory; other memory is not touched."""
        function = self._declare(
            f"llvm.masked.store.{self._kind}.p0",
            VOID,
            [self.vector, POINTER, INT32, self.mask],
        )
        self.builder.call(function, [vector, pointer, int32(self.size), mask])

    def transpose(self, rows: Sequence[Any]) -> list[Any]:
        """Transpose a square of `lanes` vectors.

        Stage d exchanges bit d of the row's number with bit d of the lane's:
        log2(lanes) stages of two-vector shuffles.
        """
        current = list(rows)
        distance = 1
        while distance < self.lanes:
            following = list(current)
            for row in range(self.lanes):
                if row & distance:
                    continue
                upper, lower = current[row], current[row + distance]
                numbers = range(self.lanes)
                following[row] = self.shuffle(
                    upper,
                    lower,
                    [x if not x & distance else self.lanes + x - distance for x in numbers],
                )
                following[row + distance] = self.shuffle(
                    upper,
                    lower,
                    [x + distance if not x & distance else self.lanes + x for x in numbers],
                )
            current = following
            distance *= 2
        return current

    def loop(
        self,
        count: Any,
        state: Sequence[Any],
        body: Callable[[list[Any]], Sequence[Any]],
        label: str = "loop",
    ) -> list[Any]:
        """Run `body` `count` times over values kept in registers.

        Parameters
        ----------
        count : llvmlite.ir.Value
            How often, an int64 not below zero.
        state : sequence of llvmlite.ir.Value
            Values before the first round.
        body : callable
            Emits one round: takes the values before it, returns those after.
        label : str
            Name of the basic blocks.

        Returns
        -------
        list of llvmlite.ir.Value
            The values after the last round.
        """
        builder = self.builder
        before = builder.block
        head = builder.append_basic_block(label)
        inside = builder.append_basic_block(label + ".body")
        after = builder.append_basic_block(label + ".end")
        builder.branch(head)
        builder.position_at_end(head)
        left = builder.phi(INT64)
        left.add_incoming(count, before)
        carried = []
        for value in state:
            phi = builder.phi(value.type)
            phi.add_incoming(value, before)
            carried.append(phi)
        builder.cbranch(builder.icmp_signed(">", left, int64(0)), inside, after)
        builder.position_at_end(inside)
        results = body(carried)
        left.add_incoming(builder.sub(left, int64(1)), builder.block)
        for phi, value in zip(carried, results, strict=True):
            phi.add_incoming(value, builder.block)
        builder.branch(head)
        builder.position_at_end(after)
        return carried

    def when(
        self,
        condition: Any,
        values: Sequence[Any],
        body: Callable[[Sequence[Any]], Sequence[Any]],
        label: str = "when",
    ) -> list[Any]:
        """`values`, passed through `body` if `condition` holds."""
        builder = self.builder
        before = builder.block
        inside = builder.append_basic_block(label)
        after = builder.append_basic_block(label + ".end")
        builder.cbranch(condition, inside, after)
        builder.position_at_end(inside)
        changed = body(values)
        end = builder.block
        builder.branch(after)
        builder.position_at_end(after)
        merged = []
        for old, new in zip(values, changed, strict=True):
            phi = builder.phi(old.type)
            phi.add_incoming(old, before)
            phi.add_incoming(new, end)
            merged.append(phi)
        return merged
