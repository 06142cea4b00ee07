"""Write the numbers of Keras 3 and scikit-learn that the tests compare with.

Run it with both installed, here with PyTorch as the backend of Keras::

    KERAS_BACKEND=torch python tests/reference/make_keras_reference.py

It writes `keras_reference.npz` beside itself; the tests read that file and need neither.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import keras
import numpy as np
from sklearn import metrics as sk

HERE = Path(__file__).parent
RESULTS: dict[str, np.ndarray] = {}


def keep(name: str, value) -> None:
    """Note a result under a name."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    RESULTS[name] = np.asarray(value)


def samples(seed: int, *shape: int) -> np.ndarray:
    """Return normal numbers that the tests can make again (and find in the file)."""
    return np.random.default_rng(seed).normal(size=shape)


def softmax(x: np.ndarray) -> np.ndarray:
    """Return softmax along the last axis."""
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def losses() -> None:
    """Loss values over reductions, weights, smoothing and logits."""
    logits = 3 * samples(1, 12, 5)
    probabilities = softmax(logits)
    probabilities[0] = [1, 0, 0, 0, 0]  # exactly 0 and 1: what the clipping is for
    labels = np.arange(12) % 5
    one_hot = np.eye(5)[labels]
    binary = (samples(2, 12, 5) > 0).astype(float)
    sigmoids = 1 / (1 + np.exp(-logits))
    sigmoids[0, 0] = 0
    weights = np.linspace(0.0, 2.0, 12)
    for name, value in {
        "logits": logits,
        "probabilities": probabilities,
        "labels": labels,
        "binary": binary,
        "sigmoids": sigmoids,
        "weights": weights,
    }.items():
        keep(f"losses/{name}", value)
    cases = {
        "mean_squared_error": (keras.losses.MeanSquaredError, {}, binary, logits),
        "mean_absolute_error": (keras.losses.MeanAbsoluteError, {}, binary, logits),
        "binary_crossentropy": (keras.losses.BinaryCrossentropy, {}, binary, sigmoids),
        "binary_crossentropy_logits": (
            keras.losses.BinaryCrossentropy,
            {"from_logits": True},
            binary,
            logits,
        ),
        "binary_crossentropy_smooth": (
            keras.losses.BinaryCrossentropy,
            {"label_smoothing": 0.1},
            binary,
            sigmoids,
        ),
        "categorical_crossentropy": (
            keras.losses.CategoricalCrossentropy,
            {},
            one_hot,
            probabilities,
        ),
        "categorical_crossentropy_logits": (
            keras.losses.CategoricalCrossentropy,
            {"from_logits": True},
            one_hot,
            logits,
        ),
        "categorical_crossentropy_smooth": (
            keras.losses.CategoricalCrossentropy,
            {"label_smoothing": 0.1},
            one_hot,
            probabilities,
        ),
        "sparse_categorical_crossentropy": (
            keras.losses.SparseCategoricalCrossentropy,
            {},
            labels,
            probabilities,
        ),
        "sparse_categorical_crossentropy_logits": (
            keras.losses.SparseCategoricalCrossentropy,
            {"from_logits": True},
            labels,
            logits,
        ),
        "sparse_categorical_crossentropy_ignore": (
            keras.losses.SparseCategoricalCrossentropy,
            {"ignore_class": 2},
            labels,
            probabilities,
        ),
    }
    for name, (cls, options, true, pred) in cases.items():
        for reduction in ("sum_over_batch_size", "sum", "none", "mean_with_sample_weight"):
            loss = cls(reduction=reduction, **options)
            keep(f"losses/{name}/{reduction}", loss(true, pred))
            keep(f"losses/{name}/{reduction}/weighted", loss(true, pred, weights))
    column = logits[:, :1]
    keep("losses/aligned", keras.losses.MeanSquaredError()(labels.astype(float), column))
    keep(
        "losses/aligned_weighted",
        keras.losses.MeanSquaredError()(labels.astype(float), column, weights),
    )


