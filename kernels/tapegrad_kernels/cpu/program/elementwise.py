"""Elementwise kernels: NumPy's loops and the blocks of the functions of our own."""

from __future__ import annotations

import functools
import importlib
from typing import Any

import numpy as np
from numpy._core import umath

from tapegrad_kernels._compile import Block, block, on_warmup
from tapegrad_kernels._compile.pointers import int64_at
from tapegrad_kernels.cpu import activations, vector_math
from tapegrad_kernels.cpu._map import FLOAT32, FLOAT64, Elementwise
from tapegrad_kernels.cpu.program.builder import Builder
from tapegrad_kernels.cpu.program.copying import broadcast_strides, element_at
from tapegrad_kernels.cpu.program.loops import Loop, loop_of, lower_loop, run_strided, ufunc_loop
from tapegrad_kernels.cpu.program.lowering import UFUNCS, NotNative, lowers
from tapegrad_kernels.cpu.program.operand import Operand

# The package's own name for it is the kernel.
_softmax = importlib.import_module("tapegrad_kernels.cpu.softmax")

FUNCTIONS: dict[str, Elementwise] = {
    found.name: found
    for module in (activations, _softmax, vector_math)
    for found in vars(module).values()
    if isinstance(found, Elementwise)
}
"""Kernels that have a block for each real type, by the name of the scalar function."""

CHUNK = 32_768
"""Elements up to which one thread is quicker, for loops that are as fast as memory."""
_COSTLY_CHUNK = 4_096
# fmt: off
_COSTLY = frozenset((
    "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "cbrt", "cos", "cosh",
    "exp2", "expm1", "float_power", "floor_divide", "fmod", "hypot", "log10", "log1p", "log2",
    "logaddexp", "logaddexp2", "mod", "power", "remainder", "sin", "sinh", "tan",
))
# fmt: on
# What these do with an element depends on strides: x ** 2 is a product if all exponents are one
# number, which has stride 0, and clip has another formula for numbers than for arrays.
_OF_STRIDES = frozenset(("clip", "float_power", "power", "fmax", "fmin"))
# Which of 0 and -0 is the larger depends for these on how far from the end they stand, so they
# run in one piece.
_OF_POSITION = frozenset(("fmax", "fmin"))


def chunk_of(name: str) -> int:
    """Elements of a universal function up to which one thread is quicker."""
    return _COSTLY_CHUNK if name in _COSTLY else CHUNK


def kind_of(value: Any) -> Any:
    """What an argument is for type promotion: its dtype, or the type of a number of Python."""
    if isinstance(value, Operand):
        return value.dtype
    if type(value) in (int, float, complex):
        return type(value)
    return np.asarray(value).dtype


