"""The gated recurrent unit and its cell."""

from __future__ import annotations

from typing import Any

from tapegrad import activations, ops
from tapegrad._core.tensor import Tensor
from tapegrad.layers.recurrent._states import as_list
from tapegrad.layers.recurrent._weighted import (
    WeightedCell,
    WeightedRNN,
    checked_use_cudnn,
    of_cell,
)

__all__ = ["GRU", "GRUCell"]


class GRUCell(WeightedCell):
    """One step of a gated recurrent unit.

    With kernels and biases in blocks for z, r and the candidate a::

        z, r = recurrent_activation(x W_zr + h U_zr + b_zr)
        a = activation(x W_a + b_a + r (h U_a + b'_a))      with reset_after
        a = activation(x W_a + b_a + (r h) U_a)             without
        h' = z h + (1 - z) a

    Parameters
    ----------
    units
        The number of outputs.
    activation, recurrent_activation
        Of the candidate, and of the gates: names, callables, or None.
    use_bias
        Whether to add a bias.
    kernel_initializer, recurrent_initializer, bias_initializer
        The first values of the weights.
    kernel_regularizer, recurrent_regularizer, bias_regularizer
        Penalties on the weights, added to the loss.
    kernel_constraint, recurrent_constraint, bias_constraint
        What the weights are projected to after each update.
    dropout, recurrent_dropout
        The fraction of the inputs and of the states that are dropped in training, the same ones
        at all steps of a sequence.
    reset_after
        Whether the reset gate multiplies the state's product with U or the state before it.
    seed
        Makes the cell draw its dropout from a generator of its own.
    **kwargs
        ``name``, ``dtype`` and ``trainable``, as for every layer.

    Attributes
    ----------
    kernel
        W, shape (features, 3 * units), for z, r and the candidate.
    recurrent_kernel
        U, shape (units, 3 * units).
    bias
        Shape (2, 3 * units), for the inputs' products and the state's; (3 * units,) without
        ``reset_after``; or None.

    Raises
    ------
    ValueError
        If `units` is not positive or a rate lies outside [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> cell = GRUCell(4)
    >>> output, states = cell(np.ones((2, 3), "float32"), cell.get_initial_state(2))
    >>> output.shape, len(states)
    ((2, 4), 1)
    """

    gates = 3

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        reset_after: bool = True,
        seed: int | None = None,
        implementation: int = 2,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units,
            activation=activation,
            recurrent_activation=recurrent_activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
            **kwargs,
        )
        self.reset_after = bool(reset_after)
        if implementation == 1 or self.recurrent_dropout > 0:
            self.dropout_mask_count = self.gates

    def _bias_shape(self) -> tuple[int, ...]:
        width = self.gates * self.units
        return (2, width) if self.reset_after else (width,)

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Tensor, Any]:  # type: ignore[override]
        """Return the output, and as the state again the output, in a list if it came in one."""
        h = as_list(states)[0]
        bias = None if self.bias is None else self.bias.value
        input_bias, state_bias = (bias, None)
        if self.reset_after and bias is not None:
            input_bias, state_bias = bias[0], bias[1]
        xz, xr, xa = self._input_parts(inputs, input_bias, training)
        gate = self.recurrent_activation
        if self.reset_after:
            hz, hr, ha = self._state_parts(h, state_bias, training, 3)
            z, r = gate(xz + hz), gate(xr + hr)
            a = self.activation(xa + r * ha)
        else:
            hz, hr = self._state_parts(h, None, training, 2)
            z, r = gate(xz + hz), gate(xr + hr)
            a = self.activation(xa + self._product_after_reset(r * h, h, training))
        h = z * h + (1.0 - z) * a
        return h, [h] if isinstance(states, list | tuple) else h

    def _product_after_reset(self, reset: Any, h: Any, training: bool) -> Tensor:
        """Return the product of the state, after the reset gate, with its part of U."""
        assert self.recurrent_kernel is not None
        masks = self.get_recurrent_dropout_mask(h) if training else None
        if masks is not None:
            reset = reset * masks[2]
        return ops.matmul(reset, self.recurrent_kernel.value[:, 2 * self.units :])


