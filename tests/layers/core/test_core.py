"""EinsumDense, Lambda and Identity: what they take and refuse."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import layers, ops
from tapegrad.layers.core.contraction import Contraction
from tapegrad.layers.masking_state import get_mask, set_mask
from tapegrad.utils.serialization import register_serializable

X = np.random.default_rng(0).normal(size=(2, 3, 4))


@pytest.mark.parametrize(
    "equation",
    [
        "ab,bc->ac",
        "ab,bc->ca",
        "abc,cd->dab",
        "abc,bcd->ad",
        "abc,adc->abd",
        "abc,abcd->d",
        "abc,c->a",
    ],
)
def test_contractions_are_those_of_einsum(equation):
    operands, output = equation.split("->")
    left, right = operands.split(",")
    lengths = dict(zip("abcd", (2, 3, 4, 5)))
    rng = np.random.default_rng(1)
    a, b = (rng.normal(size=[lengths[c] for c in letters]) for letters in (left, right))
    result = Contraction(left, right, output)(tg.tensor(a), tg.tensor(b))
    np.testing.assert_allclose(result, np.einsum(equation, a, b), atol=1e-12)


def test_a_dense_layer_by_an_equation_is_a_dense_layer():
    dense = layers.Dense(5, "relu", dtype="float64")
    same = layers.EinsumDense("abc,cd->abd", (None, 5), "relu", "d", dtype="float64")
    dense(X), same(X)
    same.set_weights(dense.get_weights())
    np.testing.assert_array_equal(dense(X), same(X))
    assert same.compute_output_shape((None, None, 4)) == (None, None, 5)
    ellipsis = layers.EinsumDense("...x,xy->...y", 5)
    assert ellipsis.compute_output_shape((None, 7, None, 4)) == (None, 7, None, 5)
    assert ellipsis(np.ones((2, 7, 3, 4))).shape == (2, 7, 3, 5)


@pytest.mark.parametrize(
    ("equation", "output_shape", "bias_axes", "message"),
    [
        ("ab->b", 3, None, "has none of the forms"),
        ("ab,bc,cd->ad", 3, None, "has none of the forms"),
        ("...ab,bc->ac", 3, None, "has none of the forms"),
        ("ab,bc->ac", 3, None, "is for inputs of 2 axes, but the input has 3"),
        ("abc,cd->abd", 3, None, "has 1 entries, but 'abc,cd->abd' leaves 2 axes to it"),
        ("abc,cd->abd", (7, 3), None, "axis 'b' of 'abc,cd->abd' is of length 3"),
        ("abc,cd->abe", (None, 3), None, "stands neither in the input nor in both"),
        ("abc,cd->abd", (None, 3), "c", "bias_axes 'c' names 'c', which is no axis"),
    ],
)
def test_equations_that_do_not_fit(equation, output_shape, bias_axes, message):
    with pytest.raises(ValueError, match=message):
        layers.EinsumDense(equation, output_shape, bias_axes=bias_axes)(X)


def test_lambda():
    layer = layers.Lambda(lambda x, factor: x * factor, arguments={"factor": 3.0})
    np.testing.assert_allclose(layer(X), 3 * X, rtol=1e-6)
    x = tg.Variable(X)
    with tg.Tape() as tape:
        y = layers.Lambda(ops.square, dtype="float64")(x).sum()
    np.testing.assert_allclose(tape.gradient(y, x), 2 * X)
    parts = layers.Lambda(lambda x: (x[:, :1], x[:, 1:]))(X)
    assert [part.shape for part in parts] == [(2, 1, 4), (2, 2, 4)]


def test_lambda_is_told_of_training_and_masks():
    layer = layers.Lambda(lambda x, training: x * 0 if training else x)
    np.testing.assert_array_equal(layer(X, training=True), 0 * X)
    np.testing.assert_allclose(layer(X), X, rtol=1e-6)
    x = set_mask(tg.tensor(X), np.array([[True, False, True]] * 2))
    zeroed = layers.Lambda(
        lambda x, mask: ops.where(ops.expand_dims(mask, -1), x, 0.0), mask=lambda inputs, mask: mask
    )
    y = zeroed(x)
    np.testing.assert_array_equal(y[:, 1], 0 * X[:, 1])
    assert get_mask(y) is get_mask(x)
    assert get_mask(layers.Lambda(ops.square)(x)) is None


def test_shapes_of_lambda():
    assert layers.Lambda(ops.square).compute_output_shape((None, 3, 4)) == (None, 3, 4)
    halved = layers.Lambda(lambda x: x[:, ::2])
    assert halved(tg.Input((4, 2))).shape == (None, 2, 2)
    given = layers.Lambda(lambda x: x, output_shape=(7,))
    assert given.compute_output_shape((None, 3)) == (None, 7)
    told = layers.Lambda(lambda x: x, output_shape=lambda shape: (*shape, 1))
    assert told.compute_output_shape((None, 3)) == (None, 3, 1)


@register_serializable("core_tests")
def doubled(x):
    return 2 * x


def test_descriptions_of_lambda():
    again = layers.Lambda.from_config(layers.Lambda(doubled).get_config())
    np.testing.assert_allclose(again(X), 2 * X, rtol=1e-6)
    with pytest.raises(TypeError, match="is a lambda, which cannot be saved"):
        layers.Lambda(lambda x: x).get_config()
    with pytest.raises(TypeError, match="function must be callable, but is 3"):
        layers.Lambda(3)


def test_identity_passes_any_structure():
    one, other = layers.Identity()([X, 2 * X])
    np.testing.assert_allclose(other, 2 * one.numpy())
    x = tg.Input((3,))
    assert layers.Identity()(x).shape == (None, 3)
