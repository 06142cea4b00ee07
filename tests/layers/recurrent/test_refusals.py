"""What recurrent layers refuse, and how they say so."""

from __future__ import annotations

import numpy as np
import pytest

from tapegrad import layers

X = np.random.default_rng(0).normal(size=(5, 4, 2)).astype("float32")
MASK = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 0], [1, 0, 1, 0]], dtype=bool)


@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU"])
def test_inputs_that_do_not_fit(name):
    layer = getattr(layers, name)(3, name="mine")
    with pytest.raises(ValueError, match=r"mine .*shape \(None, 4\), expected three axes"):
        layer(X[:, :, 0])
    with pytest.raises(ValueError, match="three axes"):
        layer(X[:, :, :, None])
    layer(X)
    with pytest.raises(ValueError, match=r"mine .*\(5, 4, 1\), expected \(samples, time, 2\)"):
        layer(X[:, :, :1])
    with pytest.raises(ValueError, match="at least one step"):
        layer(X[:, :0])
    with pytest.raises(
        ValueError, match=r"mine: the mask has shape \(5, 3\), but must have \(5, 4\)"
    ):
        layer(X, mask=MASK[:, :3])


@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU"])
def test_initial_states_that_do_not_fit(name):
    layer = getattr(layers, name)(3, name="mine")
    count = len(layer.state_size)
    right, wrong = np.zeros((5, 3)), np.zeros((5, 4))
    with pytest.raises(ValueError, match=f"mine: initial_state has 3 parts, .* {count} states"):
        layer(X, initial_state=[right] * 3)
    with pytest.raises(ValueError, match=r"part 0 .* shape \(5, 4\), expected \(5, 3\)"):
        layer(X, initial_state=[wrong] * count)
    with pytest.raises(ValueError, match=r"shape \(2, 3\), expected \(5, 3\)"):
        layer(X, initial_state=[right[:2]] * count)


def test_arguments_that_do_not_fit():
    for name in ("SimpleRNN", "LSTM", "GRU"):
        with pytest.raises(ValueError, match="units must be a positive whole number, but is 0"):
            getattr(layers, name)(0)
        with pytest.raises(ValueError, match=r"recurrent_dropout must lie in \[0, 1\], but is 2"):
            getattr(layers, name)(3, recurrent_dropout=2)
        with pytest.raises(ValueError, match='Did you mean "tanh"'):
            getattr(layers, name)(3, activation="tanhh")
    with pytest.raises(ValueError, match='use_cudnn must be "auto"'):
        layers.LSTM(3, use_cudnn="yes")


def test_cells_that_are_none():
    class NoSize(layers.Layer):
        def call(self, inputs, states):
            return inputs, states

    class NoStates(layers.Layer):
        state_size = 2

        def call(self, inputs, states):
            return inputs

    class TooMany(layers.Layer):
        state_size = 2

        def call(self, inputs, states):
            return inputs, [inputs, inputs]

    with pytest.raises(ValueError, match="'short' has no state_size"):
        layers.RNN(NoSize(name="short"))
    with pytest.raises(ValueError, match=r"no method call\(inputs, states\)"):
        layers.RNN(3)
    with pytest.raises(ValueError, match="has no state_size"):
        layers.RNN([layers.LSTMCell(2), NoSize()])
    with pytest.raises(ValueError, match="at least one cell"):
        layers.RNN([])
    wrong = NoSize()
    wrong.state_size = "two"
    with pytest.raises(ValueError, match="state_size 'two', expected a whole number"):
        layers.RNN(wrong)
    with pytest.raises(ValueError, match="must return its output and a list of its states"):
        layers.RNN(NoStates())(X)
    with pytest.raises(ValueError, match="returned 2 states, but by its state_size it has 1"):
        layers.RNN(TooMany())(X)
