"""A pass that is taken up again goes through the same elements."""

from __future__ import annotations

import json

import numpy as np
import pytest

import tapegrad as tg
from tapegrad.data import Dataset

X = np.arange(40.0).reshape(20, 2)


def generated():
    return Dataset.from_generator(lambda: iter(range(20)))


RECIPES = {
    "arrays": lambda: Dataset.from_tensor_slices((X, np.arange(20))).shuffle().batch(3),
    "seed": lambda: Dataset.range(20).shuffle(20, seed=4).batch(3),
    "buffer": lambda: Dataset.range(20).shuffle(6).batch(3),
    "one order": lambda: Dataset.range(20).shuffle(20, reshuffle_each_iteration=False).batch(3),
    "generator": lambda: generated().shuffle(6).batch(3),
    "repeat": lambda: Dataset.range(6).shuffle(6).repeat(3).batch(4).prefetch(2),
    "map": lambda: Dataset.range(20).shuffle(9).map(lambda x: x + 1, 2).batch(3).prefetch(2),
    "filter": lambda: Dataset.range(20).shuffle(9).filter(lambda x: x % 3).batch(2),
    "cache": lambda: Dataset.range(20).shuffle(20).cache().batch(3),
    "cache, shuffled": lambda: generated().shuffle(5).batch(2).cache().shuffle(4),
    "zip": lambda: Dataset.zip(Dataset.range(9).shuffle(9), Dataset.range(9).shuffle(9)).batch(2),
    "twice": lambda: twice(Dataset.range(5).shuffle(5)).batch(3),
    "unbatch": lambda: Dataset.range(20).batch(6).shuffle(2).unbatch().batch(4),
}


def twice(dataset):
    return dataset.concatenate(dataset)


def epoch(dataset, skip=0):
    return [
        [np.asarray(part).tolist() for part in (b if isinstance(b, tuple) else (b,))]
        for b in dataset.iterate(skip=skip)
    ]


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("killed_in", [0, 1, 2])
def test_resumed_passes_are_the_same(recipe, killed_in):
    build = RECIPES[recipe]
    tg.set_seed(7)
    dataset = build()
    expected, states, generators = [], [], []
    for _ in range(4):
        states.append(json.dumps(dataset.state()))
        generators.append(int(tg.random.get_generator().stream))
        expected.append(epoch(dataset))
    length = len(expected[killed_in])
    for skip in range(0, length + 1, 2):
        tg.set_seed(99)  # a new process: nothing is as it was
        again = build()
        again.set_state(json.loads(states[killed_in]))
        assert epoch(again, skip) == expected[killed_in][skip:]
        # What the training loop puts back after it: the generator at the moment of the kill.
        tg.random.get_generator().reset(7)
        tg.random.get_generator().stream.assign(np.uint64(generators[killed_in]))
        for later in range(killed_in + 1, 4):
            again.state()
            assert epoch(again) == expected[later]


@pytest.mark.parametrize("recipe", RECIPES)
def test_asking_for_the_state_changes_nothing(recipe):
    orders = []
    for asks in (0, 2):
        tg.set_seed(3)
        dataset = RECIPES[recipe]()
        passes = []
        for _ in range(3):
            for _ in range(asks):
                dataset.state()
            passes.append(epoch(dataset))
        orders.append((passes, float(tg.random.uniform())))
    assert orders[0] == orders[1]


def test_mapped_functions_are_not_called_for_what_is_skipped():
    calls = []
    dataset = Dataset.range(10).map(lambda x: calls.append(int(x)) or x).batch(2)
    assert [b.tolist() for b in dataset.iterate(skip=4)] == [[8, 9]]
    assert calls == [8, 9]
    assert dataset.iterate(skip=3).position == 3
    assert dataset.iterate(skip=99).position == 5


def test_states_of_other_recipes_are_refused():
    dataset = Dataset.range(9).shuffle(9).batch(2)
    for state in (Dataset.range(9).batch(2).state(), {}, None):
        with pytest.raises(ValueError, match="Numbers, Shuffled, Batched"):
            dataset.set_state(state)  # type: ignore[arg-type]
