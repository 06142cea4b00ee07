"""Tensors that stand for data still to come, from which networks are put together.

``Input(...)`` returns a `SymbolicTensor`; a layer called on one returns another and leaves a `Node`
behind: which layer, on what, giving what. `tapegrad.Model` follows the nodes back from the outputs
to the inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np

from tapegrad._core.nest import flatten, map_structure, pack_like
from tapegrad._core.operators import Operators
from tapegrad._core.registry import numpy_functions
from tapegrad._core.state import no_record
from tapegrad._core.tensor import Tensor
from tapegrad.layers.trial import states_kept

if TYPE_CHECKING:
    from tapegrad.layers.base import Layer

__all__ = [
    "Node",
    "SymbolicTensor",
    "call_symbolically",
    "has_symbolic",
    "is_shape",
    "run_on_zeros",
    "sample_outputs",
]

Shape = tuple[int | None, ...]


class Node:
    """One call of a layer on symbolic tensors.

    Attributes
    ----------
    layer : Layer
        What was called.
    args, kwargs
        What it was called on: nested structures with SymbolicTensors in them.
    inputs : list of SymbolicTensor
        Those in `args` and `kwargs`, in order.
    outputs
        What came out: one SymbolicTensor or a nested structure.
    """

    def __init__(self, layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.layer = layer
        self.args = args
        self.kwargs = kwargs
        self.inputs = [leaf for leaf in flatten([args, kwargs]) if isinstance(leaf, SymbolicTensor)]
        self.outputs: Any = None

    def finish(self, outputs: Any) -> Any:
        """Note the outputs and return them."""
        self.outputs = outputs
        for leaf in flatten(outputs):
            leaf.node = self
        return outputs


class SymbolicTensor:
    """The shape and dtype of a tensor that a network will compute.

    It has the operators, the indexing and the methods of tensors; NumPy's functions work on it as
    well (``np.mean(x, axis=1)``). Each becomes a layer of the network.

    Attributes
    ----------
    shape : tuple
        Axes of unknown length are None; the first counts samples.
    dtype : numpy.dtype
        Data type.
    node : Node or None
        The call that it comes from.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x = tg.Input((3,))
    >>> (2.0 * x + 1.0).shape
    (None, 3)
    """

    __array_priority__ = 2000.0

    def __init__(self, shape: Shape, dtype: Any, name: str = "") -> None:
        self.shape = tuple(None if n is None else int(n) for n in shape)
        self.dtype = np.dtype(dtype)
        self.name = name
        self.node: Node | None = None

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __repr__(self) -> str:
        return f"<SymbolicTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return _numpy(ufunc if method == "__call__" else None, ufunc.__name__, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return _numpy(func, func.__name__, args, kwargs)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(_NO_VALUE)

    def __bool__(self) -> bool:
        raise TypeError(_NO_VALUE)

    def __float__(self) -> float:
        raise TypeError(_NO_VALUE)

    def __iter__(self) -> Any:
        raise TypeError("A symbolic tensor cannot be iterated over; index it, such as x[:, 0].")


_NO_VALUE = (
    "A symbolic tensor has no values: it stands for data still to come. To use a function on it, "
    "wrap it in a layer: layers.Lambda(function)(x)."
)


def _numpy(function: Any, name: str, args: Any, kwargs: dict[str, Any]) -> Any:
    operation = numpy_functions.get(function)
    if operation is None:
        raise TypeError(f"numpy.{name} has no version for symbolic tensors.")
    return _record(operation.__name__, *args, **kwargs)


def _record(name: str, *args: Any, **kwargs: Any) -> Any:
    from tapegrad.layers.operation import Operation  # a layer, which stands on this module

    return Operation(name)(*args, **kwargs)


def _give_operators() -> None:
    """Let symbolic tensors record each operator and method that tensors have."""
    binary = {
        "add": "add",
        "sub": "subtract",
        "mul": "multiply",
        "truediv": "divide",
        "floordiv": "floor_divide",
        "mod": "remainder",
        "pow": "power",
        "matmul": "matmul",
        "and": "bitwise_and",
        "or": "bitwise_or",
        "xor": "bitwise_xor",
    }
    others = {
        "lt": "less",
        "le": "less_equal",
        "gt": "greater",
        "ge": "greater_equal",
        "neg": "negative",
        "abs": "absolute",
        "invert": "invert",
        "getitem": "getitem",
    }
    for short, name in binary.items():
        setattr(SymbolicTensor, f"__{short}__", _forward(name))
        setattr(SymbolicTensor, f"__r{short}__", _reflected(name))
    for short, name in others.items():
        setattr(SymbolicTensor, f"__{short}__", _forward(name))
    for name in vars(Operators):
        if not name.startswith("_") and callable(getattr(Operators, name)):
            setattr(SymbolicTensor, name, _forward(name))


def _forward(name: str) -> Callable[..., Any]:
    if name == "reshape":  # both x.reshape((2, 3)) and x.reshape(2, 3)
        return lambda self, *shape: _record(name, self, shape[0] if len(shape) == 1 else shape)
    return lambda self, *args, **kwargs: _record(name, self, *args, **kwargs)


def _reflected(name: str) -> Callable[..., Any]:
    return lambda self, other: _record(name, other, self)


_give_operators()


# ---- calling layers ------------------------------------------------------------------


def has_symbolic(*structures: Any) -> bool:
    """Whether there is a symbolic tensor in nested structures."""
    return any(isinstance(leaf, SymbolicTensor) for leaf in flatten(list(structures)))


def is_shape(value: Any) -> bool:
    """Whether a value is one shape, not a structure of several."""
    return isinstance(value, tuple | list) and all(n is None or isinstance(n, int) for n in value)


def call_symbolically(layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return the symbolic outputs of a layer, which is built, for symbolic arguments."""
    node = Node(layer, args, kwargs)
    options = any(_is_option(value) for name, value in kwargs.items() if name != "training")
    if layer._tells_output_shape and not options:
        shapes = layer._output_shapes_for(args, kwargs)
        dtype = layer._output_dtype([leaf.dtype for leaf in node.inputs])
        outputs = _from_shapes(shapes, dtype, layer.name)
    else:
        outputs = sample_outputs(layer, args, kwargs)
    outputs = node.finish(outputs)
    layer._inbound_nodes.append(node)
    return outputs


