"""Statistics of data sets, categories and intervals: numbers of Keras, and what is refused."""

from __future__ import annotations

import layer_reference
import numpy as np
import pytest

import tapegrad as tg
from tapegrad import layers

EXPECTED, _ = layer_reference.reference()
DATA = EXPECTED["adapt/data"].astype("float64")
AXES = {"last": -1, "two": (1, 2), "all": None}


def _sources():
    yield DATA
    yield tg.tensor(DATA)
    yield DATA.tolist()
    yield [DATA[:20], DATA[20:]]
    yield ((DATA[i : i + 7], None) for i in range(0, 50, 7))


@pytest.mark.parametrize("key", AXES)
@pytest.mark.parametrize("source", range(5))
def test_adapt(key, source):
    layer = layers.Normalization(axis=AXES[key], dtype="float64")
    layer.adapt(list(_sources())[source] if source < 4 else list(_sources())[4])
    layer_reference.close(layer.mean, EXPECTED[f"adapt/{key}/mean"], "float64")
    layer_reference.close(layer.variance, EXPECTED[f"adapt/{key}/variance"], "float64")
    layer_reference.close(layer(DATA[:3]), EXPECTED[f"adapt/{key}/output"], "float64")
    assert layer.trainable_weights == []
    layer.adapt(2 * DATA)  # forgets what was before
    layer_reference.close(layer.mean, 2 * EXPECTED[f"adapt/{key}/mean"], "float64")
    inverse = layers.Normalization(axis=AXES[key], invert=True, dtype="float64")
    inverse.adapt(2 * DATA)
    np.testing.assert_allclose(inverse(layer(DATA)), DATA, atol=1e-9)


def test_a_large_mean_costs_no_digits():
    layer = layers.Normalization(dtype="float64")
    data = DATA + 1e6
    layer.adapt([data[:10], data[10:]])
    np.testing.assert_allclose(layer.variance.numpy().ravel(), data.var((0, 1)), rtol=1e-9)


