"""Event files for TensorBoard."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from tapegrad.callbacks.base import Callback, Logs
from tapegrad.callbacks.learning_rate import current_rate

__all__ = ["TensorBoard"]


class TensorBoard(Callback):
    """Writes event files that TensorBoard shows: ``tensorboard --logdir logs``.

    In ``log_dir/train`` stand the values of training and in ``log_dir/validation`` those of the
    validation, under Keras's tags: ``epoch_loss`` and so on by epoch (from 0),
    ``epoch_learning_rate``; in ``validation`` also ``evaluation_loss_vs_iterations`` and so on; if
    asked for, ``batch_loss`` and so on by batch, and weights as
    ``layer/weight/histogram``. The package ``tensorboard`` writes them; TensorFlow is not needed.

    Parameters
    ----------
    log_dir
        The folder.
    histogram_freq
        Every how many epochs histograms of the weights are written; 0 for never.
    write_graph
        Accepted: there is no graph to write.
    write_images
        Whether weights are shown as images too, whenever histograms are written.
    write_steps_per_second
        Whether to write the speed.
    update_freq
        ``"epoch"``; ``"batch"``; or every how many batches values are written too.
    profile_batch
        0: profiles are not written.
    embeddings_freq
        0: embeddings are not written.
    embeddings_metadata
        Accepted with `embeddings_freq`.

    Raises
    ------
    ValueError
        If an argument is unknown or asks for what is not written.
    ModuleNotFoundError
        At the beginning of training, if the package is not installed.

    Examples
    --------
    >>> callback = TensorBoard("logs/first", histogram_freq=1)
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: int | str = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
    ) -> None:
        super().__init__()
        for name, value in (("profile_batch", profile_batch), ("embeddings_freq", embeddings_freq)):
            if value:
                raise ValueError(f"TensorBoard: {name} must be 0, but is {value!r}: not written.")
        every = 1 if update_freq == "batch" else update_freq
        if every != "epoch" and (isinstance(every, bool | str) or int(every) < 1):
            raise ValueError(
                'TensorBoard: update_freq is "epoch", "batch" or a positive number of batches, not '
                f"{update_freq!r}."
            )
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq = histogram_freq
        self.write_graph = write_graph
        self.write_images = write_images
        self.write_steps_per_second = write_steps_per_second
        self.update_freq = every
        self._train_batches = 0
        self._test_batches = 0
        self._batch_began = 0.0
        self._epoch_began = 0.0
        self._epoch_batches = 0
        self._writers: dict[str, _EventFile] = {}

    # ---- training --------------------------------------------------------------------

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Begin new files."""
        _require_tensorboard()
        self._close()
        self._train_batches = 0

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Close the files."""
        self._close()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Look at the clock."""
        self._epoch_began = time.monotonic()
        self._epoch_batches = self._train_batches

    @property
    def takes_many_batches(self) -> bool:  # type: ignore[override]
        """Whether batches are only counted."""
        return self.update_freq is None

    def on_train_batches_end(self, batch: int, count: int, logs: Logs) -> None:
        """Count batches."""
        self._train_batches += count

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Count batches, and look at the clock."""
        self._train_batches += 1
        self._batch_began = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Write the values so far, if it is time."""
        if not self._is_due(self._train_batches):
            return
        values = {f"batch_{name}": value for name, value in (logs or {}).items()}
        if self.write_steps_per_second:
            seconds = time.monotonic() - self._batch_began
            values["batch_steps_per_second"] = 1.0 / max(seconds, 1e-9)
        self._writer("train").scalars(values, self._train_batches)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write the epoch's values, and weights if it is time."""
        if logs:
            self._write_epoch(epoch, logs)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_weights(epoch)
        for writer in self._writers.values():
            writer.flush()

    def _write_epoch(self, epoch: int, logs: Logs) -> None:
        train = {
            f"epoch_{name}": value for name, value in logs.items() if not name.startswith("val_")
        }
        if getattr(self.model, "optimizer", None) is not None:
            train["epoch_learning_rate"] = current_rate(self.model)
        if self.write_steps_per_second:
            seconds = max(time.monotonic() - self._epoch_began, 1e-9)
            train["epoch_steps_per_second"] = (self._train_batches - self._epoch_batches) / seconds
        validation = {
            f"epoch_{name.removeprefix('val_')}": value
            for name, value in logs.items()
            if name.startswith("val_")
        }
        self._writer("train").scalars(train, epoch)
        if validation:
            self._writer("validation").scalars(validation, epoch)

    def _write_weights(self, epoch: int) -> None:
        writer = self._writer("train")
        for layer in self.model.layers:
            for weight in layer.weights:
                name = f"{layer.name}/{weight.name}".replace(":", "_")
                values = weight.numpy()
                writer.histogram(f"{name}/histogram", values, epoch)
                if self.write_images:
                    writer.images(f"{name}/image", _as_images(values), epoch)

    # ---- evaluation ------------------------------------------------------------------

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """See that the package is there, also outside of `fit`."""
        _require_tensorboard()

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Count batches."""
        self._test_batches += 1

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Write the values so far, if it is time."""
        if self._is_due(self._test_batches):
            values = {f"batch_{name}": value for name, value in (logs or {}).items()}
            self._writer("validation").scalars(values, self._test_batches)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Write the values by the number of steps that the optimizer has taken."""
        iterations = getattr(getattr(self.model, "optimizer", None), "iterations", None)
        if iterations is not None and logs:
            values = {f"evaluation_{name}_vs_iterations": value for name, value in logs.items()}
            self._writer("validation").scalars(values, int(iterations))
            self._writer("validation").flush()

    # ---- state -----------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Return the numbers of batches so far, by which values are written."""
        return {"train_batches": self._train_batches, "test_batches": self._test_batches}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on counting where an earlier process was; TensorBoard joins the files."""
        self._train_batches = int(state["train_batches"])
        self._test_batches = int(state["test_batches"])

    # ---- inside ----------------------------------------------------------------------

    def _is_due(self, count: int) -> bool:
        return self.update_freq != "epoch" and count % int(self.update_freq) == 0

    def _writer(self, part: str) -> _EventFile:
        if part not in self._writers:
            self._writers[part] = _EventFile(Path(self.log_dir) / part)
        return self._writers[part]

    def _close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers = {}


def _require_tensorboard() -> None:
    try:
        import tensorboard  # noqa: F401
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "TensorBoard: the package that writes event files is missing; install it with "
            'pip install "tapegrad[tensorboard]".',
            name="tensorboard",
        ) from None


class _EventFile:
    """An event file, written by the package's own writer."""

    def __init__(self, folder: Path) -> None:
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        events: Any = event_pb2  # its classes are made at run time
        self._event = events.Event
        self._messages: Any = summary_pb2
        self._file: Any = EventFileWriter(str(folder))

    def scalars(self, values: dict[str, Any], step: int) -> None:
        """Write numbers by their tags; what is no single number is left out."""
        numbers = [
            self._messages.Summary.Value(tag=tag, simple_value=float(value))
            for tag, value in values.items()
            if np.ndim(value) == 0
        ]
        self._write(numbers, step)

    def histogram(self, tag: str, values: np.ndarray, step: int) -> None:
        """Write a histogram of an array's finite values, over 30 bins of one width."""
        values = values[np.isfinite(values)].astype(np.float64)
        if not values.size:
            return
        counts, edges = np.histogram(values, bins=30)
        histogram = self._messages.HistogramProto(
            min=values.min(),
            max=values.max(),
            num=values.size,
            sum=values.sum(),
            sum_squares=values @ values,
            # A bucket counts what lies between the limit before it and its own.
            bucket_limit=edges.tolist(),
            bucket=[0.0, *counts.tolist()],
        )
        self._write([self._messages.Summary.Value(tag=tag, histo=histogram)], step)

    def images(self, tag: str, images: np.ndarray, step: int) -> None:
        """Write images of shape (count, height, width), at most three as TensorBoard does."""
        values = []
        for number, image in enumerate(images[:3]):
            message = self._messages.Summary.Image(
                height=image.shape[0],
                width=image.shape[1],
                colorspace=1,
                encoded_image_string=_png(image),
            )
            values.append(self._messages.Summary.Value(tag=f"{tag}/{number}", image=message))
        self._write(values, step)

    def _write(self, values: list[Any], step: int) -> None:
        if values:
            summary = self._messages.Summary(value=values)
            self._file.add_event(
                self._event(wall_time=time.time(), step=int(step), summary=summary)
            )

    def flush(self) -> None:
        """Write what waits to the disk."""
        self._file.flush()

    def close(self) -> None:
        """Close the file and end its thread."""
        self._file.close()


def _as_images(weight: np.ndarray) -> np.ndarray:
    """Return a weight as grey images: a bias as a row, a matrix lying, a kernel by its filters."""
    weight = np.squeeze(weight)
    if weight.ndim <= 1:
        return weight.reshape(1, 1, -1)
    if weight.ndim == 2:
        return (weight.T if weight.shape[0] > weight.shape[1] else weight)[None]
    if weight.ndim == 3:
        return weight.transpose(2, 0, 1)
    return weight.reshape(*weight.shape[:2], -1).transpose(2, 0, 1)


def _png(image: np.ndarray) -> bytes:
    from matplotlib.image import imsave

    buffer = io.BytesIO()
    imsave(buffer, image, cmap="gray", format="png")
    return buffer.getvalue()
