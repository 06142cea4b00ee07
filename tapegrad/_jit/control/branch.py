"""`cond`: one of two functions, chosen by a value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tapegrad._core.nest import flatten, pack_like
from tapegrad._core.primitive import Primitive
from tapegrad._core.tape import Tape
from tapegrad._core.tensor import Tensor, tensor
from tapegrad._jit.control.body import Body, NotRecordable, as_tensors, is_recording
from tapegrad.ops import zeros_like


def cond(
    condition: Any,
    true_function: Callable[..., Any],
    false_function: Callable[..., Any],
    *operands: Any,
) -> Any:
    """One of two functions of `operands`, chosen by a value.

    Parameters
    ----------
    condition : Tensor, array or number of one element
        Calls `true_function` where it is not zero.
    true_function, false_function : callable
        Each takes the operands and returns tensors, in nests of the same structure, shapes and
        dtypes. They may use tensors and Variables from outside, also where gradients are wanted.
    *operands : nested tensors
        Passed to the function.

    Returns
    -------
    nested Tensors
        What the chosen function returns.

    Raises
    ------
    TypeError
        In a recorded call, if the functions return different structures, shapes or dtypes.

    Notes
    -----
    Outside of `tapegrad.jit` this is Python's ``if``. Inside, both functions become programs and
    the value decides in each run. A function that writes into Variables or reads values on the
    host cannot be recorded; the recorded call then runs eagerly, after a warning.

    Examples
    --------
    >>> import tapegrad as tg
    >>> @tg.jit
    ... def absolute(x):
    ...     return tg.cond(x < 0.0, lambda x: -x, lambda x: x, x)
    >>> [float(absolute(tg.tensor(x))) for x in (3.0, -2.0, -1.0)]
    [3.0, 2.0, 1.0]
    """
    if is_recording():
        try:
            return _recorded(condition, true_function, false_function, operands)
        except NotRecordable:
            pass  # reading the condition below ends the recording
    chosen = true_function if bool(condition) else false_function
    return as_tensors(chosen(*operands))


def _recorded(
    condition: Any,
    true_function: Callable[..., Any],
    false_function: Callable[..., Any],
    operands: tuple[Any, ...],
) -> Any:
    given = tuple([as_tensors(operand) for operand in operands])
    bodies = Body(true_function, given), Body(false_function, given)
    _check_equal(*bodies)
    flat = flatten(given)
    captured = list(dict.fromkeys([*bodies[0].captured, *bodies[1].captured]))
    place = {id(value): number for number, value in enumerate(captured)}
    places = [[place[id(value)] for value in body.captured] for body in bodies]

    def forward(flag: Any, *data: Any) -> Any:
        chosen = 0 if bool(np.asarray(flag).reshape(-1)[0]) else 1
        arguments, outside = data[: len(flat)], data[len(flat) :]
        return tuple(
            bodies[chosen].run([*arguments, *(outside[place] for place in places[chosen])])
        )

    operation = Primitive("cond", forward=forward)

    def rule(gradients: Any, answer: Any, flag: Any, *inputs: Any, needs: Sequence[bool]) -> Any:
        def pulled_back(function: Callable[..., Any]) -> Callable[..., Any]:
            def gradient(weights: Any, *arguments: Any) -> Any:
                return _gradient(function, given, arguments, captured, weights)

            return gradient

        filled = [zeros_like(a) if g is None else g for g, a in zip(gradients, answer, strict=True)]
        parts = cond(
            flag,
            pulled_back(true_function),
            pulled_back(false_function),
            filled,
            *inputs[: len(flat)],
        )
        return [None, *parts]

    operation.joint_rule = rule
    results = operation(tensor(condition), *flat, *captured)
    return bodies[0].structure.fill(list(results))


def _gradient(
    function: Callable[..., Any],
    given: tuple[Any, ...],
    arguments: Sequence[Any],
    captured: list[Any],
    weights: Any,
) -> list[Tensor]:
    """Gradients of a function by its floating arguments and by what it uses from outside."""
    sources = [*arguments, *captured]
    floating = [source for source in sources if source.dtype.kind == "f"]
    with Tape() as tape:
        tape.watch(floating)
        result = function(*pack_like(given, list(arguments)))
    targets = [(t, w) for t, w in zip(flatten(as_tensors(result)), weights) if t.dtype.kind == "f"]
    found = iter(
        tape.gradient(
            [t for t, _ in targets],
            floating,
            output_gradients=[w for _, w in targets],
            unconnected_gradients="zero",
        )
    )
    return [next(found) if source.dtype.kind == "f" else zeros_like(source) for source in sources]


def _check_equal(true_body: Body, false_body: Body) -> None:
    same = repr(true_body.structure) == repr(false_body.structure)
    if not same or true_body.shapes != false_body.shapes:
        raise TypeError(
            f"cond: true_function returns {_described(true_body)}, and false_function "
            f"{_described(false_body)}; both must return the same structure, shapes and dtypes"
        )


def _described(body: Body) -> str:
    parts = ", ".join(f"{dtype}{list(shape)}" for shape, dtype in body.shapes)
    return f"{body.structure!r} of {parts}"
