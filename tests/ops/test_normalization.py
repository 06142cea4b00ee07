"""Public normalizations: axes, masks, statistics, moving averages, second derivatives."""

from __future__ import annotations

from typing import Any

import normalization_reference as reference
import numpy as np
import pytest

import tapegrad as tg
from tapegrad import ops
from tapegrad._core.registry import primitives
from tapegrad.test_util import check_grads


def numbers(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(1.0, 2.0, shape)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_batch_norm_along_any_axis(axis: int):
    x = numbers((4, 3, 5))
    gamma, beta = numbers(x.shape[axis : axis + 1 or None], 1), numbers((x.shape[axis],), 2)
    moved = np.moveaxis(x, axis, -1)
    y, mean, variance = ops.batch_norm(tg.tensor(x), gamma, beta, axis=axis)
    expected = reference.batch_norm(moved, gamma, beta, epsilon=1e-3)
    np.testing.assert_allclose(y.numpy(), np.moveaxis(expected[0], -1, axis), rtol=1e-10)
    np.testing.assert_allclose(mean.numpy(), expected[1], rtol=1e-10)
    np.testing.assert_allclose(variance.numpy(), expected[2], rtol=1e-10)
    got = ops.batch_norm_inference(tg.tensor(x), gamma, beta, mean, variance, axis=axis)
    np.testing.assert_allclose(got.numpy(), y.numpy(), rtol=1e-10)


@pytest.mark.parametrize("axis", [-1, 1, (1, 2), (0, 2), [2, 1], (0, 1, 2)])
def test_row_normalizations_along_any_axes(axis: Any):
    x = numbers((4, 3, 5))
    axes = tuple(sorted(a % 3 for a in np.atleast_1d(axis)))
    kept = tuple(i for i in range(3) if i not in axes)
    order, ndim = kept + axes, len(axes)
    gamma = numbers(tuple(x.shape[a] for a in axes), 1)
    moved, back = x.transpose(order), np.argsort(order)
    tensor = tg.tensor(x)
    for got, expected in (
        (
            ops.layer_norm(tensor, gamma, gamma, axis),
            reference.layer_norm(moved, gamma, gamma, epsilon=1e-3, ndim=ndim),
        ),
        (
            ops.rms_norm(tensor, gamma, axis),
            reference.rms_norm(moved, gamma, epsilon=1e-6, ndim=ndim),
        ),
        (ops.unit_norm(tensor, axis), reference.unit_norm(moved, epsilon=1e-12, ndim=ndim)),
    ):
        np.testing.assert_allclose(got.numpy(), expected.transpose(back), rtol=1e-9)
    check_grads(lambda x, g: ops.layer_norm(x, g, axis=axis).sum(axis=0), order=2)(x, gamma)


def test_group_norm_along_another_axis():
    x = numbers((2, 6, 3))
    got = ops.group_norm(tg.tensor(x), groups=3, axis=1)
    expected = reference.group_norm(x.transpose(0, 2, 1), groups=3, epsilon=1e-3)[0]
    np.testing.assert_allclose(got.numpy(), expected.transpose(0, 2, 1), rtol=1e-9)
    check_grads(lambda x: ops.group_norm(x, groups=3, axis=1) ** 2, order=2)(x)


def test_each_result_of_batch_norm_alone_has_a_gradient():
    x = numbers((5, 3))
    for i in range(3):
        check_grads(lambda x, i=i: ops.batch_norm(x)[i] ** 2, order=2)(x)


def test_masked_positions_do_not_count_for_the_statistics():
    x = numbers((4, 3, 2))
    mask = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [1, 1, 1]], bool)
    spoiled = x.copy()
    spoiled[~mask] = np.nan
    _, mean, variance = ops.batch_norm(tg.tensor(spoiled), mask=mask)
    np.testing.assert_allclose(mean.numpy(), x[mask].mean(0))
    np.testing.assert_allclose(variance.numpy(), x[mask].var(0))
    y, mean, variance = ops.batch_norm(tg.tensor(x), mask=mask)
    expected = (x - mean.numpy()) / np.sqrt(variance.numpy() + 1e-3)
    np.testing.assert_allclose(y.numpy(), expected)
    check_grads(lambda x: ops.batch_norm(x, mask=mask)[0] ** 2, order=2)(x)
    _, mean, variance = ops.batch_norm(tg.tensor(x), mask=np.zeros((4, 3), bool))
    assert mean.numpy().tolist() == variance.numpy().tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match=r"mask has shape \(4,\), expected \(4, 3\)"):
        ops.batch_norm(tg.tensor(x), mask=np.ones(4, bool))


