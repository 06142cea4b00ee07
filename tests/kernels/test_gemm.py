"""Matrix products on the CPU against float64 NumPy.

Most operands are small integers: every product and sum is then exact in float32
too, and results must be equal, whatever the order of summation.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from tapegrad_kernels import cpu
from tapegrad_kernels.cpu.gemm import blocking, interface
from tapegrad_kernels.cpu.gemm.microkernel import tile_for

DTYPES = ["float32", "float64"]
LAYOUTS = [(False, False), (False, True), (True, False), (True, True)]
# M, N, K: empty, one, below and above a tile, ragged in each direction, more
# than one block of K, of rows and of columns, and sizes that run in parallel.
SIZES = [
    (0, 3, 4),
    (3, 0, 4),
    (3, 4, 0),
    (1, 1, 1),
    (1, 33, 5),
    (29, 1, 7),
    (300, 1, 400),
    (13, 31, 3),
    (14, 32, 16),
    (15, 33, 17),
    (8, 16, 2),
    (43, 65, 9),
    (5, 47, 385),
    (130, 97, 71),
    (90, 128, 512),
    (200, 170, 800),
    (3, 2100, 10),
]


def integers(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(dtype)


def operands(
    m: int, n: int, k: int, dtype: str, transpose_a: bool, transpose_b: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both operands as they are passed, and their exact product."""
    a, b = integers((m, k), dtype, 1), integers((k, n), dtype, 2)
    exact = a.astype("float64") @ b.astype("float64")
    return (
        np.ascontiguousarray(a.T if transpose_a else a),
        np.ascontiguousarray(b.T if transpose_b else b),
        exact,
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("transpose_a", "transpose_b"), LAYOUTS)
@pytest.mark.parametrize(("m", "n", "k"), SIZES)
def test_all_sizes_and_layouts(
    m: int, n: int, k: int, transpose_a: bool, transpose_b: bool, dtype: str
) -> None:
    a, b, exact = operands(m, n, k, dtype, transpose_a, transpose_b)
    result = cpu.gemm(a, b, transpose_a=transpose_a, transpose_b=transpose_b)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, exact)
    bias = integers((n,), dtype, 3)
    result = cpu.gemm(
        a, b, transpose_a=transpose_a, transpose_b=transpose_b, bias=bias, activation="relu"
    )
    np.testing.assert_array_equal(result, np.maximum(exact + bias, 0))
    out = integers((m, n), dtype, 4)
    expected = np.maximum(out + exact + bias, 0)
    same = cpu.gemm(
        a,
        b,
        out,
        transpose_a=transpose_a,
        transpose_b=transpose_b,
        bias=bias,
        activation="relu",
        accumulate=True,
    )
    assert same is out
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("rows", range(1, 18))
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_height_of_tile_at_every_width(rows: int, dtype: str) -> None:
    for columns in range(1, 36):
        a, b, exact = operands(rows, columns, 6, dtype, False, False)
        np.testing.assert_array_equal(cpu.gemm(a, b), exact)
        np.testing.assert_array_equal(cpu.gemm(a.T.copy(), b, transpose_a=True), exact)
        np.testing.assert_array_equal(cpu.gemm(a, b.T.copy(), transpose_b=True), exact)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rounding_errors_are_within_the_bound(dtype: str) -> None:
    generator = np.random.default_rng(5)
    a = generator.standard_normal((70, 900)).astype(dtype)
    b = generator.standard_normal((900, 50)).astype(dtype)
    reference = a.astype(np.longdouble) @ b.astype(np.longdouble)
    # Higham, "Accuracy and Stability of Numerical Algorithms", section 3.5, has
    # depth times eps; rounding errors behave like a random walk, hence the root.
    bound = 2 * np.sqrt(900) * np.finfo(dtype).eps * (np.abs(a) @ np.abs(b))
    assert (np.abs(cpu.gemm(a, b) - reference) < bound).all()


def views(shape: tuple[int, int], dtype: str) -> list[np.ndarray]:
    """One matrix of this shape in many strides."""
    rows, columns = shape
    plain = integers(shape, dtype, 7)
    wide = np.full((rows, columns + 5), np.nan, dtype)
    wide[:, 2:-3] = plain
    tall = np.full((columns + 1, rows + 2), np.nan, dtype)
    tall[1:, 2:] = plain.T
    apart = np.full((2 * rows, 3 * columns), np.nan, dtype)
    apart[::2, ::3] = plain
    shifted = np.zeros(plain.nbytes + 1, np.uint8)[1:].view(dtype).reshape(shape)
    shifted[...] = plain
    locked = plain.copy()
    locked.flags.writeable = False
    return [
        plain,
        wide[:, 2:-3],
        tall[1:, 2:].T,
        apart[::2, ::3],
        plain[::-1].copy()[::-1],
        plain[:, ::-1].copy()[:, ::-1],
        shifted,
        locked,
        np.asfortranarray(plain),
    ]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("transpose_a", "transpose_b"), LAYOUTS)
