"""RNN, SimpleRNN, LSTM, GRU and their cells: weights, masks, states, networks."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import layers
from tapegrad.layers.masking_state import get_mask

X = np.random.default_rng(0).normal(size=(5, 4, 2)).astype("float32")
MASK = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 0], [1, 0, 1, 0]], dtype=bool)


class MinimalRNNCell(layers.Layer):
    """A cell as users write them."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight((input_shape[-1], self.units), name="kernel")
        self.recurrent = self.add_weight((self.units, self.units), name="recurrent")

    def call(self, inputs, states):
        output = inputs @ self.kernel + states[0] @ self.recurrent
        return output, [output]


# ---- weights -------------------------------------------------------------------------


def test_weights_are_made_as_in_keras():
    layer = layers.LSTM(3)
    layer.build((None, None, 2))
    assert [(w.name, w.shape) for w in layer.weights] == [
        ("kernel", (2, 12)),
        ("recurrent_kernel", (3, 12)),
        ("bias", (12,)),
    ]
    kernel, recurrent, bias = layer.get_weights()
    np.testing.assert_array_equal(bias, [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(3), atol=1e-6)
    assert np.abs(kernel).max() <= np.sqrt(6 / 14)
    assert list(layer.named_weights()) == ["cell/kernel", "cell/recurrent_kernel", "cell/bias"]
    layer = layers.LSTM(2, unit_forget_bias=False, bias_initializer="ones", use_bias=True)
    layer.build((None, 3, 1))
    assert layer.cell.bias.numpy().tolist() == [1.0] * 8
    for options, shape in (({}, (2, 9)), ({"reset_after": False}, (9,))):
        gru = layers.GRU(3, **options)
        gru.build((None, 4, 2))
        assert gru.cell.bias.shape == shape
        assert gru.cell.kernel.shape == (2, 9)


def test_regularizers_and_constraints_reach_the_weights():
    for name in ("SimpleRNN", "LSTM", "GRU"):
        layer = getattr(layers, name)(
            2,
            kernel_regularizer="l2",
            recurrent_regularizer="l1",
            bias_regularizer="l2",
            activity_regularizer="l2",
            kernel_constraint="non_neg",
            recurrent_constraint="max_norm",
            bias_constraint="unit_norm",
        )
        layer(X)
        assert len(layer.losses) == 4
        assert all(weight.constraint is not None for weight in layer.weights)
        layer.trainable = False
        assert layer.trainable_weights == []


def test_layers_tell_their_cells_settings():
    layer = layers.GRU(3, "relu", "hard_sigmoid", dropout=0.1, recurrent_dropout=0.2, seed=5)
    assert (layer.units, layer.dropout, layer.recurrent_dropout, layer.seed) == (3, 0.1, 0.2, 5)
    assert layer.activation is tg.activations.relu
    assert layer.use_bias
    assert layer.reset_after
    assert layers.LSTM(2).unit_forget_bias
    assert not layer._has_kernel()


@pytest.mark.parametrize(
    "layer",
    [
        layers.SimpleRNN(3, "relu", zero_output_for_mask=True, name="mine"),
        layers.LSTM(3, return_sequences=True, dropout=0.1, kernel_initializer="ones"),
        layers.GRU(3, reset_after=False, go_backwards=True, dtype="float64"),
        layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)], return_state=True),
        layers.Bidirectional(layers.LSTM(2, return_state=True), merge_mode="ave"),
        layers.Bidirectional(layers.GRU(2), backward_layer=layers.LSTM(3, go_backwards=True)),
        layers.TimeDistributed(layers.Dense(3, "relu")),
    ],
)
def test_layers_are_made_again_from_their_description(layer):
    copy = type(layer).from_config(layer.get_config())
    assert copy.name == layer.name
    assert copy.get_config() == layer.get_config()
    layer.build((None, 4, 2))
    copy.build((None, 4, 2))
    copy.set_weights(layer.get_weights())
    for a, b in zip(_as_tuple(layer(X)), _as_tuple(copy(X)), strict=True):
        for left, right in zip(_as_tuple(a), _as_tuple(b), strict=True):
            np.testing.assert_array_equal(left.numpy(), right.numpy())


def _as_tuple(value):
    return tuple(value) if isinstance(value, list | tuple) else (value,)


