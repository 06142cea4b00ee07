"""Attention against the plain formula with the whole matrix of scores, in float64."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from tapegrad_kernels import cpu
from tapegrad_kernels.cpu.program.chains import wait

Array = np.ndarray
DTYPES = [np.float32, np.float64]
# queries, keys, features, values: single positions, ragged ends, several blocks of each.
SIZES = [
    (1, 1, 1, 1),
    (5, 7, 3, 2),
    (33, 31, 16, 17),
    (64, 64, 64, 64),
    (70, 300, 20, 70),
    (257, 129, 40, 33),
    (1, 500, 64, 64),
    (300, 1, 8, 8),
]


def plain(
    q: Array, k: Array, v: Array, mask: Array | None, scale: float, causal: bool
) -> tuple[Array, Array, Array]:
    """Weights, results and logarithms of the sums."""
    scores = scale * q @ np.swapaxes(k, -1, -2)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    if causal:
        scores = np.where(np.tri(*scores.shape[-2:], dtype=bool), scores, -np.inf)
    largest = scores.max(-1, keepdims=True, initial=-np.inf)
    e = np.exp(scores - np.where(np.isfinite(largest), largest, 0))
    total = e.sum(-1, keepdims=True)
    p = e / np.where(total == 0, 1, total)
    with np.errstate(divide="ignore"):
        return p, p @ v, (np.log(total) + largest)[..., 0]


def plain_grad(
    g: Array, h: Array, q: Array, k: Array, v: Array, p: Array, scale: float
) -> tuple[Array, Array, Array]:
    """Gradients by q, k and v, from the weights."""
    delta = (g * (p @ v)).sum(-1, keepdims=True) - h[..., None]
    ds = p * (g @ np.swapaxes(v, -1, -2) - delta) * scale
    return ds @ k, np.swapaxes(ds, -1, -2) @ q, np.swapaxes(p, -1, -2) @ g


def draw(seed: int, dtype: Any, *shapes: tuple[int, ...]) -> list[Array]:
    generator = np.random.default_rng(seed)
    return [generator.normal(size=shape).astype(dtype) for shape in shapes]


def close(got: Array, expected: Array, factor: float = 60.0) -> None:
    """Equal but for roundings, relative to the largest number of the array."""
    eps = np.finfo(got.dtype).eps
    size = np.abs(expected[np.isfinite(expected)]).max(initial=1.0)
    np.testing.assert_allclose(got, expected, rtol=0, atol=factor * eps * size)


def check(
    q: Array,
    k: Array,
    v: Array,
    mask: Array | None = None,
    scale: float | None = None,
    causal: bool = False,
) -> None:
    """Compare results and gradients of one call with the plain formulas."""
    dtype = q.dtype
    factor = q.shape[-1] ** -0.5 if scale is None else scale
    wide = q.astype(float), k.astype(float), v.astype(float)
    wide_mask = mask if mask is None or mask.dtype == bool else mask.astype(np.float64)
    p, expected, expected_lse = plain(*wide, wide_mask, factor, causal)
    out, lse = cpu.attention(q, k, v, mask, scale=scale, causal=causal)
    assert out.dtype == lse.dtype == dtype
    assert out.shape == expected.shape
    close(out, expected)
    close(lse, expected_lse)
    g, h = draw(9, dtype, out.shape, lse.shape)
    gradients = cpu.attention_grad(g, h, q, k, v, out, lse, mask, scale=scale, causal=causal)
    expected_gradients = plain_grad(g.astype(float), h.astype(float), *wide, p, factor)
    for got, wanted, like in zip(gradients, expected_gradients, (q, k, v), strict=True):
        assert got.dtype == dtype
        assert got.shape == like.shape
        summed = wanted.sum(tuple(range(wanted.ndim - like.ndim)))
        axes = tuple(i for i, n in enumerate(like.shape) if n != summed.shape[i])
        close(got, summed.sum(axes, keepdims=True), 200.0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_sizes(size, causal, dtype):
    queries, keys, depth, value_depth = size
    for leading in ((), (2, 3)):
        shapes = [(queries, depth), (keys, depth), (keys, value_depth)]
        q, k, v = draw(0, dtype, *[(*leading, *shape) for shape in shapes])
        check(q, k, v, causal=causal)


@pytest.mark.parametrize("dtype", DTYPES)
def test_masks(dtype):
    q, k, v = draw(1, dtype, (2, 3, 70, 20), (2, 3, 150, 20), (2, 3, 150, 9))
    generator = np.random.default_rng(2)
    for shape in [(70, 150), (2, 1, 1, 150), (3, 70, 150), (70, 1), (2, 3, 70, 150)]:
        attend = generator.random(shape) < 0.6
        added = generator.normal(size=shape)
        added[generator.random(shape) < 0.2] = -np.inf
        check(q, k, v, attend)
        check(q, k, v, added.astype(dtype), causal=True)
    transposed = (generator.random((150, 70)) < 0.5).T
    check(q, k, v, transposed)
    check(q, k, v, np.repeat(transposed, 2, axis=1)[:, ::2], scale=0.3)
    check(q, k, v, np.repeat(added, 2, axis=-2).astype(dtype)[..., ::-2, ::-1])
    # A mask of another floating type is converted.
    wide, _ = cpu.attention(q, k, v, np.zeros((70, 150), np.float16))
    np.testing.assert_array_equal(wide, cpu.attention(q, k, v)[0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_strides(dtype):
    # Heads beside each other, as a layer leaves them; their rows alias in the cache at the
    # larger of the sizes.
    for heads, depth in ((4, 24), (16, 64)):
        q, k, v = draw(3, dtype, *[(2, 40, heads, depth)] * 3)
        q, k, v = (np.swapaxes(x, 1, 2) for x in (q, k, v))
        check(q, k, v, causal=True)
        out, lse = cpu.attention(q, k, v)
        contiguous = q.copy(), k.copy(), v.copy()
        np.testing.assert_array_equal(out, cpu.attention(*contiguous)[0])
        g = np.swapaxes(draw(4, dtype, (2, 40, heads, depth))[0], 1, 2)
        for one, other in zip(
            cpu.attention_grad(g, 0.0, q, k, v, out, lse),
            cpu.attention_grad(g.copy(), 0.0, *contiguous, out.copy(), lse.copy()),
            strict=True,
        ):
            np.testing.assert_array_equal(one, other)
    x = draw(5, dtype, (60, 50))[0]
    check(x[::2, ::-2], x[::-1, 1::2], np.broadcast_to(x[:, :1], (60, 30)))
    check(x.T, x.T[::2], x.T[::2, :4])
    check(np.broadcast_to(x[0], (60, 50)), x, x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_leading_axes_broadcast(dtype):
    # Two heads of keys serve six of queries.
    q, k, v = draw(6, dtype, (3, 2, 3, 20, 8), (3, 2, 1, 30, 8), (2, 1, 30, 5))
    check(q, k, v)
    check(q[0, 0], k, v, causal=True)


@pytest.mark.parametrize("dtype", DTYPES)
def test_queries_that_attend_to_nothing(dtype):
    q, k, v = draw(7, dtype, (3, 50, 8), (3, 200, 8), (3, 200, 8))
    attend = np.ones((3, 50, 200), bool)
    attend[0, 7] = attend[2] = False
    attend[1, :, :150] = False  # whole blocks of keys first
    check(q, k, v, attend)
    out, lse = cpu.attention(q, k, v, attend)
    assert (out[2] == 0).all()
    assert (lse[2] == -np.inf).all()
    gradients = cpu.attention_grad(np.ones_like(out), 0.0, q, k, v, out, lse, attend)
    assert all((gradient[2] == 0).all() for gradient in gradients)
    # What is masked has no influence at all, whatever it holds.
    v[0, -1], attend[0, :, -1] = 1e30, False
    k[0, -1] = 1e30
    again, _ = cpu.attention(q, k, v, attend)
    assert np.isfinite(again).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_large_and_special_scores(dtype):
    q, k, v = draw(8, dtype, (40, 16), (300, 16), (300, 16))
    check(q, k, v, scale=8.0)
    check(q, k, v, scale=-1.0)
    check(q, k, v, scale=0.0)
    shifted, _ = cpu.attention(q, k, v, np.full(300, 1e4, dtype))
    assert np.isfinite(shifted).all()
    q[3, 0] = np.nan
    out, lse = cpu.attention(q, k, v)
    assert np.isnan(out[3]).all()
    assert np.isnan(lse[3])
    assert np.isfinite(np.delete(out, 3, 0)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_empty(dtype):
    def empty(*shape: int) -> Array:
        return np.ones(shape, dtype)

    def both(q: Array, k: Array, v: Array) -> tuple[Array, ...]:
        out, lse = cpu.attention(q, k, v)
        return out, *cpu.attention_grad(np.ones_like(out), 0.0, q, k, v, out, lse)

    for leading in ((0,), (2, 0)):
        out, *gradients = both(*[empty(*leading, 4, 3)] * 3)
        assert [x.shape for x in (out, *gradients)] == [(*leading, 4, 3)] * 4
    out, dq, dk, dv = both(empty(2, 0, 3), empty(2, 5, 3), empty(2, 5, 4))
    assert (out.shape, dq.shape) == ((2, 0, 4), (2, 0, 3))
    assert (dk == 0).all()
    assert (dv == 0).all()
    out, dq, dk, dv = both(empty(2, 4, 3), empty(2, 0, 3), empty(2, 0, 5))
    assert (out == 0).all()
    assert (dq == 0).all()
    assert dk.shape == (2, 0, 3)
    out, *_ = both(empty(4, 0), empty(6, 0), empty(6, 2))
    np.testing.assert_allclose(out, 1.0)
    out, *_ = both(empty(4, 3), empty(6, 3), empty(6, 0))
    assert out.shape == (4, 0)


def test_other_types():
    x = np.arange(12).reshape(4, 3)
    assert cpu.attention(x, x, x)[0].dtype == np.float64
    half = x.astype(np.float16)
    assert cpu.attention(half, half, half)[0].dtype == np.float32
    assert cpu.attention(half, half, x.astype(float))[0].dtype == np.float64
    swapped = x.astype(">f4")
    np.testing.assert_array_equal(
        cpu.attention(swapped, swapped, swapped)[0], cpu.attention(half, half, half)[0]
    )


def test_bad_input():
    x = np.zeros((2, 5, 4), np.float32)
    with pytest.raises(ValueError, match=r"attention: query has shape \(4,\)"):
        cpu.attention(x[0, 0], x, x)
    with pytest.raises(ValueError, match=r"query has 3 features .* key 4"):
        cpu.attention(x[..., :3], x, x)
    with pytest.raises(ValueError, match=r"key has 5 positions .* value 2"):
        cpu.attention(x, x, x[:, :2])
    with pytest.raises(ValueError, match="do not broadcast"):
        cpu.attention(x, x[[0, 0, 0]], x)
    with pytest.raises(ValueError, match=r"mask of shape \(4, 5\) does not broadcast"):
        cpu.attention(x, x, x, np.ones((4, 5), bool))
    with pytest.raises(ValueError, match=r"mask of shape \(3, 2, 5, 5\)"):
        cpu.attention(x, x, x, np.ones((3, 2, 5, 5), bool))
    with pytest.raises(TypeError, match="mask of int64, expected booleans"):
        cpu.attention(x, x, x, np.ones((5, 5), np.int64))
    with pytest.raises(TypeError, match="complex64, expected real numbers"):
        cpu.attention(x * 1j, x, x)
    out, lse = cpu.attention(x, x, x)
    with pytest.raises(ValueError, match=r"attention_grad: g has shape \(5, 4\)"):
        cpu.attention_grad(out[0], 0.0, x, x, x, out, lse)
    with pytest.raises(ValueError, match="out has shape"):
        cpu.attention_grad(out, 0.0, x, x, x, out[:1], lse)
    with pytest.raises(ValueError, match="logsumexp has shape"):
        cpu.attention_grad(out, 0.0, x, x, x, out, lse[..., None])
    with pytest.raises(ValueError, match=r"g_logsumexp has shape \(3,\)"):
        cpu.attention_grad(out, np.ones(3), x, x, x, out, lse)


def test_memory_is_linear_in_the_length():
    def peak(length: int) -> int:
        q, k, v = draw(0, np.float32, *[(1, length, 16)] * 3)
        tracemalloc.start()
        out, lse = cpu.attention(q, k, v, causal=True)
        cpu.attention_grad(out, 0.0, q, k, v, out, lse, causal=True)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(64)  # compiled before the memory is counted
    wait()  # and so are loops of earlier tests, which would count
    # Both lengths are cut into the most segments, whose parts of a gradient are kept.
    short, long = peak(4096), peak(8192)
    assert long < 2.05 * short
    assert long < 8192 * 8192 // 4  # bytes: a sixteenth of the matrix of scores
