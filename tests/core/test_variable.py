"""Assignment, and who keeps which value."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import tapegrad as tg
from tapegrad._core.flat import FlatVariables


def test_python_numbers_take_floatx_and_arrays_keep_their_dtype():
    assert tg.Variable(1.0).dtype == np.float32
    assert tg.Variable([1, 2]).dtype == np.float32
    assert tg.Variable(np.array([1.0])).dtype == np.float64
    assert tg.Variable(np.array([1])).dtype == np.int64
    assert tg.Variable(1.0, dtype="float64").dtype == np.float64
    tg.set_floatx("float64")
    try:
        assert tg.Variable(1.0).dtype == np.float64
    finally:
        tg.set_floatx("float32")
    with pytest.raises(ValueError, match="float32"):
        tg.set_floatx("int8")


def test_assignment_converts_and_checks_the_shape():
    v = tg.Variable([1.0, 2.0], name="weights")
    assert v.assign(np.array([3.0, 4.0])) is v
    assert v.dtype == np.float32
    np.testing.assert_array_equal(v.numpy(), [3.0, 4.0])
    with pytest.raises(ValueError, match=r"'weights' has shape \(2,\).*\(1,\)"):
        v.assign([5.0])
    with pytest.raises(TypeError, match="weights"):
        v.assign(["a", "b"])


def test_assignment_in_place_when_nobody_holds_the_value():
    v = tg.Variable([1.0, 2.0])
    memory = v.value._data.ctypes.data
    v.assign([3.0, 4.0])
    v.assign_add([1.0, 1.0])
    v.assign_sub([0.5, 0.5])
    assert v.value._data.ctypes.data == memory
    np.testing.assert_array_equal(v.numpy(), [3.5, 4.5])


@pytest.mark.parametrize(
    "hold",
    [
        lambda v: v.value,
        lambda v: v.value.numpy(),
        lambda v: np.asarray(v.value),
        lambda v: v[:2],
        lambda v: v[:2].numpy(),
        lambda v: v.reshape(4, 1),
        lambda v: v.reshape(2, 2).T,
        lambda v: v.astype("float32"),
        lambda v: +v,
    ],
)
@pytest.mark.parametrize("flat", [False, True])
def test_who_holds_an_old_value_keeps_it(hold, flat):
    v = tg.Variable([1.0, 2.0, 3.0, 4.0])
    if flat:
        FlatVariables([v, tg.Variable([0.0])])
    held = hold(v)
    before = np.array(held)
    v.assign([9.0, 9.0, 9.0, 9.0])
    np.testing.assert_array_equal(np.asarray(held), before)
    np.testing.assert_array_equal(v.numpy(), [9.0] * 4)


def test_a_tape_differentiates_the_value_that_it_saw():
    v = tg.Variable(3.0)
    with tg.Tape() as tape:
        y = v * v
    v.assign(100.0)
    assert float(tape.gradient(y, v)) == 6.0
    with tg.Tape() as tape:
        y = v * v
        v.assign(2.0)
        y = y + v * v
    assert float(tape.gradient(y, v)) == 2 * 100.0 + 2 * 2.0


def test_numpy_of_a_variable_is_a_copy():
    v = tg.Variable([1.0, 2.0])
    array = v.numpy()
    array[0] = 9.0
    np.testing.assert_array_equal(v.numpy(), [1.0, 2.0])
    assert np.asarray(v).flags.owndata


def test_a_variable_made_from_another_has_its_own_memory():
    v = tg.Variable([1.0])
    w = tg.Variable(v)
    v.assign([2.0])
    np.testing.assert_array_equal(w.numpy(), [1.0])
    np.testing.assert_array_equal(copy.deepcopy(v).numpy(), [2.0])


def test_paths_tell_weights_of_layers_apart():
    layer = tg.layers.Dense(2, name="first")
    layer.build((None, 3))
    assert [weight.name for weight in layer.weights] == ["kernel", "bias"]
    assert [weight.path for weight in layer.weights] == ["first/kernel", "first/bias"]
    assert copy.deepcopy(layer.kernel).path == "first/kernel"
    assert tg.Variable(0.0, name="alone").path == "alone"


def test_an_assigned_reversal_of_itself():
    v = tg.Variable([1.0, 2.0, 3.0])
    v.assign(v[::-1])
    np.testing.assert_array_equal(v.numpy(), [3.0, 2.0, 1.0])


def test_flat_variables_share_a_buffer():
    a, b = tg.Variable(np.arange(6.0).reshape(2, 3)), tg.Variable(np.array([7.0]))
    flat = FlatVariables([a, b])
    np.testing.assert_array_equal(a.numpy(), np.arange(6.0).reshape(2, 3))
    assert flat.offsets == (0, 16)
    flat.prepare_write()._tensor._data[:] = 5.0
    np.testing.assert_array_equal(a.numpy(), np.full((2, 3), 5.0))
    np.testing.assert_array_equal(b.numpy(), [5.0])
    gathered = flat.gather([tg.tensor(np.ones((2, 3))), tg.tensor([2.0])]).numpy()
    np.testing.assert_array_equal(gathered[:6], np.ones(6))
    assert gathered[16] == 2.0


def test_flat_variables_leave_old_values_to_their_holders():
    a, b = tg.Variable([1.0, 2.0]), tg.Variable([3.0])
    flat = FlatVariables([a, b])
    old = a.value
    flat.prepare_write()._tensor._data[:] = 5.0
    np.testing.assert_array_equal(old.numpy(), [1.0, 2.0])
    np.testing.assert_array_equal(a.numpy(), [5.0, 5.0])
    np.testing.assert_array_equal(b.numpy(), [5.0])


def test_flat_variables_take_back_a_member_that_another_buffer_took():
    a, b = tg.Variable([1.0, 2.0]), tg.Variable([3.0])
    first = FlatVariables([a, b])
    second = FlatVariables([a])
    second.prepare_write()._tensor._data[:2] = 8.0
    np.testing.assert_array_equal(a.numpy(), [8.0, 8.0])
    np.testing.assert_array_equal(first.prepare_write().numpy()[:2], [8.0, 8.0])
    assert a._flat is first


def test_flat_variables_need_one_dtype():
    with pytest.raises(ValueError, match="one dtype"):
        FlatVariables([tg.Variable(np.float32(1)), tg.Variable(np.float64(1))])


def test_operators_of_variables():
    v = tg.Variable([1.0, 4.0])
    for result, expected in [
        (v + 1, [2, 5]),
        (1 - v, [0, -3]),
        (v * v, [1, 16]),
        (8 / v, [8, 2]),
        (v**2, [1, 16]),
        (2**v, [2, 16]),
        (-v, [-1, -4]),
        (abs(-v), [1, 4]),
        (v // 2, [0, 2]),
        (v % 3, [1, 1]),
        (v @ v, 17),
        (v > 2, [False, True]),
        (v == 4, [False, True]),
        (np.sqrt(v), [1, 2]),
        (np.ones(2, np.float32) * v, [1, 4]),
        (v.sum(), 5),
        (v[1], 4),
    ]:
        assert isinstance(result, tg.Tensor)
        np.testing.assert_allclose(result.numpy(), expected)
    assert float(tg.Variable(2.0)) == 2.0
    assert len(v) == 2
    assert repr(v).startswith("Variable(")
