"""The Layer: weights, and a function of them and of an input."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tapegrad import constraints, initializers, random, regularizers
from tapegrad._core.nest import flatten, map_structure
from tapegrad._core.state import floatx
from tapegrad._core.tensor import Tensor
from tapegrad._core.variable import Variable
from tapegrad.layers.arguments import CallArguments
from tapegrad.layers.context import call_context
from tapegrad.layers.described import Described
from tapegrad.layers.input_spec import check_inputs
from tapegrad.layers.naming import automatic_name
from tapegrad.layers.symbolic import (
    Node,
    Shape,
    SymbolicTensor,
    call_symbolically,
    has_symbolic,
    is_shape,
    sample_outputs,
)
from tapegrad.layers.weights import WeightsFace, structure
from tapegrad.utils.lookup import suggestion

__all__ = ["Layer", "Shape"]


class Layer(CallArguments, WeightsFace, Described):
    """Base of all layers and models.

    A subclass makes its weights in ``build(input_shape)`` with `add_weight`, which runs at the
    first call, and computes in ``call(inputs)``. Layers and Variables that it keeps in attributes
    (also in lists, tuples and dicts) belong to it.

    Floating inputs are converted to the layer's dtype, as in Keras. Called on a symbolic tensor
    (see `tapegrad.Input`), a layer becomes part of a network. ``call`` may also take ``training``,
    and ``mask``: what of the input counts.

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
    batch_size
        The number of samples a batch, if it is fixed.
    autocast
        Whether floating inputs are converted to the layer's dtype.

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

    input_spec: Any = None
    """What the input is to be like, an `InputSpec` (or several); None checks nothing."""

    supports_masking = False
    """Whether the output of a masked input carries a mask; see `compute_mask`."""

    # What the class's methods take and say, found once for each class.
    _takes_training = False
    _makes_masks = False
    _tells_output_shape = False
    _calls_others = False

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
        name: str | None = None,
        input_shape: Sequence[int | None] | None = None,
        input_dim: int | None = None,
        batch_size: int | None = None,
        **unknown: Any,
    ) -> None:
        if unknown:
            raise _unknown_argument(type(self), next(iter(unknown)))
        super().__init__()
        self.name = str(name) if name is not None else automatic_name(self._stem())
        self._dtype = _layer_dtype(dtype, self.name)
        if not autocast:
            self._converts_inputs = False
        self._inbound_nodes: list[Node] = []
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
            names = tuple(inspect.signature(cls.__dict__["call"]).parameters)[1:]
            cls._call_names = names
            cls._takes_training = "training" in names
            cls._takes_mask = "mask" in names
            # The library's own layers call inner ones once, if at all.
            cls._calls_others = cls.__module__.partition(".")[0] != __name__.partition(".")[0]
            cls._mask_names = tuple(
                (name, f"{name}_mask") for name in names if f"{name}_mask" in names
            )
        if "compute_mask" in cls.__dict__:
            cls._makes_masks = True
            if "supports_masking" not in cls.__dict__:
                cls.supports_masking = True
        if "compute_output_shape" in cls.__dict__:
            cls._tells_output_shape = True
        if "build" in cls.__dict__:
            setattr(cls, "build", _marking_built(cls.__dict__["build"]))  # noqa: B010

    # ---- what subclasses write -------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of this shape; the first axis, the samples, is None.

        A layer whose ``call`` takes several tensors may take one shape for each here, named after
        them: ``build(self, query_shape, value_shape)``.
        """
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Return the output for `inputs`."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it computes in call().")

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the output's shape for an input's; axes of unknown length are None.

        Found by running the layer on zeros, unless a subclass knows better.
        """
        outputs = sample_outputs(self, (_symbols_of(input_shape, self._dtype),), {})
        return map_structure(lambda leaf: leaf.shape, outputs)

    # ---- calling ---------------------------------------------------------------------

    def __call__(
        self, inputs: Any = None, *args: Any, training: bool | None = None, **kwargs: Any
    ) -> Any:
        """Return the output for `inputs`, building the layer first if need be.

        Parameters
        ----------
        inputs
            A Tensor, an array, nested lists, or a list or dict of these; floating ones are
            converted to the layer's dtype. For symbolic tensors the output is symbolic too.
        training
            Whether the call is part of training; by default as in the call around it, else False.
        *args, **kwargs
            Further arguments of ``call``. A mask that is not given is taken from the input.

        Raises
        ------
        ValueError
            If the input's shape does not fit the layer.
        """
        plain = type(inputs) is Tensor and not args and not kwargs
        if plain:
            if inputs._data.dtype != self._dtype and self._converts_inputs:
                inputs = self._convert_one(inputs)
            mask = getattr(inputs, "_mask", None)
        else:
            inputs, args, kwargs = self._take_arguments(inputs, args, kwargs)
            training = kwargs.pop("training", training)
            if has_symbolic(inputs, args, kwargs):
                return self._call_symbolically((inputs, *args), kwargs, training)
            inputs = self._convert(inputs)
            args = tuple(self._convert_further(value) for value in args)
            kwargs = {name: self._convert_further(value) for name, value in kwargs.items()}
            if self._takes_one and type(inputs) is not Tensor:
                raise self._no_single(inputs)
            mask = self._find_masks(inputs, args, kwargs)
            if self._takes_mask and "mask" not in kwargs and _holds_tensors([args, kwargs]):
                kwargs["mask"] = None  # as in Keras: with several tensors it has to be passed
        if self.input_spec is not None:
            check_inputs(self.input_spec, inputs, self.name)
        if not self.built:
            self._build_for((inputs, *args), kwargs)
        if self._takes_mask and "mask" not in kwargs:
            kwargs["mask"] = mask
        if self._takes_training:
            kwargs["training"] = call_context.training if training is None else training
        if self._calls_others or not (training is None or training == call_context.training):
            outputs = self._call_with_others(inputs, args, kwargs, training)
        else:
            if self._call_losses and call_context.depth == 0:
                self._call_losses.clear()
            outputs = self.call(inputs, *args, **kwargs)
        if mask is not None or self._makes_masks:
            self._mark_outputs(inputs, outputs, mask)
        if self.activity_regularizer is not None:
            self._penalize(outputs)
        return outputs

    def _call_with_others(
        self, inputs: Any, args: tuple[Any, ...], kwargs: dict[str, Any], training: bool | None
    ) -> Any:
        """Call, inner layers being told of `training`; their losses are those of this call."""
        outer = call_context.training
        if call_context.depth == 0:
            self._clear_losses()
        call_context.depth += 1
        if training is not None:
            call_context.training = training
        try:
            return self.call(inputs, *args, **kwargs)
        finally:
            call_context.training = outer
            call_context.depth -= 1

    def _call_symbolically(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], training: bool | None
    ) -> Any:
        if self._takes_one and not isinstance(args[0], SymbolicTensor):
            raise self._no_single(args[0])
        if self.input_spec is not None:
            check_inputs(self.input_spec, args[0], self.name)
        if not self.built:
            self._build_for(args, kwargs)
        if training is not None:
            kwargs = {**kwargs, "training": training}
        return call_symbolically(self, args, kwargs)

    # ---- building --------------------------------------------------------------------

    def _build_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._with_shapes(self.build, args, kwargs)
        self.built = True
        structure.changed()  # weights may have been made without add_weight

    def _output_shapes_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return what `compute_output_shape` says for the arguments of a call."""
        return self._with_shapes(self.compute_output_shape, args, kwargs)

    def _output_dtype(self, inputs: Sequence[np.dtype[Any]]) -> np.dtype[Any]:
        """Return the dtype of the outputs for inputs of these dtypes."""
        if self._keeps_integers and all(dtype.kind in "iub" for dtype in inputs):
            return np.result_type(*inputs)
        return self._dtype

    # ---- losses of the layer's own ---------------------------------------------------

    def add_loss(self, loss: Any) -> None:
        """Add a scalar to the loss of the call in progress; the next call forgets it."""
        self._call_losses.append(loss)

    def _penalize(self, outputs: Any) -> None:
        """Add the activity regularizer's penalty on outputs."""
        assert self.activity_regularizer is not None
        for output in flatten(outputs):
            self.add_loss(self.activity_regularizer(output) / max(1, output.shape[0]))

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
        variable.path = f"{self.name}/{variable.name}"
        variable.regularizer = regularizers.get(regularizer)
        variable.constraint = constraints.get(constraint)
        structure.changed()
        return variable

    def _make_generator(self, seed: int | random.Generator | None) -> Any:
        """Return what the layer draws from: tapegrad's generator, or one of its own if seeded."""
        if seed is None:
            return random.default
        return seed if isinstance(seed, random.Generator) else random.Generator(seed)

    def _generators(self) -> list[random.Generator]:
        """Return the generators of this layer and inner ones, in a fixed order."""
        return [
            value
            for layer in self._all_layers()
            for value in vars(layer).values()
            if isinstance(value, random.Generator)
        ]

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


