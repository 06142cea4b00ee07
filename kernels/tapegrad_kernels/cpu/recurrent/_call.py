"""From NumPy arrays to one call of a kernel: checks, sizes, scratch memory."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numpy.typing import ArrayLike, NDArray

import tapegrad_kernels.cpu.recurrent._record as f
from tapegrad_kernels._compile import Block, native_entry
from tapegrad_kernels._compile.launch import chunk_block, parallel_launcher, run_chunks
from tapegrad_kernels._compile.pointers import address_of
from tapegrad_kernels.cpu._map import FLOAT32, FLOAT64
from tapegrad_kernels.cpu._memory import borrow, give_back
from tapegrad_kernels.cpu._real import real_type
from tapegrad_kernels.cpu.gemm.microkernel import tile_for
from tapegrad_kernels.cpu.gemm.table import table_address
from tapegrad_kernels.cpu.recurrent._loops import loops_address
from tapegrad_kernels.cpu.recurrent._products import DEPTH_BLOCK, pack_block

Array = NDArray[Any]

SERIAL_PRODUCTS = 2_000_000
"""Multiplications with U below which a sequence runs on the calling thread alone."""
PIECE_ROWS = 16
"""Rows of a piece of the batch, at most; the number of pieces is even, for pairs of threads."""
HOT_ROWS = 8
"""Samples from which on the inputs' products may join the steps: for fewer, tiles are low."""
HOT_BYTES = 1 << 19
"""Bytes of both weights up to which they may: they are read at each step, from the caches."""
PACK_BYTES = 1 << 16
"""Bytes of weights that one thread packs at a time."""
_LINE = 64


def _run(packer, block, chunker, launcher, record, arrays, panels, chunk):  # type: ignore[no-untyped-def]
    for place in range(f.ARRAYS):
        array = arrays[place]
        record[place] = address_of(array) if array.size else 0
    place = address_of(record)
    run_chunks(packer, place, panels, chunk, chunker, launcher)
    run_chunks(block, place, record[f.PIECES], 1, chunker, launcher)


_BYTES = types.Array(types.uint8, 1, "C")
_NOTHING = np.empty(0, np.uint8)
_NO_ADDRESSES = (0,) * f.ARRAYS


@functools.cache
def _native_run() -> Callable[..., None]:
    integer, integers = types.int64, types.Array(types.int64, 1, "C")
    arrays = types.UniTuple(_BYTES, f.ARRAYS)
    return native_entry(_run, "run", *(integer,) * 4, integers, arrays, integer, integer)


def tables_of(dtype: np.dtype[Any]) -> tuple[int, int]:
    """Addresses of the micro-kernels and of the cells' arithmetic."""
    return table_address(dtype.name), loops_address(dtype.name)


def sizes_of(dtype: np.dtype[Any]) -> tuple[int, int]:
    """Bytes of a number, and columns of a micro-kernel's tile."""
    return dtype.itemsize, tile_for(dtype.name).columns


_entries: dict[tuple[Block, np.dtype[Any]], tuple[Any, ...]] = {}


def _entry(block: Block, dtype: np.dtype[Any]) -> tuple[Any, ...]:
    """What runs a kernel on a dtype; the first use compiles or loads it."""
    found = _entries.get((block, dtype))
    if found is None:
        addresses = (
            pack_block.address,
            block.address,
            chunk_block.address,
            parallel_launcher.address,
        )
        found = _native_run(), addresses, tables_of(dtype), *sizes_of(dtype)
        _entries[block, dtype] = found
    return found


def _padded(count: int) -> int:
    # An odd number of cache lines: rows at powers of two would share the cache's few sets.
    return (count + 31) // 32 * 32 + 16


class Plan(NamedTuple):
    """What a record says besides addresses, and the memory that a call works in."""

    sizes: tuple[int, ...]
    """The words from ITEM up to GROUP_BYTES."""
    packed_w: int
    """Bytes before the packed W."""
    scratch: int
    """Bytes before the scratch memory of the pieces."""
    nbytes: int
    """Bytes of all of it."""
    panels: int
    """Panels of all weights."""
    pack_chunk: int
    """How many of them one thread packs at a time."""


