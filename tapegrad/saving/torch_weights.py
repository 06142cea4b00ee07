"""PyTorch's state dicts into matching models.

A file does not keep the order of modules, and a module's name need not be that of a layer, so each
layer takes the first module that fits it by kind and shapes. Where the choice would be a guess,
nothing is loaded: wrong weights that fit are worse than none.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tapegrad._core.variable import Variable
from tapegrad.layers.base import Layer
from tapegrad.saving.assignment import Assignment, listing
from tapegrad.saving.channel_order import Orders, feature_orders
from tapegrad.saving.tensors_file import read_tensors
from tapegrad.saving.torch_rules import PAIRS, Rule, Unfit, find_rule
from tapegrad.utils.lookup import suggestion

__all__ = ["load_torch_weights"]

_RECURRENT = re.compile(r"(weight_ih|weight_hh|bias_ih|bias_hh)_l(\d+)(_reverse)?$")


def load_torch_weights(
    model: Layer,
    source: str | os.PathLike[str] | Mapping[str, Any],
    mapping: Mapping[str, str | Sequence[str]] | None = None,
    flatten: str | bool | Mapping[str, Sequence[int]] = "auto",
    strict: bool = True,
) -> None:
    """Assign a model's weights from those of a PyTorch module; none is assigned unless all fit.

    Layouts are converted: ``(out, in)`` matrices, windows after channels, gates of GRU in another
    order, projections of attention without an axis for heads. Layers take modules in order, the
    first that fits by kind and shapes.

    Parameters
    ----------
    model
        A built model of the same structure.
    source
        The state dict: a ``.safetensors`` file, written by ``safetensors.torch.save_file(
        module.state_dict(), path)``, or arrays (or PyTorch's tensors) by name.
    mapping
        Names of modules by names of layers, such as ``{"dense": "classifier.0"}``, where order and
        shapes do not tell. A separable convolution is two modules; layer k of a recurrent module
        with several is ``"lstm.lk"``. Layers that are not named are matched as without it.
    flatten
        PyTorch keeps channels first, so between convolutions and dense layers its flattened
        features stand in another order. ``"auto"`` finds such places (a Flatten after convolutions,
        a Reshape to images before them) in Sequential and functional models and converts the
        weights around them; a dict says it: the shape ``(height, width, channels)`` that is
        flattened before a dense layer, by its name. False leaves all orders.
    strict
        Whether modules that no layer took are an error.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, no module fits a layer, several that are not ordered do, or some are
        left.

    Examples
    --------
    >>> import numpy as np
    >>> import tapegrad as tg
    >>> model = tg.Sequential([tg.Input((2,)), tg.layers.Dense(3)])
    >>> state = {"fc.weight": np.ones((3, 2), np.float32), "fc.bias": np.zeros(3, np.float32)}
    >>> load_torch_weights(model, state)
    >>> model(np.array([[1.0, 2.0]])).numpy()
    array([[3., 3., 3.]], dtype=float32)
    """
    if not model.built:
        raise ValueError(
            f"{model.name} is not built yet: call it on data, or build(input_shape), before "
            "load_torch_weights."
        )
    ordered = isinstance(source, Mapping)
    label = "The state dict" if ordered else os.fspath(source)  # type: ignore[arg-type]
    modules = _modules(_arrays(source))
    if not ordered:
        modules = dict(sorted(modules.items(), key=lambda item: _natural(item[0])))
    slots = list(_slots(model))
    orders = feature_orders(model, flatten)
    matching = _Matching(modules, ordered, label, orders)
    matching.match(slots, _chosen(mapping or {}, slots, modules, label))
    if strict and matching.left:
        raise ValueError(
            f"{label} does not fit the model: {listing(list(matching.left))} fit no layer; with "
            "strict=False they are left out."
        )
    assignment = Assignment(label)
    for slot, values in matching.found:
        for variable, value in zip(slot.variables, values):
            assignment.add(f"the {variable.name} of layer {slot.layer.name}", variable, value)
    assignment.apply()


# ---- what is in the state dict -------------------------------------------------------


def _arrays(source: Any) -> dict[str, np.ndarray]:
    if isinstance(source, Mapping):
        return {str(name): _as_array(value) for name, value in source.items()}
    name = os.fspath(source)
    if name.endswith((".pt", ".pth", ".bin", ".ckpt", ".pkl")):
        raise ValueError(
            f"{name} may hold code (pickle), so it is not read; write it with "
            "safetensors.torch.save_file(module.state_dict(), 'weights.safetensors')."
        )
    return read_tensors(name)


def _as_array(value: Any) -> np.ndarray:
    if hasattr(value, "detach"):  # a tensor of PyTorch's, which need not be imported for this
        value = value.detach().cpu()
        value = value.float() if "bfloat16" in str(value.dtype) else value
        value = value.numpy()
    return np.asarray(value)


def _modules(arrays: Mapping[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """Return the parameters of each module by their names in it."""
    several = {
        found.string[: found.start()]
        for found in map(_RECURRENT.search, arrays)
        if found and found.group(2) != "0"
    }
    attentions = {
        name.rpartition(".")[0]
        for name in arrays
        if name.endswith(("in_proj_weight", "q_proj_weight"))
    }
    modules: dict[str, dict[str, np.ndarray]] = {}
    for key, array in arrays.items():
        prefix, _, name = key.rpartition(".")
        if name == "num_batches_tracked":
            continue
        found = _RECURRENT.search(key)
        outer, _, last = prefix.rpartition(".")
        if found:
            name = found.group(1) + (found.group(3) or "")
            if key[: found.start()] in several:
                prefix = f"{prefix}.l{found.group(2)}".lstrip(".")
        elif last == "out_proj" and outer in attentions:
            prefix, name = outer, f"out_proj.{name}"
        modules.setdefault(prefix, {})[name] = array
    return modules


def _natural(name: str) -> list[Any]:
    """Return a key that sorts numbers in names by their value."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in _PARTS.split(name)]


_PARTS = re.compile(r"(\d+)")


# ---- what the model has --------------------------------------------------------------


@dataclass
class _Slot:
    """A place in the model for one module: a layer, or a half of one."""

    layer: Layer
    rule: Rule
    variables: list[Variable]


def _slots(layer: Layer, seen: set[int] | None = None) -> Iterator[_Slot]:
    seen = set() if seen is None else seen
    if id(layer) in seen:
        return
    seen.add(id(layer))
    rule = find_rule(layer)
    weights = layer.weights
    if rule is not None:
        if weights:
            yield _Slot(layer, rule, weights)
        return
    for kind in type(layer).__mro__:
        if kind.__name__ in PAIRS:
            count, first, second = PAIRS[kind.__name__]
            yield _Slot(layer, first, weights[:count])
            yield _Slot(layer, second, weights[count:])
            return
    own = [name for name, _ in layer._named_own_weights()]
    if own and type(layer).__name__ != "Normalization":
        raise ValueError(
            f"load_torch_weights: layer {layer.name} ({type(layer).__name__}) has no counterpart "
            f"in PyTorch, so its weights ({listing(own)}) cannot be found."
        )
    inner = getattr(layer, "layers", None)
    for part in inner if inner is not None else [part for _, part in layer._children()]:
        yield from _slots(part, seen)


def _chosen(
    mapping: Mapping[str, str | Sequence[str]],
    slots: list[_Slot],
    modules: Mapping[str, Any],
    label: str,
) -> dict[int, str]:
    """Return the names of modules that the user chose, by the number of the slot."""
    places: dict[str, list[int]] = {}
    for index, slot in enumerate(slots):
        places.setdefault(slot.layer.name, []).append(index)
    chosen: dict[int, str] = {}
    for name, given in mapping.items():
        names = [given] if isinstance(given, str) else list(given)
        if name not in places:
            raise ValueError(
                f"load_torch_weights: the model has no layer {name!r} with weights."
                f"{suggestion(name, list(places))}"
            )
        if len(names) != len(places[name]):
            raise ValueError(
                f"load_torch_weights: layer {name} takes {len(places[name])} modules, but the "
                f"mapping names {len(names)}."
            )
        for index, module in zip(places[name], names):
            if module not in modules:
                raise ValueError(
                    f"{label} has no module {module!r} for layer {name}."
                    f"{suggestion(module, list(modules))}"
                )
            chosen[index] = module
    return chosen


# ---- which module for which layer ----------------------------------------------------


class _Matching:
    """Gives each slot a module.

    Attributes
    ----------
    left
        The modules that no slot has taken.
    found
        Slots with the values for their variables.
    """

    def __init__(
        self, modules: Mapping[str, Any], ordered: bool, label: str, orders: Mapping[int, Orders]
    ) -> None:
        self.left = dict(modules)
        self.found: list[tuple[_Slot, list[np.ndarray]]] = []
        self._ordered = ordered
        self._label = label
        self._orders = orders

    def match(self, slots: list[_Slot], chosen: Mapping[int, str]) -> None:
        """Give each slot a module: first those that the user chose, then the others in order."""
        for index, name in chosen.items():
            try:
                self.found.append((slots[index], self._values(slots[index], name)))
            except Unfit as reason:
                raise self._error(slots[index], f"{name} does not fit: {reason}") from None
        for name in chosen.values():
            self.left.pop(name, None)
        for index, slot in enumerate(slots):
            if index not in chosen:
                name, values = self._choose(slot)
                del self.left[name]
                self.found.append((slot, values))

    def _choose(self, slot: _Slot) -> tuple[str, list[np.ndarray]]:
        fitting: dict[str, list[np.ndarray]] = {}
        reasons: dict[str, str] = {}
        for name in self.left:
            try:
                fitting[name] = self._values(slot, name)
            except Unfit as reason:
                reasons[name] = str(reason)
        if not fitting:
            raise self._error(slot, "none of the modules left fits it" + _first_of(reasons))
        if not self._ordered and len({_PARTS.sub("#", name) for name in fitting}) > 1:
            raise self._error(
                slot,
                f"{listing(list(fitting))} all fit it, and a file does not tell their order; say "
                f"which, as in mapping={{{slot.layer.name!r}: {next(iter(fitting))!r}}}",
            )
        return next(iter(fitting.items()))

    def _values(self, slot: _Slot, name: str) -> list[np.ndarray]:
        """Return the values for a slot from a module, or raise `Unfit`."""
        values = slot.rule(slot.layer, self.left[name])
        for variable, value in zip(slot.variables, values, strict=True):
            if value.shape != variable.shape:
                raise Unfit(
                    f"its {variable.name} would have shape {value.shape}, the layer's has "
                    f"{variable.shape}"
                )
        orders = self._orders.get(id(slot.layer))
        return values if orders is None else orders.apply(values)

    def _error(self, slot: _Slot, reason: str) -> ValueError:
        kind = type(slot.layer).__name__
        return ValueError(
            f"{self._label} does not fit the model: for layer {slot.layer.name} ({kind}) {reason}."
        )


def _first_of(reasons: Mapping[str, str]) -> str:
    if not reasons:
        return ", as none are left"
    name, reason = next(iter(reasons.items()))
    return f"; the next one, {name or 'the root'}, does not because {reason}"
