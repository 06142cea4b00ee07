"""Sums, products and extremes of several inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad.layers.merging.base import Merge
from tapegrad.utils.tensors import as_real_tensor

__all__ = [
    "Add",
    "Average",
    "Maximum",
    "Minimum",
    "Multiply",
    "Subtract",
    "add",
    "average",
    "maximum",
    "minimum",
    "multiply",
    "subtract",
]


class Add(Merge):
    """The sum of a list of inputs.

    Parameters
    ----------
    **kwargs
        ``name`` and ``dtype``, as for every layer.

    Raises
    ------
    ValueError
        At the call, if there is no list of inputs, or their shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> Add()([np.ones((1, 2)), np.ones((1, 2))]).numpy()
    array([[2., 2.]], dtype=float32)
    """

    def _join(self, left: Any, right: Any) -> Tensor:
        return ops.add(left, right)


class Subtract(Merge):
    """The first of two inputs minus the second.

    Parameters
    ----------
    **kwargs
        ``name`` and ``dtype``, as for every layer.

    Raises
    ------
    ValueError
        At the call, if there is no list of two inputs, or their shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> Subtract()([np.ones((1, 2)), np.zeros((1, 2))]).numpy()
    array([[1., 1.]], dtype=float32)
    """

    _least = 2
    _most = 2

    def _join(self, left: Any, right: Any) -> Tensor:
        return ops.subtract(left, right)


class Multiply(Merge):
    """The product of a list of inputs.

    Masked positions of an input leave the others as they are; where all inputs are masked, the
    product is 0.

    Parameters
    ----------
    **kwargs
        ``name`` and ``dtype``, as for every layer.

    Raises
    ------
    ValueError
        At the call, if there is no list of inputs, or their shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> Multiply()([np.full((1, 2), 3.0), np.full((1, 2), 2.0)]).numpy()
    array([[6., 6.]], dtype=float32)
    """

    def _merge(self, inputs: Sequence[Any], masks: Sequence[Any]) -> Tensor:
        output: Any = None
        valid: Any = None
        for value, mask in zip(inputs, masks):
            if mask is not None:
                mask = ops.expand_dims(mask, -1)
                valid = mask if valid is None else ops.logical_or(valid, mask)
                value = ops.where(mask, value, 1.0)
            output = value if output is None else ops.multiply(output, value)
        if any(mask is None for mask in masks):
            return output
        return ops.where(valid, output, 0.0)


class Average(Merge):
    """The mean of a list of inputs, element by element.

    Parameters
    ----------
    **kwargs
        ``name`` and ``dtype``, as for every layer.

    Raises
    ------
    ValueError
        At the call, if there is no list of inputs, or their shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> Average()([np.ones((1, 2)), np.zeros((1, 2))]).numpy()
    array([[0.5, 0.5]], dtype=float32)
    """

    _keeps_integers = False

    def _merge(self, inputs: Sequence[Any], masks: Sequence[Any]) -> Tensor:
        reals = [as_real_tensor(value, self._dtype) for value in inputs]
        return super()._merge(reals, masks) / len(inputs)

    def _join(self, left: Any, right: Any) -> Tensor:
        return ops.add(left, right)


class _Extreme(Merge):
    """Base of the largest and the smallest: at a position that one input masks, the other's."""

    def _merge(self, inputs: Sequence[Any], masks: Sequence[Any]) -> Tensor:
        output, valid = inputs[0], _over_features(masks[0])
        for value, mask in zip(inputs[1:], masks[1:]):
            mask = _over_features(mask)
            if mask is not None:
                value = ops.where(mask, value, output)
            if valid is not None:
                output = ops.where(valid, output, value)
            both = mask is not None and valid is not None
            valid = ops.logical_or(valid, mask) if both else None
            output = self._join(output, value)
        return output


def _over_features(mask: Any) -> Any:
    """Return a mask with an axis for the features it hides or shows."""
    return None if mask is None else ops.expand_dims(mask, -1)


class Maximum(_Extreme):
    """The largest of a list of inputs, element by element.

    At positions that some inputs mask, the others decide.

    Parameters
    ----------
    **kwargs
        ``name`` and ``dtype``, as for every layer.

    Raises
    ------
    ValueError
        At the call, if there is no list of inputs, or their shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> Maximum()([np.array([[1.0, 4.0]]), np.array([[2.0, 3.0]])]).numpy()
    array([[2., 4.]], dtype=float32)
    """

    def _join(self, left: Any, right: Any) -> Tensor:
        return ops.maximum(left, right)


class Minimum(_Extreme):
    """The smallest of a list of inputs, element by element.

    At positions that some inputs mask, the others decide.

    Parameters
    ----------
    **kwargs
        ``name`` and ``dtype``, as for every layer.

    Raises
    ------
    ValueError
        At the call, if there is no list of inputs, or their shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> Minimum()([np.array([[1.0, 4.0]]), np.array([[2.0, 3.0]])]).numpy()
    array([[1., 3.]], dtype=float32)
    """

    def _join(self, left: Any, right: Any) -> Tensor:
        return ops.minimum(left, right)


def add(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """Return ``Add(**kwargs)(inputs)``.

    Examples
    --------
    >>> import numpy as np
    >>> add([np.array([[1.0]]), np.array([[2.0]])]).numpy()
    array([[3.]], dtype=float32)
    """
    return Add(**kwargs)(inputs)


def subtract(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """Return ``Subtract(**kwargs)(inputs)``.

    Examples
    --------
    >>> import numpy as np
    >>> subtract([np.array([[1.0]]), np.array([[2.0]])]).numpy()
    array([[-1.]], dtype=float32)
    """
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """Return ``Multiply(**kwargs)(inputs)``.

    Examples
    --------
    >>> import numpy as np
    >>> multiply([np.array([[3.0]]), np.array([[2.0]])]).numpy()
    array([[6.]], dtype=float32)
    """
    return Multiply(**kwargs)(inputs)


def average(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """Return ``Average(**kwargs)(inputs)``.

    Examples
    --------
    >>> import numpy as np
    >>> average([np.array([[1.0]]), np.array([[2.0]])]).numpy()
    array([[1.5]], dtype=float32)
    """
    return Average(**kwargs)(inputs)


def maximum(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """Return ``Maximum(**kwargs)(inputs)``.

    Examples
    --------
    >>> import numpy as np
    >>> maximum([np.array([[1.0]]), np.array([[2.0]])]).numpy()
    array([[2.]], dtype=float32)
    """
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """Return ``Minimum(**kwargs)(inputs)``.

    Examples
    --------
    >>> import numpy as np
    >>> minimum([np.array([[1.0]]), np.array([[2.0]])]).numpy()
    array([[1.]], dtype=float32)
    """
    return Minimum(**kwargs)(inputs)
