"""What the attention kernels know of a call: the record of addresses, sizes and strides."""

from __future__ import annotations

KEY_BLOCK = 128
"""Keys in a tile of scores: with 32 queries, a tile of float32 is half the first cache."""
FORWARD_PANELS = 2
"""Panels of queries in a task of the forward pass. Keys and values come from the second
cache once for each panel."""
BACKWARD_PANELS = 2
"""Panels of queries in a step of the backward pass: they are the depth of its sums over
queries, so more make longer sums and larger tiles."""
LINE = 64
"""Bytes of a cache line."""

NO_MASK, BOOLEAN_MASK, ADDED_MASK = range(3)

# The record, in int64. Strides of arrays are in elements, offsets and those of masks in bytes.
(
    TABLE,
    QUERIES,
    KEYS,
    DEPTH,
    VALUE_DEPTH,
    CAUSAL,
    SCALE,  # float64
    PARTS,  # tasks of one head
    CHUNK,
    WORKSPACE,
    WORKSPACE_BYTES,
    Q,
    Q_STRIDE,
    Q_OFFSETS,
    K,
    K_STRIDE,
    K_OFFSETS,
    V,
    V_STRIDE,
    V_OFFSETS,
    MASK,
    MASK_KIND,
    MASK_ROW,
    MASK_COLUMN,
    MASK_OFFSETS,
    OUT,
    LOGSUMEXP,
    G,
    G_STRIDE,
    G_OFFSETS,
    G_LOGSUMEXP,
    SEGMENT,  # keys of a task of the backward pass
    HEADS,
    DQ,
    DK,
    DV,
    RECORD_LENGTH,
) = range(37)


def forward_elements(depth: int, value_depth: int, width: int) -> int:
    """Numbers in the workspace of the forward pass, for panels of `width` queries."""
    return width * (FORWARD_PANELS * (depth + value_depth + 2) + KEY_BLOCK)


def backward_elements(depth: int, value_depth: int, width: int) -> int:
    """Numbers in the workspace of the backward pass."""
    queries = BACKWARD_PANELS * width
    columns = -(-depth // width) * width + -(-value_depth // width) * width
    return queries * (2 * depth + value_depth + columns + 2 * KEY_BLOCK + 2)
