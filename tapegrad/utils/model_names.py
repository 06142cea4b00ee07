"""Names of files that hold whole models."""

from __future__ import annotations

import os
import warnings

__all__ = ["MODEL_SUFFIX", "model_name_to_read", "model_name_to_write"]

MODEL_SUFFIX = ".tapegrad"
_KERAS = ".keras"


def model_name_to_write(name: str, owner: str) -> str:
    """Return the name to write a whole model to.

    Listings for Keras write to ``.keras`` files. What is written here is another format, so it gets
    its own ending, with a warning; `model_name_to_read` finds it under the name of the listing.

    Parameters
    ----------
    name
        What was asked for.
    owner
        Who writes, for the messages.

    Raises
    ------
    ValueError
        If the name has any other ending.
    """
    if name.endswith(_KERAS):
        renamed = name.removesuffix(_KERAS) + MODEL_SUFFIX
        warnings.warn(
            f"{owner}: whole models are saved in tapegrad's own format, so to {renamed!r} instead "
            f"of {name!r}.",
            stacklevel=4,
        )
        return renamed
    if not name.endswith(MODEL_SUFFIX):
        raise ValueError(
            f"{owner}: a whole model is saved to a file whose name ends in {MODEL_SUFFIX}, but the "
            f"name is {name!r}; for weights alone there is save_weights."
        )
    return name


def model_name_to_read(name: str) -> str:
    """Return the name to read a model from: a ``.keras`` file, or what was saved in its place."""
    own = name.removesuffix(_KERAS) + MODEL_SUFFIX
    if name.endswith(_KERAS) and not os.path.exists(name) and os.path.exists(own):
        return own
    return name
