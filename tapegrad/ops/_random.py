"""Draws of random numbers: functions of a seed, a stream and the element's index."""

from __future__ import annotations

from typing import Any

from tapegrad._core.primitive import primitive

random_uniform: Any = primitive("random_uniform", differentiable=False)
random_normal: Any = primitive("random_normal", differentiable=False)
random_bernoulli: Any = primitive("random_bernoulli", differentiable=False)
random_permutation: Any = primitive("random_permutation", differentiable=False)
