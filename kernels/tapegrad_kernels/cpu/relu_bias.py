"""The gradient before a relu and its sum, which is the gradient by a bias, in one visit.

Both are bound by memory: together they read and write once what one by one they would twice.
Rows are added in the blocks of `tapegrad_kernels.cpu.reductions`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapegrad_kernels._compile import Block, block, kernel, on_warmup
from tapegrad_kernels._compile.launch import chunk_block, parallel_launcher, run_chunks
from tapegrad_kernels._compile.pointers import POINTER_TO, address_of, int64_at, pack
from tapegrad_kernels.cpu._map import REAL_NAMES
from tapegrad_kernels.cpu._reduction_kernels import CHUNK, ROW_BLOCK, sum_of_partials
from tapegrad_kernels.cpu.activations import relu_grad
from tapegrad_kernels.cpu.reductions import sum

__all__ = ["relu_bias_grad"]

Array = NDArray[Any]


def _make_block(real: str) -> Block:
    at = POINTER_TO[real]
    zero: Any = np.dtype(real).type(0.0)

    @block(f"relu_bias.{real}")
    def rows(record, start, stop):  # type: ignore[no-untyped-def]
        # A task is a block of rows; its sums go to a row of `partial`.
        packed = int64_at(record)
        g, y, x, partial = at(packed[0]), at(packed[1]), at(packed[2]), at(packed[3])
        height, width = packed[4], packed[5]
        for task in range(start, stop):
            total = task * width
            for j in range(width):
                partial[total + j] = zero
            bottom = min((task + 1) * ROW_BLOCK, height)
            i = task * ROW_BLOCK
            # Two rows at a time, so that the sums are loaded and stored half as often.
            while i + 2 <= bottom:
                at_0, at_1 = i * width, (i + 1) * width
                for j in range(width):
                    # Loaded before it is looked at, so that no branch stands in the loop.
                    g_0, g_1 = g[at_0 + j], g[at_1 + j]
                    y_0, y_1 = y[at_0 + j], y[at_1 + j]
                    g_0 = g_0 if y_0 > zero else zero
                    g_1 = g_1 if y_1 > zero else zero
                    x[at_0 + j] = g_0
                    x[at_1 + j] = g_1
                    partial[total + j] += g_0 + g_1
                i += 2
            while i < bottom:
                for j in range(width):
                    one = g[i * width + j]
                    one = one if y[i * width + j] > zero else zero
                    x[i * width + j] = one
                    partial[total + j] += one
                i += 1

    return rows


_BLOCKS = {np.dtype(real): _make_block(real) for real in REAL_NAMES}


def block_of(dtype: np.dtype[Any]) -> Block:
    """The block of float32 or float64."""
    return _BLOCKS[dtype]


@kernel
def _run(address, chunker, launcher, chunk, g, y, x, partial, height, width, count):  # type: ignore[no-untyped-def]
    record = pack((address_of(g), address_of(y), address_of(x), address_of(partial), height, width))
    run_chunks(address, record, count, chunk, chunker, launcher)


_entries: dict[Any, tuple[int, int, int]] = {}


def relu_bias_grad(g: Array, y: Array) -> tuple[Array, Array]:
    """Gradients by ``x`` and by ``bias`` of ``y = relu(x + bias)``.

    Parameters
    ----------
    g : ndarray of shape (..., n)
        Gradient by `y`.
    y : ndarray of shape (..., n)
        The output of relu.

    Returns
    -------
    by_x : ndarray of shape (..., n)
        `g` where `y` is positive, else 0; see `relu_grad`.
    by_bias : ndarray of shape (n,)
        Its sum over all axes but the last.

    Raises
    ------
    ValueError
        If the shapes differ or have no axis.

    Examples
    --------
    >>> import numpy as np
    >>> relu_bias_grad(np.ones((2, 2)), np.array([[1.0, 0.0], [3.0, 2.0]]))
    (array([[1., 0.],
           [1., 1.]]), array([2., 1.]))
    """
    g, y = np.asarray(g), np.asarray(y)
    if g.shape != y.shape or not g.ndim:
        raise ValueError(
            f"relu_bias_grad: g has shape {g.shape} and y {y.shape}; they must be the same, with "
            "an axis at least"
        )
    width = g.shape[-1]
    if g.dtype != y.dtype or g.dtype not in _BLOCKS or not g.size:
        x = np.asarray(relu_grad(g, y))
        return x, np.asarray(sum(x, axis=tuple(range(x.ndim - 1))))
    g, y = np.asarray(g, order="C"), np.asarray(y, order="C")
    height = g.size // width
    count = -(-height // ROW_BLOCK)
    x = np.empty(g.shape, g.dtype)
    partial = np.empty(count * width, g.dtype)
    entry = _entries.get(g.dtype)
    if entry is None:
        chosen = _BLOCKS[g.dtype]
        entry = _entries[g.dtype] = (
            chosen.address,
            chunk_block.address,
            parallel_launcher.address,
        )
    flat = g.reshape(-1), y.reshape(-1), x.reshape(-1), partial
    chunk = max(1, CHUNK // (min(height, ROW_BLOCK) * width))
    _run(*entry, chunk, *flat, height, width, count)
    return x, partial if count == 1 else sum_of_partials(partial, 1, count, width)


def _warm(real: str) -> None:
    relu_bias_grad(np.ones((8, 8), real), np.ones((8, 8), real))


for _real in REAL_NAMES:
    on_warmup(f"relu_bias_grad {_real}")(lambda real=_real: _warm(real))
