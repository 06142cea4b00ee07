"""Recurrent networks whose batch is cut into several pieces."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad_kernels import cpu

BATCH, STEPS, FEATURES, UNITS = 70, 7, 20, 50


def results() -> dict[str, list[np.ndarray]]:
    """Return what each kernel computes, by its public name."""
    found: dict[str, list[np.ndarray]] = {}
    for dtype in (np.float32, np.float64):
        for masks in (0, 1, 2):
            _run(found, "lstm", dtype, 4, 2, masks)
            for reset_after in (True, False):
                _run(found, "gru", dtype, 3, 1, masks, reset_after=reset_after)
        # A simple network is cut only where it is wide.
        for activation in ("tanh", "relu"):
            _run(found, "simple_rnn", dtype, 1, 1, 1, units=101, activation=activation)
    return found


def _run(
    found: dict[str, list[np.ndarray]],
    name: str,
    dtype: type,
    gates: int,
    states: int,
    masks: int,
    units: int = UNITS,
    **params: Any,
) -> None:
    g = np.random.default_rng(masks)

    def draw(*shape: int) -> np.ndarray:
        return g.normal(scale=0.3, size=shape).astype(dtype)

    bias = (2, 3 * units) if params.get("reset_after") else (gates * units,)
    arguments: list[Any] = [draw(BATCH, STEPS, FEATURES), draw(FEATURES, gates * units)]
    arguments += [draw(units, gates * units), draw(*bias)]
    arguments += [draw(BATCH, units) for _ in range(states)]
    arguments.append(g.random((BATCH, STEPS)) < 0.8 if masks else None)
    by_gate = (gates,) if masks == 2 else ()
    arguments.append(draw(*by_gate, BATCH, units) if masks else None)
    result = getattr(cpu, f"{name}_forward")(*arguments, **params)
    found.setdefault(f"{name}_forward", []).extend(result)
    saved = [part for k, part in enumerate(result) if k != 1]
    gradients = getattr(cpu, f"{name}_backward")(*arguments, *saved, result[0], **params)
    found.setdefault(f"{name}_backward", []).extend(gradients)
