"""Layers with arguments and inputs, as plain data that both libraries understand.

`make_layer_reference.py` runs them with Keras, the tests with tapegrad. Nothing is imported here
but NumPy, so that either can.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """A call of a layer.

    Attributes
    ----------
    layer, options
        The class and its arguments.
    shapes
        Of the inputs.
    given
        How they are passed: one ("single"), as a list ("list"), one after the other ("arguments").
    masks
        What the inputs carry: for each a shape of booleans, or None.
    call
        Further arguments of the call. ``("mask", shape)`` stands for booleans of this shape.
    training
        The argument ``training``, if the layer takes it.
    inner
        The layer that a wrapper wraps: a class and arguments.
    calls
        How often the layer is called; the last call counts.
    """

    layer: str
    shapes: tuple[tuple[int, ...], ...]
    options: dict[str, Any] = field(default_factory=dict)
    given: str = "single"
    masks: tuple[tuple[int, ...] | None, ...] | None = None
    call: dict[str, Any] = field(default_factory=dict)
    training: bool | None = None
    inner: tuple[str, dict[str, Any]] | None = None
    calls: int = 1


def _rng(name: str, *what: Any) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr((name, *what)).encode()))


def inputs_of(name: str, case: Case) -> list[np.ndarray]:
    """Return the inputs of a case, float64."""
    return [_rng(name, "input", i).normal(size=shape) for i, shape in enumerate(case.shapes)]


def booleans(name: str, what: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return a mask: about two thirds True, and the first column all True."""
    mask = _rng(name, "mask", what).random(shape) < 0.65
    mask[..., 0] = True
    return mask


def masks_of(name: str, case: Case) -> list[np.ndarray | None]:
    """Return the masks that the inputs carry."""
    if case.masks is None:
        return [None] * len(case.shapes)
    return [None if s is None else booleans(name, i, s) for i, s in enumerate(case.masks)]


def call_arguments(name: str, case: Case) -> dict[str, Any]:
    """Return the further arguments of the call."""
    return {
        key: booleans(name, key, value[1])
        if isinstance(value, tuple) and value[0] == "mask"
        else value
        for key, value in case.call.items()
    }


def weight_values(name: str, index: int, shape: tuple[int, ...], trainable: bool) -> np.ndarray:
    """Return the values of a weight; those that are not trained are positive, as variances are."""
    values = 0.5 * _rng(name, "weight", index).normal(size=shape)
    return values if trainable else np.abs(values) + 0.5


def output_gradient(shape: tuple[int, ...]) -> np.ndarray:
    """Return what an output is multiplied by to make the loss."""
    return np.cos(1.0 + np.arange(np.prod(shape, dtype=int))).reshape(shape)


B, T, S, F = 2, 4, 5, 3
SEQUENCE = (B, T, F)
IMAGE = (B, 4, 3, 6)

CASES: dict[str, Case] = {}

# ---- merging -------------------------------------------------------------------------

for _layer in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"):
    CASES[f"{_layer}/two"] = Case(_layer, (SEQUENCE, SEQUENCE), given="list")
    CASES[f"{_layer}/broadcast"] = Case(_layer, (SEQUENCE, (B, 1, F)), given="list")
    CASES[f"{_layer}/ranks"] = Case(_layer, (SEQUENCE, (B, F)), given="list")
    CASES[f"{_layer}/masks"] = Case(
        _layer, (SEQUENCE, SEQUENCE), given="list", masks=((B, T), (B, T))
    )
    CASES[f"{_layer}/one_mask"] = Case(
        _layer, (SEQUENCE, SEQUENCE), given="list", masks=((B, T), None)
    )
    if _layer != "Subtract":
        CASES[f"{_layer}/three"] = Case(_layer, (SEQUENCE,) * 3, given="list")
        CASES[f"{_layer}/three_masks"] = Case(
            _layer, (SEQUENCE,) * 3, given="list", masks=((B, T), (B, T), (B, T))
        )
