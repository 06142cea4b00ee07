"""Train the models of `tests/training_cases.py` with Keras 3, for the tests of ours.

Run it with PyTorch as the backend of Keras::

    KERAS_BACKEND=torch python tests/reference/make_training_reference.py

It writes `training_reference.npz` beside itself: the logs of twenty steps and the weights after
them, the history of two epochs with validation, an evaluation and predictions, in both dtypes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from training_cases import CASES, train  # noqa: E402


def main() -> None:
    """Train all and write the file."""
    found: dict[str, np.ndarray] = {}
    for dtype in ("float32", "float64"):
        keras.config.set_floatx(dtype)
        for name in CASES:
            for key, value in train(keras, name, dtype).items():
                found[f"{dtype}/{name}/{key}"] = value
            print(dtype, name)
    np.savez_compressed(HERE / "training_reference.npz", **found)


if __name__ == "__main__":
    main()
