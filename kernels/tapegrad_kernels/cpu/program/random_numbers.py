"""Random draws whose seed and stream are read when the rows run."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad_kernels._compile import Block, block, on_warmup
from tapegrad_kernels._compile.launch import chunk_block, parallel_launcher, run_chunks
from tapegrad_kernels._compile.pointers import call_block, float64_at, int64_at
from tapegrad_kernels.cpu.program.builder import Builder
from tapegrad_kernels.cpu.program.lowering import NotNative, lowers
from tapegrad_kernels.cpu.program.operand import Operand
from tapegrad_kernels.cpu.random import BLOCKS, CHUNK, permutation_block, seed_word

HEAD = 9
"""Words of the record of `draw_block` before the record of the block that it runs."""


@block("draw")
def draw_block(record, start, stop):  # type: ignore[no-untyped-def]
    """Read seed, stream and probability, and run a block that draws.

    The record holds the addresses of the three, each 0 if the number stands in the inner record;
    those of the status word, of the block, of `chunk_block` and of `parallel_launcher`; the
    numbers of the first Philox block and of the one after the last. The record of the block
    follows: where the numbers go, the seed, the stream, and the threshold.
    """
    packed = int64_at(record)
    inner = record + 8 * HEAD
    given = int64_at(inner)
    if packed[0] != 0:
        given[1] = int64_at(packed[0])[0]
    if packed[1] != 0:
        given[2] = int64_at(packed[1])[0]
    if packed[2] != 0:
        chance = float64_at(packed[2])[0]
        if not 0.0 <= chance <= 1.0:
            int64_at(packed[3])[0] = 1
            return
        given[3] = np.int64(np.rint(chance * 2.0**32))
    first, last = packed[7], packed[8]
    if first == 0:
        run_chunks(packed[4], inner, last, CHUNK, packed[5], packed[6])
    else:
        call_block(packed[4], inner, first, last)


def _word(b: Builder, name: str, value: Any) -> tuple[Any, int]:
    """Where a seed or stream stands, and the number itself if it is known."""
    if not isinstance(value, Operand):
        return 0, seed_word(name, value)
    if value.size != 1 or value.dtype.kind not in "iu":
        raise NotNative(f"a {name} of {value.dtype}")
    return (value if value.itemsize == 8 else b.contiguous(value, np.int64)), 0


def _threshold(b: Builder, probability: Any) -> tuple[Any, int]:
    """Where the probability stands, and what 32 random bits must be below if it is known."""
    if isinstance(probability, Operand):
        if probability.size != 1:
            raise NotNative("several probabilities")
        return b.contiguous(probability, np.float64), 0
    chance = float(probability)
    if not 0.0 <= chance <= 1.0:
        raise NotNative("a probability outside 0 to 1")
    return 0, round(chance * 2.0**32)


def _draw(
    b: Builder,
    filler: Block,
    target: Operand,
    words: tuple[tuple[Any, int], ...],
    first: int,
    last: int,
) -> None:
    addresses, numbers = zip(*words)
    launch = filler.address, chunk_block.address, parallel_launcher.address
    b.call(draw_block, *addresses, b.status, *launch, first, last, target, *numbers)
    b.rows[-1] = b.rows[-1]._replace(name=filler.name)


def _lower_draw(
    b: Builder, kind: str, out: Operand, seed: Any, stream: Any, probability: Any = 0.0
) -> None:
    """Rows that fill `out`: whole Philox blocks at once, and the last one by way of scratch."""
    real = "float64" if out.dtype == np.float64 else "float32"
    if out.dtype != np.dtype(real):
        drawn = b.temporary(out.shape, real)
        _lower_draw(b, kind, drawn, seed, stream, probability)
        b.copy(drawn, out)
        return
    each, filler = BLOCKS[kind, real]
    words = _word(b, "seed", seed), _word(b, "stream", stream), _threshold(b, probability)
    whole, left = divmod(out.size, each)
    if whole:
        _draw(b, filler, out, words, 0, whole)
    if left:
        last = b.temporary((each,), real)
        # The block writes where its numbers would stand in a whole array.
        shifted = last.view(offset=-whole * each * last.itemsize)
        _draw(b, filler, shifted, words, whole, whole + 1)
        b.copy(last.view((left,)), out.flat().view((left,), offset=whole * each * out.itemsize))


@lowers("random_uniform")
def _lower_uniform(b: Builder, out: Operand, seed: Any, stream: Any, **params: Any) -> None:
    _lower_draw(b, "uniform", out, seed, stream)


@lowers("random_normal")
def _lower_normal(b: Builder, out: Operand, seed: Any, stream: Any, **params: Any) -> None:
    _lower_draw(b, "normal", out, seed, stream)


@lowers("random_bernoulli")
def _lower_bernoulli(
    b: Builder, out: Operand, seed: Any, stream: Any, *, probability: Any, **params: Any
) -> None:
    _lower_draw(b, "bernoulli", out, seed, stream, probability)


@lowers("random_permutation")
def _lower_permutation(b: Builder, out: Operand, seed: Any, stream: Any, *, n: int) -> None:
    words = _word(b, "seed", seed), _word(b, "stream", stream), (0, out.size)
    _draw(b, permutation_block, out, words, 0, 1)


@on_warmup("program random draws")
def _warm() -> None:
    draw_block.address  # noqa: B018
