"""Elementwise operations on device arrays, generated from their scalar definitions.

One launcher serves all of them. It broadcasts the operands, merges what axes it
can, and picks a kernel by the operation, which operands are numbers, the dtypes
they are computed in, and the number of axes that remain: one for contiguous
arrays of one shape, whatever that shape is.

The scalar definitions of activations, of exp, log, tanh, erf and of their
derivatives are those of the CPU's kernels. The rest are NumPy's universal
functions, which Numba knows for scalars, so results have NumPy's dtypes; Python
numbers are weak, as there.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numba
import numpy as np
from numpy.typing import DTypeLike

from tapegrad_kernels.cuda import arrays, layout, library
from tapegrad_kernels.cuda.scalar import DEFINITIONS, SHARED, Definition, device_operation
from tapegrad_kernels.cuda.shim import Specimen, cuda, device_function, grid_for, kernel, specimens

MOST_AXES = 6
"""Axes that kernels handle, after merging; further ones are looped over on the host."""


@device_function
def _unravel_1(place, shape):  # type: ignore[no-untyped-def]
    return (place,)


@device_function
def _unravel_2(place, shape):  # type: ignore[no-untyped-def]
    return (place // shape[1], place % shape[1])


@device_function
def _unravel_3(place, shape):  # type: ignore[no-untyped-def]
    rest = place // shape[2]
    return (rest // shape[1], rest % shape[1], place % shape[2])


@device_function
def _unravel_4(place, shape):  # type: ignore[no-untyped-def]
    rest = place // shape[3]
    i, j, k = _unravel_3(rest, shape)
    return (i, j, k, place % shape[3])


@device_function
def _unravel_5(place, shape):  # type: ignore[no-untyped-def]
    rest = place // shape[4]
    i, j, k, m = _unravel_4(rest, shape)
    return (i, j, k, m, place % shape[4])


@device_function
def _unravel_6(place, shape):  # type: ignore[no-untyped-def]
    rest = place // shape[5]
    i, j, k, m, n = _unravel_5(rest, shape)
    return (i, j, k, m, n, place % shape[5])


_UNRAVEL = (_unravel_1, _unravel_2, _unravel_3, _unravel_4, _unravel_5, _unravel_6)


@functools.cache
def _fetch(is_array: bool, dtype: str) -> Any:
    """Device function that reads one operand at an index, in the dtype to compute in."""
    cast = np.dtype(dtype).type

    if is_array:

        @device_function
        def fetch(operand, index):  # type: ignore[no-untyped-def]
            return cast(operand[index])

    else:

        @device_function
        def fetch(operand, index):  # type: ignore[no-untyped-def]
            return operand

    return fetch


@device_function
def identity(x):  # type: ignore[no-untyped-def]
    """The operation of copies, conversions and fills."""
    return x


@functools.cache
def map_kernel(
    operation: Callable[..., Any], are_arrays: tuple[bool, ...], dtypes: tuple[str, ...], rank: int
) -> Any:
    """Kernel ``out[i] = operation(a[i], b[i], …)``.

    Parameters
    ----------
    operation : device function or NumPy ufunc
    are_arrays : tuple of bool
        For each operand, whether it is an array; otherwise it is a number.
    dtypes : tuple of str
        What each operand is converted to.
    rank : int
        Number of axes of `out` and of the arrays.
    """
    unravel = _UNRAVEL[rank - 1]
    fetch = [_fetch(*chosen) for chosen in zip(are_arrays, dtypes, strict=True)]
    if len(fetch) == 1:
        (fetch_a,) = fetch

        @kernel
        def unary(out, a):  # type: ignore[no-untyped-def]
            for place in range(cuda.grid(1), out.size, cuda.gridsize(1)):
                index = unravel(place, out.shape)
                out[index] = operation(fetch_a(a, index))

        return unary
    if len(fetch) == 2:
        fetch_a, fetch_b = fetch

        @kernel
        def binary(out, a, b):  # type: ignore[no-untyped-def]
            for place in range(cuda.grid(1), out.size, cuda.gridsize(1)):
                index = unravel(place, out.shape)
                out[index] = operation(fetch_a(a, index), fetch_b(b, index))

        return binary
    fetch_a, fetch_b, fetch_c = fetch

    @kernel
    def ternary(out, a, b, c):  # type: ignore[no-untyped-def]
        for place in range(cuda.grid(1), out.size, cuda.gridsize(1)):
            index = unravel(place, out.shape)
            out[index] = operation(fetch_a(a, index), fetch_b(b, index), fetch_c(c, index))

    return ternary


def is_number(x: object) -> bool:
    """Whether an operand is a number rather than an array on the device."""
    return isinstance(x, (bool, int, float, np.generic)) or (
        isinstance(x, np.ndarray) and x.ndim == 0
    )


def check_operands(name: str, operands: Sequence[Any]) -> None:
    """Raise TypeError unless each operand is a device array or a number."""
    for position, operand in enumerate(operands):
        if not arrays.is_device_array(operand) and not is_number(operand):
            raise TypeError(
                f"{name}: argument {position} is a {type(operand).__name__}; CUDA kernels take "
                "device arrays and numbers: bring it over with to_device"
            )


def map_into(
    out: Any, operation: Callable[..., Any], operands: Sequence[Any], dtypes: Sequence[DTypeLike]
) -> Any:
    """Write ``operation(*operands)``, broadcast to `out`'s shape, into `out`.

    Parameters
    ----------
    out : device array
        Of any strides; an operand may be `out` itself, but must not overlap it otherwise.
    operation : device function or NumPy ufunc
        Of one to three scalars.
    operands : sequence of device array or number
    dtypes : sequence of dtype
        What each operand is converted to before the operation.

    Returns
    -------
    device array
        `out`.
    """
    if out.size == 0:
        return out
    dtypes = tuple(np.dtype(dtype) for dtype in dtypes)
    are_arrays = tuple(arrays.is_device_array(x) for x in operands)
    shape, strides = layout.merge_axes(
        out.shape,
        [
            tuple(out.strides),
            *(
                layout.broadcast_strides(x, out.shape)
                for x, is_array in zip(operands, are_arrays, strict=True)
                if is_array
            ),
        ],
    )
    own, *theirs = strides
    remaining = iter(theirs)
    arguments = [
        arrays.view(x, shape, next(remaining)) if is_array else dtype.type(x)
        for x, is_array, dtype in zip(operands, are_arrays, dtypes, strict=True)
    ]
    names = tuple(dtype.name for dtype in dtypes)
    _launch(operation, arrays.view(out, shape, own), arguments, are_arrays, names)
    return out


def _launch(
    operation: Callable[..., Any],
    out: Any,
    arguments: list[Any],
    are_arrays: tuple[bool, ...],
    dtypes: tuple[str, ...],
) -> None:
    rank = len(out.shape)
    if rank <= MOST_AXES:
        blocks, threads = grid_for(out.size)
        map_kernel(operation, are_arrays, dtypes, rank)[blocks, threads](out, *arguments)
        return
    for i in range(out.shape[0]):
        slices = [
            arrays.view(x, x.shape[1:], x.strides[1:], i * x.strides[0]) if is_array else x
            for x, is_array in zip(arguments, are_arrays, strict=True)
        ]
        part = arrays.view(out, out.shape[1:], out.strides[1:], i * out.strides[0])
        _launch(operation, part, slices, are_arrays, dtypes)


def copy(x: Any) -> Any:
    """A C-contiguous copy of `x`."""
    return map_into(arrays.empty(x.shape, x.dtype), identity, [x], [x.dtype])


def contiguous(x: Any) -> Any:
    """`x` itself if it is in C order without gaps, otherwise such a copy."""
    return x if arrays.is_contiguous(x) else copy(x)


def fill(out: Any, value: Any) -> Any:
    """Set every element of `out` to one number."""
    return map_into(out, identity, [value], [out.dtype])


def astype(x: Any, *, dtype: DTypeLike) -> Any:
    """`x` in another dtype; `x` itself if it has that dtype already."""
    dtype = np.dtype(dtype)
    if x.dtype == dtype:
        return x
    return map_into(arrays.empty(x.shape, dtype), identity, [x], [x.dtype])


def loop_dtypes(
    name: str, resolver: np.ufunc, operands: Sequence[Any]
) -> tuple[tuple[np.dtype[Any], ...], np.dtype[Any]]:
    """Dtypes in which an operation computes, and of its result, by NumPy's rules.

    Raises
    ------
    TypeError
        If NumPy has no such operation for these dtypes, or computes in float16,
        as for exp of int8.
    """
    given: list[Any] = []
    for operand in operands:
        if isinstance(operand, bool):
            given.append(np.dtype(bool))
        elif isinstance(operand, (int, float)) and not isinstance(operand, np.generic):
            given.append(type(operand))
        else:
            given.append(operand.dtype)
    if name in SHARED:  # as on the CPU: small integers would be float16 to NumPy
        given = [
            np.dtype(np.float64) if isinstance(dtype, np.dtype) and dtype.kind in "biu" else dtype
            for dtype in given
        ]
    # All operands plain numbers: nothing is weak then.
    if all(isinstance(dtype, type) for dtype in given):
        given = [np.dtype(dtype) for dtype in given]
    listed = ", ".join(dtype.__name__ if isinstance(dtype, type) else str(dtype) for dtype in given)
    try:
        *inputs, result = resolver.resolve_dtypes((*given, None))
    except TypeError:
        raise TypeError(f"{name}: not defined for dtypes {listed}") from None
    if any(dtype.kind not in arrays.SUPPORTED_KINDS for dtype in (*inputs, result)) or any(
        dtype.kind == "f" and dtype.itemsize not in (4, 8) for dtype in inputs
    ):
        raise TypeError(
            f"{name}: NumPy computes it in {result} for dtypes {listed}, which CUDA kernels "
            "do not have: convert with astype first"
        )
    return tuple(inputs), result


def apply(name: str, *operands: Any) -> Any:
    """Compute an operation of the table on broadcast operands into a new device array."""
    definition = DEFINITIONS[name]
    check_operands(name, operands)
    shapes = [x.shape for x in operands if arrays.is_device_array(x)]
    inputs, result = loop_dtypes(name, definition.resolver, operands)
    out = arrays.empty(layout.broadcast_shape(name, shapes), result)
    return map_into(out, device_operation(name, inputs[-1].name), operands, inputs)


def _public(definition: Definition) -> Callable[..., Any]:
    """The function that users call for one line of the table."""
    name = definition.name

    def unary(x: Any) -> Any:
        return apply(name, x)

    def binary(x: Any, y: Any) -> Any:
        return apply(name, x, y)

    function = unary if definition.arity == 1 else binary
    function.__name__ = function.__qualname__ = name
    function.__doc__ = definition.summary
    return function


def gelu(x: Any, *, approximate: bool = False) -> Any:
    """``x * Phi(x)`` with the normal distribution function, or its approximation by tanh."""
    return apply("gelu_tanh" if approximate else "gelu", x)


def gelu_grad(g: Any, x: Any, *, approximate: bool = False) -> Any:
    """`g` times the derivative of gelu at `x`."""
    return apply("gelu_tanh_grad" if approximate else "gelu_grad", g, x)


@device_function
def _choose(condition, x, y):  # type: ignore[no-untyped-def]
    return x if condition else y


def select(condition: Any, x: Any, y: Any) -> Any:
    """`x` where `condition` holds and `y` elsewhere, broadcast against each other."""
    check_operands("where", (condition, x, y))
    shapes = [a.shape for a in (condition, x, y) if arrays.is_device_array(a)]
    (dtype, _), _ = loop_dtypes("where", np.maximum, (x, y))
    out = arrays.empty(layout.broadcast_shape("where", shapes), dtype)
    return map_into(out, _choose, (condition, x, y), (np.dtype(bool), dtype, dtype))


@functools.cache
def _cross_entropy_gradient(dtype: str) -> Any:
    return library.shared(dtype).sigmoid_cross_entropy_grad


def sigmoid_cross_entropy_grad(g: Any, logits: Any, targets: Any) -> Any:
    """``g * (sigmoid(logits) - targets)``: gradient of `sigmoid_cross_entropy` by the logits."""
    operands = (g, logits, targets)
    check_operands("sigmoid_cross_entropy_grad", operands)
    shapes = [x.shape for x in operands if arrays.is_device_array(x)]
    dtype = np.result_type(*(x.dtype for x in operands if arrays.is_device_array(x)))
    dtype = dtype if dtype.kind == "f" else np.dtype(np.float64)
    out = arrays.empty(layout.broadcast_shape("sigmoid_cross_entropy_grad", shapes), dtype)
    return map_into(out, _cross_entropy_gradient(dtype.name), operands, (dtype,) * 3)


_OWN = {"gelu", "gelu_tanh", "gelu_grad", "gelu_tanh_grad"}

for _definition in DEFINITIONS.values():
    if _definition.name not in _OWN:
        globals()[_definition.name] = _public(_definition)

__all__ = [  # pyright: ignore[reportUnsupportedDunderAll]
    "astype",
    "copy",
    "gelu",
    "gelu_grad",
    "sigmoid_cross_entropy_grad",
    *sorted(DEFINITIONS.keys() - _OWN),
]

# The reduction of large arguments needs local memory in double precision.
_STACK = {"cos float64": 40, "sin float64": 40, "tan float64": 40}
_FOR_INTEGERS = ("bitwise_and", "bitwise_or", "bitwise_xor", "invert", "left_shift", "right_shift")
_SAME = {"abs", "conj", "degrees", "mod", "radians", "true_divide"}


def _specimen(name: str, dtype: str, rank: int = 1) -> Specimen:
    definition = DEFINITIONS[name]
    given = (np.dtype(dtype),) * definition.arity
    *inputs, result = definition.resolver.resolve_dtypes((*given, None))
    types = [numba.from_dtype(d) for d in (result, *given)]
    place = (slice(None),) * rank
    return Specimen(
        f"{name} {dtype}" + (f", {rank} axes" if rank > 1 else ""),
        map_kernel(
            device_operation(name, inputs[-1].name),
            (True,) * definition.arity,
            tuple(d.name for d in inputs),
            rank,
        ),
        tuple(t[place] if rank > 1 else t[::1] for t in types),
        stack=_STACK.get(f"{name} {dtype}", 0),
    )


@specimens
def _elementwise_specimens() -> Iterator[Specimen]:
    for name in sorted(DEFINITIONS.keys() - _SAME):
        yield _specimen(name, "int64" if name in _FOR_INTEGERS else "float32")
        if name in SHARED or f"{name} float64" in _STACK:
            yield _specimen(name, "float64")
    for rank in range(2, MOST_AXES + 1):
        yield _specimen("add", "float32", rank)
    for name in ("power", "floor_divide"):
        yield _specimen(name, "int64")