# ---- shapes and masks ----------------------------------------------------------------


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("state", [False, True])
@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU", "RNN"])
def test_shapes_are_known_beforehand(name, every, state):
    cells = [layers.LSTMCell(6), layers.SimpleRNNCell(3)]
    argument = cells if name == "RNN" else 3
    layer = getattr(layers, name)(argument, return_sequences=every, return_state=state)
    symbols = layer(tg.Input((None, 2)))
    outputs = layer(X)
    for symbol, output in zip(_flat(symbols), _flat(outputs), strict=True):
        assert symbol.shape[0] is None
        assert symbol.shape[-1] == output.shape[-1]
        assert len(symbol.shape) == output.ndim


def _flat(value):
    return [leaf for part in value for leaf in _flat(part)] if type(value) in (list, tuple) else [
        value
    ]  # fmt: skip


def test_masks_are_passed_on_with_sequences():
    x = tg.layers.Masking()(X * MASK[:, :, None])
    np.testing.assert_array_equal(get_mask(layers.LSTM(3, return_sequences=True)(x)).numpy(), MASK)
    assert get_mask(layers.LSTM(3)(x)) is None
    output, *states = layers.LSTM(3, return_sequences=True, return_state=True)(x)
    np.testing.assert_array_equal(get_mask(output).numpy(), MASK)
    assert [get_mask(state) for state in states] == [None, None]


def test_masks_of_numbers_count_what_is_not_zero():
    layer = layers.GRU(3)
    np.testing.assert_array_equal(
        layer(X, mask=MASK.astype("float32")).numpy(), layer(X, mask=MASK).numpy()
    )


def test_padding_makes_no_difference():
    layer = layers.LSTM(3)
    alone = layer(X[:1, :2]).numpy()
    padded = layer(X[:1], mask=[[True, True, False, False]]).numpy()
    np.testing.assert_allclose(padded, alone, atol=1e-6)


def test_states_have_the_layout_of_state_size():
    layer = layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)], return_state=True)
    output, (h, c), last = layer(X)
    assert (output.shape, h.shape, c.shape, last.shape) == ((5, 2), (5, 3), (5, 3), (5, 2))
    again = layer(X, initial_state=[[h, c], last])
    assert (again[0].numpy() != output.numpy()).any()
    single = layers.RNN([layers.LSTMCell(3)], return_state=True)
    assert [part.shape for part in single(X)[1]] == [(5, 3), (5, 3)]


def test_whole_numbers_are_converted():
    for name in ("SimpleRNN", "LSTM", "GRU"):
        whole = np.arange(40).reshape(5, 4, 2) % 3
        layer = getattr(layers, name)(3)
        assert layer(whole).dtype == "float32"
        looped = layers.RNN(layer.cell)(whole).numpy()
        np.testing.assert_allclose(looped, layer(whole).numpy(), rtol=1e-5, atol=1e-6)


# ---- cells of users ------------------------------------------------------------------


def test_a_minimal_cell_runs():
    layer = layers.RNN(MinimalRNNCell(3), return_sequences=True)
    y = layer(X).numpy()
    kernel, recurrent = layer.get_weights()
    h = np.zeros((5, 3), dtype="float32")
    for t in range(4):
        h = X[:, t] @ kernel + h @ recurrent
        np.testing.assert_allclose(y[:, t], h, atol=1e-5)
    assert layer.compute_output_shape((None, None, 2)) == (None, None, 3)


def test_cells_may_make_their_first_states_and_say_their_output_size():
    class Counter(layers.Layer):
        state_size = 1
        output_size = 2

        def get_initial_state(self, batch_size=None):
            return tg.tensor(np.full((batch_size, 1), 10.0, dtype="float32"))

        def call(self, inputs, states, training=False):
            total = states[0] + (2.0 if training else 1.0)
            return tg.ops.concatenate([total, -total], axis=1), total

    layer = layers.RNN(Counter(), return_state=True)
    output, state = layer(X)
    assert output.tolist()[0] == [14.0, -14.0]
    assert state.tolist()[0] == [14.0]
    assert layer(X, training=True)[1].tolist()[0] == [18.0]
    assert layer.compute_output_shape((7, 4, 2)) == ((7, 2), (7, 1))


