"""Functions in threads, prefetching, errors, and that no thread outlives its pass."""

from __future__ import annotations

import gc
import threading
import time

import numpy as np
import pytest

from tapegrad.data import AUTOTUNE, Dataset


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    before = set(threading.enumerate())
    yield
    gc.collect()
    assert set(threading.enumerate()) <= before


def slowly(x):
    time.sleep(0.002 * (5 - int(x) % 5))  # later elements are ready first
    return int(x) * 10


@pytest.mark.parametrize("workers", [2, 3, AUTOTUNE])
def test_order_is_kept(workers):
    dataset = Dataset.range(20).map(slowly, num_parallel_calls=workers)
    assert [int(x) for x in dataset] == list(range(0, 200, 10))
    assert [int(x) for x in dataset.iterate(skip=15)] == [150, 160, 170, 180, 190]


def test_functions_run_at_the_same_time():
    meeting = threading.Barrier(3, timeout=10)

    def meet(x):
        meeting.wait()
        return x

    assert len(list(Dataset.range(6).map(meet, num_workers=3))) == 6


class Odd(ValueError):
    def __init__(self, one, two):
        super().__init__(f"{one} {two}")


@pytest.mark.parametrize("workers", [None, 3])
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError("bad"), ValueError),
        (ZeroDivisionError("bad"), ZeroDivisionError),
        (KeyError("bad"), KeyError),
        (Odd("bad", 2), RuntimeError),
        (StopIteration("bad"), RuntimeError),
    ],
)
def test_errors_name_the_element(workers, error, kind):
    def function(x):
        if x == 7:
            raise error
        return x

    dataset = Dataset.range(20).map(function, num_parallel_calls=workers)
    for skip in (0, 5):
        iterator = dataset.iterate(skip=skip)
        for expected in range(skip, 7):
            assert next(iterator) == expected
        with pytest.raises(kind, match=r"Dataset\.map: .* element 7: .*bad") as caught:
            next(iterator)
        assert caught.value.__cause__ is error
        assert list(iterator) == [], "after an error the pass is over"


def test_errors_of_a_predicate_name_the_element():
    with pytest.raises(ZeroDivisionError, match=r"Dataset\.filter: .* element 2"):
        list(Dataset.range(-2, 3).filter(lambda x: 1 // int(x)))


@pytest.mark.parametrize("step", [lambda d: d.map(lambda x: x, 4), lambda d: d.prefetch(2)])
def test_errors_of_the_source_come_after_its_elements(step):
    def source():
        yield from range(3)
        raise OSError("disk")

    iterator = iter(step(Dataset.from_generator(source)))
    assert [int(next(iterator)) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match=r"^disk$"):
        next(iterator)


def test_prefetch_works_ahead_but_no_further():
    made = []

    def source():
        for i in range(100):
            made.append(i)
            yield i

    iterator = iter(Dataset.from_generator(source).prefetch(3))
    assert made == [], "nothing starts before the first element is asked for"
    next(iterator)
    deadline = time.monotonic() + 5
    while len(made) < 4 and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.02)
    # One was taken, three are ready, and one may be made that has no room yet.
    assert 4 <= len(made) <= 5
    iterator.close()
    iterator.close()
    assert list(iterator) == []


@pytest.mark.parametrize(
    "dataset",
    [
        Dataset.range(10**6).prefetch(2),
        Dataset.range(10**6).map(lambda x: x, num_parallel_calls=3),
        Dataset.range(10**6).map(lambda x: x, 2).batch(4).prefetch(2).prefetch(1),
        Dataset.range(10**6).repeat().shuffle(10).prefetch(AUTOTUNE),
    ],
)
def test_threads_end_when_a_pass_is_left(dataset):
    for _ in dataset:
        break
    with dataset.iterate() as elements:
        next(elements)
    iterator = iter(dataset)
    next(iterator)
    del iterator
    iter(dataset)  # never begun
    gc.collect()
    assert not [t for t in threading.enumerate() if t.name.startswith("tapegrad")]


def test_a_pass_that_is_left_waits_for_its_functions_and_begins_no_more():
    begun, ended = [], []

    def function(x):
        begun.append(x)
        time.sleep(0.05 if x else 0.0)
        ended.append(x)
        return x

    iterator = iter(Dataset.range(100).map(function, num_workers=2))
    next(iterator)
    iterator.close()
    assert sorted(begun) == sorted(ended)
    assert len(begun) < 4
    assert not [t for t in threading.enumerate() if t.name.startswith("tapegrad")]


def test_passes_at_the_same_time_do_not_disturb_each_other():
    dataset = Dataset.range(50).shuffle(50, seed=1).batch(5).prefetch(2)
    one, two = iter(dataset), iter(dataset)
    both = [(next(one), next(two)) for _ in range(10)]
    for elements in zip(*both):
        assert sorted(np.concatenate(elements).tolist()) == list(range(50))
    one.close()
    two.close()
