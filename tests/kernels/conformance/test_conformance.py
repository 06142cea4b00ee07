"""One set of cases for both devices: name, arguments, float64 reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import scipy.special

# The simulator computes with NumPy scalars, which warn of what arrays do silently.
pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")

DTYPES = ("float32", "float64")
TOLERANCE = {"float32": 3e-6, "float64": 1e-13}


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    """Return reproducible normal numbers."""
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def labels(count: int, classes: int) -> np.ndarray:
    """Return reproducible class labels."""
    return np.random.default_rng(count).integers(0, classes, count)


@dataclass(frozen=True)
class Case:
    """A call of a kernel and what it must give."""

    label: str
    name: str
    args: tuple[Any, ...]
    reference: Callable[..., Any]
    params: dict[str, Any] = field(default_factory=dict)
    loosen: float = 1.0
    """How much longer the chain of roundings is than that of one operation."""


def check(backend: Any, case: Case, dtype: str) -> None:
    """Run a case in one dtype and compare with its reference, computed in float64."""

    def converted(x: Any, to: str) -> Any:
        floating = isinstance(x, np.ndarray) and x.dtype.kind == "f"
        # Through `dtype` first: the reference starts from the same numbers.
        return (
            _astype(x, dtype).astype(to)
            if floating and to != dtype
            else (_astype(x, dtype) if floating else x)
        )

    got = backend.run(
        case.name,
        *(converted(x, dtype) for x in case.args),
        **{key: converted(value, dtype) for key, value in case.params.items()},
    )
    with np.errstate(all="ignore"):
        wanted = case.reference(*(converted(x, "float64") for x in case.args))
    if not isinstance(got, tuple):
        got, wanted = (got,), (wanted,)
    for ours, theirs in zip(got, wanted, strict=True):
        ours, theirs = np.asarray(ours), np.asarray(theirs)
        assert ours.shape == theirs.shape
        assert ours.dtype == (np.dtype(dtype) if theirs.dtype.kind == "f" else theirs.dtype)
        tolerance = TOLERANCE[dtype] * case.loosen
        scale = np.max(np.abs(theirs[np.isfinite(theirs)]), initial=0.0) if theirs.size else 0.0
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * float(scale) / 4)


def _astype(x: np.ndarray, dtype: str) -> np.ndarray:
    """Convert, keeping the strides of transposed and sliced arrays."""
    if x.dtype == dtype or x.flags.c_contiguous:
        return x.astype(dtype)
    if x.flags.f_contiguous:
        return x.astype(dtype, order="F")
    wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), dtype)
    wide[..., ::2] = x
    return wide[..., ::2]


SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 88.0, -88.0, 0.3, -3.0])


def relu(x: np.ndarray) -> np.ndarray:
    """Return the larger of x and 0, NaN kept."""
    return np.where(x > 0, x, np.where(np.isnan(x), x, 0.0))


def gelu(x: np.ndarray) -> np.ndarray:
    """Return x times the normal distribution function, with its limit at -Inf."""
    return np.where(x == -np.inf, -0.0, x * scipy.special.ndtr(x))


# ---- elementwise ----------------------------------------------------------------------

OVER_ALL = {
    "absolute": np.abs, "ceil": np.ceil, "cos": np.cos, "erf": scipy.special.erf, "exp": np.exp,
    "floor": np.floor, "isfinite": np.isfinite, "isinf": np.isinf, "isnan": np.isnan, "log": np.log,
    "logical_not": np.logical_not, "negative": np.negative, "relu": relu, "rint": np.rint,
    "sigmoid": scipy.special.expit, "sign": np.sign, "signbit": np.signbit, "sin": np.sin,
    "softplus": lambda x: np.logaddexp(x, 0.0), "sqrt": np.sqrt, "square": np.square,
    "tanh": np.tanh, "trunc": np.trunc, "gelu": gelu,
}  # fmt: skip
INSIDE_UNIT = (
    "arccos", "arcsin", "arcsinh", "arctan", "arctanh", "cbrt", "cosh", "deg2rad", "exp2", "expm1",
    "log10", "log1p", "log2", "rad2deg", "reciprocal", "sinh", "tan",
)  # fmt: skip
OF_TWO = (
    "add", "arctan2", "copysign", "divide", "equal", "floor_divide", "fmax", "fmin", "fmod",
    "greater", "greater_equal", "hypot", "less", "less_equal", "logaddexp", "logaddexp2",
    "logical_and", "logical_or", "logical_xor", "maximum", "minimum", "multiply", "not_equal",
    "remainder", "subtract",
)  # fmt: skip

BROADCAST = (numbers(3, 1, 4), numbers(2, 1))

ELEMENTWISE = [
    *(Case(name, name, (SPECIAL,), f) for name, f in OVER_ALL.items()),
    *(
        Case(name, name, (np.linspace(0.05, 0.9, 7),), getattr(np, name), loosen=4)
        for name in INSIDE_UNIT
    ),
    Case("arccosh", "arccosh", (np.linspace(1.1, 9.0, 5),), np.arccosh, loosen=4),
    *(
        Case(f"{name} broadcast", name, BROADCAST, getattr(np, name), loosen=4)
        for name in OF_TWO
    ),
    *(
        Case(f"{name} special", name, (SPECIAL[:, None], SPECIAL), getattr(np, name), loosen=4)
        for name in ("maximum", "minimum", "fmax", "add", "floor_divide", "remainder")
    ),
    Case("power", "power", (np.abs(numbers(5)) + 0.1, numbers(5, seed=1)), np.power, loosen=8),
    Case("number on the left", "subtract", (2.5, numbers(4)), np.subtract),
    Case("number on the right", "multiply", (numbers(4), 3), np.multiply),
    Case("0-d", "add", (np.array(2.0), np.array(0.5)), np.add),
    Case("empty", "multiply", (np.zeros((0, 3)), np.ones(3)), np.multiply),
    Case("transposed", "add", (numbers(3, 4).T, numbers(4, 3)), np.add),
    Case("every other", "exp", (numbers(3, 8)[:, ::2],), np.exp),
    Case("reversed", "exp", (numbers(6)[::-1],), np.exp),
    Case(
        "five axes", "add", (numbers(2, 1, 2, 1, 2), numbers(1, 2, 1, 2, 1)), np.add
    ),
    Case(
        "seven axes",
        "multiply",
        (numbers(2, 1, 2, 1, 2, 1, 2), numbers(1, 2, 1, 2, 1, 2, 1)),
        np.multiply,
    ),
    Case(
        "gelu by tanh",
        "gelu",
        (numbers(9) * 2,),
        lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
        {"approximate": True},
        loosen=4,
    ),
    Case("tanh_grad", "tanh_grad", (numbers(5), np.tanh(numbers(5))), lambda g, y: g * (1 - y * y)),
    Case(
        "sigmoid_grad",
        "sigmoid_grad",
        (numbers(5), scipy.special.expit(numbers(5))),
        lambda g, y: g * y * (1 - y),
    ),
    Case(
        "relu_grad",
        "relu_grad",
        (numbers(4), np.array([0.0, 1.0, -0.0, 2.0])),
        lambda g, y: np.where(y > 0, g, 0.0),
    ),
    Case(
        "relu_bias_grad",
        "relu_bias_grad",
        (numbers(3, 4, 5), np.maximum(numbers(3, 4, 5, seed=1), 0)),
        lambda g, y: (np.where(y > 0, g, 0.0), np.where(y > 0, g, 0.0).sum((0, 1))),
        loosen=4,
    ),
    Case(
        "softplus_grad",
        "softplus_grad",
        (numbers(5), numbers(5, seed=1)),
        lambda g, x: g * scipy.special.expit(x),
    ),
    Case(
        "erf_grad",
        "erf_grad",
        (numbers(5), numbers(5, seed=1)),
        lambda g, x: g * 2 / np.sqrt(np.pi) * np.exp(-x * x),
    ),
    Case(
        "gelu_grad",
        "gelu_grad",
        (numbers(5), numbers(5, seed=1)),
        lambda g, x: g * (scipy.special.ndtr(x) + x * np.exp(-x * x / 2) / np.sqrt(2 * np.pi)),
        loosen=4,
    ),
    Case(
        "sigmoid_cross_entropy",
        "sigmoid_cross_entropy",
        (np.array([1000.0, -1000.0, 0.3, -2.0]), np.array([0.0, 0.0, 1.0, 0.25])),
        lambda x, t: np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x))),
    ),
    Case(
        "sigmoid_cross_entropy_grad",
        "sigmoid_cross_entropy_grad",
        (numbers(4), numbers(4, seed=1), np.array([0.0, 1.0, 0.5, 1.0])),
        lambda g, x, t: g * (scipy.special.expit(x) - t),
        loosen=4,
    ),
    Case("where", "where", (numbers(3, 1) > 0, numbers(4), 0.0), np.where),
    Case("clip", "clip", (numbers(9),), lambda x: np.clip(x, -0.5, 0.25),
         {"min": -0.5, "max": 0.25}),
]  # fmt: skip

# ---- products -------------------------------------------------------------------------


def _products() -> list[Case]:
    cases = []
    for m, n, k in ((5, 7, 9), (33, 34, 18)):
        for transpose_a in (False, True):
            for transpose_b in (False, True):
                a = numbers(*((k, m) if transpose_a else (m, k)))
                b = numbers(*((n, k) if transpose_b else (k, n)), seed=1)
                flags = {"transpose_a": transpose_a, "transpose_b": transpose_b}
                letters = ("T" if transpose_a else "N") + ("T" if transpose_b else "N")
                cases.append(
                    Case(
                        f"gemm {m}x{n}x{k} {letters}",
                        "gemm",
                        (a, b),
                        lambda a, b, ta=transpose_a, tb=transpose_b: (
                            (a.T if ta else a) @ (b.T if tb else b)
                        ),
                        flags,
                        loosen=4,
                    )
                )
    a, b, bias = numbers(4, 6), numbers(6, 5, seed=1), numbers(5, seed=2)
    for activation, function in (
        (None, lambda x: x),
        ("linear", lambda x: x),
        ("relu", relu),
        ("tanh", np.tanh),
        ("sigmoid", scipy.special.expit),
    ):
        cases.append(
            Case(
                f"dense {activation}",
                "dense",
                (a, b, bias),
                lambda a, b, bias, f=function: f(a @ b + bias),
                {"activation": activation},
                loosen=4,
            )
        )
    cases += [
        Case("dense of three axes", "dense", (numbers(2, 3, 6), b, bias),
             lambda x, w, c: x @ w + c, loosen=4),
        Case("gemm of slices", "gemm", (numbers(8, 12)[::2, ::2], b), np.matmul, loosen=4),
        Case("gemm of nothing", "gemm", (numbers(3, 0), numbers(0, 4)), np.matmul),
        Case("gemm without rows", "gemm", (numbers(0, 3), numbers(3, 4)), np.matmul),
        Case("vector times vector", "matmul", (numbers(6), numbers(6, seed=1)), np.matmul,
             loosen=4),
        Case("vector times matrix", "matmul", (numbers(6), b), np.matmul, loosen=4),
        Case("matrix times vector", "matmul", (a, numbers(6)), np.matmul, loosen=4),
        Case("batches", "matmul", (numbers(2, 1, 3, 6), numbers(3, 6, 2)), np.matmul, loosen=4),
        Case("batches times matrix", "matmul", (numbers(2, 3, 6), b), np.matmul, loosen=4),
        Case("batches, transposed", "matmul", (numbers(2, 6, 3), numbers(2, 4, 6)),
             lambda x, y: x.swapaxes(1, 2) @ y.swapaxes(1, 2),
             {"transpose_a": True, "transpose_b": True}, loosen=4),
    ]  # fmt: skip
    return cases


# ---- reductions and softmax -----------------------------------------------------------


def _reductions() -> list[Case]:
    cases = []
    x = numbers(3, 4, 5)
    for name in ("sum", "mean", "max", "min", "prod"):
        for axis in (None, 0, 1, -1, (0, 2)):
            function = getattr(np, name)
            for keepdims in (False, True) if name == "sum" else (False,):
                cases.append(
                    Case(
                        f"{name} axis={axis} keepdims={keepdims}",
                        name,
                        (x,),
                        lambda x, f=function, axis=axis, keep=keepdims: f(
                            x, axis=axis, keepdims=keep
                        ),
                        {"axis": axis, "keepdims": keepdims},
                        loosen=8,
                    )
                )
    nan = np.where(np.arange(12).reshape(3, 4) == 6, np.nan, numbers(3, 4))
    cases += [
        Case("long rows", "sum", (numbers(2, 37),), lambda x: x.sum(1), {"axis": 1}, loosen=8),
        Case("long columns", "sum", (numbers(37, 3),), lambda x: x.sum(0), {"axis": 0}, loosen=8),
        Case("max with NaN", "max", (nan,), lambda x: x.max(1), {"axis": 1}),
        Case("argmax", "argmax", (x,), lambda x: x.argmax(1), {"axis": 1}),
        Case("argmax of all", "argmax", (x,), lambda x: np.asarray(x.argmax())),
        Case("argmin with NaN", "argmin", (nan,), lambda x: x.argmin(1), {"axis": 1}),
        Case("any", "any", (x > 2,), lambda x: x.any(2), {"axis": 2}),
        Case("all", "all", (x > -2,), lambda x: x.all(0), {"axis": 0}),
        Case("sum of nothing", "sum", (np.zeros((0, 3)),), lambda x: x.sum(0), {"axis": 0}),
        Case("sum of a transposed", "sum", (numbers(5, 4).T,), lambda x: x.sum(0), {"axis": 0},
             loosen=4),
        Case("sum_to_shape", "sum_to_shape", (x,), lambda x: x.sum((0, 2)).reshape(4, 1),
             {"shape": (4, 1)}, loosen=4),
        Case("cumsum", "cumsum", (numbers(3, 13, 2),), lambda x: x.cumsum(1), {"axis": 1},
             loosen=8),
        Case("cumsum of all", "cumsum", (x,), np.cumsum, loosen=16),
        Case("cumprod", "cumprod", (x,), lambda x: x.cumprod(-1), {"axis": -1}, loosen=8),
        Case("logsumexp", "logsumexp", (x * 300,), lambda x: scipy.special.logsumexp(x, axis=1),
             {"axis": 1}, loosen=4),
    ]  # fmt: skip
    return cases


def _one_hot(targets: np.ndarray, classes: int) -> np.ndarray:
    return np.eye(classes)[targets]


def _cross_entropy(x: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    logarithms = scipy.special.log_softmax(x, axis=-1)
    dense = t if t.dtype.kind == "f" else _one_hot(t, x.shape[-1])
    products = np.where(dense == 0, 0.0, dense * np.where(dense == 0, 0.0, logarithms))
    return -products.sum(-1), np.exp(logarithms)


def _cross_entropy_gradient(g: np.ndarray, p: np.ndarray, t: np.ndarray) -> np.ndarray:
    dense = t if t.dtype.kind == "f" else _one_hot(t, p.shape[-1])
    return g[..., None] * (p * dense.sum(-1, keepdims=True) - dense)


def _softmax() -> list[Case]:
    x, g = numbers(3, 5), numbers(3, 5, seed=1)
    p = scipy.special.softmax(numbers(3, 5), axis=-1)
    wide = numbers(2, 19) * 500
    some = scipy.special.softmax(numbers(3, 5, seed=2), axis=-1)
    holes = np.where(_one_hot(labels(3, 5), 5) > 0, -np.inf, x)
    cases = [
        Case(f"softmax axis={axis}", "softmax", (numbers(3, 4, 5),),
             lambda x, axis=axis: scipy.special.softmax(x, axis=axis), {"axis": axis}, loosen=4)
        for axis in (0, 1, -1)
    ]  # fmt: skip
    cases += [
        Case("softmax of large", "softmax", (wide,), lambda x: scipy.special.softmax(x, axis=-1)),
        Case("softmax with -Inf", "softmax", (holes,), lambda x: scipy.special.softmax(x, axis=-1)),
        Case("log_softmax", "log_softmax", (wide,),
             lambda x: scipy.special.log_softmax(x, axis=-1)),
        Case("softmax_grad", "softmax_grad", (g, p),
             lambda g, y: y * (g - (g * y).sum(-1, keepdims=True)), loosen=4),
        Case("log_softmax_grad", "log_softmax_grad", (g, np.log(p)),
             lambda g, y: g - np.exp(y) * g.sum(-1, keepdims=True), loosen=4),
        Case("cross-entropy of labels", "softmax_cross_entropy", (x, labels(3, 5)), _cross_entropy,
             loosen=4),
        Case("cross-entropy of wide rows", "softmax_cross_entropy", (wide, labels(2, 19)),
             _cross_entropy, loosen=4),
        Case("cross-entropy of probabilities", "softmax_cross_entropy", (x, some), _cross_entropy,
             loosen=4),
        Case("cross-entropy of three axes", "softmax_cross_entropy",
             (numbers(2, 3, 4), labels(6, 4).reshape(2, 3)), _cross_entropy, loosen=4),
        Case("its gradient, labels", "softmax_cross_entropy_grad", (numbers(3), p, labels(3, 5)),
             _cross_entropy_gradient, loosen=4),
        Case("its gradient, probabilities", "softmax_cross_entropy_grad", (numbers(3), p, some),
             _cross_entropy_gradient, loosen=4),
    ]  # fmt: skip
    return cases


# ---- shape and indexing ---------------------------------------------------------------

X = numbers(3, 4, 5)
SELECTIONS = {
    "number": 1,
    "slices": (slice(None, None, -1), Ellipsis, slice(1, 4, 2)),
    "new axis": (None, 0),
    "numbers": np.array([2, 0, 2, -1]),
    "pairs": (np.array([0, 2]), slice(None), np.array([[1], [4]])),
    "mask": numbers(3) > -9,
    "mask of two axes": (numbers(3, 4) > 0,),
}


def _zeros_plus(index: Any) -> Callable[[np.ndarray], np.ndarray]:
    def function(g: np.ndarray) -> np.ndarray:
        result = np.zeros(X.shape)
        np.add.at(result, index, g)
        return result

    return function


SHAPING = [
    Case("reshape", "reshape", (X,), lambda x: x.reshape(6, 10), {"shape": (6, -1)}),
    Case("reshape of a transposed", "reshape", (numbers(4, 3).T,), lambda x: x.reshape(-1),
         {"shape": -1}),
    Case("transpose", "transpose", (X,), lambda x: x.transpose(2, 0, 1), {"axes": (2, 0, 1)}),
    Case("swapaxes", "swapaxes", (X,), lambda x: x.swapaxes(0, 2), {"axis1": 0, "axis2": 2}),
    Case("moveaxis", "moveaxis", (X,), lambda x: np.moveaxis(x, 0, -1),
         {"source": 0, "destination": -1}),
    Case("expand_dims", "expand_dims", (X,), lambda x: x[:, None], {"axis": 1}),
    Case("squeeze", "squeeze", (X[:, :1],), lambda x: x[:, 0]),
    Case("ravel", "ravel", (X,), np.ravel),
    Case("broadcast_to", "broadcast_to", (numbers(4, 1),), lambda x: np.broadcast_to(x, (2, 4, 3)),
         {"shape": (2, 4, 3)}),
    Case("flip", "flip", (X,), lambda x: x[:, ::-1], {"axis": 1}),
    Case("diagonal", "diagonal", (X,), lambda x: np.diagonal(x, 1), {"offset": 1}),
    Case("concatenate", "concatenate", (X, X[:, :2]), lambda x, y: np.concatenate([x, y], 1),
         {"axis": 1}),
    Case("stack", "stack", (X, X), lambda x, y: np.stack([x, y], -1), {"axis": -1}),
    Case("split", "split", (X,), lambda x: tuple(np.split(x, [1, 3], 1)),
         {"indices_or_sections": [1, 3], "axis": 1}),
    Case("pad", "pad", (numbers(2, 3),), lambda x: np.pad(x, ((1, 0), (0, 2)), constant_values=7),
         {"pad_width": ((1, 0), (0, 2)), "constant_values": 7}),
    Case("take", "take", (X,), lambda x: x[:, [3, 0, 3]],
         {"indices": np.array([3, 0, 3]), "axis": 1}),
    Case("astype", "astype", (X,), lambda x: x.astype(np.int32), {"dtype": np.int32}),
    Case("copy", "copy", (numbers(3, 4).T,), np.copy),
    Case("full_like", "full_like", (X,), lambda x: np.full(x.shape, 2.5), {"fill_value": 2.5}),
    Case("one_hot", "one_hot", (labels(4, 3),), lambda t: _one_hot(t, 3).astype(np.int32),
         {"depth": 3, "dtype": np.int32}),
    *(
        Case(f"getitem {label}", "getitem", (X,), lambda x, i=index: x[i], {"index": index})
        for label, index in SELECTIONS.items()
    ),
    *(
        Case(f"index_add {label}", "index_add", (numbers(*X[index].shape),), _zeros_plus(index),
             {"index": index, "shape": X.shape}, loosen=4)
        for label, index in SELECTIONS.items()
    ),
    Case("put_at", "put_at", (X, numbers(2, 4, 5)),
         lambda x, v: np.concatenate([v[1:], x[1:2], v[:1]]), {"index": np.array([2, 0])}),
]  # fmt: skip

CASES = [*ELEMENTWISE, *_products(), *_reductions(), *_softmax(), *SHAPING]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_agrees_with_the_float64_reference(backend: Any, case: Case, dtype: str) -> None:
    """Each kernel gives its reference's shape, dtype and values."""
    check(backend, case, dtype)


