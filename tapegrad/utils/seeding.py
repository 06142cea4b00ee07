"""One call that makes a run repeatable."""

from __future__ import annotations

import random

import numpy as np

__all__ = ["set_random_seed"]


def set_random_seed(seed: int) -> None:
    """Seed Python's, NumPy's and tapegrad's default random generators.

    tapegrad itself draws from its own generator only (see `tapegrad.set_seed`); the other two are
    seeded because data preparation around it often draws from them.

    Parameters
    ----------
    seed
        A whole number in ``[0, 2**32)``.

    Raises
    ------
    ValueError
        If `seed` is outside that range.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.utils.set_random_seed(0)
    """
    from tapegrad import random as tapegrad_random

    if not 0 <= seed < 2**32:
        raise ValueError(f"set_random_seed: seed must lie in [0, 2**32), but is {seed}.")
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the legacy generator is the one that users share
    tapegrad_random.set_seed(seed)
