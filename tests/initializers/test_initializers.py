"""Distributions, shapes and names of initializers."""

from __future__ import annotations

import layer_reference
import numpy as np
import pytest

import tapegrad as tg
from tapegrad import initializers

# Keras's names and classes.
NAMES = {
    "Constant": "constant",
    "GlorotNormal": "glorot_normal",
    "GlorotUniform": "glorot_uniform",
    "HeNormal": "he_normal",
    "HeUniform": "he_uniform",
    "Identity": "identity",
    "LecunNormal": "lecun_normal",
    "LecunUniform": "lecun_uniform",
    "Ones": "ones",
    "Orthogonal": "orthogonal",
    "RandomNormal": "random_normal",
    "RandomUniform": "random_uniform",
    "STFT": "stft",
    "TruncatedNormal": "truncated_normal",
    "VarianceScaling": "variance_scaling",
    "Zeros": "zeros",
}
ALIASES = {
    "IdentityInitializer": "Identity",
    "OrthogonalInitializer": "Orthogonal",
    "STFTInitializer": "STFT",
    "normal": "RandomNormal",
    "one": "Ones",
    "uniform": "RandomUniform",
    "zero": "Zeros",
}


@pytest.mark.parametrize(
    ("class_name", "name"), [*NAMES.items(), *((v, k) for k, v in ALIASES.items())]
)
def test_names(class_name: str, name: str):
    assert type(initializers.get(name)).__name__ == class_name
    assert type(initializers.get(class_name)).__name__ == class_name
    if name in NAMES.values():
        assert getattr(initializers, name) is getattr(initializers, class_name)


def test_what_is_no_initializer():
    assert initializers.get(None) is None
    with pytest.raises(ValueError, match=r'"glorot_unifrom".*Did you mean "glorot_uniform"'):
        initializers.get("glorot_unifrom")
    with pytest.raises(TypeError, match="not list"):
        initializers.get([1.0])


@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "fan_avg"])
@pytest.mark.parametrize("distribution", ["uniform", "truncated_normal", "untruncated_normal"])
@pytest.mark.parametrize("shape", [(40, 250), (3, 3, 20, 50)])
def test_variance_scaling(mode: str, distribution: str, shape: tuple[int, ...]):
    values = initializers.VarianceScaling(2.0, mode, distribution, seed=3)(shape).numpy()
    fans = initializers.scaling.compute_fans(shape)
    fan = {"fan_in": fans[0], "fan_out": fans[1], "fan_avg": sum(fans) / 2}[mode]
    assert values.std() == pytest.approx(np.sqrt(2.0 / fan), rel=0.04)
    assert abs(values.mean()) < 4 * values.std() / np.sqrt(values.size)
    limit = {"uniform": np.sqrt(3), "truncated_normal": 2 / 0.8796, "untruncated_normal": 9}
    assert np.abs(values).max() <= limit[distribution] * np.sqrt(2.0 / fan)


@pytest.mark.parametrize("name", ["GlorotUniform", "HeNormal", "LecunUniform"])
def test_axes_that_lead_in_and_out(name: str):
    cls = getattr(initializers, name)
    wide = cls(seed=1, input_axes=[0], output_axes=[1, 2])((50, 10, 20)).numpy()
    flat = cls(seed=1)((50, 200)).numpy()
    np.testing.assert_allclose(wide.reshape(50, 200), flat, rtol=1e-6)
    again = cls.from_config(cls(1, [0], [1, 2]).get_config())((50, 10, 20))
    np.testing.assert_array_equal(again, wide)


@pytest.mark.parametrize("side", ["real", "imag"])
@pytest.mark.parametrize("scaling", ["density", "spectrum", None])
def test_stft(side: str, scaling: str | None):
    expected = layer_reference.reference()[0][f"stft/{side}/{scaling}"]
    initializer = initializers.STFT(side, "hann", scaling)
    layer_reference.close(initializer((8, 1, 5), dtype="float64"), expected, "float64")
    window = np.hanning(8)
    same = initializers.STFT(side, window, scaling)((8, 2, 5), dtype="float64").numpy()
    np.testing.assert_allclose(same[:, 1:], expected, atol=1e-6)


def test_stft_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="shape \\(frame, channels, bins\\)"):
        initializers.STFT()((3, 3))
    with pytest.raises(ValueError, match="window has shape"):
        initializers.STFT(window=np.ones(3))((8, 1, 5))
    with pytest.raises(ValueError, match="scaling of STFT"):
        initializers.STFT(scaling="densty")


def test_seeds():
    for name in ("RandomNormal", "RandomUniform", "TruncatedNormal", "Orthogonal", "HeNormal"):
        make = getattr(initializers, name)
        np.testing.assert_array_equal(make(seed=4)((3, 4)), make(seed=4)((3, 4)))
        one = make()
        assert (one((3, 4)).numpy() != one((3, 4)).numpy()).any()


def test_layers_ask_for_what_fits_their_kernel():
    layer = tg.layers.EinsumDense("abc,cde->abde", (None, 10, 20), kernel_initializer="he_normal")
    layer.build((None, None, 200))
    assert layer.kernel.numpy().std() == pytest.approx(np.sqrt(2 / 200), rel=0.04)