@functools.lru_cache(maxsize=512)
def plan(
    size: int,
    width: int,
    batch: int,
    steps: int,
    units: int,
    gate_count: int,
    *,
    features: int = 0,
    left_stride: int = 0,
    by_step: bool = False,
    masks: int,
    groups: int,
    reverse: bool,
    option: int = 0,
    transposed: bool = False,
    panel_rows: int = 0,
) -> Plan:
    """Cut a batch into pieces and lay out the memory that they need.

    Parameters
    ----------
    size, width : int
        Bytes of a number, and columns of a micro-kernel's tile.
    features, left_stride : int
        Lengths of rows of X and of LEFT, if the kernel is given these.
    by_step : bool
        Whether the kernel is given W.
    panel_rows : int
        Rows of a panel of D_GATES, or 0 if that is not in panels.
    """
    depth = units + features if by_step else units
    pieces = 1
    if batch * steps * units * depth * gate_count >= SERIAL_PRODUCTS:
        pieces = min(batch, 2 * -(-batch // (2 * PIECE_ROWS)))
    rows = -(-batch // max(1, pieces))
    state_stride, gate_stride = _padded(units), _padded(gate_count * units)
    piece_bytes = size * ((rows * (6 + masks) + 4) * state_stride + rows * gate_stride) + 8 * rows
    piece_bytes = _whole_lines(piece_bytes)
    group_columns = gate_count * units // groups
    columns, depth = (units, group_columns) if transposed else (group_columns, units)
    group_panels = -(-columns // width)
    pack_chunk = max(1, PACK_BYTES // (width * depth * size))
    group_bytes = _whole_lines(group_panels * width * depth * size)
    panels = groups * group_panels
    w_bytes = 0
    if by_step:
        gates = gate_count * units
        columns, depth = (features, gates) if transposed else (gates, features)
        panels += -(-columns // width)
        w_bytes = _whole_lines(-(-columns // width) * width * depth * size)
    sizes = size, batch, steps, units, gate_count, groups, masks
    options = int(reverse), int(option), int(transposed)
    strides = state_stride, gate_stride, features, left_stride, panel_rows
    packed_bytes = groups * group_bytes + w_bytes
    return Plan(
        (*sizes, *options, pieces, *strides, piece_bytes, group_bytes),
        groups * group_bytes,
        packed_bytes,
        packed_bytes + pieces * piece_bytes,
        panels,
        pack_chunk,
    )


def _whole_lines(count: int) -> int:
    return -(-count // _LINE) * _LINE


def run(
    block: Block,
    arrays: dict[int, Array | None],
    batch: int,
    steps: int,
    units: int,
    gate_count: int,
    **options: Any,
) -> None:
    """Run a kernel over C-contiguous arrays; `arrays` goes by places in the record.

    The options are those of `plan` that do not follow from the arrays.
    """
    dtype = arrays[f.OUTPUTS].dtype  # type: ignore[union-attr]
    native, addresses, tables, *sizes = _entry(block, dtype)
    call = plan(*sizes, batch, steps, units, gate_count, **given_by(arrays), **options)
    loan = borrow(call.nbytes)
    flat = [_NOTHING] * f.ARRAYS
    for place, array in arrays.items():
        if array is not None:
            flat[place] = array.reshape(-1).view(np.uint8)
    memory = loan[0], loan[0] + call.packed_w, loan[0] + call.scratch
    record = np.array([*_NO_ADDRESSES, *tables, *call.sizes, *memory], np.int64)
    native(*addresses, record, tuple(flat), call.panels, call.pack_chunk)
    give_back(loan)


def given_by(arrays: dict[int, Any]) -> dict[str, Any]:
    """What a plan needs to know of the arrays of a call, or of the operands of a program."""
    x, left = arrays.get(f.X), arrays.get(f.LEFT)
    return {
        "features": 0 if x is None else x.shape[-1],
        "left_stride": 0 if left is None else left.shape[-1],
        "by_step": arrays.get(f.W) is not None,
    }


def inputs_by_step(x: Any, w: Any, u: Any) -> bool:
    """Whether a kernel had better multiply with W at each step, while its gates are at hand.

    Takes arrays, or operands of a program.
    """
    return x.shape[0] >= HOT_ROWS and w.size > 0 and w.nbytes + u.nbytes <= HOT_BYTES


def forward_by_step(x: Any, w: Any, u: Any) -> bool:
    """The same for a forward kernel, whose sums must have the bits of gemm's."""
    return x.shape[2] <= DEPTH_BLOCK and inputs_by_step(x, w, u)  # one block of depth


def in_order(array: ArrayLike, dtype: np.dtype[Any]) -> Array:
    """`array` itself if it is C-contiguous and of the dtype, else a copy that is."""
    if type(array) is np.ndarray and array.dtype == dtype and array.flags.c_contiguous:
        return array
    return np.asarray(array, dtype, order="C")


def common_dtype(operation: str, *arrays: Any) -> np.dtype[Any]:
    """float32 or float64: what the arrays, of which some may be None, are computed in."""
    first = arrays[0].dtype
    if first in (FLOAT32, FLOAT64) and all(a is None or a.dtype == first for a in arrays):
        return FLOAT32 if first == FLOAT32 else FLOAT64
    dtype = np.result_type(*[a for a in arrays if a is not None])
    return real_type(operation, dtype)


def prepare(
    operation: str,
    gate_count: int,
    bias_shape: tuple[int, ...],
    x: ArrayLike,
    w: ArrayLike,
    u: ArrayLike,
    b: ArrayLike,
    states: tuple[tuple[str, ArrayLike | None], ...],
    mask: ArrayLike | None,
    recurrent_mask: ArrayLike | None,
) -> tuple[Array, Array, Array, Array, list[Array | None], Array | None, Array | None]:
    """All arrays of a call, checked, C-contiguous and of one dtype; None stays None.

    `bias_shape` is in units of gates: ``(4,)`` stands for ``(4 * units,)``.
    """
    given = [np.asarray(a) for a in (x, w, u, b)]
    x, w, u, b = given
    optional = [None if s is None else np.asarray(s) for _, s in states]
    dropped = None if recurrent_mask is None else np.asarray(recurrent_mask)
    dtype = common_dtype(operation, *given, *optional, dropped)
    if x.ndim != 3 or x.shape[1] == 0:
        raise ValueError(
            f"{operation}: x has shape {x.shape}, expected (batch, time, features) "
            "with at least one step of time"
        )
    if u.ndim != 2 or u.shape[1] != gate_count * u.shape[0] or u.shape[0] == 0:
        raise ValueError(
            f"{operation}: u has shape {u.shape}, expected (units, {gate_count} * units)"
        )
    units = u.shape[0]
    batch, steps, features = x.shape
    expected: list[tuple[str, Array | None, tuple[int, ...]]] = [
        ("w", w, (features, gate_count * units)),
        ("b", b, (*bias_shape[:-1], bias_shape[-1] * units)),
    ]
    for (name, _), state in zip(states, optional, strict=True):
        expected.append((name, state, (batch, units)))
    if mask is not None:
        mask = np.asarray(mask)
        expected.append(("mask", mask, (batch, steps)))
    for name, array, shape in expected:
        if array is not None and array.shape != shape:
            raise ValueError(
                f"{operation}: {name} has shape {array.shape}, expected {shape} "
                f"for x of shape {x.shape} and u of shape {u.shape}"
            )
    if dropped is not None:
        wanted = [(batch, units), (gate_count, batch, units)][: 1 if gate_count == 1 else 2]
        if dropped.shape not in wanted:
            raise ValueError(
                f"{operation}: recurrent_mask has shape {dropped.shape}, expected "
                + " or ".join(map(str, wanted))
            )
    if mask is not None:
        if mask.dtype.kind not in "biu":
            raise TypeError(
                f"{operation}: mask is an array of {mask.dtype}, expected bool; "
                "compare it, as in mask != 0"
            )
        mask = np.asarray(mask != 0, np.int64, order="C")
    x, w, u, b = (in_order(a, dtype) for a in given)
    *initial, dropped = (None if a is None else in_order(a, dtype) for a in (*optional, dropped))
    return x, w, u, b, initial, mask, dropped


def check_shapes(operation: str, expected: list[tuple[str, Array | None, tuple[int, ...]]]) -> None:
    """Raise for the first array that is given and has not its shape."""
    for name, array, shape in expected:
        if array is not None and array.shape != shape:
            raise ValueError(f"{operation}: {name} has shape {array.shape}, expected {shape}")


def masks_in(recurrent_mask: Any) -> int:
    """Number of masks of recurrent dropout: none, one for all gates, or one for each."""
    if recurrent_mask is None:
        return 0
    return 1 if recurrent_mask.ndim == 2 else recurrent_mask.shape[0]
