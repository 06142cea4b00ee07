"""Values of steps as the Python numbers that logs and histories hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["as_list", "to_python", "to_python_logs"]


def to_python(value: Any) -> Any:
    """Return a number of any library as a Python float, an array as nested lists of floats."""
    kind = type(value)
    if kind is float or kind is str or value is None:
        return value
    if kind is bool or kind is int:
        return float(value)
    if hasattr(value, "tolist"):
        value = value.tolist()
    elif hasattr(value, "__array__"):
        value = np.asarray(value).tolist()
    return float(value) if isinstance(value, int | float) else value


def to_python_logs(logs: Any) -> dict[str, Any]:
    """Return logs with Python numbers; dicts in them are laid open, as in Keras.

    Raises
    ------
    TypeError
        If a step returned something else than a dict.

    Examples
    --------
    >>> to_python_logs({"loss": np.float32(0.5), "metrics": {"accuracy": 1}})
    {'loss': 0.5, 'accuracy': 1.0}
    """
    if logs is None:
        return {}
    if not isinstance(logs, dict):
        raise TypeError(
            f"A step must return a dict of values by name, not a {type(logs).__name__}."
        )
    values: dict[str, Any] = {}
    for name, value in logs.items():
        if type(value) is dict:
            values.update(to_python_logs(value))
        else:
            values[name] = value if type(value) is float else to_python(value)
    return values


def as_list(values: dict[str, Any], names: Sequence[str]) -> Any:
    """Return values as Keras lists them: those of `names` first, then the rest by alphabet.

    Parameters
    ----------
    values
        By name.
    names
        The names of the model's metrics, without those of the outputs before them.

    Returns
    -------
    float or list of float
        The only value, or all.
    """
    first = [name for name in dict.fromkeys(names) if name in values]
    listed = [values[name] for name in [*first, *sorted(set(values) - set(first))]]
    return listed[0] if len(listed) == 1 else listed
