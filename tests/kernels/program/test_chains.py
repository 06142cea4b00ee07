"""Chains of elementwise kernels: fused loops and blocks against the separate kernels."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import warnings
from typing import Any

import numpy as np
import pytest
from kernels.program.test_elementwise import sample

from tapegrad_kernels import cpu
from tapegrad_kernels.cpu.program import Builder, Layout, Operand
from tapegrad_kernels.cpu.program.chains import (
    MOST_ARRAYS,
    MOST_STEPS,
    Chain,
    Number,
    Step,
    compile_chain,
    compiler,
    is_compiled,
    is_fusible,
    lower_chain,
    lowering,
    wait,
)
from tapegrad_kernels.cpu.program.chains.source import source_of

F4, F8, B = np.dtype("float32"), np.dtype("float64"), np.dtype("bool")
# fmt: off
UNARY = [
    "negative", "positive", "square", "sqrt", "reciprocal", "absolute", "fabs", "floor",
    "ceil", "trunc", "rint", "sign", "isnan", "isinf", "isfinite", "logical_not", "exp",
    "log", "tanh", "erf", "sigmoid", "softplus", "relu", "gelu",
]
# fmt: on
# fmt: off
BINARY = [
    "add", "subtract", "multiply", "divide", "maximum", "minimum", "equal", "not_equal",
    "less", "less_equal", "greater", "greater_equal", "logical_and", "logical_or",
    "logical_xor", "tanh_grad", "erf_grad", "sigmoid_grad", "relu_grad", "softplus_grad",
    "gelu_grad", "sigmoid_cross_entropy",
]
# fmt: on
# fmt: off
TRUTH = [
    "equal", "not_equal", "logical_and", "logical_or", "logical_xor", "bitwise_and",
    "bitwise_or", "bitwise_xor", "add", "multiply", "maximum", "minimum",
]
# fmt: on


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


def call(name, *args, **params):
    return np.asarray(getattr(cpu, name)(*args, **params))


class Recorder:
    """Builds a chain and computes it with the separate kernels at the same time."""

    def __init__(self, inputs, shape):
        self.arrays, self.shape = [np.asarray(array) for array in inputs], shape
        self.values = list(self.arrays)
        self.steps = []

    def kind(self, array):
        if array.ndim == 0:
            return "scalar"
        if array.ndim == 1:
            return "row"
        return "full" if array.shape == self.shape else "column"

    def add(self, name, *arguments, **params):
        """Append a step; integers are positions, other numbers numbers."""
        kinds = tuple(self.values[a].dtype if type(a) is int else a for a in arguments)
        read = [self.values[a] if type(a) is int else a.value if a else a for a in arguments]
        assert is_fusible(name, kinds, params), name
        result = call(name, *read, **params)
        self.values.append(result)
        self.steps.append(Step(name, arguments, tuple(sorted(params.items())), result.dtype))
        return len(self.values) - 1

    def chain(self, outputs):
        dtypes = tuple(a.dtype for a in self.arrays)
        kinds: Any = tuple(self.kind(a) for a in self.arrays)
        return Chain(dtypes, kinds, tuple(self.steps), tuple(outputs))

    def check(self, *outputs, fused=True, blocked=True):
        outputs = outputs or tuple(range(len(self.arrays), len(self.values)))
        chain = self.chain(outputs)
        wanted = [np.broadcast_to(self.values[o], self.shape) for o in outputs]
        if blocked:
            same(run(chain, self.arrays, self.shape, fused=False), wanted, chain)
        if fused:
            same(run(chain, self.arrays, self.shape, fused=True), wanted, chain)


def run(chain, arrays, shape, fused):
    """Run a chain as a program, compiled or in blocks."""
    outs = [
        np.full(shape, 77 if chain.dtype_of(o) != B else 1).astype(chain.dtype_of(o))
        for o in chain.outputs
    ]
    operands = [
        Operand(2 + i, 0, a.shape, a.dtype, a.strides) for i, a in enumerate([*arrays, *outs])
    ]
    builder = Builder()
    if fused:
        compile_chain(chain)
        assert wait(300)
        assert is_compiled(chain)
    with pytest.MonkeyPatch.context() as patch:
        if not fused:
            patch.setattr(lowering, "compiled_block", lambda chain: None)
        lower_chain(builder, tuple(operands[len(arrays) :]), tuple(operands[: len(arrays)]), chain)
    assert builder.pending == ([] if fused or not outs[0].size else [chain])
    layout = Layout()
    rows = layout.add(builder)
    layout.finish()
    frame = layout.frame(builder.scratch_bytes, 2 + len(operands))
    frame._memory[:] = 0xFF
    for i, array in enumerate([*arrays, *outs]):
        frame.bases[2 + i] = id(array)
    frame.run(*rows)
    return outs


def same(got, wanted, chain):
    for k, (a, b) in enumerate(zip(got, wanted, strict=True)):
        what = f"output {k} of {chain.names}"
        assert a.dtype == b.dtype, what
        np.testing.assert_array_equal(a, b, what)
        if a.dtype.kind == "f":
            known = ~np.isnan(b)
            assert np.array_equal(np.signbit(a)[known], np.signbit(b)[known]), what


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_operation(dtype):
    shape = (37, 41)
    for names in (UNARY[:12], UNARY[12:]):
        chain = Recorder([sample(dtype, shape)], shape)
        for name in names:
            chain.add(name, 0)
        chain.check()
    for names in (BINARY[:8], BINARY[8:16], BINARY[16:]):
        chain = Recorder([sample(dtype, shape), sample(dtype, shape, 1)], shape)
        for name in names:
            chain.add(name, 0, 1)
        chain.check()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_operations_with_numbers_and_parameters(dtype):
    shape = (23, 29)
    chain = Recorder([sample(dtype, shape), sample(dtype, shape, 1), sample("bool", shape)], shape)
    for value in (2, 0.3, -0.0, 0.0, np.inf, True):
        chain.add("multiply", 0, Number(value))
        chain.add("maximum", 0, Number(value))
        chain.add("subtract", Number(value), 1)
        chain.add("where", 2, 0, Number(value))
    chain.check()
    chain = Recorder([sample(dtype, shape), sample(dtype, shape, 1), sample("bool", shape)], shape)
    chain.add("where", 2, 0, 1)
    chain.add("where", 0, Number(1), 1)
    chain.add("where", 2, Number(1), Number(0.5))
    for bounds in ((0.0, 1.0), (-0.0, 0), (None, 1), (-1, None), (None, None), (2, -2)):
        chain.add("clip", 0, *(b if b is None else Number(b) for b in bounds))
    chain.add("gelu", 0, approximate=True)
    chain.add("gelu_grad", 0, 1, approximate=True)
    chain.add("gelu_grad", 0, 1, approximate=False)
    chain.add("sigmoid_cross_entropy_grad", 0, 1, 0)
    chain.add("relu_grad", 0, Number(0.5))
    for exponent in (2, 0.5, -1.0):
        chain.add("power", 0, Number(exponent))
    chain.check()


def test_truth_values_and_conversions():
    shape = (19, 31)
    inputs = [sample("bool", shape), sample("bool", shape, 1), sample("float32", shape)]
    chain = Recorder([*inputs, sample("float64", shape)], shape)
    for name in TRUTH:
        chain.add(name, 0, 1)
    chain.check()
    chain = Recorder([*inputs, sample("float64", shape)], shape)
    for name in ("logical_not", "invert"):
        chain.add(name, 0)
    for source in range(4):
        for target in (B, F4, F8):
            chain.add("astype", source, dtype=target)
    chain.add("where", 0, 1, 0)
    chain.add("where", 2, 2, 3)
    chain.add("where", 0, 1, 3)
    chain.check()
    chain = Recorder([*inputs, sample("float64", shape)], shape)
    chain.add("multiply", 0, 2)
    chain.add("add", 2, 3)
    chain.add("exp", 0)
    chain.add("tanh_grad", 2, 3)
    chain.add("tanh_grad", 0, 2)
    chain.add("logical_and", 0, 2)
    chain.add("less", 3, 2)
    chain.add("add", 0, Number(0.5))
    chain.check()


KINDS = {
    "full": lambda shape: shape,
    "row": lambda shape: shape[1:],
    "column": lambda shape: (shape[0], 1),
    "scalar": lambda shape: (),
}


@pytest.mark.parametrize(
    "kinds",
    [
        ("full", "row"),
        ("column", "full"),
        ("row", "column"),
        ("full", "scalar"),
        ("row", "scalar"),
        ("full", "full"),
    ],
)
@pytest.mark.parametrize(
    "shape", [(3, 5), (1, 7), (9, 1), (1, 1), (300, 33), (3, 5000), (0, 4), (1100, 2)]
)
def test_rows_columns_and_scalars(kinds, shape):
    inputs = [sample("float32", KINDS[kind](shape), seed) for seed, kind in enumerate(kinds)]
    for array, kind in zip(inputs, kinds):
        if Recorder(inputs, shape).kind(array) != kind:
            pytest.skip("the same as another case")
    chain = Recorder(inputs, shape)
    chain.add("add", 0, 1)
    chain.add("tanh", 1)
    chain.add("multiply", 2, 3)
    chain.add("sigmoid_grad", 0, 1)
    chain.add("subtract", 4, 5)
    chain.check(6, 4)


def random_chain(rng, steps, dtypes=("float32", "float64", "bool")):
    shape = (int(rng.integers(1, 40)), int(rng.integers(2, 60)))
    inputs = []
    for _ in range(int(rng.integers(1, 5))):
        kind = rng.choice(["full", "full", "row", "column", "scalar"])
        if kind == "column" and shape[0] == 1:
            kind = "row"
        inputs.append(sample(rng.choice(dtypes), KINDS[kind](shape), int(rng.integers(1000))))
    chain = Recorder(inputs, shape)
    names = [*UNARY, *BINARY, *TRUTH, "where", "astype"]
    while len(chain.steps) < steps:
        name = str(rng.choice(names))
        arity = 3 if name == "where" else 2 if name in BINARY or name in TRUTH else 1
        recent = max(0, len(chain.values) - 6)
        arguments: list[Any] = [
            int(rng.integers(recent if rng.random() < 0.7 else 0, len(chain.values)))
            for _ in range(arity)
        ]
        if arity > 1 and rng.random() < 0.3:
            arguments[-1] = Number(rng.choice(np.array([2, 0.5, -0.0, True, -3, 1e-3], object)))
        params = {"dtype": np.dtype(rng.choice(dtypes))} if name == "astype" else {}
        kinds = tuple(a if isinstance(a, Number) else chain.values[a].dtype for a in arguments)
        if is_fusible(name, kinds, params):
            chain.add(name, *arguments, **params)
    count = len(chain.values)
    outputs = {count - 1, *rng.integers(len(inputs), count, 2).tolist()}
    return chain, sorted(outputs)


@pytest.mark.parametrize("seed", range(150))
def test_random_chains_in_blocks(seed):
    rng = np.random.default_rng(seed)
    chain, outputs = random_chain(rng, int(rng.integers(1, 25)))
    chain.check(*outputs, fused=False)


@pytest.mark.parametrize("seed", range(1000, 1020))
def test_random_chains_compiled(seed):
    rng = np.random.default_rng(seed)
    chain, outputs = random_chain(rng, int(rng.integers(4, 20)))
    chain.check(*outputs)


def test_random_chains_of_arithmetic_compiled():
    # Without exponentials, whose results hide the bits of what went before.
    names = ["add", "subtract", "multiply", "divide", "sqrt", "square", "reciprocal", "negative"]
    for dtype in ("float32", "float64"):
        rng = np.random.default_rng(5)
        inputs = [rng.standard_normal((50, 64)).astype(dtype) for _ in range(3)]
        chain = Recorder(inputs, (50, 64))
        for _ in range(30):
            name = str(rng.choice(names))
            arity = getattr(cpu, name).nin
            chain.add(name, *(int(rng.integers(len(chain.values))) for _ in range(arity)))
        chain.check(*range(3, 33, 3), 32)


def test_results_that_are_inputs_or_asked_for_twice():
    x, row = sample("float32", (6, 9)), sample("float32", (9,))
    chain = Recorder([x, row], (6, 9))
    chain.add("exp", 0)
    chain.check(2, 0, 2, 1)


def test_steps_that_no_result_needs_are_left_out():
    chain = Recorder([sample("float32", (6, 9))], (6, 9))
    chain.add("exp", 0)
    chain.add("negative", 0)
    assert "exp" not in source_of(chain.chain((2,))).split("def ")[1]
    chain.check(2)


def test_large_chains_run_in_parallel():
    shape = (701, 1003)
    chain = Recorder(
        [sample("float32", shape), sample("float32", shape[1:]), sample("float32", (701, 1))], shape
    )
    chain.add("multiply", 0, 1)
    chain.add("tanh", 3)
    chain.add("add", 4, 2)
    chain.check(5)
    chain = Recorder([sample("float32", shape), sample("float32", shape[1:], 2)], shape)
    chain.add("add", 0, 1)
    chain.add("relu", 2)
    chain.check(3, 2)


def test_inputs_with_gaps():
    shape = (40, 30)
    x, row = sample("float32", (30, 40)).T, sample("float32", 60)[::2]
    chain = Recorder([x, row], shape)
    chain.add("add", 0, 1)
    chain.add("exp", 2)
    chain.check(3)


def test_many_values_alive_at_once():
    shape = (20, 100)
    chain = Recorder([sample("float64", shape)], shape)
    made = [chain.add("multiply", 0, Number(k + 0.5)) for k in range(20)]
    total = made[0]
    for value in made[1:]:
        total = chain.add("subtract", value, total)
    chain.check(total)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_longest_chains(dtype):
    shape = (7, 300)
    rng = np.random.default_rng(0)
    chain = Recorder([sample(dtype, shape, k) for k in range(MOST_ARRAYS - 1)], shape)
    for k in range(MOST_STEPS // 2):
        bounds = Number(-k - 0.5), Number(k + 0.25)
        chain.add("clip", int(rng.integers(MOST_ARRAYS - 1)), *bounds)
    last = MOST_ARRAYS - 1
    for k in range(MOST_STEPS - MOST_STEPS // 2):
        last = chain.add("add", last, min(MOST_ARRAYS - 1 + k, len(chain.values) - 1))
    chain.check(last)


def test_numbers_do_not_stand_in_the_source():
    def scaled(value):
        chain = Recorder([sample("float32", (4, 5))], (4, 5))
        chain.add("multiply", 0, Number(value))
        chain.add("add", 1, Number(0.5))
        chain.check(2)
        return source_of(chain.chain((2,)))

    assert len({scaled(value) for value in (2, 0.1, -0.0, 0.0, np.nan, 1e30)}) == 1


@pytest.mark.parametrize(
    ("name", "arguments", "params", "expected"),
    [
        ("add", (F4, F4), {}, True),
        ("add", (F4, Number(2)), {}, True),
        ("add", (F4, np.dtype("int64")), {}, False),
        ("add", (F4, Number(1j)), {}, False),
        ("sin", (F4,), {}, False),
        ("power", (F4, F4), {}, False),
        ("power", (F4, Number(3)), {}, False),
        ("fmax", (F4, F4), {}, False),
        ("subtract", (B, B), {}, False),
        ("add", (B, Number(1)), {}, False),
        ("exp", (np.dtype("int64"),), {}, False),
        ("exp", (B,), {}, True),
        ("exp", (np.dtype("complex64"),), {}, False),
        ("exp", (np.dtype(">f4"),), {}, False),
        ("gelu", (F4,), {"approximate": True}, True),
        ("clip", (F4, Number(0), None), {}, True),
        ("clip", (F4, F4, F4), {}, False),
        ("clip", (F4, Number(np.nan), Number(1)), {}, False),
        ("where", (B, F4, Number(0)), {}, True),
        ("where", (np.dtype("int64"), F4, F4), {}, False),
        ("astype", (F4,), {"dtype": F8}, True),
        ("astype", (F4,), {"dtype": np.dtype("int32")}, False),
        ("softmax", (F4,), {"axis": -1}, False),
        ("getitem", (F4,), {"index": [1, 2]}, False),
    ],
)
def test_what_is_fusible(name, arguments, params, expected):
    assert is_fusible(name, arguments, params) is expected


def test_faulty_chains_are_refused():
    x = Operand(2, 0, (4, 5), F4)
    wrong = Chain((F4,), ("full",), (Step("exp", (0,), (), F8),), (1,))
    with pytest.raises(ValueError, match="the result is float32"):
        lower_chain(Builder(), (x,), (x,), wrong)
    strange = Chain((F4,), ("full",), (Step("sin", (0,), (), F4),), (1,))
    with pytest.raises(ValueError, match="cannot be a step"):
        lower_chain(Builder(), (x,), (x,), strange)
    steps = tuple(Step("negative", (k,), (), F4) for k in range(MOST_STEPS + 1))
    with pytest.raises(ValueError, match="49 steps"):
        lower_chain(Builder(), (x,), (x,), Chain((F4,), ("full",), steps, (MOST_STEPS,)))
    short = Chain((F4,), ("full",), (Step("exp", (0,), (), F4),), (1,))
    with pytest.raises(ValueError, match="is no full"):
        lower_chain(Builder(), (x,), (Operand(3, 0, (4,), F4),), short)


def test_what_stops_a_compilation_is_told(monkeypatch):
    def broken(source):
        raise RuntimeError("no such luck")

    chain = Chain((F4,), ("full",), (Step("negative", (0,), (), F4),) * 3, (1, 2, 3))
    monkeypatch.setattr(compiler, "_is_kept", lambda block: False)
    monkeypatch.setattr(compiler, "_blocks", {})
    worker = compiler._Worker()
    monkeypatch.setattr(compiler, "_worker", worker)
    monkeypatch.setattr(compiler, "_block", lambda source: broken(source))
    worker.add(source_of(chain))
    with pytest.raises(RuntimeError, match="no such luck"):
        wait(60)
    assert wait(60)


SCRIPT = """
import os, sys, time
import numpy as np
from tapegrad_kernels.cpu.program.chains import *
F4 = np.dtype("float32")
chain = Chain((F4,), ("full",), (Step("negative", (0,), (), F4), Step("exp", (1,), (), F4)), (2,))
"""


def python(code, **environment):
    import os

    return subprocess.run(
        [sys.executable, "-c", SCRIPT + textwrap.dedent(code)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_compiled_chains_are_found_on_disk(tmp_path):
    code = "print(is_compiled(chain)); compile_chain(chain); print(wait(), is_compiled(chain))"
    for expected in ("False\nTrue True\n", "True\nTrue True\n"):
        done = python(code, TAPEGRAD_CACHE_DIR=str(tmp_path))
        assert done.stdout == expected, done.stderr
    assert len(list(tmp_path.rglob("chain_*.py"))) == 1


def test_chains_compile_where_nothing_can_be_kept(tmp_path):
    place = tmp_path / "file"
    place.write_text("")
    code = "compile_chain(chain); print(wait(), is_compiled(chain))"
    done = python(code, TAPEGRAD_CACHE_DIR=str(place), PYTHONWARNINGS="ignore")
    assert done.stdout == "True True\n", done.stderr


@pytest.mark.skipif(not hasattr(sys, "getswitchinterval") or sys.platform == "win32", reason="fork")
def test_a_process_may_fork_while_a_chain_is_compiled(tmp_path):
    code = """
    compile_chain(chain)
    child = os.fork()
    if child == 0:
        compile_chain(chain)
        os._exit(0 if wait(120) and is_compiled(chain) else 1)
    print(os.waitpid(child, 0)[1], wait(), is_compiled(chain))
    """
    done = python(code, TAPEGRAD_CACHE_DIR=str(tmp_path), NUMBA_THREADING_LAYER="tbb")
    assert done.stdout == "0 True True\n", done.stderr


def test_the_interpreter_ends_while_chains_are_waiting(tmp_path):
    code = """
    for k in range(40):
        steps = tuple(Step("negative", (i,), (), F4) for i in range(k + 1))
        compile_chain(Chain((F4,), ("full",), steps, (k + 1,)))
    """
    done = python(code, TAPEGRAD_CACHE_DIR=str(tmp_path))
    assert done.returncode == 0
    assert not done.stderr
    assert len(list(tmp_path.rglob("chain_*.nbc"))) < 20
