"""A convolution and the pooling of its result as one operation, where nothing else needs it.

The result of the convolution, the largest array of many a network, is then never written to
memory: a few images at a time stay in the second cache.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from tapegrad._core.primitive import Primitive
from tapegrad._jit.passes.rewriting import is_known, with_operations
from tapegrad._jit.trace import Operation, Trace, Value


def _fused(pooling: str) -> Primitive:
    def forward(
        x: Any,
        w: Any,
        bias: Any = None,
        *,
        pool_size: Any,
        pool_strides: Any,
        pool_padding: Any,
        **how: Any,
    ) -> Any:
        """What the rows compute, by ordinary kernels."""
        from tapegrad_kernels import cpu

        y = cpu.conv2d(x, w, bias=bias, **how)
        window = {"pool_size": pool_size, "strides": pool_strides, "padding": pool_padding}
        return getattr(cpu, pooling)(y, **window)

    return Primitive(f"conv2d_{pooling}", saves="none", forward=forward)


FUSED = {"max_pool2d": _fused("max_pool2d"), "avg_pool2d": _fused("avg_pool2d")}
"""What programs do in place of two operations, by the second. They are no operations of users."""


def pool_convolutions(trace: Trace) -> Trace:
    """Replace a convolution and the pooling that alone needs its result by one operation."""
    uses = Counter(value for operation in trace.operations for value in operation.inputs)
    uses.update(trace.outputs)
    maker = {value: op for op in trace.operations for value in op.results}
    operations: list[Operation] = []
    gone: set[int] = set()
    for operation in trace.operations:
        before = _convolution_before(operation, maker, uses)
        if before is not None:
            gone.add(id(before))
            window = {
                "pool_size": operation.params["pool_size"],
                "pool_strides": operation.params.get("strides"),
                "pool_padding": operation.params.get("padding", "valid"),
            }
            operation = Operation(
                FUSED[operation.name],
                before.arguments,
                {**before.params, **window},
                operation.result,
            )
        operations.append(operation)
    return with_operations(trace, [op for op in operations if id(op) not in gone])


def _convolution_before(
    operation: Operation, maker: dict[Value, Operation], uses: Counter[Value]
) -> Operation | None:
    """The convolution whose result only this pooling needs, if both can be done together."""
    if operation.name not in FUSED or not is_known(operation):
        return None
    images = operation.arguments[0]
    before = maker.get(images)
    if before is None or uses[images] != 1 or not is_known(before):
        return None
    if before.name not in ("conv2d", "conv2d_with_bias"):
        return None
    from tapegrad_kernels.cpu.program.pooled_convolutions import can_be_pooled

    x, w = before.arguments[:2]
    return before if can_be_pooled(images.dtype, x.shape, w.shape, **before.params) else None
