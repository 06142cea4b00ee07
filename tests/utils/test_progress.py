"""The progress bar for loops of one's own, images, and sessions."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad.utils import Progbar, array_to_img, clear_session, img_to_array, load_img, save_img


def test_values_are_averaged_until_the_last():
    bar = Progbar(10, verbose=0, stateful_metrics=["rate"])
    bar.update(1, [("loss", 4.0), ("rate", 1.0)])
    bar.update(3, [("loss", 1.0), ("rate", 2.0)])  # stands for two steps
    assert bar.values() == {"loss": 2.0, "rate": 2.0}
    bar.add(1, [("loss", 2.0)])
    assert bar.values()["loss"] == 2.0
    bar.update(10, [("loss", 7.0)])
    assert bar.values() == {"loss": 7.0, "rate": 2.0}
    other = Progbar(10, verbose=0, stateless_metrics=["loss"])
    for step in (1, 2):
        other.update(step, [("loss", float(step)), ("rate", float(step))])
    assert other.values() == {"loss": 1.5, "rate": 2.0}
    with pytest.raises(ValueError, match="not both"):
        Progbar(1, stateful_metrics=[], stateless_metrics=[])


def test_drawing(capsys):
    bar = Progbar(3, unit_name="sample", interval=0)
    for step in range(1, 4):
        bar.update(step, [("loss", 0.5)])
    drawn = capsys.readouterr().err
    assert "3/3" in drawn
    assert "loss=0.5" in drawn
    assert "sample" in drawn
    line = Progbar(2, verbose=2)
    line.update(1, [("loss", 1.0)])
    assert capsys.readouterr().out == ""
    line.update(2, [("loss", 0.25)])
    assert capsys.readouterr().out == "2/2 - loss: 0.25\n"
    unknown = Progbar(None)
    unknown.update(5)
    unknown.update(7, finalize=True)
    assert "7sample" in capsys.readouterr().err.replace("step", "sample")


def test_images(tmp_path):
    array = np.arange(4 * 6 * 3, dtype=np.float32).reshape(4, 6, 3)
    path = tmp_path / "image.png"
    save_img(path, array, scale=False)
    image = load_img(path)
    assert image.size == (6, 4)
    back = img_to_array(image)
    np.testing.assert_array_equal(back, array)
    assert back.dtype == np.float32
    assert img_to_array(image, dtype="uint8").dtype == np.uint8
    assert load_img(path, color_mode="rgba").mode == "RGBA"
    assert img_to_array(load_img(path, color_mode="grayscale")).shape == (4, 6, 1)
    assert load_img(path, target_size=(2, 2)).size == (2, 2)
    cut = load_img(path, target_size=(2, 2), keep_aspect_ratio=True)
    np.testing.assert_array_equal(
        img_to_array(cut), img_to_array(load_img(path).crop((1, 0, 5, 4)).resize((2, 2), 0))
    )
    stretched = np.asarray(array_to_img(array))
    assert (stretched.min(), stretched.max()) == (0, 255)
    assert array_to_img(np.zeros((2, 2, 1))).mode == "L"
    assert array_to_img(np.full((2, 2, 1), 300.0), scale=False).mode == "I"
    save_img(tmp_path / "image.jpg", np.zeros((8, 8, 4)))
    assert load_img(tmp_path / "image.jpg").mode == "RGB"


def test_images_refused(tmp_path):
    with pytest.raises(ValueError, match="channels"):
        array_to_img(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="channels"):
        array_to_img(np.zeros((2, 2, 2)))
    with pytest.raises(ValueError, match="axes"):
        img_to_array(np.zeros(3))
    with pytest.raises(ValueError, match="color_mode"):
        load_img(tmp_path / "x.png", color_mode="bgr")
    with pytest.raises(ValueError, match="interpolation is one of nearest"):
        load_img(tmp_path / "x.png", interpolation="linear")


def test_clear_session():
    tg.layers.Dense(1)
    clear_session()
    assert tg.layers.Dense(1).name == "dense"
    assert tg.layers.Dense(1).name == "dense_1"


def test_names_of_the_package():
    for name in tg.utils.__all__:
        if name != "plot_model":
            assert getattr(tg.utils, name) is not None
    assert "pad_sequences" in dir(tg.utils)
    with pytest.raises(AttributeError, match="nothing"):
        tg.utils.nothing  # noqa: B018
