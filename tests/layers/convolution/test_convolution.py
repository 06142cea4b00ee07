"""What convolution layers take, refuse and keep."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import activations, layers, models

ALL = [
    (layers.Conv1D, {"filters": 4}, 1),
    (layers.Conv2D, {"filters": 4}, 2),
    (layers.Conv1DTranspose, {"filters": 4}, 1),
    (layers.Conv2DTranspose, {"filters": 4}, 2),
    (layers.DepthwiseConv1D, {"depth_multiplier": 2}, 1),
    (layers.DepthwiseConv2D, {"depth_multiplier": 2}, 2),
    (layers.SeparableConv1D, {"filters": 4}, 1),
    (layers.SeparableConv2D, {"filters": 4}, 2),
]
every = pytest.mark.parametrize(("layer", "arguments", "rank"), ALL)


def images(rank: int, length: int = 6, channels: int = 2, samples: int = 3) -> np.ndarray:
    shape = (samples, *(length,) * rank, channels)
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_names_that_mean_the_same():
    assert layers.Convolution1D is layers.Conv1D
    assert layers.Convolution2D is layers.Conv2D
    assert layers.Convolution1DTranspose is layers.Conv1DTranspose
    assert layers.Convolution2DTranspose is layers.Conv2DTranspose
    assert layers.SeparableConvolution1D is layers.SeparableConv1D
    assert layers.SeparableConvolution2D is layers.SeparableConv2D


def test_the_articles_network():
    model = models.Sequential()
    model.add(layers.Conv2D(32, (3, 3), activation="relu", input_shape=(28, 28, 1)))
    model.add(layers.MaxPooling2D((2, 2)))
    model.add(layers.Conv2D(64, (3, 3), activation="relu"))
    model.add(layers.MaxPooling2D((2, 2)))
    model.add(layers.Conv2D(64, (3, 3), activation="relu"))
    model.add(layers.Flatten())
    model.add(layers.Dense(64, activation="relu"))
    model.add(layers.Dense(10, activation="softmax"))
    parameters = [layer.count_params() for layer in model.layers]
    assert parameters == [320, 0, 18496, 0, 36928, 0, 36928, 650]
    assert model.count_params() == 93322
    assert [weight.shape for weight in model.weights][:2] == [(3, 3, 1, 32), (32,)]
    y = model(np.zeros((2, 28, 28, 1)))
    assert y.shape == (2, 10)


@pytest.mark.parametrize("rank", [1, 2])
def test_training_learns_a_filter(rank):
    tg.set_seed(1)
    x = images(rank, samples=64, channels=1)
    wanted = getattr(layers, f"Conv{rank}D")(1, 3, padding="same")
    y = wanted(x).numpy()
    model = models.Sequential([getattr(layers, f"Conv{rank}D")(1, 3, padding="same")])
    model.compile(tg.optimizers.Adam(0.05), "mse")
    losses = model.fit(x, y, epochs=20, batch_size=16, verbose=0).history["loss"]
    assert losses[-1] < 0.01 * losses[0]
    np.testing.assert_allclose(model.weights[0].numpy(), wanted.kernel.numpy(), atol=0.05)


@every
def test_weights_have_what_was_asked_for(layer, arguments, rank):
    prefixes = ["depthwise"] if "Depthwise" in layer.__name__ else ["kernel"]
    if "Separable" in layer.__name__:
        prefixes = ["depthwise", "pointwise"]
    extra = {}
    for prefix in [*prefixes, "bias"]:
        extra[f"{prefix}_initializer"] = "ones"
        extra[f"{prefix}_regularizer"] = "l1"
        extra[f"{prefix}_constraint"] = "non_neg"
    made = layer(kernel_size=2, **arguments, **extra, activity_regularizer="l2")
    x = images(rank)
    y = made(x)
    assert len(made.weights) == len(prefixes) + 1
    assert made.weights[-1].shape == (y.shape[-1],)
    for weight in made.weights:
        np.testing.assert_array_equal(weight.numpy(), 1)
        assert weight.constraint is not None
    penalties = sorted(float(loss) for loss in made.losses)
    expected = [0.01 * weight.size for weight in made.weights]
    expected.append(0.01 * float((y.numpy() ** 2).sum()) / len(x))
    np.testing.assert_allclose(penalties, sorted(expected), rtol=1e-5)


@every
def test_without_a_bias(layer, arguments, rank):
    made = layer(kernel_size=2, use_bias=False, **arguments)
    made.build((None, *(6,) * rank, 2))
    assert made.bias is None
    assert all("bias" not in weight.name for weight in made.weights)


@every
def test_both_formats_are_the_same_numbers(layer, arguments, rank):
    x = images(rank)
    last = layer(kernel_size=3, padding="same", activation="relu", **arguments)
    first = layer(
        kernel_size=3,
        padding="same",
        activation="relu",
        data_format="channels_first",
        **arguments,
    )
    expected = last(x).numpy()
    first.build((None, 2, *(6,) * rank))
    first.set_weights(last.get_weights())
    y = first(np.moveaxis(x, -1, 1)).numpy()
    np.testing.assert_allclose(np.moveaxis(y, 1, -1), expected, rtol=1e-5, atol=1e-5)


@every
def test_an_activation_stays_what_it_is(layer, arguments, rank):
    """Fused, by name, by function and applied afterwards."""
    x = images(rank)
    plain = layer(kernel_size=3, **arguments)
    expected = plain(x)
    for name in ("relu", "tanh", "sigmoid", "softmax", "elu"):
        for activation in (name, getattr(activations, name)):
            made = layer(kernel_size=3, activation=activation, **arguments)
            made.build(x.shape)
            made.set_weights(plain.get_weights())
            np.testing.assert_allclose(
                made(x).numpy(),
                activations.get(name)(expected).numpy(),
                rtol=1e-5,
                atol=1e-5,
            )


@every
def test_description_makes_an_equal_layer(layer, arguments, rank):
    made = layer(
        kernel_size=3,
        padding="same",
        activation="relu",
        bias_initializer="ones",
        bias_regularizer="l2",
        name="mine",
        **arguments,
    )
    again = layer.from_config(made.get_config())
    assert again.get_config() == made.get_config()
    x = images(rank)
    expected = made(x).numpy()
    again.build(x.shape)
    again.set_weights(made.get_weights())
    np.testing.assert_array_equal(again(x).numpy(), expected)


@every
def test_kinds_of_input(layer, arguments, rank):
    made = layer(kernel_size=2, **arguments)
    x = np.arange(2 * 4**rank * 2).reshape(2, *(4,) * rank, 2)
    y = made(x)  # whole numbers
    assert y.dtype == "float32"
    np.testing.assert_array_equal(made(x.astype(float)).numpy(), y.numpy())
    empty = made(x[:0])
    assert empty.shape == (0, *y.shape[1:])
    assert layer(kernel_size=2, dtype="float64", **arguments)(x).dtype == "float64"


@every
def test_input_of_another_length_or_rank(layer, arguments, rank):
    made = layer(kernel_size=2, **arguments)
    made(images(rank))
    assert made(images(rank, length=9)).shape == made.compute_output_shape((3, *(9,) * rank, 2))
    with pytest.raises(ValueError, match=rf"{made.name} .*shape .*5\).*expected 2 channels"):
        made(images(rank, channels=5))
    with pytest.raises(ValueError, match=rf"expected {rank + 2} axes, \(samples, .*channels\)"):
        made(images(rank + 1))
    with pytest.raises(ValueError, match=rf"expected {rank + 2} axes"):
        layer(kernel_size=2, **arguments)(images(rank)[0])
    with pytest.raises(ValueError, match="known number of channels"):
        layer(kernel_size=2, **arguments).build((None, *(6,) * rank, None))


@every
def test_too_small_for_a_window(layer, arguments, rank):
    made = layer(kernel_size=4, name="mine", **arguments)
    small = images(rank, length=3)
    if "Transpose" in layer.__name__:
        assert made(small).shape[1] == 6
        return
    with pytest.raises(ValueError, match=r"mine .*at least 4.*padding=\"same\""):
        made(small)
    assert made.weights == []
    made(images(rank))
    with pytest.raises(ValueError, match=r"mine .*at least 4.*padding=\"same\""):
        made(small)
    with pytest.raises(ValueError, match="at least 4"):
        made.compute_output_shape((None, *(3,) * rank, 2))
    assert layer(kernel_size=4, padding="same", **arguments)(small).shape[1] == 3


@every
def test_arguments_that_mean_nothing(layer, arguments, rank):
    name = layer.__name__
    with pytest.raises(ValueError, match=f'padding of {name} "sme".*Did you mean "same"'):
        layer(kernel_size=3, padding="sme", **arguments)
    with pytest.raises(ValueError, match=f"{name}: padding must be .*but is 1"):
        layer(kernel_size=3, padding=1, **arguments)
    with pytest.raises(ValueError, match=r'data_format.*Did you mean "channels_last"'):
        layer(kernel_size=3, data_format="channel_last", **arguments)
    for argument in ("kernel_size", "strides", "dilation_rate"):
        for value in (0, -1, 1.5, "3", (1,) * (rank + 1), True):
            with pytest.raises(ValueError, match=f"{name}: {argument} must be"):
                layer(**{"kernel_size": 3, argument: value}, **arguments)
    with pytest.raises(ValueError, match='Did you mean "relu"'):
        layer(kernel_size=3, activation="rellu", **arguments)
    for argument in arguments:
        for value in (0, -2, 2.5, None):
            with pytest.raises(ValueError, match=f"{name}: {argument} must be a positive"):
                layer(kernel_size=3, **{argument: value})


def test_padding_is_known_in_any_case():
    assert layers.Conv1D(1, 2, padding="CAUSAL").padding == "causal"
    for layer in (layers.Conv2D, layers.Conv1DTranspose, layers.SeparableConv1D):
        with pytest.raises(ValueError, match=r'Unknown padding .*"causal"'):
            layer(1, 2, padding="causal")


@pytest.mark.parametrize("layer", [layers.Conv1D, layers.Conv2D])
def test_groups(layer):
    with pytest.raises(ValueError, match="5 filters do not divide into 2 groups"):
        layer(5, 3, groups=2)
    with pytest.raises(ValueError, match="groups must be a positive"):
        layer(4, 3, groups=0)
    rank = layer.rank
    with pytest.raises(ValueError, match="divides into 2 groups"):
        layer(4, 3, groups=2)(images(rank, channels=3))


@pytest.mark.parametrize(
    "layer", [layers.Conv1D, layers.Conv2D, layers.Conv1DTranspose, layers.Conv2DTranspose]
)
def test_strides_and_dilation_exclude_each_other(layer):
    with pytest.raises(ValueError, match="cannot both exceed 1"):
        layer(4, 3, strides=2, dilation_rate=2)


def test_output_padding():
    for value in (2, (1, 2), -1, 0.5):
        with pytest.raises(ValueError, match="Conv2DTranspose: output_padding"):
            layers.Conv2DTranspose(4, 3, strides=2, output_padding=value)
    layer = layers.Conv2DTranspose(4, 3, strides=(2, 3), output_padding=(1, 2))
    assert layer(images(2)).shape == layer.compute_output_shape((3, 6, 6, 2))