class GRU(WeightedRNN):
    """Gated recurrent unit: a network whose gates say how much of its state to keep.

    With kernels and biases in blocks for z, r and the candidate a, at each step::

        z, r = recurrent_activation(x W_zr + h U_zr + b_zr)
        a = activation(x W_a + b_a + r (h U_a + b'_a))      with reset_after
        a = activation(x W_a + b_a + (r h) U_a)             without
        h' = z h + (1 - z) a

    Parameters
    ----------
    units
        The number of outputs.
    activation, recurrent_activation
        Of the candidate, and of the gates: names, callables, or None. The default
        ones run in one kernel.
    use_bias
        Whether to add a bias.
    kernel_initializer, recurrent_initializer, bias_initializer
        The first values of the weights.
    kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer
        Penalties on the weights and on the output, added to the loss.
    kernel_constraint, recurrent_constraint, bias_constraint
        What the weights are projected to after each update.
    dropout, recurrent_dropout
        The fraction of the inputs and of the states that are dropped in training, the same ones
        at all steps of a sequence.
    seed
        Makes the layer draw its dropout from a generator of its own.
    return_sequences
        Whether to return the outputs of all steps or that of the last one.
    return_state
        Whether to return the last state besides.
    go_backwards
        Whether to go from the last step to the first; outputs are in the order in which they
        were computed.
    stateful
        Whether a batch starts from the state after the last batch, sample by sample.
    unroll
        Accepted for Keras's sake; it changes nothing.
    reset_after
        Whether the reset gate multiplies the state's product with U or the state before it.
    use_cudnn
        ``"auto"``, True or False; accepted for Keras's sake, it changes nothing.
    **kwargs
        ``zero_output_for_mask`` as for `RNN`; ``name``, ``dtype`` and ``trainable``.

    Raises
    ------
    ValueError
        If `units` is not positive or a rate lies outside [0, 1]; at the call if the input's shape,
        the mask or the initial state does not fit.

    References
    ----------
    K. Cho et al., *Learning Phrase Representations using RNN Encoder-Decoder for Statistical
    Machine Translation*, arXiv:1406.1078.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.ones((2, 10, 3), dtype="float32")
    >>> GRU(4)(x).shape
    (2, 4)
    >>> sequence, state = GRU(4, return_sequences=True, return_state=True)(x)
    >>> sequence.shape, state.shape
    ((2, 10, 4), (2, 4))
    """

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        reset_after: bool = True,
        use_cudnn: bool | str = "auto",
        **kwargs: Any,
    ) -> None:
        cell = GRUCell(
            units,
            activation=activation,
            recurrent_activation=recurrent_activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            reset_after=reset_after,
            seed=seed,
            dtype=kwargs.get("dtype"),
            trainable=kwargs.get("trainable", True),
            name="gru_cell",
            implementation=kwargs.pop("implementation", 2),
        )
        super().__init__(
            cell,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
        self.use_cudnn = checked_use_cudnn(type(self).__name__, use_cudnn)

    reset_after = of_cell("reset_after")
    recurrent_activation = of_cell("recurrent_activation")

    def _has_kernel(self) -> bool:
        cell = self.cell
        gate = cell.recurrent_activation
        return cell.activation is activations.tanh and gate is activations.sigmoid

    def _run_kernel(
        self, x: Any, w: Any, states: list[Any] | None, mask: Any, dropped: Any
    ) -> tuple[Tensor, list[Tensor]]:
        cell = self.cell
        outputs, h = ops.gru(
            x,
            w,
            cell.recurrent_kernel.value,
            None if cell.bias is None else cell.bias.value,
            initial_state=states,
            mask=mask,
            recurrent_mask=dropped,
            go_backwards=self.go_backwards,
            reset_after=cell.reset_after,
        )
        return outputs, [h]
