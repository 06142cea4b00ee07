"""Where windows lie: explicit padding and output sizes of convolutions and pools.

The rule of ``"same"`` is TensorFlow's: ``ceil(size / stride)`` windows, and of the
padding that they need the larger half at the end.
"""

from __future__ import annotations

import functools
from typing import Any

Pads = tuple[tuple[int, int], tuple[int, int]]
"""((top, bottom), (left, right))"""

_WORDS = ("valid", "same")


def _describe(operation: str, size: int, kernel: int, stride: int, dilation: int) -> str:
    text = f"{operation}: size {size}, window {kernel}, stride {stride}"
    return text + (f", dilation {dilation}" if dilation != 1 else "")


def _axis(
    operation: str, size: int, kernel: int, stride: int, padding: Any, dilation: int
) -> tuple[tuple[int, int], int]:
    """Padding before and after, and the number of windows, along one axis."""
    span = (kernel - 1) * dilation + 1
    if padding == "same":
        count = -(-size // stride)
        total = max((count - 1) * stride + span - size, 0)
        return (total // 2, total - total // 2), count
    if padding == "valid":
        before = after = 0
    elif padding == "causal":
        before, after = span - 1, 0
    else:
        before, after = padding
    room = size + before + after - span
    if room < 0:
        raise ValueError(
            f"{_describe(operation, size, kernel, stride, dilation)}, padding ({before}, {after}): "
            f"a window that spans {span} does not fit {size + before + after}, so the output size "
            f"would be {room // stride + 1}; use a smaller window, or padding='same'"
        )
    return (before, after), room // stride + 1


def pair(operation: str, name: str, value: Any, least: int = 1) -> tuple[int, int]:
    """`value` as two integers, of which a single integer is both.

    Raises
    ------
    ValueError
        If it is neither an integer nor two of them, or one is less than `least`.

    Examples
    --------
    >>> pair("conv2d", "strides", 2)
    (2, 2)
    """
    try:
        values = (value, value) if hasattr(value, "__index__") else tuple(value)
        first, second = (number.__index__() for number in values)
    except (TypeError, ValueError, AttributeError):
        raise ValueError(
            f"{operation}: {name} is {value!r}; expected an integer or two integers"
        ) from None
    if first < least or second < least:
        raise ValueError(f"{operation}: {name} is {value!r}; expected integers of at least {least}")
    return first, second


def _explicit(operation: str, padding: Any) -> Pads:
    """Padding in numbers: an integer for all sides, or a pair for each axis."""
    try:
        if hasattr(padding, "__index__"):
            sides = ((padding, padding), (padding, padding))
        else:
            sides = padding
        rows, columns = (
            tuple(number.__index__() for number in (before, after)) for before, after in sides
        )
    except (TypeError, ValueError, AttributeError):
        raise ValueError(
            f"{operation}: padding is {padding!r}; expected 'valid', 'same', an integer or "
            "((top, bottom), (left, right))"
        ) from None
    if min(*rows, *columns) < 0:
        raise ValueError(f"{operation}: padding is {padding!r}; expected integers of at least 0")
    return (rows[0], rows[1]), (columns[0], columns[1])


def _window_2d(
    operation: str,
    height_width: tuple[int, int],
    kernel: tuple[int, int],
    strides: Any,
    padding: Any,
    dilation: Any,
) -> tuple[Pads, tuple[int, int]]:
    kernel = pair(operation, "the window", kernel)
    strides = pair(operation, "strides", strides)
    dilation = pair(operation, "dilation", dilation)
    if isinstance(padding, str):
        if padding not in _WORDS:
            raise ValueError(
                f"{operation}: padding is {padding!r}; expected 'valid', 'same', an integer or "
                "((top, bottom), (left, right))"
            )
        sides: Any = (padding, padding)
    else:
        sides = _explicit(operation, padding)
    rows, height = _axis(operation, height_width[0], kernel[0], strides[0], sides[0], dilation[0])
    columns, width = _axis(operation, height_width[1], kernel[1], strides[1], sides[1], dilation[1])
    return (rows, columns), (height, width)


_window_2d_cached = functools.lru_cache(maxsize=1024)(_window_2d)


def window_2d(
    operation: str,
    height_width: tuple[int, int],
    kernel: tuple[int, int],
    strides: Any = (1, 1),
    padding: Any = "valid",
    dilation: Any = (1, 1),
) -> tuple[Pads, tuple[int, int]]:
    """Explicit padding and output size of windows that move over two axes.

    Parameters
    ----------
    operation : str
        Named in errors.
    height_width : tuple of int
        Size of the input.
    kernel : tuple of int
        Size of the window.
    strides, dilation : int or tuple of int
        Steps between windows, and between the elements of a window.
    padding : {"valid", "same"}, int or ((top, bottom), (left, right))
        None, as much as ``ceil(size / stride)`` windows need, or in numbers.

    Returns
    -------
    pads : ((top, bottom), (left, right))
    output : (height, width)

    Raises
    ------
    ValueError
        If an argument is malformed, or a window does not fit the padded input.

    Examples
    --------
    >>> window_2d("conv2d", (28, 28), (3, 3), (2, 2), "same")
    (((0, 1), (0, 1)), (14, 14))
    """
    arguments = (operation, height_width, kernel, strides, padding, dilation)
    try:
        return _window_2d_cached(*arguments)
    except TypeError:  # a list has no hash
        return _window_2d(*arguments)


def window_1d(
    operation: str,
    length: int,
    kernel: int,
    stride: int = 1,
    padding: Any = "valid",
    dilation: int = 1,
) -> tuple[tuple[int, int], int]:
    """Explicit padding and output size of windows that move over one axis.

    As `window_2d`; padding may also be ``"causal"`` (before the first element only, so that
    no output depends on later inputs), an integer for both ends, or (before, after).

    Examples
    --------
    >>> window_1d("conv1d", 10, 3, padding="causal", dilation=2)
    ((4, 0), 10)
    """
    kernel, _ = pair(operation, "the window", (kernel, 1))
    stride, _ = pair(operation, "strides", (stride, 1))
    dilation, _ = pair(operation, "dilation", (dilation, 1))
    if isinstance(padding, str):
        if padding not in (*_WORDS, "causal"):
            raise ValueError(
                f"{operation}: padding is {padding!r}; expected 'valid', 'same', 'causal', "
                "an integer or (before, after)"
            )
    else:
        padding = pair(operation, "padding", padding, least=0)
    return _axis(operation, length, kernel, stride, padding, dilation)
