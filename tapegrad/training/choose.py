"""Which kind of data it is that the user handed over."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tapegrad.training.arrays import as_arrays, check_lengths, is_array, map_leaves
from tapegrad.training.iterables import IteratorSource, PipelineSource, SequenceSource, unpack
from tapegrad.training.sources import ArraySource, Batch, Source

__all__ = ["checked_batch_size", "checked_number", "choose_source", "split_off_validation"]


def choose_source(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    batch_size: int | None = None,
    steps: int | None = None,
    shuffle: bool = False,
    class_weight: dict[int, float] | None = None,
    dtype: np.dtype[Any] | None = None,
) -> Source:
    """Return data of any kind as a Source.

    Parameters
    ----------
    x
        Arrays (or structures of them), a generator, a data set, or a sequence of batches.
    y, sample_weight
        Targets and weights; only beside arrays.
    batch_size
        Samples a batch, for arrays: 32 by default, or as many as make `steps` batches.
    steps
        How many batches an epoch was asked to have.
    shuffle
        Whether arrays, and sequences of batches, are gone through in a new order each time.
    class_weight
        A weight for each class number.
    dtype
        What floating arrays are converted to.

    Raises
    ------
    TypeError, ValueError
        If the data are of no such kind, or do not fit each other.
    """
    size = checked_batch_size(batch_size)
    if x is None:
        raise ValueError("x is missing.")
    if not _in_batches(x):
        source = ArraySource(
            x, y, sample_weight, shuffle=shuffle, class_weight=class_weight, dtype=dtype
        )
        source.resize(size or (math.ceil(source.samples / steps) if steps else 32))
        return source
    for name, given in (("y", y), ("sample_weight", sample_weight)):
        if given is not None:
            raise TypeError(
                f"x must be an array if {name} is given, not a {type(x).__name__}: what yields "
                f"batches yields them as (x, y) or (x, y, sample_weight)."
            )
    if hasattr(x, "__next__"):
        return IteratorSource(x, class_weight, dtype)
    if hasattr(x, "__getitem__") and (hasattr(x, "__len__") or hasattr(x, "num_batches")):
        return SequenceSource(x, class_weight, dtype, shuffle=shuffle)
    return PipelineSource(x, class_weight, dtype)


def _in_batches(data: Any) -> bool:
    """Whether data yields batches, rather than being arrays."""
    if isinstance(data, list | tuple | dict | str | bytes) or is_array(data):
        return False
    if isinstance(data, type) or (callable(data) and not hasattr(data, "__iter__")):
        return False  # refused as an array, by name
    return hasattr(data, "__iter__") or (
        hasattr(data, "__getitem__") and (hasattr(data, "__len__") or hasattr(data, "num_batches"))
    )


def checked_batch_size(batch_size: int | None) -> int | None:
    """Return the batch size as an int, or None if there is none.

    Raises
    ------
    ValueError
        If it is not a positive whole number.
    """
    if batch_size is None:
        return None
    if isinstance(batch_size, bool) or int(batch_size) != batch_size or batch_size <= 0:
        raise ValueError(f"batch_size must be a positive whole number, but is {batch_size!r}.")
    return int(batch_size)


def checked_number(value: Any, name: str, least: int = 0) -> int:
    """Return a whole number as an int.

    Raises
    ------
    ValueError
        If it is none, or less than `least`.
    """
    whole = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not whole or value != np.floor(value) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, but is {value!r}.")
    return int(value)


def split_off_validation(
    x: Any, y: Any, sample_weight: Any, fraction: float
) -> tuple[Batch, Batch]:
    """Return the data without its last samples, and these, as they are ordered.

    Raises
    ------
    TypeError
        If the data are no arrays.
    ValueError
        If the fraction does not lie in (0, 1), or leaves one of the parts empty.
    """
    if not isinstance(fraction, int | float | np.number) or not 0 < fraction < 1:
        raise ValueError(f"validation_split must lie between 0 and 1, but is {fraction!r}.")
    if _in_batches(x):
        raise TypeError(
            f"validation_split needs arrays, but x is a {type(x).__name__}; pass validation_data."
        )
    given = {"x": x, "y": y, "sample_weight": sample_weight}
    arrays = {name: as_arrays(data, name) for name, data in given.items()}
    if x is None:
        raise ValueError("x is missing.")
    count = check_lengths(*arrays.items())
    at = math.floor(count * (1 - fraction))
    if at == 0 or at == count:
        raise ValueError(f"validation_split={fraction} of {count} samples leaves a part empty.")
    before = [map_leaves(lambda array: array[:at], part) for part in arrays.values()]
    after = [map_leaves(lambda array: array[at:], part) for part in arrays.values()]
    return unpack(tuple(before)), unpack(tuple(after))
