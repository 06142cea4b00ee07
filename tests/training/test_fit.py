"""What `fit`, `evaluate` and `predict` promise besides the numbers of Keras."""

from __future__ import annotations

import gc
import re

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import layers
from tapegrad.callbacks import Callback, EarlyStopping, StopAtThreshold
from tapegrad.optimizers import SGD, Adam

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 4))
Y = (X[:, 0] > 0).astype(np.int64)
TARGETS = X @ np.array([[1.0], [-2.0], [0.5], [0.0]])


def classifier(optimizer="sgd", **options):
    tg.set_seed(0)
    model = tg.Sequential([layers.Dense(3, "softmax", input_dim=4)])
    model.compile(optimizer, "sparse_categorical_crossentropy", **options)
    return model


def regressor(optimizer="sgd", loss="mse", **options):
    tg.set_seed(0)
    model = tg.Sequential([layers.Dense(1, input_dim=4)])
    model.compile(optimizer, loss, **options)
    return model


# ---- what comes back -----------------------------------------------------------------


def test_names_are_those_typed():
    model = classifier(metrics=["accuracy", tg.metrics.SparseCategoricalAccuracy(name="own")])
    history = model.fit(X, Y, epochs=2, verbose=0, validation_split=0.2).history
    assert set(history) == {"loss", "accuracy", "own", "val_loss", "val_accuracy", "val_own"}
    assert history["accuracy"] == history["own"]
    assert all(type(value) is float for values in history.values() for value in values)
    assert [metric.name for metric in model.metrics] == ["loss", "accuracy", "own"]
    twice = regressor(metrics=["mse", "mse"])
    assert list(twice.evaluate(X, TARGETS, verbose=0, return_dict=True)) == ["loss", "mse", "mse_1"]


def test_forms_of_results():
    model = classifier(metrics=["acc"])
    for method in (model.evaluate, model.test_on_batch, model.train_on_batch):
        extra = {"verbose": 0} if method == model.evaluate else {}
        assert set(method(X, Y, return_dict=True, **extra)) == {"loss", "acc"}
        loss, accuracy = method(X, Y, **extra)
        assert isinstance(loss, float)
        assert 0 <= accuracy <= 1
    assert isinstance(regressor().evaluate(X, TARGETS, verbose=0), float)
    assert isinstance(regressor().train_on_batch(X, TARGETS), float)
    assert model.predict_on_batch(X).shape == (50, 3)


@pytest.mark.parametrize(
    ("labels", "units", "activation", "loss", "kind"),
    [
        (Y, 1, "sigmoid", "binary_crossentropy", tg.metrics.BinaryAccuracy),
        (Y, 3, "softmax", "sparse_categorical_crossentropy", tg.metrics.SparseCategoricalAccuracy),
        (
            np.eye(3)[Y],
            3,
            "softmax",
            "categorical_crossentropy",
            tg.metrics.CategoricalAccuracy,
        ),
    ],
)
def test_accuracy_fits_labels_and_outputs(labels, units, activation, loss, kind):
    model = tg.Sequential([layers.Dense(units, activation, input_dim=4)])
    model.compile("sgd", loss, metrics=["accuracy"])
    model.evaluate(X, labels, verbose=0)
    assert type(model.metrics[1]) is kind


def test_predict_keeps_order_and_does_not_depend_on_the_batch_size():
    model = classifier()
    expected = model(X).numpy()
    for size in (1, 7, 50, 64):
        found = model.predict(X, batch_size=size)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert model.predict(X).dtype == np.float32


# ---- data ----------------------------------------------------------------------------


