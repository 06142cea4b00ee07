"""Simple recurrent networks over whole sequences."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tapegrad_kernels._compile import on_warmup
from tapegrad_kernels.cpu.gemm import gemm
from tapegrad_kernels.cpu.recurrent import _record as f
from tapegrad_kernels.cpu.recurrent import _simple_rnn_kernels as kernels
from tapegrad_kernels.cpu.recurrent._call import (
    Array,
    check_shapes,
    in_order,
    masks_in,
    prepare,
    run,
)
from tapegrad_kernels.cpu.recurrent._gradients import (
    ONE,
    gates_shape,
    left_factors,
    of_inputs,
    of_weights,
)

__all__ = ["simple_rnn_backward", "simple_rnn_forward"]


def _number_of(name: str, activation: str) -> int:
    if activation not in kernels.ACTIVATIONS:
        raise ValueError(f"{name}: activation is {activation!r}; it must be 'tanh' or 'relu'")
    return kernels.ACTIVATIONS.index(activation)


def simple_rnn_forward(
    x: ArrayLike,
    w: ArrayLike,
    u: ArrayLike,
    b: ArrayLike,
    h0: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    recurrent_mask: ArrayLike | None = None,
    *,
    activation: str = "tanh",
    reverse: bool = False,
) -> tuple[Array, Array]:
    """Run a simple recurrent network, ``h = activation(x w + h u + b)``, over sequences.

    Parameters
    ----------
    x : array_like, shape (batch, time, features)
        Inputs; at least one step.
    w : array_like, shape (features, units)
        Weights of the inputs.
    u : array_like, shape (units, units)
        Weights of the state.
    b : array_like, shape (units,)
        Biases.
    h0 : array_like, shape (batch, units), optional
        Initial state, by default zeros.
    mask : array_like of bool, shape (batch, time), optional
        Where it is False a sample's step does not happen: the state stays, and the output of
        the step before is repeated (zeros before a sample's first step).
    recurrent_mask : array_like, shape (batch, units), optional
        Recurrent dropout: multiplies h in the product with `u`.
    activation : {"tanh", "relu"}
        Function of the cell.
    reverse : bool, default False
        Whether to go from the last step to the first. `outputs` are in the order of processing.

    Returns
    -------
    outputs : ndarray, shape (batch, time, units)
        h after each step: all that `simple_rnn_backward` needs besides.
    last : ndarray, shape (batch, units)
        h after the last step.

    Raises
    ------
    TypeError, ValueError
        If an array has a dtype or shape that does not fit, or the activation is unknown.

    References
    ----------
    J. L. Elman, "Finding Structure in Time", Cognitive Science 14 (1990).

    Examples
    --------
    >>> import numpy as np
    >>> x, w, u = np.ones((1, 3, 1)), np.ones((1, 1)), np.ones((1, 1))
    >>> outputs, last = simple_rnn_forward(x, w, u, np.zeros(1), activation="relu")
    >>> outputs[0, :, 0]
    array([1., 2., 3.])
    """
    name = "simple_rnn_forward"
    option = _number_of(name, activation)
    x, w, u, b, (h0,), mask, dropped = prepare(
        name, 1, (1,), x, w, u, b, (("h0", h0),), mask, recurrent_mask
    )
    batch, steps, features = x.shape
    units = u.shape[0]
    products = gemm(x.reshape(batch * steps, features), w, bias=b)
    outputs = np.empty((batch, steps, units), x.dtype)
    last = np.empty((batch, units), x.dtype)
    if batch:
        run(
            kernels.simple_rnn_forward,
            {
                f.U: u,
                f.MASK: mask,
                f.RECURRENT_MASK: dropped,
                f.H0: h0,
                f.OUTPUTS: outputs,
                f.LAST: last,
                f.INPUTS: products,
            },
            batch,
            steps,
            units,
            1,
            masks=masks_in(dropped),
            groups=1,
            reverse=reverse,
            option=option,
        )
    return outputs, last


def simple_rnn_backward(
    x: ArrayLike,
    w: ArrayLike,
    u: ArrayLike,
    b: ArrayLike,
    h0: ArrayLike | None,
    mask: ArrayLike | None,
    recurrent_mask: ArrayLike | None,
    outputs: Array,
    d_outputs: ArrayLike | None = None,
    d_last: ArrayLike | None = None,
    *,
    activation: str = "tanh",
    reverse: bool = False,
    inputs: bool = True,
    weights: bool = True,
) -> tuple[Array, ...]:
    """Gradients of `simple_rnn_forward`, back through time.

    Parameters
    ----------
    x, w, u, b, h0, mask, recurrent_mask, activation, reverse
        As in the call of `simple_rnn_forward`.
    outputs : ndarray
        What it returned.
    d_outputs, d_last : array_like, optional
        Gradients by `outputs` and `last`; None stands for zeros.
    inputs : bool, default True
        Whether the gradient by `x` is wanted.
    weights : bool, default True
        Whether those by `w`, `u` and `b` are.

    Returns
    -------
    tuple of ndarray
        Gradients by x (if `inputs`), by w, u and b (if `weights`), and by h0, with the shapes
        of these.

    Raises
    ------
    TypeError, ValueError
        If an array has a dtype or shape that does not fit, or the activation is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> arguments = np.ones((2, 5, 3)), np.ones((3, 4)), np.ones((4, 4)), np.zeros(4)
    >>> outputs, last = simple_rnn_forward(*arguments)
    >>> gradients = simple_rnn_backward(*arguments, None, None, None, outputs, outputs)
    >>> [gradient.shape for gradient in gradients]
    [(2, 5, 3), (3, 4), (4, 4), (4,), (2, 4)]
    """
    name = "simple_rnn_backward"
    option = _number_of(name, activation)
    x, w, u, b, (h0,), mask, dropped = prepare(
        name, 1, (1,), x, w, u, b, (("h0", h0),), mask, recurrent_mask
    )
    batch, steps, _ = x.shape
    units, masks = u.shape[0], masks_in(dropped)
    sequence, state = (batch, steps, units), (batch, units)
    outputs = in_order(outputs, x.dtype)
    dy, dh = (None if a is None else in_order(a, x.dtype) for a in (d_outputs, d_last))
    check_shapes(
        name, [("outputs", outputs, sequence), ("d_outputs", dy, sequence), ("d_last", dh, state)]
    )
    dh0 = np.empty(state, x.dtype)
    shape, panel_rows = gates_shape(x, u, weights and not inputs)
    dg = np.empty(shape, x.dtype)
    left = left_factors(x, units, masks) if weights else None
    if batch:
        run(
            kernels.simple_rnn_backward,
            {
                f.U: u,
                f.MASK: mask,
                f.RECURRENT_MASK: dropped,
                f.H0: h0,
                f.OUTPUTS: outputs,
                f.LAST: dh0,
                f.D_LAST: dh,
                f.D_OUTPUTS: dy,
                f.D_GATES: dg,
                f.LEFT: left,
                f.X: x,
                f.ONE: ONE[x.dtype],
            },
            batch,
            steps,
            units,
            1,
            masks=masks,
            groups=1,
            reverse=reverse,
            option=option,
            transposed=True,
            panel_rows=panel_rows,
        )
    gradients = [of_inputs(x, w, dg)] if inputs else []
    if left is not None:
        gradients += of_weights(dg, left, w, u, panel_rows)
    return (*gradients, dh0)


def _warm(dtype: Any) -> None:
    x, w = np.zeros((1, 1, 1), dtype), np.zeros((1, 1), dtype)
    outputs, _ = simple_rnn_forward(x, w, w, w[0])
    simple_rnn_backward(x, w, w, w[0], None, None, None, outputs)


@on_warmup("simple_rnn float32")
def _warm_float32() -> None:
    _warm("float32")


@on_warmup("simple_rnn float64")
def _warm_float64() -> None:
    _warm("float64")
