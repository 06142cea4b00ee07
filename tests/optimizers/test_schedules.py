"""Schedules as learning rates, warm-up, and what may go wrong."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad.optimizers import SGD, Adam, schedules

ALL = {
    "ExponentialDecay": {"initial_learning_rate": 0.1, "decay_steps": 5, "decay_rate": 0.5},
    "PiecewiseConstantDecay": {"boundaries": [2, 4], "values": [0.3, 0.2, 0.1]},
    "PolynomialDecay": {"initial_learning_rate": 0.1, "decay_steps": 5, "power": 2.0},
    "InverseTimeDecay": {"initial_learning_rate": 0.1, "decay_steps": 5, "decay_rate": 0.5},
    "CosineDecay": {"initial_learning_rate": 0.1, "decay_steps": 5, "alpha": 0.2},
    "CosineDecayRestarts": {"initial_learning_rate": 0.1, "first_decay_steps": 3},
    "OneCycle": {"max_learning_rate": 0.5, "total_steps": 20},
    "Warmup": {"target": 0.1, "warmup_steps": 5},
}


def steps_of(optimizer, count: int) -> list[float]:
    """Return how far each step with a gradient of 1 goes."""
    x = tg.Variable(np.zeros(()))
    gone = [0.0]
    for _ in range(count):
        optimizer.apply([tg.tensor(1.0)], [x])
        gone.append(-float(x))
    return np.diff(gone).tolist()


@pytest.mark.parametrize("name", ALL)
def test_a_schedule_is_the_learning_rate_of_each_step(name):
    schedule = getattr(schedules, name)(**ALL[name])
    optimizer = SGD(schedule)
    assert float(optimizer.learning_rate) == float(schedule(0))
    np.testing.assert_allclose(steps_of(optimizer, 6), schedule(np.arange(6)).numpy(), atol=1e-12)
    assert float(optimizer.learning_rate) == float(schedule(6))
    assert len(optimizer.variables) == 1  # the counter alone: the rate follows from it


@pytest.mark.parametrize("name", ALL)
def test_schedules_remember_how_they_were_made(name):
    schedule = getattr(schedules, name)(**ALL[name])
    again = schedules.deserialize(schedules.serialize(schedule))
    assert type(again) is type(schedule)
    grid = np.arange(20).reshape(4, 5)
    np.testing.assert_array_equal(again(grid).numpy(), schedule(grid).numpy())
    assert again(grid).shape == (4, 5)
    optimizer = Adam.from_config(Adam(schedule).get_config())
    assert float(optimizer.learning_rate) == float(schedule(0))


def test_values_within_a_recorded_step_follow_the_counter():
    # The rate is an effect on a Variable that reads the counter, not a number of the first step.
    optimizer = SGD(schedules.ExponentialDecay(1.0, 1, 0.5))
    x = tg.Variable(np.zeros(()))
    seen = []

    class Recorder:
        def record(self, operation, args, params, result):
            seen.append((operation, args, params))

    from tapegrad._core.state import thread

    optimizer.apply([tg.tensor(1.0)], [x])
    recorder = Recorder()
    thread.listeners = (*thread.listeners, recorder)
    try:
        optimizer.apply([tg.tensor(1.0)], [x])
    finally:
        thread.listeners = tuple(each for each in thread.listeners if each is not recorder)
    before = float(x)
    for operation, args, params in list(seen):
        operation(*args, **params)
    assert float(x) == before - 0.25
    assert int(optimizer.iterations) == 3


def test_schedules_of_the_users_own():
    class Mine(schedules.LearningRateSchedule):
        def __init__(self, initial):
            self.initial = initial

        def __call__(self, step):
            return self.initial / tg.ops.sqrt(step + 1)

    assert steps_of(SGD(Mine(1.0)), 3) == pytest.approx([1.0, 2**-0.5, 3**-0.5])
    rates = iter((0.5, 0.25, 0.125))
    assert steps_of(SGD(lambda: next(rates)), 3) == [0.5, 0.25, 0.125]
    assert steps_of(SGD(lambda step: 1.0 / (step + 1)), 3) == pytest.approx([1.0, 0.5, 1 / 3])


def test_assigning_learning_rates():
    optimizer = SGD(0.5)
    optimizer.learning_rate = schedules.Warmup(1.0, 4)
    assert steps_of(optimizer, 3) == pytest.approx([0.0, 0.25, 0.5])
    with pytest.raises(TypeError, match="follows a schedule, so no number can be assigned"):
        optimizer.learning_rate = 0.1
    assert isinstance(SGD.from_config(optimizer.get_config())._schedule, schedules.Warmup)


def test_schedules_count_steps_and_not_updates_when_gradients_accumulate():
    optimizer = SGD(schedules.PiecewiseConstantDecay([1, 3], [1.0, 0.1, 0.01]))
    assert steps_of(optimizer, 6) == pytest.approx([1.0, 1.0, 0.1, 0.1, 0.01, 0.01])
    optimizer = SGD(
        schedules.PiecewiseConstantDecay([1, 3], [1.0, 0.1, 0.01]), gradient_accumulation_steps=2
    )
    assert steps_of(optimizer, 6) == pytest.approx([0.0, 1.0, 0.0, 0.1, 0.0, 0.01])
    assert int(optimizer.iterations) == 3


def test_warmup_before_another_schedule():
    inner = schedules.CosineDecay(0.2, 10)
    schedule = schedules.Warmup(inner, 5, initial_learning_rate=0.1)
    np.testing.assert_allclose(schedule([0, 1, 5]).numpy(), [0.1, 0.12, 0.2])
    np.testing.assert_allclose(schedule([6, 10, 40]).numpy(), inner([1, 5, 35]).numpy())


def test_restarts_begin_at_the_whole_rate():
    for t_mul in (1.0, 1.3, 2.0, 3.0):
        schedule = schedules.CosineDecayRestarts(1.0, 10, t_mul=t_mul)
        start = 0.0
        for period in range(12):
            at = round(start, 9)
            if at == int(at):
                assert float(schedule(int(at))) == pytest.approx(1.0, abs=1e-6), (t_mul, period)
            start += 10 * t_mul**period


def test_wrong_arguments():
    for name in ("ExponentialDecay", "PolynomialDecay", "InverseTimeDecay", "CosineDecay"):
        with pytest.raises(ValueError, match=f"{name}: decay_steps must be above 0, but is 0"):
            getattr(schedules, name)(**{**ALL[name], "decay_steps": 0})
    with pytest.raises(ValueError, match="first_decay_steps must be above 0"):
        schedules.CosineDecayRestarts(0.1, -1)
    with pytest.raises(ValueError, match="t_mul must be at least 1"):
        schedules.CosineDecayRestarts(0.1, 5, t_mul=0.5)
    with pytest.raises(ValueError, match="2 boundaries and 2 values"):
        schedules.PiecewiseConstantDecay([1, 2], [0.1, 0.2])
    with pytest.raises(ValueError, match="boundaries must rise"):
        schedules.PiecewiseConstantDecay([2, 1], [0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="warmup_steps must be above 0"):
        schedules.Warmup(0.1, 0)
    with pytest.raises(TypeError, match="a number or a schedule, not str"):
        schedules.Warmup("fast", 3)
    with pytest.raises(ValueError, match="total_steps must be at least 2"):
        schedules.OneCycle(0.1, 1)
    with pytest.raises(ValueError, match="warmup_fraction must lie"):
        schedules.OneCycle(0.1, 10, 1.0)
    with pytest.raises(ValueError, match="anneal must be"):
        schedules.OneCycle(0.1, 10, anneal="steps")
    with pytest.raises(NotImplementedError, match="does not say what it gives"):
        schedules.LearningRateSchedule()(0)
