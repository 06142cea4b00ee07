"""Random numbers that are a function of (seed, stream, element).

The generator is Philox4x32-10 (see `tapegrad_kernels._scalar.philox`). Nothing is
carried from one call to the next: element ``i`` of a stream is the same in an
array of any shape, on any number of threads, and on a GPU. A program draws
different numbers by giving each draw a stream of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tapegrad_kernels._compile import Block, block, kernel, on_warmup
from tapegrad_kernels._compile.launch import chunk_block, parallel_launcher, run_chunks
from tapegrad_kernels._compile.pointers import (
    POINTER_TO,
    address_of,
    int64_at,
    pack,
    uint64_at,
)
from tapegrad_kernels._scalar import philox
from tapegrad_kernels.cpu._basis import cpu_basis
from tapegrad_kernels.cpu._map import REAL_NAMES

Array = NDArray[Any]
Number = int | NDArray[Any] | np.generic
Shape = int | Sequence[int]

CHUNK = 2048
"""Philox blocks (two or four numbers each) up to which one thread is quicker."""

_philox = philox.build_generator(kernel(inline=True))


def _make_store(kind: str, real: str) -> tuple[int, Any]:
    """How many numbers a Philox block gives, and a function that writes them."""
    convert = philox.build_conversions(cpu_basis(real))
    uniform, normal_pair = convert.uniform, convert.normal_pair
    zero: Any = np.dtype(real).type(0.0)
    one: Any = np.dtype(real).type(1.0)

    if kind == "bernoulli":

        @kernel(inline=True)
        def store_bernoulli(y, i, w0, w1, w2, w3, threshold):  # type: ignore[no-untyped-def]
            y[i] = one if w0 < threshold else zero
            y[i + 1] = one if w1 < threshold else zero
            y[i + 2] = one if w2 < threshold else zero
            y[i + 3] = one if w3 < threshold else zero

        return 4, store_bernoulli

    if kind == "uniform" and real == "float32":

        @kernel(inline=True)
        def store_uniform_float32(y, i, w0, w1, w2, w3, unused):  # type: ignore[no-untyped-def]
            y[i], y[i + 1] = uniform(w0, w0), uniform(w1, w1)
            y[i + 2], y[i + 3] = uniform(w2, w2), uniform(w3, w3)

        return 4, store_uniform_float32

    if kind == "uniform":

        @kernel(inline=True)
        def store_uniform_float64(y, i, w0, w1, w2, w3, unused):  # type: ignore[no-untyped-def]
            y[i], y[i + 1] = uniform(w0, w1), uniform(w2, w3)

        return 2, store_uniform_float64

    if real == "float32":

        @kernel(inline=True)
        def store_normal_float32(y, i, w0, w1, w2, w3, unused):  # type: ignore[no-untyped-def]
            y[i], y[i + 1] = normal_pair(w0, w1, w0, w1)
            y[i + 2], y[i + 3] = normal_pair(w2, w3, w2, w3)

        return 4, store_normal_float32

    @kernel(inline=True)
    def store_normal_float64(y, i, w0, w1, w2, w3, unused):  # type: ignore[no-untyped-def]
        y[i], y[i + 1] = normal_pair(w0, w1, w2, w3)

    return 2, store_normal_float64


def _make_block(kind: str, real: str) -> tuple[int, Block]:
    at = POINTER_TO[real]
    per_block, store = _make_store(kind, real)

    @block(f"random_{kind}.{real}")
    def fill(record, start, stop):  # type: ignore[no-untyped-def]
        # The array is padded to whole blocks.
        packed = uint64_at(record)
        y, seed, stream, threshold = at(np.int64(packed[0])), packed[1], packed[2], packed[3]
        for number in range(start, stop):
            w0, w1, w2, w3 = _philox(np.uint64(number), stream, seed)
            store(y, number * per_block, w0, w1, w2, w3, threshold)

    return per_block, fill


BLOCKS = {
    (kind, real): _make_block(kind, real)
    for kind in ("uniform", "normal", "bernoulli")
    for real in REAL_NAMES
}
"""How many numbers a Philox block gives, and what writes them, by distribution and dtype."""


@kernel
def _run(address, chunker, launcher, y, seed, stream, threshold, count):  # type: ignore[no-untyped-def]
    record = pack((address_of(y), seed, stream, threshold))
    run_chunks(address, record, count, CHUNK, chunker, launcher)


def seed_word(name: str, value: Number) -> int:
    """A seed or stream as the signed integer with the same 64 bits."""
    number = int(value)
    if not -(2**63) <= number < 2**64:
        raise ValueError(f"random: {name} is {number}; it must fit 64 bits")
    return number - 2**64 if number >= 2**63 else number


def _fill(
    kind: str, seed: Number, stream: Number, shape: Shape, dtype: DTypeLike, threshold: int = 0
) -> Array:
    chosen = np.dtype(dtype)
    real = "float64" if chosen == np.float64 else "float32"
    per_block, filler = BLOCKS[kind, real]
    sizes = (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(map(int, shape))
    size = math.prod(sizes)
    count = -(-size // per_block)
    y = np.empty(count * per_block, real)
    addresses = filler.address, chunk_block.address, parallel_launcher.address
    _run(*addresses, y, seed_word("seed", seed), seed_word("stream", stream), threshold, count)
    return y[:size].reshape(sizes).astype(chosen, copy=False)


def random_uniform(
    seed: Number, stream: Number, *, shape: Shape, dtype: DTypeLike = np.float32
) -> Array:
    """Numbers uniformly distributed in [0, 1).

    Parameters
    ----------
    seed, stream : int or 0-d array
        64-bit numbers that name the sequence.
    shape : int or sequence of int
        Shape of the result.
    dtype : dtype, default float32
        A float32 has 24 random bits and a float64 has 53; other types are converted from
        float32.

    Returns
    -------
    ndarray
        Its elements depend on `seed`, `stream`, their index in C order, and the dtype alone.

    Examples
    --------
    >>> bool(np.all(random_uniform(1, 2, shape=3) == random_uniform(1, 2, shape=5)[:3]))
    True
    """
    return _fill("uniform", seed, stream, shape, dtype)


def random_normal(
    seed: Number, stream: Number, *, shape: Shape, dtype: DTypeLike = np.float32
) -> Array:
    """Numbers from the standard normal distribution, by the method of Box and Muller.

    Parameters and guarantees are those of `random_uniform`.

    References
    ----------
    G. E. P. Box and M. E. Muller, *A note on the generation of random normal deviates*,
    Ann. Math. Statist. 29 (1958).

    Examples
    --------
    >>> random_normal(1, 2, shape=(2, 3)).shape
    (2, 3)
    """
    return _fill("normal", seed, stream, shape, dtype)


def random_bernoulli(
    seed: Number,
    stream: Number,
    *,
    shape: Shape,
    probability: float | NDArray[Any],
    dtype: DTypeLike = np.float32,
) -> Array:
    """Ones with the given probability and zeros otherwise.

    Parameters
    ----------
    seed, stream, shape
        As in `random_uniform`.
    probability : float or 0-d array
        Between 0 and 1. It is met to 32 bits; 0 never gives a one, and 1 always does.
    dtype : dtype, default float32
        The draws are the same for every dtype.

    Raises
    ------
    ValueError
        If `probability` is outside [0, 1].

    Examples
    --------
    >>> random_bernoulli(1, 2, shape=4, probability=1.0)
    array([1., 1., 1., 1.], dtype=float32)
    """
    chance = float(probability)
    if not 0.0 <= chance <= 1.0:
        raise ValueError(f"random_bernoulli: probability is {chance}, expected 0 to 1")
    return _fill("bernoulli", seed, stream, shape, dtype, round(chance * 2.0**32))


DRAWN = 16
"""Philox blocks that a permutation draws at a time: enough that the loop becomes one of vectors."""
DRAWN_WORDS = (0,) * (4 * DRAWN)
SHUFFLED = 16384
"""Elements of several permutations up to which one thread is quicker."""


@block("random_permutation")
def permutation_block(record, start, stop):  # type: ignore[no-untyped-def]
    """Write the permutations of the streams from `start` up to `stop`, counted from the first.

    The record holds where the first is written, the seed, the first stream and the size.
    """
    # Fisher and Yates, from the end; the draws are words 0, 1, 2, … of the stream. A bounded
    # draw is the high half of word * bound, and the few words that would favour some outcomes are
    # skipped: those with a low half below 2**32 % bound, which is divided out where the low half
    # is below the bound at all (D. Lemire, Fast random integer generation in an interval, ACM
    # Trans. Model. Comput. Simul. 29, 2019).
    packed = uint64_at(record)
    target, seed, size = np.int64(packed[0]), packed[1], np.int64(packed[3])
    word_bits, mask = np.uint64(32), np.uint64(0xFFFFFFFF)
    words = uint64_at(pack(DRAWN_WORDS))
    for permutation in range(start, stop):
        order = int64_at(target + 8 * size * permutation)
        stream = packed[2] + np.uint64(permutation)
        for i in range(size):
            order[i] = i
        number = 0
        used = 4 * DRAWN
        for last in range(size - 1, 0, -1):
            bound = np.uint64(last + 1)
            while True:
                if used == 4 * DRAWN:
                    for i in range(DRAWN):
                        drawn = _philox(np.uint64(number + i), stream, seed)
                        words[4 * i], words[4 * i + 1] = drawn[0], drawn[1]
                        words[4 * i + 2], words[4 * i + 3] = drawn[2], drawn[3]
                    number += DRAWN
                    used = 0
                product = words[used] * bound
                used += 1
                low = product & mask
                if low >= bound or low >= np.uint64(2**32) % bound:
                    break
            chosen = np.int64(product >> word_bits)
            order[last], order[chosen] = order[chosen], order[last]


@kernel
def _permute(address, chunker, launcher, orders, seed, stream, size, count):  # type: ignore[no-untyped-def]
    record = pack((address_of(orders), seed, stream, size))
    run_chunks(address, record, count, max(1, SHUFFLED // max(1, size)), chunker, launcher)


def random_permutation(seed: Number, stream: Number, *, n: int) -> Array:
    """The integers below `n` in random order, each order equally likely.

    Parameters
    ----------
    seed, stream : int or 0-d array
        As in `random_uniform`.
    n : int
        Below 2**32.

    Returns
    -------
    ndarray of int64, shape (n,)

    Raises
    ------
    ValueError
        If `n` is negative or too large.

    Examples
    --------
    >>> sorted(random_permutation(1, 2, n=4).tolist())
    [0, 1, 2, 3]
    """
    return _permutations(seed, stream, n, 1)


def random_permutations(seed: Number, stream: Number, *, n: int, count: int) -> Array:
    """Permutations of several streams: row `i` is that of ``stream + i``.

    Parameters
    ----------
    seed, stream, n
        As in `random_permutation`.
    count : int
        How many.

    Returns
    -------
    ndarray of int64, shape (count, n)

    Raises
    ------
    ValueError
        If `n` is negative or too large.

    Examples
    --------
    >>> orders = random_permutations(1, 2, n=5, count=3)
    >>> bool((orders[2] == random_permutation(1, 4, n=5)).all())
    True
    """
    return _permutations(seed, stream, n, count).reshape(count, n)


def _permutations(seed: Number, stream: Number, n: int, count: int) -> Array:
    size = int(n)
    if not 0 <= size < 2**32:
        raise ValueError(f"random_permutation: n is {size}, expected 0 to 2**32 - 1")
    orders = np.empty(count * size, np.int64)
    addresses = permutation_block.address, chunk_block.address, parallel_launcher.address
    words = seed_word("seed", seed), seed_word("stream", stream)
    _permute(*addresses, orders, *words, size, count)
    return orders


def _warm(kind: str, real: str) -> None:
    if kind == "bernoulli":
        random_bernoulli(0, 0, shape=1, probability=0.5, dtype=real)
    else:
        (random_uniform if kind == "uniform" else random_normal)(0, 0, shape=1, dtype=real)


for _real in REAL_NAMES:
    for _kind in ("uniform", "normal", "bernoulli"):
        on_warmup(f"random_{_kind} {_real}")(lambda kind=_kind, real=_real: _warm(kind, real))
on_warmup("random_permutation")(lambda: random_permutation(0, 0, n=2))

__all__ = [
    "random_bernoulli",
    "random_normal",
    "random_permutation",
    "random_permutations",
    "random_uniform",
]
