"""Running means in the place of weights."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad.callbacks import Callback, SwapEMAWeights

X = np.random.default_rng(0).normal(size=(12, 2))
Y = X.sum(1)


def make_model(**options):
    tg.set_seed(0)
    model = tg.Sequential([tg.layers.Dense(3, activation="tanh", input_dim=2), tg.layers.Dense(1)])
    model.compile(tg.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5, **options), "mse")
    return model


class Averager(Callback):
    """Keeps the means that the optimizer should keep, and sees weights at several points."""

    def __init__(self):
        super().__init__()
        self.means = None
        self.seen = {}

    def on_train_batch_end(self, batch, logs=None):
        self.weights = self.model.get_weights()
        before = self.weights if self.means is None else self.means  # the first step counts whole
        self.means = [0.5 * m + 0.5 * w for m, w in zip(before, self.weights)]

    def _see(self, name):
        now = self.model.get_weights()
        self.seen[name] = (same(now, self.means), same(now, self.weights))

    def on_test_begin(self, logs=None):
        self._see("test")

    def on_epoch_end(self, epoch, logs=None):
        self._see(f"end {epoch}")

    def on_epoch_begin(self, epoch, logs=None):
        if epoch:
            self._see(f"begin {epoch}")


def same(one, other):
    return all(np.allclose(a, b, atol=1e-6) for a, b in zip(one, other))


@pytest.mark.parametrize("swap_on_epoch", [False, True])
def test_means_are_in_place_when_they_should_be(swap_on_epoch):
    model, averager = make_model(), Averager()
    callbacks = [SwapEMAWeights(swap_on_epoch), averager]
    model.fit(X, Y, batch_size=4, epochs=2, validation_data=(X, Y), verbose=0, callbacks=callbacks)
    means, weights = (True, False), (False, True)
    at_end = means if swap_on_epoch else weights
    assert averager.seen == {"test": means, "end 0": at_end, "begin 1": weights, "end 1": at_end}
    assert same(model.get_weights(), averager.means), "for good after training"


def test_training_goes_the_same_way():
    losses = []
    for callbacks in ([], [SwapEMAWeights()], [SwapEMAWeights(swap_on_epoch=True)]):
        history = make_model().fit(
            X, Y, batch_size=4, epochs=3, validation_split=0.5, verbose=0, callbacks=callbacks
        )
        losses.append(history.history["loss"])
    assert losses[0] == losses[1] == losses[2]


def test_prediction():
    model, swap = make_model(), SwapEMAWeights()
    model.predict(X, callbacks=[swap])  # no step was taken: nothing to exchange
    for _ in range(3):
        model.train_on_batch(X, Y)
    before = model.get_weights()
    with_means = model.predict(X, callbacks=[swap])
    assert same(model.get_weights(), before)
    model.optimizer.finalize_variable_values(model.trainable_variables)
    np.testing.assert_allclose(model.predict(X), with_means, rtol=1e-6)
    assert not same(model.get_weights(), before)


def test_state():
    model, swap = make_model(), SwapEMAWeights(swap_on_epoch=True)
    model.train_on_batch(X, Y)
    swap.set_model(model)
    assert swap.get_state() == {"weights": None}
    before = model.get_weights()
    swap.on_epoch_end(0)
    again = SwapEMAWeights(swap_on_epoch=True)
    again.set_model(model)
    again.on_train_begin()
    again.set_state(swap.get_state())
    again.on_epoch_begin(1)
    assert same(model.get_weights(), before)


def test_an_optimizer_without_means():
    model = make_model()
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="use_ema=True"):
        model.evaluate(X, Y, verbose=0, callbacks=[SwapEMAWeights()])
