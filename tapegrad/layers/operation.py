"""One operation of `tapegrad.ops` as a layer."""

from __future__ import annotations

from typing import Any

from tapegrad import ops  # noqa: F401 — fills the table of operations
from tapegrad._core.registry import operations, recorders
from tapegrad.layers.base import Layer
from tapegrad.layers.symbolic import has_symbolic
from tapegrad.utils.lookup import look_up

__all__ = ["Operation"]


class Operation(Layer):
    """Applies an operation: what an operator or a method of a symbolic tensor becomes.

    Parameters
    ----------
    operation
        Its name in `tapegrad.ops`, such as ``"add"``.
    **kwargs
        ``name``, as for every layer.

    Raises
    ------
    ValueError
        If there is no operation of this name.

    Examples
    --------
    >>> import numpy as np
    >>> import tapegrad as tg
    >>> x = tg.Input((4,))
    >>> model = tg.Model(x, 1.0 - x[:, ::2])
    >>> model(np.arange(4.0)[None]).numpy()
    array([[ 1., -1.]], dtype=float32)
    """

    _converts_inputs = False
    _accepts_masked = True

    def __init__(self, operation: str, **kwargs: Any) -> None:
        self._function = look_up(operation, operations, "operation")
        kwargs.setdefault("name", None)
        super().__init__(**kwargs)
        self.operation = operation
        self.built = True

    def _stem(self) -> str:
        return self._constructed_with[0][0] if self._constructed_with[0] else "operation"

    def _convert(self, inputs: Any) -> Any:
        """Return tensors as such; numbers stay numbers, which have no dtype of their own."""
        return self._convert_further(inputs)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Return the operation's result."""
        return self._function(*args, **kwargs)


def _recorded(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return the symbolic result of a call of an operation, None for one on real tensors."""
    return Operation(name)(*args, **kwargs) if has_symbolic(args, kwargs) else None


recorders.append(_recorded)
