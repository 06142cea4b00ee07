"""Quantiles of a stream of batches, from summaries of bounded size.

A summary is an array of two rows: values in ascending order, and how many numbers each stands for.
"""

from __future__ import annotations

import numpy as np

__all__ = ["boundaries", "merged", "summarized"]


def summarized(values: np.ndarray, epsilon: float) -> np.ndarray:
    """Return a summary of numbers: every k-th of them in order, where k is a share `epsilon`.

    Examples
    --------
    >>> summarized(np.arange(4.0), 0.5)
    array([[1., 3.],
           [2., 2.]])
    """
    ordered = np.sort(values.reshape(-1))
    step = max(ordered.size * epsilon, 1.0)
    chosen = ordered[int(step - 1) :: int(step)]
    return np.stack([chosen, np.full_like(chosen, step)])


def merged(first: np.ndarray, second: np.ndarray, epsilon: float) -> np.ndarray:
    """Return the summary of two summaries together.

    Examples
    --------
    >>> merged(np.array([[1.0], [2.0]]), np.array([[0.0], [1.0]]), 0.1)
    array([[0., 1.],
           [1., 2.]])
    """
    both = np.concatenate((first, second), axis=1)
    return _compressed(both[:, np.argsort(both[0])], epsilon)


def boundaries(summary: np.ndarray, bins: int) -> np.ndarray:
    """Return the values that cut what is summarized into `bins` equal shares.

    Examples
    --------
    >>> boundaries(np.array([[1.0, 2.0, 3.0, 4.0], [1.0, 1.0, 1.0, 1.0]]), 2)
    array([2.], dtype=float32)
    """
    return _compressed(summary, 1.0 / bins)[0, :-1]


def _compressed(summary: np.ndarray, epsilon: float) -> np.ndarray:
    """Return a summary of about ``1 / epsilon`` values, by interpolation between its own."""
    if summary.shape[1] * epsilon < 1:
        return summary
    shares = epsilon + np.arange(0.0, 1.0, epsilon)
    running = summary[1].cumsum()
    running_shares = running / running[-1]
    values = np.interp(shares, running_shares, summary[0])
    reached = np.interp(shares, running_shares, running)
    return np.stack((values, np.diff(reached, prepend=0.0))).astype(np.float32)
