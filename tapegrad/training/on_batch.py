"""Single batches: train_on_batch, test_on_batch, predict_on_batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core.nest import map_structure
from tapegrad._core.state import thread
from tapegrad._core.tensor import Tensor
from tapegrad.training.arrays import are_ready, as_arrays, dense, refuse_nan
from tapegrad.training.sources import ArraySource, Batch
from tapegrad.training.steps import Steps
from tapegrad.training.values import as_list, to_python_logs

__all__ = ["OnBatch"]


class OnBatch(Steps):
    """Steps on one batch at a time, for loops of the user's own."""

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Take one step on a batch.

        Parameters
        ----------
        x, y, sample_weight
            Inputs, targets and weights: arrays, or lists and dicts of them.
        class_weight
            A factor on the loss of each class's samples; classes not named have 1.
        return_dict
            Whether to return a dict by name.

        Returns
        -------
        float, list of float, or dict
            The loss; with metrics, ``[loss, *metrics]``.

        Raises
        ------
        RuntimeError
            If the model is not compiled.
        TypeError, ValueError
            If the data do not fit.
        """
        own_step = type(self).train_step is not Steps.train_step
        self._require_compiled("train_on_batch", optimizer=not own_step)
        batch = self._checked(x, y, sample_weight, class_weight)
        self.reset_metrics()
        return self._reported(self._train_logs(batch), return_dict)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Evaluate one batch; arguments, results and errors are those of `train_on_batch`."""
        self._require_compiled("test_on_batch")
        batch = self._checked(x, y, sample_weight, None)
        self.reset_metrics()
        return self._reported(self._test_logs(batch), return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """Return the outputs for one batch of inputs.

        Parameters
        ----------
        x
            Inputs: an array, or lists and dicts of arrays. Unlike by `predict`, NaN is not looked
            for; it ends up in the outputs.

        Returns
        -------
        numpy.ndarray, or lists and dicts of them
            In the structure of the model's outputs.
        """
        if type(x) is not np.ndarray or x.dtype is not self._input_dtype() or not len(x):
            x = dense(as_arrays(x, "x", self._input_dtype(), check_nan=False))
        recorders = thread.listeners
        thread.listeners = ()
        try:
            step = self._recorded("predict")
            if step is not None:
                outputs = step(x)
            elif type(x) is np.ndarray and self._lists().plain_cpu:
                outputs = self.predict_step(Tensor(x))
            else:
                outputs = self.predict_step(self._batch((x, None, None)))
        finally:
            thread.listeners = recorders
        if type(outputs) is Tensor and type(outputs._data) is np.ndarray:
            return outputs._data.copy()
        return map_structure(_copied, outputs)

    def _checked(self, x: Any, y: Any, sample_weight: Any, class_weight: Any) -> Batch:
        """Return a batch as arrays, after what must exist before a step has been made."""
        dtype = self._input_dtype()
        if class_weight is None and are_ready(x, y, sample_weight, dtype):
            if x.dtype is dtype:
                refuse_nan(x, "x")
            if y is not None and y.dtype is dtype:
                refuse_nan(y, "y")
            if sample_weight is not None and sample_weight.dtype is dtype:
                refuse_nan(sample_weight, "sample_weight")
            batch: Batch = x, y, sample_weight
        else:
            data = ArraySource(x, y, sample_weight, class_weight=class_weight, dtype=dtype)
            batch = data.rows(slice(None))
        loss, measured = self._compiled_loss, self._compiled_metrics
        if (loss is not None and loss.layout is None) or (not measured.made and measured.wanted):
            self._build_compiled(batch, check=False)
        return batch

    def _reported(self, logs: Any, return_dict: bool) -> Any:
        logs = to_python_logs(logs)
        if return_dict:
            return logs
        # Most often the values are the loss and the compiled metrics, in the order of lists.
        if [*logs] == self._first_names():
            listed = [*logs.values()]
            return listed[0] if len(listed) == 1 else listed
        return as_list(logs, self._listed_names())


def _copied(output: Any) -> np.ndarray:
    return np.array(output.numpy() if isinstance(output, Tensor) else output)
