"""Number of threads that kernels use."""

from __future__ import annotations

__all__ = ["get_num_threads", "set_num_threads"]


def get_num_threads() -> int:
    """Number of threads that parallel kernels use in this Python thread.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.get_num_threads() >= 1
    True
    """
    from tapegrad_kernels._compile import threads

    return threads.get_num_threads()


def set_num_threads(count: int) -> None:
    """Use `count` threads for kernels called from this Python thread.

    Results do not depend on it, to the last bit.

    Parameters
    ----------
    count : int
        From 1 to the number the process started with.

    Raises
    ------
    ValueError
        If `count` is outside that range.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.set_num_threads(1)
    """
    from tapegrad_kernels._compile import threads

    threads.set_num_threads(count)
