"""The loops over batches and epochs: fit, evaluate, predict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad._core.state import no_record
from tapegrad._core.tensor import Tensor
from tapegrad.callbacks import CallbackList, EpochLine, History, ProgressBar
from tapegrad.training.data import ArrayData, split_off_validation, unpack
from tapegrad.training.steps import Steps

__all__ = ["Trainer"]


class Trainer(Steps):
    """Trains and evaluates a model; `tapegrad.Model` is a layer with this face."""

    # ---- loops -----------------------------------------------------------------------

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
    ) -> History:
        """Train the model.

        Parameters
        ----------
        x
            Inputs, one sample a row.
        y
            Targets, in the same order.
        batch_size
            Samples a step, 32 by default; the last batch of an epoch may be shorter, and counts
            in the epoch's values by its size.
        epochs
            The number of the last epoch: passes over the data, if `initial_epoch` is 0.
        verbose
            0 is silent, 1 (and ``"auto"``) a progress bar, 2 a line an epoch.
        callbacks
            Callbacks, called in order.
        validation_split
            The fraction of samples at the end of the data, before shuffling, that are kept for
            validation.
        validation_data
            ``(x, y)`` or ``(x, y, sample_weight)`` to validate on; goes before
            `validation_split`.
        shuffle
            Whether each epoch goes through the samples in a new order, drawn from tapegrad's
            generator (see `tapegrad.set_seed`).
        class_weight
            A factor on the loss of each class's samples; classes not named have 1.
        sample_weight
            A factor on the loss of each sample.
        initial_epoch
            The epoch to begin with, from 0.
        steps_per_epoch, validation_steps
            At most so many batches an epoch, and a validation.
        validation_batch_size
            By default `batch_size`.
        validation_freq
            Validate after every so many epochs, or after those listed (from 1).

        Returns
        -------
        History
            Its ``history`` has the values of each epoch under ``"loss"`` and the metrics' names.

        Raises
        ------
        RuntimeError
            If the model is not compiled.
        TypeError, ValueError
            If the data do not fit: before the first step, in one sentence.
        KeyboardInterrupt
            Passed on, after `on_train_end`; the model, and ``model.history`` with the whole
            epochs, can be used.

        Examples
        --------
        >>> import numpy as np
        >>> import tapegrad as tg
        >>> model = tg.Sequential([tg.layers.Dense(1, input_dim=2)])
        >>> model.compile("sgd", "mse")
        >>> history = model.fit(np.ones((8, 2)), np.ones(8), epochs=3, verbose=0)
        >>> len(history.history["loss"])
        3
        """
        # A train_step of the user's own may keep its optimizers elsewhere.
        own_step = type(self).train_step is not Steps.train_step
        self._require_compiled("fit", optimizer=not own_step)
        if validation_data is None and validation_split:
            (x, y, sample_weight), validation_data = split_off_validation(
                x, y, sample_weight, validation_split
            )
        data = self._prepare(x, y, sample_weight, class_weight)
        size = _checked_batch_size(batch_size)
        validation = None
        validation_size = size
        if validation_data is not None:
            validation = self._prepare(*unpack(validation_data))
            validation_size = _checked_batch_size(validation_batch_size or size)
        steps = _limited(data.steps(size), steps_per_epoch)
        chosen = self._callback_list(callbacks, verbose, epochs, steps)
        self.stop_training = False
        logs: dict[str, Any] = {}
        chosen.on_train_begin()
        try:
            for epoch in range(initial_epoch, epochs):
                self.reset_metrics()
                chosen.on_epoch_begin(epoch)
                logs = self._train_epoch(data, size, shuffle, steps, chosen)
                if validation is not None and _validates(epoch, validation_freq):
                    limit = _limited(validation.steps(validation_size), validation_steps)
                    values = self._evaluate(validation, validation_size, limit, chosen)
                    logs.update({f"val_{name}": value for name, value in values.items()})
                chosen.on_epoch_end(epoch, logs)
                self._record().complete(logs)
                if self.stop_training:
                    break
        except KeyboardInterrupt:
            chosen.on_train_end(logs)
            raise
        chosen.on_train_end(logs)
        return self._record()

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Return the loss and the metrics over a data set.

        Parameters
        ----------
        x, y, sample_weight
            Inputs, targets and weights.
        batch_size
            Samples a batch, 32 by default; changes the time, not the result.
        verbose
            Anything but 0 prints a line with the values.
        steps
            At most so many batches.
        callbacks
            Called at the points of `on_test_begin` and its kin.
        return_dict
            Whether to return a dict by name.

        Returns
        -------
        float, list of float, or dict
            The loss; with metrics, ``[loss, *metrics]``.

        Raises
        ------
        RuntimeError
            If the model is not compiled.
        TypeError, ValueError
            If the data do not fit.
        """
        self._require_compiled("evaluate")
        data = self._prepare(x, y, sample_weight)
        size = _checked_batch_size(batch_size)
        chosen = callbacks
        if not isinstance(callbacks, CallbackList):
            chosen = CallbackList(callbacks, model=self)
        values = self._evaluate(data, size, _limited(data.steps(size), steps), chosen)
        if verbose not in (0, "0"):
            print(" - ".join(f"{name}: {_short(value)}" for name, value in values.items()))
        return values if return_dict else _as_list(values)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> np.ndarray:
        """Return the outputs for a data set.

        Parameters
        ----------
        x
            Inputs, one sample a row.
        batch_size
            Samples a batch, 32 by default.
        verbose
            Accepted for Keras's signature; nothing is printed.
        steps
            At most so many batches.
        callbacks
            Called at the points of `on_predict_begin` and its kin.

        Returns
        -------
        numpy.ndarray
            One output a row, in the order of `x`.
        """
        data = ArrayData(x, dtype=self._input_dtype())
        size = _checked_batch_size(batch_size)
        limit = _limited(data.steps(size), steps)
        chosen = CallbackList(callbacks, model=self)
        chosen.on_predict_begin()
        outputs: np.ndarray | None = None
        filled = 0
        for step, batch in enumerate(data.batches(size)):
            if step == limit:
                break
            chosen.on_predict_batch_begin(step)
            with no_record():
                output = self.predict_step(self._batch(*batch)).numpy()
            if outputs is None:
                rows = min(len(data), limit * size)
                outputs = np.empty((rows, *output.shape[1:]), dtype=output.dtype)
            outputs[filled : filled + len(output)] = output
            filled += len(output)
            chosen.on_predict_batch_end(step, {"outputs": output})
        chosen.on_predict_end()
        assert outputs is not None
        return outputs

    # ---- one batch -------------------------------------------------------------------

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Take one step on a batch.

        Returns
        -------
        float, list of float, or dict
            The loss; with metrics, ``[loss, *metrics]``.
        """
        self._require_compiled("train_on_batch", optimizer=True)
        data = ArrayData(x, y, sample_weight, class_weight, self._input_dtype())
        self.reset_metrics()
        logs = self.train_step(self._batch(data.x, data.y, data.sample_weight))
        return logs if return_dict else _as_list(logs)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Evaluate one batch.

        Returns
        -------
        float, list of float, or dict
            The loss; with metrics, ``[loss, *metrics]``.
        """
        self._require_compiled("test_on_batch")
        data = ArrayData(x, y, sample_weight, dtype=self._input_dtype())
        self.reset_metrics()
        with no_record():
            logs = self.test_step(self._batch(data.x, data.y, data.sample_weight))
        return logs if return_dict else _as_list(logs)

    def predict_on_batch(self, x: Any) -> np.ndarray:
        """Return the outputs for one batch of inputs."""
        data = ArrayData(x, dtype=self._input_dtype())
        with no_record():
            return np.array(self.predict_step(self._batch(data.x, None, None)).numpy())

    # ---- inside ----------------------------------------------------------------------

    def _record(self) -> History:
        assert self.history is not None
        return self.history

    def _prepare(
        self, x: Any, y: Any, sample_weight: Any = None, class_weight: Any = None
    ) -> ArrayData:
        """Check data against the model, which is built by this if it was not."""
        if x is None:
            raise ValueError("x is missing.")
        self._training_lists = None  # Variables may have been attached since
        data = ArrayData(x, y, sample_weight, class_weight, self._input_dtype())
        if self._loss is None:  # then the model may have no single output to ask for
            return data
        with no_record():
            output = self.predict_step(self._batch(data.x[:1], None, None))
        if data.y is not None and isinstance(output, Tensor):
            self._loss.check_targets(data.y, (None, *output.shape[1:]))
        return data

    def _train_epoch(
        self, data: ArrayData, size: int, shuffle: bool, steps: int, callbacks: CallbackList
    ) -> dict[str, Any]:
        logs: dict[str, Any] = {}
        begin, end = callbacks.on_train_batch_begin, callbacks.on_train_batch_end
        train_step, as_batch = self.train_step, self._batch
        for step, batch in enumerate(data.batches(size, shuffle)):
            if step == steps:
                break
            begin(step)
            logs = train_step(as_batch(*batch))
            end(step, logs)
            if self.stop_training:
                break
        return dict(logs)

    def _evaluate(
        self, data: ArrayData, size: int, steps: int, callbacks: CallbackList
    ) -> dict[str, Any]:
        self.reset_metrics()
        callbacks.on_test_begin()
        logs: dict[str, Any] = {}
        for step, batch in enumerate(data.batches(size)):
            if step == steps:
                break
            callbacks.on_test_batch_begin(step)
            with no_record():
                logs = self.test_step(self._batch(*batch))
            callbacks.on_test_batch_end(step, logs)
        callbacks.on_test_end(logs)
        return dict(logs)

    def _callback_list(
        self, callbacks: Any, verbose: int | str, epochs: int, steps: int
    ) -> CallbackList:
        if isinstance(callbacks, CallbackList):
            callbacks = callbacks.callbacks
        given = [] if callbacks is None else callbacks
        given = list(given) if isinstance(given, list | tuple) else [given]
        self.history = next((c for c in given if isinstance(c, History)), None) or History()
        # First the record: an epoch counts even if a later callback is interrupted, and later
        # callbacks find it there.
        chosen = [self.history, *(c for c in given if c is not self.history)]
        if verbose == 2:
            chosen.append(EpochLine())
        elif verbose not in (0, "0"):
            chosen.append(ProgressBar())
        params = {"epochs": epochs, "steps": steps, "verbose": verbose}
        return CallbackList(chosen, self, params)


def _checked_batch_size(batch_size: int | None) -> int:
    size = 32 if batch_size is None else batch_size
    if isinstance(size, bool) or int(size) != size or size <= 0:
        raise ValueError(f"batch_size must be a positive whole number, but is {batch_size!r}.")
    return int(size)


def _limited(steps: int, limit: int | None) -> int:
    return steps if limit is None else min(steps, int(limit))


def _validates(epoch: int, frequency: int | Sequence[int]) -> bool:
    if isinstance(frequency, int):
        return (epoch + 1) % frequency == 0
    return epoch + 1 in frequency


def _short(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _as_list(values: dict[str, Any]) -> Any:
    listed = list(values.values())
    return listed[0] if len(listed) == 1 else listed
