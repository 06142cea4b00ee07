"""The training face of models: compile, fit, evaluate, predict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tapegrad import losses, metrics, optimizers
from tapegrad._core.state import no_record
from tapegrad._core.tape import Tape
from tapegrad._core.tensor import Tensor
from tapegrad.callbacks import CallbackList, EpochLine, History, ProgressBar
from tapegrad.layers.weights import structure
from tapegrad.training.compiled import CompiledMetrics
from tapegrad.training.data import ArrayData, split_off_validation, unpack

if TYPE_CHECKING:
    from tapegrad.models.model import Model

__all__ = ["Trainer"]


class Trainer:
    """Trains and evaluates a model; `tapegrad.Model` is a layer with this face.

    What happens in a step can be changed by overwriting `train_step`, `test_step`,
    `predict_step` or `compute_loss`, as in Keras.
    """

    stop_training = False
    """Set to True, by a callback, to end training."""

    optimizer: optimizers.Optimizer | None = None
    history: History | None = None
    _compiled = False
    _training_lists: _TrainingLists | None = None

    # ---- compile ---------------------------------------------------------------------

    def compile(
        self,
        optimizer: Any = None,
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        jit_compile: bool | str = "auto",
    ) -> None:
        """Say how the model is trained and what is measured.

        Parameters
        ----------
        optimizer
            A name such as ``"adam"``, or an Optimizer.
        loss
            A name such as ``"mse"``, a Loss, or a function of labels and predictions.
        loss_weights
            A factor on the loss.
        metrics, weighted_metrics
            Names, Metrics or functions, computed without and with sample weights.
            ``"accuracy"`` becomes the kind that fits labels and outputs.
        run_eagerly
            Accepted: every step runs operation by operation.
        jit_compile
            ``"auto"`` or False; steps are not compiled as a whole in this version.

        Raises
        ------
        ValueError
            If a name is unknown; the nearest one is suggested.

        Examples
        --------
        >>> import tapegrad as tg
        >>> model = tg.Sequential([tg.layers.Dense(1)])
        >>> model.compile("adam", "mse", metrics=["mae"])
        """
        if jit_compile not in ("auto", False, None):
            raise ValueError(
                f"jit_compile={jit_compile!r}: compiling whole steps is not part of this version; "
                'use "auto".'
            )
        self.optimizer = None if optimizer is None else optimizers.get(optimizer)
        self.loss = loss
        self._loss = losses.get(loss)
        self._loss_weight = _single_weight(loss_weights)
        self._compiled_metrics = CompiledMetrics(metrics, weighted_metrics)
        self._loss_tracker = _loss_tracker()
        self._compiled = True

    def _require_compiled(self, method: str, *, optimizer: bool = False) -> None:
        if not self._compiled:
            raise RuntimeError(f"{method}: call compile(optimizer, loss) first.")
        if optimizer and self.optimizer is None:
            raise RuntimeError(f"{method}: compile was given no optimizer.")

    # ---- metrics ---------------------------------------------------------------------

    @property
    def metrics(self) -> list[metrics.Metric]:
        """The loss's mean and the compiled metrics (those made so far)."""
        if not self._compiled:
            return []
        return [self._loss_tracker, *self._compiled_metrics.metrics]

    @property
    def metrics_names(self) -> list[str]:
        """The names of `metrics`."""
        return [metric.name for metric in self.metrics]

    def reset_metrics(self) -> None:
        """Forget all batches in all metrics."""
        for metric in self.metrics:
            metric.reset_state()

    def get_metrics_result(self) -> dict[str, Any]:
        """Return the values so far, ``"loss"`` first, as Python numbers."""
        tracker = self._loss_tracker
        results: dict[str, Any] = {"loss": float(tracker.total / (tracker.count or 1.0))}
        results.update(self._compiled_metrics.results())
        return results

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Add a batch to the metrics and return the values so far."""
        if y is not None:
            self._compiled_metrics.update(y, y_pred, sample_weight)
        return self.get_metrics_result()

    # ---- steps -----------------------------------------------------------------------

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the loss of a batch: the compiled one, plus all penalties of the layers.

        Parameters
        ----------
        x, y, y_pred, sample_weight
            Inputs, targets, outputs and weights of the batch.
        training
            Whether this is part of a training step.

        Raises
        ------
        ValueError
            If there is neither a loss nor a penalty.
        """
        total: Any = None
        if self._loss is not None and y is not None:
            total = self._loss(y, y_pred, sample_weight)
            if self._loss_weight is not None:
                total = total * self._loss_weight
        lists = self._lists()
        for variable, regularizer in lists.penalties:
            penalty = regularizer(variable)
            total = penalty if total is None else total + penalty
        for layer in lists.layers:
            for penalty in layer._call_losses:
                total = penalty if total is None else total + penalty
        if total is None:
            missing = "targets y" if self._loss is not None else "a loss"
            raise ValueError(f"There is nothing to minimize: {missing} must be given.")
        return total

    def train_step(self, data: Any) -> dict[str, Any]:
        """Take one step on a batch and return the values so far.

        Parameters
        ----------
        data
            ``(x, y)`` or ``(x, y, sample_weight)``.
        """
        x, y, sample_weight = unpack(data)
        model: Any = self
        with Tape() as tape:
            y_pred = model(x, training=True)
            loss = self.compute_loss(x, y, y_pred, sample_weight, True)
        lists = self._lists()
        gradients = tape.gradient(loss, lists.trainable)
        assert self.optimizer is not None
        self.optimizer.apply(gradients, lists.trainable)
        for variable, constraint in lists.constraints:
            variable.assign(constraint(variable))
        self._track_loss(loss, x)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Evaluate one batch and return the values so far."""
        x, y, sample_weight = unpack(data)
        model: Any = self
        y_pred = model(x, training=False)
        self._track_loss(self.compute_loss(x, y, y_pred, sample_weight, False), x)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def predict_step(self, data: Any) -> Any:
        """Return the outputs for one batch of inputs."""
        model: Any = self
        return model(unpack(data)[0], training=False)

    def _track_loss(self, loss: Any, x: Any) -> None:
        samples = x.shape[0]
        tracker = self._loss_tracker
        tracker.total += float(loss) * samples
        tracker.count += samples

    def _lists(self) -> _TrainingLists:
        """Return what a step needs of the model's structure, found again when that changes."""
        lists = self._training_lists
        if lists is None or lists.version != structure.version:
            lists = self._training_lists = _TrainingLists(self)  # type: ignore[arg-type]
        return lists

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
        self._require_compiled("fit", optimizer=True)
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
                if self.stop_training:
                    break
        except KeyboardInterrupt:
            chosen.on_train_end(logs)
            raise
        chosen.on_train_end(logs)
        assert self.history is not None
        return self.history

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

    def _input_dtype(self) -> np.dtype[Any]:
        model: Any = self
        return model._dtype

    def _device(self) -> str:
        model: Any = self
        return next((variable.device for variable in model.weights), "cpu")

    def _batch(self, x: Any, y: Any, sample_weight: Any) -> Any:
        """Return a batch as Tensors on the model's device, in the form that steps take."""
        device = self._lists().device
        parts = [None if part is None else Tensor(part) for part in (x, y, sample_weight)]
        if device != "cpu":
            parts = [None if part is None else part.to(device) for part in parts]
        if sample_weight is not None:
            return tuple(parts)
        return (parts[0],) if y is None else (parts[0], parts[1])

    def _prepare(
        self, x: Any, y: Any, sample_weight: Any = None, class_weight: Any = None
    ) -> ArrayData:
        """Check data against the model, which is built by this if it was not."""
        if x is None:
            raise ValueError("x is missing.")
        data = ArrayData(x, y, sample_weight, class_weight, self._input_dtype())
        first = self._batch(data.x[:1], None, None)
        with no_record():
            output = self.predict_step(first)
        if self._loss is not None and data.y is not None and isinstance(output, Tensor):
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
            return callbacks
        given = [] if callbacks is None else callbacks
        given = list(given) if isinstance(given, list | tuple) else [given]
        self.history = next((c for c in given if isinstance(c, History)), None) or History()
        # First the record, so that an epoch counts even if a later callback is interrupted.
        chosen = [self.history, *(c for c in given if c is not self.history)]
        if verbose == 2:
            chosen.append(EpochLine())
        elif verbose not in (0, "0"):
            chosen.append(ProgressBar())
        params = {"epochs": epochs, "steps": steps, "verbose": verbose}
        return CallbackList(chosen, self, params)


class _TrainingLists:
    """What a step needs of a model's structure, found once."""

    def __init__(self, model: Model) -> None:
        self.version = structure.version
        self.layers = list(model._all_layers())
        self.trainable = model.trainable_variables
        self.penalties = [
            pair for layer in self.layers for pair in layer._regularized if pair[0].trainable
        ]
        self.constraints = [
            pair for layer in self.layers for pair in layer._constrained if pair[0].trainable
        ]
        self.device = model._device()


def _loss_tracker() -> metrics.Mean:
    tracker = metrics.Mean("loss")
    tracker.direction = "down"
    return tracker


def _single_weight(loss_weights: Any) -> float | None:
    """Return the factor on the loss of a model with one output."""
    if loss_weights is None:
        return None
    if isinstance(loss_weights, dict):
        loss_weights = list(loss_weights.values())
    if isinstance(loss_weights, list | tuple):
        if len(loss_weights) != 1:
            raise ValueError(f"loss_weights has {len(loss_weights)} entries for one output.")
        loss_weights = loss_weights[0]
    return float(loss_weights)


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