def test_any_strides(transpose_a: bool, transpose_b: bool, dtype: str) -> None:
    lefts = views((9, 21) if transpose_a else (21, 9), dtype)
    rights = views((35, 9) if transpose_b else (9, 35), dtype)
    left = lefts[0].T if transpose_a else lefts[0]
    right = rights[0].T if transpose_b else rights[0]
    exact = left.astype("float64") @ right.astype("float64")
    for a in lefts:
        for b in rights:
            result = cpu.gemm(a, b, transpose_a=transpose_a, transpose_b=transpose_b)
            np.testing.assert_array_equal(result, exact)
            result = cpu.matmul(a, b, transpose_a=transpose_a, transpose_b=transpose_b)
            np.testing.assert_array_equal(result, exact)


def test_broadcast_operands_and_strided_bias() -> None:
    row = np.broadcast_to(integers((7,), "float32"), (5, 7))
    column = np.broadcast_to(integers((7, 1), "float32"), (7, 40))
    np.testing.assert_array_equal(cpu.gemm(row, column), row @ column)
    bias = integers((80,), "float32")[::2]
    np.testing.assert_array_equal(cpu.gemm(row, column, bias=bias), row @ column + bias)
    constant = np.broadcast_to(np.float32(3), (40,))
    np.testing.assert_array_equal(cpu.gemm(row, column, bias=constant), row @ column + 3)


def test_out_in_any_strides() -> None:
    a, b, exact = operands(21, 35, 9, "float32", False, False)
    for out in views((21, 35), "float32"):
        if not out.flags.writeable:
            continue
        expected = out.copy() + exact
        assert cpu.gemm(a, b, out, accumulate=True) is out
        np.testing.assert_array_equal(out, expected)
        assert cpu.gemm(a, b, out) is out
        np.testing.assert_array_equal(out, exact)


def test_writing_leaves_the_neighbours_alone() -> None:
    a, b, exact = operands(21, 35, 9, "float32", False, False)
    frame = np.full((25, 50), 77, "float32")
    cpu.gemm(a, b, frame[2:23, 6:41])
    np.testing.assert_array_equal(frame[2:23, 6:41], exact)
    frame[2:23, 6:41] = 77
    assert (frame == 77).all()


def test_out_that_overlaps_an_operand() -> None:
    square = integers((40, 40), "float32")
    expected = square @ square
    work = square.copy()
    assert cpu.gemm(work, work, work) is work
    np.testing.assert_array_equal(work, expected)
    work = square.copy()
    cpu.gemm(square, square, work, bias=work[0], accumulate=True)
    np.testing.assert_array_equal(work, square + expected + square[0])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", [None, "linear", "relu", "tanh", "sigmoid"])
