"""What layers that change shapes take, refuse and keep."""

from __future__ import annotations

import numpy as np
import pytest

from tapegrad import layers
from tapegrad.test_util import check_grads

X = np.arange(24.0).reshape(2, 3, 4)


def test_flatten():
    assert layers.Flatten().compute_output_shape((None, 3, 4)) == (None, 12)
    assert layers.Flatten().compute_output_shape((None, None, 4)) == (None, None)
    assert layers.Flatten().compute_output_shape((None,)) == (None, 1)
    assert layers.Flatten()(X[:0]).shape == (0, 12)
    with pytest.raises(ValueError, match=r'data_format of Flatten.*Did you mean "channels_last"'):
        layers.Flatten("channel_last")


def test_reshape():
    assert layers.Reshape((2, -1)).compute_output_shape((None, 3, 4)) == (None, 2, 6)
    assert layers.Reshape((2, -1)).compute_output_shape((None, None, 4)) == (None, 2, None)
    assert layers.Reshape([12]).compute_output_shape((5, None, 4)) == (5, 12)
    assert layers.Reshape((-1, 3))(X[:0]).shape == (0, 4, 3)
    assert layers.Reshape(())(np.ones((3, 1))).shape == (3,)
    np.testing.assert_array_equal(layers.Reshape((4, 3))(X).numpy(), X.reshape(2, 4, 3))
    for wrong in ((5,), (-1, 5), (2, 7), (-1, 0)):
        layer = layers.Reshape(wrong, name="mine")
        with pytest.raises(ValueError, match=r"mine .*\(2, 3, 4\).*12 elements fit"):
            layer(X)
        with pytest.raises(ValueError, match="12 elements fit"):
            layer.compute_output_shape((None, 3, 4))
    for wrong in ((-1, -1), (-2,), (2.0,), "12", (None, 3), 1.5):
        with pytest.raises(ValueError, match="Reshape: target_shape must be"):
            layers.Reshape(wrong)


def test_permute():
    assert layers.Permute((3, 1, 2)).compute_output_shape((None, 3, None, 5)) == (None, 5, 3, None)
    for wrong in ((0, 1), (1, 1), (2, 3), (1.0, 2.0), 2, "12"):
        with pytest.raises(ValueError, match="Permute: dims must hold"):
            layers.Permute(wrong)
    with pytest.raises(ValueError, match=r"mine .*expected 4 axes"):
        layers.Permute((3, 1, 2), name="mine")(X)


def test_repeat_vector():
    assert layers.RepeatVector(3).compute_output_shape((None, None)) == (None, 3, None)
    assert layers.RepeatVector(3)(np.zeros((0, 4))).shape == (0, 3, 4)
    with pytest.raises(ValueError, match=r"mine .*two axes"):
        layers.RepeatVector(3, name="mine")(X)
    for wrong in (1.5, "3", True, None):
        with pytest.raises(TypeError, match="RepeatVector: n must be a whole number"):
            layers.RepeatVector(wrong)
    with pytest.raises(ValueError, match="RepeatVector: n must be positive"):
        layers.RepeatVector(0)


def test_upsampling():
    for wrong in (1.5, (2, 2), "2", True):
        with pytest.raises(TypeError, match="UpSampling1D: size must be a whole number"):
            layers.UpSampling1D(wrong)
    with pytest.raises(ValueError, match="UpSampling1D: size"):
        layers.UpSampling1D(0)
    for wrong in (0, (2, 2, 2, 2), (1, -1), 1.5):
        with pytest.raises(ValueError, match="UpSampling2D: size must be"):
            layers.UpSampling2D(wrong)
        with pytest.raises(ValueError, match="UpSampling3D: size must be"):
            layers.UpSampling3D(wrong)
    with pytest.raises(ValueError, match=r'interpolation .*"bilinar".*Did you mean "bilinear"'):
        layers.UpSampling2D(interpolation="bilinar")
    assert layers.UpSampling2D(interpolation="BILINEAR").interpolation == "bilinear"
    with pytest.raises(ValueError, match=r"mine .*expected 4 axes"):
        layers.UpSampling2D(name="mine")(X)


# Computed by Keras 3 with JAX: PyTorch has another cubic and no Lanczos kernels.
ENLARGED = {
    "bicubic": "-0.0882353 0.1240876 0.5725191 1.7265625 3.5546875 "
    "3.78125 2.40625 2.0839695 2.7664234 3.0882353",
    "lanczos3": "-0.0162429 0.0124896 0.3958979 1.9207928 3.6931302 "
    "3.803904 2.4763306 1.9758151 2.6793179 3.2069215",
    "lanczos5": "0.1072778 -0.0794702 0.2795895 2.0544785 3.8017416 "
    "3.7298728 2.4417143 1.958093 2.6101237 3.3389113",
}


