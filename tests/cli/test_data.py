"""Arrays to samples: task, cut, standardisation."""

from __future__ import annotations

import numpy as np
import pytest

from tapegrad._cli import data
from tapegrad._cli.errors import UserError


def load(text, *, target=None, task=None, seed=0):
    return data.load(text, target=target, task=task, seed=seed)


def test_digits_share_one_scale():
    samples = load("digits")
    assert samples.x_train.shape == (1438, 64)
    assert samples.x_train.dtype == np.float32
    assert samples.images is not None
    assert samples.images.shape == (359, 8, 8)
    assert samples.classes == list("0123456789")
    np.testing.assert_allclose(samples.x_train.mean(axis=0), 0.0, atol=1e-6)
    assert len(set(samples.scaling.scale.tolist())) == 1


def test_columns_of_a_table_have_scales_of_their_own(flowers):
    samples = load(flowers)
    assert samples.task == "classification"
    assert samples.classes == ["daisy", "rose", "tulip"]
    np.testing.assert_allclose(samples.x_train.mean(axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(samples.x_train.std(axis=0), 1.0, rtol=1e-6)
    assert np.bincount(samples.y_test).tolist() == [4, 4, 4]


def test_cut_follows_the_seed(flowers):
    first, again, other = load(flowers), load(flowers), load(flowers, seed=1)
    np.testing.assert_array_equal(first.x_test, again.x_test)
    assert not np.array_equal(first.x_test, other.x_test)


def test_regression_round_trip(houses):
    samples = load(houses, target="price")
    assert samples.task == "regression"
    assert samples.feature_names == ["area", "rooms"]
    assert samples.y_train.shape == (64, 1)
    prices = samples.scaling.original(samples.y_train)
    assert prices.mean() > 100_000
    np.testing.assert_allclose(samples.y_train.mean(), 0.0, atol=1e-6)
    np.testing.assert_allclose(samples.scaling.target(prices), samples.y_train, rtol=1e-5)


def test_task_by_label_type_and_by_request(write):
    x = np.arange(20.0)[:, None]
    whole, fractions = np.arange(20) % 2, np.arange(20) % 2 + 0.5
    assert load(write("a.npz", x=x, y=whole)).task == "classification"
    assert load(write("b.npz", x=x, y=fractions)).task == "regression"
    assert load(write("a.npz", x=x, y=whole), task="regression").task == "regression"
    assert load(write("b.npz", x=x, y=fractions), task="classification").classes == ["0.5", "1.5"]
    assert load(write("c.npz", x=x, y=whole.astype(bool))).classes == ["False", "True"]


def test_integers_that_hardly_repeat_are_asked_about(write):
    name = write("a.npz", x=np.arange(40.0), y=np.arange(40))
    with pytest.raises(UserError, match="40 different integers in 40 samples; say --task"):
        load(name)
    assert load(name, task="regression").task == "regression"


def test_own_test_part(write):
    name = write(
        "a.npz", x_train=np.arange(6.0), y_train=list("aabbab"), x_test=[9.0], y_test=["b"]
    )
    samples = load(name)
    assert (len(samples.x_train), samples.y_test.tolist()) == (6, [1])


def test_constant_features_are_harmless(write):
    x = np.stack([np.full(10, 0.1), np.arange(10.0)], axis=1)
    samples = load(write("a.npz", x=x, y=np.arange(10) % 2))
    assert np.isfinite(samples.x_train).all()
    assert np.abs(samples.x_train[:, 0]).max() < 1e-6


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        ({"x": [[1.0]], "y": [0]}, {}, "one sample"),
        ({"x": [[1.0], [2.0]], "y": [7, 7]}, {}, "all 2 samples have the label '7'"),
        ({"x": [[1.0], [2.0]], "y": ["a", "b"]}, {}, "no class has two samples"),
        ({"x": [[1.0], [2.0]], "y": ["a", "b"]}, {"task": "regression"}, "labels are text"),
        ({"x": [[1.0], [2.0]], "y": [0, 1]}, {"target": "y"}, "--target names a column"),
        (
            {"x_train": [[1.0], [2.0]], "y_train": [0, 1], "x_test": [[1.0]], "y_test": [5]},
            {},
            "test part: the label '5' is out of range; classes are 0, 1",
        ),
        (
            {"x_train": [[1.0], [2.0]], "y_train": [0.5, 1], "x_test": [[1.0]], "y_test": ["a"]},
            {},
            "y_test is text",
        ),
        ({"x": [[1e308], [-1e308]] * 2, "y": [0, 0, 1, 1]}, {}, "too large"),
    ],
)
def test_refused(write, arrays, options, message):
    with pytest.raises(UserError) as caught:
        load(write("a.npz", **arrays), **options)
    assert message in str(caught.value)


def test_digits_take_no_target():
    with pytest.raises(UserError, match="--target"):
        load("digits", target="y")
    with pytest.raises(UserError, match="regression"):
        load("digits", task="regression")
