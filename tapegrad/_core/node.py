"""The identity under which tapes know a tensor."""

from __future__ import annotations

from typing import Any


class Node:
    """A point in the graph of what depends on what.

    Tapes hold nodes instead of tensors, so that an operation keeps alive only
    the values that its derivative needs. A Variable keeps one node through all
    its assignments.

    Attributes
    ----------
    shape : tuple of int
        Shape of the value, which is the shape of its gradient.
    dtype : numpy.dtype
        Data type of the value, which is that of its gradient.
    automatic : bool
        Whether tapes watch it without being asked (trainable Variables).
    """

    __slots__ = ("automatic", "dtype", "shape")

    def __init__(self, shape: tuple[int, ...], dtype: Any, automatic: bool = False) -> None:
        self.shape = shape
        self.dtype = dtype
        self.automatic = automatic

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        count = 1
        for length in self.shape:
            count *= length
        return count

    def __repr__(self) -> str:
        return f"Node(shape={self.shape}, dtype={self.dtype})"
