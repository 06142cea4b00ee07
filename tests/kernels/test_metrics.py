"""Sums of metrics against NumPy's."""

from __future__ import annotations

import numpy as np
import pytest

from tapegrad import metrics
from tapegrad_kernels import cpu

GENERATOR = np.random.default_rng(0)
SHAPES = [(), (0,), (5,), (5, 1), (5, 3), (5, 3, 2), (70_000, 3)]


def weights_for(shape: tuple[int, ...]) -> list[np.ndarray | None]:
    """No weights, a number, and weights of all first axes, with axes of size 1 too."""
    found: list[np.ndarray | None] = [None, np.array(0.3)]
    found += [GENERATOR.random(shape[:count]) for count in range(1, len(shape) + 1)]
    if len(shape) > 1:
        found.append(GENERATOR.random((shape[0], *(1 for _ in shape[1:]))).astype(np.float32))
    if shape:
        found.append(GENERATOR.random((*shape, 1)))
    return found


def wide(weights: np.ndarray | None) -> np.ndarray | None:
    """The weights in float64, in which the kernels add up."""
    return None if weights is None else weights.astype(np.float64)


def close(counted: np.ndarray, metric: metrics.Mean) -> None:
    np.testing.assert_allclose(counted, [metric.total, metric.count], 1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "bool"])
@pytest.mark.parametrize("shape", SHAPES)
def test_means(shape, dtype):
    values = (3 * GENERATOR.random(shape)).astype(dtype)
    for weights in weights_for(shape):
        if values.size == 0 and weights is not None:
            continue
        counted, metric = np.zeros(2), metrics.Mean()
        for _ in range(2):
            cpu.accumulate_mean(counted, values, weights)
            metric.update_state(values.astype(np.float64), wide(weights))
        close(counted, metric)


def test_weights_of_one_value():
    counted, metric = np.zeros(2), metrics.Mean()
    cpu.accumulate_mean(counted, 2.0, np.array([1.0, 2.0]))
    metric.update_state(2.0, np.array([1.0, 2.0]))
    close(counted, metric)


KINDS = {
    "sparse": metrics.SparseCategoricalAccuracy,
    "categorical": metrics.CategoricalAccuracy,
    "binary": metrics.BinaryAccuracy,
    "equal": metrics.Accuracy,
}


def case(kind: str, shape: tuple[int, ...], dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Labels and predictions with ties and NaN."""
    if kind in ("binary", "equal"):
        pred = GENERATOR.integers(0, 3, shape) / 2
        return GENERATOR.integers(0, 2, shape), np.asarray(pred).astype(dtype)
    pred = GENERATOR.integers(0, 4, (*shape, 5)).astype(dtype)
    if pred.dtype.kind == "f":
        pred[GENERATOR.random(pred.shape) < 0.05] = np.nan
    if kind == "sparse":
        return GENERATOR.integers(0, 5, shape), pred
    return GENERATOR.integers(0, 3, pred.shape).astype(dtype), pred


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("shape", [(0,), (40,), (40, 1), (40, 3), (20_000, 2)])
@pytest.mark.parametrize("kind", KINDS)
def test_matches(kind, shape, dtype):
    true, pred = case(kind, shape, dtype)
    for weights in weights_for(shape):
        if 0 in shape and weights is not None:
            continue
        counted, metric = np.zeros(2), KINDS[kind]()
        cpu.count_matches(counted, true, pred, weights, kind=kind)
        metric.update_state(true, pred, wide(weights))
        close(counted, metric)


def test_types_that_differ():
    counted = np.zeros(2)
    cpu.count_matches(counted, [[0, 1]], np.array([[0.2, 0.8]], np.float32), kind="categorical")
    cpu.count_matches(
        counted, np.array([1, 0], np.float32), [0.4, 0.2], kind="binary", threshold=0.3
    )
    cpu.count_matches(counted, [1.0, np.nan], np.eye(2), kind="sparse")
    assert counted.tolist() == [3.0, 5.0]


def test_thresholds_are_of_the_type_of_predictions():
    counted, pred = np.zeros(2), np.array([0.3], np.float32)
    cpu.count_matches(counted, [0], pred, kind="binary", threshold=0.3)
    assert counted[0] == 1


def test_losses():
    counted = np.zeros(2)
    cpu.accumulate_loss(counted, np.array(0.1, np.float32), samples=3)
    assert counted.tolist() == [float(np.float32(0.1)) * 3, 3.0]


def test_wrong_arguments():
    counted = np.zeros(2)
    with pytest.raises(ValueError, match="does not begin"):
        cpu.accumulate_mean(counted, np.zeros(3), np.zeros(2))
    with pytest.raises(ValueError, match="y_true has shape"):
        cpu.count_matches(counted, np.zeros(3), np.zeros((2, 3)), kind="sparse")
    with pytest.raises(ValueError, match="no classes"):
        cpu.count_matches(counted, np.zeros(3), np.zeros((3, 0)), kind="sparse")
    with pytest.raises(ValueError, match="writable vector"):
        cpu.accumulate_mean(np.zeros(2, np.float32), np.zeros(3))
