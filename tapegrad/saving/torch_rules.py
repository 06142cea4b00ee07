"""How the parameters of PyTorch's modules become the weights of layers, a rule a layer.

===================  =========================================  ====================================
module               its parameters                             weights of the layer
===================  =========================================  ====================================
Linear               (out, in)                                  (in, out)
Conv                 (out, in / groups, *window)                (*window, in / groups, out)
ConvTranspose        (in, out, *window)                         (*window, out, in)
Conv, groups = in    (in · multiplier, 1, *window)              (*window, in, multiplier)
LSTM                 gates i, f, g, o in rows; two biases       i, f, c, o in columns; their sum
GRU                  r, z, n; two biases                        z, r, h; both (``reset_after``)
MultiheadAttention   q, k, v under one another, (3 E, E)        (E, heads, E / heads) each
===================  =========================================  ====================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

__all__ = ["RULES", "Arrays", "Unfit"]

Arrays = Mapping[str, np.ndarray]


class Unfit(Exception):
    """A module's parameters are not those of a layer; the text says why."""


def take(module: Arrays, *names: str) -> list[np.ndarray]:
    """Return the parameters of these names; the module must have them and no others."""
    missing = [name for name in names if name not in module]
    if missing:
        raise Unfit(f"it has no {', '.join(missing)}")
    others = [name for name in module if name not in names]
    if others:
        raise Unfit(f"it has {', '.join(others)}, which the layer has no place for")
    return [module[name] for name in names]


def _with_bias(layer: Any, module: Arrays, axes: int | None = None) -> list[np.ndarray]:
    names = ("weight", "bias") if layer.use_bias else ("weight",)
    found = take(module, *names)
    if axes is not None and found[0].ndim != axes:
        raise Unfit(f"its weight has {found[0].ndim} axes, not {axes}")
    return found


def dense(layer: Any, module: Arrays) -> list[np.ndarray]:
    """Linear: the kernel is the transposed weight."""
    weight, *bias = _with_bias(layer, module, 2)
    return [weight.T, *bias]


def convolution(layer: Any, module: Arrays) -> list[np.ndarray]:
    """Conv1d, Conv2d, Conv3d: the window's axes move to the front."""
    weight, *bias = _with_bias(layer, module, layer.weights[0].ndim)
    return [_windows_first(weight), *bias]


def transposed_convolution(layer: Any, module: Arrays) -> list[np.ndarray]:
    """ConvTranspose: (in, out, *window), which is (*window, out, in) here."""
    return convolution(layer, module)


def depthwise(layer: Any, module: Arrays) -> list[np.ndarray]:
    """Conv with a group for each channel: outputs c·m … c·m + m - 1 belong to channel c."""
    weight, *bias = _with_bias(layer, module, layer.weights[0].ndim)
    *_, channels, multiplier = layer.weights[0].shape
    if weight.shape[:2] != (channels * multiplier, 1):
        raise Unfit(f"its weight has shape {weight.shape}, not ({channels * multiplier}, 1, …)")
    split = weight.reshape(channels, multiplier, *weight.shape[2:])
    return [np.moveaxis(split, (0, 1), (-2, -1)), *bias]


def _separable_first(layer: Any, module: Arrays) -> list[np.ndarray]:
    (weight,) = take(module, "weight")
    *_, channels, multiplier = layer.weights[0].shape
    if weight.ndim != layer.weights[0].ndim or weight.shape[:2] != (channels * multiplier, 1):
        raise Unfit("it is not the depthwise half of the layer")
    split = weight.reshape(channels, multiplier, *weight.shape[2:])
    return [np.moveaxis(split, (0, 1), (-2, -1))]


def _windows_first(weight: np.ndarray) -> np.ndarray:
    """Return (a, b, *window) as (*window, b, a)."""
    return np.moveaxis(weight, (1, 0), (-2, -1))


def normalization(layer: Any, module: Arrays) -> list[np.ndarray]:
    """BatchNorm, LayerNorm, GroupNorm, RMSNorm: the same arrays under other names."""
    names = {
        "gamma": "weight",
        "scale": "weight",
        "beta": "bias",
        "moving_mean": "running_mean",
        "moving_variance": "running_var",
    }
    wanted = [names.get(str(variable.name), "") for variable in layer.weights]
    return take(module, *wanted)


def embedding(layer: Any, module: Arrays) -> list[np.ndarray]:
    """Embedding: the same table."""
    return take(module, "weight")


def prelu(layer: Any, module: Arrays) -> list[np.ndarray]:
    """PReLU: a slope for all, or one a channel, spread over the layer's slopes."""
    (weight,) = take(module, "weight")
    shape = layer.weights[0].shape
    if weight.ndim != 1 or weight.size not in (1, shape[-1]):
        raise Unfit(f"it has {weight.size} slopes, not 1 or {shape[-1]}")
    return [np.broadcast_to(weight, shape)]


