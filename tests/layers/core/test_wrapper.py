"""Layers around layers, and what layers of one's own expect of their inputs."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import layers
from tapegrad.layers import InputSpec


class Residual(layers.Wrapper):
    def call(self, inputs):
        return inputs + self.layer(inputs)


class Picky(layers.Layer):
    def __init__(self, spec, **kwargs):
        super().__init__(name="picky", **kwargs)
        self.input_spec = spec

    def call(self, inputs):
        return inputs if not isinstance(inputs, list | dict) else tg.ops.zeros_like(np.ones((2, 1)))


def test_wrapper_builds_runs_and_describes_its_layer():
    x = np.ones((2, 3), "float32")
    wrapper = Residual(layers.Dense(3, name="inner"), name="residual")
    y = wrapper(x)
    expected = x + x @ wrapper.layer.kernel.numpy()
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-5, atol=1e-6)
    assert len(wrapper.trainable_weights) == 2
    again = Residual.from_config(wrapper.get_config())
    assert again.layer.units == 3
    assert again.layer.name == "inner"
    assert not again.layer.built


def test_wrapper_in_networks_and_files(tmp_path):
    x = np.ones((2, 3), "float32")
    inputs = tg.Input((3,))
    model = tg.Model(inputs, Residual(layers.Dense(3))(inputs))
    model.save(tmp_path / "model.tapegrad")
    loaded = tg.load_model(tmp_path / "model.tapegrad", custom_objects={"Residual": Residual})
    np.testing.assert_array_equal(loaded(x).numpy(), model(x).numpy())


@pytest.mark.parametrize("kind", [layers.TimeDistributed, layers.SpectralNormalization, Residual])
def test_wrappers_take_layers(kind):
    assert issubclass(kind, layers.Wrapper)
    with pytest.raises(ValueError, match=f"{kind.__name__} .*: layer must be a layer .* is 3"):
        kind(3)


@pytest.mark.parametrize(
    ("spec", "fitting", "wrong", "message"),
    [
        (InputSpec(ndim=3), (2, 3, 4), (2, 3), r"has shape \(.*, 3\), expected 3 axes"),
        (InputSpec(min_ndim=2), (2, 3), (2,), "expected at least 2 axes"),
        (InputSpec(max_ndim=2), (2, 3), (2, 3, 4), "expected at most 2 axes"),
        (InputSpec(ndim=2, axes={-1: 8}), (2, 8), (2, 7), "2 axes, the one at -1 of length 8"),
        (InputSpec(shape=(None, 4)), (2, 4), (2, 5), r"expected the shape \(None, 4\)"),
        (InputSpec(shape=(None, 4)), (2, 4), (2, 4, 1), r"expected the shape \(None, 4\)"),
        (
            InputSpec(shape=(None, 4, 1), allow_last_axis_squeeze=True),
            (2, 4),
            (2, 5),
            r"expected the shape \(None, 4, 1\)",
        ),
    ],
)
def test_input_spec(spec, fitting, wrong, message):
    layer = Picky(spec)
    assert layer(np.ones(fitting)).shape == fitting
    assert layer(tg.Input(fitting[1:])).shape[1:] == fitting[1:]
    with pytest.raises(ValueError, match=f"Layer picky: the input .*{message}"):
        layer(np.ones(wrong))
    if len(wrong) > 1:
        with pytest.raises(ValueError, match=f"Layer picky: the input .*{message}"):
            layer(tg.Input(wrong[1:]))


def test_input_spec_of_a_dtype():
    layer = Picky(InputSpec(dtype="int64"))
    layer(np.ones((2, 3), "int64"))
    with pytest.raises(ValueError, match="and dtype float32, expected dtype int64"):
        layer(np.ones((2, 3), "float32"))


def test_input_specs_of_several_inputs():
    layer = Picky([InputSpec(ndim=2), None])
    layer([np.ones((2, 3)), np.ones((2, 3, 4))])
    with pytest.raises(ValueError, match="Layer picky: expected 2 inputs, but got 1"):
        layer(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"input 0 has shape \(2,\), expected 2 axes"):
        layer([np.ones(2), np.ones(2)])
    layer = Picky([InputSpec(ndim=2, name="b"), InputSpec(ndim=3, name="a")])
    layer({"a": np.ones((2, 3, 4)), "b": np.ones((2, 3))})
    with pytest.raises(ValueError, match="the input 'b' is missing; the keys are 'a'"):
        layer({"a": np.ones((2, 3, 4))})


def test_input_spec_refuses_axes_that_do_not_exist():
    with pytest.raises(ValueError, match="names the axis 3, but there are at most 2"):
        InputSpec(ndim=2, axes={3: 1})
    with pytest.raises(TypeError, match="axes is a dict"):
        InputSpec(axes=[1])
    config = InputSpec(ndim=3, axes={-1: 8}).get_config()
    assert config["ndim"] == 3
    assert repr(InputSpec(ndim=3)) == "<InputSpec: 3 axes>"


@pytest.mark.parametrize(
    "layer",
    [
        layers.Dense(2),
        layers.Conv1D(2, 3),
        layers.MaxPooling1D(),
        layers.Flatten(),
        layers.BatchNormalization(),
        layers.Embedding(3, 2),
    ],
)
def test_layers_of_one_input_refuse_lists(layer):
    message = r"the input is a list of 2, expected one tensor; join several first"
    with pytest.raises(ValueError, match=message):
        layer([tg.Input((4, 1)), tg.Input((4, 1))])
    with pytest.raises(ValueError, match=message):
        layer([np.ones((2, 4, 1)), np.ones((2, 4, 1))])


def test_nested_lists_of_numbers_are_one_input():
    assert layers.Dense(2)([[1.0, 2.0], [3.0, 4.0]]).shape == (2, 2)
