"""Steps that become programs: bit for bit what the same steps are operation by operation."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import layers, metrics, ops
from tapegrad.callbacks import Callback, EarlyStopping, LambdaCallback, LearningRateScheduler
from tapegrad.optimizers import SGD, Adam

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 6)).astype(np.float32)
CLASSES = RNG.integers(0, 3, 50)
BINARY = (X[:, :1] > 0).astype(np.int64)
NUMBERS = RNG.normal(size=(50, 1)).astype(np.float32)
IMAGES = RNG.normal(size=(40, 8, 8, 1)).astype(np.float32)
SEQUENCES = RNG.normal(size=(40, 5, 3)).astype(np.float32)
TOKENS = RNG.integers(0, 9, (40, 5))
SPARSE = "sparse_categorical_crossentropy"


def dense(*inner):
    return [tg.Input((6,)), *inner, layers.Dense(3, "softmax")]


def network(stack, optimizer="adam", loss=SPARSE, jit="auto", **options):
    """Return a compiled model; `stack` makes its layers, an optimizer is made from its class."""
    tg.set_seed(0)
    model = stack() if isinstance(stack, type) else tg.Sequential(stack())
    chosen = optimizer() if callable(optimizer) else optimizer
    model.compile(chosen, loss, jit_compile=jit, **options)
    return model


def numbers(model):
    """Return all that a model has learnt and counted."""
    found = {f"weight {i}": value for i, value in enumerate(model.get_weights())}
    if model.optimizer is not None and model.optimizer.built:
        found |= {f"optimizer {k}": v for k, v in model.optimizer.get_state().items()}
    for metric in model.metrics:
        found |= {f"{metric.name} {key}": value for key, value in metric.get_state().items()}
    for i, generator in enumerate([tg.random.get_generator(), *model._generators()]):
        found[f"generator {i}"] = generator.stream.numpy()
    return found


def assert_same(one, other):
    assert list(one) == list(other)
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], name)


def ran(model, kind="train"):
    """Whether the step of a model ran as a program."""
    step = None if model._programs is None else model._programs.step(kind)
    return step is not None and step.ran


def check_fit(stack, x, y, *, epochs=4, programs=True, calls=None, **options):
    """Train eagerly and with programs, and compare everything; return the jitted model.

    Options are those of `network`; in `calls` are further arguments of `fit`.
    """
    results = []
    calls = {"batch_size": 8, "verbose": 0, **(calls or {})}
    for jit in (False, "auto"):
        model = network(stack, jit=jit, **options)
        given = {k: v() if k == "callbacks" else v for k, v in calls.items()}
        history = model.fit(x, y, epochs=epochs, **given)
        found = numbers(model)
        outputs = model.predict(x, batch_size=calls["batch_size"], verbose=0)
        results.append((history.history, history.epoch, found, outputs))
    (one_history, one_epochs, one, one_outputs), (history, whole, other, outputs) = results
    assert history == one_history
    assert whole == one_epochs
    assert_same(one, other)
    np.testing.assert_array_equal(outputs, one_outputs)
    assert ran(model) is programs
    return model


# ---- networks ----------------------------------------------------------------------------


class Subclass(tg.Model):
    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(5, "relu")
        self.drop = layers.Dropout(0.3)
        self.out = layers.Dense(3, "softmax")

    def call(self, inputs, training=False):
        hidden = self.hidden(inputs)
        self.add_loss(1e-2 * ops.mean(ops.square(hidden)))
        return self.out(self.drop(hidden, training=training))


class Functional:
    def __new__(cls):
        x = tg.Input((6,))
        hidden = layers.Dense(5, "relu")(x)
        shared = layers.Dense(5)
        out = layers.Concatenate()([shared(hidden), shared(hidden + 1.0)])
        return tg.Model(x, layers.Dense(3, "softmax")(out))


NETWORKS = {
    "dense": lambda: dense(layers.Dense(7, "relu"), layers.Dense(5, "tanh")),
    "dropout": lambda: dense(layers.Dense(7, "gelu"), layers.Dropout(0.5)),
    "own generator": lambda: dense(layers.Dropout(0.5, seed=3), layers.GaussianNoise(0.1, seed=4)),
    "batch normalization": lambda: dense(layers.Dense(7), layers.BatchNormalization()),
    "other normalizations": lambda: dense(
        layers.LayerNormalization(), layers.Dense(4), layers.GroupNormalization(2)
    ),
    "penalties": lambda: dense(
        layers.Dense(
            7,
            "relu",
            kernel_regularizer="l2",
            bias_regularizer="l1",
            activity_regularizer="l2",
            kernel_constraint=tg.constraints.MaxNorm(0.7),
        )
    ),
    "subclass": Subclass,
    "functional": Functional,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name):
    check_fit(NETWORKS[name], X, CLASSES, metrics=["accuracy"])


STACKS = {
    "convolution": (
        lambda: [
            layers.Conv2D(4, 3, activation="relu", padding="same", input_shape=(8, 8, 1)),
            layers.MaxPooling2D(),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, "softmax"),
        ],
        IMAGES,
    ),
    "separable": (
        lambda: [
            layers.SeparableConv2D(4, 3, activation="relu", input_shape=(8, 8, 1)),
            layers.DepthwiseConv2D(3),
            layers.AveragePooling2D(),
            layers.Flatten(),
            layers.Dense(3, "softmax"),
        ],
        IMAGES,
    ),
    "lstm": (
        lambda: [layers.LSTM(4, input_shape=(5, 3)), layers.Dense(3, "softmax")],
        SEQUENCES,
    ),
    "gru": (
        lambda: [
            layers.GRU(4, return_sequences=True, input_shape=(5, 3)),
            layers.SimpleRNN(3),
            layers.Dense(3, "softmax"),
        ],
        SEQUENCES,
    ),
    "embedding": (
        lambda: [
            layers.Embedding(9, 4),
            layers.GlobalAveragePooling1D(),
            layers.Dense(3, "softmax"),
        ],
        TOKENS,
    ),
    "masked": (
        lambda: [
            layers.Embedding(9, 4, mask_zero=True),
            layers.LSTM(4),
            layers.Dense(3, "softmax"),
        ],
        TOKENS,
    ),
}


@pytest.mark.parametrize("name", STACKS)
def test_stacks_for_other_data(name):
    stack, x = STACKS[name]
    check_fit(stack, x, CLASSES[:40], metrics=["accuracy"])


@pytest.mark.parametrize("kind", [layers.LSTM, layers.SimpleRNN, layers.GRU])
def test_stateful_layers(kind):
    def stack():
        return [kind(3, stateful=True, input_shape=(5, 3)), layers.Dense(3, "softmax")]

    model = check_fit(stack, SEQUENCES, CLASSES[:40], calls={"shuffle": False})
    again = network(stack, jit=False)
    again.fit(SEQUENCES, CLASSES[:40], 8, 4, shuffle=False, verbose=0)
    again.predict(SEQUENCES, 8)  # as was done with the other one
    for one, other in zip(again.layers[0].carried_states(), model.layers[0].carried_states()):
        np.testing.assert_array_equal(one, other)


# ---- optimizers --------------------------------------------------------------------------


@pytest.mark.parametrize("made", tg.optimizers._CLASSES, ids=lambda made: made.__name__)
def test_optimizers(made):
    check_fit(NETWORKS["dense"], X, CLASSES, optimizer=made)


SETTINGS = {
    "momentum": {"momentum": 0.9, "nesterov": True},
    "decay": {"weight_decay": 0.01},
    "clipnorm": {"clipnorm": 0.1},
    "clipvalue": {"clipvalue": 0.01},
    "global_clipnorm": {"global_clipnorm": 0.1},
    "means": {"use_ema": True, "ema_momentum": 0.9},
    "means put in place": {"use_ema": True, "ema_overwrite_frequency": 3},
    "scaled loss": {"loss_scale_factor": 8.0},
    "accumulated": {"gradient_accumulation_steps": 3},
    "schedule": {"learning_rate": tg.optimizers.schedules.ExponentialDecay(0.1, 5, 0.9)},
    "function": {"learning_rate": lambda step: 0.1 / (1 + float(step))},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_of_optimizers(name):
    check_fit(
        NETWORKS["dense"],
        X,
        CLASSES,
        optimizer=lambda: SGD(**{"learning_rate": 0.1, **SETTINGS[name]}),
        epochs=7,
    )


# ---- losses, metrics, weights ------------------------------------------------------------

LOSSES = [
    *("mse", "mae", "mape", "msle", "huber", "log_cosh", "cosine_similarity", "poisson"),
    *("binary_crossentropy", "hinge", "squared_hinge", "binary_focal_crossentropy"),
    *("kl_divergence", "dice", "tversky"),
]


@pytest.mark.parametrize("loss", LOSSES)
def test_losses(loss):
    def stack():
        return [tg.Input((6,)), layers.Dense(2, "sigmoid")]

    y = np.concatenate([BINARY, 1 - BINARY], 1)
    check_fit(stack, X, y, loss=loss)


@pytest.mark.parametrize("loss", ["categorical_crossentropy", "categorical_hinge"])
def test_losses_of_one_hot_labels(loss):
    y = np.eye(3, dtype=np.float32)[CLASSES]
    check_fit(NETWORKS["dense"], X, y, loss=loss, metrics=["accuracy", "categorical_crossentropy"])


METRICS = {
    "several": ["accuracy", SPARSE, "sparse_top_k_categorical_accuracy"],
    "of own": [lambda true, pred: ops.mean(pred, axis=-1)],
}


@pytest.mark.parametrize("name", METRICS)
def test_metrics(name):
    check_fit(NETWORKS["dense"], X, CLASSES, metrics=METRICS[name], weighted_metrics=["accuracy"])


def test_metrics_of_decisions():
    def stack():
        return [tg.Input((6,)), layers.Dense(1, "sigmoid")]

    chosen = ["accuracy", "precision", "recall", "auc", "f1_score", "mae", "mse"]
    model = check_fit(
        stack,
        X,
        BINARY.astype(np.float32),
        loss="binary_crossentropy",
        metrics=[*chosen, metrics.BinaryAccuracy(threshold=0.3, name="low")],
    )
    assert model.get_metrics_result().keys() >= {*chosen, "low"}


def test_metrics_of_numbers():
    def stack():
        return [tg.Input((6,)), layers.Dense(1)]

    chosen = ["mae", "mse", "root_mean_squared_error", "r2_score", "cosine_similarity"]
    check_fit(stack, X, NUMBERS, loss="mse", metrics=chosen, epochs=6)


@pytest.mark.parametrize(
    "calls",
    [
        {"sample_weight": RNG.random(50)},
        {"class_weight": {0: 1.0, 1: 3.0}},
        {"validation_split": 0.3},
        {"validation_data": (X[:9], CLASSES[:9], np.ones(9)), "validation_freq": 2},
        {"shuffle": False},
        {"steps_per_epoch": 4},
        {"batch_size": 50},
        {"batch_size": 64},
        {"batch_size": 10},
        {"batch_size": 1},
    ],
    ids=lambda calls: next(iter(calls)),
)
@pytest.mark.filterwarnings("ignore:The arrays ended after 3 batches")
def test_ways_of_fit(calls):
    check_fit(
        NETWORKS["dropout"],
        X,
        CLASSES,
        metrics=["accuracy"],
        weighted_metrics=["accuracy"],
        calls=calls,
        epochs=5,
    )


def test_many_epochs_of_few_steps():
    for calls in ({"batch_size": 50}, {"batch_size": 25}, {"batch_size": 20}):
        for shuffle in (True, False):
            check_fit(
                lambda: [tg.Input((6,)), layers.Dense(1)],
                X,
                NUMBERS,
                optimizer=SGD,
                loss="mse",
                epochs=300,
                calls={**calls, "shuffle": shuffle},
            )


@pytest.mark.parametrize("size", [50, 20])
def test_interrupted_epochs_are_drawn_again(monkeypatch, size):
    """Orders that were drawn for epochs which did not begin are no part of the sequence."""
    from tapegrad.training.many_steps import ManySteps

    take, calls = ManySteps.take_epochs, []

    def interrupted(self, step, count):
        calls.append(count)
        if len(calls) == 1:
            monkeypatch.setattr(ManySteps, "_run_epochs", stop)
        take(self, step, count)

    def stop(self, programs, orders):
        raise KeyboardInterrupt

    monkeypatch.setattr(ManySteps, "take_epochs", interrupted)
    model = network(lambda: [tg.Input((6,)), layers.Dense(1)], optimizer=SGD, loss="mse")
    stream = tg.random.get_generator().stream
    before = int(stream)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, NUMBERS, size, 100, verbose=0)
    assert calls
    assert calls[0] > 2
    whole = len(model.history.epoch)
    assert 0 < whole < 10
    assert int(stream) - before == whole + 1


def tables(tmp_path):
    """The same numbers, lying in memory in different ways, by name."""
    wide = np.concatenate([X, NUMBERS], 1)
    file = np.memmap(tmp_path / "rows", np.float32, "w+", shape=X.shape)
    file[:] = X
    double = np.memmap(tmp_path / "doubles", np.float64, "w+", shape=X.shape)
    double[:] = X
    longer = np.memmap(tmp_path / "columns", np.float32, "w+", shape=wide.shape)
    longer[:] = wide
    return {
        "float64": X.astype(np.float64),
        "float64 by columns": np.asfortranarray(X, np.float64),
        "columns": np.asfortranarray(X),
        "part of a table": wide[:, :-1],
        "backwards": X[::-1].copy()[::-1],
        "other bytes": X.astype(">f4"),
        "list": X.tolist(),
        "tensor": tg.tensor(X),
        "read only": np.broadcast_to(X, X.shape),
        "mapped": file,
        "mapped doubles": double,
        "part of mapped": longer[:, :-1],
        "view of mapped": np.asarray(file),
    }


@pytest.mark.parametrize("labels", ["int32", "float32", "uint8", ">i4", "column", "list"])
def test_arrays_of_labels(labels):
    if labels == "column":
        y = np.stack([CLASSES, CLASSES[::-1]], 1)[:, 0]
    else:
        y = CLASSES.tolist() if labels == "list" else CLASSES.astype(labels)
    check_fit(NETWORKS["dense"], X, y, metrics=["accuracy"])


def test_arrays_that_lie_in_other_ways(tmp_path, monkeypatch):
    """Steps run many in one call, with the bits of rows one after another."""
    from tapegrad._jit.epoch import EpochProgram

    run, counts = EpochProgram.run, []

    def counted(self, sources, order, first, count, *more):
        counts.append(count)
        return run(self, sources, order, first, count, *more)

    monkeypatch.setattr(EpochProgram, "run", counted)
    expected = numbers(check_fit(NETWORKS["dropout"], X, CLASSES, epochs=5))
    for name, x in tables(tmp_path).items():
        counts.clear()
        model = check_fit(NETWORKS["dropout"], x, CLASSES, epochs=5)
        assert_same(numbers(model), expected)
        assert (len(counts) > 0) is (name not in {"part of mapped"}), name


def test_images_of_bytes():
    def stack():
        return [
            layers.Rescaling(1 / 255.0, input_shape=(8, 8, 1)),
            layers.Conv2D(3, 3),
            layers.Flatten(),
            layers.Dense(3, "softmax"),
        ]

    images = RNG.integers(0, 256, (40, 8, 8, 1)).astype(np.uint8)
    check_fit(stack, images, CLASSES[:40].astype(np.uint8))
    check_fit(stack, np.moveaxis(images, 0, -1).copy().transpose(3, 0, 1, 2), CLASSES[:40])


def test_parts_of_mapped_arrays_are_not_copied(tmp_path):
    from tapegrad.training.sources import ArraySource

    arrays = tables(tmp_path)
    assert ArraySource(arrays["part of mapped"]).in_c_order() is None
    for name in ("mapped", "mapped doubles", "view of mapped", "read only"):
        (array, *_) = ArraySource(arrays[name]).in_c_order()
        assert type(array) is np.ndarray
        assert np.shares_memory(array, arrays[name])
    columns = ArraySource(arrays["columns"])
    assert columns.in_c_order() is columns.in_c_order()
    assert ArraySource(np.broadcast_to(X[:1], X.shape)).in_c_order() is None


def test_several_outputs():
    def functional():
        x = tg.Input((6,))
        hidden = layers.Dense(5, "relu")(x)
        outputs = {
            "a": layers.Dense(1, name="a")(hidden),
            "b": layers.Dense(3, "softmax", name="b")(hidden),
        }
        return tg.Model(x, outputs)

    results = []
    for jit in (False, "auto"):
        tg.set_seed(0)
        model = functional()
        model.compile(
            "adam",
            {"a": "mse", "b": SPARSE},
            loss_weights={"a": 0.5, "b": 1.0},
            metrics={"a": ["mae"], "b": ["accuracy"]},
            jit_compile=jit,
        )
        y = {"a": NUMBERS, "b": CLASSES}
        history = model.fit(X, y, 8, 4, verbose=0, validation_split=0.2).history
        results.append((history, numbers(model), model.predict(X)))
    assert results[0][0] == results[1][0]
    assert_same(results[0][1], results[1][1])
    assert_same(results[0][2], results[1][2])
    assert ran(model)


# ---- evaluation and single batches -------------------------------------------------------


def test_evaluate_predict_and_single_batches():
    models = [
        network(NETWORKS["dropout"], jit=jit, metrics=["accuracy"]) for jit in (False, "auto")
    ]
    for size in (8, 8, 8, 50, 7, 7, 7):
        values = [model.evaluate(X, CLASSES, batch_size=size, verbose=0) for model in models]
        assert values[0] == values[1]
        outputs = [model.predict(X, batch_size=size) for model in models]
        np.testing.assert_array_equal(*outputs)
    for number in range(6):
        rows = slice(number, number + 9)
        tg.set_seed(number)
        first = models[0].train_on_batch(X[rows], CLASSES[rows])
        tg.set_seed(number)
        assert models[1].train_on_batch(X[rows], CLASSES[rows]) == first
        values = [model.test_on_batch(X[rows], CLASSES[rows]) for model in models]
        assert values[0] == values[1]
        np.testing.assert_array_equal(*[model.predict_on_batch(X[rows]) for model in models])
    assert all(ran(models[1], kind) for kind in ("train", "test", "predict"))


def several():
    """A network of outputs of several shapes, in dicts and lists."""
    x = tg.Input((6,))
    hidden = layers.Dense(5, "relu")(x)
    one, other = layers.Dense(1)(hidden), layers.Dense(4)(hidden)
    return tg.Model(x, {"z": one, "a": [other, layers.Reshape((2, 2))(other), one]})


@pytest.mark.parametrize("size", [1, 8, 13, 25, 50, 64])
@pytest.mark.parametrize("steps", [None, 4])
@pytest.mark.filterwarnings("ignore:The arrays ended")
def test_predict_in_few_calls(size, steps):
    tg.set_seed(0)
    eager, model = several(), several()
    model.set_weights(eager.get_weights())
    eager.compile(jit_compile=False)
    model.compile()
    wanted = eager.predict(X, batch_size=size, steps=steps)
    kept = None
    for _ in range(4):
        outputs = model.predict(X, batch_size=size, steps=steps)
        assert list(outputs) == ["z", "a"]
        for one, other in zip([outputs["z"], *outputs["a"]], [wanted["z"], *wanted["a"]]):
            np.testing.assert_array_equal(one, other)
        assert kept is None or not np.shares_memory(kept["z"], outputs["z"])
        kept = outputs
    assert ran(model, "predict")


def test_predictions_that_are_no_rows():
    def stack():
        return [tg.Input((6,)), layers.Lambda(lambda x: ops.sum(x, axis=0))]

    model = network(stack, loss=None)
    for _ in range(4):
        expected = np.concatenate([X[i : i + 8].sum(0) for i in range(0, 50, 8)])
        np.testing.assert_allclose(model.predict(X, 8), expected, rtol=1e-4, atol=1e-5)


def test_predict_stops_and_tells_callbacks():
    model = network(NETWORKS["dense"])
    seen = []
    note = LambdaCallback(on_predict_batch_end=lambda batch, logs: seen.append(logs["outputs"]))
    for _ in range(3):
        seen.clear()
        outputs = model.predict(X, 8, callbacks=[note])
        np.testing.assert_array_equal(np.concatenate(seen), outputs)
        np.testing.assert_array_equal(model.predict(X, 8), outputs)


def test_losses_that_layers_added_are_those_of_the_last_step():
    models = [network(Subclass, jit=jit) for jit in (False, "auto")]
    for number in range(6):
        rows = slice(8 * number, 8 * number + 8)
        for model in models:
            tg.set_seed(number)
            model.train_on_batch(X[rows], CLASSES[rows])
        eager, kept = [[float(loss) for loss in model.losses] for model in models]
        assert eager == kept
        assert len(kept) == 1
    assert ran(models[1])


def test_outputs_are_new_arrays():
    model = network(NETWORKS["dense"])
    outputs = [model.predict_on_batch(X[i : i + 4]) for i in range(5)]
    kept = [output.copy() for output in outputs]
    for i in range(5):
        model.predict_on_batch(X[i : i + 4])
        outputs[i] += 1
        np.testing.assert_array_equal(outputs[i], kept[i] + 1)


def test_models_that_are_not_compiled_predict():
    tg.set_seed(0)
    model = tg.Sequential(NETWORKS["dense"]())
    first = model.predict_on_batch(X)
    for _ in range(3):
        np.testing.assert_array_equal(model.predict_on_batch(X), first)


# ---- data in batches ---------------------------------------------------------------------


def batches():
    for start in range(0, 48, 8):
        yield X[start : start + 8], CLASSES[start : start + 8]


def test_generators_and_data_sets():
    results = []
    for jit in (False, "auto"):
        model = network(NETWORKS["dropout"], jit=jit, metrics=["accuracy"])
        history = model.fit(
            (b for _ in range(3) for b in batches()), epochs=3, steps_per_epoch=6, verbose=0
        ).history
        data = tg.data.Dataset.from_tensor_slices((X, CLASSES)).shuffle(50, seed=1).batch(9)
        more = model.fit(data, epochs=3, verbose=0, validation_data=data).history
        results.append((history, more, numbers(model)))
    assert results[0][:2] == results[1][:2]
    assert_same(results[0][2], results[1][2])
    assert ran(model)


# ---- callbacks and changes between steps -------------------------------------------------


class Freezing(Callback):
    """Changes all that can be changed, between epochs."""

    def on_epoch_begin(self, epoch, logs=None):
        model = self.model
        if epoch == 3:
            model.layers[0].trainable = False
        if epoch == 5:
            model.layers[0].trainable = True
        if epoch == 6:
            model.layers[1].rate = 0.9
        if epoch == 7:
            model.set_weights([weight * 0.5 for weight in model.get_weights()])
        if epoch == 8:
            model.optimizer.learning_rate = 0.5
        if epoch == 9:
            model.optimizer.weight_decay = 0.1


@pytest.mark.parametrize("each_batch", [False, True])
@pytest.mark.filterwarnings("error")
def test_changes_between_epochs(each_batch):
    def callbacks():
        seen = LambdaCallback(on_train_batch_end=lambda batch, logs: None)
        return [Freezing(), seen] if each_batch else [Freezing()]

    check_fit(
        lambda: dense(layers.Dense(5, "relu"), layers.Dropout(0.2)),
        X,
        CLASSES,
        optimizer=lambda: SGD(0.1, momentum=0.9),
        epochs=12,
        calls={"callbacks": callbacks},
        programs=True,
    )


def test_callbacks_with_values_of_batches():
    seen = {False: [], "auto": []}
    for jit in seen:
        model = network(NETWORKS["dense"], jit=jit, metrics=["accuracy"])
        note = LambdaCallback(on_train_batch_end=lambda b, logs, to=seen[jit]: to.append((b, logs)))
        model.fit(X, CLASSES, 8, 4, verbose=0, callbacks=[note])
    assert seen[False] == seen["auto"]
    assert len(seen["auto"]) == 4 * 7


def test_callbacks_of_epochs():
    def callbacks():
        return [
            EarlyStopping("loss", patience=2, restore_best_weights=True),
            LearningRateScheduler(lambda epoch, rate: rate * 1.7),
        ]

    check_fit(
        NETWORKS["dense"],
        X,
        CLASSES,
        optimizer=lambda: SGD(0.5),
        epochs=30,
        calls={"callbacks": callbacks},
    )


def test_changes_between_calls():
    models = [network(NETWORKS["dropout"], jit=jit) for jit in (False, "auto")]

    def both(change):
        for model in models:
            change(model)
            tg.set_seed(1)
            model.fit(X, CLASSES, 8, 4, verbose=0)
        assert_same(*[numbers(model) for model in models])

    both(lambda model: None)
    both(lambda model: setattr(model.layers[0], "trainable", False))
    both(lambda model: model.compile(Adam(0.1), SPARSE, jit_compile=model._jit_compile))
    both(lambda model: setattr(model.layers[0], "activation", tg.activations.get("tanh")))
    both(lambda model: setattr(model, "optimizer", SGD(0.3)))
    both(lambda model: model.add(layers.Dense(3, "softmax")))
    both(lambda model: model.pop())
    assert ran(models[1])


def test_models_with_common_layers():
    results = []
    for jit in (False, "auto"):
        tg.set_seed(0)
        shared = layers.Dense(5, "relu")
        one = tg.Sequential([tg.Input((6,)), shared, layers.Dense(3, "softmax")])
        other = tg.Sequential([tg.Input((6,)), shared, layers.Dense(1)])
        one.compile("adam", SPARSE, jit_compile=jit)
        other.compile("sgd", "mse", jit_compile=jit)
        for start in range(0, 40, 8):
            rows = slice(start, start + 8)
            results.append(one.train_on_batch(X[rows], CLASSES[rows]))
            results.append(other.train_on_batch(X[rows], NUMBERS[rows]))
        results.append(one.fit(X, CLASSES, 8, 3, verbose=0).history)
        results.append(other.fit(X, NUMBERS, 8, 3, verbose=0).history)
        results.append(one.evaluate(X, CLASSES, verbose=0))
    half = len(results) // 2
    assert results[:half] == results[half:]
    assert ran(one)
    assert ran(other)


def test_eager_calls_between_steps():
    results = []
    for jit in (False, "auto"):
        model = network(NETWORKS["batch normalization"], jit=jit)
        for start in range(0, 40, 8):
            rows = slice(start, start + 8)
            results.append(model.train_on_batch(X[rows], CLASSES[rows]))
            results.append(np.asarray(model(X[rows])).tolist())
            with tg.Tape() as tape:
                loss = ops.mean(ops.square(model(X[rows], training=True)))
            gradients = tape.gradient(loss, model.trainable_variables)
            results.append([np.asarray(g).tolist() for g in gradients])
    half = len(results) // 2
    assert results[:half] == results[half:]


def test_under_a_tape_steps_are_operations():
    model = network(NETWORKS["dense"])
    for _ in range(4):
        model.train_on_batch(X[:8], CLASSES[:8])
    with tg.Tape():
        first = model.train_on_batch(X[:8], CLASSES[:8])
    other = network(NETWORKS["dense"], jit=False)
    assert [other.train_on_batch(X[:8], CLASSES[:8]) for _ in range(5)][-1] == first


# ---- what cannot be recorded -------------------------------------------------------------


class Reading(layers.Layer):
    """A layer that decides by a value."""

    def call(self, inputs):
        return inputs * 2.0 if float(ops.mean(inputs)) > 0 else inputs


def test_layers_that_read_values_run_eagerly_after_one_warning():
    model = network(lambda: dense(Reading()))
    with pytest.warns(RuntimeWarning, match=r"runs eagerly: .*test_jit\.py, line") as told:
        model.fit(X, CLASSES, 10, 4, verbose=0)
    assert len(told) == 1
    assert not ran(model)
    with pytest.warns(RuntimeWarning, match="runs eagerly"):
        check_fit(lambda: dense(Reading()), X, CLASSES, programs=False)


class Counting(layers.Layer):
    """A layer whose calls leave something behind in Python."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def call(self, inputs):
        self.calls += 1
        return inputs * (1.0 / self.calls)


