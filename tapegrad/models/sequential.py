"""A stack of layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tapegrad.layers import InputLayer, Layer
from tapegrad.layers.base import Shape
from tapegrad.layers.weights import structure
from tapegrad.models.model import Model
from tapegrad.utils.lookup import snake_case

__all__ = ["Sequential"]


class Sequential(Model):
    """A model in which each layer's output is the next one's input.

    If the first entry tells the shape of its input (``Input(shape=…)``, or a layer with
    ``input_shape=`` or ``input_dim=``), the weights are made as layers are added; otherwise when
    the model first sees data.

    Parameters
    ----------
    layers
        The layers, in order.
    name, trainable
        As for every layer.
    dtype
        What the input is converted to; by default the dtype of the first layer.

    Raises
    ------
    TypeError
        If an entry is not a layer.
    ValueError
        If two layers have the same name, or a layer does not fit the one before it.

    Examples
    --------
    >>> import tapegrad as tg
    >>> model = Sequential([tg.Input((4,)), tg.layers.Dense(8, "relu"), tg.layers.Dense(3)])
    >>> model.count_params()
    67
    """

    def __init__(
        self,
        layers: Iterable[Any] | None = None,
        trainable: bool = True,
        name: str | None = None,
        *,
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self._stack: list[Layer] = []
        self._calls: list[Callable[..., Any]] = []
        self._input_layer: InputLayer | None = None
        self._shape: Shape | None = None
        self._takes_first_dtype = dtype is None
        if isinstance(layers, Layer):
            layers = [layers]
        for layer in layers or ():
            self.add(layer)

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the Input."""
        return list(self._stack)

    @property
    def input_shape(self) -> Shape | None:
        """The shape of the input, samples first; None before it is known."""
        return self._shape

    @property
    def output_shape(self) -> Shape | None:
        """The shape of the output, samples first; None before it is known."""
        shape = self._shape
        return None if shape is None else self.compute_output_shape(shape)

    def add(self, layer: Any) -> None:
        """Put a layer on top.

        Raises
        ------
        TypeError
            If it is not a layer.
        ValueError
            If its name is taken, or it does not fit the layer before it.
        """
        if not isinstance(layer, Layer):
            raise TypeError(
                f"Sequential takes layers, not {type(layer).__name__} ({layer!r})"
                + ("; did you mean to call it, with ()?" if isinstance(layer, type) else ".")
            )
        if isinstance(layer, InputLayer):
            if self._stack or self._input_layer is not None:
                raise ValueError("Sequential: an Input must come first, and only once.")
            self._input_layer = layer
            self._shape = layer.batch_shape
            return
        if self._takes_first_dtype and not self._stack:
            self._dtype = layer._dtype
        if any(layer.name == other.name for other in self._stack):
            raise ValueError(
                f"Sequential: there is a layer named {layer.name!r} already; names are unique, "
                "and a layer is in a stack once."
            )
        self._stack.append(layer)
        self._calls.append(layer)
        if not self._trainable:
            layer.trainable = False
        if self._shape is None and len(self._stack) == 1:
            self._shape = _own_input_shape(layer)
        if self._shape is not None:
            try:
                self._build_layers(self._shape)
            except BaseException:
                self._stack.pop()
                self._calls.pop()
                raise
        else:
            self.built = False
        structure.changed()

    def pop(self, rebuild: bool = True) -> Layer | None:
        """Take the last layer off and return it; None if there is none.

        Parameters
        ----------
        rebuild
            Accepted for Keras's signature.
        """
        if not self._stack:
            return None
        self._calls.pop()
        structure.changed()
        return self._stack.pop()

    def build(self, input_shape: Shape | None = None) -> None:
        """Make all weights for inputs of this shape, samples first.

        Raises
        ------
        ValueError
            If there are no layers, or they do not fit each other.
        """
        if not self._stack:
            raise ValueError(f"{self.name} has no layers yet: add some first.")
        shape = tuple(input_shape) if input_shape is not None else self._shape
        if shape is None:
            raise ValueError(f"{self.name}: build needs the shape of the input.")
        self._build_layers((None, *shape[1:]))
        self._shape = (None, *shape[1:])

    def _build_layers(self, shape: Shape) -> None:
        for layer in self._stack:
            if not layer.built:
                layer.build(shape)
                layer.built = True
            shape = layer.compute_output_shape(shape)
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return the output of the last layer."""
        for layer in self._calls:
            inputs = layer(inputs)
        return inputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the output's shape for an input's."""
        for layer in self._stack:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    def _output_shapes(self) -> dict[int, str]:
        """Return each layer's output shape, for the summary."""
        shapes: dict[int, str] = {}
        shape = self._shape
        if shape is not None:
            for layer in self._stack:
                shape = layer.compute_output_shape(shape)
                shapes[id(layer)] = str(shape)
        return shapes

    def _children(self) -> Iterator[tuple[str, Layer]]:
        # Named by kind and place, so that weight files do not depend on how many layers of a
        # kind the process made before.
        counts: Counter[str] = Counter()
        for layer in self._stack:
            stem = snake_case(type(layer).__name__)
            number = counts[stem]
            counts[stem] += 1
            yield (f"{stem}_{number}" if number else stem), layer


def _own_input_shape(layer: Layer) -> Shape | None:
    """Return the input shape that a layer (or the model nested as one) was given."""
    if isinstance(layer, Sequential):
        return layer.input_shape
    return layer._given_input_shape
