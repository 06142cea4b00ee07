"""What Keras 3 computed in layers over sequences, images and volumes, to compare with.

See tests/reference/make_spatial_reference.py for what the file holds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import tapegrad as tg
from tapegrad import layers

TOLERANCES = {"float32": 2e-4, "float64": 2e-6}


@dataclass(frozen=True)
class Case:
    """One layer with its arguments, what it is given, and what Keras makes of it."""

    layer: str
    arguments: dict[str, Any]
    x: np.ndarray
    weights: list[np.ndarray]
    output_gradient: np.ndarray
    results: list[np.ndarray]
    """The output and the gradients by the input and by each weight."""

    def __str__(self) -> str:
        return f"{self.layer}({', '.join(f'{k}={v}' for k, v in self.arguments.items())})"

    def make(self, dtype: str) -> layers.Layer:
        """Return the layer with the case's weights."""
        layer = getattr(layers, self.layer)(**self.arguments, dtype=dtype)
        layer.build((None, *self.x.shape[1:]))
        layer.set_weights(self.weights)
        return layer

    def check(self, dtype: str) -> None:
        """Compare the output and all gradients with Keras's."""
        layer = self.make(dtype)
        x = tg.Variable(self.x.astype(dtype))
        with tg.Tape() as tape:
            y = layer(x)
            target = (y * self.output_gradient.astype(dtype)).sum()
        computed = [y, *tape.gradient(target, [x, *layer.trainable_weights])]
        assert len(computed) == len(self.results)
        for actual, expected in zip(computed, self.results):
            assert actual.dtype == dtype
            assert actual.shape == expected.shape
            error = np.abs(actual.numpy() - expected).max()
            assert error <= TOLERANCES[dtype] * max(1.0, np.abs(expected).max())

    def check_shapes(self) -> None:
        """Compare `compute_output_shape` with the output's shape, also for unknown lengths."""
        layer = self.make("float32")
        shape, expected = self.x.shape, self.results[0].shape
        assert layer.compute_output_shape(shape) == expected
        assert layer.compute_output_shape((None, *shape[1:])) == (None, *expected[1:])
        for axis in range(1, len(shape)):
            unknown = (*shape[:axis], None, *shape[axis + 1 :])
            computed = layer.compute_output_shape(unknown)
            assert len(computed) == len(expected)
            assert all(a is None or a == b for a, b in zip(computed, expected))
            assert layer(self.x).shape == expected


def _read() -> list[Case]:
    path = Path(__file__).parent / "reference" / "spatial_reference.npz"
    with np.load(path, allow_pickle=False) as file:
        index = json.loads(str(file["index"]))
        given, results = file["given"] / 32.0, file["results"].astype(np.float64)

    def take(numbers: np.ndarray, start: int, shapes: list[list[int]]) -> list[np.ndarray]:
        ends = start + np.cumsum([int(np.prod(shape)) for shape in shapes])
        parts = np.split(numbers[start : ends[-1]], ends[:-1] - start)
        return [part.reshape(shape) for part, shape in zip(parts, shapes)]

    cases: list[Case] = []
    at_given = at_results = 0
    for entry in index:
        x_shape, *weight_shapes, y_shape = entry["shapes"]
        x, *weights, gradient = take(given, at_given, entry["shapes"])
        expected = take(results, at_results, [y_shape, x_shape, *weight_shapes])
        at_given += x.size + sum(weight.size for weight in weights) + gradient.size
        at_results += sum(part.size for part in expected)
        cases.append(Case(entry["layer"], entry["arguments"], x, weights, gradient, expected))
    assert at_given == given.size
    assert at_results == results.size
    return cases


CASES = _read()


def cases(*words: str) -> list[Case]:
    """Return the cases of layers whose name has one of these words in it."""
    return [case for case in CASES if any(word in case.layer for word in words)]
