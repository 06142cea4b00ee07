"""Models with several inputs and outputs, trained as by Keras 3; see tests/training_cases.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from training_cases import CASES, train

import tapegrad as tg


@pytest.fixture(scope="module")
def reference():
    path = Path(__file__).parent.parent / "reference" / "training_reference.npz"
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


@pytest.mark.filterwarnings("ignore:adam. no gradient for")  # of an output without a loss
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 2e-6), ("float32", 2e-4)])
@pytest.mark.parametrize("name", CASES)
def test_training_is_that_of_keras(reference, name, dtype, tolerance):
    tg.set_floatx(dtype)
    try:
        found = train(tg, name, dtype)
    finally:
        tg.set_floatx("float32")
    start = f"{dtype}/{name}/"
    expected = {
        key.removeprefix(start): value for key, value in reference.items() if key.startswith(start)
    }
    assert set(found) == set(expected)
    for key, value in expected.items():
        scale = max(1.0, np.abs(value).max())
        np.testing.assert_allclose(found[key], value, rtol=0, atol=tolerance * scale, err_msg=key)
