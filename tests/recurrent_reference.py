"""Recurrent networks written plainly in NumPy, one step after the other.

Only analytic functions are used, so that derivatives come from steps in the imaginary direction:
they are exact to the last digits, with no formula of a gradient written anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
STEP = 1e-30


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def _relu(x: Array) -> Array:
    return np.where(x.real > 0, x, 0)


def _walk(
    cell: Callable[..., tuple[tuple[Array, ...], tuple[Array, ...]]],
    x: Array,
    states: tuple[Array, ...],
    mask: Array | None,
    reverse: bool,
) -> tuple[Array, tuple[Array, ...], list[Array], list[Array]]:
    """Outputs, last states, each step's states, and what a cell keeps in the order of x."""
    batch, steps, _ = x.shape
    output = np.zeros_like(states[0])
    outputs, history, kept = [], [], [()] * steps
    for t in range(steps - 1, -1, -1) if reverse else range(steps):
        new, extra = cell(x[:, t], *states)
        valid = np.ones((batch, 1), bool) if mask is None else mask[:, t, None] != 0
        output = np.where(valid, new[0], output)
        states = tuple(np.where(valid, n, s) for n, s in zip(new, states, strict=True))
        outputs.append(output)
        history.append(states)
        kept[t] = tuple(np.where(valid, e, 0) for e in extra)
    by_kind = [np.stack(parts, 1) for parts in zip(*kept, strict=True)]
    by_state = [np.stack(parts, 1) for parts in zip(*history, strict=True)]
    return np.stack(outputs, 1), states, by_state, by_kind


def _start(x: Array, u: Array, state: Array | None) -> Array:
    zeros = np.zeros((x.shape[0], u.shape[0]), np.result_type(x, u))
    return zeros if state is None else state


def _masks(gates: int, dropped: Array | None) -> list[Any]:
    if dropped is None:
        return [1.0] * gates
    return [dropped] * gates if dropped.ndim == 2 else list(dropped)


def lstm(
    x: Array,
    w: Array,
    u: Array,
    b: Array,
    h0: Array | None = None,
    c0: Array | None = None,
    mask: Array | None = None,
    dropped: Array | None = None,
    *,
    reverse: bool = False,
) -> tuple[Array, ...]:
    units, m = u.shape[0], _masks(4, dropped)

    def cell(x_t: Array, h: Array, c: Array) -> Any:
        part = [slice(k * units, (k + 1) * units) for k in range(4)]
        z = [x_t @ w[:, s] + (h * m[k]) @ u[:, s] + b[s] for k, s in enumerate(part)]
        i, f, g, o = sigmoid(z[0]), sigmoid(z[1]), np.tanh(z[2]), sigmoid(z[3])
        c = f * c + i * g
        return (o * np.tanh(c), c), (np.concatenate([i, f, g, o], 1),)

    states = _start(x, u, h0), _start(x, u, c0)
    outputs, last, history, kept = _walk(cell, x, states, mask, reverse)
    return outputs, last[0], history[1], kept[0]


def gru(
    x: Array,
    w: Array,
    u: Array,
    b: Array,
    h0: Array | None = None,
    mask: Array | None = None,
    dropped: Array | None = None,
    *,
    reset_after: bool = True,
    reverse: bool = False,
) -> tuple[Array, ...]:
    units, m = u.shape[0], _masks(3, dropped)
    by_x, by_h = (b[0], b[1]) if reset_after else (b, np.zeros_like(b))

    def cell(x_t: Array, h: Array) -> Any:
        part = [slice(k * units, (k + 1) * units) for k in range(3)]
        xz, xr, xa = (x_t @ w[:, s] + by_x[s] for s in part)
        z = sigmoid(xz + (h * m[0]) @ u[:, part[0]] + by_h[part[0]])
        r = sigmoid(xr + (h * m[1]) @ u[:, part[1]] + by_h[part[1]])
        if reset_after:
            inner = (h * m[2]) @ u[:, part[2]] + by_h[part[2]]
            a = np.tanh(xa + r * inner)
        else:
            inner = r * h * m[2]
            a = np.tanh(xa + inner @ u[:, part[2]])
        return (z * h + (1 - z) * a,), (np.concatenate([z, r, a], 1), inner)

    outputs, last, _, kept = _walk(cell, x, (_start(x, u, h0),), mask, reverse)
    return outputs, last[0], kept[0], kept[1]


def simple_rnn(
    x: Array,
    w: Array,
    u: Array,
    b: Array,
    h0: Array | None = None,
    mask: Array | None = None,
    dropped: Array | None = None,
    *,
    activation: str = "tanh",
    reverse: bool = False,
) -> tuple[Array, ...]:
    act, m = {"tanh": np.tanh, "relu": _relu}[activation], _masks(1, dropped)

    def cell(x_t: Array, h: Array) -> Any:
        return (act(x_t @ w + (h * m[0]) @ u + b),), ()

    outputs, last, _, _ = _walk(cell, x, (_start(x, u, h0),), mask, reverse)
    return outputs, last[0]


def _loss(outputs: Sequence[Array], weights: Sequence[Array | None]) -> Any:
    pairs = zip(outputs, weights, strict=False)
    return sum((part * weight).sum() for part, weight in pairs if weight is not None)


def slope(
    function: Callable[..., tuple[Array, ...]],
    arguments: Sequence[Array | None],
    weights: Sequence[Array | None],
    position: int,
    direction: Array,
    **params: Any,
) -> float:
    """Derivative of the weighted sum of the outputs along a direction of one argument."""
    moved = list(arguments)
    moved[position] = np.asarray(moved[position]) + 1j * STEP * direction
    return float(_loss(function(*moved, **params), weights).imag / STEP)


def gradient(
    function: Callable[..., tuple[Array, ...]],
    arguments: Sequence[Array | None],
    weights: Sequence[Array | None],
    position: int,
    **params: Any,
) -> Array:
    """Gradient of the weighted sum of the outputs by one argument, one element at a time."""
    result = np.zeros_like(np.asarray(arguments[position]))
    for index in np.ndindex(result.shape):
        direction = np.zeros_like(result)
        direction[index] = 1.0
        result[index] = slope(function, arguments, weights, position, direction, **params)
    return result
