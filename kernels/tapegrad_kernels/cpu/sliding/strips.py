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

from tapegrad_kernels.cpu.simd import INT64, POINTER, VOID, int64
from tapegrad_kernels.cpu.sliding.frame import StripWriter

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


class _Weight(StripWriter):
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


class _Sum(StripWriter):
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


class _Largest(StripWriter):
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


class _Route(StripWriter):
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


class _Pick(StripWriter):
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


_KINDS: dict[int, Callable[..., StripWriter]] = {
    WEIGHT: _Weight,
    SUM: _Sum,
    LARGEST: _Largest,
    ROUTE: _Route,
    PICK: _Pick,
    DENSE[1, 3]: _Dense,
    DENSE[1, 5]: _Dense5,
    DENSE[2, 3]: _DenseBy2,
}