INTEGERS = {
    "add": (np.array([1, 2, 3], np.int32), np.array([4, 5, 6], np.int32)),
    "divide": (np.array([1, 2, 3]), np.array([2, 2, 2])),
    "floor_divide": (np.array([7, -7, 7, 5]), np.array([2, 2, -2, 0])),
    "remainder": (np.array([7, -7, 7, 5]), np.array([2, 2, -2, 0])),
    "power": (np.array([2, -3, 7]), np.array([10, 3, 0])),
    "bitwise_and": (np.array([6, 5]), np.array([3, 12])),
    "bitwise_or": (np.array([6, 5]), np.array([3, 12])),
    "bitwise_xor": (np.array([6, 5]), np.array([3, 12])),
    "left_shift": (np.array([6, 5]), np.array([3, 1])),
    "right_shift": (np.array([60, -5]), np.array([3, 1])),
    "invert": (np.array([0, -7]),),
    "maximum": (np.array([1, 9], np.uint8), np.array([200, 3], np.uint8)),
    "sum": (np.array([[True, False], [True, True]]),),
    "mean": (np.array([1, 2, 4]),),
    "matmul": (np.arange(6).reshape(2, 3), np.arange(6).reshape(3, 2)),
}


@pytest.mark.parametrize("name", INTEGERS)
def test_integers_follow_numpy(backend: Any, name: str) -> None:
    """Integers and bool give NumPy's values and dtypes."""
    args = INTEGERS[name]
    with np.errstate(all="ignore"):
        wanted = np.asarray(getattr(np, name)(*args))
        got = backend.run(name, *args)
    assert got.dtype == wanted.dtype
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.bool_])
def test_functions_of_integers_are_float64(backend: Any, dtype: Any) -> None:
    """Also of small integers, for which NumPy computes in float16."""
    got = backend.run("sigmoid", np.array([0, 1], dtype))
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, scipy.special.expit([0.0, 1.0]), rtol=1e-14)


