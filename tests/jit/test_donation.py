"""Arguments whose memory is used again."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg


def _step(state, x):
    return state * 0.5 + x, (state * x).sum()


def test_results_take_the_memory_of_donated_arguments():
    function = tg.jit(_step, donate_argnums=0)
    x = np.arange(6.0)
    expected = np.ones(6)
    state = tg.tensor(expected)
    for call in range(4):
        address = state._data.ctypes.data
        given = state
        state, product = function(state, x)
        np.testing.assert_array_equal(product.numpy(), (expected * x).sum())
        expected = expected * 0.5 + x
        np.testing.assert_array_equal(state.numpy(), expected)
        if call:  # the first call is an ordinary one
            assert state._data.ctypes.data == address
            with pytest.raises(RuntimeError, match="donated"):
                given.numpy()
            with pytest.raises(RuntimeError, match="donated"):
                given + 1.0


def test_memory_that_others_see_is_copied():
    function = tg.jit(_step, donate_argnums=(0,))
    variable = tg.Variable(np.ones(6))
    x = tg.tensor(np.ones(6))
    frozen = np.ones(6)
    frozen.flags.writeable = False
    for _ in range(3):
        function(variable.value, x)
        function(x, x)
        function(frozen, tg.tensor(np.ones(6)))
        x = tg.tensor(np.ones(6))
    np.testing.assert_array_equal(variable.numpy(), np.ones(6))
    np.testing.assert_array_equal(frozen, np.ones(6))


def test_an_argument_that_is_needed_to_the_end_is_not_overwritten():
    function = tg.jit(lambda x, y: (x + y, x * y, x - y), donate_argnums=0)
    y = np.arange(4.0)
    for _ in range(3):
        x = tg.tensor(np.full(4, 3.0))
        for got, wanted in zip(function(x, y), (3.0 + y, 3.0 * y, 3.0 - y), strict=True):
            np.testing.assert_array_equal(got.numpy(), wanted)


def test_other_sizes_and_nests():
    function = tg.jit(
        lambda state: state["a"].astype("float32").sum() + state["b"][0], donate_argnums=0
    )
    for _ in range(3):
        state = {"a": tg.tensor(np.ones((3, 2))), "b": tg.tensor(np.ones(1))}
        assert float(function(state)) == 7.0
