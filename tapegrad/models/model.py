"""The Model: a layer that can be trained, saved and summarised."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from tapegrad.layers.base import Layer
from tapegrad.layers.context import call_context
from tapegrad.models.summary import summary_text
from tapegrad.models.weights_file import read_weights, write_weights
from tapegrad.training.trainer import Trainer

__all__ = ["Model"]


class Model(Trainer, Layer):
    """A layer that can be compiled, fitted, evaluated, saved and summarised.

    Write a subclass whose ``__init__`` makes layers and whose ``call(inputs)`` uses them; for a
    plain stack of layers there is `tapegrad.Sequential`.

    Parameters
    ----------
    name, dtype, trainable
        As for every layer.

    Examples
    --------
    >>> import numpy as np
    >>> import tapegrad as tg
    >>> class Network(Model):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.hidden = tg.layers.Dense(8, activation="relu")
    ...         self.out = tg.layers.Dense(1)
    ...
    ...     def call(self, inputs):
    ...         return self.out(self.hidden(inputs))
    >>> Network()(np.ones((2, 4))).shape
    (2, 1)
    """

    def __call__(self, inputs: Any, *args: Any, training: bool | None = None, **kwargs: Any) -> Any:
        """Return the output for `inputs`; see `tapegrad.layers.Layer`."""
        if call_context.depth == 0:
            for layer in self._lists().layers:
                if layer._call_losses:
                    layer._call_losses.clear()
        call_context.depth += 1
        try:
            return super().__call__(inputs, *args, training=training, **kwargs)
        finally:
            call_context.depth -= 1

    @property
    def layers(self) -> list[Layer]:
        """The layers attached to the model."""
        return [layer for _, layer in self._children()]

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Return a layer by its name or its place.

        Raises
        ------
        ValueError
            If there is none.
        """
        layers = self.layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ValueError(f"{self.name} has {len(layers)} layers, none at index {index}.")
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        names = ", ".join(layer.name for layer in layers)
        raise ValueError(f"{self.name} has no layer {name!r}; there are {names}.")

    def summary(self, print_fn: Callable[[str], Any] | None = None) -> None:
        """Print a table of the layers, their output shapes and numbers of parameters.

        Parameters
        ----------
        print_fn
            Where the text goes, `print` by default.
        """
        (print_fn or print)(summary_text(self))

    def save_weights(self, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
        """Write all weights to a safetensors file.

        The file appears under its name when it is complete; one that was there before is
        replaced in one step.

        Parameters
        ----------
        filepath
            Its name, such as ``"model.safetensors"``.
        overwrite
            Whether an existing file may be replaced.

        Raises
        ------
        ValueError
            If the model is not built, or the name asks for another format.
        FileExistsError
            If the file exists and must not be replaced.
        """
        if not self.built:
            raise ValueError(f"{self.name} is not built yet, so there are no weights to save.")
        if not overwrite and os.path.exists(filepath):
            raise FileExistsError(f"{os.fspath(filepath)} exists already.")
        write_weights(filepath, self.named_weights())

    def load_weights(self, filepath: str | os.PathLike[str]) -> None:
        """Read all weights from a file that `save_weights` wrote.

        Parameters
        ----------
        filepath
            The file.

        Raises
        ------
        FileNotFoundError
            If there is none.
        ValueError
            If the file is damaged or belongs to another model; this model is then as before.
        """
        if not self.built:
            raise ValueError(
                f"{self.name} is not built yet: call it on data, or build(input_shape), before "
                "load_weights."
            )
        read_weights(filepath, self.named_weights())
