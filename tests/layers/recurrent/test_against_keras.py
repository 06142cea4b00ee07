"""Recurrent layers: the outputs and gradients of Keras 3."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from recurrent_cases import CASES, MASK, inputs_of, numbers, weights_of

import tapegrad as tg
from tapegrad._core.nest import flatten

TOLERANCE = {"float32": 2e-4, "float64": 2e-6}


@pytest.fixture(scope="module")
def reference() -> dict[str, dict[str, np.ndarray]]:
    """Return Keras's numbers by case; see tests/reference/make_recurrent_reference.py."""
    path = Path(__file__).parents[2] / "reference" / "recurrent_reference.npz"
    with np.load(path, allow_pickle=False) as file:
        shapes, values = json.loads(str(file["shapes"])), file["values"]
    found, start = {}, 0
    for name, parts in shapes.items():
        found[name] = {}
        for key, shape in parts.items():
            stop = start + int(np.prod(shape, dtype=int))
            found[name][key] = values[start:stop].reshape(shape)
            start = stop
    return found


def run(name: str, dtype: str) -> dict[str, np.ndarray]:
    """Return outputs and gradients of a case, as the script that made the reference does."""
    case = CASES[name]
    layer = case.make(tg.layers, tg.ops.matmul)
    x = inputs_of(name, case)
    x = tg.tensor(x if case.whole else x.astype(dtype))
    options = {"mask": MASK} if case.masked else {}
    states = []
    if case.states is not None:
        states = [
            tg.tensor(numbers(name, f"state{k}", (len(x), units)).astype(dtype))
            for k, units in enumerate(case.states)
        ]
        options["initial_state"] = states
    layer.build((None, *x.shape[1:]))
    layer.set_weights(weights_of(name, layer))
    sources = [*([] if case.whole else [x]), *states, *layer.trainable_weights]
    with tg.Tape() as tape:
        tape.watch(sources)
        outputs = flatten(layer(x, training=case.training, **options))
        total = sum(
            (output * numbers(name, f"slope{k}", output.shape).astype(dtype)).sum()
            for k, output in enumerate(outputs)
        )
    gradients = tape.gradient(total, sources, unconnected_gradients="zero")
    found = {f"output{k}": output for k, output in enumerate(outputs)}
    found |= {f"gradient{k}": gradient for k, gradient in enumerate(gradients)}
    if case.training:
        found |= {f"weight{k}": w for k, w in enumerate(layer.non_trainable_weights)}
    return {key: value.numpy() for key, value in found.items()}


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    """Make each dtype the default of layers for one test."""
    tg.set_floatx(request.param)
    yield request.param
    tg.set_floatx("float32")


@pytest.mark.parametrize("name", CASES)
def test_case(name, dtype, reference):
    found, expected = run(name, dtype), reference[name]
    assert list(found) == list(expected)
    for key, value in expected.items():
        assert found[key].dtype == dtype
        assert found[key].shape == value.shape, key
        limit = TOLERANCE[dtype] * max(1.0, np.abs(value).max())
        np.testing.assert_allclose(found[key], value, rtol=0, atol=limit, err_msg=key)
