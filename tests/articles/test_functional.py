"""Listings of the functional interface: several inputs and outputs, shared layers, nesting."""

from __future__ import annotations

import numpy as np
import pytest


def test_tickets_with_three_inputs_and_two_outputs(rng):
    import tapegrad as keras
    from tapegrad import layers

    num_tags, num_words, num_departments = 12, 200, 4

    title_input = keras.Input(shape=(None,), name="title")
    body_input = keras.Input(shape=(None,), name="body")
    tags_input = keras.Input(shape=(num_tags,), name="tags")
    title_features = layers.LSTM(16)(layers.Embedding(num_words, 16)(title_input))
    body_features = layers.LSTM(8)(layers.Embedding(num_words, 16)(body_input))
    x = layers.concatenate([title_features, body_features, tags_input])
    priority_pred = layers.Dense(1, name="priority")(x)
    department_pred = layers.Dense(num_departments, name="department")(x)
    model = keras.Model(
        inputs=[title_input, body_input, tags_input],
        outputs={"priority": priority_pred, "department": department_pred},
    )
    model.compile(
        optimizer=keras.optimizers.RMSprop(1e-3),
        loss={
            "priority": keras.losses.BinaryCrossentropy(from_logits=True),
            "department": keras.losses.CategoricalCrossentropy(from_logits=True),
        },
        loss_weights={"priority": 1.0, "department": 0.2},
        metrics={"department": ["accuracy"]},
    )
    data = {
        "title": rng.integers(num_words, size=(64, 6)).astype("float32"),
        "body": rng.integers(num_words, size=(64, 10)).astype("float32"),
        "tags": rng.integers(2, size=(64, num_tags)).astype("float32"),
    }
    targets = {
        "priority": rng.integers(2, size=(64, 1)),
        "department": keras.utils.to_categorical(rng.integers(num_departments, size=64), 4),
    }
    history = model.fit(data, targets, epochs=2, batch_size=32, verbose=0).history
    assert set(history) == {
        "loss",
        "priority_loss",
        "department_loss",
        "department_accuracy",
    }
    values = model.evaluate(data, targets, return_dict=True, verbose=0)
    assert values["loss"] == pytest.approx(
        values["priority_loss"] + 0.2 * values["department_loss"], rel=1e-5
    )
    predicted = model.predict(data, verbose=0)
    assert predicted["department"].shape == (64, 4)


def test_encoder_and_decoder_out_of_shared_layers(rng):
    import tapegrad as keras
    from tapegrad import layers

    encoder_input = keras.Input(shape=(12, 12, 1), name="img")
    x = layers.Conv2D(8, 3, activation="relu")(encoder_input)
    x = layers.Conv2D(8, 3, activation="relu")(x)
    encoder_output = layers.GlobalMaxPooling2D()(x)
    encoder = keras.Model(encoder_input, encoder_output, name="encoder")

    decoder_input = keras.Input(shape=(8,), name="encoded_img")
    x = layers.Dense(6 * 6)(decoder_input)
    x = layers.Reshape((6, 6, 1))(x)
    x = layers.UpSampling2D(2)(x)
    decoder_output = layers.Conv2DTranspose(1, 3, activation="relu", padding="same")(x)
    decoder = keras.Model(decoder_input, decoder_output, name="decoder")

    autoencoder_input = keras.Input(shape=(12, 12, 1))
    autoencoder = keras.Model(autoencoder_input, decoder(encoder(autoencoder_input)))

    images = rng.random((4, 12, 12, 1))
    stepwise = decoder.predict(encoder.predict(images, verbose=0), verbose=0)
    np.testing.assert_allclose(autoencoder.predict(images, verbose=0), stepwise, atol=1e-6)
    assert autoencoder.count_params() == encoder.count_params() + decoder.count_params()
    assert autoencoder.get_layer("encoder") is encoder


def test_ensemble_averages_its_members(rng):
    import tapegrad as keras
    from tapegrad import layers

    def get_model():
        inputs = keras.Input(shape=(16,))
        return keras.Model(inputs, layers.Dense(1)(inputs))

    members = [get_model() for _ in range(3)]
    inputs = keras.Input(shape=(16,))
    outputs = layers.average([member(inputs) for member in members])
    ensemble = keras.Model(inputs=inputs, outputs=outputs)
    x = rng.random((5, 16))
    mean = np.mean([member.predict(x, verbose=0) for member in members], axis=0)
    np.testing.assert_allclose(ensemble.predict(x, verbose=0), mean, atol=1e-6)


def test_one_embedding_for_two_texts(rng):
    import tapegrad as keras
    from tapegrad import layers

    shared_embedding = layers.Embedding(50, 8)
    first = keras.Input(shape=(None,), dtype="int32")
    second = keras.Input(shape=(None,), dtype="int32")
    similarity = layers.Dot(axes=-1, normalize=True)(
        [
            layers.GlobalAveragePooling1D()(shared_embedding(first)),
            layers.GlobalAveragePooling1D()(shared_embedding(second)),
        ]
    )
    model = keras.Model([first, second], similarity)
    assert len(model.weights) == 1
    words = rng.integers(0, 50, (3, 7))
    np.testing.assert_allclose(model.predict([words, words], verbose=0), 1.0, atol=1e-5)


def test_dense_network_by_layers_called_on_each_other(blobs):
    x_train, y_train = blobs

    import tapegrad as keras
    from tapegrad import layers

    inputs = keras.Input(shape=(4,))
    dense = layers.Dense(16, activation="relu")
    x = dense(inputs)
    x = layers.Dense(16, activation=keras.activations.relu)(x)
    outputs = layers.Dense(3)(x)
    model = keras.Model(inputs=inputs, outputs=outputs, name="blobs_model")
    assert [layer.name for layer in model.layers][1] == dense.name
    assert model.input_shape == (None, 4)
    assert model.output_shape == (None, 3)

    model.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        optimizer=keras.optimizers.RMSprop(),
        metrics=["accuracy"],
    )
    model.fit(x_train, y_train, batch_size=16, epochs=8, validation_split=0.2, verbose=0)
    test_scores = model.evaluate(x_train, y_train, verbose=0)
    assert test_scores[1] > 0.95
    config = model.get_config()
    again = keras.Model.from_config(config)
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(
        again.predict(x_train, verbose=0), model.predict(x_train, verbose=0)
    )
