"""Accuracy, special values and types of the vector math and the activations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.special

from tapegrad_kernels import cpu
from tapegrad_kernels._scalar import functions
from tapegrad_kernels._scalar.basis import python_basis

Longdouble = np.longdouble
GELU_LINEAR = 2 * np.sqrt(Longdouble(2) / Longdouble("3.14159265358979323846264338327950288"))
GELU_CUBIC = GELU_LINEAR * Longdouble("0.044715")


def logistic(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def cubic(x: np.ndarray) -> np.ndarray:
    return GELU_LINEAR * x + GELU_CUBIC * x**3


def gelu_tanh_slope(x: np.ndarray) -> np.ndarray:
    z, slope = cubic(x), GELU_LINEAR + 3 * GELU_CUBIC * x**2
    return logistic(z) + x * logistic(z) * logistic(-z) * slope


def normal_density(x: np.ndarray) -> np.ndarray:
    return np.exp(-x * x / 2) / np.sqrt(2 * Longdouble(np.pi))


def ones(x: np.ndarray) -> np.ndarray:
    return np.ones_like(x)


# name: kernel, reference in extended precision from float64 input, largest error in ulp of
# float32. Far out the references of gelu are Inf * 0, so those inputs are cut.
FLOAT32: dict[str, tuple[Callable[..., Any], Callable[..., Any], float, float]] = {
    "exp": (cpu.exp, np.exp, 1.5, np.inf),
    "log": (cpu.log, np.log, 1.5, np.inf),
    "tanh": (cpu.tanh, np.tanh, 3.0, np.inf),
    "erf": (cpu.erf, lambda x: scipy.special.erf(np.float64(x)), 3.0, np.inf),
    "sigmoid": (cpu.sigmoid, logistic, 3.0, np.inf),
    "softplus": (cpu.softplus, lambda x: np.logaddexp(0, x), 2.5, np.inf),
    "gelu": (cpu.gelu, lambda x: x * scipy.special.erfc(np.float64(-x) / np.sqrt(2)) / 2, 4.0, 35),
    "gelu_tanh": (
        lambda x: cpu.gelu(x, approximate=True),
        lambda x: x * logistic(cubic(x)),
        3.5,
        35,
    ),
    "erf_grad": (
        lambda x: cpu.erf_grad(ones(x), x),
        lambda x: 2 / np.sqrt(Longdouble(np.pi)) * np.exp(-x * x),
        3.0,
        np.inf,
    ),
    "softplus_grad": (lambda x: cpu.softplus_grad(ones(x), x), logistic, 3.0, np.inf),
    "gelu_grad": (
        lambda x: cpu.gelu_grad(ones(x), x),
        lambda x: scipy.special.ndtr(np.float64(x)) + x * normal_density(x),
        4.0,
        35,
    ),
    "gelu_tanh_grad": (
        lambda x: cpu.gelu_grad(ones(x), x, approximate=True),
        gelu_tanh_slope,
        6.0,
        35,
    ),
}


def every_float32(step: int) -> np.ndarray:
    """Every `step`-th float32 of both signs, subnormal numbers included."""
    patterns = np.arange(0, 0x7F800000, step, dtype=np.int64).astype(np.uint32)
    x = patterns.view(np.float32)
    return np.concatenate([x, -x])


def unit_of(name: str, x: np.ndarray, reference: np.ndarray, real: type) -> np.ndarray:
    """Size of one ulp of each reference value.

    The slope of gelu has a zero near -0.75, where its two terms cancel: between -2 and 0 its
    error is measured in ulps of 1/2, the size of the terms.
    """
    size = np.abs(reference)
    if name.startswith("gelu") and name.endswith("grad"):
        size = np.where((x > -2) & (x < 0), np.maximum(size, 0.5), size)
    with np.errstate(over="ignore", under="ignore"):
        return np.maximum(np.spacing(size.astype(real)), np.finfo(real).smallest_subnormal)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", FLOAT32)
def test_float32_over_the_whole_range(name):
    kernel, reference_of, limit, largest = FLOAT32[name]
    x = every_float32(40_009)
    x = np.concatenate([x, np.linspace(-20, 20, 50_001, dtype=np.float32)])
    x = x[np.abs(x) <= largest]
    got = kernel(x)
    reference = np.asarray(reference_of(x.astype(Longdouble)))
    assert got.dtype == np.float32
    rounded = reference.astype(np.float32)
    same = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
    unit = unit_of(name, x, reference, np.float32)
    error = np.abs(got.astype(Longdouble) - reference) / unit
    error[same] = np.minimum(np.nan_to_num(error[same], nan=0.0, posinf=0.0), 0.5)
    worst = int(np.argmax(np.where(np.isnan(error), np.inf, error)))
    assert error[worst] <= limit, f"{name}({x[worst]!r}) = {got[worst]!r}, not {reference[worst]}"


def normal_cdf(x: Any) -> Any:
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2


def exact_logistic(z: Any) -> Any:
    return 1 / (1 + mpmath.exp(-z))


def exact_cubic(x: Any) -> Any:
    return 2 * mpmath.sqrt(2 / mpmath.pi) * (x + mpmath.mpf("0.044715") * x**3)


# name: kernel, exact reference, inputs, largest error in ulp of float64, which for gelu's tail is
# half an ulp more where the CPU has no fused multiply-add.
FLOAT64: dict[str, tuple[Callable[..., Any], Callable[..., Any], tuple[float, ...], float]] = {
    "exp": (cpu.exp, mpmath.exp, (-745, 709.7), 1.5),
    "log": (cpu.log, mpmath.log, (1e-320, 2.0), 1.5),
    "tanh": (cpu.tanh, mpmath.tanh, (-20, 20), 3.0),
    "erf": (cpu.erf, mpmath.erf, (-6, 6), 3.0),
    "sigmoid": (cpu.sigmoid, exact_logistic, (-740, 40), 3.0),
    "softplus": (cpu.softplus, lambda x: mpmath.log1p(mpmath.exp(x)), (-740, 40), 3.0),
    "gelu": (cpu.gelu, lambda x: x * normal_cdf(x), (-38.4, 10), 5.5),
    "gelu_tanh": (
        lambda x: cpu.gelu(x, approximate=True),
        lambda x: x * exact_logistic(exact_cubic(x)),
        (-21.4, 10),
        4.0,
    ),
    "erf_grad": (
        lambda x: cpu.erf_grad(ones(x), x),
        lambda x: 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-x * x),
        (-27, 27),
        3.0,
    ),
    "gelu_grad": (
        lambda x: cpu.gelu_grad(ones(x), x),
        lambda x: normal_cdf(x) + x * mpmath.npdf(x),
        (-38, 10),
        5.0,
    ),
}


@pytest.mark.parametrize("name", FLOAT64)
def test_float64_against_exact_values(name):
    kernel, reference_of, (low, high), limit = FLOAT64[name]
    generator = np.random.default_rng(0)
    x = np.concatenate([generator.uniform(low, high, 250), generator.uniform(0, 2, 100)])
    small = 10.0 ** generator.uniform(-300, 0, 50)
    x = np.concatenate([x, small] if low > 0 else [x, -generator.uniform(0, 2, 100), small, -small])
    got = kernel(x)
    assert got.dtype == np.float64
    with mpmath.workdps(40):
        exact = [reference_of(mpmath.mpf(float(value))) for value in x]
        unit = unit_of(name, x, np.array([float(value) for value in exact]), np.float64)
        errors = [
            float(abs(mpmath.mpf(float(y)) - value) / mpmath.mpf(float(u)))
            for y, value, u in zip(got, exact, unit)
        ]
    worst = int(np.argmax(errors))
    assert errors[worst] <= limit, f"{name}({x[worst]!r}) is {errors[worst]:.2f} ulp off"


NAN, INF = np.nan, np.inf
SPECIAL = [0.0, -0.0, INF, -INF, NAN]
SPECIAL_VALUES = {
    "exp": (cpu.exp, [1.0, 1.0, INF, 0.0, NAN]),
    "log": (cpu.log, [-INF, -INF, INF, NAN, NAN]),
    "tanh": (cpu.tanh, [0.0, -0.0, 1.0, -1.0, NAN]),
    "erf": (cpu.erf, [0.0, -0.0, 1.0, -1.0, NAN]),
    "sigmoid": (cpu.sigmoid, [0.5, 0.5, 1.0, 0.0, NAN]),
    "softplus": (cpu.softplus, [np.log(2.0), np.log(2.0), INF, 0.0, NAN]),
    "gelu": (cpu.gelu, [0.0, -0.0, INF, -0.0, NAN]),
    "gelu_tanh": (lambda x: cpu.gelu(x, approximate=True), [0.0, -0.0, INF, -0.0, NAN]),
    "relu": (cpu.relu, [0.0, 0.0, INF, 0.0, NAN]),
    "gelu_grad": (lambda x: cpu.gelu_grad(ones(x), x), [0.5, 0.5, 1.0, -0.0, NAN]),
    "erf_grad": (lambda x: cpu.erf_grad(ones(x), x), [2 / np.pi**0.5] * 2 + [0.0, 0.0, NAN]),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", SPECIAL_VALUES)
def test_special_values(name, dtype):
    kernel, expected = SPECIAL_VALUES[name]
    # Long enough for the vector loop; the remainder loop sees the last ones.
    x = np.array(SPECIAL * 13, dtype)
    got = kernel(x)
    want = np.array(expected * 13, dtype)
    np.testing.assert_array_equal(got, want)
    if name != "relu":
        signs = ~np.isnan(want)
        np.testing.assert_array_equal(np.signbit(got[signs]), np.signbit(want[signs]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_by_the_output(dtype):
    g = np.linspace(-2, 3, 41, dtype=dtype)
    y = np.linspace(-1, 1, 41, dtype=dtype)
    tolerance = 4 * np.finfo(dtype).eps
    np.testing.assert_allclose(cpu.tanh_grad(g, y), g * (1 - y * y), atol=tolerance)
    np.testing.assert_allclose(cpu.sigmoid_grad(g, y), g * y * (1 - y), atol=4 * tolerance)
    np.testing.assert_array_equal(cpu.relu_grad(g, y), np.where(y > 0, g, 0))


def test_shapes_and_memory_orders():
    x = np.random.default_rng(0).normal(size=(6, 5, 4)).astype(np.float32)
    expected = cpu.exp(x)
    np.testing.assert_array_equal(cpu.exp(x.T), expected.T)
    np.testing.assert_array_equal(cpu.exp(x[::2, ::-1]), expected[::2, ::-1])
    np.testing.assert_array_equal(cpu.exp(np.asfortranarray(x)), expected)
    assert cpu.exp(np.float32(1.0)).shape == ()
    assert isinstance(cpu.exp(np.float32(1.0)), np.ndarray)
    assert cpu.exp(np.empty((0, 3), np.float32)).shape == (0, 3)
    read_only = x.copy()
    read_only.flags.writeable = False
    np.testing.assert_array_equal(cpu.exp(read_only), expected)
    np.testing.assert_array_equal(cpu.exp(x.astype(">f4")), expected)
    np.testing.assert_array_equal(
        cpu.tanh_grad(np.ones((4,), np.float32), x), cpu.tanh_grad(np.ones_like(x), x)
    )


def test_other_dtypes():
    assert cpu.exp(np.arange(3)).dtype == np.float64
    assert cpu.sigmoid(np.array([True, False])).dtype == np.float64
    assert cpu.sigmoid(np.ones(2, np.float16)).dtype == np.float16
    assert cpu.tanh_grad(np.ones(2, np.float16), np.ones(2, np.float16)).dtype == np.float16
    assert cpu.tanh_grad(np.ones(2, np.float32), np.ones(2)).dtype == np.float64
    z = np.array([1j, 1 + 1j])
    np.testing.assert_array_equal(cpu.exp(z), np.exp(z))
    with pytest.raises(TypeError, match="sigmoid: got an array of complex128"):
        cpu.sigmoid(z)


@pytest.mark.parametrize("name", ["exp", "log", "tanh", "sigmoid", "softplus", "erf", "gelu"])
def test_chunks_agree_with_single_elements(name):
    """The parallel path, the vector loop and its remainder give the same bits."""
    kernel = getattr(cpu, name)
    x = np.abs(np.random.default_rng(1).normal(size=70_001)).astype(np.float32)
    whole = kernel(x)
    np.testing.assert_array_equal(whole[:1000], kernel(x[:1000]))
    np.testing.assert_array_equal(
        whole[-3:], [kernel(x[i : i + 1])[0] for i in (-3, -2)] + [kernel(x[-1:])[0]]
    )


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_definitions_run_in_plain_python(real):
    """The shared definitions, on the basis of simulators, agree with the compiled kernels."""
    scalar = functions.build(python_basis(real))
    x = np.array([-30.0, -8.5, -1.0, -1e-3, -0.0, 1e-20, 0.3, 0.7, 2.0, 12.0, NAN, INF], real)
    for name in ("exp", "tanh", "sigmoid", "softplus", "erf", "gelu", "relu"):
        with np.errstate(all="ignore"):
            plain = np.array([getattr(scalar, name)(value) for value in x], real)
        np.testing.assert_allclose(
            plain, getattr(cpu, name)(x), rtol=12 * np.finfo(real).eps, err_msg=name
        )
