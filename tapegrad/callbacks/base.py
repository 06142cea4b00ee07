"""What is called at set points of training, and the list that calls it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tapegrad.models.model import Model

__all__ = ["Callback", "CallbackList"]

Logs = dict[str, Any]


class Callback:
    """Base of all callbacks: overwrite the methods whose moment matters.

    ``self.model`` is the model, ``self.params`` a dict with ``epochs``, ``steps`` and ``verbose``.
    ``logs`` holds the values so far under their names; what a callback adds to those of
    `on_epoch_end` is seen by later callbacks. Setting ``self.model.stop_training = True`` ends
    training after the batch or epoch in progress.

    Where no callback overwrites `on_train_batch_begin` or `on_train_batch_end`, `fit` takes many
    steps in one native call. A callback that does so, and says ``takes_many_batches = True`` beside
    it, is content with `on_train_batches_end` then.

    A callback that remembers something from one epoch to the next overwrites `get_state` and
    `set_state`, so that a run that was killed can be taken up where it was.

    Examples
    --------
    >>> class Printer(Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(epoch, sorted(logs))
    """

    takes_many_batches = False
    """Whether `on_train_batches_end` may be called in place of both methods for each batch."""

    def __init__(self) -> None:
        self.model: Any = None
        self.params: dict[str, Any] = {}
        self.validation_data: Any = None

    def set_model(self, model: Model) -> None:
        """Take note of the model."""
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        """Take note of epochs, steps and verbosity."""
        self.params = params

    def get_state(self) -> dict[str, Any]:
        """Return what the callback remembers: values fit for JSON, NumPy arrays and lists of them.

        It may be asked for between any two batches.
        """
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Remember what `get_state` returned in an earlier process.

        It is called after `on_train_begin`, before the first epoch or batch.
        """

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Act before the first epoch of `fit`."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Act after the last epoch of `fit`, also if training was interrupted."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Act before an epoch; epochs count from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Act after an epoch and its validation; `logs` has the values of both."""

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Act before a training batch, under the method's short name."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Act after a training batch, under the method's short name."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Act before a training batch."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Act after a training batch; `logs` has the means of the epoch so far."""
        self.on_batch_end(batch, logs)

    def on_train_batches_end(self, batch: int, count: int, logs: Logs) -> None:
        """Act after `count` training batches that were one call, the last of number `batch`."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Act before an evaluation, also the validation within `fit`."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Act after an evaluation."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Act before a batch of an evaluation."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Act after a batch of an evaluation."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Act before `predict`."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Act after `predict`."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Act before a batch of `predict`."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Act after a batch of `predict`."""


_SHORT_NAMES = {"on_train_batch_begin": "on_batch_begin", "on_train_batch_end": "on_batch_end"}


class CallbackList:
    """Calls a list of callbacks in order.

    Methods that a callback does not overwrite are not called at all, so that the step loop pays
    for what is used.

    Parameters
    ----------
    callbacks
        The callbacks.
    model
        The model that they are told of.
    params
        What they are told besides: ``epochs``, ``steps``, ``verbose``.

    Raises
    ------
    TypeError
        If a callback has no `set_model`: one hands over objects, not classes or functions.

    Examples
    --------
    >>> CallbackList([Callback()]).on_epoch_end(0, {"loss": 1.0})
    """

    def __init__(
        self,
        callbacks: Sequence[Any] | Any | None = None,
        model: Any = None,
        params: dict[str, Any] | None = None,
    ) -> None:
        if callbacks is None:
            callbacks = []
        elif not isinstance(callbacks, list | tuple):
            callbacks = [callbacks]
        self.callbacks = list(callbacks)
        for callback in self.callbacks:
            if isinstance(callback, type) or not hasattr(callback, "set_model"):
                raise TypeError(f"callbacks: expected Callback objects, got {_shown(callback)}.")
            callback.set_params(params or {})
            if model is not None:
                callback.set_model(model)
        self._chosen: dict[str, list[Callable[..., Any]]] = {}

    def wants(self, method: str) -> bool:
        """Whether any callback overwrites this method."""
        return bool(self._methods(method))

    @property
    def want_each_batch(self) -> bool:
        """Whether any callback must be called before or after each batch of training."""
        return any(_wants_each_batch(callback) for callback in self.callbacks)

    @property
    def want_each_test_batch(self) -> bool:
        """Whether any callback must be called before or after each batch of an evaluation."""
        return self.wants("on_test_batch_begin") or self.wants("on_test_batch_end")

    @property
    def want_each_predict_batch(self) -> bool:
        """Whether any callback must be called before or after each batch of a prediction."""
        return self.wants("on_predict_batch_begin") or self.wants("on_predict_batch_end")

    def on_train_batches_end(self, batch: int, count: int, logs: Logs) -> None:
        """Act after the last of several batches, none of which any callback wants to know of."""
        for callback in self.callbacks:
            if getattr(callback, "takes_many_batches", False):
                callback.on_train_batches_end(batch, count, logs)

    def _methods(self, name: str) -> list[Callable[..., Any]]:
        if name not in self._chosen:
            names = [name, *([_SHORT_NAMES[name]] if name in _SHORT_NAMES else [])]
            self._chosen[name] = [
                getattr(callback, name)
                for callback in self.callbacks
                if any(_overwrites(callback, each) for each in names)
            ]
        return self._chosen[name]

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Return a function that calls the method of this name of each callback."""
        if not name.startswith("on_"):
            raise AttributeError(name)
        methods = self._methods(name)
        count = 2 if "epoch" in name or "batch" in name else 1  # (number, logs) or (logs)

        def call_all(*args: Any) -> None:
            if len(args) < count:  # methods of users, and lambdas, may have no default for logs
                args = (*args, {})
            for method in methods:
                method(*args)

        # Kept as an attribute: the next look-up does not come here.
        self.__dict__[name] = call_all
        return call_all


def _shown(callback: Any) -> str:
    """Return what was given instead of a callback, in words."""
    if isinstance(callback, type):
        return f"the class {callback.__name__}; make one with {callback.__name__}(…)"
    if callable(callback) and hasattr(callback, "__name__"):
        return f"the function {callback.__name__}; wrap it, as LambdaCallback(on_epoch_end=…)"
    return repr(callback)


_EACH_BATCH = {*_SHORT_NAMES, *_SHORT_NAMES.values()}


def _wants_each_batch(callback: Any) -> bool:
    """Whether a callback overwrites a method for batches, and not beside `takes_many_batches`."""
    if not any(_overwrites(callback, name) for name in _EACH_BATCH):
        return False
    if not _EACH_BATCH.isdisjoint(vars(callback)):
        return True
    for kind in type(callback).__mro__:
        if "takes_many_batches" in vars(kind):
            return not callback.takes_many_batches
        if not _EACH_BATCH.isdisjoint(vars(kind)):
            return True
    return True


def _overwrites(callback: Any, name: str) -> bool:
    if name in vars(callback):
        return True
    return getattr(type(callback), name, None) is not getattr(Callback, name)
