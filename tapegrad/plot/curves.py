"""Loss and metrics by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from tapegrad.plot.style import BLUE, ORANGE, new_figure, set_title, styled


@styled
def learning_curves(
    history: Mapping[str, Sequence[float]],
    *,
    title: str = "Training",
    validation_name: str = "validation",
    labels: Mapping[str, str] | None = None,
) -> Figure:
    """Draw each metric by epoch, of training and of validation samples.

    Parameters
    ----------
    history : mapping of str to sequence of float
        ``History.history``: values by epoch; ``val_`` before validation's names.
    title : str, default "Training"
        Title of the figure.
    validation_name : str, default "validation"
        What the second curve is called.
    labels : mapping of str to str, optional
        Labels of the vertical axes, with units, by metric.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a metric.

    Examples
    --------
    >>> figure = learning_curves({"loss": [2.0, 1.0], "val_loss": [2.1, 1.4]})
    >>> [line.get_label() for line in figure.axes[0].lines]
    ['training', 'validation']
    """
    names = [name for name in history if not name.startswith("val_")]
    if not names or not history[names[0]]:
        raise ValueError("learning_curves: history holds no epoch")
    figure = new_figure(5.2 * len(names), 3.9)
    set_title(figure, title)
    panels = figure.subplots(1, len(names), squeeze=False)[0]
    for axes, name in zip(panels, names, strict=True):
        curves = [("training", history[name], BLUE)]
        if f"val_{name}" in history:
            curves.append((validation_name, history[f"val_{name}"], ORANGE))
        for label, values, colour in curves:
            epochs = range(1, len(values) + 1)
            marker = "o" if len(values) < 15 else ""
            axes.plot(epochs, values, color=colour, marker=marker, ms=4, lw=1.8, label=label)
        axes.set_xlabel("epoch")
        axes.set_ylabel((labels or {}).get(name, name.replace("_", " ")))
        last = max(len(values) for _, values, _ in curves)
        axes.set_xticks(sorted({round(tick) for tick in np.linspace(1, last, min(last, 7))}))
        axes.margins(x=0.09)
        if all(value >= 0 for _, values, _ in curves for value in values) and "loss" in name:
            axes.set_ylim(bottom=0)
        # Each curve's last value, beside its end; drawn apart where they would overlap.
        ends = sorted(curves, key=lambda curve: curve[1][-1])
        low, high = axes.get_ylim()
        close = ends[-1][1][-1] - ends[0][1][-1] < 0.06 * (high - low)
        for place, (_, values, colour) in enumerate(ends):
            axes.annotate(
                f"{values[-1]:.3f}" if abs(values[-1]) >= 0.01 else f"{values[-1]:.2g}",
                (len(values), values[-1]),
                xytext=(6, (0, 11)[place] if close else 3),
                textcoords="offset points",
                va="center",
                color=colour,
                fontsize=9,
                annotation_clip=False,
            )
        axes.legend(loc="best")
    return figure
