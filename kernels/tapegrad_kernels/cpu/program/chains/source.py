"""Writes the loop of a chain as Numba source.

The text depends on the structure of a chain alone: sizes and the values of numbers stand in
the record, so that chains which differ in these only share one compilation. The record holds
the addresses of the inputs and of the results, the number of columns, then the numbers.
"""

from __future__ import annotations

import functools
import re
from typing import Any

import numpy as np

from tapegrad_kernels.cpu.program.chains.description import Chain, Number
from tapegrad_kernels.cpu.program.chains.vocabulary import Operation, operation_of
from tapegrad_kernels.cpu.program.elementwise import number

_OPERATIONS = "tapegrad_kernels.cpu.program.chains.operations"
_WORD = re.compile(r"\w+")

_FLAT = """\
    for i in range(start, stop):
{body}
"""
_BY_ROWS = """\
    at = start
    while at < stop:
        row = at // columns
        base = row * columns
        last = min(base + columns, stop)
{columns}\
        for i in range(at, last):
{body}
        at = last
"""


def needed_steps(chain: Chain) -> list[tuple[int, Operation]]:
    """The steps that results depend on, with their positions, in order."""
    count = len(chain.inputs)
    wanted = set(chain.outputs)
    found: list[tuple[int, Operation]] = []
    for index in reversed(range(len(chain.steps))):
        if count + index in wanted:
            operation = operation_of(chain, chain.steps[index])
            wanted |= {a for a in operation.arguments if isinstance(a, int)}
            found.append((count + index, operation))
    return found[::-1]


def numbers_of(chain: Chain) -> list[float]:
    """The numbers of a chain in the order in which the loop of `source_of` expects them."""
    return [
        float(number(argument.value, dtype))
        for _, operation in needed_steps(chain)
        for argument, dtype in zip(operation.arguments, operation.dtypes)
        if isinstance(argument, Number)
    ]


@functools.lru_cache(1024)
def source_of(chain: Chain) -> str:
    """The source of a module with one function, ``chain(record, start, stop)``."""
    return _Writer(chain).module()


