"""What attention layers do with masks that hide everything, with dropout, and with wrong inputs."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import layers
from tapegrad.layers.masking_state import get_mask, set_mask

RNG = np.random.default_rng(0)
QUERY, VALUE = RNG.normal(size=(2, 4, 6)), RNG.normal(size=(2, 5, 6))
MULTI = {
    "multi": lambda **options: layers.MultiHeadAttention(2, 3, dtype="float64", **options),
    "group": lambda **options: layers.GroupQueryAttention(3, 4, 2, dtype="float64", **options),
}


@pytest.mark.parametrize("name", MULTI)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_query_without_keys_gets_the_mean_of_values(name, dtype):
    layer = type(MULTI[name]()).from_config(MULTI[name]().get_config() | {"dtype": dtype})
    allowed = np.ones((2, 4, 5), bool)
    allowed[0, 1] = False
    output = layer(QUERY, VALUE, attention_mask=allowed).numpy()
    # The same scores for all keys: what a query of zeros finds.
    layer._query_dense.kernel.assign(np.zeros(layer._query_dense.kernel.shape))
    mean = layer(QUERY, VALUE).numpy()
    np.testing.assert_allclose(output[0, 1], mean[0, 1], rtol=1e-5, atol=1e-6)
    assert np.abs(output[0, 0] - mean[0, 0]).max() > 1e-3


@pytest.mark.parametrize("name", MULTI)
def test_fused_and_explicit_attention_agree(name):
    layer = MULTI[name]()
    for options in (
        {},
        {"use_causal_mask": True},
        {"attention_mask": np.random.default_rng(1).random((2, 4, 5)) < 0.7},
        {"value_mask": np.array([[True, True, False, True, False]] * 2)},
    ):
        fused = layer(QUERY, VALUE, **options)
        explicit, weights = layer(QUERY, VALUE, return_attention_scores=True, **options)
        sums = weights.numpy().sum(-1)
        assert np.isclose(sums, 1).all() or "attention_mask" in options
        rows = sums.all(axis=1)  # those of queries without keys differ
        np.testing.assert_allclose(fused.numpy()[rows], explicit.numpy()[rows], atol=1e-12)


@pytest.mark.parametrize("name", MULTI)
def test_dropout_acts_in_training_only(name):
    layer = MULTI[name](dropout=0.5, seed=1)
    plain = layer(QUERY, VALUE).numpy()
    np.testing.assert_array_equal(layer(QUERY, VALUE, training=False), plain)
    assert np.abs(layer(QUERY, VALUE, training=True).numpy() - plain).max() > 1e-3
    outputs = [layer(QUERY, VALUE, training=True).numpy() for _ in range(2000)]
    np.testing.assert_allclose(np.mean(outputs, axis=0), plain, atol=0.1)


def test_dropout_of_attention_without_projections():
    layer = layers.Attention(dropout=0.5, seed=1, dtype="float64")
    plain = layer([QUERY, VALUE]).numpy()
    outputs = [layer([QUERY, VALUE], training=True).numpy() for _ in range(2000)]
    assert np.abs(outputs[0] - plain).max() > 1e-3
    np.testing.assert_allclose(np.mean(outputs, axis=0), plain, atol=0.2)
    again = layers.Attention(dropout=0.5, seed=1, dtype="float64")
    np.testing.assert_array_equal(again([QUERY, VALUE], training=True), outputs[0])


def test_masks_of_embeddings_reach_attention():
    inputs = tg.Input((None,), dtype="int32")
    embedded = layers.Embedding(7, 6, mask_zero=True)(inputs)
    attended = layers.MultiHeadAttention(2, 3)(embedded, embedded)
    model = tg.Model(inputs, layers.GlobalAveragePooling1D()(attended))
    tokens = np.array([[3, 4, 5, 0, 0]])
    short = model(tokens[:, :3]).numpy()
    np.testing.assert_allclose(model(tokens), short, atol=1e-6)
    x = set_mask(tg.tensor(QUERY.astype("float32")), np.ones((2, 4), bool))
    assert get_mask(layers.MultiHeadAttention(2, 3)(x, VALUE)) is get_mask(x)


def test_symbolic_calls():
    query, value = tg.Input((None, 6)), tg.Input((5, 6))
    output, weights = layers.MultiHeadAttention(2, 3)(query, value, return_attention_scores=True)
    assert output.shape == (None, None, 6)
    assert weights.shape == (None, 2, None, 5)
    assert layers.Attention()([query, value]).shape == (None, None, 6)
    assert layers.GroupQueryAttention(3, 4, 2)(query, value, use_causal_mask=True).shape == (
        None,
        None,
        6,
    )
    model = tg.Model([query, value], [output, weights])
    results = model([QUERY, VALUE])
    assert [y.shape for y in results] == [(2, 4, 6), (2, 2, 4, 5)]


def test_a_penalty_on_what_projections_give():
    layer = MULTI["multi"](activity_regularizer="l2")
    layer(QUERY, VALUE)
    assert len(layer.losses) == 4


def test_wrong_arguments():
    with pytest.raises(TypeError, match="key_dim"):
        layers.MultiHeadAttention(num_heads=2)
    with pytest.raises(ValueError, match="MultiHeadAttention: key_dim must be a positive whole"):
        layers.MultiHeadAttention(2, 0)
    with pytest.raises(ValueError, match="num_heads must be a positive whole number, but is '2'"):
        layers.MultiHeadAttention("2", 3)
    with pytest.raises(ValueError, match="sliding_window must be a positive whole number"):
        layers.MultiHeadAttention(2, 3, sliding_window=0)
    with pytest.raises(ValueError, match="num_query_heads, which is 3, must be a multiple"):
        layers.GroupQueryAttention(2, 3, 2)
    with pytest.raises(ValueError, match="head_dim must be a positive whole number"):
        layers.GroupQueryAttention(-1, 2, 1)
    for make in MULTI.values():
        with pytest.raises(ValueError, match=r"set dropout, which is 0\.5, to 0"):
            make(dropout=0.5, flash_attention=True)
        with pytest.raises(ValueError, match="flash attention computes no weights"):
            make(flash_attention=True)(QUERY, VALUE, return_attention_scores=True)
        assert make(flash_attention=True)(QUERY, VALUE).shape == (2, 4, 6)
        with pytest.raises(ValueError, match=r"rate must lie in \[0, 1\]"):
            make(dropout=2.0)
    with pytest.raises(ValueError, match=r'"dott".*Did you mean "dot"'):
        layers.Attention(score_mode="dott")


def test_wrong_shapes():
    layer = MULTI["multi"](name="mine")
    with pytest.raises(ValueError, match=r"mine .*value and key have shapes .*expected equal ones"):
        layer(QUERY, VALUE, np.ones((2, 4, 6)))
    with pytest.raises(ValueError, match=r"attention_axes \(3,\)"):
        MULTI["multi"](attention_axes=3)(QUERY, VALUE)
    with pytest.raises(ValueError, match=r"as many features in query and value"):
        MULTI["group"]()(QUERY, np.ones((2, 5, 7)))
    with pytest.raises(ValueError, match="positions have an order along one axis only"):
        MULTI["multi"]()(np.ones((1, 2, 3, 4)), np.ones((1, 2, 3, 4)), use_causal_mask=True)
    for wrong in (QUERY, [QUERY], [QUERY] * 4):
        with pytest.raises(ValueError, match=r"expected a list of two or three inputs"):
            layers.Attention()(wrong)
    with pytest.raises(ValueError, match="as many features in query and key"):
        layers.AdditiveAttention()([QUERY, np.ones((2, 5, 7))])
    with pytest.raises(ValueError, match="mask must be a list"):
        layers.Attention()([QUERY, VALUE], mask=np.ones((2, 4), bool))


def test_second_order_gradients_pass_through_attention():
    layer = MULTI["multi"]()
    layer(QUERY, VALUE)

    def loss(query):
        return (layer(query, tg.tensor(VALUE), use_causal_mask=True) ** 2).sum()

    tg.test_util.check_grads(loss, modes=("rev",), order=2)(QUERY)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_attention_where_all_values_are_masked(dtype):
    query, value = QUERY.astype(dtype), VALUE.astype(dtype)
    nothing = np.array([[False] * 5, [True] * 5])
    layer = layers.Attention(dtype=dtype)
    output = layer([query, value], mask=[None, nothing]).numpy()
    unmasked = layer([query, value]).numpy()
    np.testing.assert_allclose(output[1], unmasked[1], rtol=1e-5, atol=1e-6)
    # As in Keras, 1e9 is taken from every score: in float32 all become equal, in float64 none.
    scores = query[0] @ value[0].T - np.asarray(1e9, dtype)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    assert (dtype == "float32") == bool(np.ptp(weights) == 0)
    np.testing.assert_allclose(output[0], weights @ value[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "layer",
    [layers.MultiHeadAttention(2, 3), layers.GroupQueryAttention(3, 4, 2)],
    ids=["multi", "groups"],
)
def test_a_query_without_keys_takes_the_mean_and_has_no_gradient(layer):
    query, value = tg.tensor(QUERY.astype("float32")), tg.tensor(VALUE.astype("float32"))
    layer(query, value)
    allowed = np.ones((2, 4, 5), bool)
    allowed[:, 1] = False
    with tg.Tape() as tape:
        tape.watch(query)
        tape.watch(value)
        output = layer(query, value, attention_mask=allowed)
        loss = (output[:, 1] ** 2).sum()
    by_query, by_value = tape.gradient(loss, [query, value])
    assert not by_query.numpy().any()
    # All positions weigh the same, so that their gradients are the same.
    by_value = by_value.numpy()
    np.testing.assert_allclose(by_value, by_value[:, :1].repeat(5, axis=1), rtol=1e-5, atol=1e-6)
    mean = np.asarray(value).mean(axis=1, keepdims=True)
    expected = layer(query, mean)[:, 1].numpy()
    np.testing.assert_allclose(output[:, 1].numpy(), expected, rtol=1e-5, atol=1e-6)
