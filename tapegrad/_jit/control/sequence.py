"""`scan`: a function over the elements of a sequence, with a state that is handed on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tapegrad._core.nest import flatten, map_structure, pack_like
from tapegrad._core.primitive import Primitive
from tapegrad._core.tensor import Tensor
from tapegrad._jit.control.body import Body, NotRecordable, as_tensors, is_recording
from tapegrad._jit.control.branch import _gradient
from tapegrad.ops import stack, zeros_like


def scan(
    function: Callable[[Any, Any], tuple[Any, Any]],
    initial: Any,
    sequence: Any = None,
    length: int | None = None,
    reverse: bool = False,
) -> tuple[Any, Any]:
    """Go through a sequence with a state: ``state, output = function(state, element)``.

    Parameters
    ----------
    function : callable
        Takes the state and the element of this step, and returns the next state, of the same
        structure, shapes and dtypes, and an output (None if there is none). It may use tensors
        and Variables from outside.
    initial : nested tensors
        The first state.
    sequence : nested tensors, optional
        Each with the steps as its first axis. Without it, elements are None.
    length : int, optional
        Number of steps; needed without a sequence.
    reverse : bool, default False
        Whether to go from the last element to the first. Outputs are in the order of elements.

    Returns
    -------
    state : nested Tensors
        The last state.
    outputs : nested Tensors
        The outputs of all steps along a new first axis; None if there are none.

    Raises
    ------
    ValueError
        If the length is not known, or sequences differ in length.
    TypeError
        If the function changes structure, shapes or dtypes of the state.

    Notes
    -----
    Inside of `tapegrad.jit` one step becomes a program, however long the sequence is. Gradients
    keep the states of all steps and compute each step again. A function that writes into
    Variables (random draws do) is recorded step by step instead.

    Examples
    --------
    >>> import tapegrad as tg
    >>> total, sums = tg.scan(
    ...     lambda s, x: (s + x, s + x), tg.tensor(0.0), tg.tensor([1.0, 2.0, 3.0])
    ... )
    >>> sums
    Tensor([1., 3., 6.], dtype=float64)
    """
    state, elements = as_tensors(initial), as_tensors_or_none(sequence)
    steps = _length(elements, length)
    if steps and is_recording():
        try:
            return _recorded(function, state, elements, steps, reverse)
        except NotRecordable:
            pass  # step by step, all of them in the record
    return _step_by_step(function, state, elements, steps, reverse)


def as_tensors_or_none(structure: Any) -> Any:
    """`as_tensors`, where None stands for nothing."""
    return map_structure(lambda leaf: None if leaf is None else as_tensors(leaf), structure)


def _length(elements: Any, length: int | None) -> int:
    lengths = {leaf.shape[0] for leaf in flatten(elements) if leaf is not None}
    if length is not None:
        lengths.add(int(length))
    if len(lengths) != 1:
        found = "none is given" if not lengths else f"got {sorted(lengths)}"
        raise ValueError(
            f"scan: all sequences and length must agree on the number of steps; {found}"
        )
    return lengths.pop()


def _element(elements: Any, step: int) -> Any:
    return map_structure(lambda leaf: None if leaf is None else leaf[step], elements)


def _step_by_step(
    function: Callable[[Any, Any], Any], state: Any, elements: Any, steps: int, reverse: bool
) -> tuple[Any, Any]:
    outputs: list[Any] = [None] * steps
    for step in reversed(range(steps)) if reverse else range(steps):
        new, output = function(state, _element(elements, step))
        new, outputs[step] = as_tensors(new), as_tensors_or_none(output)
        _check_state(state, new)
        state = new
    if not steps:
        return state, None
    columns = zip(*[flatten(output) for output in outputs], strict=True)
    stacked = [None if column[0] is None else stack(list(column)) for column in columns]
    return state, pack_like(outputs[0], stacked)


def _check_state(before: Any, after: Any) -> None:
    old = [(leaf.shape, leaf.dtype) for leaf in flatten(before)]
    new = [(leaf.shape, leaf.dtype) for leaf in flatten(after)]
    if old != new:
        raise TypeError(
            f"scan: function returns a state of {_described(new)} for one of {_described(old)}; "
            "structure, shapes and dtypes must stay (convert with astype)"
        )


def _described(shapes: Any) -> str:
    return ", ".join(f"{dtype}{list(shape)}" for shape, dtype in shapes)


def _recorded(
    function: Callable[[Any, Any], Any], state: Any, elements: Any, steps: int, reverse: bool
) -> tuple[Any, Any]:
    first = map_structure(lambda leaf: None if leaf is None else Tensor(leaf._data[0]), elements)
    template: list[Any] = []

    def checked(state: Any, element: Any) -> tuple[list[Any], list[Any]]:
        new, output = function(state, element)
        new, output = as_tensors(new), as_tensors_or_none(output)
        _check_state(state, new)
        template[:] = [output]
        return flatten(new), [leaf for leaf in flatten(output) if leaf is not None]

    body = Body(checked, [state, first])
    flat_state = flatten(state)
    flat_elements = [leaf for leaf in flatten(elements) if leaf is not None]
    kept, count = len(flat_state), len(flat_elements)
    captured = body.captured
    output_shapes = body.shapes[kept:]
    order = range(steps - 1, -1, -1) if reverse else range(steps)

    def forward(*data: Any) -> Any:
        now = [np.asarray(array) for array in data[:kept]]
        sequences, outside = data[kept : kept + count], data[kept + count :]
        states = [np.empty((steps, *leaf.shape), leaf.dtype) for leaf in now]
        outputs = [np.empty((steps, *shape), dtype) for shape, dtype in output_shapes]
        for step in order:
            for whole, leaf in zip(states, now, strict=True):
                whole[step] = leaf
            found = body.run([*now, *(s[step] for s in sequences), *outside])
            now = found[:kept]
            for whole, leaf in zip(outputs, found[kept:], strict=True):
                whole[step] = leaf
        return (*now, *outputs, *states)

    operation = Primitive("scan", forward=forward)

    def rule(gradients: Any, answer: Any, *inputs: Any, needs: Sequence[bool]) -> Any:
        states = list(answer[-kept:]) if kept else []
        wanted = [zeros_like(a) if g is None else g for g, a in zip(gradients, answer, strict=True)]
        last, by_output = wanted[:kept], wanted[kept : len(wanted) - kept]
        # A second derivative reaches the kept states too: they are results like others.
        by_states = wanted[len(wanted) - kept :]
        zeros = [zeros_like(value) for value in captured]

        def backward(carried: Any, element: Any) -> Any:
            by_state, by_captured = carried
            old, here, by_here, by_old = element
            parts = _gradient(
                checked_flat, (old, here), [*old, *here], captured, [*by_state, *by_here]
            )
            before = [a + b for a, b in zip(parts[:kept], by_old, strict=True)]
            more = [a + b for a, b in zip(by_captured, parts[kept + count :], strict=True)]
            return (before, more), parts[kept : kept + count]

        def checked_flat(old: Any, here: Any) -> Any:
            it = iter(here)
            element = map_structure(lambda leaf: None if leaf is None else next(it), first)
            new, outputs = checked(pack_like(state, list(old)), element)
            return [*new, *outputs]

        given = list(inputs[kept : kept + count])
        (by_first, by_outside), by_elements = scan(
            backward,
            (last, zeros),
            (states, given, by_output, by_states),
            length=steps,
            reverse=not reverse,
        )
        return [*by_first, *(by_elements or []), *by_outside]

    operation.joint_rule = rule
    results = operation(*flat_state, *flat_elements, *captured)
    outputs = list(results[kept : len(results) - kept])
    it = iter(outputs)
    packed = map_structure(lambda leaf: None if leaf is None else next(it), template[0])
    return pack_like(state, list(results[:kept])), packed
