"""How the values of features are distributed in two sets of samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from tapegrad.plot.style import BLUE, ORANGE, new_figure, set_title, shortened, styled

__all__ = ["distributions"]

_COLUMNS = 4


@styled
def distributions(
    first: ArrayLike,
    second: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    labels: tuple[str, str] = ("real", "generated"),
    most: int = 12,
    title: str = "Features",
) -> Figure:
    """Draw histograms of each feature in two sets of samples, one over the other.

    Parameters
    ----------
    first, second : array_like of shape (samples, features)
        Two sets of samples; their numbers may differ.
    names : sequence of str, optional
        Names of the features; without them their numbers are shown, from 1.
    labels : (str, str), default ("real", "generated")
        What the sets are called.
    most : int, default 12
        So many features are drawn, the first ones.
    title : str, default "Features"
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a feature. The bins cover the first set; what the second has beyond is counted
        in the outermost ones. Areas are equal, whatever the numbers of samples.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> figure = distributions([[0.0], [1.0]], [[0.5], [0.7]], names=["height"])
    >>> figure.axes[0].get_xlabel()
    'height'
    """
    real, made = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if real.ndim != 2 or made.ndim != 2 or real.shape[1] != made.shape[1] or not real.size:
        raise ValueError(
            f"distributions: the sets have shapes {real.shape} and {made.shape}; expected "
            "(samples, features) with the same features."
        )
    count = real.shape[1]
    if names is not None and len(names) != count:
        raise ValueError(f"distributions: {len(names)} names were given for {count} features.")
    shown = min(count, most)
    columns = min(shown, _COLUMNS)
    rows = -(-shown // columns)
    figure = new_figure(max(2.3 * columns, 5.0) + 0.4, 1.9 * rows + 1.1)
    part = "" if shown == count else f" ({shown} of {count})"
    set_title(figure, title + part)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for place, axes in enumerate(panels):
        if place >= shown:
            axes.set_axis_off()
            continue
        edges = np.histogram_bin_edges(real[:, place], bins=min(24, max(6, len(real) // 8)))
        for values, label, colour, kind in (
            (real[:, place], labels[0], BLUE, "stepfilled"),
            (made[:, place], labels[1], ORANGE, "step"),
        ):
            axes.hist(
                np.clip(values, edges[0], edges[-1]), bins=edges.tolist(), density=True,
                histtype=kind, color=colour, alpha=0.45 if kind == "stepfilled" else 1.0,
                lw=1.6, label=label,
            )  # fmt: skip
        axes.set_xlabel(shortened(names[place] if names else f"feature {place + 1}", 24))
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.grid(False)
    handles, texts = panels[0].get_legend_handles_labels()
    figure.legend(handles, texts, loc="outside lower center", ncols=2)
    return figure
