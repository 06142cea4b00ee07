"""The workloads of `benchmarks.jit` as users of tapegrad write them, with jit or without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import _jit_workloads as shared
from benchmarks._harness import Prepared, Workload

Jit = Callable[[Callable[..., Any]], Callable[..., Any]]
"""`tapegrad.jit`, or what stands in its place."""


def jit(jitted: bool) -> Jit:
    """`tapegrad.jit`, or for `jitted` False what leaves a function as it is."""
    import tapegrad as tg

    return tg.jit if jitted else lambda fun: fun


def network(name: str, *, softmax: bool = False) -> Any:
    """The network of that name, with the weights that all contenders start from.

    Parameters
    ----------
    name : str
        ``"mlp"``, ``"cnn"``, ``"generator"`` …
    softmax : bool, default False
        Whether a classifier gives probabilities rather than logits.
    """
    import tapegrad as tg

    layers = tg.layers
    last = layers.Dense(10, activation="softmax" if softmax else None)
    stacks: dict[str, Callable[[], list[Any]]] = {
        "mlp": lambda: [
            tg.Input((784,)),
            layers.Dense(64, activation="relu"),
            layers.Dense(64, activation="relu"),
            last,
        ],
        "cnn": lambda: [
            tg.Input((28, 28, 1)),
            layers.Conv2D(32, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(64, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(64, (3, 3), activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            last,
        ],
        "lstm": lambda: [tg.Input((28, 28)), layers.LSTM(128), last],
        "gru": lambda: [tg.Input((28, 28)), layers.GRU(128), last],
        "simple rnn": lambda: [tg.Input((28, 28)), layers.SimpleRNN(128), last],
        "autoencoder": lambda: [
            tg.Input((784,)),
            layers.Dense(128, activation="relu"),
            layers.Dense(32, activation="relu"),
            layers.Dense(128, activation="relu"),
            layers.Dense(784, activation="sigmoid"),
        ],
        "generator": lambda: [
            tg.Input((shared.NOISE,)),
            layers.Dense(128, activation="relu"),
            layers.Dense(784, activation="sigmoid"),
        ],
        "discriminator": lambda: [
            tg.Input((784,)),
            layers.Dense(128),
            layers.LeakyReLU(negative_slope=shared.SLOPE),
            layers.Dense(1),
        ],
    }
    model = tg.Sequential(stacks[name]())
    model.set_weights(shared.initial_weights(name))
    return model


def _adam() -> Any:
    import tapegrad as tg

    return tg.optimizers.Adam(shared.LEARNING_RATE, epsilon=shared.EPSILON)


def training_step(name: str, compiled: Jit) -> Callable[[Any, Any], Any]:
    """One step of the network `name`: takes a batch, returns the loss."""
    import tapegrad as tg

    model, optimizer = network(name), _adam()
    loss_of: Any = (
        tg.losses.MeanSquaredError()
        if name == "autoencoder"
        else tg.losses.SparseCategoricalCrossentropy(from_logits=True)
    )

    @compiled
    def step(x: Any, y: Any) -> Any:
        with tg.Tape() as tape:
            loss = loss_of(y, model(x, training=True))
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    return step


def adversarial_step(compiled: Jit) -> Callable[[Any, Any], Any]:
    """One step of a discriminator and one of its generator; returns both losses."""
    import numpy as np

    import tapegrad as tg

    generator, discriminator = network("generator"), network("discriminator")
    of_generator, of_discriminator = _adam(), _adam()
    loss_of = tg.losses.BinaryCrossentropy(from_logits=True)

    @compiled
    def step(real: Any, noise: Any) -> Any:
        ones = np.ones((len(real), 1), np.float32)
        images = tg.ops.concatenate([real, generator(noise)], axis=0)
        with tg.Tape() as tape:
            scores = discriminator(images, training=True)
            on_images = loss_of(np.concatenate([ones, 0 * ones]), scores)
        weights = discriminator.trainable_variables
        of_discriminator.apply(tape.gradient(on_images, weights), weights)
        with tg.Tape() as tape:
            on_drawn = loss_of(ones, discriminator(generator(noise), training=True))
        weights = generator.trainable_variables
        of_generator.apply(tape.gradient(on_drawn, weights), weights)
        return on_images, on_drawn

    return step


def _cycle(step: Callable[..., Any], batches: list[tuple[Any, ...]]) -> Prepared:
    """Steps through the batches; what it gave first is the outcome."""
    import numpy as np

    given = [np.ravel(step(*batch)) for batch in batches[: shared.CHECKED_STEPS]]
    following = shared.forever(batches)
    return Prepared(lambda: step(*following()), np.concatenate(given).tolist())


def _tensors(batches: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    import tapegrad as tg

    return [tuple(map(tg.tensor, batch)) for batch in batches]


def _regression(workload: Workload, jitted: bool) -> Prepared:
    import tapegrad as tg

    x, y = shared.line()
    model = tg.Sequential([tg.Input((1,)), tg.layers.Dense(1, kernel_initializer="zeros")])
    optimizer = tg.optimizers.SGD(shared.REGRESSION_RATE)
    model.compile(optimizer, "mse", jit_compile="auto" if jitted else False)
    steps = workload["steps"]

    def fit(epochs: int) -> Any:
        return model.fit(x, y, batch_size=len(x), epochs=epochs, verbose=0)

    losses = fit(shared.CHECKED_STEPS).history["loss"]
    return Prepared(lambda: fit(steps), losses, operations=steps)


def _classifier(workload: Workload, jitted: bool) -> Any:
    """A compiled model, for its own `fit` and so on."""
    model = network(workload["network"], softmax=True)
    mode = "auto" if jitted else False
    model.compile(_adam(), "sparse_categorical_crossentropy", jit_compile=mode)
    return model


def _fit(workload: Workload, jitted: bool) -> Prepared:
    x, y = shared.samples(workload["network"], workload["samples"])
    model = _classifier(workload, jitted)

    def epoch() -> Any:
        return model.fit(x, y, batch_size=workload["batch"], verbose=0)

    return Prepared(epoch, epoch().history["loss"])


def _predict(workload: Workload, jitted: bool) -> Prepared:
    x, _ = shared.samples(workload["network"], workload["batch"])
    model = _classifier(workload, jitted)
    return Prepared(lambda: model.predict_on_batch(x), model.predict_on_batch(x)[0].tolist())


def _train_on_batch(workload: Workload, jitted: bool) -> Prepared:
    model, batches = _classifier(workload, jitted), shared.batches(workload)
    losses = []
    for batch in batches[: shared.CHECKED_STEPS]:
        losses.append(model.train_on_batch(*batch))
        model.reset_metrics()  # the loss of this batch alone
    following = shared.forever(batches)
    return Prepared(lambda: model.train_on_batch(*following()), losses)


def _rosenbrock(workload: Workload, jitted: bool) -> Prepared:
    import numpy as np

    import tapegrad as tg
    import tapegrad.numpy as tnp

    def valley(x: Any) -> Any:
        return tnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    x, v = map(tg.tensor, shared.point_and_direction(workload))
    if workload["of"] == "hessian":
        hessian = jit(jitted)(tg.hessian(valley))
        return Prepared(lambda: hessian(x), np.ravel(hessian(x)).tolist())
    product = jit(jitted)(tg.hvp(valley))
    return Prepared(lambda: product(x, v), np.ravel(product(x, v)).tolist())


def prepare(workload: Workload, *, jitted: bool) -> Prepared:
    """Any workload, jitted or eager."""
    kind = workload["kind"]
    if kind == "step":
        step = training_step(workload["network"], jit(jitted))
        return _cycle(step, _tensors(shared.batches(workload)))
    if kind == "gan":
        step = adversarial_step(jit(jitted))
        return _cycle(step, _tensors(shared.real_images_and_noise(workload)))
    methods = {
        "regression": _regression,
        "predict": _predict,
        "fit": _fit,
        "train_on_batch": _train_on_batch,
        "rosenbrock": _rosenbrock,
    }
    return methods[kind](workload, jitted)


def prepare_jitted(workload: Workload) -> Prepared:
    """`tapegrad.jit` around functions; models compiled as they are by default."""
    return prepare(workload, jitted=True)


def prepare_eager(workload: Workload) -> Prepared:
    """Operation by operation."""
    return prepare(workload, jitted=False)
