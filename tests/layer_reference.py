"""Cases of `layer_cases`, run here and compared with what Keras 3 computed."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import layer_cases
import numpy as np
from layer_cases import CASES

import tapegrad as tg
from tapegrad import layers
from tapegrad.layers.masking_state import get_mask, set_mask

TOLERANCE = {"float32": 2e-4, "float64": 2e-6}


@cache
def reference() -> tuple[dict[str, np.ndarray], dict[str, list[list[int]]]]:
    """Return the results by name, and the shapes of weights by case; see the script beside it."""
    path = Path(__file__).parent / "reference" / "layer_reference.npz"
    with np.load(path, allow_pickle=False) as file:
        text, values = bytes(file["index"]).decode(), file["values"]
    data = json.loads(text)
    results: dict[str, np.ndarray] = {}
    start = 0
    for name, shape, dtype in data["index"]:
        size = int(np.prod(shape, dtype=int))
        results[name] = values[start : start + size].reshape(shape).astype(dtype)
        start += size
    assert start == values.size
    return results, data["weights"]


def names(*classes: str) -> list[str]:
    """Return the cases of some layers."""
    found = [name for name, case in CASES.items() if case.layer in classes]
    assert found
    return found


def close(result: Any, expected: np.ndarray, dtype: str, what: str = "") -> None:
    """Compare, relative to the larger of 1 and the reference's largest value."""
    result = np.asarray(result)
    assert result.shape == expected.shape, what
    scale = max(1.0, float(np.abs(expected).max(initial=0)))
    np.testing.assert_allclose(
        result / scale, expected / scale, rtol=0, atol=TOLERANCE[dtype], err_msg=what
    )


def make(name: str, dtype: str) -> layers.Layer:
    """Return the layer of a case."""
    case = CASES[name]
    options = dict(case.options)
    if case.inner is not None:
        inner, inner_options = case.inner
        options["layer"] = getattr(layers, inner)(**inner_options, dtype=dtype)
    return getattr(layers, case.layer)(**options, dtype=dtype)


def call(layer: layers.Layer, name: str, dtype: str) -> tuple[list[tg.Tensor], list[tg.Tensor]]:
    """Call a layer as the case says; return inputs and outputs."""
    case = CASES[name]
    inputs = [tg.tensor(x.astype(dtype)) for x in layer_cases.inputs_of(name, case)]
    for x, mask in zip(inputs, layer_cases.masks_of(name, case)):
        if mask is not None:
            set_mask(x, mask)
    further = layer_cases.call_arguments(name, case)
    if case.training is not None:
        further["training"] = case.training
    tape = next(iter(_tapes), None)
    if tape is not None:
        for x in inputs:
            tape.watch(x)
    given: Any = {"single": inputs, "list": [inputs], "arguments": inputs}[case.given]
    outputs = layer(*given, **further)
    return inputs, list(outputs) if isinstance(outputs, list | tuple) else [outputs]


_tapes: list[tg.Tape] = []


def set_weights(layer: layers.Layer, name: str) -> None:
    """Give a layer the weights that the reference was made with."""
    shapes = [list(weight.shape) for weight in layer.weights]
    assert shapes == reference()[1][name]
    for index, weight in enumerate(layer.weights):
        new = layer_cases.weight_values(name, index, weight.shape, weight.trainable)
        weight.assign(new.astype(weight.dtype))


def check(name: str, dtype: str) -> None:
    """Compare outputs, masks, gradients and fixed weights of a case."""
    expected, _ = reference()
    case = CASES[name]
    layer = make(name, dtype)
    call(layer, name, dtype)
    set_weights(layer, name)
    for _ in range(case.calls - 1):
        call(layer, name, dtype)
    with tg.Tape() as tape:
        _tapes.append(tape)
        try:
            inputs, outputs = call(layer, name, dtype)
        finally:
            _tapes.pop()
        loss = sum((y * layer_cases.output_gradient(y.shape).astype(dtype)).sum() for y in outputs)
    trained = layer.trainable_weights
    gradients = tape.gradient(loss, [*inputs, *trained], unconnected_gradients="zero")
    for index, output in enumerate(outputs):
        assert output.dtype == dtype
        close(output, expected[f"{name}/output{index}"], dtype, f"output {index}")
        mask = get_mask(output)
        if f"{name}/mask{index}" in expected:
            np.testing.assert_array_equal(mask, expected[f"{name}/mask{index}"])
        else:
            assert mask is None
    for index, gradient in enumerate(gradients):
        own = index - len(inputs)
        key = f"input_gradient{index}" if own < 0 else f"weight_gradient{own}"
        wanted = expected[f"{name}/{key}"]
        if wanted.shape == ():  # Keras has none, or it is that of a scalar
            wanted = np.broadcast_to(wanted, gradient.shape)
        close(gradient, wanted, dtype, key)
    for index, weight in enumerate(layer.non_trainable_weights):
        close(weight.numpy(), expected[f"{name}/fixed{index}"], dtype, f"weight {weight.name}")


def check_shapes(name: str) -> None:
    """Compare what a layer says of its output's shape with the output, and remake the layer."""
    case = CASES[name]
    layer = make(name, "float64")
    _, outputs = call(layer, name, "float64")
    shapes = [(None, *shape[1:]) for shape in case.shapes]
    told = {"single": shapes, "list": [shapes], "arguments": shapes}[case.given]
    assert tuple(layer.compute_output_shape(*told)) == (None, *outputs[0].shape[1:])
    again = type(layer).from_config(layer.get_config())
    call(again, name, "float64")
    again.set_weights(layer.get_weights())
    if case.training:  # in training, calls change statistics
        return
    _, repeated = call(layer, name, "float64")
    _, remade = call(again, name, "float64")
    for one, other in zip(repeated, remade, strict=True):
        np.testing.assert_array_equal(one, other)
