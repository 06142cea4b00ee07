"""Trajectories of Keras's optimizers, flat buffers, and what may go wrong."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad.optimizers import SGD, Adam, get

OPTIMIZERS = {
    "sgd": lambda: SGD(0.05),
    "sgd_momentum": lambda: SGD(0.05, momentum=0.9),
    "sgd_nesterov": lambda: SGD(0.05, momentum=0.9, nesterov=True),
    "adam": lambda: Adam(0.01),
    "adam_betas": lambda: Adam(0.01, beta_1=0.8, beta_2=0.9, epsilon=1e-3),
}


def samples(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 2e-6), ("float32", 2e-4)])
def test_twenty_steps_of_keras(keras_reference, name, dtype, tolerance):
    variables = [
        tg.Variable(samples(7, 3, 4).astype(dtype)),
        tg.Variable(samples(8, 4).astype(dtype)),
    ]
    optimizer = OPTIMIZERS[name]()
    for step in range(20):
        gradients = [samples(100 + step, 3, 4).astype(dtype), samples(200 + step, 4).astype(dtype)]
        optimizer.apply([tg.tensor(g) for g in gradients], variables)
    assert int(optimizer.iterations) == 20
    for i, variable in enumerate(variables):
        expected = keras_reference[f"optimizers/{name}/{i}"]
        assert variable.dtype == dtype
        np.testing.assert_allclose(variable.numpy(), expected, rtol=0, atol=tolerance * 3)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_apply_gradients_is_apply(name):
    results = []
    for pairs in (False, True):
        variables = [tg.Variable(samples(1, 3)), tg.Variable(samples(2, 2))]
        gradients = [tg.tensor(samples(3, 3)), tg.tensor(samples(4, 2))]
        optimizer = OPTIMIZERS[name]()
        if pairs:
            optimizer.apply_gradients(zip(gradients, variables))
        else:
            optimizer.apply(gradients, variables)
        results.append([v.numpy() for v in variables])
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])


def test_dtypes_are_updated_side_by_side():
    single, double = tg.Variable(np.ones(3, np.float32)), tg.Variable(np.ones(2))
    optimizer = SGD(0.5)
    optimizer.apply([tg.tensor(np.ones(3, np.float32)), tg.tensor(np.ones(2))], [single, double])
    np.testing.assert_array_equal(single.numpy(), np.full(3, 0.5, np.float32))
    np.testing.assert_array_equal(double.numpy(), [0.5, 0.5])


def test_values_held_before_a_step_do_not_change():
    variable = tg.Variable(np.ones(3))
    optimizer = Adam(0.1)
    optimizer.apply([tg.tensor(np.ones(3))], [variable])
    held = variable.value
    view = held.numpy()
    before = view.copy()
    optimizer.apply([tg.tensor(np.ones(3))], [variable])
    np.testing.assert_array_equal(view, before)
    assert not np.array_equal(variable.numpy(), before)


def test_assignments_between_steps_count():
    variable = tg.Variable(np.ones(3))
    optimizer = SGD(1.0)
    optimizer.apply([tg.tensor(np.ones(3))], [variable])
    variable.assign(np.full(3, 10.0))
    optimizer.apply([tg.tensor(np.ones(3))], [variable])
    np.testing.assert_array_equal(variable.numpy(), [9.0, 9.0, 9.0])


def test_missing_gradients_leave_variable_and_slots_alone():
    first, second = tg.Variable(np.ones(2)), tg.Variable(np.ones(2))
    alone = tg.Variable(np.ones(2))
    optimizer, reference = SGD(0.1, momentum=0.9), SGD(0.1, momentum=0.9)
    g = tg.tensor(np.ones(2))
    optimizer.apply([g, g], [first, second])
    reference.apply([g], [alone])
    after = second.numpy()
    for _ in range(3):
        with pytest.warns(UserWarning, match="no gradient"):
            optimizer.apply([g, None], [first, second])
        reference.apply([g], [alone])
    np.testing.assert_array_equal(second.numpy(), after)
    np.testing.assert_allclose(first.numpy(), alone.numpy(), rtol=1e-12)
    # The other variable goes on with the momentum that it had.
    optimizer.apply([g, g], [first, second])
    np.testing.assert_allclose(second.numpy(), after - 0.1 - 0.9 * 0.1, rtol=1e-12)


def test_learning_rate_can_be_read_and_assigned():
    optimizer = SGD(0.5)
    assert float(optimizer.learning_rate) == 0.5
    optimizer.learning_rate = 0.25
    assert float(optimizer.learning_rate) == 0.25
    optimizer.learning_rate.assign(0.125)
    variable = tg.Variable(np.ones(1))
    optimizer.apply([tg.tensor(np.ones(1))], [variable])
    assert float(variable.numpy()[0]) == 1 - 0.125
    assert len(Adam().variables) == 2


def test_old_name_of_the_learning_rate():
    for make in (SGD, Adam):
        with pytest.warns(DeprecationWarning, match="learning_rate"):
            optimizer = make(lr=0.25)
        assert float(optimizer.learning_rate) == 0.25


def test_errors():
    variable = tg.Variable(np.ones(2))
    g = tg.tensor(np.ones(2))
    with pytest.raises(ValueError, match="no gradient was given for any variable"):
        SGD().apply([None], [variable])
    with pytest.raises(ValueError, match="1 gradients for 2 variables"):
        SGD().apply([g], [variable, variable])
    with pytest.raises(ValueError, match="given twice"):
        SGD().apply([g, g], [variable, variable])
    with pytest.raises(ValueError, match="0 variables"):
        SGD().apply([g])
    with pytest.raises(ValueError, match="finite and not negative"):
        SGD(float("nan"))
    with pytest.raises(TypeError, match="must be a number, a schedule or a function"):
        Adam(learning_rate="fast")
    with pytest.raises(ValueError, match="momentum must lie in"):
        SGD(momentum=1.5)
    with pytest.raises(ValueError, match="beta_1"):
        Adam(beta_1=1.0)
    with pytest.raises(ValueError, match='Did you mean "adam"'):
        get("adm")


def test_a_gradient_of_another_shape_is_refused():
    variable = tg.Variable(np.ones(2))
    with pytest.raises(ValueError, match="shape"):
        SGD().apply([tg.tensor(np.ones(3))], [variable])
    np.testing.assert_array_equal(variable.numpy(), [1.0, 1.0])


def test_constraints_are_applied_after_each_step():
    layer = tg.layers.Dense(2, kernel_constraint="unit_norm")
    layer.build((None, 3))
    g = [tg.tensor(np.ones((3, 2), np.float32)), tg.tensor(np.ones(2, np.float32))]
    SGD(0.5).apply(g, layer.trainable_variables)
    np.testing.assert_allclose(np.linalg.norm(layer.kernel.numpy(), axis=0), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(layer.bias.numpy(), [-0.5, -0.5])
