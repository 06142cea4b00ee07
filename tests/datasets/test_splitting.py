"""Cutting samples into a part to train on and a part to test on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapegrad.datasets.splitting import train_test_indices


@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=60),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_stratified_cut_takes_its_share_of_each_class(labels, fraction, seed):
    count = len(labels)
    train, test = train_test_indices(count, labels=labels, test_fraction=fraction, seed=seed)
    assert sorted([*train.tolist(), *test.tolist()]) == list(range(count))
    for label in set(labels):
        size = labels.count(label)
        held_out = sum(labels[i] == label for i in test.tolist())
        if size == 1:
            assert held_out == 0
        else:
            assert 1 <= held_out <= size - 1
            assert abs(held_out - fraction * size) <= 1


def test_seeds():
    first, again = (train_test_indices(50, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first[1], again[1])
    assert not np.array_equal(first[1], train_test_indices(50, seed=4)[1])
    assert len(first[1]) == 10


def test_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        train_test_indices(5, test_fraction=1.0)
    with pytest.raises(ValueError, match=r"expected \(5,\)"):
        train_test_indices(5, labels=[0, 1])
