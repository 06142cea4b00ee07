"""Pooling, depthwise convolution, upsampling, padding and cropping as functions of users."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import ops
from tapegrad.test_util import check_grads


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape)


def near(got, expected):
    np.testing.assert_allclose(np.asarray(got), expected, rtol=1e-12, atol=1e-12)


def test_sequences_are_images_of_one_row():
    x, row = normal(2, 9, 3), normal(2, 9, 3)[:, None]
    w = normal(3, 3, 2)
    near(ops.max_pool1d(x, 3, 2), ops.max_pool2d(row, (1, 3), (1, 2)).numpy()[:, 0])
    near(ops.avg_pool1d(x, 2, padding="same"), ops.avg_pool2d(row, (1, 2), None, "same")[:, 0])
    near(ops.max_pool1d(x, 3, padding=1), ops.max_pool1d(x, 3, padding=(1, 1)).numpy())
    near(ops.upsample1d(x, 3), np.repeat(x, 3, 1))
    causal = ops.depthwise_conv1d(x, w, normal(6), 2, "causal", 1, "tanh")
    padded = np.pad(row, ((0, 0), (0, 0), (2, 0), (0, 0)))
    expected = ops.depthwise_conv2d(padded, w[None], normal(6), (1, 2), activation="tanh")
    near(causal, expected.numpy()[:, 0])


def test_global_pools():
    x = normal(2, 4, 5, 3)
    near(ops.global_average_pool2d(x), x.mean((1, 2)))
    near(ops.global_max_pool2d(x, keepdims=True), x.max((1, 2), keepdims=True))
    near(ops.global_average_pool1d(x[0]), x[0].mean(1))
    near(ops.global_max_pool1d(x[0]), x[0].max(1))
    check_grads(lambda x: ops.global_average_pool2d(x) * ops.global_max_pool2d(x))(x)


def test_padding_and_cropping():
    x = normal(2, 4, 5, 3)
    near(ops.zero_pad2d(x), np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))))
    near(ops.zero_pad2d(x, (0, 2)), np.pad(x, ((0, 0), (0, 0), (2, 2), (0, 0))))
    sides = ((1, 0), (2, 3))
    padded = ops.zero_pad2d(x, sides)
    near(padded, np.pad(x, ((0, 0), *sides, (0, 0))))
    near(ops.crop2d(padded, sides), x)
    near(ops.crop2d(x, (1, 2)), x[:, 1:-1, 2:-2])
    near(ops.crop2d(x), x)
    near(ops.zero_pad1d(x[0], (0, 2)), np.pad(x[0], ((0, 0), (0, 2), (0, 0))))
    near(ops.crop1d(x[0], (3, 0)), x[0][:, 3:])
    check_grads(lambda x: ops.crop2d(ops.zero_pad2d(x * x, 2), ((1, 3), (2, 0))))(x)


def test_a_shared_largest_element_gives_its_gradient_once():
    x = tg.tensor(np.ones((1, 3, 3, 1)))
    gradient = tg.grad(lambda x: ops.max_pool2d(x, 2, 1).sum())(x)
    np.testing.assert_array_equal(gradient.numpy()[0, ..., 0], [[1, 1, 0], [1, 1, 0], [0, 0, 0]])


def test_dtypes():
    x, w = normal(1, 4, 4, 2), normal(2, 2, 2, 1)
    with tg.Tape() as tape:
        a = tg.tensor(x.astype(np.float32))
        tape.watch(a)
        y = ops.upsample2d(ops.avg_pool2d(ops.max_pool2d(ops.depthwise_conv2d(a, w[..., :1].astype(
            np.float32)), 2, 1), 2), 2, "bilinear")  # fmt: skip
    assert y.dtype == np.float32
    assert tape.gradient(y, a).dtype == np.float32
    assert ops.depthwise_conv2d(x.astype(np.float32), w).dtype == np.float64
    assert ops.max_pool2d(np.arange(4).reshape(1, 2, 2, 1), 2).dtype == np.float64


def test_integers_among_the_results_of_an_operation_are_no_part_of_the_tape():
    from tapegrad._core.registry import primitives

    x = tg.tensor(normal(1, 2, 2, 1))
    with tg.Tape() as tape:
        tape.watch(x)
        y, positions = primitives["max_pool2d"](
            x, pool_size=(2, 2), strides=(2, 2), padding="valid"
        )
        total = y.sum() + positions.sum()
    assert positions.dtype == np.uint8
    assert tape.gradient(total, x).numpy().sum() == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: ops.max_pool1d(x, 2), "max_pool1d: x has the shape .*three axes"),
        (lambda x: ops.avg_pool1d(x[0], 2, padding="causal"), "padding is 'causal'"),
        (lambda x: ops.max_pool2d(x, 9), "size 4, window 9"),
        (lambda x: ops.global_max_pool1d(x), "global_max_pool1d: x has the shape"),
        (lambda x: ops.upsample1d(x), "upsample1d: x has the shape"),
        (lambda x: ops.upsample2d(x, 2, "cubic"), "interpolation is 'cubic'"),
        (lambda x: ops.zero_pad2d(x, -1), "zero_pad2d: padding is -1; expected integers"),
        (lambda x: ops.zero_pad2d(x, ((1, 2, 3), 1)), "zero_pad2d: padding is"),
        (lambda x: ops.zero_pad2d(x[0], 1), "zero_pad2d: x has the shape .*four axes"),
        (lambda x: ops.zero_pad1d(x[0], 1.5), r"zero_pad1d: padding is 1.5; .*\(before, after\)"),
        (lambda x: ops.crop2d(x, ((2, 2), (0, 0))), "crop2d: cropping 2 and 2 leaves nothing"),
        (lambda x: ops.depthwise_conv2d(x, normal(2, 2, 3, 1)), "2 channels .* is for 3"),
        (
            lambda x: ops.depthwise_conv2d(x, normal(2, 2, 2, 1), activation="gelu"),
            "activation 'gelu' is none of",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call(normal(1, 4, 4, 2))
