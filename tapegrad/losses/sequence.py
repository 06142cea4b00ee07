"""The loss of sequences whose labels are not aligned with the time steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad.losses.base import LossFunctionWrapper, float_predictions
from tapegrad.losses.class_numbers import check_range
from tapegrad.utils.tensors import as_tensor

__all__ = ["CTC", "ctc"]

# What stands for the logarithm of 0: minus infinity would make NaN gradients.
_IMPOSSIBLE = -1e30


def ctc(y_true: Any, y_pred: Any) -> Tensor:
    """Return minus the logarithm of the chance of the labels, summed over all alignments.

    Class 0 is the blank, which may stand between labels, and must between equal ones (Graves et
    al., "Connectionist Temporal Classification", 2006).

    Parameters
    ----------
    y_true
        Labels from 1 on, shape (samples, length), padded with 0 at the end.
    y_pred
        Logits, shape (samples, steps, classes), of class 0 for blanks.

    Returns
    -------
    Tensor
        Shape (samples,); infinite where the steps are too few for the labels.

    Raises
    ------
    ValueError
        If the shapes do not fit, or a label is out of range.

    Examples
    --------
    >>> ctc([[1]], np.zeros((1, 2, 2), dtype=np.float32)).numpy().round(4)
    array([0.2877], dtype=float32)
    """
    logits = float_predictions(y_pred)
    labels = as_tensor(y_true)
    if labels.ndim != 2 or logits.ndim != 3 or len(labels) != len(logits):
        raise ValueError(
            "ctc: expected labels of shape (samples, length) and logits of shape (samples, steps, "
            f"classes), but the shapes are {labels.shape} and {logits.shape}."
        )
    labels = labels.astype(np.int64)
    check_range(labels, logits.shape[-1], "ctc")
    # Blanks around all labels: the path through these states never goes back, may go on by one, and
    # by two where that leaves out a blank between different labels.
    blanks = np.zeros(labels.shape, np.int64)
    pairs = ops.reshape(ops.stack([blanks, labels], axis=-1), (len(labels), -1))
    states = ops.concatenate([pairs, np.zeros((len(labels), 1), np.int64)], axis=1)
    skips = ops.logical_and(states[:, 2:] != 0, states[:, 2:] != states[:, :-2])
    may_skip = ops.concatenate([np.zeros((len(labels), 2), bool), skips], axis=1)[
        :, : states.shape[1]
    ]
    start = np.zeros(states.shape, dtype=bool)
    start[:, :2] = True

    log_chances = ops.log_softmax(logits)
    every_step = (len(labels), logits.shape[1], states.shape[1])
    index = ops.broadcast_to(states[:, None, :], every_step)
    emitted = ops.gather_along_axis(log_chances, index)
    forward = ops.where(start, emitted[:, 0], _IMPOSSIBLE)
    for step in range(1, logits.shape[1]):
        one_on = _shifted(forward, 1)
        two_on = ops.where(may_skip, _shifted(forward, 2), _IMPOSSIBLE)
        forward = ops.logaddexp(ops.logaddexp(forward, one_on), two_on) + emitted[:, step]

    # A path ends in the last label or in the blank behind it.
    lengths = ops.sum(labels != 0, axis=1, keepdims=True)
    ends = np.arange(states.shape[1]) - 2 * lengths
    at_end = ops.logical_or(ends == 0, ends == -1)
    losses = -ops.logsumexp(ops.where(at_end, forward, _IMPOSSIBLE), axis=1)
    return ops.where(ops.greater(losses, -0.5 * _IMPOSSIBLE), np.inf, losses)


def _shifted(forward: Tensor, by: int) -> Tensor:
    """Return each state's value `by` states further on."""
    kept = max(0, forward.shape[1] - by)
    padding = ((0, 0), (forward.shape[1] - kept, 0))
    return ops.pad(forward[:, :kept], padding, constant_values=_IMPOSSIBLE)


class CTC(LossFunctionWrapper):
    """Minus the logarithm of the chance of labels that are not aligned with the time steps.

    Class 0 is the blank, and pads the labels.

    Parameters
    ----------
    reduction, name, dtype
        As for every loss.

    Examples
    --------
    >>> round(float(CTC()([[1]], np.zeros((1, 2, 2)))), 4)
    0.2877
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "ctc",
        dtype: Any = None,
    ) -> None:
        super().__init__(ctc, reduction, name, dtype)
