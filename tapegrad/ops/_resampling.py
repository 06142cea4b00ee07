"""Enlarging, padding and cropping images and sequences, channels last."""

from __future__ import annotations

from typing import Any

from tapegrad._core.primitive import defvjp, primitive
from tapegrad._core.registry import operation
from tapegrad._core.tensor import Tensor
from tapegrad.ops._indexing import getitem
from tapegrad.ops._shape import as_tensor, pad, reshape
from tapegrad.ops._window import pair

_upsample2d = primitive("upsample2d", saves="none", doc="Images enlarged by whole factors.")
_upsample2d_grad = primitive("upsample2d_grad", saves="none", doc="The transpose of upsample2d.")
defvjp(_upsample2d, lambda g, answer, x, **how: _upsample2d_grad(g, **how))
defvjp(_upsample2d_grad, lambda h, answer, dy, **how: _upsample2d(h, **how))


@operation()
def upsample2d(x: Any, size: Any = 2, interpolation: str = "nearest") -> Tensor:
    """Images enlarged by whole factors.

    Parameters
    ----------
    x : array_like, shape (batch, height, width, channels)
    size : int or (int, int), default 2
        Factors for height and width.
    interpolation : {"nearest", "bilinear"}
        Repeat each element, or interpolate between the centers of elements; beyond the
        outermost centers the value stays.

    Returns
    -------
    Tensor, shape (batch, height * size[0], width * size[1], channels)

    Raises
    ------
    ValueError
        If there are not four axes, or an argument is none of these.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x = tg.tensor([[[[0.0], [4.0]]]])
    >>> tg.ops.upsample2d(x, (1, 2), interpolation="bilinear").reshape(-1)
    Tensor([0., 1., 3., 4.], dtype=float64)
    """
    return _upsample2d(as_tensor(x), size=pair(size), interpolation=interpolation)


def _sequences(operation_name: str, x: Any) -> Any:
    x = as_tensor(x)
    if x.ndim != 3:
        raise ValueError(
            f"{operation_name}: x has the shape {x.shape}; expected three axes, "
            "(batch, length, channels)"
        )
    return x


@operation()
def upsample1d(x: Any, size: int = 2) -> Tensor:
    """Sequences with each element repeated `size` times.

    Parameters
    ----------
    x : array_like, shape (batch, length, channels)
    size : int, default 2

    Returns
    -------
    Tensor, shape (batch, length * size, channels)

    Raises
    ------
    ValueError
        If there are not three axes, or `size` is not positive.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.upsample1d(tg.tensor([[[1.0], [2.0]]])).reshape(-1)
    Tensor([1., 1., 2., 2.], dtype=float64)
    """
    x = _sequences("upsample1d", x)
    y = upsample2d(reshape(x, (x.shape[0], 1, *x.shape[1:])), (1, size))
    return reshape(y, (y.shape[0], *y.shape[2:]))


def _sides(operation_name: str, argument: str, value: Any, axes: int) -> list[tuple[int, int]]:
    """A pair of integers for each axis: from one integer, one a axis, or a pair a axis."""
    try:
        if isinstance(value, int):
            sides = [(value, value)] * axes
        elif axes == 1:
            before, after = value
            sides = [(before, after)]
        else:
            sides = [(s, s) if isinstance(s, int) else (s[0], s[1]) for s in value]
            if len(sides) != axes or any(not isinstance(s, int) and len(s) != 2 for s in value):
                raise ValueError
        if any(not isinstance(n, int) or n < 0 for side in sides for n in side):
            raise ValueError
    except (TypeError, ValueError, IndexError):
        pairs = (
            "(before, after)" if axes == 1 else "(rows, columns), ((top, bottom), (left, right))"
        )
        raise ValueError(
            f"{operation_name}: {argument} is {value!r}; expected integers of at least 0: "
            f"one for all sides, or {pairs}"
        ) from None
    return sides


def _images(operation_name: str, x: Any) -> Any:
    x = as_tensor(x)
    if x.ndim != 4:
        raise ValueError(
            f"{operation_name}: x has the shape {x.shape}; expected four axes, "
            "(batch, height, width, channels)"
        )
    return x


@operation()
def zero_pad2d(x: Any, padding: Any = 1) -> Tensor:
    """Images with a border of zeros.

    Parameters
    ----------
    x : array_like, shape (batch, height, width, channels)
    padding : int, (rows, columns) or ((top, bottom), (left, right)), default 1

    Returns
    -------
    Tensor, shape (batch, top + height + bottom, left + width + right, channels)

    Raises
    ------
    ValueError
        If there are not four axes or a number is negative.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.zero_pad2d(tg.tensor([[[[1.0]]]]), ((0, 0), (1, 2))).reshape(-1)
    Tensor([0., 1., 0., 0.], dtype=float64)
    """
    x = _images("zero_pad2d", x)
    return pad(x, [(0, 0), *_sides("zero_pad2d", "padding", padding, 2), (0, 0)])


@operation()
def zero_pad1d(x: Any, padding: Any = 1) -> Tensor:
    """Sequences with zeros at both ends.

    Parameters
    ----------
    x : array_like, shape (batch, length, channels)
    padding : int or (before, after), default 1

    Returns
    -------
    Tensor, shape (batch, before + length + after, channels)

    Raises
    ------
    ValueError
        If there are not three axes or a number is negative.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.zero_pad1d(tg.tensor([[[1.0]]]), (0, 2)).reshape(-1)
    Tensor([1., 0., 0.], dtype=float64)
    """
    x = _sequences("zero_pad1d", x)
    return pad(x, [(0, 0), *_sides("zero_pad1d", "padding", padding, 1), (0, 0)])


def _crop(operation_name: str, x: Any, sides: list[tuple[int, int]]) -> Tensor:
    cuts = []
    for (before, after), size in zip(sides, x.shape[1:], strict=False):
        if before + after >= size:
            raise ValueError(
                f"{operation_name}: cropping {before} and {after} leaves nothing of an axis of "
                f"length {size} (x has the shape {x.shape})"
            )
        cuts.append(slice(before, size - after))
    return getitem(x, (slice(None), *cuts))


@operation()
def crop2d(x: Any, cropping: Any = 0) -> Tensor:
    """Images without their borders: a view.

    Parameters
    ----------
    x : array_like, shape (batch, height, width, channels)
    cropping : int, (rows, columns) or ((top, bottom), (left, right)), default 0

    Returns
    -------
    Tensor, shape (batch, height - top - bottom, width - left - right, channels)

    Raises
    ------
    ValueError
        If there are not four axes, a number is negative, or nothing would be left.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.crop2d(tg.tensor([[[[1.0], [2.0], [3.0]]]]), ((0, 0), (1, 0))).reshape(-1)
    Tensor([2., 3.], dtype=float64)
    """
    x = _images("crop2d", x)
    return _crop("crop2d", x, _sides("crop2d", "cropping", cropping, 2))


@operation()
def crop1d(x: Any, cropping: Any = 1) -> Tensor:
    """Sequences without their ends: a view.

    Parameters
    ----------
    x : array_like, shape (batch, length, channels)
    cropping : int or (before, after), default 1

    Returns
    -------
    Tensor, shape (batch, length - before - after, channels)

    Raises
    ------
    ValueError
        If there are not three axes, a number is negative, or nothing would be left.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.crop1d(tg.tensor([[[1.0], [2.0], [3.0]]])).reshape(-1)
    Tensor([2.], dtype=float64)
    """
    x = _sequences("crop1d", x)
    return _crop("crop1d", x, _sides("crop1d", "cropping", cropping, 1))
