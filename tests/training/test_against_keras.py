"""Training runs of Keras 3 from given weights: steps, epochs, evaluation, prediction."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import layers, regularizers
from tapegrad.optimizers import SGD, Adam

LOSSES = {
    "classes": "sparse_categorical_crossentropy",
    "binary": "binary_crossentropy",
    "numbers": "mse",
}
MEASURED = {"classes": "accuracy", "binary": "accuracy", "numbers": "mae"}
OPTIMIZERS = {
    "sgd_nesterov": lambda: SGD(0.05, momentum=0.9, nesterov=True),
    "adam": lambda: Adam(0.01),
}


def network(kind, dtype):
    units, activation = {"classes": (4, "softmax"), "binary": (1, "sigmoid"), "numbers": (2, None)}[
        kind
    ]
    model = tg.Sequential(
        [
            layers.Dense(
                8, "relu", kernel_regularizer=regularizers.L2(0.01), input_dim=6, dtype=dtype
            ),
            layers.Dense(
                7,
                "tanh",
                kernel_regularizer=regularizers.L1L2(0.001, 0.002),
                bias_regularizer="l1",
                activity_regularizer=regularizers.L2(0.01),
                dtype=dtype,
            ),
            layers.Dense(units, activation, dtype=dtype),
        ],
        dtype=dtype,
    )
    shapes = [w.shape for w in model.weights]
    model.set_weights(
        [0.5 * np.random.default_rng(300 + i).normal(size=s) for i, s in enumerate(shapes)]
    )
    return model


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 2e-6), ("float32", 2e-4)])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("kind", LOSSES)
def test_twenty_steps(keras_reference, kind, optimizer, dtype, tolerance):
    key = f"trainings/{kind}/{optimizer}"
    x, y = keras_reference["trainings/x"], keras_reference[f"trainings/{kind}/y"]
    model = network(kind, dtype)
    model.compile(OPTIMIZERS[optimizer](), LOSSES[kind], metrics=[MEASURED[kind]])
    logs = [
        model.train_on_batch(x[start : start + 3], y[start : start + 3])
        for start in range(0, 60, 3)
    ]
    np.testing.assert_allclose(logs, keras_reference[f"{key}/logs"], rtol=0, atol=4 * tolerance)
    for i, weight in enumerate(model.get_weights()):
        expected = keras_reference[f"{key}/weights/{i}"]
        np.testing.assert_allclose(weight, expected, rtol=0, atol=2 * tolerance)
    predictions = model.predict(x, verbose=0)
    expected = keras_reference[f"{key}/predictions"]
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(predictions, expected, rtol=0, atol=2 * tolerance * scale)
    evaluation = model.evaluate(x, y, batch_size=20, verbose=0)
    np.testing.assert_allclose(
        evaluation, keras_reference[f"{key}/evaluation"], rtol=0, atol=4 * tolerance
    )


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 2e-6), ("float32", 2e-4)])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("kind", LOSSES)
def test_epochs_with_a_part_batch_weights_and_validation(
    keras_reference, kind, optimizer, dtype, tolerance
):
    key = f"trainings/{kind}/{optimizer}/history/"
    x, y = keras_reference["trainings/x"], keras_reference[f"trainings/{kind}/y"]
    model = network(kind, dtype)
    model.compile(OPTIMIZERS[optimizer](), LOSSES[kind], weighted_metrics=[MEASURED[kind]])
    history = model.fit(
        x,
        y,
        batch_size=20,
        epochs=3,
        shuffle=False,
        validation_split=0.25,
        sample_weight=np.linspace(0.5, 1.5, 64),
        verbose=0,
    ).history
    expected = {
        name.removeprefix(key): values
        for name, values in keras_reference.items()
        if name.startswith(key)
    }
    assert set(history) == set(expected)
    for name, values in history.items():
        assert all(type(value) is float for value in values)
        scale = max(1.0, np.abs(expected[name]).max())
        np.testing.assert_allclose(values, expected[name], rtol=0, atol=2 * tolerance * scale)
