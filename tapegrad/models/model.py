"""The Model: a layer that can be trained, saved and summarised."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tapegrad._core.nest import flatten, map_structure
from tapegrad._core.tensor import Tensor
from tapegrad.layers.base import Layer, _symbols_of
from tapegrad.layers.context import call_context
from tapegrad.layers.symbolic import SymbolicTensor, is_shape, sample_outputs
from tapegrad.layers.weights import structure
from tapegrad.models.graph import Graph, named_children
from tapegrad.models.graph_config import graph_from_config, graph_to_config
from tapegrad.models.summary import summary_html, summary_text
from tapegrad.training.trainer import Trainer
from tapegrad.utils.lookup import snake_case, suggestion

__all__ = ["Model"]


class Model(Trainer, Layer):
    """A layer that can be compiled, fitted, evaluated, saved and summarised.

    There are three ways to make one. From a graph: call layers on `tapegrad.Input`, one on the
    other, and hand over where it begins and ends. By a subclass whose ``__init__`` makes layers and
    whose ``call(inputs)`` uses them. And for a plain stack of layers there is
    `tapegrad.Sequential`.

    Parameters
    ----------
    inputs, outputs
        Symbolic tensors, or nested lists, tuples and dicts of them; data then come, and results are
        returned, in these structures. Without them the model is one whose subclass writes ``call``.
    name, dtype, trainable
        As for every layer.

    Raises
    ------
    TypeError, ValueError
        If inputs or outputs are no symbolic tensors, or the outputs need an input that is not
        given.

    Examples
    --------
    >>> import numpy as np
    >>> import tapegrad as tg
    >>> image, label = tg.Input((8, 8), name="image"), tg.Input((3,), name="label")
    >>> x = tg.layers.Flatten()(image)
    >>> x = tg.layers.Dense(16, activation="relu")(x) + tg.layers.Dense(16)(label)
    >>> model = tg.Model([image, label], tg.layers.Dense(1)(x))
    >>> model([np.ones((2, 8, 8)), np.ones((2, 3))]).shape
    (2, 1)

    >>> class Network(Model):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.hidden = tg.layers.Dense(8, activation="relu")
    ...         self.out = tg.layers.Dense(1)
    ...
    ...     def call(self, inputs):
    ...         return self.out(self.hidden(inputs))
    >>> Network()(np.ones((2, 4))).shape
    (2, 1)
    """

    _graph: Graph | None = None
    _seen_inputs: Any = None
    """What a model that is no graph was first called on, as symbolic tensors: saved with it."""

    def __init__(self, inputs: Any = None, outputs: Any = None, **kwargs: Any) -> None:
        if (inputs is None) != (outputs is None):
            missing = "inputs" if inputs is None else "outputs"
            raise TypeError(f"Model: {missing} is missing; a graph needs both inputs and outputs.")
        super().__init__(**kwargs)
        if inputs is not None:
            self._graph = Graph(inputs, outputs, self.name)
            self._converts_inputs = False  # each input has a dtype of its own
            self.built = True
            if not self._trainable:
                self.trainable = False

    def _stem(self) -> str:
        return "functional" if type(self) is Model else type(self).__name__

    # ---- calling ---------------------------------------------------------------------

    def __call__(
        self, inputs: Any = None, *args: Any, training: bool | None = None, **kwargs: Any
    ) -> Any:
        """Return the output for `inputs`; see `tapegrad.layers.Layer`."""
        if call_context.depth == 0:
            for layer in self._lists().layers:
                if layer._call_losses:
                    layer._call_losses.clear()
        call_context.depth += 1
        try:
            return super().__call__(inputs, *args, training=training, **kwargs)
        finally:
            call_context.depth -= 1

    def call(self, inputs: Any) -> Any:
        """Return the outputs of the graph; a model without one writes its own."""
        if self._graph is None:
            return super().call(inputs)
        return self._graph.run(inputs)

    def _mark_outputs(self, inputs: Any, outputs: Any, mask: Any) -> None:
        """Leave masks to the layers inside, which know what became of them."""

    def build(self, input_shape: Any) -> None:
        """Make all weights, by running the model on zeros of this shape or these shapes."""
        if self._graph is None and not self.built:
            self._seen_inputs = [[_symbols_of(input_shape, self._dtype)], {}]
            self.built = True
            try:
                super().compute_output_shape(input_shape)
            except BaseException:
                self.built = False
                raise

    def _build_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._seen_inputs = map_structure(_as_symbol, [list(args), kwargs])
        if type(self).build is Model.build:
            self.built = True  # the layers inside build themselves as they are called
            structure.changed()
        else:
            super()._build_for(args, kwargs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shapes of the outputs for those of the inputs."""
        graph = self._graph
        if graph is None:
            return super().compute_output_shape(input_shape)
        if flatten([input_shape]) == flatten([map_structure(_shape, graph.inputs)]):
            return map_structure(_shape, graph.outputs)
        symbols = [
            SymbolicTensor(shape, symbol.dtype)
            for shape, symbol in zip(_listed_shapes(input_shape), graph.flat_inputs)
        ]
        outputs = sample_outputs(self, (symbols if len(symbols) > 1 else symbols[0],), {})
        return map_structure(_shape, outputs)

    # ---- structure -------------------------------------------------------------------

    @property
    def layers(self) -> list[Layer]:
        """The layers of the model."""
        if self._graph is not None:
            return self._graph.layers
        return [layer for _, layer in self._children()]

    def _children(self) -> Iterator[tuple[str, Layer]]:
        if self._graph is None:
            yield from super()._children()
            return
        named = named_children(self._graph.operations, snake_case)
        yield from named
        inside = {id(layer) for _, layer in named}
        yield from ((name, layer) for name, layer in super()._children() if id(layer) not in inside)

    @property
    def inputs(self) -> list[SymbolicTensor]:
        """The symbolic inputs, in a flat list.

        Raises
        ------
        AttributeError
            If the model is no graph.
        """
        return self._the_graph("inputs").flat_inputs

    @property
    def outputs(self) -> list[SymbolicTensor]:
        """The symbolic outputs, in a flat list.

        Raises
        ------
        AttributeError
            If the model is no graph.
        """
        return self._the_graph("outputs").flat_outputs

    @property
    def input(self) -> Any:
        """The symbolic inputs, in the structure that they were given in."""
        return self._the_graph("input").inputs

    @property
    def output(self) -> Any:
        """The symbolic outputs, in the structure that they were given in."""
        return self._the_graph("output").outputs

    @property
    def input_shape(self) -> Any:
        """The shapes of the inputs, samples first."""
        return map_structure(_shape, self._the_graph("input_shape").inputs)

    @property
    def output_shape(self) -> Any:
        """The shapes of the outputs, samples first."""
        return map_structure(_shape, self._the_graph("output_shape").outputs)

    @property
    def input_names(self) -> list[str] | None:
        """The names of the inputs, or None if the model is no graph."""
        return None if self._graph is None else self._graph.input_names

    @property
    def output_names(self) -> list[str] | None:
        """The names of the outputs, or None if the model is no graph."""
        return None if self._graph is None else self._graph.output_names

    def _the_graph(self, wanted: str) -> Graph:
        if self._graph is None:
            raise AttributeError(
                f"{self.name} has no {wanted}: it is no graph of layers, so what enters and leaves "
                "it is only known when it is called."
            )
        return self._graph

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Return a layer by its name or its place.

        Raises
        ------
        ValueError
            If there is none.
        """
        layers = self.layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ValueError(f"{self.name} has {len(layers)} layers, none at index {index}.")
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        names = [layer.name for layer in layers]
        near = suggestion(str(name), names)
        raise ValueError(f"{self.name} has no layer {name!r}; there are {', '.join(names)}.{near}")

    def summary(
        self,
        line_length: int | None = None,
        positions: Any = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
    ) -> None:
        """Print a table of the layers: output shapes, parameters, operations and memory.

        In Jupyter it is shown as a table.

        Parameters
        ----------
        line_length
            The number of characters a line, if names should be cut to fit; by default none is.
        positions
            Accepted for Keras's signature: columns are as wide as what stands in them.
        print_fn
            Where the text goes, `print` by default.
        expand_nested
            Whether the layers of models within the model are listed too.
        show_trainable
            Whether a column tells which layers are trained.
        layer_range
            The names (or regular expressions for them) of the first and the last layer to list;
            the totals are those of the whole model.

        Raises
        ------
        ValueError
            If no layer has such a name.
        """
        options = {
            "expand_nested": expand_nested,
            "show_trainable": show_trainable,
            "layer_range": layer_range,
        }
        if print_fn is None and summary_html(self, **options):
            return
        (print_fn or print)(summary_text(self, line_length=line_length, **options))

    # ---- description -----------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return what the model can be made again from, without the weights.

        Raises
        ------
        TypeError
            If a part of it cannot be described, such as a lambda.
        """
        if self._graph is not None and self._is_plain_graph():
            return graph_to_config(self._graph) | {
                "name": self.name,
                "trainable": self._trainable,
            }
        return super().get_config()

    def _is_plain_graph(self) -> bool:
        """Whether the graph itself is what the constructor was given."""
        return type(self).__init__ is Model.__init__

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Make a model from what `get_config` returned."""
        if "calls" not in config:
            return super().from_config(config)
        inputs, outputs = graph_from_config(config)
        return cls(
            inputs=inputs,
            outputs=outputs,
            name=config.get("name"),
            trainable=config.get("trainable", True),
        )

    # ---- files -----------------------------------------------------------------------

    def save(
        self,
        filepath: str | os.PathLike[str],
        overwrite: bool = True,
        include_optimizer: bool = True,
    ) -> None:
        """Write the whole model to a ``.tapegrad`` file; see `tapegrad.saving.save_model`."""
        from tapegrad.saving import save_model

        save_model(self, filepath, overwrite, include_optimizer)

    def save_weights(self, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
        """Write all weights to a file; see `tapegrad.saving.save_weights`."""
        from tapegrad.saving import save_weights

        save_weights(self, filepath, overwrite)

    def load_weights(
        self,
        filepath: str | os.PathLike[str],
        skip_mismatch: bool = False,
        by_name: bool = False,
    ) -> None:
        """Read all weights from a file; see `tapegrad.saving.load_weights`."""
        from tapegrad.saving import load_weights

        load_weights(self, filepath, skip_mismatch, by_name)

    def to_json(self, **options: Any) -> str:
        """Return the architecture as JSON; see `tapegrad.models.model_from_json`.

        Parameters
        ----------
        **options
            For `json.dumps`, such as ``indent``.
        """
        from tapegrad.saving import model_to_json

        return model_to_json(self, **options)


def _as_symbol(value: Any) -> Any:
    """Return what stands for a tensor with any number of samples; other values as they are."""
    if isinstance(value, Tensor):
        return SymbolicTensor((None, *value.shape[1:]), value.dtype)
    return value


def _shape(symbol: Any) -> tuple[int | None, ...]:
    return symbol.shape


def _listed_shapes(shapes: Any) -> list[Any]:
    """Return one shape or a structure of shapes as a list of shapes."""
    if isinstance(shapes, dict):
        return [leaf for part in shapes.values() for leaf in _listed_shapes(part)]
    if is_shape(shapes):
        return [tuple(shapes)]
    return [leaf for part in shapes for leaf in _listed_shapes(part)]
