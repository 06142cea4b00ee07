"""CIFAR-10: 60,000 coloured pictures of 32×32 pixels in 10 classes.

A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

from __future__ import annotations

import os

from tapegrad.datasets._cifar import load_cifar
from tapegrad.datasets._files import Parts, downloaded, local_path

__all__ = ["CLASS_NAMES", "load_data"]

CLASS_NAMES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
"""Names of the classes, by label."""

_ORIGIN = "https://www.cs.toronto.edu/~kriz/"
_FILE = "cifar-10-binary.tar.gz"
_SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"


def load_data(path: str | os.PathLike[str] | None = None) -> Parts:
    """Load the pictures: from a local file, or downloaded once (170 MB).

    Parameters
    ----------
    path
        The archive ``cifar-10-binary.tar.gz`` (the one for C programs, which is no pickle), a
        folder with its content, or an ``.npz`` file as in `tapegrad.datasets.mnist.load_data`.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        `x` uint8 of shape (50000, 32, 32, 3) and (10000, 32, 32, 3), `y` uint8 of shape (50000, 1)
        and (10000, 1) with labels 0 to 9.

    Raises
    ------
    ConnectionError
        If it must be downloaded and cannot be.
    FileNotFoundError, ValueError
        If `path` leads to nothing, or to something else.
    """
    local = local_path(path, _FILE)
    if local is None:
        local = downloaded(_FILE, _SHA256, _ORIGIN)
    train = [f"data_batch_{number}.bin" for number in range(1, 6)]
    return load_cifar(local, train, ["test_batch.bin"], labels=1, label=0)
