"""Passes without training: evaluate and predict."""

from __future__ import annotations

from typing import Any

from tapegrad._core.state import no_record
from tapegrad.callbacks import CallbackList
from tapegrad.training.choose import choose_source
from tapegrad.training.collected import Collected
from tapegrad.training.epochs import Epochs
from tapegrad.training.many_steps import ManySteps
from tapegrad.training.on_batch import OnBatch
from tapegrad.training.steps import Steps
from tapegrad.training.values import as_list, to_python_logs

__all__ = ["Evaluating"]


class Evaluating(OnBatch):
    """Evaluates and predicts over whole data sets."""

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Return the loss and the metrics over a data set.

        Parameters
        ----------
        x, y, sample_weight
            Inputs, targets and weights; or, as `x` alone, anything that yields batches. See `fit`.
        batch_size
            Samples a batch, 32 by default; changes the time, not the result.
        verbose
            Anything but 0 prints a line with the values.
        steps
            At most so many batches.
        callbacks
            Called at the points of `on_test_begin` and its kin.
        return_dict
            Whether to return a dict by name.

        Returns
        -------
        float, list of float, or dict
            The loss; with metrics, ``[loss, *metrics]``. With several outputs their losses follow
            the whole one, and the metrics follow in alphabetical order, as in Keras.

        Raises
        ------
        RuntimeError
            If the model is not compiled.
        TypeError, ValueError
            If the data do not fit.
        """
        self._require_compiled("evaluate")
        data = self._prepared(x, y, sample_weight, batch_size, steps, "steps")
        chosen = callbacks
        if not isinstance(callbacks, CallbackList):
            chosen = CallbackList(callbacks, self, {"steps": data.batches, "verbose": verbose})
        values = self._evaluate(data, chosen)
        if verbose not in (0, "0"):
            print(" - ".join(f"{name}: {_short(value)}" for name, value in values.items()))
        return values if return_dict else as_list(values, self._listed_names())

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """Return the outputs for a data set.

        Parameters
        ----------
        x
            Inputs, one sample a row; or anything that yields batches, of which inputs alone are
            used. See `fit`.
        batch_size
            Samples a batch, 32 by default.
        verbose
            Accepted for Keras's signature; nothing is printed.
        steps
            At most so many batches.
        callbacks
            Called at the points of `on_predict_begin` and its kin.

        Returns
        -------
        numpy.ndarray, or lists and dicts of them
            In the structure of the model's outputs: one output a row, in the order of `x`.

        Raises
        ------
        TypeError, ValueError
            If the data do not fit.
        """
        source = choose_source(x, batch_size=batch_size, steps=steps, dtype=self._input_dtype())
        data = Epochs(source, steps, "steps")
        chosen = CallbackList(callbacks, self, {"steps": data.batches, "verbose": verbose})
        self._lists_kept = None
        self.stop_predicting = False
        chosen.on_predict_begin()
        collected = Collected(source, data.steps)
        many = None if chosen.want_each_predict_batch else ManySteps.of(data, parts=1)
        if many is not None:
            count = self._predict_at_once(data, many, collected)
        else:
            count = self._predict_each(data, chosen, collected)
        if not self.stop_predicting:
            data.explain_short(count)
        chosen.on_predict_end()
        return collected.joined()

    # ---- inside ------------------------------------------------------------------------

    def _predict_each(self, data: Epochs, callbacks: CallbackList, collected: Collected) -> int:
        """Predict batch by batch; return how many there were."""
        count = 0
        for step, batch in enumerate(data.epoch()):
            callbacks.on_predict_batch_begin(step)
            outputs = collected.add(self._outputs_of(batch[0]))
            count = step + 1
            callbacks.on_predict_batch_end(step, {"outputs": outputs})
            if self.stop_predicting:
                break
        return count

    def _predict_at_once(self, data: Epochs, many: ManySteps, collected: Collected) -> int:
        """Predict for arrays, many batches in one call; return how many there were."""
        taken = 0
        while (stretch := data.stretch(taken)) is not None:
            walk, most = stretch
            with no_record():
                step = self._recorded("predict")
                if step is None:
                    collected.add(self.predict_step(self._batch((next(walk)[0], None, None))))
                    count = 1
                else:
                    count = many.take(step, walk, most, collected)
            data.took(count)
            taken += count
            if self.stop_predicting:
                break
        return taken

    def _prepared(
        self,
        x: Any,
        y: Any,
        sample_weight: Any,
        batch_size: int | None,
        steps: int | None,
        argument: str,
        **options: Any,
    ) -> Epochs:
        """Check data against the model, which is built by this if it was not."""
        source = choose_source(
            x,
            y,
            sample_weight,
            batch_size=batch_size,
            steps=steps,
            dtype=self._input_dtype(),
            **options,
        )
        data = Epochs(source, steps, argument)
        self._build_compiled(data.sample(), check=True)
        return data

    def _evaluate(self, data: Epochs, callbacks: CallbackList) -> dict[str, Any]:
        """Return the values over one pass, or over as many batches as an epoch is to have."""
        self.reset_metrics()
        self.stop_evaluating = False
        callbacks.on_test_begin()
        logs: dict[str, Any] = {}
        own_step = type(self).test_step is not Steps.test_step
        count = 0
        data.restart()
        if not callbacks.want_each_test_batch and not self._own_steps("test"):
            many = ManySteps.of(data)
            if many is not None and self._recorded("test") is not None:
                return self._evaluate_at_once(data, many, callbacks)
        for step, batch in enumerate(data.epoch()):
            callbacks.on_test_batch_begin(step)
            logs = self._test_logs(batch)
            if own_step:
                logs = to_python_logs(logs)
            count = step + 1
            callbacks.on_test_batch_end(step, logs)
            if self.stop_evaluating:
                break
        else:
            data.explain_short(count)
        callbacks.on_test_end(logs)
        return dict(logs)

    def _evaluate_at_once(
        self, data: Epochs, many: ManySteps, callbacks: CallbackList
    ) -> dict[str, Any]:
        """Evaluate arrays, many batches in one call."""
        taken = 0
        while (stretch := data.stretch(taken)) is not None:
            walk, most = stretch
            with no_record():
                step = self._recorded("test")
                if step is None:
                    self.test_step(self._batch(next(walk)))
                    count = 1
                else:
                    count = many.take(step, walk, most)
            data.took(count)
            taken += count
        logs = self.get_metrics_result()
        data.explain_short(taken)
        callbacks.on_test_end(logs)
        return dict(logs)


def _short(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
