"""One step of training a dense network, 784-64-64-10 with ReLU, batch 32, Adam.

Run with ``python -m benchmarks.training_step``, or with
``--data PATH`` on MNIST-like images from a ``.npz`` file.

A step is: forward, cross-entropy, backward, update. Each call takes the next of 64
batches. Two workloads:

- ``by hand``: the tape and the optimizer called directly, beside torch's and JAX's
  usual loops;
- ``train_on_batch``: the model's own step, with its checks and running loss.

torch runs eagerly with each of its three implementations of Adam and with one and
all threads: below the table stands the comparison with the best of them. JAX
compiles the whole step. autograd, which has no such optimizer, gets Adam on one flat
vector in NumPy.
"""

from __future__ import annotations

import importlib
import itertools
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks._data import images_and_labels
from benchmarks._harness import Contender, Times, Workload, format_duration, main

SIZES = (784, 64, 64, 10)
BATCH = 32
BATCHES = 64
LEARNING_RATE = 1e-3

WORKLOADS: list[Workload] = [
    {"name": "by hand", "group": "by hand"},
    {"name": "train_on_batch", "group": "train_on_batch"},
]


def batches(workload: Workload) -> list[tuple[Any, Any]]:
    """The batches that the steps cycle through."""
    x, y = images_and_labels(workload.get("data"), samples=BATCH * BATCHES, features=SIZES[0])
    return [(x[i : i + BATCH], y[i : i + BATCH]) for i in range(0, len(x), BATCH)]


def initial_parameters() -> list[Any]:
    """Kernels and biases, float32, the same for all contenders."""
    import numpy as np

    generator = np.random.default_rng(1)
    parameters: list[Any] = []
    for inputs, units in itertools.pairwise(SIZES):
        limit = np.sqrt(6 / (inputs + units))
        parameters.append(generator.uniform(-limit, limit, (inputs, units)).astype(np.float32))
        parameters.append(np.zeros(units, np.float32))
    return parameters


def prepare_tapegrad(workload: Workload) -> Callable[[], object]:
    """The eager tape."""
    import tapegrad as tg
    from tapegrad import ops

    if workload["name"] == "train_on_batch":
        layers = [
            tg.Input((SIZES[0],)),
            tg.layers.Dense(SIZES[1], activation="relu"),
            tg.layers.Dense(SIZES[2], activation="relu"),
            tg.layers.Dense(SIZES[3], activation="softmax"),
        ]
        model = tg.Sequential(layers)
        model.set_weights(initial_parameters())
        model.compile(tg.optimizers.Adam(LEARNING_RATE), "sparse_categorical_crossentropy")
        arrays = itertools.cycle(batches(workload))
        return lambda: model.train_on_batch(*next(arrays))

    variables = [tg.Variable(value) for value in initial_parameters()]
    w1, b1, w2, b2, w3, b3 = variables
    optimizer = tg.optimizers.Adam(LEARNING_RATE)
    tensors = itertools.cycle([(tg.tensor(x), tg.tensor(y)) for x, y in batches(workload)])

    def step() -> object:
        x, y = next(tensors)
        with tg.Tape() as tape:
            hidden = ops.dense(x, w1, b1, activation="relu")
            hidden = ops.dense(hidden, w2, b2, activation="relu")
            losses, _ = ops.softmax_cross_entropy(ops.dense(hidden, w3, b3), y)
            loss = ops.mean(losses)
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    return step


def _torch_with(threads: int | None, **options: Any) -> Callable[[Workload], Callable[[], object]]:
    def prepare(workload: Workload) -> Callable[[], object]:
        """Eager torch."""
        import torch

        if threads is not None:
            torch.set_num_threads(threads)
        parameters = initial_parameters()
        modules: list[torch.nn.Module] = []
        for kernel, bias in zip(parameters[::2], parameters[1::2], strict=True):
            linear = torch.nn.Linear(*kernel.shape)
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(kernel.T.copy()))
                linear.bias.copy_(torch.from_numpy(bias))
            modules += [linear, torch.nn.ReLU()]
        model = torch.nn.Sequential(*modules[:-1])
        optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, **options)
        cross_entropy = torch.nn.functional.cross_entropy
        tensors = itertools.cycle(
            [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in batches(workload)]
        )

        def step() -> object:
            x, y = next(tensors)
            optimizer.zero_grad()
            loss = cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        return step

    return prepare


def prepare_jax(workload: Workload) -> Callable[[], object]:
    """The whole step compiled by XLA."""
    import jax
    import jax.numpy as jnp

    def loss_of(parameters: Any, x: Any, y: Any) -> Any:
        w1, b1, w2, b2, w3, b3 = parameters
        hidden = jax.nn.relu(x @ w1 + b1)
        hidden = jax.nn.relu(hidden @ w2 + b2)
        scores = jax.nn.log_softmax(hidden @ w3 + b3)
        return -jnp.take_along_axis(scores, y[:, None], axis=1).mean()

    def adam(parameters: Any, first: Any, second: Any, count: Any, x: Any, y: Any) -> Any:
        loss, gradients = jax.value_and_grad(loss_of)(parameters, x, y)
        count = count + 1
        rate = LEARNING_RATE * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        first = [0.9 * m + 0.1 * g for m, g in zip(first, gradients, strict=True)]
        second = [0.999 * v + 0.001 * g * g for v, g in zip(second, gradients, strict=True)]
        parameters = [
            p - rate * m / (jnp.sqrt(v) + 1e-7)
            for p, m, v in zip(parameters, first, second, strict=True)
        ]
        return parameters, first, second, count, loss

    compiled = jax.jit(adam, donate_argnums=(0, 1, 2, 3))
    parameters = [jnp.asarray(value) for value in initial_parameters()]
    zeros = [jnp.zeros_like(value) for value in parameters]
    state = [parameters, zeros, [jnp.zeros_like(v) for v in parameters], jnp.float32(0)]
    arrays = itertools.cycle([(jnp.asarray(x), jnp.asarray(y)) for x, y in batches(workload)])

    def step() -> object:
        x, y = next(arrays)
        *state[:], loss = compiled(*state, x, y)
        return jax.block_until_ready(loss)

    return step


