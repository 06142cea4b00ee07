"""Noticing that attributes were changed on which a recorded step depends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any

from tapegrad.utils.config import Configurable

__all__ = ["Watch"]

_OF_CALLS = frozenset(
    {
        "_lists_kept",
        "_programs",
        "_run",
        "history",
        "stop_evaluating",
        "stop_predicting",
        "stop_training",
    }
)
"""Attributes of models that calls of `fit` and its kin change, and no step reads."""


class Watch:
    """The attributes of some objects, as they were when this was made.

    Parameters
    ----------
    objects
        The objects. Others that describe how something is computed, and that are their attributes,
        are watched too.

    Examples
    --------
    >>> import tapegrad as tg
    >>> layer = tg.layers.Dropout(0.5)
    >>> watch = Watch([layer])
    >>> watch.unchanged()
    True
    >>> layer.rate = 0.1
    >>> watch.unchanged()
    False
    """

    def __init__(self, objects: Iterable[Any]) -> None:
        self._attributes: list[dict[str, Any]] = []
        self._parts: list[tuple[dict[str, Any], Callable[[Any], Any], Any]] = []
        self._containers: list[tuple[Any, Any]] = []
        self._objects = _with_parts(objects)
        for each in self._objects:
            attributes = vars(each)
            if hasattr(each, "stop_training"):
                of_steps = itemgetter(*[name for name in attributes if name not in _OF_CALLS])
                self._parts.append((attributes, of_steps, of_steps(attributes)))
            else:
                self._attributes.append(attributes)
            if not type(each).__module__.startswith("tapegrad."):  # whose lists users change
                self._containers += [
                    (value, value.copy())
                    for name, value in attributes.items()
                    if _is_container(value) and not name.startswith("_")
                ]
        self._kept = [attributes.copy() for attributes in self._attributes]

    def unchanged(self) -> bool:
        """Whether all attributes are what they were: the same objects, or equal ones."""
        # This runs at every step: everything is compared by few calls.
        try:
            if self._attributes != self._kept:
                return False
            for attributes, of_steps, kept in self._parts:
                of_calls = sum(map(attributes.__contains__, _OF_CALLS))
                if len(attributes) - of_calls != len(kept) or of_steps(attributes) != kept:
                    return False
            for value, kept in self._containers:
                if value != kept:
                    return False
        except KeyError:  # an attribute is gone
            return False
        except (ValueError, TypeError):  # other arrays than before, which are not compared
            return False
        return True


def _is_container(value: Any) -> bool:
    return type(value) is list or type(value) is dict or type(value) is set


def _with_parts(objects: Iterable[Any]) -> list[Any]:
    """Return objects with what describes a computation in their attributes, each once."""
    from tapegrad.layers.base import Layer
    from tapegrad.metrics.base import Metric

    found: dict[int, Any] = {}
    pending = list(objects)
    while pending:
        each = pending.pop()
        if id(each) in found or not hasattr(each, "__dict__"):
            continue
        found[id(each)] = each
        for value in vars(each).values():
            for part in value if isinstance(value, list | tuple) else (value,):
                if isinstance(part, Configurable) and not isinstance(part, Layer | Metric):
                    pending.append(part)
    return list(found.values())
