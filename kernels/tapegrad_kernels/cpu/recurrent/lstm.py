"""Long short-term memory over whole sequences."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tapegrad_kernels._compile import on_warmup
from tapegrad_kernels.cpu.gemm import gemm
from tapegrad_kernels.cpu.recurrent import _lstm_kernels as kernels
from tapegrad_kernels.cpu.recurrent import _record as f
from tapegrad_kernels.cpu.recurrent._call import (
    Array,
    check_shapes,
    forward_by_step,
    in_order,
    inputs_by_step,
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

__all__ = ["lstm_backward", "lstm_forward"]

_GATES = 4


def lstm_forward(
    x: ArrayLike,
    w: ArrayLike,
    u: ArrayLike,
    b: ArrayLike,
    h0: ArrayLike | None = None,
    c0: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    recurrent_mask: ArrayLike | None = None,
    *,
    reverse: bool = False,
) -> tuple[Array, Array, Array, Array]:
    """Run a long short-term memory over sequences.

    At each step, with the columns of `w`, `u` and `b` in four blocks::

        i, f, o = sigmoid(x w + h u + b)     (blocks 0, 1, 3)
        g       = tanh(x w + h u + b)        (block 2)
        c       = f * c + i * g
        h       = o * tanh(c)

    Parameters
    ----------
    x : array_like, shape (batch, time, features)
        Inputs; at least one step.
    w : array_like, shape (features, 4 * units)
        Weights of the inputs.
    u : array_like, shape (units, 4 * units)
        Weights of the state.
    b : array_like, shape (4 * units,)
        Biases.
    h0, c0 : array_like, shape (batch, units), optional
        Initial states, by default zeros.
    mask : array_like of bool, shape (batch, time), optional
        Where it is False a sample's step does not happen: the states stay, and the output of
        the step before is repeated (zeros before a sample's first step).
    recurrent_mask : array_like, shape (batch, units) or (4, batch, units), optional
        Recurrent dropout: multiplies h in the products with `u`, for all gates or each.
    reverse : bool, default False
        Whether to go from the last step to the first. What is returned by step is in the order
        of processing, but for `gates`.

    Returns
    -------
    outputs : ndarray, shape (batch, time, units)
        h after each step.
    last : ndarray, shape (batch, units)
        h after the last step.
    cells : ndarray, shape (batch, time, units)
        c after each step.
    gates : ndarray, shape (batch, time, 4 * units)
        The gates in the order of `x`, zeros at masked steps: what `lstm_backward` needs
        besides. That is all the memory that a call keeps.

    Raises
    ------
    TypeError, ValueError
        If an array has a dtype or shape that does not fit.

    References
    ----------
    S. Hochreiter and J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9 (1997),
    with the forget gate of F. Gers et al. (2000). Blocks are ordered as in Keras.

    Examples
    --------
    >>> import numpy as np
    >>> x, w, u = np.ones((2, 5, 3)), np.zeros((3, 16)), np.zeros((4, 16))
    >>> outputs, last, cells, gates = lstm_forward(x, w, u, np.zeros(16))
    >>> outputs.shape, float(gates[0, 0, 0])
    ((2, 5, 4), 0.5)
    """
    x, w, u, b, (h0, c0), mask, dropped = prepare(
        "lstm_forward", _GATES, (4,), x, w, u, b, (("h0", h0), ("c0", c0)), mask, recurrent_mask
    )
    batch, steps, features = x.shape
    units = u.shape[0]
    by_step = forward_by_step(x, w, u)
    if by_step:
        gates = np.empty((batch, steps, _GATES * units), x.dtype)
    else:
        gates = gemm(x.reshape(batch * steps, features), w, bias=b)
        gates = gates.reshape(batch, steps, _GATES * units)
    outputs = np.empty((batch, steps, units), x.dtype)
    cells = np.empty((batch, steps, units), x.dtype)
    last = np.empty((batch, units), x.dtype)
    if batch:
        masks = masks_in(dropped)
        run(
            kernels.lstm_forward,
            {
                f.U: u,
                f.W: w if by_step else None,
                f.B: b if by_step else None,
                f.X: x if by_step else None,
                f.MASK: mask,
                f.RECURRENT_MASK: dropped,
                f.H0: h0,
                f.C0: c0,
                f.OUTPUTS: outputs,
                f.CELLS: cells,
                f.GATES: gates,
                f.LAST: last,
            },
            batch,
            steps,
            units,
            _GATES,
            masks=masks,
            groups=max(1, masks),
            reverse=reverse,
        )
    return outputs, last, cells, gates


def lstm_backward(
    x: ArrayLike,
    w: ArrayLike,
    u: ArrayLike,
    b: ArrayLike,
    h0: ArrayLike | None,
    c0: ArrayLike | None,
    mask: ArrayLike | None,
    recurrent_mask: ArrayLike | None,
    outputs: Array,
    cells: Array,
    gates: Array,
    d_outputs: ArrayLike | None = None,
    d_last: ArrayLike | None = None,
    d_cells: ArrayLike | None = None,
    *,
    reverse: bool = False,
    inputs: bool = True,
    weights: bool = True,
) -> tuple[Array, ...]:
    """Gradients of `lstm_forward`, back through time.

    Parameters
    ----------
    x, w, u, b, h0, c0, mask, recurrent_mask, reverse
        As in the call of `lstm_forward`.
    outputs, cells, gates : ndarray
        What it returned.
    d_outputs, d_last, d_cells : array_like, optional
        Gradients by `outputs`, `last` and `cells`; None stands for zeros.
    inputs : bool, default True
        Whether the gradient by `x` is wanted.
    weights : bool, default True
        Whether those by `w`, `u` and `b` are.

    Returns
    -------
    tuple of ndarray
        Gradients by x (if `inputs`), by w, u and b (if `weights`), by h0 and by c0, with the
        shapes of these.

    Raises
    ------
    TypeError, ValueError
        If an array has a dtype or shape that does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> arguments = np.ones((2, 5, 3)), np.ones((3, 16)), np.ones((4, 16)), np.zeros(16)
    >>> outputs, last, cells, gates = lstm_forward(*arguments)
    >>> nothing = None, None, None, None
    >>> gradients = lstm_backward(*arguments, *nothing, outputs, cells, gates, outputs)
    >>> [gradient.shape for gradient in gradients]
    [(2, 5, 3), (3, 16), (4, 16), (16,), (2, 4), (2, 4)]
    """
    name = "lstm_backward"
    x, w, u, b, (h0, c0), mask, dropped = prepare(
        name, _GATES, (4,), x, w, u, b, (("h0", h0), ("c0", c0)), mask, recurrent_mask
    )
    batch, steps, _ = x.shape
    units = u.shape[0]
    sequence, state = (batch, steps, units), (batch, units)
    outputs, cells, gates = (in_order(a, x.dtype) for a in (outputs, cells, gates))
    dy, dh, dc = (None if a is None else in_order(a, x.dtype) for a in (d_outputs, d_last, d_cells))
    check_shapes(
        name,
        [
            ("outputs", outputs, sequence),
            ("cells", cells, sequence),
            ("gates", gates, (batch, steps, _GATES * units)),
            ("d_outputs", dy, sequence),
            ("d_last", dh, state),
            ("d_cells", dc, sequence),
        ],
    )
    dh0 = np.empty(state, x.dtype)
    dc0 = np.empty(state, x.dtype)
    masks = masks_in(dropped)
    left = left_factors(x, units, masks) if weights else None
    dx = np.empty(x.shape, x.dtype) if inputs and inputs_by_step(x, w, u) else None
    in_panels = weights and masks <= 1 and (not inputs or dx is not None)
    shape, panel_rows = gates_shape(x, u, in_panels)
    dg = np.empty(shape, x.dtype)
    if batch:
        run(
            kernels.lstm_backward,
            {
                f.U: u,
                f.MASK: mask,
                f.RECURRENT_MASK: dropped,
                f.H0: h0,
                f.C0: c0,
                f.OUTPUTS: outputs,
                f.CELLS: cells,
                f.GATES: gates,
                f.LAST: dh0,
                f.D_LAST: dh,
                f.D_OUTPUTS: dy,
                f.D_CELLS: dc,
                f.D_GATES: dg,
                f.LEFT: left,
                f.X: x,
                f.W: None if dx is None else w,
                f.D_X: dx,
                f.ONE: ONE[x.dtype],
                f.C_FIRST: dc0,
            },
            batch,
            steps,
            units,
            _GATES,
            masks=masks,
            groups=max(1, masks),
            reverse=reverse,
            transposed=True,
            panel_rows=panel_rows,
        )
    gradients = []
    if inputs:
        gradients.append(of_inputs(x, w, dg) if dx is None else dx)
    if left is not None:
        gradients += of_weights(dg, left, w, u, panel_rows)
    return (*gradients, dh0, dc0)


def _warm(dtype: Any) -> None:
    x, w = np.zeros((1, 1, 1), dtype), np.zeros((1, 4), dtype)
    outputs, _, cells, gates = lstm_forward(x, w, w, w[0])
    lstm_backward(x, w, w, w[0], None, None, None, None, outputs, cells, gates)


@on_warmup("lstm float32")
def _warm_float32() -> None:
    _warm("float32")


@on_warmup("lstm float64")
def _warm_float64() -> None:
    _warm("float64")
