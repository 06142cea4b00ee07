"""`cond`, `while_loop` and `scan`, recorded and in the ordinary way."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import ops

RNG = np.random.default_rng(2)


def _check(function: Any, *calls: Any, quiet: bool = True) -> Any:
    """Values and gradients, outside of jit, in it, under a tape and with the tape inside."""

    def slopes(call: Any) -> Any:
        def run(*args: Any) -> Any:
            with tg.Tape() as tape:
                tape.watch([a for a in args if a.dtype.kind == "f"])
                y = call(*args)
            return y, tape.gradient(y, [a for a in args if a.dtype.kind == "f"])

        return run

    jitted, inside = tg.jit(function), tg.jit(slopes(function))
    with warnings.catch_warnings():
        if quiet:
            warnings.simplefilter("error")
        for call in [*calls, *calls]:
            args = [tg.tensor(a) for a in call]
            y, gradients = slopes(function)(*args)
            for result in (jitted(*args), inside(*args)[0], slopes(jitted)(*args)[0]):
                np.testing.assert_array_equal(result.numpy(), y.numpy())
            for found in (inside(*args)[1], slopes(jitted)(*args)[1]):
                for got, wanted in zip(found, gradients, strict=True):
                    if wanted is None:
                        assert got is None or not got.numpy().any()
                    else:
                        np.testing.assert_allclose(got.numpy(), wanted.numpy(), rtol=1e-12)
    return jitted


V = RNG.normal(size=3)


def test_cond():
    w = tg.Variable(2.0, dtype="float64")
    _check(
        lambda x, y: tg.cond(
            x.sum() > 0.0, lambda a, b: (a * b * w).sum(), lambda a, b: a.sum() - b[0], x, y
        ),
        (V, V + 1),
        (-np.abs(V), V),
        (np.abs(V), V),
    )


def test_cond_in_cond_and_closures():
    def function(x: Any, y: Any) -> Any:
        total = x.sum()
        return tg.cond(
            total > 0.0,
            lambda: tg.cond(y.sum() > 0.0, lambda: (x * y).sum(), lambda: total * 2.0),
            lambda: total * total,
        )

    one = np.ones(3)
    _check(function, (one, one), (one, -one), (-one, one), (-one, -one))


def _twice(jitted: Any, x: Any) -> None:
    """Call a function until it is recorded: the first call, which may build layers, is not."""
    jitted(tg.tensor(x))
    jitted(tg.tensor(x))


def test_cond_of_different_results_is_refused():
    jitted = tg.jit(lambda x: tg.cond(x > 0.0, lambda: x, lambda: (x, x)))
    with pytest.raises(TypeError, match="same structure, shapes and dtypes"):
        _twice(jitted, 1.0)


def test_cond_with_effects_runs_eagerly():
    v = tg.Variable(0.0)

    @tg.jit
    def function(x: Any) -> Any:
        return tg.cond(x > 0.0, lambda: v.assign_add(1.0).value, lambda: v.value)

    function(tg.tensor(1.0))  # layers might be built in the first call: it records nothing
    with pytest.warns(RuntimeWarning, match="Python read the value"):
        function(tg.tensor(-1.0))
    function(tg.tensor(1.0))
    assert float(v) == 2.0


def test_while_loop():
    def function(x: Any) -> Any:
        def body(state: Any) -> Any:
            n, total = state
            return n + 1, total * 1.5 + n

        return tg.while_loop(lambda state: state[1] < 50.0, body, (tg.tensor(0.0), x))

    jitted = tg.jit(function)
    for start in (1.0, 100.0, -3.0, 20.0):
        for _ in range(2):
            got, wanted = jitted(tg.tensor(start)), function(tg.tensor(start))
            assert [part.numpy() for part in got] == [part.numpy() for part in wanted]


def test_while_loop_refuses_gradients_and_changing_shapes():
    @tg.jit
    def slope(x: Any) -> Any:
        with tg.Tape() as tape:
            tape.watch(x)
            y = tg.while_loop(lambda y: y < 10.0, lambda y: y * 2.0, x)
        return tape.gradient(y, x)

    with pytest.raises(NotImplementedError, match=r"tapegrad\.scan"):
        _twice(slope, 1.0)
    growing = tg.jit(lambda x: tg.while_loop(lambda y: y.sum() < 9, lambda y: ops.stack([y, y]), x))
    with pytest.raises(TypeError, match="structure, shapes and dtypes must stay"):
        _twice(growing, 1.0)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("length", [1, 2, 7])
def test_scan(length: int, reverse: bool):
    w = tg.Variable(np.eye(3) * 0.5 + 0.1)

    def function(x: Any, start: Any) -> Any:
        def step(state: Any, element: Any) -> Any:
            new = ops.tanh(ops.matmul(state, w) + element)
            return new, (new * 2.0).sum()

        last, outputs = tg.scan(step, start, x, reverse=reverse)
        return last.sum() + (outputs * outputs).sum()

    calls = [(RNG.normal(size=(length, 3)), RNG.normal(size=3)) for _ in range(2)]
    _check(function, *calls)


def test_scan_without_outputs_without_sequence_and_of_no_steps():
    _check(lambda x: tg.scan(lambda s, _: (s * 0.5 + 1.0, None), x, length=4)[0].sum(), (V,), (-V,))
    _check(lambda x: tg.scan(lambda s, _: (s * 0.5, s), x, length=0)[0].sum(), (V,))
    _check(
        lambda x: tg.scan(
            lambda s, e: (s + e["a"] * e["b"][0], None),
            0.0 * x[0, 0],
            {"a": x[:, 0], "b": (x[:, 1],)},
        )[0],
        (RNG.normal(size=(5, 2)),),
        (RNG.normal(size=(5, 2)),),
    )


def test_second_derivatives_of_scan():
    def function(x: Any) -> Any:
        return tg.scan(lambda s, e: (ops.sin(s) * e, s), x[0], x)[0]

    wanted = tg.hessian(function)(tg.tensor(V)).numpy()
    jitted = tg.jit(lambda x: tg.hessian(function)(x))
    for _ in range(3):
        np.testing.assert_allclose(jitted(tg.tensor(V)).numpy(), wanted, rtol=1e-10, atol=1e-12)


def test_scan_with_effects_is_unrolled():
    v = tg.Variable(0.0, dtype="float64")

    def function(x: Any) -> Any:
        def step(state: Any, element: Any) -> Any:
            v.assign_add(element)
            return state + v.value, None

        return tg.scan(step, x[0] * 0.0, x)[0]

    expected = [float(function(tg.tensor(V + k))) for k in range(3)]
    v.assign(0.0)
    jitted = tg.jit(function)
    assert [float(jitted(tg.tensor(V + k))) for k in range(3)] == expected


def test_a_state_that_changes_is_refused():
    for wrap in (lambda f: f, tg.jit):
        function = wrap(lambda x: tg.scan(lambda s, e: (ops.stack([s, s]), None), x[0], x)[0])
        with pytest.raises(TypeError, match="structure, shapes and dtypes must stay"):
            _twice(function, V)
    with pytest.raises(ValueError, match="must agree on the number of steps"):
        tg.scan(lambda s, e: (s, None), tg.tensor(0.0), None)


def test_errors_in_bodies_leave_recording_as_it_was():
    def fail(*_: Any) -> Any:
        raise KeyError("mine")

    for form in (
        lambda x: tg.cond(x.sum() > 0, fail, fail),
        lambda x: tg.while_loop(lambda s: s.sum() < 100, fail, x),
        lambda x: tg.scan(fail, x, x)[0],
    ):
        jitted = tg.jit(form)
        for _ in range(3):
            with pytest.raises(KeyError, match="mine"):
                jitted(tg.tensor(np.abs(V)))
        assert tg.jit(lambda x: x + 1.0)(tg.tensor(1.0)) == 2.0
