"""Every layer, its gradients and its statistics, recorded and in the ordinary way."""

from __future__ import annotations

from typing import Any

import layer_cases
import layer_reference
import numpy as np
import pytest
import recurrent_cases
import spatial_reference
from jitted import assert_same_steps

import tapegrad as tg
from tapegrad import layers
from tapegrad._core.nest import flatten
from tapegrad.layers.masking_state import get_mask, set_mask

STEPS = 4


def _pulled(tape: tg.Tape, outputs: list[Any], sources: list[Any]) -> list[Any]:
    """Gradients, for a weight that tells elements apart."""
    weights = [layer_cases.output_gradient(y.shape).astype(y.dtype) for y in outputs]
    return tape.gradient(outputs, sources, output_gradients=weights, unconnected_gradients="zero")


def _shaken(arrays: list[Any]) -> list[tuple[Any, ...]]:
    """The arguments of some steps: other numbers of the same kind each time."""
    return [
        tuple(
            [
                np.roll(a, step) if a.dtype.kind != "b" else a[::-1] if step % 2 else a
                for a in arrays
            ]
        )
        for step in range(STEPS)
    ]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", layer_cases.CASES)
def test_layer(name: str, dtype: str):
    case = layer_cases.CASES[name]
    inputs = [x.astype(dtype) for x in layer_cases.inputs_of(name, case)]
    masks = layer_cases.masks_of(name, case)
    given_masks = [mask for mask in masks if mask is not None]
    further = layer_cases.call_arguments(name, case)
    if case.training is not None:
        further["training"] = case.training

    def make() -> Any:
        layer = layer_reference.make(name, dtype)
        layer_reference.call(layer, name, dtype)
        layer_reference.set_weights(layer, name)

        def step(*arrays: Any) -> Any:
            xs, found = list(arrays[: len(inputs)]), iter(arrays[len(inputs) :])
            for x, mask in zip(xs, masks, strict=True):
                if mask is not None:
                    set_mask(x, next(found))
            given: Any = {"single": xs, "list": [xs], "arguments": xs}[case.given]
            with tg.Tape() as tape:
                tape.watch(xs)
                outputs = layer(*given, **further)
            outputs = flatten(outputs)
            gradients = _pulled(tape, outputs, [*xs, *layer.trainable_weights])
            return outputs, gradients, [get_mask(y) for y in outputs]

        return step, layer.get_weights

    assert_same_steps(make, _shaken([*inputs, *given_masks]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", spatial_reference.CASES, ids=str)
def test_spatial_layer(case: Any, dtype: str):
    def make() -> Any:
        layer = case.make(dtype)

        def step(x: Any) -> Any:
            with tg.Tape() as tape:
                tape.watch(x)
                y = layer(x)
            return y, _pulled(tape, [y], [x, *layer.trainable_weights])

        return step, layer.get_weights

    assert_same_steps(make, _shaken([case.x.astype(dtype)])[:3])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", recurrent_cases.CASES)
def test_recurrent_layer(name: str, dtype: str):
    case = recurrent_cases.CASES[name]
    x = recurrent_cases.inputs_of(name, case)
    arrays = [x if case.whole else x.astype(dtype)]
    for number, units in enumerate(case.states or ()):
        state = recurrent_cases.numbers(name, f"state{number}", (len(x), units))
        arrays.append(state.astype(dtype))
    if case.masked:
        arrays.append(recurrent_cases.MASK)

    def make() -> Any:
        layer = case.make(layers, tg.ops.matmul)
        layer.build((None, *x.shape[1:]))
        layer.set_weights(recurrent_cases.weights_of(name, layer))

        def step(x: Any, *others: Any) -> Any:
            options: dict[str, Any] = {"mask": others[-1]} if case.masked else {}
            states = list(others[: len(case.states or ())])
            if case.states is not None:
                options["initial_state"] = states
            sources = [*([] if case.whole else [x]), *states, *layer.trainable_weights]
            with tg.Tape() as tape:
                tape.watch(sources)
                outputs = flatten(layer(x, training=case.training, **options))
            return outputs, _pulled(tape, outputs, sources)

        return step, layer.get_weights

    tg.set_floatx(dtype)
    try:
        assert_same_steps(make, _shaken(arrays)[:3])
    finally:
        tg.set_floatx("float32")
