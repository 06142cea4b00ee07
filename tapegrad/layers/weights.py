"""The face of layers and models that has to do with their weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tapegrad._core.variable import Variable

if TYPE_CHECKING:
    from tapegrad.layers.base import Layer

__all__ = ["WeightsFace", "structure"]


class _Structure:
    """Counts changes of what belongs to what, so that training may keep lists of weights."""

    version = 0

    def changed(self) -> None:
        """Note that weights were made or became (un)trainable."""
        self.version += 1


structure = _Structure()


class WeightsFace:
    """Lists, counts, reads and writes the weights of a layer and of those inside it.

    The order is Keras's: a layer's own trainable weights, its own fixed ones, then those of the
    inner layers in the order in which they were attached.
    """

    name: str
    built: bool
    _trainable: bool

    def __init__(self) -> None:
        self._own_weights: list[tuple[Variable, bool]] = []

    # ---- structure -------------------------------------------------------------------

    def _children(self) -> Iterator[tuple[str, Layer]]:
        """Go through the layers attached to this one, with the names of their attributes."""
        for name, value in list(vars(self).items()):
            yield from _layers_in(name, value)

    def _named_own_weights(self) -> Iterator[tuple[str, Variable]]:
        """Go through this layer's own weights, trainable ones first, with unique names."""
        held = {id(variable) for variable, _ in self._own_weights}
        attached = [
            (name, value, value.trainable)
            for name, value in vars(self).items()
            if isinstance(value, Variable) and id(value) not in held
        ]
        made = [(variable.name, variable, flag) for variable, flag in self._own_weights]
        used: set[str] = set()
        for wanted in (True, False):
            for name, variable, flag in (*made, *attached):
                if flag is wanted:
                    unique, number = name, 1
                    while unique in used:
                        unique, number = f"{name}_{number}", number + 1
                    used.add(unique)
                    yield unique, variable

    def named_weights(self) -> dict[str, Variable]:
        """Return all weights by their path, such as ``"dense/kernel"``.

        Paths depend on the model's structure alone, not on how many layers were made before: they
        are the keys of weight files.
        """
        found: dict[str, Variable] = {}
        self._collect("", found, set())
        return found

    def _collect(self, prefix: str, found: dict[str, Variable], seen: set[int]) -> None:
        if id(self) in seen:
            return
        seen.add(id(self))
        for name, variable in self._named_own_weights():
            if id(variable) not in seen:
                seen.add(id(variable))
                found[prefix + name] = variable
        for name, layer in self._children():
            layer._collect(f"{prefix}{name}/", found, seen)

    # ---- lists -----------------------------------------------------------------------

    @property
    def weights(self) -> list[Variable]:
        """All weights."""
        return list(self.named_weights().values())

    @property
    def variables(self) -> list[Variable]:
        """All weights, under their other name."""
        return self.weights

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights that training changes."""
        return [variable for variable in self.weights if variable.trainable]

    @property
    def trainable_variables(self) -> list[Variable]:
        """The weights that training changes, under their other name."""
        return self.trainable_weights

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The weights that training leaves."""
        return [variable for variable in self.weights if not variable.trainable]

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """The weights that training leaves, under their other name."""
        return self.non_trainable_weights

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights; setting it reaches the layers inside."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        for variable, flag in self._own_weights:
            variable.trainable = self._trainable and flag
        for _, layer in self._children():
            layer.trainable = value
        structure.changed()

    # ---- values ----------------------------------------------------------------------

    def get_weights(self) -> list[np.ndarray]:
        """Return copies of all weights, in the order of `weights`."""
        return [variable.numpy() for variable in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set all weights; nothing changes unless all fit.

        Parameters
        ----------
        weights
            Arrays in the order and of the shapes of `get_weights`.

        Raises
        ------
        ValueError
            If their number or a shape differs.
        """
        variables = self.named_weights()
        if len(weights) != len(variables):
            hint = "" if self.built else "; it is not built yet: call it on data, or build() it"
            raise ValueError(
                f"{self.name}: set_weights got {len(weights)} arrays, but there are "
                f"{len(variables)} weights{hint}."
            )
        arrays = [np.asarray(array) for array in weights]
        for (path, variable), array in zip(variables.items(), arrays):
            if array.shape != variable.shape:
                raise ValueError(
                    f"{self.name}: the weight {path} has shape {variable.shape}, but set_weights "
                    f"got shape {array.shape} for it."
                )
            if array.dtype.kind not in "biuf":
                raise TypeError(
                    f"{self.name}: set_weights got dtype {array.dtype} for the weight {path}."
                )
        for variable, array in zip(variables.values(), arrays):
            variable.assign(array)

    def count_params(self) -> int:
        """Return the number of elements of all weights.

        Raises
        ------
        ValueError
            If the weights do not exist yet.
        """
        if not self.built:
            raise ValueError(
                f"{self.name} is not built yet, so its parameters cannot be counted: call it on "
                "data, or build(input_shape)."
            )
        return sum(variable.size for variable in self.weights)


def _layers_in(name: str, value: Any) -> Iterator[tuple[str, Layer]]:
    """Go through the layers in an attribute, also within lists, tuples and dicts."""
    if isinstance(value, WeightsFace):
        yield name, value  # type: ignore[misc]
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield from _layers_in(f"{name}/{index}", part)
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _layers_in(f"{name}/{key}", part)
