"""What the reports of all tasks offer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Report(ABC):
    """Figures of a network on both parts of its data.

    Attributes
    ----------
    train, test : dict of str to float
        Figures of the training and of the test part, for ``report.json``.
    curve_labels : mapping of str to str
        What the learning curves show, with units, by metric.
    """

    train: dict[str, float]
    test: dict[str, float]
    curve_labels: Mapping[str, str]

    @abstractmethod
    def text(self) -> str:
        """Return what is printed."""

    @abstractmethod
    def figures(self, title: str) -> dict[str, Figure]:
        """Draw figures; returns them by the names of their files, without suffix."""
