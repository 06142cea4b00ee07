"""What users hand over as data, turned into arrays with one sample a row and checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tapegrad._core.operators import Operators
from tapegrad.training.frames import frame_values, is_frame

__all__ = [
    "are_ready",
    "as_array",
    "as_arrays",
    "check_lengths",
    "dense",
    "is_array",
    "is_sparse",
    "is_structure",
    "map_leaves",
    "named_leaves",
    "refuse_nan",
]


def is_sparse(data: Any) -> bool:
    """Whether data is a sparse matrix or array of SciPy."""
    return hasattr(data, "tocsr") and hasattr(data, "toarray")


def is_array(data: Any) -> bool:
    """Whether data is an array of any library (not a number, not a list)."""
    if isinstance(data, np.ndarray | Operators) or is_frame(data) or is_sparse(data):
        return True
    return hasattr(data, "__array__") and not isinstance(data, np.generic)


def is_structure(data: Any) -> bool:
    """Whether data is several arrays: a dict, or a list or tuple with an array in it.

    Lists of numbers, however nested, are one array.
    """
    if isinstance(data, dict):
        return True
    return isinstance(data, list | tuple) and any(
        (is_array(part) and np.ndim(part) > 0)
        if not isinstance(part, list | tuple | dict)
        else is_structure(part)
        for part in data
    )


def map_leaves(function: Callable[[Any], Any], data: Any) -> Any:
    """Apply a function to each array of a structure; None stays None."""
    if data is None:
        return None
    if isinstance(data, dict):
        return {key: map_leaves(function, part) for key, part in data.items()}
    if is_structure(data):
        return _like(data, [map_leaves(function, part) for part in data])
    return function(data)


def _like(container: Any, parts: list[Any]) -> Any:
    if isinstance(container, tuple):
        return type(container)(*parts) if hasattr(container, "_fields") else tuple(parts)
    return parts


def named_leaves(data: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Go through the arrays of a structure with their names, such as ``x["image"]`` or ``y[0]``."""
    if data is None:
        return
    if is_structure(data):
        parts = data.items() if isinstance(data, dict) else enumerate(data)
        for key, part in parts:
            yield from named_leaves(part, f"{name}[{key!r}]")
    else:
        yield name, data


def as_arrays(
    data: Any, name: str, dtype: np.dtype[Any] | None = None, *, check_nan: bool = True
) -> Any:
    """Return data with each part as an array; see `as_array`.

    Parameters
    ----------
    data
        One array, or lists, tuples and dicts of arrays, nested; None where there is none.
    name
        What the argument is called, for errors.
    dtype
        What floating arrays are converted to.
    check_nan
        Whether to look for NaN.

    Raises
    ------
    TypeError, ValueError
        As `as_array`, naming the part; or if a dict or list is empty.
    """
    if data is None:
        return None
    if isinstance(data, dict) or is_structure(data):
        if not data:
            raise ValueError(f"{name} is empty: a {type(data).__name__} without arrays.")
        if isinstance(data, dict):
            return {
                key: as_arrays(part, f"{name}[{key!r}]", dtype, check_nan=check_nan)
                for key, part in data.items()
            }
        parts = [
            as_arrays(part, f"{name}[{place}]", dtype, check_nan=check_nan)
            for place, part in enumerate(data)
        ]
        return _like(data, parts)
    return as_array(data, name, dtype, check_nan=check_nan)


def as_array(
    data: Any, name: str, dtype: np.dtype[Any] | None = None, *, check_nan: bool = True
) -> Any:
    """Return data as an array of numbers with at least one sample.

    Parameters
    ----------
    data
        An array, a Tensor, a pandas DataFrame or Series, a SciPy sparse matrix, nested lists, or
        anything else that NumPy turns into an array.
    name
        What the argument is called, for errors.
    dtype
        What floating arrays are converted to. Memory-mapped ones stay, to be converted in parts.
    check_nan
        Whether to look for NaN.

    Returns
    -------
    numpy.ndarray or scipy.sparse matrix in CSR format

    Raises
    ------
    TypeError
        If it is no array of real numbers.
    ValueError
        If it is empty, has no axis of samples, or holds NaN.
    """
    array = data if type(data) is np.ndarray else _converted(data, name)
    kind = array.dtype.kind
    if kind not in "biuf":
        raise TypeError(
            f"{name} has dtype {array.dtype}, but must hold numbers: convert it first, for "
            'instance with array.astype("float32").'
        )
    if array.ndim == 0:
        raise ValueError(f"{name} is a single number; expected an array with an axis of samples.")
    if array.shape[0] == 0:
        raise ValueError(f"{name} is empty: its shape is {array.shape}.")
    if kind == "f":
        if check_nan:
            refuse_nan(array, name)
        if dtype is not None and not isinstance(array, np.memmap):
            array = array.astype(dtype, copy=False)
    return array


