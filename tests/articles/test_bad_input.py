"""Mistakes that users make: one sentence each, which says what came and what was expected."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import layers

X = np.random.default_rng(0).random((20, 4)).astype("float32")
Y = np.random.default_rng(1).integers(0, 3, 20)
ONE_HOT = np.eye(3)[Y]


def classifier(loss="sparse_categorical_crossentropy", metrics=("accuracy",)):
    model = tg.Sequential(
        [
            tg.Input((4,)),
            layers.Dense(8, activation="relu", name="hidden"),
            layers.Dense(3, activation="softmax", name="out"),
        ]
    )
    model.compile("adam", loss, metrics=list(metrics))
    return model


def two_by_two():
    first, second = tg.Input((4,), name="first"), tg.Input((2,), name="second")
    joined = layers.concatenate([first, second])
    outputs = [layers.Dense(1, name="size")(joined), layers.Dense(3, name="kind")(joined)]
    return tg.Model([first, second], outputs, name="net")


def refuse(kind, message, function, *args, **kwargs):
    """Expect an error of this very kind, in one sentence without a word of what lies beneath."""
    with pytest.raises(kind, match=message) as error:
        function(*args, **kwargs)
    assert type(error.value) is kind
    text = str(error.value)
    assert "\n" not in text
    assert "argument 0" not in text


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("batch_size must be a positive whole number, but is -1", {"batch_size": -1}),
        ("batch_size must be a positive whole number, but is 0", {"batch_size": 0}),
        ("batch_size must be a positive whole number, but is '32'", {"batch_size": "32"}),
        ("epochs must be a whole number of at least 0, but is -1", {"epochs": -1}),
        ("epochs must be a whole number of at least 0, but is 1.5", {"epochs": 1.5}),
        ("epochs must be a whole number of at least 0, but is '3'", {"epochs": "3"}),
        ("initial_epoch must be a whole number of at least 0", {"initial_epoch": -2}),
        ("steps_per_epoch must be a positive whole number", {"steps_per_epoch": 0}),
        ("validation_split must lie between 0 and 1, but is 1.5", {"validation_split": 1.5}),
        ("validation_split must lie between 0 and 1, but is '0.2'", {"validation_split": "0.2"}),
        (
            "validation_freq must be a whole number of at least 1, but is 0",
            {"validation_freq": 0, "validation_data": (X, Y)},
        ),
        (
            r"In validation_data: Layer hidden \(Dense\): the input has shape \(1, 2\), expected",
            {"validation_data": (X[:, :2], Y)},
        ),
        (
            r"In validation_data: x has 20 samples but y has 3",
            {"validation_data": (X, Y[:3])},
        ),
        ("In validation_data: targets are missing, expected", {"validation_data": X}),
        (
            "In validation_data: .* label 7 in y_true lies outside 0 to 2",
            {"validation_data": (X, Y + 5)},
        ),
        ("the key 'cat' is not the number of a class", {"class_weight": {"cat": 1.0}}),
        ("the key -1 is not the number of a class", {"class_weight": {-1: 1.0}}),
        ("the weight of class 0 must be a number .* is 'a'", {"class_weight": {0: "a"}}),
        (
            "a weight for class 7, but the model's outputs are for the classes 0 to 2",
            {"class_weight": {0: 1.0, 7: 2.0}},
        ),
        ("x has 20 samples but sample_weight has 5", {"sample_weight": np.ones(5)}),
        ("sample_weight has shape .20, 3.", {"sample_weight": np.ones((20, 3))}),
    ],
)
def test_arguments_of_fit(message, arguments):
    refuse(ValueError, message, classifier().fit, X, Y, verbose=0, **arguments)


@pytest.mark.parametrize(
    ("message", "callback"),
    [
        ("got the class EarlyStopping; make one with EarlyStopping", tg.callbacks.EarlyStopping),
        ("got the function print; wrap it, as LambdaCallback", print),
        ("expected Callback objects, got 'early'", "early"),
    ],
)
def test_callbacks_that_are_none(message, callback):
    refuse(TypeError, message, classifier().fit, X, Y, callbacks=[callback], verbose=0)


def test_no_epochs_at_all_is_remarked():
    model = classifier()
    with pytest.warns(UserWarning, match="epochs=0, so that nothing is trained"):
        history = model.fit(X, Y, epochs=0, verbose=0)
    assert history.history == {}


@pytest.mark.parametrize(
    ("kind", "message", "x", "y"),
    [
        (ValueError, r"hidden \(Dense\): the input has shape \(1, 2\), expected", X[:, :2], Y),
        (ValueError, "x has 20 samples but y has 10", X, Y[:10]),
        (ValueError, "label 3 in y_true lies outside 0 to 2", X, Y + 1),
        (ValueError, "label -1 in y_true lies outside 0 to 2", X, Y - 1),
        (ValueError, "whole class numbers, not fractions", X, Y + 0.5),
        (ValueError, 'For one-hot rows use the loss "categorical_crossentropy"', X, ONE_HOT),
        (ValueError, "targets y must be given", X, None),
        (ValueError, "x is missing", None, Y),
        (ValueError, r"x holds NaN, first at \[0, 0\]", np.full((20, 4), np.nan), Y),
        (ValueError, "x is empty", np.zeros((0, 4)), np.zeros(0)),
        (TypeError, "y has dtype <U1, but must hold numbers", X, np.array(list("ab" * 10))),
        (TypeError, "x has dtype object, but must hold numbers", X.astype(object), Y),
        (TypeError, "x is not one array: its parts have different shapes", [[1, 2], [3]], [0, 1]),
        (TypeError, "x must be an array, not a function", lambda: (X, Y), None),
        (TypeError, "x must be an array if y is given, not a list_iterator", iter([(X, Y)]), Y),
    ],
)
def test_data_that_do_not_fit(kind, message, x, y):
    refuse(kind, message, classifier().fit, x, y, verbose=0)


def test_labels_that_go_wrong_in_a_later_batch():
    batches = iter([(X, Y), (X, Y + 1)])
    refuse(
        ValueError, "label 3 in y_true lies outside 0 to 2", classifier().fit, batches, verbose=0
    )


def test_generators_that_end_early():
    def batches():
        for _ in range(2):
            yield X[:4], Y[:4]

    with pytest.warns(UserWarning, match="ended after 2 batches, but 10 were expected"):
        classifier().fit(batches(), steps_per_epoch=5, epochs=2, verbose=0)
    refuse(ValueError, "generator yielded no batch", classifier().fit, iter([]), verbose=0)
    wrong = iter([(X, Y, Y, Y)])
    refuse(ValueError, "got a tuple of 4", classifier().fit, wrong, verbose=0)


def test_labels_that_do_not_fit_the_loss_or_metrics():
    one_hot = classifier("categorical_crossentropy")
    refuse(
        ValueError, 'or the loss "sparse_categorical_crossentropy"', one_hot.fit, X, Y, verbose=0
    )
    refuse(ValueError, r"shape \(20, 4\)", one_hot.fit, X, np.eye(4)[Y], verbose=0)
    wrong = classifier(metrics=["categorical_accuracy"])
    refuse(ValueError, "use sparse_categorical_accuracy", wrong.fit, X, Y, verbose=0)
    wrong = classifier(metrics=["AUC"])
    refuse(ValueError, "AUC: .* make one-hot rows with", wrong.fit, X, Y, verbose=0)


def test_losses_that_are_none():
    model = classifier(lambda y_true, y_pred: None, metrics=())
    refuse(TypeError, "the loss returned None", model.fit, X, ONE_HOT, verbose=0)
    refuse(TypeError, "A loss is a name, a Loss, a function or None, not int", classifier, 3)
    model = tg.Sequential([layers.Dense(5), layers.Dense(1)])
    # In which step numbers overflow depends on the CPU's rounding.
    model.compile(tg.optimizers.SGD(1e30), "mse")
    with pytest.warns(UserWarning, match=r"The loss became NaN in epoch \d, step 1: try a smaller"):
        model.fit(X, Y, epochs=5, verbose=0)
    factors = iter([1.0, 1.0, np.nan, np.nan, np.nan])
    model = classifier(lambda y_true, y_pred: y_pred * next(factors), metrics=())
    with pytest.warns(UserWarning, match="The loss became NaN in epoch 3, step 1: try a smaller"):
        model.fit(X, ONE_HOT, epochs=5, verbose=0)


def test_models_that_are_not_compiled_or_not_built():
    model = tg.Sequential([layers.Dense(1)], name="net")
    for method in (model.fit, model.evaluate, model.train_on_batch):
        refuse(RuntimeError, r"call compile\(optimizer, loss\) first", method, X, Y)
    refuse(ValueError, "net is not built yet", model.count_params)
    refuse(ValueError, "there are 0 weights; it is not built yet", model.set_weights, [X])
    model.compile("adam")
    refuse(ValueError, "nothing to minimize: compile was given no loss", model.fit, X, Y, verbose=0)
    empty = tg.Sequential(name="empty")
    empty.compile("adam", "mse")
    refuse(ValueError, "empty has no layers yet", empty.fit, X, Y, verbose=0)


def test_several_inputs_and_outputs():
    model = two_by_two()
    model.compile("adam", "mse")
    x, y = [X, X[:, :2]], [X[:, :1], ONE_HOT]
    refuse(ValueError, r"net has 2 inputs \(first, second\), but got 1", model.fit, X, y, verbose=0)
    refuse(ValueError, "2 inputs .*, but got 3", model.fit, [*x, X], y, verbose=0)
    refuse(ValueError, r"'first' has shape \(1, 2\), expected \(None, 4\)", model.fit, x[::-1], y)
    named = {"first": X, "secnd": X[:, :2]}
    refuse(ValueError, "'second'; the keys are .* Did you mean \"secnd\"", model.fit, named, y)
    refuse(ValueError, r"y has 1 entries, but the model has 2 outputs", model.fit, x, ONE_HOT)
    refuse(ValueError, "y lacks the output 'kind'", model.fit, x, {"size": y[0], "kid": y[1]})
    for argument, given in (
        ("loss_weights", {"size": 1.0, "kid": 2.0}),
        ("metrics", {"kid": "mae"}),
        ("loss", {"size": "mse", "kid": "mse"}),
    ):
        model.compile(**{"optimizer": "adam", "loss": "mse", argument: given})
        message = f"{argument} names the output 'kid', .* Did you mean \"kind\""
        refuse(ValueError, message, model.fit, x, y, verbose=0)


@pytest.mark.parametrize(
    ("message", "function"),
    [
        ('Unknown optimizer "adma". Did you mean', lambda: classifier().compile("adma", "mse")),
        (
            'loss "categorical_crosentropy". Did you mean',
            lambda: classifier("categorical_crosentropy"),
        ),
        ('metric "acuracy". Did you mean "accuracy"', lambda: classifier(metrics=["acuracy"])),
        ('activation "rellu". Did you mean "relu"', lambda: layers.Dense(2, activation="rellu")),
        ("Unknown initializer", lambda: layers.Dense(2, kernel_initializer="glorot")),
        ("Unknown regularizer", lambda: layers.Dense(2, kernel_regularizer="l3")),
        ("Unknown constraint", lambda: layers.Dense(2, kernel_constraint="maxnorms")),
        (
            'padding of Conv2D "sam". Did you mean "same"',
            lambda: layers.Conv2D(2, 3, padding="sam"),
        ),
        ("has no layer 'hiden'.* Did you mean \"hidden\"", lambda: classifier().get_layer("hiden")),
    ],
)
def test_names_that_are_unknown(message, function):
    refuse(ValueError, message, function)


@pytest.mark.parametrize(
    ("kind", "message", "function"),
    [
        (
            TypeError,
            "Dense: unknown argument 'activaton'. Did you mean \"activation\"",
            lambda: layers.Dense(2, activaton="relu"),
        ),
        (TypeError, "LSTM: unknown argument 'unit'", lambda: layers.LSTM(2, unit=3)),
        (TypeError, "Sequential takes layers, not type", lambda: tg.Sequential([layers.Dense])),
        (ValueError, "units must be a positive .* 'relu'", lambda: layers.Dense("relu")),
        (ValueError, "rate must lie in .0, 1., but is 20", lambda: layers.Dropout(20)),
        (ValueError, r"shape must be a tuple such as \(4,\)", lambda: tg.Input(4)),
        (ValueError, "shape must be a tuple .* but is 'a'", lambda: tg.Input("a")),
        (ValueError, "'float16', nor in mixed", lambda: layers.Dense(2, dtype="float16")),
        (ValueError, "'mixed_float16', nor", lambda: layers.Dense(2, dtype="mixed_float16")),
        (ValueError, "expected 'float32' or 'float64'", lambda: tg.set_floatx("float16")),
        (
            ValueError,
            r"has shape \(None, 4\), expected at least three axes, \(samples, positions",
            lambda: layers.MultiHeadAttention(2, 4)(tg.Input((4,)), tg.Input((4,))),
        ),
        (
            ValueError,
            "expected three axes, .* needs return_sequences=True",
            lambda: tg.Sequential([tg.Input((5, 4)), layers.LSTM(3), layers.LSTM(3)]),
        ),
        (TypeError, r"a ndarray of shape \(20, 4\)", lambda: tg.Model(X, X)),
        (
            ValueError,
            "depend on the Input 'b', which is not among the inputs",
            lambda: tg.Model(tg.Input((4,)), layers.Dense(1)(tg.Input((4,), name="b"))),
        ),
    ],
)
def test_networks_that_cannot_be_made(kind, message, function):
    refuse(kind, message, function)


def test_forgotten_call_of_the_constructor_above():
    class Forgetful(tg.Model):
        def __init__(self):
            self.dense = layers.Dense(1)

        def call(self, inputs):
            return self.dense(inputs)

    class Scale(layers.Layer):
        def __init__(self):
            self.factor = self.add_weight((4,), "ones")

    refuse(RuntimeError, r"Forgetful: its __init__ must call super\(\)", Forgetful(), X)
    refuse(RuntimeError, r"Scale: its __init__ must call super\(\)", Scale)


def test_weights_and_files_that_do_not_fit():
    model = classifier()
    weights = model.get_weights()
    refuse(ValueError, "set_weights got 1 arrays, but there are 4", model.set_weights, weights[:1])
    turned = [weight.T for weight in weights]
    refuse(ValueError, r"kernel has shape \(4, 8\), but .* \(8, 4\)", model.set_weights, turned)
    np.testing.assert_array_equal(model.get_weights()[0], weights[0])
    refuse(FileNotFoundError, "no file none.keras", tg.load_model, "none.keras")
    refuse(FileNotFoundError, "no file none.tapegrad", tg.load_model, "none.tapegrad")
    refuse(FileNotFoundError, "no file none.safetensors", model.load_weights, "none.safetensors")
    refuse(FileNotFoundError, "there is no folder nowhere", model.save, "nowhere/m.tapegrad")
    model.save_weights("model.safetensors")
    other = tg.Sequential([tg.Input((4,)), layers.Dense(8), layers.Dense(2)])
    refuse(
        ValueError, "shape .8, 3. in the file and .8, 2.", other.load_weights, "model.safetensors"
    )
