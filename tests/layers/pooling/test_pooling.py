"""What pooling layers take, refuse and keep."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import layers
from tapegrad.layers.masking_state import get_mask, set_mask

WINDOWS = [
    getattr(layers, f"{kind}Pooling{rank}D") for kind in ("Max", "Average") for rank in (1, 2, 3)
]
GLOBAL = [
    getattr(layers, f"Global{kind}Pooling{rank}D")
    for kind in ("Max", "Average")
    for rank in (1, 2, 3)
]


def numbers(rank: int, length: int = 5) -> np.ndarray:
    shape = (2, *(length,) * rank, 3)
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_names_that_mean_the_same():
    for rank in (1, 2, 3):
        for short, long in (("MaxPool", "MaxPooling"), ("AvgPool", "AveragePooling")):
            for prefix in ("", "Global"):
                assert getattr(layers, f"{prefix}{short}{rank}D") is getattr(
                    layers, f"{prefix}{long}{rank}D"
                )


@pytest.mark.parametrize("layer", WINDOWS, ids=lambda layer: layer.__name__)
def test_windows(layer):
    x = numbers(layer.rank, 6)
    y = layer()(x).numpy()
    reduce = np.max if "Max" in layer.__name__ else np.mean
    for place in np.ndindex(*y.shape[1:-1]):
        cut = (slice(None), *(slice(2 * p, 2 * p + 2) for p in place))
        axes = tuple(range(1, layer.rank + 1))
        expected = reduce(x[cut], axis=axes)
        np.testing.assert_allclose(y[(slice(None), *place)], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layer", WINDOWS, ids=lambda layer: layer.__name__)
def test_what_windows_refuse(layer):
    name = layer.__name__
    made = layer(4, name="mine")
    with pytest.raises(ValueError, match=r"mine .*at least 4.*pool_size or padding=\"same\""):
        made(numbers(layer.rank, 3))
    with pytest.raises(ValueError, match="at least 4"):
        made.compute_output_shape((None, *(3,) * layer.rank, 2))
    assert layer(4, padding="same")(numbers(layer.rank, 3)).shape[1:-1] == (1,) * layer.rank
    with pytest.raises(ValueError, match=rf"mine .*expected {layer.rank + 2} axes"):
        made(numbers(layer.rank + 1))
    with pytest.raises(ValueError, match=f'padding of {name} "vald".*Did you mean "valid"'):
        layer(padding="vald")
    with pytest.raises(ValueError, match=r'Unknown padding .*"causal"'):
        layer(padding="causal")
    for argument in ("pool_size", "strides"):
        for value in (0, -1, 2.5, "2", (2,) * (layer.rank + 1)):
            with pytest.raises(ValueError, match=f"{name}: {argument} must be"):
                layer(**{argument: value})


@pytest.mark.parametrize("layer", WINDOWS, ids=lambda layer: layer.__name__)
def test_windows_of_unknown_and_empty_inputs(layer):
    made = layer(3, strides=2, padding="same", data_format="channels_first")
    rank = layer.rank
    assert made.compute_output_shape((None, 7, *(None,) * rank)) == (None, 7, *(None,) * rank)
    assert made(np.zeros((0, 7, *(5,) * rank))).shape == (0, 7, *(3,) * rank)
    again = layer.from_config(made.get_config())
    assert again.get_config() == made.get_config()
    x = np.moveaxis(numbers(rank), -1, 1)
    np.testing.assert_array_equal(again(x).numpy(), made(x).numpy())


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_an_average_does_not_count_padding(rank):
    layer = getattr(layers, f"AveragePooling{rank}D")(3, strides=1, padding="same")
    np.testing.assert_allclose(layer(np.ones((1, *(4,) * rank, 1))).numpy(), 1.0, rtol=1e-6)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_padding_is_never_the_largest(rank):
    layer = getattr(layers, f"MaxPooling{rank}D")(3, strides=1, padding="same")
    np.testing.assert_array_equal(layer(-np.ones((1, *(4,) * rank, 1))).numpy(), -1)


@pytest.mark.parametrize("layer", GLOBAL, ids=lambda layer: layer.__name__)
def test_what_global_pooling_refuses(layer):
    with pytest.raises(ValueError, match=rf"mine .*expected {layer.rank + 2} axes"):
        layer(name="mine")(numbers(layer.rank + 1))
    with pytest.raises(ValueError, match=r"mine .*spatial axes that are not empty"):
        layer(name="mine")(np.zeros((2, *(0,) * layer.rank, 3)))
    with pytest.raises(ValueError, match=r'data_format.*Did you mean "channels_first"'):
        layer(data_format="channelsfirst")
    made = layer(keepdims=True, data_format="channels_first")
    ones = (1,) * layer.rank
    assert made.compute_output_shape((None, 3, *(None,) * layer.rank)) == (None, 3, *ones)
    assert layer.from_config(made.get_config()).keepdims


ADAPTIVE = [
    getattr(layers, f"Adaptive{kind}Pooling{rank}D")
    for kind in ("Max", "Average")
    for rank in (1, 2, 3)
]


@pytest.mark.parametrize("layer", ADAPTIVE, ids=lambda layer: layer.__name__)
def test_adaptive_pooling(layer):
    made = layer(3, name="mine")
    unknown = (None, *(None,) * layer.rank, 4)
    assert made.compute_output_shape(unknown) == (None, *(3,) * layer.rank, 4)
    # Of an input of the output's size nothing is lost; a smaller one is repeated.
    x = numbers(layer.rank, 3)
    np.testing.assert_array_equal(made(x).numpy(), x)
    assert made(numbers(layer.rank, 2)).shape == x.shape
    assert made(x[:0]).shape == (0, *x.shape[1:])
    again = layer.from_config(made.get_config())
    np.testing.assert_array_equal(again(numbers(layer.rank)).numpy(), made(numbers(layer.rank)))
    with pytest.raises(ValueError, match=r"mine .*spatial axes that are not empty"):
        made(np.zeros((2, *(0,) * layer.rank, 3)))
    with pytest.raises(ValueError, match=rf"mine .*expected {layer.rank + 2} axes"):
        made(numbers(layer.rank + 1))
    for value in (0, 1.5, None, (2,) * (layer.rank + 1)):
        with pytest.raises(ValueError, match=f"{layer.__name__}: output_size must be"):
            layer(value)


# ---- masks -------------------------------------------------------------------------------

# Computed by Keras 3 with these inputs and this mask.
STEPS = np.arange(24, dtype=float).reshape(2, 4, 3) ** 2 / 8
MASK = np.array([[True, True, False, True], [False, False, True, False]])


@pytest.mark.parametrize("kind", [np.asarray, tg.tensor, lambda mask: mask.astype(int)])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_masked_mean(kind, keepdims, data_format):
    x = STEPS if data_format == "channels_last" else STEPS.swapaxes(1, 2)
    layer = layers.GlobalAveragePooling1D(data_format, keepdims, dtype="float64")
    expected = [[3.75, 4.875, 6.25], [40.5, 45.125, 50.0]]
    tensor = tg.Variable(x)
    with tg.Tape() as tape:
        y = layer(tensor, mask=kind(MASK))
        target = y.sum()
    gradient = tape.gradient(target, tensor).numpy()
    assert y.shape == layer.compute_output_shape(x.shape)
    np.testing.assert_allclose(y.numpy().reshape(2, 3), expected)
    if data_format == "channels_first":
        gradient = gradient.swapaxes(1, 2)
    shares = MASK / MASK.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(gradient, np.repeat(shares[:, :, None], 3, axis=2))


def test_a_mask_arrives_on_its_tensor_and_ends_here():
    x = tg.tensor(STEPS)
    set_mask(x, tg.tensor(MASK))
    y = layers.GlobalAveragePooling1D(dtype="float64")(x)
    np.testing.assert_allclose(y.numpy(), [[3.75, 4.875, 6.25], [40.5, 45.125, 50.0]])
    assert get_mask(y) is None


def test_masked_steps_may_hold_anything():
    x = STEPS.copy()
    x[~MASK] = np.nan
    y = layers.GlobalAveragePooling1D(dtype="float64")(x, mask=MASK)
    np.testing.assert_allclose(y.numpy(), [[3.75, 4.875, 6.25], [40.5, 45.125, 50.0]])


def test_the_mean_of_nothing():
    mask = np.array([[True, True, True, True], [False, False, False, False]])
    with pytest.warns(RuntimeWarning, match="invalid value"):
        y = layers.GlobalAveragePooling1D()(STEPS, mask=mask).numpy()
    assert np.isfinite(y[0]).all()
    assert np.isnan(y[1]).all()


def test_other_pooling_does_not_take_masks():
    x = tg.tensor(STEPS)
    set_mask(x, tg.tensor(MASK))
    with pytest.warns(UserWarning, match="does not support masking"):
        layers.MaxPooling1D()(x)
