"""All that a run of training depends on, so that it can go on in another process, bit by bit.

A run is a function of its weights, the optimizers' variables, the generators' states, the place in
the data, the counts of the metrics, and what callbacks remember. Steps are computed with the same
bits wherever they run, so a run whose state was restored ends as one that was never broken off.
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from tapegrad import optimizers, random
from tapegrad._core.variable import Variable
from tapegrad.training.backup_file import read_backup, write_backup

if TYPE_CHECKING:
    from tapegrad.training.run import Run

__all__ = ["SavedRun", "read_run", "write_run"]

_KIND = "backup of a training run"
_VERSION = 1


def write_run(path: str | os.PathLike[str], run: Run, epoch: int, batch: int) -> None:
    """Write the state of a run to a file.

    Parameters
    ----------
    path
        The file; it is replaced in one step, so there is a whole one at every moment.
    run
        The run.
    epoch
        The epoch in progress, or the next one, from 0.
    batch
        How many of its batches are done.
    """
    write_backup(path, _collect(run, epoch, batch), _KIND)


def read_run(path: str | os.PathLike[str], run: Run) -> SavedRun:
    """Return a state from a file, after checks that it fits the run; nothing is changed.

    Raises
    ------
    ValueError
        If the file is damaged or belongs to a run of another model.
    """
    name = os.fspath(path)
    values = read_backup(path, _KIND)
    try:
        if values["version"] != _VERSION:
            raise ValueError(
                f"{name} is of version {values['version']} of its format, expected {_VERSION}."
            )
        saved = SavedRun(values, name)
        saved.check(run)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(
            f"{name} is no backup of this run: {type(error).__name__}: {error}."
        ) from error
    return saved


def _collect(run: Run, epoch: int, batch: int) -> dict[str, Any]:
    model = run.model
    return {
        "version": _VERSION,
        "epoch": epoch,
        "batch": batch,
        "logs": dict(run.logs),
        "stop_training": bool(model.stop_training),
        "weights": {name: variable.numpy() for name, variable in model.named_weights().items()},
        "optimizers": {
            name: _optimizer_state(optimizer, model)
            for name, optimizer in _optimizers(model).items()
        },
        "generators": [_generator_state(generator) for generator in _generators(model)],
        "carried": [layer.carried_states() for layer in _stateful_layers(model)],
        "metrics": [[metric.name, metric.get_state()] for metric in _metrics(model)],
        "callbacks": [[kind, callback.get_state()] for kind, callback in _callbacks(run)],
        "batches": run.data.batches,
        "data": run.data.state(),
        "validation": None if run.validation is None else run.validation.state(),
    }


class SavedRun:
    """A state that was read from a file.

    Attributes
    ----------
    epoch, batch : int
        The epoch in progress, and how many of its batches were done.
    logs : dict
        The values after the last of them.
    """

    def __init__(self, values: dict[str, Any], source: str) -> None:
        self.epoch = int(values["epoch"])
        self.batch = int(values["batch"])
        self.logs: dict[str, Any] = values["logs"]
        self._values = values
        self._source = source

    def check(self, run: Run) -> None:
        """Raise ValueError if the state does not fit a run."""
        values, model = self._values, run.model
        self._assignment(run)
        own = _optimizers(model)
        if set(own) != set(values["optimizers"]):
            raise self._misfit(
                f"it has the optimizers {sorted(values['optimizers'])}, the model {sorted(own)}"
            )
        for name, optimizer in own.items():
            self._check_optimizer(name, optimizer, model)
        names = [metric.name for metric in _metrics(model)]
        saved = [name for name, _ in values["metrics"]]
        if names != saved:
            raise self._misfit(f"it has the metrics {saved}, the model {names}")
        if len(values["generators"]) != len(_generators(model)):
            raise self._misfit("its layers draw from other generators")
        if len(values["carried"]) != len(_stateful_layers(model)):
            raise self._misfit("other layers of it are stateful")
        if values["batches"] != run.data.batches:
            warnings.warn(
                f"{self._source} is of a run with {values['batches']} batches an epoch, but there "
                f"are {run.data.batches} now: the run goes on with other data.",
                stacklevel=5,
            )

    def apply(self, run: Run) -> None:
        """Bring a run into this state."""
        values, model = self._values, run.model
        self._assignment(run).apply()
        for name, optimizer in _optimizers(model).items():
            optimizer.set_state(values["optimizers"][name]["values"])
        for layer, states in zip(_stateful_layers(model), values["carried"]):
            layer.set_carried_states(states)
        for metric, (_, state) in zip(_metrics(model), values["metrics"]):
            metric.set_state(state)
        run.data.set_state(values["data"])
        if run.validation is not None and values["validation"] is not None:
            run.validation.set_state(values["validation"])
        left = list(values["callbacks"])
        for kind, callback in _callbacks(run):
            place = next((at for at, entry in enumerate(left) if entry[0] == kind), None)
            if place is not None:
                callback.set_state(left.pop(place)[1])
        model.stop_training = values["stop_training"]
        # Last, because finding the place in the data may have drawn.
        for generator, state in zip(_generators(model), values["generators"]):
            generator.seed.assign(np.uint64(state["seed"]))
            generator.stream.assign(np.uint64(state["stream"]))

    def _assignment(self, run: Run) -> Any:
        from tapegrad.saving.assignment import Assignment

        assignment = Assignment(self._source)
        assignment.add_named(run.model.named_weights(), self._values["weights"])
        return assignment

    def _check_optimizer(self, name: str, optimizer: Any, model: Any) -> None:
        state = self._values["optimizers"][name]
        optimizer.build(_named(model, state["variables"]))  # makes its slots, which are zero
        if _optimizer_state(optimizer, model)["variables"] != state["variables"]:
            raise self._misfit(f"{optimizer.name} was built for other weights, or in another order")
        own, saved = optimizer.named_variables(), state["values"]
        for key in sorted(set(own) | set(saved)):
            if key not in own:
                raise self._misfit(f"its optimizer has {key!r}, which {optimizer.name} lacks")
            if key not in saved:
                raise self._misfit(f"its optimizer lacks {key!r} of {optimizer.name}")
            if own[key].shape != saved[key].shape:
                raise self._misfit(
                    f"{key!r} of its optimizer has shape {saved[key].shape}, that of "
                    f"{optimizer.name} has {own[key].shape}"
                )

    def _misfit(self, reason: str) -> ValueError:
        return ValueError(f"{self._source} does not fit the model: {reason}.")


# ---- what there is to save -------------------------------------------------------------


def _optimizers(model: Any) -> dict[str, Any]:
    """Return the optimizer that was compiled, and those in attributes, by their names there."""
    return {
        name: value
        for name, value in sorted(vars(model).items())
        if isinstance(value, optimizers.Optimizer)
    }


def _optimizer_state(optimizer: Any, model: Any) -> dict[str, Any]:
    groups = optimizer._groups
    variables: list[Variable] = [] if groups is None else groups.variables
    names = {id(variable): name for name, variable in model.named_weights().items()}
    return {
        "variables": [names[id(variable)] for variable in variables],
        "values": optimizer.get_state(),
    }


def _named(model: Any, names: list[str]) -> list[Variable]:
    weights = model.named_weights()
    return [weights[name] for name in names]


def _generators(model: Any) -> list[random.Generator]:
    """Return tapegrad's generator and those of the layers."""
    return [random.get_generator(), *model._generators()]


def _generator_state(generator: random.Generator) -> dict[str, int]:
    return {"seed": int(generator.seed), "stream": int(generator.stream)}


def _stateful_layers(model: Any) -> list[Any]:
    """Return the layers that carry states, which are no weights, from batch to batch."""
    return [layer for layer in model._all_layers() if hasattr(layer, "carried_states")]


def _metrics(model: Any) -> list[Any]:
    """Return all metrics, also those that a model which overwrites `metrics` leaves out."""
    found = [*model.metrics]
    if model.compiled:
        found += [model._loss_tracker, *model._compiled_metrics.metrics]
    return list({id(metric): metric for metric in [*found, *model._lists().metrics]}.values())


def _callbacks(run: Run) -> list[tuple[str, Any]]:
    """Return the callbacks that have a state, by the names of their classes."""
    return [
        (type(callback).__name__, callback)
        for callback in run.callbacks.callbacks
        if hasattr(callback, "get_state") and not getattr(callback, "saves_run", False)
    ]
