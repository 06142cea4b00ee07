"""What the networks behind ``--model`` have in common."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from tapegrad._cli.labels import Task

if TYPE_CHECKING:
    import numpy as np

    from tapegrad._cli.data import Samples
    from tapegrad._cli.files import Table
    from tapegrad._cli.scaling import Scaling
    from tapegrad.layers import Layer
    from tapegrad.models import Model
    from tapegrad.optimizers import Optimizer

# What every network trained with Adam calls, by the names of warm-up tasks.
KERNELS = (
    "gemm float32",
    "sum float32",
    "adam_update nadam_update adamax_update float32",
    "random_uniform float64",
    "random_bernoulli float32",
    "random_permutation",
)
# What a classifier or a regressor with rectified units calls besides.
LABEL_KERNELS = (
    "relu_grad float32",
    "softmax float32",
    "softmax_cross_entropy float32",
)


@dataclasses.dataclass(frozen=True)
class Architecture(ABC):
    """A network in the few numbers that rebuild it. All networks take flat samples.

    Attributes
    ----------
    model : str
        What ``--model`` calls it.
    task : {"classification", "regression", "reconstruction", "generation"}
        What it is for.
    inputs : int
        Number of features of a sample.
    """

    model: str
    task: Task
    inputs: int

    kernels: ClassVar[tuple[str, ...]]
    """Warm-up tasks that compile what it calls."""
    devices: ClassVar[tuple[str, ...]] = ("cpu",)
    """Where it can be trained."""
    unlabelled_task: ClassVar[Task | None] = None
    """What it learns where it learns without labels."""

    @classmethod
    def scaling(cls, train: Table) -> Scaling:
        """Measure how the features are to be scaled for it, on the training part.

        Raises
        ------
        UserError
            If it cannot learn from samples of this shape.
        """
        from tapegrad._cli.scaling import Scaling

        return Scaling.of(train.x)

    @classmethod
    @abstractmethod
    def default(cls, model: str, samples: Samples) -> Self:
        """The network that ``--model`` means for samples of this size."""

    @abstractmethod
    def build(self) -> Model:
        """Make the network, its weights drawn from tapegrad's seeded generator."""

    def compile(self, network: Model, learning_rate: float) -> list[Optimizer]:
        """Give the network optimizer, loss and metrics; returns its optimizers."""
        from tapegrad.optimizers import Adam

        optimizer = Adam(learning_rate=learning_rate)
        classification = self.task == "classification"
        network.compile(
            optimizer=optimizer,
            loss="sparse_categorical_crossentropy" if classification else "mean_squared_error",
            metrics=["accuracy" if classification else "mae"],
        )
        return [optimizer]

    def stored(self) -> dict[str, Any]:
        """The numbers, for ``model.json``."""
        return dataclasses.asdict(self)


def last_layer(task: Task, outputs: int) -> Layer:
    """Probabilities of classes, or numbers."""
    from tapegrad import layers

    return layers.Dense(outputs, activation="softmax" if task == "classification" else "linear")


def shape_text(shape: Sequence[int]) -> str:
    """A shape of samples in words.

    Examples
    --------
    >>> shape_text((28, 28)), shape_text((4,)), shape_text((1,))
    ('samples of shape (28, 28)', 'rows of 4 numbers', 'rows of 1 number')
    """
    if len(shape) == 1:
        return f"rows of {shape[0]} number{'s' if shape[0] != 1 else ''}"
    return f"samples of shape {tuple(shape)}"


def are_pixels(x: np.ndarray) -> bool:
    """Whether numbers look like brightness: from -1 to 1, or whole ones from 0 to 255.

    Examples
    --------
    >>> import numpy as np
    >>> are_pixels(np.array([0.0, 255.0])), are_pixels(np.array([0.0, 1.5]))
    (True, False)
    """
    low, high = float(x.min()), float(x.max())
    if low >= -1.0 and high <= 1.0:
        return True
    return low >= 0.0 and high <= 255.0 and not (x % 1.0).any()
