"""The state of an optimizer: Variables under names, which are saved and taken up again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tapegrad._core.variable import Variable

if TYPE_CHECKING:
    from tapegrad.optimizers.groups import Groups

__all__ = ["StateMethods"]

# What Keras lists before all other slots, for all variables.
_FIRST = ("average", "gradient_accumulator")


class StateMethods:
    """What an optimizer's state consists of, and how it is saved and restored."""

    name: str
    _iterations: Variable
    _learning_rate: Variable
    _schedule: Any
    _groups: Groups | None
    _own_variables: list[Variable]

    def _named(self) -> Iterator[tuple[str, Variable]]:
        yield "iterations", self._iterations
        if self._schedule is None:
            yield "learning_rate", self._learning_rate
        slots = [] if self._groups is None else self._groups.slots
        for first in _FIRST:
            for number, own in enumerate(slots):
                if first in own:
                    yield f"{number}/{first}", own[first]
        for number, own in enumerate(slots):
            for name, slot in own.items():
                if name not in _FIRST:
                    yield f"{number}/{name}", slot
        for number, variable in enumerate(self._own_variables):
            yield f"own/{number}", variable

    @property
    def variables(self) -> list[Variable]:
        """All that the optimizer keeps from step to step.

        The order is Keras's: the number of steps, the learning rate (unless it follows a schedule),
        running means, accumulated gradients, then the slots of each variable.
        """
        return [variable for _, variable in self._named()]

    def named_variables(self) -> dict[str, Variable]:
        """Return the optimizer's variables under names that are the same in every run.

        Slots are named by the number of their variable, in the order of `build`, and by what they
        hold.

        Examples
        --------
        >>> import tapegrad as tg
        >>> optimizer = tg.optimizers.Adam()
        >>> optimizer.build([tg.Variable([0.0, 0.0])])
        >>> list(optimizer.named_variables())
        ['iterations', 'learning_rate', '0/momentum', '0/velocity']
        """
        return dict(self._named())

    def get_state(self) -> dict[str, np.ndarray]:
        """Return copies of all values of `named_variables`, for saving."""
        return {name: variable.numpy() for name, variable in self._named()}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take up what `get_state` returned: the next steps are those that would have followed.

        Parameters
        ----------
        state
            Arrays by name. The optimizer must be built for the same variables in the same order.

        Raises
        ------
        ValueError
            If names or shapes are not those of this optimizer; it then stays as it was.

        Examples
        --------
        >>> import tapegrad as tg
        >>> old, new, x = tg.optimizers.SGD(0.5), tg.optimizers.SGD(0.1), tg.Variable(0.0)
        >>> old.build([x])
        >>> new.build([x])
        >>> new.set_state(old.get_state())
        >>> float(new.learning_rate)
        0.5
        """
        own = self.named_variables()
        missing = [name for name in own if name not in state]
        unknown = [name for name in state if name not in own]
        if missing or unknown:
            parts = [f"lacks {missing[0]!r}"] if missing else []
            parts += [f"holds {unknown[0]!r}, which is unknown here"] if unknown else []
            raise ValueError(
                f"{self.name}: the state {' and '.join(parts)}; it has {len(state)} entries, this "
                f"optimizer {len(own)}: build it for the same variables, with the same options."
            )
        arrays = {name: np.asarray(state[name]) for name in own}
        for name, variable in own.items():
            if arrays[name].shape != variable.shape:
                raise ValueError(
                    f"{self.name}: {name!r} has shape {arrays[name].shape} in the state, but "
                    f"{variable.shape} here."
                )
        for name, variable in own.items():
            variable.assign(arrays[name])

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set all `variables` from arrays in their order.

        Raises
        ------
        ValueError
            If number or shapes differ; nothing is changed then.
        """
        own = self.named_variables()
        if len(weights) != len(own):
            raise ValueError(
                f"{self.name}: got {len(weights)} arrays for {len(own)} variables; build the "
                "optimizer for the model's variables first."
            )
        self.set_state(dict(zip(own, weights)))
