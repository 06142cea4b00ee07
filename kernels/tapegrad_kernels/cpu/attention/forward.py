"""The forward pass: a task is a block of queries of one head.

For each block of keys the scores of a panel of queries are computed, turned into weights
by a step of the online softmax, and multiplied with the values, all while the tile stays
in the first cache. Scores stand transposed, keys by queries, and so do the results until
the end: then both products read keys and values in place, and queries are packed once.

Reference: T. Dao, D. Y. Fu, S. Ermon, A. Rudra and C. Ré, *FlashAttention: Fast and
Memory-Efficient Exact Attention with IO-Awareness*, arXiv:2205.14135.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad_kernels._compile import Block, block
from tapegrad_kernels._compile.pointers import POINTER_TO, float64_at, int64_at
from tapegrad_kernels.cpu._map import scalar_functions
from tapegrad_kernels.cpu.attention import layout
from tapegrad_kernels.cpu.attention.panels import make_helpers, multiply_panel, pack_transposed
from tapegrad_kernels.cpu.attention.steps import make_steps
from tapegrad_kernels.cpu.gemm.microkernel import ACCUMULATE, COLUMNS, ROWS
from tapegrad_kernels.cpu.gemm.table import TILE_COLUMNS


def make_forward(real: str) -> Block:
    """The forward pass for float32 or float64."""
    at = POINTER_TO[real]
    size = np.dtype(real).itemsize
    number: Any = np.dtype(real).type
    one = number(1.0)
    log = scalar_functions(real)["log"]
    helpers = make_helpers(real)
    fill, scale, mask_scores = helpers.fill, helpers.scale, helpers.mask_scores
    unpack_transposed, zero, nothing = helpers.unpack_transposed, helpers.zero, helpers.nothing
    softmax_step = make_steps(real).softmax_step

    @block(f"attention.{real}")
    def forward(record, start, stop):  # type: ignore[no-untyped-def]
        r = int64_at(record)
        table, causal, parts = r[layout.TABLE], r[layout.CAUSAL], r[layout.PARTS]
        width = int64_at(table)[TILE_COLUMNS]
        queries, keys = r[layout.QUERIES], r[layout.KEYS]
        depth, value_depth = r[layout.DEPTH], r[layout.VALUE_DEPTH]
        factor = number(float64_at(record)[layout.SCALE])
        k_stride, v_stride = r[layout.K_STRIDE], r[layout.V_STRIDE]
        packed = r[layout.WORKSPACE] + start // r[layout.CHUNK] * r[layout.WORKSPACE_BYTES]
        panel_bytes, sums_bytes = depth * width * size, value_depth * width * size
        sums = packed + layout.FORWARD_PANELS * panel_bytes
        largest = sums + layout.FORWARD_PANELS * sums_bytes
        total = largest + layout.FORWARD_PANELS * width * size
        scores = total + layout.FORWARD_PANELS * width * size
        for task in range(start, stop):
            head, part = task // parts, task % parts
            if causal:
                # Short and long rows alternate, so that threads get as much of both.
                part = parts - 1 - part // 2 if part % 2 else part // 2
            query = part * layout.FORWARD_PANELS * width
            count = min(layout.FORWARD_PANELS * width, queries - query)
            panels = (count + width - 1) // width
            q = r[layout.Q] + int64_at(r[layout.Q_OFFSETS])[head]
            k = r[layout.K] + int64_at(r[layout.K_OFFSETS])[head]
            v = r[layout.V] + int64_at(r[layout.V_OFFSETS])[head]
            stride = r[layout.Q_STRIDE]
            pack_transposed(table, q + query * stride * size, stride, packed, count, depth, panels)
            scale(packed, panels * depth * width, factor)
            fill(sums, panels * value_depth * width, zero)
            fill(largest, panels * width, nothing)
            fill(total, panels * width, zero)
            last = min(keys, query + count) if causal else keys
            for key in range(0, last, layout.KEY_BLOCK):
                for panel in range(panels):
                    first = query + panel * width
                    end = min(last, key + layout.KEY_BLOCK)
                    if causal:
                        end = min(end, first + width)
                    rows = end - key
                    if rows <= 0:
                        continue
                    multiply_panel(
                        table,
                        ROWS,
                        k + key * k_stride * size,
                        k_stride,
                        packed + panel * panel_bytes,
                        width,
                        scores,
                        width,
                        rows,
                        width,
                        depth,
                        0,
                    )
                    here = min(width, queries - first)
                    mask_scores(record, head, scores, width, first, here, key, rows)
                    softmax_step(
                        scores,
                        rows,
                        largest + panel * width * size,
                        total + panel * width * size,
                        sums + panel * sums_bytes,
                        value_depth,
                    )
                    multiply_panel(
                        table,
                        COLUMNS,
                        v + key * v_stride * size,
                        v_stride,
                        scores,
                        width,
                        sums + panel * sums_bytes,
                        width,
                        value_depth,
                        width,
                        rows,
                        ACCUMULATE,
                    )
            best, weights, y = at(largest), at(total), at(sums)
            logsumexp = at(r[layout.LOGSUMEXP])
            for i in range(count):
                logsumexp[head * queries + query + i] = best[i] + log(weights[i])
            for i in range(panels * width):
                # Nothing to attend to: zeros.
                weights[i] = zero if weights[i] == zero else one / weights[i]
            for panel in range(panels):
                for p in range(value_depth):
                    for j in range(width):
                        y[(panel * value_depth + p) * width + j] *= weights[panel * width + j]
                first = query + panel * width
                unpack_transposed(
                    table,
                    sums + panel * sums_bytes,
                    width,
                    r[layout.OUT] + (head * queries + first) * value_depth * size,
                    min(width, queries - first),
                    value_depth,
                )

    return forward
