"""Operations of a program that are called from Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tapegrad._jit.trace import Operation, Value
from tapegrad_kernels.cpu.program.operand import Operand

Resolve = Callable[[Operand], np.ndarray[Any, Any]]


class HostCall:
    """The ordinary call of an operation's kernel, over the memory of a run.

    Used for operations without rows, and to have the error raised that a row only noticed.
    """

    def __init__(self, operation: Operation, operands: dict[Value, Operand]) -> None:
        self._operation = operation
        self._operands = operands

    def __call__(self, resolve: Resolve) -> None:
        """Run the kernel; `resolve` gives the array of an operand."""
        operation = self._operation
        mutates = getattr(operation.primitive, "mutates", ())
        arguments = []
        for position, argument in enumerate(operation.arguments):
            array = self._array(argument, resolve)
            if type(argument) is Value and position not in mutates:
                array.flags.writeable = False
            arguments.append(array)
        params = {key: self._array(value, resolve) for key, value in operation.params.items()}
        raw = operation.primitive._implementation("cpu")(*arguments, **params)
        if not operation.is_effect:
            self._store(raw, operation.result, resolve)

    def _array(self, part: Any, resolve: Resolve) -> Any:
        if type(part) is Value:
            return resolve(self._operands[part])
        if type(part) is tuple:
            return tuple([self._array(p, resolve) for p in part])
        return part

    def _store(self, raw: Any, result: Any, resolve: Resolve) -> None:
        if type(result) is tuple:
            for part, place in zip(raw, result, strict=True):
                self._store(part, place, resolve)
        elif type(result) is Value:
            target = resolve(self._operands[result])
            raw = np.asarray(raw)
            if raw.shape != target.shape or raw.dtype != target.dtype:
                raise TypeError(
                    f"{self._operation.name}: returned {raw.dtype}{list(raw.shape)} in a recorded "
                    f"call and {target.dtype}{list(target.shape)} when it was recorded; what a "
                    "primitive returns must depend on shapes and dtypes alone"
                )
            np.copyto(target, raw)