def metrics() -> None:
    """Metrics streamed over three batches of different sizes, with and without weights."""
    scores = softmax(2 * samples(3, 50, 4))
    labels = (np.arange(50) * 7) % 4
    one_hot = np.eye(4)[labels]
    binary = (np.arange(50) % 3 == 0).astype(float)
    chances = 1 / (1 + np.exp(-samples(4, 50)))
    targets, outputs = samples(5, 50, 3), samples(6, 50, 3)
    weights = np.linspace(0.1, 3.0, 50)
    for name, value in {
        "scores": scores,
        "labels": labels,
        "binary": binary,
        "chances": chances,
        "targets": targets,
        "outputs": outputs,
        "weights": weights,
    }.items():
        keep(f"metrics/{name}", value)
    m = keras.metrics
    cases = {
        "accuracy": (m.Accuracy(), labels, scores.argmax(1)),
        "binary_accuracy": (m.BinaryAccuracy(), binary, chances),
        "binary_accuracy_threshold": (m.BinaryAccuracy(threshold=0.3), binary, chances),
        "categorical_accuracy": (m.CategoricalAccuracy(), one_hot, scores),
        "sparse_categorical_accuracy": (m.SparseCategoricalAccuracy(), labels, scores),
        "top_k": (m.TopKCategoricalAccuracy(k=2), one_hot, scores),
        "sparse_top_k": (m.SparseTopKCategoricalAccuracy(k=2), labels, scores),
        "precision": (m.Precision(), binary, chances),
        "precision_thresholds": (m.Precision(thresholds=[0.2, 0.7]), binary, chances),
        "precision_top_k": (m.Precision(top_k=2), one_hot, scores),
        "precision_class": (m.Precision(class_id=1), one_hot, scores),
        "recall": (m.Recall(), binary, chances),
        "recall_thresholds": (m.Recall(thresholds=[0.2, 0.7]), binary, chances),
        "recall_one_hot": (m.Recall(), one_hot, scores),
        "f1": (m.F1Score(), one_hot, scores),
        "f1_micro": (m.F1Score(average="micro"), one_hot, scores),
        "f1_macro": (m.F1Score(average="macro"), one_hot, scores),
        "f1_weighted": (m.F1Score(average="weighted"), one_hot, scores),
        "f1_threshold": (m.F1Score(threshold=0.4), one_hot, scores),
        "fbeta": (m.FBetaScore(beta=2.0, average="macro"), one_hot, scores),
        "mean_squared_error": (m.MeanSquaredError(), targets, outputs),
        "mean_absolute_error": (m.MeanAbsoluteError(), targets, outputs),
        "root_mean_squared_error": (m.RootMeanSquaredError(), targets, outputs),
        "r2_score": (m.R2Score(), targets, outputs),
        "binary_crossentropy": (m.BinaryCrossentropy(), one_hot, scores),
        "categorical_crossentropy": (m.CategoricalCrossentropy(), one_hot, scores),
        "sparse_categorical_crossentropy": (m.SparseCategoricalCrossentropy(), labels, scores),
    }
    for name, (metric, true, pred) in cases.items():
        for kind in ("plain", "weighted"):
            metric.reset_state()
            for start, stop in ((0, 20), (20, 47), (47, 50)):
                part = slice(start, stop)
                # Keras's R2Score wants weights as a column.
                given = weights[part] if name != "r2_score" else weights[part, None]
                extra = {"sample_weight": given} if kind == "weighted" else {}
                metric.update_state(true[part], pred[part], **extra)
            keep(f"metrics/{name}/{kind}", metric.result())


def rates() -> None:
    """Figures of classification and regression reports, by scikit-learn."""
    rng = np.random.default_rng(11)
    scores, labels = rng.random((90, 5)), rng.integers(0, 4, 90)  # class 4 is only predicted
    weights, chosen = np.linspace(0, 1, 90), scores.argmax(1)
    keep("rates/scores", scores)
    keep("rates/labels", labels)
    keep("rates/weights", weights)
    keep("rates/confusion_matrix", sk.confusion_matrix(labels, chosen, labels=range(5)))
    functions = {
        "precision": sk.precision_score,
        "recall": sk.recall_score,
        "f1": sk.f1_score,
    }
    for name, function in functions.items():
        for average in ("micro", "macro", "weighted", None):
            options = {"average": average, "labels": range(5), "zero_division": 0}
            keep(f"rates/{name}/{average}/plain", function(labels, chosen, **options))
            options["sample_weight"] = weights
            keep(f"rates/{name}/{average}/weighted", function(labels, chosen, **options))
    true = rng.normal(size=40)
    pred = true + rng.normal(size=40)
    keep("rates/true", true)
    keep("rates/pred", pred)
    keep("rates/r2", sk.r2_score(true, pred))
    keep("rates/rmse", sk.root_mean_squared_error(true, pred))
    keep("rates/mae", sk.mean_absolute_error(true, pred))


OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.05),
    "sgd_momentum": lambda: keras.optimizers.SGD(0.05, momentum=0.9),
    "sgd_nesterov": lambda: keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    "adam": lambda: keras.optimizers.Adam(0.01),
    "adam_betas": lambda: keras.optimizers.Adam(0.01, beta_1=0.8, beta_2=0.9, epsilon=1e-3),
}


