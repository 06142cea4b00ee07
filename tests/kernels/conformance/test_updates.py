"""Optimizer updates against 20 steps of Keras 3's optimizers, on both devices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

# The simulator computes with NumPy scalars, which warn of what arrays do silently.
pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")

REFERENCE = Path(__file__).parents[2] / "reference" / "optimizer_reference.npz"
SHAPES = ((4, 3), (3,), (2, 3, 2), (5, 2), (2, 6))
KEPT = (1, 2, 20)
STEPS = 20
ALIGNMENT = 16
SIZES = [int(np.prod(shape)) for shape in SHAPES]
OFFSETS = tuple(int(n) for n in np.cumsum([0, *(-(-s // ALIGNMENT) * ALIGNMENT for s in SIZES)]))
TOTAL, OFFSETS = OFFSETS[-1], OFFSETS[:-1]
MATRICES = tuple(i for i, shape in enumerate(SHAPES) if len(shape) == 2)

IMPRECISE = 1e-6
"""Of Keras's float64 where it passes numbers through float32; these formulas are checked in full
precision in tests/kernels/test_optimizers.py."""

Step = Callable[[Any, Any, int], Any]


def padded(flat: np.ndarray, dtype: str, fill: float = 0.0) -> np.ndarray:
    """Return variables that stand close together with room between them."""
    buffer = np.full(TOTAL, fill, dtype)
    start = 0
    for offset, size in zip(OFFSETS, SIZES, strict=True):
        buffer[offset : offset + size] = flat[start : start + size]
        start += size
    return buffer


def close(buffer: np.ndarray) -> np.ndarray:
    """Return the variables without the room between them."""
    return np.concatenate([buffer[o : o + s] for o, s in zip(OFFSETS, SIZES, strict=True)])


class Slots:
    """Buffers beside the parameters, on the device of a test."""

    def __init__(self, backend: Any, dtype: str) -> None:
        self.backend, self.dtype = backend, dtype

    def __call__(self, fill: float = 0.0, size: int = TOTAL) -> Any:
        return self.backend.array(np.full(size, fill, self.dtype))


def _sgd(k: Any, new: Slots) -> Step:
    return lambda p, g, t: k.sgd_update(p, g, None, 0.1, weight_decay=0.02)


def _momentum(k: Any, new: Slots) -> Step:
    v = new()
    return lambda p, g, t: k.sgd_update(p, g, v, 0.1, 0.9, weight_decay=0.02)


def _nesterov(k: Any, new: Slots) -> Step:
    v = new()
    return lambda p, g, t: k.sgd_update(p, g, v, 0.1, 0.8, True)


def _lion(k: Any, new: Slots) -> Step:
    m = new()
    return lambda p, g, t: k.lion_update(p, g, m, 0.01, 0.9, 0.99, 0.1)


def _adagrad(k: Any, new: Slots) -> Step:
    a = new(0.1)
    return lambda p, g, t: k.adagrad_update(p, g, a, 0.1, 1e-7, 0.1)


def _adadelta(k: Any, new: Slots) -> Step:
    a, b = new(), new()
    return lambda p, g, t: k.adadelta_update(p, g, a, b, 0.8, 0.95, 1e-7, 0.1)


def _rmsprop(momentum: float, centered: bool) -> Callable[[Any, Slots], Step]:
    epsilon = 1e-3 if centered else 1e-7
    decay = 0.1 if not momentum and not centered else 0.0

    def make(k: Any, new: Slots) -> Step:
        v, m, a = new(), new() if momentum else None, new() if centered else None
        return lambda p, g, t: k.rmsprop_update(p, g, v, m, a, 0.02, 0.9, epsilon, momentum, decay)

    return make


def _ftrl(k: Any, new: Slots) -> Step:
    a, z = new(0.1), new()
    return lambda p, g, t: k.ftrl_update(p, g, a, z, 0.1, weight_decay=0.1)


def _ftrl_power(k: Any, new: Slots) -> Step:
    a, z = new(0.1), new()
    return lambda p, g, t: k.ftrl_update(p, g, a, z, 0.1, -0.6, 0.05, 0.02, 0.03, 0.1)


def _adam(decay: float) -> Callable[[Any, Slots], Step]:
    def make(k: Any, new: Slots) -> Step:
        m, v = new(), new()
        return lambda p, g, t: k.adam_update(
            p, g, m, v, 0.02, 0.9, 0.999, 1e-7, t, weight_decay=decay
        )

    return make


def _amsgrad(k: Any, new: Slots) -> Step:
    m, v, top = new(), new(), new()
    return lambda p, g, t: k.adam_update(p, g, m, v, 0.02, 0.9, 0.8, 1e-7, t, top)


def _nadam(k: Any, new: Slots) -> Step:
    m, v = new(), new()
    return lambda p, g, t: k.nadam_update(p, g, m, v, 0.02, 0.9, 0.999, 1e-7, t, 0.1)


def _adamax(k: Any, new: Slots) -> Step:
    m, u = new(), new()
    return lambda p, g, t: k.adamax_update(p, g, m, u, 0.02, 0.9, 0.999, 1e-7, t, 0.1)


def _lamb(k: Any, new: Slots) -> Step:
    m, v = new(), new()
    return lambda p, g, t: k.lamb_update(
        p, g, m, v, 0.02, 0.9, 0.999, 1e-7, t, 0.1, offsets=OFFSETS
    )


def _adafactor(rate: float, threshold: float, decay: float) -> Callable[[Any, Slots], Step]:
    def make(k: Any, new: Slots) -> Step:
        s = new(size=4 + 3 + 3 + 2 * (3 + 2) + 5 + 2 + 2 + 6)
        return lambda p, g, t: k.adafactor_update(
            *(p, g, s, rate, -0.8, 1e-30, 1e-3, threshold, t, decay),
            offsets=OFFSETS,
            shapes=SHAPES,
        )

    return make


def _muon(decay: float, adam_decay: float, **options: Any) -> Callable[[Any, Slots], Step]:
    def make(k: Any, new: Slots) -> Step:
        # Matrices and others are groups of their own, as in an optimizer.
        m, n, v = new(), new(), new()
        groups = np.zeros(TOTAL, bool)
        for i in MATRICES:
            groups[OFFSETS[i] : OFFSETS[i] + SIZES[i]] = True
        offsets = [OFFSETS[i] for i in MATRICES]
        shapes = [SHAPES[i] for i in MATRICES]

        def step(p: Any, g: Any, t: int) -> None:
            others = p.copy()
            k.muon_update(p, g, m, 0.02, 0.95, decay, offsets=offsets, shapes=shapes, **options)
            k.adam_update(others, g, n, v, 0.02, 0.9, 0.999, 1e-7, t, weight_decay=adam_decay)
            p[~groups] = others[~groups]

        return step

    return make


def _clipvalue(k: Any, new: Slots) -> Step:
    def step(p: Any, g: Any, t: int) -> None:
        k.clip_by_value_update(g, -0.5, 0.5)
        k.sgd_update(p, g, None, 0.1)

    return step


def _clipnorm(k: Any, new: Slots) -> Step:
    def step(p: Any, g: Any, t: int) -> None:
        k.clip_by_norm_update(g, 1.5, offsets=OFFSETS)
        k.sgd_update(p, g, None, 0.1)

    return step


def _global_clipnorm(k: Any, new: Slots) -> Step:
    def step(p: Any, g: Any, t: int) -> None:
        k.clip_by_global_norm_update(g, 3.0)
        k.sgd_update(p, g, None, 0.1)

    return step


def _ema(k: Any, new: Slots) -> Step:
    average = new()

    def step(p: Any, g: Any, t: int) -> Any:
        k.sgd_update(p, g, None, 0.1)
        k.ema_update(average, p, 0.9, t)
        return average

    return step


BOTH: dict[str, Callable[[Any, Slots], Step]] = {
    "sgd": _sgd,
    "momentum": _momentum,
    "nesterov": _nesterov,
    "lion": _lion,
    "adagrad": _adagrad,
    "adadelta": _adadelta,
    "rmsprop": _rmsprop(0.0, False),
    "rmsprop_momentum": _rmsprop(0.5, False),
    "rmsprop_centered": _rmsprop(0.0, True),
    "rmsprop_centered_momentum": _rmsprop(0.5, True),
    "ftrl": _ftrl,
    "ftrl_power": _ftrl_power,
    "adam": _adam(0.0),
    "adamw": _adam(0.1),
    "amsgrad": _amsgrad,
    "nadam": _nadam,
    "adamax": _adamax,
    "clipvalue": _clipvalue,
    "ema": _ema,
}
CPU: dict[str, Callable[[Any, Slots], Step]] = {
    "lamb": _lamb,
    "adafactor": _adafactor(0.05, 1.0, 0.1),
    "adafactor_absolute": _adafactor(0.3, 0.7, 0.0),
    "muon": _muon(0.1, 0.2),
    "muon_plain": _muon(0.0, 0.0, nesterov=False, rms_rate=None, steps=3),
    "clipnorm": _clipnorm,
    "global_clipnorm": _global_clipnorm,
}


def follow(
    backend: Any, make: Callable[[Any, Slots], Step], case: str, dtype: str, exact: float = 1e-12
) -> None:
    """Take the steps and compare with Keras."""
    with np.load(REFERENCE, allow_pickle=False) as file:
        start, gradients = file["start"], file["gradients"]
        wanted = file[f"{case}.{dtype}"]
    step = make(backend.kernels, Slots(backend, dtype))
    parameters = backend.array(padded(start, dtype))
    tolerance = 2e-5 if dtype == "float32" else exact
    for t in range(1, STEPS + 1):
        held = step(parameters, backend.array(padded(gradients[t - 1], dtype)), t)
        if t in KEPT:
            got = backend.host(parameters if held is None else held)
            theirs = wanted[KEPT.index(t)]
            np.testing.assert_allclose(close(got), theirs, rtol=tolerance, atol=tolerance)
            assert np.isfinite(got).all()


with np.load(REFERENCE, allow_pickle=False) as _file:
    _named = {name.split(".")[0] for name in _file.files} - {"start", "gradients"}
assert _named == set(BOTH) | set(CPU), "the reference and the cases differ"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", list(BOTH))
def test_twenty_steps_of_keras(backend: Any, case: str, dtype: str) -> None:
    follow(backend, BOTH[case], case, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", list(CPU))
def test_twenty_steps_of_keras_by_variable(backend: Any, case: str, dtype: str) -> None:
    if backend.name == "cpu":
        follow(backend, CPU[case], case, dtype, 1e-12 if case == "lamb" else IMPRECISE)
    else:
        name = case.split("_")[0] + "_update"
        assert not hasattr(backend.kernels, name)


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_counters(backend: Any, dtype: str) -> None:
    for number in (41, np.iinfo(dtype).max):
        counter = backend.array(np.array(number, dtype))
        backend.kernels.increment(counter)
        expected = np.array(number, dtype) + np.ones((), dtype).reshape(1)
        np.testing.assert_array_equal(backend.host(counter), expected[0])
        assert backend.host(counter).dtype == dtype


def test_overwriting(backend: Any) -> None:
    values = np.arange(5, dtype="float32")
    for count, expected in ((3, np.zeros(5, "float32")), (4, values)):
        parameters, number = backend.array(np.zeros(5, "float32")), backend.array(np.array(count))
        backend.kernels.overwrite_update(parameters, backend.array(values), number, every=2)
        np.testing.assert_array_equal(backend.host(parameters), expected)
