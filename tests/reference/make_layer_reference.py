"""Write the numbers of Keras 3 for the layers of `layer_cases.py`, and for small functions.

Run it with PyTorch as the backend of Keras::

    KERAS_BACKEND=torch python tests/reference/make_layer_reference.py

It writes `layer_reference.npz` beside itself: outputs, masks, gradients by every input and trained
weight, and the weights that are not trained, after the calls. Everything is computed in float64 and
kept in float32, which is exact to 6e-8 of the largest value: one array of all values, and an index
in JSON of their names, shapes and dtypes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import keras
import numpy as np
import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import layer_cases  # noqa: E402

RESULTS: dict[str, np.ndarray] = {}
SHAPES: dict[str, list[list[int]]] = {}


def keep(name: str, value) -> None:
    """Note a result under a name."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    RESULTS[name] = np.asarray(value)


def drawn(name: str, array: np.ndarray) -> np.ndarray:
    """Note an input, and return it as it will be read: with the digits of float32."""
    keep(name, array)
    return array.astype("float32").astype("float64")


def run(name: str, case: layer_cases.Case) -> None:
    """Run a case, and keep what comes of it."""
    options = dict(case.options)
    if case.inner is not None:
        inner, inner_options = case.inner
        options["layer"] = getattr(keras.layers, inner)(**inner_options, dtype="float64")
    layer = getattr(keras.layers, case.layer)(**options, dtype="float64")
    values = layer_cases.inputs_of(name, case)
    masks = layer_cases.masks_of(name, case)

    def call():
        inputs = [torch.tensor(value, requires_grad=True) for value in values]
        for tensor, mask in zip(inputs, masks):
            if mask is not None:
                tensor._keras_mask = torch.tensor(mask)
        further = layer_cases.call_arguments(name, case)
        if case.training is not None:
            further["training"] = case.training
        given = {"single": inputs, "list": [inputs], "arguments": inputs}[case.given]
        return inputs, layer(*given, **further)

    call()
    for index, weight in enumerate(layer.weights):
        new = layer_cases.weight_values(name, index, tuple(weight.shape), weight.trainable)
        weight.assign(new.astype(weight.dtype))
    for _ in range(case.calls):
        inputs, outputs = call()
    outputs = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
    loss = 0.0
    for index, output in enumerate(outputs):
        keep(f"{name}/output{index}", output)
        mask = getattr(output, "_keras_mask", None)
        if mask is not None and index == 0:  # weights of attention carry leftovers of their making
            keep(f"{name}/mask{index}", mask)
        loss = loss + (output * torch.tensor(layer_cases.output_gradient(output.shape))).sum()
    trained = [weight.value for weight in layer.trainable_weights]
    gradients = torch.autograd.grad(loss, [*inputs, *trained], allow_unused=True)
    for index, gradient in enumerate(gradients[: len(inputs)]):
        keep(f"{name}/input_gradient{index}", torch.zeros(()) if gradient is None else gradient)
    for index, gradient in enumerate(gradients[len(inputs) :]):
        keep(f"{name}/weight_gradient{index}", torch.zeros(()) if gradient is None else gradient)
    for index, weight in enumerate(layer.non_trainable_weights):
        keep(f"{name}/fixed{index}", weight.numpy())
    SHAPES[name] = [list(weight.shape) for weight in layer.weights]


PLAIN_ACTIVATIONS = """
    celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu
    linear log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus
    softsign sparse_plus sparse_sigmoid sparsemax squareplus swish tanh tanh_shrink
"""
VARIANTS = {
    "threshold": ("threshold", {"threshold": 0.3, "default_value": -1.5}),
    "celu/alpha": ("celu", {"alpha": 0.5}),
    "elu/alpha": ("elu", {"alpha": 0.5}),
    "gelu/approximate": ("gelu", {"approximate": True}),
    "glu/axis": ("glu", {"axis": 0}),
    "hard_shrink/threshold": ("hard_shrink", {"threshold": 1.0}),
    "leaky_relu/slope": ("leaky_relu", {"negative_slope": 0.4}),
    "log_softmax/axis": ("log_softmax", {"axis": 0}),
    "relu/all": ("relu", {"negative_slope": 0.2, "max_value": 1.5, "threshold": 0.4}),
    "soft_shrink/threshold": ("soft_shrink", {"threshold": 1.0}),
    "softmax/axis": ("softmax", {"axis": 0}),
    "sparsemax/axis": ("sparsemax", {"axis": 0}),
    "squareplus/b": ("squareplus", {"b": 0.5}),
}


