"""Errors while a function is recorded, and in runs of its program."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import ops
from tapegrad._core.state import thread


def test_an_error_while_recording_leaves_no_trace():
    fails = [True]
    v = tg.Variable(0.0, dtype="float64")

    @tg.jit
    def function(x: Any) -> Any:
        v.assign_add(x.sum())
        if fails[0]:
            raise KeyError("mine")
        return x * 2.0

    x = tg.tensor([1.0, 2.0])
    with tg.Tape() as tape, pytest.raises(KeyError, match="mine"):
        function(x)
    with pytest.raises(KeyError, match="mine"):
        function(x)
    del tape
    assert thread.recorder is None
    assert thread.listeners == ()
    assert float(v) == 6.0
    fails[0] = False
    for number in range(3, 6):
        assert function(x).tolist() == [2.0, 4.0]
        assert float(v) == 3.0 * number


def test_an_error_of_an_operation_while_recording():
    jitted = tg.jit(lambda x, y: ops.matmul(x, y))
    x = tg.tensor(np.ones((2, 3)))
    for _ in range(2):
        with pytest.raises(ValueError, match="matmul"):
            jitted(x, x)
    assert thread.recorder is None
    np.testing.assert_array_equal(
        jitted(x, tg.tensor(np.ones((3, 2)))).numpy(), np.full((2, 2), 3.0)
    )


def _both(function: Any, good: Any, bad: Any) -> None:
    """The error of a run is that of the ordinary call, and the next run works."""
    jitted = tg.jit(function)
    expected = jitted(*good).numpy()
    with pytest.raises((ValueError, IndexError)) as eager:
        function(*bad)
    for _ in range(2):
        with pytest.raises(type(eager.value)) as recorded:
            jitted(*bad)
        assert str(recorded.value).split(" (")[0] in str(eager.value)
    np.testing.assert_array_equal(jitted(*good).numpy(), expected)


X = np.random.default_rng(1).normal(size=(4, 3))


def test_values_that_kernels_refuse():
    labels, wrong = np.array([0, 2, 1, 1]), np.array([0, 2, 3, 1])
    _both(lambda x, y: ops.softmax_cross_entropy(x, y)[0].sum(), (X, labels), (X, wrong))
    _both(lambda x, y: ops.gather(x, y), (X, labels), (X, wrong + 1))
    _both(lambda x, y: ops.segment_sum(x, y, 3), (X, labels), (X, wrong))
    _both(lambda x, y: ops.scatter_add(x, y, 3), (X, labels), (X, -wrong))


def test_what_came_before_an_error_in_a_run_has_happened_and_what_comes_after_has_not():
    before, after = tg.Variable(0.0), tg.Variable(0.0)

    def function(x: Any, y: Any) -> Any:
        before.assign_add(1.0)
        z = ops.gather(x, y)
        after.assign_add(1.0)
        return z

    jitted = tg.jit(function)
    good, bad = np.array([0, 1]), np.array([0, 9])
    jitted(X, good)
    for _ in range(2):
        with pytest.raises(IndexError, match="gather"):
            jitted(X, bad)
    jitted(X, good)
    assert (float(before), float(after)) == (4.0, 2.0)


def test_an_error_in_python_code_of_a_run():
    @tg.primitive
    def checked(x: Any) -> Any:
        if x.sum() < 0:
            raise ValueError("negative")
        return x * 1.0

    count = tg.Variable(0.0)

    def function(x: Any) -> Any:
        y = checked(x) * 2.0
        count.assign_add(1.0)
        return y

    jitted = tg.jit(function)
    for x, fails in ((1.0, False), (2.0, False), (-1.0, True), (3.0, False), (-1.0, True)):
        if fails:
            with pytest.raises(ValueError, match="negative"):
                jitted(tg.tensor([x]))
        else:
            assert jitted(tg.tensor([x])).tolist() == [2 * x]
    assert float(count) == 3.0
    assert thread.recorder is None


def test_errors_under_tapes():
    jitted = tg.jit(lambda x, y: ops.gather(x, y).sum())
    for indices in (np.array([0, 1]), np.array([0, 9]), np.array([1, 1])):
        x = tg.tensor(X)
        with tg.Tape() as tape:
            tape.watch(x)
            if indices.max() == 9:
                with pytest.raises(IndexError, match="gather"):
                    jitted(x, indices)
                continue
            y = jitted(x, indices)
        expected = np.zeros_like(X)
        np.add.at(expected, indices, 1.0)
        np.testing.assert_array_equal(tape.gradient(y, x).numpy(), expected)
    assert thread.listeners == ()
