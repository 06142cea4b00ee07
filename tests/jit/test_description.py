"""Programs in words: what users see of them."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import layers
from tapegrad._jit.names import Names, bytes_text, place_of

RNG = np.random.default_rng(5)


def training_step(model, loss, optimizer):
    def step(x, y):
        with tg.Tape() as tape:
            value = loss(y, model(x, training=True))
        weights = model.trainable_variables
        optimizer.apply(tape.gradient(value, weights), weights)
        return value

    return tg.jit(step)


def dense_program():
    model = tg.Sequential(
        [
            layers.Input((6,)),
            layers.Dense(8, "relu", name="first"),
            layers.BatchNormalization(name="normalized"),
            layers.Dense(3, name="second"),
        ]
    )
    loss = tg.losses.SparseCategoricalCrossentropy(from_logits=True)
    step = training_step(model, loss, tg.optimizers.Adam(0.01))
    x, y = RNG.random((4, 6), dtype="float32"), RNG.integers(0, 3, 4)
    return step.program(x, y), (x, y)


def test_names_tell_weights_and_slots_apart():
    text = dense_program()[0].describe()
    for name in (
        "first/kernel",
        "first/bias",
        "second/kernel",
        "normalized/moving_variance",
        "gradients",
        "momentum",
        "velocity",
        "learning_rate",
        "input 1",
    ):
        assert name in text, name
    assert "→ velocity" in text
    assert "dense + relu" in text


def test_names_are_unique():
    model = tg.Sequential(
        [layers.Input((4,)), layers.Dense(4, name="same"), layers.Dense(4, name="other")]
    )
    for layer in model.layers:
        layer.kernel.path = "same/kernel"
    program = tg.jit(lambda x: model(x)).program(np.ones((2, 4), "float32"))
    text = program.describe()
    assert "same/kernel," in text
    assert "same/kernel (2)," in text


def test_results_have_the_numbers_of_their_operations():
    program = dense_program()[0]
    names = Names(program.plan)
    for number, step in enumerate(program.steps):
        results = step.operation.results
        if len(results) == 1:
            assert names.of(results[0]) == f"%{number}"
        for position, value in enumerate(results if len(results) > 1 else ()):
            assert names.of(value) == f"%{number}.{position}"
    # Every name that is read has been given by an operation before.
    for number, step in enumerate(program.steps):
        for text, _ in names.reads(step.operation):
            made = re.match(r"%(\d+)", text)
            assert made is None or int(made[1]) < number


def test_views_are_called_as_what_they_show():
    w = tg.Variable(np.ones((3, 4), "float32"), name="w")
    program = tg.jit(lambda x: (x @ w.T).reshape(-1) @ tg.tensor(np.ones(6, "float32"))).program(
        np.ones((2, 4), "float32")
    )
    text = program.describe()
    assert "wᵀ" in text
    assert "%0, constant 0" in text
    twice = tg.jit(lambda x: tg.ops.matmul(x, w.T.T)).program(np.ones((2, 3), "float32"))
    assert "wᵀ" not in twice.describe()


def test_bytes_and_places():
    program = dense_program()[0]
    plan, names = program.plan, Names(program.plan)
    found = {}
    for step in program.steps:
        for value in step.operation.results:
            found.setdefault(place_of(plan, names, value), []).append(value)
    assert [value.shape for value in found.pop("output")] == [()]
    shapes = sorted(value.shape for value in found.pop("gradients"))
    assert shapes == sorted([(6, 8), (8,), (8,), (8,), (8, 3), (3,)])
    for offset, values in found.items():
        assert all(int(offset) + value.nbytes <= program.arena_bytes for value in values)
    assert f"arena of temporaries {bytes_text(program.arena_bytes)}" in program.describe()
    assert (bytes_text(999), bytes_text(16384), bytes_text(2_768_896)) == (
        "999 B",
        "16.4 kB",
        "2.8 MB",
    )


def test_outputs_in_donated_memory():
    sums = tg.jit(lambda a, b: (tg.ops.cumsum(a), tg.ops.sort(b)), donate_argnums=1)
    program = sums.program(tg.tensor(np.ones(5)), tg.tensor(np.ones(5)))
    results = [value for step in program.steps for value in step.operation.results]
    names = Names(program.plan)
    assert {place_of(program.plan, names, value) for value in results} >= {"output", "input 1"}


def test_variables_are_counted_once():
    # Weights lie in the optimizer's buffer: 6·8 + 8 + 8 + 8 + 8·3 + 3 numbers, each segment padded
    # to 16, four times (with the gradients and two slots), and what else the step reads.
    padded = 48 + 16 + 16 + 16 + 32 + 16
    apart = 8 + 8 + 2 + 2  # moving mean and variance; iteration and rate are of eight bytes
    assert f"in {bytes_text(4 * (4 * padded + apart))}" in dense_program()[0].describe()


def test_what_runs_in_python_is_marked():
    @tg.primitive
    def described_by_hand(x):
        return np.sort(x)[::-1].copy()

    program = tg.jit(lambda x: described_by_hand(x * 2.0) + 1.0).program(np.ones(5))
    lines = program.describe().splitlines()
    assert lines[0].startswith("3 operations, 2 of them native in ")
    assert "1 called from Python" in lines[0]
    row = next(number for number, line in enumerate(lines) if "described_by_hand" in line)
    assert lines[row].endswith("–")
    assert lines[row + 1].strip() == "in Python: it has no lowering"
    assert "described_by_hand (Python)" in str(program.profile(np.ones(5), repeats=1))


def test_long_lists_are_cut_and_lines_are_short():
    parts = [tg.Variable(np.full(7, k, "float32"), name=f"part_{k}") for k in range(90)]
    program = tg.jit(lambda: tg.ops.concatenate(parts)).program()
    text = program.describe()
    assert "part_0, part_1" in text
    assert re.search(r"… \d+ more", text)
    for lines in (text, dense_program()[0].describe()):
        assert max(map(len, lines.splitlines())) <= 120


def test_long_chains_are_named_by_their_ends():
    def chain(x):
        for _ in range(5):
            x = tg.ops.tanh(x) * 2.0
        return tg.ops.exp(x)

    program = tg.jit(chain).program(np.ones(100, "float32"))
    text = " ".join(program.describe().split())
    assert "chain[11]: tanh multiply" in text
    assert "… exp" in text


def test_nothing_to_do():
    text = tg.jit(lambda: ()).program().describe()
    assert text.startswith("0 operations")


def test_profile():
    program, data = dense_program()
    profile = program.profile(*data, repeats=2)
    assert [timing.number for timing in profile] == list(range(len(program.steps)))
    assert sum(timing.share for timing in profile) == pytest.approx(1.0)
    assert all(timing.native and timing.microseconds >= 0.0 for timing in profile)
    assert profile[0].gives == "float32[4, 8]"
    lines = str(profile).splitlines()
    assert len(lines) == 1 + len(profile)
    spent = [float(line.split()[0]) for line in lines[1:]]
    assert spent == sorted(spent, reverse=True)
    with pytest.raises(ValueError, match="expected tensors"):
        program.profile(data[0])


def test_long_profiles_show_the_longest():
    def many(x):
        for _ in range(50):
            x = tg.ops.cumsum(x)
        return x

    profile = tg.jit(many).program(np.ones(3)).profile(np.ones(3), repeats=1)
    lines = str(profile).splitlines()
    assert len(profile) == 50
    assert len(lines) == 32
    assert "20 shorter ones" in lines[-1]
