"""The passes over a record: for each, where it must act and where it must not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jitted import assert_same_bits

import tapegrad as tg
from tapegrad import ops
from tapegrad._core.flat import FlatVariables
from tapegrad._jit.compiler import simplified, with_own_outputs
from tapegrad._jit.hazards import copy_overwritten
from tapegrad._jit.memory import ALIGNMENT, Piece, lay_out
from tapegrad._jit.passes.common import share_common_subexpressions
from tapegrad._jit.passes.constants import LARGEST, fold_constants
from tapegrad._jit.passes.dead_code import drop_dead_code
from tapegrad._jit.passes.epilogues import fold_epilogues
from tapegrad._jit.passes.fusion import chains_of, fuse_chains
from tapegrad._jit.recorder import Recorder
from tapegrad._jit.signature import Structure
from tapegrad_kernels.cpu.program.chains.description import MOST_ARRAYS

RNG = np.random.default_rng(0)
X, W = RNG.normal(size=(4, 3)), RNG.normal(size=(3, 3))
B = RNG.normal(size=3)


def _trace(function: Any, *arrays: Any) -> Any:
    recorder = Recorder()
    tensors = [tg.tensor(a) for a in arrays]
    for tensor in tensors:
        recorder.input(tensor)
    with recorder:
        for tensor in Structure(function(*tensors)).tensors:
            recorder.output(tensor)
    assert recorder.failure is None
    return recorder.trace


def _names(trace: Any) -> list[str]:
    return [operation.name for operation in trace.operations]


# ---- dead code -----------------------------------------------------------------------


def test_dead_code_goes_and_effects_stay():
    v = tg.Variable(0.0, dtype="float64")

    def function(x: Any) -> Any:
        ops.exp(ops.sin(x))
        v.assign(x.sum())
        return x * 2.0

    trace = _trace(function, X)
    assert _names(trace) == ["sin", "exp", "sum", "assign", "multiply"]
    assert _names(drop_dead_code(trace)) == ["sum", "assign", "multiply"]


# ---- constants -----------------------------------------------------------------------


def test_what_depends_on_no_argument_is_computed_once():
    outside, v = tg.tensor(W), tg.Variable(B)
    trace = _trace(lambda x: x * ops.exp(outside).sum() + ops.zeros_like(x) + v * 2.0, X)
    folded = drop_dead_code(fold_constants(trace))
    assert _names(folded) == ["multiply", "add", "multiply", "add"]
    v.assign(v * 0.0)


def test_what_is_not_folded():
    @tg.primitive
    def noisy(x: Any) -> Any:
        return x + 1.0

    large = tg.tensor(np.ones(LARGEST // 8 + 1))
    trace = _trace(lambda x: (noisy(tg.tensor(B)), (large * 2.0)[0] * x), X)
    assert _names(fold_constants(trace)) == ["noisy", "multiply", "getitem", "multiply"]


# ---- common subexpressions -----------------------------------------------------------


def test_equal_operations_are_done_once():
    trace = _trace(lambda x: ops.exp(x) * 2.0 + ops.exp(x) * 2.0, X)
    assert _names(share_common_subexpressions(trace)) == ["exp", "multiply", "add"]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: ops.exp(x) + ops.exp(x.T).T,
        lambda x: x.sum(axis=0) + x.sum(axis=1)[:3],
        lambda x: x * 0.0 + x * -0.0,
        lambda x: x * 1 + x * 1.0,
        lambda x: x[0] + x[1],
        lambda x: x.reshape(3, 4)[0, :3] + x.reshape(2, 6)[0, :3],
    ],
)
def test_operations_that_differ_are_all_done(function: Any):
    trace = _trace(function, X)
    assert _names(share_common_subexpressions(trace)) == _names(trace)


def test_a_variable_is_another_value_after_a_write():
    v = tg.Variable(B)

    def function(x: Any) -> Any:
        before = v * 2.0
        v.assign(x)
        return before + v * 2.0

    trace = _trace(function, B)
    assert _names(share_common_subexpressions(trace)).count("multiply") == 2
    flat = FlatVariables([v])

    def through_the_buffer(x: Any) -> Any:
        before = v * 2.0
        flat.prepare_write().assign_add(ops.zeros_like(flat.parameters) + x.sum())
        return before + v * 2.0

    trace = _trace(through_the_buffer, B)
    assert _names(share_common_subexpressions(trace)).count("multiply") == 2


def test_draws_are_not_shared():
    trace = _trace(lambda x: x + tg.random.normal((3,)) + tg.random.normal((3,)), B)
    assert _names(share_common_subexpressions(trace)).count("random_normal") == 2


# ---- epilogues -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x, w, b: ops.matmul(x, w) + b, ["dense"]),
        (lambda x, w, b: b + ops.matmul(x, w), ["dense"]),
        (lambda x, w, b: ops.tanh(ops.matmul(x, w) + b), ["dense"]),
        (lambda x, w, b: ops.exp(ops.matmul(x, w) + b), ["dense", "exp"]),
        (lambda x, w, b: ops.matmul(x, w) + b[:1], ["matmul", "getitem", "add"]),
        (lambda x, w, b: ops.matmul(x, w, transpose_b=True) + b, ["matmul", "add"]),
    ],
)
def test_biases_and_activations(function: Any, expected: list[str]):
    assert _names(fold_epilogues(_trace(function, X, W, B))) == expected
    for activation in (lambda y: y, ops.relu, ops.tanh, ops.sigmoid):
        both = [(X, W, B), (W, -W, -B)]
        for arrays in both:
            assert_same_bits(lambda *a, f=activation: f(function(*a)), arrays)


def test_what_is_needed_elsewhere_keeps_its_operation():
    def product(x: Any, w: Any, b: Any) -> Any:
        y = ops.matmul(x, w)
        return y + b, y

    def dense(x: Any, w: Any, b: Any) -> Any:
        y = ops.matmul(x, w) + b
        return ops.relu(y), y

    assert _names(fold_epilogues(_trace(product, X, W, B))) == ["matmul", "add"]
    assert _names(fold_epilogues(_trace(dense, X, W, B))) == ["dense", "relu"]


# ---- values that are overwritten -----------------------------------------------------


def test_old_values_are_copied_only_where_they_are_needed_later():
    v = tg.Variable(B)

    def needed(x: Any) -> Any:
        old = v.value
        v.assign(x)
        return old + x

    def not_needed(x: Any) -> Any:
        y = v * x
        v.assign(y)
        return y + v

    def backwards(x: Any) -> Any:
        v.assign(v.value[::-1])
        return v + x

    assert _names(copy_overwritten(_trace(needed, B))) == ["copy", "assign", "add"]
    assert _names(copy_overwritten(_trace(not_needed, B))) == ["multiply", "assign", "add"]
    assert _names(copy_overwritten(_trace(backwards, B))) == ["copy", "getitem", "assign", "add"]


def test_values_in_a_buffer_that_is_written():
    v, w = tg.Variable(B), tg.Variable(B + 1)
    flat = FlatVariables([v, w])

    def function(x: Any) -> Any:
        y = v * 2.0
        old = w.value.reshape(-1)
        flat.prepare_write().assign_add(ops.zeros_like(flat.parameters) + x.sum())
        return y + old

    names = _names(copy_overwritten(drop_dead_code(_trace(function, B))))
    assert names.count("copy") == 1


# ---- results -------------------------------------------------------------------------


def test_outputs_are_results_of_their_own():
    v = tg.Variable(B)
    trace = with_own_outputs(_trace(lambda x: (x, x.T, v.value, x * 1.0), W))
    assert _names(trace) == ["transpose", "multiply", "copy", "copy", "copy"]
    y = with_own_outputs(_trace(lambda x: [x * 1.0] * 2, W))
    assert _names(y) == ["multiply", "copy"]


# ---- chains --------------------------------------------------------------------------


def test_elementwise_operations_become_one_loop():
    trace = fuse_chains(_trace(lambda x, b: ops.tanh(x * b + 1.0) - x, X, B))
    (chain,) = chains_of(trace.operations)
    assert chain.names == ("multiply", "add", "tanh", "subtract")
    assert sorted(chain.kinds) == ["full", "row"]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: ops.exp(x).sum(axis=0) + 1.0,  # a reduction in between
        lambda x: ops.exp(ops.matmul(x, W)),
        lambda x: ops.exp(x[0, :1]) * 2.0,  # one element
    ],
)
def test_what_is_no_chain(function: Any):
    assert chains_of(fuse_chains(_trace(function, X)).operations) == []


def test_no_loop_goes_beyond_an_effect():
    v = tg.Variable(B)

    def function(x: Any) -> Any:
        y = ops.exp(x) * 2.0
        v.assign(y)
        return ops.exp(y + v)

    trace = fuse_chains(_trace(function, B))
    assert _names(trace) == ["chain", "assign", "chain"]


def test_an_operation_that_waits_for_another_one_is_not_drawn_into_a_loop():
    def function(x: Any) -> Any:
        y = ops.exp(x)
        z = ops.softmax(y)  # after y, before the sum
        return y + z

    names = _names(fuse_chains(_trace(function, X)))
    assert names.index("softmax") < names.index("add")
    assert "chain" not in names


def test_loops_of_many_inputs_and_results_are_cut():
    def function(*arrays: Any) -> Any:
        results, total = [], arrays[0]
        for array in arrays:
            total = total * array
            results += [total, total + 1.0]
        return results

    arrays = [RNG.normal(size=5) for _ in range(30)]
    for chain in chains_of(simplified(_trace(function, *arrays)).operations):
        assert len(chain.kinds) + len(chain.outputs) <= MOST_ARRAYS
    jitted = tg.jit(function)
    for _ in range(2):
        for got, wanted in zip(jitted(*arrays), function(*map(tg.tensor, arrays)), strict=True):
            np.testing.assert_array_equal(got.numpy(), wanted.numpy())


# ---- memory --------------------------------------------------------------------------

_pieces = st.lists(
    st.tuples(st.integers(0, 20000), st.integers(0, 12), st.integers(0, 6)), max_size=25
)


@settings(deadline=None, derandomize=True, database=None, max_examples=200)
@given(_pieces)
def test_pieces_that_live_at_once_do_not_overlap(drawn: list[tuple[int, int, int]]):
    pieces = [Piece(k, size, first, first + more) for k, (size, first, more) in enumerate(drawn)]
    offsets, total = lay_out(pieces)
    assert set(offsets) == set(range(len(pieces)))
    for piece in pieces:
        begin = offsets[piece.key]
        assert begin >= 0
        assert begin % ALIGNMENT == 0
        assert begin + piece.nbytes <= total
        for other in pieces[: piece.key]:
            if other.last < piece.first or piece.last < other.first:
                continue
            apart = offsets[other.key] + other.nbytes <= begin
            assert apart or begin + piece.nbytes <= offsets[other.key]


def test_memory_is_used_again():
    pieces = [Piece(k, 1000, 2 * k, 2 * k + 1) for k in range(50)]
    assert lay_out(pieces)[1] == 1024

    def many(x: Any) -> Any:
        for _ in range(40):
            x = ops.softmax(x)
        return x

    program = tg.jit(many).program(np.ones((100, 10)))
    assert program.arena_bytes < 3 * 100 * 10 * 8
