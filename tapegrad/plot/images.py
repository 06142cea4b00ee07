"""Figures made of many small images: samples, filters, feature maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike, NDArray

from tapegrad.plot.style import new_figure, no_grid, set_title, shortened, styled

__all__ = ["feature_maps", "filters", "image_grid"]

_CELL = 0.62  # inches from one image to the next
_SIDE = 0.9  # the longer side of an image, where 1 is the distance to the next
_LETTER = 0.075  # inches a letter of a row's label takes


@styled
def image_grid(
    images: ArrayLike,
    *,
    columns: int = 10,
    labels: Sequence[object] | None = None,
    row_labels: Sequence[str] | None = None,
    signed: bool = False,
    limits: tuple[float, float] | None = None,
    title: str = "Images",
) -> Figure:
    """Draw images side by side, row after row, all on one scale.

    Parameters
    ----------
    images : array_like of shape (images, height, width) or (images, height, width, channels)
        One channel, drawn as dark ink on light paper, or three, drawn as red, green and blue.
    columns : int, default 10
        Images a row.
    labels : sequence, optional
        What stands above each image.
    row_labels : sequence of str, optional
        What stands beside each row.
    signed : bool, default False
        Whether the sign counts, as with weights: blue above zero, white at it, red below, and a bar
        that tells how much.
    limits : (float, float), optional
        The values that are drawn as white and black; by default the smallest and the largest (with
        `signed`, plus and minus the largest size).
    title : str, default "Images"
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If `images` have another shape, there are none, or labels do not fit their number.

    Examples
    --------
    >>> import numpy as np
    >>> figure = image_grid(np.eye(4).reshape(4, 2, 2), columns=2, row_labels=["first", "second"])
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['first', 'second']
    """
    pixels = _as_images(images)
    rows = -(-len(pixels) // columns)
    _check_number("labels", labels, len(pixels), "image")
    _check_number("row_labels", row_labels, rows, "row")
    low, high = limits or (float(np.nanmin(pixels)), float(np.nanmax(pixels)))
    if signed and limits is None:
        high = max(abs(low), abs(high))
        low = -high
    if pixels.ndim == 4:  # colours are drawn as they are, between 0 and 1
        pixels = np.clip((pixels - low) / max(high - low, 1e-12), 0.0, 1.0)
    pitch = 1.3 if labels is not None else 1.0
    figure, axes = _sheet(min(columns, len(pixels)), rows * pitch, row_labels, title, bar=signed)
    scale = {"cmap": "RdBu" if signed else "gray_r", "vmin": low, "vmax": high}
    picture = None
    for place, image in enumerate(pixels):
        row, column = divmod(place, columns)
        picture = _draw(axes, image, column, (row + 1) * pitch - 1.0, scale)
        if labels is not None:
            axes.text(
                column, (row + 1) * pitch - 1.0 - 0.02, shortened(str(labels[place]), 8),
                ha="center", va="bottom", fontsize=9,
            )  # fmt: skip
    _frame(axes)
    for row, label in enumerate(row_labels or ()):
        _beside(axes, label, (row + 1) * pitch - 0.5)
    if signed and pixels.ndim == 3:
        assert picture is not None
        bar = figure.colorbar(picture, ax=axes, aspect=14, shrink=0.9)
        bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    return figure


@styled
def filters(
    layer: Any, *, columns: int = 16, channels: int = 6, title: str | None = None
) -> Figure:
    """Draw the weights of a two-dimensional convolution, each filter as an image.

    Parameters
    ----------
    layer : Layer or array_like of shape (height, width, input channels, filters)
        A layer such as `tapegrad.layers.Conv2D`, or its kernel.
    columns : int, default 16
        Filters a row.
    channels : int, default 6
        Of a layer with several input channels, so many are drawn, a row each, for the first
        `columns` filters.
    title : str, optional
        Title of the figure; by default it says which layer's filters and how many these are.

    Returns
    -------
    matplotlib.figure.Figure
        Blue weights are positive, red ones negative, white ones zero: where the input looks like
        the blue and unlike the red, the filter answers.

    Raises
    ------
    ValueError
        If the layer is not built, or the kernel has another shape.

    Examples
    --------
    >>> import tapegrad as tg
    >>> layer = tg.layers.Conv2D(32, (3, 3), input_shape=(8, 8, 1))
    >>> layer.build((None, 8, 8, 1))
    >>> len(filters(layer).axes[0].images)
    32
    """
    name = getattr(layer, "name", "kernel")
    kernel = np.asarray(_kernel_of(layer))
    if kernel.ndim != 4:
        raise ValueError(
            f"filters: the kernel of {name} has shape {kernel.shape}; expected four axes: height, "
            "width, input channels and filters, as of Conv2D."
        )
    inputs, count = kernel.shape[2:]
    by_channel = kernel.transpose(2, 3, 0, 1)
    if inputs == 1:
        heading = f"The {count} filters of {name}"
        return image_grid(by_channel[0], columns=columns, signed=True, title=title or heading)
    shown, wide = min(inputs, channels), min(count, columns)
    heading = f"{wide} of {count} filters of {name}, for {shown} of {inputs} input channels"
    return image_grid(
        by_channel[:shown, :wide].reshape(shown * wide, *kernel.shape[:2]),
        columns=wide,
        row_labels=[f"channel {channel}" for channel in range(shown)],
        signed=True,
        title=title or heading,
    )


@styled
def feature_maps(
    maps: Sequence[ArrayLike],
    names: Sequence[str],
    *,
    image: ArrayLike | None = None,
    columns: int = 16,
    title: str = "Feature maps",
) -> Figure:
    r"""Draw what the layers of a convolutional network make of one image, a row a layer.

    Parameters
    ----------
    maps : sequence of array_like
        The outputs of layers for one sample: of shape (height, width, channels), or (units,) as
        dense layers give them, or with an axis of one sample before.
    names : sequence of str
        The names of these layers.
    image : array_like of shape (height, width) or (height, width, channels), optional
        What the network was given, drawn above.
    columns : int, default 16
        So many channels of each layer are drawn, the first ones.
    title : str, default "Feature maps"
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        Each row has a scale of its own, pale at zero, dark at its largest value; rows with
        values below zero are blue above it and red below.

    Raises
    ------
    ValueError
        If there is no map, one has another shape, or their number is not that of the names.

    Examples
    --------
    >>> import numpy as np
    >>> figure = feature_maps([np.ones((1, 8, 8, 4)), np.ones((1, 10))], ["conv2d", "dense"])
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['conv2d\n8 × 8 × 4', 'dense\n10']
    """
    if not len(maps):
        raise ValueError("feature_maps: there is no map to draw.")
    _check_number("names", names, len(maps), "map")
    rows = [_as_map(values, name) for values, name in zip(maps, names)]
    labels = [
        f"{shortened(name, 20)}\n{' × '.join(str(size) for size in row.shape)}"
        for name, row in zip(names, rows)
    ]
    heights = [0.7 if row.ndim == 1 else 1.12 for row in rows]
    tops = np.cumsum([0.0 if image is None else 1.12, *heights])
    figure, axes = _sheet(columns, tops[-1], labels, title)
    if image is not None:
        picture = _as_images(np.asarray(image)[None])[0]
        _draw(axes, picture, 0, 0.0, {"cmap": "gray_r"})
        _beside(axes, "input", 0.5)
    for row, label, top in zip(rows, labels, tops):
        scale = _scale_of(row)
        if row.ndim == 1:  # all units of a dense layer, as one strip
            extent = (-_SIDE / 2, columns - 1 + _SIDE / 2, top + 0.55, top + 0.15)
            axes.imshow(row[None], extent=extent, interpolation="nearest", **scale)
            _beside(axes, label, top + 0.35)
            continue
        for channel in range(min(columns, row.shape[-1])):
            _draw(axes, row[..., channel], channel, top, scale)
        _beside(axes, label, top + 0.5)
    _frame(axes)
    return figure


# ---- inside ---------------------------------------------------------------------------


def _as_images(images: ArrayLike) -> NDArray[Any]:
    """Images of one channel without the axis of channels, others with it."""
    pixels = np.asarray(images)
    if pixels.ndim == 4 and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    if not (pixels.ndim == 3 or (pixels.ndim == 4 and pixels.shape[-1] == 3)) or not pixels.size:
        raise ValueError(
            f"The images have shape {pixels.shape}; expected (images, height, width), or with one "
            "or three channels behind."
        )
    return pixels


def _as_map(values: ArrayLike, name: str) -> NDArray[Any]:
    row = np.asarray(values)
    if row.ndim in (2, 4) and row.shape[0] == 1:
        row = row[0]
    if row.ndim not in (1, 3) or not row.size:
        raise ValueError(
            f"feature_maps: the output of {name} has shape {row.shape}; expected that of one "
            "sample: (height, width, channels) or (units,)."
        )
    return row


def _scale_of(values: NDArray[Any]) -> dict[str, Any]:
    low, high = float(values.min()), float(values.max())
    if low < 0:
        return {"cmap": "RdBu", "vmin": -max(-low, high), "vmax": max(-low, high)}
    return {"cmap": "magma_r", "vmin": 0.0, "vmax": high or 1.0}


def _kernel_of(layer: Any) -> Any:
    kernel = getattr(layer, "kernel", layer)
    if kernel is None:
        raise ValueError(f"filters: {layer.name} has no weights yet; build or call it first.")
    return kernel


def _check_number(what: str, given: Sequence[object] | None, expected: int, each: str) -> None:
    if given is not None and len(given) != expected:
        raise ValueError(
            f"{len(given)} {what} were given; expected {expected}, one for each {each}."
        )


def _sheet(
    columns: float, rows: float, labels: Sequence[str] | None, title: str, *, bar: bool = False
) -> tuple[Figure, Axes]:
    """A figure of one panel whose unit is the distance from one image to the next.

    One panel with all images in it: as many panels as images take seconds to lay out.
    """
    longest = max((len(line) for label in labels or () for line in label.split("\n")), default=0)
    room = longest * _LETTER
    width = max(columns * _CELL + room + 0.9 * bar, 3.2)
    figure = new_figure(width + 0.2, rows * _CELL + 0.55)
    set_title(figure, title)
    axes = figure.subplots()
    no_grid(axes)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_anchor("W")
    return figure, axes


def _frame(axes: Axes) -> None:
    """Put a thin line around each image, whose light edges could not be seen on white paper."""
    boxes = [image.get_extent() for image in axes.images]
    frames = [Rectangle((x, y), right - x, top - y) for x, right, y, top in boxes]
    axes.add_collection(PatchCollection(frames, fc="none", ec="#c8c8c8", lw=0.6))
    edges = np.array(boxes)
    axes.set_xlim(edges[:, 0].min() - 0.05, edges[:, 1].max() + 0.05)
    axes.set_ylim(edges[:, 2].max() + 0.05, min(edges[:, 3].min() - 0.05, -0.02))


def _draw(
    axes: Axes, image: NDArray[Any], column: float, top: float, scale: dict[str, Any]
) -> AxesImage:
    """Draw an image in the middle of the unit square whose upper edge is at `top`."""
    height, width = image.shape[:2]
    unit = _SIDE / max(height, width)
    x, y = width * unit / 2, height * unit / 2
    centre = top + 0.5
    extent = (column - x, column + x, centre + y, centre - y)
    return axes.imshow(image, extent=extent, interpolation="nearest", **scale)


def _beside(axes: Axes, label: str, height: float) -> None:
    axes.text(-0.65, height, label, ha="right", va="center", fontsize=9, linespacing=1.3)
