"""Updates whose numbers are computed from settings when they run.

A setting is a number that stands in the record, or one that is read from memory: a learning rate
or a counter that changes from step to step.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from tapegrad_kernels._compile import block, kernel
from tapegrad_kernels._compile.intrinsic import intrinsic
from tapegrad_kernels._compile.launch import run_chunks
from tapegrad_kernels._compile.pointers import float32_at, float64_at, int64_at, pack
from tapegrad_kernels._scalar import update_numbers as formulas
from tapegrad_kernels._scalar.update_numbers import Formula

SETTINGS = 7
"""Places for settings in a record."""

KINDS = {np.dtype(np.float64): 1, np.dtype(np.int64): 2, np.dtype(np.float32): 3}
"""How a setting is read from memory, two bits in a word for all settings; 0 if it stands there."""


@functools.cache
def numbers_at(place: int, count: int, real: str) -> Callable[..., Any]:
    """An intrinsic that reads a tuple of numbers from a record, from a place in it on.

    The record holds them as float64; the arithmetic is in the arrays' type.
    """
    element = types.float32 if real == "float32" else types.float64

    @intrinsic
    def read(typing_context: Any, record: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            wide = ir.DoubleType()
            first = builder.inttoptr(arguments[0], wide.as_pointer())
            values = []
            for position in range(place, place + count):
                at = builder.gep(first, [ir.Constant(ir.IntType(64), position)])
                value = builder.load(at)
                if real == "float32":
                    value = builder.fptrunc(value, ir.FloatType())
                values.append(value)
            return context.make_tuple(builder, signature.return_type, values)

        return types.UniTuple(element, count)(types.int64), generate

    return read


_read_all = numbers_at(0, SETTINGS, "float64")


@kernel(inline=True)
def read_settings(kinds, words, target):  # type: ignore[no-untyped-def]
    """Write the settings that stand at an address, or whose addresses do, as float64."""
    packed, given, values = int64_at(words), float64_at(words), float64_at(target)
    for i in range(SETTINGS):
        kind = (kinds >> (2 * i)) & 3
        if kind == 0:
            values[i] = given[i]
        elif kind == 1:
            values[i] = float64_at(packed[i])[0]
        elif kind == 2:
            values[i] = np.float64(int64_at(packed[i])[0])
        else:
            values[i] = np.float64(float32_at(packed[i])[0])


def _compiled(formula: Formula) -> tuple[int, Any, Any]:
    """A formula's number, and its function and check for compiled code."""
    allowed = None if formula.allowed is None else kernel(inline=True)(formula.allowed)
    return formula.number, kernel(inline=True)(formula.function), allowed


_PAIR, _pair, _ = _compiled(formulas.pair)
_STRETCHED, _stretched, _ = _compiled(formulas.stretched)
_LIMIT, _limit, _limit_allowed = _compiled(formulas.limit)
_SGD, _sgd, _ = _compiled(formulas.sgd)
_MOMENTUM, _momentum, _ = _compiled(formulas.momentum)
_LION, _lion, _ = _compiled(formulas.lion)
_EMA, _ema, _ema_allowed = _compiled(formulas.ema)
_ADAGRAD, _adagrad, _ = _compiled(formulas.adagrad)
_ADADELTA, _adadelta, _ = _compiled(formulas.adadelta)
_RMSPROP, _rmsprop, _ = _compiled(formulas.rmsprop)
_FTRL, _ftrl, _ftrl_allowed = _compiled(formulas.ftrl)
_ADAM, _adam, _step_allowed = _compiled(formulas.adam)
_NADAM, _nadam, _ = _compiled(formulas.nadam)
_ADAMAX, _adamax, _ = _compiled(formulas.adamax)
_LAMB, _lamb, _ = _compiled(formulas.lamb)
_ADAFACTOR, _adafactor, _adafactor_allowed = _compiled(formulas.adafactor)


@kernel(inline=True)
def _put(target, numbers):  # type: ignore[no-untyped-def]
    for i in range(len(numbers)):
        target[i] = numbers[i]
    return True


@kernel(inline=True)
def _write(number, settings, to):  # type: ignore[no-untyped-def]
    # Runs a formula, unless its settings are not allowed. Written out, since a chain of functions
    # takes ten times as long to compile.
    a, b, c, d, e, f, g = _read_all(settings)
    target = float64_at(to)
    if number == _PAIR:
        return _put(target, _pair(a, b))
    if number == _STRETCHED:
        return _put(target, _stretched(a, b))
    if number == _LIMIT:
        return _limit_allowed(a, b) and _put(target, _limit(a, b))
    if number == _SGD:
        return _put(target, _sgd(a, b))
    if number == _MOMENTUM:
        return _put(target, _momentum(a, b, c))
    if number == _LION:
        return _put(target, _lion(a, b, c, d))
    if number == _EMA:
        return _ema_allowed(a, b) and _put(target, _ema(a, b))
    if number == _ADAGRAD:
        return _put(target, _adagrad(a, b, c))
    if number == _ADADELTA:
        return _put(target, _adadelta(a, b, c, d))
    if number == _RMSPROP:
        return _put(target, _rmsprop(a, b, c, d, e))
    if number == _FTRL:
        return _ftrl_allowed(a, b, c, d, e, f, g) and _put(target, _ftrl(a, b, c, d, e, f, g))
    if number == _ADAFACTOR:
        allowed = _adafactor_allowed(a, b, c, d, e, f, g)
        return allowed and _put(target, _adafactor(a, b, c, d, e, f, g))
    if not _step_allowed(a, b, c, d, e, f):
        return False
    if number == _ADAM:
        return _put(target, _adam(a, b, c, d, e, f))
    if number == _NADAM:
        return _put(target, _nadam(a, b, c, d, e, f))
    if number == _ADAMAX:
        return _put(target, _adamax(a, b, c, d, e, f))
    return _put(target, _lamb(a, b, c, d, e, f))


NO_FORMULA = -1
"""In the place of a formula: the numbers stand in the record already."""
HEAD = 9 + SETTINGS
"""Words of the record of `apply_update` before the record of the block that it runs."""


@block("apply_update")
def apply_update(record, start, stop):  # type: ignore[no-untyped-def]
    """Compute the numbers of an update, and run its block with them.

    The record holds the formula's number, the kinds of the settings, the address of the status
    word or 0, the addresses of the block, of `chunk_block` and of `parallel_launcher`, how many
    elements there are and how many of them a chunk takes, where the numbers stand in the record of
    the block, the settings, and last that record itself.
    """
    packed = int64_at(record)
    inner = record + 8 * HEAD
    if packed[0] >= 0:
        settings = pack((0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0))
        read_settings(packed[1], record + 72, settings)
        if not _write(packed[0], settings, inner + 8 * packed[8]):
            if packed[2] != 0:
                int64_at(packed[2])[0] = 1
            return
    run_chunks(packed[3], inner, packed[6], packed[7], packed[4], packed[5])
