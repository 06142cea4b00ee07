"""Recurrent networks as rows of a program."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from kernels.program.native import assert_same_bits

from tapegrad_kernels import cpu

# (batch, time, features, units); in the third an LSTM multiplies its inputs at each step, and
# the fourth is cut into pieces.
SHAPES = [(1, 1, 1, 1), (3, 4, 2, 5), (9, 11, 5, 20), (70, 5, 7, 91), (0, 3, 2, 4), (3, 2, 0, 4)]
CELLS = [
    pytest.param("lstm", 4, 2, {}, id="lstm"),
    pytest.param("gru", 3, 1, {"reset_after": True}, id="gru"),
    pytest.param("gru", 3, 1, {"reset_after": False}, id="gru-before"),
    pytest.param("simple_rnn", 1, 1, {"activation": "tanh"}, id="tanh"),
    pytest.param("simple_rnn", 1, 1, {"activation": "relu"}, id="relu"),
]
# initial states, mask, masks of recurrent dropout (0, 1 or 2 for one for each gate)
OPTIONS = [(False, False, 0), (True, True, 0), (True, True, 1), (False, True, 2)]


def make(
    shape: tuple[int, ...],
    gates: int,
    states: int,
    options: tuple[bool, bool, int],
    dtype: Any,
    params: dict[str, Any],
) -> list[Any]:
    """Arguments of a forward call."""
    batch, steps, features, units = shape
    with_states, with_mask, masks = options
    g = np.random.default_rng(0)

    def draw(*shape: int) -> np.ndarray:
        return g.normal(scale=0.5, size=shape).astype(dtype)

    bias = (2, 3 * units) if params.get("reset_after") else (gates * units,)
    arguments: list[Any] = [draw(batch, steps, features), draw(features, gates * units)]
    arguments += [draw(units, gates * units), draw(*bias)]
    arguments += [draw(batch, units) if with_states else None for _ in range(states)]
    arguments.append(g.random((batch, steps)) < 0.7 if with_mask else None)
    by_gate = (gates,) if masks == 2 and gates > 1 else ()
    arguments.append(draw(*by_gate, batch, units) if masks else None)
    return arguments


def backward_arguments(name: str, arguments: list[Any], states: int, **params: Any) -> list[Any]:
    """Arguments of a backward call, with gradients by all results that it takes."""
    result = getattr(cpu, f"{name}_forward")(*arguments, **params)
    saved = [part for k, part in enumerate(result) if k != 1]
    g = np.random.default_rng(1)
    by = [g.normal(size=part.shape).astype(part.dtype) for part in result[: states + 1]]
    return [*arguments, *saved, *by]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("options", OPTIONS, ids=["plain", "mask", "dropout", "by-gate"])
@pytest.mark.parametrize(("name", "gates", "states", "params"), CELLS)
def test_networks(name, gates, states, params, options, reverse, dtype):
    for shape in SHAPES:
        arguments = make(shape, gates, states, options, dtype, params)
        assert_same_bits(f"{name}_forward", *arguments, reverse=reverse, **params)
        every = backward_arguments(name, arguments, states, reverse=reverse, **params)
        assert_same_bits(f"{name}_backward", *every, reverse=reverse, **params)


@pytest.mark.parametrize("options", OPTIONS, ids=["plain", "mask", "dropout", "by-gate"])
@pytest.mark.parametrize(("name", "gates", "states", "params"), CELLS)
def test_gradients_that_are_not_wanted(name, gates, states, params, options):
    for shape in SHAPES[2:]:
        arguments = make(shape, gates, states, options, "float32", params)
        every = backward_arguments(name, arguments, states, **params)
        for inputs, weights in ((False, True), (True, False), (False, False)):
            wanted = {"inputs": inputs, "weights": weights, **params}
            assert_same_bits(f"{name}_backward", *every, **wanted)
            assert_same_bits(f"{name}_backward", *every, adjacent=True, **wanted)


@pytest.mark.parametrize(("name", "gates", "states", "params"), CELLS)
def test_gradients_that_are_not_given(name, gates, states, params):
    arguments = make((9, 11, 5, 20), gates, states, (True, False, 0), "float32", params)
    *every, by_outputs, by_last = backward_arguments(name, arguments, states, **params)[
        : 6 + states + (3 if gates > 1 else 1) + 2
    ]
    assert_same_bits(f"{name}_backward", *every, by_outputs, **params)
    assert_same_bits(f"{name}_backward", *every, None, by_last, **params)
    assert_same_bits(f"{name}_backward", *every, **params)


@pytest.mark.parametrize(("name", "gates", "states", "params"), CELLS)
def test_views_and_several_dtypes(name, gates, states, params):
    arguments = make((9, 6, 5, 20), gates, states, (True, True, 1), "float32", params)
    x, w, u, b, *others = arguments
    views = [np.ascontiguousarray(x[::-1])[::-1], w.T.copy().T, np.repeat(u, 2, 1)[:, ::2], b]
    mask = others[states]
    for mask_dtype in ("uint8", "int32", "int64"):
        others[states] = (3 * mask).astype(mask_dtype)
        assert_same_bits(f"{name}_forward", *views, *others, **params)
    mixed = [x, w.astype("float64"), u, b, *others]
    assert_same_bits(f"{name}_forward", *mixed, **params)
    every = backward_arguments(name, [*views, *others], states, **params)
    assert_same_bits(f"{name}_backward", *every, **params)
