"""The table of lowerings: for each kernel, the rows that do the same."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from tapegrad_kernels.cpu import elementwise
from tapegrad_kernels.cpu.program.builder import Builder

UFUNCS = tuple(
    name for name in elementwise.__all__ if isinstance(getattr(elementwise, name), np.ufunc)
)
"""Kernels that are universal functions of NumPy."""

Lowering = Callable[..., None]

# Which family holds the lowering of a kernel: only the families of a program are imported.
FAMILIES: dict[str, tuple[str, ...]] = {
    "copying": ("assign", "astype", "broadcast_to", "copy"),
    "elementwise": (
        *UFUNCS,
        "clip",
        "erf",
        "erf_grad",
        "exp",
        "full_like",
        "gelu",
        "gelu_grad",
        "log",
        "relu",
        "relu_grad",
        "sigmoid",
        "sigmoid_cross_entropy",
        "sigmoid_cross_entropy_grad",
        "sigmoid_grad",
        "softplus",
        "softplus_grad",
        "tanh",
        "tanh_grad",
        "where",
    ),
    "probabilities": (
        *("log_softmax", "log_softmax_grad", "softmax", "softmax_grad"),
        *("softmax_cross_entropy", "softmax_cross_entropy_grad"),
        *("logsumexp", "logsumexp_grad"),
    ),
    "products": ("dense", "gemm", "matmul"),
    "reductions": (
        *("all", "any", "argmax", "argmin", "max", "mean", "min", "prod", "relu_bias_grad"),
        *("sum", "sum_to_shape"),
    ),
    "convolutions": ("conv2d", "conv2d_input_grad", "conv2d_kernel_grad", "conv2d_with_bias"),
    "windows": (
        "avg_pool2d",
        "avg_pool2d_grad",
        "depthwise_conv2d",
        "depthwise_conv2d_input_grad",
        "depthwise_conv2d_kernel_grad",
        "max_pool2d",
        "max_pool2d_gather",
        "max_pool2d_grad",
        "upsample2d",
        "upsample2d_grad",
    ),
    "indexing": (
        *("bincount", "gather", "gather_along_axis", "getitem", "index_add", "one_hot"),
        *("scatter_add", "scatter_along_axis"),
        *("segment_max", "segment_min", "segment_prod", "segment_sum"),
    ),
    "ordering": ("argsort", "sort", "top_k"),
    "scans": ("cummax", "cummin", "cumprod", "cumsum", "linear_scan", "logcumsumexp"),
    "joining": ("concatenate", "pad", "stack"),
    "pooled_convolutions": ("conv2d_avg_pool2d", "conv2d_max_pool2d"),
    "pooled_gradients": ("max_pool2d_relu_bias_grad",),
    "recurrence": (
        "gru_backward",
        "gru_forward",
        "lstm_backward",
        "lstm_forward",
        "simple_rnn_backward",
        "simple_rnn_forward",
    ),
    "normalizations": (
        "batch_norm",
        "batch_norm_grad",
        "batch_norm_inference",
        "batch_norm_inference_grad",
        "group_norm",
        "group_norm_grad",
        "moving_average_update",
    ),
    "row_normalizations": (
        "layer_norm",
        "layer_norm_grad",
        "rms_norm",
        "rms_norm_grad",
        "unit_norm",
        "unit_norm_grad",
    ),
    "attention": ("attention", "attention_grad"),
    "updates": (
        "adadelta_update",
        "adagrad_update",
        "adam_update",
        "adamax_update",
        "clip_by_value_update",
        "ema_update",
        "ftrl_update",
        "gather_flat",
        "increment",
        "lion_update",
        "nadam_update",
        "number_update",
        "overwrite_update",
        "rmsprop_update",
        "schedule_update",
        "sgd_update",
    ),
    "segment_updates": (
        "adafactor_update",
        "clip_by_global_norm_update",
        "clip_by_norm_update",
        "global_norm",
        "lamb_update",
        "muon_update",
        "scale_update",
        "variable_norms",
        "weight_decay_update",
    ),
    "random_numbers": (
        *("random_bernoulli", "random_normal", "random_permutation", "random_uniform"),
    ),
    "metric_sums": ("accumulate_loss", "accumulate_mean", "count_matches"),
    "steps": ("note_step",),
}
"""Kernels by the module of this package that holds their lowerings."""

_module_of = {name: family for family, names in FAMILIES.items() for name in names}
_lowerings: dict[str, Lowering] = {}


class NotNative(Exception):
    """Raised by a lowering whose arguments it has no rows for; the kernel itself is called then."""


def lowers(*names: str) -> Callable[[Lowering], Lowering]:
    """Enter a function as the lowering of kernels, which `FAMILIES` must list.

    The function is called as ``lowering(builder, out, *args, **params)``. `args` and `params`
    are those of the kernel, with an `Operand` in place of each array; Python numbers, None and
    parameters are as they were. `out` is an Operand of the result's shape and dtype, contiguous
    and apart from all arguments; a tuple of them where the kernel returns several arrays, and
    None where it writes into its arguments. The lowering adds rows to the builder, or raises
    `NotNative`.
    """

    def enter(function: Lowering) -> Lowering:
        for name in names:
            if name in _lowerings:
                raise ValueError(f"lowers: {name} has a lowering already")
            _lowerings[name] = function
        return function

    return enter


def lowering_of(name: str) -> Lowering | None:
    """The lowering of a kernel, or None if it has none."""
    found = _lowerings.get(name)
    if found is None and name in _module_of:
        importlib.import_module(f"tapegrad_kernels.cpu.program.{_module_of[name]}")
        found = _lowerings[name]
    return found


def lower(
    builder: Builder, name: str, out: Any, args: tuple[Any, ...], params: dict[str, Any]
) -> None:
    """Add the rows of a kernel to a builder.

    Raises
    ------
    NotNative
        If there are none for these arguments.
    """
    lowering = lowering_of(name)
    if lowering is None:
        raise NotNative(name)
    lowering(builder, out, *args, **params)
