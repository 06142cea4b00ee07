"""When callbacks are called, and when those that stop training do so."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad.callbacks import (
    Callback,
    CallbackList,
    EarlyStopping,
    History,
    StopAtThreshold,
)


class Model:
    """Stands in for a model whose value is set from outside."""

    def __init__(self):
        self.stop_training = False
        self.metrics = []
        self.weights = [np.zeros(1)]

    def get_weights(self):
        return [w.copy() for w in self.weights]

    def set_weights(self, weights):
        self.weights = weights


def run(callback, values, monitor="val_loss"):
    """Feed a callback one value an epoch; return how many epochs ran and the model."""
    model = Model()
    callback.set_model(model)
    callback.on_train_begin()
    ran = 0
    for epoch, value in enumerate(values):
        model.weights = [np.full(1, epoch)]
        callback.on_epoch_end(epoch, {monitor: value})
        ran += 1
        if model.stop_training:
            break
    callback.on_train_end()
    return ran, model


@pytest.mark.parametrize(
    ("options", "values", "epochs"),
    [
        ({}, [3, 2, 2.5, 1], 3),
        ({"patience": 2}, [3, 2, 2.5, 2.4, 1], 4),
        ({"patience": 2}, [3, 2, 2.5, 1, 1.1, 1.2], 6),
        ({"min_delta": 0.5}, [3, 2.8, 1], 2),
        ({"min_delta": 0.5, "patience": 2}, [3, 2.8, 2.4, 2.3, 2.2], 5),
        ({"baseline": 1.0, "patience": 2}, [3, 2, 1.5, 1.6, 0.5], 4),
        ({"baseline": 2.5, "patience": 2}, [3, 2, 1.5, 1.6, 0.5], 5),
        ({"start_from_epoch": 2}, [1, 2, 3, 2.5, 2.6], 5),
        ({"mode": "max"}, [1, 2, 1.5], 3),
        ({"monitor": "val_accuracy"}, [0.5, 0.6, 0.55, 0.9], 3),
    ],
)
def test_early_stopping(options, values, epochs):
    callback = EarlyStopping(**options)
    assert run(callback, values, callback.monitor)[0] == epochs


@pytest.mark.parametrize("restore", [False, True])
def test_early_stopping_restores_the_best_weights(restore):
    callback = EarlyStopping(patience=2, restore_best_weights=restore)
    ran, model = run(callback, [3, 1, 2, 2, 2])
    assert ran == 4
    assert callback.best_epoch == 1
    assert callback.stopped_epoch == 3
    assert model.weights[0][0] == (1 if restore else 3)


def test_early_stopping_keeps_weights_of_nan_runs(capsys):
    callback = EarlyStopping(patience=1, restore_best_weights=True, verbose=1)
    _, model = run(callback, [float("nan"), float("nan"), float("nan")])
    assert model.weights[0][0] == 0
    assert "early stopping" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "values", "epochs"),
    [
        ({"monitor": "loss", "threshold": 0.5}, [1, 0.6, 0.5, 0.1], 3),
        ({"monitor": "val_accuracy", "threshold": 0.9}, [0.5, 0.95, 0.99], 2),
        ({"monitor": "score", "threshold": 2, "mode": "max"}, [1, 3], 2),
        ({"monitor": "loss", "threshold": 0.5}, [float("nan"), 1.0], 2),
    ],
)
def test_stop_at_threshold(options, values, epochs):
    callback = StopAtThreshold(**options)
    assert run(callback, values, callback.monitor)[0] == epochs


def test_direction_is_asked_of_the_metric():
    model = Model()
    model.metrics = [tg.metrics.MeanSquaredError("closeness")]
    callback = EarlyStopping(monitor="val_closeness")
    callback.set_model(model)
    assert callback.sign() == -1
    unknown = EarlyStopping(monitor="closeness")
    unknown.set_model(Model())
    with pytest.raises(ValueError, match='mode="max"'):
        unknown.sign()


def test_a_value_that_is_not_measured_is_warned_of():
    with pytest.warns(UserWarning, match="'val_loss' is not measured; there are 'loss'"):
        run(EarlyStopping(), [1.0], monitor="loss")


def test_bad_arguments():
    with pytest.raises(ValueError, match="mode is"):
        EarlyStopping(mode="up")
    with pytest.raises(ValueError, match="NaN"):
        StopAtThreshold(threshold=float("nan"))
    with pytest.raises(TypeError, match="expected Callback objects"):
        CallbackList([History])


def test_only_overwritten_methods_are_called():
    calls = []

    class Short(Callback):
        def on_batch_end(self, batch, logs=None):
            calls.append(batch)

    callbacks = CallbackList([Callback(), Short()])
    assert callbacks.wants("on_train_batch_end")
    assert not callbacks.wants("on_epoch_end")
    callbacks.on_train_batch_end(3, {})
    callbacks.on_epoch_end(0, {})
    with pytest.raises(AttributeError):
        callbacks.something  # noqa: B018
    assert calls == [3]


def test_logs_are_always_given():
    calls = []

    class Strict(Callback):
        def on_train_begin(self, logs):
            calls.append(logs)

        def on_train_batch_begin(self, batch, logs):
            calls.append((batch, logs))

        def on_epoch_end(self, epoch, logs):
            calls.append((epoch, logs))

    callbacks = CallbackList(Strict())
    callbacks.on_train_begin()
    callbacks.on_train_batch_begin(3)
    callbacks.on_epoch_end(1, {"loss": 1.0})
    assert calls == [{}, (3, {}), (1, {"loss": 1.0})]


def test_order_of_calls_in_fit():
    calls = []

    class Recorder(Callback):
        pass

    for name in dir(Callback):
        if name.startswith("on_") and name not in ("on_batch_begin", "on_batch_end"):
            setattr(Recorder, name, lambda self, *a, name=name: calls.append(name))
    model = tg.Sequential([tg.layers.Dense(1, input_dim=2)])
    model.compile("sgd", "mse")
    x, y = np.ones((4, 2)), np.ones(4)
    model.fit(x, y, batch_size=2, validation_data=(x, y), callbacks=[Recorder()], verbose=0)
    batch = ["on_train_batch_begin", "on_train_batch_end"]
    test_batch = ["on_test_batch_begin", "on_test_batch_end"]
    epoch = [*batch, *batch, "on_test_begin", *test_batch, *test_batch, "on_test_end"]
    # Two samples a batch: the validation set of four is two batches as well.
    assert calls == ["on_train_begin", "on_epoch_begin", *epoch, "on_epoch_end", "on_train_end"]
    calls.clear()
    model.predict(x, callbacks=[Recorder()])
    assert calls == [
        "on_predict_begin",
        "on_predict_batch_begin",
        "on_predict_batch_end",
        "on_predict_end",
    ]


def test_values_added_by_callbacks_are_in_the_history():
    seen = []

    class Adder(Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["rate"] = float(self.model.optimizer.learning_rate)
            seen.append(len(self.model.history.history["loss"]))

    model = tg.Sequential([tg.layers.Dense(1, input_dim=2)])
    model.compile("sgd", "mse")
    x, y = np.ones((4, 2)), np.ones(4)
    history = model.fit(x, y, epochs=3, callbacks=CallbackList([Adder()]), verbose=0).history
    assert history["rate"] == [0.01, 0.01, 0.01]
    assert seen == [1, 2, 3]
