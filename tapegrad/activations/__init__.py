"""Activation functions: names, arguments and defaults of Keras 3.

Each takes and returns a Tensor of the same shape (of half the length for `glu`). The results of
`softmax` and `sigmoid` remember the logits that they came from, so that a cross-entropy that
follows can be computed from these: exact where the probability itself would round to 0 or 1, and
cheaper.

Example
-------
>>> from tapegrad import activations
>>> activations.relu([-1.0, 2.0]).numpy()
array([0., 2.])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from tapegrad._core.tensor import Tensor
from tapegrad.activations.competing import glu, log_softmax, softmax, sparsemax
from tapegrad.activations.rectified import (
    celu,
    elu,
    gelu,
    leaky_relu,
    mish,
    relu,
    relu6,
    selu,
    silu,
    softplus,
    sparse_plus,
    squareplus,
)
from tapegrad.activations.saturating import (
    exponential,
    hard_shrink,
    hard_sigmoid,
    hard_silu,
    hard_tanh,
    linear,
    log_sigmoid,
    sigmoid,
    soft_shrink,
    softsign,
    sparse_sigmoid,
    tanh,
    tanh_shrink,
    threshold,
)
from tapegrad.utils import serialization
from tapegrad.utils.lookup import look_up

__all__ = [
    "celu",
    "elu",
    "exponential",
    "gelu",
    "deserialize",
    "get",
    "serialize",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "swish",
    "tanh",
    "tanh_shrink",
    "threshold",
]

Activation = Callable[..., Tensor]

swish = silu
hard_swish = hard_silu

_NAMES: dict[str, Activation] = {
    function.__name__: function
    for function in (
        celu,
        elu,
        exponential,
        gelu,
        glu,
        hard_shrink,
        hard_sigmoid,
        hard_silu,
        hard_tanh,
        leaky_relu,
        linear,
        log_sigmoid,
        log_softmax,
        mish,
        relu,
        relu6,
        selu,
        sigmoid,
        silu,
        soft_shrink,
        softmax,
        softplus,
        softsign,
        sparse_plus,
        sparse_sigmoid,
        sparsemax,
        squareplus,
        tanh,
        tanh_shrink,
        threshold,
    )
} | {"swish": silu, "hard_swish": hard_silu}


def get(identifier: Any) -> Activation:
    """Return an activation for a name, a callable (also a layer), or None, which is `linear`.

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If `identifier` is nothing of the above.

    Examples
    --------
    >>> get("relu") is relu
    True
    """
    if identifier is None:
        return linear
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, str):
        return look_up(identifier, _NAMES, "activation")
    if callable(identifier):
        return cast(Activation, identifier)
    raise TypeError(
        f"An activation is a name, a callable or None, not {type(identifier).__name__}."
    )


def serialize(activation: Any) -> Any:
    """Return an activation's name, or for other callables than those here a description.

    Raises
    ------
    TypeError
        If it is a function that is not registered.

    Examples
    --------
    >>> serialize(relu)
    'relu'
    """
    name = getattr(activation, "__name__", None)
    if name is not None and _NAMES.get(name) is activation:
        return name
    return serialization.serialize(activation, "activation")


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Activation:
    """Return the activation that `serialize` turned into data.

    Parameters
    ----------
    config
        A name, or a description.
    custom_objects
        Functions and classes of your own, by name.

    Raises
    ------
    ValueError
        If the name is unknown.

    Examples
    --------
    >>> deserialize("relu") is relu
    True
    """
    with serialization.custom_object_scope(custom_objects):
        if isinstance(config, dict):
            return get(serialization.deserialize(config))
        own = serialization.get_registered_object(config) if isinstance(config, str) else None
        return get(config if own is None else own)