CASES |= {
    "Concatenate/last": Case("Concatenate", (SEQUENCE, (B, T, 2)), given="list"),
    "Concatenate/axis1": Case("Concatenate", (SEQUENCE, (B, 2, F)), {"axis": 1}, given="list"),
    "Concatenate/three": Case("Concatenate", ((B, 1), (B, 2), (B, 3)), given="list"),
    "Concatenate/masks": Case(
        "Concatenate", (SEQUENCE, (B, 2, F)), {"axis": 1}, "list", ((B, T), (B, 2))
    ),
    "Concatenate/one_mask": Case(
        "Concatenate", (SEQUENCE, (B, 2, F)), {"axis": 1}, "list", (None, (B, 2))
    ),
    "Concatenate/features_masks": Case(
        "Concatenate", (SEQUENCE, SEQUENCE), {}, "list", ((B, T), (B, T))
    ),
    "Dot/vectors": Case("Dot", ((B, F), (B, F)), {"axes": 1}, given="list"),
    "Dot/matrices": Case("Dot", (SEQUENCE, (B, F, S)), {"axes": (2, 1)}, given="list"),
    "Dot/last": Case("Dot", (SEQUENCE, (B, S, F)), {"axes": -1}, given="list"),
    "Dot/middle": Case("Dot", ((B, T, 2), (B, T, 5)), {"axes": 1}, given="list"),
    "Dot/four": Case("Dot", ((B, 2, 3, 4), (B, 4, 5)), {"axes": (3, 1)}, given="list"),
    "Dot/mixed": Case("Dot", (SEQUENCE, (B, F)), {"axes": (2, 1)}, given="list"),
    "Dot/cosine": Case(
        "Dot", (SEQUENCE, (B, S, F)), {"axes": (2, 2), "normalize": True}, given="list"
    ),
}

# ---- activation ----------------------------------------------------------------------

CASES |= {
    "Activation/gelu": Case("Activation", (SEQUENCE,), {"activation": "gelu"}, masks=((B, T),)),
    "ReLU": Case("ReLU", (SEQUENCE,)),
    "ReLU/all": Case(
        "ReLU", (SEQUENCE,), {"max_value": 0.9, "negative_slope": 0.3, "threshold": 0.2}
    ),
    "ReLU/threshold": Case("ReLU", (SEQUENCE,), {"threshold": 0.2}),
    "LeakyReLU": Case("LeakyReLU", (SEQUENCE,)),
    "LeakyReLU/slope": Case("LeakyReLU", (SEQUENCE,), {"negative_slope": 0.05}),
    "ELU": Case("ELU", (SEQUENCE,), {"alpha": 0.7}),
    "PReLU": Case("PReLU", (SEQUENCE,), masks=((B, T),)),
    "PReLU/shared": Case("PReLU", (IMAGE,), {"shared_axes": [1, 2]}),
    "Softmax": Case("Softmax", (SEQUENCE,)),
    "Softmax/axis": Case("Softmax", (SEQUENCE,), {"axis": 1}),
    "Softmax/axes": Case("Softmax", (IMAGE,), {"axis": (1, 2)}),
    "Softmax/mask": Case("Softmax", (SEQUENCE,), call={"mask": ("mask", (B, T, F))}),
    "Softmax/mask_axes": Case(
        "Softmax", (IMAGE,), {"axis": (1, 2)}, call={"mask": ("mask", (B, 4, 3, 1))}
    ),
}

# ---- normalization -------------------------------------------------------------------

