"""Whole steps of training, recorded and not: draws, penalties, constraints, statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from jitted import assert_same_steps

import tapegrad as tg
from tapegrad import constraints, initializers, layers, losses, metrics, regularizers

RNG = np.random.default_rng(6)
VECTORS, IMAGES = RNG.normal(size=(60, 7)), RNG.normal(size=(60, 8, 8, 2))
SEQUENCES, WORDS = RNG.normal(size=(60, 5, 3)), RNG.integers(0, 9, size=(60, 5))
CLASSES = RNG.integers(0, 3, 60)
Dense = layers.Dense

NETWORKS: dict[str, tuple[np.ndarray, Any]] = {
    "dropout": (VECTORS, lambda: [Dense(9, "relu"), layers.Dropout(0.3), Dense(3, "softmax")]),
    "noise": (
        VECTORS,
        lambda: [
            layers.GaussianNoise(0.2),
            Dense(9, "selu"),
            layers.AlphaDropout(0.2),
            layers.GaussianDropout(0.2),
            layers.ActivityRegularization(0.01, 0.02),
            Dense(3),
        ],
    ),
    "penalties": (
        VECTORS,
        lambda: [
            Dense(9, "tanh", kernel_regularizer="l1_l2", bias_regularizer=regularizers.L2(0.1)),
            Dense(8, "gelu", kernel_regularizer=regularizers.OrthogonalRegularizer(0.1)),
            Dense(3, activity_regularizer=regularizers.L1(0.01)),
        ],
    ),
    "limits": (
        VECTORS,
        lambda: [
            Dense(9, "elu", kernel_constraint=constraints.MaxNorm(0.7)),
            Dense(8, "swish", kernel_constraint=constraints.UnitNorm()),
            Dense(8, "softplus", kernel_constraint=constraints.MinMaxNorm(0.3, 0.6, 0.5)),
            Dense(3, bias_constraint=constraints.NonNeg()),
        ],
    ),
    "normalized": (
        VECTORS,
        lambda: [
            Dense(9),
            layers.BatchNormalization(momentum=0.8),
            layers.Activation("relu"),
            layers.LayerNormalization(),
            Dense(3),
        ],
    ),
    "images": (
        IMAGES,
        lambda: [
            layers.Conv2D(4, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.SpatialDropout2D(0.3),
            layers.Conv2D(5, 2, padding="same"),
            layers.BatchNormalization(),
            layers.LeakyReLU(),
            layers.GlobalAveragePooling2D(),
            Dense(3),
        ],
    ),
    "LSTM": (
        SEQUENCES,
        lambda: [layers.LSTM(6, dropout=0.2, recurrent_dropout=0.3), Dense(3)],
    ),
    "GRU": (
        WORDS,
        lambda: [
            layers.Embedding(9, 4, mask_zero=True, embeddings_regularizer="l2"),
            layers.Bidirectional(layers.GRU(4, return_sequences=True)),
            layers.SimpleRNN(4, dropout=0.3),
            Dense(3),
        ],
    ),
    "initializers": (
        VECTORS,
        lambda: [
            Dense(9, "tanh", kernel_initializer=initializers.Orthogonal()),
            Dense(8, "tanh", kernel_initializer="he_normal", bias_initializer="random_uniform"),
            Dense(3, kernel_initializer=initializers.VarianceScaling(0.5, "fan_avg")),
        ],
    ),
}


def _make(name: str, optimizer: Any, dtype: str) -> Any:
    model = tg.Sequential(NETWORKS[name][1]())
    loss = losses.SparseCategoricalCrossentropy(from_logits=name != "dropout")
    tracked = [metrics.Mean(), metrics.SparseCategoricalAccuracy()]
    rule = optimizer()
    model(tg.tensor(NETWORKS[name][0][:2].astype(dtype) if name != "GRU" else WORDS[:2]))

    def step(x: Any, y: Any) -> Any:
        with tg.Tape() as tape:
            prediction = model(x, training=True)
            value = loss(y, prediction) + sum(model.losses)
        variables = model.trainable_variables
        rule.apply(tape.gradient(value, variables), variables)
        tracked[0].update_state(value)
        tracked[1].update_state(y, prediction)
        return value, prediction

    def state() -> Any:
        after = tg.random.uniform((3,))  # the generator has come as far
        return [*model.variables, *rule.variables, *[m.result() for m in tracked], after]

    return step, state


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NETWORKS)
def test_steps(name: str, dtype: str):
    x = NETWORKS[name][0]
    x = x if name == "GRU" else x.astype(dtype)
    rows = [RNG.permutation(60)[:12] for _ in range(8)]
    calls = [(x[at], CLASSES[at]) for at in rows]
    tg.set_floatx(dtype)
    try:
        assert_same_steps(
            lambda: _make(name, lambda: tg.optimizers.Adam(0.01), dtype), calls, compiled_after=5
        )
    finally:
        tg.set_floatx("float32")


def test_two_networks_that_are_trained_against_each_other():
    def make() -> Any:
        generator = tg.Sequential([Dense(8, "relu", input_dim=4), Dense(7)])
        judge = tg.Sequential([Dense(8, "leaky_relu", input_dim=7), Dense(1)])
        loss = losses.BinaryCrossentropy(from_logits=True)
        rules = tg.optimizers.Adam(0.01), tg.optimizers.RMSprop(0.01)

        def step(real: Any) -> Any:
            noise = tg.random.normal((len(real), 4))
            with tg.Tape() as tape:
                made = generator(noise)
                guesses = judge(made), judge(real)
                value = loss(tg.ops.zeros_like(guesses[0]), guesses[0])
                value = value + loss(tg.ops.ones_like(guesses[1]), guesses[1])
            rules[0].apply(
                tape.gradient(value, judge.trainable_variables), judge.trainable_variables
            )
            with tg.Tape() as tape:
                guess = judge(generator(noise))
                other = loss(tg.ops.ones_like(guess), guess)
            variables = generator.trainable_variables
            rules[1].apply(tape.gradient(other, variables), variables)
            return value, other

        return step, lambda: [*generator.variables, *judge.variables]

    calls = [(VECTORS[k : k + 12].astype("float32"),) for k in range(0, 60, 12)]
    assert_same_steps(make, calls, compiled_after=3)
