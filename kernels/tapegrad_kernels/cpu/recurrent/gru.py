"""Gated recurrent units over whole sequences."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tapegrad_kernels._compile import on_warmup
from tapegrad_kernels.cpu.gemm import gemm
from tapegrad_kernels.cpu.recurrent import _gru_kernels as kernels
from tapegrad_kernels.cpu.recurrent import _record as f
from tapegrad_kernels.cpu.recurrent._call import (
    Array,
    check_shapes,
    forward_by_step,
    in_order,
    masks_in,
    prepare,
    run,
)
from tapegrad_kernels.cpu.recurrent._gradients import (
    ONE,
    as_rows,
    left_factors,
    of_inputs,
    of_states,
)

__all__ = ["gru_backward", "gru_forward"]

_GATES = 3


def gru_forward(
    x: ArrayLike,
    w: ArrayLike,
    u: ArrayLike,
    b: ArrayLike,
    h0: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    recurrent_mask: ArrayLike | None = None,
    *,
    reset_after: bool = True,
    reverse: bool = False,
) -> tuple[Array, Array, Array, Array]:
    """Run a gated recurrent unit over sequences.

    At each step, with the columns of `w`, `u` and `b` in three blocks::

        z, r = sigmoid(x w + h u + b)            (blocks 0 and 1)
        a    = tanh(x w + b[0] + r * (h u + b[1]))   (block 2, reset_after)
        a    = tanh(x w + (r * h) u + b)             (block 2, otherwise)
        h    = z * h + (1 - z) * a

    Parameters
    ----------
    x : array_like, shape (batch, time, features)
        Inputs; at least one step.
    w : array_like, shape (features, 3 * units)
        Weights of the inputs.
    u : array_like, shape (units, 3 * units)
        Weights of the state.
    b : array_like, shape (2, 3 * units), or (3 * units,) without `reset_after`
        Biases; with `reset_after` those of the inputs' products and of the state's.
    h0 : array_like, shape (batch, units), optional
        Initial state, by default zeros.
    mask : array_like of bool, shape (batch, time), optional
        Where it is False a sample's step does not happen: the state stays, and the output of
        the step before is repeated (zeros before a sample's first step).
    recurrent_mask : array_like, shape (batch, units) or (3, batch, units), optional
        Recurrent dropout: multiplies h in the products with `u`, for all gates or each.
    reset_after : bool, default True
        Whether the reset gate multiplies the product with `u` or the state before it.
    reverse : bool, default False
        Whether to go from the last step to the first. `outputs` are in the order of processing.

    Returns
    -------
    outputs : ndarray, shape (batch, time, units)
        h after each step.
    last : ndarray, shape (batch, units)
        h after the last step.
    gates : ndarray, shape (batch, time, 3 * units)
        z, r and a in the order of `x`, zeros at masked steps.
    inner : ndarray, shape (batch, time, units)
        ``h u + b[1]`` of block 2 or, without `reset_after`, ``r * h``, in the order of `x`,
        zeros at masked steps. `gates` and `inner` are what `gru_backward` needs besides; that
        is all the memory that a call keeps.

    Raises
    ------
    TypeError, ValueError
        If an array has a dtype or shape that does not fit.

    References
    ----------
    K. Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder" (2014),
    arXiv:1406.1078; versions 3 and 1 of it are the two kinds. Blocks are ordered as in Keras.

    Examples
    --------
    >>> import numpy as np
    >>> x, w, u, b = np.ones((2, 5, 3)), np.zeros((3, 12)), np.zeros((4, 12)), np.zeros((2, 12))
    >>> outputs, last, gates, inner = gru_forward(x, w, u, b)
    >>> outputs.shape, float(gates[0, 0, 0])
    ((2, 5, 4), 0.5)
    """
    bias_shape = (2, _GATES) if reset_after else (_GATES,)
    x, w, u, b, (h0,), mask, dropped = prepare(
        "gru_forward", _GATES, bias_shape, x, w, u, b, (("h0", h0),), mask, recurrent_mask
    )
    batch, steps, features = x.shape
    units = u.shape[0]
    bias = b[0] if reset_after else b
    by_step = forward_by_step(x, w, u)
    if by_step:
        gates = np.empty((batch, steps, _GATES * units), x.dtype)
    else:
        gates = gemm(x.reshape(batch * steps, features), w, bias=bias)
        gates = gates.reshape(batch, steps, _GATES * units)
    outputs = np.empty((batch, steps, units), x.dtype)
    inner = np.empty((batch, steps, units), x.dtype)
    last = np.empty((batch, units), x.dtype)
    if batch:
        masks = masks_in(dropped)
        run(
            kernels.gru_forward,
            {
                f.U: u,
                f.W: w if by_step else None,
                f.B: bias if by_step else None,
                f.X: x if by_step else None,
                f.MASK: mask,
                f.RECURRENT_MASK: dropped,
                f.H0: h0,
                f.OUTPUTS: outputs,
                f.GATES: gates,
                f.INNER: inner,
                f.LAST: last,
                f.RECURRENT_BIAS: b[1] if reset_after else None,
            },
            batch,
            steps,
            units,
            _GATES,
            masks=masks,
            groups=max(1, masks) if reset_after else _GATES,
            reverse=reverse,
            option=reset_after,
        )
    return outputs, last, gates, inner


def gru_backward(
    x: ArrayLike,
    w: ArrayLike,
    u: ArrayLike,
    b: ArrayLike,
    h0: ArrayLike | None,
    mask: ArrayLike | None,
    recurrent_mask: ArrayLike | None,
    outputs: Array,
    gates: Array,
    inner: Array,
    d_outputs: ArrayLike | None = None,
    d_last: ArrayLike | None = None,
    *,
    reset_after: bool = True,
    reverse: bool = False,
    inputs: bool = True,
    weights: bool = True,
) -> tuple[Array, ...]:
    """Gradients of `gru_forward`, back through time.

    Parameters
    ----------
    x, w, u, b, h0, mask, recurrent_mask, reset_after, reverse
        As in the call of `gru_forward`.
    outputs, gates, inner : ndarray
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
        If an array has a dtype or shape that does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> arguments = np.ones((2, 5, 3)), np.ones((3, 12)), np.ones((4, 12)), np.zeros((2, 12))
    >>> outputs, last, gates, inner = gru_forward(*arguments)
    >>> gradients = gru_backward(*arguments, None, None, None, outputs, gates, inner, outputs)
    >>> [gradient.shape for gradient in gradients]
    [(2, 5, 3), (3, 12), (4, 12), (2, 12), (2, 4)]
    """
    name, bias_shape = "gru_backward", (2, _GATES) if reset_after else (_GATES,)
    x, w, u, b, (h0,), mask, dropped = prepare(
        name, _GATES, bias_shape, x, w, u, b, (("h0", h0),), mask, recurrent_mask
    )
    batch, steps, _ = x.shape
    units = u.shape[0]
    sequence, state = (batch, steps, units), (batch, units)
    outputs, gates, inner = (in_order(a, x.dtype) for a in (outputs, gates, inner))
    dy, dh = (None if a is None else in_order(a, x.dtype) for a in (d_outputs, d_last))
    check_shapes(
        name,
        [
            ("outputs", outputs, sequence),
            ("gates", gates, (batch, steps, _GATES * units)),
            ("inner", inner, sequence),
            ("d_outputs", dy, sequence),
            ("d_last", dh, state),
        ],
    )
    dh0 = np.empty(state, x.dtype)
    masks = masks_in(dropped)
    dg = np.empty((batch, steps, _GATES * units), x.dtype)
    d_inner = np.empty(sequence, x.dtype) if reset_after else None
    left = left_factors(x, units, masks) if weights else None
    if batch:
        run(
            kernels.gru_backward,
            {
                f.U: u,
                f.MASK: mask,
                f.RECURRENT_MASK: dropped,
                f.H0: h0,
                f.OUTPUTS: outputs,
                f.GATES: gates,
                f.INNER: inner,
                f.LAST: dh0,
                f.D_LAST: dh,
                f.D_OUTPUTS: dy,
                f.D_GATES: dg,
                f.D_INNER: d_inner,
                f.LEFT: left,
                f.X: x,
                f.ONE: ONE[x.dtype],
                f.ONES: None if reset_after else np.ones(units, x.dtype),
            },
            batch,
            steps,
            units,
            _GATES,
            masks=masks,
            groups=max(1, masks) if reset_after else _GATES,
            reverse=reverse,
            option=reset_after,
            transposed=True,
        )
    gradients = [of_inputs(x, w, dg)] if inputs else []
    if left is not None:
        gradients += _of_weights(dg, d_inner, inner, left, x.shape[2])
    return (*gradients, dh0)


def _of_weights(
    d_gates: Array, d_inner: Array | None, inner: Array, left: Array, features: int
) -> tuple[Array, Array, Array]:
    """Gradients by w, u and b; the candidate's part of u has factors of its own."""
    rows, factors = as_rows(d_gates), [as_rows(part) for part in left]
    units = inner.shape[2]
    states = features + 1
    by_inputs = gemm(factors[0][:, :states], rows, transpose_a=True)  # by b and w
    candidate, factor = rows[:, 2 * units :], as_rows(inner)
    factors = [part[:, states : states + units + 1] for part in factors]
    if d_inner is not None:
        candidate, factor = as_rows(d_inner), factors[-1]
    else:
        factors = [part[:, :units] for part in factors]
    parts = of_states(rows[:, : 2 * units], factors[:2]), of_states(candidate, [factor])
    by_states = np.concatenate(parts, axis=1)  # by u and, with a bias of its own, by that
    db = by_inputs[0] if d_inner is None else np.stack([by_inputs[0], by_states[units]])
    return by_inputs[1:], by_states[:units], db


def _warm(dtype: Any) -> None:
    x, w = np.zeros((1, 1, 1), dtype), np.zeros((2, 3), dtype)
    arguments = x, w[:1], w[:1], w
    outputs, _, gates, inner = gru_forward(*arguments)
    gru_backward(*arguments, None, None, None, outputs, gates, inner)


@on_warmup("gru float32")
def _warm_float32() -> None:
    _warm("float32")


@on_warmup("gru float64")
def _warm_float64() -> None:
    _warm("float64")
