"""Arithmetic, powers and roots."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core.builtin import add
from tapegrad._core.primitive import defvjp
from tapegrad.ops._elementwise import elementwise
from tapegrad.ops._exponential import log
from tapegrad.ops._selection import equal, where

elementwise(np.add, existing=add)

subtract = elementwise(np.subtract, saves="none")
defvjp(subtract, lambda g, answer, x, y: g, lambda g, answer, x, y: -g)

multiply = elementwise(np.multiply, saves="inputs")
defvjp(multiply, lambda g, answer, x, y: g * y, lambda g, answer, x, y: g * x)

divide = elementwise(np.divide, aliases=("true_divide",))
defvjp(divide, lambda g, answer, x, y: g / y, lambda g, answer, x, y: -g * answer / y)

negative = elementwise(np.negative, saves="none")
defvjp(negative, lambda g, answer, x: -g)

positive = elementwise(np.positive, saves="none")
defvjp(positive, lambda g, answer, x: g)

reciprocal = elementwise(np.reciprocal, saves="output")
defvjp(reciprocal, lambda g, answer, x: -g * answer * answer)

square = elementwise(np.square, saves="inputs")
defvjp(square, lambda g, answer, x: g * x * 2)

sqrt = elementwise(np.sqrt, saves="output", singular="at 0 the derivative is infinite")
defvjp(sqrt, lambda g, answer, x: g * 0.5 / answer)

cbrt = elementwise(np.cbrt, saves="output", singular="at 0 the derivative is infinite")
defvjp(cbrt, lambda g, answer, x: g / (3 * square(answer)))

sign = elementwise(np.sign, differentiable=False)

absolute = elementwise(
    np.absolute, aliases=("abs",), saves="inputs", singular="at 0 the derivative is taken as 0"
)
defvjp(absolute, lambda g, answer, x: g * sign(x))

fabs = elementwise(np.fabs, saves="inputs", singular="at 0 the derivative is taken as 0")
defvjp(fabs, lambda g, answer, x: g * sign(x))

floor_divide = elementwise(np.floor_divide, differentiable=False)
floor = elementwise(np.floor, differentiable=False)
ceil = elementwise(np.ceil, differentiable=False)
rint = elementwise(np.rint, differentiable=False)
trunc = elementwise(np.trunc, differentiable=False)

remainder = elementwise(
    np.remainder,
    aliases=("mod",),
    saves="inputs",
    singular="where x is a multiple of y the derivative is that from the right",
)
defvjp(
    remainder,
    lambda g, answer, x, y: g,
    lambda g, answer, x, y: -g * floor_divide(x, y),
)

fmod = elementwise(np.fmod, saves="inputs", singular="as for remainder")
defvjp(
    fmod,
    lambda g, answer, x, y: g,
    lambda g, answer, x, y: -g * trunc(divide(x, y)),
)


def _power_base(g: Any, answer: Any, x: Any, y: Any) -> Any:
    if isinstance(y, int | float):
        if y == 2:
            return g * x * 2
        return g * 0.0 if y == 0 else g * y * power(x, y - 1)
    # x ** -1 is infinite at x = 0, and 0 * inf would be NaN where y is 0.
    is_zero = equal(y, 0)
    return where(is_zero, 0.0, g * y * power(x, where(is_zero, 1, y - 1)))


def _power_exponent(g: Any, answer: Any, x: Any, y: Any) -> Any:
    # 0 ** y is 0 for all y > 0: its derivative is 0, which log(0) would hide.
    is_zero = equal(x, 0)
    return where(is_zero, 0.0, g * answer * log(where(is_zero, 1, x)))


power = elementwise(
    np.power,
    aliases=("pow",),
    singular=(
        "at x = 0 the derivative by y is 0, at y = 0 that by x is 0; "
        "for x < 0 the derivative by y is NaN"
    ),
)
defvjp(power, _power_base, _power_exponent)

hypot = elementwise(np.hypot, singular="at the origin the derivatives are taken as 0")


def _hypot_rule(g: Any, answer: Any, x: Any) -> Any:
    is_zero = equal(answer, 0)
    return where(is_zero, 0.0, g * x / where(is_zero, 1, answer))


defvjp(
    hypot,
    lambda g, answer, x, y: _hypot_rule(g, answer, x),
    lambda g, answer, x, y: _hypot_rule(g, answer, y),
)
