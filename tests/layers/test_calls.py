"""How layers are called: arguments by position and by name, and the losses of a call."""

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import layers
from tapegrad.layers.masking_state import get_mask

X = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")
MASK = np.array([[True, True, False, False], [True, True, True, False]])


@pytest.mark.parametrize(
    ("layer", "inputs", "further", "mask"),
    [
        (layers.LSTM(2, return_sequences=True), X, ([np.ones((2, 2)), np.ones((2, 2))],), MASK),
        (layers.Bidirectional(layers.GRU(2)), X, (None,), MASK),
        (layers.Attention(), [X, X], (), [MASK, MASK]),
        (layers.Softmax(), X, (), MASK[..., None]),
        (layers.GlobalAveragePooling1D(), X, (), MASK),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, layers.Layer) else "",
)
def test_masks_by_position(layer, inputs, further, mask):
    by_name = layer(inputs, *further, mask=mask).numpy()
    np.testing.assert_array_equal(layer(inputs, *further, mask).numpy(), by_name)
    assert not np.array_equal(layer(inputs, *further).numpy(), by_name)


def test_training_by_position():
    layer = layers.BatchNormalization()
    np.testing.assert_array_equal(layer(X, True).numpy(), layer(X, training=True).numpy())
    symbol = layer(tg.Input((4, 3)), True)
    assert symbol.shape == (None, 4, 3)


class Squares(layers.Layer):
    """Adds the sum of its squared input to the loss."""

    def call(self, inputs):
        self.add_loss((inputs**2).sum())
        return inputs


class Twice(layers.Layer):
    """Calls one layer two times, and adds a loss of its own."""

    def __init__(self, inner, **kwargs):
        super().__init__(**kwargs)
        self.inner = inner

    def call(self, inputs):
        self.add_loss(tg.tensor(1.0))
        return self.inner(self.inner(inputs))


def test_losses_are_those_of_the_last_call():
    layer = Squares()
    layer(np.ones((1, 2), "float32"))
    layer(np.full((1, 2), 2.0, "float32"))
    assert [float(loss) for loss in layer.losses] == [8.0]


@pytest.mark.parametrize("inner", [Squares(), layers.ActivityRegularization(l2=1.0)])
def test_losses_of_a_layer_called_twice_within_another_are_both_kept(inner):
    layer = Twice(inner, activity_regularizer=tg.regularizers.L1(1.0))
    for _ in range(3):
        layer(np.ones((1, 2), "float32"))
        assert sorted(float(loss) for loss in layer.losses) == [1.0, 2.0, 2.0, 2.0]


def test_losses_within_a_model_are_those_of_the_last_call():
    inputs = tg.Input((2,))
    model = tg.Model(inputs, Twice(Squares())(inputs))
    for _ in range(2):
        model(np.ones((1, 2), "float32"))
        assert sorted(float(loss) for loss in model.losses) == [1.0, 2.0, 2.0]


@pytest.mark.parametrize("cell", [layers.GRUCell(2), layers.SimpleRNNCell(2)])
def test_a_state_that_stands_alone_comes_back_alone(cell):
    x, h = X[:, 0], tg.tensor(np.ones((2, 2), "float32"))
    output, state = cell(x, h)
    np.testing.assert_array_equal(state.numpy(), output.numpy())
    _, states = cell(x, [h])
    assert isinstance(states, list)


def test_the_dtype_of_weights():
    assert layers.Dense(2, dtype="float64").variable_dtype == "float64"


def test_pooling_takes_its_name_by_position_as_in_keras():
    assert layers.MaxPooling2D(2, 2, "same", None, "pool").name == "pool"


def test_masks_can_be_read_by_keras_name():
    vectors = layers.Embedding(4, 2, mask_zero=True)(np.array([[1, 0]]))
    assert vectors._keras_mask.tolist() == [[True, False]]
    assert tg.tensor([1.0])._keras_mask is None


def test_a_carried_mask_is_for_calls_on_one_tensor():
    # As in Keras: with initial states the mask has to be passed, but the output carries it.
    x = np.array([[1, 2, 0], [3, 0, 0]])
    embedded = layers.Embedding(5, 4, mask_zero=True)(x)
    layer = layers.LSTM(2, return_sequences=True)
    states = [np.full((2, 2), 0.1, np.float32), np.full((2, 2), 0.2, np.float32)]
    carried = layer(embedded, initial_state=states)
    plain = layer(embedded.numpy(), initial_state=states)
    passed = layer(embedded, initial_state=states, mask=x != 0)
    np.testing.assert_array_equal(carried.numpy(), plain.numpy())
    assert not np.array_equal(carried.numpy(), passed.numpy())
    for output in (carried, passed):
        np.testing.assert_array_equal(get_mask(output).numpy(), x != 0)
