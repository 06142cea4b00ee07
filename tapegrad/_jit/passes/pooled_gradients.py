"""The gradients through max-pooling, a relu and a bias, in one visit.

Where windows do not overlap, all three follow from the pooled values and the positions of the
largest; the arrays of the size of the images are written once and not read.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from tapegrad._core.primitive import Primitive
from tapegrad._jit.passes.rewriting import is_known, with_operations
from tapegrad._jit.trace import Operation, Trace, Value


def _forward(dy: Any, positions: Any, largest: Any, **params: Any) -> Any:
    """What the rows compute, by ordinary kernels."""
    from tapegrad_kernels import cpu

    dx = cpu.max_pool2d_grad(np.where(largest > 0, dy, dy.dtype.type(0)), positions, **params)
    return dx, cpu.sum(dx, axis=(0, 1, 2))


FUSED = Primitive("max_pool2d_relu_bias_grad", saves="none", forward=_forward)
"""What programs do in place of two operations. It is no operation of users."""


def fuse_pooled_gradients(trace: Trace) -> Trace:
    """Replace `max_pool2d_grad` and the `relu_bias_grad` of its result by one operation."""
    uses = Counter(value for operation in trace.operations for value in operation.inputs)
    uses.update(trace.outputs)
    maker = {value: op for op in trace.operations for value in op.results}
    operations: list[Operation] = []
    gone: set[int] = set()
    for operation in trace.operations:
        found = _fused(operation, maker, uses)
        if found is not None:
            before, operation = found
            gone.add(id(before))
        operations.append(operation)
    return with_operations(trace, [op for op in operations if id(op) not in gone])


def _fused(
    operation: Operation, maker: dict[Value, Operation], uses: Counter[Value]
) -> tuple[Operation, Operation] | None:
    if operation.name != "relu_bias_grad" or not is_known(operation):
        return None
    gradient, output = operation.arguments
    before = maker.get(gradient)
    if before is None or before.name != "max_pool2d_grad" or uses[gradient] != 1:
        return None
    dy, positions = before.arguments
    pooling = maker.get(positions)
    if pooling is None or pooling.name != "max_pool2d" or pooling.arguments[0] is not output:
        return None
    params = before.params
    options = {key: value for key, value in params.items() if key != "x_shape"}
    if pooling.params != options or dy.dtype != output.dtype:
        return None
    if output.dtype.name not in ("float32", "float64"):
        return None
    from tapegrad_kernels.cpu.program.pooled_gradients import windows_are_apart

    window = params["x_shape"], params["pool_size"], params.get("strides"), params["padding"]
    if not windows_are_apart(*window):
        return None
    largest = pooling.results[0]
    return before, Operation(FUSED, (dy, positions, largest), params, operation.result)
