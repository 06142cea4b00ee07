"""Optimizers of the user's own that update one variable at a time, as Keras's base class does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tapegrad import initializers, ops
from tapegrad._core.state import floatx
from tapegrad._core.variable import Variable
from tapegrad.optimizers.transformations.base import Rule, Settings, Slots

if TYPE_CHECKING:
    from tapegrad.optimizers.base import Optimizer

__all__ = ["PerVariable", "PerVariableMethods"]


class PerVariable(Rule):
    """The rule of an optimizer that writes `update_step`: it is called for every variable."""

    def __init__(self, optimizer: Optimizer) -> None:
        self._optimizer = optimizer

    def step(self, parameters: Variable, gradients: Variable, slots: Slots, by: Settings) -> None:
        """Update each variable of the group."""
        if by.weight_decay:
            ops.weight_decay_update(parameters, by.learning_rate, by.weight_decay)
        for variable, offset in zip(by.group.variables, by.group.offsets):
            gradient = gradients[offset : offset + variable.size].reshape(variable.shape)
            self._optimizer.update_step(gradient, variable, by.learning_rate)


class PerVariableMethods:
    """What a subclass that writes `update_step` calls to make and change its variables."""

    name: str
    _own_variables: list[Variable]

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Update one variable; written by subclasses that set no rule.

        Parameters
        ----------
        gradient
            A Tensor of the variable's shape.
        variable
            What is to be changed.
        learning_rate
            The rate of this step, a scalar.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how it updates.")

    def add_variable(
        self,
        shape: Sequence[int],
        initializer: Any = "zeros",
        dtype: Any = None,
        name: str | None = None,
    ) -> Variable:
        """Make a variable of the optimizer's own, which is saved with it.

        Parameters
        ----------
        shape
            Its shape.
        initializer
            Its first values: a name or an initializer.
        dtype
            By default floatx.
        name
            Its name.
        """
        chosen = np.dtype(dtype or floatx())
        value = initializers.get(initializer)(tuple(shape), dtype=chosen)
        variable = Variable(value, name=name or "variable", trainable=False, dtype=chosen)
        self._own_variables.append(variable)
        return variable

    def add_variable_from_reference(
        self, reference_variable: Variable, name: str | None = None, initializer: Any = "zeros"
    ) -> Variable:
        """Make a variable of the shape and dtype of another.

        Parameters
        ----------
        reference_variable
            The other.
        name
            What it holds: ``"momentum"``.
        initializer
            Its first values.
        """
        return self.add_variable(
            reference_variable.shape,
            initializer,
            reference_variable.dtype,
            f"{reference_variable.name}_{name or 'var'}",
        )

    def add_optimizer_variables(
        self, trainable_variables: Sequence[Variable], name: Any, initializer: Any = "zeros"
    ) -> Any:
        """Make a variable, or one for each of several names, for each variable of a model.

        Parameters
        ----------
        trainable_variables
            The model's variables.
        name
            A name or a list of names.
        initializer
            An initializer, or one for each name.

        Returns
        -------
        list of Variable, or tuple of such lists
            As `name` is one or many.

        Raises
        ------
        ValueError
            If there are not as many initializers as names.
        """
        names = [name] if isinstance(name, str) else list(name)
        given = isinstance(initializer, list | tuple)
        first = list(initializer) if given else [initializer] * len(names)
        if len(first) != len(names):
            raise ValueError(f"{self.name}: got {len(names)} names and {len(first)} initializers.")
        made: tuple[list[Variable], ...] = tuple([] for _ in names)
        for variable in trainable_variables:
            for into, each, start in zip(made, names, first):
                into.append(self.add_variable_from_reference(variable, each, start))
        return made[0] if isinstance(name, str) else made

    def assign(self, variable: Variable, value: Any) -> None:
        """Set a variable."""
        variable.assign(value)

    def assign_add(self, variable: Variable, value: Any) -> None:
        """Add to a variable."""
        variable.assign_add(value)

    def assign_sub(self, variable: Variable, value: Any) -> None:
        """Subtract from a variable."""
        variable.assign_sub(value)
