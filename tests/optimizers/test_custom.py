"""Optimizers of the user's own: by a rule, and variable by variable as in Keras."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad.optimizers import SGD, Optimizer


class Momentum(Optimizer):
    """What Keras's documentation shows."""

    def __init__(self, learning_rate=0.01, momentum=0.9, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.momentum = momentum

    def build(self, variables):
        super().build(variables)
        self.momentums = [self.add_variable_from_reference(v, name="momentum") for v in variables]
        self.seen = []

    def update_step(self, gradient, variable, learning_rate):
        self.seen.append(int(self.iterations))
        m = self.momentums[self._get_variable_index(variable)]
        self.assign(m, self.momentum * m - gradient * learning_rate)
        self.assign_add(variable, m)


def gradients(seed):
    generator = np.random.default_rng(seed)
    return [tg.tensor(generator.normal(size=shape)) for shape in ((3, 2), (2,), ())]


def variables():
    return [tg.Variable(g.numpy(), name=n) for g, n in zip(gradients(99), ("w", "b", "s"))]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weight_decay": 0.3, "global_clipnorm": 0.5},
        {"use_ema": True, "gradient_accumulation_steps": 2},
    ],
)
def test_update_step_is_called_for_every_variable(options):
    mine, known = Momentum(0.1, **options), SGD(0.1, momentum=0.9, **options)
    results = []
    for optimizer in (mine, known):
        if options.get("weight_decay"):
            optimizer.exclude_from_weight_decay(var_names=["b"])
        own = variables()
        for step in range(6):
            optimizer.apply(gradients(step), own)
        results.append(np.concatenate([np.ravel(v.numpy()) for v in own]))
        assert int(optimizer.iterations) == 6 // (options.get("gradient_accumulation_steps") or 1)
    np.testing.assert_allclose(*results, rtol=1e-10, atol=1e-12)
    updates = 6 // (options.get("gradient_accumulation_steps") or 1)
    assert mine.seen == [number for number in range(updates) for _ in range(3)]


def test_its_variables_are_saved_and_resumed():
    mine, own = Momentum(0.1), variables()
    for step in range(3):
        mine.apply(gradients(step), own)
    state, weights = mine.get_state(), [v.numpy() for v in own]
    assert list(state) == ["iterations", "learning_rate", "own/0", "own/1", "own/2"]
    other, others = Momentum(0.1), [tg.Variable(w) for w in weights]
    other.build(others)
    other.set_state(state)
    for step in range(3, 5):
        mine.apply(gradients(step), own)
        other.apply(gradients(step), others)
    for a, b in zip(own, others):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_unknown_variables_are_refused():
    mine, own = Momentum(0.1), variables()
    mine.apply(gradients(0), own)
    with pytest.raises(ValueError, match="'new' is not one of the variables"):
        mine.apply([tg.tensor(1.0)], [tg.Variable(1.0, name="new")])


def test_making_variables():
    optimizer = SGD()
    x = tg.Variable(np.zeros((2, 3), "float32"), name="kernel")
    ones = optimizer.add_optimizer_variables([x], "m", initializer="ones")
    assert ones[0].name == "kernel_m"
    np.testing.assert_array_equal(ones[0].numpy(), np.ones((2, 3)))
    first, second = optimizer.add_optimizer_variables([x], ["a", "b"], ["zeros", "ones"])
    assert (first[0].numpy().sum(), second[0].numpy().sum()) == (0.0, 6.0)
    with pytest.raises(ValueError, match="2 names and 1 initializers"):
        optimizer.add_optimizer_variables([x], ["a", "b"], ["zeros"])
    optimizer.assign_sub(x, np.ones((2, 3)))
    assert x.numpy().sum() == -6.0


def test_an_optimizer_that_does_nothing_is_refused():
    class Empty(Optimizer):
        pass

    with pytest.raises(NotImplementedError, match="Empty sets no rule and has no update_step"):
        Empty(0.1).apply([tg.tensor(1.0)], [tg.Variable(0.0)])


def test_a_rule_of_ones_own():
    from tapegrad.optimizers.transformations import Rule

    class Sign(Rule):
        def step(self, parameters, gradients, slots, by):
            direction = tg.ops.sign(gradients)
            parameters.assign_sub(direction * by.learning_rate)

    class SignDescent(Optimizer):
        def __init__(self, learning_rate=0.5, **kwargs):
            super().__init__(learning_rate, **kwargs)
            self.rule = Sign()

    x = tg.Variable(np.zeros(2))
    SignDescent().apply([tg.tensor([3.0, -0.1])], [x])
    np.testing.assert_array_equal(x.numpy(), [-0.5, 0.5])