def _converted(data: Any, name: str) -> Any:
    """Return anything else than a plain NumPy array as an array."""
    if isinstance(data, np.ndarray):  # memory-mapped, say
        return data
    if is_frame(data):
        return frame_values(data, name)
    if is_sparse(data):
        return data.tocsr()
    if hasattr(data, "__next__") or callable(data):
        raise TypeError(f"{name} must be an array, not a {type(data).__name__}.")
    try:
        return np.asarray(data)
    except ValueError:
        raise TypeError(
            f"{name} is not one array: its parts have different shapes or kinds."
        ) from None


_CHECKED_AT_ONCE = 1 << 20


def refuse_nan(array: Any, name: str) -> None:
    """Raise ValueError, naming the first place, if an array of floats holds a NaN."""
    if type(array) is np.ndarray and array.size <= _CHECKED_AT_ONCE and not _holds_nan(array):
        return
    if is_sparse(array):
        if np.isnan(array.data).any():
            raise ValueError(f"{name}, a sparse matrix, holds NaN; fill or drop such samples.")
        return
    # In pieces: the mask of an array as large as memory would not fit beside it.
    rows = max(1, _CHECKED_AT_ONCE // max(1, array[0].size))
    with np.errstate(all="ignore"):  # infinities are the user's business
        for start in range(0, len(array), rows):
            piece = array[start : start + rows]
            if _holds_nan(piece):
                where = np.argwhere(np.isnan(piece))
                place = (start + int(where[0][0]), *map(int, where[0][1:]))
                index = ", ".join(map(str, place))
                raise ValueError(
                    f"{name} holds NaN, first at [{index}]; fill or drop such samples."
                )


def _holds_nan(array: np.ndarray) -> bool:
    largest = np.maximum.reduce(array, axis=None, initial=-np.inf)
    return bool(largest != largest)  # a single NaN counts as the largest


def dense(data: Any) -> Any:
    """Return sparse and memory-mapped parts as plain arrays."""
    if data is None or type(data) is np.ndarray:
        return data
    if isinstance(data, dict):
        return {key: dense(part) for key, part in data.items()}
    if isinstance(data, list | tuple):
        return _like(data, [dense(part) for part in data])
    return np.array(data, subok=False) if isinstance(data, np.ndarray) else data.toarray()


def are_ready(x: Any, y: Any, sample_weight: Any, dtype: np.dtype[Any]) -> bool:
    """Whether `as_arrays` would return these as they are, NaN aside, and their lengths agree.

    Only one plain array each, or None but for `x`, is told quickly; for all else it is False.
    """
    if type(x) is not np.ndarray:
        return False
    samples = x.shape[:1]
    if samples == () or samples == (0,):
        return False
    for array in (x, y, sample_weight):
        if array is not None and (
            type(array) is not np.ndarray
            or (array.dtype is not dtype and array.dtype.kind not in "biu")
            or array.shape[:1] != samples
        ):
            return False
    return True


def check_lengths(*named: tuple[str, Any]) -> int:
    """Return the number of samples, which must be that of all arrays.

    Parameters
    ----------
    named
        Pairs of what an argument is called, and its arrays.

    Raises
    ------
    ValueError
        If numbers of samples differ.
    """
    first_name, first = "", None
    for argument, data in named:
        for name, array in named_leaves(data, argument):
            if first is None:
                first_name, first = name, array
            elif array.shape[0] != first.shape[0]:
                raise ValueError(
                    f"{first_name} has {first.shape[0]} samples but {name} has "
                    f"{array.shape[0]} (shapes {first.shape} and {array.shape})."
                )
    assert first is not None
    return first.shape[0]
