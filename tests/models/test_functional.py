"""Networks as graphs: several inputs and outputs, shared layers, models within models."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import layers

RNG = np.random.default_rng(0)
X = RNG.normal(size=(5, 4)).astype(np.float32)
Z = RNG.normal(size=(5, 3)).astype(np.float32)


def two_by_two():
    first, second = tg.Input((4,), name="first"), tg.Input((3,), name="second")
    shared = layers.Dense(6, "relu", name="shared")
    narrow = layers.Dense(4, name="narrow")(second)
    a, b = shared(first), shared(narrow)
    total = a + 2.0 * b
    return tg.Model(
        [first, second],
        [layers.Dense(2, name="left")(total), layers.Dense(1, name="right")(a)],
        name="net",
    )


def by_hand(model, x, z):
    w = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}

    def dense(value, name):
        return value @ w[name][0] + w[name][1]

    a = np.maximum(dense(x, "shared"), 0)
    b = np.maximum(dense(dense(z, "narrow"), "shared"), 0)
    return dense(a + 2 * b, "left"), dense(a, "right")


@pytest.mark.parametrize(
    "data",
    [[X, Z], (X, Z), {"first": X, "second": Z}, {"second": Z.tolist(), "first": tg.tensor(X)}],
)
def test_values_and_structures(data):
    model = two_by_two()
    outputs = model(data)
    assert isinstance(outputs, list)
    for got, expected in zip(outputs, by_hand(model, X, Z)):
        np.testing.assert_allclose(got.numpy(), expected, atol=1e-5)


def test_gradients_reach_shared_weights():
    model = two_by_two()
    with tg.Tape() as tape:
        left, right = model([X, Z])
        loss = (left * left).sum() + right.sum()
    kernel = model.get_layer("shared").kernel
    gradient = tape.gradient(loss, kernel).numpy()
    step = np.zeros(kernel.shape, np.float32)
    step[1, 2] = 1e-2
    value = kernel.numpy()

    def loss_at(k):
        kernel.assign(k)
        left, right = model([X, Z])
        return float((left * left).sum() + right.sum())

    finite = (loss_at(value + step) - loss_at(value - step)) / 2e-2
    assert gradient[1, 2] == pytest.approx(finite, rel=2e-2)


def test_structure():
    model = two_by_two()
    assert [layer.name for layer in model.layers][:1] == ["second"]  # the farthest from the outputs
    assert {layer.name for layer in model.layers} == {
        "first", "second", "narrow", "shared", "left", "right",
    }  # fmt: skip
    assert model.input_names == ["first", "second"]
    assert model.output_names == ["left", "right"]
    assert model.input_shape == [(None, 4), (None, 3)]
    assert model.output_shape == [(None, 2), (None, 1)]
    assert model.count_params() == 30 + 16 + 14 + 7
    assert len(model.weights) == 8
    assert list(model.named_weights())[:2] == ["dense/kernel", "dense/bias"]


def test_order_of_layers_and_weights_is_that_of_keras():
    # Keras lists layers by their distance to the outputs, then in the order in which a walk from
    # the outputs meets them.
    x = tg.Input((4,), name="x")
    early = layers.Dense(3, name="early")(x)
    late = layers.Dense(3, name="late")(early)
    side = layers.Dense(3, name="side")(x)
    model = tg.Model(x, layers.Dense(1, name="end")(side + late))
    assert [layer.name for layer in model.layers] == ["x", "early", "side", "late", "end"]


def test_a_dict_of_outputs_is_walked_by_its_keys():
    x = tg.Input((4,))
    price, kind = layers.Dense(1, name="price")(x), layers.Dense(3, name="kind")(x)
    model = tg.Model(x, {"z_price": price, "kind": kind})
    assert [layer.name for layer in model.layers[1:]] == ["kind", "price"]
    assert [w.shape for w in model.get_weights()] == [(4, 3), (3,), (4, 1), (1,)]


def test_dict_of_outputs():
    x = tg.Input((4,))
    model = tg.Model({"x": x}, {"mean": layers.Dense(1)(x), "scale": layers.Dense(2)(x)})
    outputs = model({"x": X})
    assert {name: value.shape for name, value in outputs.items()} == {
        "mean": (5, 1),
        "scale": (5, 2),
    }
    assert model.output_names == ["mean", "scale"]


def test_a_list_of_one_output_means_the_output():
    x = tg.Input((4,))
    model = tg.Model([x], [layers.Dense(1)(x)])
    model.compile("sgd", ["mse"], metrics=[["mae"]])
    assert model(X).shape == (5, 1)
    assert model.output_shape == (None, 1)
    history = model.fit(X, [np.ones((5, 1))], verbose=0).history
    assert list(history) == ["loss", "mae"]
    assert isinstance(model.predict(X), np.ndarray)


def test_operators_and_numpy_functions():
    x = tg.Input((4,))
    y = np.concatenate([x[:, :2], np.exp(-x)], axis=1)
    y = (y.reshape(-1, 3, 2).sum(axis=2) - 1.0) / (1.0 + abs(x).max(axis=1, keepdims=True))
    model = tg.Model(x, y @ np.ones((3, 2), np.float32))
    z = np.concatenate([X[:, :2], np.exp(-X)], 1).reshape(-1, 3, 2).sum(2) - 1
    expected = z / (1 + np.abs(X).max(1, keepdims=True)) @ np.ones((3, 2))
    np.testing.assert_allclose(model(X).numpy(), expected, rtol=1e-5, atol=1e-6)
    assert model.output_shape == (None, 2)


def test_parts_of_a_network():
    model = tg.Sequential([tg.Input((4,)), layers.Dense(5, "relu", name="a"), layers.Dense(2)])
    part = tg.Model(model.inputs, model.get_layer("a").output)
    np.testing.assert_array_equal(part(X).numpy(), model.layers[0](X).numpy())
    every = tg.Model(model.input, [layer.output for layer in model.layers])
    hidden, last = every(X)
    np.testing.assert_array_equal(last.numpy(), model(X).numpy())
    assert hidden.shape == (5, 5)
    head = tg.Model(model.layers[1].input, model.output)
    np.testing.assert_array_equal(head(hidden).numpy(), last.numpy())


def test_models_within_models():
    encoder = tg.Sequential([tg.Input((4,)), layers.Dense(2, "tanh")], name="encoder")
    decoder = tg.Sequential([layers.Dense(4)], name="decoder")
    x = tg.Input((4,))
    model = tg.Model(x, decoder(encoder(x)), name="autoencoder")
    np.testing.assert_array_equal(model(X).numpy(), decoder(encoder(X)).numpy())
    assert len(model.trainable_weights) == 4
    outer = tg.Sequential([model, layers.Dense(1)])
    assert outer(X).shape == (5, 1)
    assert len(outer.weights) == 6
    encoder.trainable = False
    assert len(model.trainable_weights) == 2
    with tg.Tape() as tape:
        loss = model(X).sum()
    assert all(g is not None for g in tape.gradient(loss, model.trainable_weights))


def test_whole_numbers_and_missing_axes():
    x = tg.Input((1,))
    model = tg.Model(x, layers.Dense(2)(x))
    assert model(np.arange(6)).shape == (6, 2)
    assert model(np.arange(6)[:, None]).numpy().dtype == np.float32


def test_masks_pass_through_a_graph():
    class Hide(layers.Layer):
        def compute_mask(self, inputs, previous_mask):
            return inputs[:, :, 0] > 0

        def call(self, inputs):
            return inputs * 2.0

    class Count(layers.Layer):
        def call(self, inputs, mask=None):
            if mask is None:  # while the shapes are found out
                return inputs[:, 0, :1]
            return mask.astype("float32").sum(axis=1, keepdims=True)

    x = tg.Input((3, 4))
    model = tg.Model(x, Count()(layers.Dense(2)(Hide()(x))))
    data = np.random.default_rng(1).normal(size=(5, 3, 4)).astype(np.float32)
    np.testing.assert_array_equal(model(data).numpy()[:, 0], (data[:, :, 0] > 0).sum(1))


def test_a_mask_that_gets_lost_is_told():
    class Plain(layers.Layer):
        def call(self, inputs):
            return inputs * 1.0

    from tapegrad.layers.masking_state import set_mask

    with pytest.warns(UserWarning, match="does not support masking"):
        Plain()(set_mask(tg.tensor(X), np.ones(5, bool)))


def test_unequal_names_of_the_same_kind_of_wrong_input():
    model = two_by_two()
    with pytest.raises(ValueError, match=r"net has 2 inputs \(first, second\), but got 1"):
        model(X)
    with pytest.raises(ValueError, match="no data for the input 'second'; the keys are 'first'"):
        model({"first": X})
    with pytest.raises(ValueError, match=r"'first' has shape \(5, 3\), expected \(None, 4\)"):
        model([Z, Z])
    x, other = tg.Input((4,)), tg.Input((4,), name="other")
    with pytest.raises(ValueError, match="depend on the Input 'other', which is not among"):
        tg.Model(x, x + other)
    with pytest.raises(TypeError, match="must be symbolic tensors"):
        tg.Model(X, X)
    with pytest.raises(TypeError, match="outputs is missing"):
        tg.Model(x)
    with pytest.raises(TypeError, match="has no values"):
        float(x)
    with pytest.raises(ValueError, match="two layers have the name 'same'"):
        tg.Model(x, layers.Dense(2, name="same")(layers.Dense(2, name="same")(x)))
    with pytest.raises(AttributeError, match="no symbolic input and output"):
        _ = layers.Dense(2).output


def test_description_makes_the_same_network():
    model = two_by_two()
    again = tg.Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    assert again.name == "net"
    for a, b in zip(model([X, Z]), again([X, Z])):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert again.get_config() == model.get_config()
    stack = tg.Sequential([tg.Input((4,)), layers.Dense(5, "relu", kernel_regularizer="l2")])
    copy = tg.Sequential.from_config(stack.get_config())
    assert copy.get_config() == stack.get_config()
    assert copy.built
    assert copy.layers[0].kernel_regularizer is not None


def test_description_names_what_cannot_be_described():
    x = tg.Input((4,))
    model = tg.Model(x, layers.Dense(3, activation=lambda x: x)(x))
    with pytest.raises(TypeError, match="Dense: activation is a lambda"):
        model.get_config()
    with pytest.raises(ValueError, match="not the description of a network"):
        tg.Model.from_config({"calls": [], "layers": 3})


def test_summary_of_a_graph():
    model = two_by_two()
    lines = []
    model.summary(print_fn=lines.append)
    text = lines[0]
    row = next(line for line in text.splitlines() if line.startswith("shared"))
    assert row.split()[-1] == "narrow"
    assert "first, narrow" in row
    assert str(2 * (2 * 4 * 6 + 6 + 6)) in row  # two calls: products, biases, relu
    assert "Activations" in text


def test_subclass_is_built_by_shape():
    class Net(tg.Model):
        def __init__(self):
            super().__init__()
            self.first = layers.Dense(3)
            self.second = layers.Dense(2)

        def call(self, inputs):
            return self.second(self.first(inputs))

    model = Net()
    model.build((None, 4))
    assert model.count_params() == 15 + 8
    assert model.compute_output_shape((None, 4)) == (None, 2)
    with pytest.raises(AttributeError, match="is no graph of layers"):
        _ = model.inputs


def test_a_summary_changes_nothing():
    x = tg.Input((4,))
    normalized = layers.BatchNormalization(name="norm")(x, training=True)
    model = tg.Model(x, layers.Dropout(0.5)(normalized, training=True))
    before = model.get_weights()
    stream = int(tg.random.get_generator().stream)
    model.summary(print_fn=str)
    for one, other in zip(before, model.get_weights()):
        np.testing.assert_array_equal(one, other)
    assert int(tg.random.get_generator().stream) == stream
