"""Whole models in one file: what comes back is what was saved, or nothing does."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
import zipfile

import numpy as np
import pytest
import saving_networks

import tapegrad as tg
from tapegrad import layers, saving

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 4)).astype(np.float32)
Y = np.eye(3, dtype=np.float32)[np.arange(12) % 3]

# What each network of saving_networks is called on.
INPUTS = {
    "mlp": X,
    "cnn": RNG.normal(size=(3, 8, 8, 2)).astype(np.float32),
    "text": RNG.integers(0, 11, (3, 6)),
    "attention": RNG.normal(size=(3, 5, 6)).astype(np.float32),
    "graph": [RNG.normal(size=(3, 6, 4)).astype(np.float32) for _ in range(2)],
    "nested": RNG.normal(size=(3, 3)).astype(np.float32),
}


def equal(one, two):
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


def outputs(model, inputs):
    found = model(inputs)
    return [output.numpy() for output in (found if isinstance(found, list) else [found])]


def summary(model):
    lines = []
    model.summary(print_fn=lines.append)
    return lines


@pytest.mark.parametrize("name", INPUTS)
def test_models_come_back_to_the_bit(name, tmp_path):
    model = getattr(saving_networks, name)()
    wanted = outputs(model, INPUTS[name])
    path = tmp_path / "model.tapegrad"
    model.save(path)
    again = tg.load_model(path, custom_objects={"Nested": saving_networks.Nested})
    assert type(again) is type(model)
    equal(outputs(again, INPUTS[name]), wanted)
    assert summary(again) == summary(model)
    assert list(again.named_weights()) == list(model.named_weights())
    assert os.listdir(tmp_path) == ["model.tapegrad"]


def step(model, times):
    return [model.train_on_batch(X[i : i + 4], Y[i : i + 4]) for i in range(0, 4 * times, 4)]


def compiled(optimizer, **options):
    model = tg.Sequential(
        [
            tg.Input((4,)),
            layers.Dense(6, "relu", kernel_regularizer=tg.regularizers.L1L2(0.01, 0.02)),
            layers.Dropout(0.5, seed=3),
            layers.BatchNormalization(),
            layers.Dense(3, "softmax", kernel_constraint="unit_norm"),
        ]
    )
    loss = tg.losses.CategoricalCrossentropy(label_smoothing=0.1)
    model.compile(optimizer, loss, metrics=["accuracy", tg.metrics.Precision(top_k=2)], **options)
    return model


@pytest.mark.parametrize(
    "optimizer",
    [
        tg.optimizers.Adam(0.01, beta_1=0.8, amsgrad=True),
        tg.optimizers.SGD(0.1, momentum=0.9, nesterov=True, clipnorm=0.5),
        tg.optimizers.RMSprop(
            tg.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5), centered=True, use_ema=True
        ),
        tg.optimizers.AdamW(0.01, weight_decay=0.1, gradient_accumulation_steps=2),
        tg.optimizers.Adafactor(0.01),
    ],
    ids=lambda optimizer: type(optimizer).__name__,
)
def test_training_goes_on_as_if_never_interrupted(optimizer, tmp_path):
    model = compiled(type(optimizer).from_config(optimizer.get_config()))
    step(model, 2)
    path = tmp_path / "model.tapegrad"
    model.save(path)
    wanted = step(model, 3)
    again = tg.load_model(path)
    assert step(again, 3) == wanted
    equal(again.get_weights(), model.get_weights())
    equal(
        [v.numpy() for v in again.optimizer.variables],
        [v.numpy() for v in model.optimizer.variables],
    )


def test_a_changed_learning_rate_is_kept(tmp_path):
    model = compiled("adam")
    step(model, 1)
    model.optimizer.learning_rate = 0.25
    model.save(tmp_path / "model.tapegrad")
    assert float(tg.load_model(tmp_path / "model.tapegrad").optimizer.learning_rate) == 0.25


def test_loading_does_not_disturb_the_default_generator(tmp_path):
    model = compiled("adam")
    model.save(tmp_path / "model.tapegrad")
    tg.set_seed(4)
    wanted = tg.random.uniform((3,)).numpy()
    tg.set_seed(4)
    tg.load_model(tmp_path / "model.tapegrad")
    np.testing.assert_array_equal(tg.random.uniform((3,)).numpy(), wanted)


def test_without_compiling(tmp_path):
    model = compiled("adam")
    step(model, 1)
    model.save(tmp_path / "model.tapegrad")
    again = tg.load_model(tmp_path / "model.tapegrad", compile=False)
    with pytest.raises(RuntimeError, match="compile"):
        again.evaluate(X, Y)
    model.save(tmp_path / "bare.tapegrad", include_optimizer=False)
    again = tg.load_model(tmp_path / "bare.tapegrad")
    with pytest.raises(RuntimeError, match="compile"):
        again.evaluate(X, Y)


def test_frozen_layers_stay_frozen(tmp_path):
    model = saving_networks.Nested()
    model(INPUTS["nested"])
    model.compile("adam", "mse")
    model.train_on_batch(INPUTS["nested"], np.zeros((3, 2), np.float32))
    model.blocks[1][0].trainable = False
    model.train_on_batch(INPUTS["nested"], np.zeros((3, 2), np.float32))
    model.save(tmp_path / "model.tapegrad")
    again = tg.load_model(tmp_path / "model.tapegrad", {"Nested": saving_networks.Nested})
    assert not again.blocks[1][0].trainable
    assert again.hidden.trainable
    assert len(again.trainable_variables) == len(model.trainable_variables)
    wanted = model.train_on_batch(INPUTS["nested"], np.zeros((3, 2), np.float32))
    assert again.train_on_batch(INPUTS["nested"], np.zeros((3, 2), np.float32)) == wanted
    equal(again.get_weights(), model.get_weights())


def test_models_whose_input_shape_came_with_the_data(tmp_path):
    model = tg.Sequential([layers.Dense(3), layers.Dense(2)])
    model(X)
    model.save(tmp_path / "model.tapegrad")
    equal(outputs(tg.load_model(tmp_path / "model.tapegrad"), X), outputs(model, X))


def test_models_that_are_not_built_are_saved_with_a_warning(tmp_path):
    model = tg.Sequential([layers.Dense(3)])
    with pytest.warns(UserWarning, match="not built yet, so .* holds no weights"):
        model.save(tmp_path / "model.tapegrad")
    again = tg.load_model(tmp_path / "model.tapegrad")
    assert not again.built
    assert again(X).shape == (12, 3)


@saving.register_serializable("tests")
class Scaled(tg.Model):
    def __init__(self, units, *, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.inner = layers.Dense(units, activation=double)
        self.factor = factor

    def call(self, first, second=None, training=False):
        total = first if second is None else first + second
        return self.inner(total) * self.factor


@saving.register_serializable("tests")
def double(x):
    return 2.0 * x


def test_registered_classes_and_functions(tmp_path):
    model = Scaled(3, factor=0.5, name="mine")
    wanted = model(X, second=X).numpy()
    model.save(tmp_path / "model.tapegrad")
    again = saving.load_model(tmp_path / "model.tapegrad")
    assert again.name == "mine"
    np.testing.assert_array_equal(again(X, second=X).numpy(), wanted)


def test_custom_objects(tmp_path):
    def triple(x):
        return 3.0 * x

    class Shift(layers.Layer):
        def __init__(self, by, **kwargs):
            super().__init__(**kwargs)
            self.by = by

        def call(self, inputs):
            return inputs + self.by

    model = tg.Sequential([tg.Input((4,)), layers.Dense(2, triple), Shift(1.5)])
    path = tmp_path / "model.tapegrad"
    model.save(path)
    with pytest.raises(ValueError, match=r"'triple' is not known here: pass it in custom_objects"):
        tg.load_model(path)
    with pytest.raises(ValueError, match=r"'Shift' is not known here"):
        tg.load_model(path, {"triple": triple})
    again = tg.load_model(path, custom_objects={"triple": triple, "Shift": Shift})
    equal(outputs(again, X), outputs(model, X))
    with saving.custom_object_scope({"triple": triple, "Shift": Shift}):
        equal(outputs(tg.load_model(path), X), outputs(model, X))


def test_lambdas_are_refused(tmp_path):
    path = tmp_path / "model.tapegrad"
    for model in (
        tg.Sequential([tg.Input((4,)), layers.Lambda(lambda x: x + 1)]),
        tg.Sequential([tg.Input((4,)), layers.Dense(2, lambda x: x + 1)]),
    ):
        with pytest.raises(TypeError, match="lambda, which cannot be saved: define a function"):
            model.save(path)
    model = tg.Sequential([tg.Input((4,)), layers.Dense(2)])
    model.compile("sgd", lambda y_true, y_pred: (y_true - y_pred) ** 2)
    with pytest.raises(TypeError, match="loss is a lambda"):
        model.save(path)
    assert os.listdir(tmp_path) == []


def test_json_and_clones():
    model = saving_networks.graph()
    text = model.to_json(indent=2)
    again = tg.models.model_from_json(text)
    assert again.to_json(indent=2) == text
    assert [w.shape for w in again.weights] == [w.shape for w in model.weights]
    clone = tg.models.clone_model(model)
    assert clone.to_json(indent=2) == text
    clone.set_weights(model.get_weights())
    equal(outputs(clone, INPUTS["graph"]), outputs(model, INPUTS["graph"]))
    assert all(a is not b for a, b in zip(model.weights, clone.weights))
    nested = saving_networks.Nested()
    nested(INPUTS["nested"])
    assert len(tg.models.clone_model(nested).weights) == len(nested.weights)
    for wrong in (
        "",
        "[]",
        "{}",
        '{"class_name": "Dense", "module": "tapegrad.layers"}',
        "[" * 9999,
    ):
        with pytest.raises(ValueError, match="The JSON text"):
            tg.models.model_from_json(wrong)


def test_a_compile_of_ones_own(tmp_path):
    class Own(Scaled):
        def compile(self, loss_fn, **options):
            super().compile(**options)
            self.loss_fn = loss_fn

    class Described(Own):
        def get_compile_config(self):
            return {"loss_fn": saving.serialize(self.loss_fn), "optimizer": "sgd"}

    path = tmp_path / "model.tapegrad"
    for kind, is_compiled in ((Own, False), (Described, True)):
        model = kind(2)
        model(X)
        model.compile(double, optimizer="sgd")
        model.save(path)
        again = tg.load_model(path, {kind.__name__: kind})
        assert again.compiled is is_compiled
        if is_compiled:
            assert again.loss_fn is double


def test_two_optimizers(tmp_path):
    class Pair(tg.Model):
        def __init__(self):
            super().__init__()
            self.first, self.second = layers.Dense(3), layers.Dense(3)

        def call(self, inputs):
            return self.second(self.first(inputs))

        def compile(self, first_optimizer, second_optimizer):
            super().compile(loss="mse")
            self.first_optimizer = first_optimizer
            self.second_optimizer = second_optimizer

        def get_compile_config(self):
            names = ("first_optimizer", "second_optimizer")
            return {name: saving.serialize(getattr(self, name)) for name in names}

        def train_step(self, data):
            x, y = data
            with tg.Tape(persistent=True) as tape:
                loss = self.compute_loss(y=y, y_pred=self(x, training=True))
            for layer, optimizer in (
                (self.first, self.first_optimizer),
                (self.second, self.second_optimizer),
            ):
                weights = layer.trainable_variables
                optimizer.apply(tape.gradient(loss, weights), weights)
            return {"loss": float(loss)}

    model = Pair()
    model.compile(tg.optimizers.Adam(0.1), tg.optimizers.SGD(0.1, momentum=0.9))
    step(model, 2)
    model.save(tmp_path / "model.tapegrad")
    again = tg.load_model(tmp_path / "model.tapegrad", {"Pair": Pair})
    assert step(again, 3) == step(model, 3)
    equal(again.get_weights(), model.get_weights())


def test_names_and_overwriting(tmp_path):
    model = compiled("adam")
    with pytest.raises(ValueError, match=r"name ends in \.tapegrad"):
        model.save(tmp_path / "model.h5")
    model.save(tmp_path / "model.tapegrad")
    with pytest.raises(FileExistsError):
        model.save(tmp_path / "model.tapegrad", overwrite=False)
    with pytest.raises(FileNotFoundError, match="There is no file"):
        tg.load_model(tmp_path / "none.tapegrad")


def test_names_of_keras_listings(tmp_path):
    model = compiled("adam")
    with pytest.warns(UserWarning, match=r"model\.tapegrad' instead of .*model\.keras'") as caught:
        model.save(tmp_path / "model.keras")
    assert caught[0].filename == __file__
    assert [path.name for path in tmp_path.iterdir()] == ["model.tapegrad"]
    equal(tg.load_model(tmp_path / "model.keras").get_weights(), model.get_weights())


def test_weights_of_a_model_file(tmp_path):
    model, other = compiled("adam"), compiled("adam")
    model.save(tmp_path / "model.tapegrad")
    other.load_weights(tmp_path / "model.tapegrad")
    equal(other.get_weights(), model.get_weights())
    with pytest.raises(ValueError, match="by_name is for files of Keras"):
        other.load_weights(tmp_path / "model.tapegrad", by_name=True)
    small = tg.Sequential([tg.Input((4,)), layers.Dense(6)])
    with pytest.raises(ValueError, match=r"it has .* which the model lacks"):
        small.load_weights(tmp_path / "model.tapegrad")
    with pytest.warns(UserWarning, match="what does not fit the model was skipped"):
        small.load_weights(tmp_path / "model.tapegrad", skip_mismatch=True)
    equal(small.get_weights(), model.get_weights()[:2])


# ---- files that are not what they were -----------------------------------------------


@pytest.fixture
def saved(tmp_path):
    model = compiled("adam")
    step(model, 1)
    path = tmp_path / "model.tapegrad"
    model.save(path)
    return path


def rewrite(path, change, sums=True):
    """Change the members of an archive; with `sums`, as one who knows about the checksums would."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    if sums and "metadata.json" in members:
        metadata = json.loads(members["metadata.json"])
        metadata["sha256"] = {
            name: hashlib.sha256(content).hexdigest()
            for name, content in members.items()
            if name != "metadata.json"
        }
        members["metadata.json"] = json.dumps(metadata).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def refused(path, match):
    with pytest.raises(ValueError, match=match) as error:
        tg.load_model(path)
    assert "\n" not in str(error.value)
    model = compiled("adam")
    before = model.get_weights()
    return model, before


