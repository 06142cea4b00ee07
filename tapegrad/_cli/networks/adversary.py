"""The pair of networks that ``gan`` trains, and its steps."""

from __future__ import annotations

from typing import Any

import numpy as np

import tapegrad as tg
from tapegrad import layers, losses, metrics

_REAL = 0.9
"""The discriminator is to be this sure of real samples, not wholly: a generator learns little from
one that is (one-sided label smoothing; Salimans et al., "Improved techniques for training GANs",
2016)."""


class AdversarialPair(tg.Model):
    """A generator and a discriminator that are trained in turns.

    Parameters
    ----------
    generator : Layer
        Makes samples, shape (samples, features), of noise, shape (samples, noise).
    discriminator : Layer
        Gives the logit of a sample's being real, shape (samples, 1).
    noise : int
        How many normal random numbers the generator takes for a sample.
    """

    def __init__(self, generator: layers.Layer, discriminator: layers.Layer, noise: int) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        self.noise = noise
        self.built = True
        self._cross_entropy = losses.BinaryCrossentropy(from_logits=True)
        self._generator_loss = metrics.Mean("generator_loss")
        self._discriminator_loss = metrics.Mean("discriminator_loss")
        self._accuracy = metrics.Mean("discriminator_accuracy")

    def compile_pair(self, generator_optimizer: Any, discriminator_optimizer: Any) -> None:
        """Give each network its optimizer."""
        self.compile(optimizer=generator_optimizer)
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return the samples that the generator makes of noise."""
        return self.generator(inputs, training=training)

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step of the discriminator on real and made samples, then one of the generator."""
        count = data.shape[0]
        # What the generator made is a constant for the discriminator, so no tape sees it.
        made = self.generator(self._draw(count), training=True)
        discriminator = self.discriminator.trainable_variables
        with tg.Tape() as tape:
            on_real = self.discriminator(data, training=True)
            on_made = self.discriminator(made, training=True)
            loss = 0.5 * (self._loss(on_real, _REAL) + self._loss(on_made, 0.0))
        self.discriminator_optimizer.apply(tape.gradient(loss, discriminator), discriminator)

        generator = self.generator.trainable_variables
        with tg.Tape() as tape:
            made = self.generator(self._draw(count), training=True)
            generator_loss = self._loss(self.discriminator(made, training=True), 1.0)
        self.generator_optimizer.apply(tape.gradient(generator_loss, generator), generator)
        return self._follow(generator_loss, loss, on_real, on_made, count)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Losses and accuracy on real samples and as many made ones, without smoothed labels."""
        count = data.shape[0]
        # Noise of its own: measuring must not change what training draws next.
        made = self.generator(fixed_noise(count, self.noise), training=False)
        on_real = self.discriminator(data, training=False)
        on_made = self.discriminator(made, training=False)
        loss = 0.5 * (self._loss(on_real, 1.0) + self._loss(on_made, 0.0))
        return self._follow(self._loss(on_made, 1.0), loss, on_real, on_made, count)

    @property
    def metrics(self) -> list[Any]:
        """What `fit` and `evaluate` set back at the start of an epoch."""
        return [self._generator_loss, self._discriminator_loss, self._accuracy]

    def _draw(self, count: int) -> Any:
        return tg.random.normal((count, self.noise), dtype=np.float32)

    def _loss(self, logits: Any, label: float) -> Any:
        return self._cross_entropy(np.full(logits.shape, label, np.float32), logits)

    def _follow(
        self, generator_loss: Any, loss: Any, on_real: Any, on_made: Any, count: int
    ) -> dict[str, Any]:
        """Add a batch to the means and return them."""
        right = 0.5 * ((on_real.numpy() > 0).mean() + (on_made.numpy() <= 0).mean())
        self._generator_loss.update_state(float(generator_loss), count)
        self._discriminator_loss.update_state(float(loss), count)
        self._accuracy.update_state(float(right), count)
        return {metric.name: float(metric.result()) for metric in self.metrics}


def fixed_noise(count: int, noise: int, seed: int = 0) -> np.ndarray:
    """Normal random numbers that depend on `seed` alone, float32 of shape (count, noise)."""
    generator = np.random.Generator(np.random.PCG64(seed))
    return generator.standard_normal((count, noise), dtype=np.float32)
