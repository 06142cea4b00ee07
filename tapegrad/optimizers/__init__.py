"""Optimizers. Names, arguments, defaults and update formulas of Keras 3.

Each is a course of small transformations of gradients, of which the last, its rule, updates all
parameters with one kernel (see `tapegrad.optimizers.transformations`); `chain` makes optimizers of
your own. Learning rates can follow `tapegrad.optimizers.schedules`.
"""

from __future__ import annotations

from typing import Any

from tapegrad.optimizers import schedules, transformations
from tapegrad.optimizers.adadelta import Adadelta
from tapegrad.optimizers.adafactor import Adafactor
from tapegrad.optimizers.adagrad import Adagrad
from tapegrad.optimizers.adam import Adam, AdamW
from tapegrad.optimizers.adamax import Adamax
from tapegrad.optimizers.base import Optimizer
from tapegrad.optimizers.chain import Chain, chain
from tapegrad.optimizers.ftrl import Ftrl
from tapegrad.optimizers.lamb import Lamb
from tapegrad.optimizers.lion import Lion
from tapegrad.optimizers.muon import Muon
from tapegrad.optimizers.nadam import Nadam
from tapegrad.optimizers.rmsprop import RMSprop
from tapegrad.optimizers.sgd import SGD
from tapegrad.utils import serialization
from tapegrad.utils.lookup import look_up

__all__ = [
    "Optimizer",
    "SGD",
    "RMSprop",
    "Adagrad",
    "Adadelta",
    "Adam",
    "AdamW",
    "Nadam",
    "Adamax",
    "Ftrl",
    "Lion",
    "Lamb",
    "Adafactor",
    "Muon",
    "Chain",
    "chain",
    "schedules",
    "transformations",
    "get",
    "serialize",
    "deserialize",
]

_CLASSES: tuple[type[Optimizer], ...] = (
    SGD,
    RMSprop,
    Adagrad,
    Adadelta,
    Adam,
    AdamW,
    Nadam,
    Adamax,
    Ftrl,
    Lion,
    Lamb,
    Adafactor,
    Muon,
)
_NAMES = {made.__name__.lower(): made for made in _CLASSES}


def get(identifier: Any) -> Any:
    """Return an optimizer for a name, an Optimizer, its class, or a description.

    Parameters
    ----------
    identifier
        A name in any spelling, an `Optimizer`, its class, a dict of ``class_name`` and ``config``,
        or None.

    Raises
    ------
    ValueError
        If the name is unknown; the nearest one is suggested.
    TypeError
        If `identifier` is nothing of the above.

    Examples
    --------
    >>> get("adam")
    <Adam learning_rate=0.001>
    """
    if identifier is None or isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, str):
        return look_up(identifier, _NAMES, "optimizer")()
    if isinstance(identifier, type) and issubclass(identifier, Optimizer):
        made: Any = identifier
        return made()
    if isinstance(identifier, dict):
        return deserialize(identifier)
    raise TypeError(f"An optimizer is a name or an Optimizer, not {type(identifier).__name__}.")


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """Return an optimizer, without its state, as plain data.

    Examples
    --------
    >>> serialize(SGD(0.5))["config"]["learning_rate"]
    0.5
    """
    return serialization.serialize(optimizer, "optimizer")


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Optimizer:
    """Make an optimizer of what `serialize` returned.

    Parameters
    ----------
    config
        A dict of ``class_name`` and ``config``.
    custom_objects
        Classes of your own by name.

    Raises
    ------
    ValueError
        If the class is unknown.

    Examples
    --------
    >>> deserialize({"class_name": "SGD", "config": {"learning_rate": 0.5}})
    <SGD learning_rate=0.5>
    """
    name = config.get("class_name")
    with serialization.custom_object_scope(custom_objects):
        own = _NAMES.get(str(name).lower())
        if own is not None and not config.get("registered_name"):
            return own.from_config(config.get("config", {}))
        return serialization.deserialize(config)
