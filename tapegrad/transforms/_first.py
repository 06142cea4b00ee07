"""First derivatives of scalar and elementwise functions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tapegrad._core.operators import Operators
from tapegrad._core.tape import Tape
from tapegrad._core.tensor import tensor
from tapegrad.transforms._argument import ArgNum, replace_arguments


def _run(
    fun: Callable[..., Any], argnum: ArgNum, name: str, args: Any, kwargs: Any
) -> tuple[Any, Any, Any, Any]:
    """Call `fun` under a tape that watches the chosen arguments."""
    arguments, watched, in_kind = replace_arguments(args, argnum, name)
    with Tape(watch_accessed_variables=False) as tape:
        tape.watch(watched)
        value = fun(*arguments, **kwargs)
    return tape, watched, value, in_kind


def _described(fun: Callable[..., Any], name: str) -> str:
    return f"{name} of {getattr(fun, '__name__', 'a function')}"


def value_and_grad(fun: Callable[..., Any], argnum: ArgNum = 0) -> Callable[..., Any]:
    """A function that returns both the value and the gradient of a scalar function.

    Parameters
    ----------
    fun : callable
        Returns one number.
    argnum : int or sequence of int, default 0
        Which positional argument to differentiate by; with a sequence the gradient
        is a tuple. Arguments may be nested lists, tuples and dicts.

    Returns
    -------
    callable
        Takes the arguments of `fun` and returns ``(value, gradient)``. They are
        arrays if the arguments are, and tensors if any argument is one.

    Raises
    ------
    TypeError
        When called, if the value is not a scalar or an argument is not floating.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.value_and_grad(lambda x: x * x)(3.0)
    (np.float64(9.0), np.float64(6.0))
    """

    @functools.wraps(fun, assigned=("__module__",), updated=())
    def with_gradient(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        tape, watched, value, in_kind = _run(fun, argnum, "grad", args, kwargs)
        if not isinstance(value, Operators):
            value = tensor(value)
        if value.size != 1:  # type: ignore[attr-defined]
            raise TypeError(
                f"grad: {getattr(fun, '__name__', 'the function')} returned an array of shape "
                f"{value.shape}; grad needs a scalar, use jacobian or elementwise_grad"  # type: ignore[attr-defined]
            )
        gradient = tape.gradient(value, watched, unconnected_gradients="zero")
        return in_kind(value), in_kind(gradient)

    with_gradient.__name__ = "value_and_grad"
    with_gradient.__doc__ = f"Value and {_described(fun, 'gradient')} by argument {argnum}."
    return with_gradient


def grad(fun: Callable[..., Any], argnum: ArgNum = 0) -> Callable[..., Any]:
    """A function that returns the gradient of a scalar function.

    Parameters
    ----------
    fun : callable
        Returns one number.
    argnum : int or sequence of int, default 0
        Which positional argument to differentiate by; with a sequence the gradient
        is a tuple. Arguments may be nested lists, tuples and dicts.

    Returns
    -------
    callable
        Takes the arguments of `fun` and returns the gradient, in the structure of
        the argument. It can be differentiated again.

    Examples
    --------
    >>> import tapegrad as tg
    >>> import tapegrad.numpy as np
    >>> tg.grad(np.sin)(0.0)
    np.float64(1.0)
    >>> tg.grad(tg.grad(lambda x: x**3))(2.0)
    np.float64(12.0)
    """
    both = value_and_grad(fun, argnum)

    def gradient(*args: Any, **kwargs: Any) -> Any:
        return both(*args, **kwargs)[1]

    gradient.__name__ = f"grad_{getattr(fun, '__name__', 'function')}"
    gradient.__doc__ = f"{_described(fun, 'Gradient')} by argument {argnum}."
    return gradient


def elementwise_grad(fun: Callable[..., Any], argnum: ArgNum = 0) -> Callable[..., Any]:
    """A function that returns the derivative of an elementwise function at each element.

    It is the gradient of the sum of the results, which is the elementwise derivative
    if each element of the result depends only on its own element of the argument.

    Parameters
    ----------
    fun : callable
        Returns an array.
    argnum : int or sequence of int, default 0
        Which positional argument to differentiate by.

    Returns
    -------
    callable

    Examples
    --------
    >>> import numpy
    >>> import tapegrad as tg
    >>> import tapegrad.numpy as np
    >>> tg.elementwise_grad(np.square)(numpy.array([1.0, 2.0]))
    array([2., 4.])
    """

    def gradient(*args: Any, **kwargs: Any) -> Any:
        tape, watched, value, in_kind = _run(fun, argnum, "elementwise_grad", args, kwargs)
        if not isinstance(value, Operators):
            value = tensor(value)
        return in_kind(tape.gradient(value, watched, unconnected_gradients="zero"))

    gradient.__name__ = f"elementwise_grad_{getattr(fun, '__name__', 'function')}"
    gradient.__doc__ = f"{_described(fun, 'Elementwise derivative')} by argument {argnum}."
    return gradient
