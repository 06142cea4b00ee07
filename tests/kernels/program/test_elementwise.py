"""Elementwise kernels as rows of a program."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from kernels.program.native import assert_same_bits

from tapegrad_kernels import cpu
from tapegrad_kernels.cpu.program import Builder, NotNative, Operand
from tapegrad_kernels.cpu.program.elementwise import FUNCTIONS
from tapegrad_kernels.cpu.program.loops import ufunc_loop
from tapegrad_kernels.cpu.program.lowering import UFUNCS, lower

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, np.inf, -np.inf, np.nan, 1e-45, -1e-40, 3e38, 700.0]
DTYPES = ["float32", "float64", "int64", "int32", "uint8", "bool"]


@pytest.fixture(autouse=True)
def _quiet():
    """Loops of NumPy warn of infinities when NumPy calls them; rows never warn."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


def sample(dtype, shape, seed=0):
    rng = np.random.default_rng(seed)
    kind = np.dtype(dtype).kind
    if kind == "b":
        return rng.random(shape) < 0.5
    if kind in "iu":
        return rng.integers(0 if kind == "u" else -9, 9, shape).astype(dtype)
    x = (rng.standard_normal(shape) * 3).astype(dtype)
    if kind == "c":
        x.imag = rng.standard_normal(shape)
        return x
    flat = x.reshape(-1)
    for i in range(0, flat.size, 3):
        flat[i] = SPECIAL[rng.integers(len(SPECIAL))]
    return x


def has_loop(name, *args):
    try:
        getattr(cpu, name)(*args)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def check(name, *args):
    """Compare; what has no rows is the conversion to float16 and that of complex numbers."""
    kinds = [type(a) if type(a) in (int, float) else np.asarray(a).dtype for a in args]
    wanted = getattr(cpu, name).resolve_dtypes((*kinds, None))
    for kind, to in zip(kinds, wanted):
        converted = isinstance(kind, np.dtype) and kind != to
        if converted and (kind.kind == "c" or np.float16 in (kind, to)):
            return
    assert_same_bits(name, *args)


def takes_integer_exponents(name, *args):
    return name == "power" and all(np.asarray(a).dtype.kind in "iub" for a in args)


@pytest.mark.parametrize("dtype", [*DTYPES, "float16", "complex64", "complex128"])
@pytest.mark.parametrize("name", UFUNCS)
def test_every_function_of_numpy_in_every_type(name, dtype):
    arity = getattr(cpu, name).nin
    for size in (1, 7, 65, 200):
        args = [sample(dtype, size, seed) for seed in range(arity)]
        if not has_loop(name, *args) or takes_integer_exponents(name, *args):
            continue
        check(name, *args)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", UFUNCS)
def test_strides_and_broadcasting(name, dtype):
    arity = getattr(cpu, name).nin
    x = sample(dtype, (6, 5, 8))
    views = [x, x.T, x[::-1, :, ::2], x[:, :1], x[0, 0, 0], x[:0]]
    if not has_loop(name, *[x] * arity):
        return
    if arity == 1:
        for view in views:
            assert_same_bits(name, view)
        return
    y = sample(dtype, (6, 5, 8), 1)
    for a, b in ((x, y[0, 0]), (x[:, :, :1], y), (x, y[:, :1, :1]), (x.T, y.T), (x[:, :, ::-1], y)):
        assert_same_bits(name, a, b)
    tall = sample(dtype, (400, 3))
    assert_same_bits(name, tall, y[0, 0, :3])
    assert_same_bits(name, tall, tall[:, :1])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_powers_depend_on_whether_the_exponent_is_one_number(dtype):
    rng = np.random.default_rng(0)
    special = np.array([0.5, 2, -1, 3, 0.3, -2.5, np.inf, 0, -0.0, -np.inf, 1e-40], dtype)
    x = rng.choice(special, (20, 30, 40))
    for exponent in special:
        y = np.full(x.shape, exponent, dtype)
        for one in (y[0, 0, 0], y[0, 0, :1], y[:1, :1, :1], float(exponent)):
            for base in (x, x.T, x[:, :, ::-1], x[:, :, ::2], x[0, 0], x[:, 0, 0]):
                assert_same_bits("power", base, one)
        for several in (y, y[0], y[:, :1], y[:, :, :1], y[:, :, ::-1]):
            assert_same_bits("power", x, several)
            assert_same_bits("power", x[:, :, ::-1], several)
            assert_same_bits("power", x[:, :, :1], several)
        assert_same_bits("power", x[0, 0, :1], y[0, 0, :1])
        assert_same_bits("power", x[0, 0, 0], y[0, 0])


BINARY = [name for name in UFUNCS if getattr(cpu, name).nin == 2]


@pytest.mark.parametrize("number", [2, 2.0, 0.3, -1, True, 0, np.float32(3), np.inf])
@pytest.mark.parametrize("name", BINARY)
def test_numbers_of_python(name, number):
    for dtype in ("float32", "float64", "int64", "uint8", "bool"):
        x = sample(dtype, (9, 7))
        for args in ((x, number), (number, x)):
            if not has_loop(name, *args) or (dtype == "uint8" and number == -1):
                continue
            if takes_integer_exponents(name, *args) and args[1] is x:
                continue
            check(name, *args)


