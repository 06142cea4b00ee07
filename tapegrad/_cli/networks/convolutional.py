"""``cnn``: convolutions over images."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tapegrad._cli.errors import UserError
from tapegrad._cli.networks.architecture import (
    KERNELS,
    LABEL_KERNELS,
    Architecture,
    last_layer,
    shape_text,
)
from tapegrad._cli.scaling import Scaling

if TYPE_CHECKING:
    from tapegrad._cli.data import Samples
    from tapegrad._cli.files import Table
    from tapegrad.models import Sequential

_PADDED_BELOW = 16  # pixels: smaller images would be eaten up by unpadded convolutions


@dataclass(frozen=True)
class ConvolutionalNetwork(Architecture):
    """Convolutions of 3×3 with rectified units and poolings of 2×2, then dense layers.

    Attributes
    ----------
    outputs : int
        Number of classes, or 1.
    shape : list of int
        Height, width and channels of an image.
    filters : list of int
        Of each convolution.
    pooled : list of bool
        Whether a pooling follows on it.
    padding : {"valid", "same"}
        Of the convolutions.
    units : int
        Width of the dense layer.
    dropout : float
        Share of its units, and of its inputs, that a training step leaves out.
    """

    outputs: int
    shape: list[int]
    filters: list[int]
    pooled: list[bool]
    padding: str
    units: int = 64
    dropout: float = 0.3

    kernels = (*KERNELS, *LABEL_KERNELS, "convolution float32", "pooling float32")

    @classmethod
    def scaling(cls, train: Table) -> Scaling:
        """One scale for all pixels; data that are no images are refused."""
        shape = train.x.shape[1:]
        if problem := _problem(shape):
            raise UserError(
                f"{train.source} holds {shape_text(shape)}; --model cnn expects images: an .npz "
                "file whose x has shape (samples, height, width) or (samples, height, width, "
                f"channels) ({problem})"
            )
        return Scaling.of(train.x)

    @classmethod
    def default(cls, model: str, samples: Samples) -> ConvolutionalNetwork:
        """Fewer poolings for smaller images, more for larger ones.

        For 28×28 and 32×32 pixels these are the layers of TensorFlow's tutorials: 32, 64 and 64
        filters, with poolings between them, and 64 units; dropout is added.
        """
        height, width, *channels = samples.scaling.shape
        side = min(height, width)
        if side < _PADDED_BELOW:
            pooled = [False, side >= 6, False]
        else:
            poolings = int(math.log2(side / 6))
            pooled = [*[True] * poolings, False]
        return cls(
            model,
            samples.task,
            samples.features,
            samples.outputs,
            [height, width, *(channels or [1])],
            [32, *[64] * (len(pooled) - 1)],
            pooled,
            "valid" if side >= _PADDED_BELOW else "same",
        )

    def build(self) -> Sequential:
        """Make the network."""
        from tapegrad import Sequential, layers

        network = Sequential([layers.Input((self.inputs,)), layers.Reshape(tuple(self.shape))])
        for filters, pooled in zip(self.filters, self.pooled, strict=True):
            network.add(layers.Conv2D(filters, 3, padding=self.padding, activation="relu"))
            if pooled:
                network.add(layers.MaxPooling2D(2))
        network.add(layers.Flatten())
        network.add(layers.Dropout(self.dropout))
        network.add(layers.Dense(self.units, activation="relu"))
        network.add(layers.Dropout(self.dropout))
        network.add(last_layer(self.task, self.outputs))
        return network


def _problem(shape: tuple[int, ...]) -> str | None:
    """Why samples of this shape are no images, and which model or shape would do."""
    if len(shape) == 1:
        side = math.isqrt(shape[0])
        if side * side == shape[0] and side >= 5:
            return (
                f"if these are pixels, save x.reshape(-1, {side}, {side}); for a table use "
                "--model mlp"
            )
        return "for a table use --model mlp, for a sequence of numbers --model rnn"
    if len(shape) == 3 and shape[0] in (1, 3, 4) and shape[2] not in (1, 3, 4):
        return "this looks like channels first: save np.moveaxis(x, 1, -1)"
    if len(shape) > 3:
        return "--model mlp takes samples of any shape"
    if min(shape[:2]) < 2:
        return "an image has two rows and two columns at least; for sequences use --model rnn"
    return None
