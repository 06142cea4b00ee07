"""Whole Jacobians and Hessians."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tapegrad._core.operators import Operators
from tapegrad._core.tape import Tape
from tapegrad._core.tensor import Tensor, tensor
from tapegrad.ops import reshape, stack
from tapegrad.transforms._argument import replace_arguments


def jacobian(fun: Callable[..., Any], argnum: int = 0) -> Callable[..., Any]:
    """A function that returns the Jacobian of a function from an array to an array.

    Parameters
    ----------
    fun : callable
        Takes an array in argument `argnum` and returns one array.
    argnum : int, default 0
        Which positional argument to differentiate by.

    Returns
    -------
    callable
        Takes the arguments of `fun` and returns an array of the shape of the value
        followed by the shape of the argument. It can be differentiated again. One
        backward pass is made for each element of the value.

    Raises
    ------
    TypeError
        When called, if the argument is a nested structure.

    Examples
    --------
    >>> import numpy
    >>> import tapegrad as tg
    >>> tg.jacobian(lambda x: x * x)(numpy.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """

    def matrix(*args: Any, **kwargs: Any) -> Any:
        arguments, watched, in_kind = replace_arguments(args, argnum, "jacobian")
        if not isinstance(watched, Tensor):
            raise TypeError(
                "jacobian: the argument must be one array, got a nested structure; "
                "take the jacobian by one array at a time"
            )
        with Tape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(watched)
            value = fun(*arguments, **kwargs)
        value = value if isinstance(value, Operators) else tensor(value)
        shape: tuple[int, ...] = value.shape  # type: ignore[attr-defined]
        size = int(np.prod(shape, dtype=np.int64))
        if size == 0:
            return in_kind(tensor(np.zeros(shape + watched.shape, watched.dtype)))
        rows = []
        for element in range(size):
            unit = np.zeros(size, value.dtype)  # type: ignore[attr-defined]
            unit[element] = 1
            rows.append(
                tape.gradient(
                    value,
                    watched,
                    output_gradients=tensor(unit.reshape(shape)),
                    unconnected_gradients="zero",
                )
            )
        return in_kind(reshape(stack(rows), shape + watched.shape))

    matrix.__name__ = f"jacobian_{getattr(fun, '__name__', 'function')}"
    return matrix


def hessian(fun: Callable[..., Any], argnum: int = 0) -> Callable[..., Any]:
    """A function that returns the Hessian, the matrix of second derivatives.

    Parameters
    ----------
    fun : callable
        Returns one number, or an array.
    argnum : int, default 0
        Which positional argument to differentiate by; one array.

    Returns
    -------
    callable
        Takes the arguments of `fun` and returns an array of the shape of the value
        followed by twice the shape of the argument.

    Examples
    --------
    >>> import numpy
    >>> import tapegrad as tg
    >>> tg.hessian(lambda x: (x**3).sum())(numpy.array([1.0, 2.0]))
    array([[ 6.,  0.],
           [ 0., 12.]])
    """
    return jacobian(jacobian(fun, argnum), argnum)
