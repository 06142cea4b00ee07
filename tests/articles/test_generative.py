"""Listings of networks that make data: autoencoders, a variational one, a GAN."""

from __future__ import annotations

import numpy as np


def test_simplest_autoencoder(large_digits):
    (x_train, _), (x_test, _) = large_digits
    x_train = x_train[:600].astype("float32") / 255.0
    x_test = x_test.astype("float32") / 255.0
    x_train = x_train.reshape((len(x_train), np.prod(x_train.shape[1:])))
    x_test = x_test.reshape((len(x_test), np.prod(x_test.shape[1:])))

    from tapegrad import Input, Model
    from tapegrad.layers import Dense

    encoding_dim = 32
    input_img = Input(shape=(784,))
    encoded = Dense(encoding_dim, activation="relu")(input_img)
    decoded = Dense(784, activation="sigmoid")(encoded)
    autoencoder = Model(input_img, decoded)

    encoder = Model(input_img, encoded)
    encoded_input = Input(shape=(encoding_dim,))
    decoder_layer = autoencoder.layers[-1]
    decoder = Model(encoded_input, decoder_layer(encoded_input))

    autoencoder.compile(optimizer="adam", loss="binary_crossentropy")
    history = autoencoder.fit(
        x_train,
        x_train,
        epochs=6,
        batch_size=32,
        shuffle=True,
        validation_data=(x_test, x_test),
        verbose=0,
    )
    assert history.history["val_loss"][-1] < 0.7 * history.history["val_loss"][0]
    codes = encoder.predict(x_test, verbose=0)
    assert codes.shape == (len(x_test), encoding_dim)
    np.testing.assert_allclose(
        decoder.predict(codes, verbose=0), autoencoder.predict(x_test, verbose=0), atol=1e-6
    )


def test_denoising_convolutional_autoencoder(rng):
    import tapegrad as keras
    from tapegrad.layers import Conv2D, MaxPooling2D, UpSampling2D

    clean = np.zeros((64, 8, 8, 1), "float32")
    for image, corner in zip(clean, rng.integers(0, 5, (64, 2))):
        image[corner[0] : corner[0] + 3, corner[1] : corner[1] + 3] = 1.0
    noisy = np.clip(clean + 0.3 * rng.normal(size=clean.shape), 0.0, 1.0)

    input_img = keras.Input(shape=(8, 8, 1))
    x = Conv2D(16, (3, 3), activation="relu", padding="same")(input_img)
    x = MaxPooling2D((2, 2), padding="same")(x)
    x = Conv2D(16, (3, 3), activation="relu", padding="same")(x)
    x = UpSampling2D((2, 2))(x)
    decoded = Conv2D(1, (3, 3), activation="sigmoid", padding="same")(x)
    autoencoder = keras.Model(input_img, decoded)
    autoencoder.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse")
    autoencoder.fit(noisy, clean, epochs=25, batch_size=16, verbose=0)
    error = np.mean((autoencoder.predict(noisy, verbose=0) - clean) ** 2)
    assert error < 0.5 * np.mean((noisy - clean) ** 2)


