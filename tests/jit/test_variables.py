"""Variables that change between the calls, or whose values somebody holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import layers


def _step(optimizer: Any, model: Any) -> Any:
    loss = tg.losses.MeanSquaredError()

    def step(x: Any, y: Any) -> Any:
        with tg.Tape() as tape:
            value = loss(y, model(x, training=True))
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(value, variables), variables)
        return value

    return step


RNG = np.random.default_rng(8)
X = RNG.normal(size=(6, 5)).astype("float32")
Y = RNG.normal(size=(6, 2)).astype("float32")


def _model() -> Any:
    tg.set_seed(3)
    return tg.Sequential([layers.Dense(4, "tanh", input_dim=5), layers.Dense(2)])


def test_assigned_between_calls():
    v = tg.Variable([1.0, 2.0])
    jitted = tg.jit(lambda x: x * v)
    x = tg.tensor([1.0, 1.0], dtype="float32")
    for value in ([1.0, 2.0], [3.0, 4.0], [5.0, 6.0]):
        v.assign(value)
        assert jitted(x).tolist() == value
    held = v.value
    v.assign([7.0, 8.0])  # moves
    assert jitted(x).tolist() == [7.0, 8.0]
    assert held.tolist() == [5.0, 6.0]


@pytest.mark.parametrize("look", ["value", "view", "array", "tape"])
def test_a_program_leaves_what_is_held(look: str):
    v = tg.Variable([1.0, 2.0])

    @tg.jit
    def step(x: Any) -> None:
        v.assign_add(x)

    x = tg.tensor([1.0, 1.0], dtype="float32")
    expected = np.array([1.0, 2.0])
    held = []
    for _ in range(5):
        if look == "value":
            held.append((v.value, expected.copy()))
        elif look == "view":
            held.append((v[::-1], expected[::-1].copy()))
        elif look == "array":
            held.append((v.numpy(), expected.copy()))
        else:
            with tg.Tape() as tape:
                y = (v * v).sum()
            held.append((tape, y, expected.copy()))
        step(x)
        expected = expected + 1
        np.testing.assert_array_equal(v.numpy(), expected)
    for *what, then in held:
        if look == "tape":
            np.testing.assert_array_equal(what[0].gradient(what[1], v).numpy(), 2 * then)
        else:
            np.testing.assert_array_equal(np.asarray(what[0]), then)


def test_weights_are_set_and_held_between_steps_of_an_optimizer():
    def run(wrap: Any) -> Any:
        model, found = _model(), []
        step = wrap(_step(tg.optimizers.Adam(0.05), model))
        weights = model.get_weights()
        for number in range(12):
            found.append(step(tg.tensor(X), tg.tensor(Y)).numpy())
            if number == 4:
                model.set_weights(weights)
            if number == 6:
                model.layers[0].kernel.assign(np.ones((5, 4)))
            if number >= 8:
                found.append(model.layers[1].kernel.value)
            if number == 10:
                model.layers[0].bias.assign_add(np.ones(4))
        return [np.asarray(part) for part in found] + model.get_weights()

    for eager, jitted in zip(run(lambda f: f), run(tg.jit), strict=True):
        np.testing.assert_array_equal(jitted, eager)


def test_two_optimizers_take_the_variables_from_each_other():
    def run(wrap: Any) -> Any:
        model = _model()
        one = wrap(_step(tg.optimizers.Adam(0.05), model))
        two = wrap(_step(tg.optimizers.SGD(0.1, momentum=0.5), model))
        for number in range(12):
            (two if number % 3 == 2 else one)(tg.tensor(X), tg.tensor(Y))
        return model.get_weights()

    for eager, jitted in zip(run(lambda f: f), run(tg.jit), strict=True):
        np.testing.assert_array_equal(jitted, eager)


def test_two_optimizers_of_the_same_variables_in_one_step():
    def run(wrap: Any) -> Any:
        model = _model()
        first = _step(tg.optimizers.Adam(0.05), model)
        second = _step(tg.optimizers.RMSprop(0.02), model)

        def both(x: Any, y: Any) -> Any:
            return first(x, y), second(x, y), first(x, y)

        step = wrap(both)
        values = [part.numpy() for _ in range(6) for part in step(tg.tensor(X), tg.tensor(Y))]
        return [*values, *model.get_weights()]

    wanted = run(lambda f: f)
    with pytest.warns(RuntimeWarning, match="two optimizers write the same Variables, in "):
        found = run(tg.jit)
    for eager, jitted in zip(wanted, found, strict=True):
        np.testing.assert_array_equal(jitted, eager)


def test_a_saved_model_is_loaded_between_steps(tmp_path: Any):
    model = _model()
    step = tg.jit(_step(tg.optimizers.Adam(0.05), model))
    for _ in range(3):
        step(tg.tensor(X), tg.tensor(Y))
    path = str(tmp_path / "model.weights.h5")
    model.save_weights(path)
    kept = model.get_weights()
    for _ in range(3):
        step(tg.tensor(X), tg.tensor(Y))
    model.load_weights(path)
    before = ((model(X) - Y) ** 2).mean()
    value = step(tg.tensor(X), tg.tensor(Y))
    np.testing.assert_allclose(value.numpy(), before.numpy(), rtol=1e-6)
    assert all((a != b).any() for a, b in zip(kept, model.get_weights(), strict=True))


def test_values_from_before_a_write_are_used_after_it():
    def function(v: Any, w: Any) -> Any:
        def run(x: Any) -> Any:
            old, view = v.value, v[::-1]
            doubled = v * 2.0
            v.assign(x)
            w.assign(view)
            v.assign_add(old)
            last = v.value
            v.assign(v.value[::-1])
            return old, view, doubled, v.value, w * 1.0, last

        return run

    eager = [tg.Variable([1.0, 2.0, 3.0]), tg.Variable([0.0, 0.0, 0.0])]
    recorded = [tg.Variable([1.0, 2.0, 3.0]), tg.Variable([0.0, 0.0, 0.0])]
    plain, jitted = function(*eager), tg.jit(function(*recorded))
    kept = []
    for number in range(4):
        x = tg.tensor(RNG.normal(size=3).astype("float32"))
        for got, wanted in zip(jitted(x), plain(x), strict=True):
            kept.append((got, wanted.numpy()))
            np.testing.assert_array_equal(got.numpy(), wanted.numpy(), str(number))
    for got, wanted in kept:
        np.testing.assert_array_equal(got.numpy(), wanted)


def test_variables_in_any_order_of_memory():
    for start in (np.arange(6.0).reshape(2, 3).T, np.asfortranarray(np.ones((3, 2)))):
        v = tg.Variable(start)
        step = tg.jit(lambda x, v=v: (v * x, v.assign_add(x), v.T + 0.0)[::2])
        x = tg.tensor(RNG.normal(size=(3, 2)))
        expected = start.copy()
        held = []
        for _ in range(4):
            got = step(x)
            np.testing.assert_array_equal(got[0].numpy(), expected * x.numpy())
            expected = expected + x.numpy()
            np.testing.assert_array_equal(got[1].numpy(), expected.T)
            held.append((v.value, expected))
        for value, wanted in held:
            np.testing.assert_array_equal(value.numpy(), wanted)


def test_a_variable_as_an_argument_is_part_of_the_signature():
    calls = []

    @tg.jit
    def double(v: Any) -> None:
        calls.append(1)
        v.assign(v * 2.0)

    one, two = tg.Variable(1.0), tg.Variable(10.0)
    for _ in range(3):
        double(one)
        double(two)
    assert (float(one), float(two)) == (8.0, 80.0)
    assert len(calls) == 2


def test_random_draws_go_on_as_without_jit():
    def function(x: Any) -> Any:
        return x + tg.random.normal((3,), dtype="float64"), tg.random.permutation(5)

    tg.set_seed(1)
    wanted = [function(tg.tensor(np.zeros(3))) for _ in range(4)]
    after = tg.random.uniform((2,)).numpy()
    tg.set_seed(1)
    jitted = tg.jit(function)
    for expected in wanted:
        for got, part in zip(jitted(tg.tensor(np.zeros(3))), expected, strict=True):
            np.testing.assert_array_equal(got.numpy(), part.numpy())
    np.testing.assert_array_equal(tg.random.uniform((2,)).numpy(), after)
