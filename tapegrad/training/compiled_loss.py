"""The loss that `compile` was given: one for each output of the model, weighted and added up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad import losses
from tapegrad.training.kinds import is_cross_entropy, kind_of_labels
from tapegrad.training.outputs import Layout, is_container
from tapegrad.training.trackers import MeanTracker

__all__ = ["CompiledLoss"]

_CROSS_ENTROPIES = {
    "binary": "binary_crossentropy",
    "sparse": "sparse_categorical_crossentropy",
    "categorical": "categorical_crossentropy",
}


class CompiledLoss:
    """The losses of a model's outputs, resolved when the outputs are first seen.

    Parameters
    ----------
    given
        A name, Loss or function for all outputs, or a list or dict of them by output; None for
        outputs without one.
    weights
        Factors, in the same form.
    output_names
        The outputs' names, if the model has any.

    Raises
    ------
    ValueError, TypeError
        If a name is unknown or numbers do not agree; at once where that can be seen at once.
    """

    def __init__(self, given: Any, weights: Any, output_names: Sequence[str] | None) -> None:
        self.given = given
        self.output_names = output_names
        self._weights = _checked_weights(given, weights, output_names)
        for each in _each(given):
            if each is not None and not is_cross_entropy(each):
                losses.get(each)
        self.trackers: list[MeanTracker] = []
        self.layout: Layout | None = None
        self._single: losses.Loss | None = None
        self._parts: list[_Part | None] = []
        self._needed: list[bool] = []

    def __call__(self, y: Any, y_pred: Any, sample_weight: Any) -> Any:
        """Return the weighted sum of the outputs' losses; None if no output has one.

        Raises
        ------
        ValueError
            If targets or weights are missing, or have other parts than the outputs.
        """
        layout = self.layout
        if layout is None:
            layout = self.build(y, y_pred)
        single = self._single
        if single is not None and not is_container(y) and not is_container(sample_weight):
            return single(y, y_pred, sample_weight)
        outputs = layout.outputs(y_pred)
        targets = layout.data(y, "y", self._needed)
        weights = [sample_weight] * len(outputs)
        if is_container(sample_weight):
            weights = layout.data(sample_weight, "sample_weight", [False] * len(outputs))
        total: Any = None
        for part, true, pred, weight in zip(self._parts, targets, outputs, weights):
            if part is None:
                continue
            value = part.loss(true, pred, weight)
            if part.tracker is not None:
                part.tracker.add(value, pred.shape[0])
            if part.weight is not None:
                value = value * part.weight
            total = value if total is None else total + value
        return total

    def watched(self) -> list[Any]:
        """Return the objects whose attributes say how the loss is computed."""
        return [self, *(part.loss for part in self._parts if part is not None)]

    def build(self, y: Any, y_pred: Any) -> Layout:
        """Find each output's loss, now that labels and outputs can be seen.

        Raises
        ------
        ValueError
            If the losses, their weights or the targets are not those of the outputs.
        """
        layout = Layout(y_pred, self.output_names)
        if is_container(self.given):
            chosen = layout.settings(self.given, "loss")
        else:
            chosen = [self.given] * len(layout)
        needed = [each is not None for each in chosen]
        if is_container(self._weights):
            weights = layout.settings(self._weights, "loss_weights")
        else:
            weights = [self._weights] * len(layout)
        targets = layout.data(y, "y", needed)
        parts: list[_Part | None] = []
        for at, pred in enumerate(layout.outputs(y_pred)):
            part = None
            if needed[at]:
                part = _Part(chosen[at], weights[at], targets[at], pred)
                part.name = layout.names[at] or "/".join(
                    [*map(str, layout.paths[at][:-1]), part.name]
                )
            parts.append(part)
        made = [part for part in self._in_keras_order(layout, parts, y_pred) if part is not None]
        if len(made) > 1:
            names: set[str] = set()
            for part in made:
                part.track(names)
        self.trackers = [part.tracker for part in made if part.tracker is not None]
        self.layout, self._parts, self._needed = layout, parts, needed
        if len(layout) == 1 and layout.single and made and made[0].weight is None:
            self._single = made[0].loss
        return layout

    def _in_keras_order(self, layout: Layout, parts: list[Any], y_pred: Any) -> list[Any]:
        """Return the outputs' losses in the order of their values in lists.

        Of a dict of outputs this is the order in which the losses were written down.
        """
        if not layout.keyed:
            return parts
        order = list(self.given if isinstance(self.given, dict) else y_pred)
        ranks = [order.index(path[0]) if path[0] in order else 0 for path in layout.paths]
        return [parts[at] for at in sorted(range(len(parts)), key=ranks.__getitem__)]

    def check_targets(self, y: Any, y_pred: Any) -> None:
        """Raise ValueError, in one sentence, if the labels of a data set do not fit the losses.

        Parameters
        ----------
        y
            All labels.
        y_pred
            The outputs for some samples.
        """
        layout = self.layout or self.build(y, y_pred)
        targets = layout.data(y, "y", self._needed)
        for part, true, pred, name in zip(
            self._parts, targets, layout.outputs(y_pred), layout.names
        ):
            if part is None or type(true) is not np.ndarray:
                continue
            try:
                part.loss.check_targets(true, (None, *pred.shape[1:]))
            except ValueError as error:
                if len(layout) == 1:
                    raise
                raise ValueError(f"Output {name or layout.paths}: {error}") from None


class _Part:
    """The loss of one output."""

    def __init__(self, given: Any, weight: Any, true: Any, pred: Any) -> None:
        if is_cross_entropy(given):
            kind = kind_of_labels(np.shape(true), np.shape(pred))
            loss = losses.get(_CROSS_ENTROPIES[kind])
        else:
            loss = losses.get(given)
        assert loss is not None
        self.loss = loss
        self.weight = None if weight is None else float(weight)
        typed = isinstance(given, str) and given == given.lower()  # and not a class's name
        self.name = str(given) if typed else loss.name
        self.tracker: MeanTracker | None = None

    def track(self, names: set[str]) -> None:
        """Follow the mean of this loss under a name of its own."""
        base = f"{self.name}_loss"
        unique, number = base, 1
        while unique in names:
            unique, number = f"{base}_{number}", number + 1
        names.add(unique)
        self.tracker = MeanTracker(unique)


def _each(given: Any) -> list[Any]:
    """Return what stands in nested lists and dicts, in a row."""
    if not is_container(given):
        return [given]
    parts = given.values() if isinstance(given, dict) else given
    return [leaf for part in parts for leaf in _each(part)]


def _checked_weights(given: Any, weights: Any, output_names: Sequence[str] | None) -> Any:
    """Return the factors on the losses, or raise if their number is plainly wrong."""
    if weights is None:
        return None
    if not is_container(weights):
        if isinstance(weights, bool) or not isinstance(weights, int | float | np.number):
            raise TypeError(
                "loss_weights is a number for one output, or a list or dict of numbers by "
                f"output, not {type(weights).__name__}."
            )
        return float(weights)
    for weight in _each(weights):
        if weight is not None and _is_no_number(weight):
            raise TypeError(f"loss_weights holds {weight!r}, which is not a number.")
    count = len(weights)
    if not is_container(given) and count != 1 and len(output_names or ()) < 2:
        raise ValueError(f"loss_weights has {count} entries for one output.")
    both_listed = isinstance(given, list | tuple) and isinstance(weights, list | tuple)
    if both_listed and len(given) != count:
        raise ValueError(f"loss has {len(given)} entries, but loss_weights has {count}.")
    return weights


def _is_no_number(weight: Any) -> bool:
    """Whether something cannot be a factor: it is no number."""
    return isinstance(weight, str | bool) or np.ndim(weight) > 0
