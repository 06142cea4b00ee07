"""Which gradients belong to which variables, and which groups of variables a step updates."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

from tapegrad._core.variable import Variable
from tapegrad.optimizers.custom import PerVariable
from tapegrad.optimizers.groups import Group, Groups, SlotPlan
from tapegrad.optimizers.transformations.averaging import AverageParameters
from tapegrad.optimizers.transformations.base import Rule, Transformation
from tapegrad.utils.tensors import as_tensor

__all__ = ["PlanMethods"]

_Plan = list[tuple[Group, list[int] | None]]


class PlanMethods:
    """The variables of an optimizer, and the plan of a step that is kept from step to step."""

    name: str
    rule: Any
    _average: AverageParameters | None
    _before: list[Transformation]
    _groups: Groups | None = None
    # The variables of the last step, the positions of each group's gradients, and the groups.
    _last: tuple[list[int], _Plan, list[Group]] | None = None
    _shapes: list[tuple[int, ...]]
    _constrained: list[Any]

    def _rules(self) -> tuple[Rule, ...]:
        raise NotImplementedError

    def _rule_for(self, variable: Variable) -> Rule:
        return self._rules()[0]

    def _decays(self, variable: Variable) -> bool:
        raise NotImplementedError

    @property
    def built(self) -> bool:
        """Whether slots have been made."""
        return self._groups is not None

    def build(self, variables: Iterable[Variable]) -> None:
        """Make slots for these variables, those that have them already left out.

        Parameters
        ----------
        variables
            A model's trainable variables. The order counts: saved state goes by it.
        """
        if self._groups is None:
            averages = [] if self._average is None else [self._average]
            plan = SlotPlan([*averages, *self._before], self._rules())
            self._groups = Groups(plan, self._rule_for, self._decays)
        self._groups.add(list(variables))

    def _get_variable_index(self, variable: Variable) -> int | None:
        return None if self._groups is None else self._groups.position(variable)

    def _given(
        self, gradients: list[Any], variables: Sequence[Variable] | None
    ) -> Sequence[Variable]:
        if variables is None:
            variables = [] if self._groups is None else self._groups.variables
        if len(gradients) != len(variables) or not gradients:
            raise ValueError(
                f"{self.name}: got {len(gradients)} gradients for {len(variables)} variables."
            )
        return variables

    def _refuse_unknown(self, variables: Sequence[Variable]) -> None:
        for variable in variables:
            if self._get_variable_index(variable) is None:
                raise ValueError(
                    f"{self.name}: {variable.name!r} is not one of the variables that the "
                    "optimizer was built for; make a new one, or build it for all of them."
                )

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
        if self._groups is None:
            self.build(variables)  # all, so that their order does not depend on this step
        return [g for g, _ in present], [v for _, v in present]

    def _plan(self, variables: Sequence[Variable]) -> tuple[_Plan, list[Group]]:
        """Return the groups to update, with the positions of their members' gradients."""
        ids = list(map(id, variables))
        if self._last is not None and self._last[0] == ids:
            return self._last[1], self._last[2]
        if len(set(ids)) != len(ids):
            raise ValueError(f"{self.name}: a variable was given twice.")
        if not self.built:
            self.build(variables)
        assert self._groups is not None
        if isinstance(self.rule, PerVariable):
            self._refuse_unknown(variables)
        self._groups.add(variables)
        groups = self._groups.select(variables)
        position = {identity: index for index, identity in enumerate(ids)}
        plan: _Plan = []
        for group in groups:
            places = [position[id(variable)] for variable in group.variables]
            plan.append((group, None if places == list(range(len(ids))) else places))
        self._last = (ids, plan, groups)
        self._shapes = [variable.shape for variable in variables]
        self._constrained = [v for v in variables if v.constraint is not None]
        return plan, groups
