"""Images as arrays, and files of images."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from tapegrad._core.state import floatx

__all__ = ["array_to_img", "img_to_array", "load_img", "save_img"]

_MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
_CHANNELS = {1: "L", 3: "RGB", 4: "RGBA"}


def load_img(
    path: str | os.PathLike[str] | Any,
    color_mode: str = "rgb",
    target_size: tuple[int, int] | None = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Any:
    """Read an image file.

    Parameters
    ----------
    path
        Its name, or an open binary file.
    color_mode
        ``"rgb"``, ``"rgba"`` or ``"grayscale"``.
    target_size
        Height and width to resize to.
    interpolation
        ``"nearest"``, ``"bilinear"``, ``"bicubic"``, ``"lanczos"``, ``"box"`` or ``"hamming"``.
    keep_aspect_ratio
        Whether to cut the image to the proportions of `target_size`, around its centre, before.

    Returns
    -------
    PIL.Image.Image

    Raises
    ------
    ValueError
        If `color_mode` or `interpolation` is unknown.
    """
    from PIL import Image

    if color_mode not in _MODES:
        raise ValueError(
            f'load_img: color_mode is "grayscale", "rgb" or "rgba", not {color_mode!r}.'
        )
    methods = {method.name.lower(): method for method in Image.Resampling}
    if interpolation not in methods:
        raise ValueError(
            f"load_img: interpolation is one of {', '.join(methods)}, not {interpolation!r}."
        )
    with Image.open(path) as image:
        deep = color_mode == "grayscale" and image.mode in ("I;16", "I")
        loaded = image.copy() if deep else image.convert(_MODES[color_mode])
    if target_size is None or loaded.size == (target_size[1], target_size[0]):
        return loaded
    height, width = target_size
    box = None
    if keep_aspect_ratio:
        full_width, full_height = loaded.size
        crop_width = min(full_width, full_height * width // height)
        crop_height = min(full_height, full_width * height // width)
        left, top = (full_width - crop_width) // 2, (full_height - crop_height) // 2
        box = (left, top, left + crop_width, top + crop_height)
    return loaded.resize((width, height), methods[interpolation], box=box)


def img_to_array(img: Any, dtype: Any = None) -> np.ndarray:
    """Return an image as an array of shape (height, width, channels).

    Parameters
    ----------
    img
        An image of PIL, or an array of two or three axes.
    dtype
        By default that of `tapegrad.floatx`.

    Raises
    ------
    ValueError
        If it has another number of axes.

    Examples
    --------
    >>> img_to_array(np.zeros((4, 5))).shape
    (4, 5, 1)
    """
    array = np.asarray(img, dtype=floatx() if dtype is None else dtype)
    if array.ndim == 2:
        return array[..., None]
    if array.ndim != 3:
        raise ValueError(
            f"img_to_array: expected an image of two or three axes, got shape {array.shape}."
        )
    return array


def array_to_img(x: Any, scale: bool = True) -> Any:
    """Return an array of shape (height, width, channels) as an image of PIL.

    Parameters
    ----------
    x
        The array, with 1, 3 or 4 channels.
    scale
        Whether to stretch its values to 0 … 255; otherwise they are taken as such.

    Raises
    ------
    ValueError
        If it has another shape.

    Examples
    --------
    >>> array_to_img(np.arange(12.0).reshape(2, 2, 3)).size
    (2, 2)
    """
    from PIL import Image

    array = np.asarray(x, dtype=floatx())
    if array.ndim != 3 or array.shape[-1] not in _CHANNELS:
        raise ValueError(
            "array_to_img: expected shape (height, width, channels) with 1, 3 or 4 channels, got "
            f"{array.shape}."
        )
    if scale:
        array = array - array.min()
        array = array * (255 / (array.max() or 1))
    if array.shape[-1] == 1:
        array = array[..., 0]
        if array.max() > 255:
            return Image.fromarray(array.astype(np.int32))
    return Image.fromarray(array.astype(np.uint8))


def save_img(
    path: str | os.PathLike[str] | Any,
    x: Any,
    file_format: str | None = None,
    scale: bool = True,
    **kwargs: Any,
) -> None:
    """Write an array of shape (height, width, channels) to an image file.

    Parameters
    ----------
    path
        Its name, whose ending says the format; or an open binary file, with `file_format`.
    x, scale
        As in `array_to_img`. For a JPEG file transparency is dropped.
    file_format
        For instance ``"png"``.
    **kwargs
        Passed to PIL's ``save``.
    """
    image = array_to_img(x, scale=scale)
    if file_format is None and isinstance(path, str | os.PathLike):
        file_format = os.path.splitext(os.fspath(path))[1][1:].lower()
    if file_format in ("jpg", "jpeg"):
        file_format = "jpeg"
        if image.mode == "RGBA":
            image = image.convert("RGB")
    image.save(path, format=file_format, **kwargs)
