"""Elements by index and by order.

=================  =============================================================
module             subject
=================  =============================================================
``rows``           rows of a table by index, and their transpose
``segments``       sums, products and extremes of segments, counts
``along_axis``     one element for each index along an axis, one-hot rows
``ordering``       argsort, sort, the largest few
``scans``          running sums, products and extremes, linear recurrences
=================  =============================================================
"""

from __future__ import annotations

from tapegrad_kernels.cpu.indexing.along_axis import (
    gather_along_axis,
    one_hot,
    scatter_along_axis,
)
from tapegrad_kernels.cpu.indexing.ordering import argsort, sort, top_k
from tapegrad_kernels.cpu.indexing.rows import gather, scatter_add
from tapegrad_kernels.cpu.indexing.scans import (
    cummax,
    cummin,
    cumprod,
    cumsum,
    linear_scan,
    logcumsumexp,
)
from tapegrad_kernels.cpu.indexing.segments import (
    bincount,
    segment_max,
    segment_min,
    segment_prod,
    segment_sum,
)

__all__ = [
    "argsort",
    "bincount",
    "cummax",
    "cummin",
    "cumprod",
    "cumsum",
    "gather",
    "gather_along_axis",
    "linear_scan",
    "logcumsumexp",
    "one_hot",
    "scatter_add",
    "scatter_along_axis",
    "segment_max",
    "segment_min",
    "segment_prod",
    "segment_sum",
    "sort",
    "top_k",
]
