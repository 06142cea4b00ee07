"""The networks behind ``--model``, and how long each trains by default."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tapegrad._cli.labels import Task

if TYPE_CHECKING:
    from tapegrad.models import Sequential

MODELS = ("mlp", "linear")

# About what the digits need: 30 epochs of 45 batches.
_STEPS = 1350
_FEWEST_EPOCHS, _MOST_EPOCHS = 30, 300


@dataclass(frozen=True)
class Architecture:
    """A network in the few numbers that rebuild it.

    Attributes
    ----------
    model : {"mlp", "linear"}
        A perceptron with hidden layers, or one layer alone.
    task : {"classification", "regression"}
        Whether the outputs are probabilities of classes or one number.
    inputs, outputs : int
        Number of features, and of classes (or 1).
    hidden_units : list of int
        Width of each hidden layer.
    dropout : float
        Share of the units of each hidden layer that a training step leaves out.
    input_dropout : float
        The same of the features.
    """

    model: str
    task: Task
    inputs: int
    outputs: int
    hidden_units: list[int] = field(default_factory=list)
    dropout: float = 0.0
    input_dropout: float = 0.0

    @classmethod
    def default(cls, model: str, task: Task, inputs: int, outputs: int) -> Architecture:
        """The network that ``--model`` means for a task of this size.

        Dropout regularises (Srivastava et al., 2014). Regression gets less of it: a
        sum of units that come and go is a noisy number.
        """
        if model == "linear":
            return cls(model, task, inputs, outputs)
        if task == "classification":
            # Leaving out one feature in ten pays where many tell nearly the same,
            # as pixels do, and costs where each of a few counts.
            input_dropout = 0.1 if inputs >= 32 else 0.0
            return cls(model, task, inputs, outputs, [256, 128], 0.3, input_dropout)
        return cls(model, task, inputs, outputs, [64, 64], 0.2)

    def build(self) -> Sequential:
        """Make the network, its weights drawn from tapegrad's seeded generator."""
        from tapegrad import Sequential, layers

        network = Sequential()
        network.add(layers.Input((self.inputs,)))
        if self.input_dropout:
            network.add(layers.Dropout(self.input_dropout))
        for units in self.hidden_units:
            network.add(layers.Dense(units, activation="relu"))
            if self.dropout:
                network.add(layers.Dropout(self.dropout))
        last = "softmax" if self.task == "classification" else "linear"
        network.add(layers.Dense(self.outputs, activation=last))
        return network


def default_learning_rate(model: str) -> float:
    """Where Adam's learning rate starts; it falls to 0 along half a cosine."""
    return 1e-2 if model == "linear" else 2e-3


def default_epochs(samples: int, batch_size: int) -> int:
    """As many epochs as make about 1,350 steps: 30 at least, 300 at most.

    Examples
    --------
    >>> default_epochs(1438, 32), default_epochs(120, 32)
    (30, 300)
    """
    steps = math.ceil(samples / batch_size)
    return min(max(math.ceil(_STEPS / steps), _FEWEST_EPOCHS), _MOST_EPOCHS)


def cosine_decay(initial: float, epoch: int, epochs: int) -> float:
    """Learning rate of an epoch, half a cosine from `initial` towards 0.

    Without the restarts of Loshchilov & Hutter, "SGDR" (2017), equation 5.

    Examples
    --------
    >>> cosine_decay(1.0, 0, 30), round(cosine_decay(1.0, 15, 30), 9)
    (1.0, 0.5)
    """
    return initial * 0.5 * (1.0 + math.cos(math.pi * epoch / epochs))