@pytest.mark.parametrize("kernel", ENLARGED)
def test_interpolation_by_wide_kernels(kernel):
    row = np.array([0.0, 1.0, 4.0, 2.0, 3.0])
    expected = np.array(ENLARGED[kernel].split(), dtype=float)
    for shape, size in (((1, 1, 5, 1), (1, 2)), ((1, 5, 1, 1), (2, 1))):
        layer = layers.UpSampling2D(size, interpolation=kernel, dtype="float64")
        y = layer(row.reshape(shape)).numpy()
        assert y.shape == layer.compute_output_shape(shape)
        np.testing.assert_allclose(y.ravel(), expected, atol=1e-7)
    layer = layers.UpSampling2D((2, 3), "channels_first", kernel)
    assert layer(np.ones((2, 3, 4, 5))).dtype == "float32"
    np.testing.assert_allclose(layer(np.ones((2, 3, 4, 5))).numpy(), 1.0, rtol=1e-5)
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 2))
    layer = layers.UpSampling2D((2, 3), interpolation=kernel, dtype="float64")
    check_grads(lambda x: layer(x), order=2)(x)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("kind", ["ZeroPadding", "Cropping"])
def test_borders(kind, rank):
    layer = getattr(layers, f"{kind}{rank}D")
    argument = "padding" if kind == "ZeroPadding" else "cropping"
    wrong = [-1, 1.5, "1", None, (1,), (1, 2, 3, 4), ((1, 2), (3, -4), (0, 0))[-rank:], True]
    wrong[6] = (1, -4) if rank == 1 else ((1, 2), (3, -4), (0, 0))[:rank]
    for value in wrong:
        with pytest.raises(ValueError, match=f"{kind}{rank}D: {argument} must be"):
            layer(value)
    with pytest.raises(ValueError, match=rf"mine .*expected {rank + 2} axes"):
        layer(name="mine")(np.zeros((2, *(5,) * (rank + 1), 2)))
    made = layer(1)
    assert made.compute_output_shape((None, *(None,) * rank, 3)) == (None, *(None,) * rank, 3)
    # A number, and the pairs that it stands for.
    x = np.ones((2, *(5,) * rank, 3))
    pairs = (1, 1) if rank == 1 else ((1, 1),) * rank
    np.testing.assert_array_equal(layer(pairs)(x).numpy(), made(x).numpy())


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_cropping_everything(rank):
    layer = getattr(layers, f"Cropping{rank}D")(2, name="mine")
    with pytest.raises(ValueError, match=r"mine .*more than the 2 \+ 2 elements"):
        layer(np.zeros((2, *(4,) * rank, 3)))
    with pytest.raises(ValueError, match="more than the 2"):
        layer.compute_output_shape((None, *(4,) * rank, 3))


@pytest.mark.parametrize(
    "layer",
    [
        layers.Flatten(data_format="channels_first"),
        layers.Reshape((-1, 2)),
        layers.Permute((2, 1)),
        layers.RepeatVector(3),
        layers.UpSampling1D(3),
        layers.UpSampling2D((1, 2), interpolation="bilinear"),
        layers.UpSampling3D((1, 2, 3), data_format="channels_first"),
        layers.ZeroPadding1D((1, 0)),
        layers.ZeroPadding2D(((1, 0), (2, 3))),
        layers.ZeroPadding3D((0, 1, 2)),
        layers.Cropping1D((0, 1)),
        layers.Cropping2D(((1, 0), (2, 0))),
        layers.Cropping3D((0, 1, 0)),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_description_makes_an_equal_layer(layer):
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    rank = getattr(layer, "rank", 0 if isinstance(layer, layers.RepeatVector) else 1)
    x = np.random.default_rng(0).normal(size=(2, *(4,) * rank, 4))
    np.testing.assert_array_equal(again(x).numpy(), layer(x).numpy())
    assert again(x).shape == layer.compute_output_shape(x.shape)


def test_whole_numbers_stay():
    x = np.arange(24).reshape(2, 3, 4)
    for layer in (layers.Flatten(), layers.Reshape((12,)), layers.Permute((2, 1))):
        assert layer(x).dtype.kind == "i"
