"""Drawings of networks."""

from __future__ import annotations

import itertools

import pytest

import tapegrad as tg
from tapegrad import layers
from tapegrad.plot import network, plot_model
from tapegrad.plot._layered import lay_out


def branched():
    x = tg.Input((8, 4), name="x")
    inner = tg.Sequential([tg.Input((8, 4)), layers.Dense(3, name="deep")], name="inner")
    a, b = inner(x), layers.Dense(3, name="side")(x)
    return tg.Model(x, [layers.Dense(2, name="left")(a + b), layers.Flatten(name="right")(b)])


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_what_the_boxes_say():
    shown = texts(network(branched(), show_dtype=True, show_trainable=True))
    expected = {"x · Input", "side · Dense", "inner · Sequential", "add", "right · Flatten"}
    assert expected <= set(shown)
    assert "8 × 4" in shown
    assert "24" in shown
    assert "float32" in shown
    assert "trained" in shown
    bare = texts(network(branched(), show_shapes=False, show_layer_names=False))
    assert sorted(bare) == sorted(["Input", "Sequential", "Dense", "add", "Dense", "Flatten"])


def test_inner_models_can_be_shown():
    shown = texts(network(branched(), expand_nested=True, show_layer_activations=True))
    assert "inner/deep · Dense" in shown
    assert "inner · Sequential" not in shown
    assert "activation linear" in shown


@pytest.mark.parametrize("rankdir", ["TB", "LR"])
def test_boxes_do_not_overlap(rankdir):
    figure = network(branched(), rankdir=rankdir)
    figure.canvas.draw()
    axes = figure.axes[0]
    boxes = [p.get_window_extent() for p in axes.patches if hasattr(p, "get_boxstyle")]
    boxes = [box for box, p in zip(boxes, axes.patches) if "FancyBbox" in type(p).__name__]
    for one, other in itertools.combinations(boxes, 2):
        assert not one.shrunk(0.99, 0.99).overlaps(other.shrunk(0.99, 0.99))
    canvas = figure.bbox
    for text in axes.texts:
        extent = text.get_window_extent()
        assert canvas.x0 <= extent.x0
        assert extent.x1 <= canvas.x1


@pytest.mark.parametrize(("suffix", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG")])
def test_files(tmp_path, suffix, start):
    path = tmp_path / f"model.{suffix}"
    plot_model(branched(), path, show_shapes=True)
    assert path.read_bytes().startswith(start)
    tg.utils.plot_model(tg.Sequential([tg.Input((3,)), layers.Dense(2)]), path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_what_cannot_be_drawn():
    with pytest.raises(ValueError, match="shape of its input is not known"):
        network(tg.Sequential([layers.Dense(2)]))
    with pytest.raises(ValueError, match="'up'"):
        network(branched(), rankdir="up")


def test_layout():
    # A diamond with a long edge: it passes beside the middle, not through it.
    layout = lay_out([1.0, 1.0, 1.0, 1.0], [(0, 1), (1, 2), (2, 3), (0, 3)], gap=1.0)
    assert layout.rank == [0, 1, 2, 3]
    (_, first), (_, second) = layout.routes[0, 3]
    assert abs(first - layout.place[1]) >= 1.0
    assert abs(second - layout.place[2]) >= 1.0
    wide = lay_out([2.0] * 5, [(0, 1), (0, 2), (0, 3), (0, 4)], gap=0.5)
    places = sorted(wide.place[1:])
    assert all(b - a >= 2.5 - 1e-9 for a, b in itertools.pairwise(places))
    assert wide.place[0] == pytest.approx(sum(places) / 4)
