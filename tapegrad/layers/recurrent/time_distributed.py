"""One layer at each step of a sequence."""

from __future__ import annotations

from typing import Any

from tapegrad import ops
from tapegrad._core.nest import map_structure
from tapegrad._core.tensor import Tensor
from tapegrad.layers.base import Layer, Shape
from tapegrad.layers.core.wrapper import Wrapper
from tapegrad.layers.recurrent._walk import along_time, as_mask

__all__ = ["TimeDistributed"]

# Layers that do whatever a user's function does.
_UNKNOWN = ("Lambda", "Operation")


class TimeDistributed(Wrapper):
    """Applies a layer to each step along the second axis of its input, the time.

    Parameters
    ----------
    layer
        The layer; it sees steps of shape (samples, …).
    **kwargs
        ``name``, ``dtype`` and ``trainable``, as for every layer.

    Raises
    ------
    ValueError
        If `layer` is no layer; at the call if the input has fewer than three axes or the mask does
        not fit.

    Notes
    -----
    If the layer treats each sample by itself, all steps run as one batch. Otherwise, such as for
    batch normalization in training, each step is a batch of its own, in order of time.

    Examples
    --------
    >>> import numpy as np
    >>> import tapegrad as tg
    >>> frames = np.ones((2, 10, 8, 8, 3), dtype="float32")
    >>> TimeDistributed(tg.layers.Flatten())(frames).shape
    (2, 10, 192)
    """

    supports_masking = True

    def _step_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) < 3:
            raise self._wrong_shape("at least three axes, (samples, time, …)", input_shape)
        return (input_shape[0], *input_shape[2:])

    def build(self, input_shape: Shape) -> None:
        """Make the layer's weights for steps of this shape."""
        super().build(self._step_shape(input_shape))

    def compute_output_shape(self, input_shape: Shape) -> Any:
        """Return the output's shape for an input's."""
        inner = self.layer.compute_output_shape(self._step_shape(input_shape))
        return (inner[0], input_shape[1], *inner[1:])

    def call(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
        """Return the outputs of all steps, shape (samples, time, …)."""
        self._step_shape(inputs.shape)
        mask = as_mask(self.name, mask, inputs.shape[:2], exact=False)
        if not self.layer._takes_mask:
            mask = None
        if _treats_samples_alone(self.layer, training):
            return self._at_once(inputs, training, mask)
        steps = inputs.shape[1]
        masks = [None] * steps if mask is None else along_time(mask, steps)
        outputs = [
            self._apply(step, training, own)
            for step, own in zip(along_time(inputs, steps), masks, strict=True)
        ]
        return ops.stack(outputs, axis=1)

    def _at_once(self, inputs: Any, training: bool, mask: Any) -> Any:
        """Run all steps as samples of one batch."""
        samples, steps = inputs.shape[:2]

        def joined(x: Any) -> Tensor:
            return x.reshape((samples * steps, *x.shape[2:]))

        outputs = self._apply(joined(inputs), training, None if mask is None else joined(mask))
        return map_structure(lambda y: y.reshape((samples, steps, *y.shape[1:])), outputs)

    def _apply(self, step: Any, training: bool, mask: Any) -> Any:
        given = {} if mask is None else {"mask": mask}
        return self.layer(step, training=training, **given)


def _treats_samples_alone(layer: Layer, training: bool) -> bool:
    """Whether a layer's output for a sample is known not to depend on the other samples."""
    for inner in layer._all_layers():
        kind = type(inner)
        own = kind.__module__.startswith("tapegrad.") and kind.__name__ not in _UNKNOWN
        noise_shape = getattr(inner, "noise_shape", None)
        if not own or getattr(inner, "stateful", False):
            return False
        if noise_shape is not None and noise_shape[0] is not None:
            return False
        # Weights that training does not change by gradients are statistics of the batch.
        if training and any(not flag for _, flag in inner._own_weights):
            return False
    return True
