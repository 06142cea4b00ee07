"""Write what Keras 3's optimizers do with all their options, and its schedules, to compare with.

``KERAS_BACKEND=torch python tests/reference/make_optimizer_options_reference.py`` needs Keras 3 and
PyTorch and writes ``optimizer_options_reference.npz`` beside this file; the tests need neither.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from optimizer_cases import (
    CYCLES,
    MISSING_STEPS,
    OPTIMIZERS,
    OPTIONS,
    SCHEDULE_STEPS,
    SCHEDULES,
    SHAPES,
    starting_point,
)


def trajectory(optimizer_name: str, option: str, dtype: str) -> dict[str, np.ndarray]:
    """Return the variables after all steps, and their running means if there are any."""
    import keras

    keras.config.set_floatx(dtype)
    class_name, arguments = OPTIMIZERS[optimizer_name]
    arguments = {**arguments, **OPTIONS[option]}
    if option == "schedule":
        kind, settings = SCHEDULES["exponential"]
        settings = {**settings, "initial_learning_rate": arguments["learning_rate"]}
        arguments["learning_rate"] = getattr(keras.optimizers.schedules, kind)(**settings)
    optimizer = getattr(keras.optimizers, class_name)(**arguments)
    if option == "excluded":
        optimizer.exclude_from_weight_decay(var_names=["bias"])
    start, gradients = starting_point(dtype)
    variables = [keras.Variable(v, dtype=dtype, name=name) for name, v in start.items()]
    if option == "constraint":
        for variable in variables:
            if variable.name in ("kernel", "filters"):
                variable.constraint = keras.constraints.NonNeg()
    optimizer.build(variables)
    for number, step in enumerate(gradients, 1):
        given: list[Any] = [keras.ops.convert_to_tensor(g) for g in step.values()]
        if option == "missing" and number in MISSING_STEPS:
            given[list(SHAPES).index("kernel")] = None
        optimizer.apply(given, variables)

    def flat(values: list[Any]) -> np.ndarray:
        return np.concatenate([np.ravel(keras.ops.convert_to_numpy(v)) for v in values])

    found = {"variables": flat(variables)}
    if optimizer.use_ema:
        found["averages"] = flat(optimizer._model_variables_moving_average)
    assert all(value.dtype == dtype for value in found.values())
    return found


def schedule_values() -> dict[str, np.ndarray]:
    """Return what each schedule gives for `SCHEDULE_STEPS`."""
    import keras
    import torch

    keras.config.set_floatx("float64")
    found = {}
    for name, (kind, settings) in SCHEDULES.items():
        schedule = getattr(keras.optimizers.schedules, kind)(**settings)
        found[name] = np.array([float(schedule(int(step))) for step in SCHEDULE_STEPS])
    for name, settings in CYCLES.items():
        parameter = torch.nn.Parameter(torch.zeros(1))
        optimizer = torch.optim.SGD([parameter], lr=1.0)
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, cycle_momentum=False, **settings)
        values = []
        for _ in range(settings["total_steps"]):
            values.append(cycle.get_last_lr()[0])
            optimizer.step()
            if len(values) < settings["total_steps"]:
                cycle.step()
        found[name] = np.array(values)
    return found


def signatures() -> dict[str, list[list[Any]]]:
    """Return names and defaults of the constructors' arguments."""
    import keras

    classes = {getattr(keras.optimizers, name) for name, _ in OPTIMIZERS.values()}
    classes |= {getattr(keras.optimizers.schedules, name) for name, _ in SCHEDULES.values()}
    found: dict[str, list[list[Any]]] = {}
    for each in sorted(classes, key=lambda each: each.__name__):
        parameters = list(inspect.signature(each.__init__).parameters.values())[1:]
        found[each.__name__] = [
            [p.name, "required" if p.default is p.empty else p.default]
            for p in parameters
            if p.kind is p.POSITIONAL_OR_KEYWORD
        ]
    return found


def main() -> None:
    """Write the file."""
    import warnings

    warnings.filterwarnings("ignore", message="Gradients do not exist")
    found = {f"schedules/{name}": values for name, values in schedule_values().items()}
    found["signatures"] = np.array(json.dumps(signatures()))
    for name in OPTIMIZERS:
        for option in OPTIONS:
            for dtype in ("float32", "float64"):
                for part, value in trajectory(name, option, dtype).items():
                    found[f"{name}/{option}/{dtype}/{part}"] = value
    path = Path(__file__).parent / "optimizer_options_reference.npz"
    np.savez_compressed(path, **found)
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    os.environ.setdefault("KERAS_BACKEND", "torch")
    main()
