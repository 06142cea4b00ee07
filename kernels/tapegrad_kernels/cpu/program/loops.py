"""Loops over strided arrays: those of NumPy's universal functions, and what calls them.

A universal function is a table of plain C functions, one for each combination of dtypes, in a
structure that is part of NumPy's public interface (``PyUFuncObject``)::

    void loop(char **arguments, npy_intp *dimensions, npy_intp *strides, void *data)

Such a loop needs neither Python nor the GIL for numbers. Calling it gives NumPy's very bits.
"""

from __future__ import annotations

import ctypes
import functools
import math
import sys
from typing import Any, NamedTuple

import numpy as np

from tapegrad_kernels._compile import block
from tapegrad_kernels._compile.pointers import call_address, int64_at, pack
from tapegrad_kernels.cpu import elementwise
from tapegrad_kernels.cpu.program.builder import Builder
from tapegrad_kernels.cpu.program.copying import broadcast_strides, merged_axes
from tapegrad_kernels.cpu.program.lowering import NotNative
from tapegrad_kernels.cpu.program.operand import Operand

MOST_ARGUMENTS = 4
"""Arguments of a loop, its result included."""
_NARROW = 16
"""Elements of an inner loop below which another axis may be worth more."""


class Loop(NamedTuple):
    """A strided loop for given dtypes.

    Attributes
    ----------
    address : int
        Of the C function.
    data : int
        What it gets as its last argument.
    dtypes : tuple of numpy.dtype
        Of the arguments, the result last.
    """

    address: int
    data: int
    dtypes: tuple[np.dtype[Any], ...]


