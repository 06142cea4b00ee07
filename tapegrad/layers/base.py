"""The Layer: weights, and a function of them and of an input."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tapegrad import constraints, initializers, regularizers
from tapegrad._core.nest import map_structure
from tapegrad._core.state import floatx, no_record
from tapegrad._core.tensor import Tensor, tensor
from tapegrad._core.variable import Variable
from tapegrad.layers.context import call_context
from tapegrad.layers.naming import automatic_name
from tapegrad.layers.weights import WeightsFace, structure

__all__ = ["Layer"]

Shape = tuple[int | None, ...]


class Layer(WeightsFace):
    """Base of all layers and models.

    A subclass makes its weights in ``build(input_shape)`` with `add_weight`, which runs at the
    first call, and computes in ``call(inputs)``. Layers and Variables that it keeps in attributes
    (also in lists, tuples and dicts) belong to it.

    Floating inputs are converted to the layer's dtype, as in Keras.

    Parameters
    ----------
    name
        By default the class's name in snake case, numbered.
    dtype
        Of weights and computation; ``floatx()`` by default.
    trainable
        Whether training changes the weights.
    activity_regularizer
        A penalty on the output, divided by the batch size and added to the loss.
    input_shape, input_dim
        The shape of one sample (or its length): a Sequential that begins with this layer is then
        built at once.

    Examples
    --------
    >>> class Scale(Layer):
    ...     def build(self, input_shape):
    ...         self.factor = self.add_weight((input_shape[-1],), "ones", name="factor")
    ...
    ...     def call(self, inputs):
    ...         return inputs * self.factor
    >>> Scale()(np.array([[1.0, 2.0]])).numpy()
    array([[1., 2.]], dtype=float32)
    """

    built = False
    """Whether the weights exist."""

    activity_regularizer: Callable[[Any], Any] | None = None

    _takes_training = False
    _takes_mask = False

    def __init__(
        self,
        *,
        name: str | None = None,
        dtype: Any = None,
        trainable: bool = True,
        activity_regularizer: Any = None,
        input_shape: Sequence[int | None] | None = None,
        input_dim: int | None = None,
        batch_size: int | None = None,
    ) -> None:
        super().__init__()
        self.name = str(name) if name is not None else automatic_name(type(self).__name__)
        self._dtype = np.dtype(dtype) if dtype is not None else floatx()
        if self._dtype.kind not in "fiub":
            raise ValueError(f"{self.name}: dtype {dtype!r} is not one of numbers.")
        self._trainable = bool(trainable)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self._call_losses: list[Any] = []
        if input_dim is not None and input_shape is None:
            input_shape = (int(input_dim),)
        self._given_input_shape: Shape | None = (
            None if input_shape is None else (batch_size, *_as_shape(input_shape))
        )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "call" in cls.__dict__:
            parameters = inspect.signature(cls.__dict__["call"]).parameters
            cls._takes_training = "training" in parameters
            cls._takes_mask = "mask" in parameters
        if "build" in cls.__dict__:
            setattr(cls, "build", _marking_built(cls.__dict__["build"]))  # noqa: B010

    # ---- what subclasses write -------------------------------------------------------

    def build(self, input_shape: Shape) -> None:
        """Make the weights for inputs of this shape; the first axis, the samples, is None."""
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Return the output for `inputs`."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it computes in call().")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the output's shape for an input's; axes of unknown length are None.

        Found by running the layer on zeros, unless a subclass knows better.
        """
        known = tuple(1 if length is None else length for length in input_shape)
        with no_record():
            output = self(tensor(np.zeros(known, dtype=self._dtype)), training=False)
        self._call_losses.clear()
        return (input_shape[0], *output.shape[1:])

    # ---- calling ---------------------------------------------------------------------

    def __call__(self, inputs: Any, *args: Any, training: bool | None = None, **kwargs: Any) -> Any:
        """Return the output for `inputs`, building the layer first if need be.

        Parameters
        ----------
        inputs
            A Tensor, an array or nested lists; floating ones are converted to the layer's dtype.
        training
            Whether the call is part of training; by default as in the call around it, else False.

        Raises
        ------
        ValueError
            If the input's shape does not fit the layer.
        """
        if type(inputs) is not Tensor or inputs._data.dtype != self._dtype:
            inputs = self._convert(inputs)
        if not self.built:
            self._build_for(inputs)
        if self._takes_training:
            if training is None:
                training = call_context.training
            kwargs["training"] = training
        if training is None or training == call_context.training:
            outputs = self.call(inputs, *args, **kwargs)
        else:
            outer = call_context.training
            call_context.training = training
            try:
                outputs = self.call(inputs, *args, **kwargs)
            finally:
                call_context.training = outer
        if self.activity_regularizer is not None:
            if call_context.depth == 0:  # used by itself: only this call's penalty counts
                self._call_losses.clear()
            self.add_loss(self.activity_regularizer(outputs) / max(1, outputs.shape[0]))
        return outputs

    def _convert(self, inputs: Any) -> Any:
        """Return inputs as Tensors, floating ones in the layer's dtype."""
        if isinstance(inputs, list | tuple) and any(
            isinstance(part, Tensor | Variable | np.ndarray) for part in inputs
        ):
            return map_structure(self._convert_one, inputs)
        if isinstance(inputs, dict):
            return map_structure(self._convert_one, inputs)
        return self._convert_one(inputs)

    def _convert_one(self, value: Any) -> Tensor:
        if type(value) is not Tensor:
            try:
                value = tensor(value)
            except TypeError as error:
                raise TypeError(f"Layer {self.name}: the input is no array: {error}") from None
        if value._data.dtype.kind == "f" and value._data.dtype != self._dtype:
            value = value.astype(self._dtype)
        return value

    def _build_for(self, inputs: Any) -> None:
        shapes = map_structure(lambda part: (None, *part.shape[1:]), inputs)
        self.build(shapes)
        self.built = True
        structure.changed()  # weights may have been made without add_weight

    # ---- losses of the layer's own ---------------------------------------------------

    def add_loss(self, loss: Any) -> None:
        """Add a scalar to the loss of the call in progress."""
        self._call_losses.append(loss)

    @property
    def losses(self) -> list[Any]:
        """Penalties on weights, and those added by the last call, of this layer and inner ones."""
        found: list[Any] = []
        for layer in self._all_layers():
            found.extend(layer._call_losses)
        found.extend(
            variable.regularizer(variable)
            for variable in self.trainable_weights
            if variable.regularizer is not None
        )
        return found

    def _clear_losses(self) -> None:
        """Forget what the last call added."""
        for layer in self._all_layers():
            layer._call_losses.clear()

    # ---- weights ---------------------------------------------------------------------

    def add_weight(
        self,
        shape: Sequence[int] = (),
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        name: str | None = None,
    ) -> Variable:
        """Make a weight.

        Parameters
        ----------
        shape
            Its shape.
        initializer
            Its first values; Glorot uniform by default, zeros for whole numbers.
        dtype
            By default the layer's.
        trainable
            Whether training changes it.
        regularizer
            A penalty on it, added to the loss.
        constraint
            What it is projected to after each update.
        name
            Its name within the layer.

        Raises
        ------
        ValueError
            If the shape has an axis of unknown length.
        """
        chosen = np.dtype(dtype) if dtype is not None else self._dtype
        lengths = (shape,) if isinstance(shape, int) else tuple(shape)
        if any(length is None for length in lengths):
            raise ValueError(
                f"Layer {self.name}: the weight {name!r} cannot be made for inputs of unknown "
                f"length; its shape would be {lengths}."
            )
        if initializer is None:
            initializer = "glorot_uniform" if chosen.kind == "f" else "zeros"
        initial = initializers.get(initializer)(lengths, dtype=chosen)
        variable = Variable(
            initial,
            name=name or f"weight_{len(self._own_weights)}",
            trainable=trainable and self._trainable,
            dtype=chosen,
        )
        self._own_weights.append((variable, trainable))
        variable.regularizer = regularizers.get(regularizer)
        variable.constraint = constraints.get(constraint)
        structure.changed()
        return variable

    @property
    def dtype(self) -> str:
        """The dtype of weights and computation."""
        return self._dtype.name

    @property
    def compute_dtype(self) -> str:
        """The dtype that floating inputs are converted to."""
        return self._dtype.name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"

    def _wrong_shape(self, expected: str, shape: Sequence[int | None]) -> ValueError:
        """Return the error for an input that does not fit."""
        return ValueError(
            f"Layer {self.name} ({type(self).__name__}): the input has shape "
            f"{_shown(shape)}, expected {expected}."
        )

    def _all_layers(self) -> Iterator[Layer]:
        """Go through this layer and all inner ones, each once, outer before inner."""
        seen: set[int] = set()
        pending: list[Layer] = [self]
        while pending:
            layer = pending.pop()
            if id(layer) in seen:
                continue
            seen.add(id(layer))
            yield layer
            pending.extend(reversed([inner for _, inner in layer._children()]))


def _as_shape(shape: Any) -> Shape:
    return (shape,) if isinstance(shape, int) else tuple(shape)


def _shown(shape: Sequence[int | None]) -> str:
    """Return a shape with its sample axis as None, as summaries show it."""
    return str(tuple(shape))


def _marking_built(build: Callable[..., Any]) -> Callable[..., Any]:
    """Return a layer's build that marks the layer as built when it is done."""

    @functools.wraps(build)
    def marked(self: Layer, *args: Any, **kwargs: Any) -> Any:
        result = build(self, *args, **kwargs)
        self.built = True
        return result

    return marked
