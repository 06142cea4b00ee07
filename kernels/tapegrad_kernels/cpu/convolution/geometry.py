"""Sizes of a convolution, checked."""

from __future__ import annotations

from typing import Any, NamedTuple

from tapegrad_kernels.cpu._window import Pads, pair, window_2d

Shape = tuple[int, ...]


class Window(NamedTuple):
    """Sizes of a forward convolution, its arguments in numbers."""

    x_shape: Shape
    w_shape: Shape
    y_shape: Shape
    strides: tuple[int, int]
    pads: Pads
    dilation: tuple[int, int]
    groups: int

    @property
    def is_product(self) -> bool:
        """Whether each output position needs its own pixel only."""
        plain = self.strides == (1, 1) and self.pads == ((0, 0), (0, 0)) and self.groups == 1
        return plain and self.w_shape[:2] == (1, 1)

    @property
    def is_depthwise(self) -> bool:
        """Whether each channel has weights of its own."""
        return self.groups == self.x_shape[3] and self.groups > 1

    @property
    def reaches_outside(self) -> bool:
        """Whether a window reads what lies outside of the image."""
        for axis in range(2):
            (before, _), size = self.pads[axis], self.x_shape[1 + axis]
            last = (self.y_shape[1 + axis] - 1) * self.strides[axis] - before
            if before > 0 or last + (self.w_shape[axis] - 1) * self.dilation[axis] >= size:
                return True
        return False


def _describe(operation: str, x_shape: Shape, w_shape: Shape) -> str:
    return f"{operation}: x has the shape {x_shape} and w {w_shape}"


def make_window(
    operation: str,
    x_shape: Shape,
    w_shape: Shape,
    strides: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> Window:
    """Check the arguments of a convolution; raise ValueError for what does not fit."""
    if len(x_shape) != 4 or len(w_shape) != 4:
        raise ValueError(
            f"{_describe(operation, x_shape, w_shape)}; expected x (batch, height, width, "
            "channels) and w (height, width, channels / groups, filters)"
        )
    channels, depth, filters = x_shape[3], w_shape[2], w_shape[3]
    if not hasattr(groups, "__index__") or groups < 1:
        raise ValueError(f"{operation}: groups is {groups!r}; expected an integer of at least 1")
    if channels % groups or filters % groups:
        raise ValueError(
            f"{_describe(operation, x_shape, w_shape)}; {groups} groups must divide both the "
            f"{channels} channels of x and the {filters} filters of w"
        )
    if depth * groups != channels:
        raise ValueError(
            f"{_describe(operation, x_shape, w_shape)}; with groups={groups} w must have "
            f"{channels // groups} channels on its third axis, not {depth}"
        )
    if 0 in w_shape:
        raise ValueError(f"{operation}: w has the shape {w_shape}; it must not be empty")
    strides = pair(operation, "strides", strides)
    dilation = pair(operation, "dilation", dilation)
    pads, (height, width) = window_2d(
        operation, (x_shape[1], x_shape[2]), (w_shape[0], w_shape[1]), strides, padding, dilation
    )
    y_shape = (x_shape[0], height, width, filters)
    return Window(x_shape, w_shape, y_shape, strides, pads, dilation, int(groups))
