"""Functions that listings use around a model."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tapegrad.utils.categorical import to_categorical
from tapegrad.utils.seeding import set_random_seed

if TYPE_CHECKING:
    from tapegrad.plot import plot_model

__all__ = ["to_categorical", "set_random_seed", "plot_model"]


def __getattr__(name: str) -> Any:
    # Drawing stands on the highest floor and loads matplotlib.
    if name == "plot_model":
        return importlib.import_module("tapegrad.plot").plot_model
    raise AttributeError(f"module 'tapegrad.utils' has no attribute {name!r}")
