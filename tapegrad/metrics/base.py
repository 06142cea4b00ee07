"""What all metrics share: state on the host that is added to batch by batch.

Metrics count on the host in float64, whichever device computed the predictions: sums over a long
epoch stay exact to many more digits than float32 holds, and nothing of this is differentiated.
Counts are accumulated over batches and only then divided, because averaging per-batch ratios
(precision, recall, accuracy of a short last batch) gives wrong values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tapegrad._core.tensor import Tensor
from tapegrad._core.variable import Variable
from tapegrad.utils.config import Configurable
from tapegrad.utils.lookup import snake_case

__all__ = ["Mean", "MeanMetricWrapper", "Metric", "Sum", "align", "to_host"]


def to_host(x: Any) -> np.ndarray:
    """Return a Tensor, a Variable, a list or an array as a NumPy array."""
    if type(x) is Tensor:
        return x.numpy()
    return x if type(x) is np.ndarray else np.asarray(x)


def align(y_true: Any, y_pred: Any, owner: str) -> tuple[np.ndarray, np.ndarray]:
    """Return both as arrays of one shape; one trailing axis of size 1 may be missing.

    Raises
    ------
    ValueError
        If the shapes differ in any other way.
    """
    true, pred = to_host(y_true), to_host(y_pred)
    if true.shape != pred.shape:
        if true.shape == (*pred.shape, 1):
            pred = pred[..., None]
        elif pred.shape == (*true.shape, 1):
            true = true[..., None]
        else:
            raise ValueError(
                f"{owner}: y_true has shape {true.shape} and y_pred {pred.shape}; they must agree "
                "(a trailing axis of size 1 aside)."
            )
    return true, pred


class Metric(Configurable):
    """Base of all metrics.

    A subclass makes its state with `add_state` (NumPy arrays, zero at the start), or with
    `add_variable` as in Keras, adds to it in `update_state` and returns a value from `result`.

    Parameters
    ----------
    name
        The key under which `fit` reports it; by default the class's name in snake case.
    dtype
        The dtype of results; by default float64, the dtype of the counts.

    Examples
    --------
    >>> class Largest(Metric):
    ...     def __init__(self):
    ...         super().__init__("largest")
    ...         self.largest = self.add_state("largest")
    ...
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         self.largest[...] = max(self.largest, np.max(y_pred))
    ...
    ...     def result(self):
    ...         return self.largest
    >>> metric = Largest()
    >>> metric.update_state([0.0], [3.0])
    >>> float(metric.result())
    3.0
    """

    direction: str | None = None
    """Whether more is better: ``"up"``, ``"down"``, or None if the name alone does not say."""

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        self.name = name or snake_case(type(self).__name__)
        self.dtype = np.dtype(dtype) if dtype is not None else np.dtype(np.float64)
        self._state: dict[str, np.ndarray] = {}
        self._variables: list[Variable] = []

    def add_state(self, name: str, shape: tuple[int, ...] = ()) -> np.ndarray:
        """Make an array of zeros that `reset_state` clears; change it in place.

        Parameters
        ----------
        name
            Its key in `get_state`.
        shape
            Its shape.
        """
        array = np.zeros(shape)
        self._state[name] = array
        return array

    def add_variable(
        self,
        shape: tuple[int, ...] = (),
        initializer: Any = "zeros",
        dtype: Any = None,
        name: str | None = None,
    ) -> Variable:
        """Make a Variable that `reset_state` sets to zero, as metrics written for Keras do."""
        from tapegrad import initializers

        value = initializers.get(initializer)(shape, dtype=dtype)
        variable = Variable(value, name=name, trainable=False)
        self._variables.append(variable)
        return variable

    @property
    def variables(self) -> list[Variable]:
        """The Variables made by `add_variable`."""
        return list(self._variables)

    def get_state(self) -> dict[str, np.ndarray]:
        """Return copies of all that was counted, for saving."""
        state = {name: array.copy() for name, array in self._state.items()}
        for index, variable in enumerate(self._variables):
            state[f"variable_{index}"] = variable.numpy()
        return state

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Take up what `get_state` returned."""
        for name, array in self._state.items():
            array[...] = state[name]
        for index, variable in enumerate(self._variables):
            variable.assign(state[f"variable_{index}"])

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Add a batch."""
        raise NotImplementedError(f"{type(self).__name__} does not say how to add a batch.")

    def result(self) -> Any:
        """Return the value over all batches since the last reset."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its result is.")

    def reset_state(self) -> None:
        """Forget all batches."""
        for array in self._state.values():
            array.fill(0)
        for variable in self._variables:
            variable.assign(np.zeros(variable.shape, dtype=variable.dtype))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Add a batch and return the value so far."""
        self.update_state(*args, **kwargs)
        return self.result()

    def _as_result(self, value: Any) -> Tensor:
        """Return a number or an array as a Tensor of the metric's dtype."""
        return Tensor(np.asarray(value, dtype=self.dtype))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


