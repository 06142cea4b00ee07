"""Optimizers with all their options, and schedules, that are compared with Keras.

`make_optimizer_options_reference.py` runs them with Keras, the tests with tapegrad.
"""

from __future__ import annotations

from typing import Any

import numpy as np

SHAPES = {"scale": (), "kernel": (3, 2), "bias": (3,), "filters": (2, 1, 2, 2)}
STEPS = 20

OPTIMIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("SGD", {"learning_rate": 0.1}),
    "momentum": ("SGD", {"learning_rate": 0.05, "momentum": 0.9}),
    "nesterov": ("SGD", {"learning_rate": 0.05, "momentum": 0.8, "nesterov": True}),
    "rmsprop": ("RMSprop", {"learning_rate": 0.02, "rho": 0.8}),
    "rmsprop_momentum": ("RMSprop", {"learning_rate": 0.02, "momentum": 0.5}),
    "rmsprop_centered": (
        "RMSprop",
        {"learning_rate": 0.02, "momentum": 0.5, "centered": True, "epsilon": 1e-3},
    ),
    "adagrad": ("Adagrad", {"learning_rate": 0.1, "initial_accumulator_value": 0.2}),
    "adadelta": ("Adadelta", {"learning_rate": 0.8}),
    "adam": ("Adam", {"learning_rate": 0.02}),
    "amsgrad": ("Adam", {"learning_rate": 0.02, "amsgrad": True, "beta_2": 0.8}),
    "adamw": ("AdamW", {"learning_rate": 0.02, "weight_decay": 0.1}),
    "nadam": ("Nadam", {"learning_rate": 0.02}),
    "adamax": ("Adamax", {"learning_rate": 0.02}),
    "ftrl": ("Ftrl", {"learning_rate": 0.1, "l1_regularization_strength": 0.05, "beta": 0.1}),
    "lion": ("Lion", {"learning_rate": 0.01}),
    "lamb": ("Lamb", {"learning_rate": 0.02}),
    "adafactor": ("Adafactor", {"learning_rate": 0.05}),
    "muon": ("Muon", {"learning_rate": 0.02, "adam_lr_ratio": 0.5}),
}

OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "weight_decay": {"weight_decay": 0.3},
    "excluded": {"weight_decay": 0.3},
    "clipnorm": {"clipnorm": 1.0},
    "clipvalue": {"clipvalue": 0.4},
    "global_clipnorm": {"global_clipnorm": 1.5},
    "ema": {"use_ema": True, "ema_momentum": 0.8},
    "overwrite": {"use_ema": True, "ema_momentum": 0.6, "ema_overwrite_frequency": 3},
    "accumulation": {"gradient_accumulation_steps": 3},
    "loss_scale": {"loss_scale_factor": 8.0},
    "all": {
        "weight_decay": 0.2,
        "global_clipnorm": 1.5,
        "use_ema": True,
        "ema_momentum": 0.7,
        "ema_overwrite_frequency": 2,
        "gradient_accumulation_steps": 4,
        "loss_scale_factor": 2.0,
    },
    "schedule": {},
    "constraint": {},
    "missing": {},
}
"""``excluded`` keeps biases from decay, ``constraint`` keeps the kernel and the filters from being
negative, ``missing`` lacks the gradient of the kernel in steps 3, 4 and 11, and ``schedule`` takes
the first of `SCHEDULES` with the optimizer's rate."""

MISSING_STEPS = (3, 4, 11)

SCHEDULES: dict[str, tuple[str, dict[str, Any]]] = {
    "exponential": (
        "ExponentialDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.5},
    ),
    "staircase": (
        "ExponentialDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.5, "staircase": True},
    ),
    "piecewise": (
        "PiecewiseConstantDecay",
        {"boundaries": [4, 9, 20], "values": [1.0, 0.5, 0.2, 0.05]},
    ),
    "polynomial": (
        "PolynomialDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 12, "power": 2.0},
    ),
    "polynomial_cycle": (
        "PolynomialDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 8, "end_learning_rate": 0.01, "cycle": True},
    ),
    "inverse": (
        "InverseTimeDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 0.5},
    ),
    "inverse_staircase": (
        "InverseTimeDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 0.5, "staircase": True},
    ),
    "cosine": ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 20, "alpha": 0.1}),
    "cosine_warmup": (
        "CosineDecay",
        {"initial_learning_rate": 0.01, "decay_steps": 20, "alpha": 0.05}
        | {"warmup_target": 0.2, "warmup_steps": 6},
    ),
    "restarts": ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 5}),
    "restarts_equal": (
        "CosineDecayRestarts",
        {"initial_learning_rate": 0.1, "first_decay_steps": 7, "t_mul": 1.0, "m_mul": 0.8},
    ),
    "restarts_growing": (
        "CosineDecayRestarts",
        {"initial_learning_rate": 0.1, "first_decay_steps": 4, "t_mul": 1.5}
        | {"m_mul": 0.7, "alpha": 0.1},
    ),
}
SCHEDULE_STEPS = np.arange(45)

CYCLES: dict[str, dict[str, Any]] = {
    "one_cycle": {"max_lr": 0.3, "total_steps": 40},
    "one_cycle_linear": {
        "max_lr": 0.3,
        "total_steps": 25,
        "pct_start": 0.45,
        "anneal_strategy": "linear",
        "div_factor": 10.0,
        "final_div_factor": 50.0,
    },
}
"""Arguments of PyTorch's OneCycleLR."""


def starting_point(dtype: str) -> tuple[dict[str, np.ndarray], list[dict[str, np.ndarray]]]:
    """Return the variables and the gradients of each step."""
    generator = np.random.default_rng(5)
    variables = {name: np.asarray(generator.normal(size=s)) for name, s in SHAPES.items()}
    scales = {name: 10.0 ** generator.uniform(-0.7, 0.7, size=s) for name, s in SHAPES.items()}
    gradients = [
        {name: scales[name] * generator.normal(size=s) + 0.2 for name, s in SHAPES.items()}
        for _ in range(STEPS)
    ]
    return (
        {name: value.astype(dtype) for name, value in variables.items()},
        [{name: np.asarray(g).astype(dtype) for name, g in step.items()} for step in gradients],
    )
