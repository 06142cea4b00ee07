"""Fused cross-entropies: stability, labels, second outputs."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import ops


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_extreme_logits_stay_finite(dtype: str):
    logits = tg.tensor([[1000.0, -1000.0, 0.0], [-1000.0, 1000.0, 0.0]], dtype=dtype)
    with tg.Tape() as tape:
        tape.watch(logits)
        losses, probabilities = ops.softmax_cross_entropy(logits, [0, 0])
    np.testing.assert_allclose(losses.numpy(), [0.0, 2000.0])
    np.testing.assert_allclose(probabilities.numpy(), [[1, 0, 0], [0, 1, 0]])
    np.testing.assert_allclose(tape.gradient(losses, logits).numpy(), [[0, 0, 0], [-1, 1, 0]])
    binary = ops.sigmoid_cross_entropy(logits, tg.tensor(np.zeros((2, 3), dtype)))
    np.testing.assert_allclose(binary.numpy()[0], [1000.0, 0.0, np.log(2)], rtol=1e-6)


def test_labels_out_of_range_are_named():
    logits = tg.tensor(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="3"):
        ops.softmax_cross_entropy(logits, [0, 3])
    with pytest.raises(ValueError, match="-1"):
        ops.softmax_cross_entropy(logits, [0, -1])
    with pytest.raises(ValueError, match="softmax_cross_entropy"):
        ops.softmax_cross_entropy(logits, [0, 1, 2])


def test_the_gradient_of_the_probabilities_alone():
    logits = tg.tensor([[0.1, 0.2, 0.3]])
    with tg.Tape() as tape:
        tape.watch(logits)
        _, probabilities = ops.softmax_cross_entropy(logits, [0])
        chosen = probabilities[0, 1]
    with tg.Tape() as reference:
        reference.watch(logits)
        expected = ops.softmax(logits)[0, 1]
    np.testing.assert_allclose(
        tape.gradient(chosen, logits).numpy(), reference.gradient(expected, logits).numpy()
    )


def test_one_hot():
    rows = ops.one_hot([[1, 0], [2, 5]], 3, dtype="float64")
    np.testing.assert_array_equal(rows.numpy(), [[[0, 1, 0], [1, 0, 0]], [[0, 0, 1], [0, 0, 0]]])
    assert rows.dtype == np.float64
