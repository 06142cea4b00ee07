"""Optimizer updates as rows of a program: the bits of the ordinary calls, and their errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from kernels.program.native import Native, assert_same_bits

from tapegrad.optimizers import schedules
from tapegrad_kernels import cpu

SIZES = (0, 1, 37, 70_001)
RATE, STEP = np.array(0.01), np.array(7)

# Name: number of slots, settings after the buffers, keywords.
UPDATES: dict[str, tuple[str, int, tuple[Any, ...], dict[str, Any]]] = {
    "sgd decay": ("sgd_update", 0, (None, RATE), {"weight_decay": 0.1}),
    "momentum": ("sgd_update", 1, (RATE, 0.9), {}),
    "nesterov": ("sgd_update", 1, (RATE, np.array(0.9, np.float32), True, 0.1), {}),
    "lion": ("lion_update", 1, (RATE, 0.9, 0.99, 0.1), {}),
    "adagrad": ("adagrad_update", 1, (RATE, 1e-7), {}),
    "adadelta": ("adadelta_update", 2, (RATE, 0.9, 1e-7, 0.1), {}),
    "rmsprop": ("rmsprop_update", 1, (None, None, RATE, 0.9, 1e-3), {}),
    "rmsprop momentum": ("rmsprop_update", 2, (None, RATE, 0.9, 1e-3, 0.5), {}),
    "rmsprop centered": ("rmsprop_update", 3, (RATE, 0.9, 1e-3, 0.5, 0.1), {}),
    "ftrl": ("ftrl_update", 2, (RATE,), {"l1": 0.01, "beta": 0.1}),
    "ftrl power": ("ftrl_update", 2, (RATE, -0.6, 0.01, 0.1, 0.2), {"weight_decay": 0.1}),
    "adam": ("adam_update", 2, (RATE, 0.9, 0.999, 1e-7, STEP), {}),
    "adam int step": ("adam_update", 2, (0.01, 0.9, 0.999, 1e-7, 3, None, 0.1), {}),
    "adam uint8 step": ("adam_update", 2, (RATE, 0.9, 0.999, 1e-7, STEP.astype(np.uint8)), {}),
    "nadam": ("nadam_update", 2, (RATE, 0.9, 0.999, 1e-7, STEP), {"weight_decay": 0.1}),
    "adamax": ("adamax_update", 2, (RATE, 0.9, 0.999, 1e-7, STEP, 0.1), {}),
    "ema": ("ema_update", 0, (0.9, STEP), {}),
}


def buffers(count: int, size: int, dtype: str) -> list[np.ndarray]:
    generator = np.random.default_rng(size)
    return [abs(generator.normal(size=size)).astype(dtype) for _ in range(count)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("case", UPDATES)
def test_updates(case, size, dtype):
    name, slots, settings, params = UPDATES[case]
    arrays = buffers(2 + slots, size, dtype)
    arrays[1] -= np.asarray(0.5, dtype)
    assert_same_bits(name, *arrays, *settings, **params)


def test_amsgrad():
    p, g, m, v, largest = buffers(5, 100, "float32")
    settings = RATE, 0.9, 0.999, 1e-7, STEP
    assert_same_bits("adam_update", p, g, m, v, *settings, largest)
    assert_same_bits("adam_update", p, g, m, v, *settings, largest, 0.1)


FORMULAS = {
    "adam_update": (2, lambda t: (RATE, 0.9, 0.999, 1e-7, t)),
    "nadam_update": (2, lambda t: (RATE, 0.9, 0.999, 1e-7, t)),
    "adamax_update": (2, lambda t: (RATE, 0.9, 0.999, 1e-7, t)),
    "ema_update": (0, lambda t: (0.9, t)),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_counters_are_read_when_the_rows_run(name):
    slots, settings = FORMULAS[name]
    step = np.array(0)
    arrays = buffers(2 + slots, 33, "float64")
    native = Native(name, (*arrays, *settings(step)), {}, None)
    counter = native.arguments[-1]
    for _ in range(1500):
        step += 1
        counter += 1
        getattr(cpu, name)(*arrays, *settings(step))
        assert native.run() == 0
    for wanted, got in zip(arrays, native.arguments):
        np.testing.assert_array_equal(got.view(np.int64), wanted.view(np.int64))


@pytest.mark.parametrize("name", FORMULAS)
def test_steps_below_one_set_the_status(name):
    slots, settings = FORMULAS[name]
    arrays = buffers(2 + slots, 8, "float32")
    native = Native(name, (*arrays, *settings(np.array(0))), {}, None)
    assert native.run() != 0
    for wanted, got in zip(arrays, native.arguments):
        np.testing.assert_array_equal(got, wanted)


def test_bounds():
    (g,) = buffers(1, 1000, "float32")
    g[3] = np.nan
    assert_same_bits("clip_by_value_update", g, -0.3, 0.4)
    assert_same_bits("clip_by_value_update", g, np.array(0.1), np.array(0.1, np.float32))
    assert Native("clip_by_value_update", (g, np.array(1.0), np.array(0.0)), {}, None).run() != 0
    assert Native("clip_by_value_update", (g, np.array(np.nan), 0.0), {}, None).run() != 0


def test_ftrl_rate_must_be_above_zero():
    arrays = buffers(4, 8, "float32")
    assert Native("ftrl_update", (*arrays, np.array(0.0)), {}, None).run() != 0


@pytest.mark.parametrize("target", ["float32", "float64"])
def test_gather(target):
    x = np.random.default_rng(0).normal(size=(6, 5))
    arrays = (x, x.T.astype(np.float32), np.array(3, np.float32), x[::2, 1:4], np.zeros((0, 4)))
    offsets = (0, 32, 64, 80, 96)
    assert_same_bits("gather_flat", np.zeros(100, target), *arrays, offsets=offsets)
    with pytest.raises(Exception, match="beyond"):
        Native("gather_flat", (np.zeros(10, target), x), {"offsets": (0,)}, None)


def test_counters():
    assert_same_bits("increment", np.array(41))
    for every, done in ((1, 0), (1, 5), (3, 0), (3, 2), (3, 3)):
        assert_same_bits("number_update", np.array(0), np.array(done), every=every)
    assert_same_bits("increment", np.array(2**64 - 1, np.uint64))
    assert_same_bits("increment", np.array(2**31))


@pytest.mark.parametrize("done", [3, 4])
def test_overwriting(done):
    p, values = np.zeros(70, "float32"), np.arange(70, dtype="float32")
    assert_same_bits("overwrite_update", p, values, np.array(done), every=2)
    assert p.any() == (done == 4)


SCHEDULES = [
    schedules.ExponentialDecay(0.1, 7, 0.9),
    schedules.ExponentialDecay(0.1, 7, 0.9, staircase=True),
    schedules.InverseTimeDecay(0.1, 7, 0.5),
    schedules.InverseTimeDecay(0.1, 7, 0.5, staircase=True),
    schedules.PolynomialDecay(0.1, 90, power=0.7),
    schedules.PolynomialDecay(0.1, 90, power=2.0, cycle=True),
    schedules.PiecewiseConstantDecay([10, 20.5, 90], [0.1, 0.2, 0.3, 0.4]),
    schedules.CosineDecay(0.1, 100, alpha=0.3),
    schedules.CosineDecay(0.1, 100, warmup_target=0.3, warmup_steps=9),
    schedules.CosineDecayRestarts(0.1, 17, alpha=0.1),
    schedules.CosineDecayRestarts(0.1, 17, t_mul=1.0, m_mul=0.8),
    schedules.CosineDecayRestarts(0.1, 10, t_mul=1.3, m_mul=0.8),
    schedules.OneCycle(0.1, 120),
    schedules.OneCycle(0.1, 120, anneal="linear"),
    schedules.Warmup(0.1, 7),
    schedules.Warmup(schedules.Warmup(schedules.CosineDecay(0.1, 50), 5, 0.01), 7, 0.02),
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: type(s).__name__)
def test_schedules(schedule):
    numbers, step, rate = schedule.kernel_numbers(), np.array(0), np.array(0.0)
    native = Native("schedule_update", (rate, step), {"schedule": numbers, "offset": -1}, None)
    for number in range(1, 400):
        native.arguments[1][()] = step[()] = number
        assert native.run() == 0
        cpu.schedule_update(rate, step, schedule=numbers, offset=-1)
        assert native.arguments[0] == rate == schedule.value(number - 1.0)


def test_rates_that_are_not_finite_set_the_status():
    params = {"schedule": schedules.InverseTimeDecay(1.0, 1, -1.0).kernel_numbers()}
    assert Native("schedule_update", (np.array(0.5), np.array(1)), params, None).run() != 0
    with pytest.raises(ValueError, match="after 1 steps is not finite"):
        cpu.schedule_update(np.array(0.5), 1, **params)