def _is_option(value: Any) -> bool:
    """Whether an argument is a switch that may change what comes out."""
    return bool(value) if isinstance(value, bool | int | str) else False


def _from_shapes(shapes: Any, dtype: Any, name: str) -> Any:
    if is_shape(shapes):
        return SymbolicTensor(tuple(shapes), dtype, name)
    if isinstance(shapes, dict):
        return {key: _from_shapes(shape, dtype, name) for key, shape in shapes.items()}
    return type(shapes)(_from_shapes(shape, dtype, name) for shape in shapes)


def sample_outputs(layer: Layer, args: Any, kwargs: Any) -> Any:
    """Find the outputs by running the layer on zeros.

    Axes of unknown length are run with two lengths: an axis of the output that follows them is of
    unknown length too.
    """
    first = run_on_zeros(layer, args, kwargs, 2)
    second = first
    if any(None in leaf.shape for leaf in flatten([args, kwargs]) if type(leaf) is SymbolicTensor):
        second = run_on_zeros(layer, args, kwargs, 3)
    leaves = [
        SymbolicTensor(
            tuple(n if n == m else None for n, m in zip(a.shape, b.shape)), a.dtype, layer.name
        )
        for a, b in zip(flatten(first), flatten(second))
    ]
    return pack_like(first, leaves)


def run_on_zeros(
    layer: Layer,
    args: Any,
    kwargs: Any,
    length: int,
    recording: Callable[[], AbstractContextManager[Any]] = no_record,
) -> Any:
    """Return what a layer makes of zeros; nothing of it, or of what it remembers, changes.

    Parameters
    ----------
    layer
        A layer that is built.
    args, kwargs
        Its arguments, with symbolic tensors in them.
    length
        What stands for axes of unknown length.
    recording
        The context that it runs in: who is told of the operations, by default nobody.
    """

    def zeros(leaf: Any) -> Any:
        if not isinstance(leaf, SymbolicTensor):
            return leaf
        return Tensor(np.zeros([length if n is None else n for n in leaf.shape], leaf.dtype))

    if kwargs.get("training"):  # which might change statistics, and draws random numbers
        kwargs = {**kwargs, "training": False}
    # A quotient of zeros is no cause for alarm.
    try:
        with recording(), np.errstate(all="ignore"), states_kept(layer):
            return layer(*map_structure(zeros, args), **map_structure(zeros, kwargs))
    finally:
        layer._clear_losses()
