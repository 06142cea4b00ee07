"""Softmax with a mask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tapegrad import activations, ops
from tapegrad._core.tensor import Tensor
from tapegrad.layers.base import Layer, Shape
from tapegrad.utils.tensors import as_float_tensor, as_tensor

__all__ = ["Softmax"]

# What masked logits are replaced by: its exponential is 0 beside that of any usual logit.
_MASKED = -1e9


class Softmax(Layer):
    """Applies softmax along one or several axes, leaving out what a mask hides.

    Parameters
    ----------
    axis
        The axis, or axes taken together, along which the results sum to 1.
    **kwargs
        ``name`` and ``dtype``, as for every layer.

    Raises
    ------
    ValueError
        At the call, if an axis does not exist, or the mask does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> Softmax()(np.zeros((1, 4)), mask=np.array([[True, True, False, False]])).numpy()
    array([[0.5, 0.5, 0. , 0. ]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis if isinstance(axis, int) else list(axis)
        self._axes = (axis,) if isinstance(axis, int) else tuple(axis)

    def call(self, inputs: Any, mask: Any = None) -> Tensor:
        """Return the weights.

        Parameters
        ----------
        inputs
            Logits.
        mask
            Broadcast to the logits; results are 0 where it is False. Numbers count as True above
            one half. Where nothing along the axis is left, all results are 0.
        """
        inputs = as_float_tensor(inputs, self._dtype)
        self._check_axes(inputs.shape)
        if mask is not None:
            mask = self._fitting_mask(mask, inputs.shape)
            inputs = ops.where(mask, inputs, _MASKED)
        if len(self._axes) == 1:
            outputs = activations.softmax(inputs, axis=self._axes[0])
        else:
            outputs = ops.exp(inputs - ops.logsumexp(inputs, axis=self._axes, keepdims=True))
        return outputs if mask is None else ops.where(mask, outputs, 0.0)

    def _check_axes(self, shape: Shape) -> None:
        for axis in self._axes:
            if not -len(shape) <= axis < len(shape):
                raise self._wrong_shape(f"an axis {axis} along which to apply softmax", shape)

    def _fitting_mask(self, mask: Any, shape: tuple[int, ...]) -> Tensor:
        mask = as_tensor(mask)
        if mask.ndim > len(shape) or any(
            own not in (1, length) for own, length in zip(mask.shape[::-1], shape[::-1])
        ):
            raise ValueError(
                f"Layer {self.name} (Softmax): the mask has shape {mask.shape}, which is not "
                f"broadcast to the input's shape {shape}."
            )
        return mask if mask.dtype.kind == "b" else mask > 0.5

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        self._check_axes(input_shape)
        return input_shape
