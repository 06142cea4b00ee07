"""The backward pass: a task is a segment of the keys of one head.

A task walks over blocks of queries and, for each, over its keys in blocks. It computes the
scores again, gets the weights from the saved logarithms of their sums, and adds to the
gradients of its own keys and values. What it finds of the gradient of the queries goes
into memory of its own; where a head has several segments, these parts are added up
afterwards, in their order.

Scores and slopes stand transposed, keys by queries. Sums over keys read them as panels;
sums over queries read them as the left operand, and packed queries as panels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad_kernels._compile import Block, block, kernel
from tapegrad_kernels._compile.pointers import POINTER_TO, float64_at, int64_at
from tapegrad_kernels.cpu.attention import layout
from tapegrad_kernels.cpu.attention.panels import (
    make_helpers,
    multiply_panel,
    pack_columns,
    pack_transposed,
)
from tapegrad_kernels.cpu.attention.steps import make_steps
from tapegrad_kernels.cpu.gemm.microkernel import ACCUMULATE, COLUMNS, ROWS
from tapegrad_kernels.cpu.gemm.table import TILE_COLUMNS


def make_backward(real: str) -> Block:
    """The backward pass for float32 or float64."""
    at = POINTER_TO[real]
    size = np.dtype(real).itemsize
    number: Any = np.dtype(real).type
    infinity: Any = number(np.inf)
    helpers = make_helpers(real)
    fill, scale, mask_scores = helpers.fill, helpers.scale, helpers.mask_scores
    unpack_transposed, zero, nothing = helpers.unpack_transposed, helpers.zero, helpers.nothing
    gradient_step = make_steps(real).gradient_step

    @kernel(inline=True, reassociate=True)
    def row_dot(a, b, count):  # type: ignore[no-untyped-def]
        x, y = at(a), at(b)
        total = zero
        for i in range(count):
            total += x[i] * y[i]
        return total

    @kernel(name=f"load_queries.{real}")
    def load_queries(record, head, query, count, padded, shifts, deltas):  # type: ignore[no-untyped-def]
        # The logarithms of the queries' sums, and what is subtracted from their slopes:
        # sum(g * out), less the gradient by the logarithm itself.
        r = int64_at(record)
        depth = r[layout.VALUE_DEPTH]
        row = head * r[layout.QUERIES] + query
        g = r[layout.G] + int64_at(r[layout.G_OFFSETS])[head]
        g += query * r[layout.G_STRIDE] * size
        logsumexp, direct = at(r[layout.LOGSUMEXP]), at(r[layout.G_LOGSUMEXP])
        s, d = at(shifts), at(deltas)
        for i in range(padded):
            # Queries that attend to nothing, and padding: exp(score - Inf) is zero.
            s[i], d[i] = infinity, zero
        for i in range(count):
            if logsumexp[row + i] != nothing:
                s[i] = logsumexp[row + i]
            out = r[layout.OUT] + (row + i) * depth * size
            d[i] = row_dot(g + i * r[layout.G_STRIDE] * size, out, depth)
            if r[layout.G_LOGSUMEXP] != 0:
                d[i] -= direct[row + i]

    @block(f"attention_grad.{real}")
    def backward(record, start, stop):  # type: ignore[no-untyped-def]
        r = int64_at(record)
        table, causal, parts = r[layout.TABLE], r[layout.CAUSAL], r[layout.PARTS]
        width = int64_at(table)[TILE_COLUMNS]
        queries, keys = r[layout.QUERIES], r[layout.KEYS]
        depth, value_depth = r[layout.DEPTH], r[layout.VALUE_DEPTH]
        factor = number(float64_at(record)[layout.SCALE])
        q_stride, g_stride = r[layout.Q_STRIDE], r[layout.G_STRIDE]
        k_stride, v_stride = r[layout.K_STRIDE], r[layout.V_STRIDE]
        block_queries = layout.BACKWARD_PANELS * width
        depth_panels = (depth + width - 1) // width
        value_panels = (value_depth + width - 1) // width
        # The workspace: queries and g transposed, then as they are, the gradient of the
        # queries transposed, scores and slopes, and two numbers for each query.
        q_panels = r[layout.WORKSPACE] + start // r[layout.CHUNK] * r[layout.WORKSPACE_BYTES]
        g_panels = q_panels + block_queries * depth * size
        q_rows = g_panels + block_queries * value_depth * size
        g_rows = q_rows + block_queries * depth_panels * width * size
        dq_panels = g_rows + block_queries * value_panels * width * size
        scores = dq_panels + block_queries * depth * size
        slopes = scores + block_queries * layout.KEY_BLOCK * size
        shifts = slopes + block_queries * layout.KEY_BLOCK * size
        deltas = shifts + block_queries * size
        for task in range(start, stop):
            head, part = task // parts, task % parts
            if causal:
                part = parts - 1 - part // 2 if part % 2 else part // 2
            key_start = min(part * r[layout.SEGMENT], keys)
            key_stop = min(key_start + r[layout.SEGMENT], keys)
            q = r[layout.Q] + int64_at(r[layout.Q_OFFSETS])[head]
            k = r[layout.K] + int64_at(r[layout.K_OFFSETS])[head]
            v = r[layout.V] + int64_at(r[layout.V_OFFSETS])[head]
            g = r[layout.G] + int64_at(r[layout.G_OFFSETS])[head]
            dq = r[layout.DQ] + (part * r[layout.HEADS] + head) * queries * depth * size
            dk = r[layout.DK] + head * keys * depth * size
            dv = r[layout.DV] + head * keys * value_depth * size
            fill(dk + key_start * depth * size, (key_stop - key_start) * depth, zero)
            fill(dv + key_start * value_depth * size, (key_stop - key_start) * value_depth, zero)
            query_start = 0
            if causal:
                query_start = min(key_start // block_queries * block_queries, queries)
                fill(dq, query_start * depth, zero)
            for query in range(query_start, queries, block_queries):
                count = min(block_queries, queries - query)
                panels = (count + width - 1) // width
                q_here, g_here = q + query * q_stride * size, g + query * g_stride * size
                pack_transposed(table, q_here, q_stride, q_panels, count, depth, panels)
                scale(q_panels, panels * width * depth, factor)
                pack_transposed(table, g_here, g_stride, g_panels, count, value_depth, panels)
                pack_columns(table, q_here, q_stride, q_rows, count, depth)
                scale(q_rows, count * depth_panels * width, factor)
                pack_columns(table, g_here, g_stride, g_rows, count, value_depth)
                load_queries(record, head, query, count, panels * width, shifts, deltas)
                fill(dq_panels, panels * width * depth, zero)
                last = min(key_stop, query + count) if causal else key_stop
                for key in range(key_start, last, layout.KEY_BLOCK):
                    rows = min(layout.KEY_BLOCK, last - key)
                    k_here, v_here = k + key * k_stride * size, v + key * v_stride * size
                    for panel in range(panels):
                        column = panel * width * size
                        multiply_panel(
                            table,
                            ROWS,
                            k_here,
                            k_stride,
                            q_panels + column * depth,
                            width,
                            scores + column,
                            block_queries,
                            rows,
                            width,
                            depth,
                            0,
                        )
                        multiply_panel(
                            table,
                            ROWS,
                            v_here,
                            v_stride,
                            g_panels + column * value_depth,
                            width,
                            slopes + column,
                            block_queries,
                            rows,
                            width,
                            value_depth,
                            0,
                        )
                    mask_scores(record, head, scores, block_queries, query, count, key, rows)
                    for panel in range(panels):
                        column = panel * width * size
                        gradient_step(
                            scores + column,
                            slopes + column,
                            rows,
                            block_queries * size,
                            shifts + column,
                            deltas + column,
                        )
                        multiply_panel(
                            table,
                            COLUMNS,
                            k_here,
                            k_stride,
                            slopes + column,
                            block_queries,
                            dq_panels + column * depth,
                            width,
                            depth,
                            width,
                            rows,
                            ACCUMULATE,
                        )
                    for column in range(0, value_depth, width):
                        multiply_panel(
                            table,
                            ROWS,
                            scores,
                            block_queries,
                            g_rows + column * count * size,
                            width,
                            dv + (key * value_depth + column) * size,
                            value_depth,
                            rows,
                            min(width, value_depth - column),
                            count,
                            ACCUMULATE,
                        )
                    for column in range(0, depth, width):
                        multiply_panel(
                            table,
                            ROWS,
                            slopes,
                            block_queries,
                            q_rows + column * count * size,
                            width,
                            dk + (key * depth + column) * size,
                            depth,
                            rows,
                            min(width, depth - column),
                            count,
                            ACCUMULATE,
                        )
                scale(dq_panels, panels * width * depth, factor)
                for panel in range(panels):
                    first = query + panel * width
                    unpack_transposed(
                        table,
                        dq_panels + panel * width * depth * size,
                        width,
                        dq + first * depth * size,
                        min(width, queries - first),
                        depth,
                    )

    return backward
