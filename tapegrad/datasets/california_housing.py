"""Prices of houses in California: 20,640 districts of 8 features, from the census of 1990.

R. Pace and R. Barry, "Sparse spatial autoregressions", 1997.
"""

from __future__ import annotations

import os

from tapegrad.datasets._files import Parts, downloaded, local_path, read_npz, split

__all__ = ["load_data"]

_FILE = "california_housing.npz"
_SHA256 = "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f"
_SMALL = 600


def load_data(
    version: str = "large",
    path: str | os.PathLike[str] = _FILE,
    test_split: float = 0.2,
    seed: int = 113,
) -> Parts:
    """Load the districts: from a local file, or downloaded once.

    Parameters
    ----------
    version
        ``"large"`` for all, ``"small"`` for 600 of them.
    path
        A local ``.npz`` file with ``x`` and ``y``. By default it is downloaded.
    test_split
        The fraction of samples that are held out.
    seed
        Decides which ones, as in Keras.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        `x` of shape (16512, 8) and (4128, 8), `y` of shape (16512,) and (4128,): median prices in
        dollars.

    Raises
    ------
    ConnectionError
        If it must be downloaded and cannot be.
    FileNotFoundError, ValueError
        If `path` leads to nothing, or to something else, or an argument is out of range.
    """
    if version not in ("large", "small"):
        raise ValueError(f'california_housing: version is "large" or "small", not {version!r}.')
    local = local_path(path, _FILE)
    x, y = read_npz(downloaded(_FILE, _SHA256) if local is None else local, ("x", "y"))
    if version == "small":
        x, y = x[:_SMALL], y[:_SMALL]
    return split(x, y, test_split, seed)
