"""Bounds that weights are put back into after each update.

A constraint is called with a weight and returns the projected weight. It acts after the
optimizer's step and has no gradient.

Example
-------
>>> from tapegrad import constraints
>>> constraints.NonNeg()([-1.0, 2.0]).numpy()
array([0., 2.])
"""

from __future__ import annotations

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
    "Constraint",
    "MaxNorm",
    "MinMaxNorm",
    "NonNeg",
    "UnitNorm",
    "deserialize",
    "get",
    "serialize",
    "max_norm",
    "min_max_norm",
    "non_neg",
    "unit_norm",
]

_EPSILON = 1e-7


class Constraint(Configurable):
    """Base of all constraints: call it with a weight to get the projected weight."""

    def __call__(self, w: Any) -> Tensor:
        """Return `w` put back within bounds."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it projects to.")


class NonNeg(Constraint):
    """Negative weights become zero.

    Examples
    --------
    >>> NonNeg()([-1.0, 2.0]).numpy()
    array([0., 2.])
    """

    def __call__(self, w: Any) -> Tensor:
        """Return ``max(w, 0)``."""
        return ops.maximum(w, 0.0)


class MaxNorm(Constraint):
    """The norm along `axis` is at most `max_value`.

    Parameters
    ----------
    max_value
        The largest norm allowed.
    axis
        The axes of one unit's incoming weights: 0 for a Dense kernel.

    Examples
    --------
    >>> MaxNorm(1.0)([[3.0], [4.0]]).numpy().round(3)
    array([[0.6],
           [0.8]])
    """

    def __init__(self, max_value: float = 2, axis: int | tuple[int, ...] = 0) -> None:
        self.max_value = max_value
        self.axis = axis

    def __call__(self, w: Any) -> Tensor:
        """Return `w` with longer vectors shortened to `max_value`."""
        w, norms = _norms(w, self.axis)
        return w * (ops.clip(norms, 0.0, self.max_value) / (norms + _EPSILON))


class UnitNorm(Constraint):
    """The norm along `axis` is one.

    Parameters
    ----------
    axis
        The axes of one unit's incoming weights: 0 for a Dense kernel.

    Examples
    --------
    >>> UnitNorm()([[3.0], [4.0]]).numpy().round(3)
    array([[0.6],
           [0.8]])
    """

    def __init__(self, axis: int | tuple[int, ...] = 0) -> None:
        self.axis = axis

    def __call__(self, w: Any) -> Tensor:
        """Return `w` divided by its norms."""
        w, norms = _norms(w, self.axis)
        return w / (norms + _EPSILON)


class MinMaxNorm(Constraint):
    """The norm along `axis` lies between `min_value` and `max_value`, or comes nearer to that.

    Parameters
    ----------
    min_value, max_value
        The smallest and the largest norm allowed.
    rate
        How far a norm outside is moved towards the bounds by one update: 1 moves it all the way.
    axis
        The axes of one unit's incoming weights: 0 for a Dense kernel.

    Examples
    --------
    >>> MinMaxNorm(0.0, 1.0, rate=0.5)([[3.0], [4.0]]).numpy().round(3)
    array([[1.8],
           [2.4]])
    """

    def __init__(
        self,
        min_value: float = 0.0,
        max_value: float = 1.0,
        rate: float = 1.0,
        axis: int | tuple[int, ...] = 0,
    ) -> None:
        self.min_value = min_value
        self.max_value = max_value
        self.rate = rate
        self.axis = axis

    def __call__(self, w: Any) -> Tensor:
        """Return `w` with its norms brought within the bounds."""
        w, norms = _norms(w, self.axis)
        within = ops.clip(norms, self.min_value, self.max_value)
        desired = self.rate * within + (1.0 - self.rate) * norms
        return w * (desired / (norms + _EPSILON))


def _norms(w: Any, axis: int | tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Return `w` as a Tensor, and its Euclidean norms along axes, which stay with length 1."""
    w = as_tensor(w)
    axes = tuple(axis) if isinstance(axis, list | tuple) else axis
    return w, ops.sqrt(ops.sum(ops.square(w), axis=axes, keepdims=True))


# The lower-case spellings of listings: `constraints.max_norm(3)`.
max_norm = MaxNorm
min_max_norm = MinMaxNorm
non_neg = NonNeg
unit_norm = UnitNorm

_NAMES: dict[str, type[Constraint]] = {
    "min_max_norm": MinMaxNorm,
    "MinMaxNorm": MinMaxNorm,
    "non_neg": NonNeg,
    "NonNeg": NonNeg,
    "max_norm": MaxNorm,
    "MaxNorm": MaxNorm,
    "unit_norm": UnitNorm,
    "UnitNorm": UnitNorm,
}


def get(identifier: Any) -> Callable[[Any], Any] | None:
    """Return a constraint for a name, a description, a class, a callable or None.

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If `identifier` is nothing of the above.

    Examples
    --------
    >>> type(get("non_neg")).__name__
    'NonNeg'
    """
    if identifier is None:
        return None
    if isinstance(identifier, str):
        return look_up(identifier, _NAMES, "constraint")()
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, type) and issubclass(identifier, Constraint):
        return identifier()
    if callable(identifier):
        return identifier
    raise TypeError(
        "A constraint is a name, a Constraint, a callable or None, not "
        f"{type(identifier).__name__}."
    )


def serialize(constraint: Any) -> Any:
    """Return a constraint as plain data; None stays None.

    Raises
    ------
    TypeError
        If it is a function that is not registered.

    Examples
    --------
    >>> serialize(UnitNorm(1))["config"]
    {'axis': 1}
    """
    return serialization.serialize(constraint, "constraint")


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """Return the constraint that `serialize` turned into data.

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
    >>> deserialize({"class_name": "UnitNorm", "config": {"axis": 1}}).get_config()
    {'axis': 1}
    """
    if isinstance(config, dict):
        return made_from(config, "tapegrad.constraints", custom_objects)
    with serialization.custom_object_scope(custom_objects):
        return get(config)
