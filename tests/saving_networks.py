"""The networks of tests/reference/make_saving_reference.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import tapegrad as tg
from tapegrad import layers

FOLDER = Path(__file__).parent / "reference" / "saving"


def mlp():
    return tg.Sequential(
        [
            tg.Input((4,)),
            layers.Dense(5, activation="relu", name="hidden"),
            layers.Dropout(0.5, seed=1),
            layers.Dense(3, activation="softmax", name="classes"),
        ]
    )


def cnn():
    return tg.Sequential(
        [
            tg.Input((8, 8, 2)),
            layers.Conv2D(4, 3, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.SeparableConv2D(3, 3, padding="same", depth_multiplier=2),
            layers.Conv2DTranspose(2, 2, strides=2),
            layers.LeakyReLU(),
            layers.DepthwiseConv2D(3, depth_multiplier=2, strides=2),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )


def text():
    return tg.Sequential(
        [
            tg.Input((6,), dtype="int32"),
            layers.Embedding(11, 3, mask_zero=True),
            layers.Bidirectional(layers.LSTM(2, return_sequences=True)),
            layers.GRU(3, return_sequences=True),
            layers.SimpleRNN(2),
            layers.Dense(1),
        ]
    )


def attention():
    inputs = tg.Input((5, 6), name="tokens")
    x = layers.MultiHeadAttention(2, 3, dropout=0.1)(inputs, inputs)
    x = layers.LayerNormalization()(layers.Add()([inputs, x]))
    x = layers.TimeDistributed(layers.Dense(4, activation="gelu"))(x)
    x = layers.GlobalAveragePooling1D()(x)
    return tg.Model(inputs, layers.Dense(2)(x))


def graph():
    left, right = tg.Input((6, 4), name="left"), tg.Input((6, 4), name="right")
    shared = layers.Dense(4, activation="tanh", name="shared")
    inner = tg.Sequential(
        [tg.Input((6, 4)), layers.Conv1D(3, 3, name="deep"), layers.PReLU()], name="inner"
    )
    a, b = shared(left), shared(right)
    a = inner(a)
    b = layers.RNN([layers.GRUCell(2), layers.LSTMCell(3), layers.GRUCell(2)])(b)
    a = layers.SpectralNormalization(layers.Dense(2))(layers.Flatten()(a))
    outputs = [layers.Concatenate(name="both")([a, b]), layers.UnitNormalization()(b)]
    return tg.Model([left, right], outputs, name="graph")


class Nested(tg.Model):
    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(3)
        self.blocks = [layers.Dense(2), [layers.Dense(4)], {"a": layers.Dense(5)}]
        self.scale = self.add_weight(shape=(2,), name="scale")
        self.zed = layers.Dense(2)

    def call(self, x):
        x = self.blocks[1][0](self.blocks[0](self.hidden(x)))
        return self.zed(self.blocks[2]["a"](x)) * self.scale


def nested():
    return Nested()


def check(model, name, reference):
    """Compare a model with what it computes in Keras."""
    inputs = [reference[key] for key in sorted(reference) if key.startswith(f"{name}/x")]
    wanted = [reference[key] for key in sorted(reference) if key.startswith(f"{name}/y")]
    outputs = model(inputs if len(inputs) > 1 else inputs[0])
    for output, value in zip(outputs if isinstance(outputs, list) else [outputs], wanted):
        bound = 2e-4 * max(1.0, np.abs(value).max())
        np.testing.assert_allclose(output.numpy(), value, rtol=0, atol=bound)