# ---- recurrent -----------------------------------------------------------------------


def _gates(array: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
    """Return the blocks of the first axis, one a gate, in another order."""
    if len(array) % len(order):
        raise Unfit(f"its {len(array)} rows are not those of {len(order)} gates")
    blocks = np.split(array, len(order))
    return np.concatenate([blocks[index] for index in order])


def recurrent(order: tuple[int, ...]) -> Callable[[Any, Arrays], list[np.ndarray]]:
    """Return the rule for a recurrent layer or cell whose gates are these of PyTorch's."""

    def rule(layer: Any, module: Arrays) -> list[np.ndarray]:
        weights = ["weight_ih", "weight_hh"]
        biases = ["bias_ih", "bias_hh"] if layer.use_bias else []
        given = [_gates(array, order) for array in take(module, *weights, *biases)]
        kernels = [array.T for array in given[:2]]
        if not biases:
            return kernels
        if len(order) != 3:
            return [*kernels, given[2] + given[3]]
        if not layer.reset_after:
            raise Unfit("PyTorch's GRU resets after the product: the layer needs reset_after=True")
        return [*kernels, np.stack(given[2:])]

    return rule


def bidirectional(layer: Any, module: Arrays) -> list[np.ndarray]:
    """Both directions of a recurrent module; that of the backward one ends in ``_reverse``."""
    rule = find_rule(layer.forward_layer)
    if rule is None:
        raise Unfit("its inner layer has no counterpart")
    back = {name.removesuffix("_reverse"): a for name, a in module.items() if "_reverse" in name}
    forth = {name: array for name, array in module.items() if "_reverse" not in name}
    return [*rule(layer.forward_layer, forth), *rule(layer.backward_layer, back)]


# ---- attention -----------------------------------------------------------------------


def attention(layer: Any, module: Arrays) -> list[np.ndarray]:
    """MultiheadAttention: heads become an axis of their own."""
    weights = layer.weights
    with_bias = len(weights) == 8
    kernels = weights[::2] if with_bias else weights
    names = ["in_proj_weight"] if "in_proj_weight" in module else _SEPARATE
    biases = ["in_proj_bias", "out_proj.bias"] if with_bias else []
    found = dict(
        zip((*names, "out_proj.weight", *biases), take(module, *names, "out_proj.weight", *biases))
    )
    inputs = (
        np.split(found["in_proj_weight"], 3) if len(names) == 1 else [found[name] for name in names]
    )
    matrices = [*(array.T for array in inputs), found["out_proj.weight"].T]
    values = [_as_heads(m, k.shape) for m, k in zip(matrices, kernels)]
    if not with_bias:
        return values
    offsets = [*np.split(found["in_proj_bias"], 3), found["out_proj.bias"]]
    shaped = [_as_heads(b, v.shape) for b, v in zip(offsets, weights[1::2])]
    return [array for pair in zip(values, shaped) for array in pair]


_SEPARATE = ["q_proj_weight", "k_proj_weight", "v_proj_weight"]


def _as_heads(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if array.size != int(np.prod(shape)):
        raise Unfit(f"a projection of shape {array.shape} does not make up {shape}")
    return array.reshape(shape)


# ---- which rule ----------------------------------------------------------------------

Rule = Callable[[Any, Arrays], list[np.ndarray]]

RULES: dict[str, Rule] = {
    "Dense": dense,
    "Conv1D": convolution,
    "Conv2D": convolution,
    "Conv3D": convolution,
    "Conv1DTranspose": transposed_convolution,
    "Conv2DTranspose": transposed_convolution,
    "DepthwiseConv1D": depthwise,
    "DepthwiseConv2D": depthwise,
    "BatchNormalization": normalization,
    "LayerNormalization": normalization,
    "GroupNormalization": normalization,
    "RMSNormalization": normalization,
    "Embedding": embedding,
    "PReLU": prelu,
    "SimpleRNN": recurrent((0,)),
    "SimpleRNNCell": recurrent((0,)),
    "LSTM": recurrent((0, 1, 2, 3)),
    "LSTMCell": recurrent((0, 1, 2, 3)),
    "GRU": recurrent((1, 0, 2)),
    "GRUCell": recurrent((1, 0, 2)),
    "Bidirectional": bidirectional,
    "MultiHeadAttention": attention,
}

# Layers that are two modules of PyTorch: how many weights the first one has, and both rules.
PAIRS: dict[str, tuple[int, Rule, Rule]] = {
    "SeparableConv1D": (1, _separable_first, convolution),
    "SeparableConv2D": (1, _separable_first, convolution),
}


def find_rule(layer: Any) -> Rule | None:
    """Return the rule for a layer, or for what it is a subclass of."""
    for kind in type(layer).__mro__:
        if kind.__name__ in RULES:
            return RULES[kind.__name__]
    return None
