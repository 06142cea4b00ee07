"""Recurrent networks over whole sequences.

One kernel runs all steps forward and one all steps backward. Gradients of these gradients are
computed when a tape records the backward call, step by step (see `_recurrent_steps`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tapegrad._core.primitive import Primitive, defvjp_joint, primitive
from tapegrad._core.registry import operation
from tapegrad._core.tensor import Tensor
from tapegrad.ops._recurrent_steps import (
    Steps,
    gradients_of_gradients,
    gradients_of_steps,
    gru_steps,
    lstm_steps,
    simple_rnn_steps,
)
from tapegrad.ops._shape import as_tensor


def _define(name: str, steps: Steps, states: int, smooth: tuple[int, ...]) -> Primitive:
    """The primitives of a network and their rules.

    Parameters
    ----------
    name : str
        Kernels are ``<name>_forward`` and ``<name>_backward``.
    steps : callable
        The network in elementary operations.
    states : int
        Number of initial states, the arguments after x, w, u and b; the masks follow them.
    smooth : tuple of int
        The results whose gradients the backward kernel takes. It is also given all results but
        the last state, which is number 1.
    """
    forward = primitive(f"{name}_forward", saves="both", doc=f"{steps.__doc__}")
    backward = primitive(f"{name}_backward", saves="inputs", doc="Its gradients.")
    count = 4 + states + 2  # arguments of the forward kernel

    def filled(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        return arguments + (None,) * (count - len(arguments))

    def forward_rule(
        g: Any, answer: Any, *arguments: Any, needs: Sequence[bool], **params: Any
    ) -> list[Any]:
        every = filled(arguments)
        wanted = [*needs, *[False] * (count - len(needs))]
        by_kept = [part for k, part in enumerate(g) if k not in smooth]
        if any(wanted[4 + states :]) or any(part is not None for part in by_kept):
            return gradients_of_steps(steps, states, every, g, wanted, **params)[: len(needs)]
        saved = [part for k, part in enumerate(answer) if k != 1]
        inputs, weights = wanted[0], any(wanted[1:4])
        results = backward(
            *every, *saved, *[g[k] for k in smooth], inputs=inputs, weights=weights, **params
        )
        gradients: list[Any] = [None] * count
        for position, gradient in zip(_positions(states, inputs, weights), results, strict=True):
            gradients[position] = gradient if wanted[position] else None
        return gradients[: len(needs)]

    def backward_rule(
        h: Any,
        answer: Any,
        *arguments: Any,
        needs: Sequence[bool],
        inputs: bool,
        weights: bool,
        **params: Any,
    ) -> list[Any]:
        # What the forward kernel kept is a function of its arguments, through which the
        # derivative goes.
        by_results = arguments[len(arguments) - len(smooth) :]
        by_arguments, by_gradients = gradients_of_gradients(
            steps,
            states,
            arguments[:count],
            by_results,
            smooth,
            _positions(states, inputs, weights),
            h,
            **params,
        )
        between = len(arguments) - count - len(smooth)
        return [*by_arguments, *[None] * between, *by_gradients]

    defvjp_joint(forward, forward_rule)
    defvjp_joint(backward, backward_rule)
    return forward


def _positions(states: int, inputs: bool, weights: bool) -> list[int]:
    """The arguments whose gradients a backward kernel returns."""
    return [0] * inputs + [1, 2, 3] * weights + list(range(4, 4 + states))


_lstm = _define("lstm", lstm_steps, 2, (0, 1, 2))
_gru = _define("gru", gru_steps, 1, (0, 1))
_simple_rnn = _define("simple_rnn", simple_rnn_steps, 1, (0, 1))


def _arrays(
    name: str, x: Any, w: Any, u: Any, b: Any, bias_shape: Callable[[int], Any]
) -> list[Any]:
    x, w, u = as_tensor(x), as_tensor(w), as_tensor(u)
    if u.ndim != 2:
        raise ValueError(f"{name}: u has shape {u.shape}, expected (units, gates * units)")
    if b is None:
        b = np.zeros(bias_shape(u.shape[1]), w.dtype)
    return [x, w, u, as_tensor(b)]


def _optional(x: Any) -> Any:
    return None if x is None else as_tensor(x)


def _one_state(name: str, state: Any) -> Any:
    if isinstance(state, list | tuple):
        if len(state) != 1:
            raise ValueError(f"{name}: initial_state has {len(state)} parts, expected 1, h")
        state = state[0]
    return _optional(state)


@operation()
def lstm(
    x: Any,
    w: Any,
    u: Any,
    b: Any = None,
    initial_state: Sequence[Any] | None = None,
    mask: Any = None,
    recurrent_mask: Any = None,
    go_backwards: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """Long short-term memory over sequences, with tanh and sigmoid.

    Parameters
    ----------
    x : array_like, shape (batch, time, features)
        Inputs; at least one step.
    w : array_like, shape (features, 4 * units)
        Weights of the inputs, for the gates i, f, g and o in this order, as in Keras.
    u : array_like, shape (units, 4 * units)
        Weights of the state.
    b : array_like, shape (4 * units,), optional
        Biases.
    initial_state : pair of array_like, shape (batch, units), optional
        h and c before the first step, by default zeros.
    mask : array_like of bool, shape (batch, time), optional
        Where it is False a sample's step does not happen: its states stay, and its output is
        that of the step before (zeros before its first step).
    recurrent_mask : array_like, shape (batch, units) or (4, batch, units), optional
        Recurrent dropout: multiplies h in the products with `u`, for all gates or each.
    go_backwards : bool, default False
        Whether to go from the last step to the first; outputs are in this order.

    Returns
    -------
    outputs : Tensor, shape (batch, time, units)
        h after each step.
    h, c : Tensor, shape (batch, units)
        The states after the last step.

    Raises
    ------
    ValueError
        If shapes do not fit.

    References
    ----------
    S. Hochreiter and J. Schmidhuber, *Long Short-Term Memory*, Neural Computation 9 (1997).

    Examples
    --------
    >>> import numpy as np
    >>> import tapegrad as tg
    >>> outputs, h, c = tg.ops.lstm(np.ones((2, 5, 3)), np.zeros((3, 16)), np.zeros((4, 16)))
    >>> outputs.shape, h.shape
    ((2, 5, 4), (2, 4))
    """
    arrays = _arrays("lstm", x, w, u, b, lambda width: width)
    states = (None, None) if initial_state is None else tuple(initial_state)
    if len(states) != 2:
        raise ValueError(f"lstm: initial_state has {len(states)} parts, expected 2, h and c")
    outputs, last, cells, _ = _lstm(
        *arrays,
        *map(_optional, states),
        _optional(mask),
        _optional(recurrent_mask),
        reverse=bool(go_backwards),
    )
    return outputs, last, cells[:, -1]


@operation()
def gru(
    x: Any,
    w: Any,
    u: Any,
    b: Any = None,
    initial_state: Any = None,
    mask: Any = None,
    recurrent_mask: Any = None,
    go_backwards: bool = False,
    reset_after: bool = True,
) -> tuple[Tensor, Tensor]:
    """Gated recurrent unit over sequences, with tanh and sigmoid.

    Parameters
    ----------
    x : array_like, shape (batch, time, features)
        Inputs; at least one step.
    w : array_like, shape (features, 3 * units)
        Weights of the inputs, for the gates z and r and the candidate in this order, as in
        Keras.
    u : array_like, shape (units, 3 * units)
        Weights of the state.
    b : array_like, shape (2, 3 * units), or (3 * units,) without `reset_after`, optional
        Biases; with `reset_after` those of the inputs' products and of the state's.
    initial_state : array_like, shape (batch, units), optional
        h before the first step, by default zeros.
    mask, recurrent_mask, go_backwards
        As in `lstm`, with 3 for 4.
    reset_after : bool, default True
        Whether the reset gate multiplies the product with `u` or the state before it.

    Returns
    -------
    outputs : Tensor, shape (batch, time, units)
        h after each step.
    h : Tensor, shape (batch, units)
        The state after the last step.

    Raises
    ------
    ValueError
        If shapes do not fit.

    References
    ----------
    K. Cho et al., *Learning Phrase Representations using RNN Encoder-Decoder for Statistical
    Machine Translation*, arXiv:1406.1078.

    Examples
    --------
    >>> import numpy as np
    >>> import tapegrad as tg
    >>> outputs, h = tg.ops.gru(np.ones((2, 5, 3)), np.zeros((3, 12)), np.zeros((4, 12)))
    >>> outputs.shape, h.shape
    ((2, 5, 4), (2, 4))
    """
    arrays = _arrays("gru", x, w, u, b, lambda width: (2, width) if reset_after else width)
    outputs, last, _, _ = _gru(
        *arrays,
        _one_state("gru", initial_state),
        _optional(mask),
        _optional(recurrent_mask),
        reset_after=bool(reset_after),
        reverse=bool(go_backwards),
    )
    return outputs, last


@operation()
def simple_rnn(
    x: Any,
    w: Any,
    u: Any,
    b: Any = None,
    initial_state: Any = None,
    mask: Any = None,
    recurrent_mask: Any = None,
    go_backwards: bool = False,
    activation: str = "tanh",
) -> tuple[Tensor, Tensor]:
    """Simple recurrent network, ``h = activation(x w + h u + b)``, over sequences.

    Parameters
    ----------
    x : array_like, shape (batch, time, features)
        Inputs; at least one step.
    w : array_like, shape (features, units)
        Weights of the inputs.
    u : array_like, shape (units, units)
        Weights of the state.
    b : array_like, shape (units,), optional
        Biases.
    initial_state : array_like, shape (batch, units), optional
        h before the first step, by default zeros.
    mask, go_backwards
        As in `lstm`.
    recurrent_mask : array_like, shape (batch, units), optional
        Recurrent dropout: multiplies h in the product with `u`.
    activation : {"tanh", "relu"}

    Returns
    -------
    outputs : Tensor, shape (batch, time, units)
        h after each step.
    h : Tensor, shape (batch, units)
        The state after the last step.

    Raises
    ------
    ValueError
        If shapes do not fit.

    References
    ----------
    J. L. Elman, *Finding Structure in Time*, Cognitive Science 14 (1990).

    Examples
    --------
    >>> import numpy as np
    >>> import tapegrad as tg
    >>> outputs, h = tg.ops.simple_rnn(np.ones((1, 3, 1)), [[1.0]], [[1.0]], activation="relu")
    >>> h
    Tensor([[3.]], dtype=float64)
    """
    outputs, last = _simple_rnn(
        *_arrays("simple_rnn", x, w, u, b, lambda width: width),
        _one_state("simple_rnn", initial_state),
        _optional(mask),
        _optional(recurrent_mask),
        activation=activation,
        reverse=bool(go_backwards),
    )
    return outputs, last
