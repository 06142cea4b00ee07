"""Forecasts of a series, beside what came."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from tapegrad.plot.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    new_figure,
    set_title,
    styled,
)

__all__ = ["forecast"]

_COLOURS = (ORANGE, BLUE, GREEN, PURPLE)
_DASHES = ("-", "--", "-.", ":")


@styled
def forecast(
    times: ArrayLike,
    values: ArrayLike,
    forecasts: Mapping[str, ArrayLike],
    *,
    context: int | None = None,
    x_label: str = "time",
    y_label: str = "value",
    title: str = "Forecast",
) -> Figure:
    """Draw a series and forecasts of its end, and beneath by how much these are wrong.

    Parameters
    ----------
    times : array_like of shape (steps,)
        When the values were measured, in order.
    values : array_like of shape (steps,)
        The series as it was.
    forecasts : mapping of str to array_like
        Forecasts by name; each is of the last steps of the series, as many as it has values.
    context : int, optional
        So many steps before the first forecast are drawn; by default as many as forecast ones.
    x_label, y_label : str
        What the axes show, with units.
    title : str, default "Forecast"
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        Below, an error above zero is a forecast above the measured value. The legend gives each
        forecast's root mean squared error, in the unit of the values.

    Raises
    ------
    ValueError
        If `times` and `values` differ in length, there is no forecast, or one is longer than the
        series.

    Examples
    --------
    >>> figure = forecast([1, 2, 3, 4], [1.0, 2.0, 1.0, 2.0], {"as before": [2.0, 1.0]})
    >>> [line.get_label() for line in figure.axes[0].lines][:2]
    ['measured', 'as before: RMSE 1']
    """
    when, true = np.asarray(times), np.asarray(values, dtype=float)
    if when.ndim != 1 or when.shape != true.shape:
        raise ValueError(
            f"forecast: times have shape {when.shape} and values {true.shape}; expected one time "
            "for each value."
        )
    guesses = {name: np.asarray(guess, dtype=float) for name, guess in forecasts.items()}
    for name, guess in guesses.items():
        if guess.ndim != 1 or not 0 < len(guess) <= len(true):
            raise ValueError(
                f"forecast: {name!r} has shape {guess.shape}; expected up to {len(true)} values, "
                "for the last steps of the series."
            )
    if not guesses:
        raise ValueError("forecast: there is no forecast to draw.")
    longest = max(len(guess) for guess in guesses.values())
    first = max(0, len(true) - longest - (longest if context is None else context))
    figure = new_figure(9.0, 5.2)
    set_title(figure, title)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[2.0, 1.0])
    upper.plot(when[first:], true[first:], color=INK, lw=1.4, marker="o", ms=2.6, label="measured")
    lower.axhline(0.0, color=GREY, lw=1.0)
    for place, (name, guess) in enumerate(guesses.items()):
        errors = guess - true[-len(guess) :]
        colour, dash = _COLOURS[place % 4], _DASHES[place // 4 % 4]
        label = f"{name}: RMSE {np.sqrt(np.mean(errors**2)):.3g}"
        upper.plot(when[-len(guess) :], guess, color=colour, ls=dash, lw=1.6, label=label)
        lower.plot(when[-len(guess) :], errors, color=colour, ls=dash, lw=1.4)
    if len(true) - longest > first:  # where the past ends
        border = (when[-longest] + when[-longest - 1]) / 2
        for axes in (upper, lower):
            axes.axvline(border, color=GREY, lw=0.9, ls=":")
    upper.set_ylabel(y_label)
    lower.set_ylabel("error")
    lower.set_xlabel(x_label)
    upper.margins(x=0.01)
    # Beside the title, where it hides no curve.
    upper.legend(
        loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=min(len(guesses) + 1, 4), fontsize=9,
        borderaxespad=0.2,
    )  # fmt: skip
    return figure
