"""Scaled dot-product attention on NumPy arrays: the public face."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from tapegrad_kernels._compile import Block, native_entry, on_warmup
from tapegrad_kernels._compile.launch import chunk_block, parallel_launcher, run_chunks
from tapegrad_kernels.cpu import reductions
from tapegrad_kernels.cpu._map import REAL_NAMES
from tapegrad_kernels.cpu.attention import layout
from tapegrad_kernels.cpu.attention.backward import make_backward
from tapegrad_kernels.cpu.attention.forward import make_forward
from tapegrad_kernels.cpu.attention.operands import check, leading_offsets, matrices
from tapegrad_kernels.cpu.engine import sum_to_shape
from tapegrad_kernels.cpu.gemm.microkernel import tile_for
from tapegrad_kernels.cpu.gemm.table import table_address

Array = NDArray[Any]

MOST_PARTS = 32
"""Parts that a pass is cut into at most: each has a workspace of its own."""
PART_PRODUCTS = 1_000_000
"""Multiplications of the smallest part worth giving to another thread: some 20 µs."""
BACKWARD_TASKS = 16
"""Tasks below which the keys of a head are cut into segments."""

FORWARD = {real: make_forward(real) for real in REAL_NAMES}
BACKWARD = {real: make_backward(real) for real in REAL_NAMES}


def _run(address, chunker, launcher, record, count, chunk):  # type: ignore[no-untyped-def]
    run_chunks(address, record, count, chunk, chunker, launcher)


@functools.cache
def _native_run() -> Callable[..., None]:
    return native_entry(_run, "run_attention", *(numba.int64,) * 6)


def chunk_of(tasks: int, products: int) -> int:
    """How many tasks of so many multiplications make a part."""
    return max(-(-tasks // MOST_PARTS), -(-PART_PRODUCTS // max(products, 1)))


def part_bytes_of(elements: int, size: int) -> int:
    """Bytes of the workspace of a part."""
    return -(-elements * size // layout.LINE) * layout.LINE


def forward_parts(
    real: str, queries: int, keys: int, depth: int, value_depth: int
) -> tuple[int, int]:
    """Tasks of a head in the forward pass, and their multiplications."""
    block = layout.FORWARD_PANELS * tile_for(real).columns
    return -(-queries // block), min(block, queries) * keys * (depth + value_depth)


def segments_of(heads: int, keys: int) -> tuple[int, int]:
    """Segments of the keys of a head in the backward pass, and keys of one."""
    segments = min(-(-BACKWARD_TASKS // max(heads, 1)), -(-keys // (2 * layout.KEY_BLOCK)))
    segment = -(-keys // (max(segments, 1) * layout.KEY_BLOCK)) * layout.KEY_BLOCK
    return max(1, -(-keys // max(segment, 1))), segment


def _launch(chosen: Block, real: str, r: Array, tasks: int, products: int, elements: int) -> None:
    """Run `tasks` tasks of `products` multiplications each, in parts that depend on sizes alone."""
    chunk = chunk_of(tasks, products)
    part_bytes = part_bytes_of(elements, np.dtype(real).itemsize)
    workspace = np.empty(-(-tasks // chunk) * part_bytes + layout.LINE, np.uint8)
    address = workspace.ctypes.data
    r[layout.TABLE] = table_address(real)
    r[layout.CHUNK] = chunk
    r[layout.WORKSPACE] = address + -address % layout.LINE
    r[layout.WORKSPACE_BYTES] = part_bytes
    addresses = chosen.address, chunk_block.address, parallel_launcher.address
    _native_run()(*addresses, r.ctypes.data, tasks, chunk)


def attention(
    query: ArrayLike,
    key: ArrayLike,
    value: ArrayLike,
    mask: ArrayLike | None = None,
    *,
    scale: float | None = None,
    causal: bool = False,
) -> tuple[Array, Array]:
    """Scaled dot-product attention, ``softmax(scale * query @ key.T + mask) @ value``.

    The matrix of scores is never in memory as a whole: memory grows with the number of
    positions, not with its square.

    Parameters
    ----------
    query : array_like, shape (..., queries, features)
        float32 or float64; the leading axes are batches and heads.
    key : array_like, shape (..., keys, features)
        Its leading axes broadcast against those of `query`.
    value : array_like, shape (..., keys, values)
        As `key`, with as many features as the result shall have.
    mask : array_like, optional
        Broadcast to (..., queries, keys), without being copied. Booleans tell which keys a
        query attends to; real numbers are added to the scores.
    scale : float, optional
        ``1 / sqrt(features)`` by default.
    causal : bool, default False
        Whether query i attends to the keys up to i only.

    Returns
    -------
    out : ndarray, shape (..., queries, values)
        A query that may attend to no key has a row of zeros, and gradients of zero.
    logsumexp : ndarray, shape (..., queries)
        Logarithm of the sum of the exponentials of a query's scores, -Inf if it may attend
        to no key; the gradient needs it.

    Raises
    ------
    ValueError
        If shapes do not fit.
    TypeError
        If an argument does not hold real numbers, or a mask integers.

    References
    ----------
    A. Vaswani et al., *Attention Is All You Need*, arXiv:1706.03762.
    T. Dao et al., *FlashAttention*, arXiv:2205.14135.

    Examples
    --------
    >>> x = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> out, logsumexp = attention(x, x, x, causal=True)
    >>> out.round(3)
    array([[1.  , 0.  ],
           [0.33, 0.67]])
    """
    operands = check("attention", query, key, value, mask, scale)
    q, v, heads = operands.q, operands.v, operands.heads
    queries, depth = q.shape[-2:]
    keys, value_depth = v.shape[-2:]
    real = q.dtype.name
    out = np.empty((*operands.leading, queries, value_depth), q.dtype)
    logsumexp = np.empty((*operands.leading, queries), q.dtype)
    if logsumexp.size == 0:
        return out, logsumexp
    record, _owners = operands.record(causal)
    parts, products = forward_parts(real, queries, keys, depth, value_depth)
    record[layout.PARTS] = parts
    record[layout.OUT] = out.ctypes.data
    record[layout.LOGSUMEXP] = logsumexp.ctypes.data
    elements = layout.forward_elements(depth, value_depth, tile_for(real).columns)
    _launch(FORWARD[real], real, record, heads * parts, products, elements)
    return out, logsumexp


def attention_grad(
    g: ArrayLike,
    g_logsumexp: ArrayLike,
    query: ArrayLike,
    key: ArrayLike,
    value: ArrayLike,
    out: ArrayLike,
    logsumexp: ArrayLike,
    mask: ArrayLike | None = None,
    *,
    scale: float | None = None,
    causal: bool = False,
) -> tuple[Array, Array, Array]:
    """Gradients of `attention` by query, key and value.

    Parameters
    ----------
    g : array_like, shape (..., queries, values)
        Gradient by `out`.
    g_logsumexp : array_like
        Gradient by `logsumexp`, broadcast to its shape; 0 if that is not used.
    query, key, value, mask, scale, causal
        As given to `attention`.
    out, logsumexp : array_like
        Its results.

    Returns
    -------
    query_gradient, key_gradient, value_gradient : ndarray
        Of the shapes of `query`, `key` and `value`.

    Raises
    ------
    ValueError, TypeError
        As `attention`, and if the shapes of the results and gradients do not fit.

    Examples
    --------
    >>> x = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> out, logsumexp = attention(x, x, x)
    >>> dq, dk, dv = attention_grad(np.ones((2, 2)), 0.0, x, x, x, out, logsumexp)
    >>> dv.round(3)
    array([[1., 1.],
           [1., 1.]])
    """
    operands = check("attention_grad", query, key, value, mask, scale)
    q, k, v, heads, leading = operands.q, operands.k, operands.v, operands.heads, operands.leading
    queries, depth = q.shape[-2:]
    keys, value_depth = v.shape[-2:]
    dtype = q.dtype
    rows = (*leading, queries)
    g = matrices(_of_shape(g, "g", (*rows, value_depth)), dtype)
    out = np.asarray(_of_shape(out, "out", (*rows, value_depth)), dtype, order="C")
    logsumexp = np.asarray(_of_shape(logsumexp, "logsumexp", rows), dtype, order="C")
    record, _owners = operands.record(causal)
    if not (isinstance(g_logsumexp, float | int) and g_logsumexp == 0):
        try:
            direct = np.asarray(np.broadcast_to(g_logsumexp, rows), dtype, order="C")
        except ValueError:
            raise ValueError(
                f"attention_grad: g_logsumexp has shape {np.shape(g_logsumexp)}, "
                f"expected one that broadcasts to {rows}"
            ) from None
        record[layout.G_LOGSUMEXP] = direct.ctypes.data
        _owners.append(direct)
    real = dtype.name
    segments, segment = segments_of(heads, keys)
    dq = np.empty((segments, *rows, depth), dtype)
    dk = np.empty((*leading, keys, depth), dtype)
    dv = np.empty((*leading, keys, value_depth), dtype)
    offsets = leading_offsets(g, leading)
    _owners.append(offsets)
    record[layout.PARTS], record[layout.SEGMENT] = segments, segment
    record[layout.G] = g.ctypes.data
    record[layout.G_STRIDE] = g.strides[-2] // dtype.itemsize
    record[layout.G_OFFSETS] = offsets.ctypes.data
    record[layout.OUT], record[layout.LOGSUMEXP] = out.ctypes.data, logsumexp.ctypes.data
    record[layout.DQ], record[layout.DK] = dq.ctypes.data, dk.ctypes.data
    record[layout.DV] = dv.ctypes.data
    if heads:
        products = queries * min(segment, keys) * (3 * depth + 2 * value_depth)
        elements = layout.backward_elements(depth, value_depth, tile_for(real).columns)
        _launch(BACKWARD[real], real, record, heads * segments, products, elements)
    total = dq[0] if segments == 1 else reductions.sum(dq, axis=0)
    return (
        sum_to_shape(total, shape=q.shape),
        sum_to_shape(dk, shape=k.shape),
        sum_to_shape(dv, shape=v.shape),
    )


def _of_shape(array: ArrayLike, name: str, shape: tuple[int, ...]) -> Array:
    found = np.asarray(array)
    if found.shape != shape:
        raise ValueError(
            f"attention_grad: {name} has shape {found.shape}, expected {shape}, as from attention"
        )
    return found


def _warm(real: str) -> None:
    x = np.zeros((1, 1), real)
    attention_grad(x, 0.0, x, x, x, *attention(x, x, x))


for _real in REAL_NAMES:
    on_warmup(f"attention {_real}")(lambda real=_real: _warm(real))
