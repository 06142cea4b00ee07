"""What a layer is called on: tensors in its dtype, their shapes and their masks."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from tapegrad._core.masking import get_mask, set_mask
from tapegrad._core.nest import flatten, map_structure
from tapegrad._core.tensor import Tensor, tensor
from tapegrad._core.variable import Variable
from tapegrad.layers.symbolic import SymbolicTensor

__all__ = ["CallArguments"]


class CallArguments:
    """How layers take the arguments of a call; a base of `tapegrad.layers.Layer`."""

    name: str
    supports_masking: bool
    _dtype: np.dtype[Any] = np.dtype("float32")

    # What ``call`` takes, found once for each class.
    _call_names: tuple[str, ...] = ()
    _takes_mask = False
    _mask_names: tuple[tuple[str, str], ...] = ()

    # Set to False by layers that stand for an operation, which no dtype of their own concerns.
    _converts_inputs = True
    # Set to True by layers that look things up by whole numbers, which others take as real ones.
    _takes_integers = False
    # Set to True by layers that move or choose elements: whole numbers stay what they are.
    _keeps_integers = False
    # Set to True by layers that take one tensor, and no list of several.
    _takes_one = False
    # Set to True by layers through which masked inputs may pass unremarked.
    _accepts_masked = False

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Return the mask of the output, given that of the input: the same, unless overwritten."""
        return previous_mask

    def _take_arguments(
        self, inputs: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
        """Return arguments with tensors by position, mask and training by name."""
        if inputs is None and self._call_names and self._call_names[0] in kwargs:
            kwargs = dict(kwargs)
            inputs = kwargs.pop(self._call_names[0])
        names = self._call_names[1 : 1 + len(args)]
        for position, name in enumerate(names):
            if name in ("mask", "training"):  # which are else filled in by their names
                kwargs = kwargs | dict(zip(names[position:], args[position:]))
                args = args[:position]
                break
        return inputs, args, kwargs

    def _convert(self, inputs: Any) -> Any:
        """Return inputs as Tensors, floating ones in the layer's dtype."""
        if isinstance(inputs, list | tuple) and any(
            isinstance(part, Tensor | Variable | np.ndarray | list | tuple | dict)
            and not _is_numbers(part)
            for part in inputs
        ):
            return map_structure(self._convert_further, inputs)
        if isinstance(inputs, dict):
            return map_structure(self._convert_further, inputs)
        return inputs if inputs is None else self._convert_one(inputs)

    def _convert_one(self, value: Any) -> Tensor:
        if type(value) is not Tensor:
            try:
                value = tensor(value)
            except TypeError as error:
                raise TypeError(f"Layer {self.name}: the input is no array: {error}") from None
        if (
            value._data.dtype.kind == "f"
            and value._data.dtype != self._dtype
            and self._converts_inputs
        ):
            mask = get_mask(value)
            value = value.astype(self._dtype)
            if mask is not None:
                set_mask(value, mask)
        return value

    def _no_single(self, inputs: Any) -> ValueError:
        """Return the error for several inputs where there must be one."""
        got = "nothing" if inputs is None else f"a {type(inputs).__name__} of {len(inputs)}"
        return ValueError(
            f"Layer {self.name} ({type(self).__name__}): the input is {got}, expected one tensor; "
            "join several first, for instance with layers.concatenate."
        )

    def _convert_further(self, value: Any) -> Any:
        """Return an argument with its tensors and arrays as Tensors; everything else stays."""
        if isinstance(value, Tensor | Variable | np.ndarray):
            return self._convert_one(value)
        if isinstance(value, list | tuple | dict):
            return map_structure(self._convert_further, value)
        return value

    # ---- shapes ----------------------------------------------------------------------

    def _with_shapes(
        self, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Call a method with the shapes of a call's arguments, as many as it takes."""
        wanted = list(inspect.signature(method).parameters)
        first = _shapes_of(args[0])
        if len(wanted) < 2:
            return method(first) if wanted else method()
        given = dict(zip(self._call_names[1:], args[1:])) | kwargs
        shapes = {
            f"{name}_shape": _shapes_of(value)
            for name, value in given.items()
            if f"{name}_shape" in wanted and value is not None
        }
        return method(first, **shapes)

    # ---- masks -----------------------------------------------------------------------

    def _find_masks(self, inputs: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the mask of the first argument, and hand over those of named ones."""
        if self._mask_names:
            given = dict(zip(self._call_names, (inputs, *args))) | kwargs
            for name, wanted in self._mask_names:
                if given.get(wanted) is None and name in given:
                    kwargs[wanted] = get_mask(given[name])
        if kwargs.get("mask") is not None:
            return kwargs["mask"]
        if not isinstance(inputs, list | tuple | dict):
            return get_mask(inputs)
        masks = map_structure(get_mask, inputs)
        return masks if any(mask is not None for mask in flatten(masks)) else None

    def _mark_outputs(self, inputs: Any, outputs: Any, mask: Any) -> None:
        """Let the outputs carry their masks."""
        if not self.supports_masking:
            if mask is not None and not (self._accepts_masked or self._takes_mask):
                warnings.warn(
                    f"Layer {self.name} ({type(self).__name__}) got a masked input but does not "
                    "support masking: the layers after it will not see the mask.",
                    stacklevel=3,
                )
            return
        masks = self.compute_mask(inputs, mask)
        if masks is None:
            return
        leaves = [masks] if isinstance(outputs, Tensor) else flatten(masks)
        for output, own in zip(flatten(outputs), leaves):
            if own is not None and isinstance(output, Tensor) and get_mask(output) is None:
                set_mask(output, own)


def _is_numbers(part: Any) -> bool:
    """Whether a part of a list is a list of plain numbers, hence the list itself an array."""
    return isinstance(part, list | tuple) and not any(
        isinstance(leaf, Tensor | Variable | np.ndarray) for leaf in flatten(part)
    )


def _shapes_of(value: Any) -> Any:
    """Return the shapes of tensors in a structure; those of samples at hand begin with None."""
    return map_structure(_shape_of, value)


def _shape_of(leaf: Any) -> Any:
    if isinstance(leaf, SymbolicTensor):
        return leaf.shape
    return (None, *leaf.shape[1:]) if hasattr(leaf, "shape") else None