@pytest.mark.filterwarnings("ignore:.*runs eagerly")
def test_layers_that_change_run_eagerly():
    check_fit(lambda: dense(Counting()), X, CLASSES, programs=False)


KEPT = []


class Remembering(layers.Layer):
    """A layer that keeps a tensor from call to call, where nobody sees it."""

    def call(self, inputs):
        before = KEPT[-1] if KEPT and KEPT[-1].shape == inputs.shape else 0.0
        KEPT.append(inputs)
        return inputs + before


@pytest.mark.filterwarnings("ignore:.*runs eagerly")
def test_layers_that_keep_tensors_run_eagerly():
    check_fit(lambda: KEPT.clear() or dense(Remembering()), X, CLASSES, programs=False)


class OwnStep(tg.Sequential):
    """A model with a training step of its own, which counts in Python."""

    taken = 0

    def train_step(self, data):
        self.taken += 1
        return {**super().train_step(data), "taken": self.taken}


@pytest.mark.filterwarnings("error")
def test_own_steps_run_eagerly():
    tg.set_seed(0)
    model = OwnStep(NETWORKS["dense"]())
    model.compile("adam", SPARSE)
    history = model.fit(X, CLASSES, 10, 4, verbose=0).history
    assert history["taken"] == [5, 10, 15, 20]
    assert not ran(model)
    assert ran(model, "predict") is False
    for _ in range(3):
        model.predict_on_batch(X)
    assert ran(model, "predict")


