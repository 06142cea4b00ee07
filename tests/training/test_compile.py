"""Under which names losses and metrics are reported, for every form of compile: as in Keras 3."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import layers

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 3)).astype(np.float32)
PRICE = RNG.normal(size=(12, 1)).astype(np.float32)
KIND = RNG.integers(0, 3, 12)
ONE_HOT = np.eye(3, dtype=np.float32)[KIND]
CE = "sparse_categorical_crossentropy"


def functional(structure="list"):
    inputs = tg.Input((3,))
    a = layers.Dense(1, name="a")(inputs)
    b = layers.Dense(3, activation="softmax", name="b")(inputs)
    return tg.Model(inputs, {"list": [a, b], "dict": {"z": a, "c": b}}[structure])


class Network(tg.Model):
    def __init__(self, structure):
        super().__init__()
        self.p, self.q = layers.Dense(1), layers.Dense(3, activation="softmax")
        self.structure = structure

    def call(self, inputs):
        a, b = self.p(inputs), self.q(inputs)
        return {"list": [a, b], "dict": {"z": a, "c": b}, "nested": {"n": [a], "c": b}}[
            self.structure
        ]


def single(units=1, activation=None):
    return tg.Sequential([tg.Input((3,)), layers.Dense(units, activation=activation)])


BOTH, NAMED = [PRICE, KIND], {"z": PRICE, "c": KIND}


# The names are what Keras 3.15 reports for the same calls, except in the nested case, where its
# losses have these names but it takes no metrics.
@pytest.mark.parametrize(
    ("make", "y", "options", "names"),
    [
        (
            functional,
            BOTH,
            {"loss": ["mse", CE], "metrics": [["mae"], ["accuracy"]]},
            ["loss", "a_loss", "b_loss", "a_mae", "b_accuracy"],
        ),
        (
            functional,
            {"a": PRICE, "b": KIND},
            {
                "loss": {"a": "mse", "b": CE},
                "metrics": {"b": ["acc", "acc"]},
                "weighted_metrics": {"b": ["acc"]},
            },
            ["loss", "a_loss", "b_loss", "b_acc", "b_acc_1", "b_weighted_acc"],
        ),
        (functional, BOTH, {"loss": ["mse", None]}, ["loss"]),
        (functional, [PRICE], {"loss": ["mse", None]}, ["loss"]),
        (functional, PRICE, {"loss": ["mse", None]}, ["loss"]),
        (
            functional,
            [PRICE, ONE_HOT],
            {"loss": "mse", "metrics": ["mae", "mse"]},
            ["loss", "a_loss", "b_loss", "a_mae", "b_mse"],
        ),
        (
            lambda: functional("dict"),
            {"z": PRICE},
            {"loss": {"z": "mse"}, "metrics": {"z": "mae"}},
            ["loss", "z_mae"],
        ),
        (
            lambda: functional("dict"),
            [KIND, PRICE],  # lists stand for dicts in alphabetical order
            {"loss": [CE, "mse"], "metrics": [["accuracy"], ["mae"]]},
            ["loss", "c_loss", "z_loss", "c_accuracy", "z_mae"],
        ),
        (
            lambda: Network("list"),
            BOTH,
            {"loss": ["mse", CE], "metrics": [["mae"], ["accuracy"]]},
            ["loss", "mae", "accuracy", "mse_loss", f"{CE}_loss"],
        ),
        (
            lambda: Network("dict"),
            NAMED,
            {
                "loss": {"z": "mse", "c": CE},
                "metrics": {"z": ["mae"], "c": ["accuracy"]},
                "weighted_metrics": {"z": ["mae"], "c": ["accuracy"]},
            },
            [
                *("loss", "z_loss", "c_loss", "z_mae", "c_accuracy"),
                *("z_weighted_mae", "c_weighted_accuracy"),
            ],
        ),
        (
            lambda: Network("nested"),
            {"n": [PRICE], "c": KIND},
            {"loss": {"n": [tg.losses.MeanSquaredError()], "c": CE}},
            ["loss", "n/mean_squared_error_loss", "c_loss"],
        ),
        (
            single,
            PRICE,
            {"loss": "mse", "metrics": ["mse", "mse"], "weighted_metrics": ["mse", "mae"]},
            ["loss", "mse", "mse_1", "weighted_mse", "mae"],
        ),
        (
            single,
            PRICE,
            {"loss": ["mse"], "loss_weights": [0.5], "metrics": [["mae"]]},
            ["loss", "mae"],
        ),
        (
            single,
            PRICE,
            {"loss": "mse", "metrics": [tg.metrics.MeanAbsoluteError] * 2},
            ["loss", "mean_absolute_error", "mean_absolute_error_1"],
        ),
        (
            lambda: single(3, "softmax"),
            KIND,
            {"loss": "ce", "metrics": ["acc", "crossentropy"]},
            ["loss", "acc", "crossentropy"],
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:.* no gradient for")  # of outputs without a loss
def test_names(make, y, options, names):
    model = make()
    model.compile("sgd", **options)
    history = model.fit(X, y, batch_size=6, validation_data=(X, y), verbose=0).history
    assert set(history) == {*names, *(f"val_{name}" for name in names)}
    assert all(type(values[0]) is float for values in history.values())
    assert set(model.evaluate(X, y, verbose=0, return_dict=True)) == set(names)
    values = model.evaluate(X, y, verbose=0)
    assert len(names) == (len(values) if isinstance(values, list) else 1)


@pytest.mark.parametrize(
    ("make", "y", "expected"),
    [
        (lambda: single(1, "sigmoid"), KIND.clip(0, 1), "binary_crossentropy"),
        (lambda: single(3, "softmax"), KIND, CE),
        (lambda: single(3, "softmax"), KIND[:, None], CE),
        (lambda: single(3, "softmax"), ONE_HOT, "categorical_crossentropy"),
    ],
)
@pytest.mark.parametrize("name", ["crossentropy", "ce"])
def test_the_cross_entropy_that_fits(make, y, expected, name):
    model = make()
    model.compile("sgd", name)
    found = model.evaluate(X, y, verbose=0)
    model.compile("sgd", expected)
    assert found == model.evaluate(X, y, verbose=0)


def test_the_whole_loss_is_the_weighted_sum_of_those_of_the_outputs():
    model = functional()
    model.compile("sgd", ["mse", CE], loss_weights=[0.5, 2.0])
    values = model.evaluate(X, BOTH, verbose=0, return_dict=True)
    assert values["loss"] == pytest.approx(0.5 * values["a_loss"] + 2.0 * values["b_loss"])
    same = functional()
    same.set_weights(model.get_weights())
    same.compile("sgd", {"a": "mse", "b": CE}, loss_weights={"b": 2.0, "a": 0.5})
    assert same.evaluate(X, BOTH, verbose=0) == model.evaluate(X, BOTH, verbose=0)


def test_what_compile_refuses():
    model = functional()
    with pytest.raises(ValueError, match="loss has 2 entries, but loss_weights has 3"):
        model.compile("sgd", ["mse", CE], loss_weights=[1.0, 2.0, 3.0])
    with pytest.raises(TypeError, match="loss_weights is a number"):
        model.compile("sgd", "mse", loss_weights="heavy")
    with pytest.raises(TypeError, match="which is not a number"):
        model.compile("sgd", ["mse", CE], loss_weights=[1.0, "2"])
    with pytest.raises(ValueError, match='Unknown loss "msee"'):
        model.compile("sgd", {"a": "msee"})
    with pytest.raises(ValueError, match="Unknown metric"):
        model.compile("sgd", "mse", metrics={"a": ["meen"]})
    with pytest.raises(ValueError, match="steps_per_execution"):
        model.compile("sgd", "mse", steps_per_execution=0)
    assert not model.compiled


def test_metrics_that_do_not_fit_are_refused_before_the_first_step():
    model = single(2)
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["mae", "f1_score"])
    before = model.get_weights()
    for _ in range(2):
        with pytest.raises(ValueError, match="y_true has shape") as raised:
            model.fit(X, np.zeros(12, np.int64), verbose=0)
        assert "\n" not in str(raised.value)
    np.testing.assert_array_equal(before[0], model.get_weights()[0])


# ---- what the guides of Keras do -------------------------------------------------------


class Guide(tg.Model):
    """The model of the guide to custom training steps."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1)
        self.loss_tracker = tg.metrics.Mean(name="loss")
        self.mae_metric = tg.metrics.MeanAbsoluteError(name="mae")

    def call(self, inputs):
        return self.dense(inputs)

    def train_step(self, data):
        x, y = data
        with tg.Tape() as tape:
            y_pred = self(x, training=True)
            loss = tg.losses.mean_squared_error(y, y_pred)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        self.loss_tracker.update_state(loss)
        self.mae_metric.update_state(y, y_pred)
        return {m.name: m.result() for m in self.metrics}

    @property
    def metrics(self):
        return [self.loss_tracker, self.mae_metric]


