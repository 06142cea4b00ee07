"""Recurrent networks as operations: derivatives of first and second order through the kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import recurrent_reference as reference

import tapegrad as tg
from tapegrad.test_util import check_grads

CELLS = [
    pytest.param("lstm", reference.lstm, 4, 2, {}, id="lstm"),
    pytest.param("gru", reference.gru, 3, 1, {"reset_after": True}, id="gru"),
    pytest.param("gru", reference.gru, 3, 1, {"reset_after": False}, id="gru-before"),
    pytest.param("simple_rnn", reference.simple_rnn, 1, 1, {"activation": "tanh"}, id="tanh"),
    pytest.param("simple_rnn", reference.simple_rnn, 1, 1, {"activation": "relu"}, id="relu"),
]
MASK = np.array([[0, 1, 1, 0], [1, 0, 1, 1]], bool)


def draw(gates: int, states: int, params: Any, units: int = 3) -> tuple[list[Any], Any]:
    """The four arrays, the states and one mask of dropout for each gate."""
    g = np.random.default_rng(0)
    bias = (2, 3 * units) if params.get("reset_after") else (gates * units,)
    shapes = [(2, 4, 2), (2, gates * units), (units, gates * units), bias]
    shapes += [(2, units)] * states
    dropped = g.uniform(0.5, 1.5, size=((gates, 2, units) if gates > 1 else (2, units)))
    return [g.normal(scale=0.7, size=shape) for shape in shapes], dropped


def call(name: str, arrays: Any, states: int, mask: Any, dropped: Any, **params: Any) -> Any:
    state = tuple(arrays[4:]) if states == 2 else arrays[4]
    return getattr(tg.ops, name)(
        *arrays[:4], initial_state=state, mask=mask, recurrent_mask=dropped, **params
    )


@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("name", "plain", "gates", "states", "params"), CELLS)
def test_values_and_both_derivatives(name, plain, gates, states, params, masked, go_backwards):
    arrays, dropped = draw(gates, states, params)
    mask, dropped = (MASK, dropped) if masked else (None, None)
    result = call(name, arrays, states, mask, dropped, go_backwards=go_backwards, **params)
    expected = plain(*arrays, mask, dropped, reverse=go_backwards, **params)
    np.testing.assert_allclose(result[0].numpy(), expected[0], rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(result[1].numpy(), expected[1], rtol=1e-13, atol=1e-13)
    if name == "lstm":
        np.testing.assert_allclose(result[2].numpy(), expected[2][:, -1], rtol=1e-13, atol=1e-13)

    def loss(*arrays: Any) -> Any:
        parts = call(name, arrays, states, mask, dropped, go_backwards=go_backwards, **params)
        return sum((part * part).sum() * (k + 1) for k, part in enumerate(parts))

    check_grads(loss, order=2)(*arrays)


@pytest.mark.parametrize("order", [1, 2])
def test_derivatives_by_some_arguments(order):
    arrays, _ = draw(4, 2, {})
    for position in range(4):

        def loss(array: Any, position: int = position) -> Any:
            filled = [array if k == position else a for k, a in enumerate(arrays[:4])]
            return tg.ops.tanh(tg.ops.lstm(*filled)[1]).sum()

        check_grads(loss, order=order)(arrays[position])


def test_third_derivative():
    arrays, _ = draw(3, 1, {"reset_after": True}, units=2)

    def loss(x: Any) -> Any:
        return (tg.ops.gru(x, *arrays[1:3])[1] ** 2).sum()

    arrays = [arrays[0], arrays[1][:, :6], arrays[2][:2, :6]]
    check_grads(loss, order=3)(arrays[0])


def test_derivative_by_a_mask_of_dropout():
    arrays, dropped = draw(4, 2, {})

    def loss(dropped: Any) -> Any:
        return call("lstm", arrays, 2, MASK, dropped)[0].sum()

    check_grads(loss, order=2)(dropped)
    check_grads(loss, order=2)(dropped[0])


def test_variables_and_float32():
    arrays, _ = draw(4, 2, {})
    w, u, b = (tg.Variable(a.astype(np.float32)) for a in arrays[1:4])
    x = arrays[0].astype(np.float32)
    with tg.Tape() as tape:
        outputs, _, _ = tg.ops.lstm(x, w, u, b)
        loss = (outputs * outputs).sum()
    gradients = tape.gradient(loss, [w, u, b])
    weights = [2 * outputs.numpy().astype(float)]
    for position, gradient in enumerate(gradients, start=1):
        assert gradient.dtype == np.float32
        wide = [x.astype(float), *[v.numpy().astype(float) for v in (w, u, b)]]
        exact = reference.gradient(reference.lstm, wide, weights, position)
        np.testing.assert_allclose(gradient.numpy(), exact, rtol=2e-4, atol=2e-5)


def test_only_wanted_gradients_are_computed(monkeypatch):
    arrays, _ = draw(3, 1, {"reset_after": True})
    primitive = tg._core.registry.primitives["gru_backward"]
    seen: list[Any] = []
    tg.ops.gru(*arrays[:4])
    original = primitive._implementation("cpu")

    def spy(*args: Any, **params: Any) -> Any:
        seen.append((params["inputs"], params["weights"]))
        return original(*args, **params)

    monkeypatch.setattr(primitive, "_cpu", spy)
    x, w = tg.tensor(arrays[0]), tg.tensor(arrays[1])
    for sources in ([x], [w], [x, w]):
        with tg.Tape() as tape:
            tape.watch(sources)
            loss = tg.ops.gru(x, w, *arrays[2:4])[0].sum()
        assert all(g is not None for g in tape.gradient(loss, sources))
    assert seen == [(True, False), (False, True), (True, True)]


def test_bad_arguments():
    arrays, _ = draw(4, 2, {})
    with pytest.raises(ValueError, match="lstm: initial_state has 1 parts, expected 2, h and c"):
        tg.ops.lstm(*arrays[:4], initial_state=[arrays[4]])
    with pytest.raises(ValueError, match="gru: initial_state has 2 parts, expected 1, h"):
        tg.ops.gru(*arrays[:3], initial_state=arrays[4:])
    with pytest.raises(ValueError, match=r"lstm: u has shape \(3,\)"):
        tg.ops.lstm(arrays[0], arrays[1], np.ones(3))
    with pytest.raises(ValueError, match=r"mask has shape \(4, 2\), expected \(2, 4\)"):
        tg.ops.lstm(*arrays[:4], mask=MASK.T)
