"""One-hot rows, seeds, names, and files that are whole or not there."""

from __future__ import annotations

import os
import random

import numpy as np
import pytest

import tapegrad as tg
from tapegrad.utils import set_random_seed, to_categorical
from tapegrad.utils.files import atomic_path
from tapegrad.utils.lookup import look_up, snake_case


@pytest.mark.parametrize(
    "labels", [[0, 2, 1], np.array([[0], [2], [1]]), np.array([0.0, 2.0, 1.0])]
)
def test_to_categorical(labels):
    rows = to_categorical(labels)
    np.testing.assert_array_equal(rows, np.eye(3)[[0, 2, 1]])
    assert rows.dtype == np.float32
    assert to_categorical(labels, num_classes=5).shape == (3, 5)


def test_to_categorical_refuses():
    with pytest.raises(ValueError, match="class 3, but num_classes=3"):
        to_categorical([0, 3], num_classes=3)
    with pytest.raises(ValueError, match="x holds -1"):
        to_categorical([0, -1])
    with pytest.raises(ValueError, match="not whole"):
        to_categorical([0.5])
    with pytest.raises(TypeError, match="dtype <U1"):
        to_categorical(["a"])


def test_set_random_seed():
    draws = []
    for _ in range(2):
        set_random_seed(3)
        draws.append((random.random(), np.random.rand(), float(tg.random.uniform())))
    assert draws[0] == draws[1]
    with pytest.raises(ValueError, match="seed must lie"):
        set_random_seed(-1)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Dense", "dense"),
        ("MaxPooling2D", "max_pooling2d"),
        ("LayerNormalization", "layer_normalization"),
        ("LSTM", "lstm"),
        ("SGD", "sgd"),
        ("_Hidden", "hidden"),
    ],
)
def test_snake_case(name, expected):
    assert snake_case(name) == expected


def test_look_up_ignores_case():
    assert look_up("MSE", {"mse": 1}, "loss") == 1
    with pytest.raises(ValueError, match=r'Unknown loss "x"\. Known: mse'):
        look_up("x", {"mse": 1}, "loss")


def test_atomic_path(tmp_path):
    path = tmp_path / "file.txt"
    with atomic_path(path) as temporary:
        temporary.write_text("one")
        assert not path.exists()
    assert path.read_text() == "one"
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "one"
    assert os.listdir(tmp_path) == ["file.txt"]
