"""Trigonometric and hyperbolic functions and their inverses."""

from __future__ import annotations

import math

import numpy as np

from tapegrad._core.primitive import defvjp, primitive
from tapegrad._core.registry import operations
from tapegrad.ops._arithmetic import sqrt, square
from tapegrad.ops._elementwise import elementwise

sin = elementwise(np.sin, saves="inputs")
cos = elementwise(np.cos, saves="inputs")
defvjp(sin, lambda g, answer, x: g * cos(x))
defvjp(cos, lambda g, answer, x: -g * sin(x))

tan = elementwise(np.tan, saves="output", singular="at odd multiples of π/2 it has no value")
defvjp(tan, lambda g, answer, x: g * (square(answer) + 1))

arcsin = elementwise(np.arcsin, saves="inputs", singular="at ±1 it is infinite")
defvjp(arcsin, lambda g, answer, x: g / sqrt(1 - square(x)))

arccos = elementwise(np.arccos, saves="inputs", singular="at ±1 it is infinite")
defvjp(arccos, lambda g, answer, x: -g / sqrt(1 - square(x)))

arctan = elementwise(np.arctan, saves="inputs")
defvjp(arctan, lambda g, answer, x: g / (square(x) + 1))

arctan2 = elementwise(np.arctan2, saves="inputs", singular="at the origin it is NaN")
defvjp(
    arctan2,
    lambda g, answer, y, x: g * x / (square(x) + square(y)),
    lambda g, answer, y, x: -g * y / (square(x) + square(y)),
)

sinh = elementwise(np.sinh, saves="inputs")
cosh = elementwise(np.cosh, saves="inputs")
defvjp(sinh, lambda g, answer, x: g * cosh(x))
defvjp(cosh, lambda g, answer, x: g * sinh(x))

tanh_grad = primitive("tanh_grad", saves="inputs", doc="``g * (1 - y**2)`` for ``y = tanh(x)``.")
defvjp(
    tanh_grad,
    lambda h, answer, g, y: tanh_grad(h, y),
    lambda h, answer, g, y: h * g * y * -2,
)

tanh = elementwise(np.tanh, saves="output")
defvjp(tanh, lambda g, answer, x: tanh_grad(g, answer))

arcsinh = elementwise(np.arcsinh, saves="inputs")
defvjp(arcsinh, lambda g, answer, x: g / sqrt(square(x) + 1))

arccosh = elementwise(np.arccosh, saves="inputs", singular="at 1 it is infinite")
defvjp(arccosh, lambda g, answer, x: g / sqrt(square(x) - 1))

arctanh = elementwise(np.arctanh, saves="inputs", singular="at ±1 it is infinite")
defvjp(arctanh, lambda g, answer, x: g / (1 - square(x)))

deg2rad = elementwise(np.deg2rad, aliases=("radians",), saves="none")
defvjp(deg2rad, lambda g, answer, x: g * (math.pi / 180))

rad2deg = elementwise(np.rad2deg, aliases=("degrees",), saves="none")
defvjp(rad2deg, lambda g, answer, x: g * (180 / math.pi))

operations["tanh_grad"] = tanh_grad
