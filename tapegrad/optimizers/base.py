"""What all optimizers share: variables, gradients and slots in flat buffers.

The variables of one dtype are moved into one buffer, in which each remains a view; gradients are
gathered into a second one, and an update is one call of one kernel for all of them. A subclass
says which slots it needs (momentum, squared gradients …) and how a buffer is updated; it does not
know which variables there are, nor on which device.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from tapegrad._core.device import device
from tapegrad._core.flat import FlatVariables
from tapegrad._core.primitive import primitive
from tapegrad._core.tensor import Tensor
from tapegrad._core.variable import Variable
from tapegrad.utils.config import Configurable
from tapegrad.utils.lookup import snake_case
from tapegrad.utils.tensors import as_tensor

__all__ = ["Optimizer"]


_ONE = np.ones((), np.int64)


def _add_one(counter: np.ndarray) -> None:
    np.add(counter, _ONE, out=counter)  # a Python 1 would be converted each time


_increment: Any = primitive("increment", mutates=(0,), doc="Add 1 to a counter on the host.")
_increment.on("cpu", _add_one)


class _Group:
    """Variables of one dtype and device in one buffer, and the slots beside it."""

    def __init__(self, variables: Sequence[Variable], slot_names: Sequence[str]) -> None:
        self.flat = FlatVariables(variables)
        self.slots = {name: self.flat.buffer(name) for name in slot_names}

    def split(self) -> list[_Group]:
        """Return a group for each variable, with its part of the slots."""
        groups: list[_Group] = []
        for variable, offset in zip(self.flat.variables, self.flat.offsets):
            group = _Group([variable], list(self.slots))
            for name, buffer in group.slots.items():
                buffer.assign(self.slots[name].value[offset : offset + buffer.size])
            groups.append(group)
        return groups


class Optimizer(Configurable):
    """Base of all optimizers.

    A subclass names its slots in ``slot_names`` and writes
    ``update(parameters, gradients, slots)``.

    Parameters
    ----------
    learning_rate
        The step size; a number.
    name
        By default the class's name in snake case.

    Raises
    ------
    ValueError
        If the learning rate is negative or not finite.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x = tg.Variable(3.0)
    >>> optimizer = tg.optimizers.SGD(learning_rate=0.5)
    >>> optimizer.apply([tg.tensor(2.0)], [x])
    >>> float(x)
    2.0
    """

    slot_names: ClassVar[tuple[str, ...]] = ()

    def __init__(self, learning_rate: Any, name: str | None = None) -> None:
        self.name = name or snake_case(type(self).__name__)
        # Counters and rates are small and read on the host, whichever device holds the weights.
        # They are Variables, so that a recorded step reads their current value.
        with device("cpu"):
            self._learning_rate = Variable(
                np.float64(_checked_rate(learning_rate, self.name)),
                name="learning_rate",
                trainable=False,
            )
            self.iterations = Variable(np.int64(0), name="iterations", trainable=False)
        self._groups: list[_Group] = []
        self._group_of: dict[int, _Group] = {}
        self._last: tuple[list[int], list[tuple[_Group, list[int]]]] | None = None
        self._shapes: list[tuple[int, ...]] = []
        self._constrained: list[Any] = []

    # ---- what subclasses write -------------------------------------------------------

    def update(self, parameters: Variable, gradients: Variable, slots: dict[str, Variable]) -> None:
        """Update one buffer of parameters in place.

        Parameters
        ----------
        parameters, gradients
            Flat buffers of one length.
        slots
            A buffer of that length for each of ``slot_names``, zero before the first step.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how it updates.")

    # ---- use -------------------------------------------------------------------------

    @property
    def learning_rate(self) -> Variable:
        """The step size; assign a number to change it."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self._learning_rate.assign(np.asarray(_checked_rate(value, self.name), np.float64))

    @property
    def variables(self) -> list[Variable]:
        """The counter, the learning rate and all slots."""
        slots = [slot for group in self._groups for slot in group.slots.values()]
        return [self.iterations, self._learning_rate, *slots]

    def build(self, variables: Iterable[Variable]) -> None:
        """Make slots for these variables, those that have them already left out."""
        fresh: dict[tuple[Any, str], list[Variable]] = {}
        for variable in variables:
            if id(variable) not in self._group_of:
                fresh.setdefault((variable.dtype, variable.device), []).append(variable)
        for members in fresh.values():
            self._add_group(_Group(members, self.slot_names))

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> None:
        """Take one step, from pairs of gradients and variables.

        Raises
        ------
        ValueError
            As `apply`.

        Examples
        --------
        >>> import tapegrad as tg
        >>> x = tg.Variable(3.0)
        >>> tg.optimizers.SGD(1.0).apply_gradients([(tg.tensor(1.0), x)])
        >>> float(x)
        2.0
        """
        pairs = list(grads_and_vars)
        self.apply([gradient for gradient, _ in pairs], [variable for _, variable in pairs])

    def apply(
        self, gradients: Sequence[Any], trainable_variables: Sequence[Variable] | None = None
    ) -> None:
        """Take one step.

        Parameters
        ----------
        gradients
            One for each variable; variables whose gradient is None are left as they are.
        trainable_variables
            The variables; by default those given last.

        Raises
        ------
        ValueError
            If there are no variables, their number is not that of the gradients, shapes differ,
            or all gradients are None.
        """
        gradients = list(gradients)
        variables = self._given(gradients, trainable_variables)
        for gradient in gradients:
            if type(gradient) is not Tensor:
                gradients, variables = self._present_tensors(gradients, variables)
                break
        plan = self._plan(variables)
        if [gradient._data.shape for gradient in gradients] != self._shapes:
            raise self._wrong_shape(gradients, variables)
        _increment(self.iterations)
        for group, positions in plan:
            flat = group.flat
            buffer = flat.gather([gradients[position] for position in positions])
            self.update(flat.prepare_write(), buffer, group.slots)
        for variable in self._constrained:
            variable.assign(variable.constraint(variable))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} learning_rate={float(self._learning_rate):g}>"

    # ---- grouping --------------------------------------------------------------------

    def _given(
        self, gradients: list[Any], variables: Sequence[Variable] | None
    ) -> Sequence[Variable]:
        if variables is None:
            variables = [v for group in self._groups for v in group.flat.variables]
        if len(gradients) != len(variables) or not gradients:
            raise ValueError(
                f"{self.name}: got {len(gradients)} gradients for {len(variables)} variables."
            )
        return variables

    def _wrong_shape(self, gradients: list[Any], variables: Sequence[Variable]) -> ValueError:
        gradient, variable = next(
            (g, v) for g, v in zip(gradients, variables) if g.shape != v.shape
        )
        return ValueError(
            f"{self.name}: the gradient for {variable.name} has shape {gradient.shape}, but the "
            f"variable has shape {variable.shape}."
        )

    def _present_tensors(
        self, gradients: list[Any], variables: Sequence[Variable]
    ) -> tuple[list[Any], Sequence[Variable]]:
        """Return gradients as Tensors, and leave out variables that have none."""
        present = [(as_tensor(g), v) for g, v in zip(gradients, variables) if g is not None]
        if len(present) == len(gradients):
            return [g for g, _ in present], variables
        names = [v.name for g, v in zip(gradients, variables) if g is None]
        if not present:
            raise ValueError(
                f"{self.name}: no gradient was given for any variable ({', '.join(names)}): the "
                "loss does not depend on them, or they were not watched by the tape."
            )
        warnings.warn(
            f"{self.name}: no gradient for {', '.join(names)}; these variables stay as they are.",
            stacklevel=4,
        )
        return [g for g, _ in present], [v for _, v in present]

    def _plan(self, variables: Sequence[Variable]) -> list[tuple[_Group, list[int]]]:
        """Return the groups to update, with the position of each member's gradient."""
        ids = [id(variable) for variable in variables]
        if self._last is not None and self._last[0] == ids:
            return self._last[1]
        if len(set(ids)) != len(ids):
            raise ValueError(f"{self.name}: a variable was given twice.")
        self.build(variables)
        position = {identity: index for index, identity in enumerate(ids)}
        for group in list(self._groups):
            members = [id(variable) in position for variable in group.flat.variables]
            if any(members) and not all(members):
                # Some members have no gradient: from now on they are updated one by one.
                self._groups.remove(group)
                for part in group.split():
                    self._add_group(part)
        plan = [
            (group, [position[id(variable)] for variable in group.flat.variables])
            for group in self._groups
            if id(group.flat.variables[0]) in position
        ]
        self._last = (ids, plan)
        self._shapes = [variable.shape for variable in variables]
        self._constrained = [v for v in variables if v.constraint is not None]
        return plan

    def _add_group(self, group: _Group) -> None:
        self._groups.append(group)
        for variable in group.flat.variables:
            self._group_of[id(variable)] = group


def _checked_rate(learning_rate: Any, owner: str) -> float:
    """Return the learning rate as a number, or raise."""
    try:
        rate = float(learning_rate)
    except (TypeError, ValueError):
        raise TypeError(
            f"{owner}: learning_rate must be a number, not {type(learning_rate).__name__}."
        ) from None
    if not np.isfinite(rate) or rate < 0:
        raise ValueError(f"{owner}: learning_rate must be finite and not negative, got {rate}.")
    return rate


def legacy_learning_rate(learning_rate: float, lr: float | None) -> float:
    """Return the learning rate, given under its old name `lr` or not, with a deprecation note."""
    if lr is None:
        return learning_rate
    warnings.warn(
        "The argument lr is deprecated; use learning_rate.", DeprecationWarning, stacklevel=3
    )
    return lr
