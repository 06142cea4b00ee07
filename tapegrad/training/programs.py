"""The recorded steps of a model, for as long as they do what its own steps do."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from tapegrad._core.tensor import Tensor
from tapegrad._core.variable import Variable
from tapegrad.training.notes import Notes
from tapegrad.training.recorded import RecordedStep
from tapegrad.training.watch import Watch

__all__ = ["Programs"]

_CHANGES = 8
"""So often in a row may a model change before a program ran; then its steps run eagerly."""


class Programs:
    """The recorded steps of a model.

    They stand for the model as it is now. Whoever wants to use them asks `holds` before: layers
    may have been frozen, attributes set, and the model compiled anew.

    Parameters
    ----------
    model
        The model.
    before : Programs, optional
        Those that hold no more.

    Attributes
    ----------
    own : frozenset of str
        Kinds of steps that the user wrote, and that are not recorded for this reason.
    notes : Notes
        What steps of training note.
    """

    def __init__(self, model: Any, before: Programs | None = None) -> None:
        self._model = model
        self._warned = before is not None and before._warned
        self._changes = 0 if before is None or before._ran() else before._changes + 1
        lists = self._lists = model._lists()
        self._trainable = [variable._trainable for variable in lists.trainable]
        self._layers = Watch(lists.layers)
        penalties = [regularizer for _, regularizer in lists.penalties]
        constraints = [variable.constraint for variable in lists.trainable]
        losses = () if model._compiled_loss is None else model._compiled_loss.watched()
        measured = () if model._compiled_metrics is None else model._compiled_metrics.watched()
        further = [model.optimizer, *penalties, *constraints, *losses, *measured]
        self._all = Watch([*lists.layers, *[each for each in further if each is not None]])
        made = {
            "train": RecordedStep(model._train, self.holds, self._report, model.optimizer),
            "test": RecordedStep(model._test, self.holds, self._report),
            "predict": RecordedStep(model._predict, self._holds_layers, self._report),
        }
        self.notes = Notes(model)
        self._losses: dict[Any, Variable] = {}
        wanted = model._jit_compile is True
        self.own = frozenset(kind for kind in made if model._own_steps(kind) and not wanted)
        self._steps: dict[str, RecordedStep | None] = {
            kind: step if self._changes < _CHANGES and kind not in self.own else None
            for kind, step in made.items()
        }

    def step(self, kind: str) -> RecordedStep | None:
        """Return the step for ``"train"``, ``"test"`` or ``"predict"``, None if it runs eagerly."""
        return self._steps[kind]

    def hold(self, kind: str) -> bool:
        """Whether the step of a kind still does what the model's own does."""
        return self._holds_layers() if kind == "predict" else self.holds()

    def holds(self) -> bool:
        """Whether training and evaluation still are what they were."""
        return (
            self._holds_lists()
            and self._all.unchanged()
            and [variable._trainable for variable in self._lists.trainable] == self._trainable
        )

    def kept_losses(self, layer: Any) -> list[Any]:
        """Return Variables that hold the losses which a layer's last call added."""
        kept = []
        for number, loss in enumerate(layer._call_losses):
            if not isinstance(loss, Tensor):
                kept.append(loss)
                continue
            key = id(layer), number, loss.shape, loss.dtype
            cell = self._losses.get(key)
            if cell is None:
                zeros = np.zeros(loss.shape, loss.dtype)
                cell = self._losses[key] = Variable(zeros, name="added_loss", trainable=False)
            kept.append(cell.assign(loss))
        return kept

    def __reduce__(self) -> Any:
        """Leave programs out of copies of a model: they are of its own Variables."""
        return type(None), ()

    # ---- inside ----------------------------------------------------------------------

    def _holds_layers(self) -> bool:
        return self._holds_lists() and self._layers.unchanged()

    def _holds_lists(self) -> bool:
        lists = self._model._lists()
        if lists is not self._lists:
            if not lists.alike(self._lists):
                return False
            self._lists = lists
        return True

    def _ran(self) -> bool:
        return any(step is not None and step.ran for step in self._steps.values())

    def _report(self, reason: str) -> None:
        """Say that a step runs eagerly: each time if programs were asked for, else once."""
        model = self._model
        if self._warned and model._jit_compile is not True:
            return
        self._warned = True
        warnings.warn(
            f"{model.name}: a step cannot become a program and runs eagerly: {reason}; with "
            "compile(jit_compile=False) all steps do, without this warning.",
            RuntimeWarning,
            stacklevel=2,
        )
