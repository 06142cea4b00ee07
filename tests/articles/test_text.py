"""Listings of sequences: recurrent classifiers, translation, a Transformer."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def reviews(rng):
    """Return 160 texts of 20 words; words below 25 make a text a good one."""
    x = rng.integers(1, 100, (160, 20))
    y = rng.integers(0, 2, 160)
    x[y == 1, :6] = rng.integers(1, 25, ((y == 1).sum(), 6))
    x[y == 0, :6] = rng.integers(25, 100, ((y == 0).sum(), 6))
    return x, y


def test_bidirectional_lstm_on_reviews(reviews):
    x_train, y_train = reviews

    import tapegrad as keras
    from tapegrad import layers

    inputs = keras.Input(shape=(None,), dtype="int32")
    x = layers.Embedding(100, 16)(inputs)
    x = layers.Bidirectional(layers.LSTM(8, return_sequences=True))(x)
    x = layers.Bidirectional(layers.LSTM(8))(x)
    outputs = layers.Dense(1, activation="sigmoid")(x)
    model = keras.Model(inputs, outputs)
    model.compile(
        keras.optimizers.Adam(0.01),
        "binary_crossentropy",
        metrics=["accuracy", keras.metrics.AUC(), "Precision"],
    )
    history = model.fit(x_train, y_train, batch_size=32, epochs=8, verbose=0).history
    assert list(history)[:2] == ["loss", "accuracy"]
    assert len(history) == 4
    assert any(key.startswith("auc") for key in history)
    assert history["accuracy"][-1] > 0.9
    # Texts of any length: nothing in the network asks for twenty words.
    assert model.predict(np.array([[1, 2, 3]]), verbose=0).shape == (1, 1)


def test_padded_texts_and_their_masks():
    import tapegrad as keras
    from tapegrad import layers

    raw_inputs = [[71, 82, 13], [7, 34, 92, 46, 58], [83, 91, 1, 64]]
    padded_inputs = keras.utils.pad_sequences(raw_inputs, padding="post")
    assert padded_inputs.tolist()[0] == [71, 82, 13, 0, 0]

    embedding = layers.Embedding(input_dim=100, output_dim=16, mask_zero=True)
    lstm = layers.LSTM(32)
    model = keras.Sequential([embedding, lstm])
    mask = embedding.compute_mask(padded_inputs)
    np.testing.assert_array_equal(mask, padded_inputs != 0)
    # What is padded is as if it were not there.
    padded = model.predict(padded_inputs, verbose=0)
    alone = model.predict(np.array([raw_inputs[0]]), verbose=0)
    np.testing.assert_allclose(padded[:1], alone, atol=1e-6)


def test_translation_by_sequence_to_sequence(rng):
    from tapegrad.layers import LSTM, Dense, Input
    from tapegrad.models import Model, load_model

    num_encoder_tokens, num_decoder_tokens, latent_dim = 6, 5, 8

    encoder_inputs = Input(shape=(None, num_encoder_tokens))
    encoder = LSTM(latent_dim, return_state=True)
    _encoder_outputs, state_h, state_c = encoder(encoder_inputs)
    encoder_states = [state_h, state_c]

    decoder_inputs = Input(shape=(None, num_decoder_tokens))
    decoder_lstm = LSTM(latent_dim, return_sequences=True, return_state=True)
    decoder_outputs, _, _ = decoder_lstm(decoder_inputs, initial_state=encoder_states)
    decoder_dense = Dense(num_decoder_tokens, activation="softmax")
    decoder_outputs = decoder_dense(decoder_outputs)
    model = Model([encoder_inputs, decoder_inputs], decoder_outputs)

    source = rng.random((8, 4, num_encoder_tokens))
    target = np.eye(num_decoder_tokens)[rng.integers(0, num_decoder_tokens, (8, 6))]
    model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
    history = model.fit([source, target], np.roll(target, -1, 1), epochs=3, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]

    model.save("s2s.tapegrad")
    np.testing.assert_array_equal(
        load_model("s2s.tapegrad").predict([source, target], verbose=0),
        model.predict([source, target], verbose=0),
    )

    encoder_model = Model(encoder_inputs, encoder_states)
    state_inputs = [Input(shape=(latent_dim,)), Input(shape=(latent_dim,))]
    decoder_outputs, state_h, state_c = decoder_lstm(decoder_inputs, initial_state=state_inputs)
    decoder_model = Model(
        [decoder_inputs, *state_inputs], [decoder_dense(decoder_outputs), state_h, state_c]
    )
    # Word by word, with the states handed on, as all at once.
    states = encoder_model.predict(source[:1], verbose=0)
    words = []
    for word in target[0]:
        output, h, c = decoder_model.predict([word[None, None], *states], verbose=0)
        words.append(output[0, 0])
        states = [h, c]
    whole = model.predict([source[:1], target[:1]], verbose=0)[0]
    np.testing.assert_allclose(words, whole, atol=1e-5)


def test_text_classification_with_a_transformer(reviews):
    x_train, y_train = reviews

    import tapegrad as keras
    from tapegrad import layers

    class TransformerBlock(layers.Layer):
        def __init__(self, embed_dim, num_heads, ff_dim, rate=0.1):
            super().__init__()
            self.att = layers.MultiHeadAttention(num_heads=num_heads, key_dim=embed_dim)
            self.ffn = keras.Sequential(
                [layers.Dense(ff_dim, activation="relu"), layers.Dense(embed_dim)]
            )
            self.layernorm1 = layers.LayerNormalization(epsilon=1e-6)
            self.layernorm2 = layers.LayerNormalization(epsilon=1e-6)
            self.dropout1 = layers.Dropout(rate)
            self.dropout2 = layers.Dropout(rate)

        def call(self, inputs):
            attn_output = self.dropout1(self.att(inputs, inputs))
            out1 = self.layernorm1(inputs + attn_output)
            return self.layernorm2(out1 + self.dropout2(self.ffn(out1)))

    class TokenAndPositionEmbedding(layers.Layer):
        def __init__(self, maxlen, vocab_size, embed_dim):
            super().__init__()
            self.token_emb = layers.Embedding(input_dim=vocab_size, output_dim=embed_dim)
            self.pos_emb = layers.Embedding(input_dim=maxlen, output_dim=embed_dim)

        def call(self, x):
            positions = np.arange(x.shape[-1])
            return self.token_emb(x) + self.pos_emb(positions)

    inputs = layers.Input(shape=(20,))
    x = TokenAndPositionEmbedding(20, 100, 16)(inputs)
    x = TransformerBlock(16, num_heads=2, ff_dim=16)(x)
    x = layers.GlobalAveragePooling1D()(x)
    x = layers.Dropout(0.1)(x)
    x = layers.Dense(20, activation="relu")(x)
    outputs = layers.Dense(2, activation="softmax")(x)
    model = keras.Model(inputs=inputs, outputs=outputs)
    assert len(model.trainable_weights) == 2 + 8 + 4 + 4 + 4

    model.compile(
        optimizer=keras.optimizers.Adam(0.01),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    history = model.fit(x_train, y_train, batch_size=32, epochs=8, verbose=0).history
    assert history["accuracy"][-1] > 0.9


def test_forecast_with_windows_of_a_series():
    import tapegrad as keras
    from tapegrad import layers

    series = np.sin(np.arange(300) / 5).astype("float32")
    dataset = keras.utils.timeseries_dataset_from_array(
        series[:-10, None], series[10:], sequence_length=10, batch_size=32, shuffle=True, seed=0
    )
    model = keras.Sequential([keras.Input((10, 1)), layers.GRU(8), layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(0.02), loss="mse", metrics=["mae"])
    history = model.fit(dataset, epochs=8, verbose=0).history
    assert history["mae"][-1] < 0.15
