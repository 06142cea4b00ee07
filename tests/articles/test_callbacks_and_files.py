"""Listings around training: callbacks, data of every kind, models and weights in files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def regression(rng):
    """Return 100 points in six dimensions and a smooth function of them."""
    x = rng.random((100, 6)).astype("float32")
    return x, x.sum(axis=1) ** 2


def test_stop_keep_the_best_and_log(regression):
    x, y = regression

    import tapegrad as keras
    from tapegrad import callbacks, layers

    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="relu", kernel_regularizer=keras.regularizers.l2(1e-3)),
            layers.BatchNormalization(),
            layers.Dense(1),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(0.05), loss="mse", metrics=["mae"])
    early = callbacks.EarlyStopping(monitor="val_loss", patience=3, restore_best_weights=True)
    seen = []
    callbacks_list = [
        early,
        callbacks.ModelCheckpoint(
            filepath="best.tapegrad", monitor="val_loss", save_best_only=True
        ),
        callbacks.CSVLogger("training.log"),
        callbacks.TensorBoard(log_dir="./logs"),
        callbacks.TerminateOnNaN(),
        callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(logs["val_mae"])),
    ]
    history = model.fit(x, y, epochs=200, validation_split=0.2, callbacks=callbacks_list, verbose=0)
    epochs = len(history.epoch)
    losses = history.history["val_loss"]
    best = int(np.argmin(losses))
    assert epochs < 200
    assert early.stopped_epoch == epochs - 1 == best + 3
    assert seen == history.history["val_mae"]

    restored = model.evaluate(x[80:], y[80:], verbose=0)[0]
    assert restored == pytest.approx(losses[best], rel=1e-5)
    loaded = keras.models.load_model("best.tapegrad")
    assert loaded.evaluate(x[80:], y[80:], verbose=0)[0] == pytest.approx(losses[best], rel=1e-5)
    with open("training.log", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["val_loss"]) for row in rows] == pytest.approx(losses)
    assert any(Path("logs").rglob("events*"))


def test_learning_rates_that_change(regression):
    x, y = regression

    import tapegrad as keras
    from tapegrad import callbacks

    def new_model(rate):
        model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1)])
        model.compile(optimizer=keras.optimizers.SGD(learning_rate=rate), loss="mse")
        return model

    def scheduler(epoch, lr):
        return lr if epoch < 2 else lr * 0.5

    model = new_model(0.01)
    history = model.fit(
        x, y, epochs=4, callbacks=[callbacks.LearningRateScheduler(scheduler)], verbose=0
    )
    assert history.history["learning_rate"] == pytest.approx([0.01, 0.01, 0.005, 0.0025])

    model = new_model(0.01)
    reduce_lr = callbacks.ReduceLROnPlateau(
        monitor="loss", factor=0.2, patience=1, min_delta=1e9, min_lr=0.001
    )
    model.fit(x, y, epochs=4, callbacks=[reduce_lr], verbose=0)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.001)

    schedule = keras.optimizers.schedules.ExponentialDecay(
        initial_learning_rate=1e-2, decay_steps=10, decay_rate=0.9, staircase=True
    )
    model = new_model(schedule)
    model.fit(x, y, batch_size=10, epochs=2, verbose=0)
    assert int(model.optimizer.iterations) == 20
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01 * 0.9**2)


def test_callback_class_that_watches_and_stops(regression):
    x, y = regression

    import tapegrad as keras

    class LossHistory(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.losses = []
            assert self.params["epochs"] == 10
            assert self.params["steps"] == 4

        def on_train_batch_end(self, batch, logs=None):
            self.losses.append(logs["loss"])

        def on_epoch_end(self, epoch, logs=None):
            assert {"loss", "val_loss"} <= set(logs)
            if epoch == 2:
                self.model.stop_training = True

    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    watcher = LossHistory()
    history = model.fit(
        x, y, batch_size=20, epochs=10, validation_split=0.2, callbacks=[watcher], verbose=0
    )
    assert history.epoch == [0, 1, 2]
    assert len(watcher.losses) == 12
    # The values of batches are means since the epoch began: the last one is the epoch's.
    assert watcher.losses[3::4] == history.history["loss"]


def test_data_sets_generators_and_sequences(rng):
    import tapegrad as keras
    from tapegrad import layers

    x = rng.normal(size=(96, 6)).astype("float32")
    y = (x.sum(axis=1) > 0).astype("int64")
    dataset = keras.data.Dataset.from_tensor_slices((x, y)).shuffle(96).batch(16).prefetch(2)
    val_dataset = keras.data.Dataset.from_tensor_slices((x, y)).batch(16)
    model = keras.Sequential([layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.Adam(0.05), "binary_crossentropy", metrics=["accuracy"])
    model.fit(dataset, epochs=15, validation_data=val_dataset, verbose=0)
    loss, accuracy = model.evaluate(val_dataset, verbose=0)
    assert accuracy > 0.9
    assert [loss, accuracy] == pytest.approx(model.evaluate(x, y, batch_size=16, verbose=0))
    np.testing.assert_allclose(
        model.predict(val_dataset, verbose=0), model.predict(x, verbose=0), atol=1e-6
    )

    def batches():
        while True:
            rows = rng.integers(0, 96, 8)
            yield x[rows], y[rows]

    history = model.fit(
        batches(),
        steps_per_epoch=5,
        epochs=2,
        validation_data=batches(),
        validation_steps=3,
        verbose=0,
    )
    assert history.epoch == [0, 1]
    assert set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}

    class Batches(keras.utils.PyDataset):
        def __init__(self, size, **kwargs):
            super().__init__(**kwargs)
            self.size = size

        def __len__(self):
            return -(-len(x) // self.size)

        def __getitem__(self, index):
            rows = slice(index * self.size, (index + 1) * self.size)
            return x[rows], y[rows]

    assert model.evaluate(Batches(16), verbose=0) == pytest.approx(
        model.evaluate(x, y, batch_size=16, verbose=0)
    )


def test_data_frames_and_sparse_rows(rng):
    pandas = pytest.importorskip("pandas")
    sparse = pytest.importorskip("scipy.sparse")

    import tapegrad as keras

    frame = pandas.DataFrame(rng.random((50, 4)), columns=list("abcd"))
    target = pandas.Series(rng.integers(0, 2, 50))
    model = keras.Sequential([keras.layers.Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    model.fit(frame, target, epochs=2, verbose=0)
    np.testing.assert_array_equal(
        model.predict(frame, verbose=0), model.predict(frame.to_numpy("float32"), verbose=0)
    )
    history = pandas.DataFrame(model.history.history)
    assert history.shape == (2, 2)

    rows = sparse.random(50, 30, density=0.1, format="csr", random_state=0)
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(rows, rng.random(50), verbose=0)
    np.testing.assert_allclose(
        model.predict(rows, verbose=0), model.predict(rows.toarray(), verbose=0), atol=1e-6
    )


def test_normalization_learnt_from_data(regression):
    x, y = regression
    x = 10 * x + 3

    import tapegrad as keras
    from tapegrad import layers

    normalizer = layers.Normalization(axis=-1)
    normalizer.adapt(x)
    normalized = normalizer(x).numpy()
    np.testing.assert_allclose(normalized.mean(axis=0), 0.0, atol=1e-5)
    np.testing.assert_allclose(normalized.std(axis=0), 1.0, atol=1e-4)
    model = keras.Sequential([normalizer, layers.Dense(units=1)])
    model.compile(optimizer=keras.optimizers.Adam(learning_rate=0.5), loss="mean_absolute_error")
    history = model.fit(x, y, epochs=30, verbose=0, validation_split=0.2).history
    assert history["val_loss"][-1] < 0.2 * history["val_loss"][0]


def test_steps_on_single_batches(blobs):
    x, y = blobs[0][:32], blobs[1][:32]

    import tapegrad as keras

    model = keras.Sequential([keras.layers.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    first = model.train_on_batch(x, y)
    assert len(first) == 2
    for _ in range(50):
        values = model.train_on_batch(x, y, return_dict=True)
    assert values["loss"] < first[0]
    assert model.test_on_batch(x, y)[0] < values["loss"]
    assert model.predict_on_batch(x).shape == (32, 3)
    assert model.metrics_names[0] == "loss"


def test_own_layers_functions_and_models_come_back_from_files(rng):
    import tapegrad as keras
    from tapegrad import layers

    @keras.saving.register_keras_serializable(package="MyLayers")
    class Scaled(layers.Layer):
        def __init__(self, factor, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor

        def call(self, x):
            return x * self.factor

        def get_config(self):
            return {**super().get_config(), "factor": self.factor}

    @keras.saving.register_keras_serializable(package="my_package", name="squared")
    def squared(x):
        return x**2

    @keras.saving.register_keras_serializable()
    class Network(keras.Model):
        def __init__(self, units=3, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.dense = layers.Dense(units)
            self.scaled = Scaled(2.0)

        def call(self, x):
            return self.scaled(self.dense(x))

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    x, y = rng.random((10, 4)), rng.random((10, 3))
    network = Network()
    network.compile("adam", "mse")
    network.fit(x, y, verbose=0)
    network.save("network.tapegrad")
    loaded = keras.models.load_model("network.tapegrad")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), network.predict(x, verbose=0))
    # The optimizer comes back too: the next step is the same.
    network.fit(x, y, shuffle=False, verbose=0)
    loaded.fit(x, y, shuffle=False, verbose=0)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), network.predict(x, verbose=0))

    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(2, activation=squared)(Scaled(3.0)(inputs)))
    model.save("own.tapegrad")
    loaded = keras.models.load_model("own.tapegrad")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize("name", ["weights.safetensors", "model.weights.h5"])
def test_weights_and_architecture_apart(rng, name):
    if name.endswith(".h5"):
        pytest.importorskip("h5py")

    import tapegrad as keras
    from tapegrad import layers

    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(8, activation="relu"), layers.Dense(2)]
    )
    x = rng.random((5, 4))
    expected = model.predict(x, verbose=0)
    model.save_weights(name)
    json_config = model.to_json()
    assert json.loads(json_config)["class_name"] == "Sequential"

    again = keras.models.model_from_json(json_config)
    assert (again.predict(x, verbose=0) != expected).any()
    again.load_weights(name)
    np.testing.assert_array_equal(again.predict(x, verbose=0), expected)
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone.predict(x, verbose=0), expected)