def test_variational_autoencoder_with_a_train_step_of_its_own(rng):
    import tapegrad as keras
    from tapegrad import layers, ops

    latent_dim = 2

    class Sampling(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.seed_generator = keras.random.Generator(1337)

        def call(self, inputs):
            z_mean, z_log_var = inputs
            epsilon = self.seed_generator.normal(z_mean.shape)
            return z_mean + ops.exp(0.5 * z_log_var) * epsilon

    encoder_inputs = keras.Input(shape=(12,))
    x = layers.Dense(16, activation="relu")(encoder_inputs)
    z_mean = layers.Dense(latent_dim, name="z_mean")(x)
    z_log_var = layers.Dense(latent_dim, name="z_log_var")(x)
    z = Sampling()([z_mean, z_log_var])
    encoder = keras.Model(encoder_inputs, [z_mean, z_log_var, z], name="encoder")

    latent_inputs = keras.Input(shape=(latent_dim,))
    x = layers.Dense(16, activation="relu")(latent_inputs)
    decoder = keras.Model(latent_inputs, layers.Dense(12, activation="sigmoid")(x), name="decoder")

    class VAE(keras.Model):
        def __init__(self, encoder, decoder, **kwargs):
            super().__init__(**kwargs)
            self.encoder = encoder
            self.decoder = decoder
            self.total_loss_tracker = keras.metrics.Mean(name="total_loss")
            self.kl_loss_tracker = keras.metrics.Mean(name="kl_loss")

        @property
        def metrics(self):
            return [self.total_loss_tracker, self.kl_loss_tracker]

        def train_step(self, data):
            with keras.Tape() as tape:
                z_mean, z_log_var, z = self.encoder(data)
                reconstruction = self.decoder(z)
                losses = keras.losses.binary_crossentropy(
                    data[..., None], reconstruction[..., None]
                )
                reconstruction_loss = ops.mean(ops.sum(losses, axis=1))
                kl_loss = -0.5 * (1 + z_log_var - ops.square(z_mean) - ops.exp(z_log_var))
                kl_loss = ops.mean(ops.sum(kl_loss, axis=1))
                total_loss = reconstruction_loss + kl_loss
            grads = tape.gradient(total_loss, self.trainable_weights)
            self.optimizer.apply_gradients(zip(grads, self.trainable_weights))
            self.total_loss_tracker.update_state(total_loss)
            self.kl_loss_tracker.update_state(kl_loss)
            return {
                "loss": self.total_loss_tracker.result(),
                "kl_loss": self.kl_loss_tracker.result(),
            }

    kinds = rng.integers(0, 2, (2, 12))
    data = kinds[rng.integers(0, 2, 128)].astype("float32")
    vae = VAE(encoder, decoder)
    vae.compile(optimizer=keras.optimizers.Adam(0.01))
    history = vae.fit(data, epochs=25, batch_size=32, verbose=0).history
    assert set(history) == {"loss", "kl_loss"}
    assert history["loss"][-1] < 0.6 * history["loss"][0]
    assert history["kl_loss"][-1] > 0
    made = vae.decoder.predict(np.zeros((1, latent_dim)), verbose=0)
    assert made.shape == (1, 12)


def test_variational_autoencoder_that_adds_its_loss(rng):
    import tapegrad as keras
    from tapegrad import layers, ops

    class Encoder(layers.Layer):
        def __init__(self, latent_dim=2, intermediate_dim=16, name="encoder", **kwargs):
            super().__init__(name=name, **kwargs)
            self.dense_proj = layers.Dense(intermediate_dim, activation="relu")
            self.dense_mean = layers.Dense(latent_dim)
            self.dense_log_var = layers.Dense(latent_dim)

        def call(self, inputs):
            x = self.dense_proj(inputs)
            z_mean, z_log_var = self.dense_mean(x), self.dense_log_var(x)
            noise = keras.random.normal(z_mean.shape)
            return z_mean, z_log_var, z_mean + ops.exp(0.5 * z_log_var) * noise

    class VariationalAutoEncoder(keras.Model):
        def __init__(self, original_dim, name="autoencoder", **kwargs):
            super().__init__(name=name, **kwargs)
            self.encoder = Encoder()
            self.decoder = layers.Dense(original_dim, activation="sigmoid")

        def call(self, inputs):
            z_mean, z_log_var, z = self.encoder(inputs)
            kl_loss = -0.5 * ops.mean(z_log_var - ops.square(z_mean) - ops.exp(z_log_var) + 1)
            self.add_loss(kl_loss)
            return self.decoder(z)

    vae = VariationalAutoEncoder(20)
    vae.compile(keras.optimizers.Adam(1e-3), loss=keras.losses.MeanSquaredError())
    x = rng.random((64, 20))
    history = vae.fit(x, x, epochs=2, batch_size=16, verbose=0).history
    assert history["loss"][1] < history["loss"][0]
    assert len(vae.losses) == 1
    assert len(vae.weights) == 8


def test_gan_with_two_optimizers(rng):
    import tapegrad as keras
    from tapegrad import layers

    class GAN(keras.Model):
        def __init__(self, discriminator, generator, latent_dim):
            super().__init__()
            self.discriminator = discriminator
            self.generator = generator
            self.latent_dim = latent_dim
            self.d_loss_tracker = keras.metrics.Mean(name="d_loss")
            self.g_loss_tracker = keras.metrics.Mean(name="g_loss")

        def compile(self, d_optimizer, g_optimizer, loss_fn):
            super().compile()
            self.d_optimizer = d_optimizer
            self.g_optimizer = g_optimizer
            self.loss_fn = loss_fn

        @property
        def metrics(self):
            return [self.d_loss_tracker, self.g_loss_tracker]

        def train_step(self, real_images):
            batch_size = keras.ops.shape(real_images)[0]
            noise = keras.random.normal(shape=(batch_size, self.latent_dim))
            generated_images = self.generator(noise)
            combined_images = keras.ops.concatenate([generated_images, real_images], axis=0)
            labels = np.concatenate([np.ones((batch_size, 1)), np.zeros((batch_size, 1))], axis=0)
            with keras.Tape() as tape:
                predictions = self.discriminator(combined_images)
                d_loss = self.loss_fn(labels, predictions)
            grads = tape.gradient(d_loss, self.discriminator.trainable_weights)
            self.d_optimizer.apply_gradients(zip(grads, self.discriminator.trainable_weights))

            noise = keras.random.normal(shape=(batch_size, self.latent_dim))
            misleading_labels = np.zeros((batch_size, 1))
            with keras.Tape() as tape:
                predictions = self.discriminator(self.generator(noise))
                g_loss = self.loss_fn(misleading_labels, predictions)
            grads = tape.gradient(g_loss, self.generator.trainable_weights)
            self.g_optimizer.apply_gradients(zip(grads, self.generator.trainable_weights))

            self.d_loss_tracker.update_state(d_loss)
            self.g_loss_tracker.update_state(g_loss)
            return {
                "d_loss": self.d_loss_tracker.result(),
                "g_loss": self.g_loss_tracker.result(),
            }

    discriminator = keras.Sequential(
        [
            keras.Input(shape=(8, 8, 1)),
            layers.Conv2D(8, kernel_size=3, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.GlobalMaxPooling2D(),
            layers.Dense(1),
        ],
        name="discriminator",
    )
    generator = keras.Sequential(
        [
            keras.Input(shape=(6,)),
            layers.Dense(2 * 2 * 8),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Reshape((2, 2, 8)),
            layers.Conv2DTranspose(8, kernel_size=4, strides=2, padding="same"),
            layers.BatchNormalization(),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2DTranspose(8, kernel_size=4, strides=2, padding="same"),
            layers.Conv2D(1, kernel_size=7, padding="same", activation="sigmoid"),
        ],
        name="generator",
    )
    gan = GAN(discriminator=discriminator, generator=generator, latent_dim=6)
    gan.compile(
        d_optimizer=keras.optimizers.Adam(learning_rate=0.003),
        g_optimizer=keras.optimizers.Adam(learning_rate=0.0003),
        loss_fn=keras.losses.BinaryCrossentropy(from_logits=True),
    )
    bright = 0.9 + 0.1 * rng.random((128, 8, 8, 1)).astype("float32")
    before = generator.get_weights()
    history = gan.fit(bright, epochs=4, batch_size=32, verbose=0).history
    assert set(history) == {"d_loss", "g_loss"}
    assert history["d_loss"][-1] < history["d_loss"][0]  # bright images are easily told from grey
    assert any((old != new).any() for old, new in zip(before, generator.get_weights()))
    samples = generator.predict(rng.normal(size=(3, 6)), verbose=0)
    assert samples.shape == (3, 8, 8, 1)
