"""Windows over a series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tapegrad.data import Dataset

__all__ = ["timeseries_dataset_from_array"]


def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
) -> Dataset:
    """Return a data set of windows that slide over a series.

    Window `i` starts at step ``s = i · sequence_stride`` and holds the steps ``s``,
    ``s + sampling_rate``, … of the series, `sequence_length` of them. Windows are gathered when
    their batch is made, so overlapping ones take no memory.

    Parameters
    ----------
    data
        The series, with time as its first axis.
    targets
        ``targets[s]`` belongs to the window that starts at step ``s``; None for windows alone.
    sequence_length
        Steps a window.
    sequence_stride
        Steps from the start of one window to that of the next.
    sampling_rate
        Steps between neighbours in a window.
    batch_size
        Windows a batch; None for single windows.
    shuffle
        Whether windows come in random order, a new one each pass.
    seed
        Makes the order repeatable.
    start_index, end_index
        Only steps ``start_index … end_index - 1`` are used.

    Returns
    -------
    tapegrad.data.Dataset
        Of batches ``(windows, targets)``, or of windows alone.

    Raises
    ------
    ValueError
        If a number is out of range, or no window fits.

    Examples
    --------
    >>> series = np.arange(10.0)
    >>> dataset = timeseries_dataset_from_array(series[:-3], series[3:], sequence_length=3)
    >>> windows, targets = next(iter(dataset))
    >>> windows[0], targets[0]
    (array([0., 1., 2.]), np.float64(3.0))
    """
    from tapegrad.data.sources import Windows

    series = np.asarray(data)
    first, last = _bounds(len(series), start_index, end_index)
    for name, value in (
        ("sequence_length", sequence_length),
        ("sequence_stride", sequence_stride),
        ("sampling_rate", sampling_rate),
    ):
        if int(value) != value or value < 1:
            raise ValueError(
                f"timeseries_dataset_from_array: {name} must be a positive whole number, but is "
                f"{value!r}."
            )
    series = series[first:last]
    count = len(series) - (sequence_length - 1) * sampling_rate
    if targets is not None:
        targets = np.asarray(targets)[first:last]
        count = min(count, len(targets))
    if count < 1:
        raise ValueError(
            f"timeseries_dataset_from_array: no window of {sequence_length} steps at distance "
            f"{sampling_rate} fits into {len(series)} steps"
            f"{'' if targets is None else f' with {len(targets)} targets'}."
        )
    starts = np.arange(0, count, sequence_stride, dtype=np.int64)
    offsets = np.arange(sequence_length, dtype=np.int64) * sampling_rate
    dataset: Dataset = Windows(series, targets, starts, offsets)
    if shuffle:
        dataset = dataset.shuffle(seed=seed)
    return dataset if batch_size is None else dataset.batch(batch_size)


def _bounds(length: int, start: int | None, end: int | None) -> tuple[int, int]:
    """Return the first step that is used and the one after the last."""
    first = 0 if start is None else int(start)
    last = length if end is None else int(end)
    if not 0 <= first < last <= length:
        raise ValueError(
            f"timeseries_dataset_from_array: expected 0 ≤ start_index < end_index ≤ {length} (the "
            f"length of data), got start_index={start} and end_index={end}."
        )
    return first, last
