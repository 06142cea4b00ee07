"""Building, changing, summarising and saving a Sequential."""

from __future__ import annotations

import copy
import os
import pickle

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import layers
from tapegrad.models import Sequential

X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
Y = np.random.default_rng(1).normal(size=(6, 2)).astype(np.float32)


def network():
    return Sequential([layers.Dense(5, "relu"), layers.Dropout(0.5), layers.Dense(2)])


@pytest.mark.parametrize(
    "first",
    [
        [tg.Input((4,)), layers.Dense],
        [None, lambda units: layers.Dense(units, input_dim=4)],
        [None, lambda units: layers.Dense(units, input_shape=(4,))],
    ],
    ids=["Input", "input_dim", "input_shape"],
)
def test_known_input_shape_builds_at_once(first):
    head, make = first
    model = Sequential([head] if head is not None else None)
    model.add(make(5))
    model.add(layers.Dense(2))
    assert model.built
    assert [w.shape for w in model.get_weights()] == [(4, 5), (5,), (5, 2), (2,)]
    assert model.input_shape == (None, 4)
    assert model.output_shape == (None, 2)


def test_unknown_input_shape_builds_at_the_first_call():
    model = network()
    assert not model.built
    assert model.weights == []
    assert model(X).shape == (6, 2)
    assert model.count_params() == 37
    other = network()
    other.build((None, 4))
    assert other.count_params() == 37


def test_output_is_that_of_the_layers_in_turn():
    model = network()
    first, _, last = model.layers
    np.testing.assert_array_equal(model(X).numpy(), last(first(X)).numpy())
    assert not np.array_equal(model(X, training=True).numpy(), model(X).numpy())


def test_pop_and_add():
    model = Sequential([tg.Input((4,)), layers.Dense(5), layers.Dense(2)])
    assert model.pop().units == 2
    assert model.output_shape == (None, 5)
    model.add(layers.Dense(3))
    assert model(X).shape == (6, 3)
    assert Sequential().pop() is None


def test_a_sequential_can_be_a_layer():
    inner = Sequential([layers.Dense(3, input_dim=4)])
    model = Sequential([inner, layers.Dense(2)])
    assert model(X).shape == (6, 2)
    assert list(model.named_weights()) == [
        "sequential/dense/kernel",
        "sequential/dense/bias",
        "dense/kernel",
        "dense/bias",
    ]


def test_errors():
    with pytest.raises(TypeError, match=r"did you mean to call it"):
        Sequential([layers.Dense])
    with pytest.raises(TypeError, match="takes layers"):
        Sequential(["dense"])
    with pytest.raises(ValueError, match="an Input must come first"):
        Sequential([layers.Dense(2), tg.Input((4,))])
    shared = layers.Dense(2)
    with pytest.raises(ValueError, match="a layer is in a stack once"):
        Sequential([shared, shared])
    with pytest.raises(ValueError, match="has no layers yet"):
        Sequential().build((None, 3))
    with pytest.raises(ValueError, match="not built yet"):
        network().save_weights("weights.safetensors")
    with pytest.raises(ValueError, match="known length"):
        Sequential([tg.Input((None,)), layers.Dense(2)])
    model = network()
    model(X)
    with pytest.raises(ValueError, match=r"\(6, 3\)"):
        model(X[:, :3])


def test_summary(capsys):
    model = Sequential([tg.Input((4,)), layers.Dense(5, name="first"), layers.Dense(2, name="b")])
    model.get_layer("b").trainable = False
    model.summary()
    text = capsys.readouterr().out
    assert [line.split() for line in text.splitlines() if "Dense" in line] == [
        ["first", "(Dense)", "(None,", "5)", "25", "45"],
        ["b", "(Dense)", "(None,", "2)", "12", "22"],
    ]
    assert "Parameters: 37 (148 B)" in text
    assert "Trainable: 25 (100 B)" in text
    assert "Not trainable: 12 (48 B)" in text
    lines = []
    network().summary(print_fn=lines.append)
    assert "not built" in lines[0]


def test_get_layer():
    model = Sequential([layers.Dense(5, name="first"), layers.Dense(2, name="second")])
    assert model.get_layer("second") is model.layers[1]
    assert model.get_layer(index=0) is model.layers[0]
    with pytest.raises(ValueError, match="there are first, second"):
        model.get_layer("third")


