"""Write what the recurrent layers of Keras 3 compute, for the tests of ours.

Run it with PyTorch as the backend of Keras::

    KERAS_BACKEND=torch python tests/reference/make_recurrent_reference.py

It writes `recurrent_reference.npz` beside itself: outputs, and the gradients of their weighted
sum by the inputs, the initial states and the weights.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from recurrent_cases import CASES, MASK, inputs_of, numbers, weights_of  # noqa: E402


def run(name: str) -> dict[str, np.ndarray]:
    """Return outputs and gradients of a case."""
    case = CASES[name]
    layer = case.make(keras.layers, keras.ops.matmul)
    x = torch.tensor(inputs_of(name, case), requires_grad=not case.whole)
    options = {"mask": torch.tensor(MASK)} if case.masked else {}
    states = []
    if case.states is not None:
        states = [
            torch.tensor(numbers(name, f"state{k}", (len(x), units)), requires_grad=True)
            for k, units in enumerate(case.states)
        ]
        options["initial_state"] = states
    layer.build(tuple(x.shape))
    layer.set_weights(weights_of(name, layer))
    outputs = keras.tree.flatten(layer(x, training=case.training, **options))
    total = sum(
        (output * torch.tensor(numbers(name, f"slope{k}", tuple(output.shape)))).sum()
        for k, output in enumerate(outputs)
    )
    sources = [*([] if case.whole else [x]), *states, *[w.value for w in layer.trainable_weights]]
    gradients = torch.autograd.grad(total, sources, allow_unused=True)
    found = {f"output{k}": output for k, output in enumerate(outputs)}
    found |= {
        f"gradient{k}": torch.zeros_like(source) if gradient is None else gradient
        for k, (source, gradient) in enumerate(zip(sources, gradients))
    }
    if case.training:
        found |= {f"weight{k}": w.value for k, w in enumerate(layer.non_trainable_weights)}
    return {key: value.detach().numpy().astype("float32") for key, value in found.items()}


def main() -> None:
    """Run all cases in float64; results are kept in float32, which is enough."""
    warnings.simplefilter("ignore")
    keras.config.set_floatx("float64")
    results = {name: run(name) for name in CASES}
    # One array for all: a file with an array for each would be mostly their headers.
    shapes = {
        name: {key: value.shape for key, value in found.items()} for name, found in results.items()
    }
    values = [value.ravel() for found in results.values() for value in found.values()]
    np.savez_compressed(
        HERE / "recurrent_reference.npz", shapes=json.dumps(shapes), values=np.concatenate(values)
    )
    print(f"{len(results)} cases, {len(values)} arrays")


if __name__ == "__main__":
    main()
