"""Recording, nesting, persistence and what comes back."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import tapegrad as tg


def test_gradient_of_a_product():
    x, y = tg.Variable(3.0), tg.Variable(4.0)
    with tg.Tape() as tape:
        z = x * y + x
    dx, dy = tape.gradient(z, [x, y])
    assert (float(dx), float(dy)) == (5.0, 3.0)


def test_sources_keep_their_structure():
    x = {"a": tg.Variable(1.0), "b": (tg.Variable(2.0), [tg.Variable(3.0)])}
    with tg.Tape() as tape:
        z = x["a"] * x["b"][0] * x["b"][1][0]
    gradient = tape.gradient(z, x)
    assert float(gradient["a"]) == 6.0
    assert isinstance(gradient["b"], tuple)
    assert [float(gradient["b"][0]), float(gradient["b"][1][0])] == [3.0, 2.0]


def test_unconnected_sources_are_none_or_zero():
    x, y = tg.Variable(1.0), tg.Variable([1.0, 2.0])
    with tg.Tape(persistent=True) as tape:
        z = x * 2.0
    assert tape.gradient(z, [x, y])[1] is None
    zero = tape.gradient(z, y, unconnected_gradients="zero")
    np.testing.assert_array_equal(zero.numpy(), [0.0, 0.0])
    with pytest.raises(ValueError, match="'none' or 'zero'"):
        tape.gradient(z, y, unconnected_gradients="maybe")


def test_target_that_is_a_source():
    x = tg.Variable(2.0)
    with tg.Tape() as tape:
        y = x * 3.0
    gradient = tape.gradient([x, y], [x, y])
    assert [float(g) for g in gradient] == [4.0, 1.0]


def test_intermediate_source():
    x = tg.Variable(2.0)
    with tg.Tape() as tape:
        y = x * x
        z = y * y
    dy, dx = tape.gradient(z, [y, x])
    assert (float(dy), float(dx)) == (8.0, 32.0)


def test_a_spent_tape_says_so():
    x = tg.Variable(1.0)
    with tg.Tape() as tape:
        y = x * x
    tape.gradient(y, x)
    with pytest.raises(RuntimeError, match="persistent=True"):
        tape.gradient(y, x)
    with pytest.raises(RuntimeError, match="persistent=True"), tape:
        pass


def test_a_persistent_tape_gives_several_gradients():
    x = tg.Variable(3.0)
    with tg.Tape(persistent=True) as tape:
        y = x * x
        z = y * x
    assert float(tape.gradient(y, x)) == 6.0
    assert float(tape.gradient(z, x)) == 27.0


def test_second_derivative_within_one_persistent_tape():
    x = tg.Variable(3.0)
    with tg.Tape(persistent=True) as tape:
        first = tape.gradient(x * x * x, x)
    assert float(tape.gradient(first, x)) == 18.0


def test_nested_tapes_give_higher_derivatives():
    x = tg.Variable(2.0)
    with tg.Tape() as third, tg.Tape() as second, tg.Tape() as first:
        y = x * x * x * x
        d1 = first.gradient(y, x)
        d2 = second.gradient(d1, x)
    d3 = third.gradient(d2, x)
    assert [float(d) for d in (d1, d2, d3)] == [32.0, 48.0, 48.0]


def test_constants_must_be_watched():
    x = tg.tensor(3.0)
    with tg.Tape() as tape:
        y = x * x
    assert tape.gradient(y, x) is None
    with tg.Tape() as tape:
        tape.watch(x)
        y = x * x
    assert float(tape.gradient(y, x)) == 6.0


def test_variables_that_are_not_trainable_are_not_watched():
    x = tg.Variable(3.0, trainable=False)
    with tg.Tape() as tape:
        y = x * x
    assert tape.gradient(y, x) is None
    x.trainable = True
    with tg.Tape() as tape:
        y = x * x
    assert float(tape.gradient(y, x)) == 6.0
    with tg.Tape(watch_accessed_variables=False) as tape:
        y = x * x
    assert tape.gradient(y, x) is None


def test_integers_cannot_be_watched():
    with pytest.raises(TypeError, match="int64"):
        tg.Tape().watch(tg.tensor([1, 2]))
    with pytest.raises(TypeError, match="ndarray"):
        tg.Tape().watch(np.ones(2))


def test_output_gradients_weigh_the_target():
    x = tg.Variable([1.0, 2.0])
    with tg.Tape(persistent=True) as tape:
        y = x * x
    weighted = tape.gradient(y, x, output_gradients=tg.tensor([1.0, 10.0]))
    np.testing.assert_array_equal(weighted.numpy(), [2.0, 40.0])
    assert weighted.dtype == np.float32
    with pytest.raises(ValueError, match=r"\(3,\).*\(2,\)"):
        tape.gradient(y, x, output_gradients=tg.tensor([1.0, 1.0, 1.0]))


def test_one_gradient_for_two_uses_is_not_shared_memory():
    x, y = tg.Variable([1.0]), tg.Variable([2.0])
    with tg.Tape() as tape:
        z = (x + y) + x
    dx, dy = tape.gradient(z, [x, y])
    np.testing.assert_array_equal(dx.numpy(), [2.0])
    np.testing.assert_array_equal(dy.numpy(), [1.0])


def test_broadcast_arguments_get_gradients_of_their_shape():
    x, b = tg.Variable(np.ones((3, 4), np.float32)), tg.Variable(np.ones((1, 4), np.float32))
    s = tg.Variable(np.float32(2.0))
    with tg.Tape() as tape:
        y = (x + b) * s
    dx, db, ds = tape.gradient(y, [x, b, s])
    assert (dx.shape, db.shape, ds.shape) == ((3, 4), (1, 4), ())
    np.testing.assert_array_equal(db.numpy(), np.full((1, 4), 6.0))
    assert float(ds) == 24.0


def test_mixed_dtypes_give_each_source_its_own():
    x, y = tg.Variable(np.float32(2.0)), tg.Variable(np.float64(3.0))
    with tg.Tape() as tape:
        z = x * y
    dx, dy = tape.gradient(z, [x, y])
    assert z.dtype == np.float64
    assert (dx.dtype, dy.dtype) == (np.float32, np.float64)


def test_recording_is_per_thread():
    x = tg.Variable(3.0)
    results: list[float | None] = []

    def work() -> None:
        y = x * x  # the tape of the other thread must not see this
        with tg.Tape() as own:
            z = x * x * x
        results.append(float(own.gradient(z, x)))
        results.append(y.item())

    with tg.Tape() as tape:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        y = x * 2.0
    assert len(tape._entries or []) == 1
    assert float(tape.gradient(y, x)) == 2.0
    assert results == [27.0, 9.0]


def test_no_record_hides_operations():
    x = tg.Variable(3.0)
    with tg.Tape() as tape:
        with tg.no_record():
            hidden = x * x
        y = x * hidden
    assert float(tape.gradient(y, x)) == 9.0


def test_a_tape_keeps_only_what_derivatives_need():
    x = tg.Variable(np.zeros(1000, np.float32))
    with tg.Tape() as tape:
        y = tg.ops.exp(x + 1.0)  # exp needs its result, + needs nothing
    kept = [a for entry in tape._entries or [] for a in entry[3] if isinstance(a, tg.Tensor)]
    assert kept == []
    np.testing.assert_allclose(tape.gradient(y, x).numpy(), y.numpy())


def test_leaving_a_tape_by_an_error_ends_the_recording():
    with pytest.raises(ZeroDivisionError), tg.Tape():
        raise ZeroDivisionError
    from tapegrad._core.state import thread

    assert thread.listeners == ()


def test_entering_twice_is_refused():
    tape = tg.Tape()
    with tape, pytest.raises(RuntimeError, match="recording already"), tape:
        pass


def test_stop_recording_pauses_one_tape_and_not_the_others():
    x = tg.Variable(3.0)
    with tg.Tape() as outer, tg.Tape() as inner:
        with inner.stop_recording():
            hidden = x * x
        y = x * hidden
    assert float(inner.gradient(y, x)) == 9.0
    assert float(outer.gradient(y, x)) == 27.0


@pytest.mark.parametrize("shape", [(), (1,), (1, 3), (3,)])
def test_gradient_of_what_is_broadcast_against_nothing(shape):
    x, empty = tg.Variable(np.ones(shape)), tg.Variable(np.ones((0, 3)))
    with tg.Tape() as tape:
        y = x * empty
    by_x, by_empty = tape.gradient(y, [x, empty])
    np.testing.assert_array_equal(by_x.numpy(), np.zeros(shape))
    assert by_empty.shape == (0, 3)
