"""Arguments that must lie in an interval."""

from __future__ import annotations

__all__ = ["checked_epsilon", "in_interval", "not_negative"]

_SMALLEST = 1.1754943508222875e-38  # of the normal numbers of float32


def in_interval(owner: str, name: str, value: float, *, closed: bool = False) -> float:
    """Return a number of [0, 1), or of [0, 1] if `closed`, or raise ValueError.

    Examples
    --------
    >>> in_interval("Adam", "beta_1", 0.9)
    0.9
    """
    if not (0 <= value <= 1 if closed else 0 <= value < 1):
        interval = "[0, 1]" if closed else "[0, 1)"
        raise ValueError(f"{owner}: {name} must lie in {interval}, but is {value}.")
    return float(value)


def not_negative(owner: str, name: str, value: float) -> float:
    """Return a number that is not negative, or raise ValueError.

    Examples
    --------
    >>> not_negative("Adam", "epsilon", 1e-7)
    1e-07
    """
    if not value >= 0:
        raise ValueError(f"{owner}: {name} must not be negative, but is {value}.")
    return float(value)


def checked_epsilon(owner: str, value: float, name: str = "epsilon") -> float:
    """Return what is added to a divisor, or raise ValueError if it is negative.

    In place of 0 comes the smallest normal number, so that an element which never had a gradient
    stays where it is, rather than becoming 0 / 0.

    Examples
    --------
    >>> checked_epsilon("Adam", 1e-7)
    1e-07
    """
    return max(not_negative(owner, name, value), _SMALLEST)
