"""Embedding and Masking."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import layers
from tapegrad.layers.masking_state import get_mask

WORDS = np.array([[3, 1, 0], [2, 0, 0]])


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "float32", "float64"])
def test_embedding_looks_rows_up(dtype):
    table = np.arange(12.0, dtype="float32").reshape(4, 3)
    layer = layers.Embedding(4, 3, weights=[table])
    y = layer(WORDS.astype(dtype))
    np.testing.assert_array_equal(y.numpy(), table[WORDS])
    assert y.dtype == "float32"
    assert layer(WORDS[0]).shape == (3, 3)
    assert layer.compute_output_shape((None, None)) == (None, None, 3)
    assert get_mask(y) is None


def test_embedding_makes_its_table():
    layer = layers.Embedding(
        1000,
        16,
        embeddings_initializer="uniform",
        embeddings_regularizer="l2",
        embeddings_constraint="non_neg",
    )
    assert not layer.built
    layer(WORDS)
    assert [(w.name, w.shape) for w in layer.weights] == [("embeddings", (1000, 16))]
    assert np.abs(layer.embeddings.numpy()).max() <= 0.05
    assert len(layer.losses) == 1
    assert layer.embeddings.constraint is not None


def test_gradients_add_up_where_words_repeat():
    layer = layers.Embedding(5, 2)
    with tg.Tape() as tape:
        total = layer(WORDS).sum()
    expected = np.repeat([[3.0], [1.0], [1.0], [1.0], [0.0]], 2, axis=1)
    np.testing.assert_array_equal(tape.gradient(total, layer.embeddings).numpy(), expected)


def test_zeros_are_masked():
    layer = layers.Embedding(5, 2, mask_zero=True)
    np.testing.assert_array_equal(get_mask(layer(WORDS)).numpy(), WORDS != 0)
    model = tg.Sequential([tg.Input((3,)), layer, layers.LSTM(2)])
    lstm = model.layers[-1]
    expected = lstm(layer(WORDS).numpy(), mask=WORDS != 0).numpy()
    np.testing.assert_array_equal(model(WORDS).numpy(), expected)


def test_description_holds_no_weights():
    layer = layers.Embedding(4, 3, mask_zero=True, weights=np.ones((4, 3)))
    config = layer.get_config()
    assert "weights" not in config
    assert layers.Embedding.from_config(config).mask_zero


def test_older_listings_say_the_length():
    with pytest.warns(UserWarning, match="input_length is no longer needed"):
        layer = layers.Embedding(4, 3, input_length=10)
    assert layer(WORDS).shape == (2, 3, 3)
    assert "input_length" not in layer.get_config()


@pytest.mark.parametrize("word", [4, -1])
def test_words_outside_of_the_table(word):
    layer = layers.Embedding(4, 3, name="words")
    with pytest.raises(IndexError, match=f"words .*the input contains {word}, .* from 0 to 3;"):
        layer([[1, word]])


@pytest.mark.parametrize("size", [0, -3, 2.5, True, "ten"])
def test_sizes_that_are_none(size):
    with pytest.raises(ValueError, match="input_dim must be a positive whole number"):
        layers.Embedding(size, 3)
    with pytest.raises(ValueError, match="output_dim must be a positive whole number"):
        layers.Embedding(3, size)


def test_weights_that_do_not_fit():
    with pytest.raises(ValueError, match=r"shape \(4, 3\), but set_weights got shape \(3, 4\)"):
        layers.Embedding(4, 3, weights=np.ones((3, 4)))


# ---- Masking -------------------------------------------------------------------------


def test_masking():
    x = np.array([[[1.0, 2.0], [9.0, 9.0], [9.0, 1.0]]], dtype="float32")
    layer = layers.Masking(mask_value=9.0)
    with tg.Tape() as tape:
        value = tg.tensor(x)
        tape.watch(value)
        y = layer(value)
        total = y.sum()
    np.testing.assert_array_equal(y.numpy(), [[[1, 2], [0, 0], [9, 1]]])
    assert get_mask(y).tolist() == [[True, False, True]]
    np.testing.assert_array_equal(tape.gradient(total, value).numpy(), [[[1, 1], [0, 0], [1, 1]]])
    assert layer(x.astype("float64")).dtype == "float32"
    assert layers.Masking.from_config(layer.get_config()).mask_value == 9.0
    assert layer(tg.Input((3, 2))).shape == (None, 3, 2)


def test_masking_by_feature():
    x = np.array([[[1.0, 2.0], [0.0, 5.0]]])
    assert get_mask(layers.Masking(np.array([0.0, 5.0]))(x)).tolist() == [[True, False]]
