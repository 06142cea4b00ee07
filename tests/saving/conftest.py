"""Models that tests of several kinds of files need."""

from __future__ import annotations

import numpy as np
import pytest
from saving_networks import FOLDER


@pytest.fixture(scope="session")
def reference() -> dict[str, np.ndarray]:
    """Return what the models of tests/reference/saving compute."""
    with np.load(FOLDER / "outputs.npz", allow_pickle=False) as file:
        return dict(file)
