"""The command ``train``: data in, a trained network and its report out."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tapegrad._cli import data
from tapegrad._cli.compiling import compile_kernels
from tapegrad._cli.errors import UserError
from tapegrad._cli.labels import LabelTask
from tapegrad._cli.networks import MODELS, Architecture
from tapegrad._cli.networks.schedule import cosine_decay
from tapegrad._cli.progress import TrainingBar
from tapegrad._cli.reports import report
from tapegrad._cli.reports.generation import Snapshots
from tapegrad._cli.run_folder import (
    HISTORY,
    WEIGHTS,
    TrainedModel,
    checked_folder,
    remove_results,
    write_json,
)
from tapegrad.callbacks import Callback
from tapegrad.optimizers import Optimizer


@dataclass(frozen=True)
class Options:
    """What was asked for; see ``python -m tapegrad train --help``."""

    data: str
    model: str = "mlp"
    epochs: int | None = None
    device: str = "cpu"
    out: str | None = None
    seed: int = 0
    target: str | None = None
    task: LabelTask | None = None
    batch_size: int = 32
    learning_rate: float | None = None


@dataclass(frozen=True)
class Progress:
    """What has been trained so far, in whole epochs.

    Attributes
    ----------
    history : dict of str to list of float
        Metrics by epoch.
    weights : list of ndarray
        The network's after the last of these epochs.
    seconds : float
        What they took.
    """

    history: dict[str, list[float]]
    weights: list[np.ndarray]
    seconds: float

    @property
    def epochs(self) -> int:
        """Number of epochs."""
        return len(next(iter(self.history.values())))


class _EpochFiles(Callback):
    """Sets each epoch's learning rate and leaves a whole, usable model after each."""

    def __init__(
        self,
        trained: TrainedModel,
        optimizers: list[Optimizer],
        folder: Path,
        learning_rate: float,
        epochs: int,
    ) -> None:
        super().__init__()
        self.progress: Progress | None = None
        self._trained = trained
        self._optimizers = optimizers
        self._folder = folder
        self._learning_rate = learning_rate
        self._epochs = epochs
        self._started = 0.0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._started = time.perf_counter()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        for optimizer in self._optimizers:
            optimizer.learning_rate = cosine_decay(self._learning_rate, epoch, self._epochs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        before = self.progress.history if self.progress else {}
        history = {
            name: [*before.get(name, []), float(value)] for name, value in (logs or {}).items()
        }
        # One assignment, so that Ctrl-C finds the epoch whole or not at all.
        self.progress = Progress(
            history, self._trained.network.get_weights(), time.perf_counter() - self._started
        )
        self.write()

    def write(self) -> None:
        """Write the files of the last whole epoch."""
        assert self.progress is not None
        self._folder.mkdir(parents=True, exist_ok=True)
        remove_results(self._folder)
        self._trained.write_description(self._folder)
        self._trained.network.save_weights(self._folder / WEIGHTS)
        write_json(self._folder / HISTORY, self.progress.history)

    def restore(self, progress: Progress) -> None:
        """Go back to the end of the last whole epoch, in memory and on disk."""
        self._trained.network.set_weights(progress.weights)
        self.write()


def run(options: Options) -> int:
    """Train, report, and leave the files; returns the exit code.

    Raises
    ------
    UserError
        If the data or an option cannot be used; nothing has been written then.
    """
    import tapegrad as tg

    model = MODELS[options.model]
    _check(options, model.architecture)
    samples = data.load(
        options.data,
        target=options.target,
        task=options.task,
        seed=options.seed,
        architecture=model.architecture,
    )
    name = Path(options.data).stem
    folder = checked_folder(options.out or f"runs/{name}-{options.model}")
    epochs = options.epochs or model.schedule.epochs(len(samples.x_train), options.batch_size)
    learning_rate = options.learning_rate or model.schedule.learning_rate

    tg.set_seed(options.seed)
    with tg.device(options.device):
        if options.device == "cpu":
            compile_kernels(model.architecture.kernels)
        trained = TrainedModel.for_samples(samples, options.model)
        optimizers = trained.architecture.compile(trained.network, learning_rate)
        print(_announcement(options, samples, trained, epochs))
        files = _EpochFiles(trained, optimizers, folder, learning_rate, epochs)
        snapshots = Snapshots(trained, epochs) if samples.task == "generation" else None
        interrupted = False
        try:
            trained.network.fit(
                samples.x_train,
                samples.y_train,
                batch_size=options.batch_size,
                epochs=epochs,
                validation_data=(samples.x_test, samples.y_test),
                callbacks=[files, *([snapshots] if snapshots else []), TrainingBar()],
                verbose=0,
            )
        except KeyboardInterrupt:
            if files.progress is None:
                print("\ninterrupted before the first epoch ended; nothing was written")
                return 130
            interrupted = True
            files.restore(files.progress)
            print(f"\ninterrupted; kept the model of epoch {files.progress.epochs}")
        assert files.progress is not None
        report.finish(options, samples, trained, files.progress, folder, snapshots)
    return 130 if interrupted else 0


def _check(options: Options, architecture: type[Architecture]) -> None:
    """Refuse options that do not go together, and a GPU that is not there."""
    if options.device not in architecture.devices:
        raise UserError(
            f"--device {options.device}: --model {options.model} can be trained on "
            f"{' or '.join(architecture.devices)} only so far"
        )
    if options.task is not None and architecture.unlabelled_task is not None:
        raise UserError(
            f"--task {options.task} says what labels mean; --model {options.model} learns from "
            "samples without labels"
        )
    if options.device == "cuda":
        from tapegrad_kernels import cuda

        try:
            cuda.require()
        except (ImportError, RuntimeError) as error:
            raise UserError(f"--device cuda: {error}") from error


def _announcement(
    options: Options, samples: data.Samples, trained: TrainedModel, epochs: int
) -> str:
    if samples.task == "classification":
        what = f"{len(samples.classes)} classes"
    elif samples.task == "regression":
        what = f"predicting {samples.target_name}"
    elif samples.target_name:
        what = f"{samples.target_name} left out as labels"
    else:
        what = "no labels needed"
    return (
        f"{options.data}: {len(samples.x_train)} training and {len(samples.x_test)} test samples, "
        f"{samples.x_train.shape[1]} features, {what}\n"
        f"{options.model}: {trained.network.count_params():,} parameters, {epochs} epochs on "
        f"{options.device}"
    )
