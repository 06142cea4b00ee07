"""``rnn``: an LSTM over sequences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tapegrad._cli.errors import UserError
from tapegrad._cli.networks.architecture import (
    KERNELS,
    LABEL_KERNELS,
    Architecture,
    are_pixels,
    last_layer,
    shape_text,
)
from tapegrad._cli.scaling import Scaling

if TYPE_CHECKING:
    from tapegrad._cli.data import Samples
    from tapegrad._cli.files import Table
    from tapegrad.models import Sequential


@dataclass(frozen=True)
class RecurrentNetwork(Architecture):
    """An LSTM whose last output a dense layer reads.

    Samples of shape (steps, features) are sequences; so are images, read row by row, and
    rows of a table, one number a step.

    Attributes
    ----------
    outputs : int
        Number of classes, or 1.
    shape : list of int
        Steps of a sequence, and features of a step.
    units : int
        Width of the LSTM's state.
    dropout : float
        Share of its outputs that a training step leaves out.
    """

    outputs: int
    shape: list[int]
    units: int
    dropout: float = 0.2

    kernels = (*KERNELS, *LABEL_KERNELS, "lstm float32", "random_normal float64")

    @classmethod
    def scaling(cls, train: Table) -> Scaling:
        """A scale for each feature of a step; one for all where they are pixels."""
        shape = train.x.shape[1:]
        if shape[0] < 2 or len(shape) > 3:
            raise UserError(
                f"{train.source} holds {shape_text(shape)}; --model rnn expects sequences of two "
                "steps at least, x of shape (samples, steps) or (samples, steps, features), or "
                "images (--model mlp takes samples of any shape)"
            )
        if len(shape) == 2 and not are_pixels(train.x):
            return Scaling.of_sequences(train.x)
        return Scaling.of(train.x)

    @classmethod
    def default(cls, model: str, samples: Samples) -> RecurrentNetwork:
        """128 units for classes, 64 for a number, which is often learnt from fewer samples."""
        steps, *features = samples.scaling.shape
        classification = samples.task == "classification"
        return cls(
            model,
            samples.task,
            samples.features,
            samples.outputs,
            [steps, int(np.prod(features))],
            128 if classification else 64,
            0.2 if classification else 0.0,
        )

    def build(self) -> Sequential:
        """Make the network."""
        from tapegrad import Sequential, layers

        network = Sequential(
            [
                layers.Input((self.inputs,)),
                layers.Reshape(tuple(self.shape)),
                layers.LSTM(self.units),
            ]
        )
        if self.dropout:
            network.add(layers.Dropout(self.dropout))
        network.add(last_layer(self.task, self.outputs))
        return network
