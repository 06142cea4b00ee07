"""Generator of the strips: a few windows side by side, in vectors of channels.

A strip computes `width` outputs that lie in one row, all with the same number of
taps. It takes a vector of channels at a time and keeps those of all outputs in
registers while it walks over the taps, so that what a tap needs (its weights,
its number) is there once for all of them.

Five kinds differ in what a tap does:

``WEIGHT``  adds the source times the tap's weights
``SUM``     adds the source
``LARGEST`` keeps the largest source, and the number of its tap
``ROUTE``   adds the source if the number recorded there is this tap's
``PICK``    takes the source if the number recorded for the output is this tap's
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from tapegrad_kernels.cpu.simd import INT32, INT64, POINTER, VOID, VectorWriter, int32, int64

WEIGHT, SUM, LARGEST, ROUTE, PICK = range(5)
"""Kinds."""
DENSE = {(1, 3): 5, (1, 5): 6, (2, 3): 7}
"""Further kinds: WEIGHT for windows of adjacent taps, by the step of windows and taps in a row."""

BIAS = 1
"""Flag: add a vector over the channels."""
RELU = 2
"""Flag: replace negative results with zero (after the bias)."""
MEAN = 4
"""Flag: divide by the number of taps."""

STRIP_ARGUMENTS = 15
"""(a, a_step, a_row, a_column, b, b_row, b_column, y, y_step, rows, columns, channels, flags,
bias, positions): addresses, and distances in bytes. `b` is the address of the weights, or the
number of the first tap. Positions lie as the array does that they belong to: the source for
ROUTE, the output otherwise."""


def build_strip(module: Any, kind: int, dtype: str, lanes: int, width: int, narrow: bool) -> Any:
    """Emit a strip into `module`; `narrow` positions are bytes, others 32-bit integers."""
    size = "narrow" if narrow else "wide"
    name = f"strip_{kind}_{dtype}_{width}x{lanes}_{size}"
    function = ir.Function(module, ir.FunctionType(VOID, [INT64] * STRIP_ARGUMENTS), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    function.attributes.add("nounwind")
    _KINDS[kind](module, function, dtype, lanes, width, narrow).write()
    return function


class _StripWriter(VectorWriter):
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


class _Weight(_StripWriter):
    most_abreast = 4

    def next_b(self, b: Any, width: int) -> Any:
        return self.builder.add(b, int64(width))

    def _rows(self, pointer: Any, mask: Any) -> list[Any]:
        """What belongs to the vectors of channels, of which each output has all."""
        width = self.lanes * self.size
        rows = [self.read(self.at(pointer, v * width), mask) for v in range(self.abreast)]
        return rows * self.width

    def tap(self, sums: list[Any], a: Any, b: Any, p: Any, mask: Any) -> list[Any]:
        weights = self._rows(self.builder.inttoptr(b, POINTER), mask)
        return [
            self.multiply_add(self.read(self.at(a, place), mask), weight, value)
            for value, weight, place in zip(sums, weights, self.a_places, strict=True)
        ]

    def end(self, sums: list[Any], y: Any, bias: Any, positions: Any, mask: Any) -> None:
        builder = self.builder

        def add_bias(values: Any) -> list[Any]:
            rows = self._rows(bias, mask)
            return [builder.fadd(value, row) for value, row in zip(values, rows, strict=True)]

        def relu(values: Any) -> list[Any]:
            # An ordered comparison is false for NaN, which therefore passes.
            return [
                builder.select(builder.fcmp_ordered("<", value, self.zero), self.zero, value)
                for value in values
            ]

        sums = self.if_flag(BIAS, sums, add_bias)
        sums = self.if_flag(RELU, sums, relu)
        super().end(sums, y, bias, positions, mask)


class _Dense(_Weight):
    """Neighbouring windows share columns of taps: each source is loaded once."""

    most_abreast = 1
    stride, taps = 1, 3

    def _walk(self, a: Any, b: Any, positions: Any, sums: list[Any], mask: Any) -> list[Any]:
        builder = self.builder
        columns = (self.width - 1) * self.stride + self.taps
        places = [builder.mul(self.a_column, int64(column)) for column in range(columns)]

        def row(state: list[Any]) -> list[Any]:
            a, b, *sums = state
            weights = []
            of_tap = b
            for _ in range(self.taps):
                weights.append(self.read(builder.inttoptr(of_tap, POINTER), mask))
                of_tap = builder.add(of_tap, self.b_column)
            for column, place in enumerate(places):
                source = self.read(self.at(a, place), mask)
                for tap, weight in enumerate(weights):
                    t, between = divmod(column - tap, self.stride)
                    if not between and 0 <= t < self.width:
                        sums[t] = self.multiply_add(source, weight, sums[t])
            return [self.at(a, self.a_row), builder.add(b, self.b_row), *sums]

        return self.loop(self.rows, [a, b, *sums], row, "row")[2:]


class _Dense5(_Dense):
    taps = 5


class _DenseBy2(_Dense):
    stride = 2


class _Sum(_StripWriter):
    def tap(self, sums: list[Any], a: Any, b: Any, p: Any, mask: Any) -> list[Any]:
        return [
            self.builder.fadd(value, self.read(self.at(a, place), mask))
            for value, place in zip(sums, self.a_places, strict=True)
        ]

    def end(self, sums: list[Any], y: Any, bias: Any, positions: Any, mask: Any) -> None:
        builder = self.builder

        def divide(values: Any) -> list[Any]:
            count = builder.sitofp(builder.mul(self.rows, self.columns), self.element)
            counts = self.splat(count)
            return [builder.fdiv(value, counts) for value in values]

        super().end(self.if_flag(MEAN, sums, divide), y, bias, positions, mask)


class _Largest(_StripWriter):
    def begin(self, positions: Any, mask: Any) -> list[Any]:
        lowest = ir.Constant(self.vector, [float("-inf")] * self.lanes)
        return [lowest] * self.width + [self.splat_number(self.b)] * self.width

    def tap(self, sums: list[Any], a: Any, b: Any, p: Any, mask: Any) -> list[Any]:
        builder = self.builder
        here = self.splat_number(b)
        best, taps = sums[: self.width], sums[self.width :]
        for t, place in enumerate(self.a_places):
            value = self.read(self.at(a, place), mask)
            # Larger, or the first NaN: "unordered or greater" alone would also let a number
            # replace a NaN.
            above = builder.fcmp_unordered(">", value, best[t])
            is_number = builder.fcmp_ordered("ord", best[t], best[t])
            better = builder.and_(above, is_number)
            best[t] = builder.select(better, value, best[t])
            taps[t] = builder.select(better, here, taps[t])
        return best + taps

    def end(self, sums: list[Any], y: Any, bias: Any, positions: Any, mask: Any) -> None:
        super().end(sums[: self.width], y, bias, positions, mask)
        for numbers, place in zip(sums[self.width :], self.p_places, strict=True):
            self.write_numbers(numbers, self.at(positions, place), mask)


class _Route(_StripWriter):
    follows_output = False

    def tap(self, sums: list[Any], a: Any, b: Any, p: Any, mask: Any) -> list[Any]:
        builder = self.builder
        here = self.splat_number(b)
        following = []
        for t, value in enumerate(sums):
            numbers = self.read_numbers(self.at(p, self.p_places[t]), mask)
            part = self.read(self.at(a, self.a_places[t]), mask)
            chosen = builder.select(builder.icmp_signed("==", numbers, here), part, self.zero)
            following.append(builder.fadd(value, chosen))
        return following


class _Pick(_StripWriter):
    def begin(self, positions: Any, mask: Any) -> list[Any]:
        self._numbers = [
            self.read_numbers(self.at(positions, place), mask) for place in self.p_places
        ]
        return [self.zero] * self.width

    def tap(self, sums: list[Any], a: Any, b: Any, p: Any, mask: Any) -> list[Any]:
        builder = self.builder
        here = self.splat_number(b)
        return [
            builder.select(
                builder.icmp_signed("==", self._numbers[t], here),
                self.read(self.at(a, self.a_places[t]), mask),
                value,
            )
            for t, value in enumerate(sums)
        ]


_KINDS: dict[int, Callable[..., _StripWriter]] = {
    WEIGHT: _Weight,
    SUM: _Sum,
    LARGEST: _Largest,
    ROUTE: _Route,
    PICK: _Pick,
    DENSE[1, 3]: _Dense,
    DENSE[1, 5]: _Dense5,
    DENSE[2, 3]: _DenseBy2,
}
