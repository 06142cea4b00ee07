"""What users hand to `fit`, checked once and cut into batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tapegrad import random

__all__ = ["ArrayData", "as_array", "split_off_validation", "unpack"]


def as_array(data: Any, name: str) -> np.ndarray:
    """Return data as an array of numbers with at least one sample.

    Parameters
    ----------
    data
        An array, a Tensor, nested lists, or anything NumPy turns into an array.
    name
        What the argument is called, for errors.

    Raises
    ------
    TypeError
        If it is no array of real numbers.
    ValueError
        If it is empty, has no axis of samples, or holds NaN.
    """
    if hasattr(data, "__next__") or callable(data):
        raise TypeError(f"{name} must be an array, not a {type(data).__name__}.")
    try:
        array = data if isinstance(data, np.ndarray) else np.asarray(data)
    except ValueError:
        raise TypeError(
            f"{name} is not one array: its parts have different shapes or kinds."
        ) from None
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} has dtype {array.dtype}, but must hold numbers: convert it first, for "
            'instance with array.astype("float32").'
        )
    if array.ndim == 0:
        raise ValueError(f"{name} is a single number; expected an array with an axis of samples.")
    if array.shape[0] == 0:
        raise ValueError(f"{name} is empty: its shape is {array.shape}.")
    if array.dtype.kind == "f":
        _refuse_nan(array, name)
    return array


_CHECKED_AT_ONCE = 1 << 20


def _refuse_nan(array: np.ndarray, name: str) -> None:
    """Raise ValueError, naming the first place, if there is a NaN."""
    # In pieces: the mask of an array as large as memory would not fit beside it.
    rows = max(1, _CHECKED_AT_ONCE // max(1, array[0].size))
    for start in range(0, len(array), rows):
        piece = array[start : start + rows]
        if np.isnan(np.sum(piece)) and (where := np.argwhere(np.isnan(piece))).size:
            place = (start + int(where[0][0]), *map(int, where[0][1:]))
            index = ", ".join(map(str, place))
            raise ValueError(f"{name} holds NaN, first at [{index}]; fill or drop such samples.")


class ArrayData:
    """Inputs, targets and weights of a data set in memory, or in memory-mapped arrays.

    Parameters
    ----------
    x, y
        Arrays with one sample a row; `y` may be None.
    sample_weight
        A weight a sample, or None.
    class_weight
        A weight for each class number; others weigh 1.
    dtype
        What floating arrays are converted to; memory-mapped ones batch by batch.

    Raises
    ------
    TypeError, ValueError
        If an array is not one of numbers, empty, or holds NaN, or if lengths differ.
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        dtype: np.dtype[Any] | None = None,
    ) -> None:
        self.dtype = dtype
        self.x = self._converted(as_array(x, "x"))
        self.y = None if y is None else self._converted(as_array(y, "y"))
        self.sample_weight = None
        if sample_weight is not None:
            self.sample_weight = self._converted(as_array(sample_weight, "sample_weight"))
        for name in ("y", "sample_weight"):
            other = getattr(self, name)
            if other is not None and len(other) != len(self.x):
                raise ValueError(
                    f"x has {len(self.x)} samples but {name} has {len(other)} (shapes "
                    f"{self.x.shape} and {other.shape})."
                )
        if class_weight is not None:
            if self.y is None:
                raise ValueError("class_weight needs y.")
            weights = weights_of_classes(self.y, class_weight)
            given = self.sample_weight
            if given is not None:
                weights = weights.reshape(weights.shape + (1,) * (given.ndim - 1)) * given
            self.sample_weight = weights.astype(dtype or np.float32)

    def _converted(self, array: np.ndarray) -> np.ndarray:
        if self.dtype is None or array.dtype.kind != "f" or isinstance(array, np.memmap):
            return array
        return array.astype(self.dtype, copy=False)

    def __len__(self) -> int:
        return len(self.x)

    def steps(self, batch_size: int) -> int:
        """Return the number of batches, the short last one included."""
        return -(-len(self.x) // batch_size)

    def batches(
        self, batch_size: int, shuffle: bool = False
    ) -> Iterator[tuple[np.ndarray, np.ndarray | None, np.ndarray | None]]:
        """Go through the batches once.

        Parameters
        ----------
        batch_size
            Samples a batch; the last may be shorter.
        shuffle
            Whether to draw a new order from tapegrad's generator.
        """
        count = len(self.x)
        if shuffle:
            order = random.permutation(count).numpy()
            for start in range(0, count, batch_size):
                chosen = order[start : start + batch_size]
                yield (
                    self.x.take(chosen, axis=0),
                    None if self.y is None else self.y.take(chosen, axis=0),
                    None if self.sample_weight is None else self.sample_weight.take(chosen, axis=0),
                )
            return
        for start in range(0, count, batch_size):
            stop = start + batch_size
            yield (
                self.x[start:stop],
                None if self.y is None else self.y[start:stop],
                None if self.sample_weight is None else self.sample_weight[start:stop],
            )


def weights_of_classes(y: np.ndarray, class_weight: dict[int, float]) -> np.ndarray:
    """Return the weight of each sample's class.

    Parameters
    ----------
    y
        Class numbers, shape (samples,) or (samples, 1), or one-hot rows.
    class_weight
        A weight for each class number; others weigh 1.

    Raises
    ------
    TypeError
        If `class_weight` is not a dict of numbers.
    """
    if not isinstance(class_weight, dict):
        raise TypeError(
            f"class_weight must be a dict of class numbers, not {type(class_weight).__name__}."
        )
    if y.ndim > 2:
        raise ValueError(f"class_weight needs one label a sample, but y has shape {y.shape}.")
    labels = y.argmax(-1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(len(y))
    labels = np.round(labels).astype(np.int64)
    weights = np.ones(len(y))
    for label, weight in class_weight.items():
        weights[labels == int(label)] = float(weight)
    return weights


def unpack(data: Any) -> tuple[Any, Any, Any]:
    """Return the x, y and sample_weight of a tuple of one to three of them.

    Raises
    ------
    ValueError
        If it is none.
    """
    if isinstance(data, list):
        data = tuple(data)
    if not isinstance(data, tuple):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ValueError(
            f"expected (x,), (x, y) or (x, y, sample_weight), got a tuple of {len(data)}."
        )
    x, y, sample_weight = (*data, None, None)[:3]
    return x, y, sample_weight


def split_off_validation(
    x: Any, y: Any, sample_weight: Any, fraction: float
) -> tuple[tuple[Any, Any, Any], tuple[Any, Any, Any]]:
    """Return the data without its last samples, and these, as they are ordered.

    Raises
    ------
    ValueError
        If the fraction does not lie in (0, 1), or leaves one of the parts empty.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"validation_split must lie between 0 and 1, but is {fraction}.")
    arrays = [
        None if data is None else as_array(data, name)
        for data, name in ((x, "x"), (y, "y"), (sample_weight, "sample_weight"))
    ]
    assert arrays[0] is not None
    count = len(arrays[0])
    at = int(np.floor(count * (1 - fraction)))
    if at == 0 or at == count:
        raise ValueError(f"validation_split={fraction} of {count} samples leaves a part empty.")
    before = [None if array is None else array[:at] for array in arrays]
    after = [None if array is None else array[at:] for array in arrays]
    return tuple(before), tuple(after)  # type: ignore[return-value]
