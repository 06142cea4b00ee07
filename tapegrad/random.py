"""Random numbers that are a function of a seed and a counter.

Draws come from Philox4x32-10, a counter-based generator: the element `i` of draw
number `k` under a seed is the same number on any device, with any number of
threads. A generator's state is a Variable, so that it is saved, restored and
recorded like any other state.

References
----------
Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", 2011.
"""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np

from tapegrad import ops
from tapegrad._core.state import floatx, thread
from tapegrad._core.tensor import Tensor
from tapegrad._core.variable import Variable

__all__ = [
    "DefaultGenerator",
    "Generator",
    "SeedGenerator",
    "bernoulli",
    "default",
    "get_generator",
    "normal",
    "permutation",
    "randint",
    "set_seed",
    "shuffle",
    "uniform",
]

Shape = int | tuple[int, ...]


class Generator:
    """A stream of random draws.

    Parameters
    ----------
    seed : int, optional
        From 0 to 2**64 - 1. Without it a seed is drawn from the system.

    Attributes
    ----------
    seed, stream : Variable
        The state, 0-d uint64: the seed, and the number of the next draw.

    Examples
    --------
    >>> import tapegrad as tg
    >>> a, b = tg.random.Generator(1), tg.random.Generator(1)
    >>> bool((a.uniform((3,)) == b.uniform((3,))).all())
    True
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = Variable(np.zeros((), np.uint64), name="seed", trainable=False)
        self.stream = Variable(np.zeros((), np.uint64), name="stream", trainable=False)
        self.reset(secrets.randbits(63) if seed is None else seed)

    def reset(self, seed: int) -> None:
        """Start again from a seed.

        Raises
        ------
        TypeError, ValueError
            If the seed is no integer from 0 to 2**64 - 1.
        """
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
            raise TypeError(f"seed: expected an integer, got {type(seed).__name__}")
        if not 0 <= int(seed) < 2**64:
            raise ValueError(f"seed: expected an integer from 0 to 2**64 - 1, got {seed}")
        self.seed.assign(np.uint64(seed))
        self.stream.assign(np.uint64(0))

    def _draw(self, operation: Any, **params: Any) -> Tensor:
        device = thread.device
        drawn = operation(self.seed.value.to(device), self.stream.value.to(device), **params)
        ops.increment(self.stream)
        return drawn

    def uniform(
        self, shape: Shape = (), minval: float = 0.0, maxval: float = 1.0, dtype: Any = None
    ) -> Tensor:
        """Numbers distributed evenly over ``[minval, maxval)``.

        Parameters
        ----------
        shape : int or tuple of int
            Shape of the result.
        minval, maxval : float
            Bounds.
        dtype : {"float32", "float64"}, optional
            By default `tapegrad.floatx`.

        Returns
        -------
        Tensor
        """
        drawn = self._draw(ops.random_uniform, shape=_shape(shape), dtype=_dtype(dtype))
        if (minval, maxval) == (0.0, 1.0):
            return drawn
        return drawn * (maxval - minval) + minval

    def normal(
        self, shape: Shape = (), mean: float = 0.0, stddev: float = 1.0, dtype: Any = None
    ) -> Tensor:
        """Numbers of the normal distribution.

        Parameters
        ----------
        shape : int or tuple of int
            Shape of the result.
        mean, stddev : float
            Mean and standard deviation.
        dtype : {"float32", "float64"}, optional
            By default `tapegrad.floatx`.

        Returns
        -------
        Tensor
        """
        drawn = self._draw(ops.random_normal, shape=_shape(shape), dtype=_dtype(dtype))
        return drawn if (mean, stddev) == (0.0, 1.0) else drawn * stddev + mean

    def bernoulli(self, shape: Shape = (), probability: float = 0.5, dtype: Any = None) -> Tensor:
        """Ones with the given probability, zeros otherwise.

        Parameters
        ----------
        shape : int or tuple of int
            Shape of the result.
        probability : float, default 0.5
            Chance of a one, from 0 to 1.
        dtype : dtype, optional
            By default `tapegrad.floatx`.

        Returns
        -------
        Tensor

        Raises
        ------
        ValueError
            If `probability` is outside of 0 … 1.
        """
        if not 0.0 <= probability <= 1.0:
            raise ValueError(f"bernoulli: probability must be from 0 to 1, got {probability}")
        return self._draw(
            ops.random_bernoulli,
            shape=_shape(shape),
            probability=float(probability),
            dtype=_dtype(dtype),
        )

    def permutation(self, n: int) -> Tensor:
        """The numbers 0 … n - 1 in random order, int64.

        Raises
        ------
        ValueError
            If `n` is negative.
        """
        if n < 0:
            raise ValueError(f"permutation: n must not be negative, got {n}")
        return self._draw(ops.random_permutation, n=int(n))

    def _permutations(self, count: int, n: int) -> np.ndarray:
        """Return what `permutation` would draw one after the other, as rows.

        They are made on the CPU; there is no device on which they would be others.
        """
        from tapegrad_kernels.cpu.random import random_permutations

        stream = int(self.stream)
        drawn = random_permutations(int(self.seed), stream, n=n, count=count)
        self.stream.assign(np.uint64((stream + count) % 2**64))
        return drawn


SeedGenerator = Generator
"""Keras's name for it, in listings that hand one over as ``seed=``."""


