"""What all initializers share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tapegrad._core.state import floatx
from tapegrad._core.tensor import Tensor, tensor
from tapegrad.utils.config import Configurable

__all__ = ["Initializer"]


class Initializer(Configurable):
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

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"
