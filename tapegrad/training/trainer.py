"""The loop over epochs: fit."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad.callbacks import CallbackList, EpochLine, History, ProgressBar
from tapegrad.training.choose import checked_number, split_off_validation
from tapegrad.training.epochs import Epochs
from tapegrad.training.evaluating import Evaluating
from tapegrad.training.iterables import unpack
from tapegrad.training.many_steps import ManySteps
from tapegrad.training.notes import Notes
from tapegrad.training.run import Run
from tapegrad.training.steps import Steps
from tapegrad.training.values import to_python_logs

__all__ = ["Trainer"]


class Trainer(Evaluating):
    """Trains and evaluates a model; `tapegrad.Model` is a layer with this face."""

    _run: Run | None = None
    """The call of `fit` in progress."""

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
    ) -> History:
        """Train the model.

        Parameters
        ----------
        x
            Inputs, one sample a row: arrays, also memory-mapped, Tensors, lists of numbers, pandas
            DataFrames, SciPy sparse matrices (whose rows are filled up batch by batch); for
            several inputs a list or dict of them. Or what yields batches ``(x, y)`` or
            ``(x, y, sample_weight)``: a `tapegrad.data.Dataset`, a generator, an object with
            ``__len__`` and ``__getitem__`` such as Keras's PyDataset, or anything that can be
            gone through again.
        y
            Targets, in the same order; for several outputs a list, or a dict by their names.
        batch_size
            Samples a step, 32 by default (or as many as make `steps_per_epoch` batches); the last
            batch of an epoch may be shorter, and counts in the epoch's values by its size.
        epochs
            The number of the last epoch: passes over the data, if `initial_epoch` is 0. With 0
            nothing is trained, and a warning says so.
        verbose
            0 is silent, 1 (and ``"auto"``) a progress bar, 2 a line an epoch.
        callbacks
            Callbacks, called in order.
        validation_split
            The fraction of samples at the end of the data, before shuffling, that are kept for
            validation. For arrays.
        validation_data
            ``(x, y)`` or ``(x, y, sample_weight)`` to validate on, or what yields such batches;
            goes before `validation_split`.
        shuffle
            Whether each epoch goes through the samples of arrays, or the batches of a sequence, in
            a new order, drawn from tapegrad's generator (see `tapegrad.set_seed`).
        class_weight
            A factor on the loss of each class's samples; classes not named have 1.
        sample_weight
            A factor on the loss of each sample; for several outputs also one array for each.
        initial_epoch
            The epoch to begin with, from 0.
        steps_per_epoch, validation_steps
            So many batches make an epoch, and a validation. The next epoch goes on where the last
            one ended; the next validation begins anew, except with a generator.
        validation_batch_size
            By default `batch_size`.
        validation_freq
            Validate after every so many epochs, or after those listed (from 1).

        Returns
        -------
        History
            Its ``history`` has the values of each epoch under ``"loss"`` and the metrics' names.

        Raises
        ------
        RuntimeError
            If the model is not compiled.
        TypeError, ValueError
            If the data do not fit: before the first step, in one sentence.
        KeyboardInterrupt
            Passed on, after `on_train_end`; the model, and ``model.history`` with the whole
            epochs, can be used.

        Examples
        --------
        >>> import numpy as np
        >>> import tapegrad as tg
        >>> model = tg.Sequential([tg.layers.Dense(1, input_dim=2)])
        >>> model.compile("sgd", "mse")
        >>> history = model.fit(np.ones((8, 2)), np.ones(8), epochs=3, verbose=0)
        >>> len(history.history["loss"])
        3
        """
        # A train_step of the user's own may keep its optimizers elsewhere.
        own_step = type(self).train_step is not Steps.train_step
        self._require_compiled("fit", optimizer=not own_step)
        epochs = checked_number(epochs, "epochs")
        initial_epoch = checked_number(initial_epoch, "initial_epoch")
        if isinstance(validation_freq, int | float | str):
            validation_freq = checked_number(validation_freq, "validation_freq", 1)
        if epochs == 0:
            warnings.warn("fit: epochs=0, so that nothing is trained.", stacklevel=2)
        if validation_data is None and validation_split:
            (x, y, sample_weight), validation_data = split_off_validation(
                x, y, sample_weight, validation_split
            )
        data = self._prepared(
            x,
            y,
            sample_weight,
            batch_size,
            steps_per_epoch,
            "steps_per_epoch",
            shuffle=bool(shuffle),
            class_weight=class_weight,
        )
        self._refuse_other_classes(class_weight)
        validation = None
        if validation_data is not None:
            size = validation_batch_size or batch_size
            validation = self._prepared_validation(validation_data, size, validation_steps)
            if validation.sample()[1] is None and data.sample()[1] is not None:
                raise ValueError(
                    "In validation_data: targets are missing, expected (x, y) or "
                    "(x, y, sample_weight), as for training."
                )
        chosen = self._callback_list(callbacks, verbose, epochs, data.batches)
        run = self._run = Run(self, data, validation, chosen, epochs)
        self.stop_training = False
        try:
            chosen.on_train_begin()
            try:
                epoch = run.first_epoch(initial_epoch)
                while epoch < epochs and not self.stop_training:
                    done = self._fit_epochs_at_once(run, epoch)
                    if done == 0:
                        if not self._fit_epoch(run, epoch, validation_freq):
                            break
                        done = 1
                    epoch += done
                run.finished = True
                self._finalize_optimizer()
            except KeyboardInterrupt:
                chosen.on_train_end(run.logs)
                raise
            chosen.on_train_end(run.logs)
        finally:
            self._run = None
        return self._record()

    # ---- inside ------------------------------------------------------------------------

    def _prepared_validation(self, data: Any, batch_size: int | None, steps: int | None) -> Epochs:
        """Check data for validation; errors say that it is these."""
        try:
            return self._prepared(*unpack(data), batch_size, steps, "validation_steps")
        except (TypeError, ValueError) as error:
            if type(error) not in (TypeError, ValueError):
                raise
            raise type(error)(f"In validation_data: {error}") from error

    def _refuse_other_classes(self, class_weight: dict[int, float] | None) -> None:
        """Raise ValueError if a class has a weight for which the model has no output."""
        shape = getattr(self, "output_shape", None)
        if not class_weight or not isinstance(shape, tuple) or not isinstance(shape[-1], int):
            return
        most = max(class_weight)
        if 1 < shape[-1] <= most:
            raise ValueError(
                f"class_weight has a weight for class {most}, but the model's outputs are for the "
                f"classes 0 to {shape[-1] - 1}."
            )

    def _fit_epoch(self, run: Run, epoch: int, validation_freq: int | Sequence[int]) -> bool:
        """Train and validate once; return whether there are data for a further epoch."""
        if run.saved is None:
            self.reset_metrics()
        run.callbacks.on_epoch_begin(epoch)
        # After what callbacks do at the start of an epoch, which had been done before it was
        # broken off: it is undone, and not done twice.
        taken = run.take_up_epoch()
        if not (taken and self.stop_training):  # which may have been part of what was saved
            taken = self._train_epoch(run, epoch, taken)
        if not self.stop_training:
            run.data.explain_end(epoch, taken, run.epochs)
        if taken == 0:
            return False
        logs = dict(run.logs)
        if run.validation is not None and _validates(epoch, validation_freq):
            values = self._evaluate(run.validation, run.callbacks)
            logs.update({f"val_{name}": value for name, value in values.items()})
        run.logs = logs
        run.callbacks.on_epoch_end(epoch, logs)
        self._record().complete(logs)
        return not run.data.ended

    def _train_epoch(self, run: Run, epoch: int, taken: int) -> int:
        """Take the steps of an epoch; return how many it has had."""
        if run.many is not None and not run.callbacks.want_each_batch and self._train_is_plain():
            return self._train_at_once(run, run.many, epoch, taken)
        callbacks = run.callbacks
        begin, end = callbacks.on_train_batch_begin, callbacks.on_train_batch_end
        begins, ends = (callbacks.wants(f"on_train_batch_{word}") for word in ("begin", "end"))
        own_step = type(self).train_step is not Steps.train_step
        for step, batch in enumerate(run.data.epoch(taken), taken):
            if begins:
                begin(step)
            logs = self._train_logs(batch)
            if own_step:
                logs = to_python_logs(logs)
            run.logs = logs
            taken = step + 1
            loss = logs.get("loss")
            if loss != loss:
                run.watch_loss(loss, epoch, step)
            if ends:
                end(step, logs)
            if self.stop_training:
                break
        return taken

    def _fit_epochs_at_once(self, run: Run, epoch: int) -> int:
        """Train for several epochs in one call where nobody looks at each; return how many."""
        if run.many is None or not run.only_history() or not self._train_is_plain():
            return 0
        step, notes = self._recorded("train"), self._notes()
        if step is None or not notes.complete:
            return 0
        count = run.many.epochs_at_once(step, min(run.epochs - epoch, notes.epochs))
        if count < 2:
            return 0
        self.reset_metrics()
        length = run.data.source.batches or 0
        notes.begin(0, length)
        closed = 0
        try:
            run.many.take_epochs(step, count)
        finally:
            closed, nan = notes.end()
            run.many.began(min(closed + 1, count))
            if closed:
                values = notes.values(closed)
                self._record().extend(epoch, values)
                run.logs = {name: column[-1] for name, column in values.items()}
            run.data.went_through()
            if nan is not None:
                run.watch_loss(np.nan, epoch + nan // length, nan % length)
        return closed

    def _notes(self) -> Notes:
        """Return what recorded steps note."""
        assert self._programs is not None
        return self._programs.notes

    def _train_is_plain(self) -> bool:
        """Whether the steps of training are recorded, and do what a step does by itself."""
        return not self._own_steps("train") and self._recorded("train") is not None

    def _train_at_once(self, run: Run, many: ManySteps, epoch: int, taken: int) -> int:
        """Take the steps of an epoch, many in one call; return how many it has had."""
        while (stretch := run.data.stretch(taken)) is not None:
            walk, most = stretch
            step = self._recorded("train")
            if step is None:
                self.train_step(self._batch(next(walk)))
                count, nan = 1, None
            else:
                notes = self._notes()
                notes.begin(taken)
                count = many.take(step, walk, most)
                _, nan = notes.end()
            run.data.took(count)
            taken += count
            run.logs = logs = self.get_metrics_result()
            loss = logs["loss"]
            if loss != loss:
                run.watch_loss(loss, epoch, taken - 1 if nan is None else nan)
            run.callbacks.on_train_batches_end(taken - 1, count, logs)
            if self.stop_training:
                break
        return taken

    def _finalize_optimizer(self) -> None:
        """Let the optimizer put running means in the place of weights, if it keeps any."""
        if self.optimizer is not None and self.optimizer.built:
            self.optimizer.finalize_variable_values(self._lists().trainable)

    def _record(self) -> History:
        assert self.history is not None
        return self.history

    def _callback_list(
        self, callbacks: Any, verbose: int | str, epochs: int, steps: int | None
    ) -> CallbackList:
        if isinstance(callbacks, CallbackList):
            callbacks = callbacks.callbacks
        given = [] if callbacks is None else callbacks
        given = list(given) if isinstance(given, list | tuple) else [given]
        self.history = next((c for c in given if isinstance(c, History)), None) or History()
        # First the record: an epoch counts even if a later callback is interrupted, and later
        # callbacks find it there. Last those that save the state of the others.
        others = [c for c in given if c is not self.history]
        others.sort(key=lambda callback: getattr(callback, "saves_run", False))
        chosen = [self.history, *others]
        if verbose == 2:
            chosen.append(EpochLine())
        elif verbose not in (0, "0"):
            chosen.append(ProgressBar())
        params = {"epochs": epochs, "steps": steps, "verbose": verbose}
        return CallbackList(chosen, self, params)


def _validates(epoch: int, frequency: int | Sequence[int]) -> bool:
    if isinstance(frequency, int):
        return (epoch + 1) % frequency == 0
    return epoch + 1 in frequency
