"""What cannot be repeated from a record: it runs in the ordinary way, and says where."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import layers
from tapegrad._core.state import thread
from tapegrad._jit.recorder import LeftOverError


def _branch(x: Any) -> Any:
    return x * 2.0 if x.sum() > 0 else x


def _loop(x: Any) -> Any:
    return sum(float(part) for part in x) + x


def _numpy(x: Any) -> Any:
    return x + np.asarray(x * 1.0).max()


def _index(x: Any) -> Any:
    table = [10.0, 20.0, 30.0, 40.0, 50.0]
    return x * table[int(x[0])]


def _print(x: Any) -> Any:
    return x * float(len(str(x * 2.0)))


READERS = {
    "float": lambda x: x * float(x.sum()),
    "int": lambda x: x * int(x.sum()),
    "bool": _branch,
    "item": lambda x: x + x.max().item(),
    "tolist": lambda x: x + x.tolist()[0],
    "numpy": lambda x: x + x.numpy(),
    "asarray": _numpy,
    "elements": _loop,
    "index": _index,
    "range": lambda x: x * float(len(range(int(x[1])))),
    "printed": _print,
    "in": lambda x: x * (2.0 if 1.0 in x.tolist() else 3.0),
}


@pytest.mark.parametrize("name", READERS)
def test_reading_a_value_runs_eagerly_once_with_one_warning(name: str):
    function, calls = READERS[name], []

    def counted(x: Any) -> Any:
        calls.append(1)
        return function(x)

    jitted = tg.jit(counted)
    x, other = tg.tensor([1.0, 2.0, 4.0]), tg.tensor([-3.0, 2.0, 0.5])
    line = inspect.getsourcelines(function)[1]
    with pytest.warns(RuntimeWarning, match=r"cannot become a program and runs eagerly") as caught:
        result = jitted(x)
    assert len(calls) == 1
    message = str(caught[0].message)
    assert __file__ in message
    told = int(message.rsplit(" ", 1)[1])
    assert line <= told <= line + 3
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(result.numpy(), function(x).numpy())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(jitted(other).numpy(), function(other).numpy())
    assert len(calls) == 2
    with pytest.warns(RuntimeWarning, match="runs eagerly"):  # other shapes are another signature
        jitted(tg.tensor([1.0, 1.0, 1.0, 1.0]))


def test_what_was_done_before_a_value_is_read_happens_once():
    count = tg.Variable(0.0)

    @tg.jit
    def step(x: Any) -> Any:
        count.assign_add(1.0)
        return x * 2.0 if float(x) > 0 else x

    with pytest.warns(RuntimeWarning, match="step cannot become a program"):
        step(tg.tensor(3.0))
    assert float(count) == 1.0
    step(tg.tensor(3.0))
    assert float(count) == 2.0


def test_a_value_of_a_variable_is_read():
    rate = tg.Variable(0.5)
    jitted = tg.jit(lambda x: x * float(rate))
    with pytest.warns(RuntimeWarning, match="Python read"):
        assert float(jitted(tg.tensor(2.0))) == 1.0
    rate.assign(2.0)
    assert float(jitted(tg.tensor(2.0))) == 4.0


def test_values_that_are_the_same_in_every_call_may_be_read():
    outside = tg.tensor([1.0, 2.0])

    @tg.jit
    def function(x: Any) -> Any:
        shape = x.shape[0] * len(x)
        return x * float(outside.sum().numpy() if shape else 0.0) + np.asarray(outside)[0]

    outside_sum = tg.jit(lambda x: x * float(outside[1]))
    # A sum of constants is an operation, whose result is recorded: reading it ends the recording.
    with pytest.warns(RuntimeWarning, match="Python read"):
        function(tg.tensor([1.0, 1.0]))
    with pytest.warns(RuntimeWarning, match="Python read"):
        outside_sum(tg.tensor([1.0, 1.0]))
    fine = tg.jit(lambda x: x * float(np.asarray(outside)[1]))
    assert fine(tg.tensor([3.0])).tolist() == [6.0]
    assert fine(tg.tensor([4.0])).tolist() == [8.0]


# ---- tensors that outlive their recording --------------------------------------------


def test_a_tensor_of_an_earlier_recording_is_refused():
    kept: list[Any] = []

    @tg.jit
    def leak(x: Any) -> Any:
        y = x * 2.0
        kept.append(y)
        return y + 1.0

    leak(tg.tensor([1.0, 2.0]))
    use = tg.jit(lambda x: x + kept[0])
    with pytest.raises(LeftOverError, match=r"shape \(2,\) .* earlier recorded call") as caught:
        use(tg.tensor([1.0, 2.0]))
    assert __file__ in str(caught.value)
    assert thread.recorder is None
    assert thread.listeners == ()
    # Outside of recordings it is a tensor like others, and what is returned is none of them.
    assert (kept[0] + 0.0).tolist() == [2.0, 4.0]
    returned = leak(tg.tensor([1.0, 2.0]))
    assert tg.jit(lambda x: x + returned)(tg.tensor([0.0, 0.0])).tolist() == returned.tolist()


def test_what_a_recording_returns_can_be_used_in_another():
    first = tg.jit(lambda x: (x * 2.0, x))
    doubled, same = first(tg.tensor([1.0, 2.0]))
    second = tg.jit(lambda x: x + doubled + same)
    assert second(tg.tensor([0.0, 0.0])).tolist() == [3.0, 6.0]
    assert second(tg.tensor([1.0, 0.0])).tolist() == [4.0, 6.0]


# ---- Variables that are made in the function -----------------------------------------


def test_layers_may_be_built_at_the_first_call():
    layer = layers.Dense(3)
    calls: list[int] = []

    @tg.jit
    def function(x: Any) -> Any:
        calls.append(1)
        return layer(x)

    x = tg.tensor(np.ones((2, 4), "float32"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        results = [function(x).numpy() for _ in range(4)]
    assert len(calls) == 2  # built, recorded
    for result in results:
        np.testing.assert_array_equal(result, layer(x).numpy())


def test_variables_in_every_call_run_eagerly():
    @tg.jit
    def function(x: Any) -> Any:
        return x + tg.Variable(1.0, dtype="float64")

    x = tg.tensor([1.0])
    function(x)
    function(x)
    with pytest.warns(RuntimeWarning, match="each call makes new Variables"):
        function(x)
    assert function(x).tolist() == [2.0]


def test_program_says_that_there_is_none():
    jitted = tg.jit(_branch)
    with (
        pytest.warns(RuntimeWarning, match="cannot become a program"),
        pytest.raises(RuntimeError, match="run eagerly"),
    ):
        jitted.program(tg.tensor([1.0]))


def test_refuses_what_is_no_function():
    with pytest.raises(TypeError, match="expected a function, got int"):
        tg.jit(3)
