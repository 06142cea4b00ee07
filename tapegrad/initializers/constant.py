"""Initial values that are not drawn."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad.initializers.base import Initializer

__all__ = ["Constant", "Identity", "Ones", "Zeros"]


class Zeros(Initializer):
    """All zeros.

    Examples
    --------
    >>> Zeros()((2,)).numpy()
    array([0., 0.], dtype=float32)
    """

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return zeros."""
        return np.zeros(shape)


class Ones(Initializer):
    """All ones.

    Examples
    --------
    >>> Ones()((2,)).numpy()
    array([1., 1.], dtype=float32)
    """

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return ones."""
        return np.ones(shape)


class Constant(Initializer):
    """One value everywhere, or the given array.

    Parameters
    ----------
    value
        A number, or an array that broadcasts to the shape.

    Examples
    --------
    >>> Constant(0.5)((2,)).numpy()
    array([0.5, 0.5], dtype=float32)
    """

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return the constant, broadcast to the shape."""
        return np.broadcast_to(np.asarray(self.value), shape).copy()


class Identity(Initializer):
    """The identity matrix, times `gain`.

    Parameters
    ----------
    gain
        What stands on the diagonal.

    Examples
    --------
    >>> Identity(2.0)((2, 2)).numpy()
    array([[2., 0.],
           [0., 2.]], dtype=float32)
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return ``gain * eye(*shape)``; raises ValueError if the shape is not that of a matrix."""
        if len(shape) != 2:
            raise ValueError(f"Identity makes matrices only, but the weight's shape is {shape}.")
        return self.gain * np.eye(*shape)
