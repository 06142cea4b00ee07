"""Models with several inputs and outputs to train here and in Keras: the same calls for both.

`tests/reference/make_training_reference.py` trains them with Keras; `tests/training` reads its
numbers. Data and weights are drawn from seeds, so that only results need keeping.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

SAMPLES, BATCH, STEPS = 24, 6, 20
CE = "sparse_categorical_crossentropy"

RNG = np.random.default_rng(7)
X = {"a": RNG.normal(size=(SAMPLES, 5)), "b": RNG.normal(size=(SAMPLES, 4))}
PRICE = X["a"] @ RNG.normal(size=(5, 1)) + 0.3
KIND = RNG.integers(0, 3, (SAMPLES, 1))
WEIGHTS = RNG.uniform(0.2, 2.0, (2, SAMPLES))
SEQUENCES = RNG.normal(size=(SAMPLES, 6, 3))
for row, length in enumerate(RNG.integers(1, 7, SAMPLES)):
    SEQUENCES[row, length:] = 0.0
SEQUENCE_TARGETS = RNG.normal(size=(SAMPLES, 6, 1))
SEQUENCE_WEIGHTS = RNG.uniform(0.2, 2.0, (SAMPLES, 6))


def body(lib: Any, dtype: str) -> tuple[Any, Any, Any]:
    """Return the layers that the models of two outputs share."""
    layers = lib.layers
    return (
        layers.Dense(6, activation="tanh", kernel_regularizer="l2", dtype=dtype, name="hidden"),
        layers.Dense(1, dtype=dtype, name="price"),
        layers.Dense(3, activation="softmax", dtype=dtype, name="kind"),
    )


def subclassed(structure: str) -> Callable[[Any, str], Any]:
    """Return what makes a subclassed model that takes a dict and returns a list or a dict."""

    def make(lib: Any, dtype: str) -> Any:
        class Network(lib.Model):
            def __init__(self) -> None:
                super().__init__(dtype=dtype)
                self.hidden, self.price, self.kind = body(lib, dtype)
                self.join = lib.layers.Concatenate(dtype=dtype)

            def call(self, inputs: Any) -> Any:
                hidden = self.hidden(self.join([inputs["a"], inputs["b"]]))
                price, kind = self.price(hidden), self.kind(hidden)
                if structure == "dict":
                    return {"z_price": price, "kind": kind}
                return [price, kind]

        return Network()

    return make


def functional(structure: str) -> Callable[[Any, str], Any]:
    """Return what makes a functional model with two inputs and two outputs."""

    def make(lib: Any, dtype: str) -> Any:
        hidden, price, kind = body(lib, dtype)
        a = lib.Input((5,), name="a", dtype=dtype)
        b = lib.Input((4,), name="b", dtype=dtype)
        h = hidden(lib.layers.Concatenate(dtype=dtype)([a, b]))
        outputs: Any = [price(h), kind(h)]
        if structure == "dict":
            outputs = {"z_price": outputs[0], "kind": outputs[1]}
        return lib.Model([a, b], outputs)

    return make


def masked(lib: Any, dtype: str) -> Any:
    """Return a model whose output carries a mask to the loss."""
    layers = lib.layers
    return lib.Sequential(
        [
            lib.Input((6, 3), dtype=dtype),
            layers.Masking(dtype=dtype),
            layers.Dense(4, activation="tanh", dtype=dtype),
            layers.Dense(1, dtype=dtype),
        ]
    )


@dataclass
class Case:
    """A model and how it is compiled and trained.

    Attributes
    ----------
    make
        Makes the model, given the library and a dtype.
    x, y
        Data in the structures that the model takes.
    compile
        What `compile` is given, besides the optimizer.
    sample_weight
        Weights in the structure of `y`, or one array, or None.
    """

    make: Callable[[Any, str], Any]
    x: Any
    y: Any
    compile: dict[str, Any] = field(default_factory=dict)
    sample_weight: Any = None


LISTS = {"x": [X["a"], X["b"]], "y": [PRICE, KIND]}
DICTS = {"x": X, "y": {"z_price": PRICE, "kind": KIND}}

CASES = {
    "lists": Case(
        functional("list"),
        **LISTS,
        compile={"loss": ["mse", CE], "metrics": [["mae"], ["accuracy"]]},
    ),
    "names": Case(
        functional("list"),
        X,
        [PRICE, KIND],
        {
            "loss": {"price": "mse", "kind": "crossentropy"},
            "loss_weights": {"price": 0.5, "kind": 2.0},
            "metrics": {"kind": ["acc", CE], "price": "mae"},
            "weighted_metrics": {"kind": ["acc"]},
        },
        [WEIGHTS[0], WEIGHTS[1]],
    ),
    "targets by name": Case(
        functional("list"),
        X,
        {"price": PRICE, "kind": KIND},
        {"loss": {"price": "mae", "kind": CE}},
    ),
    "one loss": Case(
        functional("list"),
        **{**LISTS, "y": [PRICE, np.eye(3)[KIND[:, 0]]]},
        compile={"loss": "mse", "metrics": ["mae", "mse"]},
        sample_weight=WEIGHTS[0],
    ),
    "functional dict": Case(
        functional("dict"),
        **DICTS,
        compile={
            "loss": {"z_price": "mse", "kind": CE},
            "loss_weights": {"z_price": 0.7, "kind": 1.5},
            "metrics": {"kind": "accuracy"},
        },
    ),
    "dict": Case(
        subclassed("dict"),
        **DICTS,
        compile={
            "loss": {"z_price": "mae", "kind": CE},
            "loss_weights": {"z_price": 2.0, "kind": 1.0},
            "metrics": {"z_price": ["mse"], "kind": ["accuracy"]},
            "weighted_metrics": {"z_price": ["mse"], "kind": ["accuracy"]},
        },
        sample_weight={"z_price": WEIGHTS[0], "kind": WEIGHTS[1]},
    ),
    "dict, one loss": Case(
        subclassed("dict"), **DICTS, compile={"loss": {"kind": CE}, "metrics": {"kind": ["acc"]}}
    ),
    "list without names": Case(
        subclassed("list"),
        X,
        [PRICE, KIND],
        {"loss": ["mse", CE], "loss_weights": [1.0, 0.3], "metrics": [["mae"], ["accuracy"]]},
    ),
    "masked": Case(
        masked, SEQUENCES, SEQUENCE_TARGETS, {"loss": "mse", "weighted_metrics": ["mae"]}
    ),
    "masked, weighted": Case(
        masked, SEQUENCES, SEQUENCE_TARGETS, {"loss": "mse"}, SEQUENCE_WEIGHTS
    ),
}


def cast(data: Any, dtype: str) -> Any:
    """Return data with floating arrays of a dtype."""
    if isinstance(data, dict):
        return {key: cast(part, dtype) for key, part in data.items()}
    if isinstance(data, list):
        return [cast(part, dtype) for part in data]
    return data.astype(dtype) if data is not None and data.dtype.kind == "f" else data


def rows(data: Any, where: slice) -> Any:
    """Return some rows of each array."""
    if isinstance(data, dict):
        return {key: rows(part, where) for key, part in data.items()}
    if isinstance(data, list):
        return [rows(part, where) for part in data]
    return None if data is None else data[where]


def prepared(lib: Any, name: str, dtype: str) -> tuple[Any, Any, Any, Any]:
    """Return a model with its first weights, compiled, and its data.

    Parameters
    ----------
    lib
        keras or tapegrad.
    name
        The case.
    dtype
        "float32" or "float64".
    """
    case = CASES[name]
    x, y, weight = (cast(part, dtype) for part in (case.x, case.y, case.sample_weight))
    model = case.make(lib, dtype)
    model(rows(x, slice(0, 2)))
    generator = np.random.default_rng(11)
    for layer in weighted_layers(model):
        layer.set_weights([0.5 * generator.normal(size=w.shape) for w in layer.weights])
    model.compile(lib.optimizers.Adam(0.02), **case.compile)
    return model, x, y, weight


def weighted_layers(model: Any) -> list[Any]:
    """Return the layers that have weights, in an order that both libraries have."""
    layers = [layer for layer in model.layers if layer.weights]
    return sorted(layers, key=lambda layer: layer.name)


def train(lib: Any, name: str, dtype: str) -> dict[str, Any]:
    """Return what training gives: logs of steps, history of epochs, evaluation, predictions."""
    model, x, y, weight = prepared(lib, name, dtype)
    found: dict[str, Any] = {}
    for step in range(STEPS):
        at = (step * BATCH) % SAMPLES
        where = slice(at, at + BATCH)
        logs = model.train_on_batch(
            rows(x, where), rows(y, where), rows(weight, where), return_dict=True
        )
        for key, value in logs.items():
            found.setdefault(f"step/{key}", []).append(float(value))
    arrays = [array for layer in weighted_layers(model) for array in layer.get_weights()]
    for place, array in enumerate(arrays):
        found[f"weights/{place}"] = array
    model, x, y, weight = prepared(lib, name, dtype)
    history = model.fit(
        x,
        y,
        batch_size=7,
        epochs=2,
        shuffle=False,
        sample_weight=weight,
        validation_data=(rows(x, slice(0, 9)), rows(y, slice(0, 9))),
        verbose=0,
    )
    for key, values in history.history.items():
        found[f"history/{key}"] = [float(value) for value in values]
    found["evaluation"] = np.array(
        model.evaluate(x, y, batch_size=10, sample_weight=weight, verbose=0)
    )
    predictions = model.predict(x, batch_size=10, verbose=0)
    if isinstance(predictions, dict):
        predictions = [predictions[key] for key in sorted(predictions)]
    if not isinstance(predictions, list):
        predictions = [predictions]
    for place, array in enumerate(predictions):
        found[f"predictions/{place}"] = array
    return {key: np.asarray(value, dtype=dtype) for key, value in found.items()}
