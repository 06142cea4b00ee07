"""Arrays side by side, and with borders: copies into parts of the result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad_kernels.cpu.program.builder import Builder
from tapegrad_kernels.cpu.program.copying import fill
from tapegrad_kernels.cpu.program.lowering import NotNative, lowers
from tapegrad_kernels.cpu.program.operand import Operand


def _part(out: Operand, axis: int, start: int, length: int) -> Operand:
    """Some of an operand along an axis."""
    shape = (*out.shape[:axis], length, *out.shape[axis + 1 :])
    return out.view(shape, out.strides, offset=start * out.strides[axis])


@lowers("concatenate")
def _lower_concatenate(b: Builder, out: Operand, *xs: Operand, axis: int | None = 0) -> None:
    start = 0
    for x in xs:
        if axis is None:
            length, target = x.size, _part(out, 0, start, x.size).view(x.shape)
        else:
            axis %= out.ndim
            length = x.shape[axis]
            target = _part(out, axis, start, length)
        b.copy(x, target)
        start += length


@lowers("stack")
def _lower_stack(b: Builder, out: Operand, *xs: Operand, axis: int = 0) -> None:
    axis %= out.ndim
    for position, x in enumerate(xs):
        part = _part(out, axis, position, 1)
        without = part.strides[:axis] + part.strides[axis + 1 :]
        b.copy(x, part.view(x.shape, without))


@lowers("pad")
def _lower_pad(
    b: Builder,
    out: Operand,
    x: Operand,
    *,
    pad_width: int | Sequence[int] | Sequence[Sequence[int]],
    mode: Any = "constant",
    constant_values: Any = 0,
) -> None:
    if mode != "constant":
        raise NotNative(f"pad with mode {mode!r}")
    if np.ndim(constant_values):
        raise NotNative("pad with several values")
    inner = out
    widths = np.broadcast_to(np.asarray(pad_width), (x.ndim, 2)).tolist()
    for axis, (before, after) in enumerate(widths):
        length = x.shape[axis]
        for start, width in ((0, before), (before + length, after)):
            if width:
                fill(b, _part(inner, axis, start, width), constant_values)
        inner = _part(inner, axis, before, length)
    b.copy(x, inner)
