"""Shape operations against NumPy, forward and differentiated."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import ops
from tapegrad.test_util import check_grads

CASES = {
    "reshape": (lambda m, x: m.reshape(x, (3, 8)), (2, 3, 4)),
    "ravel": (lambda m, x: m.ravel(x), (2, 3)),
    "transpose": (lambda m, x: m.transpose(x), (2, 3, 4)),
    "transpose negative": (lambda m, x: m.transpose(x, (-1, 0, 1)), (2, 3, 4)),
    "swapaxes": (lambda m, x: m.swapaxes(x, 0, -1), (2, 3, 4)),
    "moveaxis": (lambda m, x: m.moveaxis(x, 0, -1), (2, 3, 4)),
    "moveaxis several": (lambda m, x: m.moveaxis(x, (0, 2), (-1, 0)), (2, 3, 4)),
    "expand_dims": (lambda m, x: m.expand_dims(x, -2), (2, 3)),
    "expand_dims several": (lambda m, x: m.expand_dims(x, (0, 3)), (2, 3)),
    "squeeze": (lambda m, x: m.squeeze(x), (1, 3, 1)),
    "squeeze one": (lambda m, x: m.squeeze(x, -1), (1, 3, 1)),
    "broadcast_to": (lambda m, x: m.broadcast_to(x, (4, 2, 3)), (2, 1)),
    "concatenate flat": (lambda m, x: m.concatenate([x, x * 2], axis=None), (2, 3)),
    "stack": (lambda m, x: m.stack([x, x * x], axis=1), (2, 3)),
    "vstack": (lambda m, x: m.vstack([x[0], x]), (2, 3)),
    "hstack": (lambda m, x: m.hstack([x, x]), (2, 3)),
    "split": (lambda m, x: m.split(x, 3, axis=1)[1], (2, 6)),
    "split at": (lambda m, x: m.split(x, [1, 4], axis=-1)[2], (2, 6)),
    "array_split": (lambda m, x: m.array_split(x, 4)[0], (6,)),
    "pad": (lambda m, x: m.pad(x, ((1, 2), (0, 1))), (2, 3)),
    "pad scalar": (lambda m, x: m.pad(x, 1, constant_values=3.0), (2, 3)),
    "pad edge": (lambda m, x: m.pad(x, 2, mode="edge"), (2, 3)),
    "pad reflect": (lambda m, x: m.pad(x, ((0, 0), (2, 1)), mode="reflect"), (2, 4)),
    "pad symmetric": (lambda m, x: m.pad(x, 1, mode="symmetric"), (2, 4)),
    "pad wrap": (lambda m, x: m.pad(x, 1, mode="wrap"), (2, 4)),
    "flip": (lambda m, x: m.flip(x), (2, 3)),
    "flip one": (lambda m, x: m.flip(x, -1), (2, 3)),
    "roll": (lambda m, x: m.roll(x, 2), (2, 3)),
    "roll axes": (lambda m, x: m.roll(x, (1, -1), (0, 1)), (2, 3)),
    "repeat": (lambda m, x: m.repeat(x, 2, axis=1), (2, 3)),
    "repeat each": (lambda m, x: m.repeat(x, [1, 0, 2], axis=1), (2, 3)),
    "repeat flat": (lambda m, x: m.repeat(x, 2), (2, 3)),
    "tile": (lambda m, x: m.tile(x, (2, 1, 3)), (2, 3)),
    "tile short": (lambda m, x: m.tile(x, 2), (2, 3)),
    "atleast_2d": (lambda m, x: m.atleast_2d(x), (3,)),
    "diff": (lambda m, x: m.diff(x, n=2), (2, 5)),
    "cumsum flat": (lambda m, x: m.cumsum(x), (2, 3)),
    "diagonal": (lambda m, x: m.diagonal(x, 1), (3, 4)),
    "diagonal 3-D": (lambda m, x: m.diagonal(x, -1), (3, 3, 2)),
    "diag of a matrix": (lambda m, x: m.diag(x, -1), (3, 3)),
    "diag of a vector": (lambda m, x: m.diag(x, 1), (3,)),
    "trace": (lambda m, x: m.trace(x, 1), (3, 4)),
    "tril": (lambda m, x: m.tril(x, -1), (3, 4)),
    "triu": (lambda m, x: m.triu(x, 1), (2, 3, 4)),
    "take": (lambda m, x: m.take(x, [[0, 2], [1, 1]], axis=1), (2, 3)),
    "take flat": (lambda m, x: m.take(x, [0, 5, 5]), (2, 3)),
    "take_along_axis": (
        lambda m, x: m.take_along_axis(x, np.array([[0], [2]]), axis=1),
        (2, 3),
    ),
    "dot": (lambda m, x: m.dot(x, x.T), (2, 3)),
    "dot 3-D": (lambda m, x: m.dot(x, m.reshape(x, (2, 4, 3))), (2, 3, 4)),
    "inner": (lambda m, x: m.inner(x, x), (2, 3)),
    "outer": (lambda m, x: m.outer(x, x[0]), (2, 3)),
    "vdot": (lambda m, x: m.vdot(x, x), (2, 3)),
    "tensordot": (lambda m, x: m.tensordot(x, x, axes=([0, 2], [0, 2])), (2, 3, 4)),
    "matmul vector left": (lambda m, x: m.matmul(x[0, :, 0], x), (2, 3, 4)),
    "matmul vector right": (lambda m, x: m.matmul(x, x[0, 0]), (2, 3, 4)),
    "matmul vectors": (lambda m, x: m.matmul(x, x), (3,)),
    "var": (lambda m, x: m.var(x, axis=1, ddof=1), (2, 4)),
    "std": (lambda m, x: m.std(x, axis=0, keepdims=True), (3, 2)),
    "max of ties broken": (lambda m, x: m.max(x, axis=(0, 1)), (2, 3)),
    "count_nonzero": (lambda m, x: m.count_nonzero(x > 0), (2, 3)),
}


@pytest.mark.parametrize("name", CASES)
def test_agrees_with_numpy(name: str):
    function, shape = CASES[name]
    x = np.random.default_rng(0).standard_normal(shape)
    expected = np.asarray(function(np, x))
    result = function(ops, tg.tensor(x))
    assert result.shape == expected.shape
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-12)
    assert function(ops, tg.tensor(x.astype(np.float32))).dtype in (np.float32, np.int64)


@pytest.mark.parametrize("name", [name for name in CASES if name != "count_nonzero"])
def test_derivatives(name: str):
    function, shape = CASES[name]
    check_grads(lambda x: function(ops, x), order=2)(
        np.random.default_rng(1).standard_normal(shape)
    )


def test_norm_at_zero_has_gradient_zero():
    x = np.array([0.0, 0.0])
    np.testing.assert_array_equal(tg.grad(ops.norm)(x), [0.0, 0.0])
    check_grads(ops.norm)(np.array([3.0, 4.0]))


def test_astype_and_filling():
    x = tg.tensor([1.5, 2.5])
    assert ops.astype(x, "int32").tolist() == [1, 2]
    gradient = tg.grad(lambda x: (ops.astype(x, "float32") * 2.0).sum())(x)
    assert gradient.dtype == np.float64
    np.testing.assert_array_equal(gradient.numpy(), [2.0, 2.0])
    assert ops.full_like(x, 7).tolist() == [7.0, 7.0]
    assert ops.zeros_like(x, dtype="int8").dtype == np.int8


@pytest.mark.parametrize(
    "call",
    [
        lambda x: ops.transpose(x, (0, 0)),
        lambda x: ops.swapaxes(x, 0, 5),
        lambda x: ops.expand_dims(x, 9),
        lambda x: ops.squeeze(x, 0),
        lambda x: ops.reshape(x, (5,)),
        lambda x: ops.split(x, 4, axis=1),
        lambda x: ops.stack([x, x[0]]),
        lambda x: ops.stack([]),
        lambda x: ops.concatenate([]),
        lambda x: ops.pad(x, -1),
        lambda x: ops.pad(x, 1, mode="magic"),
        lambda x: ops.sum(x, axis=7),
        lambda x: ops.matmul(x, x),
        lambda x: ops.matmul(x, tg.tensor(1.0)),
        lambda x: ops.dense(x, x),
        lambda x: ops.dense(x, x.T, activation="swish"),
        lambda x: ops.tensordot(x, x, axes=1),
        lambda x: ops.diag(x[None]),
        lambda x: ops.broadcast_to(x, (3, 2)),
    ],
)
def test_what_does_not_fit_is_a_value_error(call):
    with pytest.raises(ValueError, match=":"):
        call(tg.tensor(np.ones((2, 3))))


@pytest.mark.parametrize("activation", [None, "relu", "tanh", "sigmoid"])
def test_dense_of_mixed_dtypes_promotes_as_numpy(activation):
    x, w = np.ones((2, 3), np.float32), np.full((3, 2), 0.1)
    mixed = ops.dense(tg.tensor(x), tg.tensor(w), [1.0, -2.0], activation=activation)
    alike = ops.dense(tg.tensor(x.astype(np.float64)), tg.tensor(w), [1.0, -2.0], activation)
    assert mixed.dtype == np.float64
    np.testing.assert_allclose(mixed.numpy(), alike.numpy(), rtol=1e-6)
    assert ops.dense([[1, 2]], [[3], [4]]).tolist() == [[11]]
