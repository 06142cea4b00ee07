"""Write what Keras 3's callbacks do over made-up training curves.

Run it with Keras installed, here with PyTorch as its backend::

    KERAS_BACKEND=torch python tests/reference/make_callbacks_reference.py

It writes `callbacks_reference.npz` beside itself; the tests read that file and need no Keras.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np

HERE = Path(__file__).parent

# The tests go through the same tables: they are kept in the file as JSON.
STOPPING = [
    {"patience": patience, "min_delta": delta, "mode": mode, **more}
    for patience in (0, 1, 3)
    for delta in (0, 0.05)
    for mode in ("min", "max")
    for more in (
        {"restore_best_weights": True},
        {"baseline": 0.5, "restore_best_weights": True},
        {"start_from_epoch": 4, "restore_best_weights": True},
    )
]
PLATEAU = [
    {"patience": patience, "cooldown": cooldown, "factor": factor, "min_lr": low, "mode": mode}
    for patience in (0, 1, 3)
    for cooldown in (0, 2)
    for factor, low in ((0.5, 0.0), (0.1, 3e-4))
    for mode in ("min", "max")
]
CHECKPOINT = [
    {"save_best_only": best, "mode": mode, "save_freq": freq, "initial_value_threshold": threshold}
    for best in (True, False)
    for mode in ("min", "max")
    for freq in ("epoch", 1, 3, 7)
    for threshold in (None, 0.45)
]
EPOCHS, BATCHES = 20, 5


def curves() -> np.ndarray:
    """Return four curves with plateaus: falling, rising, noise, and noise in steps."""
    generator = np.random.default_rng(0)
    noise = generator.normal(size=(4, EPOCHS)) * 0.1
    steps = np.linspace(0, 1, EPOCHS)
    levels = np.round(generator.uniform(size=EPOCHS), 1)
    return np.stack([np.exp(-2 * steps), 1 - np.exp(-2 * steps), 0.5 + 0 * steps, levels]) + (
        noise * [[1], [1], [1], [0]]
    )


class Model:
    """Stands in for a model: its weight is the number of the epoch."""

    def __init__(self) -> None:
        self.stop_training = False
        self.optimizer = SimpleNamespace(learning_rate=0.01)
        self.weight = -1
        self.saved: list[str] = []

    def get_weights(self):
        return self.weight

    def set_weights(self, weight):
        self.weight = weight

    def save(self, path, overwrite=True):
        self.saved.append(path)


def stopping(options: dict, curve: np.ndarray) -> list[float]:
    """Return epochs run, the best epoch, and the weights at the end."""
    model = Model()
    callback = keras.callbacks.EarlyStopping("val_x", **options)
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, value in enumerate(curve):
        model.weight = epoch
        callback.on_epoch_end(epoch, {"val_x": value})
        if model.stop_training:
            break
    callback.on_train_end()
    return [epoch + 1, callback.best_epoch, model.weight, callback.stopped_epoch]


def plateau(options: dict, curve: np.ndarray) -> list[float]:
    """Return the learning rate after each epoch."""
    model = Model()
    callback = keras.callbacks.ReduceLROnPlateau("val_x", **options)
    callback.set_model(model)
    callback.on_train_begin()
    rates = []
    for epoch, value in enumerate(curve):
        callback.on_epoch_end(epoch, {"val_x": value})
        rates.append(float(model.optimizer.learning_rate))
    return rates


def checkpoint(options: dict, curve: np.ndarray) -> list[str]:
    """Return the names of the files that were written."""
    model = Model()
    name = "{epoch:02d}-{val_x:.3f}.keras"
    if options["save_freq"] != "epoch":
        name = "{epoch:02d}-{batch}-{val_x:.3f}.keras"
    callback = keras.callbacks.ModelCheckpoint(name, "val_x", **options)
    callback.set_model(model)
    callback.on_train_begin()
    callback._set_monitor_op()  # Keras does so at the first epoch's end, too late for batches
    for epoch, value in enumerate(curve):
        callback.on_epoch_begin(epoch)
        for batch in range(BATCHES):
            callback.on_train_batch_end(batch, {"val_x": value + 0.01 * batch})
        callback.on_epoch_end(epoch, {"val_x": value})
    return [path.removesuffix(".keras") for path in model.saved]


def main() -> None:
    """Write the file."""
    data = curves()
    tables = {"stopping": STOPPING, "plateau": PLATEAU, "checkpoint": CHECKPOINT}
    functions = {"stopping": stopping, "plateau": plateau, "checkpoint": checkpoint}
    results = {
        name: [
            {"options": options, "results": [functions[name](options, curve) for curve in data]}
            for options in table
        ]
        for name, table in tables.items()
    }
    np.savez_compressed(
        HERE / "callbacks_reference.npz", curves=data, results=np.array(json.dumps(results))
    )


if __name__ == "__main__":
    main()