class _Ufunc(ctypes.Structure):
    """The beginning of NumPy's ``PyUFuncObject``, after the head of every Python object."""

    _fields_ = (
        ("nin", ctypes.c_int),
        ("nout", ctypes.c_int),
        ("nargs", ctypes.c_int),
        ("identity", ctypes.c_int),
        ("functions", ctypes.POINTER(ctypes.c_void_p)),
        ("data", ctypes.POINTER(ctypes.c_void_p)),
        ("ntypes", ctypes.c_int),
        ("reserved1", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("types", ctypes.POINTER(ctypes.c_char)),
    )


@functools.cache
def _structure(ufunc: np.ufunc) -> _Ufunc:
    """The C structure of a universal function.

    Raises
    ------
    NotNative
        If what stands there is not what Python says about the function.
    """
    if sys.implementation.name != "cpython":
        raise NotNative("loops of NumPy outside of CPython")
    found = _Ufunc.from_address(id(ufunc) + object.__basicsize__)
    counts = (found.nin, found.nout, found.nargs, found.ntypes)
    if counts != (ufunc.nin, ufunc.nout, ufunc.nargs, ufunc.ntypes):
        raise NotNative(f"{ufunc.__name__}: another layout of NumPy's structures")
    listed = [np.dtype(kind).num for line in ufunc.types for kind in line.replace("->", "")]
    if [found.types[i][0] for i in range(len(listed))] != listed:
        raise NotNative(f"{ufunc.__name__}: another layout of NumPy's structures")
    return found


@functools.cache
def ufunc_loop(name: str, kinds: tuple[Any, ...]) -> Loop:
    """NumPy's loop of a kernel of `tapegrad_kernels.cpu.elementwise`.

    Parameters
    ----------
    name : str
        Name of the kernel.
    kinds : tuple
        For each argument a dtype, or ``int``, ``float`` or ``complex`` for a number of Python,
        whose type gives way.

    Raises
    ------
    NotNative
        If NumPy has none, or none that runs without Python.
    """
    return loop_of(getattr(elementwise, name), kinds)


@functools.cache
def loop_of(ufunc: np.ufunc, kinds: tuple[Any, ...]) -> Loop:
    """The loop of a universal function; see `ufunc_loop`."""
    if ufunc.nout != 1 or ufunc.nargs > MOST_ARGUMENTS:
        raise NotNative(f"{ufunc.__name__} of {ufunc.nargs} arguments")
    try:
        dtypes = ufunc.resolve_dtypes((*kinds, None))
    except TypeError as error:
        raise NotNative(str(error)) from error
    if any(dtype.kind not in "biufc" or not dtype.isnative for dtype in dtypes):
        raise NotNative(f"{ufunc.__name__} of {dtypes}")
    for index, line in enumerate(ufunc.types):
        if tuple(np.dtype(kind) for kind in line.replace("->", "")) == dtypes:
            found = _structure(ufunc)
            address = found.functions[index]
            if not address:
                break
            return Loop(address, found.data[index] or 0, dtypes)
    raise NotNative(f"{ufunc.__name__} of {dtypes}")


@block("strided")
def run_strided(record, start, stop):  # type: ignore[no-untyped-def]
    """Run a loop over elements ``[start, stop)`` of arrays with any strides.

    The record: address and data of the loop, number of outer axes, length of the inner axis,
    then for each of four arguments its inner stride, for each its address, and for each outer
    axis, the fastest first, its length and the four strides.
    """
    packed = int64_at(record)
    axes, length = packed[2], packed[3]
    at = start
    while at < stop:
        left = at // length
        first = at - left * length
        count = min(length - first, stop - at)
        a = packed[8] + first * packed[4]
        b = packed[9] + first * packed[5]
        c = packed[10] + first * packed[6]
        d = packed[11] + first * packed[7]
        for axis in range(axes):
            where = 12 + 5 * axis
            rest = left // packed[where]
            index = left - rest * packed[where]
            left = rest
            a += index * packed[where + 1]
            b += index * packed[where + 2]
            c += index * packed[where + 3]
            d += index * packed[where + 4]
        arguments = pack((a, b, c, d))
        call_address(packed[0], (arguments, pack((count,)), record + 32, packed[1]))
        at += count


def lower_loop(
    builder: Builder,
    loop: Loop,
    arguments: tuple[Operand, ...],
    out: Operand,
    *,
    chunk: int,
    as_numpy: bool = False,
) -> None:
    """Add rows that run a loop, its arguments broadcast to the shape of `out`.

    Parameters
    ----------
    builder : Builder
        Gets the rows.
    loop : Loop
        What to run.
    arguments : tuple of Operand
        Converted to the loop's dtypes where they are of others.
    out : Operand
        The result.
    chunk : int
        Elements that a thread takes at a time.
    as_numpy : bool, default False
        Whether the strides must be those that NumPy would call the loop with, for loops whose
        results depend on them.
    """
    if out.dtype != loop.dtypes[-1]:
        raise NotNative(f"result of {out.dtype} from a loop of {loop.dtypes}")
    if out.size == 0:
        return
    read = [builder.contiguous(a, k) if a.dtype != k else a for a, k in zip(arguments, loop.dtypes)]
    if as_numpy:
        # NumPy brings what it must broadcast, or find its way through, into a buffer.
        read = [_expanded(builder, a, out.shape) if _is_buffered(a, out) else a for a in read]
    strides = [broadcast_strides(operand, out.shape) for operand in read]
    axes: list[Any] = merged_axes(out.shape, *strides, out.strides)
    if out.size == 1:
        axes = [(1, *(a.itemsize if a.ndim else 0 for a in (*read, out)))]
    if len(axes) > 1 and axes[0][0] < _NARROW and not as_numpy:
        widest = max(range(len(axes)), key=lambda axis: axes[axis][0])
        axes.insert(0, axes.pop(widest))
    padding = [0] * (MOST_ARGUMENTS - len(loop.dtypes))
    (length, *inner), *outer = axes
    builder.run(
        run_strided,
        loop.address, loop.data, len(outer), length,
        *inner, *padding,
        *read, out, *padding,
        *(word for axis in outer for word in (*axis, *padding)),
        count=math.prod(out.shape),
        chunk=chunk,
    )  # fmt: skip


def _is_buffered(operand: Operand, out: Operand) -> bool:
    return operand.size > 1 and (out.ndim > 1 or min(operand.strides) < 0)


def _expanded(builder: Builder, operand: Operand, shape: tuple[int, ...]) -> Operand:
    """An operand broadcast to a shape, contiguous."""
    return builder.contiguous(operand.view(shape, broadcast_strides(operand, shape)))
