"""Layers on whole numbers: real results are of the layer's dtype, what is moved keeps its own."""

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import layers

PIXELS = np.array([[[0, 255], [7, 1], [3, 4], [200, 100]]], "uint8")


@pytest.mark.parametrize(
    "layer",
    [
        layers.Activation("tanh"),
        layers.ReLU(max_value=6.0),
        layers.LeakyReLU(),
        layers.ELU(),
        layers.PReLU(),
        layers.Softmax(),
        layers.UnitNormalization(),
        layers.AveragePooling1D(2),
        layers.GlobalAveragePooling1D(),
        layers.AdaptiveAveragePooling1D(3),
        layers.LayerNormalization(),
        layers.Rescaling(1 / 255),
        layers.Dense(2),
        layers.Conv1D(2, 2),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_real_results_have_the_dtype_of_the_layer(layer):
    output = layer(PIXELS)
    assert output.dtype == "float32"
    np.testing.assert_allclose(output.numpy(), layer(PIXELS.astype("float32")).numpy())


@pytest.mark.parametrize(
    "layer",
    [
        layers.MaxPooling1D(2),
        layers.GlobalMaxPooling1D(),
        layers.AdaptiveMaxPooling1D(3),
        layers.UpSampling1D(2),
        layers.ZeroPadding1D(1),
        layers.Cropping1D(1),
        layers.Flatten(),
        layers.Reshape((2, 4)),
        layers.Permute((2, 1)),
        layers.Dropout(0.5),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_what_is_moved_keeps_its_dtype(layer):
    output = layer(PIXELS)
    assert output.dtype == "uint8"
    np.testing.assert_array_equal(output.numpy(), layer(PIXELS.astype("float32")).numpy())


def test_a_masked_mean_of_whole_numbers():
    mean = layers.GlobalAveragePooling1D()(PIXELS, mask=np.array([[True, False, True, False]]))
    assert mean.dtype == "float32"
    np.testing.assert_array_equal(mean.numpy(), [[1.5, 129.5]])


def test_enlarged_images_and_volumes_keep_their_dtype():
    image = PIXELS[..., None].astype("int64")
    assert layers.UpSampling2D(2)(image).dtype == "int64"
    assert layers.UpSampling2D(2, interpolation="bilinear")(image).dtype == "float32"
    assert layers.UpSampling3D(2)(image[..., None]).dtype == "int64"


@pytest.mark.parametrize("name", ["Add", "Subtract", "Multiply", "Maximum", "Minimum"])
def test_whole_numbers_beside_real_ones(name):
    whole = np.array([[1, 2], [3, 4]])
    real = np.array([[0.5, 3.0], [1.0, 8.0]], "float32")
    merge = getattr(layers, name)()
    mixed = merge([whole, real])
    assert mixed.dtype == "float32"
    np.testing.assert_array_equal(mixed.numpy(), merge([whole.astype("float32"), real]).numpy())
    assert merge([whole, whole]).dtype == whole.dtype
    assert layers.Concatenate()([whole, real]).dtype == "float32"
    assert layers.Dot(1)([whole, real]).dtype == "float32"


def test_an_average_of_bytes_does_not_wrap_around():
    average = layers.Average()([np.array([[200]], "uint8"), np.array([[100]], "uint8")])
    assert average.dtype == "float32"
    assert average.numpy().item() == 150.0


@pytest.mark.parametrize(
    "layer",
    [
        layers.Reshape((2, 2)),
        layers.Flatten(),
        layers.Identity(),
        layers.Dropout(0.5),
        layers.Embedding(9, 2),
        layers.Dense(3),
        layers.Activation("relu"),
        layers.Softmax(),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_symbols_have_the_dtype_of_the_values(layer):
    symbol = layer(tg.Input((4,), dtype="int32"))
    assert symbol.dtype == layer(np.ones((1, 4), "int32")).dtype


def test_symbols_of_images_and_lists_have_the_dtype_of_the_values():
    image = tg.Input((4, 4, 1), dtype="uint8")
    pixels = np.ones((1, 4, 4, 1), "uint8")
    for layer in (
        layers.MaxPooling2D(2),
        layers.AveragePooling2D(2),
        layers.GlobalMaxPooling2D(),
        layers.GlobalAveragePooling2D(),
        layers.UpSampling2D(2),
        layers.UpSampling2D(2, interpolation="bilinear"),
        layers.ZeroPadding2D(1),
        layers.Cropping2D(1),
    ):
        assert layer(image).dtype == layer(pixels).dtype, layer
    for layer in (layers.Add(), layers.Average(), layers.Concatenate()):
        for other in ("uint8", "int32", "float32"):
            symbol = layer([image, tg.Input((4, 4, 1), dtype=other)])
            assert symbol.dtype == layer([pixels, pixels.astype(other)]).dtype, (layer, other)


def test_numbers_of_words_can_be_moved_before_they_are_looked_up():
    table = tg.tensor([[1.0], [2.0], [3.0]])
    inputs = tg.Input((4,), dtype="int32")
    moved = layers.Reshape((2, 2))(inputs)
    model = tg.Model(inputs, layers.Lambda(lambda x: table[x])(moved))
    assert model(np.array([[0, 1, 2, 0]])).numpy().ravel().tolist() == [1.0, 2.0, 3.0, 1.0]
