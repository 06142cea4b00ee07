"""``gan``: a generator against a discriminator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tapegrad._cli.networks.architecture import KERNELS, Architecture, are_pixels
from tapegrad._cli.scaling import Scaling

if TYPE_CHECKING:
    from tapegrad._cli.data import Samples
    from tapegrad._cli.files import Table
    from tapegrad._cli.networks.adversary import AdversarialPair
    from tapegrad.models import Model, Sequential
    from tapegrad.optimizers import Optimizer

_SLOPE = 0.2  # of leaky rectified units below 0


@dataclass(frozen=True)
class AdversarialNetwork(Architecture):
    """A generator that makes samples of noise, and a discriminator that tells them from real ones.

    Goodfellow et al., "Generative adversarial nets" (2014). For images both are convolutional,
    with strides in place of poolings (Radford et al., 2016); for rows they are dense.

    Attributes
    ----------
    shape : list of int
        Height, width and channels of an image; for rows, the number of features.
    noise : int
        How many random numbers the generator makes a sample of.
    units : int
        Width of hidden layers, or the generator's channels at its smallest.
    images : bool
        Whether samples are images with values from -1 to 1.
    """

    shape: list[int]
    noise: int
    units: int
    images: bool

    kernels = (
        *KERNELS,
        "convolution float32",
        "sigmoid_cross_entropy float32",
        "sigmoid_cross_entropy_grad float32",
        "random_normal float32",
        "tanh float32",
        "tanh_grad float32",
    )
    unlabelled_task = "generation"

    @classmethod
    def scaling(cls, train: Table) -> Scaling:
        """Pixels from -1 to 1; other features with mean 0 and standard deviation 1."""
        if _are_images(train.x.shape[1:]) and are_pixels(train.x):
            return Scaling.to_range(train.x, -1.0, 1.0)
        return Scaling.of(train.x)

    @classmethod
    def default(cls, model: str, samples: Samples) -> AdversarialNetwork:
        """Images by strides of 2 from a quarter (small ones: half) of the size, rows by layers."""
        shape = samples.scaling.shape
        if samples.scaling.limits is not None:
            height, width, *channels = shape
            full = [height, width, *(channels or [1])]
            return cls(model, samples.task, samples.features, full, 32, 64, True)
        noise = min(max(samples.features, 4), 32)
        flat = [samples.features]
        return cls(model, samples.task, samples.features, flat, noise, 128, False)

    def build(self) -> AdversarialPair:
        """Make both networks."""
        from tapegrad._cli.networks.adversary import AdversarialPair

        if self.images:
            return AdversarialPair(self._image_generator(), self._image_discriminator(), self.noise)
        return AdversarialPair(self._row_generator(), self._row_discriminator(), self.noise)

    def compile(self, network: Model, learning_rate: float) -> list[Optimizer]:
        """Adam for each, with little momentum, as one chases the other (Radford et al., 2016)."""
        from tapegrad._cli.networks.adversary import AdversarialPair
        from tapegrad.optimizers import Adam

        assert isinstance(network, AdversarialPair)
        generator, discriminator = (Adam(learning_rate=learning_rate, beta_1=0.5) for _ in range(2))
        network.compile_pair(generator, discriminator)
        return [generator, discriminator]

    def _doublings(self) -> int:
        return 2 if min(self.shape[:2]) >= 16 else 1

    def _image_generator(self) -> Sequential:
        from tapegrad import Sequential, layers

        height, width, channels = self.shape
        factor = 2 ** self._doublings()
        low, narrow = -(-height // factor), -(-width // factor)
        network = Sequential(
            [
                layers.Input((self.noise,)),
                layers.Dense(low * narrow * self.units),
                layers.LeakyReLU(negative_slope=_SLOPE),
                layers.Reshape((low, narrow, self.units)),
            ]
        )
        for place in range(self._doublings()):
            filters = self.units >> (place + 1)
            network.add(layers.Conv2DTranspose(filters, 4, strides=2, padding="same"))
            network.add(layers.LeakyReLU(negative_slope=_SLOPE))
        network.add(layers.Conv2D(channels, 3, padding="same", activation="tanh"))
        # A size that does not halve evenly was rounded up.
        network.add(layers.Cropping2D(((0, low * factor - height), (0, narrow * factor - width))))
        network.add(layers.Flatten())
        return network

    def _image_discriminator(self) -> Sequential:
        from tapegrad import Sequential, layers

        network = Sequential([layers.Input((self.inputs,)), layers.Reshape(tuple(self.shape))])
        for filters in (self.units // 2, self.units):
            network.add(layers.Conv2D(filters, 4, strides=2, padding="same"))
            network.add(layers.LeakyReLU(negative_slope=_SLOPE))
            network.add(layers.Dropout(0.3))
        network.add(layers.Flatten())
        network.add(layers.Dense(1))
        return network

    def _row_generator(self) -> Sequential:
        return self._row_network(self.noise, self.inputs, 0.0)

    def _row_discriminator(self) -> Sequential:
        return self._row_network(self.inputs, 1, 0.2)

    def _row_network(self, inputs: int, outputs: int, dropout: float) -> Sequential:
        from tapegrad import Sequential, layers

        network = Sequential([layers.Input((inputs,))])
        for _ in range(2):
            network.add(layers.Dense(self.units))
            network.add(layers.LeakyReLU(negative_slope=_SLOPE))
            if dropout:
                network.add(layers.Dropout(dropout))
        network.add(layers.Dense(outputs))
        return network


def _are_images(shape: tuple[int, ...]) -> bool:
    return len(shape) in (2, 3) and min(shape[:2]) >= 4