for _training in (False, True):
    _mode = "training" if _training else "inference"
    CASES |= {
        f"BatchNormalization/{_mode}": Case(
            "BatchNormalization", (IMAGE,), training=_training, calls=2
        ),
        f"BatchNormalization/vectors_{_mode}": Case(
            "BatchNormalization",
            ((7, 3),),
            {"momentum": 0.8, "epsilon": 0.01, "scale": False},
            training=_training,
        ),
        f"BatchNormalization/axis1_{_mode}": Case(
            "BatchNormalization", (IMAGE,), {"axis": 1, "center": False}, training=_training
        ),
        f"BatchNormalization/mask_{_mode}": Case(
            "BatchNormalization", (SEQUENCE,), masks=((B, T),), training=_training
        ),
        f"BatchNormalization/frozen_{_mode}": Case(
            "BatchNormalization", (SEQUENCE,), {"trainable": False}, training=_training
        ),
        f"BatchNormalization/renorm_{_mode}": Case(
            "BatchNormalization", (SEQUENCE,), {"renorm": True}, training=_training, calls=2
        ),
    }
CASES |= {
    "BatchNormalization/renorm_clipped": Case(
        "BatchNormalization",
        (SEQUENCE,),
        {
            "renorm": True,
            "renorm_momentum": 0.7,
            "renorm_clipping": {"rmin": 0.8, "rmax": 1.2, "dmax": 0.3},
        },
        training=True,
    ),
    "BatchNormalization/renorm_plain": Case(
        "BatchNormalization",
        (SEQUENCE,),
        {"renorm": True, "scale": False, "center": False},
        training=True,
    ),
    "LayerNormalization": Case("LayerNormalization", (SEQUENCE,), masks=((B, T),)),
    "LayerNormalization/axes": Case("LayerNormalization", (IMAGE,), {"axis": [1, 3]}),
    "LayerNormalization/trailing": Case(
        "LayerNormalization", (IMAGE,), {"axis": [2, 3], "center": False, "epsilon": 0.1}
    ),
    "LayerNormalization/plain": Case(
        "LayerNormalization", (SEQUENCE,), {"center": False, "scale": False}
    ),
    "GroupNormalization": Case("GroupNormalization", (IMAGE,), {"groups": 3}),
    "GroupNormalization/instance": Case("GroupNormalization", (IMAGE,), {"groups": -1}),
    "GroupNormalization/one": Case(
        "GroupNormalization", (SEQUENCE,), {"groups": 1, "scale": False}, masks=((B, T),)
    ),
    "GroupNormalization/axis1": Case(
        "GroupNormalization", (IMAGE,), {"groups": 2, "axis": 1, "epsilon": 0.1}
    ),
    "GroupNormalization/vectors": Case("GroupNormalization", ((3, 6),), {"groups": 2}),
    "RMSNormalization": Case("RMSNormalization", (SEQUENCE,)),
    "RMSNormalization/axes": Case("RMSNormalization", (IMAGE,), {"axis": [2, 3], "epsilon": 0.1}),
    "UnitNormalization": Case("UnitNormalization", (SEQUENCE,), masks=((B, T),)),
    "UnitNormalization/axes": Case("UnitNormalization", (IMAGE,), {"axis": (1, 2)}),
    "SpectralNormalization/training": Case(
        "SpectralNormalization",
        ((B, F),),
        {"power_iterations": 3},
        inner=("Dense", {"units": 4}),
        training=True,
        calls=2,
    ),
    "SpectralNormalization/inference": Case(
        "SpectralNormalization", ((B, F),), inner=("Dense", {"units": 4}), training=False
    ),
    "SpectralNormalization/convolution": Case(
        "SpectralNormalization",
        (IMAGE,),
        inner=("Conv2D", {"filters": 2, "kernel_size": 2}),
        training=True,
    ),
}

# ---- core and preprocessing ----------------------------------------------------------

