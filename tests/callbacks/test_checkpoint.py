"""Files that ModelCheckpoint and CSVLogger write."""

from __future__ import annotations

import json

import numpy as np
import pytest

import tapegrad as tg
from tapegrad.callbacks import CSVLogger, ModelCheckpoint


class Saver:
    """Stands in for a model: notes what it is asked to save."""

    def __init__(self):
        self.saved = []
        self.metrics = []

    def save(self, path, overwrite):
        assert overwrite
        self.saved.append(("model", path))

    def save_weights(self, path, overwrite):
        assert overwrite
        self.saved.append(("weights", path))


def run(callback, values):
    """Give a callback a value of validation for each epoch, and let it see two batches."""
    model = Saver()
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, value in enumerate(values):
        callback.on_epoch_begin(epoch)
        for batch in range(2):
            callback.on_train_batch_end(batch, {"loss": value})
        callback.on_epoch_end(epoch, {"loss": value, "val_loss": value})
    callback.on_train_end()
    return model.saved


def test_names(tmp_path):
    folder = tmp_path / "new" / "folder"
    saved = run(ModelCheckpoint(folder / "{epoch:02d}-{val_loss:.2f}.tapegrad"), [0.5, 0.25])
    assert saved == [
        ("model", str(folder / "01-0.50.tapegrad")),
        ("model", str(folder / "02-0.25.tapegrad")),
    ]
    assert folder.is_dir()
    saved = run(
        ModelCheckpoint(
            f"{tmp_path}/{{epoch}}.{{batch}}.weights.h5", "loss", 0, False, True, "auto", 3
        ),
        [1, 2],
    )
    assert saved == [("weights", f"{tmp_path}/2.1.weights.h5")]


def test_messages_are_those_of_keras(tmp_path, capsys):
    path = f"{tmp_path}/best.tapegrad"
    run(ModelCheckpoint(path, verbose=1, save_best_only=True), [0.5, 0.25, 0.3])
    assert capsys.readouterr().out == (
        f"\nEpoch 1: val_loss improved from None to 0.50000, saving model to {path}\n"
        f"\nEpoch 1: finished saving model to {path}\n"
        f"\nEpoch 2: val_loss improved from 0.50000 to 0.25000, saving model to {path}\n"
        f"\nEpoch 2: finished saving model to {path}\n"
        "\nEpoch 3: val_loss did not improve from 0.25000\n"
    )
    run(ModelCheckpoint(path, verbose=1), [0.5])
    assert capsys.readouterr().out == (
        f"\nEpoch 1: saving model to {path}\n\nEpoch 1: finished saving model to {path}\n"
    )


def test_a_model_recovers_from_nan(tmp_path):
    saved = run(
        ModelCheckpoint(f"{tmp_path}/{{epoch}}.tapegrad", save_best_only=True),
        [float("nan"), 1.0, float("nan"), 0.5],
    )
    assert [path[-10] for _, path in saved] == ["1", "2", "4"]


def test_a_name_of_keras_becomes_one_of_tapegrad(tmp_path):
    with pytest.warns(UserWarning, match=r"best\.tapegrad' instead of 'best\.keras'") as caught:
        checkpoint = ModelCheckpoint("best.keras")
    assert checkpoint.filepath == "best.tapegrad"
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"filepath": "model.h5"}, "ends in .tapegrad, but the name is 'model.h5'"),
        ({"filepath": "w.tapegrad", "save_weights_only": True}, "ends in .safetensors"),
        ({"filepath": "m.tapegrad", "save_freq": "batch"}, "save_freq"),
        ({"filepath": "m.tapegrad", "save_freq": 0}, "save_freq"),
        ({"filepath": "m.tapegrad", "save_freq": True}, "save_freq"),
        ({"filepath": "m.tapegrad", "mode": "up"}, "mode"),
    ],
)
def test_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ModelCheckpoint(**arguments)


def test_values_that_are_missing(tmp_path):
    with pytest.raises(KeyError, match=r"asks for 'val_acc', but there are only loss, val_loss"):
        run(ModelCheckpoint(f"{tmp_path}/{{val_acc}}.tapegrad"), [1.0])
    callback = ModelCheckpoint(f"{tmp_path}/m.tapegrad", monitor="val_mae", save_best_only=True)
    with pytest.warns(UserWarning, match="'val_mae' is not measured"):
        assert len(run(callback, [1.0])) == 1
    callback = ModelCheckpoint(f"{tmp_path}/m.tapegrad", save_best_only=True)
    with pytest.warns(UserWarning, match=r"no single number but has shape \(2,\)"):
        assert len(run(callback, [np.ones(2)])) == 1


