"""What all initializers share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad._core.state import floatx
from tapegrad._core.tensor import Tensor, tensor

__all__ = ["Initializer"]


class Initializer:
    """Base of all initializers: call it with a shape to get a Tensor.

    Subclasses write ``values(shape)``, which returns a float64 array or one of the wanted dtype.
    """

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> Tensor:
        """Return a Tensor of this shape.

        Parameters
        ----------
        shape
            The lengths of the axes.
        dtype
            The dtype, ``floatx()`` by default.
        """
        values = self.values(tuple(int(length) for length in shape))
        return tensor(values, dtype=dtype or floatx())

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return the initial values as an array."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its values are.")

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            name.lstrip("_"): value
            for name, value in vars(self).items()
            if isinstance(value, (int, float, str, type(None)))
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Initializer:
        """Make an initializer from the arguments that `get_config` returned."""
        return cls(**config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"
