"""The networks behind ``--model``: their sizes, what data they take, how it is scaled."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

import tapegrad as tg
from tapegrad._cli import data
from tapegrad._cli.errors import UserError
from tapegrad._cli.networks import MODELS, rebuilt


def samples_of(model, write, **arrays):
    """Samples of an .npz file as `model` gets them."""
    architecture = MODELS[model].architecture
    name = write("a.npz", **arrays)
    return data.load(name, target=None, task=None, seed=0, architecture=architecture)


def labelled(*shape, scale=1.0):
    x = np.random.default_rng(0).normal(size=(20, *shape)) * scale
    return {"x": x, "y": np.arange(20) % 2}


def layers_of(network):
    return [type(layer).__name__ for layer in network.layers]


@pytest.mark.parametrize(
    ("shape", "filters", "padding", "poolings"),
    [
        ((28, 28), [32, 64, 64], "valid", 2),
        ((32, 32, 3), [32, 64, 64], "valid", 2),
        ((8, 8), [32, 64, 64], "same", 1),
        ((3, 5), [32, 64, 64], "same", 0),
        ((16, 40, 1), [32, 64], "valid", 1),
        ((60, 48), [32, 64, 64, 64], "valid", 3),
    ],
)
def test_convolutions_fit_the_image(write, shape, filters, padding, poolings):
    samples = samples_of("cnn", write, **labelled(*shape))
    architecture = MODELS["cnn"].architecture.default("cnn", samples)
    assert (architecture.filters, architecture.padding) == (filters, padding)
    network = architecture.build()
    names = layers_of(network)
    assert names.count("MaxPooling2D") == poolings
    assert names.count("Conv2D") == len(filters)
    assert network(samples.x_test).shape == (len(samples.x_test), 2)


def test_the_network_of_the_articles(write):
    samples = samples_of("cnn", write, **labelled(28, 28))
    network = MODELS["cnn"].architecture.default("cnn", samples).build()
    shapes = [variable.shape for variable in network.trainable_variables if len(variable.shape) > 1]
    assert shapes == [(3, 3, 1, 32), (3, 3, 32, 64), (3, 3, 64, 64), (576, 64), (64, 2)]


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((4,), "rows of 4 numbers; --model cnn expects images"),
        ((4,), "for a table use --model mlp"),
        ((1,), "rows of 1 number;"),
        ((64,), "save x.reshape(-1, 8, 8)"),
        ((3, 8, 8), "looks like channels first: save np.moveaxis(x, 1, -1)"),
        ((2, 3, 4, 5), "--model mlp takes samples of any shape"),
        ((1, 9), "two rows and two columns at least"),
    ],
)
def test_what_is_no_image(write, shape, message):
    with pytest.raises(UserError) as caught:
        samples_of("cnn", write, **labelled(*shape))
    assert message in str(caught.value)
    assert str(caught.value).startswith("a.npz holds ")


@pytest.mark.parametrize(
    ("shape", "steps"),
    [((12,), [12, 1]), ((5, 3), [5, 3]), ((6, 7, 3), [6, 21])],
)
def test_sequences(write, shape, steps):
    samples = samples_of("rnn", write, **labelled(*shape))
    architecture = MODELS["rnn"].architecture.default("rnn", samples)
    assert architecture.shape == steps
    assert architecture.build()(samples.x_test).shape == (len(samples.x_test), 2)


@pytest.mark.parametrize("shape", [(1,), (1, 5), (2, 2, 2, 2)])
def test_what_is_no_sequence(write, shape):
    with pytest.raises(UserError, match="--model rnn expects sequences of two steps at least"):
        samples_of("rnn", write, **labelled(*shape))


def test_features_of_a_sequence_have_scales_of_their_own(write):
    arrays = labelled(6, 2, scale=np.array([1.0, 1000.0]))
    arrays["x"] = arrays["x"] - arrays["x"].min()
    samples = samples_of("rnn", write, **arrays)
    x = samples.x_train.reshape(-1, 2)
    np.testing.assert_allclose(x.mean(axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(x.std(axis=0), 1.0, rtol=1e-5)
    assert len(np.unique(samples.scaling.scale)) == 2


def test_pixels_share_a_scale_also_as_sequences(write):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 6, 5))
    samples = samples_of("rnn", write, x=pixels, y=np.arange(20) % 2)
    assert len(np.unique(samples.scaling.scale)) == 1


@pytest.mark.parametrize(("model", "low"), [("autoencoder", 0.0), ("gan", -1.0)])
def test_pixels_are_mapped_to_a_range_and_back(write, model, low):
    pixels = np.random.default_rng(0).integers(0, 200, (20, 6, 5))
    pixels[:, 0, 0], pixels[:, 1, 1] = 0, 200
    samples = samples_of(model, write, x=pixels)
    assert samples.scaling.limits == (low, 1.0)
    assert (samples.x_train.min(), samples.x_train.max()) == (low, 1.0)
    both = np.concatenate([samples.x_train, samples.x_test])
    original = samples.scaling.original_features(both)
    np.testing.assert_allclose(sorted(original.ravel()), sorted(pixels.ravel()), atol=1e-3)


@pytest.mark.parametrize("model", ["autoencoder", "gan"])
def test_tables_are_standardised(write, model):
    samples = samples_of(model, write, x=labelled(5, scale=30.0)["x"])
    assert samples.scaling.limits is None
    np.testing.assert_allclose(samples.x_train.std(axis=0), 1.0, rtol=1e-5)


def test_constant_images(write):
    samples = samples_of("autoencoder", write, x=np.full((10, 4, 4), 7))
    assert np.isfinite(samples.x_train).all()
    np.testing.assert_allclose(samples.scaling.original_features(samples.x_train), 7.0)


def test_an_autoencoder_narrows(write):
    for shape in ((2,), (3,), (13,), (8, 8), (28, 28)):
        samples = samples_of("autoencoder", write, x=labelled(*shape)["x"])
        architecture = MODELS["autoencoder"].architecture.default("autoencoder", samples)
        assert 1 <= architecture.code < samples.features
        network = architecture.build()
        codes = architecture.codes(network, samples.x_test)
        assert codes.shape == (len(samples.x_test), architecture.code)
        back = architecture.decoded(network, codes)
        np.testing.assert_allclose(back, network(samples.x_test), rtol=1e-5, atol=1e-6)


def test_one_feature_is_too_few_to_narrow(write):
    with pytest.raises(UserError, match="rows of 1 number; --model autoencoder has nothing"):
        samples_of("autoencoder", write, x=np.arange(9.0))


@pytest.mark.parametrize("shape", [(8, 8), (7, 5), (28, 28), (17, 30, 3), (4, 4, 1)])
def test_generated_images_have_the_right_size(write, shape):
    pixels = np.random.default_rng(0).integers(0, 256, (6, *shape))
    samples = samples_of("gan", write, x=pixels)
    pair = MODELS["gan"].architecture.default("gan", samples).build()
    made = pair.predict(np.zeros((3, pair.noise), np.float32), verbose=0)
    assert made.shape == (3, samples.features)
    assert pair.discriminator(made).shape == (3, 1)


@pytest.mark.parametrize("model", MODELS)
def test_stored_as_json_and_rebuilt(write, model):
    samples = samples_of(model, write, **labelled(6, 6))
    architecture = MODELS[model].architecture.default(model, samples)
    stored = json.loads(json.dumps(architecture.stored()))
    assert rebuilt(stored) == architecture
    tg.set_seed(0)
    weights = architecture.build().get_weights()
    tg.set_seed(0)
    for one, other in zip(weights, rebuilt(stored).build().get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(TypeError):
        rebuilt({**stored, "unknown": 1})
    wrong = "generation" if model != "gan" else "classification"
    with pytest.raises(ValueError, match=f"{model} does no {wrong}"):
        rebuilt({**stored, "task": wrong})
    assert dataclasses.is_dataclass(architecture)
