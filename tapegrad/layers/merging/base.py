"""What layers that join several inputs elementwise share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad.layers.base import Layer, Shape
from tapegrad.utils.tensors import as_real_tensor

__all__ = ["Merge", "alike", "check_inputs", "check_list"]

Masks = Sequence[Any] | None


def check_list(layer: Layer, shapes: Any, least: int = 1, most: int | None = None) -> list[Shape]:
    """Return the shapes of a layer's inputs as a list.

    Raises
    ------
    ValueError
        If the layer was not called on a list, or on one of another length.
    """
    if not isinstance(shapes, list | tuple) or any(
        not isinstance(shape, list | tuple) for shape in shapes
    ):
        raise ValueError(
            f"Layer {layer.name} ({type(layer).__name__}): the input has shape {shapes}, expected "
            "a list of inputs, such as [a, b]."
        )
    if len(shapes) < least or (most is not None and len(shapes) > most):
        wanted = f"{least}" if least == most else f"at least {least}"
        raise ValueError(
            f"Layer {layer.name} ({type(layer).__name__}): the list has {len(shapes)} inputs, "
            f"expected {wanted}."
        )
    return [tuple(shape) for shape in shapes]


def check_inputs(layer: Layer, inputs: Any, least: int = 1, most: int | None = None) -> None:
    """Raise ValueError unless the inputs of a call are a list of the right length."""
    if not isinstance(inputs, list | tuple):
        check_list(layer, inputs.shape, least, most)
    if len(inputs) < least or (most is not None and len(inputs) > most):
        check_list(layer, [value.shape for value in inputs], least, most)


def alike(inputs: Sequence[Any], dtype: Any) -> Sequence[Any]:
    """Return inputs with whole numbers in a dtype if there are real numbers beside them."""
    kinds = [value._data.dtype.kind for value in inputs]
    if "f" not in kinds or kinds.count("f") == len(kinds):
        return inputs
    return [as_real_tensor(value, dtype) for value in inputs]


class Merge(Layer):
    """Base of layers that join a list of inputs elementwise.

    Shapes are broadcast; of inputs with fewer axes, axes of length 1 are put in after the samples'
    axis. The output carries a mask if all inputs do: what is valid in any of them.

    Parameters
    ----------
    **kwargs
        ``name`` and ``dtype``, as for every layer.

    Raises
    ------
    ValueError
        If there is no list of inputs, or shapes or numbers of samples do not fit.
    """

    _least = 1
    _most: int | None = None

    _keeps_integers = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._ranks_differ = False

    def build(self, input_shape: Any) -> None:
        """Check that the shapes fit together."""
        shapes = check_list(self, input_shape, self._least, self._most)
        self.compute_output_shape(shapes)
        self._ranks_differ = len({len(shape) for shape in shapes}) > 1

    def call(self, inputs: Any, mask: Masks = None) -> Tensor:
        """Return the inputs, joined."""
        check_inputs(self, inputs, self._least, self._most)
        if len({value.shape[:1] for value in inputs}) > 1:
            raise self._misfit([value.shape for value in inputs], "as many samples in each")
        inputs = alike(inputs, self._dtype)
        masks = list(mask) if mask is not None else [None] * len(inputs)
        if self._ranks_differ:
            rank = max(value.ndim for value in inputs)
            # A mask says which positions count; beside the new axes its own would no longer fit.
            masks = [own if value.ndim == rank else None for own, value in zip(masks, inputs)]
            inputs = [_with_rank(value, rank) for value in inputs]
        return self._merge(inputs, masks)

    def _merge(self, inputs: Sequence[Any], masks: Sequence[Any]) -> Tensor:
        """Return inputs of equal rank, joined; subclasses say how."""
        output = inputs[0]
        for value in inputs[1:]:
            output = self._join(output, value)
        return output

    def _join(self, left: Any, right: Any) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} does not say how it joins two inputs.")

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return the shape that the inputs' shapes are broadcast to; unknown lengths stay None."""
        shapes = check_list(self, input_shape, self._least, self._most)
        samples = {shape[0] for shape in shapes if shape} - {None}
        if len(samples) > 1:
            raise self._misfit(shapes, "as many samples in each")
        output = shapes[0][1:]
        for shape in shapes[1:]:
            output = self._broadcast(output, shape[1:], shapes)
        return (samples.pop() if samples else None, *output)

    def _broadcast(self, first: Shape, second: Shape, shapes: Sequence[Shape]) -> Shape:
        if len(first) < len(second):
            first, second = second, first
        split = len(first) - len(second)
        joined: list[int | None] = list(first[:split])
        for one, other in zip(first[split:], second):
            if one == 1 or other == 1:
                joined.append(other if one == 1 else one)
            elif one is None or other is None:
                joined.append(one if other is None else other)
            elif one == other:
                joined.append(one)
            else:
                raise self._misfit(shapes, "lengths that are equal or 1")
        return tuple(joined)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Return what is valid in any input, or None unless all inputs have masks."""
        if previous_mask is None or any(mask is None for mask in previous_mask):
            return None
        joined = previous_mask[0]
        for mask in previous_mask[1:]:
            joined = ops.logical_or(joined, mask)
        return joined

    def _misfit(self, shapes: Sequence[Any], expected: str) -> ValueError:
        listed = " and ".join(str(tuple(shape)) for shape in shapes)
        return ValueError(
            f"Layer {self.name} ({type(self).__name__}): the inputs have shapes {listed}, which do "
            f"not fit together; expected {expected}."
        )


def _with_rank(value: Any, rank: int) -> Any:
    """Return a tensor with axes of length 1 put in after the first, up to a number of axes."""
    shape = value.shape
    return value.reshape((*shape[:1], *(1,) * (rank - len(shape)), *shape[1:]))