def test_normalization_in_a_network():
    layer = layers.Normalization()
    layer.adapt(DATA)
    model = tg.Sequential([tg.Input((4, 3)), layer, layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(DATA, DATA[:, 0, :1], epochs=1, verbose=0)
    np.testing.assert_allclose(layer.mean.numpy().ravel(), DATA.mean((0, 1)), rtol=1e-5)


def test_normalization_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="give both mean and variance, or neither"):
        layers.Normalization(mean=1.0)
    with pytest.raises(ValueError, match=r"mean has shape \(2,\), but variance \(3,\)"):
        layers.Normalization(mean=[1.0] * 2, variance=[1.0] * 3)
    with pytest.raises(ValueError, match="mean has 1 axes, but axis"):
        layers.Normalization(axis=None, mean=[1.0], variance=[1.0])
    with pytest.raises(ValueError, match="expected an axis 5"):
        layers.Normalization(axis=5)(DATA)
    with pytest.raises(ValueError, match="known lengths along axis"):
        layers.Normalization().build((None, None))
    with pytest.raises(ValueError, match="nothing to adapt"):
        layers.Normalization(mean=1.0, variance=1.0).adapt(DATA)
    with pytest.raises(ValueError, match="adapt got no data"):
        layers.Normalization().adapt(iter([]))
    with pytest.raises(TypeError, match="not int"):
        layers.Normalization().adapt(3)
    with pytest.raises(TypeError, match="batch of type str"):
        layers.Normalization().adapt(iter(["a"]))
    layer = layers.Normalization()
    layer.adapt(DATA)
    with pytest.raises(ValueError, match="for which the layer was built"):
        layer.adapt(DATA[..., :2])


@pytest.mark.parametrize("bins", [2, 5])
def test_intervals_with_equal_shares(bins):
    layer = layers.Discretization(num_bins=bins)
    with pytest.raises(ValueError, match="there are no bounds yet"):
        layer(DATA)
    layer.adapt(DATA)
    expected = EXPECTED[f"adapt/bins{bins}"]
    np.testing.assert_allclose(layer.bin_boundaries, expected, rtol=1e-5)
    counts = np.bincount(layer(DATA).numpy().ravel())
    assert counts.size == bins
    assert np.abs(counts / DATA.size - 1 / bins).max() < 0.02
    layer.adapt([DATA[:20], DATA[20:]])
    expected = EXPECTED[f"adapt/bins{bins}/batches"]
    np.testing.assert_allclose(layer.bin_boundaries, expected, rtol=1e-5)
    again = layers.Discretization.from_config(layer.get_config())
    np.testing.assert_array_equal(again(DATA), layer(DATA))
    layer.adapt([DATA[:20], 10 + DATA[20:]], steps=1)
    first = layer.bin_boundaries
    layer.adapt(DATA[:20])
    assert layer.bin_boundaries == first


@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
@pytest.mark.parametrize("key", ["", "/vector", "/column"])
def test_vectors(mode, key):
    tokens = EXPECTED["tokens"]
    values = {"": tokens, "/vector": tokens[0], "/column": tokens[:, :1]}[key]
    layer = layers.CategoryEncoding(num_tokens=5, output_mode=mode)
    result = layer(values)
    assert result.dtype == "float32"
    np.testing.assert_array_equal(result, EXPECTED[f"categories/{mode}{key}"])
    if values.ndim > 1:
        assert layer.compute_output_shape((None, *values.shape[1:])) == (None, *result.shape[1:])
    layer = layers.Discretization(bin_boundaries=[1.0, 2.5, 3.0], output_mode=mode)
    expected = EXPECTED[f"intervals/{mode}{key}"]
    np.testing.assert_array_equal(layer(values.astype("float32")), expected)


def test_intervals_and_weights():
    tokens = EXPECTED["tokens"]
    layer = layers.Discretization(bin_boundaries=[1.0, 2.5, 3.0])
    result = layer(tokens.astype("float32"))
    assert result.dtype == "int32"
    np.testing.assert_array_equal(result, EXPECTED["intervals/int"])
    assert layer(tg.Input((4,))).dtype == "int32"
    layer = layers.CategoryEncoding(num_tokens=5, output_mode="count")
    weights = np.arange(12.0).reshape(3, 4)
    result = layer(tokens, count_weights=weights)
    np.testing.assert_array_equal(result, EXPECTED["categories/weights"])


def test_categories_refuse_what_does_not_fit():
    with pytest.raises(ValueError, match="num_tokens, the length of the vectors, must be"):
        layers.CategoryEncoding()
    with pytest.raises(ValueError, match=r'"one-hot".*Did you mean "one_hot"'):
        layers.CategoryEncoding(3, "one-hot")
    with pytest.raises(ValueError, match="values from 0 to 3, expected 0 to 2"):
        layers.CategoryEncoding(3)(np.array([[0, 3]]))
    with pytest.raises(ValueError, match="count_weights are for the output_mode"):
        layers.CategoryEncoding(3)(np.array([[0, 1]]), count_weights=np.ones((1, 2)))
    for layer in (layers.CategoryEncoding, layers.Discretization):
        with pytest.raises(ValueError, match="results are dense"):
            layer([1, 2][0] if layer is layers.CategoryEncoding else [1.0], sparse=True)
    with pytest.raises(ValueError, match="give either bin_boundaries or num_bins"):
        layers.Discretization()
    with pytest.raises(ValueError, match="num_bins must be positive"):
        layers.Discretization(num_bins=0)
    with pytest.raises(ValueError, match="nothing to adapt"):
        layers.Discretization([1.0]).adapt(DATA)


def test_rescaling_takes_whole_numbers():
    result = layers.Rescaling(1 / 255, offset=-0.5)(np.array([[0, 255]], dtype="uint8"))
    assert result.dtype == "float32"
    np.testing.assert_allclose(result, [[-0.5, 0.5]])
