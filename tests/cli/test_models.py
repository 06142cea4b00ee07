"""``train`` and ``predict`` with every model: files, figures, repeatability, what is refused."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from tapegrad._cli.arguments import main
from tapegrad._cli.networks import MODELS

FILES = {"model.safetensors", "model.json", "history.json", "report.json", "curves.png"}
CLASSES = ["loss", "accuracy", "precision_macro", "recall_macro", "f1_macro"]
NUMBERS = ["loss", "rmse", "mae", "r2"]
ADVERSARIES = ["generator_loss", "discriminator_loss", "discriminator_accuracy"]
GENERATION = [
    "loss", *ADVERSARIES,
    "mean_distance", "std_distance", "real_mean_distance", "real_std_distance",
]  # fmt: skip


def train(*arguments):
    assert main(["train", *arguments, "--out", "run"]) == 0


def report_of(folder):
    return json.loads((folder / "run" / "report.json").read_text())


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


def check(folder, model, figures, pictures):
    """Compare the files of a run with what is documented; returns the figures of the test."""
    run = folder / "run"
    assert {path.name for path in run.iterdir()} == FILES | {f"{name}.png" for name in pictures}
    report = report_of(folder)
    assert list(report) == ["data", "model", "epochs", "seconds", "train", "test"]
    assert report["model"] == model
    assert list(report["train"]) == list(report["test"]) == figures
    history = json.loads((run / "history.json").read_text())
    assert {len(values) for values in history.values()} == {report["epochs"]}
    return report["test"]


@pytest.mark.parametrize("model", ["cnn", "rnn"])
def test_classes_of_images(images, folder, capsys, model):
    train(images, "--model", model, "--epochs", "25", "--learning-rate", "0.01")
    figures = check(folder, model, CLASSES, ["confusion_matrix", "predictions"])
    assert figures["accuracy"] > 0.9
    capsys.readouterr()
    assert main(["predict", "run", images]) == 0
    printed = capsys.readouterr()
    assert list(table(printed.out)[0]) == ["prediction", "probability_0", "probability_1"]
    assert "accuracy" in printed.err


@pytest.mark.parametrize("model", ["rnn", "cnn"])
def test_numbers_of_sequences_and_images(waves, folder, capsys, model):
    train(waves, "--model", model, "--epochs", "60", "--learning-rate", "0.005")
    figures = check(folder, model, NUMBERS, ["predictions", "residuals"])
    assert figures["r2"] > (0.8 if model == "rnn" else 0.3)
    capsys.readouterr()
    assert main(["predict", "run", waves]) == 0
    truth = np.load(folder / waves)["y"]
    predicted = [float(row["prediction"]) for row in table(capsys.readouterr().out)]
    assert np.corrcoef(truth, predicted)[0, 1] > 0.7


def test_rows_of_a_table_as_sequences(flowers, folder):
    train(flowers, "--model", "rnn", "--epochs", "30", "--learning-rate", "0.01")
    figures = check(folder, "rnn", CLASSES, ["confusion_matrix", "predictions"])
    assert figures["accuracy"] > 0.9


def test_an_autoencoder_of_images(images, folder, capsys):
    train(images, "--model", "autoencoder", "--epochs", "150")
    figures = check(folder, "autoencoder", NUMBERS, ["latent_space", "predictions"])
    assert 0.5 < figures["r2"] < 1.0
    assert 0 < figures["mae"] < figures["rmse"] < 100  # in the unit of the pixels
    assert "reconstructing 64 features from 16" in capsys.readouterr().out
    assert main(["predict", "run", images, "--out", "out.csv"]) == 0
    assert "R²" in capsys.readouterr().out
    rows = table((folder / "out.csv").read_text())
    names = [f"reconstructed_x_{row}_{column}" for row in range(8) for column in range(8)]
    assert list(rows[0]) == ["rmse", *(f"code_{i}" for i in range(1, 17)), *names]
    x = np.load(folder / images)["x"].reshape(60, 64)
    back = np.array([[float(row[name]) for name in names] for row in rows])
    off = np.sqrt(((back - x) ** 2).mean(axis=1))
    np.testing.assert_allclose([float(row["rmse"]) for row in rows], off, rtol=1e-4)


def test_an_autoencoder_of_a_table(houses, folder, capsys):
    train(houses, "--model", "autoencoder", "--epochs", "100")
    # The price follows from the rest, so two numbers tell all three.
    figures = check(folder, "autoencoder", NUMBERS, ["latent_space", "predictions"])
    assert figures["r2"] > 0.9
    assert "in standard deviations of each column" in capsys.readouterr().out
    assert main(["predict", "run", houses]) == 0
    rows = table(capsys.readouterr().out)
    prices = np.array([float(row["reconstructed_price"]) for row in rows])
    truth = np.array([float(row["price"]) for row in table((folder / houses).read_text())])
    assert np.corrcoef(prices, truth)[0, 1] > 0.95


def test_a_code_of_one_number_has_no_plane(flowers, folder):
    train(flowers, "--model", "autoencoder", "--epochs", "5")
    check(folder, "autoencoder", NUMBERS, ["predictions"])


def test_a_gan_of_images(images, folder, capsys):
    train(images, "--model", "gan", "--epochs", "12")
    figures = check(folder, "gan", GENERATION, ["samples"])
    assert 0.0 <= figures["discriminator_accuracy"] <= 1.0
    assert figures["loss"] == pytest.approx(
        figures["generator_loss"] + figures["discriminator_loss"]
    )
    history = json.loads((folder / "run" / "history.json").read_text())
    assert list(history) == [*ADVERSARIES, *(f"val_{name}" for name in ADVERSARIES)]
    # What is reported is what the last epoch's validation measured.
    for name in ADVERSARIES:
        assert figures[name] == pytest.approx(history[f"val_{name}"][-1], rel=1e-5)
    assert "0.5: cannot tell" in capsys.readouterr().out


def test_a_gan_learns_the_means_and_deviations_of_a_table(houses, folder):
    train(houses, "--model", "gan", "--epochs", "250", "--learning-rate", "0.001")
    figures = check(folder, "gan", GENERATION, ["samples"])
    assert figures["mean_distance"] < 0.5
    assert figures["std_distance"] < 0.5


def test_samples_of_a_gan(images, folder, capsys, refused):
    train(images, "--model", "gan", "--epochs", "2")
    capsys.readouterr()
    printed = []
    for seed in ([], ["--seed", "0"], ["--seed", "1"]):
        assert main(["predict", "run", "3", *seed]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] != printed[2]
    rows = table(printed[0])
    assert len(rows) == 3
    assert list(rows[0])[:2] == ["x_0_0", "x_0_1"]
    assert len(rows[0]) == 64
    values = np.array([[float(value) for value in row.values()] for row in rows])
    assert values.min() >= -1e-3
    assert values.max() <= 200.001  # the range of the pixels
    for name in ("out.csv", "out.npz", "out.png"):
        assert main(["predict", "run", "3", "--out", name]) == 0
        assert capsys.readouterr().out == f"3 samples in {name}\n"
    stored = np.load(folder / "out.npz")["x"]
    assert stored.shape == (3, 8, 8)
    np.testing.assert_allclose(stored.reshape(3, -1), values, rtol=1e-5, atol=1e-4)
    for wrong in ("0", "-2", "1.5", images):
        assert "say how many in place of DATA" in refused("predict", "run", wrong)
    assert "400 images at most" in refused("predict", "run", "500", "--out", "many.png")


def test_samples_of_a_table_are_no_image_and_keep_their_columns(flowers, capsys, refused):
    train(flowers, "--model", "gan", "--epochs", "2")
    capsys.readouterr()
    assert main(["predict", "run", "2"]) == 0
    assert list(table(capsys.readouterr().out)[0]) == ["petal length", "petal width"]
    assert "the samples are no images" in refused("predict", "run", "2", "--out", "a.png")


def test_a_seed_is_for_samples(flowers, capsys, refused):
    train(flowers, "--epochs", "1")
    capsys.readouterr()
    assert "run holds no gan" in refused("predict", "run", flowers, "--seed", "1")


@pytest.mark.parametrize("model", MODELS)
def test_one_seed_gives_the_same_bytes_another_gives_others(images, folder, model):
    for out, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        command = ["train", images, "--model", model, "--epochs", "2", "--seed", seed]
        assert main([*command, "--out", out]) == 0
    for name in ("model.safetensors", "model.json", "history.json"):
        assert (folder / "a" / name).read_bytes() == (folder / "b" / name).read_bytes()
    weights = [(folder / out / "model.safetensors").read_bytes() for out in "ac"]
    assert weights[0] != weights[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["flowers.csv", "--model", "cnn"], "--model cnn expects images"),
        (["column.npz", "--model", "rnn"], "--model rnn expects sequences"),
        (["column.npz", "--model", "autoencoder"], "two features at least"),
        (["flowers.csv", "--model", "gan", "--task", "regression"], "learns from samples without"),
        (["images.npz", "--model", "cnn", "--device", "cuda"], "can be trained on cpu only so far"),
        (["samples.npz", "--model", "cnn"], "samples.npz has x but no y"),
        (["images.npz", "--model", "gan", "--target", "y"], "no named columns"),
        (["flowers.csv", "--model", "autoencoder", "--target", "specis"], 'Did you mean "species"'),
    ],
)
def test_refused_in_one_sentence(flowers, images, write, refused, options, message):
    write("column.npz", x=np.arange(20.0), y=np.arange(20) % 2)
    write("samples.npz", x=np.ones((20, 8, 8)))
    assert message in refused("train", *options)


def test_samples_of_another_shape_are_refused(images, write, capsys, refused):
    train(images, "--model", "cnn", "--epochs", "1")
    capsys.readouterr()
    write("wide.npz", x=np.ones((2, 4, 16)))
    assert "samples of shape (4, 16); the model was trained on (8, 8)" in refused(
        "predict", "run", "wide.npz"
    )
    for name in (write("flat.npz", x=np.ones((2, 64))), write("one.npz", x=np.ones((2, 8, 8, 1)))):
        assert main(["predict", "run", name]) == 0


def test_the_folders_of_other_models_take_turns(images, folder, capsys):
    for model in ("gan", "autoencoder", "cnn"):
        train(images, "--model", model, "--epochs", "1")
    check(folder, "cnn", CLASSES, ["confusion_matrix", "predictions"])


@pytest.mark.parametrize("word", ["cnn", "autoencoder", "convolutions", "epochs, learning rate"])
def test_help_tells_of_the_models(word, capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    assert word in capsys.readouterr().out
