"""Features of mean 0 and variance 1, with statistics of a data set."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from tapegrad import ops
from tapegrad._core.operators import Operators
from tapegrad._core.tensor import Tensor
from tapegrad._core.variable import Variable
from tapegrad.layers.base import Layer, Shape
from tapegrad.utils.tensors import as_float_tensor

__all__ = ["Normalization"]

_EPSILON = 1e-7


class Normalization(Layer):
    """Returns ``(inputs - mean) / sqrt(variance)`` with the statistics of a whole data set.

    They are given, or found by `adapt` before training.

    Parameters
    ----------
    axis
        The axis, or axes, along which there is one mean each; None for one mean of all numbers.
    mean, variance
        The statistics, if they are known: numbers, or arrays of the lengths of the axes.
    invert
        Whether to do the opposite: ``inputs * sqrt(variance) + mean``.
    **kwargs
        ``name``, ``dtype`` and ``input_shape``, as for every layer.

    Attributes
    ----------
    mean, variance
        The statistics, of a shape that is broadcast to inputs; None before the first call.

    Raises
    ------
    ValueError
        If only one of `mean` and `variance` is given, or their shapes differ or do not fit; at the
        call, if an axis does not exist or has no known length.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Normalization()
    >>> layer.adapt(np.array([[1.0, 10.0], [3.0, 30.0]]))
    >>> layer(np.array([[1.0, 30.0]])).numpy()
    array([[-1.,  1.]], dtype=float32)
    """

    supports_masking = True

    def __init__(
        self,
        axis: int | Sequence[int] | None = -1,
        mean: Any = None,
        variance: Any = None,
        invert: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if axis is None:
            axis = ()
        self.axis = (axis,) if isinstance(axis, int) else tuple(axis)
        if (mean is None) != (variance is None):
            raise ValueError("Normalization: give both mean and variance, or neither.")
        if mean is not None:
            if np.shape(mean) != np.shape(variance):
                raise ValueError(
                    f"Normalization: mean has shape {np.shape(mean)}, but variance "
                    f"{np.shape(variance)}; expected equal shapes."
                )
            if np.ndim(mean) > len(self.axis):
                raise ValueError(
                    f"Normalization: mean has {np.ndim(mean)} axes, but axis {self.axis} names "
                    f"{len(self.axis)}."
                )
        self.input_mean = mean
        self.input_variance = variance
        self.invert = invert
        self.adapt_mean: Variable | None = None
        self.adapt_variance: Variable | None = None
        self.count: Variable | None = None
        self._kept: tuple[int, ...] = ()
        self._shape: Shape | None = None

    def build(self, input_shape: Shape) -> None:
        """Make room for the statistics of inputs of this shape."""
        rank = len(input_shape)
        for axis in self.axis:
            if not -rank <= axis < rank:
                raise self._wrong_shape(f"an axis {axis} with a mean of its own", input_shape)
        self._kept = tuple(sorted(axis % rank for axis in self.axis))
        if any(input_shape[axis] is None for axis in self._kept):
            raise self._wrong_shape(f"known lengths along axis {self.axis}", input_shape)
        self._shape = tuple(input_shape)
        if self.input_mean is not None:
            return
        lengths = tuple(input_shape[axis] for axis in self._kept)
        self.adapt_mean = self.add_weight(
            lengths,  # type: ignore[arg-type]  # none is None, as seen above
            "zeros",
            trainable=False,
            name="mean",
        )
        self.adapt_variance = self.add_weight(
            lengths,  # type: ignore[arg-type]
            "ones",
            trainable=False,
            name="variance",
        )
        self.count = self.add_weight((), "zeros", dtype="int32", trainable=False, name="count")

    def _arguments(self) -> dict[str, Any]:
        given = {"mean": self.input_mean, "variance": self.input_variance}
        return super()._arguments() | given

    @property
    def mean(self) -> Tensor | None:
        """The means, of a shape that is broadcast to inputs; None before the layer is built."""
        return self._statistic(self.input_mean, self.adapt_mean)

    @property
    def variance(self) -> Tensor | None:
        """The variances, of a shape that is broadcast to inputs; None before it is built."""
        return self._statistic(self.input_variance, self.adapt_variance)

    def _statistic(self, given: Any, adapted: Variable | None) -> Tensor | None:
        if self._shape is None:
            return None
        if given is not None:
            values = as_float_tensor(np.asarray(given), self._dtype)
        else:
            assert adapted is not None
            values = adapted.value
        lengths = [1] * len(self._shape)
        # Given statistics of fewer axes are those of the last ones.
        for axis, length in zip(self._kept[::-1], values.shape[::-1]):
            lengths[axis] = length
        return values.reshape(tuple(lengths))

    def adapt(self, data: Any) -> None:
        """Find mean and variance of a data set; earlier ones are forgotten.

        Parameters
        ----------
        data
            An array or a Tensor, or anything that gives batches one after the other: a list of
            arrays, a generator, a data set. Of batches that are tuples, such as (x, y), the first
            entry counts.

        Raises
        ------
        ValueError
            If the statistics were given, there is no data, or batches do not fit the layer.
        TypeError
            If `data` consists of no arrays.
        """
        if self.input_mean is not None:
            raise ValueError(
                f"Layer {self.name} (Normalization): mean and variance were given, so there is "
                "nothing to adapt."
            )
        batches = self._batches(data)
        first = next(batches, None)
        if first is None:
            raise ValueError(f"Layer {self.name} (Normalization): adapt got no data.")
        if not self.built:
            self.build((None, *first.shape[1:]) if 0 not in self._positions(first) else first.shape)
        total = 0
        mean = np.zeros([first.shape[axis] for axis in self._kept])
        variance = np.zeros_like(mean)
        for batch in itertools.chain([first], batches):
            self._check_batch(batch)
            reduced = tuple(axis for axis in range(batch.ndim) if axis not in self._kept)
            count = int(np.prod([batch.shape[axis] for axis in reduced]))
            if count == 0:
                continue
            batch_mean, batch_variance = batch.mean(axis=reduced), batch.var(axis=reduced)
            # Chan, Golub and LeVeque (1979): two sets of statistics make one.
            weight = count / (total + count)
            distance = batch_mean - mean
            variance = variance + weight * (
                batch_variance - variance + (1.0 - weight) * distance * distance
            )
            mean = mean + weight * distance
            total += count
        assert self.adapt_mean is not None
        assert self.adapt_variance is not None
        self.adapt_mean.assign(mean.astype(self._dtype))
        self.adapt_variance.assign(variance.astype(self._dtype))

    def _positions(self, batch: np.ndarray) -> tuple[int, ...]:
        return tuple(axis % max(1, batch.ndim) for axis in self.axis)

    def _batches(self, data: Any) -> Iterator[np.ndarray]:
        """Go through data as float64 arrays."""
        if isinstance(data, list) and (not data or not _is_batch(data[0])):
            data = np.asarray(data)  # nested lists of numbers
        if isinstance(data, np.ndarray | Operators):
            yield np.asarray(data, dtype=np.float64)
            return
        if not isinstance(data, Iterable):
            raise TypeError(
                f"Layer {self.name} (Normalization): adapt takes an array or batches of arrays, "
                f"not {type(data).__name__}."
            )
        for batch in data:
            part = batch[0] if isinstance(batch, tuple) else batch
            if not hasattr(part, "shape"):
                raise TypeError(
                    f"Layer {self.name} (Normalization): adapt got a batch of type "
                    f"{type(part).__name__}, expected an array."
                )
            yield np.asarray(part, dtype=np.float64)

    def _check_batch(self, batch: np.ndarray) -> None:
        assert self._shape is not None
        if batch.ndim != len(self._shape) or any(
            batch.shape[axis] != self._shape[axis] for axis in self._kept
        ):
            raise self._wrong_shape(f"{self._shape}, for which the layer was built", batch.shape)

    def call(self, inputs: Any) -> Tensor:
        """Return the normalized input, or with `invert` the opposite."""
        inputs = as_float_tensor(inputs, self._dtype)
        mean, variance = self.mean, self.variance
        assert mean is not None
        assert variance is not None
        stddev = ops.maximum(ops.sqrt(variance), _EPSILON)
        if self.invert:
            return mean + inputs * stddev
        return (inputs - mean) / stddev

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape


def _is_batch(value: Any) -> bool:
    """Whether an entry of a list is an array, or a tuple that begins with one."""
    if isinstance(value, tuple) and value:
        value = value[0]
    return hasattr(value, "shape")
