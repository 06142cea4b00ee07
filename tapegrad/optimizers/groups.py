"""The variables of an optimizer, and their slots, in flat buffers that one kernel updates.

Variables of one dtype and device that follow one rule form a group. Their values, their gradients
and each of their slots (momentum, running means …) lie in one buffer each. Every slot of every
variable is also a Variable of its own, a view of its segment, which can be saved and assigned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tapegrad._core.device import device
from tapegrad._core.flat import FlatVariables
from tapegrad._core.tensor import Tensor
from tapegrad._core.variable import Variable

if TYPE_CHECKING:
    from tapegrad.optimizers.transformations.base import Rule, Transformation

__all__ = ["Group", "Groups", "SlotPlan"]


class SlotPlan:
    """Which slots the transformations of an optimizer need, and under which names they are kept.

    Parameters
    ----------
    shared
        Transformations that act on all variables. A name that two of them use is numbered:
        ``momentum``, ``momentum_1``.
    rules
        Rules, of which each variable follows one.
    """

    def __init__(self, shared: Sequence[Transformation], rules: Sequence[Rule]) -> None:
        taken: set[str] = set()
        self.names: dict[Transformation, dict[str, str]] = {}
        for transformation in shared:
            self.names[transformation] = own = _numbered(transformation.slots, taken)
            taken.update(own.values())
        for rule in rules:
            self.names[rule] = _numbered(rule.slots, taken)
        self._shared = list(shared)

    def make(self, variable: Variable, rule: Rule) -> dict[str, Variable]:
        """Return new slots for a variable that follows a rule."""
        made: dict[str, Variable] = {}
        with device(variable.device):
            for transformation in (*self._shared, rule):
                for name, initial in transformation.slots.items():
                    if initial == "value":
                        value = variable.numpy()
                    else:
                        shape = transformation.slot_shape(variable.shape)
                        value = np.full(shape, initial, variable.dtype)
                    kept = self.names[transformation][name]
                    made[kept] = Variable(value, name=f"{variable.name}_{kept}", trainable=False)
        return made

    def of(self, rule: Rule) -> dict[Transformation, dict[str, str]]:
        """Return the names of all slots of a variable that follows a rule."""
        return {part: self.names[part] for part in (*self._shared, rule)}


def _numbered(names: Iterable[str], taken: set[str]) -> dict[str, str]:
    """Return a name that is not taken for each name."""
    kept: dict[str, str] = {}
    for name in names:
        free, number = name, 1
        while free in taken:
            free, number = f"{name}_{number}", number + 1
        kept[name] = free
    return kept


class Group:
    """Variables that one call of a kernel updates.

    Parameters
    ----------
    variables
        Of one dtype and device.
    slots
        The slots of each of them, by name.
    rule
        What updates them.
    names
        The names under which the slots of each transformation are kept.
    decayed
        Tells of a variable whether its weights decay.

    Attributes
    ----------
    flat : FlatVariables
        The variables in their buffer.
    offsets, shapes : tuple
        Where each variable begins in the buffers, and its shape.
    decayed : tuple of bool, or None
        Which of the variables decay; None if all do.
    updates : Variable
        The gradients of this step in one buffer; transformations change them in place.
    """

    updates: Variable

    def __init__(
        self,
        variables: Sequence[Variable],
        slots: Sequence[Mapping[str, Variable]],
        rule: Rule,
        names: Mapping[Transformation, Mapping[str, str]],
        decayed: Callable[[Variable], bool],
    ) -> None:
        self.variables = list(variables)
        self.rule = rule
        self.flat = FlatVariables(variables)
        self.offsets = self.flat.offsets
        self.shapes = tuple(variable.shape for variable in variables)
        flags = tuple(decayed(variable) for variable in variables)
        self.decayed = None if all(flags) else flags
        self._slots: dict[Any, dict[str, FlatVariables]] = {}
        for transformation, own in names.items():
            # What is not of the variables' shapes stands without gaps: kernels count on it.
            plain = transformation.slot_shape((3, 5)) == (3, 5)
            gaps = {} if plain else {"alignment": 1}
            self._slots[transformation] = {
                name: FlatVariables([each[full] for each in slots], name=full, **gaps)
                for name, full in own.items()
            }

    def slots(self, transformation: Transformation) -> dict[str, Variable]:
        """Return the buffers of a transformation's slots, safe to be written, by name."""
        return {name: flat.prepare_write() for name, flat in self._slots[transformation].items()}

    def gather(self, gradients: Sequence[Tensor]) -> None:
        """Copy the gradients of the group's variables into `updates`."""
        self.updates = self.flat.gather(gradients)


class Groups:
    """All variables of an optimizer with their slots, cut into groups.

    Parameters
    ----------
    plan
        The slots that each variable needs.
    rule_for
        Returns the rule that a variable follows.
    decayed
        Tells of a variable whether its weights decay.

    Attributes
    ----------
    variables : list of Variable
        In the order in which they came.
    slots : list of dict
        The slots of each variable, by name.
    """

    def __init__(
        self,
        plan: SlotPlan,
        rule_for: Callable[[Variable], Rule],
        decayed: Callable[[Variable], bool],
    ) -> None:
        self._plan = plan
        self._rule_for = rule_for
        self._decayed = decayed
        self._place: dict[int, int] = {}
        self.variables: list[Variable] = []
        self.slots: list[dict[str, Variable]] = []
        self.all: list[Group] = []

    def position(self, variable: Variable) -> int | None:
        """Return the number of a variable, or None if it is not known."""
        return self._place.get(id(variable))

    def add(self, variables: Sequence[Variable]) -> None:
        """Make slots for variables, those that have them already left out."""
        fresh = [variable for variable in variables if id(variable) not in self._place]
        for variable in fresh:
            self._place[id(variable)] = len(self.variables)
            self.variables.append(variable)
            self.slots.append(self._plan.make(variable, self._rule_for(variable)))
        self.all += [self._group(members) for members in self._kinds(fresh)]

    def select(self, variables: Sequence[Variable]) -> list[Group]:
        """Return the groups that hold exactly these variables.

        Variables are grouped anew where they are not together, or with others that are not wanted
        (which have no gradient). So the groups of a step depend on its variables alone, not on what
        was before, and a run that is resumed sums up in the same order.
        """
        wanted = {id(variable) for variable in variables}
        kinds = self._kinds([v for v in self.variables if id(v) in wanted])
        standing = {tuple(map(id, group.variables)): group for group in self.all}
        chosen: list[Group] = []
        for members in kinds:
            group = standing.pop(tuple(map(id, members)), None)
            chosen.append(self._group(members) if group is None else group)
        self.all = list(chosen)
        for identities, group in standing.items():
            others = [v for v in group.variables if id(v) not in wanted]
            if others:
                complete = len(others) == len(identities)
                self.all.append(group if complete else self._group(others))
        return chosen

    def _kinds(self, variables: Sequence[Variable]) -> list[list[Variable]]:
        """Return the variables by dtype, device and rule."""
        kinds: dict[Any, list[Variable]] = {}
        for variable in variables:
            key = (variable.dtype, variable.device, id(self._rule_for(variable)))
            kinds.setdefault(key, []).append(variable)
        return list(kinds.values())

    def _group(self, variables: Sequence[Variable]) -> Group:
        slots = [self.slots[self._place[id(variable)]] for variable in variables]
        rule = self._rule_for(variables[0])
        return Group(variables, slots, rule, self._plan.of(rule), self._decayed)
