"""Sunspots, year by year: the yearly mean of the international sunspot number, 1700 to 2008.

Compiled by the World Data Center for the Sunspot Index (Royal Observatory of Belgium, Brussels) and
distributed by the National Geophysical Data Center of NOAA; public domain, as in statsmodels. It is
the first version of the series, in use until 2015; see ``sunspots.md`` beside this file.
"""

from __future__ import annotations

from importlib.resources import files

import numpy as np
from numpy.typing import NDArray


def load_data() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Load the whole series, in the order of time.

    It is not cut into training and test years: a cut of a series belongs to the question that is
    asked of it. Whatever the cut, the test years must be the later ones, or a model is told the
    future that it shall foresee.

    Returns
    -------
    years : ndarray of int64, shape (309,)
        1700 to 2008, without a gap.
    sunspots : ndarray of float64, shape (309,)
        The mean sunspot number of each year, 0 to 190.2: ten times the number of groups of spots
        plus the number of spots, as R. Wolf defined it in 1848.

    Examples
    --------
    >>> years, sunspots = load_data()
    >>> int(years[0]), int(years[-1]), int(years[sunspots.argmax()]), float(sunspots.max())
    (1700, 2008, 1957, 190.2)
    """
    with (files("tapegrad.datasets") / "sunspots.npz").open("rb") as file, np.load(file) as stored:
        return stored["years"].astype(np.int64), stored["sunspots"]
