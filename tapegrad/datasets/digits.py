"""Handwritten digits of 8×8 pixels: 1,797 samples of 10 classes.

The test part of the UCI set "Optical Recognition of Handwritten Digits"
(E. Alpaydin and C. Kaynak, 1998, https://doi.org/10.24432/C50P49), CC BY 4.0:
32×32 bitmaps of digits that 13 people wrote, reduced to the number of set pixels
in each block of 4×4.
"""

from __future__ import annotations

from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

CLASS_NAMES = tuple("0123456789")
"""Names of the classes, by label."""

MAX_VALUE = 16
"""Largest value of a pixel: a block of 4×4 bits, all set."""

_Part = tuple[NDArray[np.uint8], NDArray[np.int64]]


def load_data() -> tuple[_Part, _Part]:
    """Load the digits, cut into training and test samples.

    The cut is a stratified shuffle that holds out a fifth of each class. Its
    indices ship with the data, so that every figure anywhere is measured on the
    same 359 digits.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        `x` uint8 of shape (samples, 8, 8) with values 0 to 16, `y` int64 of
        shape (samples,) with labels 0 to 9; 1,438 training and 359 test samples.

    Examples
    --------
    >>> (x_train, y_train), (x_test, y_test) = load_data()
    >>> x_train.shape, x_test.shape, int(x_train.max())
    ((1438, 8, 8), (359, 8, 8), 16)
    """
    with (files("tapegrad.datasets") / "digits.npz").open("rb") as file, np.load(file) as stored:
        x = stored["x"]
        y = stored["y"].astype(np.int64)
        train = stored["train_indices"]
        test = stored["test_indices"]
    return (x[train], y[train]), (x[test], y[test])
