"""Figures of classifiers: the confusion matrix and sample predictions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from tapegrad.plot.style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    RULE,
    new_figure,
    no_grid,
    set_title,
    shortened,
    styled,
)

_COLUMNS = 8


@styled
def confusion_matrix(
    counts: ArrayLike, class_names: Sequence[str], *, title: str = "Confusion matrix"
) -> Figure:
    """Draw which classes are taken for which.

    Parameters
    ----------
    counts : array_like of int, shape (classes, classes)
        Number of samples by true class (rows) and predicted class (columns).
    class_names : sequence of str
        Names of the classes.
    title : str, default "Confusion matrix"
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        Colour shows the share of the true class, numbers are samples.

    Examples
    --------
    >>> figure = confusion_matrix([[9, 1], [0, 10]], ["cat", "dog"])
    >>> figure.axes[0].get_xlabel()
    'predicted class'
    """
    table = np.asarray(counts)
    classes = len(class_names)
    if table.shape != (classes, classes):
        raise ValueError(
            f"confusion_matrix: counts have shape {table.shape}; expected ({classes}, {classes})"
        )
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    size = min(max(0.52 * classes, 3.0), 11.0)
    figure = new_figure(size + 2.2, size + 1.5)
    set_title(figure, title)
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    no_grid(axes)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    names = [shortened(name) for name in class_names]
    step = max(1, classes // 40)
    longest = max(len(name) for name in names)
    axes.set_xticks(
        range(0, classes, step), names[::step], rotation=0 if longest <= 3 else 45,
        ha="center" if longest <= 3 else "right", rotation_mode="anchor",
    )  # fmt: skip
    axes.set_yticks(range(0, classes, step), names[::step])
    axes.tick_params(axis="x", pad=6)
    if classes <= 25:
        for row, column in np.ndindex(table.shape):
            if table[row, column]:
                dark = shares[row, column] > 0.55
                wrong = ORANGE if row != column else INK
                axes.text(
                    column, row, str(table[row, column]), ha="center", va="center", fontsize=9,
                    color="white" if dark else wrong,
                    fontweight="bold" if row != column else "normal",
                )  # fmt: skip
    bar = figure.colorbar(image, ax=axes, shrink=0.8, aspect=25)
    bar.set_label("share of the true class")
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    return figure


def _chosen(predicted: np.ndarray, true: np.ndarray, most: int, wrong: int) -> list[int]:
    """The first samples, then up to `wrong` further ones that are classified wrongly."""
    errors = np.flatnonzero(predicted != true)
    first = list(range(min(most - min(wrong, len(errors)), len(true))))
    return first + [int(i) for i in errors if i >= len(first)][: most - len(first)]


@styled
def image_predictions(
    images: ArrayLike,
    predicted: ArrayLike,
    true: ArrayLike,
    class_names: Sequence[str],
    *,
    title: str = "Predictions",
) -> Figure:
    """Draw the first images, then wrongly classified ones, each with its classes.

    Parameters
    ----------
    images : array_like of shape (samples, height, width) or (samples, height, width, channels)
        Images, in any unit.
    predicted, true : array_like of int, shape (samples,)
        Classes.
    class_names : sequence of str
        Names of the classes.
    title : str, default "Predictions"
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        Forty images at most.
    """
    pixels, guesses, truths = np.asarray(images), np.asarray(predicted), np.asarray(true)
    if pixels.ndim == 4 and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    low, high = float(pixels.min()), float(pixels.max())
    if pixels.ndim == 4:  # colours are drawn as they are, between 0 and 1
        pixels = (pixels - low) / max(high - low, 1e-12)
    chosen = _chosen(guesses, truths, 40, 16)
    rows = -(-len(chosen) // _COLUMNS)
    figure = new_figure(1.15 * _COLUMNS, 1.5 * rows + 0.6)
    set_title(figure, title)
    # One panel with all images in it: forty panels take seconds to lay out.
    axes = figure.subplots()
    no_grid(axes)
    axes.set_xticks([])
    axes.set_yticks([])
    height, width = pixels.shape[1:3]
    scale = 0.86 / max(height, width)
    for place, index in enumerate(chosen):
        row, column = divmod(place, _COLUMNS)
        left, top = column - width * scale / 2, 1.3 * row
        # Dark ink on light paper where there is one channel.
        axes.imshow(
            pixels[index], cmap="gray_r", vmin=low, vmax=high, interpolation="nearest",
            extent=(left, left + width * scale, top + height * scale, top),
        )  # fmt: skip
        right = guesses[index] == truths[index]
        guess, truth = (shortened(class_names[int(v[index])], 8) for v in (guesses, truths))
        axes.text(
            column, top - 0.06, guess if right else f"{guess}, not {truth}",
            ha="center", va="bottom", fontsize=10, color=BLUE if right else ORANGE,
            fontweight="normal" if right else "bold",
        )  # fmt: skip
    axes.set_xlim(-0.5, _COLUMNS - 0.5)
    axes.set_ylim(1.3 * rows - 0.3, -0.4)
    return figure


@styled
def table_predictions(
    probabilities: ArrayLike,
    true: ArrayLike,
    class_names: Sequence[str],
    *,
    title: str = "Predictions",
) -> Figure:
    """Draw how sure a classifier is of samples that are no images.

    Parameters
    ----------
    probabilities : array_like of shape (samples, classes)
        What the classifier gives.
    true : array_like of int, shape (samples,)
        Classes.
    class_names : sequence of str
        Names of the classes.
    title : str, default "Predictions"
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        Sixteen samples at most, the first ones and some that are classified wrongly:
        the probability of the predicted class and, where that is wrong, of the true one.
    """
    given, truths = np.asarray(probabilities), np.asarray(true)
    guesses = given.argmax(axis=1)
    chosen = _chosen(guesses, truths, 16, 6)
    figure = new_figure(8.0, 0.34 * len(chosen) + 1.7)
    set_title(figure, title)
    axes = figure.subplots()
    for place, index in enumerate(chosen):
        guess, truth = int(guesses[index]), int(truths[index])
        right = guess == truth
        colour = BLUE if right else ORANGE
        sure = float(given[index, guess])
        axes.barh(place, 1.0, height=0.66, color=RULE, alpha=0.5)
        axes.barh(place, sure, height=0.66, color=colour)
        text = class_names[guess] if right else f"{class_names[guess]}, not {class_names[truth]}"
        inside = sure > 0.35
        axes.text(
            sure - 0.012 if inside else sure + 0.012, place, shortened(text, 40),
            ha="right" if inside else "left", va="center", fontsize=9,
            color="white" if inside else colour,
        )  # fmt: skip
        if not right:
            axes.plot([given[index, truth]] * 2, [place - 0.33, place + 0.33], color=INK, lw=2.0)
    axes.set_yticks(range(len(chosen)), [f"sample {index}" for index in chosen], fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(0.0, 1.0)
    axes.grid(False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("probability of the predicted class (bar)")
    errors = int((guesses != truths).sum())
    if errors:
        axes.set_xlabel(
            "probability of the predicted class (bar) and, where that is wrong, of the true one"
            " (black line)"
        )
    axes.set_title(
        f"{len(truths) - errors} of {len(truths)} right", fontsize=10, color=GREY,
        fontweight="normal",
    )  # fmt: skip
    return figure
