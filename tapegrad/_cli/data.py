"""Raw arrays to samples to train and to test on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tapegrad._cli import files
from tapegrad._cli.errors import UserError
from tapegrad._cli.files import Table
from tapegrad._cli.labels import (
    LabelTask,
    Task,
    class_indices,
    classes_of,
    colours_of,
    task_of,
)
from tapegrad._cli.networks import Architecture
from tapegrad._cli.networks.dense import DenseNetwork
from tapegrad._cli.scaling import Scaling
from tapegrad.datasets import digits, splitting


@dataclass
class Samples:
    """What a run trains and tests on, scaled.

    Attributes
    ----------
    name : str
        What was asked for: ``digits`` or the file's path.
    task : {"classification", "regression", "reconstruction", "generation"}
        What is learnt.
    scaling : Scaling
        How features (and numbers to predict) were scaled.
    x_train, x_test : ndarray of float32, shape (samples, features)
        Scaled features.
    y_train, y_test : ndarray or None
        Class indices, int64 of shape (samples,), or standardised numbers, float32
        of shape (samples, 1). For reconstruction the samples themselves, for
        generation nothing.
    images : ndarray or None
        The test samples as they were, where they are images.
    classes : list of str
        Names of the classes; empty for regression and where there are no labels.
    feature_names : list of str or None
        Names of the columns, where the data had any.
    target_name : str
        What is predicted, or the column of labels that were not learnt from.
    colours : ndarray of int64, shape (samples,), or None
        Classes of the test samples, where labels are there though not learnt from.
    """

    name: str
    task: Task
    scaling: Scaling
    x_train: np.ndarray
    y_train: np.ndarray | None
    x_test: np.ndarray
    y_test: np.ndarray | None
    images: np.ndarray | None
    classes: list[str]
    feature_names: list[str] | None
    target_name: str
    colours: np.ndarray | None = None

    @property
    def features(self) -> int:
        """Number of features of a sample."""
        return self.x_train.shape[1]

    @property
    def outputs(self) -> int:
        """Number of classes, or 1 for a number."""
        return max(len(self.classes), 1)


def load(
    text: str,
    *,
    target: str | None,
    task: LabelTask | None,
    seed: int,
    architecture: type[Architecture] = DenseNetwork,
) -> Samples:
    """Load ``digits`` or a file, check it, cut it and scale it.

    Parameters
    ----------
    text : str
        ``digits`` or the path of a .npy, .npz or .csv file.
    target : str or None
        Column of labels in a CSV file; None means the last one.
    task : {"classification", "regression"} or None
        What the labels mean; None decides by their type.
    seed : int
        Seed of the cut into training and test samples, where the file has none.
    architecture : type of Architecture
        What will be trained: it says which shapes it takes, how to scale them, and
        whether it needs labels.

    Raises
    ------
    UserError
        If the data cannot be trained on.
    """
    labelled = architecture.unlabelled_task is None
    if text == "digits":
        if target is not None:
            raise UserError("--target names a column of a CSV file; digits has none")
        if task == "regression":
            raise UserError("digits are classes; --task regression needs numbers to predict")
        (x_train, y_train), (x_test, y_test) = digits.load_data()
        train = Table("digits", x_train.astype(np.float64), y_train, target_name="digit")
        test = Table("digits", x_test.astype(np.float64), y_test)
        return _samples(text, train, test, task, architecture)
    path = files.checked_path(text)
    suffix = path.suffix.lower()
    if target is not None and suffix != ".csv":
        raise UserError(f"--target names a column of a CSV file; {path.name} has no named columns")
    test = None
    if suffix == ".csv":
        train = files.read_csv(path, target=target, labelled=labelled)
    elif suffix == ".npy":
        train = files.read_npy(path, labelled=labelled)
    else:
        train, test = files.read_npz(path, need_labels=labelled)
    if test is None:
        train, test, task = _cut(train, task, seed, labelled)
    return _samples(text, train, test, task, architecture)


def _cut(
    table: Table, task: LabelTask | None, seed: int, labelled: bool
) -> tuple[Table, Table, LabelTask | None]:
    """Hold out a fifth: of each class, also where classes are not learnt, or of all samples."""
    if len(table.x) < 2:
        raise UserError(f"{table.source} holds one sample; training and testing need two at least")
    strata = None
    if labelled:
        assert table.y is not None
        task = task_of(table.y, task, table.source)
        if task == "classification":
            classes_of(table.y, table.source)
            strata = table.y
    elif table.y is not None and colours_of(table.y, table.source)[1]:
        strata = table.y
    train, test = splitting.train_test_indices(len(table.x), labels=strata, seed=seed)
    if not len(test):
        raise UserError(
            f"{table.source}: no class has two samples, so none can be held out for the test"
        )

    def part(indices: np.ndarray) -> Table:
        y = None if table.y is None else table.y[indices]
        return Table(table.source, table.x[indices], y, table.feature_names, table.target_name)

    return part(train), part(test), task


def _samples(
    name: str,
    train: Table,
    test: Table,
    task: LabelTask | None,
    architecture: type[Architecture],
) -> Samples:
    scaling = architecture.scaling(train)
    common: dict[str, Any] = {
        "name": name,
        "scaling": scaling,
        "x_train": (x_train := scaling.features(train.x, train.source)),
        "x_test": (x_test := scaling.features(test.x, test.source)),
        "images": test.x if _are_images(test.x) else None,
        "feature_names": train.feature_names,
    }
    if architecture.unlabelled_task is not None:
        colours, classes = None, []
        if test.y is not None:
            colours, classes = colours_of(test.y, f"{test.source}, test part")
        reconstructs = architecture.unlabelled_task == "reconstruction"
        return Samples(
            **common,
            task=architecture.unlabelled_task,
            y_train=x_train if reconstructs else None,
            y_test=x_test if reconstructs else None,
            classes=classes,
            colours=colours,
            target_name=train.target_name or "",
        )
    assert train.y is not None
    assert test.y is not None
    task = task_of(train.y, task, train.source)
    classes = []
    if task == "classification":
        classes = classes_of(train.y, train.source)
        y_train = class_indices(train.y, classes, train.source)
        y_test = class_indices(test.y, classes, f"{test.source}, test part")
    else:
        if test.y.dtype.kind == "U":
            raise UserError(f"{test.source}: y_test is text, but y_train is numbers")
        numbers = train.y.astype(np.float64)
        scaling.measure_target(numbers)
        y_train = scaling.target(numbers)
        y_test = scaling.target(test.y.astype(np.float64))
    default = "class" if task == "classification" else "y"
    return Samples(
        **common,
        task=task,
        y_train=y_train,
        y_test=y_test,
        classes=classes,
        target_name=train.target_name or default,
    )


def _are_images(x: np.ndarray) -> bool:
    """Whether samples can be drawn: height × width, or with 1, 3 or 4 channels last."""
    shape = x.shape[1:]
    if len(shape) == 3 and shape[2] in (1, 3, 4):
        shape = shape[:2]
    return len(shape) == 2 and min(shape) > 1


def load_for_prediction(
    text: str, *, feature_names: list[str] | None, features: int, target: str
) -> Table:
    """Load samples to predict, with labels where the data has any.

    Columns of a CSV file are found by the names that the model was trained on;
    where it was trained without names, by their number.
    """
    if text == "digits":
        _, (x, y) = digits.load_data()
        return Table("digits", x.astype(np.float64), y)
    path: Path = files.checked_path(text)
    suffix = path.suffix.lower()
    if suffix == ".csv":
        wanted = features if feature_names is None else feature_names
        return files.read_csv(path, target=target, features=wanted)
    if suffix == ".npy":
        return files.read_npy(path, labelled=features)
    first, test = files.read_npz(path, need_labels=False)
    return first if test is None else test
