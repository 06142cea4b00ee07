"""A dense layer over axes of one's choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tapegrad import activations, constraints, initializers, ops, regularizers
from tapegrad._core.tensor import Tensor
from tapegrad._core.variable import Variable
from tapegrad.initializers import VarianceScaling
from tapegrad.layers.base import Layer, Shape
from tapegrad.layers.core.contraction import Contraction, spelled_out
from tapegrad.layers.dense import FUSED_ACTIVATIONS
from tapegrad.utils.tensors import as_float_tensor

__all__ = ["EinsumDense"]


class EinsumDense(Layer):
    """A dense layer by an einsum equation: ``activation(einsum(inputs, kernel) + bias)``.

    Parameters
    ----------
    equation
        Input, kernel and output by the letters of their axes: ``"abc,cd->abd"`` is `Dense` on
        inputs of three axes. ``...`` stands for axes that stay, at the front or at the end of input
        and output.
    output_shape
        The shape of one sample's output, without the axes that ``...`` stands for; None where the
        input has the same letter. A number is the shape of one axis.
    activation
        A name such as ``"relu"``, a callable, or None.
    bias_axes
        Letters of the output's axes along which the bias differs; None for no bias.
    kernel_initializer, bias_initializer
        The first values of the weights.
    kernel_regularizer, bias_regularizer
        Penalties on the weights, added to the loss.
    kernel_constraint, bias_constraint
        What the weights are projected to after each update.
    **kwargs
        ``name``, ``dtype``, ``trainable``, ``activity_regularizer`` and ``input_shape``, as for
        every layer.

    Attributes
    ----------
    kernel
        Its axes are those of the equation.
    bias
        From the first axis in `bias_axes` on, with length 1 along the others; or None.

    Raises
    ------
    ValueError
        At the first call, if the equation has another form or does not fit the shapes.

    Examples
    --------
    >>> import numpy as np
    >>> layer = EinsumDense("abc,cde->abde", output_shape=(None, 4, 8), bias_axes="de")
    >>> layer(np.ones((2, 5, 3))).shape
    (2, 5, 4, 8)
    >>> [tuple(weight.shape) for weight in layer.weights]
    [(3, 4, 8), (4, 8)]
    """

    def __init__(
        self,
        equation: str,
        output_shape: int | Sequence[int | None],
        activation: Any = None,
        bias_axes: str | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.equation = equation
        self.partial_output_shape = (
            (output_shape,) if isinstance(output_shape, int) else tuple(output_shape)
        )
        self.activation = activations.get(activation)
        self.bias_axes = bias_axes
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.kernel: Variable | None = None
        self.bias: Variable | None = None

    def build(self, input_shape: Shape) -> None:
        """Make kernel and bias for inputs of this shape."""
        letters = spelled_out(self.equation, len(input_shape), self._owner())
        self._contraction = Contraction(*letters)
        lengths = self._lengths(letters, input_shape)
        _, weight, output = letters
        self.kernel = self.add_weight(
            tuple(lengths[letter] for letter in weight),  # type: ignore[arg-type]
            self._fitting_initializer(weight, output),
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        if self.bias_axes is not None:
            self.bias = self.add_weight(
                self._bias_shape(output, lengths),
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )
        # One call for all, unless the bias lacks an axis that the kernel brings in.
        columns = set(self._contraction.columns)
        whole = self.bias_axes is None or set(self.bias_axes) == columns
        self._is_dense = self._contraction.is_dense and whole

    def call(self, inputs: Any) -> Tensor:
        """Return the activations."""
        assert self.kernel is not None
        if len(inputs.shape) != len(self._contraction.left):
            raise self._wrong_shape(f"{len(self._contraction.left)} axes, as before", inputs.shape)
        inputs = as_float_tensor(inputs, self._dtype)
        kernel, activation = self.kernel.value, self.activation
        bias = None if self.bias is None else self.bias.value
        if self._is_dense:
            if activation in FUSED_ACTIVATIONS:
                return self._contraction.dense(inputs, kernel, bias, FUSED_ACTIVATIONS[activation])
            return activation(self._contraction.dense(inputs, kernel, bias, None))
        outputs = self._contraction(inputs, kernel)
        return activation(outputs if bias is None else ops.add(outputs, bias))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the output's shape for an input's."""
        letters = spelled_out(self.equation, len(input_shape), self._owner())
        lengths = self._lengths(letters, input_shape)
        return tuple(lengths[letter] for letter in letters[2])

    def _owner(self) -> str:
        return f"Layer {self.name} (EinsumDense)"

    def _lengths(self, letters: tuple[str, str, str], input_shape: Shape) -> dict[str, int | None]:
        """Return the length of the axis that each letter stands for.

        Raises
        ------
        ValueError
            If a letter stands for axes of different lengths, or for none.
        """
        left, weight, output = letters
        lengths: dict[str, int | None] = dict(zip(left, input_shape))
        elided = set(left) - set(self.equation)
        wanted = [letter for letter in output if letter not in elided][1:]
        if elided and left[0] in elided:  # the samples' axis is one that "..." stands for
            wanted = [letter for letter in output if letter not in elided]
        if len(wanted) != len(self.partial_output_shape):
            raise ValueError(
                f"{self._owner()}: output_shape {self.partial_output_shape} has "
                f"{len(self.partial_output_shape)} entries, but {self.equation!r} leaves "
                f"{len(wanted)} axes to it."
            )
        for letter, length in zip(wanted, self.partial_output_shape):
            known = lengths.get(letter)
            if known is not None and length is not None and known != length:
                raise ValueError(
                    f"{self._owner()}: axis {letter!r} of {self.equation!r} is of length {known} "
                    f"in the input of shape {tuple(input_shape)}, but of length {length} in "
                    f"output_shape {self.partial_output_shape}."
                )
            lengths[letter] = length if known is None else known
        for letter in weight + output:
            if letter not in lengths or (letter in output and letter not in left + weight):
                raise ValueError(
                    f"{self._owner()}: axis {letter!r} of {self.equation!r} stands neither in the "
                    "input nor in both kernel and output."
                )
        return lengths

    def _fitting_initializer(self, weight: str, output: str) -> Any:
        """Return the kernel's initializer, told which axes lead in and which lead out."""
        initializer = self.kernel_initializer
        if not isinstance(initializer, VarianceScaling) or initializer.input_axes is not None:
            return initializer
        config = initializer.get_config() | {
            "input_axes": [axis for axis, letter in enumerate(weight) if letter not in output],
            "output_axes": [axis for axis, letter in enumerate(weight) if letter in output],
        }
        return type(initializer).from_config(config)

    def _bias_shape(self, output: str, lengths: dict[str, int | None]) -> tuple[int, ...]:
        assert self.bias_axes is not None
        for letter in self.bias_axes:
            if letter not in output:
                raise ValueError(
                    f"{self._owner()}: bias_axes {self.bias_axes!r} names {letter!r}, which is no "
                    f"axis of the output of {self.equation!r}."
                )
        start = min(output.index(letter) for letter in self.bias_axes)
        shape = [lengths[letter] if letter in self.bias_axes else 1 for letter in output[start:]]
        return tuple(shape)  # type: ignore[arg-type]  # add_weight refuses None
