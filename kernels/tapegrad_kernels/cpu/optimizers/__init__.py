"""Optimizer updates: parameters, gradients and slots in one visit, in place.

=================  =============================================================
module             subject
=================  =============================================================
``momentum``       SGD, Lion
``adam``           Adam, AdamW, AMSGrad, Nadam, Adamax
``adaptive``       Adagrad, Adadelta, RMSprop, Ftrl
``layerwise``      Lamb
``factored``       Adafactor
``orthogonal``     Muon
``counters``       numbers of steps, learning rates
``buffers``        norms, clipping, decay, running means of parameters
=================  =============================================================

All arrays of a call are flat, contiguous and of one dtype, as a model's
parameters are when they share a buffer: one call then updates the whole model.
The formulas are those of Keras 3 (see `tapegrad_kernels._scalar.updates`).
"""

from __future__ import annotations

from tapegrad_kernels.cpu.optimizers.adam import adam_update, adamax_update, nadam_update
from tapegrad_kernels.cpu.optimizers.adaptive import (
    adadelta_update,
    adagrad_update,
    ftrl_update,
    rmsprop_update,
)
from tapegrad_kernels.cpu.optimizers.buffers import (
    clip_by_global_norm_update,
    clip_by_norm_update,
    clip_by_value_update,
    ema_update,
    global_norm,
    scale_update,
    variable_norms,
    weight_decay_update,
)
from tapegrad_kernels.cpu.optimizers.counters import (
    increment,
    number_update,
    overwrite_update,
    schedule_update,
)
from tapegrad_kernels.cpu.optimizers.factored import adafactor_update
from tapegrad_kernels.cpu.optimizers.layerwise import lamb_update
from tapegrad_kernels.cpu.optimizers.momentum import lion_update, sgd_update
from tapegrad_kernels.cpu.optimizers.orthogonal import muon_update

__all__ = [
    "adadelta_update",
    "adafactor_update",
    "adagrad_update",
    "adam_update",
    "adamax_update",
    "clip_by_global_norm_update",
    "clip_by_norm_update",
    "clip_by_value_update",
    "ema_update",
    "ftrl_update",
    "global_norm",
    "increment",
    "lamb_update",
    "lion_update",
    "muon_update",
    "nadam_update",
    "number_update",
    "overwrite_update",
    "rmsprop_update",
    "scale_update",
    "schedule_update",
    "sgd_update",
    "variable_norms",
    "weight_decay_update",
]
