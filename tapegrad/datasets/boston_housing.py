"""Prices of houses in Boston: 506 samples of 13 features.

D. Harrison and D. Rubinfeld, "Hedonic prices and the demand for clean air", 1978. One feature
stands for the share of Black inhabitants, on the assumption that segregation is to some extent
wanted; for new work `california_housing` is the better choice.
"""

from __future__ import annotations

import os

from tapegrad.datasets._files import Parts, downloaded, local_path, read_npz, split

__all__ = ["load_data"]

_FILE = "boston_housing.npz"
_SHA256 = "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5"


def load_data(
    path: str | os.PathLike[str] = _FILE, test_split: float = 0.2, seed: int = 113
) -> Parts:
    """Load the houses: from a local file, or downloaded once.

    Parameters
    ----------
    path
        A local ``.npz`` file with ``x`` and ``y``. By default it is downloaded.
    test_split
        The fraction of samples that are held out.
    seed
        Decides which ones, as in Keras.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        `x` float64 of shape (404, 13) and (102, 13), `y` float64 of shape (404,) and (102,):
        prices in thousands of dollars.

    Raises
    ------
    ConnectionError
        If it must be downloaded and cannot be.
    FileNotFoundError, ValueError
        If `path` leads to nothing, or to something else, or `test_split` is out of range.
    """
    local = local_path(path, _FILE)
    x, y = read_npz(downloaded(_FILE, _SHA256) if local is None else local, ("x", "y"))
    return split(x, y, test_split, seed)
