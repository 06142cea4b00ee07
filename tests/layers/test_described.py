"""What `get_config` of layers tells: their settings as they are, in Keras's form."""

import json

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import layers, saving


def test_settings_are_told_as_the_layer_keeps_them():
    config = layers.Conv2D(8, 3, activation="relu", kernel_regularizer="l2").get_config()
    assert config["kernel_size"] == (3, 3)
    assert config["strides"] == (1, 1)
    assert config["data_format"] == "channels_last"
    assert config["activation"] == "relu"
    assert config["bias_initializer"]["class_name"] == "Zeros"
    assert config["kernel_regularizer"]["class_name"] == "L2"
    assert layers.Dense(2).get_config()["activation"] == "linear"
    assert layers.MaxPooling2D(2).get_config()["strides"] == (2, 2)
    assert layers.LSTM(3).get_config()["recurrent_activation"] == "sigmoid"


def test_a_setting_that_was_changed_is_told_as_it_is_now():
    layer = layers.Dense(2, activation="softmax", kernel_regularizer="l2")
    layer.activation = tg.activations.linear
    layer.kernel_regularizer = None
    again = layers.Dense.from_config(layer.get_config())
    assert again.activation is tg.activations.linear
    assert again.kernel_regularizer is None

    dropout = layers.Dropout(0.5)
    dropout.rate = 0.25
    assert layers.Dropout.from_config(dropout.get_config()).rate == 0.25


def test_a_changed_activation_is_saved(tmp_path):
    model = tg.Sequential([tg.Input((3,)), layers.Dense(4, activation="softmax")])
    model.layers[-1].activation = tg.activations.linear
    model.save(tmp_path / "model.tapegrad")
    x = np.ones((2, 3), "float32")
    again = tg.load_model(tmp_path / "model.tapegrad")
    np.testing.assert_allclose(again(x).numpy(), model(x).numpy())


def test_given_statistics_are_told():
    layer = layers.Normalization(mean=[1.0, 2.0], variance=[4.0, 9.0])
    x = np.array([[3.0, 5.0]])
    np.testing.assert_allclose(layer(x).numpy(), [[1.0, 1.0]])
    np.testing.assert_allclose(layers.Normalization.from_config(layer.get_config())(x), [[1, 1]])


def test_arguments_of_own_layers_are_told_as_given():
    class Keep(layers.Layer):
        def __init__(self, rate, **kwargs):
            super().__init__(**kwargs)
            self.rate = 1 - rate

    again = Keep.from_config(Keep(0.25).get_config())
    assert again.rate == 0.75


@pytest.mark.parametrize(
    "layer",
    [
        layers.Conv1D(2, 3, dilation_rate=2),
        layers.Reshape((2, -1)),
        layers.Bidirectional(layers.GRU(3, activation="relu")),
        layers.TimeDistributed(layers.Conv2D(2, (3, 2))),
        layers.Activation("gelu"),
        layers.LayerNormalization(axis=(1, 2)),
    ],
)
def test_descriptions_pass_through_json(layer):
    described = json.loads(json.dumps(saving.serialize(layer)))
    assert saving.deserialize(described).get_config() == layer.get_config()