class _Writer:
    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.steps = needed_steps(chain)
        used = {a for _, o in self.steps for a in o.arguments if isinstance(a, int)}
        self.used = used | set(chain.outputs)
        self.by_rows = any(kind in ("row", "column") for kind in chain.kinds)
        self.declared: dict[str, str] = {}
        self.imported: set[str] = set()
        self.numbers: list[str] = []

    def module(self) -> str:
        """The text."""
        chain, results = self.chain, len(self.chain.outputs)
        before, columns, body = self.reads()
        body += [f"v{position} = {self.value(operation)}" for position, operation in self.steps]
        for k, position in enumerate(chain.outputs):
            dtype = chain.dtype_of(position)
            self.declare(f"write_{k}", "writer", f'writer("{dtype}", {k}, {results})')
            body.append(f"write_{k}(y{k}, i, v{position})")
        addresses = [
            *(f"x{k}" for k in range(len(chain.inputs))),
            *(f"y{k}" for k in range(results)),
        ]
        unpack = [f"{name} = packed[{k}]" for k, name in enumerate(addresses)]
        if self.by_rows:
            unpack.append(f"columns = packed[{len(addresses)}]")
        first = len(addresses) + 1
        taken = [f"n{k} = {text.format(first + k)}" for k, text in enumerate(self.numbers)]
        loop = (_BY_ROWS if self.by_rows else _FLAT).format(
            body=_indented(body, 3 if self.by_rows else 2).rstrip("\n"),
            columns=_indented(columns, 2),
        )
        pointers = ["int64_at"]
        if self.numbers:
            pointers.insert(0, "float64_at")
            unpack.append("numbers = float64_at(record)")
        described = ", ".join(map(_described, chain.inputs, chain.kinds))
        head = f'"""{", ".join(chain.names)}: {described}."""'
        lines = [
            head,
            "import numpy as np",
            f"from tapegrad_kernels._compile.pointers import {', '.join(pointers)}",
            f"from {_OPERATIONS} import {', '.join(sorted(self.imported))}",
            *(f"{name} = {text}" for name, text in sorted(self.declared.items())),
            "",
            "",
            "def chain(record, start, stop):",
            "    packed = int64_at(record)",
        ]
        return "\n".join(lines) + "\n" + _indented([*unpack, *taken, *before], 1) + loop

    def reads(self) -> tuple[list[str], list[str], list[str]]:
        """What is read before all loops, for each row, and for each element."""
        before: list[str] = []
        columns: list[str] = []
        body: list[str] = []
        index = {"full": "i", "row": "i - base", "column": "row", "scalar": "0"}
        places = {"scalar": before, "column": columns}
        for k, (dtype, kind) in enumerate(zip(self.chain.inputs, self.chain.kinds)):
            if k in self.used:
                name = f"read_{dtype}"
                self.declare(name, "reader", f'reader("{dtype}", {len(self.chain.outputs)})')
                places.get(kind, body).append(f"v{k} = {name}(x{k}, {index[kind]})")
        return before, columns, body

    def declare(self, name: str, maker: str | None, text: str) -> str:
        """Give a name to something at the head of the module."""
        if maker is not None:
            self.imported.add(maker)
        self.declared[name] = text
        return name

    def value(self, operation: Operation) -> str:
        """The expression of a step."""
        converted = [
            self.argument(argument, dtype)
            for argument, dtype in zip(operation.arguments, operation.dtypes)
        ]
        # The last argument tells: the first of `where` is a condition.
        computed = operation.dtypes[-2]
        expression = operation.expression
        if expression is None:
            name, listed = operation.name, ", ".join(converted)
            made = self.declare(
                f"{name}_{computed}", "function", f'function("{name}", "{computed}")'
            )
            return f"{made}({listed})"
        names: dict[str, str] = dict(zip("abc", converted))
        text = _WORD.sub(
            lambda word: names.get(word[0]) or self.word(word[0], computed), expression
        )
        if operation.name == "copy":
            return self.convert(text, computed, operation.dtypes[-1])
        return text

    def word(self, word: str, dtype: np.dtype[Any]) -> str:
        """A word of an expression that is not an argument."""
        constants = {"zero": "0.0", "one": "1.0", "infinity": "np.inf"}
        if word in constants:
            return self.declare(f"{word}_{dtype}", None, f"np.{dtype}({constants[word]})")
        if word in ("floor", "ceil", "trunc", "rint"):
            return self.declare(word, "rounding", f'rounding("{word}")')
        if word in ("square_root", "largest", "smallest"):
            self.imported.add(word)
        return word

    def argument(self, argument: int | Number, dtype: np.dtype[Any]) -> str:
        """An argument, converted."""
        if isinstance(argument, int):
            return self.convert(f"v{argument}", self.chain.dtype_of(argument), dtype)
        name = f"n{len(self.numbers)}"
        form = {"bool": "numbers[{}] != 0.0", "float64": "numbers[{}]"}
        self.numbers.append(form.get(dtype.name) or self.real(dtype) + "(numbers[{}])")
        return name

    def real(self, dtype: np.dtype[Any]) -> str:
        """The name of a real type."""
        return self.declare(dtype.name, None, f"np.{dtype}")

    def convert(self, text: str, source: np.dtype[Any], target: np.dtype[Any]) -> str:
        """A value in another type."""
        if source == target:
            return text
        if target.kind == "b":
            return f"({text} != {self.word('zero', source)})"
        if source.kind == "b":
            return f"({self.word('one', target)} if {text} else {self.word('zero', target)})"
        return f"{self.real(target)}({text})"


def _described(dtype: np.dtype[Any], kind: str) -> str:
    return f"{dtype} {kind}"


def _indented(lines: list[str], depth: int) -> str:
    return "".join("    " * depth + line + "\n" for line in lines)
