"""Tensors: making them, leaving them, promotion, NumPy's protocols."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg


def test_dtypes_are_numpys():
    assert tg.tensor([1.0]).dtype == np.float64
    assert tg.tensor([1]).dtype == np.int64
    assert tg.tensor([True]).dtype == np.bool_
    assert tg.tensor(np.ones(2, np.float32)).dtype == np.float32
    assert tg.tensor([1, 2], dtype="float32").dtype == np.float32


@pytest.mark.parametrize("data", [["a"], [None], [[1], [1, 2]], [object()], "text"])
def test_only_numbers(data):
    with pytest.raises(TypeError, match="tensor"):
        tg.tensor(data)


def test_a_tensor_does_not_follow_its_source_and_cannot_be_written():
    source = np.ones(3)
    t = tg.tensor(source)
    source[0] = 9.0
    assert t.tolist() == [1.0, 1.0, 1.0]
    with pytest.raises(ValueError, match="read-only"):
        t.numpy()[0] = 2.0
    with pytest.raises(TypeError):
        t[0] = 2.0  # type: ignore[index]
    view = tg.ops.reshape(source, (3, 1))
    source[1] = 7.0
    assert view.tolist() == [[9.0], [1.0], [1.0]]


def test_python_numbers_are_weak_and_arrays_are_not():
    x = tg.tensor(np.ones(2, np.float32))
    for result in (x + 1, 1.5 * x, x / 3, x**2, x - 0.1):
        assert result.dtype == np.float32
    assert (x * np.float64(2)).dtype == np.float64
    assert (x + np.ones(2)).dtype == np.float64
    assert (tg.tensor([1, 2]) / 2).dtype == np.float64
    assert (tg.tensor([1, 2]) + 1).dtype == np.int64


def test_ufuncs_and_functions_of_numpy():
    x = tg.tensor([[1.0, 4.0], [9.0, 16.0]])
    assert isinstance(np.sqrt(x), tg.Tensor)
    np.testing.assert_array_equal(np.sqrt(x).numpy(), [[1, 2], [3, 4]])
    assert isinstance(np.ones(2) * x, tg.Tensor)
    np.testing.assert_array_equal(np.add.reduce(x).numpy(), [10, 20])
    np.testing.assert_array_equal(np.concatenate([x, np.ones((1, 2))]).numpy()[-1], [1, 1])
    np.testing.assert_array_equal(np.stack([x, x]).shape, (2, 2, 2))
    assert float(np.sum(x)) == 30.0
    assert np.mean(x, axis=0).tolist() == [5.0, 10.0]
    assert np.where(x > 4, x, 0).tolist() == [[0, 0], [9, 16]]
    assert np.transpose(x).tolist() == [[1, 9], [4, 16]]
    assert np.shape(x) == (2, 2)
    assert np.zeros_like(x).tolist() == [[0, 0], [0, 0]]
    assert np.allclose(x, x)
    assert np.matmul(x, [1.0, 1.0]).tolist() == [5.0, 25.0]
    gradient = tg.grad(lambda v: np.sum(np.exp(v) * np.ones(2)))(tg.tensor([0.0, 1.0]))
    np.testing.assert_allclose(gradient.numpy(), np.exp([0.0, 1.0]))


def test_functions_without_a_derivative_are_refused_by_name():
    x = tg.tensor([1.0])
    with pytest.raises(TypeError, match=r"numpy\.spacing"):
        np.spacing(x)
    with pytest.raises(TypeError, match=r"numpy\.add\.accumulate"):
        np.add.accumulate(x)
    with pytest.raises(TypeError, match=r"numpy\.sinc"):
        np.sinc(x)
    with pytest.raises(TypeError, match="out="):
        np.add(x, x, out=np.zeros(1))


def test_errors_name_the_operation_and_the_shapes():
    with pytest.raises(ValueError, match=r"add:.*\(2,\).*\(3,\)"):
        tg.tensor([1.0, 2.0]) + tg.tensor([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"matmul.*\(2, 3\).*\(2, 3\)"):
        tg.tensor(np.ones((2, 3))) @ tg.tensor(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"reshape.*\(4,\)"):
        tg.tensor([1.0, 2.0, 3.0, 4.0]).reshape(3)
    with pytest.raises(ValueError, match=r"concatenate"):
        np.concatenate([tg.tensor([[1.0]]), tg.tensor([[1.0, 2.0]])])
    with pytest.raises(TypeError, match="multiply: argument 1"):
        tg.tensor([1.0]) * np.array(["a"])
    with pytest.raises(IndexError, match="getitem"):
        tg.tensor([1.0])[3]


def test_leaving_to_python():
    assert float(tg.tensor(2.5)) == 2.5
    assert int(tg.tensor([3])) == 3
    assert bool(tg.tensor([True]))
    assert [10, 20, 30][tg.tensor(1)] == 20
    assert tg.tensor([[1, 2]]).tolist() == [[1, 2]]
    assert f"{tg.tensor(0.5):.2f}" == "0.50"
    assert [float(row) for row in tg.tensor([1.0, 2.0])] == [1.0, 2.0]
    assert 2.0 in tg.tensor([1.0, 2.0])
    with pytest.raises(ValueError, match="one element"):
        float(tg.tensor([1.0, 2.0]))
    with pytest.raises(ValueError, match="ambiguous"):
        bool(tg.tensor([1.0, 2.0]))
    with pytest.raises(TypeError, match="index"):
        [1, 2][tg.tensor(1.0)]
    with pytest.raises(TypeError, match="0-d"):
        len(tg.tensor(1.0))
    with pytest.raises(TypeError, match="0-d"):
        iter(tg.tensor(1.0))


def test_methods_and_properties():
    x = tg.tensor(np.arange(6.0).reshape(2, 3))
    assert (x.shape, x.ndim, x.size, x.device) == ((2, 3), 2, 6, "cpu")
    assert x.T.shape == (3, 2)
    assert x.mT.shape == (3, 2)
    assert x.reshape(3, 2).shape == x.reshape((3, 2)).shape == (3, 2)
    assert x.transpose(1, 0).shape == (3, 2)
    assert x.sum(axis=0).tolist() == [3, 5, 7]
    assert float(x.mean()) == 2.5
    assert x.max(axis=1).tolist() == [2, 5]
    assert x.min(axis=1, keepdims=True).tolist() == [[0], [3]]
    assert float(x.prod()) == 0.0
    np.testing.assert_allclose(x.var(axis=1).numpy(), np.var(x.numpy(), axis=1))
    np.testing.assert_allclose(x.std(ddof=1).numpy(), np.std(x.numpy(), ddof=1))
    assert x.argmax(axis=1).tolist() == [2, 2]
    assert int(x.argmin()) == 0
    assert x.cumsum(axis=1).tolist() == [[0, 1, 3], [3, 7, 12]]
    assert x.clip(1, 4).tolist() == [[1, 1, 2], [3, 4, 4]]
    assert x.flatten().shape == x.ravel().shape == (6,)
    assert x[None].squeeze().shape == (2, 3)
    assert x.astype("int32").dtype == np.int32
    assert x.swapaxes(0, 1).shape == (3, 2)
    assert x.repeat(2, axis=0).shape == (4, 3)
    assert x.take([0], axis=1).shape == (2, 1)
    assert x.dot(x.T).shape == (2, 2)
    assert (x > 2).any()
    assert not (x > 2).all()
    assert x.to("cpu") is x
    assert "float64" in repr(x)
    assert np.asarray(x, dtype=np.float32).dtype == np.float32


def test_comparison_is_elementwise_and_hashing_by_identity():
    x, y = tg.tensor([1.0, 2.0]), tg.tensor([1.0, 3.0])
    assert (x == y).tolist() == [True, False]
    assert (x != y).tolist() == [False, True]
    assert {x: 1}[x] == 1
    assert hash(x) != hash(y)
