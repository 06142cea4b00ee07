"""The metrics that `compile` was given, made when the shapes of labels and outputs are known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tapegrad import metrics
from tapegrad.training.kinds import is_accuracy, is_cross_entropy, kind_of_labels
from tapegrad.training.outputs import Layout, is_container
from tapegrad.training.values import to_python

__all__ = ["CompiledMetrics"]

_ACCURACIES: dict[str, type[metrics.Metric]] = {
    "binary": metrics.BinaryAccuracy,
    "sparse": metrics.SparseCategoricalAccuracy,
    "categorical": metrics.CategoricalAccuracy,
}
_CROSS_ENTROPIES: dict[str, type[metrics.Metric]] = {
    "binary": metrics.BinaryCrossentropy,
    "sparse": metrics.SparseCategoricalCrossentropy,
    "categorical": metrics.CategoricalCrossentropy,
}


class CompiledMetrics:
    """Metrics and weighted metrics of a model, under the names that the user typed.

    Names begin with the output's, where there are several. The second metric of a name gets
    ``_1`` behind it, and one among the weighted metrics ``weighted_`` before it, as in Keras.

    Parameters
    ----------
    unweighted
        What is computed without sample weights: names, Metrics or functions; for several outputs
        a list with an entry for each, or a dict by their names.
    weighted
        What is computed with them.
    output_names
        The outputs' names, if the model has any.

    Raises
    ------
    ValueError, TypeError
        If a name is unknown; at once, not at the first batch.
    """

    def __init__(
        self, unweighted: Any, weighted: Any, output_names: Sequence[str] | None = None
    ) -> None:
        self._given = {"metrics": unweighted, "weighted_metrics": weighted}
        self._output_names = output_names
        for given in self._given.values():
            for each in _each(given):
                if each is not None and not is_accuracy(each) and not is_cross_entropy(each):
                    metrics.get(each)
        self._entries: list[_Entry] | None = None
        self._layout: Layout | None = None

    @property
    def wanted(self) -> bool:
        """Whether `compile` was given any metric."""
        return any(next(_each(given), None) is not None for given in self._given.values())

    @property
    def made(self) -> bool:
        """Whether the metrics are made."""
        return self._entries is not None

    @property
    def metrics(self) -> list[metrics.Metric]:
        """The metrics, once they are made."""
        return [entry.metric for entry in self._entries or ()]

    @property
    def entries(self) -> list[_Entry]:
        """The metrics with their names, once they are made."""
        return self._entries or []

    @property
    def names(self) -> list[str]:
        """The names under which their values are reported."""
        return [entry.name for entry in self._entries or ()]

    def watched(self) -> list[Any]:
        """Return the objects whose attributes say what is measured."""
        return [self]

    def update(self, y_true: Any, y_pred: Any, sample_weight: Any) -> None:
        """Add a batch to every metric."""
        entries = self._entries
        if entries is None:
            entries = self.build(y_true, y_pred)
        if not entries:
            return
        layout = self._layout
        assert layout is not None
        if layout.single and not is_container(y_true) and not is_container(sample_weight):
            for entry in entries:
                if entry.weighted and sample_weight is not None:
                    entry.metric.update_state(y_true, y_pred, sample_weight=sample_weight)
                else:
                    entry.metric.update_state(y_true, y_pred)
            return
        outputs = layout.outputs(y_pred)
        targets = layout.data(y_true, "y", self._needed(layout))
        weights = [sample_weight] * len(outputs)
        if is_container(sample_weight):
            weights = layout.data(sample_weight, "sample_weight", [False] * len(outputs))
        for entry in entries:
            at = entry.output
            if entry.weighted and weights[at] is not None:
                entry.metric.update_state(targets[at], outputs[at], sample_weight=weights[at])
            else:
                entry.metric.update_state(targets[at], outputs[at])

    def results(self) -> dict[str, Any]:
        """Return the values so far as Python numbers (or lists), by name."""
        values: dict[str, Any] = {}
        for entry in self._entries or ():
            metric = entry.metric
            # A mean is read without the way through a Tensor: this runs at every step.
            values[entry.name] = (
                metric._value()  # type: ignore[attr-defined]
                if entry.plain_mean
                else to_python(metric.result())
            )
        return values

    def reset(self) -> None:
        """Forget all batches."""
        for entry in self._entries or ():
            entry.metric.reset_state()

    def build(self, y_true: Any, y_pred: Any) -> list[_Entry]:
        """Make the metrics, now that labels and outputs can be seen.

        Raises
        ------
        ValueError
            If there are entries for other outputs than the model's.
        """
        layout = Layout(y_pred, self._output_names)
        chosen = {
            argument: _by_output(given, layout, argument) for argument, given in self._given.items()
        }
        needed = [any(columns) for columns in zip(*chosen.values())]
        targets = layout.data(y_true, "y", needed) if any(needed) else [None] * len(layout)
        entries: list[_Entry] = []
        taken: dict[str, int] = {}
        for argument, columns in chosen.items():
            weighted = argument == "weighted_metrics"
            for at, (identifiers, prefix) in enumerate(zip(columns, layout.prefixes)):
                for identifier in identifiers:
                    metric = _metric(identifier, targets[at], layout.outputs(y_pred)[at])
                    name = _unique(metric.name, prefix, weighted, taken)
                    entries.append(_Entry(metric, name, at, weighted))
        self._entries, self._layout = entries, layout
        return entries

    def try_on(self, y_true: Any, y_pred: Any) -> None:
        """Raise what the metrics raise for such labels and outputs, and count nothing.

        Else they would raise it after the first step of training.
        """
        try:
            self.update(y_true, y_pred, None)
        except Exception:
            self._entries = None
            raise
        self.reset()

    def _needed(self, layout: Layout) -> list[bool]:
        used = {entry.output for entry in self._entries or ()}
        return [at in used for at in range(len(layout))]


class _Entry:
    """A metric of one output, and the name under which its value is reported."""

    def __init__(self, metric: metrics.Metric, name: str, output: int, weighted: bool) -> None:
        self.metric = metric
        self.name = name
        self.output = output
        self.weighted = weighted
        self.plain_mean = (
            isinstance(metric, metrics.Mean) and type(metric).result is metrics.Mean.result
        )


def _by_output(given: Any, layout: Layout, argument: str) -> list[list[Any]]:
    """Return the metrics of each output, as lists."""
    if not given:
        return [[] for _ in layout.paths]
    if layout.single:
        return [list(_each(given))]
    if not is_container(given):
        raise ValueError(
            f"{argument}={given!r}: for {len(layout)} outputs, pass a list with an entry for each "
            "or a dict by their names."
        )
    return [[each for each in _each(part) if each] for part in layout.settings(given, argument)]


def _each(given: Any) -> Iterator[Any]:
    """Go through metrics given as one, a list, nested lists or a dict."""
    if is_container(given):
        for part in given.values() if isinstance(given, dict) else given:
            yield from _each(part)
    elif given is not None:
        yield given


def _metric(identifier: Any, y_true: Any, y_pred: Any) -> metrics.Metric:
    """Return the metric that is meant, named as it was typed."""
    if is_accuracy(identifier):
        metric = _ACCURACIES[kind_of_labels(y_true.shape, y_pred.shape)]()
    elif is_cross_entropy(identifier):
        metric = _CROSS_ENTROPIES[kind_of_labels(y_true.shape, y_pred.shape)]()
    else:
        metric = metrics.get(identifier)
    if isinstance(identifier, str):
        metric.name = identifier
    return metric


def _unique(base: str, prefix: str | None, weighted: bool, taken: dict[str, int]) -> str:
    """Return the name of a value, with what tells it from earlier ones of the same name."""
    before = f"{prefix}_" if prefix else ""
    name = before + base
    if name in taken and weighted:
        name = f"{before}weighted_{base}"
    if name not in taken:
        taken[name] = 1
        return name
    number = taken[name]
    taken[name] += 1
    return f"{name}_{number}"
