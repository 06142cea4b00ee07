"""Explicit padding and output sizes, by TensorFlow's rules."""

from __future__ import annotations

import pytest

from tapegrad_kernels.cpu._window import window_1d, window_2d


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "dilation", "pads", "outputs"),
    [
        (7, 3, 1, "valid", 1, (0, 0), 5),
        (7, 3, 2, "valid", 1, (0, 0), 3),
        (8, 3, 2, "valid", 1, (0, 0), 3),
        (7, 3, 1, "same", 1, (1, 1), 7),
        (8, 3, 2, "same", 1, (0, 1), 4),
        (7, 3, 2, "same", 1, (1, 1), 4),
        (7, 2, 1, "same", 1, (0, 1), 7),
        (7, 3, 1, "same", 2, (2, 2), 7),
        (7, 1, 3, "same", 1, (0, 0), 3),
        (7, 3, 1, "causal", 2, (4, 0), 7),
        (7, 3, 3, "causal", 1, (2, 0), 3),
        (7, 3, 1, 2, 1, (2, 2), 9),
        (7, 3, 1, (0, 3), 1, (0, 3), 8),
        (3, 3, 5, "valid", 1, (0, 0), 1),
        (0, 3, 1, "same", 1, (1, 1), 0),
    ],
)
def test_one_axis(size, kernel, stride, padding, dilation, pads, outputs):
    assert window_1d("conv1d", size, kernel, stride, padding, dilation) == (pads, outputs)


def test_two_axes():
    both = ((0, 1), (1, 1)), (4, 7)
    assert window_2d("conv2d", (8, 7), (3, 3), (2, 1), "same") == both
    assert window_2d("conv2d", (8, 7), (3, 3), [2, 1], [[0, 1], [1, 1]]) == both
    assert window_2d("conv2d", (8, 7), (3, 3), 2, 1) == (((1, 1), (1, 1)), (4, 4))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((2, 9), (3, 3)), r"size 2, window 3.*output size would be 0"),
        (((9, 2), (3, 3), 1, "valid", 2), r"size 2, window 3, stride 1, dilation 2.*size .* -2"),
        (((9, 9), (3, 3), 0), "strides is 0; expected integers of at least 1"),
        (((9, 9), (3, 3), (1, 1.5)), "strides is .*expected an integer or two integers"),
        (((9, 9), (3, 3), (1, 1, 1)), "strides is .*expected an integer or two integers"),
        (((9, 9), (3, 3), 1, "valid", (1, 0)), "dilation is .*at least 1"),
        (((9, 9), (0, 3)), "the window is .*at least 1"),
        (((9, 9), (3, 3), 1, "full"), "padding is 'full'; expected 'valid'"),
        (((9, 9), (3, 3), 1, "causal"), "padding is 'causal'; expected 'valid'"),
        (((9, 9), (3, 3), 1, ((1, 2), 3)), "padding is .*expected 'valid'"),
        (((9, 9), (3, 3), 1, ((1, 2), (3, -1))), "padding is .*at least 0"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=f"conv2d: {message}"):
        window_2d("conv2d", *arguments)


def test_errors_of_one_axis():
    with pytest.raises(ValueError, match=r"conv1d: padding is 'full'; expected .*'causal'"):
        window_1d("conv1d", 9, 3, padding="full")
    with pytest.raises(ValueError, match="conv1d: padding is -1; expected integers of at least 0"):
        window_1d("conv1d", 9, 3, padding=-1)
