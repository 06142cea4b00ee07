"""``autoencoder``: samples through a narrow code and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tapegrad._cli.errors import UserError
from tapegrad._cli.networks.architecture import KERNELS, Architecture, are_pixels, shape_text
from tapegrad._cli.scaling import Scaling

if TYPE_CHECKING:
    from tapegrad._cli.data import Samples
    from tapegrad._cli.files import Table
    from tapegrad.models import Model, Sequential
    from tapegrad.optimizers import Optimizer


@dataclass(frozen=True)
class Autoencoder(Architecture):
    """A dense encoder to a few numbers, and a decoder that mirrors it.

    Hinton & Salakhutdinov, "Reducing the dimensionality of data with neural networks" (2006),
    trained at once instead of layer by layer.

    Attributes
    ----------
    hidden_units : list of int
        Width of each hidden layer of the encoder.
    code : int
        How many numbers a sample is reduced to.
    last_activation : {"sigmoid", "linear"}
        What the decoder ends with: pixels lie between 0 and 1.
    """

    hidden_units: list[int]
    code: int
    last_activation: str

    kernels = (*KERNELS, "relu_grad float32", "sigmoid float32", "sigmoid_grad float32")
    unlabelled_task = "reconstruction"

    @classmethod
    def scaling(cls, train: Table) -> Scaling:
        """Pixels from 0 to 1; other features with mean 0 and standard deviation 1."""
        shape = train.x.shape[1:]
        if int(np.prod(shape)) < 2:
            raise UserError(
                f"{train.source} holds {shape_text(shape)}; --model autoencoder has nothing to "
                "reduce there: it needs two features at least"
            )
        if len(shape) > 1 and are_pixels(train.x):
            return Scaling.to_range(train.x, 0.0, 1.0)
        return Scaling.of(train.x)

    @classmethod
    def default(cls, model: str, samples: Samples) -> Autoencoder:
        """A code of 2 to 32 numbers: about a third of a table's columns, fewer of many pixels."""
        inputs, shape = samples.features, samples.scaling.shape
        if len(shape) > 1 and inputs >= 32:
            code = 16 if inputs <= 256 else 32
            hidden = [128, 64] if inputs <= 256 else [256, 128]
        else:
            code = min(max(2, round(inputs / 3)), inputs - 1, 32)
            hidden = [64]  # a second layer fits tables of some hundred rows too closely
        last = "linear" if samples.scaling.limits is None else "sigmoid"
        return cls(model, samples.task, inputs, hidden, code, last)

    def build(self) -> Sequential:
        """Make encoder and decoder, as one stack."""
        from tapegrad import Sequential, layers

        network = Sequential([layers.Input((self.inputs,))])
        for units in self.hidden_units:
            network.add(layers.Dense(units, activation="relu"))
        network.add(layers.Dense(self.code, name="code"))
        for units in reversed(self.hidden_units):
            network.add(layers.Dense(units, activation="relu"))
        network.add(layers.Dense(self.inputs, activation=self.last_activation))
        return network

    def compile(self, network: Model, learning_rate: float) -> list[Optimizer]:
        """Compare samples with what comes back."""
        from tapegrad.optimizers import Adam

        optimizer = Adam(learning_rate=learning_rate)
        network.compile(optimizer=optimizer, loss="mean_squared_error", metrics=["mae"])
        return [optimizer]

    def codes(self, network: Model, x: np.ndarray) -> np.ndarray:
        """What `network` reduces samples to, float32 of shape (samples, code)."""
        from tapegrad import Sequential, layers

        encoder = Sequential([layers.Input((self.inputs,))])
        for layer in network.layers[: len(self.hidden_units) + 1]:
            encoder.add(layer)
        return np.asarray(encoder.predict(x, verbose=0))

    def decoded(self, network: Model, codes: np.ndarray) -> np.ndarray:
        """What `network` makes of codes, float32 of shape (samples, inputs)."""
        from tapegrad import Sequential, layers

        decoder = Sequential([layers.Input((self.code,))])
        for layer in network.layers[len(self.hidden_units) + 1 :]:
            decoder.add(layer)
        return np.asarray(decoder.predict(codes, verbose=0))
