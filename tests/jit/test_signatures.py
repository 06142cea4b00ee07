"""Which calls share a program, and which programs are kept."""

from __future__ import annotations

import copy
import gc
import weakref
from collections import OrderedDict, defaultdict, namedtuple
from typing import Any

import numpy as np
import pytest

import tapegrad as tg


class Counted:
    """A function that counts how often Python runs it."""

    def __init__(self, function: Any) -> None:
        self.function, self.calls = function, 0
        self.__name__ = self.__qualname__ = "counted"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        return self.function(*args, **kwargs)


def _counted(function: Any, **options: Any) -> tuple[Counted, Any]:
    counted = Counted(function)
    return counted, tg.jit(counted, **options)


def test_shapes_and_dtypes_are_recorded_each():
    counted, jitted = _counted(lambda x: (x * 2).sum())
    for expected, x in [
        (1, np.ones(3)),
        (1, np.zeros(3)),
        (2, np.ones(4)),
        (3, np.ones((3, 1))),
        (4, np.ones(3, "float32")),
        (5, np.ones(3, "int64")),
        (6, np.ones(3, bool)),
        (7, np.ones(())),
        (8, np.ones((0, 3))),
        (8, np.ones(3)),
    ]:
        result = jitted(tg.tensor(x))
        eager = (tg.tensor(x) * 2).sum()
        assert result.dtype == eager.dtype
        np.testing.assert_array_equal(result.numpy(), eager.numpy())
        assert counted.calls == expected


def test_other_arguments_are_told_apart_by_value():
    counted, jitted = _counted(lambda x, n: x * n)
    x = tg.tensor([1.0, 2.0])
    for calls, n in enumerate((2, 3, 2.0, 0.0, -0.0, True, 1, float("nan")), 1):
        for _ in range(2):
            result, eager = jitted(x, n).numpy(), (x * n).numpy()
            np.testing.assert_array_equal(result, eager)
            np.testing.assert_array_equal(np.signbit(result), np.signbit(eager))
        assert counted.calls == calls, n


def test_text_none_and_functions_as_arguments():
    counted, jitted = _counted(lambda x, how, f=None: (x.sum() if how == "sum" else x) * 1.0)
    x = tg.tensor([1.0, 2.0])
    assert float(jitted(x, "sum")) == 3.0
    assert jitted(x, "all").shape == (2,)
    jitted(x, "all", len)
    jitted(x, "all", f=len)
    jitted(x, "all", f=max)
    assert counted.calls == 5
    jitted(x, "all", f=len)
    assert counted.calls == 5


def test_arrays_and_tensors_share_a_program_and_any_strides_do():
    counted, jitted = _counted(lambda x: x + x.T)
    base = np.arange(16.0).reshape(4, 4)
    for x in (base, tg.tensor(base), base.T, base[::-1], np.asfortranarray(base), base[:, ::-1]):
        np.testing.assert_array_equal(jitted(x).numpy(), np.asarray(x) + np.asarray(x).T)
    assert counted.calls == 1


Pair = namedtuple("Pair", ["left", "right"])


def test_containers_come_and_go_as_they_are():
    def function(data: Any, *rest: Any, scale: Any) -> Any:
        pair, entries = data["pair"], data["list"]
        return {
            "sum": pair.left + pair.right * scale["by"],
            "pair": Pair(pair.right, (entries[0], None, "text", 3)),
            "rest": [part * 2.0 for part in rest],
        }

    counted, jitted = _counted(function)
    for step in range(3):
        x = [tg.tensor([float(step + k)]) for k in range(5)]
        data = {"pair": Pair(x[0], x[1]), "list": [x[2]]}
        result = jitted(data, x[3], scale={"by": x[4]})
        expected = function(data, x[3], scale={"by": x[4]})
        assert list(result) == list(expected)
        assert type(result["pair"]) is Pair
        assert result["pair"].right[1:] == (None, "text", 3)
        assert result["sum"].tolist() == expected["sum"].tolist()
        assert result["pair"].left.tolist() == x[1].tolist()
        assert result["pair"].right[0].tolist() == x[2].tolist()
        assert result["rest"][0].tolist() == expected["rest"][0].tolist()
    assert counted.calls == 1
    jitted({"pair": Pair(x[0], x[1]), "list": [x[2], x[2]]}, x[3], scale={"by": x[4]})
    jitted({"pair": Pair(x[0], x[1]), "list": (x[2],)}, x[3], scale={"by": x[4]})
    assert counted.calls == 3


