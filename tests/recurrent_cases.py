"""Recurrent layers to compare with Keras: the same calls for both libraries.

`tests/reference/make_recurrent_reference.py` runs them in Keras; `tests/layers/recurrent` reads
its numbers. Inputs and weights are drawn from the case's name, so that only results need keeping.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

SAMPLES, STEPS, FEATURES, UNITS = 5, 4, 2, 3

# Full, padded on the right, padded on the left, empty, with holes.
MASK = np.array(
    [[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 0], [1, 0, 1, 0]],
    dtype=bool,
)


@dataclass
class Case:
    """One layer and what it is called on.

    Attributes
    ----------
    make
        Takes a module of layers and a function that multiplies matrices; returns the layer.
    shape
        Of the input.
    masked
        Whether the call is given `MASK`.
    states
        Shapes of the initial states, None for none.
    training
        Whether it is called in training.
    whole
        Whether inputs are whole numbers below 6, 0 for padding.
    padded
        Whether inputs are zero where `MASK` is False.
    """

    make: Callable[[Any, Any], Any]
    shape: tuple[int, ...] = (SAMPLES, STEPS, FEATURES)
    masked: bool = False
    states: list[int] | None = None
    training: bool = False
    whole: bool = False
    padded: bool = False


def numbers(name: str, what: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return normal numbers that depend on a case's name and on what they are for."""
    seed = zlib.crc32(f"{name}:{what}".encode())
    return np.random.default_rng(seed).normal(size=shape)


def inputs_of(name: str, case: Case) -> np.ndarray:
    """Return the input."""
    if not case.whole:
        values = numbers(name, "inputs", case.shape)
        return values * MASK[:, :, None] if case.padded else values
    seed = zlib.crc32(name.encode())
    words = np.random.default_rng(seed).integers(1, 6, size=case.shape)
    return np.where(MASK, words, 0)


def weights_of(name: str, layer: Any) -> list[np.ndarray]:
    """Return weights for a layer that is built; variances are positive."""
    found = [0.7 * numbers(name, f"weight{k}", tuple(w.shape)) for k, w in enumerate(layer.weights)]
    return [
        np.abs(value) + 0.5 if "variance" in weight.name else value
        for value, weight in zip(found, layer.weights)
    ]


def minimal_cell(layers: Any, matmul: Any, units: int) -> Any:
    """Return a cell as the documentation of Keras writes one."""

    class MinimalRNNCell(layers.Layer):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.state_size = units

        def build(self, input_shape):
            self.kernel = self.add_weight(
                shape=(input_shape[-1], self.units), initializer="uniform", name="kernel"
            )
            self.recurrent_kernel = self.add_weight(
                shape=(self.units, self.units), initializer="uniform", name="recurrent_kernel"
            )

        def call(self, inputs, states):
            h = matmul(inputs, self.kernel)
            output = h + matmul(states[0], self.recurrent_kernel)
            return output, [output]

    return MinimalRNNCell(units)


KINDS: dict[str, tuple[str, dict[str, Any], int]] = {
    "simple_rnn": ("SimpleRNN", {}, 1),
    "lstm": ("LSTM", {}, 2),
    "gru": ("GRU", {}, 1),
    "gru_before": ("GRU", {"reset_after": False}, 1),
}


def _make(kind: str, **options: Any) -> Callable[[Any, Any], Any]:
    name, own, _ = KINDS[kind]
    return lambda layers, _: getattr(layers, name)(UNITS, **own, **options)


def _plain() -> dict[str, Case]:
    """Every layer over masks, initial states, directions, and what it returns."""
    cases = {}
    for kind, masked, begun, back, every in itertools.product(KINDS, *[(False, True)] * 4):
        words = [kind, *(word for word, on in zip(_WORDS, (masked, begun, back, every)) if on)]
        states = [UNITS] * KINDS[kind][2] if begun else None
        make = _make(kind, return_state=True, go_backwards=back, return_sequences=every)
        cases["/".join(words)] = Case(make, masked=masked, states=states)
    return cases


_WORDS = ("masked", "begun", "back", "every")


def _options() -> dict[str, Case]:
    """Every layer over its other arguments."""
    cases = {}
    for kind in KINDS:
        gate = {} if kind == "simple_rnn" else {"recurrent_activation": "hard_sigmoid"}
        for label, options in {
            "no_bias": {"use_bias": False},
            "relu": {"activation": "relu"},
            "activations": {"activation": "softsign", **gate},
            "linear": {"activation": None},
            "unroll": {"unroll": True},
        }.items():
            every = _make(kind, return_sequences=True, return_state=True, **options)
            cases[f"{kind}/{label}"] = Case(every)
            cases[f"{kind}/{label}/masked"] = Case(every, masked=True)
        for every in (False, True):
            for back in (False, True):
                make = _make(
                    kind, return_sequences=every, go_backwards=back, zero_output_for_mask=True
                )
                cases[f"{kind}/zero/{every}/{back}"] = Case(make, masked=True)
    return cases


