"""Write what Keras 3's optimizers do to a few variables in 20 steps, to compare with.

``KERAS_BACKEND=torch python tests/reference/make_optimizer_reference.py`` needs Keras 3 and PyTorch
and writes ``optimizer_reference.npz`` beside this file; the tests need neither. The variables
stand in one flat array in the order of ``shapes``, without padding.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras

SHAPES = ((4, 3), (3,), (2, 3, 2), (5, 2), (2, 6))
STEPS = 20
KEPT = (1, 2, 20)
"""Steps after which the parameters are kept."""

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("SGD", {"learning_rate": 0.1, "weight_decay": 0.02}),
    "momentum": ("SGD", {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 0.02}),
    "nesterov": ("SGD", {"learning_rate": 0.1, "momentum": 0.8, "nesterov": True}),
    "lion": ("Lion", {"learning_rate": 0.01, "weight_decay": 0.1}),
    "adagrad": ("Adagrad", {"learning_rate": 0.1, "weight_decay": 0.1}),
    "adadelta": ("Adadelta", {"learning_rate": 0.8, "weight_decay": 0.1}),
    "rmsprop": ("RMSprop", {"learning_rate": 0.02, "weight_decay": 0.1}),
    "rmsprop_momentum": ("RMSprop", {"learning_rate": 0.02, "momentum": 0.5}),
    "rmsprop_centered": ("RMSprop", {"learning_rate": 0.02, "centered": True, "epsilon": 1e-3}),
    "rmsprop_centered_momentum": (
        "RMSprop",
        {"learning_rate": 0.02, "momentum": 0.5, "centered": True, "epsilon": 1e-3},
    ),
    "ftrl": ("Ftrl", {"learning_rate": 0.1, "weight_decay": 0.1}),
    "ftrl_power": (
        "Ftrl",
        {
            "learning_rate": 0.1,
            "learning_rate_power": -0.6,
            "l1_regularization_strength": 0.05,
            "l2_regularization_strength": 0.02,
            "l2_shrinkage_regularization_strength": 0.03,
            "beta": 0.1,
        },
    ),
    "adam": ("Adam", {"learning_rate": 0.02}),
    "adamw": ("AdamW", {"learning_rate": 0.02, "weight_decay": 0.1}),
    "amsgrad": ("Adam", {"learning_rate": 0.02, "amsgrad": True, "beta_2": 0.8}),
    "nadam": ("Nadam", {"learning_rate": 0.02, "weight_decay": 0.1}),
    "adamax": ("Adamax", {"learning_rate": 0.02, "weight_decay": 0.1}),
    "lamb": ("Lamb", {"learning_rate": 0.02, "weight_decay": 0.1}),
    "adafactor": ("Adafactor", {"learning_rate": 0.05, "weight_decay": 0.1}),
    "adafactor_absolute": (
        "Adafactor",
        {"learning_rate": 0.3, "relative_step": False, "clip_threshold": 0.7},
    ),
    "muon": ("Muon", {"learning_rate": 0.02, "weight_decay": 0.1, "adam_weight_decay": 0.2}),
    "muon_plain": (
        "Muon",
        {"learning_rate": 0.02, "nesterov": False, "rms_rate": None, "ns_steps": 3}
        | {"weight_decay": None, "adam_weight_decay": None},
    ),
    "clipvalue": ("SGD", {"learning_rate": 0.1, "clipvalue": 0.5}),
    "clipnorm": ("SGD", {"learning_rate": 0.1, "clipnorm": 1.5}),
    "global_clipnorm": ("SGD", {"learning_rate": 0.1, "global_clipnorm": 3.0}),
    "ema": ("SGD", {"learning_rate": 0.1, "use_ema": True, "ema_momentum": 0.9}),
}


def starting_point() -> tuple[np.ndarray, np.ndarray]:
    """The parameters, flat, and the gradients of each step."""
    generator = np.random.default_rng(0)
    size = sum(int(np.prod(shape)) for shape in SHAPES)
    scales = 10.0 ** generator.uniform(-1, 1, size)
    gradients = generator.normal(size=(STEPS, size)) * scales + 0.3
    gradients[:, 4] = 0.0
    return generator.normal(size=size), gradients


def _parts(flat: np.ndarray) -> list[np.ndarray]:
    ends = np.cumsum([int(np.prod(shape)) for shape in SHAPES])[:-1]
    return [part.reshape(shape) for part, shape in zip(np.split(flat, ends), SHAPES, strict=True)]


def _flat(values: list[Any]) -> np.ndarray:
    return np.concatenate([np.ravel(keras.ops.convert_to_numpy(value)) for value in values])


def trajectory(case: str, dtype: str) -> np.ndarray:
    """The parameters (of ``ema`` their means) after each of the steps in `KEPT`."""
    name, arguments = CASES[case]
    keras.config.set_floatx(dtype)
    start, gradients = starting_point()
    optimizer = getattr(keras.optimizers, name)(**arguments)
    variables = [keras.Variable(part.astype(dtype), dtype=dtype) for part in _parts(start)]
    optimizer.build(variables)
    kept = []
    for step in range(1, STEPS + 1):
        parts = [keras.ops.convert_to_tensor(g.astype(dtype)) for g in _parts(gradients[step - 1])]
        optimizer.apply(parts, variables)
        if step in KEPT:
            held = optimizer._model_variables_moving_average if case == "ema" else variables
            kept.append(_flat(held))
    result = np.stack(kept)
    assert result.dtype == dtype
    return result


def main() -> None:
    """Write the file."""
    start, gradients = starting_point()
    found: dict[str, Any] = {"start": start, "gradients": gradients}
    for case in CASES:
        for dtype in ("float32", "float64"):
            found[f"{case}.{dtype}"] = trajectory(case, dtype)
    path = Path(__file__).parent / "optimizer_reference.npz"
    np.savez_compressed(path, **found)
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