def number(value: Any, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """A number, or array, as a constant of a dtype.

    Raises
    ------
    NotNative
        If the dtype cannot hold it: NumPy says more about that.
    """
    try:
        with np.errstate(all="ignore"):
            return np.asarray(value, dtype)
    except (OverflowError, TypeError, ValueError) as error:
        raise NotNative(str(error)) from error


def operand_of(builder: Builder, value: Any, dtype: np.dtype[Any]) -> Operand:
    """An argument as an operand, of the dtype if it is a number."""
    return value if isinstance(value, Operand) else builder.constant(number(value, dtype))


# ---- NumPy's functions -------------------------------------------------------------------


def _lower_ufunc(name: str, builder: Builder, out: Operand, *args: Any) -> None:
    loop = ufunc_loop(name, tuple(kind_of(a) for a in args))
    if name == "power" and loop.dtypes[0].kind in "iu" and not _is_natural(args[1]):
        # A negative exponent is an error, which only Python can raise.
        raise NotNative("power of integers with an exponent that may be negative")
    _lower_loop(name, builder, loop, out, *args)


def _is_natural(value: Any) -> bool:
    return isinstance(value, int) and value >= 0


def _lower_loop(name: str, builder: Builder, loop: Loop, out: Operand, *args: Any) -> None:
    operands = tuple(operand_of(builder, a, k) for a, k in zip(args, loop.dtypes))
    chunk = out.size if name in _OF_POSITION else chunk_of(name)
    lower_loop(builder, loop, operands, out, chunk=chunk, as_numpy=name in _OF_STRIDES)


for _name in UFUNCS:
    lowers(_name)(functools.partial(_lower_ufunc, _name))


@lowers("clip")
def _lower_clip(builder: Builder, out: Operand, x: Any, min: Any = None, max: Any = None) -> None:
    kind = x.dtype if isinstance(x, Operand) else np.asarray(x).dtype
    if kind.kind in "iu":
        # As NumPy does: bounds that no element can pass are open, also if the dtype lacks them.
        if type(min) is int and min <= np.iinfo(kind).min:
            min = None
        if type(max) is int and max >= np.iinfo(kind).max:
            max = None
    if min is None and max is None:
        builder.copy(operand_of(builder, x, kind), out)
    elif min is None:
        _lower_ufunc("minimum", builder, out, x, max)
    elif max is None:
        _lower_ufunc("maximum", builder, out, x, min)
    else:
        loop = clip_loop(kind_of(x), kind_of(min), kind_of(max))
        _lower_loop("clip", builder, loop, out, x, min, max)


def clip_loop(*kinds: Any) -> Loop:
    """NumPy's loop of clip with both bounds."""
    return loop_of(vars(umath)["clip"], kinds)


# ---- functions of our own ----------------------------------------------------------------


def real_dtype(kinds: tuple[Any, ...]) -> np.dtype[Any]:
    """The dtype in which a function of our own computes; see `Elementwise.prepare`.

    Numbers of Python count as float64 or int64 there.
    """
    dtype = np.result_type(*(np.dtype(kind) for kind in kinds))
    if dtype.kind in "iub":
        return FLOAT64
    if dtype.kind == "f" and dtype.itemsize in (4, 8):
        return FLOAT32 if dtype.itemsize == 4 else FLOAT64
    raise NotNative(f"a function of {dtype}")


def _lower_function(name: str, builder: Builder, out: Operand, *args: Any) -> None:
    function = FUNCTIONS[name]
    kinds = tuple(kind_of(a) for a in args)
    dtype = np.result_type(*(np.dtype(kind) for kind in kinds))
    if dtype.kind == "c" and isinstance(function.fallback, np.ufunc):
        loop = loop_of(function.fallback, kinds)
        _lower_loop(name, builder, loop, out, *args)
        return
    dtype = real_dtype(kinds)
    if out.dtype != dtype:
        raise NotNative(f"{name}: result of {out.dtype}")
    read: list[Operand] = []
    for argument in args:
        operand = operand_of(builder, argument, dtype)
        if operand.shape != out.shape:
            operand = operand.view(out.shape, broadcast_strides(operand, out.shape))
        read.append(builder.contiguous(operand, dtype))
    if out.size:
        chosen = function.blocks[dtype]
        builder.run_anyhow(chosen, *read, out, count=out.size, chunk=function.chunk)


for _name in FUNCTIONS:
    if _name not in ("gelu", "gelu_grad", "gelu_tanh", "gelu_tanh_grad"):
        lowers(_name)(functools.partial(_lower_function, _name))


@lowers("gelu")
def _lower_gelu(builder: Builder, out: Operand, x: Any, *, approximate: bool = False) -> None:
    _lower_function("gelu_tanh" if approximate else "gelu", builder, out, x)


@lowers("gelu_grad")
def _lower_gelu_grad(
    builder: Builder, out: Operand, g: Any, x: Any, *, approximate: bool = False
) -> None:
    _lower_function("gelu_tanh_grad" if approximate else "gelu_grad", builder, out, g, x)


# ---- choosing and filling ----------------------------------------------------------------


@functools.cache
def where_block(size: int) -> Block:
    """A loop of the form of NumPy's, ``where(condition, x, y)``, for elements of some bytes.

    It is a block in order to have an address; its three arguments are the first three of a
    loop, and it takes no notice of the fourth.
    """
    truth = element_at(np.dtype(np.bool_))
    at = element_at(np.dtype(f"int{8 * size}"))

    @block(f"where.{size}")
    def where(arguments, dimensions, strides):  # type: ignore[no-untyped-def]
        addresses, steps = int64_at(arguments), int64_at(strides)
        count = int64_at(dimensions)[0]
        condition, x, y, out = addresses[0], addresses[1], addresses[2], addresses[3]
        over_condition, over_x, over_y, over_out = steps[0], steps[1], steps[2], steps[3]
        adjacent = over_condition == 1 and over_out == size
        # The usual cases apart, with strides that the compiler knows.
        if adjacent and over_x == size and over_y == size:
            c, a, b, target = truth(condition), at(x), at(y), at(out)
            for i in range(count):
                one, other = a[i], b[i]
                target[i] = one if c[i] != 0 else other
        elif adjacent and over_x == size and over_y == 0:
            c, a, target = truth(condition), at(x), at(out)
            other = at(y)[0]
            for i in range(count):
                one = a[i]
                target[i] = one if c[i] != 0 else other
        elif adjacent and over_x == 0 and over_y == size:
            c, b, target = truth(condition), at(y), at(out)
            one = at(x)[0]
            for i in range(count):
                other = b[i]
                target[i] = one if c[i] != 0 else other
        else:
            for i in range(count):
                one, other = at(x + i * over_x)[0], at(y + i * over_y)[0]
                chosen = truth(condition + i * over_condition)[0] != 0
                at(out + i * over_out)[0] = one if chosen else other

    return where


def where_loop(dtype: np.dtype[Any]) -> Loop:
    """The loop of where for a dtype of the results."""
    if dtype.kind not in "biufc" or dtype.itemsize > 8:
        raise NotNative(f"where of {dtype}")
    return Loop(where_block(dtype.itemsize).address, 0, (np.dtype(np.bool_), dtype, dtype, dtype))


@lowers("where")
def _lower_where(builder: Builder, out: Operand, condition: Any, x: Any, y: Any) -> None:
    loop = where_loop(out.dtype)
    operands = tuple(operand_of(builder, a, k) for a, k in zip((condition, x, y), loop.dtypes))
    lower_loop(builder, loop, operands, out, chunk=CHUNK)


@lowers("full_like")
def _lower_full_like(
    builder: Builder, out: Operand, x: Any, *, fill_value: Any, dtype: Any = None
) -> None:
    if isinstance(fill_value, Operand):
        builder.copy(fill_value, out)
    else:
        builder.copy(builder.constant(number(fill_value, out.dtype)), out)


@on_warmup("program loops")
def _warm() -> None:
    run_strided.address  # noqa: B018
    for size in (1, 4, 8):
        where_block(size).address  # noqa: B018
