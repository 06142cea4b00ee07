"""Recorded functions under tapes and transformations, and these inside recorded functions."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import ops

X = np.array([0.3, -0.7, 1.2])


def _function(x: Any, a: Any = 2.0) -> Any:
    return (ops.sin(x) * x * a + ops.exp(-x)).sum()


def _same(got: Any, wanted: Any, tolerance: float = 1e-12) -> None:
    np.testing.assert_allclose(np.asarray(got), np.asarray(wanted), rtol=tolerance, atol=tolerance)


def test_under_a_tape():
    jitted = tg.jit(_function)
    for shift in range(4):
        x = tg.tensor(X + shift)
        gradients = []
        for function in (_function, jitted):
            with tg.Tape() as tape:
                tape.watch(x)
                y = function(x) * 3.0
            gradients.append((y.numpy(), tape.gradient(y, x).numpy()))
        for got, wanted in zip(*gradients, strict=True):
            np.testing.assert_array_equal(got, wanted)


def test_variables_and_several_results_under_a_tape():
    w, b = tg.Variable(X.astype("float32")), tg.Variable([1.0, 2.0, 3.0])

    def function(x: Any, n: Any) -> Any:
        y = x * w + b
        return {"y": y, "n": n + 1, "list": [y.sum(), (w * w).sum()]}

    jitted = tg.jit(function)
    for step in range(4):
        x, n = tg.tensor(np.full(3, step + 1.0, "float32")), tg.tensor([1, 2])
        found = []
        for call in (function, jitted):
            with tg.Tape(persistent=True) as tape:
                tape.watch(x)
                result = call(x, n)
                total = result["list"][0] * 2.0 + result["list"][1]
            assert result["n"].tolist() == [2, 3]
            sources = [x, w, b]
            found.append([*tape.gradient(total, sources), *tape.gradient(result["list"][1], [w])])
            found[-1] += tape.gradient(result["y"], sources)
            assert tape.gradient(result["list"][1], x) is None or call is jitted
        for wanted, got in zip(*found, strict=True):
            np.testing.assert_array_equal(got.numpy(), wanted.numpy())
        w.assign_add([0.5, 0.5, 0.5])


def test_second_order_under_tapes():
    jitted = tg.jit(_function)
    for shift in range(3):
        x = tg.tensor(X + shift)
        found = []
        for function in (_function, jitted):
            with tg.Tape() as outer:
                outer.watch(x)
                with tg.Tape() as inner:
                    inner.watch(x)
                    y = function(x)
                first = inner.gradient(y, x)
                total = (first * first).sum()
            found.append((first, outer.gradient(total, x)))
        for got, wanted in zip(*found, strict=True):
            _same(got, wanted)


TRANSFORMS: dict[str, Any] = {
    "grad": lambda f: lambda x: tg.grad(f)(x),
    "value_and_grad": lambda f: lambda x: tg.value_and_grad(f)(x)[1],
    "hessian": lambda f: lambda x: tg.hessian(f)(x),
    "grad of grad": lambda f: lambda x: tg.grad(lambda z: (tg.grad(f)(z) ** 2).sum())(x),
    "jvp": lambda f: lambda x: tg.make_jvp(f)(x)(ops.ones_like(x))[1],
    "jacobian": lambda f: lambda x: tg.jacobian(lambda z: ops.stack([f(z), f(2.0 * z)]))(x),
    "hessian product": lambda f: lambda x: tg.hessian_vector_product(f)(x, ops.ones_like(x)),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transformations_of_recorded_functions_and_recorded_transformations(name: str):
    transform = TRANSFORMS[name]
    jitted = tg.jit(_function)
    outside, inside, both = (
        transform(jitted),
        tg.jit(transform(_function)),
        tg.jit(transform(jitted)),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for shift in range(3):
            x = tg.tensor(X + shift)
            wanted = transform(_function)(x)
            for got in (outside(x), inside(x), both(x)):
                _same(got, wanted)


def test_nested_recorded_functions_are_one_program():
    calls: list[int] = []

    @tg.jit
    def inner(x: Any) -> Any:
        calls.append(1)
        return x * 2.0

    @tg.jit
    def outer(x: Any) -> Any:
        return inner(x) + inner(inner(x))

    x = tg.tensor(X)
    for _ in range(3):
        _same(outer(x), X * 6.0)
    assert len(calls) == 3
    assert outer.program(x).plan.is_native
    _same(inner(x), X * 2.0)


def test_recursion():
    @tg.jit
    def power(x: Any, n: int) -> Any:
        return x if n == 1 else x * power(x, n - 1)

    for _ in range(3):
        _same(power(tg.tensor(X), 4), X * X * X * X)
        _same(power(tg.tensor(X), 2), X * X)


def test_effects_of_a_recorded_function_under_a_tape_happen_once():
    count, w = tg.Variable(0.0, trainable=False), tg.Variable([1.0, 2.0, 3.0], dtype="float64")

    @tg.jit
    def function(x: Any) -> Any:
        count.assign_add(1.0)
        return (x * w * count).sum()

    for number in range(1, 5):
        with tg.Tape() as tape:
            y = function(tg.tensor(X))
        gradient = tape.gradient(y, w)
        assert float(count) == number
        _same(gradient, X * number)


def test_no_record_inside():
    def function(x: Any) -> Any:
        with tg.Tape() as tape:
            tape.watch(x)
            with tg.no_record():
                fixed = x * 2.0
            y = (x * fixed).sum()
        return tape.gradient(y, x)

    jitted = tg.jit(function)
    for shift in range(3):
        _same(jitted(tg.tensor(X + shift)), 2 * (X + shift))
    outer = tg.jit(lambda x: x * 3.0)
    x = tg.tensor(X)
    for _ in range(3):
        with tg.Tape() as tape:
            tape.watch(x)
            with tg.no_record():
                fixed = outer(x)
            y = (x * fixed).sum()
        _same(tape.gradient(y, x), 3 * X)


def test_primitives_of_users():
    @tg.primitive
    def cube(x: Any) -> Any:
        return x**3

    tg.defvjp(cube, lambda g, answer, x: g * 3.0 * x * x)

    def function(x: Any) -> Any:
        return (cube(x * 2.0) * x).sum()

    jitted, slope = tg.jit(function), tg.jit(tg.grad(function))
    for shift in range(3):
        x = tg.tensor(X + shift)
        np.testing.assert_array_equal(jitted(x).numpy(), function(x).numpy())
        np.testing.assert_array_equal(slope(x).numpy(), tg.grad(function)(x).numpy())
        with tg.Tape() as tape:
            tape.watch(x)
            y = jitted(x)
        _same(tape.gradient(y, x), tg.grad(function)(x))
    program = jitted.program(x)
    assert [step.operation.name for step in program.steps if not step.native] == ["cube"]


def test_a_primitive_with_the_name_of_a_kernel():
    @tg.primitive
    def softmax(x: Any) -> Any:
        return x * 2.0

    jitted = tg.jit(lambda x: softmax(x) + 1.0)
    for _ in range(2):
        _same(jitted(tg.tensor(X)), X * 2 + 1)


def test_a_primitive_whose_result_changes_its_shape_says_so():
    @tg.primitive
    def positive(x: Any) -> Any:
        return x[x > 0]

    jitted = tg.jit(lambda x: positive(x) * 1.0)
    assert jitted(tg.tensor([1.0, -1.0])).tolist() == [1.0]
    with pytest.raises(TypeError, match="must depend on shapes and dtypes alone"):
        jitted(tg.tensor([1.0, 2.0]))
