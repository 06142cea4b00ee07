"""CIFAR-100: 60,000 coloured pictures of 32×32 pixels in 100 classes of 20 kinds.

A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

from __future__ import annotations

import os

from tapegrad.datasets._cifar import load_cifar
from tapegrad.datasets._files import Parts, downloaded, local_path

__all__ = ["load_data"]

_ORIGIN = "https://www.cs.toronto.edu/~kriz/"
_FILE = "cifar-100-binary.tar.gz"
_SHA256 = "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"


def load_data(label_mode: str = "fine", path: str | os.PathLike[str] | None = None) -> Parts:
    """Load the pictures: from a local file, or downloaded once (168 MB).

    Parameters
    ----------
    label_mode
        ``"fine"`` for the 100 classes, ``"coarse"`` for the 20 kinds.
    path
        The archive ``cifar-100-binary.tar.gz`` (the one for C programs, which is no pickle), a
        folder with its content, or an ``.npz`` file as in `tapegrad.datasets.mnist.load_data`.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        `x` uint8 of shape (50000, 32, 32, 3) and (10000, 32, 32, 3), `y` uint8 of shape (50000, 1)
        and (10000, 1).

    Raises
    ------
    ConnectionError
        If it must be downloaded and cannot be.
    FileNotFoundError, ValueError
        If `path` leads to nothing, or to something else, or `label_mode` is unknown.
    """
    if label_mode not in ("fine", "coarse"):
        raise ValueError(f'cifar100: label_mode is "fine" or "coarse", not {label_mode!r}.')
    local = local_path(path, _FILE)
    if local is None:
        local = downloaded(_FILE, _SHA256, _ORIGIN)
    label = 1 if label_mode == "fine" else 0
    return load_cifar(local, ["train.bin"], ["test.bin"], labels=2, label=label)
