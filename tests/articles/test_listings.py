"""Listings as articles and courses print them, with only the imports changed."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def blobs():
    """Return three clouds of points, to train and to test with."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 80)
    centres = np.array([[2.0, 0, 0, 1], [0, 2.0, 0, -1], [0, 0, 2.0, 0]])
    x = centres[labels] + 0.4 * rng.normal(size=(240, 4))
    order = rng.permutation(240)
    x, labels = x[order], labels[order]
    return x[:180], labels[:180], x[180:], labels[180:]


def test_dense_network(blobs):
    X_train, y_train, X_test, y_test = blobs

    import tapegrad as tg
    from tapegrad.layers import Dense
    from tapegrad.models import Sequential
    from tapegrad.optimizers import Adam
    from tapegrad.utils import to_categorical

    tg.utils.set_random_seed(0)
    y_train = to_categorical(y_train)
    y_test = to_categorical(y_test, num_classes=3)

    model = Sequential()
    model.add(Dense(64, activation="relu", input_dim=X_train.shape[1]))
    model.add(Dense(64, activation="relu"))
    model.add(Dense(3, activation="softmax"))

    with pytest.warns(DeprecationWarning, match="lr is deprecated"):
        model.compile(
            loss="categorical_crossentropy", optimizer=Adam(lr=0.001), metrics=["accuracy"]
        )
    history = model.fit(
        X_train, y_train, epochs=10, batch_size=32, validation_data=(X_test, y_test), verbose=0
    )
    _loss, accuracy = model.evaluate(X_test, y_test, verbose=0)
    assert len(history.history["val_accuracy"]) == 10
    assert accuracy > 0.95
    assert history.history["val_accuracy"][-1] == accuracy
    predictions = model.predict(X_test, verbose=0)
    assert (predictions.argmax(axis=1) == y_test.argmax(axis=1)).mean() == pytest.approx(accuracy)


def test_binary_classifier(blobs):
    x, labels, _, _ = blobs
    y = (labels == 0).astype(int)

    from tapegrad import layers, models

    model = models.Sequential(
        [
            layers.Input(shape=(4,)),
            layers.Dense(16, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=30, batch_size=16, validation_split=0.2, verbose=0)
    assert model.evaluate(x, y, verbose=0)[1] > 0.9


def test_linear_regression_by_hand_and_by_fit():
    import tapegrad as tg
    from tapegrad.layers import Dense
    from tapegrad.models import Sequential
    from tapegrad.optimizers import SGD

    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 1))
    y = 3.0 * x + 2.0 + 0.1 * rng.normal(size=(100, 1))
    design = np.hstack([x, np.ones_like(x)])
    slope, intercept = np.linalg.lstsq(design, y, rcond=None)[0].ravel()

    w = tg.Variable(0.0)
    b = tg.Variable(0.0)
    for _ in range(200):
        with tg.Tape() as tape:
            loss = ((w * x + b - y) ** 2).mean()
        dw, db = tape.gradient(loss, [w, b])
        w.assign(w - 0.1 * dw)
        b.assign(b - 0.1 * db)
    assert float(w) == pytest.approx(slope, abs=1e-4)
    assert float(b) == pytest.approx(intercept, abs=1e-4)

    model = Sequential([Dense(1, input_shape=(1,))])
    model.compile(optimizer=SGD(learning_rate=0.1), loss="mean_squared_error")
    model.fit(x, y, epochs=200, batch_size=100, verbose=0)
    kernel, bias = model.get_weights()
    assert kernel[0, 0] == pytest.approx(slope, abs=1e-4)
    assert bias[0] == pytest.approx(intercept, abs=1e-4)


def test_custom_training_loop(blobs):
    x, labels, _, _ = blobs

    import tapegrad as tg

    tg.set_seed(0)
    model = tg.Sequential([tg.layers.Dense(16, activation="tanh"), tg.layers.Dense(3)])
    loss_fn = tg.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = tg.optimizers.Adam(learning_rate=0.01)
    metric = tg.metrics.SparseCategoricalAccuracy()
    for _ in range(40):
        with tg.Tape() as tape:
            logits = model(x, training=True)
            loss_value = loss_fn(labels, logits)
        grads = tape.gradient(loss_value, model.trainable_weights)
        optimizer.apply_gradients(zip(grads, model.trainable_weights))
    metric.update_state(labels, model(x))
    assert float(metric.result()) > 0.95
