"""Pooling, channels last.

Max-pooling records where each largest element was. Its gradient sends numbers
there, and the derivative of that gradient reads from there: two primitives that
differentiate any number of times.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tapegrad._core.primitive import defvjp, defvjp_joint, primitive
from tapegrad._core.registry import operation
from tapegrad._core.tensor import Tensor
from tapegrad.ops._reduction import max, mean
from tapegrad.ops._shape import as_tensor, reshape
from tapegrad.ops._window import pads, pair, row_padding

_max_pool2d = primitive(
    "max_pool2d", saves="output", doc="Largest elements of windows, and where they are."
)
_max_pool2d_grad = primitive(
    "max_pool2d_grad", saves="inputs", doc="Each number at the place of a window's largest element."
)
_max_pool2d_gather = primitive(
    "max_pool2d_gather", saves="inputs", doc="Elements at the places of windows' largest elements."
)


def _max_pool2d_rule(
    g: Any, answer: Any, x: Any, *, needs: Sequence[bool], **window: Any
) -> list[Any]:
    g_largest, _ = g  # positions are integers, without gradient
    if g_largest is None:
        return [None]
    return [_max_pool2d_grad(g_largest, answer[1], x_shape=x.shape, **window)]


defvjp_joint(_max_pool2d, _max_pool2d_rule)
defvjp(
    _max_pool2d_grad,
    lambda h, answer, dy, positions, x_shape, **window: _max_pool2d_gather(h, positions, **window),
    None,
)
defvjp(
    _max_pool2d_gather,
    lambda g, answer, x, positions, **window: _max_pool2d_grad(
        g, positions, x_shape=x.shape, **window
    ),
    None,
)

_avg_pool2d = primitive("avg_pool2d", saves="none", doc="Means of windows.")
_avg_pool2d_grad = primitive(
    "avg_pool2d_grad", saves="none", doc="Each number in equal shares on a window's elements."
)
defvjp(
    _avg_pool2d,
    lambda g, answer, x, **window: _avg_pool2d_grad(g, x_shape=x.shape, **window),
)
defvjp(
    _avg_pool2d_grad,
    lambda h, answer, dy, x_shape, **window: _avg_pool2d(h, **window),
)


def _window(pool_size: Any, strides: Any, padding: Any) -> dict[str, Any]:
    size = pair(pool_size)
    return {
        "pool_size": size,
        "strides": size if strides is None else pair(strides),
        "padding": pads(padding),
    }


@operation()
def max_pool2d(x: Any, pool_size: Any, strides: Any = None, padding: Any = "valid") -> Tensor:
    """The largest element under each window, channel by channel.

    Parameters
    ----------
    x : array_like, shape (batch, height, width, channels)
    pool_size : int or (int, int)
        Size of the window.
    strides : int or (int, int), optional
        Steps between windows; `pool_size` if not given.
    padding : {"valid", "same"}, int or ((top, bottom), (left, right))
        "same" gives ``ceil(size / stride)`` windows. Padding is never the largest.

    Returns
    -------
    Tensor, shape (batch, out_height, out_width, channels)
        NaN where a window holds one.

    Raises
    ------
    ValueError
        If there are not four axes, a window does not fit, or could lie in padding alone.

    Notes
    -----
    Of equal elements the first, row by row, gets the whole gradient.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x = tg.tensor([[[[1.0], [3.0]], [[3.0], [2.0]]]])
    >>> tg.grad(lambda x: tg.ops.max_pool2d(x, 2).sum())(x).reshape(-1)
    Tensor([0., 1., 0., 0.], dtype=float64)
    """
    return _max_pool2d(as_tensor(x), **_window(pool_size, strides, padding))[0]


@operation()
def avg_pool2d(x: Any, pool_size: Any, strides: Any = None, padding: Any = "valid") -> Tensor:
    """The mean of the elements under each window, channel by channel.

    Parameters
    ----------
    x : array_like, shape (batch, height, width, channels)
    pool_size : int or (int, int)
        Size of the window.
    strides : int or (int, int), optional
        Steps between windows; `pool_size` if not given.
    padding : {"valid", "same"}, int or ((top, bottom), (left, right))
        "same" gives ``ceil(size / stride)`` windows. Padding is not counted.

    Returns
    -------
    Tensor, shape (batch, out_height, out_width, channels)

    Raises
    ------
    ValueError
        If there are not four axes, a window does not fit, or could lie in padding alone.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.avg_pool2d(tg.tensor([[[[1.0], [3.0], [5.0]]]]), (1, 2), padding="same").reshape(-1)
    Tensor([2., 5.], dtype=float64)
    """
    return _avg_pool2d(as_tensor(x), **_window(pool_size, strides, padding))


def _pool1d(
    operation_name: str, pool: Any, x: Any, pool_size: int, strides: int | None, padding: Any
) -> Tensor:
    """Sequences as images of one row."""
    x = as_tensor(x)
    if x.ndim != 3:
        raise ValueError(
            f"{operation_name}: x has the shape {x.shape}; expected three axes, "
            "(batch, length, channels)"
        )
    y = pool(
        reshape(x, (x.shape[0], 1, *x.shape[1:])),
        (1, pool_size),
        (1, pool_size if strides is None else strides),
        padding if isinstance(padding, str) else row_padding(padding, 1),
    )
    return reshape(y, (y.shape[0], *y.shape[2:]))


@operation()
def max_pool1d(
    x: Any, pool_size: int, strides: int | None = None, padding: Any = "valid"
) -> Tensor:
    """The largest element under each window of a sequence, channel by channel.

    Parameters
    ----------
    x : array_like, shape (batch, length, channels)
    pool_size : int
        Length of the window.
    strides : int, optional
        Steps between windows; `pool_size` if not given.
    padding : {"valid", "same"}, int or (before, after)
        See `max_pool2d`.

    Returns
    -------
    Tensor, shape (batch, out_length, channels)

    Raises
    ------
    ValueError
        If there are not three axes, a window does not fit, or could lie in padding alone.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.max_pool1d(tg.tensor([[[1.0], [3.0], [5.0], [4.0]]]), 2).reshape(-1)
    Tensor([3., 5.], dtype=float64)
    """
    return _pool1d("max_pool1d", max_pool2d, x, pool_size, strides, padding)


@operation()
def avg_pool1d(
    x: Any, pool_size: int, strides: int | None = None, padding: Any = "valid"
) -> Tensor:
    """The mean of the elements under each window of a sequence; see `max_pool1d`.

    Padding is not counted.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.avg_pool1d(tg.tensor([[[1.0], [3.0], [5.0], [4.0]]]), 2).reshape(-1)
    Tensor([2. , 4.5], dtype=float64)
    """
    return _pool1d("avg_pool1d", avg_pool2d, x, pool_size, strides, padding)


def _global_pool(operation_name: str, pool: Any, x: Any, axes: int, keepdims: bool) -> Tensor:
    x = as_tensor(x)
    if x.ndim != axes + 2:
        places = "(batch, length, channels)" if axes == 1 else "(batch, height, width, channels)"
        raise ValueError(f"{operation_name}: x has the shape {x.shape}; expected {places}")
    return pool(x, axis=tuple(range(1, axes + 1)), keepdims=keepdims)


@operation()
def global_average_pool2d(x: Any, keepdims: bool = False) -> Tensor:
    """The mean over height and width of images (batch, height, width, channels)."""
    return _global_pool("global_average_pool2d", mean, x, 2, keepdims)


@operation()
def global_average_pool1d(x: Any, keepdims: bool = False) -> Tensor:
    """The mean over the length of sequences (batch, length, channels)."""
    return _global_pool("global_average_pool1d", mean, x, 1, keepdims)


@operation()
def global_max_pool2d(x: Any, keepdims: bool = False) -> Tensor:
    """The largest element over height and width of images (batch, height, width, channels)."""
    return _global_pool("global_max_pool2d", max, x, 2, keepdims)


@operation()
def global_max_pool1d(x: Any, keepdims: bool = False) -> Tensor:
    """The largest element over the length of sequences (batch, length, channels)."""
    return _global_pool("global_max_pool1d", max, x, 1, keepdims)