def test_shuffling_follows_the_seed():
    class Order(Callback):
        def __init__(self):
            super().__init__()
            self.losses = []

        def on_train_batch_end(self, batch, logs=None):
            self.losses.append(logs["loss"])

    def run(seed, shuffle=True):
        model = regressor()
        tg.set_seed(seed)
        order = Order()
        model.fit(X, TARGETS, batch_size=8, epochs=2, shuffle=shuffle, verbose=0, callbacks=order)
        return order.losses, model.get_weights()

    assert run(1)[0] == run(1)[0]
    np.testing.assert_array_equal(run(1)[1][0], run(1)[1][0])
    assert run(1)[0] != run(2)[0]
    assert run(1, shuffle=False)[0] == run(2, shuffle=False)[0]


def test_each_epoch_sees_each_sample_once():
    seen = []

    class Recorder(tg.Sequential):
        def train_step(self, data):
            seen.append(np.array(data[0].numpy()))
            return super().train_step(data)

    model = Recorder([layers.Dense(1, input_dim=1)])
    model.compile("sgd", "mse")
    x = np.arange(10.0)[:, None]
    model.fit(x, x, batch_size=4, epochs=2, verbose=0)
    assert [len(part) for part in seen] == [4, 4, 2, 4, 4, 2]
    first, second = np.concatenate(seen[:3])[:, 0], np.concatenate(seen[3:])[:, 0]
    assert sorted(first) == sorted(second) == list(range(10))
    assert list(first) != list(second)


def test_class_weight_is_a_sample_weight():
    weights = np.where(Y == 1, 3.0, 1.0)
    by_class, by_sample, both = classifier(), classifier(), classifier()
    by_class.fit(X, Y, class_weight={1: 3.0}, shuffle=False, verbose=0)
    by_sample.fit(X, Y, sample_weight=weights, shuffle=False, verbose=0)
    np.testing.assert_array_equal(by_class.get_weights()[0], by_sample.get_weights()[0])
    both.fit(X, np.eye(3)[Y].argmax(1)[:, None], class_weight={1: 3.0}, shuffle=False, verbose=0)
    np.testing.assert_array_equal(by_class.get_weights()[0], both.get_weights()[0])


def test_validation_is_the_end_of_the_data_before_shuffling():
    split, given = regressor(), regressor()
    a = split.fit(X, TARGETS, validation_split=0.3, epochs=2, shuffle=False, verbose=0)
    b = given.fit(
        X[:35],
        TARGETS[:35],
        validation_data=(X[35:], TARGETS[35:]),
        epochs=2,
        shuffle=False,
        verbose=0,
    )
    assert a.history == b.history
    sometimes = regressor().fit(
        X, TARGETS, validation_split=0.3, epochs=4, validation_freq=2, verbose=0
    )
    assert len(sometimes.history["val_loss"]) == 2
    weighted = regressor().fit(
        X, TARGETS, validation_data=(X, TARGETS, np.zeros(50)), epochs=1, verbose=0
    )
    assert weighted.history["val_loss"] == [0.0]


def test_precision_of_the_first_layer_is_kept():
    model = tg.Sequential([layers.Dense(1, use_bias=False, input_dim=1, dtype="float64")])
    model.set_weights([np.ones((1, 1))])
    x = np.array([[1.0 + 1e-12]])
    assert model.predict(x)[0, 0] == x[0, 0]
    model.compile("sgd", "mse")
    assert model.evaluate(x, np.ones((1, 1)), verbose=0) == pytest.approx(1e-24, rel=1e-3)


def test_memory_mapped_and_integer_inputs(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, X)
    a, b = regressor(), regressor()
    a.fit(np.load(path, mmap_mode="r"), TARGETS, shuffle=False, verbose=0)
    b.fit(X, TARGETS, shuffle=False, verbose=0)
    np.testing.assert_array_equal(a.get_weights()[0], b.get_weights()[0])
    images = np.random.default_rng(1).integers(0, 255, size=(20, 4)).astype(np.uint8)
    regressor(SGD(1e-6)).fit(images, TARGETS[:20], verbose=0)


