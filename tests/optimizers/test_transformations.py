"""Transformations one by one, chains of them, and what is fused at their end."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad.optimizers import chain
from tapegrad.optimizers import transformations as t

SHAPES = ((), (3, 2), (3,), (2, 1, 2, 2))


def samples(seed: int, dtype: str = "float64") -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [np.asarray(generator.normal(size=shape)).astype(dtype) for shape in SHAPES]


def run(optimizer: tg.optimizers.Optimizer, steps: int = 6, dtype: str = "float64") -> np.ndarray:
    variables = [tg.Variable(value) for value in samples(0, dtype)]
    for step in range(steps):
        optimizer.apply([tg.tensor(g) for g in samples(step + 1, dtype)], variables)
    return np.concatenate([np.ravel(variable.numpy()) for variable in variables])


# Chains, and what Keras's optimizers of the same arguments do.
EQUAL = {
    "adam": (
        lambda: chain(t.scale_by_adam(), t.scale(-0.01)),
        lambda: tg.optimizers.Adam(0.01),
    ),
    "amsgrad": (
        lambda: chain(t.scale_by_adam(amsgrad=True), t.scale_by_learning_rate(0.01)),
        lambda: tg.optimizers.Adam(0.01, amsgrad=True),
    ),
    "adamw": (
        lambda: chain(t.scale_by_adam(), t.add_decayed_weights(0.3), t.scale(-0.01)),
        lambda: tg.optimizers.AdamW(0.01, weight_decay=0.3),
    ),
    "nadam": (
        lambda: chain(t.scale_by_nadam(), t.scale(-0.01)),
        lambda: tg.optimizers.Nadam(0.01),
    ),
    "adamax": (
        lambda: chain(t.scale_by_adamax(), t.scale(-0.01)),
        lambda: tg.optimizers.Adamax(0.01),
    ),
    "adagrad": (
        lambda: chain(t.scale_by_adagrad(), t.scale(-0.01)),
        lambda: tg.optimizers.Adagrad(0.01),
    ),
    "adadelta": (
        lambda: chain(t.scale_by_adadelta(), t.scale(-0.5)),
        lambda: tg.optimizers.Adadelta(0.5),
    ),
    "rmsprop": (
        lambda: chain(t.scale_by_rms(centered=True, epsilon=1e-3), t.scale(-0.01)),
        lambda: tg.optimizers.RMSprop(0.01, centered=True, epsilon=1e-3),
    ),
    "ftrl": (
        lambda: chain(t.follow_regularized_leader(l1=0.1), t.scale(-0.1)),
        lambda: tg.optimizers.Ftrl(0.1, l1_regularization_strength=0.1),
    ),
    "lion": (
        lambda: chain(t.scale_by_lion(), t.scale(-0.01)),
        lambda: tg.optimizers.Lion(0.01),
    ),
    "lamb": (
        lambda: chain(t.scale_by_lamb(), t.scale(-0.01)),
        lambda: tg.optimizers.Lamb(0.01),
    ),
    "adafactor": (
        lambda: chain(t.scale_by_factored_rms(), t.scale(-0.2)),
        lambda: tg.optimizers.Adafactor(0.2),
    ),
    "sgd": (lambda: chain(t.scale(-0.1)), lambda: tg.optimizers.SGD(0.1)),
    "momentum": (
        lambda: chain(t.scale_by_learning_rate(0.1), t.trace(0.9)),
        lambda: tg.optimizers.SGD(0.1, momentum=0.9),
    ),
    "nesterov": (
        lambda: chain(t.scale(-0.1), t.trace(0.9, nesterov=True)),
        lambda: tg.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    ),
    "clipped": (
        lambda: chain(t.clip_by_global_norm(0.5), t.scale_by_adam(), t.scale(-0.01)),
        lambda: tg.optimizers.Adam(0.01, global_clipnorm=0.5),
    ),
    "schedule": (
        lambda: chain(
            t.scale_by_adam(),
            t.scale_by_learning_rate(tg.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)),
        ),
        lambda: tg.optimizers.Adam(tg.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)),
    ),
    "l2": (
        lambda: chain(t.add_decayed_weights(0.3), t.scale(-0.1)),
        lambda: tg.optimizers.SGD(0.1, weight_decay=0.3),
    ),
}


@pytest.mark.parametrize("name", EQUAL)
def test_chains_are_keras_optimizers(name):
    made, known = EQUAL[name]
    np.testing.assert_allclose(run(made()), run(known()), rtol=1e-10, atol=1e-12)


FUSABLE = {
    "identity": t.identity,
    "adam": t.scale_by_adam,
    "amsgrad": lambda: t.scale_by_adam(amsgrad=True),
    "nadam": t.scale_by_nadam,
    "adamax": t.scale_by_adamax,
    "adagrad": t.scale_by_adagrad,
    "adadelta": t.scale_by_adadelta,
    "rms": t.scale_by_rms,
    "lion": t.scale_by_lion,
    "lamb": t.scale_by_lamb,
}


class Nothing(t.Transformation):
    """Does nothing, so that what stands before it is not the end of the chain."""

    def transform(self, groups, count):
        return None


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FUSABLE)
def test_fused_and_single_transformations_agree(name, dtype):
    fused = chain(FUSABLE[name](), t.scale(-0.05))
    apart = chain(FUSABLE[name](), Nothing(), t.scale(-0.05))
    assert isinstance(apart.rule, t.Identity)
    assert type(fused.rule) is type(FUSABLE[name]())
    tolerance = {"float32": 2e-5, "float64": 1e-11}[dtype]
    np.testing.assert_allclose(
        run(fused, dtype=dtype), run(apart, dtype=dtype), rtol=tolerance, atol=tolerance
    )


def test_decoupled_decay_and_penalty_differ():
    decoupled = chain(t.scale_by_adam(), t.add_decayed_weights(0.3), t.scale(-0.05))
    apart = chain(t.scale_by_adam(), Nothing(), t.add_decayed_weights(0.3), t.scale(-0.05))
    penalty = chain(t.add_decayed_weights(0.3), t.scale_by_adam(), t.scale(-0.05))
    first = run(decoupled)
    np.testing.assert_allclose(first, run(apart), rtol=1e-10, atol=1e-12)
    assert np.abs(first - run(penalty)).max() > 1e-3


@pytest.mark.parametrize("rms_rate", [None, 0.2])
def test_orthogonalize_alone(rms_rate):
    results = []
    for middle in ([], [Nothing()]):
        x = tg.Variable(np.zeros((3, 2)))
        optimizer = chain(t.orthogonalize(rms_rate=rms_rate), *middle, t.scale(-0.5))
        for step in range(3):
            gradient = np.random.default_rng(step).normal(size=(3, 2))
            optimizer.apply([tg.tensor(gradient)], [x])
        results.append(x.numpy())
    np.testing.assert_allclose(*results, rtol=1e-10, atol=1e-12)


def test_traces_keep_factors_that_follow_apart():
    # After a fall of the rate, old gradients count at the new rate too.
    x = tg.Variable(np.zeros(1))
    optimizer = chain(t.trace(0.5), t.scale_by_learning_rate(1.0))
    optimizer.apply([tg.tensor([1.0])], [x])
    optimizer.learning_rate = 0.1
    optimizer.apply([tg.tensor([1.0])], [x])
    np.testing.assert_allclose(x.numpy(), [-1.0 - 0.1 * 1.5])


def test_a_factor_of_a_schedule_counts_from_zero():
    seen = []

    def schedule(step):
        seen.append(int(step))
        return -1.0

    x = tg.Variable(np.zeros(2))
    optimizer = chain(t.scale_by_schedule(schedule))
    for _ in range(3):
        optimizer.apply([tg.tensor(np.ones(2))], [x])
    assert seen == [0, 1, 2]
    np.testing.assert_array_equal(x.numpy(), [-3.0, -3.0])


def test_global_norm_goes_over_both_dtypes():
    single, double = tg.Variable(np.zeros(1, "float32")), tg.Variable(np.zeros(1))
    optimizer = chain(t.clip_by_global_norm(1.0))
    optimizer.apply([tg.tensor(np.float32([3.0])), tg.tensor([4.0])], [single, double])
    np.testing.assert_allclose([single.numpy()[0], double.numpy()[0]], [0.6, 0.8], rtol=1e-6)
    small = [tg.tensor(np.float32([0.3])), tg.tensor([0.4])]
    optimizer.apply(small, [single, double])
    np.testing.assert_allclose([single.numpy()[0], double.numpy()[0]], [0.9, 1.2], rtol=1e-6)
    optimizer.apply([tg.tensor(np.float32([np.inf])), tg.tensor([1.0])], [single, double])
    assert np.isnan(single.numpy()).all()
    assert np.isnan(double.numpy()).all()


def test_names_of_slots_are_numbered_where_two_are_equal():
    x = tg.Variable(np.zeros(2))
    optimizer = chain(t.trace(0.9), t.scale_by_adam(), t.scale(-0.1))
    optimizer.build([x])
    assert list(optimizer.named_variables()) == [
        "iterations",
        "learning_rate",
        "0/momentum",
        "0/momentum_1",
        "0/velocity",
    ]
    optimizer.apply([tg.tensor(np.ones(2))], [x])
    named = optimizer.named_variables()
    np.testing.assert_array_equal(named["0/momentum"].numpy(), [1.0, 1.0])
    np.testing.assert_allclose(named["0/momentum_1"].numpy(), [0.1, 0.1])


def test_a_chain_trains_a_model_and_remembers_how_it_was_made():
    x = np.linspace(-1, 1, 32, dtype="float32").reshape(-1, 1)
    model = tg.Sequential([tg.Input((1,)), tg.layers.Dense(1)])
    optimizer = chain(
        t.clip_by_global_norm(1.0), t.scale_by_adam(), t.scale(-0.2), use_ema=True, name="mine"
    )
    model.compile(optimizer, "mse")
    history = model.fit(x, 3 * x + 1, epochs=60, verbose=0).history["loss"]
    assert history[-1] < 0.05 * history[0]
    again = tg.optimizers.deserialize(tg.optimizers.serialize(optimizer))
    assert again.name == "mine"
    assert again.use_ema
    assert [type(part) for part in again.transformations] == [
        type(part) for part in optimizer.transformations
    ]
    np.testing.assert_array_equal(run(again), run(optimizer.from_config(optimizer.get_config())))


def test_learning_rate_of_a_chain():
    assert float(chain(t.scale(-0.1)).learning_rate) == 1.0
    optimizer = chain(t.scale_by_adam(), t.scale_by_learning_rate(0.25))
    assert float(optimizer.learning_rate) == 0.25
    optimizer.learning_rate = 0.5
    np.testing.assert_allclose(run(optimizer), run(tg.optimizers.Adam(0.5)), rtol=1e-12)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="at least one transformation"):
        chain()
    with pytest.raises(TypeError, match=r"argument 0 is ScaleByAdam.*call it: ScaleByAdam\(\)"):
        chain(t.scale_by_adam)
    with pytest.raises(TypeError, match="argument 1 is float, which is no transformation"):
        chain(t.scale(1.0), 0.5)
    twice = t.scale_by_adam()
    with pytest.raises(ValueError, match="argument 1 was given before"):
        chain(twice, twice)
    for made in (t.clip_by_value, t.clip_by_norm, t.clip_by_global_norm):
        with pytest.raises(ValueError, match="must be a number above 0, but is 0"):
            made(0)
    with pytest.raises(TypeError, match="a schedule is a function of the step, not float"):
        t.scale_by_schedule(0.1)
    with pytest.raises(ValueError, match="finite and not negative"):
        t.scale_by_learning_rate(-1.0)
    with pytest.raises(ValueError, match="weight_decay must not be negative"):
        t.add_decayed_weights(-0.1)
    with pytest.raises(ValueError, match=r"momentum must lie in \[0, 1\]"):
        t.trace(1.5)
    x, leader = tg.Variable(np.zeros(2)), chain(t.follow_regularized_leader(), Nothing())
    with pytest.raises(ValueError, match="nothing but scale may follow"):
        leader.apply([tg.tensor(np.ones(2))], [x])
    with pytest.raises(NotImplementedError, match="does not say what it does"):
        t.Transformation().transform([], None)
