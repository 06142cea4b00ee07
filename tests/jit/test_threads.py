"""Programs in several Python threads at once."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

import tapegrad as tg
from tapegrad import layers, ops

THREADS = 6
RNG = np.random.default_rng(5)


def _together(work: Any, count: int = THREADS) -> list[Any]:
    """What a function of a number returns in threads that start together."""
    barrier = threading.Barrier(count)

    def start(number: int) -> Any:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(start, range(count)))


def test_one_function_from_its_first_call_on():
    def function(x: Any, w: Any) -> Any:
        y = ops.tanh(ops.matmul(x, w))
        return (y * y - 1.0).sum(axis=0), ops.softmax(y)

    jitted = tg.jit(function)
    w = tg.tensor(RNG.normal(size=(9, 9)))
    inputs = [tg.tensor(RNG.normal(size=(40, 9))) for _ in range(THREADS)]
    wanted = [[part.numpy() for part in function(x, w)] for x in inputs]

    def work(number: int) -> None:
        for _ in range(60):
            for got, expected in zip(jitted(inputs[number], w), wanted[number], strict=True):
                np.testing.assert_array_equal(got.numpy(), expected)

    _together(work)


def test_different_functions_and_signatures():
    shared = tg.jit(lambda x, n: ops.exp(x * n).sum())

    def work(number: int) -> None:
        own = tg.jit(lambda x: (x + number).sum())
        for length in range(1, 30):
            x = np.full(length, 0.5)
            assert float(own(x)) == (0.5 + number) * length
            expected = float(ops.exp(tg.tensor(x) * (length % 3)).sum())
            assert float(shared(x, length % 3)) == expected

    _together(work)


def test_functions_on_the_host_and_under_tapes():
    @tg.primitive
    def double(x: Any) -> Any:
        return x * 2.0

    tg.defvjp(double, lambda g, answer, x: g * 2.0)
    jitted = tg.jit(lambda x: (double(x) * x).sum())

    def work(number: int) -> None:
        for step in range(30):
            x = tg.tensor(np.full(5, float(number + step)))
            with tg.Tape() as tape:
                tape.watch(x)
                y = jitted(x)
            np.testing.assert_array_equal(tape.gradient(y, x).numpy(), 4.0 * x.numpy())

    _together(work)


def test_models_that_are_trained_side_by_side():
    x, y = RNG.normal(size=(16, 4)).astype("float32"), RNG.normal(size=(16, 2)).astype("float32")

    def train(seed: int, wrap: Any) -> list[np.ndarray]:
        model = tg.Sequential([layers.Dense(8, "relu", input_dim=4), layers.Dense(2)])
        generator = np.random.default_rng(seed)
        model.set_weights([generator.normal(size=w.shape) for w in model.weights])
        optimizer = tg.optimizers.Adam(0.01)

        @wrap
        def step(x: Any, y: Any) -> None:
            with tg.Tape() as tape:
                loss = ((model(x) - y) ** 2).mean()
            optimizer.apply(
                tape.gradient(loss, model.trainable_variables), model.trainable_variables
            )

        for _ in range(15):
            step(tg.tensor(x), tg.tensor(y))
        return model.get_weights()

    wanted = [train(seed, lambda f: f) for seed in range(4)]
    for found, expected in zip(_together(lambda n: train(n, tg.jit), 4), wanted, strict=True):
        for got, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(got, other)


def test_other_threads_go_on_while_a_program_runs():
    size = 500
    jitted = tg.jit(lambda x: ops.matmul(ops.matmul(ops.matmul(x, x), x), x).sum())
    x = tg.tensor(RNG.normal(size=(size, size)) / size)
    jitted(x)
    started = time.perf_counter()
    jitted(x)
    alone = time.perf_counter() - started
    stop = threading.Event()
    gaps: list[float] = []

    def watch() -> None:
        last = time.perf_counter()
        while not stop.is_set():
            time.sleep(0)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    watcher = threading.Thread(target=watch)
    watcher.start()
    runs = 0
    started = time.perf_counter()
    while time.perf_counter() - started < max(0.3, 5 * alone):
        jitted(x)
        runs += 1
    stop.set()
    watcher.join()
    # With the lock held in a run, the other thread could look at most about twice for each.
    assert len(gaps) > 20 * runs
