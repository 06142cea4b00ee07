"""Listings with parts of one's own: layers, losses, metrics, models, training steps and loops."""

from __future__ import annotations

import numpy as np
import pytest


def test_layer_with_weights_made_in_build(rng):
    import tapegrad as keras
    from tapegrad import layers, ops

    class Linear(layers.Layer):
        def __init__(self, units=32, **kwargs):
            super().__init__(**kwargs)
            self.units = units

        def build(self, input_shape):
            self.w = self.add_weight(
                shape=(input_shape[-1], self.units),
                initializer="random_normal",
                trainable=True,
            )
            self.b = self.add_weight(
                shape=(self.units,), initializer="random_normal", trainable=True
            )

        def call(self, inputs):
            return ops.matmul(inputs, self.w) + self.b

        def get_config(self):
            config = super().get_config()
            config.update({"units": self.units})
            return config

    layer = Linear(3)
    x = rng.random((5, 4)).astype("float32")
    y = layer(x)
    expected = x @ layer.w.numpy() + layer.b.numpy()
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-5, atol=1e-6)
    assert len(layer.weights) == 2
    assert Linear.from_config(layer.get_config()).units == 3

    model = keras.Sequential([Linear(8), layers.ReLU(), Linear(1)])
    model.compile(keras.optimizers.Adam(0.05), "mse")
    x = rng.normal(size=(100, 4))
    history = model.fit(x, x.sum(axis=1), epochs=20, verbose=0).history
    assert history["loss"][-1] < 0.1 * history["loss"][0]


def test_layer_with_a_statistic_that_is_not_trained(rng):
    from tapegrad import layers, ops

    class ComputeSum(layers.Layer):
        def __init__(self, input_dim):
            super().__init__()
            self.total = self.add_weight(initializer="zeros", shape=(input_dim,), trainable=False)

        def call(self, inputs):
            self.total.assign_add(ops.sum(inputs, axis=0))
            return self.total

    my_sum = ComputeSum(2)
    x = np.ones((2, 2))
    np.testing.assert_array_equal(my_sum(x), [2.0, 2.0])
    np.testing.assert_array_equal(my_sum(x), [4.0, 4.0])
    assert my_sum.trainable_weights == []
    assert len(my_sum.non_trainable_weights) == 1


def test_losses_that_layers_add(rng):
    import tapegrad as keras
    from tapegrad import layers, ops

    class ActivityRegularizationLayer(layers.Layer):
        def __init__(self, rate=1e-2):
            super().__init__()
            self.rate = rate

        def call(self, inputs):
            self.add_loss(self.rate * ops.mean(inputs))
            return inputs

    inputs = keras.Input(shape=(3,))
    outputs = ActivityRegularizationLayer(0.5)(inputs)
    model = keras.Model(inputs, outputs)
    x = rng.random((6, 3))
    model(x)
    assert float(sum(model.losses)) == pytest.approx(0.5 * x.mean(), rel=1e-5)
    model.compile(optimizer=None, loss="mse")
    assert model.evaluate(x, x, verbose=0) == pytest.approx(0.5 * x.mean(), rel=1e-5)


def test_loss_and_metric_of_ones_own(blobs):
    x, y = blobs

    import tapegrad as keras
    from tapegrad import layers, ops

    class CategoricalTruePositives(keras.metrics.Metric):
        def __init__(self, name="categorical_true_positives", **kwargs):
            super().__init__(name=name, **kwargs)
            self.true_positives = self.add_variable(shape=(), name="ctp", initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            predicted = ops.argmax(y_pred, axis=1)
            hits = ops.cast(ops.equal(ops.cast(y_true, "int64"), predicted), "float32")
            self.true_positives.assign_add(ops.sum(hits))

        def result(self):
            return self.true_positives

        def reset_state(self):
            self.true_positives.assign(0.0)

    def crossentropy_of_logits(y_true, y_pred):
        return keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)

    model = keras.Sequential([layers.Dense(16, activation="relu"), layers.Dense(3)])
    model.compile(
        optimizer=keras.optimizers.RMSprop(learning_rate=0.01),
        loss=crossentropy_of_logits,
        metrics=[CategoricalTruePositives(), "accuracy"],
    )
    history = model.fit(x, y, epochs=5, verbose=0).history
    assert set(history) == {"loss", "categorical_true_positives", "accuracy"}
    for hits, accuracy in zip(history["categorical_true_positives"], history["accuracy"]):
        assert hits == pytest.approx(accuracy * len(x), rel=1e-5)
    assert history["accuracy"][-1] > 0.9


def test_loss_class_with_a_factor(rng):
    import tapegrad as keras
    from tapegrad import ops

    class CustomMSE(keras.losses.Loss):
        def __init__(self, regularization_factor=0.1, name="custom_mse"):
            super().__init__(name=name)
            self.regularization_factor = regularization_factor

        def call(self, y_true, y_pred):
            mse = ops.mean(ops.square(y_true - y_pred), axis=-1)
            reg = ops.mean(ops.square(0.5 - y_pred), axis=-1)
            return mse + reg * self.regularization_factor

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile(optimizer="adam", loss=CustomMSE(0.2))
    x, y = rng.random((7, 4)), rng.random((7, 2))
    predicted = model.predict(x, verbose=0)
    expected = np.mean((y - predicted) ** 2) + 0.2 * np.mean((0.5 - predicted) ** 2)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-5)


