"""Convolutions and their gradients as rows: one each, with the plan's record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tapegrad_kernels._compile import on_warmup
from tapegrad_kernels.cpu.convolution import record as f
from tapegrad_kernels.cpu.convolution.driver import convolve_block, kernel_grad_block
from tapegrad_kernels.cpu.convolution.geometry import Shape, Window
from tapegrad_kernels.cpu.convolution.plan import (
    Plan,
    forward_plan,
    input_grad_plan,
    kernel_grad_plan,
)
from tapegrad_kernels.cpu.gemm.microkernel import BIAS, RELU
from tapegrad_kernels.cpu.program.builder import Builder
from tapegrad_kernels.cpu.program.copying import fill
from tapegrad_kernels.cpu.program.lowering import NotNative, lowers
from tapegrad_kernels.cpu.program.operand import Operand


def add_convolution(
    b: Builder,
    plan: Plan,
    source: Operand,
    weights: Operand,
    target: Operand,
    bias: Operand | None = None,
    activation: str | None = None,
    changed: Mapping[int, int] | None = None,
    more: Iterable[Any] = (),
) -> None:
    """A row with what `convolution.driver` writes into a call's record.

    Parameters
    ----------
    source, weights, target, bias
        As the record names them; all but `target` are made contiguous.
    activation : {None, "linear", "relu"}
        Applied at the end.
    changed : mapping, optional
        Words of the plan's record to replace.
    more : iterable, optional
        Words to follow the record.
    """
    words: list[Any] = plan.record.tolist()
    workspace = b.scratch(plan.workspace_bytes - f.HEADER_BYTES)
    words[f.SOURCE] = b.contiguous(source)
    words[f.WEIGHTS] = b.contiguous(weights)
    words[f.TARGET] = target
    words[f.BIAS] = 0 if bias is None else b.contiguous(bias)
    words[f.FLAGS] = (RELU if activation == "relu" else 0) | (0 if bias is None else BIAS)
    words[f.PACKED] = workspace if words[f.PACKER] else 0
    words[f.WORKSPACE] = workspace.view(offset=words[f.PACKED_BYTES])
    for place, word in (changed or {}).items():
        words[place] = word
    b.call(plan.block, *words, *more)


def _pixels(images: Operand) -> Operand:
    """Contiguous images as a matrix with a row for each pixel."""
    return images.view((images.size // images.shape[3], images.shape[3]))


def _by_channel(filters: Operand, groups: int) -> Operand:
    """Filters of as many groups as channels, as (height, width, channels, multiplier)."""
    return filters.view((*filters.shape[:2], groups, filters.shape[3] // groups))


@lowers("conv2d")
def _lower_conv2d(
    b: Builder,
    out: Operand,
    x: Operand,
    w: Operand,
    *,
    strides: Any = (1, 1),
    padding: Any = "valid",
    dilation: Any = (1, 1),
    groups: int = 1,
    bias: Operand | None = None,
    activation: str | None = None,
) -> None:
    sizes = (x.shape, w.shape, strides, padding, dilation, groups)
    window, plan = forward_plan(out.dtype.name, "conv2d", *sizes)
    if out.size == 0:
        return
    if window.is_depthwise:
        kernel = _by_channel(b.contiguous(w), groups)
        how = {"strides": strides, "padding": padding, "dilation": dilation}
        b.lower("depthwise_conv2d", out, x, kernel, bias, activation=activation, **how)
        return
    x, w = b.contiguous(x), b.contiguous(w)
    if plan is not None:
        second = activation if activation in ("tanh", "sigmoid") else None
        y = b.temporary(out.shape, out.dtype) if second else out
        add_convolution(b, plan, x, w, y, bias, activation)
        if second:
            b.lower(second, out, y)
    elif window.is_product:
        matrix = w.view(w.shape[2:])
        b.lower("gemm", _pixels(out), _pixels(x), matrix, bias=bias, activation=activation)
    else:
        raise NotNative("conv2d of images without pixels")


@lowers("conv2d_with_bias")
def _lower_conv2d_with_bias(
    b: Builder, out: Operand, x: Operand, w: Operand, bias: Operand, **how: Any
) -> None:
    _lower_conv2d(b, out, x, w, bias=bias, **how)


@lowers("conv2d_input_grad")
def _lower_input_grad(
    b: Builder,
    out: Operand,
    dy: Operand,
    w: Operand,
    x_shape: Shape,
    *,
    strides: Any = (1, 1),
    padding: Any = "valid",
    dilation: Any = (1, 1),
    groups: int = 1,
) -> None:
    sizes = (tuple(x_shape), w.shape, strides, padding, dilation, groups)
    window, plan = input_grad_plan(out.dtype.name, "conv2d_input_grad", *sizes)
    if dy.size == 0:
        fill(b, out, 0)
        return
    dy, w = b.contiguous(dy), b.contiguous(w)
    if plan is not None:
        add_convolution(b, plan, dy, w, out)
    elif window.is_depthwise:
        how = {"strides": strides, "padding": padding, "dilation": dilation}
        kernel = _by_channel(w, groups)
        b.lower("depthwise_conv2d_input_grad", out, dy, kernel, x_shape=tuple(x_shape), **how)
    else:
        _check_product(window)
        b.lower("gemm", _pixels(out), _pixels(dy), w.view(w.shape[2:]), transpose_b=True)


@lowers("conv2d_kernel_grad")
def _lower_kernel_grad(
    b: Builder,
    out: Operand,
    x: Operand,
    dy: Operand,
    w_shape: Shape,
    *,
    strides: Any = (1, 1),
    padding: Any = "valid",
    dilation: Any = (1, 1),
    groups: int = 1,
) -> None:
    sizes = (x.shape, tuple(w_shape), strides, padding, dilation, groups)
    window, plan = kernel_grad_plan(out.dtype.name, "conv2d_kernel_grad", *sizes)
    if dy.size == 0 or x.size == 0:
        fill(b, out, 0)
        return
    x, dy = b.contiguous(x), b.contiguous(dy)
    if plan is not None:
        add_convolution(b, plan, x, dy, out)
    elif window.is_depthwise:
        how = {"strides": strides, "padding": padding, "dilation": dilation}
        kernel = _by_channel(out, groups)
        b.lower("depthwise_conv2d_kernel_grad", kernel, x, dy, w_shape=kernel.shape, **how)
    else:
        b.lower("gemm", out.view(out.shape[2:]), _pixels(x), _pixels(dy), transpose_a=True)


def _check_product(window: Window) -> None:
    if not window.is_product:
        raise NotNative("conv2d_input_grad of images without pixels")


@on_warmup("program convolutions")
def _warm() -> None:
    convolve_block.address  # noqa: B018
    kernel_grad_block.address  # noqa: B018
