"""Random functions of tensors and Variables, recorded and in the ordinary way."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jitted import assert_equal_bits, in_blocks

import tapegrad as tg
from tapegrad import ops
from tapegrad._core.flat import FlatVariables

DTYPES = ("float32", "float64", "int64", "bool")
SHAPES = ((), (1,), (3,), (2, 3), (2, 1), (1, 3), (4, 2, 3), (4, 1, 1), (0, 3), (70, 3))
UNARY = (
    *("negative", "square", "sin", "tanh", "sigmoid", "relu", "exp", "absolute", "sign"),
    *("floor", "softplus", "expm1"),
)
BINARY = ("add", "subtract", "multiply", "divide", "maximum", "minimum", "arctan2")
COMPARISONS = ("less", "equal", "greater_equal", "not_equal")
REDUCTIONS = ("sum", "mean", "max", "min", "prod", "any", "argmax")
KINDS = (
    *("unary", "binary", "binary", "number", "compare", "where", "reduce", "view", "join"),
    *("matmul", "cast", "variable", "assign", "add", "held", "flat"),
)
NUMBERS = (2, 0.5, -1.0, 0.0, True, 3)


class Graph:
    """A function that is drawn step by step, and can be run again without drawing.

    Each step is a name with positions of operands and settings. Operands are among all values
    so far: arguments, constants, results, and the Variables, whose value is that of the moment.
    """

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.steps: list[tuple[Any, ...]] = []
        self.arguments = [self._array_form() for _ in range(draw(st.integers(1, 3)))]
        self.variables = [self._variable_form() for _ in range(draw(st.integers(1, 3)))]
        self.flat = draw(st.booleans())
        self.with_gradient = draw(st.booleans())
        for _ in range(draw(st.integers(1, 12))):
            self.steps.append(self._step())
        self.outputs = draw(st.lists(st.integers(0, 40), min_size=1, max_size=4))

    def __repr__(self) -> str:
        parts = {key: value for key, value in vars(self).items() if key != "draw"}
        return f"Graph({parts})"

    def _array_form(self) -> tuple[Any, ...]:
        return self.draw(st.sampled_from(SHAPES)), self.draw(st.sampled_from(DTYPES))

    def _variable_form(self) -> tuple[Any, ...]:
        return self.draw(st.sampled_from(((), (3,), (2, 3), (70, 3)))), "float32"

    def _step(self) -> tuple[Any, ...]:
        draw = self.draw
        kind = draw(st.sampled_from(KINDS))
        one, two, three = (draw(st.integers(0, 40)) for _ in range(3))
        choice = draw(st.integers(0, 1000))
        return kind, one, two, three, choice

    # ---- running ---------------------------------------------------------------------

    def make_variables(self) -> tuple[list[Any], Any]:
        """The Variables, in one buffer if the graph says so."""
        made = [
            tg.Variable(_numbers(form, 50 + number), name=f"v{number}")
            for number, form in enumerate(self.variables)
        ]
        return made, FlatVariables(made) if self.flat else None

    def function(self, variables: list[Any], flat: Any) -> Any:
        """The graph as a function of arrays."""

        def run(*arguments: Any) -> Any:
            floating = [a for a in arguments if a.dtype.kind == "f"]
            with tg.Tape() as tape:
                tape.watch(floating)
                values = list(arguments)
                for step in self.steps:
                    self._run_step(step, values, variables, flat)
            outputs = [values[position % len(values)] for position in self.outputs]
            if not self.with_gradient:
                return outputs
            targets = [y for y in outputs if y.dtype.kind == "f"]
            weights = [
                tg.tensor(np.cos(np.arange(y.size)).reshape(y.shape).astype(y.dtype))
                for y in targets
            ]
            sources = [*floating, *variables]
            if not targets:
                return outputs
            return outputs, tape.gradient(targets, sources, output_gradients=weights)

        return run

    def _run_step(self, step: Any, values: list[Any], variables: list[Any], flat: Any) -> None:
        kind, one, two, three, choice = step
        x, y, z = (values[position % len(values)] for position in (one, two, three))
        variable = variables[one % len(variables)]
        try:
            result = _apply(kind, choice, x, y, z, variable, flat)
        except (ValueError, TypeError, IndexError, OverflowError):
            return  # shapes or dtypes that do not fit: the same in both runs
        if result is not None and result.size <= 5000:
            values.append(result)


def _apply(kind: str, choice: int, x: Any, y: Any, z: Any, variable: Any, flat: Any) -> Any:
    def pick(options: Any) -> Any:
        return options[choice % len(options)]

    if kind == "unary":
        return getattr(ops, pick(UNARY))(x)
    if kind == "binary":
        return getattr(ops, pick(BINARY))(x, y)
    if kind == "number":
        number = pick(NUMBERS)
        return getattr(ops, BINARY[choice % 3])(*((x, number) if choice % 2 else (number, x)))
    if kind == "compare":
        return getattr(ops, pick(COMPARISONS))(x, y)
    if kind == "where":
        return ops.where(x > 0, y, z)
    if kind == "reduce":
        axis = None if choice % 3 == 0 or not x.ndim else choice % x.ndim
        return getattr(ops, pick(REDUCTIONS))(x, axis=axis)
    if kind == "view":
        return _view(choice, x)
    if kind == "join":
        return ops.stack([x, y], axis=choice % 2) if choice % 3 else ops.concatenate([x, y, x])
    if kind == "matmul":
        return ops.matmul(x, ops.transpose(y) if choice % 2 else y)
    if kind == "cast":
        return x.astype(pick(DTYPES))
    if kind == "variable":
        return pick((lambda: variable * 1.5, lambda: variable.value, lambda: variable + x))()
    if kind == "held":  # a view of a Variable, which a later assignment must not change
        return pick(
            (
                lambda: variable.value.reshape(-1),
                lambda: variable[..., :1],
                lambda: ops.transpose(variable),
            )
        )()
    if kind == "flat":
        if flat is not None:
            buffer = flat.prepare_write()
            buffer.assign(buffer * 0.5 if choice % 2 else ops.minimum(buffer + 0.25, 4.0))
        return None
    new = ops.clip(ops.where(x == x, x, 0.0) if x.dtype.kind == "f" else x, -4, 4)
    if new.shape != variable.shape:
        new = ops.broadcast_to(new.reshape(-1)[:1].reshape(()), variable.shape)
    if kind == "assign":
        variable.assign(new)
    else:
        variable.assign_add(new * 0.25)
    return None


def _view(choice: int, x: Any) -> Any:
    form = choice % 8
    if form == 0:
        return ops.reshape(x, (-1,))
    if form == 1:
        return ops.transpose(x)
    if form == 2:
        return x[..., ::-1]
    if form == 3:
        return x[:1]
    if form == 4:
        return x[0]
    if form == 5:
        return ops.expand_dims(x, choice % (x.ndim + 1))
    if form == 6:
        return ops.broadcast_to(x, (2, *x.shape))
    return x[[0, -1, 0]]


def _numbers(form: Any, seed: int) -> np.ndarray:
    shape, dtype = form
    generator = np.random.default_rng(seed)
    if dtype == "bool":
        return generator.random(shape) < 0.5
    if dtype == "int64":
        return np.asarray(generator.integers(-3, 4, shape))
    return np.asarray(generator.normal(size=shape)).astype(dtype)


@st.composite
def graphs(draw: Any) -> Graph:
    return Graph(draw)


def _check(graph: Graph, compiled: bool) -> None:
    calls = [
        [tg.tensor(_numbers(form, 10 * call + n)) for n, form in enumerate(graph.arguments)]
        for call in range(4)
    ]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Mean of empty slice")
        variables, flat = graph.make_variables()
        function = graph.function(variables, flat)
        wanted = []
        for call in calls:
            wanted.append((function(*call), [v.numpy() for v in variables]))
        variables, flat = graph.make_variables()
        jitted = tg.jit(graph.function(variables, flat))
        held = []
        for number, (call, (result, state)) in enumerate(zip(calls, wanted, strict=True)):
            with in_blocks():
                got = jitted(*call)
            assert_equal_bits(got, result, f"call {number}")
            assert_equal_bits([v.numpy() for v in variables], state, f"Variables, call {number}")
            held.append((got, [v.value for v in variables]))
            if compiled and number == 1:
                jitted.program(*call).finish()
        # What was returned, or taken from a Variable, has not changed since.
        for (got, values), (result, state) in zip(held, wanted, strict=True):
            assert_equal_bits(got, result, "kept results")
            assert_equal_bits([value.numpy() for value in values], state, "kept values")


_SETTINGS: dict[str, Any] = {
    "deadline": None,
    "derandomize": True,
    "suppress_health_check": list(HealthCheck),
    "database": None,
}


@settings(max_examples=800, **_SETTINGS)
@given(graphs())
def test_in_blocks(graph: Graph):
    _check(graph, compiled=False)


@settings(max_examples=50, **_SETTINGS)
@given(graphs())
def test_after_loops_were_compiled(graph: Graph):
    _check(graph, compiled=True)