def test_weights_of_the_best_epoch_come_back(tmp_path):
    model = tg.Sequential([tg.layers.Dense(1, input_dim=2)])
    model.compile("sgd", "mse")
    path = tmp_path / "best.safetensors"
    weights = []

    class Noter(tg.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["score"] = [1.0, 3.0, 2.0][epoch]
            weights.append(self.model.get_weights())

    checkpoint = ModelCheckpoint(
        path, monitor="score", mode="max", save_best_only=True, save_weights_only=True
    )
    x = np.random.default_rng(0).normal(size=(8, 2))
    model.fit(x, x.sum(1), epochs=3, verbose=0, callbacks=[Noter(), checkpoint])
    model.load_weights(path)
    np.testing.assert_array_equal(model.get_weights()[0], weights[1][0])
    assert [file.name for file in tmp_path.iterdir()] == ["best.safetensors"]


# ---- CSVLogger -----------------------------------------------------------------------


def log(logger, epochs, begin=True):
    if begin:
        logger.on_train_begin()
    for epoch in epochs:
        logger.on_epoch_end(epoch, {"loss": epoch / 2, "val_loss": 1.0, "accuracy": 0.5})


def test_csv(tmp_path):
    path = tmp_path / "log.csv"
    logger = CSVLogger(path)
    log(logger, range(2))
    assert path.read_bytes() == (  # lines can be read while training runs
        b"epoch,accuracy,loss,val_loss\r\n0,0.5,0.0,1.0\r\n1,0.5,0.5,1.0\r\n"
    )
    logger.on_train_end()
    log(logger, range(1))
    assert len(path.read_text().splitlines()) == 2, "without append the file is begun anew"
    logger.on_train_end()
    more = CSVLogger(path, separator=";", append=True)
    log(more, range(1, 2))
    more.on_train_end()
    assert path.read_text().splitlines()[1:] == ["0,0.5,0.0,1.0", "1;0.5;0.5;1.0"]
    fresh = CSVLogger(tmp_path / "fresh.csv", append=True)
    log(fresh, range(1))
    fresh.on_train_end()
    assert len((tmp_path / "fresh.csv").read_text().splitlines()) == 2


def test_csv_leaves_room_for_validation_and_writes_lists(tmp_path):
    logger = CSVLogger(tmp_path / "log.csv")
    logger.on_train_begin()
    logger.on_epoch_end(0, {"loss": 1.0, "f1": np.array([0.5, 1.0])})
    logger.on_epoch_end(1, {"loss": np.float32(0.5), "f1": [1], "val_loss": 2.0, "val_f1": "none"})
    logger.on_train_end()
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert lines == [
        "epoch,f1,loss,val_f1,val_loss",
        '0,"""[0.5, 1.0]""",1.0,NA,NA',
        '1,"""[1]""",0.5,none,2.0',
    ]


@pytest.mark.parametrize("append", [False, True])
def test_csv_is_taken_up_again(tmp_path, append):
    whole, path = tmp_path / "whole.csv", tmp_path / "log.csv"
    path.write_text("what was there\r\n" if append else "")
    whole.write_bytes(path.read_bytes())
    reference = CSVLogger(whole, append=append)
    log(reference, range(6))
    reference.on_train_end()

    killed = CSVLogger(path, append=append)
    log(killed, range(3))
    state = json.dumps(killed.get_state())
    log(killed, range(3, 5), begin=False)  # lines of epochs that will be repeated
    again = CSVLogger(path, append=append)
    again.on_train_begin()
    again.set_state(json.loads(state))
    assert again.get_state() == json.loads(state)
    log(again, range(3, 6), begin=False)
    again.on_train_end()
    assert path.read_bytes() == whole.read_bytes()
    killed.on_train_end()

    shorter = CSVLogger(path, append=append)
    shorter.on_train_begin()
    shorter.set_state(json.loads(state))
    log(shorter, range(3, 4), begin=False)
    shorter.on_train_end()
    lines = whole.read_bytes().splitlines(keepends=True)
    assert path.read_bytes() == b"".join(lines[:-2]), "epochs that are not repeated are gone"

    path.unlink()
    lost = CSVLogger(path, append=append)
    lost.on_train_begin()
    lost.set_state(json.loads(state))
    log(lost, range(3, 4), begin=False)
    lost.on_train_end()
    assert path.read_text().splitlines() == ["epoch,accuracy,loss,val_loss", "3,0.5,1.5,1.0"]


def test_csv_state_before_the_first_line(tmp_path):
    path = tmp_path / "log.csv"
    logger = CSVLogger(path)
    logger.on_train_begin()
    state = logger.get_state()
    log(logger, range(1), begin=False)
    again = CSVLogger(path)
    again.on_train_begin()
    again.set_state(state)
    log(again, range(2), begin=False)
    again.on_train_end()
    assert len(path.read_text().splitlines()) == 3
    logger.on_train_end()


def test_csv_needs_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"folder .*nowhere"):
        CSVLogger(tmp_path / "nowhere" / "log.csv").on_train_begin()


def test_a_whole_model_comes_back(tmp_path):
    model = tg.Sequential([tg.layers.Dense(1, input_dim=2)])
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(8, 2))
    checkpoint = ModelCheckpoint(tmp_path / "{epoch:02d}.tapegrad")
    model.fit(x, x.sum(1), epochs=2, verbose=0, callbacks=[checkpoint])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["01.tapegrad", "02.tapegrad"]
    again = tg.saving.load_model(tmp_path / "02.tapegrad")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
