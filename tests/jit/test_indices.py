"""Indices that are tensors: a program reads them anew in each run, and refuses wrong ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from jitted import assert_same_bits

import tapegrad as tg
from tapegrad import ops

RNG = np.random.default_rng(4)
ROWS = np.array([3, 0, -1, 3, 2])
COLUMNS = np.array([[0, 2, 1], [-3, 1, 1]])

FORMS: dict[str, Any] = {
    "rows": lambda x, i, j: x[i],
    "matrix": lambda x, i, j: x[j],
    "middle": lambda x, i, j: x[:, j],
    "last": lambda x, i, j: x[:, 1:3, j],
    "slices": lambda x, i, j: x[::-1, j, 1:],
    "number": lambda x, i, j: x[i[0]],
    "with range": lambda x, i, j: x[np.arange(5) % 4, i % 3],
    "pairs": lambda x, i, j: x[i, i % 3],
    "triples": lambda x, i, j: x[i[:2][:, None], j[:2, :2], i[1:3] % 3],
    "take": lambda x, i, j: ops.take(x, i, axis=0),
    "take middle": lambda x, i, j: ops.take(x, j, axis=1),
    "take flat": lambda x, i, j: ops.take(x, i),
    "gather": lambda x, i, j: ops.gather(x, i % 4),
    "along": lambda x, i, j: ops.take_along_axis(x, ops.broadcast_to(j[:1, None], (4, 1, 3)), 1),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("form", FORMS)
def test_indices_vary(form: str, dtype: str):
    def function(x: Any, i: Any, j: Any) -> Any:
        with tg.Tape() as tape:
            tape.watch(x)
            y = FORMS[form](x, i, j)
        weights = np.cos(np.arange(y.size)).reshape(y.shape).astype(dtype)
        return y, tape.gradient(y, x, output_gradients=tg.tensor(weights))

    calls = [(RNG.normal(size=(4, 3, 3)).astype(dtype), ROWS, COLUMNS) for _ in range(2)]
    assert_same_bits(function, *calls, (calls[0][0], ROWS[::-1], COLUMNS[:, ::-1]))


@pytest.mark.parametrize("wrong", [4, -5, 2**40])
@pytest.mark.parametrize("form", ["rows", "pairs", "take", "gather"])
def test_an_index_out_of_range_is_refused_in_a_run(form: str, wrong: int):
    jitted = tg.jit(lambda x, i: FORMS[form](x, i, i))
    x = tg.tensor(RNG.normal(size=(4, 3, 3)))
    i = np.array([0, 1, 2, 0, 0])
    expected = jitted(x, i).numpy()
    assert jitted.program(x, i).plan.is_native
    wrong_ones = np.where(np.arange(5) == 2, wrong, i)
    if form != "gather":
        with pytest.raises(IndexError):
            jitted(x, wrong_ones)
    np.testing.assert_array_equal(jitted(x, i).numpy(), expected)


def test_every_axis_of_an_index_is_looked_at():
    jitted = tg.jit(lambda x, i, j: x[i, j])
    x, i = tg.tensor(np.arange(12.0).reshape(3, 4)), np.array([0, 1])
    jitted(x, i, np.array([3, 0]))
    with pytest.raises(IndexError):
        jitted(x, i, np.array([4, 0]))  # as a position this would be that of [1, 0]


def test_masks_of_truth_values_run_eagerly():
    jitted = tg.jit(lambda x: x[x > 0.0])
    with pytest.warns(RuntimeWarning, match="Python read the value"):
        assert jitted(tg.tensor([1.0, -1.0])).tolist() == [1.0]
    assert jitted(tg.tensor([1.0, 2.0])).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize(
    "labels", [np.array([0.0, 2.0, 1.0], "float32"), np.array([0, 2, 1]), np.array([0, 2, 1], "u1")]
)
def test_labels_of_any_type_and_wrong_ones(labels: Any, from_logits: bool):
    loss = tg.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
    count = tg.Variable(0.0)

    def step(y: Any, p: Any) -> Any:
        count.assign_add(1.0)
        value = loss(y, p * 1.0)
        count.assign_add(1.0)
        return value

    jitted = tg.jit(step)
    p = RNG.random((3, 3)).astype("float32")
    jitted(labels, p)
    jitted(labels, p)
    assert jitted(labels[::-1].copy(), p).numpy() == loss(labels[::-1], p).numpy()
    before = float(count)
    for wrong in (3, 250):
        with pytest.raises((IndexError, ValueError)):
            jitted(np.array([0, wrong, 1], labels.dtype), p)
    assert float(count) == before + 2  # what came before the error has happened, as in Python
    if labels.dtype.kind == "f":
        with pytest.raises((IndexError, ValueError)):
            jitted(labels + labels.dtype.type(0.25), p)
        with pytest.raises((IndexError, ValueError)):
            jitted(labels * np.float32("nan"), p)
