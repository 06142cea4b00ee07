"""Codes that a network gives to samples, as points in a plane."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from tapegrad.plot.style import BLUE, INK, new_figure, set_title, shortened, styled

__all__ = ["latent_space"]


@styled
def latent_space(
    codes: ArrayLike,
    labels: ArrayLike | None = None,
    *,
    class_names: Sequence[str] | None = None,
    title: str = "Latent space",
) -> Figure:
    """Draw what samples are encoded as, coloured by their classes.

    Codes of more than two numbers are projected on the two orthogonal directions in which they
    spread most, their principal components.

    Parameters
    ----------
    codes : array_like of shape (samples, numbers)
        Two numbers a sample, or more.
    labels : array_like of int, shape (samples,), optional
        Classes, from 0.
    class_names : sequence of str, optional
        Names of the classes; without them their numbers are shown.
    title : str, default "Latent space"
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        A class's name stands at the median of its points.

    Raises
    ------
    ValueError
        If `codes` or `labels` have another shape, or a class has no name.

    References
    ----------
    Pearson, "On lines and planes of closest fit to systems of points in space", 1901.

    Examples
    --------
    >>> figure = latent_space([[0.0, 1.0], [2.0, 3.0]], [0, 1], class_names=["cat", "dog"])
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['cat', 'dog']
    """
    points = np.asarray(codes, dtype=float)
    if points.ndim != 2 or points.shape[1] < 2 or not len(points):
        raise ValueError(
            f"latent_space: codes have shape {points.shape}; expected (samples, numbers) with two "
            "numbers or more."
        )
    names = ("first number of the code", "second number of the code")
    if points.shape[1] > 2:
        points, shares = _principal_components(points)
        names = tuple(
            f"{which} principal component ({share:.0%} of the variance)"
            for which, share in zip(("first", "second"), shares)
        )
    figure = new_figure(6.4, 5.6)
    set_title(figure, title)
    axes = figure.subplots()
    axes.set_xlabel(names[0])
    axes.set_ylabel(names[1])
    size, alpha = (22.0, 0.75) if len(points) <= 500 else (9.0, 0.6)
    if labels is None:
        axes.scatter(*points.T, s=size, alpha=alpha, color=BLUE, linewidths=0)
        return figure
    classes = _checked(labels, len(points), class_names)
    present: list[int] = np.unique(classes).tolist()
    colours = _colours(present[-1] + 1)
    for label in present:
        chosen = points[classes == label]
        axes.scatter(*chosen.T, s=size, alpha=alpha, color=colours[label], linewidths=0)
    for label in present:  # above all points
        name = str(label) if class_names is None else shortened(class_names[label])
        box = {"boxstyle": "round,pad=0.2", "fc": "white", "ec": colours[label], "alpha": 0.9}
        x, y = np.median(points[classes == label], axis=0)
        axes.text(
            x, y, name, ha="center", va="center", fontsize=10, color=INK,
            fontweight="bold", bbox=box,
        )  # fmt: skip
    return figure


def _checked(
    labels: ArrayLike, samples: int, class_names: Sequence[str] | None
) -> NDArray[np.int64]:
    classes = np.asarray(labels)
    if classes.shape != (samples,):
        raise ValueError(
            f"latent_space: labels have shape {classes.shape}; expected ({samples},), one for each "
            "code."
        )
    classes = classes.astype(np.int64)
    if classes.min() < 0 or (class_names is not None and classes.max() >= len(class_names)):
        count = "" if class_names is None else f", for {len(class_names)} class names"
        raise ValueError(
            f"latent_space: labels go from {classes.min()} to {classes.max()}{count}; they count "
            "the classes from 0."
        )
    return classes


def _principal_components(
    points: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The points in the plane of largest variance, and the share that each axis has of it."""
    centred = points - points.mean(axis=0)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    if len(sizes) < 2:  # a single sample spans no plane
        return np.zeros((len(points), 2)), np.zeros(2)
    return centred @ directions[:2].T, sizes[:2] ** 2 / max(float((sizes**2).sum()), 1e-300)


def _colours(count: int) -> NDArray[np.float64]:
    """Colours that can be told apart, as far as their number lets them."""
    if count > 20:
        return matplotlib.colormaps["turbo"](np.linspace(0.03, 0.97, count))
    # Of the twenty, the strong ones stand before the pale ones.
    twenty = matplotlib.colormaps["tab20"](np.arange(20))
    return np.concatenate([twenty[::2], twenty[1::2]])[:count]