def test_activations(activation: str | None, dtype: str) -> None:
    generator = np.random.default_rng(8)
    a = generator.standard_normal((33, 20)).astype(dtype)
    b = generator.standard_normal((20, 45)).astype(dtype)
    bias = generator.standard_normal(45).astype(dtype)
    out = generator.standard_normal((33, 45)).astype(dtype)
    functions = {
        "relu": lambda x: np.maximum(x, 0),
        "tanh": np.tanh,
        "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    }
    total = out.astype("float64") + a.astype("float64") @ b.astype("float64") + bias
    expected = functions.get(str(activation), lambda x: x)(total)
    cpu.gemm(a, b, out, bias=bias, activation=activation, accumulate=True)
    tolerance = 100 * np.finfo(dtype).eps
    np.testing.assert_allclose(out, expected, rtol=float(tolerance), atol=float(tolerance))


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_and_infinity_reach_the_result_and_nothing_else(dtype: str) -> None:
    a, b = integers((30, 40), dtype, 1), integers((40, 50), dtype, 2)
    a[3, 5] = 0
    b[5, 7] = np.inf
    a[10, 11] = np.nan
    with np.errstate(invalid="ignore"):
        expected = a.astype("float64") @ b.astype("float64")
    assert np.isnan(expected[3, 7])
    assert np.isnan(expected[10]).all()
    np.testing.assert_array_equal(cpu.gemm(a, b), expected)
    np.testing.assert_array_equal(cpu.gemm(a.T.copy(), b.T.copy().T, transpose_a=True), expected)
    # relu passes NaN, as maximum does, and leaves no NaN of a former product behind.
    np.testing.assert_array_equal(cpu.gemm(a, b, activation="relu"), np.maximum(expected, 0))
    clean = integers((13, 37), dtype)
    np.testing.assert_array_equal(cpu.gemm(clean, clean, transpose_b=True), clean @ clean.T)


@pytest.mark.parametrize("dtype", DTYPES)
def test_accumulated_parts_of_k(dtype: str) -> None:
    a, b, exact = operands(20, 40, 3 * blocking.DEPTH_BLOCK + 1, dtype, False, False)
    bias = integers((40,), dtype)
    result = cpu.gemm(a, b, bias=bias, activation="relu")
    np.testing.assert_array_equal(result, np.maximum(exact + bias, 0))


@pytest.mark.parametrize("dtype", [*DTYPES, "int64", "complex64", "bool"])
@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((3,), (3,)),
        ((3,), (3, 4)),
        ((2, 3), (3,)),
        ((2, 3), (3, 4)),
        ((5, 2, 3), (3,)),
        ((3,), (5, 3, 2)),
        ((5, 2, 3), (3, 4)),
        ((2, 3), (5, 3, 4)),
        ((5, 2, 3), (5, 3, 4)),
        ((2, 1, 4, 3), (5, 3, 6)),
        ((7, 40, 50), (7, 50, 60)),
        ((2, 0, 3), (2, 3, 4)),
        ((2, 3, 0), (2, 0, 4)),
        ((0, 3, 2), (0, 2, 4)),
        ((300, 4, 5), (300, 5, 6)),
        ((3, 1, 64, 64), (1, 2, 64, 64)),
    ],
)
def test_matmul(left: tuple[int, ...], right: tuple[int, ...], dtype: str) -> None:
    a, b = integers(left, dtype, 1), integers(right, dtype, 2)
    expected = np.matmul(a, b)
    for swap_a in (False, True):
        for swap_b in (False, True):
            x = np.swapaxes(a, -1, -2).copy() if swap_a and a.ndim > 1 else a
            y = np.swapaxes(b, -1, -2).copy() if swap_b and b.ndim > 1 else b
            result = cpu.matmul(x, y, transpose_a=swap_a, transpose_b=swap_b)
            assert isinstance(result, np.ndarray)
            assert result.dtype == expected.dtype
            assert result.shape == np.shape(expected)
            np.testing.assert_array_equal(result, expected)
    if a.ndim > 1 and b.ndim > 1:
        transposed = np.swapaxes(np.swapaxes(a, -1, -2).copy(), -1, -2)
        np.testing.assert_array_equal(cpu.matmul(transposed, b), expected)
        reversed_ = a[..., ::-1].copy()[..., ::-1]
        np.testing.assert_array_equal(cpu.matmul(reversed_, b), expected)


def test_matmul_of_mixed_dtypes_promotes_as_numpy_does() -> None:
    a, b = integers((3, 4), "float32"), integers((4, 5), "float64")
    result = cpu.matmul(a, b)
    assert result.dtype == "float64"
    np.testing.assert_array_equal(result, a @ b)


def test_dense() -> None:
    x, w = integers((2, 3, 5), "float32", 1), integers((5, 4), "float32", 2)
    bias = integers((4,), "float32", 3)
    np.testing.assert_array_equal(cpu.dense(x, w, bias), x @ w + bias)
    np.testing.assert_array_equal(cpu.dense(x[0], w), x[0] @ w)
    np.testing.assert_array_equal(
        cpu.dense(x[0, 0], w, bias, activation="relu"), np.maximum(x[0, 0] @ w + bias, 0)
    )
    np.testing.assert_array_equal(cpu.dense(x[:, ::2], w, bias), x[:, ::2] @ w + bias)
    assert cpu.dense(x[:0], w).shape == (0, 3, 4)
    assert (
        cpu.dense(np.zeros((2, 3, 0)), np.zeros((0, 4)), np.ones(4)).tolist()
        == [[[1.0] * 4] * 3] * 2
    )


SQUARE = np.ones((3, 3), "float32")


