"""Descriptions of activations, initializers, constraints and regularizers."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import activations, constraints, initializers, regularizers

CASES = [
    (initializers, initializers.HeNormal(seed=3), "HeNormal"),
    (initializers, initializers.Constant(np.array([1.0, 2.0])), "Constant"),
    (constraints, constraints.MinMaxNorm(0.5, 2.0, axis=[0, 1]), "MinMaxNorm"),
    (regularizers, regularizers.OrthogonalRegularizer(0.5, "columns"), "OrthogonalRegularizer"),
]


@pytest.mark.parametrize(("module", "made", "class_name"), CASES)
def test_there_and_back(module, made, class_name):
    data = module.serialize(made)
    assert data["class_name"] == class_name
    for description in (
        data,
        {"class_name": class_name, "config": made.get_config()},
        data | {"module": "keras.some", "registered_name": None},
    ):
        assert module.deserialize(description).get_config() == made.get_config()
        assert type(module.get(description)) is type(made)


def test_names_that_classes_give_themselves_are_described():
    assert tg.metrics.AUC().get_config()["name"] == "auc"
    assert tg.metrics.AUC(name="area").get_config()["name"] == "area"
    assert tg.optimizers.AdamW().get_config()["name"] == "adam_w"


@pytest.mark.parametrize("module", [initializers, constraints, regularizers])
def test_what_describes_nothing(module):
    with pytest.raises(ValueError, match="has no 'Onez'"):
        module.get({"class_name": "Onez", "config": {}})
    with pytest.raises(ValueError, match="expected one with class_name and config"):
        module.get({"axis": 0})


def test_layers_take_descriptions():
    layer = tg.layers.Dense(
        2,
        kernel_initializer={"class_name": "Constant", "config": {"value": 0.5}},
        kernel_regularizer={"class_name": "L2", "config": {"l2": 1.0}},
        kernel_constraint={"class_name": "NonNeg", "config": {}},
    )
    layer(np.ones((1, 3)))
    assert (layer.kernel.numpy() == 0.5).all()
    assert float(layer.losses[0]) == 1.5


def test_activations_by_name():
    assert activations.serialize(activations.silu) == "silu"
    assert activations.deserialize("gelu") is activations.gelu
    layer = tg.layers.LeakyReLU(0.1)
    again = activations.get(activations.serialize(layer))
    np.testing.assert_array_equal(again([[-1.0]]), layer([[-1.0]]))

    def mine(x):
        return x

    assert activations.deserialize("mine", {"mine": mine}) is mine
