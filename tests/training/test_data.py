"""What `fit`, `evaluate` and `predict` take as data, and what they refuse."""

from __future__ import annotations

import re
from collections import namedtuple

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import layers
from tapegrad.callbacks import Callback

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 4)).astype(np.float32)
Y = X @ RNG.normal(size=(4, 1)).astype(np.float32)


def network(metrics=("mae",)):
    tg.set_seed(0)
    model = tg.Sequential([tg.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=list(metrics))
    return model


class Join(tg.Model):
    """Takes a list, tuple or dict of two inputs and returns one or two outputs."""

    def __init__(self, outputs="one"):
        super().__init__()
        self.first, self.second = layers.Dense(2), layers.Dense(1)
        self.outputs_as = outputs

    def call(self, inputs):
        a, b = inputs.values() if isinstance(inputs, dict) else inputs
        hidden = self.first(a) + self.first(b)
        if self.outputs_as == "dict":
            return {"wide": hidden, "narrow": self.second(hidden)}
        return [hidden, self.second(hidden)] if self.outputs_as == "list" else self.second(hidden)


def joined(outputs="one", loss="mse", **options):
    tg.set_seed(0)
    model = Join(outputs)
    model([X[:1], X[:1]])
    model.compile("sgd", loss, **options)
    return model


def batches(size=8, times=1, weights=False):
    for _ in range(times):
        for start in range(0, len(X), size):
            part = slice(start, start + size)
            yield (X[part], Y[part], np.ones(len(X[part]))) if weights else (X[part], Y[part])


class Sequence:
    def __init__(self):
        self.ends = 0

    def __len__(self):
        return 4

    def __getitem__(self, index):
        part = slice(8 * index, 8 * index + 8)
        return X[part], Y[part]

    def on_epoch_end(self):
        self.ends += 1


class Iterable:
    """Can be gone through again, and does not say how long it is."""

    def __iter__(self):
        return batches()


def pipeline():
    return tg.data.Dataset.from_tensor_slices((X, Y)).batch(8)


def history_of(*data, **options):
    options = {"epochs": 2, "shuffle": False, "verbose": 0, **options}
    return network().fit(*data, **options).history


EXPECTED = None


@pytest.fixture(scope="module")
def expected():
    return history_of(X, Y, batch_size=8, validation_data=(X[:9], Y[:9]))


# ---- one input -------------------------------------------------------------------------


def sparse(kind):
    import scipy.sparse

    return getattr(scipy.sparse, kind)(X)


def frame():
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(X, columns=list("abcd")), pandas.Series(Y[:, 0], name="target")


def memory_mapped(folder):
    np.save(folder / "x.npy", X)
    return np.load(folder / "x.npy", mmap_mode="r")


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: (X, Y),
        lambda folder: (tg.tensor(X), tg.Variable(Y)),
        lambda folder: (X.tolist(), Y[:, 0].tolist()),
        lambda folder: (np.asfortranarray(X), Y[:, 0]),
        lambda folder: (X.astype(np.float64), Y.astype(np.float64)),
        lambda folder: (memory_mapped(folder), Y),
        lambda folder: (sparse("csr_matrix"), Y),
        lambda folder: (sparse("coo_array"), Y),
        lambda folder: frame(),
    ],
)
def test_arrays_of_every_kind(make, tmp_path, expected):
    x, y = make(tmp_path)
    model = network()
    options = {"epochs": 2, "shuffle": False, "verbose": 0, "batch_size": 8}
    history = model.fit(x, y, validation_data=(X[:9], Y[:9]), **options).history
    for name, values in expected.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-5, err_msg=name)
    whole = model.predict(X)
    np.testing.assert_allclose(model.predict(x), whole, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.predict_on_batch(x), whole, rtol=1e-5, atol=1e-6)
    values = model.evaluate(X, Y, batch_size=30, verbose=0)
    np.testing.assert_allclose(model.evaluate(x, y, verbose=0), values, rtol=1e-5)
    np.testing.assert_allclose(model.test_on_batch(x, y), values, rtol=1e-5)
    validated = model.fit(X, Y, validation_data=(x, y), verbose=0).history
    assert np.isfinite(validated["val_loss"])


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("make", [lambda: sparse("csr_matrix"), lambda: np.asfortranarray(X)])
def test_shuffling_takes_the_same_rows_of_every_kind(make, shuffle):
    assert history_of(make(), Y, shuffle=shuffle) == history_of(X, Y, shuffle=shuffle)


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (lambda: batches(times=2), {"steps_per_epoch": 4}),
        (lambda: batches(times=2, weights=True), {"steps_per_epoch": 4}),
        (Sequence, {}),
        (Iterable, {}),
        (lambda: list(batches()) and Iterable(), {"steps_per_epoch": 4}),
        (pipeline, {}),
        (lambda: pipeline().repeat(), {"steps_per_epoch": 4}),
        (lambda: pipeline().prefetch(2), {"steps_per_epoch": 4}),
    ],
)
def test_batches_of_every_kind(make, options, expected):
    validation = {"validation_data": (X[:9], Y[:9]), "validation_batch_size": 8}
    history = history_of(make(), **validation, **options)
    assert history == expected
    model = network()
    x = make()
    steps = {"steps": 4} if "steps_per_epoch" in options else {}
    assert model.evaluate(x, verbose=0, **steps) == network().evaluate(
        X, Y, batch_size=8, verbose=0
    )
    np.testing.assert_array_equal(
        model.predict(make(), **steps), network().predict(X, batch_size=8)
    )


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (lambda: tg.data.Dataset.from_tensor_slices((X[:9], Y[:9])).batch(5), {}),
        (lambda: iter([(X[:5], Y[:5]), (X[5:9], Y[5:9])] * 2), {"validation_steps": 2}),
        (lambda: [X[:9], Y[:9]], {}),
        (lambda: (X[:9], Y[:9], np.ones(9)), {}),
    ],
)
def test_validation_data_of_every_kind(make, options, expected):
    history = history_of(X, Y, batch_size=8, validation_data=make(), **options)
    for name, values in expected.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-5, err_msg=name)


