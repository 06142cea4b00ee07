"""Optimizer updates against their formulas in float64."""

from __future__ import annotations

import numpy as np
import pytest

from tapegrad_kernels import cpu

SIZES = [0, 1, 37, 40_000]


def vectors(count: int, size: int, dtype: type) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.normal(size=size).astype(dtype) for _ in range(count)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", SIZES)
def test_sgd(size, dtype):
    tolerance = 8 * np.finfo(dtype).eps
    p, g, v = vectors(3, size, dtype)
    expected = p.astype(np.float64) - 0.1 * g
    cpu.sgd_update(p, g, None, np.array(0.1, dtype))
    np.testing.assert_allclose(p, expected, tolerance, tolerance)
    for nesterov in (False, True):
        p, g, v = vectors(3, size, dtype)
        velocity = 0.9 * v.astype(np.float64) - 0.1 * g
        step = 0.9 * velocity - 0.1 * g if nesterov else velocity
        expected = p + step
        cpu.sgd_update(p, g, v, 0.1, 0.9, nesterov)
        np.testing.assert_allclose(v, velocity, tolerance, tolerance)
        np.testing.assert_allclose(p, expected, tolerance, tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", SIZES)
def test_adam(size, dtype):
    tolerance = 20 * np.finfo(dtype).eps
    p, g = vectors(2, size, dtype)
    m, v = np.zeros_like(p), np.zeros_like(p)
    wide, first, second = p.astype(np.float64), np.zeros(size), np.zeros(size)
    for step in range(1, 4):
        cpu.adam_update(p, g, m, v, 0.01, 0.9, 0.999, 1e-7, np.array(step))
        first = 0.9 * first + 0.1 * g
        second = 0.999 * second + 0.001 * g.astype(np.float64) ** 2
        rate = 0.01 * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        wide = wide - rate * first / (np.sqrt(second) + 1e-7)
        np.testing.assert_allclose(p, wide, tolerance, tolerance)
        g = -g / 2
    np.testing.assert_allclose(m, first, tolerance, tolerance)
    np.testing.assert_allclose(v, second, tolerance, tolerance)


def test_zero_gradients_leave_parameters():
    p = np.ones(3, np.float32)
    zero = np.zeros(3, np.float32)
    cpu.adam_update(p, zero, zero.copy(), zero.copy(), 0.1, 0.9, 0.999, 1e-7, 1)
    np.testing.assert_array_equal(p, np.ones(3, np.float32))


def test_wrong_arguments():
    p = np.ones(4, np.float32)
    with pytest.raises(ValueError, match="gradients has shape"):
        cpu.sgd_update(p, np.ones(3, np.float32), None, 0.1)
    with pytest.raises(ValueError, match="gradients has shape"):
        cpu.sgd_update(p, np.ones(4), None, 0.1)
    with pytest.raises(TypeError, match="parameters is int64"):
        cpu.sgd_update(np.ones(4, np.int64), p, None, 0.1)
    with pytest.raises(ValueError, match="contiguous"):
        cpu.sgd_update(np.ones((8,), np.float32)[::2], p, None, 0.1)
    read_only = np.ones(4, np.float32)
    read_only.flags.writeable = False
    with pytest.raises(ValueError, match="writable"):
        cpu.sgd_update(read_only, p, None, 0.1)
    cpu.sgd_update(p, read_only, None, 0.1)
    with pytest.raises(ValueError, match="needs a velocity"):
        cpu.sgd_update(p, p, None, 0.1, 0.9)
    with pytest.raises(ValueError, match="step is 0"):
        cpu.adam_update(p, p, p.copy(), p.copy(), 0.1, 0.9, 0.999, 1e-7, 0)


def orthogonalized(x: np.ndarray, steps: int) -> np.ndarray:
    """Return Newton and Schulz's iteration, as published."""
    a, b, c = 3.4445, -4.7750, 2.0315
    if x.shape[0] > x.shape[1]:
        return orthogonalized(x.T, steps).T
    x = x / (np.linalg.norm(x) + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("nesterov", [False, True])
def test_muon(dtype, nesterov):
    tolerance = 100 * np.finfo(dtype).eps
    shapes, offsets = ((7, 70), (40, 3), (0, 4)), (0, 496, 620)
    p, m = vectors(2, 640, dtype)
    generator = np.random.default_rng(1)
    wide, momentum = p.astype(np.float64), m.astype(np.float64)
    for _ in range(2):
        g = generator.normal(size=640).astype(dtype)
        cpu.muon_update(p, g, m, 0.1, 0.9, 0.5, offsets=offsets, shapes=shapes, nesterov=nesterov)
        momentum = 0.9 * momentum + g
        wide *= 1 - 0.1 * 0.5
        direction = g + 0.9 * momentum if nesterov else momentum
        for offset, (rows, columns) in zip(offsets[:2], shapes[:2], strict=True):
            part = slice(offset, offset + rows * columns)
            step = orthogonalized(direction[part].reshape(rows, columns), 5)
            wide[part] -= 0.1 * 0.2 * np.sqrt(max(rows, columns)) * step.reshape(-1)
    np.testing.assert_allclose(p, wide, tolerance, tolerance)
    np.testing.assert_allclose(m, momentum, tolerance, tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_adafactor(dtype):
    tolerance = 40 * np.finfo(dtype).eps
    shapes = ((30, 700), (5,), (2, 3, 4, 5), (), (0, 3))
    sizes = [int(np.prod(shape)) for shape in shapes]
    offsets = tuple(np.cumsum([0, *sizes[:-1]]).tolist())
    needed = 730 + 5 + 6 * 9 + 1
    p = vectors(1, sum(sizes), dtype)[0]
    s = np.zeros(needed, dtype)
    wide = [w.reshape(n).astype(float) for w, n in zip(np.split(p, offsets[1:]), shapes)]
    rows = [np.zeros(shape[:-1]) for shape in shapes]
    columns = [np.zeros(shape[:-2] + shape[-1:]) for shape in shapes]
    whole = [np.zeros(shape) for shape in shapes]
    generator = np.random.default_rng(2)
    for step in range(1, 4):
        g = generator.normal(size=p.size).astype(dtype)
        cpu.adafactor_update(
            *(p, g, s, 0.7, -0.8, 1e-30, 1e-3, 0.9, step, 0.1), offsets=offsets, shapes=shapes
        )
        less = step**-0.8
        for i, shape in enumerate(shapes[:4]):
            gradient = g[offsets[i] : offsets[i] + sizes[i]].reshape(shape).astype(float)
            square = gradient**2 + 1e-30
            if len(shape) < 2:
                whole[i] = v = (1 - less) * whole[i] + less * square
            else:
                rows[i] = (1 - less) * rows[i] + less * square.mean(-1)
                columns[i] = (1 - less) * columns[i] + less * square.mean(-2)
                share = rows[i] / rows[i].mean(-1, keepdims=True)
                v = share[..., None] * columns[i][..., None, :]
            u = gradient / np.sqrt(v)
            u = u / max(1.0, np.sqrt((u * u).mean()) / 0.9)
            wide[i] = wide[i] * (1 - 0.07)
            level = max(1e-3, np.sqrt((wide[i] ** 2).mean()))
            wide[i] = wide[i] - level * min(0.7, step**-0.5) * u
    for i, shape in enumerate(shapes[:4]):
        got = p[offsets[i] : offsets[i] + sizes[i]].reshape(shape)
        np.testing.assert_allclose(got, wide[i], tolerance, tolerance)
    np.testing.assert_allclose(s[:30], rows[0], tolerance)
    np.testing.assert_allclose(s[30:730], columns[0], tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lamb(dtype):
    tolerance = 40 * np.finfo(dtype).eps
    offsets, size = (0, 3, 3, 1500, 41_000), 80_000
    p, g = vectors(2, size, dtype)
    p[:3] = 0.0  # a variable of norm 0 has the ratio 1
    m, v = np.zeros_like(p), np.zeros_like(p)
    wide, first, second = p.astype(np.float64), np.zeros(size), np.zeros(size)
    for step in (1, 2):
        cpu.lamb_update(p, g, m, v, 0.1, 0.9, 0.99, 1e-6, step, 0.5, offsets=offsets)
        first += 0.1 * (g - first)
        second += 0.01 * (g.astype(np.float64) ** 2 - second)
        wide *= 1 - 0.1 * 0.5
        u = first / (1 - 0.9**step) / (np.sqrt(second / (1 - 0.99**step)) + 1e-6)
        for start, stop in zip(offsets, (*offsets[1:], size), strict=True):
            norms = np.linalg.norm(wide[start:stop]), np.linalg.norm(u[start:stop])
            ratio = norms[0] / norms[1] if min(norms) > 0 else 1.0
            wide[start:stop] -= 0.1 * ratio * u[start:stop]
        g = -g / 2
    np.testing.assert_allclose(p, wide, tolerance, tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_norms_and_clipping(dtype):
    offsets = (0, 3, 3, 40_000)
    g = vectors(1, 100_000, dtype)[0]
    g[:3] = 1e-3
    norms = np.array([np.linalg.norm(part.astype(float)) for part in np.split(g, offsets[1:])])
    np.testing.assert_allclose(cpu.variable_norms(g, offsets=offsets), norms, 1e-6)
    np.testing.assert_allclose(cpu.global_norm(g), np.linalg.norm(norms), 1e-6)
    assert cpu.global_norm(g).dtype == dtype
    assert cpu.global_norm(g[:0]) == 0.0
    clipped = g.copy()
    cpu.clip_by_norm_update(clipped, 10.0, offsets=offsets)
    np.testing.assert_array_equal(clipped[:3], g[:3])
    np.testing.assert_allclose(
        cpu.variable_norms(clipped, offsets=offsets), np.minimum(norms, 10.0), 1e-6
    )
    cpu.clip_by_global_norm_update(clipped, 1.0)
    np.testing.assert_allclose(cpu.global_norm(clipped), 1.0, 1e-6)
    clipped[7] = np.inf
    cpu.clip_by_global_norm_update(clipped, 1.0)
    assert np.isnan(clipped).all()
    clipped[:4] = [np.nan, 3.0, -3.0, 0.5]
    cpu.clip_by_value_update(clipped, -1.0, np.array(2.0))
    np.testing.assert_array_equal(clipped[:4], np.array([np.nan, 2.0, -1.0, 0.5], dtype))


def test_wrong_arguments_of_the_others():
    p = np.ones(4, np.float32)
    slots = p.copy(), p.copy()
    with pytest.raises(ValueError, match=r"lamb_update: offsets are \(1,\)"):
        cpu.lamb_update(p, p, *slots, 0.1, 0.9, 0.99, 1e-7, 1, offsets=(1,))
    with pytest.raises(ValueError, match="variable_norms: offsets are"):
        cpu.variable_norms(p, offsets=(0, 5))
    with pytest.raises(ValueError, match="global_norm: got shape"):
        cpu.global_norm(np.ones((2, 2)))
    with pytest.raises(ValueError, match="clipnorm is 0"):
        cpu.clip_by_norm_update(p, 0.0, offsets=(0,))
    with pytest.raises(ValueError, match="low must not be above high"):
        cpu.clip_by_value_update(p, 1.0, -1.0)
    with pytest.raises(ValueError, match="2 offsets and 1 entries"):
        cpu.weight_decay_update(p, 0.1, 0.1, offsets=(0, 2), decayed=(True,))
    with pytest.raises(ValueError, match="ema_update: step is 0"):
        cpu.ema_update(p, slots[0], 0.9, 0)
    with pytest.raises(ValueError, match="only matrices can be orthogonalized"):
        cpu.muon_update(p, p, slots[0], 0.1, offsets=(0,), shapes=((4,),))
    with pytest.raises(ValueError, match="does not fit"):
        cpu.muon_update(p, p, slots[0], 0.1, offsets=(0,), shapes=((2, 3),))
    with pytest.raises(ValueError, match="2 shapes and 1 offsets"):
        cpu.muon_update(p, p, slots[0], 0.1, offsets=(0,), shapes=((2, 1), (1, 2)))
    with pytest.raises(ValueError, match=r"these variables need \(4,\)"):
        cpu.adafactor_update(
            *(p, p, p[:3].copy(), 0.1, -0.8, 1e-30, 1e-3, 1.0, 1), offsets=(0,), shapes=((2, 2),)
        )
    with pytest.raises(ValueError, match="momentum_rate needs an array"):
        cpu.rmsprop_update(p, p, slots[0], None, None, 0.1, 0.9, 1e-7, 0.5)
    with pytest.raises(ValueError, match="ftrl_update: learning_rate is 0"):
        cpu.ftrl_update(p, p, *slots, 0.0)
    with pytest.raises(ValueError, match=r"learning_rate_power is 0\.5"):
        cpu.ftrl_update(p, p, *slots, 0.1, 0.5)
    for update in (cpu.nadam_update, cpu.adamax_update):
        with pytest.raises(ValueError, match="step is 0"):
            update(p, p, *slots, 0.1, 0.9, 0.99, 1e-7, 0)
    with pytest.raises(ValueError, match="largest_velocity has shape"):
        cpu.adam_update(p, p, *slots, 0.1, 0.9, 0.99, 1e-7, 1, np.ones(3, np.float32))
