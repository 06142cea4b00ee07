"""Whole models from Keras's files."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest
import saving_networks
from saving_networks import FOLDER, check

import tapegrad as tg
from tapegrad import layers

pytest.importorskip("h5py")


@pytest.mark.parametrize("name", ["mlp", "cnn", "text", "attention", "graph", "operators"])
def test_models_compute_what_they_do_in_keras(name, reference):
    model = tg.load_model(FOLDER / f"{name}.keras")
    check(model, name, reference)
    if hasattr(saving_networks, name):
        own = getattr(saving_networks, name)()
        kinds = [type(layer) for layer in own.layers]
        assert [type(layer) for layer in model.layers] == kinds


def test_graphs_have_their_names_and_structures():
    model = tg.load_model(FOLDER / "graph.keras")
    assert model.name == "graph"
    assert model.input_names == ["left", "right"]
    assert model.get_layer("inner").get_layer("deep").filters == 3
    shared = model.get_layer("shared")
    assert len([node for node in model._graph.nodes if node.layer is shared]) == 2


def test_training_goes_on(reference):
    """The optimizer, with its state, and the loss are those of Keras."""
    model = tg.load_model(FOLDER / "mlp.keras")
    assert float(model.optimizer.learning_rate) == pytest.approx(0.02)
    assert int(model.optimizer.iterations) == 2
    model.layers[1].rate = 0
    x, y = reference["mlp/x0"], reference["mlp/labels"]
    losses = [model.train_on_batch(x, y)[0] for _ in range(3)]
    np.testing.assert_allclose(losses, reference["mlp/losses"], rtol=2e-4)
    for index, value in enumerate(model.get_weights()):
        np.testing.assert_allclose(value, reference[f"mlp/after{index}"], atol=2e-4)
    assert not tg.load_model(FOLDER / "mlp.keras", compile=False).compiled


def changed(tmp_path, name, change):
    """Return a copy of a file with another description."""
    path = tmp_path / f"{name}.keras"
    with zipfile.ZipFile(FOLDER / f"{name}.keras") as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    config = json.loads(members["config.json"])
    change(config)
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return path


def dense(config):
    return config["config"]["layers"][1]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            lambda c: dense(c).update(class_name="Denze"),
            r"Denze is not known here; .*custom_objects.* Did you mean \"Dense\"",
        ),
        (lambda c: dense(c)["config"].update(lora_rank=4), "Dense has the argument lora_rank=4"),
        (lambda c: dense(c)["config"].update(units=9), r"shape \(4, 5\) in the file and \(4, 9\)"),
        (
            lambda c: dense(c)["config"].update(
                activation={"class_name": "__lambda__", "config": {"value": ["code"]}}
            ),
            "it holds a lambda, which is not read",
        ),
        (
            lambda c: dense(c)["config"].update(
                activation={"class_name": "function", "config": "own"}
            ),
            "the function own is not known here; pass it in custom_objects",
        ),
        (lambda c: c.pop("config"), "does not describe a model"),
        (lambda c: c["config"].pop("layers"), "does not describe a model"),
        (lambda c: c["compile_config"].update(loss="msee"), r"compile=False: .*msee"),
    ],
)
def test_what_is_refused(tmp_path, change, match):
    path = changed(tmp_path, "mlp", change)
    with pytest.raises(ValueError, match=match) as error:
        tg.load_model(path)
    assert "\n" not in str(error.value)


def test_custom_objects(tmp_path, reference):
    class Dense(layers.Dense):
        pass

    path = changed(tmp_path, "mlp", lambda c: dense(c).update(module="mine"))
    for objects in ({"Dense": Dense}, {"mine>Dense": Dense}):
        model = tg.load_model(path, custom_objects=objects)
        assert ("Dense" in objects) == (type(model.layers[0]) is Dense)
        check(model, "mlp", reference)


def test_state_of_another_optimizer_is_left(tmp_path):
    def without_momentum(config):
        optimizer = config["compile_config"]["optimizer"]
        optimizer["class_name"] = optimizer["registered_name"] = "Lion"
        for name in ("amsgrad", "epsilon"):
            optimizer["config"].pop(name)

    path = changed(tmp_path, "mlp", without_momentum)
    with pytest.warns(UserWarning, match="the state of the optimizer does not fit"):
        model = tg.load_model(path)
    assert int(model.optimizer.iterations) == 0


def test_an_input_that_is_not_there(tmp_path):
    def change(config):
        node = config["config"]["layers"][1]["inbound_nodes"][0]
        node["args"][0]["config"]["keras_history"][0] = "elsewhere"

    with pytest.raises(ValueError, match=r"inputs of layer .* are not in the network"):
        tg.load_model(changed(tmp_path, "attention", change))