def optimizers() -> None:
    """Variables after 20 steps with given gradients."""
    for name, make in OPTIMIZERS.items():
        first, second = keras.Variable(samples(7, 3, 4)), keras.Variable(samples(8, 4))
        optimizer = make()
        for step in range(20):
            gradients = [samples(100 + step, 3, 4), samples(200 + step, 4)]
            gradients = [keras.ops.convert_to_tensor(g, dtype="float64") for g in gradients]
            optimizer.apply(gradients, [first, second])
        keep(f"optimizers/{name}/0", first.value)
        keep(f"optimizers/{name}/1", second.value)


def network(kind: str) -> keras.Model:
    """Return a small network of each kind of output."""
    layers = keras.layers
    hidden = [
        keras.Input((6,)),
        layers.Dense(
            8, activation="relu", kernel_regularizer=keras.regularizers.L2(0.01), name="first"
        ),
        layers.Dense(
            7,
            activation="tanh",
            kernel_regularizer=keras.regularizers.L1L2(0.001, 0.002),
            bias_regularizer="l1",
            activity_regularizer=keras.regularizers.L2(0.01),
            name="second",
        ),
    ]
    outputs = {"classes": (4, "softmax"), "binary": (1, "sigmoid"), "numbers": (2, None)}
    units, activation = outputs[kind]
    return keras.Sequential([*hidden, layers.Dense(units, activation=activation, name="last")])


def trainings() -> None:
    """Loss and metrics of 20 steps, and the weights after them, from given weights."""
    x = samples(9, 64, 6)
    y = {
        "classes": (np.arange(64) * 3) % 4,
        "binary": (x[:, 0] + x[:, 1] > 0).astype(float),
        "numbers": x[:, :2] * 2 - x[:, 2:4],
    }
    loss = {
        "classes": "sparse_categorical_crossentropy",
        "binary": "binary_crossentropy",
        "numbers": "mse",
    }
    measured = {"classes": ["accuracy"], "binary": ["accuracy"], "numbers": ["mae"]}
    keep("trainings/x", x)
    for kind in y:
        keep(f"trainings/{kind}/y", y[kind])
        for name in ("sgd_nesterov", "adam"):
            model = network(kind)
            shapes = [w.shape for w in model.weights]
            given = [0.5 * samples(300 + i, *s) for i, s in enumerate(shapes)]
            model.set_weights(given)
            model.compile(OPTIMIZERS[name](), loss[kind], metrics=measured[kind])
            logs = []
            for step in range(20):
                part = slice(3 * step, 3 * step + 3)
                logs.append(model.train_on_batch(x[part], y[kind][part]))
            key = f"trainings/{kind}/{name}"
            keep(f"{key}/logs", np.array(logs, dtype=float))
            for i, w in enumerate(model.get_weights()):
                keep(f"{key}/weights/{i}", w)
            keep(f"{key}/predictions", model.predict(x, verbose=0))
            keep(f"{key}/evaluation", model.evaluate(x, y[kind], batch_size=20, verbose=0))
            # A short epoch without shuffling: a part batch, validation, weights of samples.
            model.set_weights(given)
            model.compile(OPTIMIZERS[name](), loss[kind], weighted_metrics=measured[kind])
            history = model.fit(
                x,
                y[kind],
                batch_size=20,
                epochs=3,
                shuffle=False,
                validation_split=0.25,
                sample_weight=np.linspace(0.5, 1.5, 64),
                verbose=0,
            ).history
            for metric, values in history.items():
                keep(f"{key}/history/{metric}", values)


def initializers() -> None:
    """Bounds and standard deviations of each distribution, for a shape of fans 200 and 100."""
    names = [
        "glorot_uniform",
        "glorot_normal",
        "he_uniform",
        "he_normal",
        "lecun_uniform",
        "lecun_normal",
        "random_uniform",
        "random_normal",
        "truncated_normal",
    ]
    for name in names:
        values = keras.initializers.get(name)((200, 100))
        values = np.asarray(keras.ops.convert_to_numpy(values))
        keep(f"initializers/{name}", [values.min(), values.max(), values.std()])


def activations() -> None:
    """Values of all activations that both have."""
    x = 3 * samples(10, 4, 5)
    keep("activations/x", x)
    for name in [
        "relu",
        "relu6",
        "leaky_relu",
        "elu",
        "selu",
        "tanh",
        "sigmoid",
        "hard_sigmoid",
        "silu",
        "gelu",
        "softplus",
        "softsign",
        "exponential",
        "softmax",
        "log_softmax",
        "linear",
    ]:
        tensor = keras.ops.convert_to_tensor(x, dtype="float64")
        keep(f"activations/{name}", keras.activations.get(name)(tensor))


def main() -> None:
    """Write the file."""
    keras.backend.set_floatx("float64")
    warnings.simplefilter("ignore")
    for part in (losses, metrics, rates, optimizers, trainings, initializers, activations):
        part()
    np.savez_compressed(HERE / "keras_reference.npz", **RESULTS)
    print(len(RESULTS), "results")


if __name__ == "__main__":
    main()
