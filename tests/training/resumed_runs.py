"""Trains in processes that are killed, for tests of exact resuming; run as a script.

``python resumed_runs.py FOLDER SCENARIO SEED`` trains once undisturbed, and once in processes that
are killed by SIGKILL again and again, at steps and in the middle of writing, drawn from the seed.
It prints how many kills there were, and ends with an error unless both ended the same, bit by bit.
Children are forked from a process that has imported everything but computed nothing.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np

import tapegrad as tg
from tapegrad import callbacks, layers
from tapegrad.utils import files

SAMPLES, BATCH, EPOCHS = 44, 6, 8


def kill_self() -> None:
    """Die without a chance to tidy up."""
    os.kill(os.getpid(), signal.SIGKILL)


class KillAtStep(callbacks.Callback):
    """Kills the process after so many batches, before or after later callbacks see the last."""

    def __init__(self, steps: int, late: bool) -> None:
        super().__init__()
        self.steps = steps
        self.late = late

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.steps -= 1
        if self.steps == 0 and not self.late:
            kill_self()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self.steps <= 0:
            kill_self()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.steps <= 0:
            kill_self()


def kill_in_write(count: int, after: bool) -> None:
    """Have the process killed in its n-th write: at half of it, or before it has its name."""
    left = [count]
    replace, write = files.os.replace, Path.write_bytes

    def half(self: Path, data: bytes) -> int:
        left[0] -= 1
        if left[0] == 0 and not after:
            write(self, data[: len(data) // 2])
            kill_self()
        return write(self, data)

    def moved(source: Any, target: Any) -> None:
        if left[0] == 0:
            kill_self()
        replace(source, target)

    Path.write_bytes = half  # type: ignore[method-assign]
    files.os.replace = moved  # type: ignore[attr-defined]


def data() -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and class numbers."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(SAMPLES, 5)).astype(np.float32)
    return x, (x[:, 0] + 0.3 * generator.normal(size=SAMPLES) > 0).astype(np.int64)


def network() -> Any:
    """Return a network that draws from tapegrad's generator and from one of its own."""
    return tg.Sequential(
        [
            tg.Input((5,)),
            layers.Dense(8, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(6, activation="tanh"),
            layers.Dropout(0.2, seed=5),
            layers.Dense(2, activation="softmax"),
        ]
    )


def arrays(model: Any) -> dict[str, Any]:
    """Shuffled arrays, a learning rate that decays by step, early stopping with best weights."""
    schedule = tg.optimizers.schedules.ExponentialDecay(0.02, 10, 0.9)
    optimizer = tg.optimizers.Adam(schedule)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = data()
    stopping = callbacks.EarlyStopping("val_loss", patience=4, restore_best_weights=True)
    return {"x": x, "y": y, "batch_size": BATCH, "validation_split": 0.25, "callbacks": [stopping]}


def pipeline(model: Any) -> dict[str, Any]:
    """A pipeline that shuffles, a rate that is lowered when the loss stays, running means."""
    optimizer = tg.optimizers.AdamW(0.02, use_ema=True, ema_overwrite_frequency=7)
    model.compile(optimizer, "sparse_categorical_crossentropy", weighted_metrics=["accuracy"])
    x, y = data()
    whole = tg.data.Dataset.from_tensor_slices((x, y))
    lowering = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=0.2)
    return {
        "x": whole.shuffle(16).batch(BATCH).prefetch(2),
        "validation_data": whole.batch(10),
        "callbacks": [lowering],
    }


def generator(model: Any) -> dict[str, Any]:
    """A generator whose epochs are shorter than a pass, in batches of its own."""
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])

    def batches() -> Any:
        x, y = data()
        numbers = np.random.default_rng(4)
        while True:
            chosen = numbers.integers(0, SAMPLES, BATCH)
            yield x[chosen], y[chosen]

    scheduler = callbacks.LearningRateScheduler(lambda epoch, rate: 0.9 * rate)
    return {"x": batches(), "steps_per_epoch": 7, "callbacks": [scheduler]}


SCENARIOS = {"arrays": arrays, "pipeline": pipeline, "generator": generator}


def train(scenario: str, backup: Path | None, result: Path, kill: Any, frequency: Any) -> None:
    """Train as far as a kill lets it, and write weights and history at the end."""
    tg.set_seed(3)
    model = network()
    arguments = SCENARIOS[scenario](model)
    if backup is not None:
        saving = callbacks.BackupAndRestore(
            backup, save_freq=frequency, double_checkpoint=scenario == "arrays"
        )
        arguments["callbacks"].insert(0, saving)
    if kill is not None and kill["kind"] == "step":
        arguments["callbacks"].append(KillAtStep(kill["count"], kill["late"]))
    elif kill is not None:
        kill_in_write(kill["count"], kill["late"])
    history = model.fit(**arguments, epochs=EPOCHS, verbose=0)
    found = {f"weight {i}": array for i, array in enumerate(model.get_weights())}
    found |= {f"optimizer {k}": v for k, v in model.optimizer.get_state().items()}
    found["next draw"] = tg.random.uniform((3,)).numpy()
    text = json.dumps([history.history, history.epoch])
    np.savez(result.with_suffix(".npz"), **found)
    result.write_text(text)


def in_child(*arguments: Any) -> bool:
    """Train in a forked process; return whether it was killed."""
    child = os.fork()
    if child == 0:
        try:
            train(*arguments)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return True
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"a process failed: {status}")
    return False


def main(folder: Path, scenario: str, seed: int, kills: int) -> None:
    """Compare an undisturbed run with one that is killed."""
    in_child(scenario, None, folder / "whole", None, None)
    draws = random.Random(seed)
    frequency = draws.choice([1, 2, 3, 4, 5])
    killed = 0
    while killed < kills:
        kind = draws.choice(["step", "step", "write"])
        count = draws.randint(1, 9) if kind == "step" else draws.randint(1, 3)
        kill = {"kind": kind, "count": count, "late": draws.random() < 0.5}
        if not in_child(scenario, folder / "backup", folder / "resumed", kill, frequency):
            break
        killed += 1
        frequency = draws.choice([1, 2, 3, 4, 5, "epoch"])
    else:
        in_child(scenario, folder / "backup", folder / "resumed", None, frequency)
    assert not (folder / "backup").exists(), "the backup was not deleted"
    assert (folder / "whole").read_text() == (folder / "resumed").read_text(), "histories differ"
    whole, resumed = (np.load(folder / f"{name}.npz") for name in ("whole", "resumed"))
    for name in whole:
        assert whole[name].tobytes() == resumed[name].tobytes(), f"{name} differs"
    print(killed)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
