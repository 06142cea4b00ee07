"""A named cell that holds state which changes: weights, counters, moving statistics."""

from __future__ import annotations

import copy
import itertools
import sys
from typing import TYPE_CHECKING, Any, final

import numpy as np

from tapegrad._core import device as _device
from tapegrad._core.node import Node
from tapegrad._core.operators import Operators
from tapegrad._core.state import floatx, thread
from tapegrad._core.tensor import Tensor, check_numeric, tensor

if TYPE_CHECKING:
    from tapegrad._core.flat import FlatVariables

_unnamed = itertools.count()


def _is_python_number(data: Any) -> bool:
    """Whether `data` is a Python number or nested lists of them (booleans are not numbers)."""
    if isinstance(data, list | tuple):
        return bool(data) and all(_is_python_number(value) for value in data)
    return type(data) is int or type(data) is float  # np.float64 is a subclass of float


@final
class Variable(Operators):
    """A cell with a name whose value can be assigned.

    In operations a Variable stands for its current value. Tapes watch trainable
    Variables by themselves.

    Parameters
    ----------
    initial : array_like
        First value; it fixes shape and dtype. Python numbers take
        `tapegrad.floatx`, arrays keep their dtype.
    name : str, optional
        Name for reports and files.
    trainable : bool, default True
        Whether training changes it.
    dtype : dtype, optional
        Data type, if not that of `initial`.

    Raises
    ------
    TypeError
        If `initial` does not consist of numbers.

    Examples
    --------
    >>> import tapegrad as tg
    >>> w = tg.Variable([1.0, 2.0], name="w")
    >>> w.assign(w * 2.0)
    Variable('w', [2., 4.], dtype=float32)
    """

    __slots__ = (
        "__weakref__",
        "_flat",
        "_node",
        "_tensor",
        "_trainable",
        "constraint",
        "name",
        "path",
        "regularizer",
    )

    path: str
    """The name, and before it that of the layer that made it, as in ``dense/kernel``."""
    regularizer: Any
    """Penalty on the value that training adds to the loss, or None."""
    constraint: Any
    """Function that brings the value back into its allowed set after an update, or None."""
    _tensor: Tensor
    _flat: FlatVariables | None
    """The shared buffer that holds the value, if an optimizer put it into one."""

    def __init__(
        self,
        initial: Any,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
    ) -> None:
        if dtype is None and _is_python_number(initial):
            dtype = floatx()
        first = tensor(initial, dtype=dtype)
        data = first._data
        if isinstance(initial, Operators):  # tensors share memory, cells must not
            data = data.copy() if isinstance(data, np.ndarray) else _device.copy(data)
        self._node = Node(data.shape, data.dtype)
        self._flat = None
        self.regularizer = None
        self.constraint = None
        self.name = name if name is not None else f"variable_{next(_unnamed)}"
        self.path = self.name
        self.trainable = trainable
        self._bind(data)
        if thread.recorder is not None:
            thread.recorder.variable_created(self)

    def _bind(self, data: Any) -> None:
        """Make the array `data` the memory of this cell."""
        value = Tensor(data)
        value._node = self._node
        value._base = self
        self._tensor = value

    def _is_shared(self) -> bool:
        """Whether anyone but this cell holds its current value.

        A tape, a view or the user may: each does so through the Tensor object,
        whose reference count therefore tells.
        """
        return sys.getrefcount(self._tensor) > _COUNT_WHEN_ALONE

    def _prepare_write(self) -> Any:
        """The array to write into, after leaving the old one to whoever still holds it."""
        if self._is_shared():
            if thread.recorder is not None:
                thread.recorder.before_rebinding(self)
            self._flat = None
            self._bind(_device.copy(self._tensor._data))
        return self._tensor._data

    @property
    def trainable(self) -> bool:
        """Whether training changes the value, and tapes watch it."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        self._node.automatic = self._trainable and self.dtype.kind == "f"

    @property
    def value(self) -> Tensor:
        """The current value, which later assignments do not change."""
        return self._tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return self._node.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of the elements."""
        return self._node.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self._node.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return self._node.size

    @property
    def device(self) -> str:
        """Where the value is: ``"cpu"`` or ``"cuda"``."""
        return self._tensor.device

    def numpy(self) -> np.ndarray[Any, Any]:
        """A copy of the value as a NumPy array."""
        if thread.recorder is not None:
            thread.recorder.read(self._tensor)
        return np.array(_device.to_host(self._tensor._data))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        if copy is False:
            raise ValueError("the value of a Variable cannot be had as an array without a copy")
        value = self.numpy()
        return value if dtype is None else value.astype(dtype, copy=False)

    def assign(self, value: Any) -> Variable:
        """Set the value.

        Parameters
        ----------
        value : array_like
            Of the Variable's shape; converted to its dtype.

        Returns
        -------
        Variable
            The Variable itself.

        Raises
        ------
        ValueError
            If the shape differs. Assignments never broadcast.
        """
        if type(value) is not Tensor:
            raw = check_numeric(np.asarray(value), f"assign to {self.name!r}")
            value = Tensor(raw if thread.device == "cpu" else _device.to_device(raw, self.device))
        if value.shape != self._node.shape:
            raise ValueError(
                f"assign: Variable {self.name!r} has shape {self._node.shape}, "
                f"the value has shape {value.shape}"
            )
        from tapegrad._core.builtin import assign

        assign(self, value if value.device == self.device else value.to(self.device))
        return self

    def assign_add(self, delta: Any) -> Variable:
        """Add `delta` to the value."""
        return self.assign(self + delta)

    def assign_sub(self, delta: Any) -> Variable:
        """Subtract `delta` from the value."""
        return self.assign(self - delta)

    def item(self) -> Any:
        """The only element, as a Python number."""
        return self._tensor.item()

    def tolist(self) -> Any:
        """The elements as nested Python lists."""
        return self._tensor.tolist()

    def __float__(self) -> float:
        return float(self._tensor)

    def __int__(self) -> int:
        return int(self._tensor)

    def __bool__(self) -> bool:
        return bool(self._tensor)

    def __len__(self) -> int:
        return len(self._tensor)

    def __iter__(self) -> Any:
        if self.ndim == 0:
            raise TypeError("a 0-d Variable cannot be iterated over")
        return (self[i] for i in range(self.shape[0]))

    def __format__(self, specification: str) -> str:
        return format(self._tensor, specification) if specification else repr(self)

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        opening = f"Variable({self.name!r}, "
        text = np.array2string(self.numpy(), separator=", ", prefix=opening)
        place = "" if self.device == "cpu" else f", device={self.device!r}"
        return f"{opening}{text}, dtype={self.dtype}{place}" + ")"

    # A copy is a cell of its own: no tape knows it, and no optimizer's buffer holds it.

    def __deepcopy__(self, memo: dict[int, Any]) -> Variable:
        parts = self._parts()
        return _remade(*copy.deepcopy(parts, memo))

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, self._parts()

    def _parts(self) -> tuple[Any, ...]:
        kept = self.name, self.path, self.trainable, self.regularizer, self.constraint
        return self.numpy(), *kept


def _remade(
    value: np.ndarray[Any, Any],
    name: str,
    path: str,
    trainable: bool,
    regularizer: Any,
    constraint: Any,
) -> Variable:
    """Make a Variable again from what it consists of."""
    made = Variable(value, name=name, trainable=trainable)
    made.path = path
    made.regularizer, made.constraint = regularizer, constraint
    return made


_COUNT_WHEN_ALONE = sys.maxsize


def _count_when_alone() -> int:
    """Reference count that `_is_shared` sees when nobody else holds the value.

    Measured rather than assumed: the interpreter's own temporary references
    differ between Python versions.
    """
    return min(count for count in range(1, 16) if not _shared_at(count))


def _shared_at(count: int) -> bool:
    global _COUNT_WHEN_ALONE
    _COUNT_WHEN_ALONE = count
    return Variable(np.zeros(1, np.float32), name="")._is_shared()


_COUNT_WHEN_ALONE = _count_when_alone()
