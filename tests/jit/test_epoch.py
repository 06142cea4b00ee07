"""Many steps in one native call."""

from __future__ import annotations

import weakref

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import layers
from tapegrad._jit.epoch import EpochProgram, Recording

RNG = np.random.default_rng(3)
X, Y = RNG.random((50, 6), dtype="float32"), RNG.integers(0, 3, 50)


def _training(optimizer):
    tg.set_seed(4)
    model = tg.Sequential(
        [layers.Dense(8, activation="tanh", input_dim=6), layers.Dropout(0.2), layers.Dense(3)]
    )
    loss = tg.losses.SparseCategoricalCrossentropy(from_logits=True)
    total = tg.Variable(np.zeros(()), trainable=False)

    def step(x, y):
        with tg.Tape() as tape:
            value = loss(y, model(x, training=True))
        optimizer.apply(tape.gradient(value, model.trainable_variables), model.trainable_variables)
        total.assign_add(value.astype("float64"))

    return model, total, step


@pytest.mark.parametrize("batch", [7, 10, 50])
def test_equals_single_steps(batch):
    orders = [RNG.permutation(50) for _ in range(3)]
    model, total, step = _training(tg.optimizers.Adam(0.01))
    for order in orders:
        for k in range(50 // batch):
            rows = order[k * batch : (k + 1) * batch]
            step(tg.tensor(X[rows]), tg.tensor(Y[rows]))
    expected = model.get_weights(), float(total)

    model, total, step = _training(tg.optimizers.Adam(0.01))
    program, position = None, 0
    while program is None:  # the first step makes the optimizer's Variables
        rows = orders[0][position * batch : (position + 1) * batch]
        if len(rows) < batch:
            orders, position = orders[1:], 0
            continue
        recording = Recording(step, [X[rows], Y[rows]])
        assert recording.failure is None
        position += 1
        if recording.trace is not None:
            program = EpochProgram(recording.trace)
    for order in orders:
        steps = 50 // batch
        half = (position + steps) // 2
        program.run([X, Y], order, position, half - position)
        program.run([X, Y], order, half, steps - half)
        position = 0
    for got, wanted in zip(model.get_weights(), expected[0], strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert float(total) == expected[1]


def test_epochs_with_a_shorter_last_batch():
    orders = np.stack([RNG.permutation(50) for _ in range(5)])
    parts = [slice(0, 20), slice(20, 40), slice(40, 50)]
    model, total, step = _training(tg.optimizers.Adam(0.01))
    for order in orders:
        for part in parts:
            step(tg.tensor(X[order[part]]), tg.tensor(Y[order[part]]))
    expected = model.get_weights(), float(total)

    model, total, step = _training(tg.optimizers.Adam(0.01))
    programs = {}
    for order in orders[:2]:
        for part in parts:
            recording = Recording(step, [X[order[part]], Y[order[part]]])
            if recording.trace is not None:
                program = EpochProgram(recording.trace)
                programs[program.batch_size] = program
    programs[20].run_epochs([X, Y], orders[2:4], programs[10])
    held = model.trainable_variables[0].value  # so that the Variable has to move
    programs[20].run_epochs([X, Y], orders[4:], programs[10])
    for got, wanted in zip(model.get_weights(), expected[0], strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert not np.array_equal(held.numpy(), expected[0][0])
    assert float(total) == expected[1]
    with pytest.raises(ValueError, match="EpochProgram"):
        programs[20].run_epochs([X, Y], orders + 1, programs[10])


@pytest.mark.parametrize("bad", [3, 45])
def test_epochs_end_at_the_step_that_fails(bad):
    """Be it one of the equal batches or the last one: with the error of the ordinary call."""
    table = np.zeros((3, 2), np.float32)
    total = tg.Variable(0.0)

    def step(labels):
        total.assign_add(1.0 + tg.ops.sum(tg.ops.take(table, labels, axis=0)))

    labels = np.arange(50) % 3
    programs = [EpochProgram(Recording(step, [labels[:size]]).trace) for size in (20, 10)]
    before = float(total)
    labels[bad] = 7
    order = np.stack([np.arange(50)] * 3)
    with pytest.raises(IndexError):
        programs[0].run_epochs([labels], order, programs[1])
    assert float(total) - before == (0 if bad < 20 else 2)
    labels[bad] = 0
    programs[0].run_epochs([labels], order, programs[1])
    assert float(total) - before == (0 if bad < 20 else 2) + 9


def test_arrays_are_not_kept():
    total = tg.Variable(0.0)
    programs = []
    for size in (20, 10):
        recording = Recording(lambda x: total.assign_add(x.sum()), [X[:size]])
        programs.append(EpochProgram(recording.trace))
    source, order = X.copy(), np.stack([np.arange(50)])
    references = weakref.ref(source), weakref.ref(order)
    programs[0].run([source], order[0], 0, 2)
    programs[0].run_epochs([source], order, programs[1])
    del source, order
    assert all(reference() is None for reference in references)


def test_refuses_what_would_read_outside():
    total = tg.Variable(0.0)
    recording = Recording(lambda x: total.assign_add(x.sum()), [X[:5]])
    program = EpochProgram(recording.trace)
    order = np.arange(50)
    for sources, ordered, first, count in [
        ([X.astype("float64")], order, 0, 1),
        ([X[:, :5]], order, 0, 1),
        ([X.T.copy().T], order, 0, 1),
        ([X], order.astype("int32"), 0, 1),
        ([X], order, 5, 6),
        ([X], order, -1, 1),
        ([X], order + 1, 0, 1),
        ([X[:20]], order, 0, 1),
    ]:
        with pytest.raises(ValueError, match="EpochProgram"):
            program.run(sources, ordered, first, count)
    program.run([X], order, 9, 1)
    np.testing.assert_allclose(float(total), X[:5].sum() + X[45:].sum(), rtol=1e-6)
