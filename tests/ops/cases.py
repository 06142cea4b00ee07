"""One entry for each primitive: how to call it, and what NumPy says it should give.

Larger families have files of their own, ``cases_*.py``, with the same two tables. The walk in
``test_registry.py`` fails if a primitive is missing in all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from case import Elementwise, Reference, Structured
from scipy import special

ANY = (-2.0, 2.0)
POSITIVE = (0.3, 3.0)
UNIT = (-0.8, 0.8)


def _sigmoid(x: Any) -> Any:
    return special.expit(x)


def _gelu_grad(g: Any, x: Any, approximate: bool) -> Any:
    if approximate:
        c, a = math.sqrt(2 / math.pi), 0.044715
        t = np.tanh(c * (x + a * x**3))
        return g * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * a * x * x))
    return g * (special.ndtr(x) + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi))


def _gelu(x: Any, approximate: bool) -> Any:
    if approximate:
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return x * special.ndtr(x)


def _binary_cross_entropy(x: Any, z: Any) -> Any:
    return np.maximum(x, 0) - x * z + np.log1p(np.exp(-np.abs(x)))


ELEMENTWISE: dict[str, Elementwise | list[Elementwise]] = {
    "add": Elementwise(np.add, (ANY, ANY)),
    "subtract": Elementwise(np.subtract, (ANY, ANY)),
    "multiply": Elementwise(np.multiply, (ANY, ANY)),
    "divide": Elementwise(np.divide, (ANY, POSITIVE)),
    "power": Elementwise(np.power, (POSITIVE, ANY)),
    "negative": Elementwise(np.negative, (ANY,)),
    "positive": Elementwise(np.positive, (ANY,)),
    "reciprocal": Elementwise(np.reciprocal, (POSITIVE,)),
    "square": Elementwise(np.square, (ANY,)),
    "sqrt": Elementwise(np.sqrt, (POSITIVE,)),
    "cbrt": Elementwise(np.cbrt, (POSITIVE,)),
    "absolute": Elementwise(np.absolute, (POSITIVE,)),
    "fabs": Elementwise(np.fabs, ((-3.0, -0.3),)),
    "sign": Elementwise(np.sign, (ANY,)),
    "floor": Elementwise(np.floor, (ANY,)),
    "ceil": Elementwise(np.ceil, (ANY,)),
    "rint": Elementwise(np.rint, (ANY,)),
    "trunc": Elementwise(np.trunc, (ANY,)),
    "floor_divide": Elementwise(np.floor_divide, (ANY, POSITIVE)),
    "remainder": Elementwise(np.remainder, ((0.1, 0.9), (1.0, 2.0))),
    "fmod": Elementwise(np.fmod, ((2.1, 2.9), (0.97, 1.03))),
    "hypot": Elementwise(np.hypot, (POSITIVE, POSITIVE)),
    "exp": Elementwise(np.exp, (ANY,)),
    "exp2": Elementwise(np.exp2, (ANY,)),
    "expm1": Elementwise(np.expm1, (ANY,)),
    "log": Elementwise(np.log, (POSITIVE,)),
    "log2": Elementwise(np.log2, (POSITIVE,)),
    "log10": Elementwise(np.log10, (POSITIVE,)),
    "log1p": Elementwise(np.log1p, (POSITIVE,)),
    "logaddexp": Elementwise(np.logaddexp, (ANY, ANY)),
    "logaddexp2": Elementwise(np.logaddexp2, (ANY, ANY)),
    "sin": Elementwise(np.sin, (ANY,)),
    "cos": Elementwise(np.cos, (ANY,)),
    "tan": Elementwise(np.tan, (UNIT,)),
    "arcsin": Elementwise(np.arcsin, (UNIT,)),
    "arccos": Elementwise(np.arccos, (UNIT,)),
    "arctan": Elementwise(np.arctan, (ANY,)),
    "arctan2": Elementwise(np.arctan2, (POSITIVE, POSITIVE)),
    "sinh": Elementwise(np.sinh, (ANY,)),
    "cosh": Elementwise(np.cosh, (ANY,)),
    "tanh": Elementwise(np.tanh, (ANY,)),
    "arcsinh": Elementwise(np.arcsinh, (ANY,)),
    "arccosh": Elementwise(np.arccosh, ((1.5, 3.0),)),
    "arctanh": Elementwise(np.arctanh, (UNIT,)),
    "deg2rad": Elementwise(np.deg2rad, (ANY,)),
    "rad2deg": Elementwise(np.rad2deg, (ANY,)),
    "tanh_grad": Elementwise(lambda g, y: g * (1 - y * y), (ANY, UNIT)),
    "sigmoid": Elementwise(_sigmoid, (ANY,)),
    "sigmoid_grad": Elementwise(lambda g, y: g * y * (1 - y), (ANY, (0.1, 0.9))),
    "relu": Elementwise(lambda x: np.maximum(x, 0), (POSITIVE,)),
    "relu_grad": Elementwise(lambda g, y: g * (y > 0), (ANY, POSITIVE)),
    "softplus": Elementwise(lambda x: np.logaddexp(x, 0), (ANY,)),
    "softplus_grad": Elementwise(lambda g, x: g * _sigmoid(x), (ANY, ANY)),
    "erf": Elementwise(special.erf, (ANY,)),
    "erf_grad": Elementwise(lambda g, x: g * 2 / math.sqrt(math.pi) * np.exp(-x * x), (ANY, ANY)),
    "gelu": [
        Elementwise(_gelu, (ANY,), {"approximate": False}),
        Elementwise(_gelu, (ANY,), {"approximate": True}),
    ],
    "gelu_grad": [
        Elementwise(_gelu_grad, (ANY, ANY), {"approximate": False}),
        Elementwise(_gelu_grad, (ANY, ANY), {"approximate": True}),
    ],
    "sigmoid_cross_entropy": Elementwise(_binary_cross_entropy, (ANY, (0.1, 0.9))),
    "sigmoid_cross_entropy_grad": Elementwise(
        lambda g, x, z: g * (_sigmoid(x) - z), (ANY, ANY, (0.1, 0.9))
    ),
    "maximum": Elementwise(np.maximum, (ANY, ANY)),
    "minimum": Elementwise(np.minimum, (ANY, ANY)),
    "fmax": Elementwise(np.fmax, (ANY, ANY)),
    "fmin": Elementwise(np.fmin, (ANY, ANY)),
    "equal": Elementwise(np.equal, (ANY, ANY)),
    "not_equal": Elementwise(np.not_equal, (ANY, ANY)),
    "less": Elementwise(np.less, (ANY, ANY)),
    "less_equal": Elementwise(np.less_equal, (ANY, ANY)),
    "greater": Elementwise(np.greater, (ANY, ANY)),
    "greater_equal": Elementwise(np.greater_equal, (ANY, ANY)),
    "logical_and": Elementwise(np.logical_and, (ANY, ANY)),
    "logical_or": Elementwise(np.logical_or, (ANY, ANY)),
    "logical_xor": Elementwise(np.logical_xor, (ANY, ANY)),
    "logical_not": Elementwise(np.logical_not, (ANY,)),
    "isnan": Elementwise(np.isnan, (ANY,)),
    "isinf": Elementwise(np.isinf, (ANY,)),
    "isfinite": Elementwise(np.isfinite, (ANY,)),
    "signbit": Elementwise(np.signbit, (ANY,)),
    "bitwise_and": Elementwise(np.bitwise_and, ((0, 9), (0, 9)), kind="i"),
    "bitwise_or": Elementwise(np.bitwise_or, ((0, 9), (0, 9)), kind="i"),
    "bitwise_xor": Elementwise(np.bitwise_xor, ((0, 9), (0, 9)), kind="i"),
    "invert": Elementwise(np.invert, ((0, 9),), kind="i"),
    "identity": Elementwise(lambda x: x, (ANY,)),
    "clip": Elementwise(np.clip, (ANY, (-1.0, -0.5), (0.5, 1.0))),
}


def _normal(*shapes: tuple[int, ...]) -> Callable[[np.random.Generator], tuple[Any, ...]]:
    return lambda g: tuple(g.standard_normal(shape) for shape in shapes)


def _reductions(name: str, reference: Reference) -> list[Structured]:
    return [
        Structured(
            f"{shape} axis={axis} keepdims={keepdims}",
            _normal(shape),
            reference,
            {"axis": axis, "keepdims": keepdims},
        )
        for shape, axis, keepdims in [
            ((2, 3), None, False),
            ((2, 3), 0, False),
            ((2, 3), -1, True),
            ((2, 3, 4), (0, 2), False),
            ((2, 3, 4), 1, True),
            ((4,), None, True),
            ((), None, False),
        ]
    ]


def _softmax(x: Any, axis: int = -1) -> Any:
    return special.softmax(x, axis=axis)


def _softmax_grad(g: Any, y: Any, axis: int) -> Any:
    return y * (g - (g * y).sum(axis=axis, keepdims=True))


def _log_softmax_grad(g: Any, y: Any, axis: int) -> Any:
    return g - np.exp(y) * g.sum(axis=axis, keepdims=True)


def _distribution(targets: Any, like: Any) -> Any:
    return np.eye(like.shape[-1])[targets] if targets.dtype.kind in "iu" else targets


def _cross_entropy(logits: Any, targets: Any) -> Any:
    t = _distribution(targets, logits)
    return -(t * special.log_softmax(logits, axis=-1)).sum(-1), _softmax(logits)


def _cross_entropy_grad(g: Any, p: Any, targets: Any) -> Any:
    t = _distribution(targets, p)
    return g[..., None] * (p * t.sum(-1, keepdims=True) - t)


def _matmul(a: Any, b: Any, transpose_a: bool, transpose_b: bool) -> Any:
    return np.matmul(
        np.swapaxes(a, -1, -2) if transpose_a else a, np.swapaxes(b, -1, -2) if transpose_b else b
    )


_ACTIVATIONS: dict[str | None, Reference] = {
    None: lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
}


def _dense(x: Any, w: Any, b: Any = 0.0, *, activation: str | None) -> Any:
    return _ACTIVATIONS[activation](x @ w + b)


def _gradient_and_output(shape: tuple[int, ...]) -> Any:
    """A gradient, and an output of relu that no small step takes to the other side of 0."""

    def make(generator: np.random.Generator) -> tuple[Any, ...]:
        y = generator.normal(size=shape)
        return generator.normal(size=shape), np.where(y > 0, y + 0.1, 0.0)

    return make


def _relu_bias_grad(g: Any, y: Any) -> Any:
    by_x = np.where(y > 0, g, 0)
    return by_x, by_x.reshape(-1, g.shape[-1]).sum(0)


def _index_add(g: Any, index: Any, shape: tuple[int, ...]) -> Any:
    result = np.zeros(shape, g.dtype)
    np.add.at(result, index, g)
    return result


def _sum_to_shape(x: Any, shape: tuple[int, ...]) -> Any:
    lead = x.ndim - len(shape)
    x = x.sum(axis=tuple(range(lead)))
    axes = tuple(i for i, n in enumerate(shape) if n == 1)
    return x.sum(axis=axes, keepdims=True) if axes else x


_INDICES: list[tuple[str, Any]] = [
    ("integer", 1),
    ("slice", slice(None, None, 2)),
    ("negative step", (slice(None), slice(None, None, -1))),
    ("ellipsis and new axis", (Ellipsis, None, 0)),
    ("integers with duplicates", np.array([0, 0, 2, -1])),
    ("two index arrays", (np.array([0, 2, 2]), np.array([1, 1, 0]))),
    ("index array and slice", (slice(1, None), np.array([[0, 1], [1, 1]]))),
    ("mask", np.array([True, False, True])),
    ("nothing", ()),
]

STRUCTURED: dict[str, list[Structured]] = {
    "sum": _reductions("sum", np.sum),
    "mean": _reductions("mean", np.mean),
    "prod": _reductions("prod", np.prod),
    "max": _reductions("max", np.max),
    "min": _reductions("min", np.min),
    "logsumexp": _reductions("logsumexp", special.logsumexp),
    "any": _reductions("any", np.any),
    "all": _reductions("all", np.all),
    "argmax": [
        Structured("rows", _normal((3, 4)), np.argmax, {"axis": -1, "keepdims": False}),
        Structured("all", _normal((3, 4)), np.argmax, {"axis": None, "keepdims": False}),
    ],
    "argmin": [
        Structured("rows", _normal((3, 4)), np.argmin, {"axis": 0, "keepdims": True}),
    ],
    "softmax": [
        Structured("rows", _normal((3, 4)), _softmax, {"axis": -1}),
        Structured("columns", _normal((3, 4)), _softmax, {"axis": 0}),
        Structured("middle", _normal((2, 3, 4)), _softmax, {"axis": 1}),
    ],
    "softmax_grad": [
        Structured(
            "rows",
            lambda g: (g.standard_normal((3, 4)), _softmax(g.standard_normal((3, 4)))),
            _softmax_grad,
            {"axis": -1},
            (0, 1),
        ),
        Structured(
            "columns",
            lambda g: (g.standard_normal((3, 4)), _softmax(g.standard_normal((3, 4)), 0)),
            _softmax_grad,
            {"axis": 0},
            (0, 1),
        ),
    ],
    "log_softmax": [
        Structured("rows", _normal((3, 4)), special.log_softmax, {"axis": -1}),
        Structured("columns", _normal((3, 4)), special.log_softmax, {"axis": 0}),
    ],
    "log_softmax_grad": [
        Structured(
            "rows",
            lambda g: (
                g.standard_normal((3, 4)),
                special.log_softmax(g.standard_normal((3, 4)), axis=-1),
            ),
            _log_softmax_grad,
            {"axis": -1},
            (0, 1),
        ),
    ],
    "softmax_cross_entropy": [
        Structured(
            "labels",
            lambda g: (g.standard_normal((4, 3)), np.array([0, 2, 1, 2])),
            _cross_entropy,
        ),
        Structured(
            "distributions",
            lambda g: (g.standard_normal((4, 3)), _softmax(g.standard_normal((4, 3)))),
            _cross_entropy,
            smooth=(0, 1),
        ),
        Structured(
            "more axes",
            lambda g: (g.standard_normal((2, 2, 3)), np.array([[0, 2], [1, 2]])),
            _cross_entropy,
        ),
    ],
    "softmax_cross_entropy_grad": [
        Structured(
            "labels",
            lambda g: (
                g.standard_normal(4),
                _softmax(g.standard_normal((4, 3))),
                np.array([0, 2, 1, 2]),
            ),
            _cross_entropy_grad,
            smooth=(0, 1),
        ),
        Structured(
            "distributions",
            lambda g: (
                g.standard_normal(4),
                _softmax(g.standard_normal((4, 3))),
                _softmax(g.standard_normal((4, 3))),
            ),
            _cross_entropy_grad,
            smooth=(0, 1, 2),
        ),
    ],
    "matmul": [
        Structured(
            f"{a} @ {b} {flags}",
            _normal(a, b),
            _matmul,
            {"transpose_a": flags[0], "transpose_b": flags[1]},
            (0, 1),
        )
        for a, b, flags in [
            ((2, 3), (3, 4), (False, False)),
            ((3, 2), (3, 4), (True, False)),
            ((2, 3), (4, 3), (False, True)),
            ((3, 2), (4, 3), (True, True)),
            ((5, 2, 3), (5, 3, 2), (False, False)),
            ((5, 2, 3), (2, 3), (False, True)),
            ((1, 3, 2), (4, 3, 2), (True, False)),
        ]
    ],
    "dense": [
        Structured(
            f"{activation} {shape}",
            _normal(shape, (3, 2), (2,)),
            _dense,
            {"activation": activation},
            (0, 1, 2),
        )
        for activation in (None, "tanh", "sigmoid", "relu")
        for shape in ((4, 3), (2, 2, 3))
    ]
    + [Structured("no bias", _normal((4, 3), (3, 2)), _dense, {"activation": None}, (0, 1))],
    "relu_bias_grad": [
        Structured(f"{shape}", _gradient_and_output(shape), _relu_bias_grad)
        for shape in ((4, 3), (2, 3, 2), (3,))
    ],
    "reshape": [
        Structured("2-D", _normal((2, 6)), lambda x, shape: x.reshape(shape), {"shape": (3, -1)})
    ],
    "transpose": [
        Structured("3-D", _normal((2, 3, 4)), np.transpose, {"axes": (2, 0, 1)}),
        Structured("2-D", _normal((2, 3)), np.transpose, {"axes": (1, 0)}),
    ],
    "broadcast_to": [
        Structured("new axis", _normal((3, 1)), np.broadcast_to, {"shape": (2, 3, 4)}),
        Structured("scalar", _normal(()), np.broadcast_to, {"shape": (2,)}),
    ],
    "sum_to_shape": [
        Structured("leading", _normal((2, 3, 4)), _sum_to_shape, {"shape": (3, 1)}),
        Structured("to scalar", _normal((2, 3)), _sum_to_shape, {"shape": ()}),
        Structured("same", _normal((2, 3)), _sum_to_shape, {"shape": (2, 3)}),
    ],
    "concatenate": [
        Structured(
            f"axis {axis}",
            _normal((2, 3), (2, 3)),
            lambda *xs, axis: np.concatenate(xs, axis),
            {"axis": axis},
            (0, 1),
        )
        for axis in (0, 1, -1)
    ],
    "pad": [
        Structured(
            "constant",
            _normal((2, 3)),
            lambda x, pad_width, constant_values: np.pad(
                x, pad_width, constant_values=constant_values
            ),
            {"pad_width": ((1, 0), (2, 3)), "constant_values": 1.5},
        )
    ],
    "getitem": [
        Structured(label, _normal((3, 2)), lambda x, index: x[index], {"index": index})
        for label, index in _INDICES
    ],
    "index_add": [
        Structured(
            label,
            _normal(np.zeros((3, 2))[index].shape),
            _index_add,
            {"index": index, "shape": (3, 2)},
        )
        for label, index in _INDICES
    ],
    "where": [
        Structured(
            "broadcast",
            lambda g: (
                np.array([True, False, True]),
                g.standard_normal((2, 3)),
                g.standard_normal((2, 1)),
            ),
            np.where,
            smooth=(1, 2),
        )
    ],
    "cumsum": [
        Structured("rows", _normal((2, 3)), np.cumsum, {"axis": 1}),
        Structured("columns", _normal((2, 3)), np.cumsum, {"axis": 0}),
    ],
}
