"""The digits that ship with the package."""

from __future__ import annotations

from importlib.resources import files

import numpy as np

from tapegrad.datasets import digits, splitting


def test_load_data_as_keras_does():
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    assert x_train.shape == (1438, 8, 8)
    assert x_test.shape == (359, 8, 8)
    assert x_train.dtype == np.uint8
    assert y_train.dtype == y_test.dtype == np.int64
    assert (x_train.min(), x_train.max()) == (0, digits.MAX_VALUE)
    assert sorted(set(y_train.tolist())) == list(range(10))
    assert np.bincount(y_test).min() >= 34


def test_shipped_cut_is_what_splitting_makes():
    with (files("tapegrad.datasets") / "digits.npz").open("rb") as file, np.load(file) as stored:
        train, test = splitting.train_test_indices(1797, labels=stored["y"], seed=0)
        np.testing.assert_array_equal(stored["train_indices"], train)
        np.testing.assert_array_equal(stored["test_indices"], test)
