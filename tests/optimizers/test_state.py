"""State: names and order, saving and resuming, variables that come and go."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from optimizer_cases import OPTIMIZERS, SHAPES, starting_point

import tapegrad as tg
from tapegrad.optimizers import SGD, Adam, schedules

OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "all": {
        "weight_decay": 0.2,
        "global_clipnorm": 1.5,
        "use_ema": True,
        "ema_overwrite_frequency": 4,
        "gradient_accumulation_steps": 3,
    },
}


def make(name: str, option: str) -> tg.optimizers.Optimizer:
    class_name, arguments = OPTIMIZERS[name]
    if option == "all":
        decay = schedules.ExponentialDecay(arguments["learning_rate"], 4, 0.5)
        arguments = {**arguments, "learning_rate": decay}
    return getattr(tg.optimizers, class_name)(**{**arguments, **OPTIONS[option]})


def variables_of(values: dict[str, np.ndarray]) -> list[tg.Variable]:
    return [tg.Variable(value, name=name) for name, value in values.items()]


def take(optimizer: Any, variables: list[tg.Variable], steps: list[Any], first: int = 0) -> None:
    """Take steps; in the third, a variable has no gradient."""
    for number, step in enumerate(steps, first):
        given: list[Any] = [tg.tensor(gradient) for gradient in step.values()]
        with warnings.catch_warnings():
            if number == 2:
                warnings.filterwarnings("ignore", message=".*no gradient for kernel")
                given[1] = None
            optimizer.apply(given, variables)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("stop", [1, 4, 8])
def test_a_resumed_run_has_the_same_bits(name, option, dtype, stop):
    start, gradients = starting_point(dtype)
    whole, variables = make(name, option), variables_of(start)
    take(whole, variables, gradients[:12])

    first, before = make(name, option), variables_of(start)
    take(first, before, gradients[:stop])
    saved = first.get_state()
    weights = [variable.numpy() for variable in before]

    second, after = make(name, option), variables_of(dict(zip(SHAPES, weights)))
    second.build(after)
    assert list(second.named_variables()) == list(saved)
    second.set_state(saved)
    take(second, after, gradients[stop:12], stop)
    for expected, got in zip(variables, after):
        np.testing.assert_array_equal(got.numpy(), expected.numpy())
    for key, expected in whole.get_state().items():
        np.testing.assert_array_equal(second.get_state()[key], expected, err_msg=key)


def test_order_and_names():
    variables = variables_of(starting_point("float32")[0])
    optimizer = Adam(amsgrad=True, use_ema=True, gradient_accumulation_steps=2)
    assert list(optimizer.named_variables()) == ["iterations", "learning_rate"]
    optimizer.build(variables)
    names = list(optimizer.named_variables())
    count = len(SHAPES)
    assert names[2:] == [
        *(f"{i}/average" for i in range(count)),
        *(f"{i}/gradient_accumulator" for i in range(count)),
        *(f"{i}/{slot}" for i in range(count) for slot in ("momentum", "velocity", "velocity_hat")),
    ]
    assert optimizer.variables == list(optimizer.named_variables().values())
    named = optimizer.named_variables()
    assert named["1/velocity"].shape == SHAPES["kernel"]
    assert named["1/velocity"].name == "kernel_velocity"
    assert named["1/velocity"].dtype == "float32"
    assert not any(variable.trainable for variable in optimizer.variables)


def test_muon_keeps_one_slot_for_matrices_and_two_for_others():
    optimizer = tg.optimizers.Muon()
    optimizer.build(variables_of(starting_point("float64")[0]))
    assert list(optimizer.named_variables())[2:] == [
        "0/momentum",
        "0/velocity",
        "1/momentum",
        "2/momentum",
        "2/velocity",
        "3/momentum",
        "3/velocity",
    ]


def test_muon_gives_embeddings_and_excluded_layers_to_adam():
    matrices = [
        tg.Variable(np.ones((2, 3)), name=name)
        for name in ("kernel", "embeddings", "output_kernel")
    ]
    optimizer = tg.optimizers.Muon(exclude_layers=["^output"])
    optimizer.build(matrices)
    assert list(optimizer.named_variables())[2:] == [
        "0/momentum",
        "1/momentum",
        "1/velocity",
        "2/momentum",
        "2/velocity",
    ]
    optimizer = tg.optimizers.Muon(exclude_embeddings=False)
    optimizer.build(matrices)
    assert "1/velocity" not in optimizer.named_variables()


def test_slots_can_be_assigned_one_by_one():
    x, y = tg.Variable(np.zeros(3)), tg.Variable(np.zeros(2))
    optimizer = SGD(1.0, momentum=0.5)
    optimizer.apply([tg.tensor(np.ones(3)), tg.tensor(np.ones(2))], [x, y])
    held = optimizer.named_variables()["1/momentum"].value
    optimizer.named_variables()["1/momentum"].assign(np.full(2, 8.0))
    np.testing.assert_array_equal(held.numpy(), [-1.0, -1.0])
    optimizer.apply([tg.tensor(np.ones(3)), tg.tensor(np.ones(2))], [x, y])
    np.testing.assert_array_equal(x.numpy(), np.full(3, -2.5))
    np.testing.assert_array_equal(y.numpy(), np.full(2, -1.0 + 4.0 - 1.0))
    np.testing.assert_array_equal(
        optimizer.named_variables()["1/momentum"].numpy(), np.full(2, 3.0)
    )


def test_state_of_another_optimizer_is_refused_and_nothing_changes():
    x, g = tg.Variable(np.zeros(3)), [tg.tensor(np.ones(3))]
    optimizer = Adam(0.5)
    optimizer.apply(g, [x])
    before = optimizer.get_state()
    with pytest.raises(ValueError, match="the state lacks '0/velocity'"):
        optimizer.set_state({k: v for k, v in before.items() if k != "0/velocity"})
    with pytest.raises(ValueError, match="holds '7/momentum', which is unknown here"):
        optimizer.set_state({**before, "iterations": 9, "7/momentum": np.zeros(3)})
    with pytest.raises(ValueError, match=r"'0/velocity' has shape \(2,\) in the state, but \(3,\)"):
        optimizer.set_state({**before, "iterations": 9, "0/velocity": np.zeros(2)})
    with pytest.raises(ValueError, match="got 2 arrays for 4 variables"):
        optimizer.set_weights([1, 0.5])
    for key, value in optimizer.get_state().items():
        np.testing.assert_array_equal(value, before[key])
    optimizer.set_weights([7, 0.25, np.ones(3), np.ones(3)])
    assert int(optimizer.iterations) == 7
    assert float(optimizer.learning_rate) == 0.25


def test_variables_that_are_frozen_and_freed_again():
    a, b = tg.Variable(np.zeros(2), name="a"), tg.Variable(np.zeros(3), name="b")
    ga, gb = tg.tensor(np.ones(2)), tg.tensor(np.ones(3))
    optimizer = SGD(1.0, momentum=0.5)
    optimizer.apply([ga, gb], [a, b])
    for _ in range(2):
        optimizer.apply([ga], [a])
    np.testing.assert_array_equal(b.numpy(), np.full(3, -1.0))
    optimizer.apply([gb, ga], [b, a])  # in another order too
    np.testing.assert_array_equal(b.numpy(), np.full(3, -1.0 - 1.5))
    np.testing.assert_array_equal(a.numpy(), np.full(2, -1.0 - 1.5 - 1.75 - 1.875))
    assert list(optimizer.named_variables())[2:] == ["0/momentum", "1/momentum"]


def test_a_layer_that_is_frozen_during_training_keeps_its_weights():
    x = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")
    model = tg.Sequential([tg.Input((3,)), tg.layers.Dense(4), tg.layers.Dense(1)])
    model.compile(Adam(0.1), "mse")
    model.fit(x, x[:, :1], verbose=0)
    model.layers[0].trainable = False
    frozen = model.layers[0].get_weights()
    model.fit(x, x[:, :1], verbose=0)
    for before, after in zip(frozen, model.layers[0].get_weights()):
        np.testing.assert_array_equal(before, after)
    model.layers[0].trainable = True
    model.fit(x, x[:, :1], verbose=0)
    assert np.abs(model.layers[0].get_weights()[0] - frozen[0]).max() > 0


def test_variables_that_come_later_get_slots():
    a, b = tg.Variable(np.zeros(2)), tg.Variable(np.zeros(3))
    ga, gb = tg.tensor(np.ones(2)), tg.tensor(np.ones(3))
    optimizer = Adam(0.1, use_ema=True, ema_momentum=0.5)
    optimizer.apply([ga], [a])
    optimizer.apply([ga, gb], [a, b])
    named = optimizer.named_variables()
    np.testing.assert_allclose(named["1/average"].numpy(), b.numpy() / 2)
    assert len(optimizer.variables) == 2 + 2 + 4


def test_gradients_of_none_at_first_do_not_change_the_order():
    a, b = tg.Variable(np.zeros(2), name="a"), tg.Variable(np.zeros(3), name="b")
    optimizer = SGD(1.0, momentum=0.5)
    with pytest.warns(UserWarning, match="no gradient for a"):
        optimizer.apply([None, tg.tensor(np.ones(3))], [a, b])
    assert optimizer.named_variables()["0/momentum"].shape == (2,)
    assert optimizer.named_variables()["1/momentum"].shape == (3,)
