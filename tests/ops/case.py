"""The form of an entry in the tables of cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Reference = Callable[..., Any]


@dataclass(frozen=True)
class Elementwise:
    """An elementwise primitive: its reference and where its arguments may lie."""

    reference: Reference
    domains: tuple[tuple[float, float], ...]
    params: dict[str, Any] = field(default_factory=dict)
    kind: str = "f"  # dtype kind of the arguments: floats, or integers


@dataclass(frozen=True)
class Structured:
    """A call of any other primitive: arguments made by a generator, and the reference.

    `smooth` tells which arguments to differentiate by, `loosen` how much longer the chain
    of roundings is than that of one operation.
    """

    label: str
    make: Callable[[np.random.Generator], tuple[Any, ...]]
    reference: Reference
    params: dict[str, Any] = field(default_factory=dict)
    smooth: tuple[int, ...] = (0,)
    loosen: float = 1.0
