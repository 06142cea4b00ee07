"""What a transformation of gradients is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from tapegrad._core.variable import Variable
from tapegrad.utils.config import Configurable

if TYPE_CHECKING:
    from tapegrad.optimizers.groups import Group

__all__ = ["FirstValues", "Rule", "Settings", "Slots", "Transformation", "zeros"]

FirstValues = Mapping[str, float | str]
"""Names of slots with their first value: a number, or ``"value"`` for the variable's own."""


def zeros(*names: str) -> FirstValues:
    """Return slots of these names that begin as zeros."""
    return dict.fromkeys(names, 0.0)


Slots = dict[str, Variable]
"""The buffers of a rule's slots, by name."""


class Settings(NamedTuple):
    """What an update depends on besides its buffers.

    Attributes
    ----------
    learning_rate, weight_decay
        η and λ: numbers or Variables.
    count
        The number of this update, from 1.
    group
        Says where each variable begins, and its shape.
    """

    learning_rate: Any
    weight_decay: Any
    count: Any
    group: Group


class Transformation(Configurable):
    """One step on the way from gradients to an update: it changes their buffer in place.

    A subclass says in `slots` what it keeps for each variable, and in `transform` what it does,
    with one call of an operation for all variables of a group.

    Attributes
    ----------
    slots : dict
        Names of what is kept, and the first value: a number, or ``"value"`` for the variable's
        own.

    Examples
    --------
    >>> import tapegrad as tg
    >>> from tapegrad.optimizers import transformations as t
    >>> class Negate(t.Transformation):
    ...     def transform(self, groups, count):
    ...         for group in groups:
    ...             tg.ops.scale_update(group.updates, -1.0)
    >>> x = tg.Variable(1.0)
    >>> tg.optimizers.chain(Negate(), t.scale(0.5)).apply([tg.tensor(1.0)], [x])
    >>> float(x)
    0.5
    """

    slots: FirstValues = zeros()

    def slot_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of a slot of a variable of this shape."""
        return shape

    def transform(self, groups: Sequence[Group], count: Any) -> bool | None:
        """Change the updates of the groups in place.

        Parameters
        ----------
        groups
            The groups of variables that take part; of each, ``group.updates`` is the buffer of
            gradients or of what earlier transformations made of them.
        count
            The number of this update, from 1: a Variable, never a number that a recorded step
            would freeze.

        Returns
        -------
        bool or None
            False if parameters are to stay as they are in this step.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say what it does.")


class Rule(Transformation):
    """A transformation whose kernel can update the parameters in the same visit.

    With learning rate η and decay λ its `step` sets ``p ← (1 - η λ) p - η u`` for the direction u
    that it computes from the gradients. Standing alone, as a transformation, it runs the same
    kernel on the updates in place of the parameters, with η = λ = -1: what remains is u.

    Attributes
    ----------
    reads_parameters : bool
        Whether u depends on the parameters.
    takes_rate : bool
        Whether a factor that follows the rule in a chain becomes its η. Otherwise η goes into what
        is kept for later steps, where such a factor must not be.
    """

    reads_parameters: ClassVar[bool] = False
    takes_rate: bool = True

    def step(self, parameters: Variable, gradients: Variable, slots: Slots, by: Settings) -> None:
        """Update a buffer of parameters in place.

        Parameters
        ----------
        parameters, gradients
            Flat buffers of one length.
        slots
            The buffers of the slots, by name.
        by
            η, λ, the number of this update, and the group of variables.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how it updates.")

    def transform(self, groups: Sequence[Group], count: Any) -> None:
        """Put the direction into the place of the updates."""
        for group in groups:
            updates, slots = group.updates, group.slots(self)
            if self.reads_parameters:
                parameters = group.flat.prepare_write()
                moved = Variable(parameters, name="moved", trainable=False)
                self.step(moved, updates, slots, Settings(1.0, 0.0, count, group))
                updates.assign(parameters - moved)
            else:
                self.step(updates, updates, slots, Settings(-1.0, -1.0, count, group))
