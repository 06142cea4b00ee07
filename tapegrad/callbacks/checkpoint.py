"""Models and weights saved during training."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from tapegrad.callbacks.base import Logs
from tapegrad.callbacks.monitor import MonitorCallback
from tapegrad.utils.model_names import model_name_to_write

__all__ = ["ModelCheckpoint"]

_WEIGHTS = (".safetensors", ".weights.h5")


class ModelCheckpoint(MonitorCallback):
    """Saves the model, or its weights, every epoch or every so many batches.

    A file is complete under its name, or what was there before is untouched.

    Parameters
    ----------
    filepath
        The file's name, in which ``{epoch}`` (from 1), ``{batch}`` and the names of values in the
        logs may stand, as in ``"{epoch:02d}-{val_loss:.2f}.tapegrad"``. Whole models end in
        ``.tapegrad``; weights in ``.safetensors``, or ``.weights.h5`` for a file that Keras
        reads. A ``.keras`` name, which listings for Keras have, becomes a ``.tapegrad`` one, with
        a warning: the file is none of Keras's. Folders that are missing are made.
    monitor
        The value that decides what is best.
    verbose
        1 prints a line when something is saved, or is not.
    save_best_only
        Whether to save only if the value is better than ever before.
    save_weights_only
        Whether to save the weights alone.
    mode
        ``"min"``, ``"max"`` or ``"auto"``.
    save_freq
        ``"epoch"``, or a number of batches. Values within an epoch are means of its batches so
        far.
    initial_value_threshold
        A value that the first one must be better than.

    Raises
    ------
    ValueError
        If the name has an ending that the format does not have, or an argument is unknown.
    KeyError
        On the way, if the name mentions a value that is not measured.

    Examples
    --------
    >>> checkpoint = ModelCheckpoint("best.tapegrad", monitor="val_accuracy", save_best_only=True)
    >>> ModelCheckpoint("{epoch:02d}.pkl")
    Traceback (most recent call last):
    ValueError: ModelCheckpoint: a whole model is saved to a file whose name ends in .tapegrad, ...
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: int | str = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode, initial_value_threshold)
        whole = isinstance(save_freq, int) and not isinstance(save_freq, bool)
        if save_freq != "epoch" and not (whole and int(save_freq) > 0):
            raise ValueError(
                'ModelCheckpoint: save_freq is "epoch" or a positive number of batches, not '
                f"{save_freq!r}."
            )
        self.filepath = _checked_name(os.fspath(filepath), save_weights_only)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = save_freq
        self._batches = 0  # since the last file
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Take note of the epoch, for the name."""
        self._epoch = epoch

    @property
    def takes_many_batches(self) -> bool:  # type: ignore[override]
        """Whether it does not matter which batch was the last: files are made at epochs' ends."""
        return self.save_freq == "epoch"

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Save if so many batches have passed."""
        if self.save_freq == "epoch":
            return
        self._batches += 1
        if self._batches >= int(self.save_freq):
            self._batches = 0
            self._save(self._epoch, batch, logs or {})

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Save, if it is done every epoch."""
        if self.save_freq == "epoch":
            self._save(epoch, None, logs or {})

    def get_state(self) -> dict[str, Any]:
        """Return the best value so far, and the batches since the last file."""
        return {**super().get_state(), "batches": self._batches}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on where an earlier process was."""
        super().set_state(state)
        self._batches = int(state["batches"])

    # ---- inside ----------------------------------------------------------------------

    def _save(self, epoch: int, batch: int | None, logs: Logs) -> None:
        path = self._path(epoch, batch, logs)
        if not self._is_wanted(epoch, path, logs):
            return
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path, overwrite=True)
        else:
            self.model.save(path, overwrite=True)
        self._say(f"Epoch {epoch + 1}: finished saving model to {path}")

    def _path(self, epoch: int, batch: int | None, logs: Logs) -> str:
        values = {**logs, "epoch": epoch + 1}
        if batch is not None:
            values.setdefault("batch", batch + 1)
        try:
            return self.filepath.format(**values)
        except KeyError as error:
            raise KeyError(
                f"ModelCheckpoint: the file name {self.filepath!r} asks for {error}, but there are "
                f"only {', '.join(values)}."
            ) from None

    def _is_wanted(self, epoch: int, path: str, logs: Logs) -> bool:
        if not self.save_best_only:
            self._say(f"Epoch {epoch + 1}: saving model to {path}")
            return True
        current = self.value(logs)
        if current is None:
            return True
        if np.ndim(current) > 0:
            warnings.warn(
                f"ModelCheckpoint: {self.monitor!r} is no single number but has shape "
                f"{np.shape(current)}, so every model is saved.",
                stacklevel=3,
            )
            return True
        best = "None" if self.best is None else f"{self.best:.5f}"
        if not self.improves(current, self.best):
            self._say(f"Epoch {epoch + 1}: {self.monitor} did not improve from {best}")
            return False
        self._say(
            f"Epoch {epoch + 1}: {self.monitor} improved from {best} to {current:.5f}, "
            f"saving model to {path}"
        )
        self.best = current
        return True

    def _say(self, text: str) -> None:
        if self.verbose > 0:
            print(f"\n{text}")


def _checked_name(name: str, weights_only: bool) -> str:
    """Return the name to write to, or raise ValueError if no format has its ending."""
    if weights_only:
        if not name.endswith(_WEIGHTS):
            raise ValueError(
                "ModelCheckpoint: with save_weights_only=True the file's name ends in .safetensors "
                f"(or in .weights.h5, to be read by Keras), but is {name!r}."
            )
        return name
    return model_name_to_write(name, "ModelCheckpoint")
