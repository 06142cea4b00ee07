"""RNN: any cell along a sequence."""

from __future__ import annotations

from typing import Any

from tapegrad import ops
from tapegrad._core.nest import flatten, map_structure
from tapegrad._core.tensor import Tensor
from tapegrad._core.variable import Variable
from tapegrad.layers.base import Layer, Shape
from tapegrad.layers.recurrent._dropout import DropoutRNNCell
from tapegrad.layers.recurrent._states import (
    call_cell,
    check_cell,
    convert_states,
    initial_states,
    output_size,
    state_sizes,
)
from tapegrad.layers.recurrent._walk import as_mask, walk, zero_masked_steps
from tapegrad.layers.recurrent.stacked import StackedRNNCells

__all__ = ["RNN"]


class _Carried:
    """The states that a stateful layer keeps between batches.

    An object of its own, because they are no weights: they belong to the data.
    """

    def __init__(self, states: list[Any]) -> None:
        self.variables: list[Any] = map_structure(
            lambda state: Variable(state, name="rnn_state", trainable=False), states
        )
        self.batch_size: int = flatten(states)[0].shape[0]


class RNN(Layer):
    """Runs a cell along the second axis of its input, the time.

    Parameters
    ----------
    cell
        What happens at one step: a layer (or any object) with

        - ``call(inputs, states)`` that returns ``(output, new_states)``: inputs of shape
          (samples, features), and lists of states;
        - ``state_size``, a whole number, or a list with one for each state;
        - optionally ``output_size``, by default that of the first state, and
          ``get_initial_state(batch_size)``, by default zeros.

        A list of cells is stacked, the first one nearest to the input.
    return_sequences
        Whether to return the outputs of all steps or that of the last one.
    return_state
        Whether to return the last states besides.
    go_backwards
        Whether to go from the last step to the first; outputs are in the order in which they
        were computed.
    stateful
        Whether a batch starts from the states after the last batch, sample by sample.
    unroll
        Accepted for Keras's sake; it changes nothing.
    zero_output_for_mask
        Whether masked steps put out zeros instead of the output of the step before.
    **kwargs
        ``name``, ``dtype``, ``trainable`` and ``activity_regularizer``, as for every layer.

    Raises
    ------
    ValueError
        If the cell has no ``call`` or no ``state_size``; at the call if the input has no axis of
        time, or if the mask or the initial states do not fit.

    Notes
    -----
    Where a mask is False, a sample's step does not happen: its states stay as they are and its
    output is that of the step before (zeros before its first step).

    Examples
    --------
    A cell as one writes it:

    >>> import numpy as np
    >>> import tapegrad as tg
    >>> class MinimalRNNCell(tg.layers.Layer):
    ...     def __init__(self, units, **kwargs):
    ...         super().__init__(**kwargs)
    ...         self.units = units
    ...         self.state_size = units
    ...
    ...     def build(self, input_shape):
    ...         self.kernel = self.add_weight((input_shape[-1], self.units), name="kernel")
    ...         self.recurrent = self.add_weight((self.units, self.units), name="recurrent")
    ...
    ...     def call(self, inputs, states):
    ...         output = inputs @ self.kernel + states[0] @ self.recurrent
    ...         return output, [output]
    >>> x = np.ones((2, 10, 5), dtype="float32")
    >>> RNN(MinimalRNNCell(32), return_sequences=True)(x).shape
    (2, 10, 32)
    >>> output, first, second = RNN([MinimalRNNCell(8), MinimalRNNCell(4)], return_state=True)(x)
    >>> output.shape, first.shape, second.shape
    ((2, 4), (2, 8), (2, 4))
    """

    supports_masking = True

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if isinstance(cell, list | tuple):
            cell = StackedRNNCells(cell)
        check_cell(f"{type(self).__name__} {self.name}", cell)
        self.cell = cell
        self.return_sequences = bool(return_sequences)
        self.return_state = bool(return_state)
        self.go_backwards = bool(go_backwards)
        self.stateful = bool(stateful)
        self.unroll = bool(unroll)
        self.zero_output_for_mask = bool(zero_output_for_mask)
        self._carried: _Carried | None = None

    @property
    def state_size(self) -> list[Any]:
        """The cell's ``state_size``, as a list."""
        return state_sizes(self.cell)

    # ---- shapes ----------------------------------------------------------------------

    def build(self, sequences_shape: Shape, initial_state_shape: Any = None) -> None:  # type: ignore[override]
        """Make the cell's weights for sequences of this shape."""
        self._check_sequences(sequences_shape)
        if isinstance(self.cell, Layer) and not self.cell.built:
            self.cell.build((sequences_shape[0], *sequences_shape[2:]))
            self.cell.built = True

    def _check_sequences(self, shape: Shape) -> None:
        if len(shape) < 3:
            raise self._wrong_shape(
                "three axes, (samples, time, features); a recurrent layer before this one needs "
                "return_sequences=True",
                shape,
            )
        if shape[1] == 0:
            raise self._wrong_shape("at least one step along the second axis, the time", shape)

    def compute_output_shape(self, sequences_shape: Shape, initial_state_shape: Any = None) -> Any:  # type: ignore[override]
        """Return the output's shape, followed by those of the states if they are returned."""
        self._check_sequences(sequences_shape)
        samples, steps = sequences_shape[:2]
        size = output_size(self.cell)
        shape = (samples, steps, size) if self.return_sequences else (samples, size)
        if not self.return_state:
            return shape
        return (shape, *map_structure(lambda length: (samples, length), self.state_size))

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Return the sequences' mask if all outputs are returned; states have none."""
        mask = flatten(previous_mask)[0] if self.return_sequences else None
        if not self.return_state:
            return mask
        return (mask, *map_structure(lambda _: None, self.state_size))

    # ---- states ----------------------------------------------------------------------

    @property
    def states(self) -> list[Any] | None:
        """The states that a stateful layer keeps, as Variables; None before its first batch."""
        return None if self._carried is None else self._carried.variables

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """Return the states that a sequence starts from."""
        return initial_states(self.cell, batch_size, self._dtype)

    def reset_state(self, states: Any = None) -> None:
        """Set the states that a stateful layer keeps between batches.

        Parameters
        ----------
        states
            One array a state; zeros by default.

        Raises
        ------
        ValueError
            If their number or a shape does not fit.
        """
        if states is not None:
            batch_size = len(flatten(states)[0])
            self._carried = _Carried(self._converted(states, batch_size))
        elif self._carried is not None:
            for variable in flatten(self._carried.variables):
                variable.assign(ops.zeros_like(variable.value))

    def reset_states(self, states: Any = None) -> None:
        """Do what `reset_state` does, under its other name."""
        self.reset_state(states)

    def carried_states(self) -> list[Any] | None:
        """Return copies of the states that are kept between batches, for backups of training."""
        if self._carried is None:
            return None
        return map_structure(lambda variable: variable.numpy(), self._carried.variables)

    def set_carried_states(self, states: list[Any] | None) -> None:
        """Take up what `carried_states` returned."""
        self._carried = None if states is None else _Carried(states)

    def _converted(self, states: Any, batch_size: int) -> list[Any]:
        return convert_states(f"Layer {self.name}", states, self.cell, batch_size, self._dtype)

    def _first_states(self, batch_size: int, given: Any) -> list[Any] | None:
        """Return the states before the first step; None stands for zeros, where a subclass can."""
        if self.stateful:
            self._check_batch_size(batch_size)
        if given is not None:
            return self._converted(given, batch_size)
        if self._carried is not None:
            return map_structure(lambda variable: variable.value, self._carried.variables)
        return self.get_initial_state(batch_size)

    def _check_batch_size(self, batch_size: int) -> None:
        carried = self._carried
        if carried is not None and carried.batch_size != batch_size:
            raise ValueError(
                f"Layer {self.name} is stateful and keeps the states of {carried.batch_size} "
                f"samples, but this batch has {batch_size}: all batches must have the same size."
            )

    def _carry(self, states: list[Any]) -> None:
        """Keep the states for the next batch."""
        if self._carried is None:
            self._carried = _Carried(states)
            return
        for variable, state in zip(flatten(self._carried.variables), flatten(states)):
            variable.assign(state)

    # ---- the call --------------------------------------------------------------------

    def call(  # type: ignore[override]
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: bool = False,
    ) -> Any:
        """Run the cell over all steps.

        Parameters
        ----------
        sequences
            Shape (samples, time, features).
        initial_state
            One tensor a state, shape (samples, units); by default zeros, or what a stateful layer
            kept.
        mask
            Booleans, shape (samples, time). By default the mask that the sequences carry, as in
            Keras not where initial states are given: there it has to be passed.
        training
            Whether dropout applies.

        Returns
        -------
        Tensor or tuple
            The output, shape (samples, units) or (samples, time, units); with ``return_state``
            followed by the states.
        """
        self._check_sequences(sequences.shape)
        mask = as_mask(self.name, mask, sequences.shape[:2])
        states = self._first_states(sequences.shape[0], initial_state)
        try:
            output, states = self._run(sequences, states, mask, training)
        finally:
            _forget_dropout(self.cell)
        if self.stateful:
            self._carry(states)
        if output.dtype != self._dtype and output.dtype.kind == "f":
            output = output.astype(self._dtype)
        return (output, *states) if self.return_state else output

    def _run(
        self, sequences: Any, states: list[Any] | None, mask: Any, training: bool
    ) -> tuple[Tensor, list[Any]]:
        """Return the output (of all steps, or of the last) and the last states."""
        if states is None:
            states = self.get_initial_state(sequences.shape[0])

        def step(inputs: Any, states: list[Any]) -> tuple[Any, list[Any]]:
            return call_cell(self.cell, inputs, states, training)

        outputs, states = walk(step, sequences, states, mask, self.go_backwards)
        if self.return_sequences:
            return self._zero_masked(ops.stack(outputs, axis=1), mask), states
        if mask is None or not self.zero_output_for_mask:
            return outputs[-1], states
        final = mask[:, :1] if self.go_backwards else mask[:, -1:]
        return self._zero_masked(ops.expand_dims(outputs[-1], 1), final)[:, 0], states

    def _zero_masked(self, outputs: Any, mask: Any) -> Tensor:
        """Return outputs with zeros at masked steps, if this layer wants them."""
        if mask is None or not self.zero_output_for_mask:
            return outputs
        return zero_masked_steps(outputs, mask, self.go_backwards)


def _forget_dropout(cell: Any) -> None:
    """Let a cell, and those in a stack, draw new masks at the next sequence."""
    if isinstance(cell, DropoutRNNCell):
        cell.reset_dropout_mask()
        cell.reset_recurrent_dropout_mask()
    elif isinstance(cell, StackedRNNCells):
        for inner in cell.cells:
            _forget_dropout(inner)
