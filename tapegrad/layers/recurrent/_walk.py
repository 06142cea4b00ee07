"""A cell along a sequence, one step after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tapegrad import ops
from tapegrad._core.nest import flatten, pack_like
from tapegrad._core.tensor import Tensor, tensor

__all__ = ["along_time", "as_mask", "walk", "zero_masked_steps"]

Step = Callable[[Any, list[Any]], tuple[Any, list[Any]]]


def walk(
    step: Step, sequences: Any, states: list[Any], mask: Any = None, reverse: bool = False
) -> tuple[list[Tensor], list[Any]]:
    """Run a cell over all steps.

    Where the mask is False a sample's step does not happen: its states stay, and its output is
    that of the step before, zeros before its first step.

    Parameters
    ----------
    step
        Takes a step's inputs and the states before it; returns its output and the states after.
    sequences
        Shape (batch, time, …).
    states
        Before the first step.
    mask
        Booleans, shape (batch, time), or None.
    reverse
        Whether to go from the last step to the first.

    Returns
    -------
    tuple
        The outputs in the order in which they were computed, and the last states.
    """
    steps = sequences.shape[1]
    # One split, whose derivative is one concatenation; indexing would add up a whole sequence of
    # zeros for each step.
    inputs = along_time(sequences, steps)
    masks = [None] * steps if mask is None else along_time(mask, steps)
    output: Any = None
    outputs: list[Tensor] = []
    for t in reversed(range(steps)) if reverse else range(steps):
        new_output, new_states = step(inputs[t], states)
        if mask is not None:
            before = ops.zeros_like(new_output) if output is None else output
            new_output = _choose(masks[t], new_output, before)
            kept = zip(flatten(new_states), flatten(states), strict=True)
            new_states = pack_like(states, [_choose(masks[t], new, old) for new, old in kept])
        output, states = new_output, new_states
        outputs.append(output)
    return outputs, states


def as_mask(owner: str, mask: Any, shape: tuple[int, ...], exact: bool = True) -> Tensor | None:
    """Return a mask as a tensor of booleans.

    Parameters
    ----------
    owner
        The layer's name, for errors.
    mask
        Numbers or booleans, or several such masks, of which the first counts; or None.
    shape
        The samples and the time of the input.
    exact
        Whether the mask may have no further axes.

    Raises
    ------
    ValueError
        If the mask's shape is another one.
    """
    leaf = flatten(mask)[0]
    if leaf is None:
        return None
    whole = tensor(mask) if isinstance(leaf, bool | int | float) else leaf
    found = whole if type(whole) is Tensor else tensor(whole)
    if (found.shape if exact else found.shape[:2]) != shape:
        raise ValueError(
            f"Layer {owner}: the mask has shape {found.shape}, but must "
            f"{'have' if exact else 'begin with'} {shape}, the samples and the time of the input."
        )
    return found if found.dtype.kind == "b" else found.astype(bool)


def along_time(x: Any, steps: int) -> list[Tensor]:
    """Return the steps of x, without their axis of time."""
    shape = (x.shape[0], *x.shape[2:])
    return [part.reshape(shape) for part in ops.split(x, steps, axis=1)]


def _choose(valid: Any, new: Any, old: Any) -> Tensor:
    """Return the rows of new where valid, of old elsewhere."""
    return ops.where(valid.reshape(valid.shape + (1,) * (new.ndim - 1)), new, old)


def zero_masked_steps(outputs: Any, mask: Any, reverse: bool) -> Tensor:
    """Return outputs with zeros at masked steps.

    Parameters
    ----------
    outputs
        Shape (batch, time, …), in the order in which they were computed.
    mask
        Booleans, shape (batch, time), in the order of the inputs.
    reverse
        Whether the outputs were computed from the last step to the first.
    """
    if reverse:
        mask = ops.flip(mask, axis=1)
    valid = mask.reshape(mask.shape + (1,) * (outputs.ndim - 2))
    return ops.where(valid, outputs, ops.zeros_like(outputs))
