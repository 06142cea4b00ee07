"""Optimizer updates, in place on flat buffers, and norms of such buffers.

An update is an `Effect`: it writes into the Variables at the positions that `mutates` names, and
takes learning rates and numbers of steps as arguments, so that a recorded step reads their current
values. Arguments and formulas are those of the kernels of the same names
(`tapegrad_kernels.cpu.optimizers`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad._core.primitive import defvjp, primitive
from tapegrad._core.registry import operation
from tapegrad._core.tensor import Tensor
from tapegrad.ops._indexing import getitem
from tapegrad.ops._selection import equal, where
from tapegrad.ops._shape import as_tensor

sgd_update: Any = primitive("sgd_update", mutates=(0, 2))
lion_update: Any = primitive("lion_update", mutates=(0, 2))
adagrad_update: Any = primitive("adagrad_update", mutates=(0, 2))
adadelta_update: Any = primitive("adadelta_update", mutates=(0, 2, 3))
rmsprop_update: Any = primitive("rmsprop_update", mutates=(0, 2, 3, 4))
ftrl_update: Any = primitive("ftrl_update", mutates=(0, 2, 3))
adam_update: Any = primitive("adam_update", mutates=(0, 2, 3, 9))
nadam_update: Any = primitive("nadam_update", mutates=(0, 2, 3))
adamax_update: Any = primitive("adamax_update", mutates=(0, 2, 3))
lamb_update: Any = primitive("lamb_update", mutates=(0, 2, 3))
adafactor_update: Any = primitive("adafactor_update", mutates=(0, 2))
muon_update: Any = primitive("muon_update", mutates=(0, 2))

clip_by_value_update: Any = primitive("clip_by_value_update", mutates=(0,))
clip_by_norm_update: Any = primitive("clip_by_norm_update", mutates=(0,))
clip_by_global_norm_update: Any = primitive("clip_by_global_norm_update", mutates=(0,))
scale_update: Any = primitive("scale_update", mutates=(0,))
weight_decay_update: Any = primitive("weight_decay_update", mutates=(0,))
ema_update: Any = primitive("ema_update", mutates=(0,))

increment: Any = primitive("increment", mutates=(0,), doc="Add 1 to a counter.")
number_update: Any = primitive(
    "number_update", mutates=(0,), doc="Number of the update that comes, from the steps taken."
)
overwrite_update: Any = primitive(
    "overwrite_update", mutates=(0,), doc="Set parameters to other values at some updates."
)
schedule_update: Any = primitive(
    "schedule_update", mutates=(0,), doc="Set a rate to the value of a schedule that kernels know."
)


def adafactor_statistics(shapes: Sequence[Sequence[int]]) -> int:
    """Number of running means that `adafactor_update` keeps for variables of these shapes.

    Examples
    --------
    >>> adafactor_statistics([(100, 50), (50,)])
    200
    """
    from tapegrad_kernels.cpu.optimizers import factored

    return factored.adafactor_statistics(shapes)


_global_norm = primitive("global_norm", doc="Euclidean norm of a vector.")
_variable_norms = primitive("variable_norms", doc="Euclidean norms of parts of a vector.")


def _nonzero(norms: Any) -> Any:
    """`norms` with 1 for 0: the derivative of a norm at zero is taken as 0."""
    return where(equal(norms, 0), 1, norms)


defvjp(_global_norm, lambda g, answer, x: g * x / _nonzero(answer))


def _variable_norms_rule(g: Any, answer: Any, x: Any, offsets: tuple[int, ...]) -> Any:
    lengths = np.diff([*offsets, x.size])
    owners = np.repeat(np.arange(len(offsets)), lengths)
    return getitem(g / _nonzero(answer), owners) * x


defvjp(_variable_norms, _variable_norms_rule)


@operation()
def global_norm(x: Any) -> Tensor:
    """Euclidean norm of a flat buffer, added up in float64.

    Parameters
    ----------
    x : array_like, shape (n,)
        float32 or float64.

    Returns
    -------
    Tensor, shape ()
        Its derivative at zero is taken as 0.

    Examples
    --------
    >>> import tapegrad as tg
    >>> global_norm(tg.tensor([3.0, 4.0]))
    Tensor(5., dtype=float64)
    """
    return _global_norm(as_tensor(x))


@operation()
def variable_norms(x: Any, offsets: Sequence[int]) -> Tensor:
    """Euclidean norm of each variable in a flat buffer.

    Parameters
    ----------
    x : array_like, shape (n,)
        float32 or float64. Padding between variables must be zero.
    offsets : sequence of int
        Where each variable begins; it reaches to the next, the last to the end.

    Returns
    -------
    Tensor, shape (len(offsets),)

    Raises
    ------
    ValueError
        If the offsets do not rise from 0.

    Examples
    --------
    >>> import tapegrad as tg
    >>> variable_norms(tg.tensor([3.0, 4.0, 2.0]), (0, 2))
    Tensor([5., 2.], dtype=float64)
    """
    return _variable_norms(as_tensor(x), offsets=tuple(int(offset) for offset in offsets))