def _shape(shape: Any) -> tuple[int, ...]:
    lengths = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
    if any(length < 0 for length in lengths):
        raise ValueError(f"random: lengths of axes must not be negative, got {shape}")
    return tuple(int(length) for length in lengths)


def _dtype(dtype: Any) -> np.dtype[Any]:
    return floatx() if dtype is None else np.dtype(dtype)


_default: Generator | None = None


def get_generator() -> Generator:
    """The generator that the module's functions, layers and `fit` draw from."""
    global _default
    if _default is None:
        _default = Generator()
    return _default


def set_seed(seed: int) -> None:
    """Seed the default generator, from which initial weights, dropout and shuffling come.

    Parameters
    ----------
    seed : int
        From 0 to 2**64 - 1.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.set_seed(0)
    >>> first = tg.random.uniform((2,))
    >>> tg.set_seed(0)
    >>> bool((tg.random.uniform((2,)) == first).all())
    True
    """
    get_generator().reset(seed)


def _generator(seed: int | Generator | None) -> Generator:
    """Return what to draw from: the default generator, one given, or a new one from a seed."""
    if seed is None:
        return get_generator()
    return seed if isinstance(seed, Generator) else Generator(seed)


def uniform(
    shape: Shape = (),
    minval: float = 0.0,
    maxval: float = 1.0,
    dtype: Any = None,
    seed: int | Generator | None = None,
) -> Tensor:
    """Draw numbers distributed evenly; see `Generator.uniform`.

    Parameters
    ----------
    shape, minval, maxval, dtype
        As for `Generator.uniform`.
    seed : int or Generator, optional
        A number gives the same draw each time; by default the default generator is drawn from.
    """
    return _generator(seed).uniform(shape, minval, maxval, dtype)


def normal(
    shape: Shape = (),
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: Any = None,
    seed: int | Generator | None = None,
) -> Tensor:
    """Draw numbers of the normal distribution; see `Generator.normal`, and `uniform` for `seed`.

    Examples
    --------
    >>> import tapegrad as tg
    >>> bool((tg.random.normal((3,), seed=1) == tg.random.normal((3,), seed=1)).all())
    True
    """
    return _generator(seed).normal(shape, mean, stddev, dtype)


def randint(
    shape: Shape,
    minval: int,
    maxval: int,
    dtype: Any = "int32",
    seed: int | Generator | None = None,
) -> Tensor:
    """Draw whole numbers from `minval` up to, not including, `maxval`.

    Parameters
    ----------
    shape : int or tuple of int
        Shape of the result.
    minval, maxval : int
        Bounds.
    dtype : dtype, default "int32"
        Data type of the result.
    seed : int or Generator, optional
        As for `uniform`.

    Raises
    ------
    ValueError
        If there is no number between the bounds.

    Examples
    --------
    >>> drawn = randint((100,), 2, 5, seed=0)
    >>> sorted(set(drawn.tolist()))
    [2, 3, 4]
    """
    if not int(minval) < int(maxval):
        raise ValueError(f"randint: there is no whole number from {minval} below {maxval}")
    drawn = _generator(seed).uniform(shape, dtype="float64")
    # Rounding could reach the upper bound only beyond 2**53 numbers.
    numbers = ops.floor(drawn * float(int(maxval) - int(minval))).astype("int64") + int(minval)
    return numbers.astype(dtype)


def shuffle(x: Any, axis: int = 0, seed: int | Generator | None = None) -> Tensor:
    """Return the parts of `x` along an axis in random order.

    Examples
    --------
    >>> sorted(shuffle([1, 2, 3], seed=0).tolist())
    [1, 2, 3]
    """
    x = ops.as_tensor(x)
    return ops.take(x, _generator(seed).permutation(x.shape[axis]), axis=axis)


def bernoulli(shape: Shape = (), probability: float = 0.5, dtype: Any = None) -> Tensor:
    """Draw from the default generator; see `Generator.bernoulli`."""
    return get_generator().bernoulli(shape, probability, dtype)


def permutation(n: int) -> Tensor:
    """Draw from the default generator; see `Generator.permutation`."""
    return get_generator().permutation(n)


class DefaultGenerator:
    """Stands for the default generator, whichever that is when it is drawn from.

    What layers without a seed hold. Copies and pickles of it are the thing itself.

    Examples
    --------
    >>> import copy
    >>> copy.deepcopy(default) is default
    True
    """

    uniform = staticmethod(uniform)
    normal = staticmethod(normal)
    bernoulli = staticmethod(bernoulli)
    permutation = staticmethod(permutation)

    def __reduce__(self) -> str:
        return "default"


default = DefaultGenerator()
"""The one object of this kind."""
