"""Batches that a class of the user's makes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

__all__ = ["PyDataset", "Sequence"]


class PyDataset:
    """Base of data sets written in Python: batches by their number.

    A subclass writes ``__len__``, the number of batches, and ``__getitem__``, the batch of a
    number: ``x``, ``(x, y)`` or ``(x, y, sample_weight)``. `on_epoch_end` can draw a new order.

    Parameters
    ----------
    workers, use_multiprocessing, max_queue_size
        Accepted for Keras's signature: each batch is made when it is used. For batches that are
        made ahead in threads see `tapegrad.data.Dataset`, its `map` and `prefetch`.

    Examples
    --------
    >>> import numpy as np
    >>> class Squares(PyDataset):
    ...     def __len__(self):
    ...         return 2
    ...
    ...     def __getitem__(self, index):
    ...         x = np.arange(2 * index, 2 * index + 2)
    ...         return x, x**2
    >>> [y.tolist() for x, y in Squares()]
    [[0, 1], [4, 9]]
    """

    # Attributes of the class: subclasses forget to call the constructor.
    workers: int = 1
    use_multiprocessing: bool = False
    max_queue_size: int = 10

    def __init__(
        self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10
    ) -> None:
        self.workers = workers
        self.use_multiprocessing = use_multiprocessing
        self.max_queue_size = max_queue_size

    def __getitem__(self, index: int) -> Any:
        """Return the batch of this number."""
        raise NotImplementedError(f"{type(self).__name__} does not write __getitem__.")

    @property
    def num_batches(self) -> int | None:
        """The number of batches; None if there is no end."""
        try:
            return len(self)  # type: ignore[arg-type] - subclasses write it
        except TypeError:
            raise NotImplementedError(
                f"{type(self).__name__} writes neither __len__ nor num_batches."
            ) from None

    def __iter__(self) -> Iterator[Any]:
        count = self.num_batches
        for index in itertools.count() if count is None else range(count):
            yield self[index]

    def on_epoch_begin(self) -> None:
        """Act before an epoch."""

    def on_epoch_end(self) -> None:
        """Act after an epoch, for instance draw a new order."""


Sequence = PyDataset
"""The older name in Keras."""
