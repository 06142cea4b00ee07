"""Operations in networks that are being put together: there they are recorded, not run."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tapegrad._core import registry

__all__ = ["FUNCTIONS", "accepting_symbols"]

# What listings call on the outputs of layers. Not the fused operations of layers: each call of
# these counts, and there are the layers themselves.
FUNCTIONS = (
    *("all", "any", "argmax", "argmin", "argsort", "atleast_1d", "atleast_2d", "broadcast_to"),
    *("cast", "clip", "concatenate", "count_nonzero", "cummax", "cummin", "cumprod", "cumsum"),
    *("diag", "diagonal", "diff", "dot", "expand_dims", "flip", "full_like", "gelu", "hstack"),
    *("inner", "log_softmax", "logcumsumexp", "logsumexp", "matmul", "max", "mean", "min"),
    *("moveaxis", "norm", "one_hot", "ones_like", "outer", "pad", "prod", "ravel", "repeat"),
    *("reshape", "roll", "softmax", "sort", "split", "squeeze", "stack", "std", "stop_gradient"),
    *("sum", "swapaxes", "take", "take_along_axis", "tensordot", "tile", "top_k", "trace"),
    *("transpose", "tril", "triu", "var", "vdot", "vstack", "where", "zeros_like"),
)


def accepting_symbols(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that is recorded where an argument is a symbolic tensor.

    Real tensors cost nothing but the call: only where the function fails are symbols looked for.
    """

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception:
            recorded = registry.record(name, args, kwargs)
            if recorded is None:
                raise
            return recorded

    return called