for _equation, _output, _bias, _shape in (
    ("ab,bc->ac", 4, "c", (B, F)),
    ("ab,bc->ac", 4, None, (B, F)),
    ("abc,cd->abd", (None, 4), "d", SEQUENCE),
    ("abc,cde->abde", (None, 2, 4), "de", SEQUENCE),
    ("abc,cde->abde", (None, 2, 4), "e", SEQUENCE),
    ("abc,cde->abde", (None, 2, 4), "d", SEQUENCE),
    ("abcd,cde->abe", (None, 5), "e", IMAGE),
    ("abc,bd->adc", (5, None), "d", SEQUENCE),
    ("abc,bcd->abd", (4, 4), "d", SEQUENCE),
    ("abc,cd->ad", 4, None, SEQUENCE),
    ("...b,bc->...c", (4,), "c", SEQUENCE),
    ("...b,bc->...c", (4,), "c", (B, F)),
    ("ab...,bc->ac...", (4,), "c", IMAGE),
):
    CASES[f"EinsumDense/{_equation}/{_bias}/{len(_shape)}"] = Case(
        "EinsumDense",
        (_shape,),
        {"equation": _equation, "output_shape": _output, "bias_axes": _bias, "activation": "tanh"},
    )
CASES |= {
    "Identity": Case("Identity", (SEQUENCE,), masks=((B, T),)),
    "Dense/masked": Case("Dense", (SEQUENCE,), {"units": 2, "activation": "tanh"}, masks=((B, T),)),
    "Rescaling": Case("Rescaling", (SEQUENCE,), {"scale": 0.5, "offset": -1.0}, masks=((B, T),)),
    "Rescaling/channels": Case(
        "Rescaling", (SEQUENCE,), {"scale": [0.5, 2.0, 3.0], "offset": [1.0, 0.0, -1.0]}
    ),
    "Normalization": Case("Normalization", (SEQUENCE,)),
    "Normalization/given": Case(
        "Normalization", (SEQUENCE,), {"mean": [1.0, 2.0, 3.0], "variance": [4.0, 1.0, 0.25]}
    ),
    "Normalization/number": Case(
        "Normalization", (SEQUENCE,), {"axis": None, "mean": 3.0, "variance": 2.0}
    ),
    "Normalization/invert": Case("Normalization", (SEQUENCE,), {"invert": True, "axis": 1}),
    "Normalization/axes": Case("Normalization", (IMAGE,), {"axis": (1, 3)}),
    "Normalization/last_of_two": Case(
        "Normalization",
        (SEQUENCE,),
        {"axis": (1, 2), "mean": [1.0, 2.0, 3.0], "variance": [4.0, 1.0, 0.25]},
    ),
}

# ---- attention -----------------------------------------------------------------------

QVK = ((B, T, F), (B, S, 6), (B, S, F))
QV = ((B, T, F), (B, S, F))
for _name, _options in (
    ("Attention", {}),
    ("Attention", {"use_scale": True}),
    ("Attention", {"score_mode": "concat"}),
    ("Attention", {"score_mode": "concat", "use_scale": True}),
    ("AdditiveAttention", {}),
    ("AdditiveAttention", {"use_scale": False}),
):
    _tag = _name + "".join(f"/{key}={value}" for key, value in _options.items())
    CASES |= {
        f"{_tag}/two": Case(_name, QV, _options, "list"),
        f"{_tag}/three": Case(_name, QVK, _options, "list"),
        f"{_tag}/masks": Case(_name, QV, _options, "list", ((B, T), (B, S))),
        f"{_tag}/value_mask": Case(_name, QV, _options, "list", (None, (B, S))),
        f"{_tag}/causal": Case(_name, QVK, _options, "list", call={"use_causal_mask": True}),
        f"{_tag}/causal_masks": Case(
            _name, QVK, _options, "list", ((B, T), (B, S), None), {"use_causal_mask": True}
        ),
        f"{_tag}/scores": Case(
            _name, QVK, _options, "list", (None, (B, S), None), {"return_attention_scores": True}
        ),
    }

MHA = {"num_heads": 2, "key_dim": 4}
IMAGES = ((B, 2, 3, F), (B, 2, 4, F))


