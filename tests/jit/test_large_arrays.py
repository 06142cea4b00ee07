"""Arrays that are worked on in parallel, in pieces: the same bits as in the ordinary way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from jitted import assert_same_bits

import tapegrad as tg
from tapegrad import ops

FUNCTIONS: dict[str, Any] = {
    "chain": lambda x, row, column: ops.tanh(x * row + column) * 0.5 - x / (1.0 + x * x),
    "whole numbers": lambda x, row, column: ops.where(
        (x * 9).astype("int64") % 3 == 0, x.astype("int32") * 2, -1
    ),
    "several results": lambda x, row, column: (x + row, (x + row) * column, ops.exp(-(x + row))),
    "rows in a block": lambda x, row, column: ops.exp(x.reshape(7, 100, 301) * row) + 1.0,
    "columns": lambda x, row, column: (x - column) * (x - column) + column,
    "repeated": lambda x, row, column: ops.broadcast_to(row, x.shape) * 2.0 + ops.sin(x),
    "turned": lambda x, row, column: ops.cos(x.T) * column.reshape(-1) + 0.5,
    "softmax": lambda x, row, column: ops.softmax(x * 3.0) - ops.mean(x, axis=0),
    "normalized": lambda x, row, column: (
        (x - x.mean(axis=1, keepdims=True)) / ops.sqrt(ops.var(x, axis=1, keepdims=True) + 1e-3)
    ),
    "sums": lambda x, row, column: (x.sum(), x.sum(axis=0), (x * x).sum(axis=1), x.max(axis=0)),
    "products": lambda x, row, column: ops.relu(ops.matmul(x.T, x) + row),
    "copies": lambda x, row, column: ops.concatenate([x, x[::-1], x[:, ::-1]]) * 1.0,
    "taken": lambda x, row, column: x[[5, 3, 5, 600] * 50] + row,
    "sorted": lambda x, row, column: ops.sort(x.reshape(-1)),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_gradients(name: str, dtype: str):
    def function(*arguments: Any) -> Any:
        with tg.Tape() as tape:
            tape.watch(arguments)
            result = FUNCTIONS[name](*arguments)
        parts = [part for part in _parts(result) if part.dtype.kind == "f"]
        weights = [
            tg.tensor(np.cos(np.arange(p.size)).reshape(p.shape).astype(dtype)) for p in parts
        ]
        gradients = tape.gradient(parts, list(arguments), output_gradients=weights) if parts else ()
        return result, gradients

    generator = np.random.default_rng(3)
    calls = [
        tuple([generator.normal(size=s).astype(dtype) for s in ((700, 301), (301,), (700, 1))])
        for _ in range(2)
    ]
    assert_same_bits(function, *calls, compiled=True)


def _parts(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)
