"""Runs of layers that only find something out, and must leave no trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tapegrad.layers.base import Layer

__all__ = ["states_kept"]


@contextmanager
def states_kept(layer: Layer) -> Iterator[None]:
    """Within this context stateful layers start anew; after it they carry what they did before.

    Parameters
    ----------
    layer
        The layer that is tried, with those inside it.
    """
    stateful: list[Any] = [each for each in layer._all_layers() if hasattr(each, "_carried")]
    carried = [each._carried for each in stateful]
    for each in stateful:
        each._carried = None
    try:
        yield
    finally:
        for each, states in zip(stateful, carried):
            each._carried = states
