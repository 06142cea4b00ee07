"""What all optimizers share: options, the course of a step, the learning rate, the state."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tapegrad import ops
from tapegrad._core.device import device
from tapegrad._core.variable import Variable
from tapegrad.optimizers.arguments import (
    Fixed,
    WithoutStep,
    checked_accumulation,
    deprecate_lr,
    gradient_transformations,
    legacy_arguments,
    of_the_step,
)
from tapegrad.optimizers.custom import PerVariable, PerVariableMethods
from tapegrad.optimizers.groups import Group
from tapegrad.optimizers.planning import PlanMethods
from tapegrad.optimizers.rates import checked_rate, follow_schedule
from tapegrad.optimizers.state import StateMethods
from tapegrad.optimizers.transformations.averaging import AverageParameters
from tapegrad.optimizers.transformations.base import Rule, Settings, Transformation
from tapegrad.utils.config import Configurable
from tapegrad.utils.lookup import snake_case
from tapegrad.utils.serialization import serialize
from tapegrad.utils.tensors import as_tensor

__all__ = ["Optimizer"]


class Optimizer(PlanMethods, StateMethods, PerVariableMethods, Configurable):
    """Base of all optimizers.

    A step is a course of small transformations of the gradients
    (`tapegrad.optimizers.transformations`), all on flat buffers::

        unscale → accumulate → clip → rule (with weight decay and learning rate) → average

    of which an optimizer runs those that it was asked for. Its rule (Adam's, SGD's …) updates the
    parameters with one kernel. A subclass sets ``rule``, or writes
    ``update_step(gradient, variable, learning_rate)`` as in Keras.

    Parameters
    ----------
    learning_rate
        η: a number, a `tapegrad.optimizers.schedules.LearningRateSchedule`, or a function.
    weight_decay
        λ: before each update ``p ← p - η λ p``. This is decoupled decay (I. Loshchilov and
        F. Hutter, arXiv:1711.05101), which no rule rescales; for an L2 penalty, whose gradient is
        scaled like any other, give layers a ``kernel_regularizer``.
    clipnorm
        The largest norm of the gradient of each variable.
    clipvalue
        The largest magnitude of an element of a gradient.
    global_clipnorm
        The largest norm of all gradients together. At most one of the three can be given.
    use_ema
        Whether to keep running means of the parameters.
    ema_momentum
        Their decay.
    ema_overwrite_frequency
        After how many updates parameters are set to their means each time. If None, this happens
        once, when `finalize_variable_values` is called at the end of ``fit``.
    loss_scale_factor
        What `scale_loss` multiplies the loss by; gradients are divided by it.
    gradient_accumulation_steps
        Over how many steps gradients are averaged before parameters change; None for one.
    name
        By default the class's name in snake case.

    Raises
    ------
    ValueError
        If an argument is out of its range, or several ways of clipping are given.
    TypeError
        If the learning rate is of no known kind, or an argument is unknown.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x = tg.Variable(3.0)
    >>> optimizer = tg.optimizers.SGD(learning_rate=0.5, clipvalue=1.0)
    >>> optimizer.apply([tg.tensor(2.0)], [x])
    >>> float(x)
    2.5
    """

    rule: Any = None
    """What updates the parameters."""

    clipnorm = Fixed()
    clipvalue = Fixed()
    global_clipnorm = Fixed()
    use_ema = Fixed()
    ema_momentum = Fixed()
    ema_overwrite_frequency = Fixed()
    loss_scale_factor = Fixed()
    gradient_accumulation_steps = Fixed()

    def __init__(
        self,
        learning_rate: Any,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        owner = type(self).__name__
        self.name = name or snake_case(owner)
        known = list(inspect.signature(Optimizer.__init__).parameters)[1:-1]
        learning_rate = legacy_arguments(owner, learning_rate, kwargs, known)
        if weight_decay is not None and not weight_decay >= 0:
            raise ValueError(f"{owner}: weight_decay must not be negative, but is {weight_decay}.")
        self.weight_decay = weight_decay
        self._fixed: dict[str, Any] = {}
        self.clipnorm, self.clipvalue, self.global_clipnorm = clipnorm, clipvalue, global_clipnorm
        self.use_ema = bool(use_ema)
        self.ema_momentum = ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        # Counters and rates are small and read on the host, whichever device holds the weights.
        with device("cpu"):
            self._iterations = Variable(np.int64(0), name="iteration", trainable=False)
            self._learning_rate = Variable(np.float64(0), name="learning_rate", trainable=False)
            self._count = Variable(np.int64(1), name="count", trainable=False)
        self._schedule: Any = None
        self.learning_rate = learning_rate
        self._every = checked_accumulation(owner, gradient_accumulation_steps)
        # The number of an update is that of the step, unless steps are counted after it: where only
        # some are updates, and where code of the user's reads `iterations` in between.
        self._counts_first = self._every == 1
        bounds = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        self._before = gradient_transformations(
            owner, self._iterations, loss_scale_factor, self._every, bounds
        )
        self._average = (
            AverageParameters(ema_momentum, ema_overwrite_frequency) if use_ema else None
        )
        self._own_variables: list[Variable] = []
        self._kept: list[Variable] = []  # from weight decay
        self._kept_names: re.Pattern[str] | None = None

    # ---- the course of a step --------------------------------------------------------

    @property
    def transformations(self) -> tuple[Transformation, ...]:
        """All transformations of a step, in their order; weight decay and rate are the rule's."""
        after = () if self._average is None else (self._average,)
        return (*self._before, *self._rules(), *after)

    def _rules(self) -> tuple[Rule, ...]:
        """Return all rules; one, except in optimizers that treat variables differently."""
        if self.rule is None:
            if type(self).update_step is PerVariableMethods.update_step:
                raise NotImplementedError(
                    f"{type(self).__name__} sets no rule and has no update_step."
                )
            self._counts_first = False
            self.rule = PerVariable(self)
        return (self.rule,)

    def _rate_and_decay(self, rule: Rule) -> tuple[Any, float]:
        return self._learning_rate, self.weight_decay or 0.0

    def apply(
        self, gradients: Sequence[Any], trainable_variables: Sequence[Variable] | None = None
    ) -> None:
        """Take one step.

        Parameters
        ----------
        gradients
            One for each variable; variables whose gradient is None are left as they are.
        trainable_variables
            The variables; by default all that the optimizer was built for.

        Raises
        ------
        ValueError
            If there are no variables, their number is not that of the gradients, shapes differ,
            or all gradients are None.
        """
        gradients = list(gradients)
        variables = self._given(gradients, trainable_variables)
        try:
            shapes = [gradient._data.shape for gradient in gradients]
        except AttributeError:  # not all are Tensors
            gradients, variables = self._present_tensors(gradients, variables)
            shapes = [gradient._data.shape for gradient in gradients]
        plan, groups = self._plan(variables)
        if shapes != self._shapes:
            raise self._wrong_shape(gradients, variables)
        if self._schedule is not None:
            follow_schedule(self._learning_rate, self._iterations, self._schedule)
        count = self._iterations
        if self._counts_first:
            ops.increment(count)
        else:
            count = self._count
            ops.number_update(count, self._iterations, every=self._every)
        for group, positions in plan:
            group.gather(gradients if positions is None else [gradients[i] for i in positions])
        for transformation in self._before:
            if transformation.transform(groups, count) is False:
                break
        else:
            for group in groups:
                self._update(group, count)
        if self._average is not None and self._groups is not None:
            self._average.transform(self._groups.all, count)
        for variable in self._constrained:
            variable.assign(variable.constraint(variable))
        if not self._counts_first:
            ops.increment(self._iterations)

    def _update(self, group: Group, count: Variable) -> None:
        """Update the parameters of a group."""
        rule: Any = group.rule
        rate, decay = self._rate_and_decay(rule)
        parameters = group.flat.prepare_write()
        if decay and group.decayed is not None:
            ops.weight_decay_update(
                parameters, rate, decay, offsets=group.offsets, decayed=group.decayed
            )
            decay = 0.0
        settings = Settings(rate, decay, count, group)
        rule.step(parameters, group.updates, group.slots(rule), settings)

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> Variable:
        """Take one step, from pairs of gradients and variables.

        Returns
        -------
        Variable
            The number of steps taken.

        Raises
        ------
        ValueError
            As `apply`.

        Examples
        --------
        >>> import tapegrad as tg
        >>> x = tg.Variable(3.0)
        >>> _ = tg.optimizers.SGD(1.0).apply_gradients([(tg.tensor(1.0), x)])
        >>> float(x)
        2.0
        """
        pairs = list(grads_and_vars)
        self.apply([gradient for gradient, _ in pairs], [variable for _, variable in pairs])
        return self._iterations

    def scale_loss(self, loss: Any) -> Any:
        """Return the loss multiplied by ``loss_scale_factor``, of which to take gradients."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """With ``use_ema``, set variables to their running means; training does this at its end.

        Parameters
        ----------
        var_list
            The model's trainable variables.

        Raises
        ------
        ValueError
            If the optimizer does not know one of them.
        """
        if self._average is None:
            return
        for variable in var_list:
            position = None if self._groups is None else self._groups.position(variable)
            if position is None or self._groups is None:
                raise ValueError(f"{self.name}: there is no running mean of {variable.name!r}.")
            variable.assign(self._groups.slots[position]["average"].value)

    def _phase(self) -> tuple[bool, int]:
        """Return whether the next step is an update, and how many steps are alike from there on.

        With gradient accumulation steps are of two kinds, and each kind is recorded for itself.
        """
        place = self._iterations._tensor._data.item() % self._every
        due = place == self._every - 1
        return due, 1 if due else self._every - 1 - place

    # ---- settings --------------------------------------------------------------------

    @property
    def iterations(self) -> Any:
        """The number of steps taken; with gradient accumulation, of updates."""
        return self._iterations if self._every == 1 else self._iterations // self._every

    @property
    def learning_rate(self) -> Any:
        """The step size: a Variable, or what a schedule gives for the next step.

        Assign a number to change it, or a schedule or function to have it change by itself.
        """
        if self._schedule is None:
            return self._learning_rate
        return as_tensor(np.float64(self._schedule(self._iterations)))

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if callable(value):
            self._schedule = of_the_step(value)
        elif self._schedule is not None:
            raise TypeError(
                f"{self.name}: the learning rate follows a schedule, so no number can be assigned; "
                "make the optimizer with a number, or assign another schedule."
            )
        else:
            self._learning_rate.assign(np.asarray(checked_rate(value, self.name), np.float64))

    @property
    def lr(self) -> Any:
        """The old name of `learning_rate`."""
        deprecate_lr(3)
        return self.learning_rate

    @lr.setter
    def lr(self, value: Any) -> None:
        deprecate_lr(3)
        self.learning_rate = value

    def exclude_from_weight_decay(
        self,
        var_list: Sequence[Variable] | None = None,
        var_names: Sequence[str] | None = None,
    ) -> None:
        """Say which variables do not decay, before the optimizer is built.

        Parameters
        ----------
        var_list
            Variables.
        var_names
            Patterns: a variable in whose name one is found does not decay. ``["bias"]`` keeps all
            biases.

        Raises
        ------
        ValueError
            If the optimizer is built already.

        Examples
        --------
        >>> import tapegrad as tg
        >>> optimizer = tg.optimizers.AdamW()
        >>> optimizer.exclude_from_weight_decay(var_names=["bias", "gamma"])
        """
        if self.built:
            raise ValueError(
                f"{self.name}: exclude_from_weight_decay must be called before the first step."
            )
        self._kept = list(var_list or ())
        self._kept_names = re.compile("|".join(var_names)) if var_names else None

    def _decays(self, variable: Variable) -> bool:
        if any(variable is kept for kept in self._kept):
            return False
        return self._kept_names is None or self._kept_names.search(variable.name) is None

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, with the learning rate of this moment."""
        config = super().get_config()
        if "learning_rate" in config:
            schedule = self._schedule
            if isinstance(schedule, WithoutStep):
                schedule = schedule.given
            config["learning_rate"] = (
                float(self._learning_rate)
                if schedule is None
                else serialize(schedule, f"{type(self).__name__}: learning_rate")
            )
        return config

    def __repr__(self) -> str:
        schedule = self._schedule
        rate = f"{float(self._learning_rate):g}" if schedule is None else type(schedule).__name__
        return f"<{type(self).__name__} learning_rate={rate}>"
