"""Bidirectional and TimeDistributed."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import layers
from tapegrad.layers.masking_state import get_mask

X = np.random.default_rng(0).normal(size=(3, 4, 2)).astype("float32")
MASK = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 1, 1]], dtype=bool)

# ---- Bidirectional -------------------------------------------------------------------


def test_both_layers_are_copies():
    pattern = layers.LSTM(3, name="pattern", kernel_initializer="ones")
    pattern(X)
    layer = layers.Bidirectional(pattern)
    layer(X)
    assert (layer.forward_layer.name, layer.backward_layer.name) == (
        "forward_pattern",
        "backward_pattern",
    )
    assert layer.backward_layer.go_backwards
    assert layer.forward_layer.cell is not pattern.cell
    assert layer.forward_layer.cell is not layer.backward_layer.cell
    assert [w.shape for w in layer.weights] == [w.shape for w in pattern.weights] * 2
    assert next(iter(layer.named_weights())) == "forward_layer/cell/kernel"


def test_cells_of_users_are_copied_too():
    class Cell(layers.Layer):
        def __init__(self, units):
            super().__init__()
            self.state_size = units

        def build(self, input_shape):
            self.kernel = self.add_weight((input_shape[-1], self.state_size))

        def call(self, inputs, states):
            output = states[0] + inputs @ self.kernel
            return output, [output]

    layer = layers.Bidirectional(layers.RNN(Cell(3), return_sequences=True))
    y = layer(X).numpy()
    forward, backward = (X @ weight for weight in layer.get_weights())
    np.testing.assert_allclose(y[..., :3], np.cumsum(forward, axis=1), atol=1e-5)
    backward = np.cumsum(backward[:, ::-1], axis=1)[:, ::-1]
    np.testing.assert_allclose(y[..., 3:], backward, atol=1e-5)


@pytest.mark.parametrize("mode", ["concat", "sum", "ave", "mul", None])
@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("state", [False, True])
def test_bidirectional_shapes(mode, every, state):
    layer = layers.Bidirectional(
        layers.LSTM(3, return_sequences=every, return_state=state), merge_mode=mode
    )
    symbols, outputs = layer(tg.Input((None, 2))), layer(X)
    if mode is None or state:
        assert len(symbols) == len(outputs) == (2 if mode is None else 1) + 4 * state
    else:
        symbols, outputs = [symbols], [outputs]
    for symbol, output in zip(symbols, outputs, strict=True):
        assert symbol.shape[-1] == output.shape[-1]
        assert symbol.ndim == output.ndim


def test_bidirectional_passes_masks_on():
    x = layers.Masking()(X * MASK[:, :, None])
    both = layers.Bidirectional(
        layers.GRU(3, return_sequences=True, return_state=True), merge_mode=None
    )
    masks = [get_mask(part) for part in both(x)]
    for mask in masks[:2]:
        np.testing.assert_array_equal(mask.numpy(), MASK)
    assert masks[2:] == [None, None]
    assert get_mask(layers.Bidirectional(layers.GRU(3))(x)) is None
    # Masked steps put out zeros.
    y = layers.Bidirectional(layers.GRU(3, return_sequences=True))(x).numpy()
    assert (y[~MASK] == 0).all()
    assert (y[MASK] != 0).all()


def test_bidirectional_takes_weights_and_keeps_none_in_its_description():
    pattern = layers.Bidirectional(layers.GRU(2))
    pattern(X)
    layer = layers.Bidirectional(layers.GRU(2), weights=pattern.get_weights())
    np.testing.assert_array_equal(layer(X).numpy(), pattern(X).numpy())
    assert "weights" not in layer.get_config()


def test_stateful_bidirectional():
    layer = layers.Bidirectional(layers.LSTM(2, stateful=True))
    assert layer.states is None
    first = layer(X).numpy()
    assert (layer(X).numpy() != first).any()
    assert len(layer.states) == 4
    layer.reset_states()
    np.testing.assert_array_equal(layer(X).numpy(), first)
    with pytest.raises(ValueError, match="not stateful"):
        layers.Bidirectional(layers.LSTM(2)).reset_state()


def test_bidirectional_refuses_what_does_not_go_together():
    with pytest.raises(ValueError, match="layer must be a recurrent layer"):
        layers.Bidirectional(layers.Dense(3))
    with pytest.raises(ValueError, match="backward_layer must be a recurrent layer"):
        layers.Bidirectional(layers.LSTM(3), backward_layer=layers.Dense(3))
    with pytest.raises(ValueError, match=r"merge_mode must be .* but is 'product'"):
        layers.Bidirectional(layers.LSTM(3), merge_mode="product")
    with pytest.raises(ValueError, match="both layers have go_backwards=True"):
        layers.Bidirectional(layers.LSTM(3, go_backwards=True))
    with pytest.raises(ValueError, match="both layers have go_backwards=False"):
        layers.Bidirectional(layers.LSTM(3), backward_layer=layers.LSTM(3))
    with pytest.raises(ValueError, match=r"return_sequences is True .* False"):
        layers.Bidirectional(
            layers.LSTM(3, return_sequences=True),
            backward_layer=layers.LSTM(3, go_backwards=True),
        )
    with pytest.raises(ValueError, match="initial_state has 3 parts"):
        layers.Bidirectional(layers.LSTM(3))(X, initial_state=[np.zeros((3, 3))] * 3)
    with pytest.raises(ValueError, match="three axes"):
        layers.Bidirectional(layers.LSTM(3))(X[:, 0])


# ---- TimeDistributed -----------------------------------------------------------------


def test_time_distributed_applies_the_layer_to_each_step():
    dense = layers.Dense(3, "tanh")
    layer = layers.TimeDistributed(dense)
    y = layer(X).numpy()
    for t in range(4):
        np.testing.assert_allclose(y[:, t], dense(X[:, t]).numpy(), atol=1e-6)
    assert len(layer.weights) == 2
    assert layer.compute_output_shape((None, None, 2)) == (None, None, 3)


def test_layers_that_mix_samples_see_one_step_at_a_time():
    class Centred(layers.Layer):
        def call(self, inputs):
            return inputs - inputs.mean(axis=0)

    y = layers.TimeDistributed(Centred())(X).numpy()
    np.testing.assert_allclose(y, X - X.mean(0), atol=1e-6)


def test_masks_of_time_distributed_layers():
    class Masked(layers.Layer):
        def call(self, inputs, mask=None):
            return inputs * mask.astype("float32").reshape((-1, 1))

    x = layers.Masking()(X * MASK[:, :, None] + 0.0)
    y = layers.TimeDistributed(Masked())(x)
    np.testing.assert_array_equal(y.numpy(), X * MASK[:, :, None])
    np.testing.assert_array_equal(get_mask(y).numpy(), MASK)
    rows = np.ones((3, 4, 5, 2), dtype="float32")
    inner = np.arange(60).reshape(3, 4, 5) % 3 > 0
    lstm = layers.LSTM(2)
    y = layers.TimeDistributed(lstm)(rows, mask=inner).numpy()
    np.testing.assert_allclose(y[:, 1], lstm(rows[:, 1], mask=inner[:, 1]).numpy(), atol=1e-6)


def test_time_distributed_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="layer must be a layer"):
        layers.TimeDistributed(abs)
    with pytest.raises(ValueError, match="at least three axes"):
        layers.TimeDistributed(layers.Dense(3))(X[:, :, 0])
    with pytest.raises(ValueError, match=r"mask has shape \(3, 3\), but must begin with \(3, 4\)"):
        layers.TimeDistributed(layers.LSTM(3))(X[..., None], mask=MASK[:, :3])