class _MadeByInit:
    """Stands for an attribute that ``Layer.__init__`` sets, and says so where that did not run."""

    def __get__(self, layer: Any, owner: type) -> Any:
        if layer is None:
            return self
        raise RuntimeError(
            f"{owner.__name__}: its __init__ must call super().__init__(), before it makes weights."
        )


# Values of the instance go before these.
for _name in ("name", "_own_weights", "_inbound_nodes"):
    setattr(Layer, _name, _MadeByInit())


def _holds_tensors(structure: Any) -> bool:
    return any(isinstance(leaf, Tensor) for leaf in flatten(structure))


def _layer_dtype(dtype: Any, name: str) -> np.dtype[Any]:
    """Return the dtype that was asked for, or raise."""
    if dtype is None:
        return floatx()
    try:
        chosen = np.dtype(dtype)
    except TypeError:
        chosen = None
    if chosen is None or chosen.kind not in "fiub" or (chosen.kind == "f" and chosen.itemsize < 4):
        raise ValueError(
            f"{name}: layers do not compute in dtype {dtype!r}, nor in mixed precision; use "
            '"float32" or "float64".'
        )
    return chosen


def _unknown_argument(kind: type, name: str) -> TypeError:
    """Return the error for an argument that neither a class nor those above it take."""
    known = {
        parameter.name
        for base in kind.__mro__
        if issubclass(base, Layer) and "__init__" in base.__dict__
        for parameter in inspect.signature(base.__init__).parameters.values()
        if parameter.kind is not parameter.VAR_KEYWORD and parameter.name != "self"
    }
    near = suggestion(name, sorted(known))
    return TypeError(f"{kind.__name__}: unknown argument {name!r}.{near}")


def _symbols_of(shapes: Any, dtype: Any) -> Any:
    """Return symbolic tensors of these shapes."""
    if is_shape(shapes):
        return SymbolicTensor(tuple(shapes), dtype)
    if isinstance(shapes, dict):
        return {key: _symbols_of(shape, dtype) for key, shape in shapes.items()}
    return [_symbols_of(shape, dtype) for shape in shapes]


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
