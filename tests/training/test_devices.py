"""Training on the second device, in Numba's CUDA simulator, equals training on the processor."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

pytest.importorskip("numba_cuda")

SCRIPT = """
import numpy as np
import tapegrad as tg

tg.set_seed(0)
rng = np.random.default_rng(0)
x, labels = rng.normal(size=(14, 5)).astype(np.float32), rng.integers(0, 3, 14)


def network(device):
    with tg.device(device):
        model = tg.Sequential(
            [
                tg.layers.Dense(6, "relu", input_dim=5, kernel_regularizer="l2"),
                tg.layers.Dense(3, "softmax"),
            ]
        )
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


first, second = network("cpu"), network("cuda")
second.set_weights(first.get_weights())
assert {w.device for w in second.weights} == {"cuda"}
histories = [
    model.fit(x, labels, batch_size=4, shuffle=False, validation_split=0.2, verbose=0).history
    for model in (first, second)
]
for name, values in histories[0].items():
    np.testing.assert_allclose(histories[1][name], values, rtol=1e-5)
for a, b in zip(first.get_weights(), second.get_weights()):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
np.testing.assert_allclose(first.predict(x), second.predict(x), rtol=1e-5, atol=1e-6)
print("equal")
"""


def test_an_epoch_on_the_simulator():
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.strip() == "equal", run.stderr
