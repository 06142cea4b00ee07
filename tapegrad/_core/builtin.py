"""The few operations that tapes and Variables themselves need."""

from __future__ import annotations

from typing import Any

from tapegrad._core import device as _device
from tapegrad._core.primitive import defvjp, primitive
from tapegrad._core.registry import operation
from tapegrad._core.tensor import Tensor

add = primitive("add", saves="none", doc="Sum of two arrays, elementwise, with broadcasting.")
defvjp(add, lambda g, answer, x, y: g, lambda g, answer, x, y: g)

identity = primitive(
    "identity", saves="none", view=True, doc="The argument itself, under another node."
)
defvjp(identity, lambda g, answer, x: g)

_broadcast_to = primitive("broadcast_to", saves="none", view=True)
# The tape sums a gradient over the axes along which its argument was broadcast.
defvjp(_broadcast_to, lambda g, answer, x, shape: g)

_sum_to_shape = primitive("sum_to_shape", saves="none", view=True)
defvjp(_sum_to_shape, lambda g, answer, x, shape: _broadcast_to(g, shape=x.shape))

_astype = primitive("astype", saves="none", view=True)
defvjp(_astype, lambda g, answer, x, dtype: _astype(g, dtype=x.dtype))

_copy_to = primitive("copy_to", saves="none")
defvjp(_copy_to, lambda g, answer, x, device: g)

_fill_like = primitive("full_like", saves="none", differentiable=False)

assign = primitive("assign", mutates=(0,), doc="Write a value into a Variable.")


def copy_to(x: Tensor, *, device: str) -> Tensor:
    """`x` copied to another device."""
    return _copy_to(x, device=device)


def fill_like(x: Any, value: float) -> Tensor:
    """An array of the shape, dtype and device of `x`, filled with `value`."""
    return _fill_like(x, fill_value=value)


def sum_to_shape(x: Any, shape: tuple[int, ...]) -> Tensor:
    """Sum over the axes along which `shape` would be broadcast to the shape of `x`."""
    return _sum_to_shape(x, shape=shape)


def unbroadcast(gradient: Tensor, shape: tuple[int, ...], dtype: Any) -> Tensor:
    """A gradient in the shape and dtype of what it belongs to."""
    if gradient._data.shape != shape:
        size = gradient._data.size
        # What is empty was broadcast from elements that are not.
        if gradient._data.ndim >= len(shape) and (size >= _size(shape) or not size):
            gradient = _sum_to_shape(gradient, shape=shape)
        else:
            gradient = _broadcast_to(gradient, shape=shape)
    if gradient._data.dtype != dtype:
        gradient = _astype(gradient, dtype=dtype)
    return gradient


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size


def _copy_between_devices(data: Any, *, device: str) -> Any:
    return _device.to_device(_device.to_host(data), device)


_copy_to.on("cpu", _copy_between_devices)
_copy_to.on("cuda", _copy_between_devices)

operation()(identity)
