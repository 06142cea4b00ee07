"""What `compile` settles, and what is measured because of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tapegrad import metrics, optimizers
from tapegrad._core import device as _device
from tapegrad._core.state import thread
from tapegrad.layers.weights import structure
from tapegrad.training.choose import checked_number
from tapegrad.training.compiled_loss import CompiledLoss
from tapegrad.training.compiled_metrics import CompiledMetrics
from tapegrad.training.trackers import MeanTracker
from tapegrad.training.values import to_python, to_python_logs

if TYPE_CHECKING:
    from tapegrad.training.programs import Programs
    from tapegrad.training.recorded import RecordedStep

__all__ = ["Compiling", "ModelLists"]


class Compiling:
    """Compiles a model, and holds its loss and metrics."""

    optimizer: optimizers.Optimizer | None = None
    loss: Any = None
    run_eagerly = False
    _compiled = False
    _compiled_loss: CompiledLoss | None = None
    _compiled_metrics: Any = None
    _jit_compile: bool | str = "auto"
    _lists_kept: ModelLists | None = None
    _programs: Programs | None = None
    _compile_arguments: dict[str, Any] | None = None

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str | None = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Say how the model is trained and what is measured.

        For a model with several outputs, `loss`, `loss_weights` and the metrics are lists in the
        order of the outputs, dicts by their names, or nested as the outputs are; None stands for
        an output without. One loss is that of every output.

        Parameters
        ----------
        optimizer
            A name such as ``"adam"``, or an Optimizer, as in Keras ``"rmsprop"`` by default; None
            for models that are not trained.
        loss
            A name such as ``"mse"``, a Loss, or a function of labels and predictions.
            ``"crossentropy"`` becomes the kind that fits labels and outputs.
        loss_weights
            Factors on the losses before these are added up.
        metrics, weighted_metrics
            Names, Metrics or functions, computed without and with sample weights.
            ``"accuracy"`` becomes the kind that fits labels and outputs.
        run_eagerly
            True is what ``jit_compile=False`` is.
        steps_per_execution
            Accepted: as many steps run in one call as take about a tenth of a second.
        jit_compile
            Whether steps become programs, as by `tapegrad.jit`: ``"auto"`` where they can, which
            changes times and no results. Steps that read values run operation by operation, after
            a warning that names the line, and so do those of models with a ``train_step``,
            ``test_step`` or ``predict_step`` of their own. With True these are recorded too, and
            whatever cannot be is told each time. With False nothing is recorded: Python code in
            layers and losses then runs at each step, and not when a step is recorded.
        auto_scale_loss
            Accepted for Keras's signature: it matters for half precision alone.

        Raises
        ------
        ValueError
            If a name is unknown (the nearest one is suggested), or the numbers of losses and of
            their weights differ.

        Examples
        --------
        >>> import tapegrad as tg
        >>> model = tg.Sequential([tg.layers.Dense(1)])
        >>> model.compile("adam", "mse", metrics=["mae"])
        """
        if jit_compile not in ("auto", True, False, None):
            raise ValueError(f'jit_compile={jit_compile!r}: expected "auto", True or False.')
        checked_number(steps_per_execution, "steps_per_execution", 1)
        names = getattr(self, "output_names", None)
        chosen = None if optimizer is None else optimizers.get(optimizer)
        compiled_loss = None if loss is None else CompiledLoss(loss, loss_weights, names)
        self._compiled_metrics = CompiledMetrics(metrics, weighted_metrics, names)
        self._compiled_loss = compiled_loss
        self.optimizer = chosen
        self.loss = loss
        self.run_eagerly = run_eagerly
        self._jit_compile = False if jit_compile is None else jit_compile
        self._programs = None
        self._loss_tracker = MeanTracker("loss")
        self._compile_arguments = {
            "optimizer": chosen,
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
        }
        self._compiled = True
        self._lists_kept = None

    @property
    def compiled(self) -> bool:
        """Whether `compile` was called."""
        return self._compiled

    def _require_compiled(self, method: str, *, optimizer: bool = False) -> None:
        if not self._compiled:
            raise RuntimeError(f"{method}: call compile(optimizer, loss) first.")
        if optimizer and self.optimizer is None:
            raise RuntimeError(f"{method}: compile was given no optimizer.")

    # ---- metrics ---------------------------------------------------------------------

    @property
    def metrics(self) -> list[metrics.Metric]:
        """The loss's mean, those of the outputs, the compiled metrics, and the model's own.

        The model's own are Metrics kept in attributes of the model or its layers. A subclass may
        overwrite this: what it returns is reset at the start of each epoch.
        """
        if not self._compiled:
            return list(self._lists().metrics)
        trackers = self._compiled_loss.trackers if self._compiled_loss is not None else []
        return [
            self._loss_tracker,
            *trackers,
            *self._compiled_metrics.metrics,
            *self._lists().metrics,
        ]

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
        if not self._compiled or type(self).metrics is not Compiling.metrics:
            return to_python_logs({metric.name: metric.result() for metric in self.metrics})
        values = {"loss": self._loss_tracker.value()}
        if self._compiled_loss is not None:
            for tracker in self._compiled_loss.trackers:
                values[tracker.name] = tracker.value()
        values.update(self._compiled_metrics.results())
        for metric in self._lists().metrics:
            values[metric.name] = to_python(metric.result())
        return values

    def _listed_names(self) -> list[str]:
        """Return names in the order in which values are listed; see `values.as_list`."""
        names = self._first_names()
        if self._compiled and self._compiled_loss is not None:
            names += [tracker.name for tracker in self._compiled_loss.trackers]
        return [*names, *(metric.name for metric in self.metrics)]

    def _first_names(self) -> list[str]:
        """Return the names that are listed first: of the loss and of the compiled metrics."""
        if not self._compiled:
            return []
        return ["loss", *[entry.metric.name for entry in self._compiled_metrics.entries]]

    def _recorded(self, kind: str) -> RecordedStep | None:
        """Return the recorded step for ``"train"``, ``"test"`` or ``"predict"``.

        It is None where steps are to run eagerly: because the user wants it, under a tape, and on
        other devices.
        """
        off = self._jit_compile is False or self.run_eagerly
        if off or thread.listeners or _device.accelerated:
            return None
        programs = self._programs
        if programs is not None and kind in programs.own:
            return None
        if programs is None or not programs.hold(kind):
            from tapegrad.training.programs import Programs  # which loads Numba

            programs = self._programs = Programs(self, programs)
        return programs.step(kind)

    def _lists(self) -> ModelLists:
        """Return what a step needs of the model's structure, found again when that changes."""
        lists = self._lists_kept
        if lists is None or lists.version != structure.version:
            lists = self._lists_kept = ModelLists(self)
        return lists


