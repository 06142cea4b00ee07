"""Initial values of weights.

An initializer is called with a shape and returns a Tensor. Names, arguments, defaults and
distributions are Keras 3's. All draws come from tapegrad's counter-based generator: the default
one (see `tapegrad.set_seed`), or, with ``seed=``, one of the initializer's own that gives the same
values at every call.

Example
-------
>>> from tapegrad import initializers
>>> weights = initializers.GlorotUniform(seed=1)((3, 4))
>>> weights.shape
(3, 4)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core.tensor import Tensor
from tapegrad.initializers.base import Initializer
from tapegrad.initializers.constant import Constant, Identity, Ones, Zeros
from tapegrad.initializers.random import Orthogonal, RandomNormal, RandomUniform, TruncatedNormal
from tapegrad.initializers.scaling import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    VarianceScaling,
)
from tapegrad.initializers.spectral import STFT
from tapegrad.utils import serialization
from tapegrad.utils.description import made_from
from tapegrad.utils.lookup import look_up

__all__ = [
    "Initializer",
    "Zeros",
    "Ones",
    "Constant",
    "Identity",
    "RandomUniform",
    "RandomNormal",
    "TruncatedNormal",
    "VarianceScaling",
    "GlorotUniform",
    "GlorotNormal",
    "HeUniform",
    "HeNormal",
    "LecunUniform",
    "LecunNormal",
    "Orthogonal",
    "STFT",
    "deserialize",
    "get",
    "serialize",
    "constant",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "stft",
    "truncated_normal",
    "variance_scaling",
    "zeros",
]

# The lower-case spellings of listings: `initializers.he_normal(seed=1)`.
constant = Constant
glorot_normal = GlorotNormal
glorot_uniform = GlorotUniform
he_normal = HeNormal
he_uniform = HeUniform
identity = Identity
lecun_normal = LecunNormal
lecun_uniform = LecunUniform
ones = Ones
orthogonal = Orthogonal
random_normal = RandomNormal
random_uniform = RandomUniform
stft = STFT
truncated_normal = TruncatedNormal
variance_scaling = VarianceScaling
zeros = Zeros

_NAMES: dict[str, type[Initializer]] = {
    "zeros": Zeros,
    "ones": Ones,
    "constant": Constant,
    "identity": Identity,
    "random_uniform": RandomUniform,
    "uniform": RandomUniform,
    "random_normal": RandomNormal,
    "normal": RandomNormal,
    "truncated_normal": TruncatedNormal,
    "variance_scaling": VarianceScaling,
    "glorot_uniform": GlorotUniform,
    "glorot_normal": GlorotNormal,
    "he_uniform": HeUniform,
    "he_normal": HeNormal,
    "lecun_uniform": LecunUniform,
    "lecun_normal": LecunNormal,
    "orthogonal": Orthogonal,
    "stft": STFT,
}
_NAMES |= {cls.__name__: cls for cls in _NAMES.values()}
_NAMES |= {
    "one": Ones,
    "zero": Zeros,
    "IdentityInitializer": Identity,
    "OrthogonalInitializer": Orthogonal,
    "STFTInitializer": STFT,
}


def get(identifier: Any) -> Any:
    """Return an initializer for a name, a description, a class, an array or a callable.

    Parameters
    ----------
    identifier
        A name such as ``"glorot_uniform"``, an `Initializer` or its class, any callable that
        takes ``(shape, dtype=…)``, or a number or an array of values; None gives None.

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If `identifier` is nothing of the above.

    Examples
    --------
    >>> get("zeros")
    Zeros()
    """
    if identifier is None:
        return None
    if isinstance(identifier, str):
        return look_up(identifier, _NAMES, "initializer")()
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, type) and issubclass(identifier, Initializer):
        return identifier()
    if callable(identifier):
        return identifier
    if isinstance(identifier, (int, float, np.ndarray, Tensor)):
        return Constant(np.asarray(identifier))
    raise TypeError(
        "An initializer is a name, an Initializer, a callable or an array, not "
        f"{type(identifier).__name__}."
    )


def serialize(initializer: Any) -> Any:
    """Return an initializer as plain data; None stays None.

    Raises
    ------
    TypeError
        If it is a function that is not registered.

    Examples
    --------
    >>> serialize(Constant(2.0))["config"]
    {'value': 2.0}
    """
    return serialization.serialize(initializer, "initializer")


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """Return the initializer that `serialize` turned into data.

    Parameters
    ----------
    config
        The data, ``{"class_name": …, "config": …}``, or a name.
    custom_objects
        Classes and functions of your own, by name.

    Raises
    ------
    ValueError
        If the class is unknown.

    Examples
    --------
    >>> deserialize({"class_name": "Constant", "config": {"value": 2.0}}).get_config()
    {'value': 2.0}
    """
    if isinstance(config, dict):
        return made_from(config, "tapegrad.initializers", custom_objects)
    with serialization.custom_object_scope(custom_objects):
        return get(config)
