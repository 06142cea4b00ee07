"""Means of losses, followed from batch to batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad import metrics
from tapegrad._core.tensor import Tensor

__all__ = ["MeanTracker"]


class MeanTracker(metrics.Metric):
    """The mean of the batches' losses, each weighted by its number of samples.

    It counts in Python floats: they are quicker than arrays of one element.

    Parameters
    ----------
    name
        The name in logs.
    """

    direction = "down"

    def __init__(self, name: str = "loss") -> None:
        super().__init__(name=name)
        self.reset_state()

    def add(self, loss: float, samples: float) -> None:
        """Add a batch."""
        self.total += loss * samples
        self.samples += samples

    def update_state(  # type: ignore[override]
        self, values: Any, sample_weight: Any = None
    ) -> None:
        """Add a loss, as training steps written for Keras do."""
        weight = 1.0 if sample_weight is None else float(np.asarray(sample_weight))
        self.add(float(np.mean(np.asarray(values))), weight)

    def value(self) -> float:
        """Return the mean; 0 before the first batch."""
        return self.total / self.samples if self.samples else 0.0

    def result(self) -> Any:
        """Return the mean as a Tensor."""
        return Tensor(np.asarray(self.value(), dtype=self.dtype))

    def reset_state(self) -> None:
        """Forget all batches."""
        self.total = 0.0
        self.samples = 0.0

    def get_state(self) -> dict[str, np.ndarray]:
        """Return what was counted, for saving."""
        return {"total": np.array(self.total), "samples": np.array(self.samples)}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Take up what `get_state` returned."""
        self.total, self.samples = float(state["total"]), float(state["samples"])
