"""Bias and activation as the end of a product or a convolution.

``matmul`` and ``add`` of a vector become ``dense``, ``conv2d`` and ``add`` become
``conv2d_with_bias``, and an activation of such a result, where nobody else needs it, is computed
while the result is in registers. Kernels add the bias to the finished sum and round as the
separate operations do, so that results keep their bits.
"""

from __future__ import annotations

from collections import Counter

from tapegrad._core.registry import primitives
from tapegrad._jit.passes.rewriting import is_known, with_operations
from tapegrad._jit.trace import Operation, Trace, Value

_ACTIVATIONS = frozenset({"relu", "tanh", "sigmoid"})
_WITH_BIAS = {"matmul": "dense", "conv2d": "conv2d_with_bias"}


def fold_epilogues(trace: Trace) -> Trace:
    """Let products end with the bias and the activation that follow them."""
    uses = Counter(value for operation in trace.operations for value in operation.inputs)
    uses.update(trace.outputs)
    maker: dict[Value, int] = {}
    operations: list[Operation | None] = list(trace.operations)
    for number, operation in enumerate(trace.operations):
        folded = _with_bias(operation, operations, maker, uses)
        if folded is None:
            folded = _with_activation(operation, operations, maker, uses)
        if folded is not None:
            before, new = folded
            operations[before] = None
            operations[number] = operation = new
        if type(operation.result) is Value:
            maker[operation.result] = number
    return with_operations(trace, [op for op in operations if op is not None])


_Folded = tuple[int, Operation] | None
_Operations = list[Operation | None]


def _only_use(
    value: object, operations: _Operations, maker: dict[Value, int], uses: Counter[Value]
) -> tuple[int, Operation] | None:
    """Number and operation that made a value which is needed once."""
    if type(value) is not Value or uses[value] != 1 or value not in maker:
        return None
    made = operations[maker[value]]
    return None if made is None or not is_known(made) else (maker[value], made)


def _with_bias(
    operation: Operation, operations: _Operations, maker: dict[Value, int], uses: Counter[Value]
) -> _Folded:
    if operation.name != "add" or not is_known(operation):
        return None
    for product, bias in (operation.arguments, operation.arguments[::-1]):
        found = _only_use(product, operations, maker, uses)
        if found is None or type(bias) is not Value:
            continue
        before, made = found
        name = _WITH_BIAS.get(made.name)
        if name is None or not _takes_bias(made, bias, operation):
            continue
        params = {**made.params, "activation": None}
        if name == "dense":
            params = {"activation": None}
        new = Operation(primitives[name], (*made.arguments, bias), params, operation.result)
        return before, new
    return None


def _takes_bias(made: Operation, bias: Value, addition: Operation) -> bool:
    """Whether the product's kernel with bias does what the addition did."""
    left, right = made.arguments[:2]
    result = addition.result
    if type(left) is not Value or type(right) is not Value or type(result) is not Value:
        return False
    product = made.result
    one_dtype = left.dtype == right.dtype == bias.dtype == result.dtype
    if not one_dtype or result.dtype.name not in ("float32", "float64"):
        return False
    if bias.shape != product.shape[-1:] or result.shape != product.shape:
        return False
    if made.name == "matmul":
        plain = not made.params.get("transpose_a") and not made.params.get("transpose_b")
        return plain and len(right.shape) == 2 and len(left.shape) >= 2
    return made.params.get("activation") is None and len(made.arguments) == 2


def _with_activation(
    operation: Operation, operations: _Operations, maker: dict[Value, int], uses: Counter[Value]
) -> _Folded:
    if operation.name not in _ACTIVATIONS or not is_known(operation) or operation.params:
        return None
    found = _only_use(operation.arguments[0], operations, maker, uses)
    if found is None:
        return None
    before, made = found
    if made.name not in _WITH_BIAS.values() or made.params.get("activation") is not None:
        return None
    params = {**made.params, "activation": operation.name}
    return before, Operation(made.primitive, made.arguments, params, operation.result)
