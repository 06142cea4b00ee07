"""A data set in two parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tapegrad.data import Dataset

__all__ = ["split_dataset"]


def split_dataset(
    dataset: Any,
    left_size: float | None = None,
    right_size: float | None = None,
    shuffle: bool = False,
    seed: int | None = None,
) -> tuple[Dataset, Dataset]:
    """Cut a data set into a left and a right part, for instance training and test.

    Parameters
    ----------
    dataset
        A `tapegrad.data.Dataset`; or an array, a tuple, list or dict of arrays with one number
        of samples. A data set that ends in ``batch`` is cut by samples and batched again.
    left_size, right_size
        Samples of each part: a whole number, or a fraction of all. One of them may be left out
        and is then what remains.
    shuffle
        Whether samples are put in random order before.
    seed
        Makes that order repeatable.

    Returns
    -------
    left, right : tapegrad.data.Dataset
        The first and the last samples. Of data sets that cannot be reached by index, samples are
        kept in memory.

    Raises
    ------
    ValueError
        If sizes are missing, out of range, or too large together.
    TypeError
        If it is no data set.

    Examples
    --------
    >>> left, right = split_dataset(np.arange(10), left_size=0.8)
    >>> len(left), [int(sample) for sample in right]
    (8, [8, 9])
    """
    from tapegrad.data.slicing import Chosen
    from tapegrad.random import Generator, get_generator

    source, rebatch = _indexed(dataset)
    total = source._length()
    left, right = _sizes(left_size, right_size, total)
    order = np.arange(total)
    if shuffle:
        generator = get_generator() if seed is None else Generator(seed)
        order = generator.permutation(total).numpy()
    parts: list[Any] = [Chosen(source, order[:left]), Chosen(source, order[total - right :])]
    if rebatch is not None:
        parts = [part.batch(rebatch) for part in parts]
    return parts[0], parts[1]


def _indexed(given: Any) -> tuple[Any, int | None]:
    """Return samples as a data set that can be reached by index, and the size of batches."""
    from tapegrad.data import Dataset
    from tapegrad.data.batching import Batched
    from tapegrad.data.prefetching import Prefetched
    from tapegrad.data.structure import stack

    if not isinstance(given, Dataset):
        if isinstance(given, list) and given and isinstance(given[0], np.ndarray):
            given = tuple(given)  # Keras takes a list of arrays for one of parts
        if not isinstance(given, tuple | dict | list) and not hasattr(given, "__array__"):
            raise TypeError(
                "split_dataset: expected a Dataset, an array, or a tuple, list or dict of arrays, "
                f"got {type(given).__name__}."
            )
        return Dataset.from_tensor_slices(given), None
    while isinstance(given, Prefetched):
        given = given._source
    rebatch = None
    if isinstance(given, Batched):
        rebatch, given = given.batch_size, given._source
    if not given._indexed:
        if given.cardinality() == -1:
            raise ValueError("split_dataset: the data set has no end; take() a part of it first.")
        samples = list(given)
        if not samples:
            raise ValueError("split_dataset: the data set is empty.")
        given = Dataset.from_tensor_slices(stack(samples, "split_dataset"))
    return given, rebatch


def _sizes(left: float | None, right: float | None, total: int) -> tuple[int, int]:
    """Return how many samples each part has."""
    if left is None and right is None:
        raise ValueError("split_dataset: left_size or right_size must be given.")
    counts: list[int | None] = []
    for name, size in (("left_size", left), ("right_size", right)):
        if size is None:
            counts.append(None)
            continue
        if isinstance(size, bool) or not isinstance(size, int | float | np.number):
            raise TypeError(f"split_dataset: {name} must be a number, not {size!r}.")
        whole = isinstance(size, int | np.integer)
        if not (0 < size < total if whole else 0 < size < 1):
            raise ValueError(
                f"split_dataset: {name} must be a whole number below {total} or a fraction between "
                f"0 and 1, but is {size!r}."
            )
        counts.append(int(size) if whole else round(float(size) * total))
    first, second = counts
    first = total - (second or 0) if first is None else first
    second = total - first if second is None else second
    if first + second > total:
        raise ValueError(
            f"split_dataset: parts of {first} and {second} samples are more than the {total} that "
            "there are."
        )
    return first, second
