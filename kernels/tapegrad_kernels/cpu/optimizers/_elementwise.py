"""Runs the shared update formulas over flat buffers: a block for each, in place."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from tapegrad_kernels._compile import Block, block, native_entry
from tapegrad_kernels._compile.launch import chunk_block, parallel_launcher
from tapegrad_kernels._compile.pointers import POINTER_TO, address_of, call_block, int64_at, pack
from tapegrad_kernels._scalar import functions, updates
from tapegrad_kernels._scalar.update_numbers import Formula
from tapegrad_kernels.cpu._basis import cpu_basis
from tapegrad_kernels.cpu._map import FLOAT32, FLOAT64, REAL_NAMES
from tapegrad_kernels.cpu.optimizers._settings import SETTINGS, apply_update, numbers_at

Array = NDArray[Any]
Number = float | int | NDArray[Any] | np.generic

CHUNK = 65_536
"""Elements up to which one thread is quicker, and that a thread takes at a time.

In a loop of training steps the other threads sleep when the update comes. Waking one
takes as long as updating so many."""

ARRAYS, NUMBERS = 5, 7
"""Places for arrays and then for numbers in the record of every block."""

# Slots and numbers of each update.
UPDATES = {
    "sgd": (0, 2),
    "momentum": (1, 3),
    "nesterov": (1, 3),
    "lion": (1, 6),
    "ema": (0, 2),
    "limit": (0, 2),
    "adagrad": (1, 3),
    "adadelta": (2, 5),
    "rmsprop": (1, 6),
    "rmsprop_momentum": (2, 6),
    "rmsprop_centered": (2, 6),
    "rmsprop_centered_momentum": (3, 6),
    "ftrl": (2, 6),
    "ftrl_power": (2, 6),
    "adam": (2, 5),
    "amsgrad": (3, 5),
    "nadam": (2, 7),
    "adamax": (2, 5),
}


@functools.cache
def scalar_updates(real: str) -> Any:
    """The shared update formulas, compiled for the CPU."""
    basis = cpu_basis(real)
    return updates.build(basis, functions.build(basis))


def _make_block(name: str, real: str) -> Block:
    slots, count = UPDATES[name]
    at, numbers = POINTER_TO[real], numbers_at(ARRAYS, count, real)
    step = getattr(scalar_updates(real), name)

    if slots == 0:

        def loop(record, start, stop):  # type: ignore[no-untyped-def]
            packed, c = int64_at(record), numbers(record)
            p, g = at(packed[0]), at(packed[1])
            for i in range(start, stop):
                (p[i],) = step(p[i], g[i], c)

    elif slots == 1:

        def loop(record, start, stop):  # type: ignore[no-untyped-def]
            packed, c = int64_at(record), numbers(record)
            p, g, s = at(packed[0]), at(packed[1]), at(packed[2])
            for i in range(start, stop):
                p[i], s[i] = step(p[i], g[i], s[i], c)

    elif slots == 2:

        def loop(record, start, stop):  # type: ignore[no-untyped-def]
            packed, c = int64_at(record), numbers(record)
            p, g, s, t = at(packed[0]), at(packed[1]), at(packed[2]), at(packed[3])
            for i in range(start, stop):
                p[i], s[i], t[i] = step(p[i], g[i], s[i], t[i], c)

    else:

        def loop(record, start, stop):  # type: ignore[no-untyped-def]
            packed, c = int64_at(record), numbers(record)
            p, g, s = at(packed[0]), at(packed[1]), at(packed[2])
            t, u = at(packed[3]), at(packed[4])
            for i in range(start, stop):
                p[i], s[i], t[i], u[i] = step(p[i], g[i], s[i], t[i], u[i], c)

    return block(f"{name}_update.{real}")(loop)


BLOCKS = {
    (name, np.dtype(real)): _make_block(name, real) for real in REAL_NAMES for name in UPDATES
}
"""Blocks by name and dtype."""


def _run(  # type: ignore[no-untyped-def]
    apply, formula, address, chunker, launcher, p, g, s, t, u, a0, a1, a2, a3, a4, a5, a6
):
    head = (formula, 0, 0, address, chunker, launcher, p.size, CHUNK, ARRAYS)
    arrays = (address_of(p), address_of(g), address_of(s), address_of(t), address_of(u))
    numbers = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    record = pack((*head, a0, a1, a2, a3, a4, a5, a6, *arrays, *numbers))
    call_block(apply, record, 0, 1)


@functools.cache
def _native_run(dtype: np.dtype[Any]) -> Callable[..., None]:
    vector = numba.types.Array(numba.from_dtype(dtype), 1, "C")
    arguments = (numba.int64,) * 5 + (vector,) * ARRAYS + (numba.float64,) * SETTINGS
    return native_entry(_run, f"run_update.{dtype.name}", *arguments)


_entries: dict[Any, tuple[Callable[..., None], int, int, int, int, int]] = {}


def update(
    name: str, arrays: tuple[Array, ...], formula: Formula, settings: tuple[Number, ...]
) -> None:
    """Run an update over checked buffers: parameters, gradients, slots.

    Parameters
    ----------
    name : str
        One of `UPDATES`.
    arrays : tuple of ndarray
        The buffers.
    formula : Formula
        What its numbers are computed by.
    settings : tuple of float or 0-d array
        What they are computed from.
    """
    values = formula.values(*settings)
    key = (name, arrays[0].dtype, formula.number)
    entry = _entries.get(key)
    if entry is None:
        run, address = _native_run(key[1]), BLOCKS[key[:2]].address
        launch = address, chunk_block.address, parallel_launcher.address
        entry = run, apply_update.address, formula.number, *launch
        _entries[key] = entry
    # Unused places of the record repeat the first array and zero.
    run, *before = entry
    run(
        *before,
        *arrays,
        *(arrays[0],) * (ARRAYS - len(arrays)),
        *values,
        *(0.0,) * (SETTINGS - len(values)),
    )


def check(
    operation: str,
    names: tuple[str, ...],
    arrays: tuple[Array, ...],
    read_only: str = "gradients",
) -> None:
    """Raise unless the arrays are flat buffers of one size and dtype, all but one writable."""
    first = arrays[0]
    for name, array in zip(names, arrays):
        if type(array) is not np.ndarray or array.dtype not in (FLOAT32, FLOAT64):
            raise TypeError(
                f"{operation}: {name} is {getattr(array, 'dtype', type(array).__name__)}, "
                "expected an ndarray of float32 or float64"
            )
        if array.dtype != first.dtype or array.shape != first.shape:
            raise ValueError(
                f"{operation}: {name} has shape {array.shape} and dtype {array.dtype}, and "
                f"{names[0]} {first.shape} and {first.dtype}; they must be equal"
            )
        flags = array.flags
        writable = flags.writeable or name == read_only
        if array.ndim != 1 or not flags.c_contiguous or not writable:
            raise ValueError(
                f"{operation}: {name} must be a contiguous, writable vector, since it is updated "
                f"in place; got shape {array.shape} and strides {array.strides}"
            )