def test_keywords_by_name():
    _, jitted = _counted(lambda a, b=2.0, *, c: a - b * c)
    x, y, z = (tg.tensor(float(k)) for k in (1, 10, 100))
    assert float(jitted(x, b=y, c=z)) == -999.0
    assert float(jitted(x, c=y, b=z)) == -999.0
    assert float(jitted(x, b=z, c=z)) == -9999.0
    assert float(jitted(x, c=z)) == -199.0
    assert float(jitted(c=x, a=z)) == 98.0


def test_what_is_returned():
    variable = tg.Variable([1.0, 2.0])

    def function(x: Any) -> Any:
        y = x * 2.0
        return x, x, y, y, y.T, variable, variable.value, None, 7, "a", np.ones(2), (), {}

    jitted = tg.jit(function)
    for step in range(3):
        x = tg.tensor(np.full((2, 2), float(step)))
        variable.assign([step, step])
        result = jitted(x)
        for got in result[:2]:
            np.testing.assert_array_equal(got.numpy(), x.numpy())
        for got in result[2:5]:
            np.testing.assert_array_equal(got.numpy(), x.numpy() * 2)
        assert result[5] is variable
        assert result[6].tolist() == [step, step]
        assert result[7:10] == (None, 7, "a")
        assert result[10].tolist() == [1.0, 1.0]
        assert result[11:] == ((), {})
        variable.assign_add([1.0, 1.0])
        assert result[6].tolist() == [step, step]


def test_results_do_not_share_memory_with_arguments_or_one_another():
    jitted = tg.jit(lambda x: (x, x.reshape(-1), x * 1.0, x.T))
    source = np.ones((2, 3))
    jitted(source)
    results = [part.numpy() for part in jitted(source)]
    again = [part.numpy() for part in jitted(source)]
    for number, one in enumerate(results):
        assert not np.shares_memory(one, source)
        for other in results[number + 1 :] + again:
            assert not np.shares_memory(one, other)


def test_functions_without_tensors_or_operations():
    for function in (lambda: None, lambda: 3, lambda: tg.tensor([1.0, 2.0]), lambda *a: a):
        jitted = tg.jit(function)
        for _ in range(3):
            result, expected = jitted(), function()
            assert type(result) is type(expected)
            if isinstance(expected, tg.Tensor):
                assert result.tolist() == expected.tolist()
    nothing = tg.jit(lambda x: None)
    for _ in range(3):
        assert nothing(tg.tensor([1.0])) is None
    assert nothing.program(tg.tensor([1.0])).steps == []


@pytest.mark.parametrize("dtype", ["float16", "complex64", "complex128", "uint8", "int32", "bool"])
def test_other_dtypes(dtype: str):
    def function(x: Any) -> Any:
        return x + x, x.reshape(2, 2), x[1:], x == x

    jitted = tg.jit(function)
    for step in range(3):
        x = (np.arange(4) + step).astype(dtype)
        try:
            expected = function(tg.tensor(x))
        except TypeError as error:
            with pytest.raises(TypeError, match=str(error)[:20]):
                jitted(tg.tensor(x))
            continue
        for got, wanted in zip(jitted(tg.tensor(x)), expected, strict=True):
            assert got.dtype == wanted.dtype
            np.testing.assert_array_equal(got.numpy(), wanted.numpy())


def test_the_program_that_was_not_used_for_longest_goes():
    counted, jitted = _counted(lambda x: x * 2.0, cache_size=3)
    first, *others = [np.ones(n) for n in range(1, 6)]
    for x in others:
        jitted(first)
        jitted(x)
    assert counted.calls == 5
    jitted(first)  # made before all, but used after
    assert counted.calls == 5
    jitted(others[-1])
    assert counted.calls == 5
    jitted(others[0])
    assert counted.calls == 6
    assert len(jitted._entries) == 3


