"""Normalizations and their gradients.

=====================  =========================================================
module                 subject
=====================  =========================================================
``batch``              batch normalization, in training and with given statistics
``group``              group normalization
``layer``              layer normalization
``scaling``            RMS and unit normalization, which have no mean
``moving``             moving averages of the statistics of batches
``_row_kernels``       kernels for what is normalized along rows
``_column_kernels``    kernels for what is normalized down columns
``_rows``, ``_columns``  how these are run over arrays
=====================  =========================================================
"""

from __future__ import annotations

from tapegrad_kernels.cpu.normalization import batch, group, layer, moving, scaling
from tapegrad_kernels.cpu.normalization.batch import *  # noqa: F403
from tapegrad_kernels.cpu.normalization.group import *  # noqa: F403
from tapegrad_kernels.cpu.normalization.layer import *  # noqa: F403
from tapegrad_kernels.cpu.normalization.moving import *  # noqa: F403
from tapegrad_kernels.cpu.normalization.scaling import *  # noqa: F403

__all__: list[str] = []
__all__ += batch.__all__
__all__ += group.__all__
__all__ += layer.__all__
__all__ += moving.__all__
__all__ += scaling.__all__
