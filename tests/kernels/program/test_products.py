"""Matrix products as rows of a program."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from kernels.program.native import Native, assert_same_bits

from tapegrad_kernels import cpu
from tapegrad_kernels.cpu.program import ARENA, Builder, Layout, Operand
from tapegrad_kernels.cpu.program.lowering import NotNative
from tapegrad_kernels.cpu.program.operand import FIRST_FREE

RANDOM = np.random.default_rng(0)


def normal(*shape, dtype="float32"):
    return RANDOM.standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("m", "k", "n"), [(32, 784, 64), (5, 3, 10), (7, 5, 1), (1, 9, 40), (130, 70, 90)]
)
@pytest.mark.parametrize("turned", list(itertools.product([False, True], repeat=2)))
def test_matmul(dtype, m, k, n, turned):
    a = normal(k, m, dtype=dtype) if turned[0] else normal(m, k, dtype=dtype)
    b = normal(n, k, dtype=dtype) if turned[1] else normal(k, n, dtype=dtype)
    assert_same_bits("matmul", a, b, transpose_a=turned[0], transpose_b=turned[1])
    # Transposed views are read in place.
    assert_same_bits("matmul", b.T, a.T, transpose_a=turned[1], transpose_b=turned[0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_products_run_in_parallel(dtype):
    a, b = normal(301, 800, dtype=dtype), normal(800, 2100, dtype=dtype)
    assert_same_bits("matmul", a, b)
    assert_same_bits("matmul", b, a, transpose_a=True, transpose_b=True)
    assert_same_bits("matmul", normal(9, 64, 64, dtype=dtype), normal(9, 64, 64, dtype=dtype))
    assert_same_bits("matmul", normal(9, 200, 64, dtype=dtype), normal(64, 64, dtype=dtype))


@pytest.mark.parametrize(
    "views",
    [
        lambda a: (a[::2, ::2], a[1::2, 1::2].T),
        lambda a: (a[::-1], a[::3].T),
        lambda a: (np.broadcast_to(a[:1], a.shape), a),
        lambda a: (a[:, 3:7], a[8:12]),
        lambda a: (a[:, :0], a[:0]),
        lambda a: (a[:0], a),
        lambda a: (a, a[:, :0]),
        lambda a: (a[:, 3:4], a[3:4, 2:9]),
    ],
)
def test_any_strides(views):
    assert_same_bits("matmul", *views(normal(12, 12)))


@pytest.mark.parametrize(
    "shapes",
    [
        ((4,), (4,)),
        ((4,), (4, 3)),
        ((3, 4), (4,)),
        ((4,), (5, 4, 3)),
        ((5, 3, 4), (4,)),
        ((2, 5, 3, 4), (4, 6)),
        ((3, 4), (5, 4, 6)),
        ((2, 1, 3, 4), (5, 4, 6)),
        ((2, 1, 3, 4), (2, 5, 4, 1)),
        ((0, 3, 4), (0, 4, 6)),
        ((2, 3, 0), (2, 0, 6)),
        ((1, 1, 4), (4, 6)),
    ],
)
def test_vectors_and_stacks(shapes):
    a, b = (normal(*shape) for shape in shapes)
    assert_same_bits("matmul", a, b)
    if a.ndim > 1 and b.ndim > 1:
        turned = a.swapaxes(-1, -2).copy(), b.swapaxes(-1, -2).copy()
        assert_same_bits("matmul", *turned, transpose_a=True, transpose_b=True)
        assert_same_bits("matmul", turned[0].swapaxes(-1, -2), b)
        assert_same_bits("matmul", a, turned[1].swapaxes(-1, -2))
        assert_same_bits("matmul", a[..., ::-1], b)


@pytest.mark.parametrize("activation", [None, "linear", "relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dense(activation, with_bias, dtype):
    bias = normal(10, dtype=dtype) if with_bias else None
    w = normal(20, 10, dtype=dtype)
    for x in (
        normal(32, 20, dtype=dtype),
        normal(20, dtype=dtype),
        normal(2, 3, 20, dtype=dtype),
        normal(3, 2, 20, dtype=dtype).transpose(1, 0, 2),
        normal(2, 6, 20, dtype=dtype)[:, ::2],
        normal(0, 20, dtype=dtype),
    ):
        assert_same_bits("dense", x, w, bias, activation=activation)
    assert_same_bits("dense", normal(500, 20, dtype=dtype), normal(20, 300, dtype=dtype))


def test_a_bias_with_gaps():
    assert_same_bits("dense", normal(3, 4), normal(4, 5), normal(10)[::2])


@pytest.mark.parametrize("activation", [None, "relu", "tanh"])
def test_gemm_adds_to_its_result(activation):
    a, b, start = normal(6, 500), normal(500, 7), normal(6, 7)
    native = Native("gemm", (a, b), {"activation": activation, "accumulate": True}, start)
    native.results[0][...] = start
    native.run()
    expected = cpu.gemm(a, b, start.copy(), activation=activation, accumulate=True)
    np.testing.assert_array_equal(native.results[0], expected)


def test_integers_are_left_to_numpy():
    x = np.ones((2, 2), int)
    with pytest.raises(NotNative):
        Native("matmul", (x, x), {}, x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("transposes", list(itertools.product([False, True], repeat=2)))
def test_packed_blocks_stay_in_their_memory(dtype, transposes):
    guard = 1 << 14
    for m, k, n in ((3, 5, 7), (200, 384, 40), (170, 385, 33), (300, 500, 2100), (40, 9, 4097)):
        left = (k, m) if transposes[0] else (m, k)
        right = (n, k) if transposes[1] else (k, n)
        arrays = [
            normal(m, n, dtype=dtype),
            normal(*left, dtype=dtype),
            normal(*right, dtype=dtype),
        ]
        operands = [Operand(FIRST_FREE + i, 0, x.shape, x.dtype) for i, x in enumerate(arrays)]
        builder, layout = Builder(), Layout()
        turned = {"transpose_a": transposes[0], "transpose_b": transposes[1]}
        builder.lower("gemm", *operands, **turned)
        rows = layout.add(builder, guard)
        layout.finish()
        size = guard + builder.scratch_bytes
        frame = layout.frame(size + guard, FIRST_FREE + 3)
        for number, x in enumerate(arrays, FIRST_FREE):
            frame.bases[number] = id(x)
        memory = frame.array(Operand(ARENA, 0, (size + guard,), np.uint8))
        memory[...] = 0xA5
        frame.run(*rows)
        assert (memory[:guard] == 0xA5).all()
        assert (memory[size:] == 0xA5).all()
        np.testing.assert_array_equal(arrays[0], cpu.gemm(arrays[1], arrays[2], **turned))
