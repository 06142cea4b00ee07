"""The workloads of `benchmarks.jit` as users of JAX write them: the whole step in one jit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import _jit_workloads as shared
from benchmarks._harness import Prepared, Workload


def _lstm(weights: Any, x: Any) -> Any:
    import jax
    import jax.numpy as jnp

    kernel, recurrent_kernel, bias = weights
    units = len(recurrent_kernel)

    def cell(state: Any, projected: Any) -> Any:
        h, c = state
        i, f, g, o = jnp.split(projected + h @ recurrent_kernel, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    zeros = jnp.zeros((len(x), units))
    (h, _), _ = jax.lax.scan(cell, (zeros, zeros), (x @ kernel + bias).swapaxes(0, 1))
    return h


def _gru(weights: Any, x: Any) -> Any:
    import jax
    import jax.numpy as jnp

    kernel, recurrent_kernel, (bias, recurrent_bias) = weights

    def cell(h: Any, projected: Any) -> Any:
        z, r, n = jnp.split(projected, 3, axis=-1)
        hz, hr, hn = jnp.split(h @ recurrent_kernel + recurrent_bias, 3, axis=-1)
        z = jax.nn.sigmoid(z + hz)
        n = jnp.tanh(n + jax.nn.sigmoid(r + hr) * hn)
        return z * h + (1 - z) * n, None

    zeros = jnp.zeros((len(x), len(recurrent_kernel)))
    return jax.lax.scan(cell, zeros, (x @ kernel + bias).swapaxes(0, 1))[0]


def _simple_rnn(weights: Any, x: Any) -> Any:
    import jax
    import jax.numpy as jnp

    kernel, recurrent_kernel, bias = weights

    def cell(h: Any, projected: Any) -> Any:
        return jnp.tanh(projected + h @ recurrent_kernel), None

    zeros = jnp.zeros((len(x), len(recurrent_kernel)))
    return jax.lax.scan(cell, zeros, (x @ kernel + bias).swapaxes(0, 1))[0]


def _images(weights: Any, x: Any) -> Any:
    import jax
    import jax.numpy as jnp

    def convolve(x: Any, kernel: Any, bias: Any) -> Any:
        layout = ("NHWC", "HWIO", "NHWC")
        x = jax.lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=layout)
        return jax.nn.relu(x + bias)

    def pool(x: Any) -> Any:
        window = (1, 2, 2, 1)
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, "VALID")

    x = pool(convolve(x, *weights[:2]))
    x = convolve(pool(convolve(x, *weights[2:4])), *weights[4:6])
    return x.reshape(len(x), -1)


def _dense(weights: Any, x: Any, activation: Callable[[Any], Any]) -> Any:
    """Dense layers, with `activation` between them."""
    pairs = list(zip(weights[::2], weights[1::2], strict=True))
    for kernel, bias in pairs[:-1]:
        x = activation(x @ kernel + bias)
    return x @ pairs[-1][0] + pairs[-1][1]


def forward(name: str, weights: Any, x: Any) -> Any:
    """What the network of that name gives; logits of classifiers."""
    import jax

    relu, sigmoid = jax.nn.relu, jax.nn.sigmoid
    recurrent = {"lstm": _lstm, "gru": _gru, "simple rnn": _simple_rnn}
    if name in recurrent:
        return _dense(weights[3:], recurrent[name](weights[:3], x), relu)
    if name == "cnn":
        return _dense(weights[6:], _images(weights[:6], x), relu)
    if name in ("autoencoder", "generator"):
        return sigmoid(_dense(weights, x, relu))
    if name == "discriminator":
        return _dense(weights, x, lambda part: jax.nn.leaky_relu(part, shared.SLOPE))
    return _dense(weights, x, relu)


def _adam_state(name: str) -> Any:
    import jax.numpy as jnp

    weights = [jnp.asarray(value) for value in shared.initial_weights(name)]
    zeros = [[jnp.zeros_like(value) for value in weights] for _ in range(2)]
    return weights, *zeros, jnp.float32(0)


def _adam(state: Any, gradients: Any) -> Any:
    import jax.numpy as jnp

    weights, first, second, count = state
    count = count + 1
    rate = shared.LEARNING_RATE * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
    first = [0.9 * m + 0.1 * g for m, g in zip(first, gradients, strict=True)]
    second = [0.999 * v + 0.001 * g * g for v, g in zip(second, gradients, strict=True)]
    weights = [
        w - rate * m / (jnp.sqrt(v) + shared.EPSILON)
        for w, m, v in zip(weights, first, second, strict=True)
    ]
    return weights, first, second, count


def _training_step(name: str) -> Callable[..., Any]:
    """The step, its state held as users hold it: replaced at each call."""
    import jax
    import jax.numpy as jnp

    def loss_of(weights: Any, x: Any, y: Any) -> Any:
        given = forward(name, weights, x)
        if name == "autoencoder":
            return jnp.mean((given - y) ** 2)
        return -jnp.take_along_axis(jax.nn.log_softmax(given), y[:, None], axis=1).mean()

    def update(state: Any, x: Any, y: Any) -> Any:
        loss, gradients = jax.value_and_grad(loss_of)(state[0], x, y)
        return _adam(state, gradients), loss

    return _stateful(update, _adam_state(name))


def _stateful(update: Callable[..., Any], state: Any) -> Callable[..., Any]:
    """The jitted update, whose state is given up at each call for the next one."""
    import jax

    compiled = jax.jit(update, donate_argnums=0)
    held = [state]

    def step(*batch: Any) -> Any:
        held[0], losses = compiled(held[0], *batch)
        return jax.block_until_ready(losses)

    return step


def _adversarial_step() -> Callable[..., Any]:
    import jax
    import jax.numpy as jnp

    def cross_entropy(logits: Any, targets: Any) -> Any:
        return jnp.mean(jax.nn.softplus(logits) - targets * logits)

    def loss_on_images(judge: Any, images: Any, targets: Any) -> Any:
        return cross_entropy(forward("discriminator", judge, images), targets)

    def loss_on_drawn(artist: Any, judge: Any, noise: Any) -> Any:
        drawn = forward("generator", artist, noise)
        return cross_entropy(forward("discriminator", judge, drawn), 1.0)

    def update(state: Any, real: Any, noise: Any) -> Any:
        artist, judge = state
        images = jnp.concatenate([real, forward("generator", artist[0], noise)])
        ones = jnp.ones((len(real), 1))
        targets = jnp.concatenate([ones, 0 * ones])
        on_images, gradients = jax.value_and_grad(loss_on_images)(judge[0], images, targets)
        judge = _adam(judge, gradients)
        on_drawn, gradients = jax.value_and_grad(loss_on_drawn)(artist[0], judge[0], noise)
        return (_adam(artist, gradients), judge), (on_images, on_drawn)

    return _stateful(update, (_adam_state("generator"), _adam_state("discriminator")))


def _cycle(step: Callable[..., Any], batches: list[tuple[Any, Any]]) -> Prepared:
    """Steps through the batches; what it gave first is the outcome."""
    import jax.numpy as jnp
    import numpy as np

    arrays = [tuple(map(jnp.asarray, batch)) for batch in batches]
    given = [np.ravel(step(*batch)) for batch in arrays[: shared.CHECKED_STEPS]]
    following = shared.forever(arrays)
    return Prepared(lambda: step(*following()), np.concatenate(given).tolist())


def _regression() -> Prepared:
    import jax
    import jax.numpy as jnp

    def loss_of(weights: Any, x: Any, y: Any) -> Any:
        return jnp.mean((_dense(weights, x, jax.nn.relu) - y) ** 2)

    def update(weights: Any, x: Any, y: Any) -> Any:
        loss, gradients = jax.value_and_grad(loss_of)(weights, x, y)
        rate = shared.REGRESSION_RATE
        return [w - rate * g for w, g in zip(weights, gradients, strict=True)], loss

    step = _stateful(update, [jnp.zeros((1, 1)), jnp.zeros(1)])
    return _cycle(step, [shared.line()] * shared.CHECKED_STEPS)


def _fit(workload: Workload) -> Prepared:
    """A loop over shuffled batches, which reads the loss at each step, as `fit` does."""
    import numpy as np

    x, y = shared.samples(workload["network"], workload["samples"])
    step, size = _training_step(workload["network"]), workload["batch"]
    generator = np.random.default_rng(5)

    def epoch() -> float:
        total, order = 0.0, generator.permutation(len(x))
        for start in range(0, len(x), size):
            chosen = order[start : start + size]
            total += float(step(x[chosen], y[chosen])) * len(chosen)
        return total / len(x)

    return Prepared(epoch, [epoch()])


def _predict(workload: Workload) -> Prepared:
    import jax
    import jax.numpy as jnp
    import numpy as np

    name = workload["network"]
    x, _ = shared.samples(name, workload["batch"])
    weights = [jnp.asarray(value) for value in shared.initial_weights(name)]
    compiled = jax.jit(lambda weights, x: jax.nn.softmax(forward(name, weights, x)))

    def predict() -> Any:
        return np.asarray(compiled(weights, x))

    return Prepared(predict, predict()[0].tolist())


def _rosenbrock(workload: Workload) -> Prepared:
    import jax
    import jax.numpy as jnp
    import numpy as np

    def valley(x: Any) -> Any:
        return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    def product_of(x: Any, v: Any) -> Any:
        return jax.jvp(jax.grad(valley), (x,), (v,))[1]

    x, v = map(jnp.asarray, shared.point_and_direction(workload))
    ready = jax.block_until_ready
    if workload["of"] == "hessian":
        hessian = jax.jit(jax.hessian(valley))
        return Prepared(lambda: ready(hessian(x)), np.ravel(hessian(x)).tolist())
    product = jax.jit(product_of)
    return Prepared(lambda: ready(product(x, v)), np.ravel(product(x, v)).tolist())


def prepare(workload: Workload) -> Prepared:
    """Any workload."""
    kind = workload["kind"]
    if kind in ("step", "train_on_batch"):
        return _cycle(_training_step(workload["network"]), shared.batches(workload))
    if kind == "gan":
        return _cycle(_adversarial_step(), shared.real_images_and_noise(workload))
    if kind == "regression":
        return _regression()
    methods = {"fit": _fit, "predict": _predict, "rosenbrock": _rosenbrock}
    return methods[kind](workload)
