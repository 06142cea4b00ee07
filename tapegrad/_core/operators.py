"""Python's operators and NumPy's methods, shared by Tensor and Variable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tapegrad._core.registry import numpy_functions
from tapegrad._core.registry import operations as _operations

if TYPE_CHECKING:
    from tapegrad._core.tensor import Tensor

Axis = int | tuple[int, ...] | None


class Operators:
    """Operators and methods of arrays, each a lookup of the operation by its name."""

    __slots__ = ()

    # NumPy hands ``array * tensor`` over to the tensor.
    __array_priority__ = 1000.0

    def __add__(self, other: Any) -> Tensor:
        return _operations["add"](self, other)

    def __radd__(self, other: Any) -> Tensor:
        return _operations["add"](other, self)

    def __sub__(self, other: Any) -> Tensor:
        return _operations["subtract"](self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return _operations["subtract"](other, self)

    def __mul__(self, other: Any) -> Tensor:
        return _operations["multiply"](self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return _operations["multiply"](other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return _operations["divide"](self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return _operations["divide"](other, self)

    def __floordiv__(self, other: Any) -> Tensor:
        return _operations["floor_divide"](self, other)

    def __rfloordiv__(self, other: Any) -> Tensor:
        return _operations["floor_divide"](other, self)

    def __mod__(self, other: Any) -> Tensor:
        return _operations["remainder"](self, other)

    def __rmod__(self, other: Any) -> Tensor:
        return _operations["remainder"](other, self)

    def __pow__(self, other: Any) -> Tensor:
        return _operations["power"](self, other)

    def __rpow__(self, other: Any) -> Tensor:
        return _operations["power"](other, self)

    def __matmul__(self, other: Any) -> Tensor:
        return _operations["matmul"](self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return _operations["matmul"](other, self)

    def __neg__(self) -> Tensor:
        return _operations["negative"](self)

    def __pos__(self) -> Tensor:
        return _operations["identity"](self)

    def __abs__(self) -> Tensor:
        return _operations["absolute"](self)

    def __eq__(self, other: object) -> Tensor:  # type: ignore[override]
        return _operations["equal"](self, other)

    def __ne__(self, other: object) -> Tensor:  # type: ignore[override]
        return _operations["not_equal"](self, other)

    def __lt__(self, other: Any) -> Tensor:
        return _operations["less"](self, other)

    def __le__(self, other: Any) -> Tensor:
        return _operations["less_equal"](self, other)

    def __gt__(self, other: Any) -> Tensor:
        return _operations["greater"](self, other)

    def __ge__(self, other: Any) -> Tensor:
        return _operations["greater_equal"](self, other)

    def __and__(self, other: Any) -> Tensor:
        return _operations["bitwise_and"](self, other)

    def __rand__(self, other: Any) -> Tensor:
        return _operations["bitwise_and"](other, self)

    def __or__(self, other: Any) -> Tensor:
        return _operations["bitwise_or"](self, other)

    def __ror__(self, other: Any) -> Tensor:
        return _operations["bitwise_or"](other, self)

    def __xor__(self, other: Any) -> Tensor:
        return _operations["bitwise_xor"](self, other)

    def __rxor__(self, other: Any) -> Tensor:
        return _operations["bitwise_xor"](other, self)

    def __invert__(self) -> Tensor:
        return _operations["invert"](self)

    def __getitem__(self, index: Any) -> Tensor:
        return _operations["getitem"](self, index)

    __hash__ = object.__hash__

    # ---- NumPy's dispatch protocols -------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if kwargs.pop("out", None) is not None:
            raise TypeError(
                f"numpy.{ufunc.__name__}: out= cannot be a tensor or take a tensor's result; "
                "tensors are immutable, use the value that is returned"
            )
        if method == "__call__":
            function = numpy_functions.get(ufunc)
        elif method == "reduce":
            name = _REDUCTIONS.get(ufunc)
            function = None if name is None else _operations[name]
            # ufunc.reduce reduces the first axis unless told otherwise.
            kwargs.setdefault("axis", 0)
        else:
            function = None
        if function is None:
            call = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
            raise TypeError(
                f"numpy.{call} has no differentiable version for tensors; "
                "use .numpy() if no derivative is wanted"
            )
        return function(*inputs, **kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        function = numpy_functions.get(func)
        if function is None:
            raise TypeError(
                f"numpy.{func.__name__} has no differentiable version for tensors; "
                "use .numpy() if no derivative is wanted"
            )
        return function(*args, **kwargs)

    # ---- methods --------------------------------------------------------------------

    @property
    def T(self) -> Tensor:
        """The tensor with its axes in reverse order."""
        return _operations["transpose"](self)

    @property
    def mT(self) -> Tensor:
        """The tensor with its last two axes exchanged."""
        return _operations["swapaxes"](self, -1, -2)

    def sum(self, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
        """Sum over `axis`; see `tapegrad.numpy.sum`."""
        return _operations["sum"](self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
        """Mean over `axis`; see `tapegrad.numpy.mean`."""
        return _operations["mean"](self, axis=axis, keepdims=keepdims)

    def prod(self, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
        """Product over `axis`; see `tapegrad.numpy.prod`."""
        return _operations["prod"](self, axis=axis, keepdims=keepdims)

    def max(self, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
        """Maximum over `axis`; see `tapegrad.numpy.max`."""
        return _operations["max"](self, axis=axis, keepdims=keepdims)

    def min(self, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
        """Minimum over `axis`; see `tapegrad.numpy.min`."""
        return _operations["min"](self, axis=axis, keepdims=keepdims)

    def var(self, axis: Axis = None, *, ddof: int = 0, keepdims: bool = False) -> Tensor:
        """Variance over `axis`; see `tapegrad.numpy.var`."""
        return _operations["var"](self, axis=axis, ddof=ddof, keepdims=keepdims)

    def std(self, axis: Axis = None, *, ddof: int = 0, keepdims: bool = False) -> Tensor:
        """Standard deviation over `axis`; see `tapegrad.numpy.std`."""
        return _operations["std"](self, axis=axis, ddof=ddof, keepdims=keepdims)

    def any(self, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
        """Whether any element over `axis` is true."""
        return _operations["any"](self, axis=axis, keepdims=keepdims)

    def all(self, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
        """Whether all elements over `axis` are true."""
        return _operations["all"](self, axis=axis, keepdims=keepdims)

    def argmax(self, axis: int | None = None) -> Tensor:
        """Index of the largest element along `axis`, the first of equal ones."""
        return _operations["argmax"](self, axis=axis)

    def argmin(self, axis: int | None = None) -> Tensor:
        """Index of the smallest element along `axis`, the first of equal ones."""
        return _operations["argmin"](self, axis=axis)

    def cumsum(self, axis: int | None = None) -> Tensor:
        """Cumulative sum along `axis`, of the flattened tensor if it is None."""
        return _operations["cumsum"](self, axis=axis)

    def clip(self, min: Any = None, max: Any = None) -> Tensor:
        """Elements limited to the interval from `min` to `max`."""
        return _operations["clip"](self, min, max)

    def reshape(self, *shape: Any) -> Tensor:
        """The same elements in a new shape; one length may be -1."""
        return _operations["reshape"](self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Tensor:
        """The axes in a new order, by default reversed."""
        if not axes:
            return _operations["transpose"](self)
        return _operations["transpose"](self, axes[0] if len(axes) == 1 else axes)

    def swapaxes(self, axis1: int, axis2: int) -> Tensor:
        """Two axes exchanged."""
        return _operations["swapaxes"](self, axis1, axis2)

    def squeeze(self, axis: Axis = None) -> Tensor:
        """Without the axes of length one, or without those named."""
        return _operations["squeeze"](self, axis)

    def ravel(self) -> Tensor:
        """The elements in one axis."""
        return _operations["reshape"](self, (-1,))

    def flatten(self) -> Tensor:
        """The elements in one axis."""
        return _operations["reshape"](self, (-1,))

    def repeat(self, repeats: Any, axis: int | None = None) -> Tensor:
        """Each element repeated along `axis`; see `tapegrad.numpy.repeat`."""
        return _operations["repeat"](self, repeats, axis)

    def take(self, indices: Any, axis: int | None = None) -> Tensor:
        """The elements at `indices` along `axis`; see `tapegrad.numpy.take`."""
        return _operations["take"](self, indices, axis)

    def dot(self, other: Any) -> Tensor:
        """Dot product; see `tapegrad.numpy.dot`."""
        return _operations["dot"](self, other)

    def astype(self, dtype: Any) -> Tensor:
        """The elements converted to `dtype`."""
        return _operations["astype"](self, dtype)


_REDUCTIONS = {
    np.add: "sum",
    np.multiply: "prod",
    np.maximum: "max",
    np.minimum: "min",
    np.logical_and: "all",
    np.logical_or: "any",
}
