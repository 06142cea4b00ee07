"""Merging layers as functions, in networks, and with inputs that do not fit."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import layers
from tapegrad.layers.masking_state import get_mask, set_mask

RNG = np.random.default_rng(0)
A, B, C = (RNG.normal(size=(4, 3)).astype("float32") for _ in range(3))
ELEMENTWISE = ["Add", "Average", "Maximum", "Minimum", "Multiply"]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (layers.add, A + B + C),
        (layers.multiply, A * B * C),
        (layers.average, (A + B + C) / 3),
        (layers.maximum, np.maximum(np.maximum(A, B), C)),
        (layers.minimum, np.minimum(np.minimum(A, B), C)),
        (layers.concatenate, np.concatenate([A, B, C], -1)),
    ],
)
def test_functions_of_three_inputs(function, expected):
    np.testing.assert_allclose(function([A, B, C]), expected, rtol=1e-6)
    np.testing.assert_allclose(function((A, B, C), dtype="float64"), expected, rtol=1e-6)
    inputs = [tg.Input((3,)) for _ in range(3)]
    merged = function(inputs, name="merged")
    assert merged.shape == (None, *expected.shape[1:])
    model = tg.Model(inputs, merged)
    np.testing.assert_allclose(model.predict([A, B, C], verbose=0), expected, rtol=1e-6)
    assert model.layers[-1].name == "merged"


def test_functions_of_two_inputs():
    np.testing.assert_allclose(layers.subtract([A, B]), A - B)
    expected = np.sum(A * B, -1, keepdims=True)
    np.testing.assert_allclose(layers.dot([A, B]), expected, rtol=1e-5, atol=1e-6)
    one, other = tg.Input((7, 3)), tg.Input((3, 2))
    assert layers.dot([one, other], axes=(2, 1)).shape == (None, 7, 2)
    assert layers.concatenate([tg.Input((7, 3)), tg.Input((2, 3))], axis=1).shape == (None, 9, 3)
    assert layers.add([tg.Input((7, 1)), tg.Input((3,))]).shape == (None, 7, 3)


def test_a_residual_network_trains():
    inputs = tg.Input((3,))
    hidden = layers.Dense(3, "tanh")(inputs)
    joined = layers.Concatenate()([layers.Add()([inputs, hidden]), layers.Average()([hidden] * 2)])
    model = tg.Model(inputs, layers.Dense(1)(joined))
    model.compile(tg.optimizers.Adam(0.05), "mse")
    x = np.random.default_rng(1).normal(size=(64, 3))
    history = model.fit(x, x.sum(1), epochs=30, verbose=0).history["loss"]
    assert history[-1] < 0.05 * history[0]


def test_the_same_input_twice():
    x = tg.Variable(A)
    with tg.Tape() as tape:
        loss = layers.add([x, x]).sum() + layers.multiply([x, x]).sum()
    np.testing.assert_allclose(tape.gradient(loss, x), 2 + 2 * A, rtol=1e-6)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_unknown_lengths(name):
    layer = getattr(layers, name)()
    assert layer.compute_output_shape([(None, None, 3), (None, 4, 1)]) == (None, 4, 3)
    assert layer.compute_output_shape([(None, None, 3), (None, None, 3)]) == (None, None, 3)
    assert layer.compute_output_shape([(None, None, 1), (2, 1, 5), (None, 5)]) == (2, None, 5)
    joined = layers.Concatenate(1).compute_output_shape([(None, None, 3), (None, 4, 3)])
    assert joined == (None, None, 3)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_shapes_that_do_not_fit(name):
    layer = getattr(layers, name)(name="mine")
    with pytest.raises(
        ValueError,
        match=rf"mine \({name}\): the inputs have shapes .*3\) and .*4\), which do not fit",
    ):
        layer([A, np.ones((4, 4))])
    with pytest.raises(ValueError, match="as many samples in each"):
        layer([A, np.ones((3, 3))])
    with pytest.raises(ValueError, match=r"expected a list of inputs, such as \[a, b\]"):
        layer(A)
    with pytest.raises(ValueError, match="do not fit together"):
        layer([tg.Input((3,)), tg.Input((4,))])


def test_numbers_of_inputs():
    for layer in (layers.Subtract(), layers.Dot(1)):
        for inputs in ([A], [A, B, C]):
            with pytest.raises(ValueError, match=rf"has {len(inputs)} inputs, expected 2"):
                layer(inputs)
    np.testing.assert_array_equal(layers.Add()([A]), A)


def test_concatenate_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="expected an axis 2, along which to join them"):
        layers.Concatenate(2)([A, B])
    with pytest.raises(ValueError, match="equal lengths along every axis but -1"):
        layers.Concatenate()([np.ones((2, 3, 1)), np.ones((2, 4, 1))])
    with pytest.raises(ValueError, match="as many axes in each"):
        layers.Concatenate()([A, A[..., None]])
    layer = layers.Concatenate()
    layer([A, B])
    with pytest.raises(ValueError, match="equal lengths along every axis"):
        layer([A, B[:3]])


def test_dot_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="equal lengths along the axes"):
        layers.Dot(1)([A, np.ones((4, 5))])
    with pytest.raises(ValueError, match=r"axes \[2, 2\] to sum over"):
        layers.Dot(2)([A, B])
    with pytest.raises(ValueError, match="that of the samples"):
        layers.Dot(0)([A, B])
    with pytest.raises(ValueError, match="as many samples in each"):
        layers.Dot(1)([A, B[:3]])
    with pytest.raises(ValueError, match="axes must be a number or a pair of numbers"):
        layers.Dot((1, 2, 3))
    with pytest.raises(TypeError, match="axes must be a number or a pair of numbers"):
        layers.Dot("last")


def test_masks_of_other_sizes_travel_on():
    x = np.ones((2, 3, 4), dtype="float32")
    left = set_mask(tg.tensor(x), np.array([[True, False, False], [True, True, False]]))
    right = set_mask(tg.tensor(x), np.array([[False, True, False], [False, False, False]]))
    for name in ("Add", "Maximum", "Multiply"):
        mask = get_mask(getattr(layers, name)()([left, right]))
        np.testing.assert_array_equal(mask, [[True, True, False], [True, True, False]])
        assert get_mask(getattr(layers, name)()([left, x])) is None
    assert get_mask(layers.Dot(2)([left, right])) is None
    mask = get_mask(layers.Concatenate(1)([left, x[:, :1]]))
    np.testing.assert_array_equal(mask, [[True, False, False, True], [True, True, False, True]])
