"""Activation layers: masks that hide everything, old names, and wrong arguments."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import layers
from tapegrad.layers.masking_state import get_mask, set_mask

X = np.random.default_rng(0).normal(size=(2, 3, 4))


@pytest.mark.parametrize("axis", [-1, (1, 2)])
def test_softmax_of_nothing_is_zero(axis):
    mask = np.ones((2, 3, 4), bool)
    mask[0] = False
    x = tg.Variable(X)
    with tg.Tape() as tape:
        y = layers.Softmax(axis, dtype="float64")(x, mask=mask)
        loss = (y * X).sum()
    np.testing.assert_array_equal(y[0], np.zeros((3, 4)))
    np.testing.assert_allclose(y.numpy()[1].sum(axis if axis == -1 else None), 1)
    slope = tape.gradient(loss, x).numpy()
    np.testing.assert_array_equal(slope[0], np.zeros((3, 4)))
    assert slope[1].any()


def test_masks_of_softmax():
    numbers = np.array([[1.0, 0.6, 0.4, 0.0]])
    y = layers.Softmax()(np.zeros((1, 4)), mask=numbers)
    np.testing.assert_array_equal(y, [[0.5, 0.5, 0.0, 0.0]])
    # The mask that an input carries is that of its positions, here of the axis of softmax.
    x = set_mask(tg.tensor(np.zeros((1, 4))), numbers > 0.5)
    y = layers.Softmax()(x)
    np.testing.assert_array_equal(y, [[0.5, 0.5, 0.0, 0.0]])
    assert get_mask(y) is get_mask(x)
    with pytest.raises(ValueError, match=r"mask has shape \(1, 3\), which is not broadcast"):
        layers.Softmax()(np.zeros((1, 4)), mask=numbers[:, :3])
    with pytest.raises(ValueError, match="mask has shape"):
        layers.Softmax()(np.zeros(4), mask=numbers)


def test_softmax_remembers_its_logits_for_a_loss():
    logits = tg.tensor(X)
    assert layers.Softmax(dtype="float64")(logits)._origin[1] is logits
    mask = np.ones(4, bool)
    assert layers.Softmax(dtype="float64")(logits, mask=mask)._origin is None


def test_slopes_are_learned():
    model = tg.Sequential([layers.PReLU(shared_axes=1)])
    model.compile(tg.optimizers.SGD(0.5), "mse")
    x = np.random.default_rng(1).normal(size=(64, 5, 2))
    slopes = np.array([0.25, -0.5])
    model.fit(x, np.where(x > 0, x, slopes * x), epochs=60, verbose=0)
    assert model.layers[0].alpha.shape == (1, 2)
    np.testing.assert_allclose(model.layers[0].alpha.numpy()[0], slopes, atol=0.02)


def test_old_and_wrong_arguments():
    with pytest.warns(DeprecationWarning, match="write negative_slope"):
        layer = layers.LeakyReLU(alpha=0.1)
    np.testing.assert_allclose(layer([[-1.0]]), [[-0.1]])
    with pytest.raises(ValueError, match="negative_slope must be a number that is not negative"):
        layers.LeakyReLU(-0.1)
    for name in ("max_value", "negative_slope", "threshold"):
        with pytest.raises(ValueError, match=f"ReLU: {name} must be a number"):
            layers.ReLU(**{name: -1.0})
    with pytest.raises(ValueError, match=r'"rleu".*Did you mean "relu"'):
        layers.Activation("rleu")
    with pytest.raises(ValueError, match="an axis 3 along which to apply softmax"):
        layers.Softmax(3)(X)
    with pytest.raises(ValueError, match="an axis 3, which is to be shared"):
        layers.PReLU(shared_axes=[3])(X)
    with pytest.raises(ValueError, match="cannot be made for inputs of unknown length"):
        layers.PReLU().build((None, None, 4))
    shared = layers.PReLU(shared_axes=[1])
    shared.build((None, None, 4))
    assert shared.alpha.shape == (1, 4)
