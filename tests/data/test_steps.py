"""What each step of a pipeline yields, how many elements it says it has, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from tapegrad.data import (
    INFINITE_CARDINALITY,
    UNKNOWN_CARDINALITY,
    Dataset,
)


def numbers(dataset):
    return [np.asarray(element).tolist() for element in dataset]


def counted(n):
    """A data set that cannot be reached by index."""
    return Dataset.from_generator(lambda: iter(range(n)), cardinality=n)


BOTH = pytest.mark.parametrize("source", [Dataset.range, counted], ids=["indexed", "generated"])


@BOTH
def test_steps(source):
    cases = [
        (source(5), [0, 1, 2, 3, 4]),
        (source(5).batch(2), [[0, 1], [2, 3], [4]]),
        (source(5).batch(2, drop_remainder=True), [[0, 1], [2, 3]]),
        (source(4).batch(2, drop_remainder=True), [[0, 1], [2, 3]]),
        (source(5).take(2), [0, 1]),
        (source(5).take(9), [0, 1, 2, 3, 4]),
        (source(5).take(-1), [0, 1, 2, 3, 4]),
        (source(5).skip(3), [3, 4]),
        (source(5).skip(9), []),
        (source(5).skip(-1), []),
        (source(5).skip(1).take(3).batch(2), [[1, 2], [3]]),
        (source(2).repeat(3), [0, 1, 0, 1, 0, 1]),
        (source(2).repeat().take(5), [0, 1, 0, 1, 0]),
        (source(3).repeat(2).batch(4), [[0, 1, 2, 0], [1, 2]]),
        (source(0).repeat(), []),
        (source(5).batch(2).repeat(2), [[0, 1], [2, 3], [4], [0, 1], [2, 3], [4]]),
        (source(5).batch(2, True).repeat(2), [[0, 1], [2, 3], [0, 1], [2, 3]]),
        (source(3).batch(2).concatenate(source(3)), [[0, 1], [2], 0, 1, 2]),
        (source(2).concatenate(source(3)), [0, 1, 0, 1, 2]),
        (source(3).map(lambda x: 2 * x), [0, 2, 4]),
        (source(3).map(lambda x: 2 * x, num_parallel_calls=2).batch(2), [[0, 2], [4]]),
        (source(3).cache().repeat(2), [0, 1, 2, 0, 1, 2]),
        (source(5).prefetch(2).batch(3), [[0, 1, 2], [3, 4]]),
        (source(5).prefetch(0), [0, 1, 2, 3, 4]),
        (source(3).apply(lambda dataset: dataset.take(1)), [0]),
    ]
    for dataset, expected in cases:
        assert len(dataset) == len(expected)
        assert numbers(dataset) == expected
        assert numbers(dataset) == expected, "a second pass is as the first"
        for skip in range(len(expected) + 2):
            assert numbers(dataset.iterate(skip=skip)) == expected[skip:]


@BOTH
def test_steps_of_unknown_length(source):
    filtered = source(6).filter(lambda x: x % 2 == 0)
    assert filtered.cardinality() == UNKNOWN_CARDINALITY
    assert numbers(filtered) == [0, 2, 4]
    assert numbers(filtered.batch(2)) == [[0, 2], [4]]
    assert numbers(filtered.iterate(skip=2)) == [4]
    unbatched = source(6).map(lambda x: [x, -x]).unbatch()
    assert unbatched.cardinality() == UNKNOWN_CARDINALITY
    assert numbers(unbatched)[:4] == [0, 0, 1, -1]
    assert len(source(5).batch(2).unbatch()) == 5
    assert len(source(5).batch(2, True).unbatch()) == 4
    assert numbers(source(5).batch(2).unbatch()) == [0, 1, 2, 3, 4]
    assert source(3).repeat().cardinality() == INFINITE_CARDINALITY
    assert source(3).repeat().batch(2).cardinality() == INFINITE_CARDINALITY
    with pytest.raises(TypeError, match="not known beforehand"):
        len(filtered)
    with pytest.raises(TypeError, match="has no end"):
        len(source(3).repeat())
    assert filtered, "truth does not ask for the length"
    assert repr(source(3)) == "<Dataset of 3 elements>"
    assert repr(filtered) == "<Dataset of unknown length>"


def test_batches_of_arrays_are_arrays():
    x = np.arange(12, dtype=np.float32).reshape(6, 2)
    y = np.arange(6)
    dataset = Dataset.from_tensor_slices((x, {"y": y, "name": list("abcdef")})).batch(4)
    (first, second) = list(dataset)
    np.testing.assert_array_equal(first[0], x[:4])
    assert first[0].dtype == np.float32
    assert second[1]["name"].tolist() == ["e", "f"]
    assert type(first) is tuple


def test_user_data_cannot_be_changed_by_a_step():
    x = np.ones((4, 2))

    def in_place(row):
        row *= 2
        return row

    with pytest.raises(ValueError, match="element 0"):
        list(Dataset.from_tensor_slices(x).map(in_place))
    with pytest.raises(ValueError, match="element 0"):
        list(Dataset.from_tensor_slices(x).batch(2).map(in_place))
    assert x.sum() == 8
    x[0] = 3  # the array itself stays the user's


def test_structures():
    zipped = Dataset.zip(Dataset.range(3), Dataset.range(10, 20))
    assert [tuple(map(int, pair)) for pair in zipped] == [(0, 10), (1, 11), (2, 12)]
    assert len(zipped) == 3
    named = Dataset.zip({"a": Dataset.range(2), "b": counted(3)})
    assert [dict(element) for element in named] == [{"a": 0, "b": 0}, {"a": 1, "b": 1}]
    assert numbers(Dataset.zip(Dataset.range(4), counted(3)).iterate(skip=2)) == [[2, 2]]
    assert Dataset.zip(Dataset.range(4), Dataset.range(2).repeat()).cardinality() == 4
    numbered = Dataset.range(5, 8).enumerate(start=1)
    assert [tuple(map(int, pair)) for pair in numbered] == [(1, 5), (2, 6), (3, 7)]
    batch = next(iter(Dataset.range(5, 8).shuffle(3, seed=0).enumerate().batch(3)))
    assert batch[0].tolist() == [0, 1, 2], "numbers are places, not indices of the source"
    batch = next(iter(Dataset.range(5, 8).enumerate().shuffle(3, seed=0).batch(3)))
    assert (batch[1] - batch[0]).tolist() == [5, 5, 5]
    (whole,) = Dataset.from_tensors((np.ones(3), 5))
    assert whole[0].shape == (3,)
    assert whole[1] == 5


def test_map_spreads_tuples_and_converts_results():
    source = Dataset.from_tensor_slices((np.arange(3), np.arange(3)))
    mapped = source.map(lambda a, b: {"sum": a + b, "list": [a, b]})
    assert mapped.map(lambda element: element["sum"]).take(2).batch(2).repeat(1)
    element = list(mapped)[2]
    assert element["sum"] == 4
    np.testing.assert_array_equal(element["list"], [2, 2])
    import tapegrad as tg

    batch = next(iter(source.map(lambda a, b: tg.tensor(a) * 2).batch(3)))
    assert type(batch) is np.ndarray
    assert batch.tolist() == [0, 2, 4]


def test_from_generator():
    closed = []

    def pairs(n):
        try:
            for i in range(n):
                yield [i, i + 1], i
        finally:
            closed.append(n)

    dataset = Dataset.from_generator(pairs, ("float32", "int8"), args=(3,))
    element = next(iter(dataset))
    assert (element[0].dtype, element[1].dtype) == (np.float32, np.int8)
    assert closed == [3], "a generator that is left early is closed"
    assert dataset.cardinality() == UNKNOWN_CARDINALITY
    assert [element[1] for element in dataset] == [0, 1, 2]
    assert numbers(Dataset.from_generator([1, 2])) == [1, 2]
    with pytest.raises(TypeError, match="only once"):
        Dataset.from_generator(pairs(3))
    with pytest.raises(TypeError, match="expected a function"):
        Dataset.from_generator(3)
    with pytest.raises(ValueError, match="has 2 arrays, but output_types names 3"):
        list(Dataset.from_generator(pairs, ("f4", "f4", "f4"), args=(2,)))


@BOTH
@pytest.mark.parametrize("size", [1, 2, 7, 20, 50, None])
def test_shuffle(source, size):
    dataset = source(20).shuffle(size, seed=3)
    first, second = numbers(dataset), numbers(dataset)
    assert sorted(first) == list(range(20))
    assert sorted(second) == list(range(20))
    assert numbers(source(20).shuffle(size, seed=3)) == first, "a seed decides the order"
    if size == 1:
        assert first == second == list(range(20))
    else:
        assert first != second
        assert numbers(source(20).shuffle(size, seed=4)) != first
    if size in (2, 7):  # nothing comes before it was in the buffer
        assert all(element < place + size for place, element in enumerate(first))
    still = source(20).shuffle(size, seed=3, reshuffle_each_iteration=False)
    assert numbers(still) == numbers(still)
    assert len(dataset) == 20


def test_a_buffer_of_indices_and_one_of_elements_choose_alike():
    assert numbers(Dataset.range(50).shuffle(7, seed=1)) == numbers(counted(50).shuffle(7, seed=1))


def test_repetitions_are_shuffled_anew():
    dataset = Dataset.range(30).shuffle(30, seed=0).repeat(2)
    elements = numbers(dataset)
    assert sorted(elements[:30]) == sorted(elements[30:])
    assert elements[:30] != elements[30:]
    assert numbers(dataset.iterate(skip=45)) != elements[45:], "another pass, another order"
    still = Dataset.range(30).shuffle(30, seed=0, reshuffle_each_iteration=False).repeat(2)
    elements = numbers(still)
    assert elements[:30] == elements[30:]


def test_shuffle_is_uniform():
    # Chi-squared over where element 0 comes, 600 passes, 6 places: mean 5, far tail above 25.
    dataset = Dataset.range(6).shuffle(6, seed=0)
    places = [numbers(dataset).index(0) for _ in range(600)]
    counts = np.bincount(places, minlength=6)
    assert ((counts - 100) ** 2 / 100).sum() < 25
    dataset = counted(6).shuffle(6, seed=0)
    counts = np.bincount([numbers(dataset).index(0) for _ in range(600)], minlength=6)
    assert ((counts - 100) ** 2 / 100).sum() < 25


def test_shuffle_without_seed_follows_the_default_generator():
    import tapegrad as tg

    orders = []
    for _ in range(2):
        tg.set_seed(5)
        dataset = Dataset.range(20).shuffle(20)
        orders.append([numbers(dataset), numbers(dataset)])
    assert orders[0] == orders[1]
    assert orders[0][0] != orders[0][1]


def test_cache_calls_the_function_once_an_element():
    calls = []

    def function(x):
        calls.append(int(x))
        return x + 1

    dataset = Dataset.range(3).map(function).cache()
    next(iter(dataset))  # a pass that is broken off keeps nothing
    assert numbers(dataset) == numbers(dataset) == [1, 2, 3]
    assert calls == [0, 0, 1, 2]
    filtered = Dataset.range(4).filter(lambda x: x > 1).cache()
    assert filtered.cardinality() == UNKNOWN_CARDINALITY
    assert numbers(filtered) == [2, 3]
    assert len(filtered) == 2
    cached = Dataset.from_tensor_slices(np.ones((2, 2))).map(lambda x: x + 0).cache()
    list(cached)
    with pytest.raises(ValueError, match="element 0"):
        list(cached.map(lambda row: row.__iadd__(1)))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Dataset.range(3).batch(0), "batch_size must be a positive"),
        (lambda: Dataset.range(3).batch(True), "batch_size must be a positive"),
        (lambda: Dataset.range(3).shuffle(0), "buffer_size must be a positive"),
        (lambda: Dataset.range(3).prefetch(-2), "buffer_size must be"),
        (lambda: Dataset.range(3).iterate(skip=-1), "skip must not be negative"),
        (lambda: Dataset.range(1, 2, 0), r"Dataset.range\(1, 2, 0\)"),
        (lambda: Dataset.from_tensor_slices((np.ones(3), np.ones(4))), "'0': 3, '1': 4"),
        (lambda: Dataset.from_tensor_slices({"a": 3.0}), "part 'a' is 0-d"),
        (lambda: Dataset.from_tensor_slices([[1], [1, 2]]), "not one array"),
        (lambda: Dataset.from_tensor_slices(()), "at least one array"),
    ],
)
def test_refused_values(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Dataset.from_tensor_slices(np.array([None])), "dtype object"),
        (lambda: Dataset.range(3).map(3), "Dataset.map: expected a function, got int"),
        (lambda: Dataset.range(3).filter(None), "Dataset.filter: expected a function"),
        (lambda: Dataset.zip(Dataset.range(3), 4), "expected data sets"),
        (lambda: Dataset.range(3).concatenate([1]), "expected a data set, got list"),
        (lambda: Dataset.from_npy(np.ones(3)), "path of a .npy file"),
    ],
)
def test_refused_types(build, message):
    with pytest.raises(TypeError, match=message):
        build()


def test_elements_that_do_not_stack():
    ragged = Dataset.from_generator(lambda: iter([np.ones(2), np.ones(2), np.ones(3)]))
    with pytest.raises(ValueError, match=r"element 2 has \(3,\) and the first has \(2,\)"):
        list(ragged.batch(3))
    parts = Dataset.from_generator(lambda: iter([(1, 2), (1, 2, 3)]))
    with pytest.raises(ValueError, match="element 1 of a batch is"):
        list(parts.batch(2))
    named = Dataset.from_generator(lambda: iter([(1, np.ones(2)), (1, np.ones(1))]))
    with pytest.raises(ValueError, match="part '1'"):
        list(named.batch(2))
    with pytest.raises(ValueError, match="first axis in common"):
        list(Dataset.range(3).unbatch())
