"""Listings of convolutional networks: digits, feature maps, transfer, residual connections."""

from __future__ import annotations

import numpy as np
import pytest


def test_digits_with_a_convolutional_network(large_digits, capsys):
    (images, labels), (test_images, test_labels) = large_digits
    np.savez(
        "mnist.npz",
        x_train=images,
        y_train=labels,
        x_test=test_images,
        y_test=test_labels,
    )

    from tapegrad import layers, models
    from tapegrad.datasets import mnist
    from tapegrad.utils import to_categorical

    (train_images, train_labels), (test_images, test_labels) = mnist.load_data("mnist.npz")

    train_images = train_images.reshape((len(train_images), 28, 28, 1))
    train_images = train_images.astype("float32") / 255
    test_images = test_images.reshape((len(test_images), 28, 28, 1))
    test_images = test_images.astype("float32") / 255
    train_labels = to_categorical(train_labels)
    test_labels = to_categorical(test_labels)

    model = models.Sequential()
    model.add(layers.Conv2D(32, (3, 3), activation="relu", input_shape=(28, 28, 1)))
    model.add(layers.MaxPooling2D((2, 2)))
    model.add(layers.Conv2D(64, (3, 3), activation="relu"))
    model.add(layers.MaxPooling2D((2, 2)))
    model.add(layers.Conv2D(64, (3, 3), activation="relu"))
    model.add(layers.Flatten())
    model.add(layers.Dense(64, activation="relu"))
    model.add(layers.Dropout(0.5))
    model.add(layers.Dense(10, activation="softmax"))
    model.summary()
    assert "(None, 3, 3, 64)" in capsys.readouterr().out
    assert model.count_params() == 93_322

    model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(train_images, train_labels, epochs=6, batch_size=64, validation_split=0.1)
    test_loss, test_acc = model.evaluate(test_images, test_labels)

    assert list(history.history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert history.epoch == list(range(6))
    assert test_acc > 0.9
    predictions = model.predict(test_images)
    np.testing.assert_allclose(predictions.sum(axis=1), 1.0, atol=1e-5)
    hits = predictions.argmax(axis=1) == test_labels.argmax(axis=1)
    assert hits.mean() == pytest.approx(test_acc)
    likelihood = np.log(predictions[np.arange(len(hits)), test_labels.argmax(axis=1)])
    assert test_loss == pytest.approx(-likelihood.mean(), rel=1e-4)


def test_feature_maps_of_every_layer(rng):
    from tapegrad import layers, models

    model = models.Sequential(
        [
            layers.Input(shape=(12, 12, 1)),
            layers.Conv2D(4, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(6, (3, 3), activation="relu"),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )
    layer_outputs = [layer.output for layer in model.layers[:3]]
    activation_model = models.Model(inputs=model.input, outputs=layer_outputs)

    image = rng.random((12, 12, 1))
    activations = activation_model.predict(np.expand_dims(image, axis=0), verbose=0)

    assert [a.shape for a in activations] == [(1, 10, 10, 4), (1, 5, 5, 4), (1, 3, 3, 6)]
    filters, biases = model.layers[0].get_weights()
    patch = np.maximum(np.einsum("ijc,ijcf->f", image[:3, :3], filters) + biases, 0)
    np.testing.assert_allclose(activations[0][0, 0, 0], patch, rtol=1e-5, atol=1e-6)
    pooled = activations[0].reshape(1, 5, 2, 5, 2, 4).max(axis=(2, 4))
    np.testing.assert_array_equal(activations[1], pooled)


def test_transfer_from_frozen_layers_and_fine_tuning(rng):
    import tapegrad as keras
    from tapegrad import layers

    x, y = rng.random((20, 8, 8, 1)), rng.integers(0, 2, 20)
    base_model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.Flatten(),
        ]
    )
    base_model.trainable = False

    inputs = keras.Input(shape=(8, 8, 1))
    features = base_model(inputs, training=False)
    outputs = layers.Dense(2, activation="softmax")(features)
    model = keras.Model(inputs, outputs)
    assert len(model.trainable_weights) == 2

    before = base_model.get_weights()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=2, verbose=0)
    for old, new in zip(before, base_model.get_weights()):
        np.testing.assert_array_equal(old, new)

    base_model.trainable = True
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=1, verbose=0)
    kernel, _, _, _, moving_mean, _ = base_model.get_weights()
    assert (kernel != before[0]).any()
    # training=False in the call holds for the statistics even when the layers are trained.
    np.testing.assert_array_equal(moving_mean, before[4])


def test_small_residual_network_saved_and_loaded(rng):
    import tapegrad as keras
    from tapegrad import layers

    inputs = keras.Input(shape=(16, 16, 3), name="img")
    x = layers.Conv2D(8, 3, activation="relu")(inputs)
    x = layers.Conv2D(16, 3, activation="relu")(x)
    block_1_output = layers.MaxPooling2D(3)(x)

    x = layers.Conv2D(16, 3, activation="relu", padding="same")(block_1_output)
    x = layers.Conv2D(16, 3, activation="relu", padding="same")(x)
    block_2_output = layers.add([x, block_1_output])

    x = layers.Conv2D(16, 3, activation="relu")(block_2_output)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(32, activation="relu")(x)
    x = layers.Dropout(0.5)(x)
    outputs = layers.Dense(4)(x)

    model = keras.Model(inputs, outputs, name="toy_resnet")
    model.compile(
        optimizer=keras.optimizers.RMSprop(1e-3),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=["acc"],
    )
    images = rng.random((40, 16, 16, 3))
    labels = keras.utils.to_categorical(rng.integers(0, 4, 40), 4)
    history = model.fit(images, labels, batch_size=16, epochs=1, validation_split=0.2, verbose=0)
    assert set(history.history) == {"loss", "acc", "val_loss", "val_acc"}

    model.save("toy_resnet.tapegrad")
    loaded = keras.models.load_model("toy_resnet.tapegrad")
    np.testing.assert_array_equal(
        loaded.predict(images[:3], verbose=0), model.predict(images[:3], verbose=0)
    )
    assert loaded.evaluate(images, labels, verbose=0) == model.evaluate(images, labels, verbose=0)


def test_rescaling_images_of_whole_numbers(rng):
    import tapegrad as keras
    from tapegrad import layers

    model = keras.Sequential(
        [layers.Rescaling(1.0 / 255, input_shape=(8, 8, 1)), layers.Flatten(), layers.Dense(2)]
    )
    images = rng.integers(0, 256, (3, 8, 8, 1)).astype("uint8")
    kernel, bias = model.layers[-1].get_weights()
    expected = images.reshape(3, 64) / 255 @ kernel + bias
    predicted = model.predict(images, verbose=0)
    assert predicted.dtype == np.float32
    np.testing.assert_allclose(predicted, expected, rtol=1e-4, atol=1e-5)
