"""``predict``: applies what ``train`` left."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from tapegrad._cli.arguments import main

THOROUGHLY = ["--epochs", "40", "--learning-rate", "0.01"]


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def trained(flowers, folder, capsys):
    assert main(["train", flowers, *THOROUGHLY, "--out", "run"]) == 0
    capsys.readouterr()
    return "run"


def test_labelled_data_is_predicted_and_measured(trained, flowers, folder, capsys):
    assert main(["predict", trained, flowers]) == 0
    printed = capsys.readouterr()
    rows = table(printed.out)
    truth = [row["species"] for row in table((folder / flowers).read_text())]
    assert [row["prediction"] for row in rows] == truth
    names = ["probability_daisy", "probability_rose", "probability_tulip"]
    assert list(rows[0]) == ["prediction", *names]
    for row in rows:
        probabilities = [float(row[name]) for name in names]
        assert sum(probabilities) == pytest.approx(1.0, abs=1e-5)
        likeliest = names[int(np.argmax(probabilities))]
        assert likeliest == f"probability_{row['prediction']}"
    assert "accuracy 1.0000" in printed.err  # so that the table can be piped


def test_unlabelled_columns_in_another_order_to_a_file(trained, write, folder, capsys):
    name = write("new.csv", "petal width,petal length\n-4.0,6.0\n0.0,0.0\n")
    assert main(["predict", trained, name, "--out", "out.csv"]) == 0
    rows = table((folder / "out.csv").read_text())
    assert [row["prediction"] for row in rows] == ["daisy", "rose"]
    assert capsys.readouterr().out == "2 predictions in out.csv\n"


def test_regression_in_the_units_of_the_data(houses, folder, capsys):
    assert main(["train", houses, "--target", "price", "--epochs", "150", "--out", "run"]) == 0
    test_rmse = json.loads((folder / "run" / "report.json").read_text())["test"]["rmse"]
    capsys.readouterr()
    assert main(["predict", "run", houses]) == 0
    printed = capsys.readouterr()
    predicted = [float(row["prediction"]) for row in table(printed.out)]
    truth = [float(row["price"]) for row in table((folder / houses).read_text())]
    rmse = float(np.sqrt(np.mean(np.subtract(predicted, truth) ** 2)))
    assert rmse < 3 * test_rmse
    assert f"{rmse:.4g}"[:3] in printed.err


def test_arrays(write, capsys, folder):
    y = np.arange(40) % 2
    x = np.zeros((40, 3, 3))
    x[y == 1, 1, 1] = 1.0
    assert main(["train", write("a.npz", x=x, y=y), "--epochs", "8", "--out", "run"]) == 0
    flat = x.reshape(40, -1)
    capsys.readouterr()
    for name in (
        write("x.npz", x=x),
        write("parts.npz", x_train=x[:1], y_train=y[:1], x_test=x, y_test=y),
        write("flat.npy", flat),
        write("labelled.npy", np.column_stack([flat, y])),
    ):
        assert main(["predict", "run", name]) == 0
        rows = table(capsys.readouterr().out)
        assert [int(row["prediction"]) for row in rows] == y.tolist()


def test_refused(trained, flowers, write, refused, folder):
    write("wide.csv", "petal length,petal width,colour\n1,2,3\n")
    write("narrow.csv", "petal length\n1\n")
    write("wide.npy", np.ones((2, 5)))
    write("label.csv", "petal length,petal width,species\n1,2,oak\n")
    assert "column 'colour' that the model was not trained on" in refused(
        "predict", trained, "wide.csv"
    )
    assert "no column 'petal width'" in refused("predict", trained, "narrow.csv")
    assert "5 features a sample; the model was trained on 2" in refused(
        "predict", trained, "wide.npy"
    )
    assert "the label 'oak' is out of range" in refused("predict", trained, "label.csv")
    assert "there is no file" in refused("predict", trained, "none.csv")
    assert "there is no elsewhere" in refused("predict", "elsewhere", flowers)
    assert "is a folder" in refused("predict", trained, flowers, "--out", trained)
    assert "there is no folder" in refused("predict", trained, flowers, "--out", "x/y.csv")


@pytest.mark.parametrize("file", ["model.json", "model.safetensors"])
@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"format": 99}'])
def test_damaged_models_are_refused(trained, flowers, folder, refused, file, content):
    (folder / trained / file).write_bytes(content)
    assert "run" in refused("predict", trained, flowers)
