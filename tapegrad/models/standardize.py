"""Data as users hand them over, brought into the form that a network's inputs have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tapegrad._core.masking import get_mask, set_mask
from tapegrad._core.nest import flatten
from tapegrad._core.tensor import Tensor
from tapegrad.layers.symbolic import SymbolicTensor
from tapegrad.utils.lookup import suggestion
from tapegrad.utils.tensors import as_tensor

if TYPE_CHECKING:
    from tapegrad.models.graph import Graph

__all__ = ["fit_to_input", "take_inputs"]


def take_inputs(values: Any, graph: Graph) -> list[Tensor]:
    """Return a value for each input of a graph, in order.

    Parameters
    ----------
    values
        In the structure of the graph's inputs; or a dict by the names of the inputs; or a flat
        list.

    Raises
    ------
    ValueError
        If there are too few or too many, or a shape does not fit.
    """
    symbols = graph.flat_inputs
    if type(values) is Tensor and len(symbols) == 1:
        return [fit_to_input(values, symbols[0], graph.owner)]
    if isinstance(values, dict):
        leaves = _by_name(values, graph)
    elif len(symbols) == 1:
        leaves = [values[0]] if _holds_one_array(values) else [values]
    else:
        leaves = _arrays_in(values)
    if len(leaves) != len(symbols):
        raise ValueError(
            f"{graph.owner} has {len(symbols)} inputs ({', '.join(graph.input_names)}), but got "
            f"{len(leaves)}."
        )
    return [fit_to_input(value, symbol, graph.owner) for value, symbol in zip(leaves, symbols)]


def _by_name(values: dict[str, Any], graph: Graph) -> list[Any]:
    names = list(graph.inputs) if isinstance(graph.inputs, dict) else graph.input_names
    if not all(name in values for name in names) and all(n in values for n in graph.input_names):
        names = graph.input_names  # keys of the data may be names of the Inputs as well
    for name in names:
        if name not in values:
            raise ValueError(
                f"{graph.owner}: there are no data for the input {name!r}; the keys are "
                f"{', '.join(map(repr, values))}.{suggestion(name, list(values))}"
            )
    return _arrays_in([values[name] for name in names])


def _holds_one_array(values: Any) -> bool:
    return isinstance(values, list | tuple) and len(values) == 1 and not _is_numbers(values)


def _is_numbers(values: Any) -> bool:
    """Whether nested lists hold plain numbers, and so are an array themselves."""
    return not any(hasattr(leaf, "shape") for leaf in flatten(values))


def _arrays_in(values: Any) -> list[Any]:
    """Return the arrays in a structure; a list of plain numbers counts as one."""
    parts = values.values() if isinstance(values, dict) else values
    if not isinstance(values, list | tuple | dict):
        return [values]
    found: list[Any] = []
    for part in parts:
        plain = isinstance(part, list | tuple) and _is_numbers(part)
        found.extend([part] if plain else _arrays_in(part))
    return found


def fit_to_input(value: Any, symbol: SymbolicTensor, owner: str) -> Tensor:
    """Return data as a Tensor of an input's dtype and rank.

    A last axis of length one may be missing or superfluous, as in Keras.

    Raises
    ------
    ValueError
        If the shape does not fit.
    """
    value = as_tensor(value)
    wanted, shape = symbol.shape, value._data.shape
    if len(shape) != len(wanted):
        if len(shape) == len(wanted) + 1 and shape[-1] == 1:
            value = value.reshape(shape[:-1])
        elif len(shape) == len(wanted) - 1 and wanted[-1] == 1:
            value = value.reshape((*shape, 1))
        shape = value._data.shape
    if shape != wanted and (
        len(shape) != len(wanted) or any(m is not None and n != m for n, m in zip(shape, wanted))
    ):
        raise ValueError(
            f"{owner}: the input {symbol.name!r} has shape {shape}, expected {wanted} (None stands "
            "for any length)."
        )
    if value._data.dtype != symbol.dtype:
        mask = get_mask(value)
        value = value.astype(symbol.dtype)
        if mask is not None:
            set_mask(value, mask)
    return value
