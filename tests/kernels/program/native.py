"""Runs one kernel as rows of a program, for comparison with its ordinary call."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad_kernels import cpu
from tapegrad_kernels.cpu.program import Builder, Layout, Operand
from tapegrad_kernels.cpu.program.lowering import lower
from tapegrad_kernels.cpu.program.operand import FIRST_FREE

__all__ = ["Native", "assert_same_bits", "run_natively"]


_MARGIN = 64


class Native:
    """One kernel as a program over copies of its arguments.

    Attributes
    ----------
    arguments : list
        The copies; what the kernel writes into its arguments is found here.
    results : list of ndarray
        Filled by `run`.
    """

    def __init__(
        self,
        name: str,
        args: tuple[Any, ...],
        params: dict[str, Any],
        outs: Any,
        adjacent: bool = False,
    ) -> None:
        self.arrays: list[np.ndarray[Any, Any]] = []
        self.arguments = [self._copy(a) for a in args]
        operands = [self._operand(a) for a in self.arguments]
        keywords = {
            key: self._operand(self._copy(value)) if isinstance(value, np.ndarray) else value
            for key, value in params.items()
        }
        kind = type(outs)
        flat = list(outs) if kind is tuple else [] if outs is None else [outs]
        # Filled with what no kernel gives, so that an element that is not written shows.
        self._margins: list[np.ndarray[Any, Any]] = []
        self.results = [self._result(np.asarray(o)) for o in flat]
        results = self._adjacent() if adjacent else [self._operand(r) for r in self.results]
        builder = Builder()
        lower(
            builder,
            name,
            tuple(results) if kind is tuple else results[0] if results else None,
            tuple(operands),
            keywords,
        )
        self.layout = Layout()
        self.rows = self.layout.add(builder, 128)
        self.layout.finish()
        count = FIRST_FREE + len(self.arrays)
        self.frame = self.layout.frame(128 + builder.scratch_bytes, count)
        memory = self.frame._memory
        memory[:] = 0xFF  # NaN in every floating type
        begin = self.frame._arena_offset + 128
        self._margins += [memory[:begin], memory[begin + builder.scratch_bytes :]]
        for number, array in enumerate(self.arrays, FIRST_FREE):
            self.frame.bases[number] = id(array)

    def run(self) -> int:
        """Run once; return the status."""
        self.frame.run(*self.rows)
        for margin in self._margins:
            assert (margin == 0xFF).all(), "something was written beside an array"
        return self.frame.status

    def _result(self, like: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """An array of the shape and dtype of another, with margins of bytes on both sides."""
        memory = np.full(like.nbytes + 2 * _MARGIN, 0xFF, np.uint8)
        self._margins += [memory[:_MARGIN], memory[_MARGIN + like.nbytes :]]
        result: Any = np.ndarray(like.shape, like.dtype, memory, _MARGIN)
        result[...] = _odd(like.dtype)
        return result

    def _adjacent(self) -> list[Operand]:
        """Results that stand one after another in one array."""
        memory = np.concatenate([r.reshape(-1).view(np.uint8) for r in self.results])
        whole, offset, operands = self._operand(memory), 0, []
        for number, result in enumerate(self.results):
            self.results[number] = np.ndarray(result.shape, result.dtype, memory, offset)
            operands.append(whole.view(result.shape, result.strides, offset, result.dtype))
            offset += result.nbytes
        return operands

    def _copy(self, value: Any) -> Any:
        if not isinstance(value, np.ndarray):
            return value
        # The same strides, over memory of its own.
        low, high = np.lib.array_utils.byte_bounds(value) if value.size else (0, 0)
        memory = np.zeros(high - low + value.itemsize, np.uint8)
        start = value.__array_interface__["data"][0] - low if value.size else 0
        copy = np.ndarray(value.shape, value.dtype, memory, start, value.strides)
        copy[...] = value
        return copy

    def _operand(self, value: Any) -> Any:
        if not isinstance(value, np.ndarray):
            return value
        self.arrays.append(value)
        number = FIRST_FREE + len(self.arrays) - 1
        return Operand(number, 0, value.shape, value.dtype, value.strides)


def _odd(dtype: np.dtype[Any]) -> Any:
    return np.nan if dtype.kind in "fc" else 77 if dtype.kind in "iu" else True


def run_natively(
    name: str, *args: Any, adjacent: bool = False, **params: Any
) -> tuple[Any, Native]:
    """Call a kernel in the ordinary way and as a program; return the result of the former.

    Mutated arguments of the ordinary call are written in `args` themselves, those of the
    program in ``native.arguments``. With `adjacent` the program's results stand one after
    another in one array, as the gradients of a network do.
    """
    from tapegrad._core.registry import primitives

    native = None
    trial = [a.copy() if isinstance(a, np.ndarray) else a for a in args]
    kernel = getattr(cpu, name, None) or primitives[name]._implementation("cpu")
    outs = kernel(*trial, **params)
    native = Native(name, args, params, outs, adjacent)
    assert native.run() == 0, f"{name} set the status {native.frame.status}"
    kernel(*args, **params)
    return outs, native


def assert_same_bits(name: str, *args: Any, **params: Any) -> Native:
    """Check that a kernel's rows give the bits of its call, results and written arguments alike."""
    outs, native = run_natively(name, *args, **params)
    expected = list(outs) if type(outs) is tuple else [] if outs is None else [outs]
    for number, (wanted, got) in enumerate(zip(expected, native.results, strict=True)):
        _same(np.asarray(wanted), got, f"{name}: result {number}")
    for number, (wanted, got) in enumerate(zip(args, native.arguments, strict=True)):
        if isinstance(wanted, np.ndarray):
            _same(wanted, got, f"{name}: argument {number} afterwards")
    return native


def _same(wanted: np.ndarray[Any, Any], got: np.ndarray[Any, Any], what: str) -> None:
    assert (wanted.shape, wanted.dtype) == (got.shape, got.dtype), what
    np.testing.assert_array_equal(got, wanted, what)
    same_zeros = wanted.dtype.kind != "f" or np.array_equal(
        np.signbit(got)[~np.isnan(got)], np.signbit(wanted)[~np.isnan(wanted)]
    )
    assert same_zeros, f"{what}: signs of zeros differ"
