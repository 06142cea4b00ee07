"""Sums of products of two arrays by the letters of an einsum equation."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tapegrad import ops
from tapegrad._core.tensor import Tensor

__all__ = ["Contraction", "spelled_out"]

_EQUATION = re.compile(r"(\.\.\.)?([a-zA-Z]+)(\.\.\.)?,([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]+)(\.\.\.)?")
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def spelled_out(equation: str, rank: int, owner: str) -> tuple[str, str, str]:
    """Return the letters of the input, of the weight and of the output, without an ellipsis.

    Parameters
    ----------
    equation
        ``"ab,bc->ac"``, ``"...b,bc->...c"`` or ``"ab...,bc->ac..."``.
    rank
        The number of axes of the input.
    owner
        Whose equation it is, for errors.

    Raises
    ------
    ValueError
        If the equation has another form, or not as many letters as the input has axes.

    Examples
    --------
    >>> spelled_out("...b,bc->...c", 3, "layer")
    ('adb', 'bc', 'adc')
    """
    match = _EQUATION.fullmatch(equation.replace(" ", ""))
    if match is None or (match[1], match[3]) != (match[5], match[7]) or (match[1] and match[3]):
        raise ValueError(
            f"{owner}: the equation {equation!r} has none of the forms 'ab,bc->ac', "
            "'...b,bc->...c' and 'ab...,bc->ac...'."
        )
    left, weight, output = match[2], match[4], match[6]
    elided = rank - len(left)
    if elided < 0 or (elided and not (match[1] or match[3])):
        raise ValueError(
            f"{owner}: the equation {equation!r} is for inputs of {len(left)} axes, but the input "
            f"has {rank}."
        )
    unused = [letter for letter in _LETTERS if letter not in left + weight + output]
    more = "".join(unused[:elided])
    if match[1]:
        return more + left, weight, more + output
    return left + more, weight, output + more


@dataclass(frozen=True)
class Contraction:
    """The sum of products of two arrays, as ``numpy.einsum`` of two operands, by one gemm.

    Parameters
    ----------
    left, right, output
        The letters of the axes. A letter stands in `output` for every axis that is left; each
        letter of `right` stands in one of the others.

    Examples
    --------
    >>> import numpy as np
    >>> Contraction("ab", "cb", "ca")(np.ones((2, 3)), np.ones((4, 3))).shape
    (4, 2)
    """

    left: str
    right: str
    output: str

    @cached_property
    def batch(self) -> str:
        """Letters of axes along which there is one product each."""
        return "".join(c for c in self.output if c in self.left and c in self.right)

    @cached_property
    def rows(self) -> str:
        """Letters that only the left array brings into the result."""
        return "".join(c for c in self.left if c in self.output and c not in self.right)

    @cached_property
    def columns(self) -> str:
        """Letters that only the right array brings into the result."""
        return "".join(c for c in self.right if c in self.output and c not in self.left)

    @cached_property
    def summed(self) -> str:
        """Letters of the axes that are summed over."""
        return "".join(c for c in self.right if c in self.left and c not in self.output)

    @cached_property
    def is_dense(self) -> bool:
        """Whether this is a fully connected layer, axes being joined but not moved."""
        return (
            self.left == self.rows + self.summed
            and self.right == self.summed + self.columns
            and self.output == self.rows + self.columns
        )

    def __call__(self, left: Any, right: Any) -> Tensor:
        """Return the sum of products."""
        rows, columns, summed, batch = self.rows, self.columns, self.summed, self.batch
        alone = [axis for axis, c in enumerate(self.left) if c not in batch + rows + summed]
        letters = "".join(c for c in self.left if c in batch + rows + summed)
        if alone:
            left = ops.sum(left, axis=tuple(alone))
        lengths = dict(zip(letters, left.shape)) | dict(zip(self.right, right.shape))
        product = ops.matmul(
            _arranged(left, letters, (batch, rows, summed)),
            _arranged(right, self.right, (batch, summed, columns)),
        )
        found = batch + rows + columns
        product = product.reshape(tuple(lengths[c] for c in found))
        return _transposed(product, found, self.output)

    def dense(self, left: Any, right: Any, bias: Any, activation: str | None) -> Tensor:
        """Return ``activation(sum + bias)`` in one call; only where `is_dense` is true."""
        shape = left.shape
        split = len(self.rows)
        length = math.prod(shape[split:])
        columns = right.shape[len(self.summed) :]
        kernel = right.reshape((length, math.prod(columns)))
        if len(shape) > split + 1:
            left = left.reshape((*shape[:split], length))
        if bias is not None and bias.ndim > 1:
            bias = bias.reshape((-1,))
        result = ops.dense(left, kernel, bias, activation=activation)
        return result if len(columns) == 1 else result.reshape((*shape[:split], *columns))


def _arranged(array: Any, letters: str, groups: Sequence[str]) -> Any:
    """Return an array of three axes, one for each group of letters (the first stays apart)."""
    array = _transposed(array, letters, "".join(groups))
    split = len(groups[0])
    middle = split + len(groups[1])
    shape = array.shape
    return array.reshape(
        (*shape[:split], math.prod(shape[split:middle]), math.prod(shape[middle:]))
    )


def _transposed(array: Any, letters: str, wanted: str) -> Any:
    """Return the array with its axes in the wanted order."""
    if letters == wanted:
        return array
    return ops.transpose(array, tuple(letters.index(c) for c in wanted))
