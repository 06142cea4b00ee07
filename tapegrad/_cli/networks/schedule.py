"""How long a run trains by default, and with which learning rates."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """The defaults of a model.

    Attributes
    ----------
    learning_rate : float
        Where Adam's learning rate starts; it falls to 0 along half a cosine.
    steps : int
        About how many steps to take,
    fewest, most : int
        but so many epochs at least and at most.
    """

    learning_rate: float
    steps: int
    fewest: int
    most: int

    def epochs(self, samples: int, batch_size: int) -> int:
        """As many epochs as make the steps wanted, within the limits.

        Examples
        --------
        >>> schedule = Schedule(2e-3, 1350, 30, 300)
        >>> schedule.epochs(1438, 32), schedule.epochs(120, 32)
        (30, 300)
        """
        batches = math.ceil(samples / batch_size)
        return min(max(math.ceil(self.steps / batches), self.fewest), self.most)


def cosine_decay(initial: float, epoch: int, epochs: int) -> float:
    """Learning rate of an epoch, half a cosine from `initial` towards 0.

    Without the restarts of Loshchilov & Hutter, "SGDR" (2017), equation 5.

    Examples
    --------
    >>> cosine_decay(1.0, 0, 30), round(cosine_decay(1.0, 15, 30), 9)
    (1.0, 0.5)
    """
    return initial * 0.5 * (1.0 + math.cos(math.pi * epoch / epochs))
