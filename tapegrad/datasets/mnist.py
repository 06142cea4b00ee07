"""MNIST: 70,000 handwritten digits of 28×28 pixels.

Y. LeCun, C. Cortes and C. Burges, from data of NIST; CC BY-SA 3.0.
"""

from __future__ import annotations

import os

from tapegrad.datasets._files import Parts, downloaded, local_path, train_and_test

__all__ = ["CLASS_NAMES", "load_data"]

CLASS_NAMES = tuple("0123456789")
"""Names of the classes, by label."""

_FILE = "mnist.npz"
_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"


def load_data(path: str | os.PathLike[str] = _FILE) -> Parts:
    """Load the digits: from a local file, or downloaded once.

    Parameters
    ----------
    path
        An ``.npz`` file with ``x_train``, ``y_train``, ``x_test`` and ``y_test``; one of the four
        IDX files of MNIST, plain or compressed, with the others beside it; or a folder with
        either. By default the file is downloaded (11 MB) and kept in the folder that the
        environment's variable ``TAPEGRAD_DATA_DIR`` names, or in one for caches of the user's.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        `x` uint8 of shape (60000, 28, 28) and (10000, 28, 28) with values 0 to 255, `y` uint8 of
        shape (60000,) and (10000,) with labels 0 to 9. A local file's arrays are as it has them.

    Raises
    ------
    ConnectionError
        If it must be downloaded and cannot be.
    FileNotFoundError, ValueError
        If `path` leads to nothing, or to something else.
    """
    local = local_path(path, _FILE)
    return train_and_test(downloaded(_FILE, _SHA256) if local is None else local)
