"""Comparison of recorded functions with the same functions run in the ordinary way, bit by bit."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from tapegrad._jit import program as program_module
from tapegrad._jit.program import Program

__all__ = [
    "assert_equal_bits",
    "assert_same_bits",
    "assert_same_steps",
    "flat",
    "in_blocks",
    "on_the_host",
]

Call = tuple[Any, ...]


@contextmanager
def in_blocks() -> Iterator[None]:
    """Within this context no fused loop is compiled: chains run in blocks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(program_module, "compile_chain", lambda chain: None)
        patch.setattr(program_module, "is_compiled", lambda chain: False)
        yield


def flat(result: Any) -> list[Any]:
    """All parts of a result, arrays in place of tensors."""
    if isinstance(result, tg.Tensor | tg.Variable):
        return [result.numpy()]
    if isinstance(result, dict):
        return [part for key in result for part in flat(result[key])]
    if isinstance(result, tuple | list):
        return [part for element in result for part in flat(element)]
    return [result]


def assert_equal_bits(got: Any, wanted: Any, what: str = "") -> None:
    """Check that two results agree in structure, shapes, dtypes, values and signs of zeros."""
    assert type(got) is type(wanted), f"{what}: {type(got)} in place of {type(wanted)}"
    if isinstance(wanted, dict):
        assert list(got) == list(wanted), what
    parts, expected = flat(got), flat(wanted)
    assert len(parts) == len(expected), what
    for number, (part, other) in enumerate(zip(parts, expected, strict=True)):
        name = f"{what}, part {number}"
        if not isinstance(other, np.ndarray):
            assert part == other, name
            continue
        assert (part.shape, part.dtype) == (other.shape, other.dtype), name
        np.testing.assert_array_equal(part, other, name)
        if other.dtype.kind == "f":
            numbers = ~np.isnan(other)
            signs = np.signbit(part)[numbers] == np.signbit(other)[numbers]
            assert signs.all(), f"{name}: signs of zeros"


def assert_same_bits(
    function: Callable[..., Any], *calls: Call, compiled: bool = False, native: bool = True
) -> Program:
    """Check that a function without effects gives the same when it is recorded.

    Parameters
    ----------
    function : callable
        Takes arrays.
    *calls : tuple of ndarray
        Arguments; all of the same shapes and dtypes.
    compiled : bool, default False
        Whether to wait for fused loops and to run all calls again.
    native : bool, default True
        Whether nothing may be called from Python.

    Returns
    -------
    Program
        What the function became.
    """
    wanted = [function(*_tensors(call)) for call in calls]
    jitted = tg.jit(function)
    with warnings.catch_warnings(), in_blocks():
        warnings.simplefilter("error")
        for number, call in enumerate([*calls, *calls]):
            expected = wanted[number % len(calls)]
            assert_equal_bits(jitted(*_tensors(call)), expected, f"call {number}")
        program = jitted.program(*_tensors(calls[0]))
    if compiled:
        program.finish()
        assert not program.plan.pending
        for number, call in enumerate(calls):
            assert_equal_bits(jitted(*_tensors(call)), wanted[number], f"compiled, call {number}")
    if native:
        assert on_the_host(program) == []
    return program


def _tensors(call: Call) -> list[Any]:
    return [tg.tensor(a) if isinstance(a, np.ndarray | np.generic) else a for a in call]


def on_the_host(program: Program) -> list[str]:
    """Names of the primitives that a program calls from Python."""
    return sorted({step.operation.name for step in program.steps if not step.native})


def assert_same_steps(
    make: Callable[[], tuple[Callable[..., Any], Callable[[], Any]]],
    calls: Sequence[Call],
    *,
    compiled_after: int | None = None,
    native: bool = True,
) -> Program:
    """Check that a function with effects does the same when it is recorded.

    Parameters
    ----------
    make : callable
        Makes the function, and another that returns all its state; called twice, after the
        same seed.
    calls : sequence of tuples
        Arguments of one step after the other.
    compiled_after : int, optional
        Number of the step before which fused loops get compiled.
    native : bool, default True
        Whether nothing may be called from Python.
    """
    tg.set_seed(11)
    step, state = make()
    results = [step(*_tensors(call)) for call in calls]
    wanted = state()
    tg.set_seed(11)
    step, state = make()
    jitted = tg.jit(step)
    with warnings.catch_warnings(), in_blocks():
        warnings.simplefilter("error")
        for number, call in enumerate(calls):
            if number == compiled_after:
                break
            assert_equal_bits(jitted(*_tensors(call)), results[number], f"step {number}")
    if compiled_after is not None:
        jitted.program(*_tensors(calls[0])).finish()
        for number, call in enumerate(calls[compiled_after:], compiled_after):
            assert_equal_bits(jitted(*_tensors(call)), results[number], f"step {number}")
    assert_equal_bits(state(), wanted, "state")
    program = jitted.program(*_tensors(calls[-1]))
    if native:
        assert on_the_host(program) == []
    return program