def test_metrics_of_a_training_step_are_reset_each_epoch():
    model = Guide()
    model.compile(tg.optimizers.SGD(0.0))
    history = model.fit(X, PRICE, epochs=3, batch_size=4, shuffle=False, verbose=0).history
    assert set(history) == {"loss", "mae"}
    assert all(type(value) is float for value in history["loss"])
    assert history["mae"] == pytest.approx([np.abs(model.predict(X) - PRICE).mean()] * 3, rel=1e-5)


class Steps(tg.Sequential):
    """The other way of that guide: the compiled loss and metrics, used by hand."""

    def train_step(self, data):
        x, y, *weight = data
        weight = weight[0] if weight else None
        with tg.Tape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=weight)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(y, y_pred, sample_weight=weight)
        return {m.name: m.result() for m in self.metrics}


@pytest.mark.parametrize("weight", [None, np.linspace(0.5, 1.5, 12)])
def test_compiled_metrics_exist_before_the_first_step(weight):
    def run(kind):
        tg.set_seed(0)
        model = kind([tg.Input((3,)), layers.Dense(1)])
        model.compile("adam", "mse", weighted_metrics=["mae"])
        options = {"sample_weight": weight, "batch_size": 4, "shuffle": False, "verbose": 0}
        return model.fit(X, PRICE, epochs=2, **options).history

    by_hand, built_in = run(Steps), run(tg.Sequential)
    assert set(by_hand) == set(built_in) == {"loss", "mae"}
    for name, values in built_in.items():
        assert by_hand[name] == pytest.approx(values, rel=1e-6)