class Written(tg.Sequential):
    """A model with a training step of its own that tensors pass through."""

    reads = False

    def train_step(self, data):
        x, y = data
        with tg.Tape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        return {"loss": float(loss) if self.reads else loss}


@pytest.mark.filterwarnings("error")
def test_own_steps_are_recorded_if_that_was_asked_for():
    results = []
    for jit in (False, True):
        tg.set_seed(0)
        model = Written(NETWORKS["dropout"]())
        model.compile("adam", SPARSE, jit_compile=jit)
        history = model.fit(X, CLASSES, 8, 4, verbose=0).history
        results.append((history, numbers(model)))
    assert results[0][0] == results[1][0]
    assert_same(results[0][1], results[1][1])
    assert ran(model)


def test_own_steps_that_read_values_are_told_each_time():
    tg.set_seed(0)
    model = Written(NETWORKS["dropout"]())
    model.reads = True
    model.compile("adam", SPARSE, jit_compile=True)
    with pytest.warns(RuntimeWarning, match=r"runs eagerly: .*test_jit\.py, line") as told:
        model.fit(X, CLASSES, 8, 4, verbose=0)
    assert len(told) == 2  # for whole batches and for the last one
    assert not ran(model)


def test_false_and_run_eagerly_record_nothing():
    for options in ({"jit": False}, {"run_eagerly": True}):
        model = network(NETWORKS["dense"], **options)
        model.fit(X, CLASSES, 10, 4, verbose=0)
        assert model._programs is None


