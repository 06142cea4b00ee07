"""Convolutions as operations: dtypes, transposes, what a gradient of a gradient needs."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import plain_convolution as plain
import pytest

import tapegrad as tg
from tapegrad import ops
from tapegrad.test_util import check_grads


def _normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def _spread(x: np.ndarray, w: np.ndarray, strides: Any, dilation: Any) -> np.ndarray:
    """A transposed convolution by its definition, nothing cut away."""
    n, height, width, _ = x.shape
    kernel_height, kernel_width, filters, _ = w.shape
    span = [(w.shape[axis] - 1) * dilation[axis] + 1 for axis in range(2)]
    y = np.zeros(
        (n, (height - 1) * strides[0] + span[0], (width - 1) * strides[1] + span[1], filters)
    )
    for i in range(height):
        for j in range(width):
            for a in range(kernel_height):
                for b in range(kernel_width):
                    place = i * strides[0] + a * dilation[0], j * strides[1] + b * dilation[1]
                    y[:, place[0], place[1]] += x[:, i, j] @ w[a, b].T
    return y


# Sizes and the first pixel kept, as Keras 3 has them.
TRANSPOSES = [
    # x, kernel, strides, padding, dilation, output_padding, size, first pixels kept
    ((4, 5), (3, 3), (1, 1), "valid", (1, 1), None, (6, 7), (0, 0)),
    ((4, 5), (3, 3), (2, 2), "valid", (1, 1), None, (9, 11), (0, 0)),
    ((4, 5), (2, 1), (3, 3), "valid", (1, 1), None, (12, 15), (0, 0)),
    ((4, 5), (3, 3), (1, 1), "same", (1, 1), None, (4, 5), (1, 1)),
    ((4, 5), (3, 4), (2, 2), "same", (1, 1), None, (8, 10), (0, 1)),
    ((4, 5), (5, 2), (3, 2), "same", (1, 1), None, (12, 10), (1, 0)),
    ((4, 5), (3, 3), (1, 1), "same", (2, 2), None, (4, 5), (2, 2)),
    ((4, 5), (3, 3), (2, 2), "same", (1, 1), (1, 0), (8, 9), (0, 1)),
    ((4, 5), (3, 2), (2, 2), "valid", (1, 1), (0, 1), (9, 11), (0, 0)),
]


@pytest.mark.parametrize(
    ("size", "kernel", "strides", "padding", "dilation", "extra", "out", "first"), TRANSPOSES
)
def test_transposed(size, kernel, strides, padding, dilation, extra, out, first):
    x, w, bias = _normal(0, 2, *size, 3), _normal(1, *kernel, 4, 3), _normal(2, 4)
    whole = _spread(x, w, strides, dilation)
    wanted = np.zeros((2, *out, 4))
    kept = whole[:, first[0] : first[0] + out[0], first[1] : first[1] + out[1]]
    wanted[:, : kept.shape[1], : kept.shape[2]] = kept  # nothing reaches the added rows
    y = ops.conv2d_transpose(x, w, bias, strides, padding, dilation, extra)
    np.testing.assert_allclose(y.numpy(), wanted + bias, atol=1e-12)
    if size[0] == 4 and padding == "same" and strides[1] == 2:
        check_grads(
            lambda x, w, b: ops.conv2d_transpose(x, w, b, strides, padding, dilation, extra)
        )(x[:1, :2, :3], w, bias)


def test_transposed_sequence():
    x, w = _normal(0, 2, 5, 3), _normal(1, 4, 2, 3)
    y = ops.conv1d_transpose(x, w, stride=2, padding="same")
    image = ops.conv2d_transpose(x[:, None], w[None], strides=(1, 2), padding="same")
    np.testing.assert_array_equal(y.numpy(), image.numpy()[:, 0])
    assert y.shape == (2, 10, 2)


@pytest.mark.parametrize("padding", ["valid", "same", "causal", 2, (1, 3)])
def test_sequence(padding):
    x, w, bias = _normal(0, 2, 9, 3), _normal(1, 3, 3, 4), _normal(2, 4)
    y = ops.conv1d(x, w, bias, padding=padding, dilation=2, activation="relu")
    pads = {"valid": (0, 0), "same": (2, 2), "causal": (4, 0), 2: (2, 2)}.get(padding, padding)
    z = plain.conv2d(x[:, None], w[None], padding=((0, 0), pads), dilation=(1, 2))[:, 0] + bias
    np.testing.assert_allclose(y.numpy(), np.maximum(z, 0), atol=1e-12)
    check_grads(lambda x, w, b: ops.conv1d(x, w, b, padding=padding, dilation=2))(x, w, bias)


def test_separable():
    x, depthwise, pointwise = _normal(0, 2, 6, 7, 3), _normal(1, 3, 3, 3, 2), _normal(2, 1, 1, 6, 4)
    bias = _normal(3, 4)
    y = ops.separable_conv2d(
        x, depthwise, pointwise, bias, strides=2, padding="same", activation="relu"
    )
    settings = {"strides": (2, 2), "padding": "same", "groups": 3}
    hidden = plain.conv2d(x, depthwise.reshape(3, 3, 1, 6), **settings)
    np.testing.assert_allclose(
        y.numpy(), np.maximum(hidden @ pointwise[0, 0] + bias, 0), atol=1e-12
    )
    check_grads(ops.separable_conv2d)(x[:1, :4, :4], depthwise, pointwise, bias)
    row = ops.separable_conv1d(x[:, 0], depthwise[0], pointwise[0], bias, padding="causal")
    image = {"padding": ((0, 0), (2, 0)), "groups": 3}
    hidden = plain.conv2d(x[:, :1], depthwise[:1].reshape(1, 3, 1, 6), **image)[:, 0]
    np.testing.assert_allclose(row.numpy(), hidden @ pointwise[0, 0] + bias, atol=1e-12)


def test_dtypes_promote_as_numpy_has_them():
    x, w = _normal(0, 1, 4, 4, 2), _normal(1, 2, 2, 2, 3)
    assert ops.conv2d(x.astype("f4"), w.astype("f4")).dtype == np.float32
    assert ops.conv2d(x.astype("f4"), w).dtype == np.float64
    assert ops.conv2d(x.astype("f2"), w.astype("f2")).dtype == np.float32
    assert ops.conv2d(np.ones((1, 3, 3, 1), int), np.ones((2, 2, 1, 1), int)).dtype == np.float64
    narrow = tg.tensor(x.astype("f4"))
    with tg.Tape() as tape:
        tape.watch(narrow)
        y = ops.conv2d(narrow, w).sum()
    assert tape.gradient(y, narrow).dtype == np.float32


def test_gradient_penalty():
    """A network of convolutions differentiated by its input, then by its weights."""
    x, w1, w2 = _normal(0, 2, 5, 5, 1), _normal(1, 3, 3, 1, 2), _normal(2, 2, 2, 2, 1)

    def penalty(w1: Any, w2: Any) -> Any:
        def critic(image: Any) -> Any:
            hidden = ops.conv2d(image, w1, padding="same", activation="tanh")
            return ops.conv2d(hidden, w2, strides=2).sum()

        image = tg.tensor(x)
        with tg.Tape() as tape:
            tape.watch(image)
            score = critic(image)
        slope = tape.gradient(score, image)
        return ((slope * slope).sum() - 1.0) ** 2

    check_grads(penalty, order=1)(w1, w2)


def test_only_what_is_asked_for_is_computed(monkeypatch):
    x, w = tg.tensor(_normal(0, 1, 4, 4, 1)), tg.Variable(_normal(1, 2, 2, 1, 3))
    from tapegrad._core.registry import primitives

    called = []
    for name in ("conv2d_input_grad", "conv2d_kernel_grad"):
        primitive = primitives[name]
        original = primitive._cpu
        monkeypatch.setattr(
            primitive,
            "_cpu",
            lambda *a, _f=original, _n=name, **k: called.append(_n) or _f(*a, **k),
        )
    with tg.Tape() as tape:
        y = ops.conv2d(x, w).sum()
    tape.gradient(y, w)
    assert called == ["conv2d_kernel_grad"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x, w: ops.conv2d(x, w, activation="elu"), "activation 'elu'"),
        (lambda x, w: ops.conv1d(x, w), "expected 3 axes"),
        (
            lambda x, w: ops.conv2d_transpose(x, w[:, :, :, :2]),
            "(height, width, filters, channels)",
        ),
        (lambda x, w: ops.conv2d_transpose(x, w, padding="full"), "expected 'valid' or 'same'"),
        (lambda x, w: ops.conv2d_transpose(x, w, output_padding=1), "less than the strides"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        call(np.ones((1, 4, 4, 3)), np.ones((2, 2, 3, 3)))
