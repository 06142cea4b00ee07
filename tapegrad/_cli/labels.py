"""Labels to classes or to numbers, and the task that they mean."""

from __future__ import annotations

from typing import Literal

import numpy as np

from tapegrad._cli.errors import UserError

LabelTask = Literal["classification", "regression"]
Task = Literal["classification", "regression", "reconstruction", "generation"]

_MANY_CLASSES = 20


def task_of(labels: np.ndarray, requested: LabelTask | None, what: str) -> LabelTask:
    """The task that labels mean: integers and text are classes, floats are numbers.

    Integers that hardly repeat may be either, and are asked about rather than guessed.

    Raises
    ------
    UserError
        If the labels do not fit the task asked for, or could mean either.
    """
    if requested == "regression" and labels.dtype.kind == "U":
        raise UserError(f"{what}: the labels are text ({labels[0]!r}); regression needs numbers")
    if requested is not None:
        return requested
    if labels.dtype.kind == "f":
        return "regression"
    distinct = len(np.unique(labels))
    if labels.dtype.kind in "iu" and distinct > _MANY_CLASSES and distinct > len(labels) / 10:
        raise UserError(
            f"{what}: the labels are {distinct} different integers in {len(labels)} samples; say "
            "--task regression or --task classification"
        )
    return "classification"


def class_name(label: object) -> str:
    """How a class is called: text as it is, whole numbers without a decimal point.

    Examples
    --------
    >>> class_name(3.0), class_name("setosa")
    ('3', 'setosa')
    """
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(label)


def classes_of(labels: np.ndarray, what: str) -> list[str]:
    """Names of the classes, in the order of their labels; two at least."""
    names = [class_name(label) for label in np.unique(labels).tolist()]
    if len(names) < 2:
        raise UserError(
            f"{what}: all {len(labels)} samples have the label {names[0]!r}; a classifier needs "
            "two classes at least"
        )
    return names


def class_indices(labels: np.ndarray, classes: list[str], what: str) -> np.ndarray:
    """Labels as indices into `classes`, int64; a label that is not among them is a `UserError`."""
    index_of = {name: index for index, name in enumerate(classes)}
    names = [class_name(label) for label in labels.tolist()]
    unknown = sorted({name for name in names if name not in index_of})
    if unknown:
        known = ", ".join(classes[:10]) + (", …" if len(classes) > 10 else "")
        raise UserError(f"{what}: the label {unknown[0]!r} is out of range; classes are {known}")
    return np.array([index_of[name] for name in names], dtype=np.int64)


def colours_of(labels: np.ndarray, what: str) -> tuple[np.ndarray | None, list[str]]:
    """Labels as class indices with the classes' names, to colour samples by.

    Labels that are numbers, or nearly all different, give None and no names.

    Examples
    --------
    >>> colours_of(np.array(["tulip", "rose", "tulip"]), "flowers")
    (array([1, 0, 1]), ['rose', 'tulip'])
    """
    distinct = np.unique(labels)
    if labels.dtype.kind == "f" or len(distinct) > _MANY_CLASSES:
        return None, []
    classes = [class_name(label) for label in distinct.tolist()]
    return class_indices(labels, classes, what), classes
