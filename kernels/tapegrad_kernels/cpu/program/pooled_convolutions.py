"""Convolution and pooling of its result, a few images at a time.

The result of the convolution, several times the size of its source and of what is left after
pooling, stays in the second cache and is never written to memory. Where nothing else asks for
it, `conv2d_max_pool2d` and `conv2d_avg_pool2d` take the place of the two kernels, with the
same bits.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tapegrad_kernels._compile import block, on_warmup
from tapegrad_kernels._compile.pointers import call_block, int64_at
from tapegrad_kernels._compile.threads import most_threads
from tapegrad_kernels.cpu import pooling
from tapegrad_kernels.cpu.convolution import record as f
from tapegrad_kernels.cpu.convolution.driver import PARTS_OF_THREAD
from tapegrad_kernels.cpu.convolution.plan import forward_plan
from tapegrad_kernels.cpu.program.builder import Builder
from tapegrad_kernels.cpu.program.convolutions import add_convolution
from tapegrad_kernels.cpu.program.lowering import NotNative, lowers
from tapegrad_kernels.cpu.program.operand import Operand, Shape
from tapegrad_kernels.cpu.program.windows import as_word, keep_tables
from tapegrad_kernels.cpu.sliding import driver
from tapegrad_kernels.cpu.sliding.strips import LARGEST, MEAN, SUM

TOGETHER_BYTES = 1 << 18
"""Results of convolutions that are pooled at a time: a part of the second cache."""

# Words that follow the record of the convolution; `windows_block`'s record is the last.
(
    RUNNER,  # address of the block that convolves, in place of the block here
    WINDOWS_BLOCK,  # address of the block that pools
    TOGETHER,  # images at a time
    MEMORY,  # of all parts: records, then results of the convolution
    MEMORY_BYTES,  # of one part
    SOURCE_BYTES,  # of an image
    TARGET_BYTES,  # of the convolution's result for an image
    POOLED_BYTES,
    POSITION_BYTES,
    WINDOWS,
) = range(f.LENGTH, f.LENGTH + 10)
HEADER_BYTES = 8 * (f.LENGTH + driver.WORDS + 1)
"""Bytes at the head of a part's memory: its own records of both."""


@block("pooled_convolution_parts")
def pooled_parts(record, start, stop):  # type: ignore[no-untyped-def]
    """Parts of the images: convolve some, then pool them."""
    r = int64_at(record)
    images, together = r[f.BATCH], r[TOGETHER]
    for part in range(start, stop):
        memory = r[MEMORY] + part * r[MEMORY_BYTES]
        own, windows = int64_at(memory), int64_at(memory + 8 * f.LENGTH)
        for i in range(f.LENGTH):
            own[i] = r[i]
        for i in range(driver.WORDS):
            windows[i] = r[WINDOWS + i]
        own[f.PARTS] = 1
        own[f.WORKSPACE] = r[f.WORKSPACE] + part * r[f.WORKSPACE_BYTES]
        own[f.TARGET] = memory + HEADER_BYTES
        windows[driver.SOURCE] = memory + HEADER_BYTES
        last = (part + 1) * images // r[f.PARTS]
        image = part * images // r[f.PARTS]
        while image < last:
            count = min(together, last - image)
            own[f.BATCH] = count
            own[f.SOURCE] = r[f.SOURCE] + image * r[SOURCE_BYTES]
            call_block(r[RUNNER], memory, 0, 1)
            windows[driver.OUTPUT] = r[WINDOWS + driver.OUTPUT] + image * r[POOLED_BYTES]
            windows[driver.POSITIONS] = r[WINDOWS + driver.POSITIONS] + image * r[POSITION_BYTES]
            units = count * windows[driver.ROW_BLOCKS]
            call_block(r[WINDOWS_BLOCK], memory + 8 * f.LENGTH, 0, units)
            image += count


def can_be_pooled(
    dtype: np.dtype[Any],
    x_shape: Shape,
    w_shape: Shape,
    *,
    strides: Any = (1, 1),
    padding: Any = "valid",
    dilation: Any = (1, 1),
    groups: int = 1,
    activation: str | None = None,
) -> bool:
    """Whether pooling can follow a convolution image by image.

    Not where a product or a depthwise convolution does its work, and not with an activation
    that is a pass of its own.
    """
    if dtype not in (np.float32, np.float64) or activation in ("tanh", "sigmoid"):
        return False
    sizes = (tuple(x_shape), tuple(w_shape), strides, padding, dilation, groups)
    return forward_plan(dtype.name, "conv2d", *sizes)[1] is not None


def _add_pooled(
    b: Builder,
    kind: int,
    output: Operand,
    positions: Operand | None,
    x: Operand,
    w: Operand,
    bias: Operand | None,
    *,
    pool_size: Any,
    pool_strides: Any = None,
    pool_padding: Any = "valid",
    strides: Any = (1, 1),
    padding: Any = "valid",
    dilation: Any = (1, 1),
    groups: int = 1,
    activation: str | None = None,
) -> None:
    sizes = (strides, padding, dilation, groups)
    window, plan = forward_plan(output.dtype.name, "conv2d", x.shape, w.shape, *sizes)
    if plan is None or activation in ("tanh", "sigmoid"):
        raise NotNative("pooling together with such a convolution")
    pool = pooling.geometry_of("pooling", window.y_shape, pool_size, pool_strides, pool_padding)
    images, size = window.y_shape[0], output.itemsize
    target_bytes = math.prod(window.y_shape[1:]) * size
    parts = PARTS_OF_THREAD * most_threads()
    together = max(1, min(TOGETHER_BYTES // target_bytes, -(-images // parts)))
    memory_bytes = -(-(HEADER_BYTES + together * target_bytes) // 64) * 64 + 64
    memory = b.scratch(parts * memory_bytes)
    plans = pool.forward()
    keep_tables(b, plans)
    result = memory.view((together, *window.y_shape[1:]), None, HEADER_BYTES, output.dtype)
    flags = MEAN if kind == SUM else 0
    words, _, _ = driver.window_words(
        kind, result, output, *plans, pool.window,
        positions=positions, flags=flags, place=as_word,
    )  # fmt: skip
    assert len(words) == driver.WORDS
    more = (
        plan.record[f.RUNNER], driver.windows_block.address, together, memory, memory_bytes,
        math.prod(window.x_shape[1:]) * size, target_bytes,
        output.nbytes // images, positions.nbytes // images if positions else 0,
        *words,
    )  # fmt: skip
    changed = {f.RUNNER: pooled_parts.address, f.UNITS: images}
    add_convolution(b, plan, x, w, result, bias, activation, changed, more)


@lowers("conv2d_max_pool2d")
def _lower_max_pooled(
    b: Builder,
    out: tuple[Operand, Operand],
    x: Operand,
    w: Operand,
    bias: Operand | None = None,
    **how: Any,
) -> None:
    """The rows of ``max_pool2d(conv2d(x, w, bias, …), …)``."""
    _add_pooled(b, LARGEST, *out, x, w, bias, **how)


@lowers("conv2d_avg_pool2d")
def _lower_avg_pooled(
    b: Builder, out: Operand, x: Operand, w: Operand, bias: Operand | None = None, **how: Any
) -> None:
    """The rows of ``avg_pool2d(conv2d(x, w, bias, …), …)``."""
    _add_pooled(b, SUM, out, None, x, w, bias, **how)


@on_warmup("program pooled convolutions")
def _warm() -> None:
    pooled_parts.address  # noqa: B018