def test_a_tensor_that_is_two_arguments():
    x = numbers((4, 3))
    check_grads(lambda x: ops.layer_norm(x * 1.0, x[0], x[0]) ** 2, order=2)(x)

    layer_norm_grad = primitives["layer_norm_grad"]
    check_grads(lambda x: layer_norm_grad(x, x, x[0], epsilon=0.1, ndim=1)[0], order=2)(x)
    unit_norm_grad = primitives["unit_norm_grad"]
    check_grads(lambda x: unit_norm_grad(x, x, epsilon=0.1, ndim=1) + x, order=2)(x)


def test_third_derivative():
    x = numbers((3,))

    def second(x: Any) -> Any:
        return tg.grad(lambda x: (tg.grad(lambda x: (ops.rms_norm(x) ** 3).sum())(x) ** 2).sum())(x)

    check_grads(second, order=1)(x)


def test_float32_stays_float32():
    x = tg.tensor(numbers((6, 4)), dtype="float32")
    gamma = tg.tensor(np.ones(4), dtype="float32")
    with tg.Tape() as tape:
        tape.watch([x, gamma])
        y, mean, variance = ops.batch_norm(x, gamma)
        total = (ops.layer_norm(y, gamma) ** 2).sum() + mean.sum() + variance.sum()
    assert total.dtype == np.float32
    assert [g.dtype for g in tape.gradient(total, [x, gamma])] == [np.float32, np.float32]


def test_gradients_of_nothing():
    x = tg.tensor(np.empty((0, 4)))
    gamma = tg.tensor(np.ones(4))
    with tg.Tape() as tape:
        tape.watch([x, gamma])
        y, mean, variance = ops.batch_norm(x, gamma)
        z = ops.unit_norm(ops.rms_norm(ops.layer_norm(y, gamma), gamma))
        total = ops.group_norm(z, gamma, groups=2).sum() + mean.sum() + variance.sum()
    by_x, by_gamma = tape.gradient(total, [x, gamma])
    assert by_x.shape == (0, 4)
    np.testing.assert_array_equal(by_gamma.numpy(), np.zeros(4))


def test_gradient_of_the_mean_of_an_infinite_number():
    x = tg.tensor([[1.0], [np.inf]])
    with tg.Tape() as tape:
        tape.watch(x)
        mean = ops.batch_norm(x)[1]
    np.testing.assert_array_equal(tape.gradient(mean, x).numpy(), [[0.5], [0.5]])


def test_unit_norm_of_zeros():
    gradient = tg.grad(lambda x: ops.unit_norm(x, epsilon=0.5).sum())(np.zeros(3))
    np.testing.assert_array_equal(gradient, [2.0, 2.0, 2.0])


def test_moving_averages_keep_what_a_tape_needs():
    average = tg.Variable([1.0, 2.0], trainable=False)
    x = tg.tensor([1.0, 1.0], dtype="float32")
    with tg.Tape() as tape:
        tape.watch(x)
        y = x * average
        ops.moving_average_update(average, tg.tensor([3.0, 2.0]), 0.75)
    np.testing.assert_array_equal(average.numpy(), [1.5, 2.0])
    np.testing.assert_array_equal(tape.gradient(y, x).numpy(), [1.0, 2.0])


def test_errors_name_the_operation():
    x = tg.tensor(numbers((4, 3)))
    with pytest.raises(ValueError, match="layer_norm: axis 2 does not exist"):
        ops.layer_norm(x, axis=2)
    with pytest.raises(ValueError, match="layer_norm: x is 0-d"):
        ops.layer_norm(tg.tensor(1.0), axis=())
    with pytest.raises(ValueError, match="batch_norm: gamma has shape"):
        ops.batch_norm(x, np.ones(4))
    with pytest.raises(ValueError, match="3 channels cannot be split into 2 groups"):
        ops.group_norm(x, groups=2)
