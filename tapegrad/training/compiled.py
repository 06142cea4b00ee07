"""The metrics that `compile` was given, made when the shapes of labels and outputs are known."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tapegrad import metrics

__all__ = ["CompiledMetrics", "to_python"]


class CompiledMetrics:
    """Metrics and weighted metrics of a model, under the names that the user typed.

    Parameters
    ----------
    unweighted
        What is computed without sample weights: names, Metrics or functions.
    weighted
        What is computed with them.

    Raises
    ------
    ValueError, TypeError
        If a name is unknown; at once, not at the first batch.
    """

    def __init__(self, unweighted: Any, weighted: Any) -> None:
        self._given = [(metric, False) for metric in _listed(unweighted)]
        self._given += [(metric, True) for metric in _listed(weighted)]
        for metric, _ in self._given:
            if not _is_accuracy(metric):
                metrics.get(metric)
        self._made: list[tuple[metrics.Metric, bool]] | None = None

    @property
    def metrics(self) -> list[metrics.Metric]:
        """The metrics, once they are made."""
        return [metric for metric, _ in self._made or []]

    def update(self, y_true: Any, y_pred: Any, sample_weight: Any) -> None:
        """Add a batch to every metric."""
        if self._made is None:
            self._make(y_true.shape, y_pred.shape)
        for metric, weighted in self._made or ():
            if weighted and sample_weight is not None:
                metric.update_state(y_true, y_pred, sample_weight=sample_weight)
            else:
                metric.update_state(y_true, y_pred)

    def results(self) -> dict[str, Any]:
        """Return the values so far as Python numbers (or lists), by name."""
        return {
            # A mean is read without the way through a Tensor: this runs at every step.
            metric.name: metric._value()
            if isinstance(metric, metrics.Mean) and type(metric).result is metrics.Mean.result
            else to_python(metric.result())
            for metric, _ in self._made or ()
        }

    def reset(self) -> None:
        """Forget all batches."""
        for metric, _ in self._made or ():
            metric.reset_state()

    def _make(self, true_shape: tuple[int, ...], pred_shape: tuple[int, ...]) -> None:
        made: list[tuple[metrics.Metric, bool]] = []
        names: set[str] = {"loss"}
        for identifier, weighted in self._given:
            metric = (
                _accuracy_for(true_shape, pred_shape)
                if _is_accuracy(identifier)
                else metrics.get(identifier)
            )
            if isinstance(identifier, str):
                metric.name = identifier
            base, number = metric.name, 1
            while metric.name in names:
                metric.name, number = f"{base}_{number}", number + 1
            names.add(metric.name)
            made.append((metric, weighted))
        self._made = made


def _listed(given: Any) -> list[Any]:
    """Return metrics given as one, a list, nested lists or a dict, as one list."""
    if given is None:
        return []
    if isinstance(given, dict):
        given = list(given.values())
    if not isinstance(given, list | tuple):
        return [given]
    flat: list[Any] = []
    for part in given:
        flat.extend(
            _listed(part) if isinstance(part, Iterable) and not isinstance(part, str) else [part]
        )
    return flat


def _is_accuracy(identifier: Any) -> bool:
    return isinstance(identifier, str) and identifier.lower() in ("accuracy", "acc")


def _accuracy_for(true_shape: tuple[int, ...], pred_shape: tuple[int, ...]) -> metrics.Metric:
    """Return the accuracy that fits the shapes of labels and outputs, as Keras chooses it."""
    if len(pred_shape) < 2 or pred_shape[-1] == 1:
        return metrics.BinaryAccuracy()
    if len(true_shape) < len(pred_shape) or true_shape[-1] == 1:
        return metrics.SparseCategoricalAccuracy()
    return metrics.CategoricalAccuracy()


def to_python(value: Any) -> Any:
    """Return a metric's result as a Python float, or nested lists of floats."""
    return value.tolist() if hasattr(value, "tolist") else float(value)
