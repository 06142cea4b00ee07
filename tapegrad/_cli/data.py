"""Raw arrays to samples to train and to test on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tapegrad._cli import files
from tapegrad._cli.errors import UserError
from tapegrad._cli.files import Table
from tapegrad._cli.labels import Task, class_indices, classes_of, task_of
from tapegrad.datasets import digits, splitting


@dataclass
class Scaling:
    """Standardisation: subtract a mean, divide by a scale, both of the training part.

    Attributes
    ----------
    shape : tuple of int
        Shape of one sample as it comes.
    mean, scale : ndarray of float64, shape (features,)
        Of each feature. Pixels of an image share one scale, since they have one
        unit: scaled each on its own, the nearly empty ones at the rim would shout.
    target_mean, target_scale : float
        Of the numbers to predict; 0 and 1 for classes.
    """

    shape: tuple[int, ...]
    mean: np.ndarray
    scale: np.ndarray
    target_mean: float = 0.0
    target_scale: float = 1.0

    @classmethod
    def of(cls, x: np.ndarray) -> Scaling:
        """Measure features of shape (samples, *shape)."""
        flat = x.reshape(len(x), -1)
        with np.errstate(over="ignore", invalid="ignore"):  # told of below
            mean = flat.mean(axis=0)
            spread = np.full(mean.shape, flat.std()) if x.ndim > 2 else flat.std(axis=0)
        if not (np.isfinite(mean).all() and np.isfinite(spread).all()):
            raise UserError("the features are too large to be standardised in float64")
        # A constant feature says nothing: its difference to the mean is 0 (or rounding).
        constant = spread <= 1e-12 * np.maximum(np.abs(mean), 1e-300)
        return cls(x.shape[1:], mean, np.where(constant, 1.0, spread))

    def features(self, x: np.ndarray, source: str) -> np.ndarray:
        """Standardise features of shape (samples, *shape) to float32 (samples, features).

        Raises
        ------
        UserError
            If samples have another number of features than the model was trained on.
        """
        flat = x.reshape(len(x), -1)
        if flat.shape[1] != len(self.mean):
            raise UserError(
                f"{source} has {flat.shape[1]} features a sample; the model was trained on "
                f"{len(self.mean)}"
            )
        return ((flat - self.mean) / self.scale).astype(np.float32)

    def measure_target(self, y: np.ndarray) -> None:
        """Take mean and scale of the numbers to predict from `y`."""
        self.target_mean = float(y.mean())
        spread = float(y.std())
        self.target_scale = spread if spread > 1e-12 * abs(self.target_mean) else 1.0

    def target(self, y: np.ndarray) -> np.ndarray:
        """Standardise the numbers to predict to float32 of shape (samples, 1)."""
        return ((y - self.target_mean) / self.target_scale).astype(np.float32)[:, None]

    def original(self, outputs: np.ndarray) -> np.ndarray:
        """Turn a model's outputs of shape (samples, 1) back into the target's units."""
        return outputs[:, 0].astype(np.float64) * self.target_scale + self.target_mean


@dataclass
class Samples:
    """What a run trains and tests on, standardised.

    Attributes
    ----------
    name : str
        What was asked for: ``digits`` or the file's path.
    task : {"classification", "regression"}
        What the labels mean.
    scaling : Scaling
        How features (and numbers to predict) were standardised.
    x_train, x_test : ndarray of float32, shape (samples, features)
        Standardised features.
    y_train, y_test : ndarray
        Class indices, int64 of shape (samples,), or standardised numbers, float32
        of shape (samples, 1).
    images : ndarray or None
        The test samples as they were, where they are images.
    classes : list of str
        Names of the classes; empty for regression.
    feature_names : list of str or None
        Names of the columns, where the data had any.
    target_name : str
        What is predicted.
    """

    name: str
    task: Task
    scaling: Scaling
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    images: np.ndarray | None
    classes: list[str]
    feature_names: list[str] | None
    target_name: str


def load(text: str, *, target: str | None, task: Task | None, seed: int) -> Samples:
    """Load ``digits`` or a file, check it, cut it and standardise it.

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

    Raises
    ------
    UserError
        If the data cannot be trained on.
    """
    if text == "digits":
        if target is not None:
            raise UserError("--target names a column of a CSV file; digits has none")
        if task == "regression":
            raise UserError("digits are classes; --task regression needs numbers to predict")
        (x_train, y_train), (x_test, y_test) = digits.load_data()
        train = Table("digits", x_train.astype(np.float64), y_train, target_name="digit")
        return _samples(text, train, Table("digits", x_test.astype(np.float64), y_test), None)
    path = files.checked_path(text)
    suffix = path.suffix.lower()
    if target is not None and suffix != ".csv":
        raise UserError(f"--target names a column of a CSV file; {path.name} has no named columns")
    test = None
    if suffix == ".csv":
        train = files.read_csv(path, target=target)
    elif suffix == ".npy":
        train = files.read_npy(path)
    else:
        train, test = files.read_npz(path)
    if test is None:
        train, test, task = _cut(train, task, seed)
    return _samples(text, train, test, task)


def _cut(table: Table, task: Task | None, seed: int) -> tuple[Table, Table, Task]:
    """Hold out a fifth: of each class, or of all samples for regression."""
    assert table.y is not None
    if len(table.x) < 2:
        raise UserError(f"{table.source} holds one sample; training and testing need two at least")
    task = task_of(table.y, task, table.source)
    if task == "classification":
        classes_of(table.y, table.source)
    train, test = splitting.train_test_indices(
        len(table.x), labels=table.y if task == "classification" else None, seed=seed
    )
    if not len(test):
        raise UserError(
            f"{table.source}: no class has two samples, so none can be held out for the test"
        )

    def part(indices: np.ndarray) -> Table:
        assert table.y is not None
        return Table(
            table.source, table.x[indices], table.y[indices], table.feature_names, table.target_name
        )

    return part(train), part(test), task


def _samples(name: str, train: Table, test: Table, task: Task | None) -> Samples:
    assert train.y is not None
    assert test.y is not None
    task = task_of(train.y, task, train.source)
    scaling = Scaling.of(train.x)
    classes: list[str] = []
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
        name=name,
        task=task,
        scaling=scaling,
        x_train=scaling.features(train.x, train.source),
        y_train=y_train,
        x_test=scaling.features(test.x, test.source),
        y_test=y_test,
        images=test.x if _are_images(test.x) else None,
        classes=classes,
        feature_names=train.feature_names,
        target_name=train.target_name or default,
    )


def _are_images(x: np.ndarray) -> bool:
    """Whether samples are images: height × width, or with 1, 3 or 4 channels last."""
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
