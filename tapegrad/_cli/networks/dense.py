"""``mlp`` and ``linear``: perceptrons with hidden layers and without."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tapegrad._cli.networks.architecture import KERNELS, LABEL_KERNELS, Architecture, last_layer

if TYPE_CHECKING:
    from tapegrad._cli.data import Samples
    from tapegrad.models import Sequential


@dataclass(frozen=True)
class DenseNetwork(Architecture):
    """Dense layers over the features.

    Attributes
    ----------
    outputs : int
        Number of classes, or 1.
    hidden_units : list of int
        Width of each hidden layer.
    dropout : float
        Share of the units of each hidden layer that a training step leaves out.
    input_dropout : float
        The same of the features.
    """

    outputs: int
    hidden_units: list[int] = field(default_factory=list)
    dropout: float = 0.0
    input_dropout: float = 0.0

    kernels = (*KERNELS, *LABEL_KERNELS)
    devices = ("cpu", "cuda")

    @classmethod
    def default(cls, model: str, samples: Samples) -> DenseNetwork:
        """Two hidden layers, or none.

        Dropout regularises (Srivastava et al., 2014). Regression gets less of it: a
        sum of units that come and go is a noisy number.
        """
        task, inputs, outputs = samples.task, samples.features, samples.outputs
        if model == "linear":
            return cls(model, task, inputs, outputs)
        if task == "classification":
            # Leaving out one feature in ten pays where many tell nearly the same,
            # as pixels do, and costs where each of a few counts.
            input_dropout = 0.1 if inputs >= 32 else 0.0
            return cls(model, task, inputs, outputs, [256, 128], 0.3, input_dropout)
        return cls(model, task, inputs, outputs, [64, 64], 0.2)

    def build(self) -> Sequential:
        """Make the network."""
        from tapegrad import Sequential, layers

        network = Sequential()
        network.add(layers.Input((self.inputs,)))
        if self.input_dropout:
            network.add(layers.Dropout(self.input_dropout))
        for units in self.hidden_units:
            network.add(layers.Dense(units, activation="relu"))
            if self.dropout:
                network.add(layers.Dropout(self.dropout))
        network.add(last_layer(self.task, self.outputs))
        return network
