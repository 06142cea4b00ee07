"""`while_loop`: a function again and again, as long as a condition holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tapegrad._core.nest import flatten
from tapegrad._core.primitive import Primitive
from tapegrad._jit.control.body import Body, NotRecordable, as_tensors, is_recording


def while_loop(condition: Callable[[Any], Any], body: Callable[[Any], Any], initial: Any) -> Any:
    """Apply `body` to a value as long as `condition` holds for it.

    Parameters
    ----------
    condition : callable
        Takes the value and returns a tensor of one element, true to go on.
    body : callable
        Takes the value and returns the next one, of the same structure, shapes and dtypes.
    initial : nested tensors
        The first value.

    Returns
    -------
    nested Tensors
        The first value for which the condition does not hold.

    Raises
    ------
    TypeError
        In a recorded call, if the body changes structure, shapes or dtypes.
    NotImplementedError
        If a gradient is asked for inside of a recorded call: how many values would have to be
        kept is not known. Use `tapegrad.scan`, whose length is.

    Examples
    --------
    >>> import tapegrad as tg
    >>> @tg.jit
    ... def collatz(n):
    ...     def step(state):
    ...         n, count = state
    ...         return tg.cond(n % 2 == 0, lambda n: n // 2, lambda n: 3 * n + 1, n), count + 1
    ...
    ...     return tg.while_loop(lambda state: state[0] != 1, step, (n, tg.tensor(0)))[1]
    >>> [int(collatz(tg.tensor(n))) for n in (6, 7, 27)]
    [8, 16, 111]
    """
    value = as_tensors(initial)
    if is_recording():
        try:
            return _recorded(condition, body, value)
        except NotRecordable:
            pass  # reading the condition below ends the recording
    while bool(condition(value)):
        value = as_tensors(body(value))
    return value


def _recorded(condition: Callable[[Any], Any], body: Callable[[Any], Any], value: Any) -> Any:
    test, step = Body(condition, [value]), Body(body, [value])
    flat = flatten(value)
    shapes = [(leaf.shape, leaf.dtype) for leaf in flat]
    if step.shapes != shapes:
        raise TypeError(
            f"while_loop: body returns {_described(step.shapes)} for a value of "
            f"{_described(shapes)}; structure, shapes and dtypes must stay (convert with astype)"
        )
    if len(test.shapes) != 1 or int(np.prod(test.shapes[0][0])) != 1:
        raise TypeError(
            f"while_loop: condition returns {_described(test.shapes)}, expected one element"
        )
    count, split = len(flat), len(flat) + len(test.captured)

    def forward(*data: Any) -> Any:
        state = [np.asarray(array) for array in data[:count]]
        while test.run([*state, *data[count:split]])[0].reshape(-1)[0]:
            state = step.run([*state, *data[split:]])
        return tuple(state)

    operation = Primitive("while_loop", forward=forward)

    def rule(*unused: Any, **also_unused: Any) -> Any:
        raise NotImplementedError(
            "while_loop: a recorded loop whose length depends on values has no gradient; use "
            "tapegrad.scan with a fixed length, or run the function without jit"
        )

    operation.joint_rule = rule
    results = operation(*flat, *test.captured, *step.captured)
    return step.structure.fill(list(results))


def _described(shapes: Any) -> str:
    return ", ".join(f"{dtype}{list(shape)}" for shape, dtype in shapes)