@pytest.mark.parametrize(
    ("error", "message", "arguments", "options"),
    [
        (TypeError, "a is int64", (np.ones((3, 3), int), SQUARE), {}),
        (TypeError, "b is float64.* but a is float32", (SQUARE, np.ones((3, 3))), {}),
        (TypeError, "bias is float64", (SQUARE, SQUARE), {"bias": np.ones(3)}),
        (TypeError, "out is float64", (SQUARE, SQUARE, np.ones((3, 3))), {}),
        (TypeError, "out is a list", (SQUARE, SQUARE, [[0.0]]), {}),
        (TypeError, "a is >f4|a is float32", (SQUARE.astype(">f4"), SQUARE), {}),
        (
            ValueError,
            r"a is float32\[3, 3\] and b is float32\[4, 2\]",
            (SQUARE, np.ones((4, 2), "f")),
            {},
        ),
        (ValueError, "transpose_b=True", (SQUARE, np.ones((3, 4), "f")), {"transpose_b": True}),
        (ValueError, r"a is float32\[3\]; it must have 2", (SQUARE[0], SQUARE), {}),
        (ValueError, r"b is float32\[1, 3, 3\]; it must have 2", (SQUARE, SQUARE[None]), {}),
        (ValueError, r"bias is float32\[2\]", (SQUARE, SQUARE), {"bias": SQUARE[0, :2]}),
        (ValueError, r"bias is float32\[3, 3\]", (SQUARE, SQUARE), {"bias": SQUARE}),
        (ValueError, r"out is float32\[2, 3\]", (SQUARE, SQUARE, np.ones((2, 3), "f")), {}),
        (ValueError, "activation is 'gelu'", (SQUARE, SQUARE), {"activation": "gelu"}),
        (ValueError, "accumulate=True needs out", (SQUARE, SQUARE), {"accumulate": True}),
    ],
)
def test_errors_name_what_is_wrong(
    error: type[Exception], message: str, arguments: tuple[Any, ...], options: dict[str, Any]
) -> None:
    with pytest.raises(error, match="gemm: .*(" + message + ")"):
        cpu.gemm(*arguments, **options)


def test_read_only_out_is_refused() -> None:
    out = np.zeros((3, 3), "float32")
    out.flags.writeable = False
    with pytest.raises(ValueError, match="out is read-only"):
        cpu.gemm(SQUARE, SQUARE, out)


def test_matmul_and_dense_errors() -> None:
    with pytest.raises(ValueError, match=r"matmul: a is float32\[2, 3, 3\].*columns"):
        cpu.matmul(np.ones((2, 3, 3), "f"), np.ones((2, 4, 3), "f"))
    with pytest.raises(ValueError, match=r"matmul: .*do not broadcast"):
        cpu.matmul(np.ones((2, 3, 3), "f"), np.ones((5, 3, 3), "f"))
    with pytest.raises(ValueError, match=r"dense: x .*at least 1"):
        cpu.dense(np.float32(1), SQUARE)
    with pytest.raises(ValueError, match="columns"):
        cpu.dense(np.ones((2, 5), "f"), SQUARE)


def test_several_python_threads_at_once() -> None:
    cases = [operands(m, n, k, "float32", False, False) for m, n, k in SIZES[4:]]

    def work(index: int) -> bool:
        a, b, exact = cases[index % len(cases)]
        return np.array_equal(cpu.gemm(a, b), exact)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(200)))
    # Workspaces are shared: never more than calls ran at the same time.
    assert len(interface._idle) <= 9


