"""Generators: seeds, streams, distributions."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg


def test_a_seed_fixes_the_draws():
    first, second = tg.random.Generator(7), tg.random.Generator(7)
    for _ in range(3):
        np.testing.assert_array_equal(first.normal((5,)).numpy(), second.normal((5,)).numpy())
    other = tg.random.Generator(8).normal((5,)).numpy()
    assert not np.array_equal(tg.random.Generator(7).normal((5,)).numpy(), other)


def test_draws_differ_from_one_another():
    generator = tg.random.Generator(0)
    assert not np.array_equal(generator.uniform((4,)).numpy(), generator.uniform((4,)).numpy())


def test_a_draw_does_not_depend_on_its_length():
    short, long = tg.random.Generator(3).uniform((5,)), tg.random.Generator(3).uniform((1000,))
    np.testing.assert_array_equal(short.numpy(), long.numpy()[:5])


def test_the_state_can_be_saved_and_restored():
    generator = tg.random.Generator(5)
    generator.uniform((3,))
    state = generator.seed.numpy(), generator.stream.numpy()
    expected = generator.uniform((3,)).numpy()
    other = tg.random.Generator(0)
    other.seed.assign(state[0])
    other.stream.assign(state[1])
    np.testing.assert_array_equal(other.uniform((3,)).numpy(), expected)


def test_set_seed_restarts_the_default_generator():
    tg.set_seed(11)
    a = tg.random.normal((4,)).numpy(), tg.random.permutation(6).numpy()
    tg.set_seed(11)
    b = tg.random.normal((4,)).numpy(), tg.random.permutation(6).numpy()
    np.testing.assert_array_equal(a[0], b[0])
    np.testing.assert_array_equal(a[1], b[1])


def test_distributions():
    generator = tg.random.Generator(1)
    uniform = generator.uniform((20_000,), -1.0, 3.0, dtype="float64").numpy()
    assert uniform.min() >= -1.0
    assert uniform.max() < 3.0
    assert abs(uniform.mean() - 1.0) < 0.05
    normal = generator.normal((20_000,), mean=2.0, stddev=0.5).numpy()
    assert normal.dtype == np.float32
    assert abs(normal.mean() - 2.0) < 0.02
    assert abs(normal.std() - 0.5) < 0.02
    coins = generator.bernoulli((20_000,), probability=0.2).numpy()
    assert set(np.unique(coins)) == {0.0, 1.0}
    assert abs(coins.mean() - 0.2) < 0.02
    assert sorted(generator.permutation(50).tolist()) == list(range(50))
    assert generator.uniform(()).shape == ()


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: tg.random.Generator(-1), ValueError),
        (lambda: tg.random.Generator(2**64), ValueError),
        (lambda: tg.random.Generator(1.5), TypeError),  # type: ignore[arg-type]
        (lambda: tg.random.Generator(0).bernoulli((2,), 1.5), ValueError),
        (lambda: tg.random.Generator(0).permutation(-1), ValueError),
        (lambda: tg.random.Generator(0).uniform((-1,)), ValueError),
    ],
)
def test_wrong_arguments(call, error):
    with pytest.raises(error):
        call()


def test_seeds_of_single_draws():
    first = tg.random.uniform((4,), seed=3).numpy()
    np.testing.assert_array_equal(tg.random.uniform((4,), seed=3).numpy(), first)
    generator = tg.random.SeedGenerator(3)
    np.testing.assert_array_equal(tg.random.uniform((4,), seed=generator).numpy(), first)
    assert not np.array_equal(tg.random.uniform((4,), seed=generator).numpy(), first)


def test_whole_numbers_are_even():
    drawn = tg.random.randint((60_000,), -2, 4, seed=0).numpy()
    assert drawn.dtype == np.int32
    counts = np.bincount(drawn + 2, minlength=6)
    assert len(counts) == 6
    assert (abs(counts - 10_000) < 400).all()
    with pytest.raises(ValueError, match="no whole number from 3 below 3"):
        tg.random.randint((2,), 3, 3)


def test_shuffle_keeps_rows_whole():
    x = np.arange(20).reshape(10, 2)
    mixed = tg.random.shuffle(x, seed=1).numpy()
    assert not np.array_equal(mixed, x)
    np.testing.assert_array_equal(mixed[np.argsort(mixed[:, 0])], x)
    np.testing.assert_array_equal(np.sort(tg.random.shuffle(x, axis=1, seed=1).numpy(), axis=1), x)
