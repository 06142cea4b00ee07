"""Chains as rows of a program."""

from __future__ import annotations

from typing import Any, NamedTuple

from tapegrad_kernels._compile import Block
from tapegrad_kernels.cpu.program.builder import Builder
from tapegrad_kernels.cpu.program.chains.compiler import compiled_block
from tapegrad_kernels.cpu.program.chains.description import MOST_ARRAYS, MOST_STEPS, Chain, Kind
from tapegrad_kernels.cpu.program.chains.interpreter import TABLE, interpret, interpreter_words
from tapegrad_kernels.cpu.program.chains.source import needed_steps, numbers_of
from tapegrad_kernels.cpu.program.elementwise import FUNCTIONS
from tapegrad_kernels.cpu.program.operand import Operand

_PARALLEL_NS = 5000
"""Work from which a second thread pays."""
_STEP_NS, _ROOT_NS, _BYTE_NS = 0.02, 0.1, 0.01
"""What a cheap step, a division or root, and a byte of memory cost for float32."""
_WIDE = 512
"""Columns below which a row is repeated, so that loops over a row are worth entering."""


class Call(NamedTuple):
    """What computes any range of a chain's space.

    Attributes
    ----------
    block : Block
        The chain's loop, or the one that runs chains in blocks.
    words : tuple
        Its record. With a table its word `TABLE` is still to be filled in.
    table : tuple or None
        The table of operands of a chain in blocks.
    """

    block: Block
    words: tuple[Any, ...]
    table: tuple[Any, ...] | None

    def whole_words(self, b: Builder) -> tuple[Any, ...]:
        """The record with its table."""
        if self.table is None:
            return self.words
        return (*self.words[:TABLE], b.record(*self.table), *self.words[TABLE + 1 :])


def lower_chain(
    b: Builder, outs: tuple[Operand, ...], inputs: tuple[Operand, ...], chain: Chain
) -> None:
    """Add rows that compute a chain: its loop if that is compiled, otherwise in blocks.

    In the latter case the chain is added to ``b.pending``. Whoever lays programs out can have it
    compiled with `compile_chain`, and lay the program out again later; the results are the same.

    Parameters
    ----------
    b : Builder
        Gets the rows.
    outs : tuple of Operand
        The results, contiguous, each with as many elements as the space. They do not overlap
        with inputs or with one another.
    inputs : tuple of Operand
        The inputs, of the chain's types. Those that are not contiguous are copied first.
    chain : Chain
        What to compute.
    """
    size = outs[0].size
    if size:
        call = call_of(b, outs, inputs, chain)
        b.run_anyhow(call.block, *call.whole_words(b), count=size, chunk=chunk_of(chain))


def call_of(
    b: Builder, outs: tuple[Operand, ...], inputs: tuple[Operand, ...], chain: Chain
) -> Call:
    """What computes a chain; rows that it needs before are added. Arguments as in `lower_chain`."""
    size = outs[0].size
    if len(chain.steps) > MOST_STEPS or len(inputs) + len(outs) > MOST_ARRAYS:
        raise ValueError(
            f"chain: {len(chain.steps)} steps and {len(inputs) + len(outs)} inputs and results; "
            f"there can be {MOST_STEPS} and {MOST_ARRAYS}"
        )
    columns = _columns(size, inputs, chain)
    inputs = tuple(b.contiguous(operand) for operand in inputs)
    inputs, columns = _widened(b, inputs, chain.kinds, columns, size)
    block = compiled_block(chain)
    if block is not None:
        return Call(block, (*inputs, *outs, columns, *numbers_of(chain)), None)
    b.pending.append(chain)
    places = [_place(o, kind, columns) for o, kind in zip(inputs, chain.kinds)]
    return Call(interpret, *interpreter_words(b, outs, places, chain, columns))


def _columns(size: int, inputs: tuple[Operand, ...], chain: Chain) -> int:
    """Columns of the space, by the inputs that do not lie in it in full."""
    columns = size
    for operand, kind in zip(inputs, chain.kinds):
        if kind == "row":
            columns = operand.size
        elif kind == "column":
            columns = size // operand.size
    lengths = {"full": size, "row": columns, "column": size // columns, "scalar": 1}
    for operand, dtype, kind in zip(inputs, chain.inputs, chain.kinds):
        if operand.size != lengths[kind] or operand.dtype != dtype or size % columns:
            raise ValueError(
                f"chain: an input of shape {operand.shape} and {operand.dtype} is no {kind} of "
                f"{dtype} in a space of {size // columns} rows and {columns} columns"
            )
    return columns


def _widened(
    b: Builder, inputs: tuple[Operand, ...], kinds: tuple[Kind, ...], columns: int, size: int
) -> tuple[tuple[Operand, ...], int]:
    """Rows repeated until they are long: the space has then fewer rows, the last one cut off."""
    times = min(size // columns, -(-_WIDE // columns))
    if times <= 1 or "row" not in kinds or "column" in kinds:
        return inputs, columns
    repeated: list[Operand] = []
    for operand, kind in zip(inputs, kinds):
        if kind == "row":
            made = b.temporary((times, columns), operand.dtype)
            b.copy(operand.flat(), made)
            operand = made
        repeated.append(operand)
    return tuple(repeated), times * columns


def _place(operand: Operand, kind: Kind, columns: int) -> tuple[Operand, int, int]:
    size = operand.itemsize
    along, down = {
        "full": (size, columns * size),
        "row": (size, 0),
        "column": (0, size),
        "scalar": (0, 0),
    }[kind]
    return operand, along, down


def chunk_of(chain: Chain) -> int:
    """Elements that one thread takes at a time."""
    full = [dtype for dtype, kind in zip(chain.inputs, chain.kinds) if kind == "full"]
    memory = [*full, *(chain.dtype_of(position) for position in chain.outputs)]
    cost = sum(dtype.itemsize for dtype in memory) * _BYTE_NS
    for _, operation in needed_steps(chain):
        if operation.is_function:
            # Their chunks count the memory that a call alone reads and writes.
            step = max(_PARALLEL_NS / FUNCTIONS[operation.name].chunk - 0.1, _STEP_NS)
        else:
            step = _ROOT_NS if operation.name in ("divide", "reciprocal", "sqrt") else _STEP_NS
        cost += step * operation.dtypes[-2].itemsize / 4
    return max(1024, int(_PARALLEL_NS / cost) // 1024 * 1024)
