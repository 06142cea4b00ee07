"""The workloads of `benchmarks.jit` as users of torch write them, eager or compiled.

`torch.compile` takes the forward pass and the loss, whose backward pass it compiles with them;
the optimizer is the fused one in either case.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import _jit_workloads as shared
from benchmarks._harness import Prepared, Workload

Compile = Callable[[Callable[..., Any]], Callable[..., Any]]


def _recurrent(kind: str, kernel: Any, recurrent_kernel: Any, bias: Any) -> Any:
    """A recurrent layer of torch, with Keras's weights, that gives the last output."""
    import numpy as np
    import torch
    from torch import nn

    if kind == "gru":  # Keras has the update gate first, torch the reset gate
        update_reset = [np.split(part, 3, axis=-1) for part in (kernel, recurrent_kernel, bias)]
        parts = [np.concatenate([r, z, h], axis=-1) for z, r, h in update_reset]
        kernel, recurrent_kernel, bias = parts
    makers = {"lstm": nn.LSTM, "gru": nn.GRU, "simple rnn": nn.RNN}
    layer = makers[kind](len(kernel), len(recurrent_kernel), batch_first=True)
    biases = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))
    with torch.no_grad():
        for name, value in {
            "weight_ih_l0": kernel.T,
            "weight_hh_l0": recurrent_kernel.T,
            "bias_ih_l0": biases[0],
            "bias_hh_l0": biases[1],
        }.items():
            getattr(layer, name).copy_(torch.from_numpy(np.ascontiguousarray(value)))

    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Any) -> Any:
            return self.layer(x)[0][:, -1]

    return Last()


def network(name: str) -> Any:
    """The network of that name, with the weights that all contenders start from."""
    import numpy as np
    import torch
    from torch import nn

    weights = iter(shared.initial_weights(name))

    def with_weights(layer: Any, kernel: Any) -> Any:
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(kernel)))
            layer.bias.copy_(torch.from_numpy(next(weights)))
        return layer

    def dense() -> Any:
        kernel = next(weights)
        return with_weights(nn.Linear(*kernel.shape), kernel.T)

    def dense_of_images(height: int, width: int, channels: int) -> Any:
        """The first dense layer, whose inputs torch orders channels first."""
        kernel = next(weights)
        rows = kernel.reshape(height, width, channels, -1).transpose(2, 0, 1, 3)
        return with_weights(nn.Linear(*kernel.shape), rows.reshape(kernel.shape).T)

    def convolution() -> Any:
        kernel = next(weights)
        layer = nn.Conv2d(kernel.shape[2], kernel.shape[3], kernel.shape[0])
        return with_weights(layer, kernel.transpose(3, 2, 0, 1))

    def recurrent() -> Any:
        return _recurrent(name, next(weights), next(weights), next(weights))

    stacks: dict[str, Callable[[], list[Any]]] = {
        "mlp": lambda: [dense(), nn.ReLU(), dense(), nn.ReLU(), dense()],
        "cnn": lambda: [
            *(convolution(), nn.ReLU(), nn.MaxPool2d(2)),
            *(convolution(), nn.ReLU(), nn.MaxPool2d(2)),
            *(convolution(), nn.ReLU(), nn.Flatten()),
            *(dense_of_images(3, 3, 64), nn.ReLU(), dense()),
        ],
        **dict.fromkeys(("lstm", "gru", "simple rnn"), lambda: [recurrent(), dense()]),
        "autoencoder": lambda: [
            *(dense(), nn.ReLU(), dense(), nn.ReLU()),
            *(dense(), nn.ReLU(), dense(), nn.Sigmoid()),
        ],
        "generator": lambda: [dense(), nn.ReLU(), dense(), nn.Sigmoid()],
        "discriminator": lambda: [dense(), nn.LeakyReLU(shared.SLOPE), dense()],
    }
    return nn.Sequential(*stacks[name]())


def _adam(model: Any) -> Any:
    import torch

    return torch.optim.Adam(
        model.parameters(), lr=shared.LEARNING_RATE, eps=shared.EPSILON, fused=True
    )


def _tensor(value: Any) -> Any:
    """What torch takes: images channels first."""
    import torch

    if value.ndim == 4:
        return torch.from_numpy(value).permute(0, 3, 1, 2).contiguous()
    return torch.from_numpy(value)