def test_programs_go_with_their_function_and_hold_no_arguments_of_the_recorded_call():
    jitted = tg.jit(lambda x: x * 2.0)
    x = tg.tensor(np.ones(1000))
    result = jitted(x)
    held = weakref.ref(result)
    program = weakref.ref(jitted.program(x))
    del result
    jitted(x)
    gc.collect()
    assert held() is None
    del jitted
    gc.collect()
    assert program() is None


def test_methods():
    class Model:
        def __init__(self, scale: float) -> None:
            self.scale = tg.Variable(scale, dtype="float64")

        @tg.jit
        def __call__(self, x: Any) -> Any:
            return x * self.scale

        @tg.jit
        def step(self, x: Any, *, by: Any) -> None:
            self.scale.assign_add((x * by).sum())

    one, two = Model(2.0), Model(3.0)
    x = tg.tensor([1.0, 2.0])
    for _ in range(3):
        assert one(x).tolist() == [2.0, 4.0]
        assert two(x).tolist() == [3.0, 6.0]
    for _ in range(3):
        one.step(x, by=2.0)
    assert float(one.scale) == 20.0
    assert float(two.scale) == 3.0
    assert one(x).tolist() == [20.0, 40.0]


def test_closures_are_read_when_recording():
    factor = 2.0
    jitted = tg.jit(lambda x: x * factor)
    x = tg.tensor([1.0])
    assert jitted(x).tolist() == [2.0]
    factor = 3.0
    assert jitted(x).tolist() == [2.0]  # Python runs at the first call alone
    assert jitted(tg.tensor([1.0, 1.0])).tolist() == [3.0, 3.0]


class Bag(list):
    """A list of another type."""


def test_lists_and_dicts_of_other_types():
    def function(data: Any, bag: Any) -> Any:
        return OrderedDict(b=data["a"] * bag[0]), Bag([data["a"] + 1.0]), data["missing"]

    counted, jitted = _counted(function)
    data = defaultdict(lambda: 5, a=tg.tensor(1.0))
    bag = Bag([tg.tensor(3.0)])
    for step in range(3):
        data["a"] = tg.tensor(float(step))  # the very same objects with other tensors in them
        bag[0] = tg.tensor(2.0 * step)
        first, second, third = jitted(data, bag)
        data.pop("missing", None)
        assert type(first) is OrderedDict
        assert type(second) is Bag
        assert (float(first["b"]), float(second[0]), third) == (2.0 * step**2, step + 1.0, 5)
    assert counted.calls == 1


def test_numbers_of_numpy_are_told_apart_by_their_bits():
    counted, jitted = _counted(lambda x, n: x * n)
    x = tg.tensor([1.0])
    for n in (0.0, -0.0, np.nan):
        for _ in range(2):
            result = jitted(x, np.float64(n)).numpy()
            assert np.signbit(result) == np.signbit(n)
    assert counted.calls == 3


def test_tensors_in_objects_that_are_returned_run_eagerly():
    class Result:
        def __init__(self, loss: Any) -> None:
            self.loss = loss

    jitted = tg.jit(lambda x: Result(x * 2.0))
    with pytest.warns(RuntimeWarning, match="inside of a Result"):
        jitted(tg.tensor(1.0))
    assert float(jitted(tg.tensor(2.0)).loss) == 4.0
    fine = tg.jit(lambda x: (x * 2.0, Result(3)))
    for value in (1.0, 2.0):
        result, thing = fine(tg.tensor(value))
        assert (float(result), thing.loss) == (2 * value, 3)


def test_copies_have_programs_of_their_own():
    class Model:
        def __init__(self) -> None:
            self.weight = tg.Variable(2.0, dtype="float64")
            self.step = tg.jit(self._step)

        def _step(self, x: Any) -> Any:
            self.weight.assign_add(x)
            return self.weight * 1.0

        @tg.jit
        def double(self, x: Any) -> Any:
            return x * self.weight

    one = Model()
    one.step(tg.tensor(1.0))
    two = copy.deepcopy(one)
    for _ in range(3):
        two.step(tg.tensor(1.0))
    assert (float(one.weight), float(two.weight)) == (3.0, 6.0)
    assert float(two.double(tg.tensor(2.0))) == 12.0
    assert two.double.program(tg.tensor(2.0)).plan.is_native