class Sum(Metric):
    """The (weighted) sum of the values seen.

    Examples
    --------
    >>> metric = Sum()
    >>> metric.update_state([1, 3, 5])
    >>> float(metric.result())
    9.0
    """

    def __init__(self, name: str = "sum", dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self.total = self.add_state("total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Add values; each counts `sample_weight` times."""
        values = to_host(values)
        if sample_weight is not None:
            values = _weighted(values, to_host(sample_weight), np.sum)[0]
        self.total += values.sum()

    def result(self) -> Tensor:
        """Return the sum."""
        return self._as_result(self.total)


class Mean(Metric):
    """The (weighted) mean of the values seen: their sum divided by the sum of weights.

    Examples
    --------
    >>> metric = Mean()
    >>> metric.update_state([1.0, 3.0], sample_weight=[3, 1])
    >>> float(metric.result())
    1.5
    """

    def __init__(self, name: str = "mean", dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self.total = self.add_state("total")
        self.count = self.add_state("count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Add a value, or values of which the first axis counts samples.

        Parameters
        ----------
        values
            A number or an array; all axes but the first are averaged over.
        sample_weight
            How often each counts: a number, or an array with the first axes of `values`.
        """
        values = to_host(values)
        if sample_weight is not None:
            values, weights = _weighted(values, to_host(sample_weight), np.mean)
            self.total += values.sum()
            self.count += weights.sum()
        elif values.ndim == 1:
            # Counting hits is several times faster than adding them up.
            self.total += np.count_nonzero(values) if values.dtype == bool else values.sum()
            self.count += len(values)
        elif values.ndim == 0:
            self.total += values
            self.count += 1
        elif values.size:
            self.total += values.sum() / (values.size // values.shape[0])
            self.count += values.shape[0]

    def result(self) -> Tensor:
        """Return the mean; 0 before the first batch."""
        return self._as_result(self._value())

    def _value(self) -> float:
        count = float(self.count)
        return float(self.total) / count if count else 0.0


def _weighted(
    values: np.ndarray, weights: np.ndarray, reduce: Callable[..., Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Return values times weights, and the weights, one number a sample.

    Axes of `values` beyond those of `weights` are reduced first, unweighted, as in Keras.
    """
    if weights.ndim == values.ndim + 1 and weights.shape[-1] == 1:
        weights = weights[..., 0]
    if weights.ndim == values.ndim - 1 and values.shape[-1] == 1 and weights.ndim:
        values = values[..., 0]
    if weights.ndim == 0:
        weights = np.broadcast_to(weights, values.shape[:1])
    if weights.shape != values.shape[: weights.ndim]:
        raise ValueError(
            f"sample_weight has shape {weights.shape}, which does not begin the shape of the "
            f"values, {values.shape}."
        )
    if values.ndim > weights.ndim:
        values = reduce(values, axis=tuple(range(weights.ndim, values.ndim)))
    values = values * weights
    if values.ndim > 1:
        inner = tuple(range(1, values.ndim))
        values, weights = reduce(values, axis=inner), reduce(weights, axis=inner)
    return values, weights


class MeanMetricWrapper(Mean):
    """The mean of a function of labels and predictions.

    Parameters
    ----------
    fn
        ``fn(y_true, y_pred, **kwargs)``, returning a value a sample.
    name
        By default the function's name.
    kwargs
        Passed on to `fn`.

    Examples
    --------
    >>> metric = MeanMetricWrapper(lambda t, p: abs(np.asarray(t) - np.asarray(p)), "error")
    >>> metric.update_state([1.0, 2.0], [1.0, 4.0])
    >>> float(metric.result())
    1.0
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name or getattr(fn, "__name__", "metric"), dtype)
        self._function = fn
        self._arguments = kwargs

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Add a batch of labels and predictions, with an optional weight a sample."""
        values = self._function(y_true, y_pred, **self._arguments)
        super().update_state(values, sample_weight)
