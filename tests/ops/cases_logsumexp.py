"""Cases of the gradient of logsumexp."""

from __future__ import annotations

from typing import Any

import numpy as np
from case import Structured
from scipy import special


def _make(shape: tuple[int, ...], axis: Any) -> Any:
    def make(g: np.random.Generator) -> tuple[Any, ...]:
        x = g.standard_normal(shape)
        y = special.logsumexp(x, axis=axis, keepdims=True)
        return g.standard_normal(y.shape), x, y

    return make


STRUCTURED: dict[str, list[Structured]] = {
    "logsumexp_grad": [
        Structured(
            f"{shape} axis={axis}",
            _make(shape, axis),
            lambda g, x, y, axis: g * np.exp(x - y),
            {"axis": axis},
            (0, 1, 2),
        )
        for shape, axis in [((3, 4), 1), ((3, 4), 0), ((3, 4), None), ((2, 3, 4), 1)]
    ],
}
