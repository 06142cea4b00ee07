"""What all metrics share: state on the host that is added to batch by batch.

Metrics count on the host in float64, whichever device computed the predictions: sums over a long
epoch stay exact to many more digits than float32 holds, and nothing of this is differentiated.
Counts are accumulated over batches and only then divided, because averaging per-batch ratios
(precision, recall, accuracy of a short last batch) gives wrong values.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core.device import device
from tapegrad._core.state import thread
from tapegrad._core.tensor import Tensor
from tapegrad._core.variable import Variable
from tapegrad.metrics.recording import recordable
from tapegrad.utils.config import Configurable
from tapegrad.utils.lookup import snake_case

__all__ = ["Counter", "Metric", "align", "to_host"]


def to_host(x: Any) -> np.ndarray:
    """Return a Tensor, a Variable, a list or an array as a NumPy array."""
    if type(x) is Tensor:
        return x.numpy()
    return x if type(x) is np.ndarray else np.asarray(x)


def align(y_true: Any, y_pred: Any, owner: str, hint: str = "") -> tuple[Any, Any]:
    """Return both as arrays of one shape; one trailing axis of size 1 may be missing.

    While a step is recorded Tensors stay what they are: their values are not read.

    Parameters
    ----------
    y_true, y_pred
        Labels and predictions.
    owner
        Who asks, for errors.
    hint
        What to try if `y_pred` has an axis more than the labels.

    Raises
    ------
    ValueError
        If the shapes differ in any other way.
    """
    if thread.recorder is not None and type(y_true) is Tensor and type(y_pred) is Tensor:
        true, pred = y_true, y_pred
    else:
        true, pred = to_host(y_true), to_host(y_pred)
    if true.shape != pred.shape:
        if true.shape == (*pred.shape, 1):
            pred = pred.reshape(true.shape)
        elif pred.shape == (*true.shape, 1):
            true = true.reshape(pred.shape)
        else:
            rows = true.shape in (pred.shape[:-1], (*pred.shape[:-1], 1))
            raise ValueError(
                f"{owner}: y_true has shape {true.shape} and y_pred {pred.shape}; they must agree "
                f"(a trailing axis of size 1 aside).{hint if rows else ''}"
            )
    return true, pred


class Counter:
    """An attribute of a metric that counts, in an element of the metric's `Metric._accumulated`."""

    def __set_name__(self, owner: Any, name: str) -> None:
        self._index = owner._counters.index(name)

    def __get__(self, metric: Any, owner: Any = None) -> Any:
        return self if metric is None else metric._accumulated._tensor._data.item(self._index)

    def __set__(self, metric: Any, value: float) -> None:
        metric._accumulated._tensor._data[self._index] = value


class Metric(Configurable):
    """Base of all metrics.

    A subclass makes its state with `add_state` (NumPy arrays, zero at the start), or with
    `add_variable` as in Keras, adds to it in `update_state` and returns a value from `result`.

    Parameters
    ----------
    dtype
        The dtype of results; by default float64, the dtype of the counts.
    name
        The key under which `fit` reports it; by default the class's name in snake case.

    Examples
    --------
    >>> class Largest(Metric):
    ...     def __init__(self):
    ...         super().__init__(name="largest")
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

    _counters: tuple[str, ...] = ()
    """Attributes that are a `Counter` each."""

    _accumulated: Variable
    """Their values, on the host: a Variable, which recorded steps can add to."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "update_state" in cls.__dict__:
            update, native = cls.__dict__["update_state"], cls.__dict__.get("_record")
            setattr(cls, "update_state", recordable(update, native))  # noqa: B010

    def __init__(self, dtype: Any = None, name: str | None = None) -> None:
        self.name = name or snake_case(type(self).__name__)
        self.dtype = np.dtype(dtype) if dtype is not None else np.dtype(np.float64)
        self._state: dict[str, np.ndarray] = {}
        self._variables: list[Variable] = []
        if self._counters:
            with device("cpu"):
                zeros = np.zeros(len(self._counters))
                self._accumulated = Variable(zeros, name="accumulated", trainable=False)

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
        aggregation: str | None = "sum",
        name: str | None = None,
    ) -> Variable:
        """Make a Variable that `reset_state` sets to zero, as metrics written for Keras do.

        Parameters
        ----------
        shape, initializer, dtype, name
            As for every Variable.
        aggregation
            Accepted: metrics count on one device.
        """
        from tapegrad import initializers

        value = initializers.get(initializer)(shape, dtype=dtype)
        variable = Variable(value, name=name, trainable=False)
        self._variables.append(variable)
        return variable

    def add_weight(
        self,
        shape: tuple[int, ...] = (),
        initializer: Any = "zeros",
        dtype: Any = None,
        name: str | None = None,
    ) -> Variable:
        """Make a Variable, as `add_variable` does."""
        return self.add_variable(shape, initializer, dtype, name=name)

    @property
    def variables(self) -> list[Variable]:
        """The Variables made by `add_variable`, those of inner metrics too."""
        found = list(self._variables)
        for metric in self._inner_metrics().values():
            found += metric.variables
        return found

    def _inner_metrics(self) -> dict[str, Metric]:
        """Return the metrics that are attributes of this one."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Metric)}

    def get_state(self) -> dict[str, np.ndarray]:
        """Return copies of all that was counted, for saving."""
        state = {name: array.copy() for name, array in self._state.items()}
        state |= {name: np.array(getattr(self, name)) for name in self._counters}
        for index, variable in enumerate(self._variables):
            state[f"variable_{index}"] = variable.numpy()
        for owner, metric in self._inner_metrics().items():
            state |= {f"{owner}/{name}": part for name, part in metric.get_state().items()}
        return state

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Take up what `get_state` returned.

        Raises
        ------
        ValueError
            If the state is not one of such a metric.
        """
        self._prepare(state)
        for owner, metric in self._inner_metrics().items():
            start = len(owner) + 1
            metric.set_state({k[start:]: v for k, v in state.items() if k.startswith(f"{owner}/")})
        try:
            for name, array in self._state.items():
                array[...] = state[name]
            for name in self._counters:
                setattr(self, name, float(state[name]))
            for index, variable in enumerate(self._variables):
                variable.assign(state[f"variable_{index}"])
        except KeyError as error:
            raise ValueError(
                f"{self.name}: the saved state has no {error}, which {type(self).__name__} keeps; "
                f"it has {sorted(state)}."
            ) from None

    def _prepare(self, state: dict[str, np.ndarray]) -> None:
        """Make the arrays of a saved state that would else be made with the first batch."""

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
        if self._counters:
            self._accumulated._tensor._data.fill(0)
        for variable in self._variables:
            variable.assign(np.zeros(variable.shape, dtype=variable.dtype))
        for value in vars(self).values():
            if isinstance(value, Metric):
                value.reset_state()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Add a batch and return the value so far."""
        self.update_state(*args, **kwargs)
        return self.result()

    def _as_result(self, value: Any) -> Tensor:
        """Return a number or an array as a Tensor of the metric's dtype."""
        return Tensor(np.asarray(value, dtype=self.dtype))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"