def test_every_truncation_is_refused(saved):
    content = saved.read_bytes()
    for keep in (*range(0, len(content), 97), len(content) - 1):
        saved.write_bytes(content[:keep])
        refused(saved, "damaged")


def test_every_flipped_byte_is_refused_or_without_effect(saved):
    wanted = outputs(tg.load_model(saved), X)
    content = saved.read_bytes()
    for place in range(0, len(content), 211):
        changed = bytearray(content)
        changed[place] ^= 0x55
        saved.write_bytes(bytes(changed))
        try:
            again = tg.load_model(saved)
        except ValueError as error:
            assert "\n" not in str(error)  # noqa: PT017 — most places are, but not all
        else:
            equal(outputs(again, X), wanted)


def test_a_member_that_was_changed(saved):
    def change(members):
        content = bytearray(members["weights.safetensors"])
        content[-1] ^= 1
        members["weights.safetensors"] = bytes(content)

    rewrite(saved, change, sums=False)
    model, before = refused(saved, "was changed: weights.safetensors has another checksum")
    with pytest.raises(ValueError, match="another checksum"):
        model.load_weights(saved)
    equal(model.get_weights(), before)


@pytest.mark.parametrize("name", ["metadata.json", "config.json", "weights.safetensors"])
def test_a_member_that_is_missing(saved, name):
    rewrite(saved, lambda members: members.pop(name))
    refused(saved, f"not a whole model: it has no {name}")


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "code.pkl", "assets/x"])
def test_a_member_that_does_not_belong(saved, name):
    rewrite(saved, lambda members: members.update({name: b"x"}))
    refused(saved, "does not belong into it")
    assert sorted(os.listdir(saved.parent)) == ["model.tapegrad"]