@pytest.mark.parametrize("name", BINARY)
def test_promotion(name):
    for first in DTYPES:
        for second in DTYPES:
            args = sample(first, 40), sample(second, 40, 1)
            if has_loop(name, *args) and not takes_integer_exponents(name, *args):
                check(name, *args)


def test_a_number_too_large_is_left_to_numpy():
    with pytest.raises(OverflowError):
        cpu.add(np.zeros(3, np.uint8), 300)
    x = Operand(2, 0, (3,), np.uint8)
    for name, args in (("add", (x, 300)), ("less", (x, 300)), ("power", (x, x))):
        out = Operand(3, 0, (3,), bool if name == "less" else np.uint8)
        with pytest.raises(NotNative):
            lower(Builder(), name, out, args, {})


def test_what_has_no_loop_is_left_to_numpy():
    objects = np.array([1, 2], object)
    with pytest.raises(NotNative):
        ufunc_loop("add", (objects.dtype, objects.dtype))
    with pytest.raises(NotNative):
        ufunc_loop("subtract", (np.dtype(bool), np.dtype(bool)))
    swapped = Operand(2, 0, (3,), ">f4")
    with pytest.raises(NotNative):
        lower(Builder(), "add", Operand(3, 0, (3,), "f4"), (swapped, swapped), {})


@pytest.mark.parametrize("name", ["sin", "add", "power", "fmax", "exp", "relu_grad"])
def test_large_arrays_run_in_parallel(name):
    x, y = sample("float32", (301, 1003)), sample("float32", (301, 1003), 1)
    arity = 1 if name in ("sin", "exp") else 2
    assert_same_bits(name, *(x, y)[:arity])
    assert_same_bits(name, *(x.T, y.T)[:arity])
    if arity == 2:
        assert_same_bits(name, x, y[:, :1])


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_functions_of_our_own(name):
    params = {}
    if name.startswith("gelu_tanh"):
        name, params = name.replace("gelu_tanh", "gelu"), {"approximate": True}
    arity = FUNCTIONS[name].arity
    for dtype in DTYPES:
        args = [sample(dtype, (7, 5, 6), seed) for seed in range(arity)]
        assert_same_bits(name, *args, **params)
        assert_same_bits(name, *(a.T for a in args), **params)
        assert_same_bits(name, *(a[:0] for a in args), **params)
        if arity > 1:
            assert_same_bits(name, args[0][:, :1], *args[1:], **params)
            assert_same_bits(name, 0.5, *args[1:], **params)
            assert_same_bits(name, *args[:-1], args[-1].astype("float64"), **params)
    big = [sample("float32", (70_001), seed) for seed in range(arity)]
    assert_same_bits(name, *big, **params)


@pytest.mark.parametrize("name", ["exp", "log", "tanh"])
def test_complex_functions(name):
    assert_same_bits(name, sample("complex128", (5, 4)))
    assert_same_bits(name, sample("complex64", (5, 4)).T)


@pytest.mark.parametrize("dtype", [*DTYPES, "complex64"])
def test_where(dtype):
    x, y = sample(dtype, (6, 5, 8)), sample(dtype, (6, 5, 8), 1)
    condition = sample("bool", (6, 5, 8))
    for c in (condition, condition[:, :1], condition[::-1], np.array(True), True):
        assert_same_bits("where", c, x, y)
    if dtype != "complex64":
        assert_same_bits("where", x, x, y)
        assert_same_bits("where", x[0, 0], x, y)
    assert_same_bits("where", condition, x, 0)
    assert_same_bits("where", condition, 1, y)
    assert_same_bits("where", condition, x[:, :, ::-1], y.T[0, 0, 0])
    if dtype != "complex64":
        assert_same_bits("where", condition, x.astype("float64"), y)
    assert_same_bits("where", condition, 0.5, 2)
    assert_same_bits("where", condition.T, x.T, 0)


@pytest.mark.parametrize("dtype", DTYPES[:-1])
def test_clip(dtype):
    x = sample(dtype, (6, 5, 8))
    low, high = sample(dtype, (5, 8), 1), sample(dtype, (6, 1, 8), 2)
    for bounds in (
        (1, 3),
        (None, 3),
        (1, None),
        (None, None),
        (low, high),
        (low, None),
        (0, 10**30),
    ):
        if has_loop("clip", x, *bounds):
            assert_same_bits("clip", x, *bounds)
            assert_same_bits("clip", x[::-1, :, ::-1], *bounds)
    assert_same_bits("clip", x.T, -1, 2)
    assert_same_bits("clip", x, low[:, :1], high)
    assert_same_bits("clip", x, low[:, :1], low[:, 1:2])
    assert_same_bits("clip", x, 0.5, 2.5)
    assert_same_bits("clip", sample(dtype, 50_000), 0, 3)


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-0.0, 0.0), (np.nan, 1.0), (2.0, 1.0)])
def test_clip_at_singular_points(bounds):
    assert_same_bits("clip", np.array(SPECIAL), *bounds)
    assert_same_bits("clip", np.array(SPECIAL), *(np.full(len(SPECIAL), b) for b in bounds))


def test_full_like():
    x = np.zeros((3, 4), "float32")
    assert_same_bits("full_like", x, fill_value=1.5)
    assert_same_bits("full_like", x, fill_value=2, dtype=np.int64)
    assert_same_bits("full_like", x.astype(int), fill_value=2.7)
