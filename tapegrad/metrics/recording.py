"""Metrics in recorded steps: what a program has no native form of is called again in each run."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tapegrad._core.host_call import call_on_host
from tapegrad._core.masking import get_mask, set_mask
from tapegrad._core.nest import flatten, pack_like
from tapegrad._core.primitive import primitive
from tapegrad._core.state import thread
from tapegrad._core.tensor import Tensor
from tapegrad._core.variable import Variable

__all__ = ["accumulate_loss", "accumulate_mean", "count_matches", "recordable"]

accumulate_loss: Any = primitive(
    "accumulate_loss", mutates=(0,), doc="Add a batch's loss to a total, and its size to a count."
)
accumulate_mean: Any = primitive(
    "accumulate_mean", mutates=(0,), doc="Add a batch's values to a total, and their number."
)
count_matches: Any = primitive(
    "count_matches", mutates=(0,), doc="Add right predictions to a total, and all to a count."
)


def recordable(
    update: Callable[..., None], native: Callable[..., bool] | None = None
) -> Callable[..., None]:
    """Return an `update_state` that recorded steps run again, with the values of the moment.

    Parameters
    ----------
    update
        The method of a metric, which may read values and count as it likes.
    native
        Called in its place while a step is recorded. It does the same with operations alone and
        returns True, or does nothing and returns False.
    """

    @functools.wraps(update)
    def update_state(metric: Any, *args: Any, **kwargs: Any) -> None:
        if thread.recorder is None:
            update(metric, *args, **kwargs)
        elif native is None or not native(metric, *args, **kwargs):
            _update_on_host(functools.partial(update, metric), args, kwargs)

    return update_state


def _update_on_host(update: Callable[..., None], args: Any, kwargs: dict[str, Any]) -> None:
    """Call `update` with the tensors among the arguments, and with what they carry."""
    given = [list(args), kwargs]
    leaves = flatten(given)
    places = [at for at, leaf in enumerate(leaves) if isinstance(leaf, Tensor | Variable)]
    tensors = [leaves[place] for place in places]
    carried = [_carried(tensor) for tensor in tensors]
    # What stands between the tensors is kept, and no tensor of the recorded call.
    for place in places:
        leaves[place] = None
    template = pack_like(given, list(leaves))
    names = [origin for _, origin, _ in carried]

    def run(*values: Any) -> None:
        filled, count = list(leaves), len(places)
        for at, place in enumerate(places):
            value, mask, logits = values[at], values[count + at], values[2 * count + at]
            if mask is not None:
                set_mask(value, mask)
            if logits is not None:
                value._origin = names[at], logits
            filled[place] = value
        positional, named = pack_like(template, filled)
        update(*positional, **named)

    masks, logits = [mask for mask, _, _ in carried], [logits for _, _, logits in carried]
    call_on_host(run, *tensors, *masks, *logits)


def _carried(tensor: Any) -> tuple[Any, str | None, Any]:
    """Return the mask of a tensor, and the name and the logits of what it is the output of."""
    if type(tensor) is not Tensor:
        return None, None, None
    name, logits = tensor._origin or (None, None)
    return get_mask(tensor), name, logits
