"""What `benchmarks.jit` measures: workloads, goals, and the arrays that all contenders share.

Weights are in Keras's order and shapes; each contender turns them into those of its library.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

from benchmarks._data import images_and_labels
from benchmarks._harness import Workload

LEARNING_RATE = 1e-3
EPSILON = 1e-7
"""Of Adam: Keras's, which all contenders get."""
BATCHES = 64
"""Through how many batches a step cycles."""
CHECKED_STEPS = 4
"""From how many first steps the losses of all contenders are compared."""
REGRESSION_RATE = 0.1
NOISE = 64
"""Features of the noise that the generator takes."""
SLOPE = 0.2
"""Of LeakyReLU in the discriminator."""

WORKLOADS: list[Workload] = [
    {"name": "mlp step", "kind": "step", "network": "mlp", "batch": 32},
    {"name": "cnn step", "kind": "step", "network": "cnn", "batch": 32, "quick": False},
    {"name": "lstm step", "kind": "step", "network": "lstm", "batch": 32},
    {"name": "gru step", "kind": "step", "network": "gru", "batch": 32},
    {"name": "simple rnn step", "kind": "step", "network": "simple rnn", "batch": 32},
    {"name": "autoencoder step", "kind": "step", "network": "autoencoder", "batch": 128},
    {"name": "gan step", "kind": "gan", "batch": 128},
    {"name": "linear regression", "kind": "regression", "steps": 10_000},
    {"name": "mlp predict", "kind": "predict", "network": "mlp", "batch": 1},
    {"name": "cnn predict", "kind": "predict", "network": "cnn", "batch": 256, "quick": False},
    {"name": "mlp fit", "kind": "fit", "network": "mlp", "batch": 32, "samples": 8000},
    {"name": "mlp train_on_batch", "kind": "train_on_batch", "network": "mlp", "batch": 32},
    {"name": "rosenbrock hessian", "kind": "rosenbrock", "of": "hessian", "size": 20},
    {"name": "rosenbrock hvp", "kind": "rosenbrock", "of": "hvp", "size": 20},
]
"""Times are of one step, one prediction, one epoch, one matrix."""

GOALS: dict[str, dict[str, float]] = {
    "mlp step": {"torch": 5, "torch.compile": 6, "jax": 2.5},
    "cnn step": {"torch": 2, "torch.compile": 2, "jax": 3},
    "lstm step": {"torch": 1.6, "torch.compile": 1.6, "jax": 2.5},
    "gru step": {"torch": 3, "torch.compile": 3, "jax": 2},
    "simple rnn step": {"torch": 3, "torch.compile": 3, "jax": 1.5},
    "autoencoder step": {"torch": 2.3, "torch.compile": 1.7, "jax": 1.25},
    "gan step": {"torch": 2.5, "torch.compile": 2.5, "jax": 1.2},
    "linear regression": {"torch": 60, "torch.compile": 60, "jax": 10},
    "mlp predict": {"torch": 3, "torch.compile": 3, "jax": 8},
    "cnn predict": {"torch": 2, "torch.compile": 1.1, "jax": 1.1},
    "mlp fit": {"torch": 5, "torch.compile": 5, "jax": 2.2},
    "rosenbrock hessian": {"torch": 60, "torch.compile": 2, "jax": 1},
    "rosenbrock hvp": {"torch": 60, "torch.compile": 2, "jax": 1},
}
"""At least this many times our time a peer should take."""

TOLERANCES = {"fit": 0.2, "step": 0.02, "gan": 0.02, "train_on_batch": 0.02}
"""How far numbers may lie apart, by kind of workload: epochs shuffle in their own ways, torch's
recurrent layers have two biases, and Adam's epsilon does not stand at the same place everywhere."""
TOLERANCE = 1e-3
"""Of other kinds."""

_SHAPES: dict[str, list[tuple[int, ...]]] = {
    "mlp": [(784, 64), (64,), (64, 64), (64,), (64, 10), (10,)],
    "cnn": [
        *((3, 3, 1, 32), (32,), (3, 3, 32, 64), (64,), (3, 3, 64, 64), (64,)),
        *((576, 64), (64,), (64, 10), (10,)),
    ],
    "lstm": [(28, 512), (128, 512), (512,), (128, 10), (10,)],
    "gru": [(28, 384), (128, 384), (2, 384), (128, 10), (10,)],
    "simple rnn": [(28, 128), (128, 128), (128,), (128, 10), (10,)],
    "autoencoder": [
        *((784, 128), (128,), (128, 32), (32,)),
        *((32, 128), (128,), (128, 784), (784,)),
    ],
    "generator": [(NOISE, 128), (128,), (128, 784), (784,)],
    "discriminator": [(784, 128), (128,), (128, 1), (1,)],
}
_INPUTS = {"cnn": (28, 28, 1), **dict.fromkeys(("lstm", "gru", "simple rnn"), (28, 28))}
"""Shapes of a sample that is not a row of 784 numbers."""
_GRU_BIAS = (2, 384)


def initial_weights(network: str) -> list[Any]:
    """Glorot-uniform kernels and biases of zeros, float32, the same at each call."""
    import numpy as np

    generator = np.random.default_rng(1)
    weights: list[Any] = []
    for shape in _SHAPES[network]:
        if len(shape) == 1 or shape == _GRU_BIAS:
            weights.append(np.zeros(shape, np.float32))
            continue
        field = math.prod(shape[:-2])
        limit = math.sqrt(6 / (field * (shape[-2] + shape[-1])))
        weights.append(generator.uniform(-limit, limit, shape).astype(np.float32))
    return weights


def samples(network: str, count: int) -> tuple[Any, Any]:
    """Images as `network` takes them, and labels; an autoencoder's labels are its images."""
    x, y = images_and_labels(None, samples=count, features=784)
    x = x.reshape(-1, *_INPUTS.get(network, (784,)))
    return (x, x) if network == "autoencoder" else (x, y)


def batches(workload: Workload) -> list[tuple[Any, Any]]:
    """The batches that a step cycles through."""
    size = workload["batch"]
    x, y = samples(workload["network"], size * BATCHES)
    return [(x[i : i + size], y[i : i + size]) for i in range(0, len(x), size)]


def real_images_and_noise(workload: Workload) -> list[tuple[Any, Any]]:
    """The batches that a step of adversarial training cycles through."""
    import numpy as np

    generator = np.random.default_rng(2)
    size = workload["batch"]
    x, _ = samples("discriminator", size * BATCHES)
    noise = generator.standard_normal((len(x), NOISE), np.float32)
    return [(x[i : i + size], noise[i : i + size]) for i in range(0, len(x), size)]


def line() -> tuple[Any, Any]:
    """Hundred points about ``y = 2 x + 1``."""
    import numpy as np

    generator = np.random.default_rng(3)
    x = generator.uniform(-1, 1, (100, 1)).astype(np.float32)
    return x, (2 * x + 1 + 0.1 * generator.standard_normal(x.shape)).astype(np.float32)


def point_and_direction(workload: Workload) -> tuple[Any, Any]:
    """Where Rosenbrock's function is differentiated, and along what."""
    import numpy as np

    generator = np.random.default_rng(4)
    x, v = generator.uniform(-1, 1, (2, workload["size"])).astype(np.float32)
    return x, v


def forever(items: list[Any]) -> Any:
    """`next` of it, given the items again and again."""
    return itertools.cycle(items).__next__
