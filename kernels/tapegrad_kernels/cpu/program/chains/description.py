"""What a chain is."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

MOST_STEPS = 48
"""Steps of a chain."""
MOST_ARRAYS = 32
"""Inputs and results of a chain."""

Kind = Literal["full", "scalar", "row", "column"]


class Number(NamedTuple):
    """A number of Python as an argument: its type gives way to that of arrays.

    Attributes
    ----------
    value : bool, int or float
        The number.
    """

    value: Any


Argument = int | Number | None
"""The position of an earlier value, a number, or None where the kernel takes it."""


class Step(NamedTuple):
    """One elementwise kernel of a chain.

    Attributes
    ----------
    name : str
        Name of the kernel.
    arguments : tuple of Argument
        Positions count the inputs first and then the steps.
    params : tuple of (str, value)
        The kernel's parameters.
    dtype : numpy.dtype
        Of the result, as the kernel returns it.
    """

    name: str
    arguments: tuple[Argument, ...]
    params: tuple[tuple[str, Any], ...]
    dtype: np.dtype[Any]


class Chain(NamedTuple):
    """Elementwise kernels that are computed together, over a space of rows and columns.

    Attributes
    ----------
    inputs : tuple of numpy.dtype
        Type of each input.
    kinds : tuple of str
        How each input lies in the space: ``"full"`` has all elements in C order, ``"row"`` one
        for each column, ``"column"`` one for each row, and ``"scalar"`` one for all.
    steps : tuple of Step
        In an order in which they can be computed.
    outputs : tuple of int
        Positions of the values that are results. They are written in full.
    """

    inputs: tuple[np.dtype[Any], ...]
    kinds: tuple[Kind, ...]
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]

    def dtype_of(self, position: int) -> np.dtype[Any]:
        """Type of the value at a position."""
        count = len(self.inputs)
        return self.inputs[position] if position < count else self.steps[position - count].dtype

    @property
    def names(self) -> tuple[str, ...]:
        """The kernels, in order."""
        return tuple(step.name for step in self.steps)
