"""The look that all figures share, and how they are written."""

from __future__ import annotations

import functools
import io
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tapegrad.utils.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes

P = ParamSpec("P")
R = TypeVar("R")

# Hues that colour-blind readers tell apart (after Okabe & Ito, 2008), and greys.
BLUE = "#0072b2"
ORANGE = "#d55e00"
GREEN = "#009e73"
PURPLE = "#aa4499"
INK = "#222222"
GREY = "#767676"
RULE = "#d9d9d9"

_SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.8,
    "axes.titlesize": 11.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "text.usetex": False,
    "text.parse_math": False,  # names of classes and columns may hold dollar signs
}


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """Draw under these settings, whatever the user's matplotlibrc says."""

    @functools.wraps(function)
    def draw(*args: P.args, **kwargs: P.kwargs) -> R:
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(_SETTINGS)
            return function(*args, **kwargs)

    return draw


class _Shown(Figure):
    """A figure that notebooks show, also those that have not loaded ``pyplot``."""

    @styled
    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of `width` × `height` inches that lays itself out."""
    figure = _Shown(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def set_title(figure: Figure, title: str) -> None:
    """Put a title above all panels, at the left."""
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")


def no_grid(axes: Axes) -> None:
    """For images and matrices: no rules, no ticks, no frame."""
    axes.grid(False)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def shortened(text: str, length: int = 16) -> str:
    """`text`, cut with an ellipsis if it is longer than `length` characters.

    Examples
    --------
    >>> shortened("versicolor", 6)
    'versi…'
    """
    return text if len(text) <= length else text[: length - 1] + "…"


@styled
def save(figure: Figure, path: str | os.PathLike[str], *, dpi: int = 140) -> None:
    """Write `figure` as the suffix of `path` says, whole or not at all.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What to write.
    path : path-like
        Where to. Its folder must exist.
    dpi : int, default 140
        Pixels per inch.
    """
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=dpi)
