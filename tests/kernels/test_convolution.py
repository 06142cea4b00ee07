"""Convolutions against im2col and a product in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import plain_convolution as plain
import pytest

from tapegrad_kernels import cpu
from tapegrad_kernels.cpu.convolution.geometry import make_window
from tapegrad_kernels.cpu.convolution.plan import plan_forward, plan_input_grad, plan_kernel_grad

DTYPES = ["float32", "float64"]
TOLERANCE = {"float32": 1e-5, "float64": 1e-13}

# x, w, settings: each algorithm, ragged sizes, and everything that may be outside of an image
CASES: list[tuple[str, tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ("valid", (2, 9, 17, 3), (3, 3, 3, 5), {}),
    ("same", (2, 9, 17, 3), (3, 3, 3, 33), {"padding": "same"}),
    ("same, deep", (1, 6, 16, 30), (3, 3, 30, 40), {"padding": "same"}),
    ("even window, same", (1, 7, 8, 4), (4, 2, 4, 20), {"padding": "same"}),
    ("stride 2, same", (2, 11, 12, 5), (3, 3, 5, 64), {"padding": "same", "strides": (2, 2)}),
    ("stride 3 by 2", (1, 11, 12, 5), (2, 3, 5, 17), {"strides": (3, 2)}),
    ("stride beyond window", (1, 9, 9, 2), (1, 2, 2, 3), {"strides": (4, 3)}),
    ("dilation", (1, 12, 13, 3), (3, 2, 3, 32), {"dilation": (2, 3)}),
    ("dilation of rows", (1, 12, 13, 3), (3, 2, 3, 6), {"dilation": (2, 1), "padding": "same"}),
    ("groups", (2, 6, 7, 6), (3, 3, 2, 9), {"groups": 3, "padding": "same"}),
    ("groups, strides", (2, 6, 7, 6), (3, 2, 3, 40), {"groups": 2, "strides": (2, 1)}),
    ("as many groups as channels", (2, 6, 7, 5), (3, 3, 1, 10), {"groups": 5, "strides": (2, 1)}),
    ("explicit padding", (1, 5, 6, 3), (3, 3, 3, 7), {"padding": ((2, 1), (0, 3))}),
    ("padding beyond window", (1, 4, 3, 2), (2, 2, 2, 3), {"padding": ((5, 4), (4, 6))}),
    ("one row", (3, 1, 40, 8), (1, 5, 8, 16), {"padding": "same"}),
    ("long row", (1, 1, 1200, 3), (1, 5, 3, 4), {"padding": "same"}),
    ("long rows", (1, 3, 600, 2), (2, 3, 2, 33), {"padding": "same", "strides": (1, 1)}),
    ("one position", (2, 3, 3, 16), (3, 3, 16, 48), {}),
    ("small maps", (5, 5, 5, 20), (3, 3, 20, 64), {}),
    ("1×1", (2, 4, 5, 7), (1, 1, 7, 9), {}),
    ("1×1, stride 2", (2, 5, 5, 7), (1, 1, 7, 16), {"strides": (2, 2)}),
    ("window of the image's size", (2, 4, 6, 3), (4, 6, 3, 8), {}),
    ("few windows, wide", (1, 3, 5, 4), (2, 2, 4, 128), {}),
]


def _cases() -> list[Any]:
    return [pytest.param(*case[1:], id=case[0]) for case in CASES]


def _normal(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def _assert_near(got: np.ndarray, wanted: np.ndarray, dtype: str) -> None:
    assert got.dtype == dtype
    assert got.shape == wanted.shape
    scale = max(1.0, float(np.abs(wanted).max(initial=0.0)))
    np.testing.assert_allclose(got / scale, wanted / scale, rtol=0, atol=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("x_shape", "w_shape", "settings"), _cases())
def test_forward_and_gradients(x_shape, w_shape, settings, dtype):
    x, w = _normal(0, x_shape).astype(dtype), _normal(1, w_shape).astype(dtype)
    wide_x, wide_w = x.astype(np.float64), w.astype(np.float64)
    y = plain.conv2d(wide_x, wide_w, **settings)
    _assert_near(cpu.conv2d(x, w, **settings), y, dtype)
    dy = _normal(2, y.shape).astype(dtype)
    wide_dy = dy.astype(np.float64)
    dx = plain.conv2d_input_grad(wide_dy, wide_w, x_shape, **settings)
    _assert_near(cpu.conv2d_input_grad(dy, w, x_shape, **settings), dx, dtype)
    dw = plain.conv2d_kernel_grad(wide_x, wide_dy, w_shape, **settings)
    _assert_near(cpu.conv2d_kernel_grad(x, dy, w_shape, **settings), dw, dtype)


ALGORITHMS = {
    "forward": (plan_forward, ("in place", "gathered")),
    "input gradient": (plan_input_grad, ("in place", "gathered", "scattered")),
    "kernel gradient": (plan_kernel_grad, ("in place", "padded", "by place", "gathered")),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", list(ALGORITHMS))
@pytest.mark.parametrize(("x_shape", "w_shape", "settings"), _cases())
def test_every_algorithm(x_shape, w_shape, settings, kind, dtype):
    full = {"strides": 1, "padding": "valid", "dilation": 1, "groups": 1} | settings
    window = make_window(kind, x_shape, w_shape, **full)
    if window.is_product or window.is_depthwise:
        return
    x, w = _normal(0, x_shape).astype(dtype), _normal(1, w_shape).astype(dtype)
    dy = _normal(2, window.y_shape).astype(dtype)
    operands, wanted = {
        "forward": ((x, w), cpu.conv2d(x, w, **settings)),
        "input gradient": ((dy, w), cpu.conv2d_input_grad(dy, w, x_shape, **settings)),
        "kernel gradient": ((x, dy), cpu.conv2d_kernel_grad(x, dy, w_shape, **settings)),
    }[kind]
    planner, algorithms = ALGORITHMS[kind]
    for algorithm in algorithms:
        plan = planner(window, dtype, algorithm)  # its best where it does not apply
        memory = np.full(plan.workspace_bytes, 0xFF, np.uint8)  # all NaN
        got = np.full_like(wanted, np.nan)
        plan.call(plan.record, *operands, got, plan.no_bias, 0, memory.ctypes.data)
        _assert_near(got, wanted.astype(np.float64), dtype)


@pytest.mark.parametrize("seed", range(60))
def test_any_sizes(seed):
    g = np.random.default_rng(seed)
    groups = int(g.choice([1, 1, 1, 2, 3]))
    depth, columns = int(g.integers(1, 36)), int(g.choice([1, 3, 8, 16, 20, 32, 33, 64]))
    x_shape = (*map(int, g.integers(1, 18, 3) % (3, 18, 18) + 1), depth * groups)
    w_shape = (*map(int, g.integers(1, 5, 2)), depth, columns * groups)
    settings = {
        "strides": tuple(map(int, g.integers(1, 4, 2))),
        "dilation": tuple(map(int, g.integers(1, 3, 2))),
        "padding": ["same", ((8, 1), (3, 7))][seed % 2],
        "groups": groups,
    }
    test_forward_and_gradients(x_shape, w_shape, settings, DTYPES[seed % 2])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", [None, "linear", "relu", "tanh", "sigmoid"])
@pytest.mark.parametrize(
    "case", ["same", "groups", "dilation", "1×1", "small maps", "as many groups as channels"]
)
def test_bias_and_activation(case, activation, dtype):
    x_shape, w_shape, settings = next(c[1:] for c in CASES if c[0] == case)
    x, w = _normal(0, x_shape).astype(dtype), _normal(1, w_shape).astype(dtype)
    bias = _normal(2, w_shape[3:]).astype(dtype)
    z = plain.conv2d(x.astype(np.float64), w.astype(np.float64), **settings) + bias
    wanted = {
        None: z,
        "linear": z,
        "relu": np.maximum(z, 0),
        "tanh": np.tanh(z),
        "sigmoid": 1 / (1 + np.exp(-z)),
    }[activation]
    got = cpu.conv2d(x, w, bias=bias, activation=activation, **settings)
    _assert_near(got, wanted, dtype)
    same = cpu.conv2d_with_bias(x, w, bias, activation=activation, **settings)
    np.testing.assert_array_equal(same, got)


def test_any_strides_of_the_operands():
    x, w = _normal(0, (2, 6, 7, 3)), _normal(1, (3, 3, 3, 4))
    wanted = cpu.conv2d(x, w)
    images_first = np.ascontiguousarray(x.transpose(3, 0, 1, 2)).transpose(1, 2, 3, 0)
    assert not images_first.flags.c_contiguous
    np.testing.assert_array_equal(cpu.conv2d(images_first, w), wanted)
    doubled = np.repeat(w, 2, axis=3)[..., ::2]
    np.testing.assert_array_equal(cpu.conv2d(x, doubled), wanted)
    np.testing.assert_array_equal(cpu.conv2d(x[::-1], w), wanted[::-1])


def test_out():
    x, w = _normal(0, (2, 6, 7, 3)), _normal(1, (3, 3, 3, 3))
    wanted = cpu.conv2d(x, w, padding="same")
    out = np.empty_like(x)
    assert cpu.conv2d(x, w, out, padding="same") is out
    np.testing.assert_array_equal(out, wanted)
    assert cpu.conv2d(x, w, x, padding="same") is x  # over its own input
    np.testing.assert_array_equal(x, wanted)


def test_weights_that_are_far_apart_in_memory_are_packed_alike():
    # Enough rows to pack the filters, and so few that they are read where they are.
    x, w = _normal(0, (6, 8, 8, 16)), _normal(1, (3, 3, 16, 64))
    np.testing.assert_array_equal(cpu.conv2d(x[:1], w), cpu.conv2d(x, w)[:1])


def test_empty_batch_and_no_output():
    x, w = np.zeros((0, 5, 5, 3)), np.ones((3, 3, 3, 4))
    y = cpu.conv2d(x, w)
    assert y.shape == (0, 3, 3, 4)
    assert cpu.conv2d_input_grad(y, w, x.shape).shape == x.shape
    np.testing.assert_array_equal(cpu.conv2d_kernel_grad(x, y, w.shape), np.zeros(w.shape))


def test_nan_and_infinity_reach_what_sees_them():
    x = np.zeros((1, 1, 8, 1))
    x[0, 0, 4] = np.inf
    y = cpu.conv2d(x, np.array([1.0, 0.0]).reshape(1, 2, 1, 1))[0, 0, :, 0]
    assert y[4] == np.inf
    assert np.isnan(y[3])  # 0 * inf
    np.testing.assert_array_equal(y[[0, 1, 2, 5, 6]], 0)


@pytest.mark.parametrize("padding", ["valid", "same", "causal", 2, (3, 1)])
@pytest.mark.parametrize(("stride", "dilation", "groups"), [(1, 1, 1), (2, 1, 2), (1, 3, 1)])
def test_sequences(padding, stride, dilation, groups):
    x, w = _normal(0, (2, 19, 4)), _normal(1, (3, 4 // groups, 6))
    settings = {"stride": stride, "dilation": dilation, "groups": groups, "padding": padding}
    span = 2 * dilation
    pads = {"valid": (0, 0), "causal": (span, 0), 2: (2, 2), (3, 1): (3, 1)}.get(padding)
    as_image = {
        "strides": (1, stride),
        "dilation": (1, dilation),
        "groups": groups,
        "padding": "same" if pads is None else ((0, 0), pads),
    }
    wanted = plain.conv2d(x[:, None], w[None], **as_image)
    np.testing.assert_allclose(cpu.conv1d(x, w, **settings), wanted[:, 0], atol=1e-12)
    dy = _normal(2, wanted.shape)
    dx = plain.conv2d_input_grad(dy, w[None], (2, 1, 19, 4), **as_image)
    got = cpu.conv1d_input_grad(dy[:, 0], w, x.shape, **settings)
    np.testing.assert_allclose(got, dx[:, 0], atol=1e-12)
    dw = plain.conv2d_kernel_grad(x[:, None], dy, (1, *w.shape), **as_image)
    got = cpu.conv1d_kernel_grad(x, dy[:, 0], w.shape, **settings)
    np.testing.assert_allclose(got, dw[0], atol=1e-12)


def test_causal_outputs_do_not_see_the_future():
    x, w = _normal(0, (1, 10, 2)), _normal(1, (3, 2, 2))
    changed = x.copy()
    changed[:, 6:] = 9.0
    before = cpu.conv1d(x, w, padding="causal", dilation=2)
    after = cpu.conv1d(changed, w, padding="causal", dilation=2)
    np.testing.assert_array_equal(before[:, :6], after[:, :6])
    assert (before[:, 6:] != after[:, 6:]).all()


X, W = np.ones((1, 5, 5, 4)), np.ones((3, 3, 4, 6))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: cpu.conv2d(X[0], W), ValueError, "expected x (batch, height, width, channels)"),
        (lambda: cpu.conv2d(X, W[:, :, :3]), ValueError, "4 channels on its third axis, not 3"),
        (lambda: cpu.conv2d(X, W, groups=3), ValueError, "3 groups must divide both the 4"),
        (lambda: cpu.conv2d(X, W[:, :, :2, :5], groups=2), ValueError, "the 5 filters of w"),
        (lambda: cpu.conv2d(X, W, groups=0), ValueError, "groups is 0"),
        (lambda: cpu.conv2d(X, np.ones((6, 6, 4, 1))), ValueError, "output size would be 0"),
        (lambda: cpu.conv2d(X, W, dilation=3), ValueError, "a window that spans 7"),
        (lambda: cpu.conv2d(X, W, strides=0), ValueError, "strides is 0"),
        (lambda: cpu.conv2d(X, W, padding="full"), ValueError, "padding is 'full'"),
        (lambda: cpu.conv2d(X, W, padding=((0, -1), (0, 0))), ValueError, "at least 0"),
        (lambda: cpu.conv2d(X, W, bias=np.ones(5)), ValueError, "bias has the shape (5,)"),
        (lambda: cpu.conv2d(X, W, activation="elu"), ValueError, "activation is 'elu'"),
        (lambda: cpu.conv2d(X, W.astype("f4")), TypeError, "w has the dtype float32"),
        (lambda: cpu.conv2d(X.astype(int), W), TypeError, "x has the dtype int64"),
        (lambda: cpu.conv2d(X, W, np.ones((1, 3, 3, 5))), ValueError, "out must be an array"),
        (lambda: cpu.conv2d(X, np.ones((0, 3, 4, 6))), ValueError, "must not be empty"),
        (
            lambda: cpu.conv2d_input_grad(np.ones((1, 3, 3, 5)), W, X.shape),
            ValueError,
            "dy has the shape (1, 3, 3, 5); expected (1, 3, 3, 6)",
        ),
        (
            lambda: cpu.conv2d_kernel_grad(X, np.ones((1, 3, 2, 6)), W.shape),
            ValueError,
            "expected (1, 3, 3, 6)",
        ),
        (lambda: cpu.conv1d(X, W), ValueError, "expected x (batch, length, channels)"),
        (lambda: cpu.conv1d(X[0], W[0], padding="full"), ValueError, "causal"),
    ],
)
def test_bad_input(call, error, words):
    with pytest.raises(error) as caught:
        call()
    assert words in str(caught.value)
