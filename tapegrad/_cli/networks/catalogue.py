"""The models that ``--model`` can name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tapegrad._cli.networks.adversarial import AdversarialNetwork
from tapegrad._cli.networks.architecture import Architecture
from tapegrad._cli.networks.autoencoder import Autoencoder
from tapegrad._cli.networks.convolutional import ConvolutionalNetwork
from tapegrad._cli.networks.dense import DenseNetwork
from tapegrad._cli.networks.recurrent import RecurrentNetwork
from tapegrad._cli.networks.schedule import Schedule


@dataclass(frozen=True)
class Model:
    """What a name after ``--model`` means.

    Attributes
    ----------
    architecture : type of Architecture
        How the network is built.
    schedule : Schedule
        How it is trained by default.
    summary : str
        What ``--help`` says.
    """

    architecture: type[Architecture]
    schedule: Schedule
    summary: str


MODELS = {
    "mlp": Model(
        DenseNetwork, Schedule(2e-3, 1350, 30, 300), "hidden layers, for samples of any shape"
    ),
    "cnn": Model(ConvolutionalNetwork, Schedule(1e-3, 1350, 8, 100), "convolutions, for images"),
    "rnn": Model(
        RecurrentNetwork,
        Schedule(2e-3, 1350, 8, 200),
        "an LSTM, for sequences, images row by row, rows number by number",
    ),
    "autoencoder": Model(
        Autoencoder,
        Schedule(2e-3, 6000, 20, 300),
        "samples through a narrow code and back; learns without labels",
    ),
    "gan": Model(
        AdversarialNetwork,
        Schedule(5e-4, 3000, 12, 600),
        "a generator of new samples against a discriminator; without labels",
    ),
    "linear": Model(DenseNetwork, Schedule(1e-2, 1350, 30, 300), "one layer, no hidden ones"),
}


def rebuilt(stored: dict[str, Any]) -> Architecture:
    """The architecture that `Architecture.stored` wrote down.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the numbers are not those of a model.
    """
    architecture = MODELS[stored["model"]].architecture(**stored)
    without_labels = architecture.unlabelled_task
    tasks = ("classification", "regression") if without_labels is None else (without_labels,)
    if architecture.task not in tasks:
        raise ValueError(f"{architecture.model} does no {architecture.task}")
    return architecture