@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        (X, Y + 2, ValueError, "label 3 in y_true lies outside 0 to 2"),
        (X, Y - 1, ValueError, "label -1 in y_true lies outside 0 to 2"),
        (X, Y + 0.5, ValueError, "whole class numbers"),
        (X, np.eye(3)[Y], ValueError, 'use the loss "categorical_crossentropy"'),
        (X, Y[:40], ValueError, "x has 50 samples but y has 40"),
        (X[:0], Y[:0], ValueError, "x is empty"),
        (X.astype(object), Y, TypeError, "x has dtype object"),
        (X.astype(str), Y, TypeError, "x has dtype <U"),
        (X, Y.astype(str), TypeError, "y has dtype <U"),
        ([[1.0, 2.0], [3.0]], Y, TypeError, "x is not one array"),
        (X[:, :3], Y, ValueError, r"shape \(1, 3\), expected \(samples, …, 4\)"),
        (None, Y, ValueError, "x is missing"),
        (iter([X]), Y, TypeError, "x must be an array"),
        (X, None, ValueError, "targets y must be given"),
        (3.0, Y, ValueError, "x is a single number"),
    ],
)
def test_data_that_do_not_fit_are_refused_before_the_first_step(x, y, error, message):
    model = classifier()
    before = model.get_weights()
    with pytest.raises(error, match=message) as raised:
        model.fit(x, y, verbose=0)
    assert "\n" not in str(raised.value)
    for a, b in zip(before, model.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_nan_is_named_with_its_place():
    x, y = X.copy(), TARGETS.copy()
    x[31, 2] = np.nan
    with pytest.raises(ValueError, match=re.escape("x holds NaN, first at [31, 2]")):
        regressor().fit(x, TARGETS, verbose=0)
    y[7, 0] = np.nan
    with pytest.raises(ValueError, match=re.escape("y holds NaN, first at [7, 0]")):
        regressor().fit(X, y, verbose=0)
    with pytest.raises(ValueError, match="x holds NaN"):
        regressor().fit(X, TARGETS, validation_data=(x, TARGETS), verbose=0)


@pytest.mark.parametrize("shape", [(50, 2), (50, 1, 2), (50, 4)])
def test_targets_never_broadcast(shape):
    with pytest.raises(ValueError, match=r"mean_squared_error: y_true has shape"):
        regressor().fit(X, np.zeros(shape), verbose=0)


def test_vectors_and_columns_are_the_same_targets():
    a, b = regressor(), regressor()
    a.fit(X, TARGETS[:, 0], shuffle=False, verbose=0)
    b.fit(X, TARGETS, shuffle=False, verbose=0)
    np.testing.assert_array_equal(a.get_weights()[0], b.get_weights()[0])


def test_binary_labels_out_of_range():
    model = tg.Sequential([layers.Dense(1, "sigmoid", input_dim=4)])
    model.compile("sgd", "binary_crossentropy")
    with pytest.raises(ValueError, match=r"labels must lie in \[0, 1\], but y_true holds 2"):
        model.fit(X, Y * 2, verbose=0)


def test_arguments_are_checked():
    model = regressor()
    with pytest.raises(ValueError, match="batch_size must be"):
        model.fit(X, TARGETS, batch_size=0, verbose=0)
    with pytest.raises(ValueError, match="validation_split must lie"):
        model.fit(X, TARGETS, validation_split=1.0, verbose=0)
    with pytest.raises(ValueError, match="a tuple of 4"):
        model.fit(X, TARGETS, validation_data=(X, TARGETS, None, None), verbose=0)
    with pytest.raises(TypeError, match="class_weight must be a dict"):
        model.fit(X, TARGETS, class_weight=[1, 2], verbose=0)
    with pytest.raises(RuntimeError, match=r"fit: call compile\(optimizer, loss\) first"):
        tg.Sequential([layers.Dense(1)]).fit(X, TARGETS)
    with pytest.raises(RuntimeError, match="evaluate: call compile"):
        tg.Sequential([layers.Dense(1)]).evaluate(X, TARGETS)


def test_compile_checks_names():
    model = tg.Sequential([layers.Dense(1)])
    with pytest.raises(ValueError, match=r'Unknown optimizer "adm"\. Did you mean "adam"'):
        model.compile("adm", "mse")
    with pytest.raises(ValueError, match="Unknown loss"):
        model.compile("adam", "mean_sqared")
    with pytest.raises(ValueError, match='Did you mean "precision"'):
        model.compile("adam", "mse", metrics=["precisoin"])
    with pytest.raises(ValueError, match="jit_compile"):
        model.compile("adam", "mse", jit_compile="yes")
    with pytest.raises(ValueError, match="2 entries for one output"):
        model.compile("adam", "mse", loss_weights=[1.0, 2.0])
    model.compile(None, "mse")
    with pytest.raises(RuntimeError, match="no optimizer"):
        model.fit(X, TARGETS)


# ---- training ------------------------------------------------------------------------


def test_linear_regression_finds_least_squares():
    y = TARGETS + 0.3 + 0.1 * np.random.default_rng(2).normal(size=TARGETS.shape)
    model = regressor(SGD(0.1, momentum=0.9))
    model.fit(X, y, batch_size=50, epochs=300, verbose=0)
    design = np.hstack([X, np.ones((50, 1))])
    expected = np.linalg.lstsq(design, y, rcond=None)[0]
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(np.vstack([kernel, bias[None]]), expected, atol=1e-4)


def test_losses_given_as_functions_and_weighted():
    def loss(y_true, y_pred):
        return tg.ops.square(y_true - y_pred).mean(axis=-1)

    a, b, c = regressor(), regressor(loss=loss), regressor(SGD(0.02), loss_weights=0.5)
    for model in (a, b, c):
        model.fit(X, TARGETS, shuffle=False, verbose=0)
    np.testing.assert_array_equal(a.get_weights()[0], b.get_weights()[0])
    np.testing.assert_allclose(a.get_weights()[0], c.get_weights()[0], rtol=1e-5, atol=1e-6)


def test_frozen_layers_stay():
    model = tg.Sequential([layers.Dense(5, input_dim=4), layers.Dense(1)])
    model.layers[0].trainable = False
    model.compile("adam", "mse")
    before = model.get_weights()
    model.fit(X, TARGETS, verbose=0)
    after = model.get_weights()
    np.testing.assert_array_equal(before[0], after[0])
    assert not np.array_equal(before[2], after[2])
    model.layers[0].trainable = True  # also while compiled
    model.fit(X, TARGETS, verbose=0)
    assert not np.array_equal(before[0], model.get_weights()[0])


def test_constraints_hold_after_each_step():
    model = tg.Sequential([layers.Dense(1, input_dim=4, kernel_constraint="non_neg")])
    model.compile(SGD(0.1), "mse")
    model.fit(X, TARGETS, epochs=3, verbose=0)
    assert (model.get_weights()[0] >= 0).all()


def test_custom_train_step():
    class Doubled(tg.Sequential):
        def train_step(self, data):
            x, y = data
            with tg.Tape() as tape:
                y_pred = self(x, training=True)
                loss = 2 * self.compute_loss(x, y, y_pred)
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
            return {"loss": float(loss), "extra": 1.0}

    model = Doubled([layers.Dense(1, input_dim=4)])
    model.compile("sgd", "mse")
    history = model.fit(X, TARGETS, epochs=2, verbose=0).history
    assert set(history) == {"loss", "extra"}


def test_a_model_of_two_networks_with_optimizers_of_their_own():
    class Pair(tg.Model):
        def __init__(self):
            super().__init__()
            self.generator = layers.Dense(4)
            self.critic = layers.Dense(1)

        def compile(self, first, second):
            super().compile()
            self.first, self.second = first, second

        def train_step(self, data):
            x = data  # without targets, the inputs alone, as in Keras
            values = {}
            for name, network, optimizer in (
                ("generator", self.generator, self.first),
                ("critic", self.critic, self.second),
            ):
                with tg.Tape() as tape:
                    loss = tg.ops.square(self.critic(self.generator(x)) - 1.0).mean()
                gradients = tape.gradient(loss, network.trainable_variables)
                optimizer.apply_gradients(zip(gradients, network.trainable_variables))
                values[name] = float(loss)
            return values

    model = Pair()
    model.compile(SGD(0.05), Adam(0.01))
    history = model.fit(X, epochs=20, verbose=0).history
    assert history["critic"][-1] < 0.2 * history["critic"][0]
    assert int(model.first.iterations) == int(model.second.iterations) == 40


def test_stopping_callbacks_stop():
    model = regressor(SGD(0.1))
    history = model.fit(
        X, TARGETS, epochs=200, verbose=0, callbacks=[StopAtThreshold("loss", threshold=0.05)]
    )
    losses = history.history["loss"]
    assert len(losses) < 200
    assert losses[-1] <= 0.05 < losses[-2]
    stopping = EarlyStopping(monitor="loss", patience=3, restore_best_weights=True)
    frozen = regressor(SGD(0.0))
    frozen.fit(X, TARGETS, epochs=50, shuffle=False, verbose=0, callbacks=[stopping])
    assert len(frozen.history.epoch) == 4


def test_an_interrupt_leaves_a_usable_model_and_the_whole_epochs():
    ended = []

    class Interrupt(Callback):
        def on_train_batch_end(self, batch, logs=None):
            if len(self.model.history.epoch) == 2 and batch == 1:
                raise KeyboardInterrupt

        def on_train_end(self, logs=None):
            ended.append(True)

    model = regressor()
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, TARGETS, epochs=9, batch_size=8, callbacks=[Interrupt()], verbose=1)
    assert ended == [True]
    assert len(model.history.history["loss"]) == 2
    assert model.predict(X).shape == (50, 1)
    model.fit(X, TARGETS, epochs=1, verbose=0)


