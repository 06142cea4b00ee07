"""Pipelines in `fit`, `evaluate` and `predict`."""

from __future__ import annotations

import threading

import numpy as np

import tapegrad as tg
from tapegrad.callbacks import Callback
from tapegrad.data import Dataset

X = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
Y = X.sum(1, keepdims=True)


def make_model():
    tg.set_seed(0)
    model = tg.Sequential([tg.layers.Dense(4, activation="tanh", input_dim=3), tg.layers.Dense(1)])
    model.compile("adam", "mse")
    return model


def test_a_pipeline_trains_as_arrays_do(tmp_path):
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    expected = make_model()
    losses = expected.fit(X, Y, batch_size=8, epochs=3, shuffle=False, verbose=0).history["loss"]
    rows = Dataset.from_tensor_slices((X, Y))
    files = Dataset.from_npy((tmp_path / "x.npy", tmp_path / "y.npy"))
    for dataset in (
        rows.batch(8),
        rows.map(lambda x, y: (x + 0, y), num_parallel_calls=3).batch(8).prefetch(2),
        rows.cache().batch(8),
        files.batch(8).prefetch(2),
        files.cache(tmp_path / "cached").batch(8),
        Dataset.from_generator(lambda: zip(X, Y)).batch(8),
    ):
        model = make_model()
        assert model.fit(dataset, epochs=3, verbose=0).history["loss"] == losses
        np.testing.assert_array_equal(model.get_weights()[0], expected.get_weights()[0])
    assert expected.evaluate(rows.batch(8), verbose=0) == expected.evaluate(
        X, Y, batch_size=8, verbose=0
    )
    np.testing.assert_array_equal(
        expected.predict(Dataset.from_tensor_slices(X).batch(8), verbose=0),
        expected.predict(X, batch_size=8, verbose=0),
    )


def test_threads_end_with_training():
    before = set(threading.enumerate())
    dataset = Dataset.from_tensor_slices((X, Y)).repeat().shuffle(20)
    dataset = dataset.map(lambda x, y: (x, y), 3).batch(8).prefetch(4)
    model = make_model()
    history = model.fit(dataset, epochs=2, steps_per_epoch=5, verbose=0)
    assert len(history.epoch) == 2

    class Stop(Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 2

    model.fit(dataset, epochs=2, steps_per_epoch=5, verbose=0, callbacks=[Stop()])
    assert set(threading.enumerate()) <= before


def test_windows_of_a_series_are_learnt():
    series = np.sin(np.arange(200) / 5)
    dataset = tg.utils.timeseries_dataset_from_array(
        series[:-8], series[8:], sequence_length=8, batch_size=16, shuffle=True, seed=0
    )
    tg.set_seed(0)
    model = tg.Sequential([tg.layers.Dense(1, input_dim=8)])
    model.compile(tg.optimizers.Adam(0.05), "mse")
    left, right = tg.utils.split_dataset(dataset, left_size=0.8)
    losses = model.fit(left, validation_data=right, epochs=20, verbose=0).history
    assert losses["val_loss"][-1] < 0.01 < losses["val_loss"][0]
