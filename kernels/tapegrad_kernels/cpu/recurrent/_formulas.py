"""The cells' formulas, each a plain function of numbers, for one unit of one sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tapegrad_kernels._compile import kernel
from tapegrad_kernels.cpu._map import scalar_functions

LOOP_NAMES = (
    "add",
    "multiply",
    "add_product",
    "lstm_step",
    "lstm_gradient",
    "gru_step",
    "gru_gradient",
    "gru_reset",
    "gru_update",
    "gru_update_gradient",
    "gru_reset_gradient",
    "tanh_step",
    "relu_step",
    "tanh_gradient",
    "relu_gradient",
)
"""The loops in the order of their table."""

(
    ADD,
    MULTIPLY,
    ADD_PRODUCT,
    LSTM_STEP,
    LSTM_GRADIENT,
    GRU_STEP,
    GRU_GRADIENT,
    GRU_RESET,
    GRU_UPDATE,
    GRU_UPDATE_GRADIENT,
    GRU_RESET_GRADIENT,
    TANH_STEP,
    RELU_STEP,
    TANH_GRADIENT,
    RELU_GRADIENT,
) = range(len(LOOP_NAMES))


@dataclass(frozen=True)
class Formula:
    """A function of numbers, and where its arguments come from and its results go.

    Attributes
    ----------
    function : kernel
        Takes `inputs` numbers and returns a tuple with one for each of `targets`.
    dtype : {"float32", "float64"}
        Type of all numbers.
    inputs : int
        Number of arrays that are read: the first ones that the loop is given.
    targets : tuple of int
        Positions of the arrays that results go to: inputs, which they replace, or arrays after
        these, which are only written.
    """

    function: Any
    dtype: str
    inputs: int
    targets: tuple[int, ...]

    @property
    def arrays(self) -> int:
        """Number of arrays that the loop is given."""
        return max(self.inputs, *(target + 1 for target in self.targets))


def make_formulas(dtype: str) -> dict[str, Formula]:
    """Define the formulas for one dtype, by the names of their loops."""
    formulas: dict[str, Formula] = {}

    def formula(inputs: int, targets: tuple[int, ...]) -> Callable[[Any], Any]:
        def enter(function: Any) -> Any:
            formulas[function.__name__] = Formula(
                kernel(inline=True)(function), dtype, inputs, targets
            )
            return function

        return enter

    _define_common(formula)
    _define_lstm(formula, dtype)
    _define_gru(formula, dtype)
    _define_simple_rnn(formula, dtype)
    return formulas


def _define_common(formula: Any) -> None:
    @formula(2, (0,))
    def add(y, x):  # type: ignore[no-untyped-def]
        return (y + x,)

    @formula(2, (2,))
    def multiply(a, b):  # type: ignore[no-untyped-def]
        return (a * b,)

    @formula(3, (0,))
    def add_product(y, a, b):  # type: ignore[no-untyped-def]
        return (y + a * b,)


def _define_lstm(formula: Any, dtype: str) -> None:
    scalar = scalar_functions(dtype)
    sigmoid, tanh = scalar["sigmoid"], scalar["tanh"]
    one: Any = np.dtype(dtype).type(1.0)

    @formula(9, (0, 1, 2, 3, 8, 9))
    def lstm_step(i, f, g, o, hi, hf, hg, ho, c):  # type: ignore[no-untyped-def]
        i, f, g, o = sigmoid(i + hi), sigmoid(f + hf), tanh(g + hg), sigmoid(o + ho)
        c = f * c + i * g
        return i, f, g, o, c, o * tanh(c)

    @formula(8, (8, 9, 10, 11, 7))
    def lstm_gradient(i, f, g, o, c, c_before, dh, dc):  # type: ignore[no-untyped-def]
        # By the gates before their activations, and by c before the step.
        y = tanh(c)
        dc += dh * o * (one - y * y)
        di = dc * g * (i * (one - i))
        df = dc * c_before * (f * (one - f))
        dg = dc * i * (one - g * g)
        do = dh * y * (o * (one - o))
        return di, df, dg, do, dc * f


def _define_gru(formula: Any, dtype: str) -> None:
    scalar = scalar_functions(dtype)
    sigmoid, tanh = scalar["sigmoid"], scalar["tanh"]
    one: Any = np.dtype(dtype).type(1.0)

    @formula(7, (0, 1, 2, 6))
    def gru_step(z, r, a, hz, hr, ha, h):  # type: ignore[no-untyped-def]
        z, r = sigmoid(z + hz), sigmoid(r + hr)
        a = tanh(a + r * ha)
        return z, r, a, z * h + (one - z) * a

    @formula(6, (6, 7, 8, 9, 5))
    def gru_gradient(z, r, a, inner, h, dh):  # type: ignore[no-untyped-def]
        # By z, r, `inner` and a before their activations, and by h before the step.
        da = dh * (one - z) * (one - a * a)
        dz = dh * (h - a) * (z * (one - z))
        return dz, da * inner * (r * (one - r)), da * r, da, dh * z

    # Without reset_after a step has two parts, with a product between them.
    @formula(5, (0, 1, 5))
    def gru_reset(z, r, hz, hr, left):  # type: ignore[no-untyped-def]
        z, r = sigmoid(z + hz), sigmoid(r + hr)
        return z, r, r * left

    @formula(4, (1, 3))
    def gru_update(z, a, ha, h):  # type: ignore[no-untyped-def]
        a = tanh(a + ha)
        return a, z * h + (one - z) * a

    @formula(4, (4, 5, 3))
    def gru_update_gradient(z, a, h, dh):  # type: ignore[no-untyped-def]
        dz = dh * (h - a) * (z * (one - z))
        return dz, dh * (one - z) * (one - a * a), dh * z

    @formula(5, (5, 4))
    def gru_reset_gradient(r, h, mask, d_inner, dh):  # type: ignore[no-untyped-def]
        # The product read r * (h * mask).
        back = d_inner * mask
        return back * h * (r * (one - r)), dh + back * r


def _define_simple_rnn(formula: Any, dtype: str) -> None:
    scalar = scalar_functions(dtype)
    tanh, relu = scalar["tanh"], scalar["relu"]
    zero: Any = np.dtype(dtype).type(0.0)
    one: Any = np.dtype(dtype).type(1.0)

    @formula(2, (2,))
    def tanh_step(x, product):  # type: ignore[no-untyped-def]
        return (tanh(x + product),)

    @formula(2, (2,))
    def relu_step(x, product):  # type: ignore[no-untyped-def]
        return (relu(x + product),)

    # All of h comes from the activation: nothing of dh goes past it.
    @formula(2, (1, 2))
    def tanh_gradient(h, dh):  # type: ignore[no-untyped-def]
        return zero, dh * (one - h * h)

    @formula(2, (1, 2))
    def relu_gradient(h, dh):  # type: ignore[no-untyped-def]
        return zero, dh if h > zero else zero