def test_a_cell_need_not_be_a_layer():
    class Sum:
        state_size = 2

        def call(self, inputs, states):
            total = states[0] + inputs
            return total, [total]

    np.testing.assert_allclose(layers.RNN(Sum())(X).numpy(), X.sum(1), atol=1e-5)


# ---- states between batches ----------------------------------------------------------


@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU", "cell"])
def test_stateful_layers_go_on_where_they_stopped(name):
    whole = layers.RNN(MinimalRNNCell(3)) if name == "cell" else getattr(layers, name)(3)
    whole(X)
    config = {"stateful": True}
    parts = (
        layers.RNN(whole.cell, **config) if name == "cell" else getattr(layers, name)(3, **config)
    )
    assert parts.states is None
    parts.build((None, None, 2))
    parts.set_weights(whole.get_weights())
    parts(X[:, :2])
    expected = whole(X).numpy()
    np.testing.assert_allclose(parts(X[:, 2:]).numpy(), expected, rtol=1e-5, atol=1e-6)
    assert len(parts.weights) == len(whole.weights)
    parts.reset_states()
    assert all((state.numpy() == 0).all() for state in parts.states)
    np.testing.assert_allclose(parts(X).numpy(), expected, rtol=1e-5, atol=1e-6)
    start = [np.full((5, 3), 0.25) for _ in parts.states]
    parts.reset_state(start)
    expected = whole(X, initial_state=start).numpy()
    np.testing.assert_allclose(parts(X).numpy(), expected, rtol=1e-5, atol=1e-6)


def test_stateful_layers_keep_their_batch_size():
    layer = layers.LSTM(3, stateful=True, name="kept")
    layer(X)
    with pytest.raises(ValueError, match=r"kept is stateful .* 5 samples, but this batch has 2"):
        layer(X[:2])


def test_gradients_do_not_go_back_into_earlier_batches():
    layer = layers.GRU(3, stateful=True)
    x = tg.tensor(X)
    with tg.Tape() as tape:
        tape.watch(x)
        layer(x)
        total = layer(tg.tensor(2 * X)).sum()
    assert tape.gradient(total, x) is None


# ---- networks ------------------------------------------------------------------------


def test_an_encoder_hands_its_states_to_a_decoder():
    source, target = tg.Input((None, 2)), tg.Input((None, 3))
    _, h, c = layers.LSTM(4, return_state=True)(source)
    decoder = layers.LSTM(4, return_sequences=True)
    model = tg.Model([source, target], decoder(target, initial_state=[h, c]))
    y = np.ones((5, 6, 3), dtype="float32")
    found = model([X, y]).numpy()
    encoder = model.layers[1] if isinstance(model.layers[1], layers.LSTM) else model.layers[2]
    _, h, c = encoder(X)
    np.testing.assert_array_equal(found, decoder(y, initial_state=[h, c]).numpy())
    assert (found != decoder(y).numpy()).any()


def test_a_text_classifier_learns():
    tg.set_seed(0)
    rng = np.random.default_rng(0)
    words = rng.integers(1, 20, size=(128, 8))
    words[rng.random((128, 8)) < 0.2] = 0
    labels = (words == 7).any(1).astype("float32")
    model = tg.Sequential(
        [
            layers.Embedding(20, 8, mask_zero=True),
            layers.Bidirectional(layers.LSTM(8, return_sequences=True)),
            layers.LSTM(8),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(tg.optimizers.Adam(0.01), "binary_crossentropy")
    history = model.fit(words, labels, batch_size=16, epochs=6, verbose=0).history["loss"]
    assert history[-1] < 0.8 * history[0]


def test_trials_leave_the_states_alone():
    model = tg.Sequential([layers.LSTM(3, stateful=True, input_shape=(4, 2)), layers.Dense(1)])
    x = np.random.default_rng(0).normal(size=(6, 4, 2)).astype(np.float32)
    model.compile("sgd", "mse")
    model.fit(x, x[:, 0, :1], batch_size=3, epochs=2, shuffle=False, verbose=0)
    kept = model.layers[0].carried_states()
    assert kept[0].shape == (3, 3)
    model.summary(print_fn=str)
    tg.Model(model.input, model.layers[0](model.input, training=True))
    for before, after in zip(kept, model.layers[0].carried_states()):
        np.testing.assert_array_equal(before, after)
