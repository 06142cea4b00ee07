"""Many Variables in one buffer, so that an optimizer updates them in one call."""

from __future__ import annotations

from collections.abc import Sequence
from sys import getrefcount
from typing import Any

import numpy as np

from tapegrad._core import device as _device
from tapegrad._core.primitive import primitive
from tapegrad._core.state import thread
from tapegrad._core.variable import _COUNT_WHEN_ALONE, Variable

_ALIGNMENT = 16
"""Elements: each segment starts on a whole vector."""

gather_flat = primitive(
    "gather_flat",
    mutates=(0,),
    doc="Copy arrays into the segments of a flat buffer that start at `offsets`.",
)


class FlatVariables:
    """Variables of one dtype on one device whose values are views of one buffer.

    Parameters
    ----------
    variables : sequence of Variable
        The members. Their memory moves into the buffer; their values, names and
        gradients' identities stay.
    alignment : int, default 16
        Segments start at multiples of so many elements.
    name : str, default "parameters"
        The buffer's name.

    Attributes
    ----------
    parameters : Variable
        The buffer, 1-D. Between segments there may be padding, which is zero.
    """

    def __init__(
        self,
        variables: Sequence[Variable],
        alignment: int = _ALIGNMENT,
        name: str = "parameters",
    ) -> None:
        if len({(v.dtype, v.device) for v in variables}) != 1:
            raise ValueError("FlatVariables: the Variables must share one dtype and one device")
        self.variables = list(variables)
        offsets: list[int] = []
        size = 0
        for variable in self.variables:
            offsets.append(size)
            size += -(-variable.size // alignment) * alignment
        self.offsets = tuple(offsets)
        self.parameters = self.buffer(name, size)
        self._gradients: Variable | None = None  # slots have none
        self._adopt(self.parameters._tensor._data)

    def buffer(self, name: str, size: int | None = None) -> Variable:
        """A buffer of zeros beside the parameters, for gradients or an optimizer's slots."""
        length = self.parameters.size if size is None else size
        with _device.device(self.variables[0].device):
            return Variable(np.zeros(length, self.variables[0].dtype), name=name, trainable=False)

    def _zeros(self, length: int) -> Any:
        first = self.variables[0]
        return _device.to_device(np.zeros(length, first.dtype), first.device)

    def _adopt(self, data: Any) -> None:
        """Move every member's value into `data` and make it a view of its segment."""
        gather_flat(self.parameters, *(v._tensor for v in self.variables), offsets=self.offsets)
        data = self.parameters._tensor._data
        for variable, offset in zip(self.variables, self.offsets, strict=True):
            segment = data[offset : offset + variable.size].reshape(variable.shape)
            if thread.recorder is not None:
                thread.recorder.before_rebinding(variable)
            variable._bind(segment)
            variable._flat = self

    def prepare_write(self) -> Variable:
        """The buffer, safe to be written: whoever holds an old value keeps it.

        Members that were assigned out of the buffer, or taken into another one,
        are moved back.
        """
        if thread.recorder is not None:
            thread.recorder.flat_written(self)
        for variable in self.variables:
            # What `Variable._is_shared` says, without a call: this runs at every step.
            if variable._flat is not self or getrefcount(variable._tensor) > _COUNT_WHEN_ALONE:
                if thread.recorder is not None:
                    thread.recorder.before_rebinding(self.parameters)
                self.parameters._bind(self._zeros(self.parameters.size))
                self._adopt(self.parameters._tensor._data)
                break
        return self.parameters

    def gather(self, gradients: Sequence[Any]) -> Variable:
        """The gradients in one buffer, each in the segment of its Variable.

        Parameters
        ----------
        gradients : sequence of Tensor
            One for each member, of its shape.
        """
        if self._gradients is None:
            self._gradients = self.buffer("gradients")
        gather_flat(self._gradients, *gradients, offsets=self.offsets)
        return self._gradients
