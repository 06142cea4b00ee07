"""``train``: files, figures, repeatability, what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tapegrad._cli.arguments import main

THOROUGHLY = ["--epochs", "40", "--learning-rate", "0.01"]
FIGURES = ["loss", "accuracy", "precision_macro", "recall_macro", "f1_macro"]
FILES = {"model.safetensors", "model.json", "history.json", "report.json", "curves.png"}


def report_of(folder):
    return json.loads((folder / "report.json").read_text())


def test_classification(flowers, folder, capsys):
    assert main(["train", flowers, *THOROUGHLY, "--out", "run"]) == 0
    run = folder / "run"
    assert {path.name for path in run.iterdir()} == FILES | {
        "confusion_matrix.png",
        "predictions.png",
    }
    report = report_of(run)
    assert list(report) == ["data", "model", "epochs", "seconds", "train", "test"]
    assert (report["data"], report["model"], report["epochs"]) == (flowers, "mlp", 40)
    assert list(report["test"]) == list(report["train"]) == FIGURES
    assert report["test"]["accuracy"] == 1.0
    history = json.loads((run / "history.json").read_text())
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert {len(values) for values in history.values()} == {40}
    description = json.loads((run / "model.json").read_text())
    assert description["target"]["classes"] == ["daisy", "rose", "tulip"]
    printed = capsys.readouterr().out
    for words in ("precision", "daisy", "macro average", "test accuracy 1.0000"):
        assert words in printed


@pytest.mark.parametrize("model", ["mlp", "linear"])
def test_regression(houses, folder, capsys, model):
    command = ["train", houses, "--target", "price", "--model", model, "--epochs", "150"]
    assert main([*command, "--out", "run"]) == 0
    run = folder / "run"
    assert {path.name for path in run.iterdir()} == FILES | {"predictions.png", "residuals.png"}
    figures = report_of(run)["test"]
    assert list(figures) == ["loss", "rmse", "mae", "r2"]
    assert figures["r2"] > 0.97
    assert 0 < figures["mae"] <= figures["rmse"] < 40_000
    assert "root mean squared error" in capsys.readouterr().out


def test_linear_classifier_on_npz_with_its_own_test_part(write, folder):
    generator = np.random.default_rng(0)
    y = np.arange(80) % 2
    x = generator.normal(0, 0.3, (80, 4)) + y[:, None]
    name = write("a.npz", x_train=x[:60], y_train=y[:60], x_test=x[60:], y_test=y[60:])
    assert main(["train", name, "--model", "linear", "--epochs", "30"]) == 0
    assert report_of(folder / "runs" / "a-linear")["test"]["accuracy"] > 0.9


def test_images_in_an_npz_and_npy(write, folder):
    y = np.arange(40) % 2
    x = np.zeros((40, 5, 6))
    x[y == 1, :, 3:] = 1.0
    for name in (
        write("images.npz", x=x, y=y),
        write("table.npy", np.column_stack([x.reshape(40, -1), y])),
    ):
        assert main(["train", name, "--epochs", "6", "--out", "run"]) == 0
        assert report_of(folder / "run")["test"]["accuracy"] == 1.0


def test_one_seed_gives_the_same_weights_another_gives_others(flowers, folder):
    for out, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        assert main(["train", flowers, "--epochs", "2", "--out", out, "--seed", seed]) == 0
    weights = [(folder / out / "model.safetensors").read_bytes() for out in "abc"]
    assert weights[0] == weights[1]
    assert weights[0] != weights[2]


def test_a_new_run_replaces_an_old_one(flowers, houses, folder):
    assert main(["train", flowers, "--epochs", "1", "--out", "run"]) == 0
    (folder / "run" / "notes.txt").write_text("mine")
    assert main(["train", houses, "--target", "price", "--epochs", "1", "--out", "run"]) == 0
    names = {path.name for path in (folder / "run").iterdir()}
    assert names == FILES | {"predictions.png", "residuals.png", "notes.txt"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["missing.csv"], "there is no file missing.csv"),
        (["flowers.csv", "--target", "specis"], 'Did you mean "species"?'),
        (["flowers.csv", "--out", "flowers.csv"], "is a file; expected a folder"),
        (["flowers.csv", "--out", "flowers.csv/run"], "is a file; expected a folder"),
        (["flowers.csv", "--task", "regression"], "labels are text"),
        (["flowers.csv", "--model", "transformer"], "invalid choice: 'transformer'"),
        (["flowers.csv", "--epochs", "0"], "expected a whole number from 1, got '0'"),
        (["flowers.csv", "--epochs", "many"], "expected a whole number from 1, got 'many'"),
        (["flowers.csv", "--learning-rate", "-1"], "expected a positive number"),
        (["flowers.csv", "--learning-rate", "nan"], "expected a positive number"),
        (["flowers.csv", "--seed", "4294967296"], "below 2**32"),
        (["flowers.csv", "--batch-size", "0"], "expected a whole number from 1"),
        (["holes.csv"], "holes.csv, line 3: column 'v' is empty"),
        (["nan.npz"], "NaN or infinite"),
        (["objects.npz"], "Python objects"),
        (["one.npy"], "one sample"),
    ],
)
def test_refused_in_one_sentence(flowers, write, refused, options, message):
    write("holes.csv", "u,v,y\n1,2,a\n3,,b\n")
    write("nan.npz", x=[[1.0], [np.nan]], y=[0, 1])
    write("objects.npz", x=np.array([[None], [1]], dtype=object), y=[0, 1])
    write("one.npy", [[1.0, 0.0]])
    assert message in refused("train", *options)


def test_cuda_without_a_gpu_is_refused(flowers, refused, monkeypatch):
    from tapegrad_kernels import cuda

    def missing():
        raise RuntimeError("no CUDA GPU was found")

    monkeypatch.setattr(cuda, "require", missing)
    assert "no CUDA GPU was found" in refused("train", flowers, "--device", "cuda")


def test_a_command_is_needed(refused):
    assert "required" in refused()
    assert "invalid choice" in refused("fly")
