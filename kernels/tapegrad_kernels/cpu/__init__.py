"""Kernels for the processor: a table of contents.

===================  ===========================================================
module               subject
===================  ===========================================================
``elementwise``      NumPy's universal functions, under NumPy's names
``vector_math``      exp, log, tanh, erf
``activations``      sigmoid, softplus, gelu, relu and all derivatives
``reductions``       sum, mean, prod, max, min
``relu_bias``        the gradients before a relu and by a bias
``softmax``          softmax, cross-entropies and their derivatives
``normalization``    batch, group, layer, RMS and unit normalization
``optimizers``       in-place parameter updates
``metrics``          sums that metrics keep over batches
``steps``            what training notes between steps
``random``           counter-based random numbers (Philox)
``gemm``             matrix products: gemm, dense, matmul
``attention``        scaled dot-product attention and its gradients
``convolution``      convolution and its gradients
``depthwise``        depthwise convolution and its gradients
``pooling``          largest and mean elements of windows
``resampling``       enlarging images
``recurrent``        LSTM, GRU and simple recurrent networks over sequences
``logsumexp``        logarithm of a sum of exponentials
``engine``           what automatic differentiation needs besides
``indexing``         rows by index, segments, ordering, running sums
``shaping``          shape, indexing, selection
===================  ===========================================================

Arrays are taken in any strides and returned as plain ndarrays; float32 stays
float32. Arrays are positional arguments and parameters are keywords.
"""

from __future__ import annotations

from tapegrad_kernels._compile.allocator import keep_freed_memory
from tapegrad_kernels.cpu import (
    activations,
    convolution,
    depthwise,
    elementwise,
    engine,
    indexing,
    metrics,
    normalization,
    optimizers,
    pooling,
    random,
    recurrent,
    reductions,
    resampling,
    shaping,
    steps,
    vector_math,
)
from tapegrad_kernels.cpu.activations import *  # noqa: F403
from tapegrad_kernels.cpu.attention import attention, attention_grad
from tapegrad_kernels.cpu.convolution import *  # noqa: F403
from tapegrad_kernels.cpu.depthwise import *  # noqa: F403
from tapegrad_kernels.cpu.elementwise import *  # noqa: F403
from tapegrad_kernels.cpu.engine import *  # noqa: F403
from tapegrad_kernels.cpu.gemm import dense, gemm, matmul
from tapegrad_kernels.cpu.indexing import *  # noqa: F403
from tapegrad_kernels.cpu.logsumexp import logsumexp, logsumexp_grad
from tapegrad_kernels.cpu.metrics import *  # noqa: F403
from tapegrad_kernels.cpu.normalization import *  # noqa: F403
from tapegrad_kernels.cpu.optimizers import *  # noqa: F403
from tapegrad_kernels.cpu.pooling import *  # noqa: F403
from tapegrad_kernels.cpu.random import *  # noqa: F403
from tapegrad_kernels.cpu.recurrent import *  # noqa: F403
from tapegrad_kernels.cpu.reductions import *  # noqa: F403
from tapegrad_kernels.cpu.relu_bias import relu_bias_grad
from tapegrad_kernels.cpu.resampling import *  # noqa: F403
from tapegrad_kernels.cpu.shaping import *  # noqa: F403
from tapegrad_kernels.cpu.softmax import (
    log_softmax,
    log_softmax_grad,
    sigmoid_cross_entropy,
    sigmoid_cross_entropy_grad,
    softmax,
    softmax_cross_entropy,
    softmax_cross_entropy_grad,
    softmax_grad,
)
from tapegrad_kernels.cpu.steps import *  # noqa: F403
from tapegrad_kernels.cpu.vector_math import *  # noqa: F403

keep_freed_memory()

__all__: list[str] = [
    "attention",
    "attention_grad",
    "dense",
    "gemm",
    "logsumexp",
    "matmul",
    "relu_bias_grad",
]
__all__ += convolution.__all__
__all__ += depthwise.__all__
__all__ += pooling.__all__
__all__ += resampling.__all__
__all__ += elementwise.__all__
__all__ += engine.__all__
__all__ += vector_math.__all__
__all__ += activations.__all__
__all__ += reductions.__all__
__all__ += [
    "log_softmax",
    "log_softmax_grad",
    "sigmoid_cross_entropy",
    "sigmoid_cross_entropy_grad",
    "softmax",
    "softmax_cross_entropy",
    "softmax_cross_entropy_grad",
    "softmax_grad",
]
__all__ += ["logsumexp_grad"]
__all__ += indexing.__all__
__all__ += metrics.__all__
__all__ += normalization.__all__
__all__ += optimizers.__all__
__all__ += random.__all__
__all__ += recurrent.__all__
__all__ += shaping.__all__
__all__ += steps.__all__
