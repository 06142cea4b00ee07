"""Callbacks that decide something decide as Keras's do, over made-up curves."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tapegrad.callbacks import EarlyStopping, ModelCheckpoint, ReduceLROnPlateau

_PATH = Path(__file__).parent.parent / "reference" / "callbacks_reference.npz"
with np.load(_PATH, allow_pickle=False) as _file:
    CURVES = _file["curves"]
    RESULTS = json.loads(str(_file["results"]))


def cases(name):
    return pytest.mark.parametrize(
        ("options", "results"),
        [(case["options"], case["results"]) for case in RESULTS[name]],
        ids=str,
    )


class Model:
    def __init__(self):
        self.stop_training = False
        self.optimizer = SimpleNamespace(learning_rate=0.01)
        self.weight = -1
        self.saved = []

    def get_weights(self):
        return self.weight

    def set_weights(self, weight):
        self.weight = weight

    def save(self, path, overwrite=True):
        self.saved.append(path)


def resumed(callback, make, model):
    """Return a new callback with the state of another, as JSON keeps it."""
    state = json.loads(json.dumps(callback.get_state()))
    another = make()
    another.set_model(model)
    another.on_train_begin()
    another.set_state(state)
    return another


@pytest.mark.parametrize("killed_after", [None, 2, 6])
@cases("stopping")
def test_early_stopping(options, results, killed_after):
    for curve, (epochs, best_epoch, weight, stopped) in zip(CURVES, results):
        model = Model()

        def make():
            return EarlyStopping("val_x", **options)

        callback = make()
        callback.set_model(model)
        callback.on_train_begin()
        ran = 0
        for epoch, value in enumerate(curve):
            model.weight = [epoch]
            callback.on_epoch_end(epoch, {"val_x": value})
            ran += 1
            if model.stop_training:
                break
            if epoch == killed_after:
                callback = resumed(callback, make, model)
        callback.on_train_end()
        found = [ran, callback.best_epoch, model.weight[0], callback.stopped_epoch]
        assert found == [epochs, best_epoch, weight, stopped]


@pytest.mark.parametrize("killed_after", [None, 2, 6])
@cases("plateau")
def test_reduce_lr_on_plateau(options, results, killed_after):
    for curve, rates in zip(CURVES, results):
        model = Model()

        def make():
            return ReduceLROnPlateau("val_x", **options)

        callback = make()
        callback.set_model(model)
        callback.on_train_begin()
        before = 0.01
        for epoch, (value, rate) in enumerate(zip(curve, rates)):
            logs = {"val_x": value}
            callback.on_epoch_end(epoch, logs)
            assert logs["learning_rate"] == before, "the rate that the epoch was trained with"
            before = model.optimizer.learning_rate
            assert before == pytest.approx(rate, rel=1e-12)
            if epoch == killed_after:
                callback = resumed(callback, make, model)


@pytest.mark.parametrize("killed_at", [None, (2, 3), (6, 4)])
@cases("checkpoint")
def test_model_checkpoint(options, results, killed_at, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for curve, saved in zip(CURVES, results):
        model = Model()
        by_batch = "" if options["save_freq"] == "epoch" else "-{batch}"
        name = f"{{epoch:02d}}{by_batch}-{{val_x:.3f}}.tapegrad"

        def make(name=name):
            return ModelCheckpoint(name, "val_x", **options)

        callback = make()
        callback.set_model(model)
        callback.on_train_begin()
        for epoch, value in enumerate(curve):
            callback.on_epoch_begin(epoch)
            for batch in range(5):
                callback.on_train_batch_end(batch, {"val_x": value + 0.01 * batch})
                if (epoch, batch) == killed_at:
                    callback = resumed(callback, make, model)
                    callback.on_epoch_begin(epoch)
            callback.on_epoch_end(epoch, {"val_x": value})
        assert [path.removesuffix(".tapegrad") for path in model.saved] == saved
