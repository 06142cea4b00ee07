"""Initial values of weights.

An initializer is called with a shape and returns a Tensor. Names, arguments, defaults and
distributions are Keras 3's. All draws come from tapegrad's counter-based generator: the default
one (see `tapegrad.set_seed`), or, with ``seed=``, one of the initializer's own that gives the same
values at every call.

Example
-------
>>> from tapegrad import initializers
>>> weights = initializers.GlorotUniform(seed=1)((3, 4))
>>> weights.shape
(3, 4)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tapegrad import random
from tapegrad._core.state import floatx
from tapegrad._core.tensor import Tensor, tensor
from tapegrad.utils.lookup import look_up

__all__ = [
    "Initializer",
    "Zeros",
    "Ones",
    "Constant",
    "Identity",
    "RandomUniform",
    "RandomNormal",
    "TruncatedNormal",
    "VarianceScaling",
    "GlorotUniform",
    "GlorotNormal",
    "HeUniform",
    "HeNormal",
    "LecunUniform",
    "LecunNormal",
    "Orthogonal",
    "get",
]

# The standard deviation of a standard normal distribution that is cut off at ±2.
_TRUNCATED_DEVIATION = 0.87962566103423978


class Initializer:
    """Base of all initializers: call it with a shape to get a Tensor.

    Subclasses write ``values(shape)``, which returns a float64 array or one of the wanted dtype.
    """

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> Tensor:
        """Return a Tensor of this shape.

        Parameters
        ----------
        shape
            The lengths of the axes.
        dtype
            The dtype, ``floatx()`` by default.
        """
        values = self.values(tuple(int(length) for length in shape))
        return tensor(values, dtype=dtype or floatx())

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return the initial values as an array."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its values are.")

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            name.lstrip("_"): value
            for name, value in vars(self).items()
            if isinstance(value, (int, float, str, type(None)))
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Initializer:
        """Make an initializer from the arguments that `get_config` returned."""
        return cls(**config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


class Zeros(Initializer):
    """All zeros.

    Examples
    --------
    >>> Zeros()((2,)).numpy()
    array([0., 0.], dtype=float32)
    """

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return zeros."""
        return np.zeros(shape)


class Ones(Initializer):
    """All ones.

    Examples
    --------
    >>> Ones()((2,)).numpy()
    array([1., 1.], dtype=float32)
    """

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return ones."""
        return np.ones(shape)


class Constant(Initializer):
    """One value everywhere, or the given array.

    Parameters
    ----------
    value
        A number, or an array that broadcasts to the shape.

    Examples
    --------
    >>> Constant(0.5)((2,)).numpy()
    array([0.5, 0.5], dtype=float32)
    """

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return the constant, broadcast to the shape."""
        return np.broadcast_to(np.asarray(self.value), shape).copy()


class Identity(Initializer):
    """The identity matrix, times `gain`.

    Parameters
    ----------
    gain
        What stands on the diagonal.

    Examples
    --------
    >>> Identity(2.0)((2, 2)).numpy()
    array([[2., 0.],
           [0., 2.]], dtype=float32)
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return ``gain * eye(*shape)``; raises ValueError if the shape is not that of a matrix."""
        if len(shape) != 2:
            raise ValueError(f"Identity makes matrices only, but the weight's shape is {shape}.")
        return self.gain * np.eye(*shape)


class _RandomInitializer(Initializer):
    """Base of the initializers that draw: holds the seed."""

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed

    def generator(self) -> Any:
        """Return where to draw from: the default generator, or a fresh one of the seed given."""
        return random if self.seed is None else random.Generator(self.seed)

    def uniform(self, shape: tuple[int, ...], limit_low: float, limit_high: float) -> np.ndarray:
        """Draw uniformly from the half-open interval."""
        draw = self.generator().uniform(shape, dtype="float64").numpy()
        return limit_low + (limit_high - limit_low) * draw

    def truncated_normal(self, shape: tuple[int, ...], mean: float, deviation: float) -> np.ndarray:
        """Draw from a normal distribution, again and again until within two deviations."""
        generator = self.generator()
        values = np.array(generator.normal(shape, dtype="float64").numpy()).reshape(-1)
        outside = np.flatnonzero(np.abs(values) > 2.0)
        while outside.size:
            values[outside] = generator.normal((outside.size,), dtype="float64").numpy()
            outside = outside[np.abs(values[outside]) > 2.0]
        return (mean + deviation * values).reshape(shape)