def prepare_autograd(workload: Workload) -> Callable[[], object]:
    """HIPS/autograd on NumPy."""
    # autograd makes its functions at run time, where type checkers cannot see them.
    autograd: Any = importlib.import_module("autograd")
    anp: Any = importlib.import_module("autograd.numpy")
    import numpy as np

    initial = initial_parameters()
    ends = np.cumsum([value.size for value in initial])
    flat = np.concatenate([value.ravel() for value in initial])
    first, second, rows = np.zeros_like(flat), np.zeros_like(flat), np.arange(BATCH)

    def loss_of(parameters: Any, x: Any, y: Any) -> Any:
        parts = [
            parameters[end - value.size : end].reshape(value.shape)
            for value, end in zip(initial, ends, strict=True)
        ]
        w1, b1, w2, b2, w3, b3 = parts
        hidden = anp.maximum(x @ w1 + b1, 0)
        hidden = anp.maximum(hidden @ w2 + b2, 0)
        logits = hidden @ w3 + b3
        highest = anp.max(logits, axis=1, keepdims=True)
        normalizer = anp.log(anp.sum(anp.exp(logits - highest), axis=1)) + highest[:, 0]
        return anp.mean(normalizer - logits[rows, y])

    gradient_of = autograd.value_and_grad(loss_of)
    arrays = itertools.cycle(batches(workload))
    counter = itertools.count(1)

    def step() -> object:
        loss, gradient = gradient_of(flat, *next(arrays))
        count = next(counter)
        first[:] = 0.9 * first + 0.1 * gradient
        second[:] = 0.999 * second + 0.001 * gradient * gradient
        rate = LEARNING_RATE * np.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        flat[:] -= np.float32(rate) * first / (np.sqrt(second) + np.float32(1e-7))
        return loss

    return step


def prepare_keras(workload: Workload) -> Callable[[], object]:
    """Keras 3 on JAX, its fastest backend on a CPU, with the step compiled."""
    if workload["name"] != "train_on_batch":
        raise NotImplementedError
    import keras

    layers = [
        keras.Input((SIZES[0],)),
        keras.layers.Dense(SIZES[1], activation="relu"),
        keras.layers.Dense(SIZES[2], activation="relu"),
        keras.layers.Dense(SIZES[3], activation="softmax"),
    ]
    model = keras.Sequential(layers)
    model.set_weights(initial_parameters())
    model.compile(keras.optimizers.Adam(LEARNING_RATE), "sparse_categorical_crossentropy")
    arrays = itertools.cycle(batches(workload))
    return lambda: model.train_on_batch(*next(arrays))


_ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def _torch_contenders() -> dict[str, Contender]:
    kinds = {"fused": {"fused": True}, "foreach": {"foreach": True}, "loop": {"foreach": False}}
    contenders = {}
    for kind, options in kinds.items():
        contenders[f"torch {kind}"] = Contender(_torch_with(None, **options), requires=("torch",))
        contenders[f"torch {kind} 1 thread"] = Contender(
            _torch_with(1, **options), requires=("torch",), environment=_ONE_THREAD
        )
    return contenders


CONTENDERS = {
    "tapegrad": Contender(prepare_tapegrad, requires=("numba",)),
    **_torch_contenders(),
    "jax": Contender(prepare_jax, requires=("jax",)),
    "autograd": Contender(prepare_autograd, requires=("autograd",)),
    "keras": Contender(
        prepare_keras, requires=("keras", "jax"), environment={"KERAS_BACKEND": "jax"}
    ),
}


def conclude(results: Sequence[tuple[Workload, Times]]) -> list[str]:
    """Our time as a share of that of torch's best kind."""
    lines = []
    for workload, times in results:
        kinds = [name for name in times if name.startswith("torch")]
        if not kinds or "tapegrad" not in times:
            continue
        for word, statistic in (("minimums", min), ("medians", statistics.median)):
            best = min(kinds, key=lambda kind: statistic(times[kind]))
            ours, theirs = statistic(times["tapegrad"]), statistic(times[best])
            lines.append(
                f"{workload['name']}: {ours / theirs:.3f} of the time of {best} "
                f"({format_duration(ours)} against {format_duration(theirs)}, {word})"
            )
    return lines


if __name__ == "__main__":
    main(
        "benchmarks.training_step",
        CONTENDERS,
        WORKLOADS,
        conclude=conclude,
        rounds=100,
        seconds=0.001,
        takes_data=True,
    )