# ---- errors and interrupts ---------------------------------------------------------------


def test_labels_out_of_range_are_refused_by_programs():
    model = network(NETWORKS["dense"])
    for _ in range(3):
        model.train_on_batch(X[:8], CLASSES[:8])
    bad = CLASSES[:8].copy()
    bad[3] = 7
    with pytest.raises(ValueError, match="7"):
        model.train_on_batch(X[:8], bad)


def test_nan_is_told_with_its_step():
    x = X.copy()
    x[37] = np.inf
    for calls in ({}, {"callbacks": [LambdaCallback(on_train_batch_end=lambda b, logs: None)]}):
        model = network(lambda: [tg.Input((6,)), layers.Dense(1)], optimizer="sgd", loss="mse")
        model.fit(X, NUMBERS, 8, 4, shuffle=False, verbose=0)
        with pytest.warns(UserWarning, match=r"NaN in epoch 2, step 1\b|NaN in epoch 1, step [56]"):
            model.fit(x, NUMBERS, 8, 3, shuffle=False, verbose=0, **calls)


def test_interrupted_training_keeps_whole_epochs():
    class Stop(Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 5:
                raise KeyboardInterrupt

    model = network(NETWORKS["dense"])
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, CLASSES, 10, 9, verbose=0, callbacks=[Stop()])
    assert model.history.epoch == [0, 1, 2, 3, 4, 5]
    model.fit(X, CLASSES, 10, 2, verbose=0)


def test_training_in_threads():
    import threading

    def train(found, number, jit):
        model = models[number]
        found[number] = [model.train_on_batch(X[:8], CLASSES[:8]) for _ in range(20)]

    found = []
    for jit in (False, "auto"):
        models = [network(NETWORKS["dense"], jit=jit) for _ in range(3)]
        results = [None] * 3
        threads = [threading.Thread(target=train, args=(results, n, jit)) for n in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found.append(results)
    assert found[0] == found[1]


def test_copies_have_programs_of_their_own():
    import copy
    import pickle

    model = network(NETWORKS["dense"])
    model.fit(X, CLASSES, 10, 4, verbose=0)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        before = model.get_weights()
        other.fit(X, CLASSES, 10, 4, verbose=0)
        for one, kept in zip(model.get_weights(), before):
            np.testing.assert_array_equal(one, kept)
