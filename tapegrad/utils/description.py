"""Descriptions of one kind of object, as other programs write them too."""

from __future__ import annotations

from typing import Any

from tapegrad.utils import serialization

__all__ = ["made_from"]


def made_from(
    config: dict[str, Any], module: str, custom_objects: dict[str, Any] | None = None
) -> Any:
    """Return the object that a description stands for, looking for its class in one module.

    Parameters
    ----------
    config
        ``{"class_name": …, "config": …}``; where it says that the class stands, such as in
        ``"keras.initializers"``, does not matter.
    module
        The module of this library whose classes are meant, such as ``"tapegrad.initializers"``.
    custom_objects
        Classes and functions of your own, by name.

    Raises
    ------
    ValueError
        If there is no such class, or the dictionary is no description.

    Examples
    --------
    >>> made_from({"class_name": "Constant", "config": {"value": 2}}, "tapegrad.initializers")
    Constant(value=2)
    """
    if "class_name" not in config:
        raise ValueError(
            f"{module} got the dictionary {config!r}, expected one with class_name and config."
        )
    if config.get("registered_name") in (None, config["class_name"]):
        config = {"config": {}, **config, "module": module, "registered_name": None}
    with serialization.custom_object_scope(custom_objects):
        return serialization.deserialize(config)