def test_train_step_that_does_what_fit_does(rng):
    import tapegrad as keras

    class CustomModel(keras.Model):
        def train_step(self, data):
            x, y = data
            with keras.Tape() as tape:
                y_pred = self(x, training=True)
                loss = self.compute_loss(y=y, y_pred=y_pred)
            trainable_vars = self.trainable_variables
            gradients = tape.gradient(loss, trainable_vars)
            self.optimizer.apply(gradients, trainable_vars)
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss)
                else:
                    metric.update_state(y, y_pred)
            return {m.name: m.result() for m in self.metrics}

    def history_of(kind):
        keras.utils.set_random_seed(3)
        inputs = keras.Input(shape=(4,))
        model = kind(inputs, keras.layers.Dense(1)(inputs))
        model.compile(optimizer="adam", loss="mse", metrics=["mae"])
        return model.fit(x, y, epochs=3, batch_size=8, verbose=0).history

    x, y = rng.random((32, 4)), rng.random((32, 1))
    ours, plain = history_of(CustomModel), history_of(keras.Model)
    assert list(ours) == list(plain) == ["loss", "mae"]
    for name in ours:
        np.testing.assert_allclose(ours[name], plain[name], rtol=1e-5)


def test_training_loop_with_clipped_gradients_and_validation(blobs):
    x, y = blobs
    x_train, y_train, x_val, y_val = x[:180], y[:180], x[180:], y[180:]

    import tapegrad as keras

    model = keras.Sequential([keras.layers.Dense(16, activation="relu"), keras.layers.Dense(3)])
    optimizer = keras.optimizers.SGD(learning_rate=0.1)
    loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    train_acc_metric = keras.metrics.SparseCategoricalAccuracy()
    val_acc_metric = keras.metrics.SparseCategoricalAccuracy()
    train_dataset = keras.data.Dataset.from_tensor_slices((x_train, y_train)).batch(32)

    accuracies = []
    for _epoch in range(8):
        for _step, (x_batch, y_batch) in enumerate(train_dataset):
            with keras.Tape() as tape:
                logits = model(x_batch, training=True)
                loss_value = loss_fn(y_batch, logits)
            gradients = tape.gradient(loss_value, model.trainable_weights)
            gradients = [keras.ops.clip(g, -0.1, 0.1) for g in gradients]
            before = model.get_weights()
            optimizer.apply_gradients(zip(gradients, model.trainable_weights))
            steps = [np.abs(a - b).max() for a, b in zip(before, model.get_weights())]
            assert max(steps) <= 0.1 * 0.1 * 1.001
            train_acc_metric.update_state(y_batch, logits)
        accuracies.append(float(train_acc_metric.result()))
        train_acc_metric.reset_state()

    val_acc_metric.update_state(y_val, model(x_val, training=False))
    assert accuracies[-1] > accuracies[0]
    assert float(val_acc_metric.result()) > 0.9


def test_subclassed_model_with_blocks(rng):
    import tapegrad as keras
    from tapegrad import layers

    class MLPBlock(layers.Layer):
        def __init__(self):
            super().__init__()
            self.linear_1 = layers.Dense(8)
            self.linear_2 = layers.Dense(8)
            self.dropout = layers.Dropout(0.5)

        def call(self, inputs, training=None):
            x = keras.activations.relu(self.linear_1(inputs))
            x = self.dropout(x, training=training)
            return self.linear_2(x)

    class Network(keras.Model):
        def __init__(self, num_classes=3):
            super().__init__()
            self.blocks = [MLPBlock() for _ in range(2)]
            self.classifier = layers.Dense(num_classes, activation="softmax")

        def call(self, inputs, training=None):
            x = inputs
            for block in self.blocks:
                x = block(x, training=training)
            return self.classifier(x)

    model = Network()
    model.build((None, 4))
    assert len(model.weights) == 2 * 4 + 2
    x = rng.random((5, 4))
    np.testing.assert_array_equal(model(x), model(x))  # no dropout outside of training
    assert (model(x, training=True).numpy() != model(x, training=True).numpy()).any()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, [0, 1, 2, 0, 1], epochs=2, verbose=0).history
    assert len(history["accuracy"]) == 2


def test_constraint_regularizer_and_initializer_of_ones_own(rng):
    import tapegrad as keras
    from tapegrad import ops

    class CenterAround(keras.constraints.Constraint):
        def __init__(self, ref_value):
            self.ref_value = ref_value

        def __call__(self, w):
            return w - ops.mean(w) + self.ref_value

        def get_config(self):
            return {"ref_value": self.ref_value}

    class L4(keras.regularizers.Regularizer):
        def __call__(self, x):
            return 0.1 * ops.sum(x**4)

    def my_init(shape, dtype=None):
        return keras.random.normal(shape, dtype=dtype)

    layer = keras.layers.Dense(
        3,
        kernel_initializer=my_init,
        kernel_constraint=CenterAround(0.5),
        kernel_regularizer=L4(),
        input_shape=(4,),
    )
    model = keras.Sequential([layer])
    penalty = 0.1 * (layer.kernel.numpy() ** 4).sum()
    assert float(model.losses[0]) == pytest.approx(penalty, rel=1e-5)
    model.compile("sgd", "mse")
    model.fit(rng.random((8, 4)), rng.random((8, 3)), verbose=0)
    assert layer.kernel.numpy().mean() == pytest.approx(0.5, abs=1e-5)