class RandomUniform(_RandomInitializer):
    """Uniform on ``[minval, maxval)``.

    Parameters
    ----------
    minval, maxval
        The bounds.
    seed
        Makes every call give the same values.

    Examples
    --------
    >>> values = RandomUniform(0.0, 1.0, seed=3)((100,)).numpy()
    >>> bool(values.min() >= 0 and values.max() < 1)
    True
    """

    def __init__(
        self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None
    ) -> None:
        super().__init__(seed)
        self.minval = minval
        self.maxval = maxval

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return uniform draws."""
        return self.uniform(shape, self.minval, self.maxval)


class RandomNormal(_RandomInitializer):
    """Normal with this mean and standard deviation.

    Parameters
    ----------
    mean, stddev
        The distribution's mean and standard deviation.
    seed
        Makes every call give the same values.

    Examples
    --------
    >>> RandomNormal(stddev=0.01, seed=3)((2, 2)).shape
    (2, 2)
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return normal draws."""
        draw = self.generator().normal(shape, dtype="float64").numpy()
        return self.mean + self.stddev * draw


class TruncatedNormal(_RandomInitializer):
    """Normal, with values beyond two standard deviations drawn again.

    Parameters
    ----------
    mean, stddev
        Mean and standard deviation of the distribution before it is cut off.
    seed
        Makes every call give the same values.

    Examples
    --------
    >>> values = TruncatedNormal(stddev=1.0, seed=3)((1000,)).numpy()
    >>> bool(abs(values).max() <= 2)
    True
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return truncated normal draws."""
        return self.truncated_normal(shape, self.mean, self.stddev)


def compute_fans(shape: Sequence[int]) -> tuple[int, int]:
    """Return how many inputs and outputs a weight of this shape connects.

    Of a kernel whose last two axes are input and output channels (all kernels here), every other
    axis is part of the receptive field and counts in both.

    Examples
    --------
    >>> compute_fans((3, 3, 8, 16))
    (72, 144)
    """
    if not shape:
        return 1, 1
    if len(shape) == 1:
        return int(shape[0]), int(shape[0])
    receptive_field = math.prod(shape[:-2])
    return int(shape[-2] * receptive_field), int(shape[-1] * receptive_field)


class VarianceScaling(_RandomInitializer):
    """Zero mean, and a variance of ``scale / n`` with `n` the number of connections.

    Parameters
    ----------
    scale
        A positive factor.
    mode
        What `n` is: ``"fan_in"``, ``"fan_out"`` or ``"fan_avg"``, their mean.
    distribution
        ``"truncated_normal"``, ``"untruncated_normal"`` or ``"uniform"``.
    seed
        Makes every call give the same values.

    Raises
    ------
    ValueError
        If `scale` is not positive, or `mode` or `distribution` is none of those named.

    Examples
    --------
    >>> values = VarianceScaling(mode="fan_in", distribution="uniform", seed=3)((300, 10)).numpy()
    >>> bool(abs(values).max() <= 0.1)
    True
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
    ) -> None:
        if scale <= 0:
            raise ValueError(f"VarianceScaling: scale must be positive, but is {scale}.")
        super().__init__(seed)
        look_up(mode, {"fan_in": 0, "fan_out": 0, "fan_avg": 0}, "mode of VarianceScaling")
        distributions = {"normal": 0, "truncated_normal": 0, "untruncated_normal": 0, "uniform": 0}
        look_up(distribution, distributions, "distribution of VarianceScaling")
        self.scale = scale
        self.mode = mode
        self.distribution = distribution

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return draws whose variance fits the weight's shape."""
        fan_in, fan_out = compute_fans(shape)
        connections = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
        variance = self.scale / max(1.0, connections[self.mode])
        if self.distribution == "uniform":
            limit = math.sqrt(3.0 * variance)
            return self.uniform(shape, -limit, limit)
        if self.distribution == "untruncated_normal":
            draw = self.generator().normal(shape, dtype="float64").numpy()
            return math.sqrt(variance) * draw
        return self.truncated_normal(shape, 0.0, math.sqrt(variance) / _TRUNCATED_DEVIATION)


class _FixedScaling(VarianceScaling):
    """A VarianceScaling whose scale, mode and distribution are given by the class."""

    _settings: tuple[float, str, str]

    def __init__(self, seed: int | None = None) -> None:
        scale, mode, distribution = self._settings
        super().__init__(scale, mode, distribution, seed)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"seed": self.seed}


class GlorotUniform(_FixedScaling):
    """Uniform within ``±sqrt(6 / (fan_in + fan_out))`` (Glorot and Bengio, 2010).

    Parameters
    ----------
    seed
        Makes every call give the same values.

    Examples
    --------
    >>> bool(abs(GlorotUniform(seed=3)((3, 3)).numpy()).max() <= 1)
    True
    """

    _settings = (1.0, "fan_avg", "uniform")


