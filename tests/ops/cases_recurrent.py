"""Recurrent networks: plain steps in NumPy, with derivatives by steps in imaginary directions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import recurrent_reference as reference
from case import Structured

BATCH, STEPS, FEATURES, UNITS = 2, 3, 2, 2
_CELLS: dict[str, tuple[Callable[..., Any], int, int, tuple[int, ...]]] = {
    # reference, gates, initial states, the results that backward kernels take gradients by
    "lstm": (reference.lstm, 4, 2, (0, 1, 2)),
    "gru": (reference.gru, 3, 1, (0, 1)),
    "simple_rnn": (reference.simple_rnn, 1, 1, (0, 1)),
}


def _arguments(name: str, g: np.random.Generator, options: str, params: Any) -> list[Any]:
    _, gates, states, _ = _CELLS[name]
    arguments = [g.normal(size=(BATCH, STEPS, FEATURES)), g.normal(size=(FEATURES, gates * UNITS))]
    arguments.append(g.normal(size=(UNITS, gates * UNITS)))
    bias = (2, 3 * UNITS) if params.get("reset_after") else (gates * UNITS,)
    arguments.append(g.normal(size=bias))
    if options:
        arguments += [g.normal(size=(BATCH, UNITS)) for _ in range(states)]
        arguments.append(np.array([[0, 1, 1], [1, 0, 1]], bool))
        by_gate = (gates,) if options == "by gate" and gates > 1 else ()
        arguments.append(g.uniform(0.5, 2.0, size=(*by_gate, BATCH, UNITS)))
    return arguments


def _forward(name: str, options: str, **params: Any) -> Structured:
    plain, _, states, _ = _CELLS[name]
    positions = (*range(4 + states), 4 + states + 1) if options else (0, 1, 2, 3)
    return Structured(
        " ".join([options, *map(str, params.values())]),
        lambda g: tuple(_arguments(name, g, options, params)),
        plain,
        params,
        smooth=positions,
        loosen=10.0,
    )


def _backward(name: str, options: str, inputs: bool, weights: bool, **params: Any) -> Structured:
    plain, _, states, smooth = _CELLS[name]
    count = 4 + states + 2

    def make(g: np.random.Generator) -> tuple[Any, ...]:
        arguments = _arguments(name, g, options, params)
        results = plain(*arguments, **params)
        saved = [part for k, part in enumerate(results) if k != 1]
        return (*arguments, *saved, *[g.normal(size=results[k].shape) for k in smooth])

    def gradients(*arguments: Any, inputs: bool, weights: bool, **params: Any) -> Any:
        by = arguments[len(arguments) - len(smooth) :]
        positions = [0] * inputs + [1, 2, 3] * weights + list(range(4, 4 + states))
        given = arguments[:count]
        return tuple(reference.gradient(plain, given, by, k, **params) for k in positions)

    total = count + {"lstm": 3, "gru": 3, "simple_rnn": 1}[name]
    return Structured(
        f"{options} {inputs} {weights} " + " ".join(map(str, params.values())),
        make,
        gradients,
        {"inputs": inputs, "weights": weights, **params},
        smooth=tuple(range(total, total + len(smooth))),
        loosen=20.0,
    )


STRUCTURED = {
    "lstm_forward": [
        _forward("lstm", "", reverse=False),
        _forward("lstm", "shared", reverse=True),
        _forward("lstm", "by gate", reverse=False),
    ],
    "lstm_backward": [
        _backward("lstm", "shared", True, True, reverse=False),
        _backward("lstm", "by gate", False, True, reverse=True),
        _backward("lstm", "shared", True, False, reverse=True),
    ],
    "gru_forward": [
        _forward("gru", "", reset_after=True, reverse=False),
        _forward("gru", "shared", reset_after=True, reverse=True),
        _forward("gru", "shared", reset_after=False, reverse=False),
        _forward("gru", "by gate", reset_after=True, reverse=False),
        _forward("gru", "by gate", reset_after=False, reverse=True),
    ],
    "gru_backward": [
        _backward("gru", "shared", True, True, reset_after=True, reverse=False),
        _backward("gru", "by gate", False, True, reset_after=False, reverse=True),
        _backward("gru", "shared", True, False, reset_after=False, reverse=False),
    ],
    "simple_rnn_forward": [
        _forward("simple_rnn", "", activation="tanh", reverse=False),
        _forward("simple_rnn", "shared", activation="tanh", reverse=True),
        _forward("simple_rnn", "shared", activation="relu", reverse=False),
    ],
    "simple_rnn_backward": [
        _backward("simple_rnn", "shared", True, True, activation="tanh", reverse=False),
        _backward("simple_rnn", "shared", False, True, activation="relu", reverse=True),
        _backward("simple_rnn", "shared", True, False, activation="tanh", reverse=True),
    ],
}
