"""Weights from Keras's files: what the models then compute, and which files are refused."""

from __future__ import annotations

import io
import json
import shutil
import sys
import zipfile

import numpy as np
import pytest
import saving_networks
from saving_networks import FOLDER, check

import tapegrad as tg
from tapegrad import layers
from tapegrad.saving.keras_paths import keras_weights

h5py = pytest.importorskip("h5py")

FILES = {
    "mlp": "mlp.keras",
    "cnn": "cnn.keras",
    "text": "text.keras",
    "attention": "attention.keras",
    "graph": "graph.keras",
    "nested": "nested.weights.h5",
}


def built(name, reference):
    model = getattr(saving_networks, name)()
    if not model.built:
        model(reference[f"{name}/x0"])
    return model


@pytest.mark.parametrize("name", FILES)
def test_models_compute_what_they_do_in_keras(name, reference):
    model = built(name, reference)
    model.load_weights(FOLDER / FILES[name])
    check(model, name, reference)


@pytest.mark.parametrize("name", FILES)
def test_what_is_written_has_keras_names_and_comes_back(name, reference, tmp_path):
    model = built(name, reference)
    model.load_weights(FOLDER / FILES[name])
    path = tmp_path / "again.weights.h5"
    model.save_weights(path)
    assert contents(path) == contents(FOLDER / FILES[name])
    other = built(name, reference)
    other.load_weights(path)
    for one, two in zip(model.get_weights(), other.get_weights()):
        np.testing.assert_array_equal(one, two)


PATHS = json.loads((FOLDER / "paths.json").read_text())


@pytest.mark.parametrize("case", PATHS, ids=lambda case: case["layer"])
def test_the_weights_of_each_layer_have_keras_names(case, tmp_path):
    layer = getattr(layers, case["layer"])(**case["options"])
    inputs = tg.Input((5, 4))
    given = [inputs] * case["inputs"]
    listed = case["layer"] in ("AdditiveAttention", "Attention")
    model = tg.Model(inputs, layer(given) if listed else layer(*given))
    named = keras_weights(model).variables
    assert {path: list(v.shape) for path, v in named.items()} == case["paths"]
    values = [np.full(v.shape, i, v.dtype) for i, v in enumerate(model.weights)]
    model.set_weights(values)
    model.save_weights(tmp_path / "one.weights.h5")
    model.set_weights([0 * value for value in values])
    model.load_weights(tmp_path / "one.weights.h5")
    for one, two in zip(model.get_weights(), values, strict=True):
        np.testing.assert_array_equal(one, two)


def contents(path):
    """Return all that a file says of the model: paths and values."""
    source = path
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            source = io.BytesIO(archive.read("model.weights.h5"))
    found = {}

    def note(name, item):
        if not name.startswith("optimizer") and hasattr(item, "shape"):
            found[name] = (item.shape, item.dtype.str, item[()].tobytes())

    with h5py.File(source) as file:
        file.visititems(note)
    return found


def test_the_older_layout(reference):
    model = saving_networks.mlp()
    model.load_weights(FOLDER / "mlp.h5")
    check(model, "mlp", reference)
    other = tg.Sequential([tg.Input((4,)), layers.Dense(5, name="hidden"), layers.Dense(2)])
    before = other.layers[1].get_weights()
    other.load_weights(FOLDER / "mlp.h5", by_name=True)
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])
    np.testing.assert_array_equal(other.get_weights()[2], before[0])
    with pytest.raises(ValueError, match=r"the kernel of layer .* \(5, 3\) in the file and \(5, 2"):
        other.load_weights(FOLDER / "mlp.h5")


def test_the_names_of_the_first_version(reference, tmp_path):
    path = tmp_path / "first.weights.h5"
    with zipfile.ZipFile(FOLDER / "attention.keras") as archive:
        path.write_bytes(archive.read("model.weights.h5"))
    with h5py.File(path, "r+") as file:
        file.move(
            "layers/multi_head_attention/query_dense", "layers/multi_head_attention/_query_dense"
        )
        file.move("layers", "_layer_checkpoint_dependencies")
    model = saving_networks.attention()
    model.load_weights(path)
    check(model, "attention", reference)


def test_by_name(reference):
    source = saving_networks.mlp()
    source.load_weights(FOLDER / "mlp.keras")
    model = tg.Sequential(
        [tg.Input((5,)), layers.Dense(3, name="classes"), layers.Dense(2, name="another")]
    )
    model.load_weights(FOLDER / "mlp.keras", by_name=True)
    np.testing.assert_array_equal(model.get_weights()[0], source.get_weights()[2])