@pytest.mark.parametrize("number", [2, 2.5])
def test_python_numbers_are_weak(backend: Any, number: float) -> None:
    """A Python number never promotes float32."""
    for name in ("add", "divide", "power", "maximum"):
        assert backend.run(name, np.ones(2, np.float32), number).dtype == np.float32


def test_gemm_writes_and_accumulates(backend: Any) -> None:
    """`out` is overwritten, or added to, also where it is not contiguous."""
    a, b = numbers(3, 4), numbers(4, 2)
    for start in (np.ones((3, 2)), np.ones((2, 3)).T):
        out = backend.array(start.copy(order="K"))
        backend.kernels.gemm(backend.array(a), backend.array(b), out)
        np.testing.assert_allclose(backend.host(out), a @ b, rtol=1e-12)
        backend.kernels.gemm(backend.array(a), backend.array(b), out, accumulate=True)
        np.testing.assert_allclose(backend.host(out), 2 * (a @ b), rtol=1e-12)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("size", ["LARGE", "MEDIUM", "SMALL"])
def test_every_tiling(backend: Any, size: str, transposed: bool) -> None:
    """Products beyond one tile, ragged, by each tiling that CUDA chooses from."""
    m, n, k = {"LARGE": (131, 3, 11), "MEDIUM": (3, 67, 19), "SMALL": (35, 33, 17)}[size]
    a, b = numbers(m, k).astype(np.float32), numbers(k, n).astype(np.float32)
    if transposed:
        a, b = np.asfortranarray(a), np.asfortranarray(b)
    if backend.name == "cpu":
        got = backend.run("gemm", a, b)
    else:
        from tapegrad_kernels.cuda import arrays, tiled_gemm

        tiling = getattr(tiled_gemm, size)
        tiling = tiling["float32"] if size == "LARGE" else tiling
        out = arrays.zeros((1, m, n), np.float32)
        tiled_gemm._multiply(backend.array(a[None]), backend.array(b[None]), out, tiling=tiling)
        got = backend.host(out)[0]
    np.testing.assert_allclose(got, a.astype(np.float64) @ b, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_updates_agree_with_float64(backend: Any, dtype: str) -> None:
    """The optimizers' formulas, written out."""
    p, g, m, v = (numbers(7, seed=i).astype(dtype) for i in range(4))
    v = np.abs(v)
    wide = [x.astype(np.float64) for x in (p, g, m, v)]
    moved = [backend.array(x.copy()) for x in (p, g, m, v)]
    backend.kernels.adam_update(*moved, 0.1, 0.9, 0.99, 1e-7, 3)
    first = 0.9 * wide[2] + 0.1 * wide[1]
    second = 0.99 * wide[3] + 0.01 * wide[1] ** 2
    rate = 0.1 * np.sqrt(1 - 0.99**3) / (1 - 0.9**3)
    wanted = (wide[0] - rate * first / (np.sqrt(second) + 1e-7), wide[1], first, second)
    for ours, theirs in zip(moved, wanted, strict=True):
        np.testing.assert_allclose(
            backend.host(ours), theirs, rtol=10 * TOLERANCE[dtype], atol=TOLERANCE[dtype]
        )
    for nesterov in (False, True):
        moved = [backend.array(x.copy()) for x in (p, g, m)]
        backend.kernels.sgd_update(*moved, 0.1, 0.9, nesterov)
        velocity = 0.9 * wide[2] - 0.1 * wide[1]
        step = 0.9 * velocity - 0.1 * wide[1] if nesterov else velocity
        for ours, theirs in zip(moved, (wide[0] + step, wide[1], velocity), strict=True):
            np.testing.assert_allclose(
                backend.host(ours), theirs, rtol=10 * TOLERANCE[dtype], atol=TOLERANCE[dtype]
            )


@pytest.mark.parametrize("dtype", DTYPES)
def test_random_bits_are_the_same_everywhere(backend: Any, dtype: str) -> None:
    """Every device draws the bits that plain Python computes from the definitions."""
    from tapegrad_kernels._scalar import philox
    from tapegrad_kernels._scalar.basis import python_basis

    generate = philox.build_generator(lambda function: function)
    convert = philox.build_conversions(python_basis(np.dtype(dtype).type))
    seed, stream = 2**63 + 5, 7
    uniform: list[Any] = []
    normal: list[Any] = []
    with np.errstate(over="ignore"):
        for block in range(3):
            w = generate(np.uint64(block), np.uint64(stream), np.uint64(seed))
            if dtype == "float32":
                uniform += [convert.uniform(word, word) for word in w]
                normal += [*convert.normal_pair(w[0], w[1], w[0], w[1])]
                normal += [*convert.normal_pair(w[2], w[3], w[2], w[3])]
            else:
                uniform += [convert.uniform(w[0], w[1]), convert.uniform(w[2], w[3])]
                normal += [*convert.normal_pair(*w)]
    for name, wanted in (("random_uniform", uniform), ("random_normal", normal)):
        got = backend.run(name, seed, stream, shape=5, dtype=dtype)
        assert got.dtype == dtype
        np.testing.assert_array_equal(got, np.array(wanted, dtype)[:5])
    draws = backend.run(
        "random_bernoulli", seed, stream, shape=(2, 3), probability=0.4, dtype=dtype
    )
    words = np.array([generate(np.uint64(b), np.uint64(stream), np.uint64(seed)) for b in range(2)])
    np.testing.assert_array_equal(draws, (words.ravel()[:6] < 0.4 * 2**32).reshape(2, 3))
    order = backend.run("random_permutation", seed, stream, n=6)
    assert sorted(order.tolist()) == list(range(6))


def test_errors_say_what_is_wrong(backend: Any) -> None:
    """Shapes that do not fit and labels out of range name themselves."""
    with pytest.raises(ValueError, match=r"2, 3.*4, 5"):
        backend.run("gemm", np.ones((2, 3)), np.ones((4, 5)))
    with pytest.raises(ValueError, match="label 9 at index"):
        backend.run("softmax_cross_entropy", np.ones((2, 3)), np.array([0, 9]))
    with pytest.raises(ValueError, match="label -1 at index"):
        backend.run("softmax_cross_entropy", np.ones((2, 3)), np.array([-1, 2]))
    with pytest.raises(ValueError, match=r"no max|no identity"):
        backend.run("max", np.ones((0, 3)), axis=0)
    with pytest.raises(ValueError, match="broadcast"):
        backend.run("add", np.ones(3), np.ones(4))
    with pytest.raises(IndexError, match="out of bounds"):
        backend.run("getitem", np.ones(3), index=np.array([3]))