def test_a_member_that_is_there_twice(saved):
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(saved, "a") as archive:
        archive.writestr("config.json", "{}")
    refused(saved, r"it has config\.json twice")


def test_a_bomb(saved):
    with zipfile.ZipFile(saved) as archive:
        metadata = archive.read("metadata.json")
    with zipfile.ZipFile(saved, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", metadata)
        archive.writestr("config.json", "{}")
        with archive.open("weights.safetensors", "w") as member:
            for _ in range(64):
                member.write(bytes(1 << 20))
    refused(saved, r"weights\.safetensors would unpack from .* to 67,108,864 bytes")


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"format": None},
    ],
)
def test_another_format(saved, change):
    def edit(members):
        members["metadata.json"] = json.dumps(
            json.loads(members["metadata.json"]) | change
        ).encode()

    rewrite(saved, edit)
    refused(saved, "this version of tapegrad reads format 1")


def edit_config(function):
    def edit(members):
        config = json.loads(members["config.json"])
        changed = function(config)
        config = config if changed is None else changed
        members["config.json"] = json.dumps(config).encode()

    return edit


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda c: [], "does not describe a model"),
        (lambda c: {"class_name": "Sequential"}, "does not describe a model"),
        (lambda c: c | {"layers": 3}, "does not describe a model"),
        (lambda c: c | {"class_name": "Dense", "module": "tapegrad.layers"}, "config.json in"),
        (
            lambda c: c | {"class_name": "Popen", "module": "subprocess"},
            "'Popen' is not known here",
        ),
        (lambda c: c | {"class_name": "Sequentail"}, "has no 'Sequentail'. Did you mean \"Seq"),
        (lambda c: c["config"]["layers"][1]["config"].update(units=-1), "units must be a positive"),
        (lambda c: c["config"]["layers"][1]["config"].update(units=7), r"shape \(4, 6\) in the"),
        (lambda c: c["config"]["layers"][1]["config"].update(unit=7), "unknown argument .unit."),
        (lambda c: c["config"]["layers"][1]["config"].update(units=10**15), "that is too large"),
        (lambda c: c["config"]["layers"].__delitem__(-1), "which the model lacks"),
        (lambda c: c["compile"].update(loss="msee"), "msee"),
        (lambda c: c["compile"].update(losses="mse"), "does not describe how the model is comp"),
        (
            lambda c: c.update(optimized={"optimizer": ["dense/kern"]}),
            "dense/kern, which the model lacks",
        ),
    ],
)
def test_a_description_that_is_wrong(saved, change, match):
    rewrite(saved, edit_config(change))
    refused(saved, match)


