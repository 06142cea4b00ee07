"""Normalizations and their gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import normalization_reference as reference
import numpy as np
from case import Structured

EPSILON = 0.01


def _normal(*shapes: tuple[int, ...]) -> Callable[[np.random.Generator], tuple[Any, ...]]:
    return lambda g: tuple(g.standard_normal(shape) for shape in shapes)


def _with_variance(
    shape: tuple[int, ...], statistics: tuple[int, ...], before: int
) -> Callable[[np.random.Generator], tuple[Any, ...]]:
    """Arrays of a shape, gamma, then means and variances; a beta before them for inference."""

    def make(g: np.random.Generator) -> tuple[Any, ...]:
        vectors = [g.standard_normal(shape[-1:]) for _ in range(3 - before)]
        arrays = [g.standard_normal(shape) for _ in range(before)]
        return *arrays, *vectors, g.standard_normal(statistics), g.uniform(0.5, 2, statistics)

    return make


_SHAPES: list[tuple[int, ...]] = [(5, 3), (2, 3, 2, 4)]
_ROWS: list[tuple[tuple[int, ...], int]] = [((3, 5), 1), ((2, 3, 4), 2), ((4,), 1)]
_GROUPS: list[tuple[tuple[int, ...], int]] = [((3, 4), 2), ((2, 3, 2, 6), 3), ((2, 3, 4), 4)]

STRUCTURED: dict[str, list[Structured]] = {
    "batch_norm": [
        Structured(
            f"{shape}",
            _normal(shape, shape[-1:], shape[-1:]),
            reference.batch_norm,
            {"epsilon": EPSILON},
            (0, 1, 2),
        )
        for shape in _SHAPES
    ]
    + [Structured("no parameters", _normal((6, 2)), reference.batch_norm, {"epsilon": EPSILON})],
    "batch_norm_grad": [
        Structured(
            f"{shape}",
            _with_variance(shape, shape[-1:], 2),
            reference.batch_norm_grad,
            {"epsilon": EPSILON},
            (0, 1, 2, 4),
        )
        for shape in _SHAPES
    ],
    "batch_norm_inference": [
        Structured(
            f"{shape}",
            _with_variance(shape, shape[-1:], 1),
            reference.batch_norm_inference,
            {"epsilon": EPSILON},
            (0, 1, 2, 3, 4),
        )
        for shape in _SHAPES
    ],
    "batch_norm_inference_grad": [
        Structured(
            f"{shape}",
            _with_variance(shape, shape[-1:], 2),
            reference.batch_norm_inference_grad,
            {"epsilon": EPSILON},
            (0, 1, 2, 3, 4),
        )
        for shape in _SHAPES
    ],
    "group_norm": [
        Structured(
            f"{shape} by {groups}",
            _normal(shape, shape[-1:], shape[-1:]),
            reference.group_norm,
            {"groups": groups, "epsilon": EPSILON},
            (0, 1, 2),
        )
        for shape, groups in _GROUPS
    ],
    "group_norm_grad": [
        Structured(
            f"{shape} by {groups}",
            _with_variance(shape, (shape[0], groups), 2),
            reference.group_norm_grad,
            {"groups": groups, "epsilon": EPSILON},
            (0, 1, 2, 4),
        )
        for shape, groups in _GROUPS
    ],
    "layer_norm": [
        Structured(
            f"{shape} last {ndim}",
            _normal(shape, shape[-ndim:], shape[-ndim:]),
            reference.layer_norm,
            {"epsilon": EPSILON, "ndim": ndim},
            (0, 1, 2),
        )
        for shape, ndim in _ROWS
    ],
    "layer_norm_grad": [
        Structured(
            f"{shape} last {ndim}",
            _normal(shape, shape, shape[-ndim:]),
            reference.layer_norm_grad,
            {"epsilon": EPSILON, "ndim": ndim},
            (0, 1, 2),
        )
        for shape, ndim in _ROWS
    ],
    "rms_norm": [
        Structured(
            f"{shape} last {ndim}",
            _normal(shape, shape[-ndim:]),
            reference.rms_norm,
            {"epsilon": EPSILON, "ndim": ndim},
            (0, 1),
        )
        for shape, ndim in _ROWS
    ],
    "rms_norm_grad": [
        Structured(
            f"{shape} last {ndim}",
            _normal(shape, shape, shape[-ndim:]),
            reference.rms_norm_grad,
            {"epsilon": EPSILON, "ndim": ndim},
            (0, 1, 2),
        )
        for shape, ndim in _ROWS
    ],
    "unit_norm": [
        Structured(
            f"{shape} last {ndim}, at least {epsilon}",
            _normal(shape),
            reference.unit_norm,
            {"epsilon": epsilon, "ndim": ndim},
        )
        for shape, ndim in _ROWS
        for epsilon in (1e-12, 100.0)
    ],
    "unit_norm_grad": [
        Structured(
            f"{shape} last {ndim}, at least {epsilon}",
            _normal(shape, shape),
            reference.unit_norm_grad,
            {"epsilon": epsilon, "ndim": ndim},
            (0, 1),
        )
        for shape, ndim in _ROWS
        for epsilon in (1e-12, 100.0)
    ],
}
