"""Means of losses, followed from batch to batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core.state import thread
from tapegrad._core.tensor import Tensor
from tapegrad.metrics.base import Counter, Metric
from tapegrad.metrics.recording import accumulate_loss

__all__ = ["MeanTracker"]


class MeanTracker(Metric):
    """The mean of the batches' losses, each weighted by its number of samples.

    Parameters
    ----------
    name
        The name in logs.
    """

    direction = "down"
    _counters = ("total", "samples")
    total: Any = Counter()
    samples: Any = Counter()

    def __init__(self, name: str = "loss") -> None:
        super().__init__(name=name)

    def add(self, loss: Any, samples: int) -> None:
        """Add the loss of a batch, a number or a Tensor of one."""
        if thread.recorder is not None:
            accumulate_loss(self._accumulated, loss, samples=samples)
            return
        data = loss._data if type(loss) is Tensor else loss
        self._add(data.item() if type(data) is np.ndarray else float(loss), samples)

    def _add(self, loss: float, weight: float) -> None:
        counted = self._accumulated._tensor._data
        counted[0] += loss * weight
        counted[1] += weight

    def update_state(  # type: ignore[override]
        self, values: Any, sample_weight: Any = None
    ) -> None:
        """Add a loss, as training steps written for Keras do."""
        weight = 1.0 if sample_weight is None else float(np.asarray(sample_weight))
        self._add(float(np.mean(np.asarray(values))), weight)

    def reset_state(self) -> None:
        """Forget all batches."""
        self._accumulated._tensor._data.fill(0)

    def value(self) -> float:
        """Return the mean; 0 before the first batch."""
        total, samples = self._accumulated._tensor._data.tolist()
        return total / samples if samples else 0.0

    def _means(self, totals: np.ndarray, samples: np.ndarray) -> np.ndarray:
        """Return the means for several totals and numbers of samples."""
        return np.divide(totals, samples, out=np.zeros(len(totals)), where=samples != 0)

    def result(self) -> Any:
        """Return the mean as a Tensor."""
        return Tensor(np.asarray(self.value(), dtype=self.dtype))