def run_python(code: str, **environment: str) -> str:
    """Standard output of `code` in a process of its own, with this file's imports."""
    paths = os.pathsep.join(path for path in sys.path if path)
    finished = subprocess.run(
        [sys.executable, "-c", "import numpy as np\nfrom tapegrad_kernels import cpu\n" + code],
        env={**os.environ, "PYTHONPATH": paths, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert finished.returncode == 0, finished.stderr[-2000:]
    return finished.stdout


def test_same_bits_with_any_number_of_threads() -> None:
    code = """
from tapegrad_kernels._compile import set_num_threads
generator = np.random.default_rng(0)
for m, n, k in [(64, 64, 64), (129, 333, 500), (40, 2100, 401), (700, 33, 90), (301, 1, 900)]:
    for transpose_a in (False, True):
        for transpose_b in (False, True):
            a = generator.standard_normal((k, m) if transpose_a else (m, k)).astype("f")
            b = generator.standard_normal((n, k) if transpose_b else (k, n)).astype("f")
            results = []
            for threads in (1, 2, 3, 8):
                set_num_threads(threads)
                results.append(
                    cpu.gemm(a, b, transpose_a=transpose_a, transpose_b=transpose_b).tobytes()
                )
            assert len(set(results)) == 1, (m, n, k, transpose_a, transpose_b)
a = generator.standard_normal((12, 60, 70)).astype("f")
b = generator.standard_normal((12, 70, 50)).astype("f")
results = []
for threads in (1, 2, 3, 8):
    set_num_threads(threads)
    results.append(cpu.matmul(a, b).tobytes())
assert len(set(results)) == 1
print("same")
"""
    assert run_python(code, NUMBA_NUM_THREADS="8").strip() == "same"


@pytest.mark.skipif(sys.platform == "win32", reason="mprotect is POSIX")
def test_nothing_is_read_or_written_outside_the_operands() -> None:
    # Each array ends, or begins, at a page that may not be touched.
    code = """
import ctypes, itertools, mmap
libc = ctypes.CDLL(None, use_errno=True)
page = mmap.PAGESIZE
areas = []

def guarded(shape, at_end):
    size = int(np.prod(shape)) * 4
    pages = -(-size // page)
    area = mmap.mmap(-1, (pages + 2) * page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(area))
    for edge in (start, start + (pages + 1) * page):
        assert libc.mprotect(ctypes.c_void_p(edge), ctypes.c_size_t(page), 0) == 0
    areas.append(area)
    offset = (pages + 1) * page - size if at_end else page
    return np.frombuffer(area, np.float32, int(np.prod(shape)), offset).reshape(shape)

for m, n, k in [(1, 1, 1), (5, 7, 3), (14, 32, 17), (15, 33, 20), (33, 47, 18), (90, 70, 30)]:
    for ta, tb, at_end in itertools.product((False, True), repeat=3):
        a = guarded((k, m) if ta else (m, k), at_end)
        b = guarded((n, k) if tb else (k, n), at_end)
        bias = guarded((n,), at_end)
        out = guarded((m, n), at_end)
        for array, number in ((a, 1), (b, 2), (bias, 3), (out, 4)):
            array[...] = number
        cpu.gemm(a, b, out, transpose_a=ta, transpose_b=tb, bias=bias, accumulate=True)
        assert (out == 2 * k + 7).all()
print("untouched", flush=True)
import os
os._exit(0)  # the areas are not unmapped while arrays look at them
"""
    assert run_python(code).strip() == "untouched"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("m", "n", "depth"), [(1, 1, 0), (3, 5, 7), (40, 77, 9), (90, 130, 897)])
def test_a_right_matrix_in_panels(m: int, n: int, depth: int, dtype: str) -> None:
    g = np.random.default_rng(0)
    a, b = g.normal(size=(depth, m + 3)).astype(dtype), g.normal(size=(depth, n)).astype(dtype)
    width = tile_for(dtype).columns
    panels = np.full((-(-n // width), depth + 2, width), np.nan, dtype)
    for k, panel in enumerate(panels):
        columns = b[:, k * width : (k + 1) * width]
        panel[:depth, : columns.shape[1]] = columns
    product = interface.multiply_panels(a[:, 1:-2], panels, n)
    np.testing.assert_array_equal(product, cpu.gemm(a[:, 1:-2], b, transpose_a=True))


@pytest.mark.parametrize("bits", ["128", "256"])
def test_narrower_vectors(bits: str) -> None:
    code = """
for m, n, k in [(1, 1, 1), (13, 31, 5), (33, 47, 390), (100, 90, 70)]:
    for ta in (False, True):
        for tb in (False, True):
            a = np.random.default_rng(1).integers(-4, 5, (k, m) if ta else (m, k)).astype("f")
            b = np.random.default_rng(2).integers(-4, 5, (n, k) if tb else (k, n)).astype("f")
            exact = (a.T if ta else a) @ (b.T if tb else b)
            assert (cpu.gemm(a, b, transpose_a=ta, transpose_b=tb) == exact).all()
            bias = np.arange(-(n // 2), n - n // 2).astype("f")
            result = cpu.gemm(a, b, transpose_a=ta, transpose_b=tb, bias=bias, activation="relu")
            assert (result == np.maximum(exact + bias, 0)).all()
print("right")
"""
    assert run_python(code, TAPEGRAD_VECTOR_BITS=bits).strip() == "right"
