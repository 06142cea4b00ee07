"""Operations that users define, in the manner of HIPS/autograd."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from tapegrad._core.operators import Operators
from tapegrad._core.primitive import Primitive, Rule, count_positional
from tapegrad._core.primitive import defvjp as _defvjp


class CustomPrimitive(Primitive):
    """A function on arrays that tapes treat as one operation.

    Called with arrays it gives what the function gives; called with a tensor
    among its arguments it gives tensors.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(
            getattr(function, "__name__", "function"),
            forward=_taking_read_only(function),
            doc=function.__doc__,
        )
        self.function = function
        self.__wrapped__ = function

    def __call__(self, *args: Any, **params: Any) -> Any:
        if any(isinstance(argument, Operators) for argument in args):
            return super().__call__(*args, **params)
        return self.function(*args, **params)


def _taking_read_only(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, given views that it cannot write through: tensors are immutable."""

    def forward(*data: Any, **params: Any) -> Any:
        views = []
        for value in data:
            if type(value) is np.ndarray:
                value = value.view()
                value.flags.writeable = False
            views.append(value)
        return function(*views, **params)

    return forward


def primitive(function: Callable[..., Any]) -> CustomPrimitive:
    """Make a function on arrays one differentiable operation.

    The function receives NumPy arrays (read-only, C or other order) and numbers
    and returns an array, or a tuple of arrays. What happens inside it no tape
    sees, so it may call compiled code; its derivatives are given with `defvjp`.

    Parameters
    ----------
    function : callable
        Positional arguments may be tensors, keyword arguments are passed as they
        are.

    Returns
    -------
    CustomPrimitive
        Called like `function`.

    Examples
    --------
    >>> import numpy as np
    >>> import tapegrad as tg
    >>> @tg.primitive
    ... def cube(x):
    ...     return x**3
    >>> tg.defvjp(cube, lambda ans, x: lambda g: g * 3 * x**2)
    >>> tg.grad(cube)(2.0)
    np.float64(12.0)
    """
    if not callable(function):
        raise TypeError(f"primitive: expected a function, got {type(function).__name__}")
    return CustomPrimitive(function)


def defvjp(operation: Primitive, *makers: Rule | None, argnums: Any = None) -> None:
    """Say how a primitive's gradient passes back to its arguments.

    Parameters
    ----------
    operation : primitive
        The operation.
    *makers : callable or None
        One for each argument, in one of two forms:

        - ``maker(ans, *args, **kwargs)`` returns a function from the gradient `g`
          with respect to the answer to that with respect to the argument
          (HIPS/autograd's form);
        - ``rule(g, ans, *args, **kwargs)`` returns the gradient itself.

        The number of positional parameters tells them apart. Rules written in
        operations on tensors can be differentiated again. None stands for an
        argument on which the answer does not depend smoothly.
    argnums : sequence of int, optional
        Positions of the arguments that the makers are for, by default the first.

    Raises
    ------
    TypeError
        If a maker takes a number of arguments that fits neither form.
    """
    if not isinstance(operation, Primitive):
        raise TypeError(
            "defvjp: the first argument must come from tapegrad.primitive, "
            f"got {type(operation).__name__}"
        )
    positions = list(range(len(makers))) if argnums is None else [int(i) for i in argnums]
    if len(positions) != len(makers):
        raise TypeError(f"defvjp: {len(makers)} rules were given for arguments {positions}")
    rules: list[Rule | None] = list(operation.rules)
    rules += [None] * (max(positions, default=-1) + 1 - len(rules))
    for position, maker in zip(positions, makers, strict=True):
        rules[position] = None if maker is None else _flat_rule(operation, maker)
    _defvjp(operation, *rules)


def _flat_rule(operation: Primitive, maker: Rule) -> Rule:
    function = getattr(operation, "function", None)
    expected = None if function is None else count_positional(function)
    taken = count_positional(maker)
    if expected is not None and taken == expected + 2:
        return maker
    if expected is not None and taken is not None and taken != expected + 1:
        raise TypeError(
            f"defvjp: {operation.name} takes {expected} arguments, so a rule takes "
            f"(ans, *args) or (g, ans, *args); got {inspect.signature(maker)}"
        )

    def rule(g: Any, answer: Any, *args: Any, **params: Any) -> Any:
        return maker(answer, *args, **params)(g)

    return rule
