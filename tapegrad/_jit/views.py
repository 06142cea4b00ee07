"""Which results are views of an argument, and of what."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._jit.trace import Operation, Value
from tapegrad_kernels.cpu.program.operand import Operand


def view_of(operation: Operation, operand: Operand) -> Operand | None:
    """Where the result of an operation lies if it is a view of its first argument, else None.

    The operation's own kernel is asked, over memory that nobody reads.
    """
    result = operation.result
    if not operation.primitive.view or type(result) is not Value:
        return None
    if result.nbytes == 0:
        return Operand(operand.buffer, operand.offset, result.shape, result.dtype)
    if operand.size == 0:
        return None
    low = sum(min(0, (n - 1) * s) for n, s in zip(operand.shape, operand.strides))
    high = sum(max(0, (n - 1) * s) for n, s in zip(operand.shape, operand.strides))
    memory = np.empty(high - low + operand.itemsize, np.uint8)
    probe: Any = np.ndarray(operand.shape, operand.dtype, memory, -low, operand.strides)
    if operation.name == "astype" and result.dtype != operand.dtype:
        return None
    if operation.name == "sum_to_shape" and result.shape != operand.shape:
        return None
    params = operation.params
    raw: Any = operation.primitive._implementation("cpu")(probe, **params)
    if not isinstance(raw, np.ndarray) or raw.size == 0 or not np.may_share_memory(raw, memory):
        return None
    ahead = raw.__array_interface__["data"][0] - probe.__array_interface__["data"][0]
    return Operand(operand.buffer, operand.offset + ahead, raw.shape, raw.dtype, raw.strides)
