"""Collects the rows of one operation."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tapegrad_kernels._compile import Block
from tapegrad_kernels._compile.launch import chunk_block, parallel_launcher, pool_launcher
from tapegrad_kernels._compile.threads import most_threads
from tapegrad_kernels.cpu.program.operand import ARENA, STATUS, Operand, Shape

if TYPE_CHECKING:
    from collections.abc import Sequence

ALIGNMENT = 64
"""Bytes: everything in the arena starts on a cache line."""


class Record:
    """Packed arguments of a block: numbers, operands (their addresses), other records.

    Attributes
    ----------
    words : tuple
        int, float (stored with its 64 bits), `Operand` or `Record`, a word each.
    """

    __slots__ = ("words",)

    def __init__(self, words: Sequence[Any]) -> None:
        self.words = tuple([_as_word(word) for word in words])


def _as_word(word: Any) -> Any:
    """A word as an int in the range of int64, or what gets an address later."""
    if isinstance(word, Operand | Record):
        return word
    if isinstance(word, float | np.floating):
        return struct.unpack("<q", struct.pack("<d", float(word)))[0]
    number = int(word)
    return number - (1 << 64) if number >= 1 << 63 else number


class Row(NamedTuple):
    """One call: ``block(record, start, stop)``."""

    address: int
    record: Record
    start: int
    stop: int
    name: str


def cut(count: int, chunk: int) -> tuple[Block | None, int]:
    """What runs a range in parallel, and what a thread takes at a time; see `Builder.run_anyhow`.

    Returns
    -------
    launcher : Block or None
        None if one thread runs all of it.
    chunk : int
        Elements that a thread takes at a time.
    """
    chunk = max(chunk, 1)
    small = max(chunk // 4, 1)
    if count <= small:
        return None, chunk
    # A part for each thread, always the same ones: what a thread writes stays in its cache.
    parts = max(-(-count // chunk), min(most_threads(), -(-count // small)))
    return (parallel_launcher if count > chunk else pool_launcher), -(-count // parts)


class Builder:
    """What a lowering writes the rows of its operation with.

    Attributes
    ----------
    rows : list of Row
        In the order in which they run.
    scratch_bytes : int
        Bytes of the arena that the operation needs for itself while it runs. They begin at
        offset 0 of a buffer of their own, which the layout places.
    constants : list of ndarray
        Arrays that must live as long as the program.
    pending : list of Chain
        Chains that run in blocks because their loops are not compiled yet; see `chains`.
    """

    SCRATCH = -1
    """Buffer number of the operation's own part of the arena, until the layout places it."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.scratch_bytes = 0
        self.constants: list[np.ndarray[Any, Any]] = []
        self.pending: list[Any] = []

    # ---- rows ------------------------------------------------------------------------

    def call(self, block: Block | int, *words: Any, start: int = 0, stop: int = 1) -> None:
        """Add a row that calls a block.

        Parameters
        ----------
        block : Block or int
            The block, or its address.
        *words : int, float, Operand or Record
            Its record: numbers (a float with the bits of a float64), and operands and further
            records, in whose place their addresses stand when the row runs.
        start, stop : int
            The range that the block gets.
        """
        if isinstance(block, Block):
            address, name = block.address, block.name
        else:
            address, name = int(block), "block"
        self.rows.append(Row(address, Record(words), start, stop, name))

    def run(self, block: Block, *words: Any, count: int, chunk: int) -> None:
        """Add a row that runs a block over ``range(count)``, on all threads above `chunk`.

        The range is cut as `tapegrad_kernels._compile.launch.run_chunks` cuts it, so that blocks
        may tell by `start` which memory of their own a part has.
        """
        chunk = max(chunk, 1)
        self._add(block, words, count, chunk, parallel_launcher if count > chunk else None)

    def run_anyhow(self, block: Block, *words: Any, count: int, chunk: int) -> None:
        """Add a row that runs a block over a range, wherever it is cut.

        As `run`, for blocks of which each element of the range is computed for itself. There is
        a part for each thread, and smaller ranges run on threads that need not be woken, as
        usually while a program runs.
        """
        launcher, chunk = cut(count, chunk)
        self._add(block, words, count, chunk, launcher)

    def _add(
        self,
        block: Block,
        words: Sequence[Any],
        count: int,
        chunk: int,
        launcher: Block | None,
    ) -> None:
        if launcher is None:
            self.call(block, *words, start=0, stop=count)
            return
        inner = Record((block.address, Record(words), count, chunk))
        outer = Record((chunk_block.address, inner, -(-count // chunk)))
        self.rows.append(Row(launcher.address, outer, 0, 1, block.name))

    def record(self, *words: Any) -> Record:
        """A record whose address can be a word of another one."""
        return Record(words)

    @property
    def status(self) -> Operand:
        """The word to set if the values are not allowed; see `operand.STATUS`."""
        return STATUS

    # ---- memory ----------------------------------------------------------------------

    def scratch(self, nbytes: int, alignment: int = ALIGNMENT) -> Operand:
        """Memory for this operation alone, as bytes. It holds anything at the start."""
        offset = -(-self.scratch_bytes // alignment) * alignment
        self.scratch_bytes = offset + int(nbytes)
        return Operand(self.SCRATCH, offset, (int(nbytes),), np.uint8)

    def temporary(self, shape: Shape, dtype: Any) -> Operand:
        """A contiguous array for this operation alone."""
        probe = Operand(ARENA, 0, shape, dtype)
        return self.scratch(probe.nbytes).view(probe.shape, probe.strides, dtype=probe.dtype)

    def constant(self, array: Any) -> Operand:
        """An array that stays with the program; it must not change."""
        kept = np.ascontiguousarray(array) if np.ndim(array) else np.array(array)
        self.constants.append(kept)
        return Operand(-1 - len(self.constants), 0, kept.shape, kept.dtype)

    # ---- what many lowerings need ----------------------------------------------------

    def copy(self, source: Operand, target: Operand) -> None:
        """Add rows that copy `source`, broadcast to the shape of `target`, between any strides.

        Elements are converted to the dtype of `target`, as `numpy.copyto` does it with
        ``casting="unsafe"``.
        """
        from tapegrad_kernels.cpu.program.copying import lower_copy

        lower_copy(self, source, target)

    def contiguous(self, operand: Operand, dtype: Any = None) -> Operand:
        """`operand` itself if it is contiguous and of the dtype, else a temporary copy."""
        kind = operand.dtype if dtype is None else np.dtype(dtype)
        if operand.is_contiguous and operand.dtype == kind:
            return operand
        made = self.temporary(operand.shape, kind)
        self.copy(operand, made)
        return made

    def lower(self, name: str, out: Any, *args: Any, **params: Any) -> None:
        """Add the rows of another kernel.

        Raises
        ------
        NotNative
            If it has none for these arguments.
        """
        from tapegrad_kernels.cpu.program.lowering import lower

        lower(self, name, out, args, params)
