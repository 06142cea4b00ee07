"""What SimpleRNN, LSTM and GRU share: weights, dropout, and the kernels over whole sequences."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad import activations, constraints, initializers, ops, regularizers
from tapegrad._core.tensor import Tensor, tensor
from tapegrad._core.variable import Variable
from tapegrad.layers.base import Layer, Shape
from tapegrad.layers.recurrent._dropout import DropoutRNNCell
from tapegrad.layers.recurrent.rnn import RNN

__all__ = ["WeightedCell", "WeightedRNN", "checked_use_cudnn", "of_cell"]


class WeightedCell(DropoutRNNCell, Layer):
    """A cell with a kernel, a recurrent kernel and a bias for each of its gates.

    Parameters
    ----------
    units
        The number of outputs.
    activation, recurrent_activation
        Of the candidate and of the gates: names, callables, or None.
    use_bias
        Whether to add biases.
    kernel_initializer, recurrent_initializer, bias_initializer
        The first values of the weights.
    kernel_regularizer, recurrent_regularizer, bias_regularizer
        Penalties on the weights.
    kernel_constraint, recurrent_constraint, bias_constraint
        What the weights are projected to after each update.
    dropout, recurrent_dropout
        The fraction of the inputs and of the states that are dropped in training.
    seed
        Makes the cell draw its dropout from a generator of its own.
    **kwargs
        ``name``, ``dtype`` and ``trainable``, as for every layer.
    """

    gates: int = 1
    """How many blocks of `units` columns the kernels have."""

    def __init__(
        self,
        units: int,
        *,
        activation: Any,
        recurrent_activation: Any = None,
        use_bias: bool,
        kernel_initializer: Any,
        recurrent_initializer: Any,
        bias_initializer: Any,
        kernel_regularizer: Any,
        recurrent_regularizer: Any,
        bias_regularizer: Any,
        kernel_constraint: Any,
        recurrent_constraint: Any,
        bias_constraint: Any,
        dropout: float,
        recurrent_dropout: float,
        seed: int | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        owner = type(self).__name__
        if isinstance(units, bool) or not isinstance(units, int | np.integer) or units <= 0:
            raise ValueError(f"{owner}: units must be a positive whole number, but is {units!r}.")
        for name, rate in (("dropout", dropout), ("recurrent_dropout", recurrent_dropout)):
            if not 0 <= rate <= 1:
                raise ValueError(f"{owner}: {name} must lie in [0, 1], but is {rate}.")
        self.units = int(units)
        self.state_size: Any = self.units
        self.output_size = self.units
        self.activation = activations.get(activation)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.recurrent_constraint = constraints.get(recurrent_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.dropout = float(dropout)
        self.recurrent_dropout = float(recurrent_dropout)
        self.seed = seed
        self._generator = self._make_generator(seed)
        self.kernel: Variable | None = None
        self.recurrent_kernel: Variable | None = None
        self.bias: Variable | None = None

    def build(self, input_shape: Shape) -> None:
        """Make kernel, recurrent kernel and bias for a step's inputs of this shape."""
        if len(input_shape) != 2 or input_shape[-1] is None:
            raise self._wrong_shape("(samples, features) at each step", input_shape)
        width = self.gates * self.units
        self.kernel = self.add_weight(
            (input_shape[-1], width),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        self.recurrent_kernel = self.add_weight(
            (self.units, width),
            self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
            name="recurrent_kernel",
        )
        if self.use_bias:
            self.bias = self.add_weight(
                self._bias_shape(),
                self._bias_initializer(),
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )

    def _bias_shape(self) -> tuple[int, ...]:
        return (self.gates * self.units,)

    def _bias_initializer(self) -> Any:
        return self.bias_initializer

    def get_initial_state(self, batch_size: int) -> list[Tensor]:
        """Return zeros, shape (batch_size, units), for each state."""
        count = len(self.state_size) if isinstance(self.state_size, list) else 1
        return [tensor(np.zeros((batch_size, self.units), self._dtype)) for _ in range(count)]

    def compute_output_shape(self, input_shape: Shape, states_shape: Any = None) -> Any:
        """Return the shapes of the output and of the states."""
        shape = (input_shape[0], self.units)
        count = len(self.state_size) if isinstance(self.state_size, list) else 1
        return shape, [shape] * count

    # ---- one step --------------------------------------------------------------------

    def _input_parts(self, inputs: Any, bias: Any, training: bool) -> list[Any]:
        """Return the inputs' products with each gate's part of the kernel, biases added."""
        assert self.kernel is not None
        if inputs.dtype != self._dtype:  # whole numbers, which layers do not convert
            inputs = inputs.astype(self._dtype)
        masks = self.get_dropout_mask(inputs) if training else None
        return _parts(inputs, self.kernel.value, bias, masks, self.gates)

    def _state_parts(self, state: Any, bias: Any, training: bool, gates: int) -> list[Any]:
        """Return the state's products with the first gates' parts of the recurrent kernel."""
        assert self.recurrent_kernel is not None
        weights = self.recurrent_kernel.value
        if gates < self.gates:
            weights = weights[:, : gates * self.units]
        masks = self.get_recurrent_dropout_mask(state) if training else None
        return _parts(state, weights, bias, masks, gates)


def _parts(x: Any, weights: Any, bias: Any, masks: Any, gates: int) -> list[Any]:
    """Return ``x @ weights + bias`` by gate; masks multiply x for all gates or for each."""
    if isinstance(masks, list):
        kernels = ops.split(weights, gates, axis=1)
        biases = [None] * gates if bias is None else ops.split(bias, gates, axis=0)
        return [ops.dense(x * m, k, b) for m, k, b in zip(masks, kernels, biases)]
    product = ops.dense(x if masks is None else x * masks, weights, bias)
    return [product] if gates == 1 else list(ops.split(product, gates, axis=1))


def checked_use_cudnn(owner: str, value: Any) -> Any:
    """Return the argument ``use_cudnn``, which must be ``"auto"``, True or False."""
    if not (isinstance(value, bool) or value == "auto"):
        raise ValueError(f'{owner}: use_cudnn must be "auto", True or False, but is {value!r}.')
    return value


def of_cell(name: str) -> Any:
    """Return a property that stands for the cell's attribute of this name."""
    return property(lambda self: getattr(self.cell, name), doc=f"The cell's ``{name}``.")


class WeightedRNN(RNN):
    """A layer whose cell has kernels that run whole sequences.

    They are used if the activations are those that the kernels compute; otherwise the cell runs
    step after step, as in `RNN`.
    """

    cell: Any

    units = of_cell("units")
    activation = of_cell("activation")
    use_bias = of_cell("use_bias")
    kernel_initializer = of_cell("kernel_initializer")
    recurrent_initializer = of_cell("recurrent_initializer")
    bias_initializer = of_cell("bias_initializer")
    kernel_regularizer = of_cell("kernel_regularizer")
    recurrent_regularizer = of_cell("recurrent_regularizer")
    bias_regularizer = of_cell("bias_regularizer")
    kernel_constraint = of_cell("kernel_constraint")
    recurrent_constraint = of_cell("recurrent_constraint")
    bias_constraint = of_cell("bias_constraint")
    dropout = of_cell("dropout")
    recurrent_dropout = of_cell("recurrent_dropout")
    seed = of_cell("seed")

    def _has_kernel(self) -> bool:
        """Whether the kernels compute what the cell does."""
        raise NotImplementedError

    def _run_kernel(
        self, x: Any, w: Any, states: list[Any] | None, mask: Any, dropped: Any
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the outputs of all steps and the last states."""
        raise NotImplementedError

    def _check_sequences(self, shape: Shape) -> None:
        super()._check_sequences(shape)
        if len(shape) != 3:
            raise self._wrong_shape("three axes, (samples, time, features)", shape)
        kernel = self.cell.kernel
        if kernel is not None and shape[2] not in (None, kernel.shape[0]):
            raise self._wrong_shape(
                f"(samples, time, {kernel.shape[0]}) to fit the kernel of shape {kernel.shape}",
                shape,
            )

    def _first_states(self, batch_size: int, given: Any) -> list[Any] | None:
        if given is None and self._carried is None and self._has_kernel():
            return None  # the kernels need no zeros to start from
        return super()._first_states(batch_size, given)

    def _run(
        self, sequences: Any, states: list[Any] | None, mask: Any, training: bool
    ) -> tuple[Tensor, list[Any]]:
        if not self._has_kernel():
            return super()._run(sequences, states, mask, training)
        x, w = sequences, self.cell.kernel.value
        if x.dtype != self._dtype:  # whole numbers, which layers do not convert
            x = x.astype(self._dtype)
        dropped = None
        if training and self.cell.dropout > 0:
            x, w = self._drop_inputs(x, w)
        if training and self.cell.recurrent_dropout > 0:
            like = tensor(np.zeros((x.shape[0], self.cell.units), self._dtype))
            masks = self.cell.get_recurrent_dropout_mask(like)
            dropped = ops.stack(masks) if isinstance(masks, list) else masks
        outputs, last = self._run_kernel(x, w, states, mask, dropped)
        if self.return_sequences:
            return self._zero_masked(outputs, mask), last
        if mask is None or (states is None and not self.zero_output_for_mask):
            return last[0], last
        # A sample without any step puts out zeros, though its state is the one it started from.
        return self._zero_masked(outputs, mask)[:, -1], last

    def _drop_inputs(self, x: Any, w: Any) -> tuple[Any, Any]:
        """Return inputs with dropout, and the weights that go with them."""
        masks = self.cell.get_dropout_mask(x[:, 0])
        if not isinstance(masks, list):
            return x * ops.expand_dims(masks, 1), w
        # Each gate has a mask of its own: the inputs stand side by side, once for each gate, and
        # each meets the weights of its gate only.
        gates, features = len(masks), x.shape[2]
        side_by_side = ops.concatenate([x * ops.expand_dims(mask, 1) for mask in masks], axis=2)
        own_gate = np.kron(np.eye(gates), np.ones((features, self.cell.units)))
        return side_by_side, ops.tile(w, (gates, 1)) * own_gate.astype(self._dtype)
