"""A callback made of functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tapegrad.callbacks.base import Callback
from tapegrad.utils.lookup import suggestion

__all__ = ["LambdaCallback"]

_Function = Callable[..., Any]

_METHODS = [name for name in dir(Callback) if name.startswith("on_")]


class LambdaCallback(Callback):
    """Calls functions at the points of training.

    Parameters
    ----------
    on_epoch_begin, on_epoch_end
        Called with the epoch, from 0, and the logs.
    on_train_begin, on_train_end
        Called with the logs.
    on_train_batch_begin, on_train_batch_end
        Called with the batch, from 0, and the logs.
    **kwargs
        Functions for further methods of `Callback`, by name.

    Raises
    ------
    TypeError
        If a `Callback` has no such method, or something is no function.

    Examples
    --------
    >>> import numpy as np
    >>> import tapegrad as tg
    >>> model = tg.Sequential([tg.layers.Dense(1, input_dim=2)])
    >>> model.compile("sgd", "mse")
    >>> printer = LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, sorted(logs)))
    >>> history = model.fit(np.ones((4, 2)), np.ones(4), callbacks=[printer], verbose=0)
    0 ['loss']
    """

    def __init__(
        self,
        on_epoch_begin: _Function | None = None,
        on_epoch_end: _Function | None = None,
        on_train_begin: _Function | None = None,
        on_train_end: _Function | None = None,
        on_train_batch_begin: _Function | None = None,
        on_train_batch_end: _Function | None = None,
        **kwargs: _Function,
    ) -> None:
        super().__init__()
        functions = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **kwargs,
        }
        for name, function in functions.items():
            if name not in _METHODS:
                raise TypeError(
                    f"LambdaCallback: callbacks have no method {name!r}."
                    f"{suggestion(name, _METHODS)}"
                )
            if function is None:
                continue
            if not callable(function):
                raise TypeError(f"LambdaCallback: {name} must be a function, not {function!r}.")
            setattr(self, name, function)
