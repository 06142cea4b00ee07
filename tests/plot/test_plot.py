"""Figures: what they show, that they can be written, that they leave nothing behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from tapegrad import plot


def written(figure, folder: Path) -> bytes:
    plot.save(figure, folder / "figure.png", dpi=40)
    assert [path.name for path in folder.iterdir()] == ["figure.png"]
    return (folder / "figure.png").read_bytes()


def test_learning_curves(tmp_path):
    history = {"loss": [3.0, 2.0], "accuracy": [0.1, 0.4], "val_loss": [3.1, 2.4]}
    figure = plot.learning_curves(history, validation_name="test", labels={"loss": "nats"})
    loss, accuracy = figure.axes
    assert [line.get_label() for line in loss.lines] == ["training", "test"]
    np.testing.assert_array_equal(loss.lines[1].get_ydata(), [3.1, 2.4])
    assert loss.get_ylabel() == "nats"
    assert [line.get_label() for line in accuracy.lines] == ["training"]
    assert loss.get_xticks().tolist() == [1, 2]
    assert written(figure, tmp_path).startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="no epoch"):
        plot.learning_curves({})


@pytest.mark.parametrize("classes", [2, 10, 60])
def test_confusion_matrix(tmp_path, classes):
    counts = np.eye(classes, dtype=int) * 3
    counts[0, 1] = 2
    figure = plot.confusion_matrix(counts, [f"class ${i}" for i in range(classes)])
    texts = sorted(text.get_text() for text in figure.axes[0].texts)
    assert texts == (["2"] + ["3"] * classes if classes <= 25 else [])
    shares = figure.axes[0].images[0].get_array()
    np.testing.assert_allclose(shares[0, :2], [0.6, 0.4])
    written(figure, tmp_path)
    with pytest.raises(ValueError, match="expected"):
        plot.confusion_matrix(counts, ["one"])


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (4, 5, 3)])
def test_image_predictions_show_the_errors(tmp_path, shape):
    images = np.random.default_rng(0).random((100, *shape))
    true = np.arange(100) % 3
    predicted = true.copy()
    predicted[90] = (true[90] + 1) % 3
    figure = plot.image_predictions(images, predicted, true, ["a", "b", "c"])
    axes = figure.axes[0]
    titles = [text.get_text() for text in axes.texts]
    assert len(titles) == len(axes.images) == 40
    assert titles[:3] == ["a", "b", "c"]
    assert titles[-1] == "b, not a"
    written(figure, tmp_path)


def test_table_predictions(tmp_path):
    probabilities = np.array([[0.9, 0.1], [0.3, 0.7], [0.6, 0.4]])
    figure = plot.table_predictions(probabilities, [0, 1, 1], ["no", "yes"])
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["no", "yes", "no, not yes"]
    assert axes.get_title(loc="left") == "2 of 3 right"
    np.testing.assert_allclose(axes.lines[0].get_xdata(), 0.4)
    written(figure, tmp_path)


@pytest.mark.parametrize("count", [1, 20, 600])
def test_regression_figures(tmp_path, count):
    true = np.linspace(5.0, 6.0, count)
    predicted = true + 0.5
    figure = plot.predicted_and_true(predicted, true, name="price")
    points = np.asarray(figure.axes[0].collections[0].get_offsets())
    np.testing.assert_allclose(points, np.stack([true, predicted], axis=1))
    written(figure, tmp_path)
    figure = plot.residuals(predicted, true, name="price")
    np.testing.assert_allclose(np.asarray(figure.axes[0].collections[0].get_offsets())[:, 1], 0.5)
    assert figure.axes[0].get_ylabel() == "predicted − true price"
    written(figure, tmp_path)


def test_settings_are_put_back():
    before = dict(matplotlib.rcParams)
    plot.learning_curves({"loss": [1.0]})
    assert dict(matplotlib.rcParams) == before


def test_pyplot_stays_out():
    code = "import sys; import tapegrad.plot; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_notebooks_show_figures():
    # Without pyplot, whose inline backend would teach them to.
    code = """
import sys
from IPython.core.formatters import DisplayFormatter
from tapegrad import plot
shown, _ = DisplayFormatter().format(plot.learning_curves({"loss": [1.0]}))
assert shown["image/png"], shown
assert "matplotlib.pyplot" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_a_failed_write_leaves_nothing(tmp_path):
    figure = plot.learning_curves({"loss": [1.0]})
    with pytest.raises(ValueError, match="not supported"):
        plot.save(figure, tmp_path / "figure.nonsense")
    assert list(tmp_path.iterdir()) == []
