"""Optimizer updates as effects on Variables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import ops
from tapegrad._core.primitive import Effect
from tapegrad.ops import _update

OFFSETS, SHAPES = (0, 6), ((2, 3), (2,))
RATE, STEP = tg.Variable(np.float64(0.1)), tg.Variable(np.int64(1))

# What stands after parameters and gradients: slots as their first value, then settings.
CASES: dict[str, tuple[Any, ...]] = {
    "sgd_update": (0.0, "|", RATE, 0.9),
    "lion_update": (0.0, "|", RATE, 0.9, 0.99),
    "adagrad_update": (0.1, "|", RATE, 1e-7),
    "adadelta_update": (0.0, 0.0, "|", RATE, 0.9, 1e-7),
    "rmsprop_update": (0.0, 0.0, 0.0, "|", RATE, 0.9, 1e-3, 0.5),
    "ftrl_update": (0.1, 0.0, "|", RATE),
    "adam_update": (0.0, 0.0, "|", RATE, 0.9, 0.99, 1e-7, STEP),
    "nadam_update": (0.0, 0.0, "|", RATE, 0.9, 0.99, 1e-7, STEP),
    "adamax_update": (0.0, 0.0, "|", RATE, 0.9, 0.99, 1e-7, STEP),
    "lamb_update": (0.0, 0.0, "|", RATE, 0.9, 0.99, 1e-7, STEP),
    "muon_update": (0.0, "|", RATE),
    "adafactor_update": ("statistics", "|", RATE, -0.8, 1e-30, 1e-3, 1.0, STEP),
}
PARAMS: dict[str, dict[str, Any]] = {
    "lamb_update": {"offsets": OFFSETS},
    "adafactor_update": {"offsets": OFFSETS, "shapes": SHAPES},
    "muon_update": {"offsets": (0, 6), "shapes": ((2, 3), (1, 2))},
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", list(CASES))
def test_writes_every_buffer_and_keeps_what_others_hold(name: str, dtype: str):
    split = CASES[name].index("|")
    slots = []
    for first in CASES[name][:split]:
        size = ops.adafactor_statistics(SHAPES) if first == "statistics" else 8
        value = 0.0 if first == "statistics" else first
        slots.append(tg.Variable(np.full(size, value, dtype), trainable=False))
    parameters = tg.Variable(np.linspace(-1, 1, 8).astype(dtype))
    gradients = tg.Variable(np.linspace(0.5, -2, 8).astype(dtype), trainable=False)
    before, held = parameters.numpy(), parameters.value
    old_slots = [slot.numpy() for slot in slots]
    effect = getattr(ops, name)
    effect(parameters, gradients, *slots, *CASES[name][split + 1 :], **PARAMS.get(name, {}))
    assert (parameters.numpy() != before).all()
    np.testing.assert_array_equal(held.numpy(), before)
    for slot, old in zip(slots, old_slots, strict=True):
        assert (slot.numpy() != old).any()
        assert slot.dtype == dtype
    # Against the direction of the gradient, where nothing else can turn it.
    if name not in ("ftrl_update", "muon_update"):
        assert (np.sign(before - parameters.numpy()) == np.sign(gradients.numpy())).all()


def test_amsgrad_and_the_helpers_write_their_variables():
    p, g, m, v, top = (tg.Variable(np.full(4, x)) for x in (1.0, 4.0, 0.0, 0.0, 0.0))
    ops.adam_update(p, g, m, v, 0.1, 0.9, 0.99, 1e-7, 1, top, 0.5)
    np.testing.assert_array_equal(top.numpy(), v.numpy())
    np.testing.assert_allclose(p.numpy(), 1 - 0.05 - 0.1, rtol=1e-6)
    ops.clip_by_value_update(g, -1.0, 1.0)
    np.testing.assert_array_equal(g.numpy(), np.ones(4))
    ops.clip_by_global_norm_update(g, 1.0)
    np.testing.assert_allclose(g.numpy(), 0.5)
    ops.scale_update(g, 4.0)
    ops.clip_by_norm_update(g, 1.0, offsets=(0, 3))
    np.testing.assert_allclose(g.numpy(), [3**-0.5] * 3 + [1.0])
    ops.weight_decay_update(g, 0.5, 0.5, offsets=(0, 3), decayed=(False, True))
    np.testing.assert_allclose(g.numpy(), [3**-0.5] * 3 + [0.75])
    ops.ema_update(m, g, 0.9, 1)
    np.testing.assert_array_equal(m.numpy(), g.numpy())
    assert float(ops.global_norm(tg.tensor([3.0, 4.0]))) == 5.0


def test_counters_rates_and_what_follows_them():
    done, count = tg.Variable(np.int64(6)), tg.Variable(np.int64(0))
    held = done.value
    ops.increment(done)
    ops.number_update(count, done, every=3)
    assert (int(held), int(done), int(count)) == (6, 7, 3)
    rate = tg.Variable(np.float64(0.0))
    schedule = tg.optimizers.schedules.ExponentialDecay(0.5, 2, 0.5)
    ops.schedule_update(rate, count, schedule=schedule.kernel_numbers(), offset=-1)
    assert float(rate) == 0.25
    parameters, means = tg.Variable(np.zeros(2)), tg.Variable(np.ones(2))
    ops.overwrite_update(parameters, means, count, every=2)
    assert not parameters.numpy().any()
    ops.overwrite_update(parameters, means, count, every=3)
    np.testing.assert_array_equal(parameters.numpy(), means.numpy())


def test_derivative_of_norms_at_zero():
    zero = tg.tensor(np.zeros(3))
    np.testing.assert_array_equal(tg.grad(ops.global_norm)(zero).numpy(), np.zeros(3))
    gradient = tg.grad(lambda x: ops.variable_norms(x, (0, 1)).sum())(zero)
    np.testing.assert_array_equal(gradient.numpy(), np.zeros(3))


def test_every_update_is_tested_here():
    tested = set(CASES) | {
        "clip_by_value_update",
        "clip_by_norm_update",
        "clip_by_global_norm_update",
        "scale_update",
        "weight_decay_update",
        "ema_update",
        "increment",
        "number_update",
        "overwrite_update",
        "schedule_update",
    }
    assert tested == {name for name, e in vars(_update).items() if isinstance(e, Effect)}
