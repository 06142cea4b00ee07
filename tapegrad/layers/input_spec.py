"""What a layer expects of its inputs, checked when it is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tapegrad._core.nest import flatten
from tapegrad.utils.config import Configurable

__all__ = ["InputSpec", "check_inputs"]


class InputSpec(Configurable):
    """What a layer of your own expects of one input.

    A layer that keeps one in its attribute ``input_spec`` (or several, in a list or dict, one for
    each input) has its inputs checked against it at every call.

    Parameters
    ----------
    dtype
        The dtype.
    shape
        The shape, samples first; None stands for any length.
    ndim, min_ndim, max_ndim
        The number of axes, its least and its largest value.
    axes
        Lengths of single axes, by their number, which may be negative.
    allow_last_axis_squeeze
        Whether a last axis of length 1 may be missing or superfluous.
    name
        The key of the input, if inputs come in a dict.
    optional
        Whether the input may be None.

    Raises
    ------
    TypeError
        If `axes` is no mapping of whole numbers.
    ValueError
        If it names an axis that `ndim` or `max_ndim` does not allow.

    Examples
    --------
    >>> import numpy as np
    >>> import tapegrad as tg
    >>> class Sequences(tg.layers.Layer):
    ...     def __init__(self):
    ...         super().__init__(name="sequences")
    ...         self.input_spec = InputSpec(ndim=3, axes={-1: 8})
    ...
    ...     def call(self, inputs):
    ...         return inputs
    >>> Sequences()(np.ones((2, 5, 4)))
    Traceback (most recent call last):
        ...
    ValueError: Layer sequences: the input has shape (2, 5, 4), expected 3 axes, the one at -1 \
of length 8.
    """

    def __init__(
        self,
        dtype: Any = None,
        shape: Sequence[int | None] | None = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: Mapping[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ) -> None:
        self.dtype = None if dtype is None else np.dtype(dtype).name
        self.shape = None if shape is None else tuple(shape)
        self.ndim = ndim if self.shape is None else len(self.shape)
        self.max_ndim = max_ndim
        self.min_ndim = min_ndim
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        self.name = name
        self.optional = optional
        try:
            self.axes = {int(axis): length for axis, length in dict(axes or {}).items()}
        except (TypeError, ValueError):
            raise TypeError(
                f"InputSpec: axes is a dict of lengths by the number of the axis, but is {axes!r}."
            ) from None
        most = self.ndim if self.ndim is not None else max_ndim
        if self.axes and most is not None and max(self.axes) >= most:
            raise ValueError(
                f"InputSpec: axes names the axis {max(self.axes)}, but there are at most {most}."
            )

    def fits(self, value: Any) -> bool:
        """Whether a tensor, symbolic or not, is as expected."""
        shape = tuple(value.shape)
        if self.ndim is not None and len(shape) != self.ndim and not self.allow_last_axis_squeeze:
            return False
        if self.min_ndim is not None and len(shape) < self.min_ndim:
            return False
        if self.max_ndim is not None and len(shape) > self.max_ndim:
            return False
        if self.dtype is not None and np.dtype(value.dtype).name != self.dtype:
            return False
        for axis, length in self.axes.items():
            if not -len(shape) <= axis < len(shape) or not _agree(shape[axis], length):
                return False
        return self.shape is None or self._has_shape(shape)

    def _has_shape(self, shape: tuple[int | None, ...]) -> bool:
        wanted = self.shape or ()
        if self.allow_last_axis_squeeze:
            wanted, shape = _squeezed(wanted), _squeezed(shape)
        return len(wanted) == len(shape) and all(map(_agree, shape, wanted))

    def __str__(self) -> str:
        """Return what is expected, in words."""
        parts: list[str] = []
        if self.shape is not None:
            parts.append(f"the shape {self.shape}")
        elif self.ndim is not None:
            parts.append(f"{self.ndim} axes")
        if self.min_ndim is not None:
            parts.append(f"at least {self.min_ndim} axes")
        if self.max_ndim is not None:
            parts.append(f"at most {self.max_ndim} axes")
        for axis, length in self.axes.items():
            if length is not None:
                parts.append(f"the one at {axis} of length {length}")
        if self.dtype is not None:
            parts.append(f"dtype {self.dtype}")
        return ", ".join(parts) or "anything"

    def __repr__(self) -> str:
        return f"<InputSpec: {self}>"


def check_inputs(specs: Any, inputs: Any, owner: str) -> None:
    """Raise ValueError, in one sentence, if the first argument of a call is not as expected.

    Parameters
    ----------
    specs
        An InputSpec, or a list or dict of them (None where anything will do).
    inputs
        Tensors, symbolic or not, in one place or in a list or dict.
    owner
        The layer's name.
    """
    expected = flatten(specs)
    found = flatten(inputs)
    names = [getattr(spec, "name", None) for spec in expected]
    if isinstance(inputs, dict) and all(names):
        missing = [name for name in names if name not in inputs]
        if missing:
            raise ValueError(
                f"Layer {owner}: the input {missing[0]!r} is missing; the keys are "
                f"{', '.join(map(repr, inputs))}."
            )
        found = [inputs[name] for name in names]
    if len(found) != len(expected):
        raise ValueError(
            f"Layer {owner}: expected {_counted(len(expected))}, but got {len(found)}."
        )
    for place, (spec, value) in enumerate(zip(expected, found)):
        if not isinstance(spec, InputSpec) or (value is None and spec.optional):
            continue
        which = "the input" if len(found) == 1 else f"input {spec.name or place}"
        if value is None or not hasattr(value, "shape"):
            raise ValueError(
                f"Layer {owner}: {which} is {value!r}, but expected a tensor with {spec}."
            )
        if not spec.fits(value):
            dtype = f" and dtype {np.dtype(value.dtype).name}" if spec.dtype is not None else ""
            raise ValueError(
                f"Layer {owner}: {which} has shape {tuple(value.shape)}{dtype}, expected {spec}."
            )


def _agree(length: int | None, wanted: int | None) -> bool:
    """Whether a length is the one that is wanted, as far as both are known."""
    return length is None or wanted is None or length == wanted


def _squeezed(shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
    return shape[:-1] if shape and shape[-1] == 1 else shape


def _counted(number: int) -> str:
    return "1 input" if number == 1 else f"{number} inputs"
