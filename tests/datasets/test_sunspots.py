"""The sunspot numbers that ship with the package."""

from __future__ import annotations

import numpy as np

from tapegrad.datasets import sunspots


def test_every_year_once_in_order():
    years, numbers = sunspots.load_data()
    np.testing.assert_array_equal(years, np.arange(1700, 2009))
    assert years.dtype == np.int64
    assert numbers.dtype == np.float64
    assert numbers.shape == years.shape


def test_numbers_that_are_known():
    years, numbers = sunspots.load_data()
    by_year = dict(zip(years.tolist(), numbers.tolist()))
    # The ends of the series, the quiet sun of Dalton's minimum, and the highest cycle.
    assert (by_year[1700], by_year[2008]) == (5.0, 2.9)
    assert by_year[1810] == numbers.min() == 0.0
    assert by_year[1957] == numbers.max() == 190.2
    # A cycle of about eleven years: the strongest frequency is 28 periods in 309 years.
    strength = np.abs(np.fft.rfft(numbers - numbers.mean()))
    assert strength.argmax() == 28


def test_arrays_belong_to_the_caller():
    _, numbers = sunspots.load_data()
    numbers += 1.0
    assert sunspots.load_data()[1][0] == 5.0
