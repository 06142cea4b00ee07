"""Backups of a run of training, from which it goes on after it was killed."""

from __future__ import annotations

import contextlib
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from tapegrad.callbacks.base import Callback, Logs

if TYPE_CHECKING:
    from tapegrad.training.run import Run

__all__ = ["BackupAndRestore"]


class BackupAndRestore(Callback):
    """Saves the state of training now and then; `fit` goes on from it if it was broken off.

    A process may be killed at any moment. Run the same script again, with the same data: `fit`
    finds the backup and ends with the same weights and the same history, bit by bit, as if it had
    never been broken off. Saved are weights, optimizer, generators, the place in the data, metrics,
    history and what the other callbacks remember. What a generator of the user's own yields is
    taken to be the same again; its first batches are thrown away.

    The state is in one file, which is replaced in one step: there is a whole backup at every
    moment after the first. It is read and checked before anything in the model is changed.

    Parameters
    ----------
    backup_dir
        A folder for the backup, which is made if need be; of this run alone.
    save_freq
        ``"epoch"``, or after how many batches to save.
    double_checkpoint
        Whether to keep the backup before the last one too, for the case that the file system
        spoils the last one.
    delete_checkpoint
        Whether to delete the backup once training has come to its end. If it is kept, the next
        `fit` finds the run finished.

    Raises
    ------
    ValueError
        If `backup_dir` is empty or `save_freq` is none of these; at the start of `fit` if the
        backup is damaged or does not fit the model, which then stays as it was.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import tapegrad as tg
    >>> model = tg.Sequential([tg.layers.Dense(1, input_dim=2)])
    >>> model.compile("sgd", "mse")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     backup = BackupAndRestore(folder, save_freq=10)
    ...     history = model.fit(np.ones((8, 2)), np.ones(8), verbose=0, callbacks=[backup])
    """

    saves_run = True
    """Tells `fit` to call this callback after all others, whose state it saves."""

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        super().__init__()
        if not os.fspath(backup_dir):
            raise ValueError("BackupAndRestore: backup_dir is empty.")
        whole = isinstance(save_freq, int) and not isinstance(save_freq, bool)
        if save_freq != "epoch" and not (whole and save_freq > 0):  # type: ignore[operator]
            raise ValueError(
                'BackupAndRestore: save_freq is "epoch" or a positive whole number of batches, '
                f"not {save_freq!r}."
            )
        self.backup_dir = os.fspath(backup_dir)
        self.save_freq = save_freq
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self._path = Path(backup_dir) / "latest.backup.safetensors"
        self._earlier = Path(backup_dir) / "earlier.backup.safetensors"
        self._epoch = 0
        self._batches_since = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Look for a backup, check it, and have `fit` go on from it."""
        self._batches_since = 0
        self._remove_unfinished()
        paths = [path for path in (self._path, self._earlier) if path.exists()]
        if not paths:
            return
        from tapegrad.training.state import read_run

        run = self._run()
        try:
            run.saved = read_run(paths[0], run)
        except ValueError as error:
            if len(paths) == 1:
                raise
            run.saved = read_run(paths[1], run)
            warnings.warn(f"{error} Training goes on from the backup before it.", stacklevel=3)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Take note of the epoch."""
        self._epoch = epoch

    @property
    def takes_many_batches(self) -> bool:  # type: ignore[override]
        """Whether it does not matter which batch was the last: backups are made at epochs' ends."""
        return self.save_freq == "epoch"

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Save, if it is time."""
        if self.save_freq == "epoch":
            return
        self._batches_since += 1
        if self._batches_since >= int(self.save_freq):
            self._batches_since = 0
            self._save(self._epoch, batch + 1)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Save, if it is time."""
        if self.save_freq == "epoch":
            # What other callbacks added to the epoch's values belongs to the history as well.
            self.model.history.complete(logs or {})
            self._save(epoch + 1, 0)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Delete the backup, unless training was broken off or the backup is to be kept."""
        run = self.model._run
        if not self.delete_checkpoint or run is None or not run.finished:
            return
        self._earlier.unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # there is something else in it, or it is not there
            Path(self.backup_dir).rmdir()

    def _run(self) -> Run:
        return self.model._run

    def _save(self, epoch: int, batch: int) -> None:
        from tapegrad.training.state import write_run

        os.makedirs(self.backup_dir, exist_ok=True)
        # One that was killed between the two has both names already.
        linked = self._earlier.exists() and self._path.exists()
        linked = linked and self._path.samefile(self._earlier)
        if self.double_checkpoint and self._path.exists() and not linked:
            spare = self._path.with_suffix(".spare")
            spare.unlink(missing_ok=True)
            try:
                os.link(self._path, spare)
            except OSError:  # a file system without links
                spare.write_bytes(self._path.read_bytes())
            os.replace(spare, self._earlier)
        write_run(self._path, self._run(), epoch, batch)

    def _remove_unfinished(self) -> None:
        """Remove what a process left that was killed while it wrote."""
        for path in Path(self.backup_dir).glob(f".{self._path.name}.*"):
            path.unlink(missing_ok=True)
        self._path.with_suffix(".spare").unlink(missing_ok=True)