def test_a_generator_validates_until_it_has_ended():
    model = network()
    with pytest.warns(UserWarning, match="generator had ended before, so nothing is measured"):
        history = model.fit(X, Y, epochs=3, validation_data=iter([(X[:9], Y[:9])]), verbose=0)
    assert len(history.history["loss"]) == 3
    assert len(history.history["val_loss"]) == 1


def test_batches_may_have_weights_and_classes():
    classes = (Y[:, 0] > 0).astype(np.int64)
    weights = np.where(classes == 1, 3.0, 1.0)

    def run(*data, **options):
        tg.set_seed(0)
        model = tg.Sequential([tg.Input((4,)), layers.Dense(2, "softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy", weighted_metrics=["acc"])
        options = {"verbose": 0, "shuffle": False, **options}
        return model.fit(*data, **options).history

    expected = run(X, classes, batch_size=10, sample_weight=weights)
    data = tg.data.Dataset.from_tensor_slices
    assert run(data((X, classes, weights)).batch(10)) == expected
    assert run(data((X, classes)).batch(10), class_weight={1: 3.0}) == expected


def test_sequences_are_told_of_epochs_and_shuffled():
    data, seen = Sequence(), []

    class Recorder(Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(round(logs["loss"], 6))

    model = network()
    model.optimizer.learning_rate = 0.0
    model.fit(data, epochs=3, verbose=0, callbacks=[Recorder()])
    assert data.ends == 3
    assert len(seen) == 12
    assert len({tuple(seen[i : i + 4]) for i in (0, 4, 8)}) > 1


def test_epochs_go_on_in_the_same_pass():
    seen = []

    class Recorder(tg.Sequential):
        def train_step(self, data):
            seen.append(int(data[0].numpy()[0, 0]))
            return super().train_step(data)

    model = Recorder([tg.Input((1,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.arange(6.0)[:, None] / 1.0
    model.fit(x, x, batch_size=1, epochs=4, steps_per_epoch=2, shuffle=False, verbose=0)
    assert seen == [0, 1, 2, 3, 4, 5, 0, 1]
    seen.clear()
    model.fit(x, x, epochs=1, steps_per_epoch=3, shuffle=False, verbose=0)
    assert seen == [0, 2, 4]  # batches as large as three need, as in Keras


# ---- several inputs and outputs --------------------------------------------------------

Point = namedtuple("Point", ["left", "right"])


@pytest.mark.parametrize(
    "make",
    [
        lambda: [X, 2 * X],
        lambda: (X, 2 * X),
        lambda: {"left": X, "right": 2 * X},
        lambda: Point(X, 2 * X),
        lambda: [X.tolist(), tg.tensor(2 * X)],
        lambda: [sparse("csr_matrix"), 2 * X],
    ],
)
def test_several_inputs(make):
    model, other = joined(), joined()
    options = {"epochs": 2, "verbose": 0, "shuffle": False, "validation_split": 0.2}
    history = model.fit(make(), Y, **options).history
    assert history == other.fit([X, 2 * X], Y, **options).history
    np.testing.assert_array_equal(model.predict(make()), other.predict([X, 2 * X]))
    np.testing.assert_array_equal(model.predict_on_batch(make()), other.predict([X, 2 * X]))
    assert model.test_on_batch(make(), Y) == other.evaluate([X, 2 * X], Y, batch_size=30, verbose=0)
    model.train_on_batch(make(), Y)


@pytest.mark.parametrize("outputs", ["list", "dict"])
def test_several_outputs(outputs):
    wide = np.hstack([Y, Y])
    y = [wide, Y] if outputs == "list" else {"wide": wide, "narrow": Y}
    names = ["wide", "narrow"]
    model = joined(
        outputs, loss=["mse", "mae"] if outputs == "list" else dict.fromkeys(names, "mse")
    )
    model.fit([X, X], y, epochs=2, verbose=0)
    found = model.predict([X, X], batch_size=7)
    whole = model.predict_on_batch([X, X])
    assert type(found) is type(whole) is (list if outputs == "list" else dict)
    for key in [0, 1] if outputs == "list" else names:
        assert found[key].shape == (30, 2 if key in (0, "wide") else 1)
        np.testing.assert_allclose(found[key], whole[key], rtol=1e-5, atol=1e-6)


def test_one_weight_array_is_that_of_every_output():
    y, weights = [np.hstack([Y, Y]), Y], np.linspace(0, 2, 30)
    a = joined("list").fit([X, X], y, sample_weight=weights, verbose=0, shuffle=False)
    b = joined("list").fit([X, X], y, sample_weight=[weights, weights], verbose=0, shuffle=False)
    assert a.history == b.history


# ---- data that end early ---------------------------------------------------------------


def test_a_generator_that_ends_early_stops_training_with_one_sentence():
    model = network()
    with pytest.warns(UserWarning, match="ended after") as caught:
        history = model.fit(batches(), epochs=3, steps_per_epoch=3, verbose=0)
    assert len(caught) == 1
    text = str(caught[0].message)
    assert text.startswith(
        "The generator ended after 4 batches, but 9 were expected (steps_per_epoch=3 in each of 3"
    )
    assert "\n" not in text
    assert history.epoch == [0, 1]
    assert int(model.optimizer.iterations) == 4
    with pytest.warns(UserWarning, match="ended after 4 batches, but 8 were expected"):
        assert network().fit(batches(), epochs=2, steps_per_epoch=4, verbose=0).epoch == [0]
    with pytest.warns(UserWarning, match=r"as many were expected in each of 2 epochs.*steps_per_"):
        assert network().fit(batches(), epochs=2, verbose=0).epoch == [0]
    assert network().fit(batches(), epochs=1, verbose=0).epoch == [0]


def test_data_sets_that_end_early_begin_again():
    with pytest.warns(UserWarning, match="data set ended after 1 batches of epoch 2") as caught:
        history = network().fit(pipeline(), epochs=4, steps_per_epoch=3, verbose=0)
    assert len(caught) == 1
    assert history.epoch == [0, 1, 2, 3]
    with pytest.warns(UserWarning, match="ended after 4 batches, but steps=9 were expected"):
        network().evaluate(pipeline(), steps=9, verbose=0)
    with pytest.warns(UserWarning, match="ended after 4 batches, but steps=9 were expected"):
        network().predict(pipeline(), steps=9)


def test_a_stopped_epoch_says_nothing_of_missing_batches():
    class Stop(Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = True

    network().fit(batches(), steps_per_epoch=3, epochs=2, verbose=0, callbacks=[Stop()])


# ---- refusals --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"x": iter([]), "y": None}, ValueError, "The generator yielded no batch"),
        ({"x": batches()}, TypeError, "x must be an array if y is given, not a generator"),
        ({"x": pipeline()}, TypeError, "x must be an array if y is given, not a Batched"),
        ({"x": batches(), "y": None, "validation_split": 0.5}, TypeError, "validation_split needs"),
        ({"x": pipeline().repeat(), "y": None}, ValueError, "never ends: pass steps_per_epoch"),
        ({"x": batches}, TypeError, "x must be an array, not a function"),
        ({"x": [X, X[:7]]}, ValueError, re.escape("x[0] has 30 samples but x[1] has 7")),
        ({"x": {"a": X, "b": X[:9]}}, ValueError, re.escape("x['a'] has 30 samples but x['b']")),
        ({"y": {"a": Y[:9]}}, ValueError, re.escape("x has 30 samples but y['a'] has 9")),
        ({"x": {}}, ValueError, "x is empty"),
        ({"sample_weight": np.ones(9)}, ValueError, "x has 30 samples but sample_weight has 9"),
        ({"x": {"a": X, "b": np.full((30, 2), np.nan)}}, ValueError, re.escape("x['b'] holds NaN")),
        ({"x": iter([(X, Y[:3])]), "y": None}, ValueError, "In a batch of the generator, x has 30"),
        ({"x": iter([(X * np.nan, Y)]), "y": None}, ValueError, "of the generator, x holds NaN"),
        ({"x": iter([(X, Y, Y, Y)]), "y": None}, ValueError, "a tuple of 4"),
        ({"x": iter([X.astype(str)]), "y": None}, TypeError, "x has dtype <U"),
        ({"steps_per_epoch": 0}, ValueError, "steps_per_epoch must be a positive whole number"),
        (
            {"class_weight": {0: 1.0}, "y": [Y, Y]},
            ValueError,
            "class_weight is for models with one",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(arguments, error, message):
    model = network()
    before = model.get_weights()
    with pytest.raises(error, match=message) as raised:
        model.fit(**{"x": X, "y": Y, "verbose": 0, **arguments})
    assert "\n" not in str(raised.value)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_frames_are_refused_where_they_hold_no_numbers():
    pandas = pytest.importorskip("pandas")
    colours = pandas.Series(["red", "blue"] * 15)
    table = pandas.DataFrame({"a": X[:, 0], "colour": colours.astype("category")})
    with pytest.raises(TypeError, match=r"x: the column 'colour' is categorical.*get_dummies"):
        network().fit(table, Y)
    with pytest.raises(TypeError, match=r"x: the column 'colour' has dtype (object|str)"):
        network().fit(table.assign(colour=colours), Y)
    with pytest.raises(TypeError, match="y is categorical"):
        network().fit(X, colours.astype("category"))
    gaps = pandas.DataFrame({"a": pandas.array([1, None] * 15, dtype="Int64")})
    with pytest.raises(ValueError, match=re.escape("x holds NaN, first at [1, 0]")):
        network().fit(gaps, Y)
    mixed = pandas.DataFrame({"a": X[:, 0], "b": X[:, 1] > 0, "c": np.arange(30), "d": X[:, 3]})
    assert network().predict(mixed).shape == (30, 1)


@pytest.mark.parametrize(
    ("options", "y", "message"),
    [
        ({"loss": {"wide": "mse", "narow": "mse"}}, None,
         'loss names the output \'narow\'.*"narrow"'),
        ({"loss": ["mse"] * 3}, None, "loss has 3 entries, but the model has 2 outputs"),
        ({"metrics": ["mae"]}, None, "metrics has 1 entries, but the model has 2 outputs"),
        ({"metrics": {"x": ["mae"]}}, None, "metrics names the output 'x'"),
        ({"loss_weights": {"wid": 1.0}, "loss": {"wide": "mse", "narrow": "mse"}}, None,
         'loss_weights names the output \'wid\'.*"wide"'),
        ({}, {"wide": np.hstack([Y, Y]), "narow": Y}, "y lacks the output 'narrow'.*\"narow\""),
        ({}, Y, "y has 1 entries, but the model has 2 outputs"),
        ({}, {"wide": Y, "narrow": np.hstack([Y, Y, Y])}, "y_true has shape"),
    ],
)  # fmt: skip
def test_outputs_that_do_not_fit(options, y, message):
    if y is None:
        y = {"wide": np.hstack([Y, Y]), "narrow": Y}
    model = joined("dict", **options)
    with pytest.raises(ValueError, match=message) as raised:
        model.fit([X, X], y, verbose=0)
    assert "\n" not in str(raised.value)


def test_labels_of_an_output_are_checked_under_its_name():
    model = joined("dict", loss={"wide": "sparse_categorical_crossentropy"})
    with pytest.raises(ValueError, match=r"Output wide: .*label 2 in y_true lies outside 0 to 1"):
        model.fit([X, X], {"wide": np.full(30, 2)}, verbose=0)


def test_targets_without_a_loss():
    model = tg.Sequential([tg.Input((4,)), layers.Dense(1)])
    model.compile("sgd")
    with pytest.raises(ValueError, match="compile was given no loss, and y is of no use"):
        model.fit(X, Y, verbose=0)


def test_nan_losses_are_told_once():
    model = network()
    model.optimizer.learning_rate = 1e30
    with (
        np.errstate(all="ignore"),
        pytest.warns(
            UserWarning, match=r"became NaN in epoch \d, step \d.*TerminateOnNaN"
        ) as caught,
    ):
        model.fit(X, Y, epochs=9, batch_size=8, verbose=0)
    assert len([w for w in caught if "NaN" in str(w.message)]) == 1
