"""Outputs of many batches, put one below the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core.nest import flatten, map_structure, pack_like
from tapegrad._core.tensor import Tensor
from tapegrad.training.sources import ArraySource, Source

__all__ = ["Collected"]


class Collected:
    """Outputs of batches, put one below the other.

    Where the number of rows is known, they are written where they will stay.

    Parameters
    ----------
    source
        Where batches come from.
    steps
        How many there are at most, or None.

    Attributes
    ----------
    filled : int
        Rows that have been written.
    """

    def __init__(self, source: Source, steps: int | None) -> None:
        self._rows: int | None = None
        if isinstance(source, ArraySource):
            most = source.samples if steps is None else steps * source.batch_size
            self._rows = min(source.samples, most)
        self.filled = 0
        self._whole: list[np.ndarray] | None = None
        self._parts: list[list[np.ndarray]] = []
        self._structure: Any = None

    def add(self, outputs: Any) -> Any:
        """Add a batch's; return them as arrays."""
        outputs = map_structure(_as_array, outputs)
        leaves = flatten(outputs)
        if self._structure is None:
            self._structure = outputs
            if self._rows is not None and all(leaf.ndim for leaf in leaves):
                self._whole = [np.empty((self._rows, *a.shape[1:]), a.dtype) for a in leaves]
        if self._whole is None:
            self._parts.append([np.array(leaf) for leaf in leaves])
            return outputs
        stop = self.filled + len(leaves[0])
        for whole, leaf in zip(self._whole, leaves):
            whole[self.filled : stop] = leaf
        self.filled = stop
        return outputs

    def suits(self, outputs: list[tuple[tuple[int, ...], np.dtype[Any]]], size: int) -> bool:
        """Whether outputs of these shapes and dtypes have a row for each of so many samples.

        Then they can be written to `rows_from` by others than `add`, who count them in `filled`.
        """
        if self._whole is None or len(self._whole) != len(outputs):
            return False
        return all(
            shape == (size, *whole.shape[1:]) and dtype == whole.dtype
            for whole, (shape, dtype) in zip(self._whole, outputs)
        )

    def rows_from(self, first: int) -> list[np.ndarray]:
        """Return where the outputs stay, without the first rows."""
        assert self._whole is not None
        return [whole[first:] for whole in self._whole]

    def joined(self) -> Any:
        """Return all, in the structure of the outputs."""
        if self._whole is not None:
            whole = [array[: self.filled] for array in self._whole]
        else:
            whole = [np.concatenate(column) for column in zip(*self._parts)]
        return pack_like(self._structure, whole)


def _as_array(output: Any) -> np.ndarray:
    return output.numpy() if isinstance(output, Tensor) else np.asarray(output)
