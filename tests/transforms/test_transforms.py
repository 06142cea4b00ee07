"""Gradients, Jacobians, Hessians and products, and their composition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der, rosen_hess, rosen_hess_prod

import tapegrad as tg
import tapegrad.numpy as tnp


def rosenbrock(x):
    return (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


POINT = np.linspace(-1.0, 1.5, 6)


def test_gradient_of_rosenbrock():
    value, gradient = tg.value_and_grad(rosenbrock)(POINT)
    assert value == pytest.approx(rosen(POINT))
    np.testing.assert_allclose(gradient, rosen_der(POINT), rtol=1e-10)


def test_hessian_of_rosenbrock():
    np.testing.assert_allclose(tg.hessian(rosenbrock)(POINT), rosen_hess(POINT), atol=1e-10)
    vector = np.arange(6.0)
    np.testing.assert_allclose(
        tg.hvp(rosenbrock)(POINT, vector), rosen_hess_prod(POINT, vector), rtol=1e-9
    )
    np.testing.assert_allclose(
        tg.make_hvp(rosenbrock)(POINT)(vector), rosen_hess_prod(POINT, vector), rtol=1e-9
    )


def test_perturbations_are_not_confused():
    assert tg.grad(lambda x: x * tg.grad(lambda y: x + y)(x))(1.0) == 1.0
    assert tg.grad(lambda x: x * tg.grad(lambda y: x * y)(2.0))(3.0) == 6.0


def test_derivatives_of_any_order():
    f = tnp.sin
    for order in range(1, 5):
        f = tg.grad(f)
        assert f(0.7) == pytest.approx(np.sin(0.7 + order * np.pi / 2), abs=1e-9)


def test_arrays_in_arrays_out_tensors_in_tensors_out():
    assert isinstance(tg.grad(lambda x: (x * x).sum())(np.ones(2)), np.ndarray)
    assert isinstance(tg.grad(lambda x: (x * x).sum())(tg.tensor([1.0])), tg.Tensor)
    assert isinstance(tg.grad(lambda x: x * x)(2.0), np.floating)
    value, _ = tg.value_and_grad(lambda x, y: (x * y).sum())(np.ones(2), tg.tensor([1.0, 1.0]))
    assert isinstance(value, tg.Tensor)


def test_nested_arguments_and_argnum():
    def loss(parameters, x):
        return (parameters["w"] * x + parameters["b"][0]).sum()

    gradient = tg.grad(loss)({"w": np.ones(2), "b": [np.zeros(())]}, np.array([1.0, 2.0]))
    np.testing.assert_array_equal(gradient["w"], [1.0, 2.0])
    assert gradient["b"][0] == 2.0
    assert tg.grad(lambda x, y: x * y, 1)(3.0, 4.0) == 3.0
    assert tg.grad(lambda x, y: x * y, argnum=(0, 1))(3.0, 4.0) == (4.0, 3.0)


def test_unused_arguments_have_gradient_zero():
    np.testing.assert_array_equal(tg.grad(lambda x, y: y * 2.0)(np.ones(3), 1.0), np.zeros(3))


def test_control_flow_and_loops():
    def power(x, n):
        result = 1.0
        for _ in range(n):
            result = result * x
        return result if x > 0 else -result

    assert tg.grad(power)(2.0, 5) == 80.0
    assert tg.grad(power)(-2.0, 3) == -12.0


def test_jacobian_shapes():
    weights = np.random.default_rng(0).standard_normal((3, 2))
    np.testing.assert_allclose(tg.jacobian(lambda x: weights @ x)(np.ones(2)), weights)
    assert tg.jacobian(lambda x: tnp.outer(x, x))(np.ones(2)).shape == (2, 2, 2)
    assert tg.jacobian(lambda x: x.sum())(np.ones(2)).shape == (2,)
    assert tg.jacobian(lambda x: x[:0])(np.ones(2)).shape == (0, 2)
    assert tg.jacobian(lambda x: x * 2.0)(np.ones(2, np.float32)).dtype == np.float32


def test_vjp_and_jvp():
    a = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    vjp, value = tg.make_vjp(lambda x: a @ x)(np.ones(2))
    np.testing.assert_allclose(value, a.sum(1))
    np.testing.assert_allclose(vjp(np.array([1.0, 0.0, 0.0])), a[0])
    np.testing.assert_allclose(vjp(np.array([0.0, 0.0, 1.0])), a[2])
    value, product = tg.make_jvp(lambda x: a @ x)(np.ones(2))(np.array([0.0, 1.0]))
    np.testing.assert_allclose(product, a[:, 1])


def test_elementwise_grad_of_the_logistic_function():
    x = np.linspace(-3, 3, 7)
    y = 1 / (1 + np.exp(-x))
    logistic = lambda x: 1 / (1 + tnp.exp(-x))  # noqa: E731
    np.testing.assert_allclose(tg.elementwise_grad(logistic)(x), y * (1 - y))
    second = tg.elementwise_grad(tg.elementwise_grad(logistic))(x)
    np.testing.assert_allclose(second, y * (1 - y) * (1 - 2 * y), atol=1e-12)


def test_check_grads_finds_a_wrong_derivative():
    @tg.primitive
    def square(x):
        return x * x

    tg.defvjp(square, lambda ans, x: lambda g: g * x)  # half of what it should be
    with pytest.raises(AssertionError, match="wrong"):
        tg.test_util.check_grads(square, order=1)(np.array([1.0, 2.0]))


def test_check_grads_finds_a_wrong_second_derivative():
    @tg.primitive
    def cube(x):
        return x**3

    # The value is right, but it leaves the tape on its way.
    tg.defvjp(cube, lambda ans, x: lambda g: g * 3 * np.asarray(x) ** 2)
    tg.test_util.check_grads(cube, order=1)(np.array([1.0, 2.0]))
    with pytest.raises(AssertionError):
        tg.test_util.check_grads(cube, order=2)(np.array([1.0, 2.0]))


@pytest.mark.parametrize("modes", [("rev",), ("fwd",), ("rev", "fwd")])
def test_check_grads_modes(modes):
    tg.test_util.check_grads(lambda x, y: tnp.tanh(x @ y), modes=modes)(
        np.ones((2, 3)) * 0.3, np.ones((3, 2)) * 0.2
    )
    tg.test_util.check_grads(tnp.tanh, modes=modes)(np.array([0.3], np.float32))
    with pytest.raises(ValueError, match="modes"):
        tg.test_util.check_grads(tnp.tanh, modes=("sideways",))


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: tg.grad(lambda x: x * x)(3), "3.0 instead of 3"),
        (lambda: tg.grad(lambda x: x)(np.array([1, 2])), "int64"),
        (lambda: tg.grad(lambda x: x * x)(np.ones(2)), "scalar"),
        (lambda: tg.grad(lambda x: x, argnum=2)(1.0), "argnum"),
        (lambda: tg.jacobian(lambda x: x[0])([1.0, 2.0]), "one array"),
    ],
)
def test_wrong_use(call, match):
    with pytest.raises(TypeError, match=match):
        call()
