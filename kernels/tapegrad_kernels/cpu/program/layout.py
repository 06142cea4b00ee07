"""Rows and records of all operations in one array of words, with what must be patched."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad_kernels._compile.launch import parallel_launcher, pool_launcher
from tapegrad_kernels.cpu.program.builder import Builder, Record, Row
from tapegrad_kernels.cpu.program.executor import (
    DATA_WORD,
    HEADER,
    ROW_WORD,
    ROW_WORDS,
    STATUS_WORD,
    STEP_WORD,
    data_offset,
    native_execute,
    native_take_turns,
)
from tapegrad_kernels.cpu.program.operand import ARENA, FIRST_FREE, WORDS, Operand

PAGE = 4096


class Layout:
    """The words of a program, before they have a place in memory.

    Operations are added in the order in which they run; `frame` then makes the memory of a run.
    """

    def __init__(self) -> None:
        self._rows: list[tuple[Row, Builder, int]] = []
        self.names: list[str] = []
        """Name of the block of each row."""
        self._constants: list[np.ndarray[Any, Any]] = []
        self._template: np.ndarray[Any, Any] | None = None
        self.may_run_in_parallel = False
        """Whether a row may hand parts of its work to other threads."""

    def add(self, builder: Builder, scratch: int = 0) -> tuple[int, int]:
        """Add the rows of an operation.

        Parameters
        ----------
        builder : Builder
            What its lowering was given.
        scratch : int, default 0
            Where its scratch begins in the arena; or, negative, minus the number of a buffer
            that `finish` places there.

        Returns
        -------
        first, stop : int
            The numbers of its rows.
        """
        first = len(self._rows)
        self._rows += [(row, builder, scratch) for row in builder.rows]
        self.names += [row.name for row in builder.rows]
        self._constants += builder.constants
        return first, len(self._rows)

    def finish(self, placements: dict[int, int] | None = None) -> None:
        """Write the words; called once, after the last `add`.

        Parameters
        ----------
        placements : dict, optional
            Buffers that lie in the arena, and where they begin there.
        """
        placed = placements or {}
        words: list[int] = [0] * (HEADER + ROW_WORDS * len(self._rows))
        patches: list[tuple[int, int, int]] = []

        def write_record(record: Record, builder: Builder, scratch: int) -> int:
            resolved: list[int] = []
            places: list[tuple[int, int, int]] = []
            for position, word in enumerate(record.words):
                if isinstance(word, Record):
                    inner = write_record(word, builder, scratch)
                    places.append((position, WORDS, 8 * inner))
                    word = 0
                elif isinstance(word, Operand):
                    buffer, offset = word.buffer, word.offset
                    if buffer < Builder.SCRATCH:
                        word = builder.constants[-2 - buffer].ctypes.data + offset
                    else:
                        if buffer == Builder.SCRATCH:
                            buffer, offset = ARENA, offset + scratch
                        elif buffer in placed:
                            buffer, offset = ARENA, offset + placed[buffer]
                        places.append((position, buffer, offset))
                        word = 0
                resolved.append(word)
            start = len(words)
            words.extend(resolved)
            patches.extend([(start + p, buffer, offset) for p, buffer, offset in places])
            return start

        for number, (row, builder, scratch) in enumerate(self._rows):
            at = HEADER + ROW_WORDS * number
            words[at], words[at + 2], words[at + 3] = row.address, row.start, row.stop
            if scratch < 0:
                scratch = placed[-scratch]
            patches.append((at + 1, WORDS, 8 * write_record(row.record, builder, scratch)))
        self._template = np.array(words, np.int64)
        launchers = {parallel_launcher.address, pool_launcher.address}
        self.may_run_in_parallel = not launchers.isdisjoint(words) or any(
            name.endswith("product") for name in self.names
        )
        fixed = [p for p in patches if p[1] < FIRST_FREE]
        moving = [p for p in patches if p[1] >= FIRST_FREE]
        self._fixed = np.array(fixed, np.int64).reshape(-1)
        self.moving = np.array(moving, np.int64).reshape(-1)
        self._rows = []

    def frame(self, arena_bytes: int, buffers: int) -> Frame:
        """Memory for one run at a time.

        Parameters
        ----------
        arena_bytes : int
            Size of the arena.
        buffers : int
            How many buffers there are, `ARENA` and `WORDS` included.
        """
        assert self._template is not None
        return Frame(self._template.copy(), self._fixed, self.moving, arena_bytes, buffers)


class Frame:
    """Memory of a program for one run at a time: its words, its arena, addresses of buffers.

    Attributes
    ----------
    bases : ndarray of int64
        For each buffer from `operand.FIRST_FREE` on the `id` of the array that it is. Whoever
        runs the frame keeps them up to date, and the arrays alive.
    """

    def __init__(
        self,
        words: np.ndarray[Any, Any],
        fixed: np.ndarray[Any, Any],
        moving: np.ndarray[Any, Any],
        arena_bytes: int,
        buffers: int,
    ) -> None:
        self.words = words
        self._moving = moving
        self._memory = np.empty(arena_bytes + PAGE, np.uint8)
        address = self._memory.ctypes.data
        self._arena_offset = -address % PAGE
        self.bases = np.zeros(buffers, np.int64)
        self.bases[ARENA] = address + self._arena_offset
        self.bases[WORDS] = words.ctypes.data
        words[DATA_WORD] = data_offset()
        self._execute = native_execute()
        self._execute(words, fixed, self.bases, 0, 0, 0)

    def run(self, first: int, stop: int, repetitions: int = 1) -> int:
        """Run rows; return how many repetitions came to their end (see `executor`)."""
        return self._execute(self.words, self._moving, self.bases, first, stop, repetitions)

    def take_turns(
        self, rows: tuple[int, int, int], other: Frame, others: tuple[int, int, int], turns: int
    ) -> int:
        """Run rows of this program, then of another one, and so on.

        Parameters
        ----------
        rows, others : tuple of int
            The first row, the one after the last, and how often they run in each turn.
        other : Frame
            Of the other program.
        turns : int
            How many times both come.

        Returns
        -------
        int
            How many parts came to their end, two a turn (see `executor`).
        """
        self.run(*rows[:2], repetitions=0)  # writes addresses
        other.run(*others[:2], repetitions=0)
        return native_take_turns()(self.words, *rows, other.words, *others, turns)

    @property
    def failed_row(self) -> int:
        """The row that set the status in the last run, if one did."""
        return int(self.words[ROW_WORD])

    @property
    def status(self) -> int:
        """What the failed row left; 0 if all went well."""
        return int(self.words[STATUS_WORD])

    @property
    def step(self) -> int:
        """Number of the next repetition."""
        return int(self.words[STEP_WORD])

    @step.setter
    def step(self, number: int) -> None:
        self.words[STEP_WORD] = number

    def array(self, operand: Operand) -> np.ndarray[Any, Any]:
        """An operand in the arena as a NumPy array over the frame's memory."""
        if operand.buffer != ARENA:
            raise ValueError(f"array: {operand} is not in the arena")
        return np.ndarray(
            operand.shape,
            operand.dtype,
            self._memory,
            self._arena_offset + operand.offset,
            operand.strides,
        )
