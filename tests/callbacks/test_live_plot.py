"""Curves in notebooks, and nothing elsewhere."""

from __future__ import annotations

import sys

import pytest

from tapegrad.callbacks import LivePlot, live_plot


def train(plot, epochs=4):
    plot.on_train_begin()
    for epoch in range(epochs):
        logs = {"loss": 1 / (epoch + 1), "val_loss": 1.0, "mae": 0.5, "f1": [1.0]}
        plot.on_epoch_end(epoch, logs)
    plot.on_train_end()


def test_outside_of_notebooks_nothing_is_drawn(monkeypatch):
    monkeypatch.setattr(LivePlot, "_draw", lambda self: pytest.fail("drawn"))
    plot = LivePlot(seconds=0)
    train(plot)
    assert plot.history["loss"][1] == (2, 0.5)


def test_not_importing_ipython_is_not_being_in_a_notebook(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not live_plot._in_notebook()


@pytest.mark.parametrize(("seconds", "drawings"), [(0.0, 4), (60.0, 2)])
def test_the_figure_is_replaced_in_place(monkeypatch, seconds, drawings):
    display = pytest.importorskip("IPython.display")
    shown = []

    class Handle:
        def update(self, image):
            shown.append(image)

    def fake(image, display_id):
        assert display_id
        shown.append(image)
        return Handle()

    monkeypatch.setattr(display, "display", fake)
    monkeypatch.setattr(live_plot, "_in_notebook", lambda: True)
    train(LivePlot(seconds=seconds))
    assert len(shown) == drawings, "each epoch, or the first and the last"
    assert all(image.data.startswith(b"\x89PNG") for image in shown)


def test_figure():
    plot = LivePlot(metrics=["loss"])
    train(plot)
    (axes,) = plot.figure().axes
    assert axes.get_title() == "loss"
    assert [line.get_label() for line in axes.lines] == ["training", "validation"]
    assert list(axes.lines[0].get_xdata()) == [1, 2, 3, 4]
    again = LivePlot()
    again.set_state(plot.get_state())
    assert [axes.get_title() for axes in again.figure().axes] == ["loss", "mae"]
    assert LivePlot().figure().axes == []