def _step(loss_of: Callable[..., Any], optimizer: Any) -> Callable[..., Any]:
    def step(*batch: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_of(*batch)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def _training_step(name: str, compiled: Compile) -> Callable[..., Any]:
    from torch.nn import functional

    model = network(name)
    criterion: Any = functional.mse_loss if name == "autoencoder" else functional.cross_entropy
    return _step(compiled(lambda x, y: criterion(model(x), y)), _adam(model))


def _adversarial_step(compiled: Compile) -> Callable[..., Any]:
    import torch

    generator, discriminator = network("generator"), network("discriminator")
    criterion = torch.nn.functional.binary_cross_entropy_with_logits
    of_generator, of_discriminator = _adam(generator), _adam(discriminator)
    labels: dict[int, tuple[Any, Any]] = {}

    def loss_on_images(real: Any, noise: Any, targets: Any) -> Any:
        with torch.no_grad():
            drawn = generator(noise)
        return criterion(discriminator(torch.cat([real, drawn])), targets)

    def loss_on_drawn(noise: Any, ones: Any) -> Any:
        return criterion(discriminator(generator(noise)), ones)

    judge = _step(compiled(loss_on_images), of_discriminator)
    draw = _step(compiled(loss_on_drawn), of_generator)

    def step(real: Any, noise: Any) -> Any:
        if len(real) not in labels:
            ones = torch.ones(len(real), 1)
            labels[len(real)] = ones, torch.cat([ones, 0 * ones])
        ones, targets = labels[len(real)]
        on_images = judge(real, noise, targets)
        for weight in discriminator.parameters():  # it only passes gradients on
            weight.requires_grad_(False)
        on_drawn = draw(noise, ones)
        for weight in discriminator.parameters():
            weight.requires_grad_(True)
        return on_images, on_drawn

    return step


def _cycle(step: Callable[..., Any], batches: list[tuple[Any, Any]]) -> Prepared:
    """Steps through the batches; what it gave first is the outcome."""
    import numpy as np

    tensors = [tuple(map(_tensor, batch)) for batch in batches]
    given = [np.ravel(step(*batch)) for batch in tensors[: shared.CHECKED_STEPS]]
    following = shared.forever(tensors)
    return Prepared(lambda: step(*following()), np.concatenate(given).tolist())


def _regression(compiled: Compile) -> Prepared:
    import torch

    model = torch.nn.Linear(1, 1)
    for weight in model.parameters():
        torch.nn.init.zeros_(weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=shared.REGRESSION_RATE, fused=True)
    loss_of = compiled(lambda x, y: torch.nn.functional.mse_loss(model(x), y))
    return _cycle(_step(loss_of, optimizer), [shared.line()] * shared.CHECKED_STEPS)


def _fit(workload: Workload, compiled: Compile) -> Prepared:
    """The loop of torch's tutorials, which reads the loss at each step, as `fit` does."""
    import torch

    x, y = map(_tensor, shared.samples(workload["network"], workload["samples"]))
    step = _training_step(workload["network"], compiled)

    def epoch() -> float:
        total = 0.0
        for chosen in torch.randperm(len(x)).split(workload["batch"]):
            total += step(x[chosen], y[chosen]).item() * len(chosen)
        return total / len(x)

    return Prepared(epoch, [epoch()])


def _predict(workload: Workload, compiled: Compile) -> Prepared:
    import torch

    x, _ = shared.samples(workload["network"], workload["batch"])
    model = network(workload["network"])
    probabilities = compiled(lambda images: torch.softmax(model(images), -1))

    def predict() -> Any:
        with torch.inference_mode():
            images = torch.from_numpy(x)
            if x.ndim == 4:
                images = images.permute(0, 3, 1, 2)
            return probabilities(images).numpy()

    return Prepared(predict, predict()[0].tolist())


def _rosenbrock(workload: Workload, compiled: Compile) -> Prepared:
    import numpy as np
    import torch

    def valley(x: Any) -> Any:
        return torch.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    def product_of(x: Any, v: Any) -> Any:
        return torch.func.jvp(torch.func.grad(valley), (x,), (v,))[1]

    x, v = map(torch.from_numpy, shared.point_and_direction(workload))
    if workload["of"] == "hessian":
        hessian = compiled(torch.func.hessian(valley))
        return Prepared(lambda: hessian(x), np.ravel(hessian(x)).tolist())
    product = compiled(product_of)
    return Prepared(lambda: product(x, v), np.ravel(product(x, v)).tolist())


def prepare(workload: Workload, *, compiled: Compile, threads: int | None) -> Prepared:
    """Any workload."""
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    kind = workload["kind"]
    if kind in ("step", "train_on_batch"):
        step = _training_step(workload["network"], compiled)
        return _cycle(step, shared.batches(workload))
    if kind == "gan":
        return _cycle(_adversarial_step(compiled), shared.real_images_and_noise(workload))
    if kind == "regression":
        return _regression(compiled)
    methods = {"fit": _fit, "predict": _predict, "rosenbrock": _rosenbrock}
    return methods[kind](workload, compiled)


def eager(threads: int | None) -> Callable[[Workload], Prepared]:
    """Contender: operation by operation."""
    return lambda workload: prepare(workload, compiled=lambda fun: fun, threads=threads)


def inductor(threads: int | None) -> Callable[[Workload], Prepared]:
    """Contender: `torch.compile` in its default mode."""

    def prepare_compiled(workload: Workload) -> Prepared:
        import torch

        torch.compiler.reset()  # nothing of the workload before counts against its limits
        return prepare(workload, compiled=torch.compile, threads=threads)

    return prepare_compiled
