"""What a step of training, of evaluation and of prediction does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tapegrad import losses, metrics, optimizers
from tapegrad._core.tape import Tape
from tapegrad._core.tensor import Tensor
from tapegrad.layers.weights import structure
from tapegrad.training.compiled import CompiledMetrics
from tapegrad.training.data import unpack

if TYPE_CHECKING:
    from tapegrad.callbacks import History
    from tapegrad.models.model import Model

__all__ = ["Steps"]


class Steps:
    """Compiles a model and runs single steps of it.

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
        self._loss_tracker = _LossTracker()
        self._compiled = True
        self._training_lists = None

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
        return {"loss": self._loss_tracker.value()} | self._compiled_metrics.results()

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
        self._loss_tracker.add(float(loss), x.shape[0])

    def _lists(self) -> _TrainingLists:
        """Return what a step needs of the model's structure, found again when that changes."""
        lists = self._training_lists
        if lists is None or lists.version != structure.version:
            lists = self._training_lists = _TrainingLists(self)  # type: ignore[arg-type]
        return lists

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


class _TrainingLists:
    """What a step needs of a model's structure, found once."""

    def __init__(self, model: Model) -> None:
        self.version = structure.version
        self.layers = list(model._all_layers())
        self.trainable = model.trainable_variables
        self.penalties = [
            (variable, variable.regularizer)
            for variable in self.trainable
            if variable.regularizer is not None
        ]
        self.device = model._device()


class _LossTracker(metrics.Metric):
    """The mean of the batches' losses, each weighted by its number of samples.

    It counts in Python floats: they are quicker than arrays of one element.
    """

    direction = "down"

    def __init__(self) -> None:
        super().__init__("loss")
        self.reset_state()

    def add(self, loss: float, samples: int) -> None:
        """Add a batch."""
        self.total += loss * samples
        self.samples += samples

    def value(self) -> float:
        """Return the mean; 0 before the first batch."""
        return self.total / self.samples if self.samples else 0.0

    def result(self) -> Tensor:
        """Return the mean as a Tensor."""
        return self._as_result(self.value())

    def reset_state(self) -> None:
        """Forget all batches."""
        self.total = 0.0
        self.samples = 0

    def get_state(self) -> dict[str, np.ndarray]:
        """Return what was counted, for saving."""
        return {"total": np.array(self.total), "samples": np.array(self.samples)}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Take up what `get_state` returned."""
        self.total, self.samples = float(state["total"]), int(state["samples"])


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