def test_verbosity(capfd):
    model = regressor(metrics=["mae"])
    model.fit(X, TARGETS, epochs=2, verbose=0)
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""
    model.fit(X, TARGETS, epochs=2, verbose=2, validation_split=0.2)
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == 2
    assert re.match(r"Epoch 2/2 - \d+\.\d\ds - loss: \S+ - mae: \S+ - val_loss: \S+", lines[1])
    model.fit(X, TARGETS, epochs=2, verbose=1)
    text = capfd.readouterr().err
    assert "Epoch 2/2: 100%" in text
    assert re.search(r"loss=[\d.]+, mae=[\d.]+", text)
    model.evaluate(X, TARGETS)
    assert re.match(r"loss: [\d.]+ - mae: [\d.]+", capfd.readouterr().out)


def test_steps_and_first_epoch_can_be_limited():
    model = regressor()
    history = model.fit(X, TARGETS, batch_size=8, epochs=5, initial_epoch=3, verbose=0)
    assert history.epoch == [3, 4]
    model.fit(X, TARGETS, batch_size=8, steps_per_epoch=2, verbose=0)
    assert int(model.optimizer.iterations) == 2 * 7 + 2
    assert model.predict(X, batch_size=8, steps=2).shape == (16, 1)


def test_memory_of_the_step_loop_is_flat():
    import tracemalloc

    from tapegrad_kernels.cpu.program.chains import wait

    model = classifier(Adam(), metrics=["accuracy"])
    x, y = X[:32].astype(np.float32), Y[:32]
    for _ in range(20):
        model.train_on_batch(x, y)
        model.predict_on_batch(x)
    gc.collect()
    tracemalloc.start()
    try:
        for _ in range(20):
            model.train_on_batch(x, y)
            model.predict_on_batch(x)
        wait()  # loops of earlier tests that are compiled meanwhile would count
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(200):
            model.train_on_batch(x, y)
            model.predict_on_batch(x)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 20_000
