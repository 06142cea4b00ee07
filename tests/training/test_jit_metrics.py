"""Metrics in recorded steps: the bits of eager ones, as part of the one native call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from training.test_jit import CLASSES, SPARSE, X, network, numbers

from tapegrad import Input, layers, metrics

RNG = np.random.default_rng(1)
NUMBERS = RNG.random((50, 2)).astype(np.float32)
SIGNS = np.where(X[:, :1] > 0, 1, -1)
ONE_HOT = np.eye(3, dtype=np.float32)[CLASSES]
TOKENS = RNG.integers(0, 9, (50, 5))
NEXT = RNG.integers(0, 4, (50, 5))
WEIGHTS = RNG.random(50)


def head(units, activation=None):
    return lambda: [Input((6,)), layers.Dense(5, "relu"), layers.Dense(units, activation)]


def tagger():
    return [
        Input((5,), dtype="int64"),
        layers.Embedding(9, 4, mask_zero=True),
        layers.Dense(4, "softmax"),
    ]


def both(stack, x, y, chosen, loss, **calls):
    """Train eagerly and recorded, with all metrics weighted too; compare everything."""
    found = []
    ways: list[Any] = [False, "auto"]
    for jit in ways:
        metrics_, weighted = ([make() if callable(make) else make for make in chosen] for _ in "ab")
        model = network(stack, loss=loss, jit=jit, metrics=metrics_, weighted_metrics=weighted)
        history = model.fit(x, y, epochs=3, verbose=0, shuffle=False, **{"batch_size": 10} | calls)
        found.append((history.history, numbers(model), model))
    (one, one_numbers, _), (other, other_numbers, model) = found
    assert one == other
    for name, value in one_numbers.items():
        np.testing.assert_array_equal(value, other_numbers[name], name)
    return model


def is_native(model, x, y, weight=None):
    weight = None if weight is None else weight[:10].astype(np.float32)
    programs = model._programs
    entry = programs.step("train").entry((x[:10], y[:10], weight))
    assert entry.program is not None
    reasons = [step.reason for step in entry.program.steps if not step.native]
    return reasons == []


ERRORS = [
    *("mae", "mse", "mape", "msle", "logcosh", "cosine_similarity", "poisson", "kl_divergence"),
    *("root_mean_squared_error", "hinge", "squared_hinge", "categorical_hinge", "huber"),
]
DECISIONS = ["accuracy", "binary_crossentropy", lambda: metrics.BinaryAccuracy(threshold=0.3)]


@pytest.mark.parametrize("weight", [None, WEIGHTS], ids=["plain", "weighted"])
def test_errors(weight):
    model = both(head(2, "sigmoid"), X, NUMBERS, ERRORS, "mse", sample_weight=weight)
    assert is_native(model, X, NUMBERS, weight)


@pytest.mark.parametrize("weight", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("dtype", ["int64", "bool", "uint8"])
def test_errors_of_whole_numbers(dtype, weight):
    y = (SIGNS > 0).astype(dtype)
    model = both(head(1, "sigmoid"), X, y, ["mae", "mse", *DECISIONS], "mse", sample_weight=weight)
    assert is_native(model, X, y, weight)


@pytest.mark.parametrize("weight", [None, WEIGHTS], ids=["plain", "weighted"])
def test_labels_without_an_axis(weight):
    y = (SIGNS > 0)[:, 0].astype(np.int64)
    chosen = ["mae", "mse", *DECISIONS]
    model = both(head(1, "sigmoid"), X, y, chosen, "binary_crossentropy", sample_weight=weight)
    assert is_native(model, X, y, weight)


@pytest.mark.parametrize("weight", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("y", [CLASSES, CLASSES.astype(np.float32), CLASSES[:, None]])
def test_classes(y, weight):
    chosen = [
        *("accuracy", SPARSE, lambda: metrics.SparseTopKCategoricalAccuracy(2)),
        lambda: metrics.SparseCategoricalCrossentropy(ignore_class=1),
    ]
    model = both(head(3, "softmax"), X, y, chosen, SPARSE, sample_weight=weight)
    assert is_native(model, X, y, weight)


@pytest.mark.parametrize("weight", [None, WEIGHTS], ids=["plain", "weighted"])
def test_one_hot_labels(weight):
    chosen = ["accuracy", "categorical_crossentropy", "categorical_hinge", "kl_divergence", "mae"]
    loss = "categorical_crossentropy"
    model = both(head(3, "softmax"), X, ONE_HOT, chosen, loss, sample_weight=weight)
    assert is_native(model, X, ONE_HOT, weight)


@pytest.mark.parametrize("weight", [None, WEIGHTS, RNG.random((50, 5))], ids=["no", "a", "each"])
def test_masked_predictions(weight):
    model = both(tagger, TOKENS, NEXT, ["accuracy", SPARSE], SPARSE, sample_weight=weight)
    assert is_native(model, TOKENS, NEXT, weight)


def test_batches_that_are_cut_into_tasks():
    x, y = RNG.normal(size=(12_000, 6)).astype(np.float32), RNG.integers(0, 30, 12_000)
    weight = RNG.random(12_000)
    both(
        head(30, "softmax"), x, y, ["accuracy", SPARSE], SPARSE,
        batch_size=4000, sample_weight=weight,
    )  # fmt: skip


@pytest.mark.parametrize("label", [-1, 3])
def test_labels_out_of_range_are_refused(label):
    chosen = [metrics.SparseTopKCategoricalAccuracy(2)]
    loss: Any = lambda y_true, y_pred: y_pred * y_pred  # noqa: E731
    model: Any = network(head(3), loss=loss, metrics=chosen)
    for _ in range(4):
        model.train_on_batch(X, CLASSES)
    assert model._programs.step("train").ran
    wrong = CLASSES.copy()
    wrong[7] = label
    with pytest.raises((ValueError, IndexError)):
        model.train_on_batch(X, wrong)


def test_functions_of_the_user_are_called():
    calls = []

    def error(y_true, y_pred):
        calls.append(len(y_pred))
        return abs(np.asarray(y_true) - np.asarray(y_pred))

    model = both(head(2), X, NUMBERS, [lambda: metrics.MeanMetricWrapper(error)], "mse")
    assert not is_native(model, X, NUMBERS)
    assert calls.count(10) == 2 * 2 * 3 * 5
