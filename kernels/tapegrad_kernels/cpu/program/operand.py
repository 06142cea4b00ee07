"""An array of a program, before it has an address."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

ARENA = 0
"""Buffer of everything that lives for part of a run only."""
WORDS = 1
"""Buffer that holds the records themselves."""
FIRST_FREE = 2
"""Number of the first buffer that whoever builds a program may use."""

Shape = tuple[int, ...]


def contiguous_strides(shape: Shape, itemsize: int) -> Shape:
    """Strides in bytes of an array in C order."""
    strides = []
    step = itemsize
    for length in reversed(shape):
        strides.append(step)
        step *= length
    return tuple(reversed(strides))


class Operand:
    """Where an array will be, and how it lies there.

    Parameters
    ----------
    buffer : int
        Number of the memory: `ARENA`, or what the program's caller gives an address for.
    offset : int
        Bytes from the beginning of the buffer to the first element.
    shape : tuple of int
        Length of each axis.
    dtype : numpy.dtype
        Type of the elements.
    strides : tuple of int, optional
        Bytes from one element to the next along each axis, by default those of C order.
    """

    __slots__ = ("buffer", "dtype", "offset", "shape", "strides")

    def __init__(
        self,
        buffer: int,
        offset: int,
        shape: Shape,
        dtype: Any,
        strides: Shape | None = None,
    ) -> None:
        self.buffer = buffer
        self.offset = offset
        self.shape = tuple(shape)
        self.dtype = np.dtype(dtype)
        if strides is None:
            strides = contiguous_strides(self.shape, self.dtype.itemsize)
        self.strides = tuple(strides)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.size * self.itemsize

    @property
    def is_contiguous(self) -> bool:
        """Whether the elements lie in C order without gaps."""
        if self.size == 0:
            return True
        step = self.itemsize
        for length, stride in zip(reversed(self.shape), reversed(self.strides)):
            if length != 1 and stride != step:
                return False
            step *= length
        return True

    def view(
        self,
        shape: Shape | None = None,
        strides: Shape | None = None,
        offset: int = 0,
        dtype: Any = None,
    ) -> Operand:
        """The same memory, looked at in another way.

        Parameters
        ----------
        shape : tuple of int, optional
            Another shape; without `strides` the operand must be contiguous, and so is the view.
        strides : tuple of int, optional
            In bytes.
        offset : int, default 0
            Bytes to go on from the first element.
        dtype : dtype, optional
            Another type of the elements.
        """
        if shape is None:
            shape = self.shape
            strides = self.strides if strides is None else strides
        elif strides is None and not self.is_contiguous:
            raise ValueError(
                f"view: an operand of shape {self.shape} and strides {self.strides} has gaps; "
                "make it contiguous first"
            )
        kind = self.dtype if dtype is None else dtype
        return Operand(self.buffer, self.offset + offset, shape, kind, strides)

    def flat(self) -> Operand:
        """The elements of a contiguous operand as a vector."""
        return self.view((self.size,))

    def __repr__(self) -> str:
        layout = "" if self.is_contiguous else f", strides={self.strides}"
        return f"Operand({self.buffer}+{self.offset}, {self.dtype}{list(self.shape)}{layout})"


STATUS = Operand(WORDS, 0, (), np.int64)
"""The word in which a row leaves something else than 0 if it meets what is not allowed.

The run ends after that row, and the operation is done again by its ordinary kernel, which
says what is wrong. The row itself must have written only where it may.
"""

STEP = Operand(WORDS, 8, (), np.int64)
"""The number of the present repetition of a program that is run many times in one call."""
