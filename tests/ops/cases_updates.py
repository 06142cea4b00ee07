"""Cases of the norms of flat buffers."""

from __future__ import annotations

import numpy as np
from case import Structured


def _norms(x: np.ndarray, offsets: tuple[int, ...]) -> np.ndarray:
    return np.array([np.linalg.norm(part) for part in np.split(x, offsets[1:])])


STRUCTURED: dict[str, list[Structured]] = {
    "global_norm": [
        Structured("vector", lambda g: (g.standard_normal(7),), np.linalg.norm),
    ],
    "variable_norms": [
        Structured("three", lambda g: (g.standard_normal(7),), _norms, {"offsets": (0, 3, 6)}),
    ],
}
