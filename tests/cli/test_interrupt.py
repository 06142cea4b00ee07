"""Ctrl-C leaves the model, its history and the files of the last whole epoch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from tapegrad._cli import train
from tapegrad._cli.arguments import main


@pytest.mark.parametrize("whole_epochs", [0, 1, 3])
def test_interrupted_within_an_epoch(flowers, folder, monkeypatch, capsys, whole_epochs):
    begin = train._EpochFiles.on_epoch_begin

    def interrupt(self, epoch, logs=None):
        begin(self, epoch, logs)
        if epoch == whole_epochs:
            # As in the middle of an update: some weights are new, some old.
            weights = self.model.get_weights()
            self.model.set_weights([weights[0] + 1e6, *weights[1:]])
            raise KeyboardInterrupt

    monkeypatch.setattr(train._EpochFiles, "on_epoch_begin", interrupt)
    assert main(["train", flowers, "--epochs", "9", "--out", "run"]) == 130
    if whole_epochs == 0:
        assert "nothing was written" in capsys.readouterr().out
        assert not (folder / "run").exists()
        return
    assert f"kept the model of epoch {whole_epochs}" in capsys.readouterr().out
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    report = json.loads((folder / "run" / "report.json").read_text())
    history = json.loads((folder / "run" / "history.json").read_text())
    assert report["epochs"] == whole_epochs == len(history["loss"])
    # The report tells of the weights that were kept, which `predict` finds too.
    assert report["test"]["loss"] == pytest.approx(history["val_loss"][-1], rel=1e-5)
    assert main(["predict", "run", flowers]) == 0
    names = sorted(path.name for path in (folder / "run").iterdir())
    assert not [name for name in names if name.startswith(".")]
    assert "curves.png" in names


@pytest.mark.parametrize(
    ("model", "loss"), [("autoencoder", "loss"), ("gan", "generator_loss"), ("rnn", "loss")]
)
def test_every_model_keeps_its_last_whole_epoch(flowers, folder, monkeypatch, model, loss):
    begin = train._EpochFiles.on_epoch_begin

    def interrupt(self, epoch, logs=None):
        begin(self, epoch, logs)
        if epoch == 3:
            self.model.set_weights([weight + 1e3 for weight in self.model.get_weights()])
            raise KeyboardInterrupt

    monkeypatch.setattr(train._EpochFiles, "on_epoch_begin", interrupt)
    assert main(["train", flowers, "--model", model, "--epochs", "9", "--out", "run"]) == 130
    report = json.loads((folder / "run" / "report.json").read_text())
    history = json.loads((folder / "run" / "history.json").read_text())
    assert report["epochs"] == 3 == len(history[f"val_{loss}"])
    assert report["test"][loss] == pytest.approx(history[f"val_{loss}"][-1], rel=1e-5)
    assert main(["predict", "run", "4" if model == "gan" else flowers]) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ on Windows")
def test_a_real_signal(flowers, folder):
    # A shell may start a test run with SIGINT ignored; children inherit that.
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from tapegrad._cli.arguments import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "train", flowers, "--epochs", "100000", "--out", "run"]
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        while not (folder / "run" / "history.json").exists():
            assert process.poll() is None
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
        os.kill(process.pid, signal.SIGINT)
        printed, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "kept the model of epoch" in printed
    report = json.loads((folder / "run" / "report.json").read_text())
    assert report["epochs"] == len(
        json.loads((folder / "run" / "history.json").read_text())["loss"]
    )
    assert np.isfinite(report["test"]["loss"])
