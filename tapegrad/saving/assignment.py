"""Values from a file into a model's weights: all of them, or none."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tapegrad._core.variable import Variable

__all__ = ["Assignment", "listing"]


@dataclass
class Assignment:
    """Pairs of Variables and the values they shall have, checked before any is changed.

    Parameters
    ----------
    source
        Where the values come from, for errors.
    skip_mismatch
        Whether weights that do not fit are left as they are, with a warning, instead of an error.
    """

    source: str
    skip_mismatch: bool = False
    _pairs: list[tuple[Variable, np.ndarray]] = field(default_factory=list)
    _skipped: list[str] = field(default_factory=list)

    def add(self, name: str, variable: Variable, value: Any) -> None:
        """Note a value for a weight.

        Parameters
        ----------
        name
            What the weight is called, for errors.
        variable, value
            The weight, and what is assigned to it: an array, or a dataset that is read only if its
            shape fits.

        Raises
        ------
        ValueError
            If shapes differ, or floating numbers meet whole ones, unless mismatches are skipped.
        """
        if value.shape != variable.shape:
            self.refuse(
                f"{name} has shape {value.shape} in the file and {variable.shape} in the model"
            )
        elif (value.dtype.kind == "f") != (variable.dtype.kind == "f"):
            self.refuse(
                f"{name} has dtype {value.dtype} in the file and {variable.dtype} in the model"
            )
        else:
            # Converted now: nothing that can fail is left for the time of the assignment.
            array = np.asarray(value)
            self._pairs.append((variable, array.astype(variable.dtype, copy=False)))

    def add_named(
        self, variables: Mapping[str, Variable], arrays: Mapping[str, np.ndarray]
    ) -> None:
        """Note values for weights by equal names; both sides must have the same ones."""
        missing = [name for name in variables if name not in arrays]
        unknown = [name for name in arrays if name not in variables]
        reasons = []
        if missing:
            reasons.append(f"it lacks {listing(missing)}")
        if unknown:
            reasons.append(f"it has {listing(unknown)}, which the model lacks")
        if reasons:
            self.refuse(" and ".join(reasons))
        for name, variable in variables.items():
            if name in arrays:
                self.add(name, variable, arrays[name])

    def refuse(self, reason: str) -> None:
        """Raise for a mismatch, or note it if mismatches are skipped."""
        if not self.skip_mismatch:
            raise ValueError(f"{self.source} does not fit the model: {reason}.")
        self._skipped.append(reason)

    def apply(self) -> None:
        """Assign everything; if that is interrupted, everything is as it was before."""
        if self._skipped:
            warnings.warn(
                f"{self.source}: what does not fit the model was skipped: "
                f"{'; '.join(self._skipped)}.",
                stacklevel=4,
            )
        before = [variable.numpy() for variable, _ in self._pairs]
        try:
            for variable, value in self._pairs:
                variable.assign(value)
        except BaseException:
            for (variable, _), old in zip(self._pairs, before):
                variable.assign(old)
            raise


def listing(names: list[str], limit: int = 3) -> str:
    """Return the first names, and how many more there are.

    Examples
    --------
    >>> listing(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
