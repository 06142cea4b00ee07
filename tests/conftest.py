"""What tests of several packages share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tapegrad as tg


@pytest.fixture(autouse=True)
def _same_draws_in_every_run():
    """Seed the generator of initial weights, which the system seeds otherwise."""
    tg.set_seed(0)


@pytest.fixture(scope="session")
def keras_reference() -> dict[str, np.ndarray]:
    """Return the numbers of Keras 3; see tests/reference/make_keras_reference.py."""
    path = Path(__file__).parent / "reference" / "keras_reference.npz"
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


@pytest.fixture
def float64():
    """Make float64 the default dtype of layers for one test."""
    tg.set_floatx("float64")
    yield
    tg.set_floatx("float32")