def test_other_files(tmp_path):
    path = tmp_path / "model.tapegrad"
    for content in (b"", b"PK\x05\x06" + bytes(18), b"not a zip" * 100):
        path.write_bytes(content)
        refused(path, "damaged or not an archive|not a whole model")
    path.unlink()
    path.mkdir()
    with pytest.raises(FileNotFoundError, match="There is no file"):
        tg.load_model(path)


# ---- writing that fails --------------------------------------------------------------


@pytest.mark.parametrize("broken", ["os.fsync", "os.replace", "zipfile.ZipFile.writestr"])
def test_a_full_disk_leaves_the_old_file(saved, monkeypatch, broken):
    before = saved.read_bytes()

    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(broken, fail)
    with pytest.raises(OSError, match="No space left"):
        compiled("sgd").save(saved)
    monkeypatch.undo()
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == ["model.tapegrad"]


def test_a_killed_process_leaves_a_whole_file(saved):
    program = f"""
        import tapegrad as tg
        model = tg.load_model({str(saved)!r})
        print("ready", flush=True)
        while True:
            model.save({str(saved)!r})
    """
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(random.uniform(0.01, 0.1))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert tg.load_model(saved)(X).shape == (12, 3)


def test_an_interrupted_assignment_is_taken_back(saved, monkeypatch):
    from tapegrad._core.variable import Variable

    model = compiled("adam")
    before = model.get_weights()
    assign, count = Variable.assign, iter(range(100))

    def interrupted(self, value):
        if next(count) == 3:
            raise KeyboardInterrupt
        return assign(self, value)

    monkeypatch.setattr(Variable, "assign", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.load_weights(saved)
    monkeypatch.undo()
    equal(model.get_weights(), before)
