"""Write what Keras 3 computes in layers over sequences, images and volumes.

Run it with Keras installed and PyTorch as its backend::

    KERAS_BACKEND=torch python tests/reference/make_spatial_reference.py

It writes `spatial_reference.npz` beside itself; the tests read that file and need neither. It holds
the cases as JSON (``index``), the inputs, weights and output gradients as small whole numbers that
stand for 32nds (``given``), and float64 results rounded to float32 (``results``): outputs, then the
gradients by the input and by each weight.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import torch

HERE = Path(__file__).parent
Case = tuple[str, dict[str, Any], tuple[int, ...]]

# (strides, dilation_rate); Keras does not combine them in plain and transposed convolutions.
ROW_STEPS = [(1, 1), (2, 1), (3, 1), (1, 2)]
PLANE_STEPS = [(1, 1), (2, 1), ((2, 3), 1), (1, 2), (1, (2, 1))]


def convolutions() -> list[Case]:
    """Plain convolutions over strides, dilation, padding, groups, formats and activations."""
    cases: list[Case] = []
    for (strides, dilation), padding, groups in itertools.product(
        ROW_STEPS, ("valid", "same", "causal"), (1, 2)
    ):
        window = {"strides": strides, "dilation_rate": dilation, "padding": padding}
        cases.append(
            ("Conv1D", {"filters": 4, "kernel_size": 3, **window, "groups": groups}, (2, 8, 4))
        )
    for (strides, dilation), padding, groups in itertools.product(
        PLANE_STEPS, ("valid", "same"), (1, 2)
    ):
        window = {"strides": strides, "dilation_rate": dilation, "padding": padding}
        arguments = {"filters": 4, "kernel_size": (3, 2), **window, "groups": groups}
        cases.append(("Conv2D", arguments, (2, 7, 6, 4)))
    for padding in ("valid", "same", "causal"):
        arguments = {"filters": 3, "kernel_size": 2, "strides": 2, "padding": padding}
        cases.append(("Conv1D", {**arguments, "data_format": "channels_first"}, (2, 4, 7)))
    for padding, activation in (("valid", "relu"), ("same", "softmax"), ("same", "sigmoid")):
        arguments = {"filters": 3, "kernel_size": 3, "padding": padding, "activation": activation}
        cases.append(("Conv2D", {**arguments, "data_format": "channels_first"}, (2, 4, 5, 6)))
    for activation in ("relu", "tanh", "softmax", "gelu"):
        arguments = {"filters": 3, "kernel_size": 3, "activation": activation}
        cases.append(("Conv1D", arguments, (2, 6, 2)))
        cases.append(("Conv2D", {**arguments, "use_bias": False}, (2, 5, 5, 2)))
    cases.append(("Conv2D", {"filters": 5, "kernel_size": 1}, (2, 3, 4, 3)))
    cases.append(("Conv2D", {"filters": 2, "kernel_size": 5, "padding": "same"}, (1, 3, 3, 1)))
    return cases


def transposed_convolutions() -> list[Case]:
    """Transposed convolutions over kernels, strides, padding and output padding."""
    cases: list[Case] = []
    for kernel, (strides, dilation), padding in itertools.product(
        (2, 3, 5), ROW_STEPS, ("valid", "same")
    ):
        window = {"strides": strides, "dilation_rate": dilation, "padding": padding}
        cases.append(
            ("Conv1DTranspose", {"filters": 3, "kernel_size": kernel, **window}, (2, 5, 2))
        )
    for kernel, padding, output_padding in itertools.product(
        (2, 3, 4), ("valid", "same"), (0, 1, 2)
    ):
        window = {"strides": 3, "padding": padding, "output_padding": output_padding}
        cases.append(
            ("Conv1DTranspose", {"filters": 2, "kernel_size": kernel, **window}, (1, 4, 2))
        )
    for (strides, dilation), padding in itertools.product(PLANE_STEPS, ("valid", "same")):
        window = {"strides": strides, "dilation_rate": dilation, "padding": padding}
        arguments = {"filters": 3, "kernel_size": (3, 2), **window}
        cases.append(("Conv2DTranspose", arguments, (2, 4, 3, 2)))
    for padding in ("valid", "same"):
        arguments = {"filters": 2, "kernel_size": 3, "strides": 2, "padding": padding}
        cases.append(("Conv2DTranspose", {**arguments, "output_padding": (1, 0)}, (1, 3, 4, 2)))
        first = {**arguments, "data_format": "channels_first", "activation": "relu"}
        cases.append(("Conv2DTranspose", first, (1, 2, 3, 4)))
        cases.append(("Conv1DTranspose", first, (2, 2, 4)))
    return cases


def channelwise_convolutions() -> list[Case]:
    """Depthwise and separable convolutions over strides, dilation, padding and multipliers."""
    cases: list[Case] = []
    for (strides, dilation), padding, multiplier in itertools.product(
        [*ROW_STEPS, (2, 2)], ("valid", "same"), (1, 2)
    ):
        window = {"strides": strides, "dilation_rate": dilation, "padding": padding}
        arguments = {"kernel_size": 3, **window, "depth_multiplier": multiplier}
        cases.append(("DepthwiseConv1D", arguments, (2, 8, 3)))
        if multiplier == 2 or strides == 1:
            cases.append(("SeparableConv1D", {"filters": 4, **arguments}, (2, 8, 3)))
    for (strides, dilation), padding, multiplier in itertools.product(
        [(1, 1), (2, 1), (1, 2)], ("valid", "same"), (1, 2)
    ):
        window = {"strides": strides, "dilation_rate": dilation, "padding": padding}
        arguments = {"kernel_size": (2, 3), **window, "depth_multiplier": multiplier}
        cases.append(("DepthwiseConv2D", arguments, (2, 6, 7, 2)))
        cases.append(("SeparableConv2D", {"filters": 3, **arguments}, (2, 6, 7, 2)))
    for activation in ("relu", "tanh", "sigmoid"):
        arguments = {"kernel_size": 2, "activation": activation, "data_format": "channels_first"}
        cases.append(("DepthwiseConv1D", arguments, (2, 3, 6)))
        cases.append(("SeparableConv1D", {"filters": 2, **arguments}, (2, 3, 6)))
        cases.append(("DepthwiseConv2D", {**arguments, "use_bias": False}, (2, 3, 4, 5)))
        cases.append(("SeparableConv2D", {"filters": 2, **arguments}, (2, 3, 4, 5)))
    return cases


SHAPES = {1: (2, 7, 3), 2: (2, 7, 6, 2), 3: (1, 5, 6, 4, 2)}


def poolings() -> list[Case]:
    """Pooling over sizes, strides, padding and formats; adaptive and global pooling."""
    cases: list[Case] = []
    for kind, rank in itertools.product(("Max", "Average"), (1, 2, 3)):
        for (size, strides), padding in itertools.product(
            ((2, None), (3, 1), (3, 2), (2, 3)), ("valid", "same")
        ):
            arguments = {"pool_size": size, "strides": strides, "padding": padding}
            cases.append((f"{kind}Pooling{rank}D", arguments, SHAPES[rank]))
        first = {"pool_size": 2, "padding": "same", "data_format": "channels_first"}
        cases.append((f"{kind}Pooling{rank}D", first, SHAPES[rank]))
        if rank > 1:
            uneven = {"pool_size": (2, 3, 1)[:rank], "strides": (1, 2, 2)[:rank]}
            cases.append((f"{kind}Pooling{rank}D", uneven, SHAPES[rank]))
        for size, data_format in itertools.product((2, 3), ("channels_last", "channels_first")):
            arguments = {"output_size": (size, 3, 2)[:rank], "data_format": data_format}
            cases.append((f"Adaptive{kind}Pooling{rank}D", arguments, SHAPES[rank]))
        for keepdims, data_format in itertools.product(
            (False, True), ("channels_last", "channels_first")
        ):
            arguments = {"keepdims": keepdims, "data_format": data_format}
            cases.append((f"Global{kind}Pooling{rank}D", arguments, SHAPES[rank]))
    return cases


def reshapings() -> list[Case]:
    """Reshaping, enlarging, padding and cropping."""
    cases: list[Case] = [
        ("Flatten", {}, (2, 3, 4)),
        ("Flatten", {}, (3,)),
        ("Flatten", {"data_format": "channels_first"}, (2, 3, 4, 2)),
        ("Reshape", {"target_shape": (4, 3)}, (2, 3, 4)),
        ("Reshape", {"target_shape": (-1, 2)}, (2, 3, 4)),
        ("Reshape", {"target_shape": (-1,)}, (2, 3, 4)),
        ("Permute", {"dims": (2, 1)}, (2, 3, 4)),
        ("Permute", {"dims": (3, 1, 2)}, (2, 3, 4, 2)),
        ("RepeatVector", {"n": 3}, (2, 4)),
        ("UpSampling1D", {"size": 3}, (2, 4, 2)),
        ("Cropping1D", {"cropping": 1}, (2, 5, 2)),
        ("Cropping1D", {"cropping": (0, 2)}, (2, 5, 2)),
    ]
    for data_format in ("channels_last", "channels_first"):
        how = {"data_format": data_format}
        for size, interpolation in itertools.product((2, (1, 3)), ("nearest", "bilinear")):
            arguments = {"size": size, "interpolation": interpolation, **how}
            cases.append(("UpSampling2D", arguments, (2, 3, 4, 2)))
        cases.append(("UpSampling3D", {"size": (2, 1, 3), **how}, (1, 2, 3, 2, 2)))
        cases.append(("ZeroPadding1D", {"padding": 2, **how}, (2, 3, 2)))
        cases.append(("ZeroPadding1D", {"padding": (1, 0), **how}, (2, 3, 2)))
        for padding in (1, (1, 2), ((1, 0), (2, 3))):
            cases.append(("ZeroPadding2D", {"padding": padding, **how}, (1, 3, 2, 2)))
            cases.append(("Cropping2D", {"cropping": padding, **how}, (1, 6, 7, 6)))
        for padding in (1, (1, 0, 2), ((1, 0), (2, 1), (0, 1))):
            cases.append(("ZeroPadding3D", {"padding": padding, **how}, (1, 2, 2, 3, 2)))
            cases.append(("Cropping3D", {"cropping": padding, **how}, (1, 5, 5, 5, 5)))
    return cases


def mean_pooling_same(layer: keras.layers.Layer, x: torch.Tensor) -> torch.Tensor:
    """Return average pooling with padding "same", which does not count the padding.

    That is what Keras does with TensorFlow and JAX. With PyTorch it repeats the border where the
    padding is uneven and counts it, so the sum and the number of elements of each window are
    computed here, by convolutions with ones.
    """
    last = layer.data_format == "channels_last"
    x = torch.movedim(x, -1, 1) if last else x
    rows = x.reshape(-1, *x.shape[2:], 1)
    ones = torch.ones((*layer.pool_size, 1, 1), dtype=x.dtype)

    def summed(values: torch.Tensor) -> torch.Tensor:
        how = {"strides": layer.strides, "padding": "same", "data_format": "channels_last"}
        return keras.ops.conv(values, ones, **how)

    y = summed(rows) / summed(torch.ones_like(rows))
    y = y.reshape(*x.shape[:2], *y.shape[1:-1])
    return torch.movedim(y, 1, -1) if last else y


class Recorder:
    """Packs many small arrays into few large ones."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(0)
        self.given: list[np.ndarray] = []
        self.results: list[np.ndarray] = []
        self.index: list[dict[str, Any]] = []

    def draw(self, shape: tuple[int, ...], distinct: bool = False) -> torch.Tensor:
        """Note new numbers, all different if so wished, and return them as 32nds."""
        size = int(np.prod(shape))
        if distinct:
            numbers = self.random.permutation(size) - size // 2
        else:
            numbers = self.random.integers(-64, 65, size)
        self.given.append(numbers.astype(np.int16))
        return torch.tensor(numbers.reshape(shape) / 32.0)

    def add(self, name: str, arguments: dict[str, Any], shape: tuple[int, ...]) -> None:
        """Compute one case and note it."""
        layer = getattr(keras.layers, name)(**arguments, dtype="float64")
        x = self.draw(shape, distinct="Max" in name).requires_grad_()
        layer.build(shape)
        for weight in layer.weights:
            weight.assign(self.draw(tuple(weight.shape)))
        if "Average" in name and arguments.get("padding") == "same":
            y = mean_pooling_same(layer, x)
            assert tuple(y.shape) == tuple(layer.compute_output_shape(shape))
        else:
            y = layer(x)
        gradients = torch.autograd.grad(
            y, [x, *(weight.value for weight in layer.weights)], self.draw(tuple(y.shape))
        )
        for result in (y, *gradients):
            self.results.append(result.detach().numpy().ravel().astype(np.float32))
        shapes = [list(array.shape) for array in (x, *layer.weights, y)]
        self.index.append({"layer": name, "arguments": arguments, "shapes": shapes})


def main() -> None:
    """Compute all cases and write them."""
    recorder = Recorder()
    for case in (
        *convolutions(),
        *transposed_convolutions(),
        *channelwise_convolutions(),
        *poolings(),
        *reshapings(),
    ):
        recorder.add(*case)
    np.savez_compressed(
        HERE / "spatial_reference.npz",
        index=np.array(json.dumps(recorder.index)),
        given=np.concatenate(recorder.given),
        results=np.concatenate(recorder.results),
    )


if __name__ == "__main__":
    main()
