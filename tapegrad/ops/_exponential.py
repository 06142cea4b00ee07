"""Exponentials and logarithms."""

from __future__ import annotations

import math

import numpy as np

from tapegrad._core.primitive import defvjp
from tapegrad.ops._elementwise import elementwise

_LOG_2 = math.log(2.0)
_LOG_10 = math.log(10.0)

exp = elementwise(np.exp, saves="output")
defvjp(exp, lambda g, answer, x: g * answer)

exp2 = elementwise(np.exp2, saves="output")
defvjp(exp2, lambda g, answer, x: g * answer * _LOG_2)

expm1 = elementwise(np.expm1, saves="output")
defvjp(expm1, lambda g, answer, x: g * (answer + 1))

log = elementwise(np.log, saves="inputs", singular="at 0 it is infinite")
defvjp(log, lambda g, answer, x: g / x)

log2 = elementwise(np.log2, saves="inputs", singular="at 0 it is infinite")
defvjp(log2, lambda g, answer, x: g / (x * _LOG_2))

log10 = elementwise(np.log10, saves="inputs", singular="at 0 it is infinite")
defvjp(log10, lambda g, answer, x: g / (x * _LOG_10))

log1p = elementwise(np.log1p, saves="inputs", singular="at -1 it is infinite")
defvjp(log1p, lambda g, answer, x: g / (x + 1))

logaddexp = elementwise(np.logaddexp)
defvjp(
    logaddexp,
    lambda g, answer, x, y: g * exp(x - answer),
    lambda g, answer, x, y: g * exp(y - answer),
)

logaddexp2 = elementwise(np.logaddexp2)
defvjp(
    logaddexp2,
    lambda g, answer, x, y: g * exp2(x - answer),
    lambda g, answer, x, y: g * exp2(y - answer),
)
