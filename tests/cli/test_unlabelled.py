"""Samples without labels: what is taken for labels, and what they are good for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tapegrad._cli import data, files
from tapegrad._cli.errors import UserError
from tapegrad._cli.networks.autoencoder import Autoencoder


def load(text, target=None):
    return data.load(text, target=target, task=None, seed=0, architecture=Autoencoder)


def test_a_last_column_of_text_is_left_out_and_colours(flowers):
    samples = load(flowers)
    assert samples.feature_names == ["petal length", "petal width"]
    assert samples.classes == ["daisy", "rose", "tulip"]
    assert samples.target_name == "species"
    assert samples.colours is not None
    assert np.bincount(samples.colours).tolist() == [4, 4, 4]  # classes are cut each
    assert samples.y_train is samples.x_train


def test_columns_of_numbers_are_features_unless_named(houses):
    assert load(houses).feature_names == ["area", "price", "rooms"]
    samples = load(houses, target="price")
    assert samples.feature_names == ["area", "rooms"]
    assert samples.colours is None


def test_a_hole_in_the_last_column_is_told_of(write):
    with pytest.raises(UserError, match="line 3: column 'v' is empty"):
        load(write("a.csv", "u,v\n1,2\n3,\n"))


def test_npy_of_any_shape(write):
    assert load(write("a.npy", np.ones((10, 4)))).features == 4
    assert load(write("b.npy", np.ones((10, 5, 6)))).scaling.shape == (5, 6)
    with pytest.raises(UserError, match="must have two dimensions"):
        load(write("c.npy", np.ones(10)))
    with pytest.raises(UserError, match="must have two dimensions"):
        files.read_npy(Path(write("d.npy", np.ones((10, 5, 6)))))


def test_npz_with_and_without_labels(write):
    x = np.random.default_rng(0).normal(size=(20, 3))
    assert load(write("a.npz", x=x)).classes == []
    assert load(write("b.npz", x=x, y=np.arange(20) % 2)).classes == ["0", "1"]
    assert load(write("c.npz", x=x, y=x[:, 0])).colours is None
    parts = load(write("d.npz", x_train=x[:15], x_test=x[15:]))
    assert (len(parts.x_train), len(parts.x_test)) == (15, 5)
    with pytest.raises(UserError, match="x_train but no y_train"):
        data.load("d.npz", target=None, task=None, seed=0)


def test_one_sample_is_too_few(write):
    with pytest.raises(UserError, match="one sample"):
        load(write("a.npz", x=[[1.0, 2.0]]))
