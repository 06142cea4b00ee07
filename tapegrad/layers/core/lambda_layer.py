"""Any function as a layer, and the layer that does nothing."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tapegrad._core.nest import flatten, map_structure
from tapegrad.layers.base import Layer, Shape
from tapegrad.utils.tensors import as_tensor

__all__ = ["Identity", "Lambda"]


class Lambda(Layer):
    """Applies a function of one's own.

    The function is written with operations of `tapegrad.ops` or `tapegrad.numpy`, so that it can be
    differentiated. Variables that it uses do not belong to the layer: for a function with weights,
    write a `Layer`.

    Parameters
    ----------
    function
        Called with the input, and with ``mask`` and ``training`` if it has arguments of these
        names.
    output_shape
        The shape of one sample's output, or a function from the input's shape to the output's;
        found by calling the function on zeros if None.
    mask
        The output's mask, or a function ``mask(inputs, mask)`` that returns it; None for no mask.
    arguments
        Further arguments of the function, by name.
    **kwargs
        ``name`` and ``dtype``, as for every layer.

    Notes
    -----
    A model with this layer can be saved only if the function has a name and is registered; see
    `tapegrad.utils.serialization.register_serializable`.

    Examples
    --------
    >>> Lambda(lambda x: x**2)([[3.0]]).numpy()
    array([[9.]], dtype=float32)
    """

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: Any = None,
        arguments: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not callable(function):
            raise TypeError(f"Lambda: function must be callable, but is {function!r}.")
        self.function = function
        self.arguments = dict(arguments or {})
        self.mask = mask
        self.supports_masking = mask is not None
        self._output_shape = output_shape
        # Otherwise the function is tried, on zeros of the input's own dtype.
        self._tells_output_shape = output_shape is not None
        names = _argument_names(function)
        self._function_takes_mask = "mask" in names
        self._function_takes_training = "training" in names

    def call(self, inputs: Any, mask: Any = None, training: bool = False) -> Any:
        """Return what the function returns, as Tensors."""
        further = dict(self.arguments)
        if self._function_takes_mask:
            further["mask"] = mask
        if self._function_takes_training:
            further["training"] = training
        return map_structure(as_tensor, self.function(inputs, **further))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the output's shape for an input's."""
        wanted: Any = self._output_shape
        if wanted is None:
            return super().compute_output_shape(input_shape)
        if callable(wanted):
            return wanted(input_shape)
        samples = flatten(input_shape)[0]
        if isinstance(wanted, int):
            wanted = (wanted,)
        if all(length is None or isinstance(length, int) for length in wanted):
            return (samples, *wanted)
        return [(samples, *shape) for shape in wanted]

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Return the mask that was given, or that its function returns."""
        return self.mask(inputs, previous_mask) if callable(self.mask) else self.mask


def _argument_names(function: Callable[..., Any]) -> Sequence[str]:
    """Return the names of a function's arguments; none where it does not tell."""
    try:
        return tuple(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return ()


class Identity(Layer):
    """Returns its input.

    Parameters
    ----------
    **kwargs
        ``name`` and ``dtype``, as for every layer.

    Examples
    --------
    >>> Identity()([[1.0, 2.0]]).numpy()
    array([[1., 2.]], dtype=float32)
    """

    supports_masking = True

    _keeps_integers = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def call(self, inputs: Any) -> Any:
        """Return the input."""
        return inputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape
