"""Chains whose results are summed piece by piece: where they are made, and their bits."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from jitted import assert_equal_bits, in_blocks
from matplotlib.text import Text

import tapegrad as tg
from tapegrad import ops
from tapegrad._jit.compiler import simplified
from tapegrad._jit.program import Program
from tapegrad._jit.recorder import Recorder
from tapegrad._jit.signature import Structure
from tapegrad_kernels._compile import get_num_threads, set_num_threads
from tapegrad_kernels.cpu.program.chains import lowering, sums

RNG = np.random.default_rng(0)


def _array(shape: tuple[int, ...], dtype: str = "float32") -> Any:
    # Sums whose order shows, zeros of both signs among them.
    values = RNG.normal(size=shape) * np.exp(RNG.normal(0, 3, size=shape))
    return np.where(RNG.random(shape) < 0.01, -0.0, values).astype(dtype)


def _names(function: Any, *arrays: Any) -> list[str]:
    """The operations of a program."""
    recorder = Recorder()
    tensors = [tg.tensor(a) for a in arrays]
    for tensor in tensors:
        recorder.input(tensor)
    with recorder:
        for tensor in Structure(function(*tensors)).tensors:
            recorder.output(tensor)
    return [operation.name for operation in simplified(recorder.trace).operations]


def _check(function: Any, *arrays: Any) -> Program:
    """Compare with the ordinary call, in blocks and as a compiled loop, on one thread and more."""
    tensors = [tg.tensor(a) for a in arrays]
    wanted, before = function(*tensors), get_num_threads()
    recorded = tg.jit(function)
    with in_blocks(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(lowering, "compiled_block", lambda chain: None)  # perhaps kept on disk
        for _ in range(2):
            assert_equal_bits(recorded(*tensors), wanted, "in blocks")
        program = recorded.program(*tensors)
        assert program.plan.pending
        assert "chain_sum" in [step.operation.name for step in program.steps]
        assert all(step.native for step in program.steps)
    program.finish()
    try:
        for threads in (before, 1):
            set_num_threads(threads)
            assert_equal_bits(recorded(*tensors), wanted, f"compiled, {threads} threads")
    finally:
        set_num_threads(before)
    assert not program.plan.pending
    return program


# ---- bits ----------------------------------------------------------------------------


def _square_error(**how: Any) -> Any:
    return lambda a, b: ops.mean((a - b) ** 2, **how)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((32_768,), None),
        ((100_001,), None),  # the last piece is short
        ((331, 257), None),
        ((331, 257), 0),  # two blocks of rows, the last one short
        ((331, 257), 1),
        ((255, 131), 0),
        ((66, 5000), 0),  # columns are cut
        ((3, 20_011), 1),  # a task is one row
        ((40_001, 3), 1),
        ((40_001, 9), 0),
        ((3, 300, 67), 1),  # several matrices
        ((5, 81, 11, 23), (0, 1, 2)),
        ((5, 81, 11, 23), (2, 3)),
        ((5, 4, 111, 43), (0, 2)),  # one pass after the other
        ((5, 1, 331, 23), (1, 3)),
    ],
)
def test_results_have_the_same_bits(shape: tuple[int, ...], axis: Any, dtype: str):
    a, b = _array(shape, dtype), _array(shape, dtype)
    _check(_square_error(axis=axis), a, b)
    _check(lambda a, b: ops.sum(ops.tanh(a) * b, axis=axis, keepdims=True), a, b)


@pytest.mark.parametrize("kind", ["row", "column", "scalar"])
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_inputs_that_are_broadcast(kind: str, axis: Any):
    other = _array({"row": (213,), "column": (300, 1), "scalar": ()}[kind])
    _check(lambda a, b: ops.sum(ops.maximum(a - b, 0.25), axis=axis), _array((300, 213)), other)


def test_other_results_of_the_chain_are_written():
    def function(a: Any, b: Any) -> Any:
        difference = a - b
        return difference * 0.5, (difference**2).mean(), difference > 0.0

    a, b = _array((300, 213)), _array((300, 213))
    program = _check(function, a, b)
    assert program.arena_bytes < a.nbytes * 2  # squares are nowhere in full, two pieces a thread


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_single_operations(axis: Any):
    a, b = _array((300, 213)), _array((300, 213))
    _check(lambda a: ops.sum(ops.exp(-ops.abs(a)), axis=axis), a)
    _check(lambda a: ops.sum(ops.square(a), axis=axis), a)
    _check(lambda a, b: ops.mean(a * b, axis=axis), a, b)


def test_transposed_inputs_and_changes_of_shape():
    a, b = _array((213, 300)), _array((300, 213))
    _check(lambda a, b: ops.sum(a.T * b, axis=0), a, b)
    _check(lambda a, b: ops.sum((b * 2.0 + 1.0).reshape(100, 639), axis=0), a, b)


def test_gradients_of_what_was_broadcast():
    def function(x: Any, bias: Any) -> Any:
        with tg.Tape() as tape:
            tape.watch(bias)
            loss = ops.sum(ops.tanh(x * 0.3 + bias) ** 2)
        return loss, tape.gradient(loss, bias)

    _check(function, _array((300, 213)), _array((213,)))
    _check(function, _array((300, 213)), _array((300, 1)))


def test_infinities_and_nans():
    a = _array((300, 213))
    a[0, 0], a[7, 7], a[8, 8], a[9, 7] = np.nan, np.inf, -np.inf, -np.inf
    for axis in (None, 0, 1):
        _check(lambda a, axis=axis: ops.sum(a * 2.0 - 1.0, axis=axis), a)


def test_fewer_pieces_than_threads(monkeypatch: pytest.MonkeyPatch):
    # On many threads the loop by itself has more parts: both are then done one by one.
    monkeypatch.setattr(sums, "_threads_of", lambda chain, size: 1 << 20)
    a, b = _array((300, 213)), _array((300, 213))
    for axis in (None, 0, 1):
        _check(_square_error(axis=axis), a, b)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_ordinary_kernels_in_the_place_of_rows(reduction: str):
    """What is called where a run has to be done again."""

    def function(x: Any, bias: Any) -> Any:
        y = ops.tanh(x + bias)
        return y * 2.0, getattr(ops, reduction)(y**2, axis=(0, 1), keepdims=True)

    a, b = _array((3, 100, 213)), _array((213,))
    recorded = tg.jit(function)
    recorded(tg.tensor(a), tg.tensor(b))
    program = recorded.program(tg.tensor(a), tg.tensor(b))
    (step,) = [step for step in program.steps if step.operation.name == "chain_sum"]
    got = step.operation.primitive._implementation("cpu")(a, b, **step.operation.params)
    wanted = [part.numpy() for part in function(tg.tensor(a), tg.tensor(b))]
    for part, other in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(part.reshape(other.shape), other)


_MANY_THREADS = """
import numpy as np
import tapegrad as tg
from tapegrad import ops
from tapegrad_kernels._compile import set_num_threads

rng = np.random.default_rng(0)
a, b = (tg.tensor(rng.normal(size=(1031, 257)).astype("float32")) for _ in range(2))
for axis in (None, 0, 1):
    for dtype in ("float32", "float64"):
        x, y = a.astype(dtype), b.astype(dtype)
        step = lambda x, y: ops.mean((x - y) ** 2, axis=axis)
        wanted, recorded = step(x, y).numpy().tobytes(), tg.jit(step)
        recorded(x, y)
        program = recorded.program(x, y)
        for _ in range(2):
            for threads in (8, 2, 1):
                set_num_threads(threads)
                for _ in range(3):
                    assert recorded(x, y).numpy().tobytes() == wanted, (axis, dtype, threads)
            program.finish()
print("same")
"""


def test_any_number_of_threads():
    environment = {**os.environ, "NUMBA_NUM_THREADS": "8"}
    done = subprocess.run(
        [sys.executable, "-c", _MANY_THREADS],
        env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "same"


# ---- where it acts -------------------------------------------------------------------

LARGE = RNG.normal(size=(300, 213))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: ops.exp(x).sum(),
        lambda x: ops.exp(x * 2.0).mean(axis=-1),
        lambda x: ops.exp(x * 2.0).reshape(100, 639).sum(axis=0),
    ],
)
def test_a_chain_and_its_sum_become_one(function: Any):
    assert _names(function, LARGE) == ["chain_sum"]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: ops.exp(x[:10] * 2.0).sum(), ["getitem", "chain", "sum"]),  # few elements
        (lambda x: ops.exp(x * 2.0).max(), ["chain", "max"]),
        (lambda x: ops.sort(x).sum(), ["sort", "sum"]),
        (lambda x: (x * 2.0 > x).sum(), ["chain", "sum"]),  # of bools
        (lambda x: (x * 2.0 + 1.0)[None].sum(axis=()), ["chain", "getitem", "sum"]),  # of no axis
        (lambda x: (x * 2.0 + 1.0).reshape(-1, 3, 71).sum(axis=1), ["chain", "reshape", "sum"]),
        (lambda x: (lambda y: (y, y.sum()))(x * 2.0 + 1.0), ["chain", "sum"]),  # needed in full
        (lambda x: (lambda y: y.sum() * ops.sort(y))(x * 2.0 + 1.0), None),
    ],
)
def test_what_stays_apart(function: Any, expected: list[str] | None):
    names = _names(function, LARGE)
    assert "chain_sum" not in names
    assert expected is None or names == expected


def test_a_chain_has_one_sum():
    names = _names(lambda x: (lambda y: (ops.exp(y).sum(), (y**2).sum()))(x + 1.0), LARGE)
    assert names == ["chain_sum", "sum"]


def test_no_sum_goes_beyond_an_effect():
    v = tg.Variable(LARGE)

    def function(x: Any) -> Any:
        y = ops.exp(x) * 2.0
        v.assign(x)
        return y.sum()

    assert _names(function, LARGE) == ["chain", "assign", "sum"]


def test_descriptions_and_drawings():
    recorded = tg.jit(lambda a: ops.mean((a - 1.0) ** 2))
    a = tg.tensor(LARGE)
    recorded(a)
    program = recorded.program(a)
    assert "chain[3]: subtract power mean" in program.describe().replace("\n", " ")
    drawn = [text.get_text() for text in tg.plot.program(program).findobj(Text)]
    assert any("3 fused" in text for text in drawn)
