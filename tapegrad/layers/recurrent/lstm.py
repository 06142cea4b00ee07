"""Long short-term memory and its cell."""

from __future__ import annotations

from typing import Any

from tapegrad import activations, initializers, ops
from tapegrad._core.tensor import Tensor
from tapegrad.layers.recurrent._weighted import (
    WeightedCell,
    WeightedRNN,
    checked_use_cudnn,
    of_cell,
)

__all__ = ["LSTM", "LSTMCell"]


class LSTMCell(WeightedCell):
    """One step of long short-term memory.

    With the blocks i, f, g and o of ``z = x W + h U + b``::

        c' = recurrent_activation(f) c + recurrent_activation(i) activation(g)
        h' = recurrent_activation(o) activation(c')

    Parameters
    ----------
    units
        The number of outputs.
    activation, recurrent_activation
        Of the candidate and the output, and of the gates: names, callables, or None.
    use_bias
        Whether to add a bias.
    kernel_initializer, recurrent_initializer, bias_initializer
        The first values of the weights.
    unit_forget_bias
        Whether the bias of the forget gate starts at 1.
    kernel_regularizer, recurrent_regularizer, bias_regularizer
        Penalties on the weights, added to the loss.
    kernel_constraint, recurrent_constraint, bias_constraint
        What the weights are projected to after each update.
    dropout, recurrent_dropout
        The fraction of the inputs and of the states that are dropped in training, the same ones
        at all steps of a sequence.
    seed
        Makes the cell draw its dropout from a generator of its own.
    **kwargs
        ``name``, ``dtype`` and ``trainable``, as for every layer.

    Attributes
    ----------
    kernel
        W, shape (features, 4 * units), for i, f, g and o.
    recurrent_kernel
        U, shape (units, 4 * units).
    bias
        b, shape (4 * units,), or None.

    Raises
    ------
    ValueError
        If `units` is not positive or a rate lies outside [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> cell = LSTMCell(4)
    >>> output, states = cell(np.ones((2, 3), "float32"), cell.get_initial_state(2))
    >>> output.shape, len(states)
    ((2, 4), 2)
    """

    gates = 4

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
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
        self.unit_forget_bias = unit_forget_bias
        self.state_size = [self.units, self.units]
        if implementation == 1 or self.recurrent_dropout > 0:
            self.dropout_mask_count = self.gates

    def _bias_initializer(self) -> Any:
        if not self.unit_forget_bias:
            return self.bias_initializer

        def values(shape: tuple[int, ...], dtype: Any = None) -> Tensor:
            units = self.units
            first = self.bias_initializer((units,), dtype=dtype)
            forget = initializers.get("ones")((units,), dtype=dtype)
            return ops.concatenate(
                [first, forget, self.bias_initializer((2 * units,), dtype=dtype)]
            )

        return values

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Tensor, Any]:  # type: ignore[override]
        """Return the output, and the list of h, which is the output, and c."""
        h, c = states
        bias = None if self.bias is None else self.bias.value
        from_input = self._input_parts(inputs, bias, training)
        from_state = self._state_parts(h, None, training, 4)
        i, f, g, o = [a + b for a, b in zip(from_input, from_state)]
        gate, activation = self.recurrent_activation, self.activation
        c = gate(f) * c + gate(i) * activation(g)
        h = gate(o) * activation(c)
        return h, [h, c]


class LSTM(WeightedRNN):
    """Long short-term memory: a network with a state that gates write to and read from.

    With the blocks i, f, g and o of ``z = x W + h U + b``, at each step::

        c' = recurrent_activation(f) c + recurrent_activation(i) activation(g)
        h' = recurrent_activation(o) activation(c')

    Parameters
    ----------
    units
        The number of outputs.
    activation, recurrent_activation
        Of the candidate and the output, and of the gates: names, callables, or None. The default
        ones run in one kernel.
    use_bias
        Whether to add a bias.
    kernel_initializer, recurrent_initializer, bias_initializer
        The first values of the weights.
    unit_forget_bias
        Whether the bias of the forget gate starts at 1.
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
        Whether to return the last states, h and c, besides.
    go_backwards
        Whether to go from the last step to the first; outputs are in the order in which they
        were computed.
    stateful
        Whether a batch starts from the states after the last batch, sample by sample.
    unroll
        Accepted for Keras's sake; it changes nothing.
    use_cudnn
        ``"auto"``, True or False; accepted for Keras's sake, it changes nothing.
    **kwargs
        ``zero_output_for_mask`` as for `RNN`; ``name``, ``dtype`` and ``trainable``.

    Raises
    ------
    ValueError
        If `units` is not positive or a rate lies outside [0, 1]; at the call if the input's shape,
        the mask or the initial states do not fit.

    References
    ----------
    S. Hochreiter and J. Schmidhuber, *Long Short-Term Memory*, Neural Computation 9 (1997).

    Examples
    --------
    >>> import numpy as np
    >>> x = np.ones((2, 10, 3), dtype="float32")
    >>> LSTM(4)(x).shape
    (2, 4)
    >>> sequence, h, c = LSTM(4, return_sequences=True, return_state=True)(x)
    >>> sequence.shape, c.shape
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
        unit_forget_bias: bool = True,
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
        use_cudnn: bool | str = "auto",
        **kwargs: Any,
    ) -> None:
        cell = LSTMCell(
            units,
            activation=activation,
            recurrent_activation=recurrent_activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            unit_forget_bias=unit_forget_bias,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
            dtype=kwargs.get("dtype"),
            trainable=kwargs.get("trainable", True),
            name="lstm_cell",
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

    unit_forget_bias = of_cell("unit_forget_bias")
    recurrent_activation = of_cell("recurrent_activation")

    def _has_kernel(self) -> bool:
        cell = self.cell
        gate = cell.recurrent_activation
        return cell.activation is activations.tanh and gate is activations.sigmoid

    def _run_kernel(
        self, x: Any, w: Any, states: list[Any] | None, mask: Any, dropped: Any
    ) -> tuple[Tensor, list[Tensor]]:
        cell = self.cell
        outputs, h, c = ops.lstm(
            x,
            w,
            cell.recurrent_kernel.value,
            None if cell.bias is None else cell.bias.value,
            initial_state=states,
            mask=mask,
            recurrent_mask=dropped,
            go_backwards=self.go_backwards,
        )
        return outputs, [h, c]
