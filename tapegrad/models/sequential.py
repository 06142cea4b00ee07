"""A stack of layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tapegrad._core.nest import flatten
from tapegrad._core.tensor import Tensor
from tapegrad.layers import InputLayer, Layer
from tapegrad.layers.base import Shape
from tapegrad.layers.symbolic import SymbolicTensor
from tapegrad.layers.weights import structure
from tapegrad.models.graph import Graph, named_children
from tapegrad.models.model import Model
from tapegrad.models.standardize import fit_to_input
from tapegrad.utils.lookup import snake_case
from tapegrad.utils.serialization import deserialize, serialize

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
        self._tail: SymbolicTensor | None = None
        self._takes_first_dtype = dtype is None
        if isinstance(layers, Layer | SymbolicTensor):
            layers = [layers]
        for layer in layers or ():
            self.add(layer)

    # ---- the stack -------------------------------------------------------------------

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the Input."""
        return list(self._stack)

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Put a layer on top.

        Parameters
        ----------
        layer
            The layer; the first may be an Input.
        rebuild
            Accepted for Keras's signature.

        Raises
        ------
        TypeError
            If it is not a layer.
        ValueError
            If its name is taken, or it does not fit the layer before it.
        """
        if isinstance(layer, SymbolicTensor) and layer.node is not None:
            layer = layer.node.layer
        if not isinstance(layer, Layer):
            raise TypeError(
                f"Sequential takes layers, not {type(layer).__name__} ({layer!r})"
                + ("; did you mean to call it, with ()?" if isinstance(layer, type) else ".")
            )
        if isinstance(layer, InputLayer):
            if self._stack or self._input_layer is not None:
                raise ValueError("Sequential: an Input must come first, and only once.")
            self._begin_with(layer)
            return
        if any(layer.name == other.name for other in self._stack):
            raise ValueError(
                f"Sequential: there is a layer named {layer.name!r} already; names are unique, "
                "and a layer is in a stack once."
            )
        if not self._stack and self._input_layer is None:
            if self._takes_first_dtype:
                self._dtype = layer._dtype
            own = _own_input_shape(layer)
            if own is not None:
                self._begin_with(InputLayer(batch_shape=own, dtype=layer._dtype))
        elif self._takes_first_dtype and not self._stack:
            self._dtype = layer._dtype
        if not self._trainable:
            layer.trainable = False
        if self._tail is not None:
            self._tail = layer(self._tail)  # if it does not fit, it is not put on the stack
        self._stack.append(layer)
        self._calls.append(layer)
        self.built = self._tail is not None
        structure.changed()

    def _begin_with(self, layer: InputLayer) -> None:
        self._input_layer = layer
        self._tail = layer.output

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
        layer = self._stack.pop()
        if self._tail is not None and self._tail.node is not None:
            self._tail = self._tail.node.inputs[0]
        return layer

    def build(self, input_shape: Shape | None = None) -> None:
        """Make all weights for inputs of this shape, samples first.

        Raises
        ------
        ValueError
            If there are no layers, or they do not fit each other.
        """
        if not self._stack:
            raise ValueError(f"{self.name} has no layers yet: add some first.")
        if self._tail is not None:
            return
        if input_shape is None:
            raise ValueError(f"{self.name}: build needs the shape of the input.")
        first = InputLayer(batch_shape=(None, *tuple(input_shape)[1:]), dtype=self._dtype)
        tail = first.output
        for layer in self._stack:
            tail = layer(tail)
        self._input_layer, self._tail = first, tail
        self.built = True
        structure.changed()

    # ---- calling ---------------------------------------------------------------------

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return the output of the last layer."""
        begins = self._input_layer
        if type(inputs) is not Tensor:
            inputs = _the_only_one(inputs, self.name)
        if begins is not None:
            wanted, shape = begins._given_input_shape, inputs._data.shape
            # The usual case is settled by two comparisons; the rest may need another rank or dtype.
            if len(shape) != len(wanted or ()) or inputs._data.dtype.kind in "iub":
                inputs = self._fitted(inputs)
        for layer in self._calls:
            inputs = layer(inputs)
        return inputs

    def _fitted(self, inputs: Tensor) -> Tensor:
        """Return the input in the rank and dtype that the first layer takes."""
        assert self._input_layer is not None
        symbol: SymbolicTensor = self._input_layer.output
        if len(inputs.shape) != symbol.ndim and (
            abs(len(inputs.shape) - symbol.ndim) > 1
            or 1 not in (inputs.shape[-1], symbol.shape[-1])
        ):
            return inputs  # the first layer says best what is wrong
        if self._stack and self._stack[0]._takes_integers:
            symbol = SymbolicTensor(symbol.shape, inputs.dtype, symbol.name)
        elif inputs.dtype.kind in "iub":
            inputs = inputs.astype(symbol.dtype)
        return fit_to_input(inputs, symbol, self.name) if inputs.ndim != symbol.ndim else inputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the output's shape for an input's."""
        for layer in self._stack:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    # ---- structure -------------------------------------------------------------------

    @property
    def input_shape(self) -> Shape | None:
        """The shape of the input, samples first; None before it is known."""
        return None if self._input_layer is None else self._input_layer.batch_shape

    @property
    def output_shape(self) -> Shape | None:
        """The shape of the output, samples first; None before it is known."""
        return None if self._tail is None else self._tail.shape

    @property
    def input_names(self) -> list[str] | None:
        """The name of the input, or None before its shape is known."""
        return None if self._input_layer is None else [self._input_layer.name]

    @property
    def output_names(self) -> list[str] | None:
        """The name of the last layer."""
        return [self._stack[-1].name] if self._stack else None

    def _the_graph(self, wanted: str) -> Graph:
        if self._input_layer is None or self._tail is None:
            raise AttributeError(
                f"{self.name} has no {wanted} yet: the shape of its input is not known. Begin with "
                "an Input, or call the model on data."
            )
        if self._symbolic is None or self._symbolic.outputs is not self._tail:
            self._symbolic = Graph(self._input_layer.output, self._tail, self.name)
        return self._symbolic

    _symbolic: Graph | None = None

    def _children(self) -> Iterator[tuple[str, Layer]]:
        yield from named_children(self._stack, snake_case)

    # ---- description -----------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return what the model can be made again from, without the weights."""
        begins = [] if self._input_layer is None else [self._input_layer]
        return {
            "name": self.name,
            "trainable": self._trainable,
            "dtype": self.dtype,
            "layers": [serialize(layer, self.name) for layer in (*begins, *self._stack)],
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Make a model from what `get_config` returned."""
        layers = [deserialize(layer) for layer in config["layers"]]
        model = cls(name=config.get("name"), dtype=config.get("dtype"))
        for layer in layers:
            model.add(layer)
        if not config.get("trainable", True):
            model.trainable = False
        return model


def _the_only_one(inputs: Any, owner: str) -> Any:
    """Return the one tensor in a list or dict of inputs, as which data may come too.

    Raises
    ------
    ValueError
        If there are several.
    """
    leaves = flatten(inputs)
    if len(leaves) != 1:
        raise ValueError(f"{owner} has one input, but got {len(leaves)}.")
    return leaves[0]


def _own_input_shape(layer: Layer) -> Shape | None:
    """Return the input shape that a layer (or the model nested as one) was given."""
    if isinstance(layer, Sequential):
        return layer.input_shape
    if isinstance(layer, Model) and layer._graph is not None:
        return layer.input_shape
    return layer._given_input_shape
