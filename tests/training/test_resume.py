"""Runs that are broken off and taken up again end as if nothing had happened, bit by bit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import layers
from tapegrad.callbacks import BackupAndRestore, Callback, EarlyStopping, LambdaCallback

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64)
FILE = "latest.backup.safetensors"


class Interrupted(Exception):
    """What breaks a run off, in one process."""


class Interrupt(Callback):
    """Raises after so many batches."""

    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise Interrupted


def network(units=3, optimizer="adam", **options):
    tg.set_seed(1)
    model = tg.Sequential(
        [
            tg.Input((4,)),
            layers.Dense(units, activation="relu"),
            layers.Dropout(0.4),
            layers.Dense(2, activation="softmax"),
        ]
    )
    options = {"metrics": ["accuracy"], **options}
    model.compile(optimizer, "sparse_categorical_crossentropy", **options)
    return model


def fit(model, folder=None, stop=None, x=X, y=Y, frequency=1, extra=(), **options):
    chosen = [] if folder is None else [BackupAndRestore(folder, frequency)]
    chosen += extra
    if stop is not None:
        chosen.append(Interrupt(stop))
    options = {"epochs": 3, "batch_size": 8, "verbose": 0, "callbacks": chosen, **options}
    return model.fit(x, y, **options).history


def assert_same(a, b):
    for one, other in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def interrupted(folder, stop=7, **options):
    model = network()
    with pytest.raises(Interrupted):
        fit(model, folder, stop, **options)
    return model


@pytest.mark.parametrize("scenario", ["arrays", "pipeline", "generator"])
def test_killed_again_and_again(scenario, tmp_path):
    kills = 7
    script = Path(__file__).parent / "resumed_runs.py"
    command = [sys.executable, "-W", "error", str(script), str(tmp_path), scenario, "1", str(kills)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == kills


# ---- in one process --------------------------------------------------------------------


@pytest.mark.parametrize("frequency", [1, 3, "epoch"])
@pytest.mark.parametrize("stop", [1, 5, 8, 15])
def test_any_frequency_and_step(tmp_path, frequency, stop):
    whole = network()
    expected = fit(whole, validation_split=0.2)
    folder = tmp_path / "backup"
    broken = network()
    with pytest.raises(Interrupted):
        fit(broken, folder, min(stop, 12), frequency=frequency, validation_split=0.2)
    resumed = network()
    tg.set_seed(99)  # what was drawn until now must not matter
    history = fit(resumed, folder, frequency=frequency, validation_split=0.2)
    assert not folder.exists()
    if saved_before(frequency, stop):
        assert history == expected
        assert_same(resumed, whole)
    assert int(resumed.optimizer.iterations) == int(whole.optimizer.iterations)


def saved_before(frequency, stop):
    """Whether there was a backup before the interruption."""
    return min(stop, 12) > (4 if frequency == "epoch" else frequency)


class Batches:
    """What Keras calls a PyDataset; its own order changes after each pass."""

    def __init__(self):
        self.numbers = np.random.default_rng(5)
        self.order = np.arange(40)

    def __len__(self):
        return 5

    def __getitem__(self, index):
        rows = self.order[8 * index : 8 * index + 8]
        return X[rows], Y[rows]

    def on_epoch_end(self):
        self.numbers.shuffle(self.order)


def pipeline(seed=None):
    whole = tg.data.Dataset.from_tensor_slices((X, Y))
    return whole.shuffle(40, seed=seed).batch(8)


@pytest.mark.parametrize("stop", [2, 5, 6, 11])
@pytest.mark.parametrize(
    ("make", "options"),
    [
        (Batches, {}),
        (pipeline, {}),
        (lambda: pipeline(3), {"steps_per_epoch": 3, "epochs": 5}),
        (lambda: pipeline().repeat(), {"steps_per_epoch": 4}),
        (lambda: X, {"y": Y, "steps_per_epoch": 2, "epochs": 8}),
        (lambda: iter([(X[i : i + 8], Y[i : i + 8]) for _ in range(5) for i in range(0, 40, 8)]),
         {"steps_per_epoch": 4}),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:The .* ended after")
def test_any_kind_of_data(tmp_path, make, options, stop):
    options = {"y": None, "batch_size": None, **options}
    if options["y"] is not None:
        options["batch_size"] = 8
    whole, resumed = network(), network()
    tg.set_seed(2)
    expected = fit(whole, x=make(), **options)
    broken = network()
    tg.set_seed(2)
    with pytest.raises(Interrupted):
        fit(broken, tmp_path, x=make(), stop=stop, **options)
    tg.set_seed(77)
    assert fit(resumed, tmp_path, x=make(), **options) == expected
    assert_same(resumed, whole)


def test_a_run_that_had_stopped_early_is_not_trained_on(tmp_path):
    def stopping():
        return EarlyStopping("loss", mode="max", patience=1, restore_best_weights=True)

    whole = network()
    expected = fit(whole, extra=[stopping()], epochs=9)
    assert len(expected["loss"]) < 9

    def fail(logs):
        raise Interrupted

    last = LambdaCallback(on_train_end=fail)
    with pytest.raises(Interrupted):
        fit(network(), tmp_path / "b", frequency="epoch", extra=[last, stopping()], epochs=9)
    resumed = network()
    history = fit(resumed, tmp_path / "b", frequency="epoch", extra=[stopping()], epochs=9)
    assert history == expected
    assert_same(resumed, whole)


def test_an_interrupt_from_the_keyboard_keeps_the_backup(tmp_path):
    def press(batch, logs):
        if batch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(network(), tmp_path / "b", extra=[LambdaCallback(on_train_batch_end=press)])
    assert (tmp_path / "b" / FILE).exists()
    whole, resumed = network(), network()
    assert fit(whole) == fit(resumed, tmp_path / "b")
    assert_same(whole, resumed)


def test_a_kept_backup_says_that_the_run_is_finished(tmp_path):
    model = network()
    keep = BackupAndRestore(tmp_path, delete_checkpoint=False)
    expected = model.fit(X, Y, epochs=2, verbose=0, callbacks=[keep]).history
    again = network()
    history = again.fit(X, Y, epochs=2, verbose=0, callbacks=[keep]).history
    assert history == expected
    assert_same(model, again)
    longer = again.fit(X, Y, epochs=4, verbose=0, callbacks=[keep]).history
    whole = network().fit(X, Y, epochs=4, verbose=0).history
    assert longer == whole


class Pair(tg.Model):
    """Two networks with optimizers and metrics of their own."""

    def __init__(self):
        super().__init__()
        self.first, self.second = layers.Dense(3), layers.Dense(1)
        self.tracker = tg.metrics.Mean(name="distance")

    def compile(self, a, b):
        super().compile()
        self.a, self.b = a, b

    def call(self, inputs):
        return self.second(self.first(inputs))

    def train_step(self, data):
        x, _ = data
        for network, optimizer in ((self.first, self.a), (self.second, self.b)):
            with tg.Tape() as tape:
                noise = tg.random.normal(x.shape)
                loss = tg.ops.square(self(x + noise) - 1.0).mean()
            gradients = tape.gradient(loss, network.trainable_variables)
            optimizer.apply(gradients, network.trainable_variables)
        self.tracker.update_state(loss)
        return {metric.name: metric.result() for metric in self.metrics}

    @property
    def metrics(self):
        return [self.tracker]


def test_stateful_layers_carry_on(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(24, 3, 2)).astype(np.float32), rng.normal(size=(24, 1))

    def fit(*chosen):
        tg.set_seed(0)
        cells = [layers.LSTMCell(4), layers.GRUCell(3)]
        model = tg.Sequential(
            [
                layers.RNN(cells, stateful=True, return_sequences=True, input_shape=(3, 2)),
                layers.GRU(3, stateful=True),
                layers.Dense(1),
            ]
        )
        model.compile("adam", "mse")
        model.fit(x, y, 4, epochs=2, shuffle=False, verbose=0, callbacks=list(chosen))
        return model

    class Stop(Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 4:
                raise KeyboardInterrupt

    whole = fit()
    with pytest.raises(KeyboardInterrupt):
        fit(BackupAndRestore(tmp_path, save_freq=3), Stop())
    resumed = fit(BackupAndRestore(tmp_path, save_freq=3))
    for one, other in zip(whole.get_weights(), resumed.get_weights()):
        np.testing.assert_array_equal(one, other)


def test_optimizers_and_metrics_in_attributes(tmp_path):
    def pair():
        tg.set_seed(4)
        model = Pair()
        model(X[:1])
        model.compile(tg.optimizers.Adam(0.05), tg.optimizers.SGD(0.02, momentum=0.9))
        return model

    whole, broken, resumed = pair(), pair(), pair()
    tg.set_seed(5)
    expected = fit(whole)
    tg.set_seed(5)
    with pytest.raises(Interrupted):
        fit(broken, tmp_path / "b", stop=8)
    assert fit(resumed, tmp_path / "b") == expected
    assert_same(whole, resumed)


# ---- files that cannot be used ---------------------------------------------------------


def refused(folder, match, model=None):
    """Check that a backup is refused with one sentence, and the model stays as it was."""
    model = model or network()
    before, draws = model.get_weights(), int(tg.random.get_generator().stream)
    with pytest.raises(ValueError, match=match) as raised:
        fit(model, folder, shuffle=False)
    assert "\n" not in str(raised.value)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert int(tg.random.get_generator().stream) == draws
    assert (folder / FILE).exists()


@pytest.mark.parametrize("part", [0, 7, 100, 0.3, 0.9])
def test_a_truncated_backup_is_refused(tmp_path, part):
    interrupted(tmp_path)
    content = (tmp_path / FILE).read_bytes()
    length = part if isinstance(part, int) else int(part * len(content))
    (tmp_path / FILE).write_bytes(content[:length])
    refused(tmp_path, "damaged")


def test_a_backup_with_any_byte_changed_is_refused(tmp_path):
    interrupted(tmp_path)
    content = bytearray((tmp_path / FILE).read_bytes())
    for place in np.random.default_rng(1).integers(0, len(content), 25):
        changed = bytearray(content)
        changed[place] ^= 0x21
        (tmp_path / FILE).write_bytes(changed)
        refused(tmp_path, "latest.backup.safetensors")


def test_no_byte_of_a_backup_is_unguarded(tmp_path):
    from tapegrad.training.backup_file import read_backup, write_backup

    path = tmp_path / FILE
    values = {"epoch": 3, "weights": {"a": np.arange(3.0), "b": np.ones((2, 1))}, "rest": [None]}
    write_backup(path, values, "backup")
    assert read_backup(path, "backup")["epoch"] == 3
    content = path.read_bytes()
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 0x21
        path.write_bytes(changed)
        with pytest.raises(ValueError, match=FILE):
            read_backup(path, "backup")


def test_other_files_and_models_are_refused(tmp_path):
    model = interrupted(tmp_path)
    refused(tmp_path, "does not fit the model: .*kernel has shape", network(units=4))
    refused(tmp_path, "does not fit the model: .*momentum", network(optimizer="sgd"))
    refused(tmp_path, "does not fit the model: it has the metrics", network(metrics=["acc"]))
    model.save_weights(tmp_path / FILE)
    refused(tmp_path, "is no backup of a training run")
    (tmp_path / FILE).write_bytes(b"hello")
    refused(tmp_path, "damaged or not a safetensors file")


def test_other_data_are_remarked(tmp_path):
    interrupted(tmp_path)
    with pytest.warns(UserWarning, match="a run with 5 batches an epoch, but there are 3 now"):
        fit(network(), tmp_path, x=X[:24], y=Y[:24])


def test_a_stop_within_an_epoch_holds(tmp_path):
    def stop(model):
        def at_the_third(batch, logs):
            if batch == 2:
                model.stop_training = True

        return LambdaCallback(on_train_batch_end=at_the_third)

    whole, broken, resumed = network(), network(), network()
    tg.set_seed(5)
    expected = fit(whole, extra=[stop(whole)])

    def fail(epoch, logs):
        raise Interrupted

    tg.set_seed(5)
    with pytest.raises(Interrupted):
        fit(broken, tmp_path, extra=[stop(broken), LambdaCallback(on_epoch_end=fail)])
    assert fit(resumed, tmp_path) == expected
    assert int(resumed.optimizer.iterations) == 3


def test_the_earlier_backup_stands_in_for_a_damaged_one(tmp_path):
    whole = network()
    expected = fit(whole)
    double = BackupAndRestore(tmp_path / "b", 2, double_checkpoint=True)
    with pytest.raises(Interrupted):
        fit(network(), extra=[double, Interrupt(9)])
    (tmp_path / "b" / FILE).write_bytes(b"")
    resumed = network()
    with pytest.warns(UserWarning, match=r"damaged.* Training goes on from the backup before it"):
        history = fit(resumed, extra=[double])
    assert history == expected
    assert_same(whole, resumed)
    assert not (tmp_path / "b").exists()


def test_arguments_are_checked(tmp_path):
    for frequency in (0, -1, 2.5, "batch", True):
        with pytest.raises(ValueError, match="save_freq"):
            BackupAndRestore(tmp_path, frequency)
    with pytest.raises(ValueError, match="backup_dir is empty"):
        BackupAndRestore("")


def test_states_hold_plain_values_and_arrays_only():
    from tapegrad.training.backup_file import pack, unpack_values

    arrays = {}
    given = {"a": (1, 2.5, None), "b": [np.arange(3), {"c": np.float32(0.5)}], "nan": float("inf")}
    packed = pack(given, arrays, "x")
    found = unpack_values(packed, arrays)
    assert found["a"] == (1, 2.5, None)
    np.testing.assert_array_equal(found["b"][0], np.arange(3))
    assert found["b"][1] == {"c": 0.5}
    with pytest.raises(TypeError, match="x/callback: a object cannot be backed up"):
        pack({"callback": object()}, arrays, "x")
