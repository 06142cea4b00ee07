"""What a recorded call consists of: values, and the operations between them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tapegrad._core.primitive import Effect, Primitive

Shape = tuple[int, ...]

INPUT, VARIABLE, CONSTANT, RESULT = "input", "variable", "constant", "result"


class Value:
    """A tensor of a recorded call.

    Attributes
    ----------
    kind : str
        ``"input"``, an argument of the call; ``"variable"``, what a Variable holds from one
        write to the next; ``"constant"``, a tensor from outside; ``"result"`` of an operation.
    source : object
        The position of the input, the Variable, or the array of the constant.
    interval : tuple of int
        For a Variable, the addresses between which it lay when it was recorded.
    moved : bool
        Whether the Variable moved to other memory when it was written, since somebody held this
        value. The effect that follows has it among what it writes.
    """

    __slots__ = ("dtype", "interval", "kind", "moved", "shape", "source")

    def __init__(self, kind: str, shape: Shape, dtype: Any, source: Any = None) -> None:
        self.kind = kind
        self.shape = shape
        self.dtype = dtype
        self.source = source
        self.interval: tuple[int, int] = (0, 0)
        self.moved = False

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        count = self.dtype.itemsize
        for length in self.shape:
            count *= length
        return count

    def __repr__(self) -> str:
        return f"<{self.kind} {self.dtype}{list(self.shape)}>"


class Operation:
    """One call of a primitive.

    Attributes
    ----------
    arguments : tuple
        A `Value` for each tensor, everything else as it was.
    result : Value, tuple or None
        A tuple, perhaps nested, where the primitive returns several; None for an effect.
    written : tuple of Value
        The Variables that an effect writes into.
    """

    __slots__ = ("arguments", "params", "primitive", "result", "written")

    def __init__(
        self,
        primitive: Primitive,
        arguments: tuple[Any, ...],
        params: dict[str, Any],
        result: Any,
        written: tuple[Value, ...] = (),
    ) -> None:
        self.primitive = primitive
        self.arguments = arguments
        self.params = params
        self.result = result
        self.written = written

    @property
    def name(self) -> str:
        """Name of the primitive."""
        return self.primitive.name

    @property
    def is_effect(self) -> bool:
        """Whether it writes into Variables."""
        return isinstance(self.primitive, Effect)

    @property
    def inputs(self) -> list[Value]:
        """The values among the arguments and parameters."""
        found = [a for a in self.arguments if type(a) is Value]
        found += [p for p in _values_in(self.params) if p not in found]
        return found

    @property
    def results(self) -> list[Value]:
        """All values that it gives, flat."""
        return list(leaves(self.result))

    def __repr__(self) -> str:
        given = ", ".join(map(repr, self.arguments))
        return f"{self.name}({given}) -> {self.result!r}"


def _values_in(structure: Any) -> Iterator[Value]:
    if type(structure) is Value:
        yield structure
    elif isinstance(structure, dict):
        for part in structure.values():
            yield from _values_in(part)
    elif isinstance(structure, tuple | list):
        for part in structure:
            yield from _values_in(part)


def leaves(result: Any) -> Iterator[Value]:
    """The values of a result, which may be nested in tuples."""
    if type(result) is Value:
        yield result
    elif isinstance(result, tuple):
        for part in result:
            yield from leaves(part)


class Trace:
    """A recorded call.

    Attributes
    ----------
    inputs : list of Value
        The arguments that are tensors.
    operations : list of Operation
        In the order in which they ran.
    outputs : list of Value
        What the call returned.
    flats : list of FlatVariables
        Groups of Variables in one buffer that are written together.
    """

    def __init__(self) -> None:
        self.inputs: list[Value] = []
        self.operations: list[Operation] = []
        self.outputs: list[Value] = []
        self.flats: list[Any] = []
