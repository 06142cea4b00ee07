"""Twenty steps of every optimizer with every option, and all schedules, beside Keras's."""

from __future__ import annotations

import inspect
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
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

import tapegrad as tg
from tapegrad.optimizers import schedules

TOLERANCE = {"float32": 2e-4, "float64": 2e-6}


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    path = Path(__file__).parents[1] / "reference" / "optimizer_options_reference.npz"
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def assert_near(got: np.ndarray, expected: np.ndarray, dtype: str) -> None:
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE[dtype] * scale)


def make(name: str, option: str) -> tg.optimizers.Optimizer:
    class_name, arguments = OPTIMIZERS[name]
    arguments = {**arguments, **OPTIONS[option]}
    if option == "schedule":
        kind, settings = SCHEDULES["exponential"]
        settings = {**settings, "initial_learning_rate": arguments["learning_rate"]}
        arguments["learning_rate"] = getattr(schedules, kind)(**settings)
    optimizer = getattr(tg.optimizers, class_name)(**arguments)
    if option == "excluded":
        optimizer.exclude_from_weight_decay(var_names=["bias"])
    return optimizer


def make_variables(option: str, dtype: str) -> tuple[dict[str, tg.Variable], list[Any]]:
    start, gradients = starting_point(dtype)
    variables = {name: tg.Variable(value, name=name) for name, value in start.items()}
    if option == "constraint":
        for name in ("kernel", "filters"):
            variables[name].constraint = tg.constraints.NonNeg()
    return variables, gradients


def flat(values: Any) -> np.ndarray:
    return np.concatenate([np.ravel(value.numpy()) for value in values])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_twenty_steps(reference, name, option, dtype):
    optimizer = make(name, option)
    variables, gradients = make_variables(option, dtype)
    for number, step in enumerate(gradients, 1):
        given = [tg.tensor(gradient) for gradient in step.values()]
        with warnings.catch_warnings():
            if option == "missing" and number in MISSING_STEPS:
                warnings.filterwarnings("ignore", message="sgd|.*: no gradient for kernel")
                given[list(SHAPES).index("kernel")] = None
            optimizer.apply(given, list(variables.values()))
    expected = reference[f"{name}/{option}/{dtype}/variables"]
    assert all(variable.dtype == dtype for variable in variables.values())
    assert_near(flat(variables.values()), expected, dtype)
    if optimizer.use_ema:
        named = optimizer.named_variables()
        averages = [named[f"{number}/average"] for number in range(len(SHAPES))]
        assert_near(flat(averages), reference[f"{name}/{option}/{dtype}/averages"], dtype)
        optimizer.finalize_variable_values(list(variables.values()))
        np.testing.assert_array_equal(flat(variables.values()), flat(averages))


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(reference, name):
    kind, settings = SCHEDULES[name]
    schedule = getattr(schedules, kind)(**settings)
    expected = reference[f"schedules/{name}"]
    together = schedule(SCHEDULE_STEPS)
    np.testing.assert_allclose(together.numpy(), expected, rtol=1e-9, atol=1e-12)
    counter = tg.Variable(np.int64(17))
    for step in (17, np.int64(17), 17.0, counter, tg.tensor(17)):
        assert float(schedule(step)) == together.numpy()[17]
        assert schedule(step).shape == ()


@pytest.mark.parametrize("name", CYCLES)
def test_one_cycle_is_torchs(reference, name):
    settings = CYCLES[name]
    anneal = {"cos": "cosine", "linear": "linear"}[settings.get("anneal_strategy", "cos")]
    schedule = schedules.OneCycle(
        settings["max_lr"],
        settings["total_steps"],
        settings.get("pct_start", 0.3),
        settings.get("div_factor", 25.0),
        settings.get("final_div_factor", 1e4),
        anneal,
    )
    expected = reference[f"schedules/{name}"]
    np.testing.assert_allclose(schedule(np.arange(len(expected))).numpy(), expected, rtol=1e-9)
    assert float(schedule(10_000)) == pytest.approx(expected[-1], rel=1e-9)


def test_constructors_take_keras_arguments(reference):
    for name, expected in json.loads(str(reference["signatures"])).items():
        made = getattr(schedules, name, None) or getattr(tg.optimizers, name)
        parameters = list(inspect.signature(made.__init__).parameters.values())[1:]
        own = [
            [p.name, "required" if p.default is p.empty else p.default]
            for p in parameters
            if p.kind is p.POSITIONAL_OR_KEYWORD
        ]
        assert own == expected, name