class TestMismatches:
    def refused(self, model, file, match):
        before = model.get_weights()
        with pytest.raises(ValueError, match=match) as error:
            model.load_weights(FOLDER / file)
        assert "\n" not in str(error.value)
        for one, two in zip(before, model.get_weights()):
            np.testing.assert_array_equal(one, two)

    def test_a_shape(self):
        model = tg.Sequential([tg.Input((4,)), layers.Dense(5), layers.Dense(2, name="last")])
        self.refused(
            model,
            "mlp.keras",
            r"the kernel of layer last \(layers/dense_1 in the file\) has shape \(5, 3\) in the "
            r"file and \(5, 2\) in the model",
        )

    def test_a_layer_too_many(self):
        model = tg.Sequential([tg.Input((4,)), *(layers.Dense(5) for _ in range(3))])
        self.refused(model, "mlp.keras", r"it has no weights for layer .* \(layers/dense_2 in")

    def test_a_layer_too_few(self):
        model = tg.Sequential([tg.Input((4,)), layers.Dense(5)])
        self.refused(model, "mlp.keras", "it has weights for layers/dense_1, which the model lacks")

    def test_a_bias_too_few(self):
        model = tg.Sequential([tg.Input((4,)), layers.Dense(5, use_bias=False), layers.Dense(3)])
        self.refused(model, "mlp.keras", "has 2 weights in the file and 1 in the model")

    def test_skipped(self):
        model = tg.Sequential([tg.Input((4,)), layers.Dense(5), layers.Dense(2)])
        before = model.get_weights()
        with pytest.warns(UserWarning, match=r"skipped: the kernel of layer .*; the bias of layer"):
            model.load_weights(FOLDER / "mlp.keras", skip_mismatch=True)
        assert not np.array_equal(before[0], model.get_weights()[0])
        np.testing.assert_array_equal(before[2], model.get_weights()[2])


class TestDamage:
    @pytest.mark.parametrize("name", ["mlp.keras", "mlp.h5", "nested.weights.h5"])
    @pytest.mark.parametrize("keep", [0, 5, 0.5, 0.9])
    def test_truncated(self, tmp_path, name, keep, reference):
        content = (FOLDER / name).read_bytes()
        path = tmp_path / name
        path.write_bytes(content[: int(keep * len(content) if keep < 1 else keep)])
        model = built(name.split(".")[0], reference)
        before = model.get_weights()
        with pytest.raises(ValueError, match="damaged") as error:
            model.load_weights(path)
        assert "\n" not in str(error.value)
        for one, two in zip(before, model.get_weights()):
            np.testing.assert_array_equal(one, two)

    def test_another_file(self, tmp_path, reference):
        path = tmp_path / "some.weights.h5"
        path.write_bytes(b"no HDF5" * 100)
        with pytest.raises(ValueError, match="not an HDF5 file"):
            built("mlp", reference).load_weights(path)
        with pytest.raises(FileNotFoundError, match="There is no file"):
            built("mlp", reference).load_weights(tmp_path / "none.weights.h5")
        with zipfile.ZipFile(tmp_path / "empty.keras", "w") as archive:
            archive.writestr("config.json", "{}")
        with pytest.raises(ValueError, match=r"has no model\.weights\.h5"):
            built("mlp", reference).load_weights(tmp_path / "empty.keras")

    def test_declared_sizes_are_not_believed(self, tmp_path):
        path = tmp_path / "huge.weights.h5"
        model = saving_networks.mlp()
        model.save_weights(path)
        with h5py.File(path, "r+") as file:
            del file["layers/dense/vars/0"]
            file.create_dataset("layers/dense/vars/0", (10**7, 10**7), "f4", chunks=(100, 100))
        with pytest.raises(ValueError, match=r"has shape \(10000000, 10000000\) in the file"):
            model.load_weights(path)

    @pytest.mark.parametrize("kind", ["link", "soft", "external"])
    def test_nothing_outside_of_the_file_is_read(self, tmp_path, kind):
        secret = tmp_path / "secret.h5"
        shutil.copy(FOLDER / "mlp.h5", secret)
        path = tmp_path / "bad.weights.h5"
        model = saving_networks.mlp()
        model.save_weights(path)
        with h5py.File(path, "r+") as file:
            del file["layers/dense/vars/0"]
            if kind == "link":
                file["layers/dense/vars/0"] = h5py.ExternalLink(str(secret), "/model_weights")
            elif kind == "soft":
                file["layers/dense/vars/0"] = h5py.SoftLink("/layers/dense_1/vars/0")
            else:
                file.create_dataset(
                    "layers/dense/vars/0", (4, 5), "f4", external=[(str(secret), 0, 80)]
                )
        with pytest.raises(ValueError, match=r"1 weights in the file|refers to other files"):
            model.load_weights(path)

    def test_the_older_layout_follows_no_links(self, tmp_path):
        path = tmp_path / "bad.h5"
        shutil.copy(FOLDER / "mlp.h5", path)
        with h5py.File(path, "r+") as file:
            del file["model_weights/classes"]
            file["model_weights/classes"] = h5py.ExternalLink(
                str(FOLDER / "mlp.h5"), "/model_weights/classes"
            )
        with pytest.raises(ValueError, match="there is no classes"):
            saving_networks.mlp().load_weights(path)


def test_without_h5py_a_sentence_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "h5py", None)
    model = saving_networks.mlp()
    for action in (model.load_weights, model.save_weights):
        with pytest.raises(ModuleNotFoundError, match=r'pip install "tapegrad\[keras\]"'):
            action(tmp_path / "mlp.weights.h5")
