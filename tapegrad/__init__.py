"""tapegrad: deep learning and differentiable numerics in Python, on Numba kernels.

>>> import tapegrad as tg
>>> w = tg.Variable([1.0, 2.0])
>>> with tg.Tape() as tape:
...     loss = (w * w).sum()
>>> tape.gradient(loss, w)
Tensor([2., 4.], dtype=float32)

Modules and names are imported when they are first used: ``import tapegrad``
itself needs little more than NumPy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tapegrad import ops
from tapegrad._core.custom import defvjp, primitive
from tapegrad._core.device import device, devices
from tapegrad._core.state import floatx, no_record, set_floatx
from tapegrad._core.tape import Tape
from tapegrad._core.tensor import Tensor, tensor
from tapegrad._core.variable import Variable

if TYPE_CHECKING:
    from tapegrad import (
        activations,
        callbacks,
        constraints,
        data,
        datasets,
        initializers,
        layers,
        losses,
        metrics,
        models,
        numpy,
        optimizers,
        plot,
        random,
        regularizers,
        saving,
        test_util,
        transforms,
        utils,
    )
    from tapegrad._jit import cond, jit, scan, while_loop
    from tapegrad._threads import get_num_threads, set_num_threads
    from tapegrad.initializers import Initializer
    from tapegrad.layers import Input, InputSpec, Layer
    from tapegrad.losses import Loss
    from tapegrad.metrics import Metric
    from tapegrad.models import Model, Sequential
    from tapegrad.optimizers import Optimizer
    from tapegrad.random import set_seed
    from tapegrad.regularizers import Regularizer
    from tapegrad.saving import load_model
    from tapegrad.transforms import (
        elementwise_grad,
        grad,
        hessian,
        hessian_vector_product,
        jacobian,
        make_hvp,
        make_jvp,
        make_vjp,
        value_and_grad,
    )
    from tapegrad.transforms import hessian_vector_product as hvp

__version__ = "0.1.0"

_MODULES = (
    "activations",
    "callbacks",
    "constraints",
    "data",
    "datasets",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "numpy",
    "optimizers",
    "plot",
    "random",
    "regularizers",
    "saving",
    "test_util",
    "transforms",
    "utils",
)

_NAMES = {
    "Initializer": "initializers",
    "Input": "layers",
    "InputSpec": "layers",
    "Layer": "layers",
    "Loss": "losses",
    "Metric": "metrics",
    "Model": "models",
    "Optimizer": "optimizers",
    "Regularizer": "regularizers",
    "Sequential": "models",
    "cond": "_jit",
    "elementwise_grad": "transforms",
    "get_num_threads": "_threads",
    "grad": "transforms",
    "hessian": "transforms",
    "hessian_vector_product": "transforms",
    "hvp": "transforms",
    "jacobian": "transforms",
    "jit": "_jit",
    "load_model": "saving",
    "make_hvp": "transforms",
    "make_jvp": "transforms",
    "make_vjp": "transforms",
    "scan": "_jit",
    "set_num_threads": "_threads",
    "set_seed": "random",
    "value_and_grad": "transforms",
    "while_loop": "_jit",
}

__all__ = [
    "Initializer",
    "Input",
    "InputSpec",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "Optimizer",
    "Regularizer",
    "Sequential",
    "Tape",
    "Tensor",
    "Variable",
    "activations",
    "callbacks",
    "cond",
    "constraints",
    "data",
    "datasets",
    "defvjp",
    "device",
    "devices",
    "elementwise_grad",
    "floatx",
    "get_num_threads",
    "grad",
    "hessian",
    "hessian_vector_product",
    "hvp",
    "initializers",
    "jacobian",
    "jit",
    "layers",
    "load_model",
    "losses",
    "make_hvp",
    "make_jvp",
    "make_vjp",
    "metrics",
    "models",
    "no_record",
    "numpy",
    "ops",
    "optimizers",
    "plot",
    "primitive",
    "random",
    "regularizers",
    "saving",
    "scan",
    "set_floatx",
    "set_num_threads",
    "set_seed",
    "tensor",
    "test_util",
    "transforms",
    "utils",
    "value_and_grad",
    "while_loop",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"tapegrad.{name}")
    if name in _NAMES:
        value = getattr(importlib.import_module(f"tapegrad.{_NAMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'tapegrad' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
