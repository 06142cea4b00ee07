"""What the tests of losses share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def loss_reference() -> dict[str, np.ndarray]:
    """Return the numbers of Keras 3; see tests/reference/make_loss_reference.py."""
    path = Path(__file__).parents[1] / "reference" / "loss_reference.npz"
    with np.load(path, allow_pickle=False) as file:
        return dict(file)
