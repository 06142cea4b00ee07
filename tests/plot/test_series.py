"""Forecasts of a series."""

from __future__ import annotations

import numpy as np
import pytest

from tapegrad import plot


def test_forecasts_and_their_errors():
    times = np.arange(2000, 2020)
    values = np.sin(times)
    guesses = {"short": values[-4:] + 0.5, "long": values[-6:] - [1, 1, 1, 1, 1, 2]}
    figure = plot.forecast(times, values, guesses, y_label="level", x_label="year")
    upper, lower = figure.axes
    measured, short, long = upper.lines[:3]
    np.testing.assert_array_equal(measured.get_xdata(), times[-12:])
    np.testing.assert_array_equal(short.get_xdata(), times[-4:])
    np.testing.assert_array_equal(long.get_ydata(), guesses["long"])
    assert short.get_label() == "short: RMSE 0.5"
    assert long.get_label() == f"long: RMSE {np.sqrt(9 / 6):.3g}"
    np.testing.assert_allclose(lower.lines[1].get_ydata(), 0.5)
    np.testing.assert_allclose(lower.lines[2].get_ydata(), [-1, -1, -1, -1, -1, -2])
    # The past ends half-way between the last year known and the first foretold.
    np.testing.assert_array_equal(upper.lines[3].get_xdata(), [2013.5, 2013.5])
    assert (upper.get_ylabel(), lower.get_xlabel()) == ("level", "year")


def test_the_past_that_is_shown():
    times = np.arange(10)
    for context, first in [(3, 5), (0, 8), (100, 0)]:
        figure = plot.forecast(times, times, {"same": times[-2:]}, context=context)
        assert figure.axes[0].lines[0].get_xdata()[0] == first
    plot.forecast(times, times, {"all": times})  # without a past


def test_many_forecasts_can_be_told_apart():
    figure = plot.forecast(range(9), range(9), {f"model {i}": [1.0, 2.0] for i in range(8)})
    looks = {(line.get_color(), line.get_linestyle()) for line in figure.axes[0].lines[1:9]}
    assert len(looks) == 8
    figure.canvas.draw()
    legend = figure.axes[0].get_legend().get_window_extent()
    assert legend.x0 >= 0
    assert legend.y1 <= figure.bbox.y1


def test_what_is_no_forecast():
    with pytest.raises(ValueError, match=r"times have shape \(3,\) and values \(4,\)"):
        plot.forecast(range(3), range(4), {"a": [1.0]})
    with pytest.raises(ValueError, match=r"'a' has shape \(5,\); expected up to 4 values"):
        plot.forecast(range(4), range(4), {"a": range(5)})
    with pytest.raises(ValueError, match="'b' has shape"):
        plot.forecast(range(4), range(4), {"b": []})
    with pytest.raises(ValueError, match="no forecast"):
        plot.forecast(range(4), range(4), {})
