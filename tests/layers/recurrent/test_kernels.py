"""The kernels of recurrent layers against loops over their cells; dropout."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import layers

X = np.random.default_rng(0).normal(size=(5, 4, 2)).astype("float32")
MASK = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 0], [1, 0, 1, 0]], dtype=bool)
KINDS = {
    "SimpleRNN": ({}, 1),
    "LSTM": ({}, 2),
    "GRU": ({}, 1),
    "GRU before": ({"reset_after": False}, 1),
}


def gradients(layer, x, **options):
    """Return outputs and gradients of a layer, all in float64."""
    x = tg.tensor(x.astype("float64"))
    with tg.Tape() as tape:
        tape.watch(x)
        outputs = layer(x, **options)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        total = sum((output * np.cos(np.arange(output.size)).reshape(output.shape)).sum()
                    for output in outputs)  # fmt: skip
    return [v.numpy() for v in (*outputs, *tape.gradient(total, [x, *layer.trainable_weights]))]


def pair(kind, cell_options, layer_options):
    """Return a layer that runs a kernel and one that runs its cell step by step."""
    name, (own, _) = kind.split()[0], KINDS[kind]
    fused = getattr(layers, name)(3, dtype="float64", **own, **cell_options, **layer_options)
    cell = getattr(layers, f"{name}Cell")(3, dtype="float64", **own, **cell_options)
    looped = layers.RNN(cell, dtype="float64", **layer_options)
    for layer in (fused, looped):
        layer.build((None, 4, 2))
        rng = np.random.default_rng(1)
        layer.set_weights([rng.normal(size=weight.shape) for weight in layer.weights])
    assert fused._has_kernel()
    return fused, looped


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("zero", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_kernels_do_what_loops_do(kind, masked, every, back, zero):
    options = {"return_sequences": every, "go_backwards": back, "zero_output_for_mask": zero}
    fused, looped = pair(kind, {}, {**options, "return_state": True})
    states = [np.full((5, 3), 0.5 - k) for k in range(KINDS[kind][1])]
    call = {"mask": MASK} if masked else {}
    for given in ({}, {"initial_state": states}):
        found, expected = (
            gradients(fused, X, **call, **given),
            gradients(looped, X, **call, **given),
        )
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-12)


@pytest.mark.parametrize("rates", [(0.4, 0.0), (0.0, 0.4), (0.4, 0.4), (1.0, 0.0), (0.0, 1.0)])
@pytest.mark.parametrize("kind", KINDS)
def test_kernels_drop_what_loops_drop(kind, rates):
    cell = {"dropout": rates[0], "recurrent_dropout": rates[1], "seed": 3}
    fused, looped = pair(kind, cell, {"return_sequences": True})
    for _ in range(2):  # the second sequence has other masks than the first
        found = gradients(fused, X, training=True)
        expected = gradients(looped, X, training=True)
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-12)
    np.testing.assert_allclose(fused(X).numpy(), looped(X).numpy(), atol=1e-12)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_without_recurrent_dropout_all_gates_see_the_same_inputs(kind):
    one = pair(kind, {"dropout": 0.5, "seed": 0}, {})
    assert all(layer.cell.dropout_mask_count is None for layer in one)
    each = pair(kind, {"dropout": 0.5, "seed": 0, "implementation": 1}, {})
    assert [layer.cell.dropout_mask_count for layer in each] == [each[0].cell.gates] * 2
    for a, b in zip(*(gradients(layer, X, training=True) for layer in each), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


# ---- dropout -------------------------------------------------------------------------


def test_a_sequence_has_one_mask_for_all_steps():
    layer = layers.SimpleRNN(
        6,
        "relu",
        return_sequences=True,
        kernel_initializer="identity",
        recurrent_initializer="zeros",
        dropout=0.5,
        seed=0,
    )
    ones = np.ones((8, 5, 6), dtype="float32")
    first = layer(ones, training=True).numpy()
    assert set(np.unique(first)) == {0.0, 2.0}
    assert (first == first[:, :1]).all()
    assert (layer(ones, training=True).numpy() != first).any()
    np.testing.assert_array_equal(layer(ones).numpy(), ones)


def test_stacked_cells_have_masks_of_their_own():
    cells = [layers.SimpleRNNCell(3, dropout=0.5, seed=k) for k in range(2)]
    layer = layers.RNN(cells)
    first = layer(X, training=True).numpy()
    assert all(cell._dropout_mask is None for cell in cells)
    assert (layer(X, training=True).numpy() != first).any()


def test_masks_are_forgotten_after_a_failure():
    class Failing(layers.Layer):
        state_size = 3

        def call(self, inputs, states):
            raise ValueError("on purpose")

    layer = layers.RNN([layers.LSTMCell(3, dropout=0.5), Failing()])
    with pytest.raises(ValueError, match="on purpose"):
        layer(X, training=True)
    assert layer.cell.cells[0]._dropout_mask is None
