"""Padding, normalising, windows, splitting: against Keras's definitions."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad.data import Dataset
from tapegrad.utils import (
    PyDataset,
    Sequence,
    normalize,
    pad_sequences,
    split_dataset,
    timeseries_dataset_from_array,
)

SEQUENCES = [[1], [2, 3], [4, 5, 6], []]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [[0, 0, 1], [0, 2, 3], [4, 5, 6], [0, 0, 0]]),
        ({"padding": "post"}, [[1, 0, 0], [2, 3, 0], [4, 5, 6], [0, 0, 0]]),
        ({"maxlen": 2}, [[0, 1], [2, 3], [5, 6], [0, 0]]),
        ({"maxlen": 2, "truncating": "post"}, [[0, 1], [2, 3], [4, 5], [0, 0]]),
        ({"maxlen": 4, "value": -1}, [[-1, -1, -1, 1], [-1, -1, 2, 3], [-1, 4, 5, 6], [-1] * 4]),
        ({"maxlen": 0}, [[], [], [], []]),
    ],
)
def test_pad_sequences(options, expected):
    padded = pad_sequences(SEQUENCES, **options)
    assert padded.tolist() == expected
    assert padded.dtype == np.int32


def test_pad_sequences_of_vectors_and_texts():
    padded = pad_sequences([np.ones((1, 2)), np.ones((3, 2))], dtype="float32")
    assert padded.shape == (2, 3, 2)
    assert padded[0].tolist() == [[0, 0], [0, 0], [1, 1]]
    texts = pad_sequences([["a"], ["b", "c"]], dtype=object, value="-")
    assert texts.tolist() == [["-", "a"], ["b", "c"]]
    assert pad_sequences([]).shape == (0, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sequences": [[1]], "padding": "front"}, "padding is"),
        ({"sequences": [[1]], "truncating": "end"}, "truncating is"),
        ({"sequences": [[1], 2]}, "element 1 is 2, no sequence"),
        ({"sequences": iter([[1]])}, "expected a list of sequences"),
        ({"sequences": [np.ones((1, 2)), np.ones((1, 3))]}, r"sequence 1 has .* shape \(3,\)"),
        ({"sequences": [["a"]], "value": "-"}, "dtype=object"),
    ],
)
def test_pad_sequences_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        pad_sequences(**arguments)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_normalize(axis, order):
    x = np.random.default_rng(0).normal(size=(4, 3))
    result = normalize(x, axis, order)
    np.testing.assert_allclose((np.abs(result) ** order).sum(axis), 1)
    np.testing.assert_allclose(result / np.abs(result).max(), result / np.abs(result).max())
    assert np.all(np.sign(result) == np.sign(x))


def test_normalize_keeps_zeros_and_kinds():
    assert normalize(np.zeros((2, 2), np.float32)).dtype == np.float32
    assert normalize(np.zeros((2, 2))).tolist() == [[0, 0], [0, 0]]
    assert normalize([3, 4]).tolist() == [0.6, 0.8]
    with pytest.raises(TypeError, match="must hold numbers"):
        normalize(["a"])


# ---- windows -------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 3, 10])
@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("rate", [1, 2])
@pytest.mark.parametrize("bounds", [(None, None), (5, None), (None, 60), (7, 61)])
def test_windows(length, stride, rate, bounds):
    data = np.arange(99)
    targets = 1000 + data
    dataset = timeseries_dataset_from_array(
        data, targets, length, stride, rate, 8, start_index=bounds[0], end_index=bounds[1]
    )
    first, last = bounds[0] or 0, bounds[1] or 99
    starts = [s for s in range(first, last, stride) if s + (length - 1) * rate < last]
    expected = [[s + i * rate for i in range(length)] for s in starts]
    batches = list(dataset)
    assert np.concatenate([x for x, _ in batches]).tolist() == expected
    assert np.concatenate([y for _, y in batches]).tolist() == [1000 + s for s in starts]
    assert len(dataset) == len(batches)
    assert all(len(x) == 8 for x, _ in batches[:-1])


def test_windows_of_vectors_in_order_and_at_random():
    data = np.arange(40.0).reshape(20, 2)
    (windows,) = timeseries_dataset_from_array(data, None, 5)
    assert windows.shape == (16, 5, 2)
    single = timeseries_dataset_from_array(data, data[:4], 5, batch_size=None)
    assert len(list(single)) == 4, "no more windows than targets"
    options = {"sequence_length": 5, "shuffle": True, "seed": 3, "batch_size": 20}
    shuffled = timeseries_dataset_from_array(data, np.arange(20), **options)
    (x, y), (_, later) = next(iter(shuffled)), next(iter(shuffled))
    assert sorted(y) == list(range(16))
    assert y.tolist() != list(range(16))
    assert y.tolist() != later.tolist()
    np.testing.assert_array_equal(x[:, 0], data[y])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sequence_length": 0}, "sequence_length must be a positive"),
        ({"sequence_length": 2, "sequence_stride": 0}, "sequence_stride must be"),
        ({"sequence_length": 2, "sampling_rate": -1}, "sampling_rate must be"),
        ({"sequence_length": 11}, "no window of 11 steps .* into 10 steps"),
        ({"sequence_length": 2, "start_index": 10}, "start_index=10"),
        ({"sequence_length": 2, "start_index": -1}, "start_index=-1"),
        ({"sequence_length": 2, "end_index": 11}, "end_index=11"),
        ({"sequence_length": 2, "start_index": 5, "end_index": 5}, "end_index=5"),
    ],
)
def test_windows_refuse(options, message):
    with pytest.raises(ValueError, match=message):
        timeseries_dataset_from_array(np.arange(10), None, **options)


# ---- splitting -----------------------------------------------------------------------


def values(dataset):
    return [np.asarray(sample).tolist() for sample in dataset]


@pytest.mark.parametrize(
    ("sizes", "left", "right"),
    [
        ({"left_size": 0.8}, 8, 2),
        ({"right_size": 0.3}, 7, 3),
        ({"left_size": 4}, 4, 6),
        ({"left_size": 4, "right_size": 3}, 4, 3),
        ({"left_size": 0.25, "right_size": 0.5}, 2, 5),
    ],
)
@pytest.mark.parametrize(
    "source",
    [
        np.arange(10),
        list(range(10)),
        tg.tensor(np.arange(10)),
        Dataset.range(10),
        Dataset.from_generator(lambda: iter(range(10))),
        Dataset.range(10).map(lambda x: x),
    ],
    ids=["array", "list", "tensor", "indexed", "generator", "mapped"],
)
def test_split(source, sizes, left, right):
    first, second = split_dataset(source, **sizes)
    assert values(first) == list(range(left))
    assert values(second) == list(range(10 - right, 10))
    assert (len(first), len(second)) == (left, right)


def test_split_of_structures_and_batches():
    x, y = np.arange(20).reshape(10, 2), np.arange(10)
    for given in ((x, y), [x, y]):
        _, right = split_dataset(given, 0.9)
        ((row, label),) = right
        assert (row.tolist(), label) == ([18, 19], 9)
    left, right = split_dataset({"x": x, "y": y}, 5)
    assert next(iter(right))["y"] == 5
    left, right = split_dataset(Dataset.range(10).batch(4).prefetch(1), left_size=6)
    assert values(left) == [[0, 1, 2, 3], [4, 5]]
    assert values(right) == [[6, 7, 8, 9]]
    # A data set that is shuffled anew in each pass must not leak from one part to the other.
    left, right = split_dataset(Dataset.range(50).shuffle(50).batch(8), 0.5)
    for _ in range(2):
        samples = np.concatenate([*left, *right])
        assert sorted(samples) == list(range(50))


def test_split_at_random():
    left, right = split_dataset(np.arange(50), 0.5, shuffle=True, seed=1)
    assert values(left) == values(left)
    assert sorted(values(left) + values(right)) == list(range(50))
    assert values(left) != list(range(25))
    assert values(split_dataset(np.arange(50), 0.5, shuffle=True, seed=1)[0]) == values(left)
    assert values(split_dataset(np.arange(50), 0.5, shuffle=True, seed=2)[0]) != values(left)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.arange(5),), ValueError, "must be given"),
        ((np.arange(5), 5), ValueError, "left_size must be a whole number below 5"),
        ((np.arange(5), 1.0), ValueError, "left_size must be"),
        ((np.arange(5), 0.9, 0.9), ValueError, "more than the 5"),
        ((np.arange(5), "half"), TypeError, "left_size must be a number"),
        ((3, 0.5), TypeError, "expected a Dataset"),
        ((Dataset.from_generator([]), 0.5), ValueError, "empty"),
        ((Dataset.range(3).repeat(), 0.5), ValueError, "no end"),
    ],
)
def test_split_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        split_dataset(*arguments)


# ---- PyDataset -----------------------------------------------------------------------


def test_py_dataset():
    class Batches(PyDataset):
        def __init__(self):  # forgets its base, as listings do
            self.ended = 0

        def __len__(self):
            return 3

        def __getitem__(self, index):
            return np.full(2, index)

        def on_epoch_end(self):
            self.ended += 1

    batches = Batches()
    assert [batch[0] for batch in batches] == [0, 1, 2]
    assert batches.num_batches == 3
    assert (batches.workers, batches.use_multiprocessing, batches.max_queue_size) == (1, False, 10)
    batches.on_epoch_begin()
    assert Sequence is PyDataset
    assert PyDataset(workers=4, max_queue_size=3).workers == 4
    with pytest.raises(NotImplementedError, match="__getitem__"):
        PyDataset()[0]
    with pytest.raises(NotImplementedError, match="__len__"):
        list(PyDataset())

    class Endless(PyDataset):
        num_batches = None

        def __getitem__(self, index):
            return index

    iterator = iter(Endless())
    assert [next(iterator) for _ in range(3)] == [0, 1, 2]
