"""Epochs of `fit`, and predictions one sample at a time.

Run with ``python -m benchmarks.fit``, or with ``--data PATH`` on MNIST-like images from a
``.npz`` file. Workloads:

- ``mlp epoch``: 784-64-64-10 with ReLU, 8,000 samples in shuffled batches of 32, Adam;
- ``cnn epoch``: three convolutions of 3×3 (32, 64 and 64 filters), the first two with a pooling of
  2×2 behind them, then 64 and 10 units, on 512 images, otherwise the same;
- ``mlp predict``: `predict_on_batch` of one sample.

torch runs the loop that its tutorials have, with the fused implementation of Adam, and reads the
loss at each step, as `fit` does; with one and with all threads, convolutions also in the memory
format "channels last". Below the table stands the comparison with the best of them. Keras, if it
is there, runs the same calls as we do.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks._data import images_and_labels
from benchmarks._harness import Contender, Times, Workload, format_duration, main

BATCH = 32
LEARNING_RATE = 1e-3

WORKLOADS: list[Workload] = [
    {"name": "mlp epoch", "network": "mlp", "samples": 8000},
    {"name": "cnn epoch", "network": "cnn", "samples": 512, "quick": False},
    {"name": "mlp predict", "network": "mlp", "samples": 64, "predict": True},
]

GOALS = {"mlp epoch": 0.6, "cnn epoch": 0.8, "mlp predict": 1.0}
"""At most this share of torch's time."""


def _data(workload: Workload) -> tuple[Any, Any]:
    x, y = images_and_labels(workload.get("data"), samples=workload["samples"], features=784)
    return (x.reshape(-1, 28, 28, 1) if workload["network"] == "cnn" else x), y


def _keras_like(library: Any, workload: Workload) -> Callable[[], object]:
    """The calls that tapegrad and Keras share."""
    x, y = _data(workload)
    layers = library.layers
    stacks = {
        "mlp": lambda: [
            library.Input((784,)),
            layers.Dense(64, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ],
        "cnn": lambda: [
            library.Input((28, 28, 1)),
            layers.Conv2D(32, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(64, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(64, (3, 3), activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ],
    }
    model = library.Sequential(stacks[workload["network"]]())
    model.compile(library.optimizers.Adam(LEARNING_RATE), "sparse_categorical_crossentropy")
    if workload.get("predict"):
        one = x[:1]
        return lambda: model.predict_on_batch(one)
    return lambda: model.fit(x, y, batch_size=BATCH, verbose=0)


def prepare_tapegrad(workload: Workload) -> Callable[[], object]:
    """`fit` and `predict_on_batch`."""
    import tapegrad as tg

    return _keras_like(tg, workload)


def prepare_keras(workload: Workload) -> Callable[[], object]:
    """Keras 3 on JAX, its fastest backend on a CPU, with the step compiled."""
    import keras

    return _keras_like(keras, workload)


def _torch_with(threads: int | None, *, last: bool = False) -> Callable[[Workload], Any]:
    def prepare(workload: Workload) -> Callable[[], object]:
        """Eager torch."""
        import torch
        from torch import nn

        if threads is not None:
            torch.set_num_threads(threads)
        convolutions = workload["network"] == "cnn"
        if last and not convolutions:
            raise NotImplementedError
        x, y = (torch.from_numpy(part) for part in _data(workload))
        stacks = {
            "mlp": lambda: [
                *(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU()),
                nn.Linear(64, 10),
            ],
            "cnn": lambda: [
                *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2)),
                *(nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)),
                *(nn.Conv2d(64, 64, 3), nn.ReLU()),
                *(nn.Flatten(), nn.Linear(576, 64), nn.ReLU(), nn.Linear(64, 10)),
            ],
        }
        model = nn.Sequential(*stacks[workload["network"]]())
        if convolutions:
            x = x.permute(0, 3, 1, 2).contiguous()
        if last:
            model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            x = x.contiguous(memory_format=torch.channels_last)
        if workload.get("predict"):
            one = x[:1].numpy()

            def predict() -> object:
                with torch.inference_mode():
                    return torch.softmax(model(torch.from_numpy(one)), -1).numpy()

            return predict
        optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=True)
        cross_entropy = nn.functional.cross_entropy

        def epoch() -> object:
            total, order = 0.0, torch.randperm(len(x))
            for chosen in order.split(BATCH):
                optimizer.zero_grad()
                loss = cross_entropy(model(x[chosen]), y[chosen])
                loss.backward()
                optimizer.step()
                total += loss.item() * len(chosen)
            return total / len(x)

        return epoch

    return prepare


_ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

CONTENDERS = {
    "tapegrad": Contender(prepare_tapegrad, requires=("numba",)),
    "torch": Contender(_torch_with(None), requires=("torch",)),
    "torch channels last": Contender(_torch_with(None, last=True), requires=("torch",)),
    "torch 1 thread": Contender(_torch_with(1), requires=("torch",), environment=_ONE_THREAD),
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
                f"({format_duration(ours)} against {format_duration(theirs)}, {word}); "
                f"the goal is {GOALS[workload['name']]}"
            )
    return lines


if __name__ == "__main__":
    main(
        "benchmarks.fit",
        CONTENDERS,
        WORKLOADS,
        conclude=conclude,
        rounds=9,
        seconds=0.01,
        takes_data=True,
    )