def _bidirectional() -> dict[str, Case]:
    """Merge modes over masks and what is returned; states; a backward layer that differs."""
    cases = {}
    modes = ("concat", "sum", "ave", "mul", None)
    for mode, masked, every in itertools.product(modes, (False, True), (False, True)):
        for kind, options in (("LSTM", {"return_state": True}), ("GRU", {}), ("SimpleRNN", {})):
            if kind != "LSTM" and mode not in ("concat", None):
                continue
            cases[f"bidirectional/{kind}/{mode}/{masked}/{every}"] = Case(
                lambda layers, _, kind=kind, mode=mode, every=every, options=options: (
                    layers.Bidirectional(
                        getattr(layers, kind)(UNITS, return_sequences=every, **options),
                        merge_mode=mode,
                    )
                ),
                masked=masked,
            )
    for masked in (False, True):
        cases[f"bidirectional/begun/{masked}"] = Case(
            lambda layers, _: layers.Bidirectional(
                layers.LSTM(UNITS, return_sequences=True, return_state=True)
            ),
            masked=masked,
            states=[UNITS] * 4,
        )
    cases["bidirectional/backward_layer"] = Case(
        lambda layers, _: layers.Bidirectional(
            layers.LSTM(UNITS, return_sequences=True),
            backward_layer=layers.LSTM(
                UNITS, activation="relu", return_sequences=True, go_backwards=True
            ),
        ),
        masked=True,
    )
    return cases


def _cells() -> dict[str, Case]:
    """RNN with cells: the library's, stacked ones, a user's."""
    cases = {}
    for masked in (False, True):
        for every in (False, True):
            options = {"return_sequences": every}
            end = f"{masked}/{every}"
            cases[f"cells/minimal/{end}"] = Case(
                lambda layers, matmul, options=options: layers.RNN(
                    minimal_cell(layers, matmul, UNITS), return_state=True, **options
                ),
                masked=masked,
            )
            cases[f"cells/stacked/{end}"] = Case(
                lambda layers, matmul, options=options: layers.RNN(
                    [layers.LSTMCell(UNITS), layers.GRUCell(2), layers.SimpleRNNCell(4)], **options
                ),
                masked=masked,
            )
            cases[f"cells/stacked_minimal/{end}"] = Case(
                lambda layers, matmul, options=options: layers.RNN(
                    [minimal_cell(layers, matmul, 2), minimal_cell(layers, matmul, UNITS)],
                    **options,
                ),
                masked=masked,
            )
    for name in ("LSTM", "GRU", "SimpleRNN"):
        cases[f"cells/{name}"] = Case(
            lambda layers, _, name=name: layers.RNN(
                getattr(layers, f"{name}Cell")(UNITS), return_sequences=True, go_backwards=True
            ),
            masked=True,
        )
    return cases


def _steps() -> dict[str, Case]:
    """TimeDistributed."""
    images = (SAMPLES, STEPS, 3, 3, 2)
    return {
        "steps/dense": Case(
            lambda layers, _: layers.TimeDistributed(layers.Dense(UNITS, "tanh")), masked=True
        ),
        "steps/conv": Case(
            lambda layers, _: layers.TimeDistributed(layers.Conv2D(UNITS, 2)), shape=images
        ),
        "steps/lstm": Case(
            lambda layers, _: layers.TimeDistributed(layers.LSTM(UNITS)),
            shape=(SAMPLES, 2, STEPS, FEATURES),
        ),
        "steps/normalized": Case(
            lambda layers, _: layers.TimeDistributed(layers.BatchNormalization()), training=True
        ),
    }


def _models() -> dict[str, Case]:
    """Networks as in listings: words to a class, stacks of layers, masks on the way."""
    return {
        "models/text": Case(
            lambda layers, _: _sequential(
                layers,
                layers.Embedding(6, 4, mask_zero=True),
                layers.LSTM(UNITS),
                layers.Dense(2, activation="softmax"),
            ),
            shape=(SAMPLES, STEPS),
            whole=True,
        ),
        "models/bidirectional_stack": Case(
            lambda layers, _: _sequential(
                layers,
                layers.Embedding(6, 4, mask_zero=True),
                layers.Bidirectional(layers.LSTM(UNITS, return_sequences=True)),
                layers.Bidirectional(layers.GRU(2)),
                layers.Dense(2),
            ),
            shape=(SAMPLES, STEPS),
            whole=True,
        ),
        "models/tagging": Case(
            lambda layers, _: _sequential(
                layers,
                layers.Embedding(6, 4),
                layers.SimpleRNN(UNITS, return_sequences=True),
                layers.TimeDistributed(layers.Dense(2)),
            ),
            shape=(SAMPLES, STEPS),
            whole=True,
        ),
        "models/masking": Case(
            lambda layers, _: _sequential(
                layers, layers.Masking(), layers.GRU(UNITS, return_sequences=True), layers.LSTM(2)
            ),
            padded=True,
        ),
    }


def _sequential(layers: Any, *parts: Any) -> Any:
    """Return layers one after the other as one layer, without a model."""

    class Chain(layers.Layer):
        def __init__(self, parts):
            super().__init__()
            self.parts = parts

        def build(self, input_shape):
            for part in self.parts:
                part.build(input_shape)
                input_shape = part.compute_output_shape(input_shape)

        def call(self, inputs):
            for part in self.parts:
                inputs = part(inputs)
            return inputs

    return Chain(list(parts))


CASES: dict[str, Case] = _plain() | _options() | _bidirectional() | _cells() | _steps() | _models()
