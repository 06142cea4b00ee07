"""Penalties and constraints."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import constraints, regularizers

X = np.array([[1.0, -2.0], [0.5, 0.0]])


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        ("l1", 0.01 * 3.5),
        ("l2", 0.01 * 5.25),
        ("l1_l2", 0.01 * (3.5 + 5.25)),
        (regularizers.L1(0.2), 0.2 * 3.5),
        (regularizers.L1L2(l1=0.1, l2=0.3), 0.1 * 3.5 + 0.3 * 5.25),
        (regularizers.l2(0.5), 0.5 * 5.25),
    ],
)
def test_values_and_slopes(identifier, expected):
    regularizer = regularizers.get(identifier)
    x = tg.Variable(X)
    with tg.Tape() as tape:
        penalty = regularizer(x)
    assert float(penalty) == pytest.approx(expected)
    config = regularizer.get_config()
    slope = config.get("l1", 0) * np.sign(X) + 2 * config.get("l2", 0) * X
    np.testing.assert_allclose(tape.gradient(penalty, x).numpy(), slope)
    assert repr(type(regularizer).from_config(config)) == repr(regularizer)


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_bad_factors(value):
    with pytest.raises(ValueError, match="finite and not negative"):
        regularizers.L2(value)


def test_constraints():
    np.testing.assert_array_equal(constraints.NonNeg()(X).numpy(), np.maximum(X, 0))
    norms = np.linalg.norm(constraints.MaxNorm(1.5)(X).numpy(), axis=0)
    np.testing.assert_allclose(norms, [np.sqrt(1.25), 1.5], rtol=1e-6)
    norms = np.linalg.norm(constraints.UnitNorm()(X).numpy(), axis=0)
    np.testing.assert_allclose(norms, 1.0, rtol=1e-6)


def test_unknown_names():
    with pytest.raises(ValueError, match="Unknown regularizer"):
        regularizers.get("l3")
    with pytest.raises(ValueError, match='Did you mean "max_norm"'):
        constraints.get("maxnorm_")
