"""A walk of the registry: every primitive, forward and differentiated twice."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from case import Elementwise, Structured

import tapegrad as tg
from tapegrad._core.primitive import Effect
from tapegrad._core.registry import primitives
from tapegrad.test_util import check_grads

ELEMENTWISE: dict[str, Any] = {}
STRUCTURED: dict[str, list[Structured]] = {}
for _file in sorted(Path(__file__).parent.glob("cases*.py")):
    _tables = importlib.import_module(_file.stem)
    ELEMENTWISE.update(getattr(_tables, "ELEMENTWISE", {}))
    for _name, _cases in getattr(_tables, "STRUCTURED", {}).items():
        STRUCTURED.setdefault(_name, []).extend(_cases)

DTYPES = ["float32", "float64"]
LAYOUTS = ["contiguous", "broadcast", "transposed", "strided", "scalar", "empty"]

# Tested on their own: their results have no reference in NumPy, or are no function of
# their arguments' values alone.
ELSEWHERE = {
    "astype": "tests/ops/test_shape.py",
    "copy_to": "tests/core/test_device.py",
    "full_like": "tests/ops/test_shape.py",
    "one_hot": "tests/ops/test_loss.py",
    "random_bernoulli": "tests/core/test_random.py",
    "random_normal": "tests/core/test_random.py",
    "random_permutation": "tests/core/test_random.py",
    "random_uniform": "tests/core/test_random.py",
}


def _elementwise_cases() -> list[Any]:
    cases = []
    for name, entry in ELEMENTWISE.items():
        for case in entry if isinstance(entry, list) else [entry]:
            label = name + "".join(f"-{k}={v}" for k, v in case.params.items())
            cases.append(pytest.param(name, case, id=label))
    return cases


def _structured_cases() -> list[Any]:
    return [
        pytest.param(name, case, id=f"{name}-{case.label}")
        for name, cases in STRUCTURED.items()
        for case in cases
    ]


def _draw(domain: tuple[float, float], shape: tuple[int, ...], dtype: Any, seed: int) -> Any:
    generator = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "i":
        return generator.integers(*map(int, domain), shape).astype(dtype)
    return np.asarray(generator.uniform(*domain, shape)).astype(dtype)


def _arguments(case: Elementwise, layout: str, dtype: Any) -> list[Any]:
    """Arguments of the case in a layout; all of one shape but for broadcasting."""
    dtype = "int64" if case.kind == "i" else dtype
    arguments = []
    for i, domain in enumerate(case.domains):
        shape = {
            "contiguous": (3, 4),
            "broadcast": [(3, 1), (4,), (2, 1, 4)][i],
            "transposed": (4, 3),
            "strided": (6, 8),
            "scalar": (),
            "empty": (0, 3),
        }[layout]
        array = _draw(domain, shape, dtype, seed=i)
        if layout == "transposed":
            array = array.T
        elif layout == "strided":
            array = array[::2, ::-2]
        arguments.append(array)
    return arguments


def _tolerance(dtype: Any) -> float:
    return 2e-5 if np.dtype(dtype) == np.float32 else 1e-12


def test_every_primitive_has_a_case():
    effects = {name for name, p in primitives.items() if isinstance(p, Effect)}
    covered = set(ELEMENTWISE) | set(STRUCTURED) | set(ELSEWHERE)
    assert set(primitives) - effects == covered


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("name", "case"), _elementwise_cases())
def test_elementwise_forward(name: str, case: Elementwise, layout: str, dtype: str):
    arguments = _arguments(case, layout, dtype)
    wide = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in arguments]
    expected = np.asarray(case.reference(*wide, **case.params))
    result = primitives[name](*map(tg.tensor, arguments), **case.params)
    assert result.shape == expected.shape
    if expected.dtype.kind == "f":
        assert result.dtype == np.dtype(dtype)
    else:
        assert result.dtype == expected.dtype
    np.testing.assert_allclose(
        result.numpy(), expected, rtol=_tolerance(dtype), atol=_tolerance(dtype)
    )


@pytest.mark.parametrize("layout", ["contiguous", "broadcast", "strided", "scalar"])
@pytest.mark.parametrize(("name", "case"), _elementwise_cases())
def test_elementwise_derivatives(name: str, case: Elementwise, layout: str):
    primitive = primitives[name]
    arguments = _arguments(case, layout, "float64")
    if not primitive.differentiable:
        _assert_not_recorded(primitive, arguments, case.params)
        return

    def call(*args: Any) -> Any:
        return primitive(*args, **case.params)

    check_grads(call, order=2)(*arguments)
    _assert_float32_agrees(call, arguments)


@pytest.mark.parametrize(("name", "case"), _elementwise_cases())
def test_elementwise_gradient_of_empty(name: str, case: Elementwise):
    primitive = primitives[name]
    if not primitive.differentiable:
        return
    arguments = [tg.tensor(a) for a in _arguments(case, "empty", "float32")]
    with tg.Tape() as tape:
        tape.watch(arguments)
        result = primitive(*arguments, **case.params)
    for gradient in tape.gradient(result, arguments, unconnected_gradients="zero"):
        assert gradient.shape == (0, 3)
        assert gradient.dtype == np.float32


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("contiguous", [True, False])
@pytest.mark.parametrize(("name", "case"), _structured_cases())
def test_structured_forward(name: str, case: Structured, contiguous: bool, dtype: str):
    arguments = [
        a.astype(dtype) if a.dtype.kind == "f" else a
        for a in map(np.asarray, case.make(np.random.default_rng(0)))
    ]
    wide = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in arguments]
    expected = case.reference(*wide, **case.params)
    operands = [tg.tensor(a) if contiguous else _fortran(a) for a in arguments]
    result = primitives[name](*operands, **case.params)
    pairs = (
        zip(result, expected, strict=True) if isinstance(result, tuple) else [(result, expected)]
    )
    for got, wanted in pairs:
        wanted = np.asarray(wanted)
        assert got.shape == wanted.shape
        assert got.dtype == (np.dtype(dtype) if wanted.dtype.kind == "f" else wanted.dtype)
        np.testing.assert_allclose(
            got.numpy(),
            wanted,
            rtol=_tolerance(dtype) * case.loosen,
            atol=_tolerance(dtype) * case.loosen,
        )


def _fortran(array: Any) -> tg.Tensor:
    """A tensor over memory that is not in C order."""
    doubled = np.empty((*array.shape, 2), array.dtype)
    doubled[..., 0] = array
    return tg.Tensor(doubled[..., 0])


@pytest.mark.parametrize(("name", "case"), _structured_cases())
def test_structured_derivatives(name: str, case: Structured):
    primitive = primitives[name]
    arguments = list(case.make(np.random.default_rng(1)))
    if not primitive.differentiable:
        _assert_not_recorded(primitive, arguments, case.params)
        return

    def call(*smooth: Any) -> Any:
        filled = list(arguments)
        for position, value in zip(case.smooth, smooth, strict=True):
            filled[position] = value
        result = primitive(*filled, **case.params)
        if isinstance(result, tuple):  # all outputs, so that each one's rule is checked
            result = sum((part * (i + 1)).sum() for i, part in enumerate(result))
        return result

    chosen = [np.asarray(arguments[position]) for position in case.smooth]
    check_grads(call, order=2)(*chosen)


def _assert_not_recorded(primitive: Any, arguments: list[Any], params: dict[str, Any]) -> None:
    watched = [tg.tensor(a) for a in arguments if np.asarray(a).dtype.kind == "f"]
    with tg.Tape() as tape:
        tape.watch(watched)
        result = primitive(*(watched or map(tg.tensor, arguments)), **params)
    assert all(g is None for g in tape.gradient(result, watched))


def _assert_float32_agrees(call: Any, arguments: list[Any]) -> None:
    """First and second derivatives in float32 stay float32, and near those in float64."""

    def derivatives(dtype: Any) -> list[Any]:
        sources = [tg.tensor(a.astype(dtype)) for a in arguments]
        with tg.Tape() as outer:
            outer.watch(sources)
            with tg.Tape() as inner:
                inner.watch(sources)
                value = call(*sources)
            first = inner.gradient(value, sources, unconnected_gradients="zero")
            total = sum((f * f).sum() for f in first)
        return first + outer.gradient(total, sources, unconnected_gradients="zero")

    for narrow, wide in zip(derivatives(np.float32), derivatives(np.float64), strict=True):
        assert narrow.dtype == np.float32
        np.testing.assert_allclose(narrow.numpy(), wide.numpy(), rtol=2e-3, atol=2e-4)
