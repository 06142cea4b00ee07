"""How many arithmetic operations a layer takes for one sample."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

from tapegrad._core.state import thread
from tapegrad.layers.symbolic import Node, run_on_zeros

__all__ = ["operations_of_call"]

# A dry run is not worth waiting for where one sample alone fills more than this many elements.
_LARGEST_SAMPLE = 1 << 24


def operations_of_call(node: Node) -> int | None:
    """Return the additions, multiplications and further functions of one call, for one sample.

    A product of matrices counts as two operations for each multiplication with its addition, an
    elementwise function as one for each element. Counted by running the layer on zeros and adding
    up what each operation of the library had to do; None if the layer cannot be run so.

    Parameters
    ----------
    node
        The call.
    """
    counter = _Counter()
    if not node.inputs:
        return 0
    # Axes of unknown length, the samples' among them, are given the length one.
    shapes = [[n or 1 for n in symbol.shape] for symbol in node.inputs]
    if any(math.prod(shape) > _LARGEST_SAMPLE for shape in shapes):
        return None

    try:
        run_on_zeros(node.layer, node.args, node.kwargs, 1, lambda: _listening(counter))
    except Exception:  # a layer of the user's own may not take zeros, or length one
        return None
    return counter.total


@contextmanager
def _listening(counter: _Counter) -> Any:
    saved = thread.listeners
    thread.listeners = (counter,)
    try:
        yield
    finally:
        thread.listeners = saved


class _Counter:
    """Listens to operations and adds up what each has to do."""

    def __init__(self) -> None:
        self.total = 0

    def record(self, primitive: Any, args: Any, params: dict[str, Any], result: Any) -> None:
        """Add one operation."""
        rule = _RULES.get(primitive.name)
        outputs = result if isinstance(result, tuple) else (result,)
        if rule is not None:
            self.total += int(rule(args, params, outputs))
        elif not primitive.view and primitive.name not in _FREE:
            self.total += max((part.size for part in outputs if hasattr(part, "size")), default=0)


# What only moves elements about.
_FREE = frozenset(
    (
        "assign",
        "broadcast_to",
        "concatenate",
        "copy_to",
        "full_like",
        "gather",
        "gather_along_axis",
        "getitem",
        "identity",
        "one_hot",
        "pad",
        "upsample2d",
    )
)


def _product(args: Any, params: dict[str, Any], outputs: Any) -> float:
    inner = args[0].shape[-2 if params.get("transpose_a") else -1] if args[0].ndim else 1
    return outputs[0].size * (2.0 * inner + _extras(args, params))


def _extras(args: Any, params: dict[str, Any]) -> int:
    """Return how many operations an element takes for a bias and an activation added to it."""
    return int(len(args) > 2 and args[2] is not None) + int(params.get("activation") is not None)


def _convolution(args: Any, params: dict[str, Any], outputs: Any) -> float:
    kernel = args[1].shape  # (height, width, channels of a group, filters)
    return outputs[0].size * (2.0 * math.prod(kernel[:-1]) + _extras(args, params))


def _transposed_convolution(args: Any, params: dict[str, Any], outputs: Any) -> float:
    # As many multiplications as the convolution whose gradient it is.
    return 2.0 * args[0].size * math.prod(args[1].shape[:-1])


def _depthwise(args: Any, params: dict[str, Any], outputs: Any) -> float:
    return 2.0 * outputs[0].size * math.prod(args[1].shape[:-2])


def _transposed_depthwise(args: Any, params: dict[str, Any], outputs: Any) -> float:
    return 2.0 * args[0].size * math.prod(args[1].shape[:-2])


def _recurrent(args: Any, params: dict[str, Any], outputs: Any) -> float:
    x, kernel, recurrent = args[0], args[1], args[2]
    return 2.0 * math.prod(x.shape[:2]) * (kernel.size + recurrent.size)


def _attention(args: Any, params: dict[str, Any], outputs: Any) -> float:
    query, key, value = args[0], args[1], args[2]
    scores = math.prod(query.shape[:-1]) * key.shape[-2]
    return 2.0 * scores * (query.shape[-1] + value.shape[-1])


_RULES: dict[str, Callable[..., float]] = {
    "dense": _product,
    "matmul": _product,
    "conv2d": _convolution,
    "conv2d_with_bias": _convolution,
    "conv2d_input_grad": _transposed_convolution,
    "depthwise_conv2d": _depthwise,
    "depthwise_conv2d_input_grad": _transposed_depthwise,
    "lstm_forward": _recurrent,
    "gru_forward": _recurrent,
    "simple_rnn_forward": _recurrent,
    "attention": _attention,
}
