"""Short things that users of Keras type from memory, each with what it must come to."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import layers

X = np.random.default_rng(0).random((20, 4)).astype("float32")
Y = np.random.default_rng(1).integers(0, 3, 20)


@pytest.fixture
def model():
    """Return a small compiled classifier."""
    made = tg.Sequential(
        [
            tg.Input(shape=(4,)),
            layers.Dense(8, activation="relu", name="hidden"),
            layers.Dense(3, activation="softmax", name="out"),
        ],
        name="net",
    )
    made.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return made


# ---- layers of a model ---------------------------------------------------------------


def test_adding_and_taking_off_layers_of_a_built_model(model):
    expected = model.predict(X, verbose=0)
    model.add(layers.Dense(2))
    assert model.output_shape == (None, 2)
    model.pop()
    np.testing.assert_array_equal(model.predict(X, verbose=0), expected)
    model.pop()
    model.add(layers.Dense(5))
    assert model.predict(X, verbose=0).shape == (20, 5)
    assert len(model.layers) == 2


def test_weights_of_one_layer(model):
    kernel, bias = model.layers[0].get_weights()
    model.layers[0].set_weights([kernel * 0, bias + 1])
    assert not model.layers[0].kernel.numpy().any()
    assert [weight.name for weight in model.layers[0].weights] == ["kernel", "bias"]
    assert sum(np.prod(weight.shape) for weight in model.trainable_weights) == 5 * 8 + 9 * 3


def test_models_out_of_parts_of_models(model):
    hidden = tg.Model(inputs=model.inputs, outputs=model.get_layer("hidden").output)
    everything = tg.Model(model.input, [layer.output for layer in model.layers])
    whole = tg.Model(inputs=model.layers[0].input, outputs=model.layers[-1].output)
    cut = tg.Sequential(model.layers[:-1])
    for part in (hidden(X).numpy(), everything.predict(X, verbose=0)[0], cut(X).numpy()):
        np.testing.assert_allclose(part, hidden.predict(X, verbose=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(whole(X).numpy(), model(X).numpy(), rtol=1e-5, atol=1e-6)


def test_freezing_layers_and_compiling_again(model):
    for layer in model.layers[:-1]:
        layer.trainable = False
    model.compile("adam", "sparse_categorical_crossentropy")
    frozen, free = model.layers[0].get_weights()[0], model.layers[1].get_weights()[0]
    model.fit(X, Y, verbose=0)
    np.testing.assert_array_equal(model.layers[0].get_weights()[0], frozen)
    assert (model.layers[1].get_weights()[0] != free).any()
    assert len(model.trainable_weights) == len(model.non_trainable_weights) == 2
    model.trainable = True
    assert len(model.trainable_weights) == 4


def test_stacks_in_stacks():
    inner = tg.Sequential([layers.Dense(3, activation="relu")])
    outer = tg.Sequential([inner, layers.Dense(2)])
    outer.build((None, 4))
    assert len(outer.weights) == 4
    inputs = tg.Input((4,))
    found = tg.Model(inputs, outer(inputs))(X).numpy()
    np.testing.assert_allclose(found, outer(X).numpy(), rtol=1e-5, atol=1e-6)


def test_activations_in_every_form():
    inputs = tg.Input((4,))
    expected = np.maximum(X - 0.5, 0)
    for activation in (
        layers.Activation("relu"),
        layers.Activation(tg.activations.relu),
        layers.ReLU(),
        layers.Lambda(lambda t: tg.ops.maximum(t, 0.0)),
        layers.Activation(tg.activations.get("relu")),
    ):
        found = tg.Model(inputs, activation(inputs - 0.5))(X).numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    dense = layers.Dense(2, activation=layers.LeakyReLU(negative_slope=0.1))
    dense(X)
    assert tg.activations.serialize(tg.activations.relu) == "relu"


def test_lower_case_names_and_their_defaults():
    layer = layers.Dense(
        2,
        kernel_initializer=tg.initializers.glorot_uniform(seed=1),
        bias_initializer=tg.initializers.constant(0.1),
        kernel_regularizer=tg.regularizers.l1_l2(l1=1e-2),
        bias_regularizer=tg.regularizers.l2(0.5),
        kernel_constraint=tg.constraints.max_norm(2.0),
    )
    layer(X)
    np.testing.assert_allclose(layer.bias.numpy(), 0.1)
    # Keras 3 leaves out the part that is not given, where earlier versions took 0.01.
    assert tg.regularizers.l1_l2(l1=0.1).get_config() == {"l1": 0.1, "l2": 0.0}
    assert tg.regularizers.l1_l2().get_config() == {"l1": 0.0, "l2": 0.0}
    assert float(layer.losses[0]) == pytest.approx(
        0.01 * np.abs(layer.kernel.numpy()).sum(), rel=1e-5
    )


@pytest.mark.parametrize(
    ("module", "made"),
    [
        (tg.initializers, tg.initializers.HeNormal(seed=3)),
        (tg.regularizers, tg.regularizers.L2(0.3)),
        (tg.constraints, tg.constraints.MaxNorm(3.0)),
        (tg.losses, tg.losses.Huber(0.5)),
        (tg.metrics, tg.metrics.AUC(num_thresholds=20)),
        (tg.optimizers, tg.optimizers.SGD(0.1, momentum=0.9)),
        (tg.layers, layers.Conv2D(3, 3, padding="same")),
    ],
)
def test_serialize_and_deserialize_of_each_module(module, made):
    again = module.deserialize(module.serialize(made))
    assert type(again) is type(made)
    assert again.get_config() == made.get_config()


def test_classes_at_the_top():
    assert tg.Layer is layers.Layer
    assert tg.InputSpec is layers.InputSpec
    assert tg.Loss is tg.losses.Loss
    assert tg.Metric is tg.metrics.Metric
    assert tg.Optimizer is tg.optimizers.Optimizer
    assert tg.Initializer is tg.initializers.Initializer
    assert tg.Regularizer is tg.regularizers.Regularizer


def test_functions_of_saving_under_utils():
    assert tg.utils.register_keras_serializable is tg.saving.register_keras_serializable
    with tg.utils.custom_object_scope({"double": lambda x: 2 * x}):
        assert tg.utils.get_registered_object("double")(2) == 4


def test_layers_given_as_descriptions():
    with pytest.raises(ValueError, match="layers has no 'Desne'"):
        layers.deserialize({"class_name": "Desne", "config": {"units": 3}})
    with pytest.raises(ValueError, match="InputSpec is no layer"):
        layers.deserialize({"class_name": "InputSpec", "config": {"ndim": 3}})


# ---- compiling -----------------------------------------------------------------------


def test_learning_rates_that_are_set(model):
    model.optimizer.learning_rate.assign(0.5)
    assert float(model.optimizer.learning_rate) == 0.5
    model.optimizer.learning_rate = 0.25
    assert float(model.optimizer.learning_rate.numpy()) == 0.25
    assert tg.optimizers.get({"class_name": "Adam", "config": {"learning_rate": 0.1}}).beta_1 == 0.9


def test_metrics_of_every_kind(model):
    model.compile(
        "adam",
        "sparse_categorical_crossentropy",
        metrics=[
            "acc",
            tg.metrics.SparseTopKCategoricalAccuracy(k=2, name="top2"),
            tg.metrics.sparse_categorical_crossentropy,
        ],
    )
    history = model.fit(X, Y, verbose=0).history
    assert list(history) == ["loss", "acc", "top2", "sparse_categorical_crossentropy"]
    assert history["sparse_categorical_crossentropy"] == pytest.approx(history["loss"], rel=1e-5)


def test_metrics_for_two_outputs():
    inputs = tg.Input((4,))
    outputs = [
        layers.Dense(1, name="size")(inputs),
        layers.Dense(3, activation="softmax", name="kind")(inputs),
    ]
    model = tg.Model(inputs, outputs)
    model.compile(
        "adam",
        loss=["mse", "sparse_categorical_crossentropy"],
        loss_weights=[0.5, 1.0],
        metrics=[["mae"], ["accuracy"]],
    )
    history = model.fit(X, [X[:, 0], Y], verbose=0).history
    assert set(history) == {"loss", "size_loss", "kind_loss", "size_mae", "kind_accuracy"}
    values = model.evaluate(X, [X[:, 0], Y], verbose=0, return_dict=True)
    assert values["loss"] == pytest.approx(0.5 * values["size_loss"] + values["kind_loss"])


def test_compile_takes_all_arguments_of_keras(model):
    model.compile(
        optimizer="adam",
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        weighted_metrics=[],
        run_eagerly=True,
        jit_compile=False,
        steps_per_execution=1,
    )
    model.fit(X, Y, verbose=0)


def test_compute_loss_and_metrics_by_hand(model):
    outputs = model(X)
    loss = float(model.compute_loss(x=X, y=Y, y_pred=outputs))
    assert loss == pytest.approx(model.evaluate(X, Y, verbose=0)[0], rel=1e-5)
    model.reset_metrics()
    values = model.compute_metrics(X, Y, outputs)
    assert values["accuracy"] == pytest.approx((outputs.numpy().argmax(1) == Y).mean())
    model.reset_metrics()
    assert model.get_metrics_result()["accuracy"] == 0.0


def test_batches_taken_apart_and_put_together():
    class Model(tg.Model):
        def train_step(self, data):
            x, y, sample_weight = tg.utils.unpack_x_y_sample_weight(data)
            assert sample_weight is None
            return super().train_step(tg.utils.pack_x_y_sample_weight(x, y))

    inputs = tg.Input((4,))
    model = Model(inputs, layers.Dense(1)(inputs))
    model.compile("sgd", "mse")
    assert len(model.fit(X, X[:, 0], verbose=0).history["loss"]) == 1
    assert tg.utils.unpack_x_y_sample_weight([1, 2, 3]) == (1, 2, 3)
    assert tg.utils.pack_x_y_sample_weight([1, 2]) == ([1, 2],)
    assert tg.utils.pack_x_y_sample_weight(1, 2, 3) == (1, 2, 3)


# ---- running -------------------------------------------------------------------------


def test_predicting_one_sample(model):
    expected = model(X[:1], training=False).numpy()
    for one in (np.expand_dims(X[0], axis=0), X[0].reshape(1, -1), X[:1], X[:1].tolist()):
        np.testing.assert_allclose(model.predict(one, verbose=0), expected, rtol=1e-5, atol=1e-6)
    assert int(np.argmax(model.predict(X[:1], verbose=0)[0])) in (0, 1, 2)


@pytest.mark.parametrize("verbose", [0, 1, 2, "auto", False, True])
def test_fit_says_as_much_as_is_asked(model, verbose, capsys):
    model.fit(X, Y, verbose=verbose)
    printed = "".join(capsys.readouterr())
    assert ("accuracy" in printed) is bool(verbose)


def test_weights_of_samples_and_classes(model):
    weights = np.where(Y == 0, 2.0, 1.0)
    start = model.get_weights()
    model.fit(X, Y, sample_weight=weights, shuffle=False, verbose=0)
    by_sample = model.get_weights()
    model.set_weights(start)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X, Y, class_weight={0: 2.0, 1: 1.0, 2: 1.0}, shuffle=False, verbose=0)
    for one, other in zip(by_sample, model.get_weights()):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_validating_now_and_then(model):
    history = model.fit(X, Y, epochs=4, validation_data=(X, Y), validation_freq=2, verbose=0)
    assert {name: len(values) for name, values in history.history.items()} == {
        "loss": 4,
        "accuracy": 4,
        "val_loss": 2,
        "val_accuracy": 2,
    }
    assert model.history is history
    assert history.params == {"epochs": 4, "steps": 1, "verbose": 0}


def test_data_as_lists_tuples_and_dicts():
    first, second = tg.Input((4,), name="a"), tg.Input((4,), name="b")
    model = tg.Model([first, second], layers.Dense(1)(layers.Concatenate()([first, second])))
    model.compile("adam", "mse")
    expected = model.predict([X, X + 1], verbose=0)
    for data in ((X, X + 1), {"a": X, "b": X + 1}, {"b": X + 1, "a": X}):
        np.testing.assert_array_equal(model.predict(data, verbose=0), expected)
        np.testing.assert_allclose(model(data).numpy(), expected, rtol=1e-5, atol=1e-6)
        model.evaluate(data, X[:, 0], verbose=0)


def test_summaries(model, capsys):
    lines = []
    model.summary(print_fn=lines.append)
    assert "hidden (Dense)" in "\n".join(lines)
    model.summary(line_length=80, positions=[0.3, 0.6, 0.7, 1.0], layer_range=("out", "o.*"))
    printed = capsys.readouterr().out
    assert "out (Dense)" in printed
    assert "hidden" not in printed
    assert "Parameters: 67" in printed  # of the whole model
    with pytest.raises(ValueError, match="net has no layer 'other'; there are hidden, out"):
        model.summary(layer_range=("other", "out"))
    with pytest.raises(ValueError, match="layer_range is two names"):
        model.summary(layer_range="out")


def test_pictures_of_models(model, tmp_path):
    for name in ("model.svg", "model.png"):
        tg.utils.plot_model(
            model,
            to_file=name,
            show_shapes=True,
            show_layer_names=True,
            rankdir="TB",
            expand_nested=False,
            dpi=50,
            show_layer_activations=True,
        )
        assert (tmp_path / name).stat().st_size > 1000


def test_recurrent_layers_that_remember():
    model = tg.Sequential(
        [tg.Input(batch_shape=(2, 3, 4)), layers.LSTM(3, stateful=True, name="lstm")]
    )
    x = np.ones((2, 3, 4), "float32")
    first = model.predict(x, batch_size=2, verbose=0)
    second = model.predict(x, batch_size=2, verbose=0)
    assert (first != second).any()
    model.layers[0].reset_state()
    np.testing.assert_array_equal(model.predict(x, batch_size=2, verbose=0), first)


def test_seeds_make_runs_repeatable():
    def weights():
        tg.utils.set_random_seed(7)
        model = tg.Sequential([tg.Input((4,)), layers.Dense(4), layers.Dropout(0.5)])
        model.compile("adam", "mse")
        model.fit(X, X, epochs=2, batch_size=5, verbose=0)
        return model.get_weights()

    for one, other in zip(weights(), weights()):
        np.testing.assert_array_equal(one, other)
