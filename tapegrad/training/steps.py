"""What a step of training, of evaluation and of prediction does."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

from tapegrad._core.state import no_record, thread
from tapegrad._core.tape import Tape
from tapegrad._core.tensor import Tensor
from tapegrad.layers.trial import states_kept
from tapegrad.training.arrays import is_structure
from tapegrad.training.compiling import Compiling
from tapegrad.training.iterables import unpack
from tapegrad.training.outputs import flat_outputs, is_container
from tapegrad.training.sources import Batch

if TYPE_CHECKING:
    from tapegrad.callbacks import History

__all__ = ["Steps"]


class Steps(Compiling):
    """Runs single steps of a model.

    What happens in a step can be changed by overwriting `train_step`, `test_step`,
    `predict_step`, `compute_loss` or `compute_metrics`, as in Keras.
    """

    stop_training = False
    """Set to True, by a callback, to end training."""
    stop_evaluating = False
    """Set to True, by a callback, to end the evaluation in progress."""
    stop_predicting = False
    """Set to True, by a callback, to end the prediction in progress."""

    history: History | None = None
    _loss_takes_training = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "compute_loss" in cls.__dict__:
            parameters = inspect.signature(cls.compute_loss).parameters
            cls._loss_takes_training = "training" in parameters or any(
                parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()
            )

    # ---- what subclasses overwrite -----------------------------------------------------

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
        if self._compiled_loss is not None and y is not None:
            total = self._compiled_loss(y, y_pred, sample_weight)
        lists = self._lists()
        for variable, regularizer in lists.penalties:
            penalty = regularizer(variable)
            total = penalty if total is None else total + penalty
        for layer in lists.layers:
            for penalty in layer._call_losses:
                total = penalty if total is None else total + penalty
        if total is None:
            if self._compiled_loss is not None:
                raise ValueError("There is nothing to minimize: targets y must be given.")
            raise ValueError(
                "There is nothing to minimize: compile was given no loss"
                + (", and y is of no use without one." if y is not None else ".")
            )
        return total

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Add a batch to the metrics and return the values so far."""
        if y is not None:
            self._compiled_metrics.update(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def train_step(self, data: Any) -> dict[str, Any]:
        """Take one step on a batch and return the values so far.

        Parameters
        ----------
        data
            ``(x, y)`` or ``(x, y, sample_weight)``; `x` alone where there is nothing else.
        """
        x, y, sample_weight = unpack(data)
        y_pred = self._learn(x, y, sample_weight)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Evaluate one batch and return the values so far."""
        x, y, sample_weight = unpack(data)
        y_pred = self._try(x, y, sample_weight)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def predict_step(self, data: Any) -> Any:
        """Return the outputs for one batch of inputs."""
        model: Any = self
        return model(unpack(data)[0], training=False)

    # ---- inside ------------------------------------------------------------------------

    def _learn(self, x: Any, y: Any, sample_weight: Any) -> Any:
        """Update the weights and the mean of the loss from a batch; return the outputs."""
        model: Any = self
        optimizer = self.optimizer
        assert optimizer is not None
        with Tape() as tape:
            y_pred = model(x, training=True)
            loss = self._loss_of(x, y, y_pred, sample_weight, True)
            scaled = optimizer.scale_loss(loss)
        trainable = self._lists().trainable
        gradients = tape.gradient(scaled, trainable)
        optimizer.apply(gradients, trainable)
        self._track_loss(loss, x)
        return y_pred

    def _try(self, x: Any, y: Any, sample_weight: Any) -> Any:
        """Update the mean of the loss from a batch; return the outputs."""
        model: Any = self
        y_pred = model(x, training=False)
        self._track_loss(self._loss_of(x, y, y_pred, sample_weight, False), x)
        return y_pred

    def _train_logs(self, batch: Batch) -> dict[str, Any]:
        """Take a step on a batch of arrays and return the values so far."""
        step = self._recorded("train")
        if step is None:
            return self.train_step(self._batch(batch))
        logs = step(*batch)
        return self.get_metrics_result() if logs is None else logs

    def _test_logs(self, batch: Batch) -> dict[str, Any]:
        """Evaluate a batch of arrays, outside of all tapes, and return the values so far."""
        listeners = thread.listeners
        thread.listeners = ()
        try:
            step = self._recorded("test")
            if step is None:
                return self.test_step(self._batch(batch))
            logs = step(*batch)
        finally:
            thread.listeners = listeners
        return self.get_metrics_result() if logs is None else logs

    def _outputs_of(self, x: Any) -> Any:
        """Return the outputs for a batch of arrays, outside of all tapes."""
        with no_record():
            step = self._recorded("predict")
            return self.predict_step(self._batch((x, None, None))) if step is None else step(x)

    def _own_steps(self, kind: str) -> bool:
        """Whether what is done with a batch was overwritten, for ``"train"`` and so on."""
        names = [f"{kind}_step", *([] if kind == "predict" else ["compute_metrics"])]
        return any(
            name in vars(self) or getattr(type(self), name) is not getattr(Steps, name)
            for name in names
        )

    # What is recorded: steps without their logs, which are read afterwards.

    def _train(self, x: Any, y: Any, sample_weight: Any) -> Any:
        """Do what `train_step` does; return what one of the user's own does."""
        if self._own_steps("train"):
            return self.train_step(_as_data(x, y, sample_weight))
        self._measure(y, self._learn(x, y, sample_weight), sample_weight)
        if thread.recorder is not None and self._programs is not None:
            self._programs.notes.take()
        return None

    def _test(self, x: Any, y: Any, sample_weight: Any) -> Any:
        """Do what `test_step` does; return what one of the user's own does."""
        if self._own_steps("test"):
            return self.test_step(_as_data(x, y, sample_weight))
        self._measure(y, self._try(x, y, sample_weight), sample_weight)
        return None

    def _predict(self, x: Any) -> Any:
        """Do what `predict_step` does."""
        outputs = self.predict_step(_as_data(x, None, None))
        self._keep_losses()
        return outputs

    def _measure(self, y: Any, y_pred: Any, sample_weight: Any) -> None:
        if y is not None:
            self._compiled_metrics.update(y, y_pred, sample_weight)
        self._keep_losses()

    def _keep_losses(self) -> None:
        """Let layers hold the losses that their calls added as Variables, if a step is recorded.

        Each run of the program sets them anew, so that `losses` has those of the last step.
        """
        if thread.recorder is not None and self._programs is not None:
            for layer in self._lists().layers:
                if layer._call_losses:
                    layer._call_losses[:] = self._programs.kept_losses(layer)

    def _loss_of(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool) -> Any:
        """Return `compute_loss`, also one written for Keras before it had ``training``."""
        if self._loss_takes_training:
            return self.compute_loss(x, y, y_pred, sample_weight, training=training)
        return self.compute_loss(x, y, y_pred, sample_weight)

    def _track_loss(self, loss: Any, x: Any) -> None:
        samples = x._data.shape[0] if type(x) is Tensor else _samples(x)
        self._loss_tracker.add(loss, samples)

    def _input_dtype(self) -> np.dtype[Any]:
        model: Any = self
        return model._dtype

    def _batch(self, batch: Batch) -> Any:
        """Return a batch as Tensors on the model's device, in the form that steps take."""
        x, y, sample_weight = batch
        plain = np.ndarray
        if self._lists().plain_cpu and type(x) is plain and type(y) is plain:
            if sample_weight is None:
                return Tensor(x), Tensor(y)
            if type(sample_weight) is plain:
                return Tensor(x), Tensor(y), Tensor(sample_weight)
        device = self._lists().device
        return _as_data(*[_as_tensors(part, device) for part in batch])

    def _outputs_for(self, x: Any) -> Any:
        """Return outputs for some inputs, or None if the model writes no `call`."""
        model: Any = self
        data = self._batch((x, None, None))
        if type(self).predict_step is not Steps.predict_step:
            with states_kept(model):
                return self.predict_step(data)
        try:
            with states_kept(model):
                return model(unpack(data)[0], training=False)
        except NotImplementedError:
            return None  # networks that only a train_step of its own brings together

    def _build_compiled(self, batch: Batch, *, check: bool) -> None:
        """Build the model, its losses and metrics from a batch; check its targets if wanted.

        Steps written for Keras expect all of them to exist before the first step.
        """
        x, y, _ = batch
        self._lists_kept = None  # Variables may have been attached since
        loss, measured = self._compiled_loss, self._compiled_metrics
        if loss is None and not measured.wanted:
            return  # then the model may have no outputs to ask for
        outputs = self._outputs_for(_first_rows(x))
        if outputs is None or y is None:
            return
        if not all(type(leaf) is Tensor for leaf in flat_outputs(outputs)):
            return
        if loss is not None:
            if loss.layout is None:
                loss.build(y, outputs)
            if check:
                loss.check_targets(y, outputs)
        if measured.wanted and not measured.made:
            first = _first_rows(y)
            measured.build(first, outputs)
            if all(leaf.shape[:1] == (1,) for leaf in flat_outputs(outputs)):
                measured.try_on(_as_tensors(first, self._lists().device), outputs)


def _as_data(x: Any, y: Any, sample_weight: Any) -> Any:
    """Return the parts of a batch in the form that steps take."""
    if sample_weight is not None:
        return x, y, sample_weight
    if y is not None:
        return x, y
    # As in Keras: `x` alone, unless that could be taken for more than inputs.
    return (x,) if isinstance(x, list | tuple) else x


def _as_tensors(data: Any, device: str) -> Any:
    if data is None:
        return None
    if isinstance(data, dict):
        return {key: _as_tensors(part, device) for key, part in data.items()}
    if isinstance(data, list | tuple):
        parts = [_as_tensors(part, device) for part in data]
        return type(data)(*parts) if hasattr(data, "_fields") else type(data)(parts)
    tensor = Tensor(data)
    return tensor if device == "cpu" else tensor.to(device)


def _samples(x: Any) -> int:
    """Return the number of samples of a batch."""
    while is_container(x):
        x = next(iter(x.values() if isinstance(x, dict) else x))
    return x.shape[0]


def _first_rows(x: Any) -> Any:
    """Return the first sample of each array."""
    if isinstance(x, dict):
        return {key: _first_rows(part) for key, part in x.items()}
    if is_structure(x):
        parts = [_first_rows(part) for part in x]
        return type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)
    return x[:1]
