"""What optimizers do with the arguments that they share."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

from tapegrad._core.variable import Variable
from tapegrad.optimizers.transformations.averaging import AccumulateGradients
from tapegrad.optimizers.transformations.base import Transformation
from tapegrad.optimizers.transformations.clipping import ClipByGlobalNorm, ClipByNorm, ClipByValue
from tapegrad.optimizers.transformations.scaling import Scale
from tapegrad.utils.lookup import suggestion

__all__ = [
    "Fixed",
    "FromRule",
    "WithoutStep",
    "checked_accumulation",
    "deprecate_lr",
    "gradient_transformations",
    "legacy_arguments",
    "of_the_step",
]

_CLIPPING: dict[str, Callable[[float], Transformation]] = {
    "clipnorm": ClipByNorm,
    "clipvalue": ClipByValue,
    "global_clipnorm": ClipByGlobalNorm,
}


class FromRule:
    """An attribute of an optimizer that is one of its rule: there is one copy of the number.

    Parameters
    ----------
    name
        What it is called there, if not the same.
    rule
        The attribute of the optimizer that holds the rule.
    """

    def __init__(self, name: str | None = None, rule: str = "rule") -> None:
        self._name: Any = name
        self._rule = rule

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = self._name or name

    def __get__(self, optimizer: Any, owner: type | None = None) -> Any:
        return self if optimizer is None else getattr(getattr(optimizer, self._rule), self._name)

    def __set__(self, optimizer: Any, value: Any) -> None:
        setattr(getattr(optimizer, self._rule), self._name, value)


class Fixed:
    """An attribute of an optimizer that is given when it is made, and cannot be changed."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, optimizer: Any, owner: type | None = None) -> Any:
        return self if optimizer is None else optimizer._fixed[self._name]

    def __set__(self, optimizer: Any, value: Any) -> None:
        if self._name in optimizer._fixed:
            raise AttributeError(
                f"{type(optimizer).__name__}: {self._name} is fixed when the optimizer is made; "
                "make a new one."
            )
        optimizer._fixed[self._name] = value


def gradient_transformations(
    owner: str,
    iterations: Variable,
    loss_scale_factor: float | None,
    accumulated: int,
    bounds: dict[str, float | None],
) -> list[Transformation]:
    """Return what happens to gradients before the rule.

    Raises
    ------
    ValueError
        If a factor or a bound is not above 0, or more than one bound is given.
    """
    made: list[Transformation] = []
    if loss_scale_factor is not None:
        if not loss_scale_factor > 0:
            raise ValueError(
                f"{owner}: loss_scale_factor must be above 0, but is {loss_scale_factor}."
            )
        made.append(Scale(1.0 / loss_scale_factor))
    if accumulated > 1:
        made.append(AccumulateGradients(accumulated, iterations))
    chosen = {name: bound for name, bound in bounds.items() if bound is not None}
    if len(chosen) > 1:
        given = " and ".join(f"{name}={bound}" for name, bound in chosen.items())
        raise ValueError(
            f"{owner}: only one of clipnorm, clipvalue and global_clipnorm can be given, but got "
            f"{given}."
        )
    for name, bound in chosen.items():
        if not bound > 0:
            raise ValueError(f"{owner}: {name} must be above 0, but is {bound}; None for none.")
        made.append(_CLIPPING[name](bound))
    return made


def checked_accumulation(owner: str, steps: int | None) -> int:
    """Return over how many steps gradients are averaged, 1 for none."""
    if not steps:
        return 1
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 2:
        raise ValueError(
            f"{owner}: gradient_accumulation_steps must be a whole number of at least 2, or None, "
            f"but is {steps!r}."
        )
    return steps


def legacy_arguments(
    owner: str, learning_rate: Any, given: dict[str, Any], known: list[str]
) -> Any:
    """Return the learning rate, which may come under its old name; refuse what is unknown."""
    given = dict(given)
    if given.get("lr") is not None:
        deprecate_lr(4)
        learning_rate = given["lr"]
    given.pop("lr", None)
    decay = given.pop("decay", None)
    if decay:
        raise ValueError(
            f"{owner}: decay= is not known any more; for the same course give "
            f"learning_rate=schedules.InverseTimeDecay({learning_rate}, decay_steps=1, "
            f"decay_rate={decay})."
        )
    if given:
        name = next(iter(given))
        raise TypeError(f"{owner}: unknown argument {name!r}.{suggestion(name, known)}")
    return learning_rate


def deprecate_lr(level: int) -> None:
    """Warn that `lr` is the old name."""
    warnings.warn("lr is deprecated; use learning_rate.", DeprecationWarning, stacklevel=level + 1)


def of_the_step(function: Any) -> Any:
    """Return a function of the step; one without arguments is wrapped."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return function
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if any(p.kind in kinds or p.kind is p.VAR_POSITIONAL for p in parameters):
        return function

    return WithoutStep(function)


class WithoutStep:
    """A function without arguments in the place of a schedule."""

    def __init__(self, given: Callable[[], Any]) -> None:
        self.given = given

    def __call__(self, step: Any) -> Any:
        """Return its value of this moment."""
        return self.given()
