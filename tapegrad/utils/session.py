"""The state that a process keeps between models."""

from __future__ import annotations

import gc

__all__ = ["clear_session"]


def clear_session(free_memory: bool = True) -> None:
    """Begin automatic names of layers anew, and free what nobody holds any more.

    A loop that makes many models can call it so that their layers have the same names each time.

    Parameters
    ----------
    free_memory
        Whether to run Python's garbage collection.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.utils.clear_session()
    >>> tg.layers.Dense(1).name
    'dense'
    """
    from tapegrad.layers import naming

    naming.count_anew()
    if free_memory:
        gc.collect()
