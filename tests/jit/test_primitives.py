"""A walk of the registry: every primitive and its gradient, recorded and in the ordinary way."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jitted import assert_same_bits, on_the_host

import tapegrad as tg
from tapegrad import ops
from tapegrad._core.primitive import Effect
from tapegrad._core.registry import primitives

_OPS = Path(__file__).parent.parent / "ops"
sys.path.insert(0, str(_OPS))
ELEMENTWISE: dict[str, list[Any]] = {}
STRUCTURED: dict[str, list[Any]] = {}
for _file in sorted(_OPS.glob("cases*.py")):
    _tables = importlib.import_module(_file.stem)
    for _name, _entry in getattr(_tables, "ELEMENTWISE", {}).items():
        ELEMENTWISE[_name] = _entry if isinstance(_entry, list) else [_entry]
    for _name, _entries in getattr(_tables, "STRUCTURED", {}).items():
        STRUCTURED.setdefault(_name, []).extend(_entries)

# What programs call from Python, and why. It must not grow unnoticed.
ON_THE_HOST = {
    "argsort": "NumPy sorts integers",
    "sort": "NumPy sorts the values of short rows, and orders zeros of both signs in its own way",
}

DTYPES = ["float32", "float64"]
LAYOUTS = ["contiguous", "broadcast", "scalar", "empty"]


def _function(primitive: Any, params: dict[str, Any], prepare: Any) -> Any:
    """The primitive with its gradients, for a weight that tells elements apart."""

    def function(*args: Any) -> Any:
        if not primitive.differentiable:
            return primitive(*[prepare(a) for a in args], **params)
        with tg.Tape() as tape:
            floating = [a for a in args if a.dtype.kind == "f"]
            tape.watch(floating)
            result = primitive(*[prepare(a) for a in args], **params)
        parts = result if isinstance(result, tuple) else (result,)
        targets = [part for part in parts if part.dtype.kind == "f"]
        weights = [tg.tensor(_weights(part.shape, part.dtype)) for part in targets]
        if not targets or not floating:
            return result
        return result, tape.gradient(targets, floating, output_gradients=weights)

    return function


def _weights(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    return np.cos(1.0 + np.arange(np.prod(shape, dtype=int))).reshape(shape).astype(dtype)


def _check(name: str, params: dict[str, Any], calls: list[list[np.ndarray]]) -> None:
    """In C order, and as views of memory that is not."""
    primitive = primitives[name]
    programs = [assert_same_bits(_function(primitive, params, lambda a: a), *calls, native=False)]
    twice = [[np.stack([a, a + a], -1) for a in call] for call in calls]
    views = _function(primitive, params, lambda a: a[..., 0])
    programs.append(assert_same_bits(views, *twice, native=False))
    for program in programs:
        assert set(on_the_host(program)) <= set(ON_THE_HOST)


def _case_names(cases: dict[str, list[Any]], label: Any) -> list[Any]:
    return [
        pytest.param(name, case, id=label(name, case)) for name in cases for case in cases[name]
    ]


def _elementwise(name: str, case: Any) -> str:
    return name + "".join(f"-{key}={value}" for key, value in case.params.items())


def _draw(case: Any, layout: str, dtype: Any, seed: int) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    arguments = []
    for position, (low, high) in enumerate(case.domains):
        shape = {
            "contiguous": (3, 21),
            "broadcast": [(3, 1), (4,), (2, 1, 4)][position],
            "scalar": (),
            "empty": (0, 3),
        }[layout]
        if case.kind == "i":
            arguments.append(np.asarray(generator.integers(int(low), int(high), shape)))
        else:
            arguments.append(np.asarray(generator.uniform(low, high, shape)).astype(dtype))
    return arguments


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "case"), _case_names(ELEMENTWISE, _elementwise))
def test_elementwise(name: str, case: Any, dtype: str):
    for layout in LAYOUTS:
        _check(name, case.params, [_draw(case, layout, dtype, seed) for seed in range(2)])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("name", "case"), _case_names(STRUCTURED, lambda name, case: f"{name}-{case.label}")
)
def test_structured(name: str, case: Any, dtype: str):
    calls = [
        [
            a.astype(dtype) if a.dtype.kind == "f" else a
            for a in map(np.asarray, case.make(np.random.default_rng(seed)))
        ]
        for seed in range(2)
    ]
    _check(name, case.params, calls)


def test_every_primitive_is_compared():
    # Effects are compared in the steps of optimizers, draws in those of layers.
    elsewhere = {name for name, p in primitives.items() if isinstance(p, Effect)}
    elsewhere |= {"astype", "copy_to", "full_like", "one_hot"}
    elsewhere |= {name for name in primitives if name.startswith("random_")}
    assert set(ELEMENTWISE) | set(STRUCTURED) | elsewhere == set(primitives)


def test_sums_over_no_axis():
    # A sum starts at 0, which turns -0 into 0; an extreme does not.
    for dtype in ("float32", "float64", "int64", "bool"):
        for shape in ((), (3, 2)):
            x = np.zeros(shape, dtype)
            for call in (x if dtype[0] != "f" else -x, np.ones(shape, dtype)):
                calls = [(call,), (np.ones(shape, dtype),)]
                axis = () if shape else None
                for operation in (ops.sum, ops.mean, ops.max, ops.min, ops.prod):
                    assert_same_bits(lambda a, f=operation, axis=axis: f(a, axis=axis), *calls)


def test_conversions():
    dtypes = ["float32", "float64", "int32", "int64", "uint8", "bool"]
    for source in dtypes:
        calls = [(np.array([[0, 1, 2], [3, 0, 5]], source),), (np.ones((2, 3), source),)]
        for target in dtypes:
            assert_same_bits(lambda x, d=target: [y.astype(d) for y in (x, x.T, x[0, 1])], *calls)


def test_creation_by_example():
    calls = [(np.arange(6.0).reshape(2, 3),), (np.ones((2, 3)),)]
    assert_same_bits(
        lambda x: (ops.full_like(x, 2.5), ops.zeros_like(x), ops.ones_like(x) * x), *calls
    )


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
def test_one_hot(dtype: str):
    calls = [(np.array([[0, 2], [1, 1]], dtype),), (np.array([[2, 2], [0, 4]], dtype),)]
    assert_same_bits(lambda x: (ops.one_hot(x, 5), ops.one_hot(x.T, 5)), *calls)
