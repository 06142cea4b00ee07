"""What the tests of listings share: small data that can be learnt, and a folder to write to."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg


@pytest.fixture(autouse=True)
def _same_numbers_in_a_folder_of_its_own(tmp_path, monkeypatch):
    """Seed every listing, and let it write files under plain names."""
    monkeypatch.chdir(tmp_path)
    tg.utils.set_random_seed(0)


@pytest.fixture
def rng() -> np.random.Generator:
    """Return a generator for data."""
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def large_digits():
    """Return real digits in MNIST's form: uint8 images of 28×28, and class numbers."""

    def enlarge(images: np.ndarray) -> np.ndarray:
        blocks = np.kron(images, np.ones((1, 3, 3), np.uint8)) * 15
        return np.pad(blocks, ((0, 0), (2, 2), (2, 2))).astype(np.uint8)

    (x_train, y_train), (x_test, y_test) = tg.datasets.digits.load_data()
    return (enlarge(x_train), y_train.astype(np.uint8)), (enlarge(x_test), y_test.astype(np.uint8))


@pytest.fixture(scope="session")
def blobs():
    """Return three clouds of points in four dimensions: points and class numbers."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 80)
    centres = np.array([[2.0, 0, 0, 1], [0, 2.0, 0, -1], [0, 0, 2.0, 0]])
    points = centres[labels] + 0.4 * rng.normal(size=(240, 4))
    order = rng.permutation(240)
    return points[order].astype("float32"), labels[order]
