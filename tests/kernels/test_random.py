"""Philox against its published vectors, and the numbers made of it."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from tapegrad_kernels import cpu
from tapegrad_kernels._scalar import philox
from tapegrad_kernels._scalar.basis import python_basis

DTYPES = [np.float32, np.float64]

# Counter, key and output words of philox4x32-10, from the known-answer tests of Random123.
KNOWN = [
    ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]


def identity(function):
    return function


def joined(low: int, high: int) -> np.uint64:
    return np.uint64(low | (high << 32))


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_known_answers(counter, key, words):
    generate = philox.build_generator(identity)
    got = generate(joined(*counter[:2]), joined(*counter[2:]), joined(*key))
    assert [int(word) for word in got] == words


def test_compiled_words_are_the_known_answers():
    """The words of block 0 of stream 0 and seed 0, seen through the uniform numbers."""
    expected = np.array([word >> 8 for word in KNOWN[0][2]]) * 2.0**-24
    np.testing.assert_array_equal(cpu.random_uniform(0, 0, shape=4, dtype=np.float32), expected)
    w = KNOWN[0][2]
    expected = np.array([(w[0] | w[1] << 32) >> 11, (w[2] | w[3] << 32) >> 11]) * 2.0**-53
    np.testing.assert_array_equal(cpu.random_uniform(0, 0, shape=2, dtype=np.float64), expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_as_plain_python(dtype):
    """Another device's arithmetic gives the same bits, normal numbers included."""
    generate = philox.build_generator(identity)
    convert = philox.build_conversions(python_basis(dtype))
    seed, stream = 2**63 + 5, 2**40 + 3
    uniform, normal = [], []
    with np.errstate(all="ignore"):
        for number in range(200):
            w = generate(np.uint64(number), np.uint64(stream), np.uint64(seed))
            if dtype is np.float32:
                uniform += [convert.uniform(word, word) for word in w]
                normal += convert.normal_pair(w[0], w[1], w[0], w[1])
                normal += convert.normal_pair(w[2], w[3], w[2], w[3])
            else:
                uniform += [convert.uniform(w[0], w[1]), convert.uniform(w[2], w[3])]
                normal += convert.normal_pair(*w)
    size = len(uniform)
    got = cpu.random_uniform(seed, stream, shape=size, dtype=dtype)
    np.testing.assert_array_equal(got, np.array(uniform, dtype))
    got = cpu.random_normal(seed, stream, shape=size, dtype=dtype)
    np.testing.assert_array_equal(got, np.array(normal, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_elements_depend_on_their_index_alone(dtype):
    for draw in (
        cpu.random_uniform,
        cpu.random_normal,
        lambda *args, **kw: cpu.random_bernoulli(*args, probability=0.4, **kw),
    ):
        long = draw(7, 9, shape=50_001, dtype=dtype)
        assert long.dtype == dtype
        for shape in ((3,), (5, 7), (2, 3, 4), 10_000):
            short = draw(7, 9, shape=shape, dtype=dtype)
            np.testing.assert_array_equal(short.reshape(-1), long[: short.size])
        assert draw(7, 9, shape=(), dtype=dtype) == long[0]
        assert draw(7, 9, shape=(0, 2), dtype=dtype).shape == (0, 2)
        assert np.mean(draw(8, 9, shape=100, dtype=dtype) == long[:100]) < 0.9
        assert np.mean(draw(7, 10, shape=100, dtype=dtype) == long[:100]) < 0.9


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", [0, 1])
def test_distributions(dtype, seed):
    size = 200_000
    u = cpu.random_uniform(seed, 1, shape=size, dtype=dtype)
    assert u.min() >= 0
    assert u.max() < 1
    assert scipy.stats.kstest(u, "uniform").pvalue > 1e-3
    z = cpu.random_normal(seed, 2, shape=size, dtype=dtype)
    assert scipy.stats.kstest(z, "norm").pvalue > 1e-3
    assert abs(z.mean()) < 4 / size**0.5
    assert abs(z.var() - 1) < 4 * (2 / size) ** 0.5
    assert abs(np.corrcoef(z[:-1], z[1:])[0, 1]) < 4 / size**0.5
    assert np.abs(z).max() > 4
    for probability in (0.1, 0.5, 0.9):
        b = cpu.random_bernoulli(seed, 3, shape=size, probability=probability, dtype=dtype)
        assert set(np.unique(b)) == {0.0, 1.0}
        deviation = (probability * (1 - probability) / size) ** 0.5
        assert abs(b.mean() - probability) < 4 * deviation


def test_bernoulli_limits_and_dtypes():
    def draw(probability, dtype=np.float32):
        return cpu.random_bernoulli(1, 1, shape=1000, probability=probability, dtype=dtype)

    assert not draw(0.0).any()
    assert draw(1.0).all()
    np.testing.assert_array_equal(draw(0.3, np.float64), draw(0.3))
    assert draw(0.3, np.bool_).dtype == np.bool_
    np.testing.assert_array_equal(draw(0.3, np.bool_), draw(0.3) == 1)
    for wrong in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match="expected 0 to 1"):
            draw(wrong)


def test_permutations():
    for n in (0, 1, 2, 1000):
        order = cpu.random_permutation(3, 4, n=n)
        assert order.dtype == np.int64
        np.testing.assert_array_equal(np.sort(order), np.arange(n))
    assert not np.array_equal(
        cpu.random_permutation(3, 4, n=50), cpu.random_permutation(3, 5, n=50)
    )
    # All 24 orders of four are equally likely.
    draws = [tuple(cpu.random_permutation(seed, 0, n=4).tolist()) for seed in range(4800)]
    _, counts = np.unique(draws, axis=0, return_counts=True)
    assert counts.size == 24
    assert scipy.stats.chisquare(counts).pvalue > 1e-3
    with pytest.raises(ValueError, match="n is -1"):
        cpu.random_permutation(0, 0, n=-1)


@pytest.mark.parametrize(("n", "count"), [(0, 2), (1, 3), (5, 0), (97, 7), (1000, 40), (70000, 2)])
def test_permutations_of_several_streams(n, count):
    """Also those that threads share, and beyond the last stream."""
    seed, first = 2**63 + 1, 2**64 - 3
    orders = cpu.random_permutations(seed, first, n=n, count=count)
    assert orders.shape == (count, n)
    for i, order in enumerate(orders):
        expected = cpu.random_permutation(seed, (first + i) % 2**64, n=n)
        np.testing.assert_array_equal(order, expected)


def test_permutations_are_those_of_fisher_and_yates():
    """In plain Python, with each word that is drawn and each that is skipped."""
    generate = philox.build_generator(identity)
    seed, stream, n = np.uint64(5), np.uint64(6), 300
    with np.errstate(all="ignore"):
        blocks = [generate(np.uint64(i), stream, seed) for i in range(200)]
    words = iter([int(word) for drawn in blocks for word in drawn])
    order = list(range(n))
    for last in range(n - 1, 0, -1):
        bound = last + 1
        product = next(words) * bound
        while product % 2**32 < 2**32 % bound:
            product = next(words) * bound
        chosen = product >> 32
        order[last], order[chosen] = order[chosen], order[last]
    assert cpu.random_permutation(5, 6, n=n).tolist() == order


def test_seeds_are_64_bits():
    seed, stream = np.array(2**64 - 1, np.uint64), np.array(1, np.uint64)
    np.testing.assert_array_equal(
        cpu.random_uniform(seed, stream, shape=5), cpu.random_uniform(2**64 - 1, 1, shape=5)
    )
    with pytest.raises(ValueError, match="64 bits"):
        cpu.random_uniform(2**64, 0, shape=1)