class OwnLoss(tg.Sequential):
    """compute_loss as written before it had an argument `training`."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
        return 3.0 * super().compute_loss(x, y, y_pred, sample_weight)


def test_losses_and_metrics_of_the_models_own():
    model = OwnLoss([tg.Input((3,)), layers.Dense(1)])
    model.seen = [tg.metrics.Sum(name="seen")]
    model.compile("sgd", "mse")
    model.seen[0].update_state([100.0])
    history = model.fit(X, PRICE, verbose=0).history
    assert history["seen"] == [0.0]  # reset when the epoch began
    plain = tg.Sequential(model.layers)
    plain.compile("sgd", "mse")
    assert model.evaluate(X, PRICE, verbose=0)[0] == pytest.approx(
        3 * plain.evaluate(X, PRICE, verbose=0)
    )


class Gan(tg.Model):
    """The model of the guide to adversarial networks: inputs alone, no `call`."""

    def __init__(self, critic, generator, latent):
        super().__init__()
        self.critic, self.generator, self.latent = critic, generator, latent
        self.trackers = {"d_loss": tg.metrics.Mean("d_loss"), "g_loss": tg.metrics.Mean("g_loss")}

    def compile(self, d_optimizer, g_optimizer, loss_fn):
        super().compile()
        self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn

    @property
    def metrics(self):
        return list(self.trackers.values())

    def train_step(self, real_images):
        if isinstance(real_images, tuple):
            real_images = real_images[0]
        batch = real_images.shape[0]
        made = self.generator(tg.random.normal((batch, self.latent)))
        combined = tg.ops.concatenate([made, real_images], axis=0)
        labels = np.concatenate([np.ones((batch, 1)), np.zeros((batch, 1))])
        with tg.Tape() as tape:
            d_loss = self.loss_fn(labels, self.critic(combined))
        gradients = tape.gradient(d_loss, self.critic.trainable_weights)
        self.d_optimizer.apply(gradients, self.critic.trainable_weights)
        noise = tg.random.normal((batch, self.latent))
        with tg.Tape() as tape:
            g_loss = self.loss_fn(np.zeros((batch, 1)), self.critic(self.generator(noise)))
        gradients = tape.gradient(g_loss, self.generator.trainable_weights)
        self.g_optimizer.apply(gradients, self.generator.trainable_weights)
        self.trackers["d_loss"].update_state(d_loss)
        self.trackers["g_loss"].update_state(g_loss)
        return {name: tracker.result() for name, tracker in self.trackers.items()}


@pytest.mark.parametrize("as_batches", [False, True])
def test_an_adversarial_network_trains(as_batches):
    model = Gan(
        tg.Sequential([tg.Input((3,)), layers.Dense(1)]),
        tg.Sequential([tg.Input((2,)), layers.Dense(3)]),
        latent=2,
    )
    model.compile(
        tg.optimizers.Adam(0.01),
        tg.optimizers.Adam(0.01),
        tg.losses.BinaryCrossentropy(from_logits=True),
    )
    data = tg.data.Dataset.from_tensor_slices(X).batch(5) if as_batches else X
    history = model.fit(data, epochs=2, batch_size=None if as_batches else 5, verbose=0).history
    assert set(history) == {"d_loss", "g_loss"}
    assert int(model.d_optimizer.iterations) == int(model.g_optimizer.iterations) == 6


# ---- long runs -------------------------------------------------------------------------


def test_memory_stays_over_ten_thousand_predictions_and_steps():
    import gc
    import tracemalloc

    from tapegrad_kernels.cpu.program.chains import wait

    model = single()
    model.compile("adam", "mse", metrics=["mae"])
    one = X[:1]

    def work(times):
        for _ in range(times):
            model.predict_on_batch(one)
        model.fit(X, PRICE, batch_size=2, epochs=times // 20, verbose=0)
        model.history = None
        gc.collect()

    work(200)
    tracemalloc.start()
    try:
        work(2_000)
        wait()  # loops of earlier tests that are compiled meanwhile would count
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        work(10_000)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 20_000
