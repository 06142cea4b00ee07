"""Recurrent networks over whole sequences against plain NumPy in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import recurrent_reference as reference

from tapegrad_kernels import cpu

DTYPES = [np.float32, np.float64]
# (batch, time, features, units); the last is cut into four pieces. In the last two an LSTM's
# kernel multiplies with W itself, for eight steps at once.
SHAPES = [(1, 1, 1, 1), (3, 4, 2, 5), (5, 1, 3, 16), (7, 6, 4, 33), (2, 3, 9, 70), (9, 11, 5, 20)]
SHAPES.append((61, 5, 7, 50))
# name, reference, gates, number of states, number of results that are kept, parameters
CELLS = [
    pytest.param("lstm", reference.lstm, 4, 2, {}, id="lstm"),
    pytest.param("gru", reference.gru, 3, 1, {"reset_after": True}, id="gru"),
    pytest.param("gru", reference.gru, 3, 1, {"reset_after": False}, id="gru-before"),
    pytest.param("simple_rnn", reference.simple_rnn, 1, 1, {"activation": "tanh"}, id="tanh"),
    pytest.param("simple_rnn", reference.simple_rnn, 1, 1, {"activation": "relu"}, id="relu"),
]
# initial states, mask, masks of recurrent dropout (0, 1 or one for each gate)
OPTIONS = [
    pytest.param(False, False, 0, id="plain"),
    pytest.param(True, True, 0, id="states-mask"),
    pytest.param(True, True, 1, id="dropout"),
    pytest.param(False, True, 2, id="dropout-by-gate"),
]


def make(
    shape: tuple[int, ...], gates: int, states: int, params: Any, options: Any, seed: int = 0
) -> list[Any]:
    """Arguments of a forward call in float64."""
    batch, steps, features, units = shape
    with_states, with_mask, masks = options
    g = np.random.default_rng(seed)

    def draw(*shape: int) -> np.ndarray:
        return g.normal(scale=0.6, size=shape)

    bias = (2, 3 * units) if params.get("reset_after") else (gates * units,)
    arguments: list[Any] = [
        draw(batch, steps, features),
        draw(features, gates * units) / np.sqrt(features),
        draw(units, gates * units) / np.sqrt(units),
        draw(*bias),
    ]
    arguments += [draw(batch, units) if with_states else None for _ in range(states)]
    arguments.append(g.random((batch, steps)) < 0.6 if with_mask else None)
    kept = (gates, batch, units) if masks == 2 and gates > 1 else (batch, units)
    arguments.append((g.random(kept) < 0.7) / 0.7 if masks else None)
    return arguments


def narrow(arguments: list[Any], dtype: Any) -> list[Any]:
    return [a if a is None or a.dtype == bool else np.asarray(a).astype(dtype) for a in arguments]


def forward(name: str, arguments: list[Any], **params: Any) -> Any:
    return getattr(cpu, f"{name}_forward")(*arguments, **params)


def backward(name: str, arguments: list[Any], result: Any, by: list[Any], **params: Any) -> Any:
    kept = {"lstm": (0, 2, 3), "gru": (0, 2, 3), "simple_rnn": (0,)}[name]
    saved = [result[k] for k in kept]
    return getattr(cpu, f"{name}_backward")(*arguments, *saved, *by, **params)


def tolerance(dtype: Any, factor: float) -> dict[str, Any]:
    eps = factor * np.finfo(dtype).eps
    return {"rtol": eps, "atol": eps}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("options", [tuple(p.values) for p in OPTIONS])
@pytest.mark.parametrize(("name", "plain", "gates", "states", "params"), CELLS)
def test_forward_and_backward(name, plain, gates, states, params, options, reverse, dtype):
    for shape in SHAPES:
        arguments = narrow(make(shape, gates, states, params, options), dtype)
        wide = narrow(arguments, np.float64)
        result = forward(name, arguments, reverse=reverse, **params)
        expected = plain(*wide, reverse=reverse, **params)
        assert len(result) == len(expected)
        for got, wanted in zip(result, expected, strict=True):
            assert got.dtype == dtype
            np.testing.assert_allclose(got, wanted, **tolerance(dtype, 60))
        g = np.random.default_rng(1)
        weights = [g.normal(size=part.shape).astype(dtype) for part in result[: states + 1]]
        gradients = backward(name, arguments, result, weights, reverse=reverse, **params)
        positions = range(4 + states)
        assert len(gradients) == len(positions)
        for position, gradient in zip(positions, gradients, strict=True):
            assert gradient.dtype == dtype
            if arguments[position] is None:
                continue
            assert gradient.shape == arguments[position].shape
            direction = g.normal(size=gradient.shape)
            exact = reference.slope(
                plain, wide, weights, position, direction, reverse=reverse, **params
            )
            scale = np.linalg.norm(gradient) + 1
            assert abs((gradient * direction).sum() - exact) < 200 * np.finfo(dtype).eps * scale


@pytest.mark.parametrize(("name", "plain", "gates", "states", "params"), CELLS)
def test_each_element_of_the_gradients(name, plain, gates, states, params):
    arguments = make((2, 3, 2, 3), gates, states, params, (True, True, 2), seed=4)
    result = forward(name, arguments, **params)
    g = np.random.default_rng(1)
    weights = [g.normal(size=part.shape) for part in result[: states + 1]]
    gradients = backward(name, arguments, result, weights, **params)
    for position, gradient in enumerate(gradients):
        exact = reference.gradient(plain, arguments, weights, position, **params)
        np.testing.assert_allclose(gradient, exact, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("name", "plain", "gates", "states", "params"), CELLS)
def test_any_strides_and_dtypes(name, plain, gates, states, params):
    arguments = make((9, 4, 3, 6), gates, states, params, (True, True, 2))
    strided = [np.asfortranarray(a) if a.dtype == bool else np.repeat(a, 2, -1)[..., ::2]
               for a in arguments]  # fmt: skip
    strided[0] = np.broadcast_to(arguments[0][:1], arguments[0].shape)
    arguments[0] = strided[0].copy()
    result = forward(name, arguments, **params)
    for got, wanted in zip(forward(name, strided, **params), result, strict=True):
        np.testing.assert_array_equal(got, wanted)
    weights = [part[::-1] for part in result[: states + 1]]
    wanted = backward(name, arguments, result, [w.copy() for w in weights], **params)
    strided_result = [np.asfortranarray(part) for part in result]
    got = backward(name, strided, strided_result, weights, **params)
    for left, right in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(left, right)
    integers = [a if a is None or a.dtype == bool else np.sign(a).astype(int) for a in arguments]
    for got, wanted in zip(
        forward(name, integers, **params),
        forward(name, narrow(integers, np.float64), **params),
        strict=True,
    ):
        assert got.dtype == np.float64
        np.testing.assert_array_equal(got, wanted)
    halves = narrow(arguments, np.float16)
    assert forward(name, halves, **params)[0].dtype == np.float32


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "plain", "gates", "states", "params"), CELLS)
def test_empty_batch_and_no_features(name, plain, gates, states, params, dtype):
    arguments = narrow(make((0, 3, 2, 5), gates, states, params, (True, True, 2)), dtype)
    result = forward(name, arguments, **params)
    for got, wanted in zip(result, plain(*arguments, **params), strict=True):
        assert got.shape == wanted.shape
        assert got.dtype == dtype
    gradients = backward(name, arguments, result, list(result[: states + 1]), **params)
    for gradient, argument in zip(gradients, arguments, strict=False):
        assert gradient.shape == argument.shape
        assert not gradient.any()
    g = np.random.default_rng(0)
    arguments = [np.zeros((2, 3, 0)), np.zeros((0, gates * 4)), g.normal(size=(4, gates * 4))]
    arguments.append(np.ones((2, 12) if params.get("reset_after") else gates * 4))
    result = forward(name, arguments, **params)
    for got, wanted in zip(result, plain(*arguments, **params), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-13, atol=1e-13)
    nothing = [None] * (states + 2)
    gradients = backward(name, arguments + nothing, result, [result[0]], **params)
    assert gradients[0].shape == (2, 3, 0)


@pytest.mark.parametrize(("name", "plain", "gates", "states", "params"), CELLS)
def test_a_sample_whose_steps_are_all_masked(name, plain, gates, states, params):
    arguments = make((3, 4, 2, 5), gates, states, params, (True, True, 0))
    arguments[4 + states] = np.zeros((3, 4), bool)
    result = forward(name, arguments, **params)
    assert not result[0].any()
    np.testing.assert_array_equal(result[1], arguments[4])
    gradients = backward(name, arguments, result, [result[0] + 1, result[1] + 1], **params)
    np.testing.assert_array_equal(gradients[4], result[1] + 1)
    for gradient in gradients[:4]:
        assert not gradient.any()


@pytest.mark.parametrize("shape", [(4, 3, 2, 5), (61, 9, 7, 45)])
@pytest.mark.parametrize(("name", "plain", "gates", "states", "params"), CELLS)
def test_only_the_gradients_that_are_wanted(name, plain, gates, states, params, shape):
    arguments = make(shape, gates, states, params, (True, False, 0))
    result = forward(name, arguments, **params)
    weights = [None, result[1]]
    every = backward(name, arguments, result, weights, **params)
    for inputs, weights_too in ((True, False), (False, True), (False, False)):
        chosen = (0,) * inputs + (1, 2, 3) * weights_too + tuple(range(4, 4 + states))
        some = backward(
            name, arguments, result, weights, inputs=inputs, weights=weights_too, **params
        )
        for got, k in zip(some, chosen, strict=True):
            np.testing.assert_array_equal(got, every[k])
    zeros = [np.zeros_like(result[0]), result[1]]
    for got, wanted in zip(backward(name, arguments, result, zeros, **params), every, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_large_inputs_saturate_without_overflow():
    arguments = make((2, 5, 3, 4), 4, 2, {}, (True, False, 0))
    for scale in (1e4, -1e30):
        scaled = narrow([arguments[0] * scale, *arguments[1:]], np.float32)
        result = forward("lstm", scaled)
        assert all(np.isfinite(part).all() for part in result)
        gradients = backward("lstm", scaled, result, [result[0]])
        assert all(np.isfinite(part).all() for part in gradients[2:])


def test_a_row_does_not_depend_on_its_batch():
    for name, gates, states, params in (("lstm", 4, 2, {}), ("gru", 3, 1, {"reset_after": False})):
        arguments = narrow(make((70, 9, 6, 40), gates, states, params, (True, True, 0)), np.float32)
        whole = forward(name, arguments, **params)
        part = [a[11:12] if i not in (1, 2, 3) and a is not None else a
                for i, a in enumerate(arguments)]  # fmt: skip
        for got, wanted in zip(forward(name, part, **params), whole, strict=True):
            np.testing.assert_array_equal(got[0], wanted[11])


BAD = [
    ("x", np.zeros((2, 3)), ValueError, r"x has shape \(2, 3\), expected \(batch, time"),
    ("x", np.zeros((2, 0, 3)), ValueError, "at least one step"),
    ("x", np.zeros((2, 4, 3), complex), TypeError, "complex128, expected real numbers"),
    ("w", np.zeros((2, 20)), ValueError, r"w has shape \(2, 20\), expected \(3, 20\)"),
    ("u", np.zeros((5, 21)), ValueError, r"u has shape \(5, 21\), expected \(units, 4 \* units\)"),
    ("b", np.zeros(21), ValueError, r"b has shape \(21,\), expected \(20,\)"),
    ("h0", np.zeros((5, 2)), ValueError, r"h0 has shape \(5, 2\), expected \(2, 5\)"),
    ("c0", np.zeros(5), ValueError, r"c0 has shape \(5,\), expected \(2, 5\)"),
    ("mask", np.ones((4, 2), bool), ValueError, r"mask has shape \(4, 2\), expected \(2, 4\)"),
    ("mask", np.ones((2, 4)), TypeError, "mask is an array of float64, expected bool"),
    ("recurrent_mask", np.ones((3, 2, 5)), ValueError, r"expected \(2, 5\) or \(4, 2, 5\)"),
]  # fmt: skip


@pytest.mark.parametrize(("argument", "value", "error", "message"), BAD)
def test_bad_arguments(argument, value, error, message):
    arguments: dict[str, Any] = {
        "x": np.zeros((2, 4, 3)), "w": np.zeros((3, 20)), "u": np.zeros((5, 20)), "b": np.zeros(20),
    }  # fmt: skip
    arguments[argument] = value
    with pytest.raises(error, match="lstm_forward: .*" + message):
        cpu.lstm_forward(**arguments)


def test_bad_arguments_of_the_other_cells():
    x, w, u = np.zeros((2, 4, 3)), np.zeros((3, 15)), np.zeros((5, 15))
    with pytest.raises(ValueError, match=r"gru_forward: b has shape \(15,\), expected \(2, 15\)"):
        cpu.gru_forward(x, w, u, np.zeros(15))
    with pytest.raises(ValueError, match=r"b has shape \(2, 15\), expected \(15,\)"):
        cpu.gru_forward(x, w, u, np.zeros((2, 15)), reset_after=False)
    square = np.zeros((5, 5))
    with pytest.raises(ValueError, match="activation is 'gelu'; it must be 'tanh' or 'relu'"):
        cpu.simple_rnn_forward(x, w[:, :5], square, square[0], activation="gelu")
    result = cpu.gru_forward(x, w, u, np.zeros((2, 15)))
    saved = result[0], result[2], result[3]
    with pytest.raises(ValueError, match=r"gru_backward: d_outputs has shape \(2, 5\)"):
        cpu.gru_backward(x, w, u, np.zeros((2, 15)), None, None, None, *saved, result[1])
    with pytest.raises(ValueError, match=r"gates has shape \(2, 4, 5\), expected \(2, 4, 15\)"):
        cpu.gru_backward(x, w, u, np.zeros((2, 15)), None, None, None, saved[0], *saved[::2])