class TestWeightFiles:
    def test_go_from_one_model_to_another(self, tmp_path):
        model, other = network(), network()
        model(X), other(X)
        path = tmp_path / "weights.safetensors"
        model.save_weights(path)
        other.load_weights(path)
        for a, b in zip(model.get_weights(), other.get_weights()):
            np.testing.assert_array_equal(a, b)
        assert os.listdir(tmp_path) == ["weights.safetensors"]
        with pytest.raises(FileExistsError):
            model.save_weights(path, overwrite=False)

    @pytest.mark.parametrize("keep", [0, 5, 50, -1])
    def test_a_truncated_file_is_refused(self, tmp_path, keep):
        model = network()
        model(X)
        path = tmp_path / "weights.safetensors"
        model.save_weights(path)
        path.write_bytes(path.read_bytes()[:keep])
        before = model.get_weights()
        with pytest.raises(ValueError, match=r"is damaged or not a safetensors file") as error:
            model.load_weights(path)
        assert "\n" not in str(error.value)
        for a, b in zip(before, model.get_weights()):
            np.testing.assert_array_equal(a, b)

    @pytest.mark.parametrize(
        ("other", "reason"),
        [
            ([layers.Dense(5), layers.Dense(3)], r"dense_1/kernel has shape \(5, 3\) in the file"),
            ([layers.Dense(5)], "it lacks dense_1/kernel, dense_1/bias"),
            (
                [layers.Dense(5), layers.Dense(2), layers.Dense(2)],
                "it has dense_2/.* which the model lacks",
            ),
        ],
    )
    def test_another_models_file_is_refused(self, tmp_path, other, reason):
        model, source = network(), Sequential(other)
        model(X), source(X)
        path = tmp_path / "weights.safetensors"
        source.save_weights(path)
        before = model.get_weights()
        with pytest.raises(ValueError, match=reason):
            model.load_weights(path)
        for a, b in zip(before, model.get_weights()):
            np.testing.assert_array_equal(a, b)

    def test_a_failed_write_leaves_the_old_file(self, tmp_path, monkeypatch):
        model = network()
        model(X)
        path = tmp_path / "weights.safetensors"
        model.save_weights(path)
        before = path.read_bytes()

        def fail(*args, **kwargs):
            raise OSError("disk full")

        monkeypatch.setattr("os.replace", fail)
        with pytest.raises(OSError, match="disk full"):
            model.save_weights(path)
        assert path.read_bytes() == before
        assert os.listdir(tmp_path) == ["weights.safetensors"]

    def test_missing_files_and_other_formats(self, tmp_path):
        model = network()
        model(X)
        with pytest.raises(FileNotFoundError, match="There is no file"):
            model.load_weights(tmp_path / "nothing.safetensors")
        with pytest.raises(ValueError, match="safetensors"):
            model.save_weights(tmp_path / "model.npz")
        with pytest.raises(ValueError, match="not built yet"):
            network().load_weights(tmp_path / "weights.safetensors")


def test_subclassed_models():
    class Network(tg.Model):
        def __init__(self):
            super().__init__()
            self.hidden = layers.Dense(8, "relu")
            self.drop = layers.Dropout(0.5)
            self.head = layers.Dense(1)

        def call(self, inputs, training=None):
            return self.head(self.drop(self.hidden(inputs)))

    tg.set_seed(0)
    model = Network()
    model.compile(tg.optimizers.Adam(0.05), "mse")
    y = X.sum(1)
    before = model.evaluate(X, y, verbose=0)
    model.fit(X, y, epochs=60, verbose=0)
    assert model.evaluate(X, y, verbose=0) < 0.5 * before
    assert [layer.name for layer in model.layers] == [
        model.hidden.name,
        model.drop.name,
        model.head.name,
    ]
    assert next(iter(model.named_weights())) == "hidden/kernel"


def test_variables_made_without_add_weight_are_trained():
    class Scale(layers.Layer):
        def build(self, input_shape):
            self.factor = tg.Variable(np.ones(input_shape[-1]), dtype="float32", name="factor")

        def call(self, inputs):
            return inputs * self.factor

    model = Sequential([Scale(), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.train_on_batch(X, X.sum(1))
    assert [v.name for v in model.trainable_variables] == ["factor", "kernel", "bias"]
    assert not np.array_equal(model.layers[0].factor.numpy(), np.ones(4))
    model.layers[0].shift = tg.Variable(np.zeros(4, np.float32), name="shift")
    with pytest.warns(UserWarning, match="no gradient for shift"):  # as call does not use it
        model.fit(X, X.sum(1), verbose=0)
    assert "scale/shift" in model.named_weights()


def test_one_input_may_come_in_a_list_or_a_dict():
    model = network()
    expected = model(X).numpy()
    np.testing.assert_array_equal(model([X]).numpy(), expected)
    np.testing.assert_array_equal(model({"x": X}).numpy(), expected)
    np.testing.assert_array_equal(model.predict([X], verbose=0), expected)
    with pytest.raises(ValueError, match="has one input, but got 2"):
        model([X, X])


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_and_pickles(copied):
    model = Sequential([tg.Input((4,)), layers.Dense(5, "relu"), layers.Dropout(0.5)])
    model.add(layers.Dense(2, kernel_regularizer="l2", kernel_constraint="nonneg"))
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    again = copied(model)
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    assert len(again.losses) == 1
    before = model.get_weights()
    again.fit(X, Y, verbose=0)
    assert not np.array_equal(again.get_weights()[0], before[0])
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    assert again.get_weights()[2].min() >= 0
