"""Figures of predicted numbers: against the true ones, and their errors."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from tapegrad.plot.style import BLUE, GREY, INK, new_figure, set_title, styled


def _scatter(axes: Axes, x: np.ndarray, y: np.ndarray, label: str | None = None) -> None:
    """Draw points, small and pale enough to stay readable when there are many of them."""
    size, alpha = (26.0, 0.75) if len(x) <= 500 else (9.0, 0.4)
    axes.scatter(x, y, s=size, alpha=alpha, color=BLUE, linewidths=0, label=label)


@styled
def predicted_and_true(
    predicted: ArrayLike, true: ArrayLike, *, name: str = "y", title: str = "Predictions"
) -> Figure:
    """Draw predicted against true numbers.

    Parameters
    ----------
    predicted, true : array_like of shape (samples,)
        Numbers in the unit of the data.
    name : str, default "y"
        What is predicted.
    title : str, default "Predictions"
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        Points on the diagonal are predicted exactly.

    Examples
    --------
    >>> figure = predicted_and_true([1.1, 1.9], [1.0, 2.0], name="price")
    >>> figure.axes[0].get_ylabel()
    'predicted price'
    """
    guesses, truths = np.asarray(predicted), np.asarray(true)
    figure = new_figure(5.4, 5.4)
    set_title(figure, title)
    axes = figure.subplots()
    low = float(min(guesses.min(), truths.min()))
    high = float(max(guesses.max(), truths.max()))
    room = 0.05 * (high - low) or 1.0
    limits = (low - room, high + room)
    axes.plot(limits, limits, color=GREY, lw=1.0, label="exact")
    _scatter(axes, truths, guesses, "test samples")
    axes.set_xlim(limits)
    axes.set_ylim(limits)
    axes.set_aspect("equal")
    axes.set_xlabel(f"true {name}")
    axes.set_ylabel(f"predicted {name}")
    axes.legend(loc="upper left")
    return figure


@styled
def residuals(
    predicted: ArrayLike, true: ArrayLike, *, name: str = "y", title: str = "Residuals"
) -> Figure:
    """Draw the errors of predicted numbers, by prediction and as a histogram.

    Parameters
    ----------
    predicted, true : array_like of shape (samples,)
        Numbers in the unit of the data.
    name : str, default "y"
        What is predicted.
    title : str, default "Residuals"
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        A good model leaves errors without a pattern, spread evenly around 0.
    """
    guesses = np.asarray(predicted)
    errors = guesses - np.asarray(true)
    figure = new_figure(8.4, 4.0)
    set_title(figure, title)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[2.4, 1.0])
    left.axhline(0.0, color=GREY, lw=1.0)
    _scatter(left, guesses, errors)
    left.set_xlabel(f"predicted {name}")
    left.set_ylabel(f"predicted − true {name}")
    right.hist(errors, bins=min(30, max(5, len(errors) // 6)), orientation="horizontal", color=BLUE)
    right.axhline(0.0, color=GREY, lw=1.0)
    mean = float(errors.mean())
    right.axhline(mean, color=INK, lw=1.2, ls="--", label=f"mean {mean:.3g}")
    right.set_xlabel("test samples")
    right.legend(loc="upper right")
    return figure
