"""The frame of every strip: how it walks over channels and taps, and reads and writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from tapegrad_kernels.cpu.simd import INT32, INT64, POINTER, VOID, VectorWriter, int32, int64


class StripWriter(VectorWriter):
    """Writes a strip; the subclasses say what a tap does."""

    follows_output = True
    """Whether positions lie as the output does."""
    most_abreast = 1
    """Vectors of channels that a strip of one output takes at a time: more hide the latency."""

    def __init__(
        self, module: Any, function: Any, dtype: str, lanes: int, width: int, narrow: bool
    ) -> None:
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        super().__init__(module, builder, dtype, lanes)
        self.width = width
        (
            self.a, self.a_step, self.a_row, self.a_column,
            self.b, self.b_row, self.b_column,
            self.y, self.y_step,
            self.rows, self.columns, self.channels, self.flags, self.bias, self.positions,
        ) = function.args  # fmt: skip
        self.number = INT32 if self.size == 4 else INT64
        self.numbers = ir.VectorType(self.number, lanes)
        self.stored = ir.IntType(8) if narrow else INT32
        self.stored_size = 1 if narrow else 4
        self.shift = (self.size // self.stored_size).bit_length() - 1
        self.abreast = 1
        self._place(1)

    def _place(self, abreast: int) -> None:
        """Work out how far the outputs, and vectors of channels, are from the first."""
        self.abreast = abreast
        self.a_places = self._multiples(self.a_step, self.size)
        self.y_places = self._multiples(self.y_step, self.size)
        step = self.y_step if self.follows_output else self.a_step
        self.p_places = self._multiples(self._of_positions(step), self.stored_size)

    def _multiples(self, step: Any, size: int) -> list[Any]:
        builder = self.builder
        return [
            builder.add(builder.mul(step, int64(t)), int64(v * self.lanes * size))
            for t in range(self.width)
            for v in range(self.abreast)
        ]

    def _of_positions(self, distance: Any) -> Any:
        return self.builder.ashr(distance, int64(self.shift))

    # ---- the frame ---------------------------------------------------------------

    def write(self) -> None:
        """Emit the whole function: whole vectors of channels, then what is left."""
        builder = self.builder
        lanes = int64(self.lanes)
        pointers = [
            builder.inttoptr(address, POINTER)
            for address in (self.a, self.y, self.bias, self.positions)
        ]
        state = [pointers[0], self.b, *pointers[1:]]

        def vectors(state: list[Any]) -> list[Any]:
            self._vector(state, None)
            return self._advance(state)

        left = self.channels
        if self.width == 1 and self.most_abreast > 1:
            several = int64(self.lanes * self.most_abreast)
            self._place(self.most_abreast)
            state = self.loop(builder.sdiv(left, several), state, vectors, "abreast")
            left = builder.srem(left, several)
            self._place(1)
        state = self.loop(builder.sdiv(left, lanes), state, vectors, "channels")
        rest = builder.srem(self.channels, lanes)

        def last(values: Any) -> list[Any]:
            self._vector(state, self.lanes_below(rest))
            return []

        self.when(builder.icmp_signed(">", rest, int64(0)), [], last, "rest")
        builder.ret_void()

    def _advance(self, state: list[Any]) -> list[Any]:
        a, b, y, bias, positions = state
        width = self.lanes * self.size * self.abreast
        return [
            self.at(a, width),
            self.next_b(b, width),
            self.at(y, width),
            self.at(bias, width),
            self.at(positions, self.lanes * self.stored_size * self.abreast),
        ]

    def _vector(self, state: list[Any], mask: Any) -> None:
        a, b, y, bias, positions = state
        sums = self.begin(positions, mask)
        sums = self._walk(a, b, positions, sums, mask)
        self.end(sums, y, bias, positions, mask)

    def _walk(self, a: Any, b: Any, positions: Any, sums: list[Any], mask: Any) -> list[Any]:
        """All taps, row by row."""
        builder = self.builder
        p_row, p_column = self._of_positions(self.a_row), self._of_positions(self.a_column)

        def row(state: list[Any]) -> list[Any]:
            a, b, p, *sums = state

            def tap(state: list[Any]) -> list[Any]:
                a, b, p, *sums = state
                sums = self.tap(sums, a, b, p, mask)
                return [
                    self.at(a, self.a_column), builder.add(b, self.b_column),
                    self.at(p, p_column), *sums,
                ]  # fmt: skip

            sums = self.loop(self.columns, [a, b, p, *sums], tap, "tap")[3:]
            return [self.at(a, self.a_row), builder.add(b, self.b_row), self.at(p, p_row), *sums]

        return self.loop(self.rows, [a, b, positions, *sums], row, "row")[3:]

    # ---- what kinds share --------------------------------------------------------

    def read(self, pointer: Any, mask: Any) -> Any:
        """A vector, of which lanes beyond the last channel are not touched."""
        return self.load(pointer) if mask is None else self.load_masked(pointer, mask)

    def write_out(self, vector: Any, pointer: Any, mask: Any) -> None:
        """The counterpart of `read`."""
        if mask is None:
            self.store(vector, pointer)
        else:
            self.store_masked(vector, pointer, mask)

    def splat_number(self, tap: Any) -> Any:
        """The number of a tap in all lanes, as integers of the elements' width."""
        if self.number is INT32:
            tap = self.builder.trunc(tap, INT32)
        undefined = ir.Constant(self.numbers, ir.Undefined)
        first = self.builder.insert_element(undefined, tap, int32(0))
        lanes = ir.Constant(ir.VectorType(INT32, self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(first, undefined, lanes)

    def _stored_kind(self) -> tuple[Any, str]:
        vector = ir.VectorType(self.stored, self.lanes)
        return vector, f"v{self.lanes}i{8 * self.stored_size}"

    def read_numbers(self, pointer: Any, mask: Any) -> Any:
        """Recorded numbers, widened to the elements' width."""
        vector, kind = self._stored_kind()
        if mask is None:
            numbers = self.builder.load(pointer, typ=vector, align=self.stored_size)
        elif self.lanes == 2:
            first = self.builder.load(pointer, typ=self.stored, align=self.stored_size)
            zeros = ir.Constant(vector, [0] * self.lanes)
            numbers = self.builder.insert_element(zeros, first, int32(0))
        else:
            function = self._declare(
                f"llvm.masked.load.{kind}.p0", vector, [POINTER, INT32, self.mask, vector]
            )
            zeros = ir.Constant(vector, [0] * self.lanes)
            numbers = self.builder.call(function, [pointer, int32(self.stored_size), mask, zeros])
        return numbers if self.stored is self.number else self.builder.zext(numbers, self.numbers)

    def write_numbers(self, numbers: Any, pointer: Any, mask: Any) -> None:
        """The counterpart of `read_numbers`."""
        vector, kind = self._stored_kind()
        if self.stored is not self.number:
            numbers = self.builder.trunc(numbers, vector)
        if mask is None:
            self.builder.store(numbers, pointer, align=self.stored_size)
        elif self.lanes == 2:
            # LLVM 22 makes of two bytes, stored under a mask, a store of eight.
            first = self.builder.extract_element(numbers, int32(0))
            self.builder.store(first, pointer, align=self.stored_size)
        else:
            function = self._declare(
                f"llvm.masked.store.{kind}.p0", VOID, [vector, POINTER, INT32, self.mask]
            )
            self.builder.call(function, [numbers, pointer, int32(self.stored_size), mask])

    def if_flag(
        self, flag: int, values: list[Any], change: Callable[[Any], list[Any]]
    ) -> list[Any]:
        """`values`, changed if the strip was called with the flag."""
        masked = self.builder.and_(self.flags, int64(flag))
        return self.when(self.builder.icmp_signed("!=", masked, int64(0)), values, change, "flag")

    # ---- what a kind says --------------------------------------------------------

    def next_b(self, b: Any, width: int) -> Any:
        """`b` for the next vector of channels: the number of a tap stays."""
        return b

    def begin(self, positions: Any, mask: Any) -> list[Any]:
        """The values before the first tap."""
        return [self.zero] * len(self.a_places)

    def tap(self, sums: list[Any], a: Any, b: Any, p: Any, mask: Any) -> list[Any]:
        """The values after one more tap."""
        raise NotImplementedError

    def end(self, sums: list[Any], y: Any, bias: Any, positions: Any, mask: Any) -> None:
        """Store the values."""
        for value, place in zip(sums, self.y_places, strict=True):
            self.write_out(value, self.at(y, place), mask)
