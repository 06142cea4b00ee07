"""The benchmark of jit: who is compared, what is the same for all, and what the table says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import _jit_first_step, _jit_tapegrad, jit
from benchmarks import _jit_workloads as shared
from benchmarks._harness import Contender, Prepared, measure
from tapegrad_kernels._compile.cache import folder

STEP = {"name": "mlp step", "kind": "step"}


def test_every_goal_belongs_to_a_workload_and_a_peer():
    names = {workload["name"] for workload in shared.WORKLOADS}
    assert set(shared.GOALS) <= names
    assert all(set(goals) == set(jit.PEERS) for goals in shared.GOALS.values())


@pytest.mark.parametrize("network", ["mlp", "cnn", "lstm", "gru", "simple rnn", "autoencoder"])
def test_networks_start_from_the_shared_weights(network):
    weights = shared.initial_weights(network)
    for got, expected in zip(_jit_tapegrad.network(network).get_weights(), weights, strict=True):
        np.testing.assert_array_equal(got, expected)
    assert all(weight.dtype == np.float32 for weight in weights)
    assert all(np.all(weight == 0) == (weight.ndim == 1) for weight in weights if len(weight) != 2)


@pytest.mark.parametrize("network", ["mlp", "autoencoder", "lstm"])
def test_steps_reduce_the_loss(network):
    step = _jit_tapegrad.training_step(network, _jit_tapegrad.jit(False))
    x, y = shared.samples(network, 32)
    losses = [float(step(x, y)) for _ in range(20)]
    assert losses[-1] < 0.98 * losses[0]


def test_contenders_that_do_something_else_are_told(capsys):
    outcomes = {"tapegrad": [2.0, 1.0], "torch": [2.01, 1.0], "jax": [2.0, 1.1]}
    assert jit.disagree(STEP, outcomes) == ["jax"]
    assert "jax, mlp step" in capsys.readouterr().err
    assert jit.disagree(STEP, {"torch": [np.nan], "jax": [1.0], "tapegrad": [1.0]}) == [
        "torch",
        "jax",
        "tapegrad",
    ]
    assert jit.disagree(STEP, {}) == []
    with pytest.raises(ValueError, match="several lengths"):
        jit.disagree(STEP, {"tapegrad": [1.0], "jax": [1.0, 2.0]})


TIMES = {
    "tapegrad": [1e-4, 2e-4, 3e-4],
    "torch": [6e-4, 1e-3, 1e-3],
    "torch 1 thread": [5e-4, 2e-3, 2e-3],
    "jax": [3e-4, 4e-4, 9e-4],
}


def test_row_gives_the_better_number_of_threads():
    assert jit.row(STEP, TIMES, "tapegrad", jit.PEERS) == (
        "| mlp step | 100 µs | 500 µs | 5.00 / 5.00 | ≥ 5 "
        "|  |  | ≥ 6 | 300 µs | 2.00 / 3.00 | ≥ 2.5 |"
    )
    theirs = {name: times for name, times in TIMES.items() if name != "tapegrad"}
    assert jit.row(STEP, theirs, "tapegrad", ["torch"]) == "| mlp step | failed | 500 µs |  | ≥ 5 |"


def test_goals_are_held_against_medians():
    assert jit.conclude([(STEP, TIMES)], "tapegrad") == [
        "1 goals met by the medians, 1 missed",
        "missed: mlp step against jax, 2.00 < 2.5",
    ]


def _prepare(workload):
    return Prepared(lambda: sum(range(1000)), [workload["n"]], operations=1000)


CONTENDERS = {
    "many": Contender(_prepare),
    "one": Contender(lambda workload: lambda: sum(range(1000))),
}


def test_contenders_tell_outcomes_and_operations():
    seen = []

    def disagree(workload, outcomes):
        seen.append(outcomes)
        return []

    workload = {"name": "sum", "n": 3}
    module = "tests.benchmarks.test_jit"
    ((_, times),) = measure(module, CONTENDERS, [workload], rounds=3, disagree=disagree)
    assert seen == [{"many": [3.0], "one": []}]
    assert 50 * min(times["many"]) < min(times["one"])

    ((_, times),) = measure(
        module, CONTENDERS, [workload], rounds=1, disagree=lambda workload, outcomes: ["one"]
    )
    assert set(times) == {"many"}


def test_first_steps_begin_with_warmed_up_kernels(monkeypatch, tmp_path):
    (tmp_path / "kernel").touch()
    seen = []

    def run(network, mode, cache):
        seen.append((mode, sorted(path.name for path in cache.iterdir())))
        (cache / mode).touch()
        return len(seen)

    monkeypatch.setattr(_jit_first_step, "_run", run)
    assert _jit_first_step.measure(["mlp"], 1, tmp_path) == {
        "mlp": {"eager cold": [1], "eager warm": [2], "jitted cold": [3], "jitted warm": [4]}
    }
    assert seen == [
        ("eager", ["kernel"]),
        ("eager", ["eager", "kernel"]),
        ("jitted", ["kernel"]),
        ("jitted", ["jitted", "kernel"]),
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["kernel"]


def test_first_step_is_timed_in_a_process_of_its_own():
    kept = folder()
    if kept is None:
        pytest.skip("no cache of kernels")
    assert 0 < _jit_first_step._run("mlp", "eager", Path(kept).parent) < 60