def _attention_cases(layer: str, options: dict[str, Any], third: int) -> dict[str, Case]:
    three = ((B, T, F), (B, S, F), (B, S, third))
    two = three[:2]

    def case(shapes: Any, masks: Any = None, more: Any = None, **call: Any) -> Case:
        return Case(layer, shapes, {**options, **(more or {})}, "arguments", masks, call)

    return {
        f"{layer}/two": case(two),
        f"{layer}/three": case(three),
        f"{layer}/self": case((two[0], two[0]), use_causal_mask=True),
        f"{layer}/no_bias": case(two, more={"use_bias": False}),
        f"{layer}/gate": case(two, more={"use_gate": True}),
        f"{layer}/window": case(two, more={"sliding_window": 2}),
        f"{layer}/window_causal": case(two, more={"sliding_window": 2}, use_causal_mask=True),
        f"{layer}/query_mask": case(two, ((B, T), None)),
        f"{layer}/value_mask": case(two, (None, (B, S))),
        f"{layer}/key_mask": case(three, ((B, T), (B, S), (B, S))),
        f"{layer}/explicit_value_mask": case(two, value_mask=("mask", (B, S))),
        f"{layer}/explicit_query_mask": case(two, query_mask=("mask", (B, T))),
        f"{layer}/attention_mask": case(two, attention_mask=("mask", (B, T, S))),
        f"{layer}/mask_of_heads": case(two, attention_mask=("mask", (B, 2, T, S))),
        f"{layer}/causal_masks": case(three, ((B, T), (B, S), None), use_causal_mask=True),
        f"{layer}/scores": case(two, return_attention_scores=True),
        f"{layer}/scores_masks": case(
            three, ((B, T), (B, S), None), return_attention_scores=True, use_causal_mask=True
        ),
        f"{layer}/scores_causal": case(two, return_attention_scores=True, use_causal_mask=True),
        f"{layer}/dropout_inference": case(two, ((B, T), (B, S)), more={"dropout": 0.5}),
    }


CASES |= _attention_cases("MultiHeadAttention", MHA, 6)
CASES |= _attention_cases(
    "GroupQueryAttention", {"head_dim": 3, "num_query_heads": 2, "num_key_value_heads": 1}, 6
)
CASES |= {
    "GroupQueryAttention/groups": Case(
        "GroupQueryAttention",
        ((B, T, F), (B, S, F)),
        {"head_dim": 3, "num_query_heads": 6, "num_key_value_heads": 2},
        "arguments",
        (None, (B, S)),
    ),
    "GroupQueryAttention/groups_scores": Case(
        "GroupQueryAttention",
        ((B, T, F), (B, S, F)),
        {"head_dim": 3, "num_query_heads": 6, "num_key_value_heads": 2},
        "arguments",
        call={"return_attention_scores": True},
    ),
    "MultiHeadAttention/value_dim": Case(
        "MultiHeadAttention", QV, {**MHA, "value_dim": 5, "output_shape": 7}, "arguments"
    ),
    "MultiHeadAttention/output_shape": Case(
        "MultiHeadAttention", QV, {**MHA, "output_shape": (2, 3)}, "arguments"
    ),
    "MultiHeadAttention/images": Case("MultiHeadAttention", IMAGES, MHA, "arguments"),
    "MultiHeadAttention/images_scores": Case(
        "MultiHeadAttention", IMAGES, MHA, "arguments", call={"return_attention_scores": True}
    ),
    "MultiHeadAttention/rows": Case(
        "MultiHeadAttention", IMAGES, {**MHA, "attention_axes": (2,)}, "arguments"
    ),
    "MultiHeadAttention/rows_scores": Case(
        "MultiHeadAttention",
        IMAGES,
        {**MHA, "attention_axes": 2},
        "arguments",
        call={"return_attention_scores": True, "attention_mask": ("mask", (B, 2, 3, 4))},
    ),
    "MultiHeadAttention/columns": Case(
        "MultiHeadAttention",
        ((B, 2, 3, F), (B, 4, 3, F)),
        {**MHA, "attention_axes": (1,)},
        "arguments",
    ),
    "MultiHeadAttention/images_mask": Case(
        "MultiHeadAttention",
        IMAGES,
        {**MHA, "attention_axes": (1, 2)},
        "arguments",
        call={"attention_mask": ("mask", (B, 2, 3, 2, 4))},
    ),
}
