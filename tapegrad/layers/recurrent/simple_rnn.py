"""The simple recurrent network and its cell."""

from __future__ import annotations

from typing import Any

from tapegrad import activations, ops
from tapegrad._core.tensor import Tensor
from tapegrad.layers.recurrent._states import as_list
from tapegrad.layers.recurrent._weighted import WeightedCell, WeightedRNN

__all__ = ["SimpleRNN", "SimpleRNNCell"]

_FUSED = {activations.tanh: "tanh", activations.relu: "relu"}


class SimpleRNNCell(WeightedCell):
    """One step of a simple recurrent network: ``h' = activation(x W + h U + b)``.

    Parameters
    ----------
    units
        The number of outputs.
    activation
        A name such as ``"tanh"``, a callable, or None.
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
    seed
        Makes the cell draw its dropout from a generator of its own.
    **kwargs
        ``name``, ``dtype`` and ``trainable``, as for every layer.

    Attributes
    ----------
    kernel
        W, shape (features, units).
    recurrent_kernel
        U, shape (units, units).
    bias
        b, shape (units,), or None.

    Raises
    ------
    ValueError
        If `units` is not positive or a rate lies outside [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> cell = SimpleRNNCell(4)
    >>> output, states = cell(np.ones((2, 3), "float32"), cell.get_initial_state(2))
    >>> output.shape, len(states)
    ((2, 4), 1)
    """

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
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
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units,
            activation=activation,
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

    def call(self, sequence: Any, states: Any, training: bool = False) -> tuple[Tensor, Any]:  # type: ignore[override]
        """Return the output, and as the state again the output, in a list if it came in one."""
        bias = None if self.bias is None else self.bias.value
        h = as_list(states)[0]
        (from_input,) = self._input_parts(sequence, bias, training)
        (from_state,) = self._state_parts(h, None, training, 1)
        output = self.activation(from_input + from_state)
        return output, [output] if isinstance(states, list | tuple) else output


class SimpleRNN(WeightedRNN):
    """A simple recurrent network: ``h' = activation(x W + h U + b)`` at each step.

    Parameters
    ----------
    units
        The number of outputs.
    activation
        A name such as ``"tanh"``, a callable, or None. Tanh and relu run in one kernel.
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
    seed
        Makes the layer draw its dropout from a generator of its own.
    **kwargs
        ``zero_output_for_mask`` as for `RNN`; ``name``, ``dtype`` and ``trainable``.

    Raises
    ------
    ValueError
        If `units` is not positive or a rate lies outside [0, 1]; at the call if the input's shape,
        the mask or the initial state does not fit.

    References
    ----------
    J. L. Elman, *Finding Structure in Time*, Cognitive Science 14 (1990).

    Examples
    --------
    >>> import numpy as np
    >>> x = np.ones((2, 10, 3), dtype="float32")
    >>> SimpleRNN(4)(x).shape
    (2, 4)
    >>> sequence, state = SimpleRNN(4, return_sequences=True, return_state=True)(x)
    >>> sequence.shape, state.shape
    ((2, 10, 4), (2, 4))
    """

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
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
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        cell = SimpleRNNCell(
            units,
            activation=activation,
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
            dtype=kwargs.get("dtype"),
            trainable=kwargs.get("trainable", True),
            name="simple_rnn_cell",
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

    def _has_kernel(self) -> bool:
        return self.cell.activation in _FUSED

    def _run_kernel(
        self, x: Any, w: Any, states: list[Any] | None, mask: Any, dropped: Any
    ) -> tuple[Tensor, list[Tensor]]:
        cell = self.cell
        outputs, h = ops.simple_rnn(
            x,
            w,
            cell.recurrent_kernel.value,
            None if cell.bias is None else cell.bias.value,
            initial_state=states,
            mask=mask,
            recurrent_mask=dropped,
            go_backwards=self.go_backwards,
            activation=_FUSED[cell.activation],
        )
        return outputs, [h]
