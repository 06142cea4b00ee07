"""Images and labels for the benchmarks of training: made up, or from the user's file."""

from __future__ import annotations

from typing import Any

CLASSES = 10


def images_and_labels(path: str | None, *, samples: int, features: int) -> tuple[Any, Any]:
    """Samples to train on.

    Parameters
    ----------
    path : str or None
        A ``.npz`` file with ``x_train`` (samples first, whole numbers are taken for pixels from
        0 to 255) and ``y_train`` (labels from 0 to 9). Without one the samples are random: points
        around ten centres.
    samples, features : int
        How many are wanted; a file with fewer samples is gone through again.

    Returns
    -------
    x : ndarray of float32, shape (samples, features)
    y : ndarray of int64, shape (samples,)

    Raises
    ------
    ValueError
        If the file's samples have another number of features.
    """
    import numpy as np

    if path is None:
        generator = np.random.default_rng(0)
        centres = generator.random((CLASSES, features), np.float32)
        y = generator.integers(0, CLASSES, samples)
        noise = generator.random((samples, features), np.float32)
        return 0.5 * (centres[y] + noise), y
    with np.load(path, allow_pickle=False) as file:
        x, y = file["x_train"], file["y_train"]
    x = x.reshape(len(x), -1)
    if x.shape[1] != features:
        raise ValueError(f"{path}: samples have {x.shape[1]} features, expected {features}")
    scale = 255.0 if x.dtype.kind in "ui" else 1.0
    chosen = np.arange(samples) % len(x)
    return (x[chosen] / scale).astype(np.float32), y[chosen].astype(np.int64)