class ModelLists:
    """What a step needs of a model's structure, found once.

    Attributes
    ----------
    layers : list of Layer
        The model and all layers inside it.
    trainable : list of Variable
        What training changes.
    penalties : list of (Variable, regularizer)
        Of the trainable weights.
    metrics : list of Metric
        Those kept in attributes of the layers.
    device : str
        Where the weights are.
    """

    def __init__(self, model: Any) -> None:
        self.version = structure.version
        self.layers = list(model._all_layers())
        self.trainable = model.trainable_variables
        self.penalties = [
            (variable, variable.regularizer)
            for variable in self.trainable
            if variable.regularizer is not None
        ]
        self.metrics = list(_own_metrics(self.layers))
        weights = model.weights
        self.device = weights[0].device if weights else "cpu"
        self.plain_cpu = self.device == "cpu"

    def alike(self, other: ModelLists) -> bool:
        """Whether others are the same lists, found again."""
        return (
            _identities(self.layers) == _identities(other.layers)
            and _identities(self.trainable) == _identities(other.trainable)
            and _identities(self.metrics) == _identities(other.metrics)
            and [r for _, r in self.penalties] == [r for _, r in other.penalties]
            and self.device == other.device
        )


def _identities(objects: list[Any]) -> list[int]:
    return [id(each) for each in objects]


_OF_COMPILE = ("_loss_tracker", "_compile_arguments")


def _own_metrics(layers: list[Any]) -> Iterator[metrics.Metric]:
    """Go through the Metrics kept in attributes of layers, each once."""
    seen: set[int] = set()
    for layer in layers:
        for name, value in vars(layer).items():
            if name in _OF_COMPILE:
                continue
            for metric in _metrics_in(value):
                if id(metric) not in seen:
                    seen.add(id(metric))
                    yield metric


def _metrics_in(value: Any) -> Iterator[metrics.Metric]:
    if isinstance(value, metrics.Metric):
        yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _metrics_in(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from _metrics_in(part)
