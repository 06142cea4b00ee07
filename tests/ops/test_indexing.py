"""Indexing of every kind, with shapes and indices that hypothesis draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tapegrad as tg
from tapegrad import ops


@st.composite
def array_and_index(draw: Any) -> tuple[Any, Any]:
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4))
    index = draw(
        st.one_of(
            hnp.basic_indices(shape, allow_newaxis=True),
            hnp.integer_array_indices(shape),
            hnp.arrays(np.bool_, shape),
        )
    )
    return shape, index


@settings(max_examples=150, deadline=None)
@given(array_and_index())
def test_value_and_gradient_of_any_index(drawn: Any):
    shape, index = drawn
    array = np.arange(1.0, 1.0 + np.prod(shape)).reshape(shape)
    x = tg.tensor(array)
    with tg.Tape() as tape:
        tape.watch(x)
        picked = x[index]
        weighted = picked * picked
    np.testing.assert_array_equal(picked.numpy(), array[index])
    expected = np.zeros(shape)
    np.add.at(expected, index, 2 * array[index])
    np.testing.assert_array_equal(
        tape.gradient(weighted, x, unconnected_gradients="zero").numpy(), expected
    )


@settings(max_examples=100, deadline=None)
@given(
    hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3),
    st.sampled_from([ops.add, ops.multiply, ops.subtract, ops.maximum]),
)
def test_broadcasting_gradients_of_any_shapes(drawn: Any, operation: Any):
    generator = np.random.default_rng(0)
    arrays = [generator.standard_normal(shape) for shape in drawn.input_shapes]
    x, y = map(tg.tensor, arrays)
    with tg.Tape() as tape:
        tape.watch([x, y])
        z = operation(x, y)
    assert z.shape == drawn.result_shape
    gradients = tape.gradient(z, [x, y], unconnected_gradients="zero")
    assert [g.shape for g in gradients] == list(drawn.input_shapes)
    if operation is ops.add:
        for gradient, array in zip(gradients, arrays, strict=True):
            if array.size:
                np.testing.assert_allclose(gradient.numpy(), z.size / array.size)


@settings(max_examples=80, deadline=None)
@given(
    hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4),
    st.data(),
    st.booleans(),
)
def test_sums_over_any_axes(shape: tuple[int, ...], data: Any, keepdims: bool):
    axes = data.draw(st.sets(st.integers(-len(shape), len(shape) - 1)).map(tuple))
    axes = tuple({a % len(shape): a for a in axes}.values())
    array = np.random.default_rng(0).standard_normal(shape)
    x = tg.tensor(array)
    with tg.Tape() as tape:
        tape.watch(x)
        total = ops.sum(x, axis=axes, keepdims=keepdims)
    np.testing.assert_allclose(
        total.numpy(), array.sum(axis=axes, keepdims=keepdims), rtol=1e-12, atol=1e-12
    )
    np.testing.assert_array_equal(tape.gradient(total, x).numpy(), np.ones(shape))


def test_duplicates_accumulate():
    x = tg.tensor([1.0, 2.0, 3.0])
    gradient = tg.grad(lambda x: x[[0, 0]].sum())(x)
    np.testing.assert_array_equal(gradient.numpy(), [2.0, 0.0, 0.0])


def test_tensors_as_indices():
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert x[tg.tensor([1, 0]), tg.tensor(1)].tolist() == [4.0, 2.0]
    assert x[x > 2].tolist() == [3.0, 4.0]
    assert x[tg.tensor(0)].tolist() == [1.0, 2.0]
    assert x[[]].shape == (0, 2)


@pytest.mark.parametrize("index", [2, (0, 5), [7], 1.5, "a", np.array([0.5]), (0, 0, 0)])
def test_wrong_indices(index: Any):
    with pytest.raises(IndexError):
        tg.tensor([[1.0, 2.0], [3.0, 4.0]])[index]
