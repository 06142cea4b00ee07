"""The immutable n-dimensional array that operations take and return."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, SupportsIndex, final

import numpy as np

from tapegrad._core import device as _device
from tapegrad._core.operators import Operators
from tapegrad._core.state import thread

if TYPE_CHECKING:
    from tapegrad._core.node import Node


class _MemoryHolder:
    """Lends a tensor's memory to a NumPy view and lives as long as the view.

    NumPy's own ``base`` of a view is the array that owns the memory, which for a
    Variable is a buffer shared with others; the view would not show that this
    tensor is still in use, and an assignment could write under it.
    """

    __slots__ = ("__array_interface__", "tensor")

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self.__array_interface__ = tensor._data.__array_interface__


@final
class Tensor(Operators):
    """An immutable n-dimensional array on a device.

    Tensors come from `tapegrad.tensor` and from operations. They have NumPy's
    operators, indexing and methods, with NumPy's promotion rules; Python numbers
    take the tensor's dtype.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> (x @ x.T).sum()
    Tensor(52., dtype=float64)
    """

    __slots__ = ("__weakref__", "_base", "_data", "_mask", "_node", "_origin")

    _data: Any
    """The array itself: a NumPy array or an array on a GPU."""
    _node: Node | None
    """Identity on tapes; None until a tape takes note of the tensor."""
    _base: Any
    """Set if the memory belongs to a Variable: what must stay alive with this tensor."""
    _origin: tuple[str, Tensor] | None
    """For an output of softmax or sigmoid: its name and its logits, which a loss can use."""
    _mask: Tensor | None
    """Which elements count; empty unless `tapegrad._core.masking.set_mask` set it."""

    def __init__(self, data: Any) -> None:
        self._data = data
        self._node = None
        self._base = None
        self._origin = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return self._data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of the elements."""
        return self._data.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._data.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self._data.size

    @property
    def device(self) -> str:
        """Where the elements are: ``"cpu"`` or ``"cuda"``."""
        return _device.device_of(self._data)

    @property
    def _keras_mask(self) -> Tensor | None:
        """Which elements count, by the name under which listings look at masks."""
        return getattr(self, "_mask", None)

    def to(self, device: str) -> Tensor:
        """The same values on `device` (``"cpu"`` or ``"cuda"``), copied if it is elsewhere."""
        from tapegrad._core.builtin import copy_to

        return self if self.device == device else copy_to(self, device=device)

    def numpy(self) -> np.ndarray[Any, Any]:
        """The elements as a read-only NumPy array: a view on the CPU, a copy from a GPU.

        Examples
        --------
        >>> import tapegrad as tg
        >>> tg.tensor([1.0, 2.0]).numpy()
        array([1., 2.])
        """
        if thread.recorder is not None:
            thread.recorder.read(self)
        data = self._data
        if type(data) is not np.ndarray:
            view = _device.to_host(data)
        elif self._base is not None:
            view = np.asarray(_MemoryHolder(self))
        else:
            view = data.view()
        view.flags.writeable = False
        return view

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        view = self.numpy()
        if dtype is not None and np.dtype(dtype) != view.dtype:
            if copy is False:
                raise ValueError(
                    f"a {view.dtype} tensor cannot become a {np.dtype(dtype)} array without a copy"
                )
            return view.astype(dtype)
        return view.copy() if copy else view

    def item(self) -> Any:
        """The only element, as a Python number.

        Raises
        ------
        ValueError
            If there is not exactly one element.
        """
        if self.size != 1:
            raise ValueError(f"item: expected a tensor of one element, got shape {self.shape}")
        return self.numpy().item()

    def tolist(self) -> Any:
        """The elements as nested Python lists."""
        return self.numpy().tolist()

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def __index__(self) -> SupportsIndex:  # type: ignore[override]
        if self.dtype.kind not in "iu" or self.ndim != 0:
            raise TypeError(
                f"only a 0-d integer tensor can be an index, got shape {self.shape}, {self.dtype}"
            )
        return self.item()

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(
                f"the truth of a tensor of shape {self.shape} is ambiguous; "
                "use its any() or all() method"
            )
        return bool(self.item())

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("a 0-d tensor has no len()")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if self.ndim == 0:
            raise TypeError("a 0-d tensor cannot be iterated over")
        return (self[i] for i in range(self.shape[0]))

    def __contains__(self, value: Any) -> bool:
        return bool((self == value).any())

    def __format__(self, specification: str) -> str:
        if specification and self.ndim == 0:
            return format(self.item(), specification)
        return format(str(self), specification)

    def __repr__(self) -> str:
        text = np.array2string(self.numpy(), separator=", ", prefix="Tensor(")
        place = "" if self.device == "cpu" else f", device={self.device!r}"
        return f"Tensor({text}, dtype={self.dtype}{place})"

    def __str__(self) -> str:
        return str(self.numpy())

    # Values compare elementwise, as in NumPy; as a key, a tensor is itself.
    __hash__ = object.__hash__

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return tensor(self.numpy().copy(), device=self.device)

    def __reduce__(self) -> tuple[Any, ...]:
        return (tensor, (self.numpy().copy(),))


def tensor(data: Any, dtype: Any = None, device: str | None = None) -> Tensor:
    """Make a tensor from numbers, nested lists, arrays or another tensor.

    Parameters
    ----------
    data : array_like
        The elements. They are copied, so that later changes of an array do not
        reach the tensor.
    dtype : dtype, optional
        By default NumPy's choice: ``tg.tensor([1.0])`` is float64.
    device : {"cpu", "cuda"}, optional
        By default the device of the surrounding ``with tg.device(…)``, else the CPU.

    Returns
    -------
    Tensor

    Raises
    ------
    TypeError
        If the elements are not numbers (text, objects, ragged lists).

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.tensor([[1, 2], [3, 4]], dtype="float32")
    Tensor([[1., 2.],
            [3., 4.]], dtype=float32)
    """
    if isinstance(data, Operators):
        source: Any = data if type(data) is Tensor else data.value  # type: ignore[attr-defined]
        if dtype is not None:
            source = source.astype(dtype)
        return source if device is None else source.to(device)
    if isinstance(data, list | tuple):
        data = unwrap_nested(data)
    try:
        array = np.array(data, dtype=dtype, order="C")
    except ValueError as error:
        raise TypeError(f"tensor: the data is not a regular array of numbers: {error}") from None
    return _on_device(check_numeric(array, "tensor"), device)


def unwrap_nested(data: Any) -> Any:
    """Nested lists with the tensors in them as NumPy arrays."""
    if isinstance(data, Operators):
        return np.asarray(data)
    if isinstance(data, list | tuple):
        return [unwrap_nested(value) for value in data]
    return data


def check_numeric(array: np.ndarray[Any, Any], name: str) -> np.ndarray[Any, Any]:
    """`array`, if its elements are numbers or booleans; else a TypeError naming `name`."""
    if array.dtype.kind not in "biufc":
        raise TypeError(
            f"{name}: expected numbers, got an array of dtype {array.dtype}; "
            "convert it first, for instance with array.astype('float32')"
        )
    return array


def _on_device(array: np.ndarray[Any, Any], device: str | None) -> Tensor:
    chosen = thread.device if device is None else device
    return Tensor(array if chosen == "cpu" else _device.to_device(array, chosen))
