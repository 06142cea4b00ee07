"""Notes between steps as rows of a program."""

from __future__ import annotations

import numpy as np
import pytest
from kernels.program.native import Native, assert_same_bits

from tapegrad_kernels import cpu


@pytest.mark.parametrize("length", [0, 1, 3])
@pytest.mark.parametrize("taken", [0, 2, 5])
@pytest.mark.parametrize("loss", [[2.5, 4.0], [np.nan, 4.0], [np.nan, 0.0], [np.inf, np.inf]])
def test_steps_are_noted(length, taken, loss):
    for first in (-1, 1):
        place = np.array([taken, length, 1, first])
        counted = np.array(loss), np.array([3.0]), np.array([1.0, 2.0])
        assert_same_bits("note_step", place, np.zeros((3, 5)), *counted)


def test_epochs_are_logged():
    place, log, counted = np.array([0, 2, 0, -1]), np.zeros((2, 2)), np.zeros(2)
    for step in range(4):
        counted += (step, 1.0)
        cpu.note_step(place, log, counted)
    np.testing.assert_array_equal(place, [4, 2, 2, -1])
    np.testing.assert_array_equal(log, [[1.0, 2.0], [5.0, 2.0]])
    with pytest.raises(IndexError, match="full"):
        cpu.note_step(place, log, counted)
    native = Native("note_step", (place, log, counted), {}, None)
    assert native.run() == 1  # and nothing was written
    np.testing.assert_array_equal(native.arguments[0], place)
