"""Callbacks that set the learning rate, stop at NaN, or call functions."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import tapegrad as tg
from tapegrad.callbacks import (
    Callback,
    EarlyStopping,
    History,
    LambdaCallback,
    LearningRateScheduler,
    ProgbarLogger,
    ProgressBar,
    ReduceLROnPlateau,
    StopAtThreshold,
    TerminateOnNaN,
)


def small_model():
    model = tg.Sequential([tg.layers.Dense(1, input_dim=2)])
    model.compile(tg.optimizers.SGD(0.1), "mse")
    return model


X, Y = np.ones((8, 2)), np.ones(8)


def fit(*callbacks, **options):
    model = small_model()
    return model.fit(X, Y, callbacks=list(callbacks), verbose=0, **options)


@pytest.mark.parametrize(
    "schedule",
    [
        lambda epoch, lr: lr if epoch < 1 else lr / 2,
        lambda epoch: 0.1 / 2 ** max(epoch, 0),
        lambda epoch, lr=None: tg.tensor(0.1) / 2**epoch,
        lambda *args: np.float32(0.1) / 2 ** args[0],
    ],
)
def test_scheduler(schedule):
    rates = fit(LearningRateScheduler(schedule), epochs=3).history["learning_rate"]
    assert rates == pytest.approx([0.1, 0.05, 0.025])


def test_scheduler_says_what_it_does(capsys):
    fit(LearningRateScheduler(lambda epoch: 0.5, verbose=1), epochs=1)
    text = "\nEpoch 1: LearningRateScheduler setting learning rate to 0.5.\n"
    assert capsys.readouterr().out == text


@pytest.mark.parametrize("result", [None, "fast", [0.1, 0.2], True])
def test_scheduler_refuses_what_is_no_number(result):
    with pytest.raises(ValueError, match="schedule must return a number"):
        fit(LearningRateScheduler(lambda epoch: result))


def test_scheduler_hides_no_error_of_the_function():
    def schedule(epoch, lr):
        raise TypeError("mine")

    with pytest.raises(TypeError, match="mine"):
        fit(LearningRateScheduler(schedule))
    with pytest.raises(TypeError, match="must be a function"):
        LearningRateScheduler(0.1)


def test_reducing_says_what_it_does(capsys):
    callback = ReduceLROnPlateau("loss", factor=0.5, patience=1, verbose=1, min_delta=10.0)
    rates = fit(callback, epochs=3).history["learning_rate"]
    assert rates == pytest.approx([0.1, 0.1, 0.05])
    assert "Epoch 2: ReduceLROnPlateau reducing learning rate to 0.05." in capsys.readouterr().out
    with pytest.raises(ValueError, match="factor must lie between 0 and 1, but is 1"):
        ReduceLROnPlateau(factor=1.0)
    with pytest.warns(UserWarning, match="'val_loss' is not measured"):
        fit(ReduceLROnPlateau())


def test_a_rate_at_its_bound_is_not_reduced_again(capsys):
    # 0.1 * 0.1 is 0.010000000000000002, which is the bound of 0.01.
    callback = ReduceLROnPlateau("loss", patience=1, verbose=1, min_delta=10.0, min_lr=0.01)
    rates = fit(callback, epochs=5).history["learning_rate"]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.01])
    assert capsys.readouterr().out.count("reducing learning rate") == 1
    assert callback.wait == 3


def test_a_model_without_optimizer():
    callback = LearningRateScheduler(lambda epoch: 0.1)
    callback.set_model(SimpleNamespace(optimizer=None))
    with pytest.raises(ValueError, match="compile it first"):
        callback.on_epoch_begin(0)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_ends_training_at_its_batch(bad, capsys):
    callback = TerminateOnNaN()
    callback.set_model(model := SimpleNamespace(stop_training=False))
    callback.on_epoch_begin(3)
    callback.on_train_batch_end(0, {"loss": 1.0})
    callback.on_train_batch_end(1, {})
    assert not model.stop_training
    callback.on_train_batch_end(17, {"loss": bad})
    assert model.stop_training
    assert capsys.readouterr().out == "Batch 17: Invalid loss, terminating training\n"
    strict = TerminateOnNaN(raise_error=True)
    strict.on_epoch_begin(3)
    with pytest.raises(RuntimeError, match="at batch 17 of epoch 4"):
        strict.on_train_batch_end(17, {"loss": bad})


def test_nan_ends_fit():
    model = small_model()
    model.compile(tg.optimizers.SGD(1e30), "mse")
    with np.errstate(all="ignore"):  # that it overflows is the point
        history = model.fit(
            X * 1e3, Y, batch_size=1, epochs=50, verbose=0, callbacks=[TerminateOnNaN()]
        )
    assert len(history.epoch) == 1


def test_lambda_callback():
    calls = []
    callback = LambdaCallback(
        on_epoch_begin=lambda epoch, logs: calls.append(f"epoch {epoch}"),
        on_train_batch_end=lambda batch, logs: calls.append(f"batch {batch} {list(logs)}"),
        on_train_end=lambda logs: calls.append("end"),
        on_test_begin=lambda logs: calls.append("test"),
    )
    fit(callback, batch_size=4, validation_data=(X, Y))
    assert calls == ["epoch 0", "batch 0 ['loss']", "batch 1 ['loss']", "test", "end"]
    with pytest.raises(
        TypeError, match=r"no method 'on_epoch_ends'. Did you mean \"on_epoch_end\""
    ):
        LambdaCallback(on_epoch_ends=print)
    with pytest.raises(TypeError, match="on_train_end must be a function"):
        LambdaCallback(on_train_end=3)  # type: ignore[arg-type]


def test_states():
    assert Callback().get_state() == {}
    Callback().set_state({})
    assert ProgbarLogger is ProgressBar

    history = History()
    history.on_epoch_end(0, {"loss": 1.0})
    again = History()
    again.on_train_begin()
    again.set_state(history.get_state())
    again.on_epoch_end(1, {"loss": 0.5})
    assert again.history == {"loss": [1.0, 0.5]}
    assert again.epoch == [0, 1]
    assert history.history == {"loss": [1.0]}

    threshold = StopAtThreshold("loss", 0.5)
    threshold.set_model(SimpleNamespace(stop_training=False))
    threshold.on_epoch_end(2, {"loss": 0.4})
    again = StopAtThreshold("loss", 0.5)
    again.set_state(threshold.get_state())
    assert again.stopped_epoch == 2

    stopping = EarlyStopping("loss", restore_best_weights=True)
    stopping.set_model(model := small_model())
    stopping.on_train_begin()
    stopping.on_epoch_end(0, {"loss": 1.0})
    state = stopping.get_state()
    model.set_weights([np.zeros((2, 1)), np.zeros(1)])
    again = EarlyStopping("loss", restore_best_weights=True)
    again.set_model(model)
    again.on_train_begin()
    again.set_state(state)
    again.on_epoch_end(1, {"loss": 2.0})
    assert model.stop_training
    again.on_train_end()
    np.testing.assert_array_equal(model.get_weights()[0], state["best_weights"][0])
    assert np.any(model.get_weights()[0] != 0)
