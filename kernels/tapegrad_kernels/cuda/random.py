"""Random numbers that are a function of (seed, stream, element): the CPU's, bit for bit.

Generator and conversions are the definitions that the CPU compiles too
(`tapegrad_kernels._scalar.philox`), made of correctly rounded operations in a
fixed order. A thread computes one Philox block, which is two or four numbers.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numba
import numpy as np
from numpy.typing import DTypeLike

from tapegrad_kernels._scalar.philox import WORDS_PER_NUMBER
from tapegrad_kernels.cuda import arrays, elementwise, library
from tapegrad_kernels.cuda.shim import (
    Specimen,
    cuda,
    device_function,
    grid_for,
    kernel,
    specimens,
)

Shape = int | Sequence[int]


@functools.cache
def _converter(kind: str, dtype: str) -> Any:
    """Device function of a block's words and a threshold: four numbers, or two twice."""
    functions = library.shared(dtype)
    uniform, normal_pair = functions.uniform, functions.normal_pair
    zero, one = np.dtype(dtype).type(0), np.dtype(dtype).type(1)

    if kind == "bernoulli":

        @device_function
        def convert(w0, w1, w2, w3, threshold):  # type: ignore[no-untyped-def]
            return (
                one if w0 < threshold else zero,
                one if w1 < threshold else zero,
                one if w2 < threshold else zero,
                one if w3 < threshold else zero,
            )

    elif kind == "uniform" and dtype == "float32":

        @device_function
        def convert(w0, w1, w2, w3, threshold):  # type: ignore[no-untyped-def]
            return uniform(w0, w0), uniform(w1, w1), uniform(w2, w2), uniform(w3, w3)

    elif kind == "uniform":

        @device_function
        def convert(w0, w1, w2, w3, threshold):  # type: ignore[no-untyped-def]
            x, y = uniform(w0, w1), uniform(w2, w3)
            return x, y, x, y

    elif dtype == "float32":

        @device_function
        def convert(w0, w1, w2, w3, threshold):  # type: ignore[no-untyped-def]
            a, b = normal_pair(w0, w1, w0, w1)
            c, d = normal_pair(w2, w3, w2, w3)
            return a, b, c, d

    else:

        @device_function
        def convert(w0, w1, w2, w3, threshold):  # type: ignore[no-untyped-def]
            x, y = normal_pair(w0, w1, w2, w3)
            return x, y, x, y

    return convert


def _numbers_of_block(kind: str, dtype: str) -> int:
    return 4 if kind == "bernoulli" else 4 // WORDS_PER_NUMBER[dtype]


@functools.cache
def _fill_kernel(kind: str, dtype: str) -> Any:
    philox = library.generator()
    convert = _converter(kind, dtype)
    per_block = _numbers_of_block(kind, dtype)

    @kernel
    def fill(out, seed, stream, threshold):  # type: ignore[no-untyped-def]
        size = out.size
        blocks = (size + per_block - 1) // per_block
        for block in range(cuda.grid(1), blocks, cuda.gridsize(1)):
            w0, w1, w2, w3 = philox(np.uint64(block), stream, seed)
            a, b, c, d = convert(w0, w1, w2, w3, threshold)
            first = block * per_block
            out[first] = a
            if first + 1 < size:
                out[first + 1] = b
            if per_block == 4:
                if first + 2 < size:
                    out[first + 2] = c
                if first + 3 < size:
                    out[first + 3] = d

    return fill


def _word(name: str, value: Any) -> np.uint64:
    """A seed or stream as an unsigned 64-bit integer."""
    number = int(arrays.to_host(value) if arrays.is_device_array(value) else value)
    if not -(2**63) <= number < 2**64:
        raise ValueError(f"random: {name} is {number}; it must fit 64 bits")
    return np.uint64(number % 2**64)


def _fill(
    kind: str, seed: Any, stream: Any, shape: Shape, dtype: DTypeLike, threshold: int = 0
) -> Any:
    chosen = np.dtype(dtype)
    real = "float64" if chosen == np.float64 else "float32"
    sizes = (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(map(int, shape))
    size = math.prod(sizes)
    out = arrays.empty(sizes, real)
    if size:
        blocks = -(-size // _numbers_of_block(kind, real))
        _fill_kernel(kind, real)[grid_for(blocks)](
            arrays.flat(out), _word("seed", seed), _word("stream", stream), np.uint64(threshold)
        )
    return elementwise.astype(out, dtype=chosen)


def random_uniform(seed: Any, stream: Any, *, shape: Shape, dtype: DTypeLike = np.float32) -> Any:
    """Numbers uniformly distributed in [0, 1).

    Parameters
    ----------
    seed, stream : int or 0-d array
        64-bit numbers that name the sequence.
    shape : int or sequence of int
    dtype : dtype, default float32
        A float32 has 24 random bits and a float64 has 53; other types are converted from
        float32.

    Returns
    -------
    device array
        Its elements depend on `seed`, `stream`, their index in C order, and the dtype alone.
    """
    return _fill("uniform", seed, stream, shape, dtype)


def random_normal(seed: Any, stream: Any, *, shape: Shape, dtype: DTypeLike = np.float32) -> Any:
    """Numbers from the standard normal distribution, by the method of Box and Muller.

    Parameters and guarantees are those of `random_uniform`.
    """
    return _fill("normal", seed, stream, shape, dtype)


def random_bernoulli(
    seed: Any,
    stream: Any,
    *,
    shape: Shape,
    probability: Any,
    dtype: DTypeLike = np.float32,
) -> Any:
    """Ones with the given probability and zeros otherwise.

    Parameters
    ----------
    seed, stream, shape
        As in `random_uniform`.
    probability : float or 0-d array
        Between 0 and 1.
    dtype : dtype, default float32
        The draws are the same for every dtype.

    Raises
    ------
    ValueError
        If `probability` is outside [0, 1].
    """
    given = arrays.to_host(probability) if arrays.is_device_array(probability) else probability
    chance = float(given)
    if not 0.0 <= chance <= 1.0:
        raise ValueError(f"random_bernoulli: probability is {chance}, expected 0 to 1")
    return _fill("bernoulli", seed, stream, shape, dtype, round(chance * 2.0**32))


def random_permutation(seed: Any, stream: Any, *, n: int) -> Any:
    """The integers below `n` in random order, each order equally likely.

    A shuffle is one chain of exchanges, which suits no GPU: the CPU's kernel makes it, and
    the result is brought over.

    Parameters
    ----------
    seed, stream : int or 0-d array
    n : int

    Returns
    -------
    device array of int64, shape (n,)
    """
    from tapegrad_kernels import cpu

    order = cpu.random_permutation(int(_word("seed", seed)), int(_word("stream", stream)), n=n)
    return arrays.to_device(order)


__all__ = ["random_bernoulli", "random_normal", "random_permutation", "random_uniform"]


@specimens
def _random_specimens() -> Iterator[Specimen]:
    for dtype in ("float32", "float64"):
        for kind in ("uniform", "normal", "bernoulli"):
            yield Specimen(
                f"random_{kind} {dtype}",
                _fill_kernel(kind, dtype),
                (getattr(numba, dtype)[::1], numba.uint64, numba.uint64, numba.uint64),
            )
