"""Updates that look at variables as a whole, as rows of a program."""

from __future__ import annotations

import numpy as np
import pytest
from kernels.program.native import Native, assert_same_bits

from tapegrad_kernels.cpu.optimizers.factored import adafactor_statistics

RATE, STEP = np.array(0.01), np.array(7)
SHAPES = ((3, 5), (7,), (2, 3, 4), (), (200, 330), (30, 11), (0, 3))
SIZES = [int(np.prod(shape)) for shape in SHAPES]
OFFSETS = tuple(int(n) for n in np.cumsum([0, *(-(-s // 16) * 16 for s in SIZES)]))
SIZE, OFFSETS = OFFSETS[-1], OFFSETS[:-1]
MATRICES = (0, 4, 5, 6)

dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


def buffers(count: int, dtype: str) -> list[np.ndarray]:
    """Variables with zeros between them."""
    generator = np.random.default_rng(0)
    made = [np.zeros(SIZE, dtype) for _ in range(count)]
    for buffer in made:
        for offset, size in zip(OFFSETS, SIZES):
            buffer[offset : offset + size] = generator.normal(size=size)
    return made


@dtypes
def test_norms(dtype):
    (x,) = buffers(1, dtype)
    assert_same_bits("global_norm", x)
    assert_same_bits("global_norm", x[::-2])
    assert_same_bits("global_norm", x[:0])
    assert_same_bits("variable_norms", x, offsets=OFFSETS)
    assert_same_bits("variable_norms", x[:20], offsets=(0, 20, 20))


@dtypes
@pytest.mark.parametrize("limit", [1.0, 1e6, np.array(1.0), np.array(20, np.float32)])
def test_clipping(limit, dtype):
    (g,) = buffers(1, dtype)
    assert_same_bits("clip_by_norm_update", g.copy(), limit, offsets=OFFSETS)
    assert_same_bits("clip_by_global_norm_update", g.copy(), limit)
    g[OFFSETS[2]] = np.nan
    assert_same_bits("clip_by_norm_update", g.copy(), limit, offsets=OFFSETS)
    g[OFFSETS[2]] = np.inf
    assert_same_bits("clip_by_norm_update", g.copy(), limit, offsets=OFFSETS)
    assert_same_bits("clip_by_global_norm_update", g.copy(), limit)


def test_a_limit_that_is_not_above_zero_sets_the_status():
    (g,) = buffers(1, "float32")
    for limit in (0.0, np.array(-1.0), np.array(np.nan)):
        for name, params in (
            ("clip_by_norm_update", {"offsets": OFFSETS}),
            ("clip_by_global_norm_update", {}),
        ):
            assert Native(name, (g, limit), params, None).run() != 0


@dtypes
def test_scaling_and_decay(dtype):
    (x,) = buffers(1, dtype)
    for factor in (0.3, 1.0, np.array(0.7), np.array(3)):
        assert_same_bits("scale_update", x.copy(), factor)
    assert_same_bits("weight_decay_update", x.copy(), RATE, 0.1)
    decayed = (True, False, True, True, True, False, True)
    settings = {"offsets": OFFSETS, "decayed": decayed}
    assert_same_bits("weight_decay_update", x.copy(), RATE, np.array(0.3), **settings)


@dtypes
def test_lamb(dtype):
    p, g, m, v = buffers(4, dtype)
    p[OFFSETS[1] : OFFSETS[1] + SIZES[1]] = 0
    settings = RATE, 0.9, 0.999, 1e-7
    assert_same_bits("lamb_update", p, g, m, abs(v), *settings, STEP, 0.1, offsets=OFFSETS)
    assert Native("lamb_update", (p, g, m, v, *settings, 0), {"offsets": (0,)}, None).run() != 0


@dtypes
def test_adafactor(dtype):
    p, g = buffers(2, dtype)
    s = np.full(adafactor_statistics(SHAPES), 0.1, dtype)
    settings = RATE, -0.8, 1e-30, 1e-3, 1.0
    params = {"offsets": OFFSETS, "shapes": SHAPES}
    assert_same_bits("adafactor_update", p, g, s, *settings, STEP, 0.1, **params)
    assert Native("adafactor_update", (p, g, s, *settings, 0), params, None).run() != 0


@dtypes
@pytest.mark.parametrize("nesterov", [True, False])
def test_muon(nesterov, dtype):
    p, g, m = buffers(3, dtype)
    params = {
        "offsets": tuple(OFFSETS[i] for i in MATRICES),
        "shapes": tuple(SHAPES[i] for i in MATRICES),
        "nesterov": nesterov,
    }
    assert_same_bits("muon_update", p, g, m, RATE, 0.95, 0.1, **params)
    assert_same_bits("muon_update", p, g, m, 0.1, steps=2, rms_rate=None, **params)
