"""Distributions of initializers."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import initializers

RANDOM = [
    "glorot_uniform",
    "glorot_normal",
    "he_uniform",
    "he_normal",
    "lecun_uniform",
    "lecun_normal",
    "random_uniform",
    "random_normal",
    "truncated_normal",
]


@pytest.mark.parametrize("name", RANDOM)
def test_bounds_and_deviation_of_keras(keras_reference, name):
    tg.set_seed(0)
    values = initializers.get(name)((200, 100), dtype="float64").numpy()
    low, high, deviation = keras_reference[f"initializers/{name}"]
    assert values.std() == pytest.approx(deviation, rel=0.02)
    assert abs(values.mean()) < 0.02 * deviation * 3
    if name != "random_normal":  # the only one without bounds
        assert values.min() == pytest.approx(low, rel=0.01)
        assert values.max() == pytest.approx(high, rel=0.01)


@pytest.mark.parametrize("name", RANDOM)
def test_seeds(name):
    cls = type(initializers.get(name))
    seeded = cls(seed=5)
    np.testing.assert_array_equal(seeded((4, 3)).numpy(), seeded((4, 3)).numpy())
    unseeded = cls()
    assert not np.array_equal(unseeded((4, 3)).numpy(), unseeded((4, 3)).numpy())
    tg.set_seed(1)
    first = unseeded((4, 3)).numpy()
    tg.set_seed(1)
    np.testing.assert_array_equal(unseeded((4, 3)).numpy(), first)


@pytest.mark.parametrize("shape", [(6, 3), (3, 6), (2, 2, 5)])
def test_orthogonal(shape):
    values = initializers.Orthogonal(gain=2.0, seed=0)(shape, dtype="float64").numpy()
    matrix = values.reshape(-1, shape[-1])
    product = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-12)


def test_fixed_values():
    np.testing.assert_array_equal(initializers.get("zeros")((2, 2)).numpy(), np.zeros((2, 2)))
    np.testing.assert_array_equal(initializers.get("ones")((2,)).numpy(), [1, 1])
    np.testing.assert_array_equal(initializers.Constant([1, 2])((2, 2)).numpy(), [[1, 2], [1, 2]])
    np.testing.assert_array_equal(initializers.Identity()((2, 3)).numpy(), np.eye(2, 3))
    assert initializers.get("zeros")((2,)).dtype == "float32"
    assert initializers.get("glorot_uniform")((2, 2), dtype="float64").dtype == "float64"


def test_fans_of_convolution_kernels():
    values = initializers.VarianceScaling(distribution="uniform", seed=0)((3, 3, 8, 64)).numpy()
    assert np.abs(values).max() == pytest.approx(np.sqrt(3 / 72), rel=0.01)


def test_errors():
    with pytest.raises(ValueError, match='Did you mean "glorot_uniform"'):
        initializers.get("glorot_unifrom")
    with pytest.raises(ValueError, match="scale must be positive"):
        initializers.VarianceScaling(scale=0.0)
    with pytest.raises(ValueError, match="at least two axes"):
        initializers.Orthogonal()((3,))
    with pytest.raises(TypeError, match="An initializer is"):
        initializers.get([1])


@pytest.mark.parametrize("name", [*RANDOM, "zeros", "constant", "orthogonal", "variance_scaling"])
def test_configs_make_the_same_initializer_again(name):
    initializer = initializers.get(name)
    again = type(initializer).from_config(initializer.get_config())
    assert repr(again) == repr(initializer)
