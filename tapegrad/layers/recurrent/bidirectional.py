"""A recurrent layer forwards and one backwards, and what comes of both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tapegrad import ops
from tapegrad._core.nest import flatten, map_structure
from tapegrad.layers.base import Layer, Shape
from tapegrad.layers.recurrent._copy import copy_of
from tapegrad.layers.recurrent._states import as_list

__all__ = ["Bidirectional"]

_SHARED = ("stateful", "return_sequences", "return_state")


class Bidirectional(Layer):
    """Runs a recurrent layer from the first step to the last, and another one back.

    Parameters
    ----------
    layer
        A recurrent layer, such as ``LSTM(32)``. It serves as a pattern: the layers that run are
        new ones, made with its arguments.
    merge_mode
        How the two outputs are joined: ``"concat"``, ``"sum"``, ``"ave"``, ``"mul"``, or None to
        return both.
    weights
        Initial weights, first all of the layer forwards.
    backward_layer
        The layer that goes backwards, if it is to differ; it must have ``go_backwards=True``.
    **kwargs
        ``name``, ``dtype``, ``trainable`` and ``activity_regularizer``, as for every layer.

    Attributes
    ----------
    forward_layer, backward_layer
        The layers that run.

    Raises
    ------
    ValueError
        If `layer` is no recurrent layer, if the merge mode is unknown, or if the two layers do not
        go together.

    Notes
    -----
    The output of the backward layer is turned round, so that both are in the order of the input.
    Masked steps put out zeros if all outputs are returned. Initial and last states are those
    of the layer forwards, followed by those of the one backwards.

    References
    ----------
    M. Schuster and K. Paliwal, *Bidirectional Recurrent Neural Networks*, IEEE Transactions on
    Signal Processing 45 (1997).

    Examples
    --------
    >>> import numpy as np
    >>> import tapegrad as tg
    >>> x = np.ones((2, 10, 3), dtype="float32")
    >>> Bidirectional(tg.layers.LSTM(4, return_sequences=True))(x).shape
    (2, 10, 8)
    >>> Bidirectional(tg.layers.GRU(4), merge_mode="sum")(x).shape
    (2, 4)
    """

    supports_masking = True

    def __init__(
        self,
        layer: Any,
        merge_mode: str | None = "concat",
        weights: Sequence[Any] | None = None,
        backward_layer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for name, value in (("layer", layer), ("backward_layer", backward_layer)):
            if not _is_recurrent(value) and not (name == "backward_layer" and value is None):
                raise ValueError(
                    f"Bidirectional {self.name}: {name} must be a recurrent layer such as "
                    f"LSTM(32), but is {value!r}."
                )
        if merge_mode not in ("concat", "sum", "ave", "mul", None):
            raise ValueError(
                f'Bidirectional {self.name}: merge_mode must be "concat", "sum", "ave", "mul" or '
                f"None, but is {merge_mode!r}."
            )
        stem = layer.name.removeprefix("forward_")
        self.forward_layer = copy_of(layer, name=f"forward_{stem}")
        if backward_layer is None:
            stem = layer.name.removeprefix("backward_")
            self.backward_layer = copy_of(layer, name=f"backward_{stem}", go_backwards=True)
        else:
            self.backward_layer = backward_layer
        self._check_pair()
        for inner in (self.forward_layer, self.backward_layer):
            if hasattr(inner, "zero_output_for_mask"):
                inner.zero_output_for_mask = inner.return_sequences
        self.merge_mode = merge_mode
        self._initial_weights = None if weights is None else list(weights)
        self.stateful = layer.stateful
        self.return_sequences = layer.return_sequences
        self.return_state = layer.return_state

    def _check_pair(self) -> None:
        forward, backward = self.forward_layer, self.backward_layer
        if forward.go_backwards == backward.go_backwards:
            raise ValueError(
                f"Bidirectional {self.name}: both layers have go_backwards="
                f"{forward.go_backwards}, but one must go forwards and one backwards."
            )
        for name in _SHARED:
            if getattr(forward, name) != getattr(backward, name):
                raise ValueError(
                    f"Bidirectional {self.name}: {name} is {getattr(forward, name)} for the layer "
                    f"forwards, but {getattr(backward, name)} for the one backwards; they must "
                    "agree."
                )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, without initial weights."""
        config = super().get_config()
        config.pop("weights", None)
        return config

    # ---- shapes and masks ------------------------------------------------------------

    def build(self, sequences_shape: Shape, initial_state_shape: Any = None) -> None:  # type: ignore[override]
        """Make the weights of both layers for sequences of this shape."""
        for inner in (self.forward_layer, self.backward_layer):
            if not inner.built:
                inner.build(sequences_shape)
        if self._initial_weights is not None:
            self.set_weights(self._initial_weights)
            self._initial_weights = None

    def compute_output_shape(self, sequences_shape: Shape, initial_state_shape: Any = None) -> Any:  # type: ignore[override]
        """Return the output's shape, followed by those of the states if they are returned."""
        shape: Any = self.forward_layer.compute_output_shape(sequences_shape)
        states: Any = ()
        if self.return_state:
            shape, *states = shape
        if self.merge_mode == "concat":
            shape = (*shape[:-1], 2 * shape[-1])
        outputs = (shape, shape) if self.merge_mode is None else (shape,)
        if len(outputs) == 1 and not self.return_state:
            return shape
        return (*outputs, *states, *states)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Return the sequences' mask if all outputs are returned; states have none."""
        mask = flatten(previous_mask)[0] if self.return_sequences else None
        masks = (mask, mask) if self.merge_mode is None else (mask,)
        if len(masks) == 1 and not self.return_state:
            return mask
        states = self._state_size() if self.return_state else []
        return (*masks, *map_structure(lambda _: None, 2 * states))

    def _state_size(self) -> list[Any]:
        return list(getattr(self.forward_layer, "state_size", []))

    # ---- states ----------------------------------------------------------------------

    @property
    def states(self) -> tuple[Any, ...] | None:
        """The states that stateful layers keep, forwards first; None before the first batch."""
        forward, backward = self.forward_layer.states, self.backward_layer.states
        return (*forward, *backward) if forward and backward else None

    def reset_state(self) -> None:
        """Set the states that stateful layers keep between batches to zero.

        Raises
        ------
        ValueError
            If the layers are not stateful.
        """
        if not self.stateful:
            raise ValueError(f"Layer {self.name} is not stateful: it keeps no states to reset.")
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    def reset_states(self) -> None:
        """Do what `reset_state` does, under its other name."""
        self.reset_state()

    # ---- the call --------------------------------------------------------------------

    def call(  # type: ignore[override]
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: bool = False,
    ) -> Any:
        """Run both layers and join their outputs.

        Parameters
        ----------
        sequences
            Shape (samples, time, features).
        initial_state
            The states of the layer forwards, then those of the one backwards.
        mask
            Booleans, shape (samples, time).
        training
            Whether dropout applies.

        Returns
        -------
        Tensor or tuple
            The joined output (or both), with ``return_state`` followed by the states.
        """
        forward, backward = self._halves(initial_state)
        y = self._run(self.forward_layer, sequences, forward, mask, training)
        y_back = self._run(self.backward_layer, sequences, backward, mask, training)
        states: list[Any] = []
        if self.return_state:
            y, y_back, states = y[0], y_back[0], [*y[1:], *y_back[1:]]
        if y.dtype != self._dtype:
            y = y.astype(self._dtype)
        if y_back.dtype != self._dtype:
            y_back = y_back.astype(self._dtype)
        if self.return_sequences:
            y_back = ops.flip(y_back, axis=1)
        if self.merge_mode is None:
            return (y, y_back, *states)
        output = _merge(self.merge_mode, y, y_back)
        return (output, *states) if self.return_state else output

    def _halves(self, initial_state: Any) -> tuple[Any, Any]:
        if initial_state is None:
            return None, None
        states = as_list(initial_state)
        if len(states) % 2:
            raise ValueError(
                f"Layer {self.name}: initial_state has {len(states)} parts, but the layers "
                "forwards and backwards need as many each."
            )
        half = len(states) // 2
        return states[:half], states[half:]

    def _run(self, layer: Any, sequences: Any, states: Any, mask: Any, training: bool) -> Any:
        given: dict[str, Any] = {} if states is None else {"initial_state": states}
        if mask is not None and layer._takes_mask:
            given["mask"] = mask
        return layer(sequences, training=training, **given)


def _is_recurrent(layer: Any) -> bool:
    named = ("go_backwards", *_SHARED)
    return isinstance(layer, Layer) and all(hasattr(layer, name) for name in named)


def _merge(mode: str, y: Any, y_back: Any) -> Any:
    """Return both outputs as one."""
    if mode == "concat":
        return ops.concatenate([y, y_back], axis=-1)
    if mode == "sum":
        return y + y_back
    if mode == "ave":
        return (y + y_back) / 2.0
    return y * y_back
