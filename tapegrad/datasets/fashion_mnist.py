"""Fashion-MNIST: 70,000 pictures of clothes of 28×28 pixels.

H. Xiao, K. Rasul and R. Vollgraf, arXiv:1708.07747; MIT licence.
"""

from __future__ import annotations

import os

from tapegrad.datasets._files import Parts, downloaded, local_path, train_and_test

__all__ = ["CLASS_NAMES", "load_data"]

CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
"""Names of the classes, by label."""

_ORIGIN = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"  # checked by the sums below
_FOLDER = "fashion-mnist"
_SHA256 = {
    "train-images-idx3-ubyte.gz": (
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"
    ),
    "train-labels-idx1-ubyte.gz": (
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"
    ),
    "t10k-images-idx3-ubyte.gz": (
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"
    ),
    "t10k-labels-idx1-ubyte.gz": (
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"
    ),
}


def load_data(path: str | os.PathLike[str] | None = None) -> Parts:
    """Load the pictures: from local files, or downloaded once (30 MB).

    Parameters
    ----------
    path
        As in `tapegrad.datasets.mnist.load_data`.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        Shapes and dtypes are those of MNIST.

    Raises
    ------
    ConnectionError
        If it must be downloaded and cannot be.
    FileNotFoundError, ValueError
        If `path` leads to nothing, or to something else.
    """
    local = local_path(path, _FOLDER)
    if local is None:
        files = [downloaded(name, sum_, _ORIGIN, _FOLDER) for name, sum_ in _SHA256.items()]
        local = files[0].parent
    return train_and_test(local)