def functions() -> None:
    """Activations with slopes, constraints, regularizers, and an initializer without chance."""
    rng = np.random.default_rng(7)
    x = np.concatenate([3 * rng.normal(size=(5, 8)), 0.3 * rng.normal(size=(1, 8))])
    x = drawn("activations/x", x)
    cases = {name: (name, {}) for name in PLAIN_ACTIVATIONS.split()} | VARIANTS
    for key, (name, options) in cases.items():
        tensor = torch.tensor(x, requires_grad=True)
        function = getattr(keras.activations, name)
        y = function(tensor, **options)
        loss = (y * torch.tensor(layer_cases.output_gradient(y.shape))).sum()
        keep(f"activations/{key}", y)
        keep(f"activations/{key}/gradient", torch.autograd.grad(loss, tensor)[0])
    w = drawn("functions/w", rng.normal(size=(4, 3)))
    for key, constraint in {
        "max_norm": keras.constraints.MaxNorm(1.0),
        "max_norm/axis": keras.constraints.MaxNorm(1.0, axis=1),
        "min_max_norm": keras.constraints.MinMaxNorm(0.9, 1.1, 0.7),
        "min_max_norm/axis": keras.constraints.MinMaxNorm(0.9, 1.1, axis=[0, 1]),
        "non_neg": keras.constraints.NonNeg(),
        "unit_norm": keras.constraints.UnitNorm(),
        "unit_norm/axis": keras.constraints.UnitNorm(axis=1),
    }.items():
        keep(f"constraints/{key}", constraint(w))
    for key, regularizer in {
        "l1": keras.regularizers.L1(0.3),
        "l2": keras.regularizers.L2(0.2),
        "l1_l2": keras.regularizers.L1L2(0.3, 0.2),
        "orthogonal/rows": keras.regularizers.OrthogonalRegularizer(0.4),
        "orthogonal/columns": keras.regularizers.OrthogonalRegularizer(0.4, "columns"),
    }.items():
        tensor = torch.tensor(w, requires_grad=True)
        value = regularizer(tensor)
        keep(f"regularizers/{key}", value)
        keep(f"regularizers/{key}/gradient", torch.autograd.grad(value, tensor)[0])
    for side in ("real", "imag"):
        for scaling in ("density", "spectrum", None):
            initializer = keras.initializers.STFT(side, "hann", scaling)
            keep(f"stft/{side}/{scaling}", initializer((8, 1, 5), dtype="float64"))


def preprocessing() -> None:
    """Statistics that layers find, and categories."""
    rng = np.random.default_rng(8)
    data = drawn("adapt/data", rng.normal(2.0, 3.0, size=(50, 4, 3)))
    for key, axis in {"last": -1, "two": (1, 2), "all": None}.items():
        layer = keras.layers.Normalization(axis=axis, dtype="float64")
        layer.adapt(data)
        keep(f"adapt/{key}/mean", layer.mean)
        keep(f"adapt/{key}/variance", layer.variance)
        keep(f"adapt/{key}/output", layer(data[:3]))
    for bins in (2, 5):
        layer = keras.layers.Discretization(num_bins=bins)
        # What adapt() does, which itself asks for TensorFlow.
        for key, batches in {"": [data], "/batches": [data[:20], data[20:]]}.items():
            layer.reset_state()
            for batch in batches:
                layer.update_state(batch)
            layer.finalize_state()
            keep(f"adapt/bins{bins}{key}", np.asarray(layer.bin_boundaries))
    tokens = rng.integers(0, 5, size=(3, 4))
    keep("tokens", tokens)
    for mode in ("one_hot", "multi_hot", "count"):
        for key, values in {"": tokens, "/vector": tokens[0], "/column": tokens[:, :1]}.items():
            layer = keras.layers.CategoryEncoding(num_tokens=5, output_mode=mode)
            keep(f"categories/{mode}{key}", layer(values))
            layer = keras.layers.Discretization(bin_boundaries=[1.0, 2.5, 3.0], output_mode=mode)
            keep(f"intervals/{mode}{key}", layer(values.astype("float32")))
    layer = keras.layers.CategoryEncoding(num_tokens=5, output_mode="count")
    keep("categories/weights", layer(tokens, count_weights=np.arange(12.0).reshape(3, 4)))
    layer = keras.layers.Discretization(bin_boundaries=[1.0, 2.5, 3.0])
    keep("intervals/int", layer(tokens.astype("float32")))


def attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    is_causal: bool = False,
    scale: float = 1.0,
) -> torch.Tensor:
    """Attention with masks as Keras has them on JAX and TensorFlow.

    Hidden scores are replaced by a number, so that they get no gradient. On PyTorch the number is
    added, and the gradients of queries that may attend to nothing depend on the kernel: a fused one
    loses their number of keys.
    """
    scores = query @ key.mT * scale
    if is_causal:
        attn_mask = torch.triu(torch.full_like(scores, -torch.inf), diagonal=1)
    if attn_mask is not None:
        scores = torch.where(attn_mask < 0, attn_mask, scores)
    return torch.softmax(scores, dim=-1) @ value


if __name__ == "__main__":
    torch.nn.functional.scaled_dot_product_attention = attention
    for case_name, one in layer_cases.CASES.items():
        run(case_name, one)
    functions()
    preprocessing()
    index = [[name, array.shape, array.dtype.name] for name, array in RESULTS.items()]
    values = [array.astype("float32").ravel() for array in RESULTS.values()]
    text = json.dumps({"index": index, "weights": SHAPES})
    np.savez_compressed(
        HERE / "layer_reference.npz",
        index=np.frombuffer(text.encode(), dtype="uint8"),
        values=np.concatenate(values),
    )
