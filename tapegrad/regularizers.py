"""Penalties on weights or activations, added to the loss.

A regularizer is called with a Tensor and returns a scalar Tensor. This is a penalty *in the loss*:
its gradient passes through the optimizer like that of any other term, which for adaptive methods
such as Adam is not the same as decoupled weight decay.

Example
-------
>>> from tapegrad import regularizers
>>> float(regularizers.L2(0.1)([1.0, 2.0]))
0.5
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad.utils import serialization
from tapegrad.utils.config import Configurable
from tapegrad.utils.description import made_from
from tapegrad.utils.lookup import look_up
from tapegrad.utils.tensors import as_tensor

__all__ = [
    "L1",
    "L1L2",
    "L2",
    "OrthogonalRegularizer",
    "Regularizer",
    "deserialize",
    "get",
    "serialize",
    "l1",
    "l1_l2",
    "l2",
    "orthogonal_regularizer",
]


_EPSILON = 1e-7


class Regularizer(Configurable):
    """Base of all regularizers: call it with a Tensor to get the penalty, a scalar Tensor."""

    def __call__(self, x: Any) -> Tensor:
        """Return the penalty on `x`."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its penalty is.")

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


def _factor(value: float | None, name: str, owner: str) -> float:
    """Return the factor as a float; raises ValueError unless it is finite and not negative."""
    number = 0.0 if value is None else float(value)
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"{owner}: {name} must be finite and not negative, but is {value}.")
    return number


class L1L2(Regularizer):
    """The penalty ``l1 * sum(|x|) + l2 * sum(x**2)``.

    Parameters
    ----------
    l1, l2
        The two factors.

    Raises
    ------
    ValueError
        If a factor is negative or not finite.

    Examples
    --------
    >>> float(L1L2(l1=1.0, l2=1.0)([1.0, -2.0]))
    8.0
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1 = _factor(l1, "l1", "L1L2")
        self.l2 = _factor(l2, "l2", "L1L2")

    def __call__(self, x: Any) -> Tensor:
        """Return the penalty on `x`."""
        penalty = self.l1 * ops.sum(ops.abs(x))
        return penalty + self.l2 * ops.sum(ops.square(x))


class L1(Regularizer):
    """The penalty ``l1 * sum(|x|)`` (Tibshirani, 1996): drives weights to exactly zero.

    Parameters
    ----------
    l1
        The factor.

    Raises
    ------
    ValueError
        If the factor is negative or not finite.

    Examples
    --------
    >>> float(L1(1.0)([1.0, -2.0]))
    3.0
    """

    def __init__(self, l1: float = 0.01) -> None:
        self.l1 = _factor(l1, "l1", "L1")

    def __call__(self, x: Any) -> Tensor:
        """Return the penalty on `x`."""
        return self.l1 * ops.sum(ops.abs(x))


class L2(Regularizer):
    """The penalty ``l2 * sum(x**2)`` (ridge): keeps weights small.

    Parameters
    ----------
    l2
        The factor.

    Raises
    ------
    ValueError
        If the factor is negative or not finite.

    Examples
    --------
    >>> float(L2(1.0)([1.0, -2.0]))
    5.0
    """

    def __init__(self, l2: float = 0.01) -> None:
        self.l2 = _factor(l2, "l2", "L2")

    def __call__(self, x: Any) -> Tensor:
        """Return the penalty on `x`."""
        return self.l2 * ops.sum(ops.square(x))


class OrthogonalRegularizer(Regularizer):
    """Keeps the rows (or columns) of a matrix at right angles to each other.

    The penalty is ``factor`` times the mean of ``|cos|`` of the angles between all pairs.

    Parameters
    ----------
    factor
        A factor on the mean.
    mode
        ``"rows"`` or ``"columns"``.

    Raises
    ------
    ValueError
        If the factor is negative or not finite, or the mode unknown; at the call if there is no
        matrix of at least two such vectors.

    Examples
    --------
    >>> float(OrthogonalRegularizer(1.0)([[1.0, 0.0], [0.0, 2.0]]))
    0.0
    >>> round(float(OrthogonalRegularizer(1.0)([[3.0, 0.0], [3.0, 4.0]])), 6)
    0.6
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        self.factor = _factor(factor, "factor", "OrthogonalRegularizer")
        look_up(mode, {"rows": 0, "columns": 0}, "mode of OrthogonalRegularizer")
        self.mode = mode

    def __call__(self, x: Any) -> Tensor:
        """Return the penalty on the matrix `x`."""
        x = as_tensor(x)
        if x.ndim != 2:
            raise ValueError(
                f"OrthogonalRegularizer: the weight has shape {x.shape}, expected a matrix."
            )
        vectors = x if self.mode == "rows" else x.T
        count = vectors.shape[0]
        if count < 2:
            raise ValueError(
                f"OrthogonalRegularizer: the weight of shape {x.shape} has fewer than two "
                f"{self.mode}, which make no pair."
            )
        unit = ops.unit_norm(vectors, axis=1, epsilon=_EPSILON)
        cosines = ops.absolute(ops.matmul(unit, unit, transpose_b=True))
        above = ops.triu(cosines, 1)  # each pair once
        return self.factor * ops.sum(above) / (count * (count - 1) / 2)


# The lower-case spellings of listings: `regularizers.l2(0.01)`.
l1 = L1
l2 = L2
l1_l2 = L1L2
orthogonal_regularizer = OrthogonalRegularizer

_NAMES: dict[str, Callable[..., Regularizer]] = {
    "l1": L1,
    "l2": L2,
    "l1_l2": functools.partial(L1L2, 0.01, 0.01),  # the name alone, as older listings have it
    "L1L2": L1L2,
    "orthogonal_regularizer": OrthogonalRegularizer,
    "OrthogonalRegularizer": OrthogonalRegularizer,
}


def get(identifier: Any) -> Callable[[Any], Any] | None:
    """Return a regularizer for a name, a description, a class, a callable or None.

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If `identifier` is nothing of the above.

    Examples
    --------
    >>> get("l2")
    L2(l2=0.01)
    """
    if identifier is None:
        return None
    if isinstance(identifier, str):
        return look_up(identifier, _NAMES, "regularizer")()
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, type) and issubclass(identifier, Regularizer):
        return identifier()
    if callable(identifier):
        return identifier
    raise TypeError(
        "A regularizer is a name, a Regularizer, a callable or None, not "
        f"{type(identifier).__name__}."
    )


def serialize(regularizer: Any) -> Any:
    """Return a regularizer as plain data; None stays None.

    Raises
    ------
    TypeError
        If it is a function that is not registered.

    Examples
    --------
    >>> serialize(L1(0.5))["config"]
    {'l1': 0.5}
    """
    return serialization.serialize(regularizer, "regularizer")


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """Return the regularizer that `serialize` turned into data.

    Parameters
    ----------
    config
        The data, ``{"class_name": …, "config": …}``, or a name.
    custom_objects
        Classes and functions of your own, by name.

    Raises
    ------
    ValueError
        If the class is unknown.

    Examples
    --------
    >>> deserialize({"class_name": "L1", "config": {"l1": 0.5}}).get_config()
    {'l1': 0.5}
    """
    if isinstance(config, dict):
        return made_from(config, "tapegrad.regularizers", custom_objects)
    with serialization.custom_object_scope(custom_objects):
        return get(config)
