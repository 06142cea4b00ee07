"""Which samples are trained on and which are held out."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def train_test_indices(
    count: int,
    *,
    labels: ArrayLike | None = None,
    test_fraction: float = 0.2,
    seed: int = 0,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cut ``range(count)`` at random into a part to train on and a part to test on.

    Parameters
    ----------
    count : int
        Number of samples.
    labels : array_like of shape (count,), optional
        Classes. When given, each class is cut on its own (a stratified split), so
        that both parts hold the classes in the same proportions. A class of one
        sample stays in the training part.
    test_fraction : float, default 0.2
        Share of the samples, of each class or of all, that is held out: rounded
        to whole samples, at least one where there are two.
    seed : int, default 0
        Same seed, same cut.

    Returns
    -------
    train, test : ndarray of int64
        Disjoint, in random order, together all of ``range(count)``.

    Raises
    ------
    ValueError
        If `test_fraction` is not between 0 and 1, or `labels` are not `count`.

    Examples
    --------
    >>> train, test = train_test_indices(10, labels=[0, 1] * 5)
    >>> len(train), sorted(int(i) % 2 for i in test)
    (8, [0, 1])
    """
    if not 0.0 < test_fraction < 1.0:
        raise ValueError(f"test_fraction is {test_fraction}; it must lie between 0 and 1")
    generator = np.random.Generator(np.random.PCG64(seed))
    if labels is None:
        groups = [np.arange(count)]
    else:
        classes = np.asarray(labels)
        if classes.shape != (count,):
            raise ValueError(f"labels have shape {classes.shape}; expected ({count},)")
        _, group_of_sample = np.unique(classes, return_inverse=True)
        order = np.argsort(group_of_sample, kind="stable")
        groups = np.split(order, np.cumsum(np.bincount(group_of_sample))[:-1])
    train, test = [], []
    for members in groups:
        held_out = round(len(members) * test_fraction)
        if len(members) > 1:
            held_out = min(max(held_out, 1), len(members) - 1)
        else:
            held_out = 0
        shuffled = generator.permutation(members)
        test.append(shuffled[:held_out])
        train.append(shuffled[held_out:])
    return (
        generator.permutation(np.concatenate(train)).astype(np.int64),
        generator.permutation(np.concatenate(test)).astype(np.int64),
    )
