"""Twenty recorded steps of every optimizer with every option, bit for bit as ordinary ones."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from jitted import assert_same_steps
from optimizer_cases import MISSING_STEPS, OPTIMIZERS, OPTIONS, SCHEDULES, SHAPES, starting_point

import tapegrad as tg
from tapegrad.optimizers import schedules


def _optimizer(name: str, option: str) -> Any:
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


def _calls(option: str, dtype: str) -> list[tuple[Any, ...]]:
    calls = []
    for number, step in enumerate(starting_point(dtype)[1], 1):
        given: list[Any] = list(step.values())
        if option == "missing" and number in MISSING_STEPS:
            given[list(SHAPES).index("kernel")] = None
        calls.append(tuple(given))
    return calls


def _make(optimizer: Any, option: str, dtype: str) -> Any:
    variables = {name: tg.Variable(v, name=name) for name, v in starting_point(dtype)[0].items()}
    if option == "constraint":
        for name in ("kernel", "filters"):
            variables[name].constraint = tg.constraints.NonNeg()

    def step(*gradients: Any) -> Any:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*no gradient for kernel")
            optimizer.apply(list(gradients), list(variables.values()))

    return step, lambda: [*variables.values(), *optimizer.variables]


# Whether such a step changes parameters depends on its number, which Python looks at.
EAGER = ("accumulation", "all")


@pytest.mark.parametrize("option", EAGER)
def test_steps_that_run_eagerly(option: str):
    step, _ = _make(_optimizer("adam", option), option, "float32")
    jitted = tg.jit(step)
    first, second, *others = _calls(option, "float32")
    jitted(*map(tg.tensor, first))  # makes Variables
    with pytest.warns(RuntimeWarning, match="Python read the value of a tensor"):
        jitted(*map(tg.tensor, second))
    for call in others:
        jitted(*map(tg.tensor, call))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("option", [option for option in OPTIONS if option not in EAGER])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_twenty_steps(name: str, option: str, dtype: str):
    assert_same_steps(lambda: _make(_optimizer(name, option), option, dtype), _calls(option, dtype))


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(name: str):
    kind, settings = SCHEDULES[name]

    def make() -> Any:
        rate = getattr(schedules, kind)(**settings)
        return _make(tg.optimizers.SGD(rate, momentum=0.5), "plain", "float32")

    assert_same_steps(make, _calls("plain", "float32"))


def test_a_rate_that_is_assigned_between_steps():
    calls = _calls("plain", "float32")

    def make() -> Any:
        optimizer = tg.optimizers.Adam(0.1)
        step, state = _make(optimizer, "plain", "float32")
        return step, state, optimizer

    found = []
    for wrap in (lambda f: f, tg.jit):
        step, state, optimizer = make()
        step = wrap(step)
        for number, call in enumerate(calls):
            if number % 5 == 4:
                optimizer.learning_rate = 0.1 / number
            step(*map(tg.tensor, call))
        found.append([value.numpy() for value in state()])
    for eager, jitted in zip(*found, strict=True):
        np.testing.assert_array_equal(eager, jitted)
