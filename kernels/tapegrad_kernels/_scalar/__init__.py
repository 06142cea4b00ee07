"""Scalar definitions that the CPU and CUDA kernels share.

Every function here is written once, for one number, over a small *basis* of
operations that each device supplies (a fused multiply-add, the bits of a float,
a polynomial). The CPU compiles them into loops that LLVM vectorises, and CUDA
into the body of a thread; the same text gives both their formulas, so the two
devices agree on special values, and on random numbers bit for bit.

==================  ============================================================
module              subject
==================  ============================================================
``basis``           what a device supplies, and the one of plain Python
``coefficients``    minimax polynomials and split constants, by real type
``functions``       exp, log, tanh, sigmoid, softplus, erf, gelu, …, derivatives
``losses``          cross-entropy of one logit
``updates``         SGD, Adam and all others, for one parameter
``update_numbers``  what is the same for all parameters of an update
``schedules``       learning rates as functions of the step
``philox``          the Philox4x32-10 generator and its conversions
==================  ============================================================
"""