class GlorotNormal(_FixedScaling):
    """Truncated normal of variance ``2 / (fan_in + fan_out)`` (Glorot and Bengio, 2010).

    Parameters
    ----------
    seed
        Makes every call give the same values.

    Examples
    --------
    >>> GlorotNormal(seed=3)((3, 3)).shape
    (3, 3)
    """

    _settings = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_FixedScaling):
    """Uniform within ``±sqrt(6 / fan_in)`` (He et al., 2015).

    Parameters
    ----------
    seed
        Makes every call give the same values.

    Examples
    --------
    >>> HeUniform(seed=3)((3, 3)).shape
    (3, 3)
    """

    _settings = (2.0, "fan_in", "uniform")


class HeNormal(_FixedScaling):
    """Truncated normal of variance ``2 / fan_in`` (He et al., 2015).

    Parameters
    ----------
    seed
        Makes every call give the same values.

    Examples
    --------
    >>> HeNormal(seed=3)((3, 3)).shape
    (3, 3)
    """

    _settings = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_FixedScaling):
    """Uniform within ``±sqrt(3 / fan_in)`` (LeCun et al., 1998).

    Parameters
    ----------
    seed
        Makes every call give the same values.

    Examples
    --------
    >>> LecunUniform(seed=3)((3, 3)).shape
    (3, 3)
    """

    _settings = (1.0, "fan_in", "uniform")


class LecunNormal(_FixedScaling):
    """Truncated normal of variance ``1 / fan_in`` (LeCun et al., 1998).

    Parameters
    ----------
    seed
        Makes every call give the same values.

    Examples
    --------
    >>> LecunNormal(seed=3)((3, 3)).shape
    (3, 3)
    """

    _settings = (1.0, "fan_in", "truncated_normal")


class Orthogonal(_RandomInitializer):
    """A random matrix with orthonormal rows or columns (Saxe et al., 2014).

    All axes but the last are taken as one.

    Parameters
    ----------
    gain
        A factor on the result.
    seed
        Makes every call give the same values.

    Examples
    --------
    >>> q = Orthogonal(seed=3)((4, 4)).numpy()
    >>> bool(np.allclose(q @ q.T, np.eye(4), atol=1e-6))
    True
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(seed)
        self.gain = gain

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return the orthogonal factor of a random normal matrix.

        Raises
        ------
        ValueError
            If the shape has fewer than two axes.
        """
        if len(shape) < 2:
            raise ValueError(f"Orthogonal needs at least two axes, but the shape is {shape}.")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        tall = (max(rows, columns), min(rows, columns))
        draw = self.generator().normal(tall, dtype="float64").numpy()
        q, r = np.linalg.qr(draw)
        # Signs fixed by R's diagonal: without them QR does not give the uniform distribution.
        q = q * np.sign(np.diag(r))
        return self.gain * (q.T if rows < columns else q).reshape(shape)


_NAMES: dict[str, type[Initializer]] = {
    "zeros": Zeros,
    "ones": Ones,
    "constant": Constant,
    "identity": Identity,
    "random_uniform": RandomUniform,
    "uniform": RandomUniform,
    "random_normal": RandomNormal,
    "normal": RandomNormal,
    "truncated_normal": TruncatedNormal,
    "variance_scaling": VarianceScaling,
    "glorot_uniform": GlorotUniform,
    "glorot_normal": GlorotNormal,
    "he_uniform": HeUniform,
    "he_normal": HeNormal,
    "lecun_uniform": LecunUniform,
    "lecun_normal": LecunNormal,
    "orthogonal": Orthogonal,
    **{cls.__name__: cls for cls in Initializer.__subclasses__() if cls.__name__[0] != "_"},
    **{cls.__name__: cls for cls in _RandomInitializer.__subclasses__()},
    **{cls.__name__: cls for cls in _FixedScaling.__subclasses__()},
}


def get(identifier: Any) -> Callable[..., Any]:
    """Return an initializer for a name, a class, an array, a callable or an initializer.

    Parameters
    ----------
    identifier
        A name such as ``"glorot_uniform"``, an `Initializer` or its class, any callable that
        takes ``(shape, dtype=…)``, or a number or an array of values.

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If `identifier` is nothing of the above.

    Examples
    --------
    >>> get("zeros")
    Zeros()
    """
    if isinstance(identifier, str):
        return look_up(identifier, _NAMES, "initializer")()
    if isinstance(identifier, type) and issubclass(identifier, Initializer):
        return identifier()
    if callable(identifier):
        return identifier
    if isinstance(identifier, (int, float, np.ndarray, Tensor)):
        return Constant(np.asarray(identifier))
    raise TypeError(
        "An initializer is a name, an Initializer, a callable or an array, not "
        f"{type(identifier).__name__}."
    )
