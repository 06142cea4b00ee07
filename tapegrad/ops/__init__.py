"""The differentiable operations, a family a file, each with its derivative beside it.

=======================  =======================================================
module                   family
=======================  =======================================================
``_arithmetic``          sums, products, powers, roots
``_exponential``         exponentials and logarithms
``_trigonometric``       trigonometric and hyperbolic functions
``_selection``           comparisons, logic, where, clip, minimum and maximum
``_reduction``           sum, mean, product, extrema, variance
``_shape``               reshape, transpose, concatenate, split, pad
``_indexing``            indexing of every kind
``_cumulative``          running sums, differences
``_linear_algebra``      products of matrices
``_inspection``          shapes, comparisons as a whole
``_activation``          relu, sigmoid, softplus, gelu, erf, softmax
``_loss``                fused cross-entropies
``_random``, ``_update``  draws and optimizer updates, which have no derivative
=======================  =======================================================

The functions take tensors, Variables, arrays and numbers and return tensors.
`tapegrad.numpy` has the same functions for scripts that work with arrays.
"""

from tapegrad._core.builtin import copy_to, fill_like, identity, sum_to_shape
from tapegrad.ops._activation import (
    erf,
    erf_grad,
    gelu,
    log_softmax,
    relu,
    relu_grad,
    sigmoid,
    sigmoid_grad,
    softmax,
    softmax_grad,
    softplus,
    softplus_grad,
)
from tapegrad.ops._arithmetic import (
    absolute,
    add,
    cbrt,
    ceil,
    divide,
    fabs,
    floor,
    floor_divide,
    fmod,
    hypot,
    multiply,
    negative,
    positive,
    power,
    reciprocal,
    remainder,
    rint,
    sign,
    sqrt,
    square,
    subtract,
    trunc,
)
from tapegrad.ops._cumulative import cumsum, diff
from tapegrad.ops._exponential import (
    exp,
    exp2,
    expm1,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    logaddexp2,
)
from tapegrad.ops._indexing import diag, diagonal, getitem, index_add, take, take_along_axis
from tapegrad.ops._inspection import full_like, ndim, ones_like, shape, size, zeros_like
from tapegrad.ops._linear_algebra import (
    dense,
    dot,
    inner,
    matmul,
    norm,
    outer,
    tensordot,
    trace,
    tril,
    triu,
    vdot,
)
from tapegrad.ops._loss import one_hot, sigmoid_cross_entropy, softmax_cross_entropy
from tapegrad.ops._random import (
    random_bernoulli,
    random_normal,
    random_permutation,
    random_uniform,
)
from tapegrad.ops._reduction import (
    all,
    any,
    argmax,
    argmin,
    count_nonzero,
    logsumexp,
    max,
    mean,
    min,
    prod,
    std,
    sum,
    var,
)
from tapegrad.ops._selection import (
    bitwise_and,
    bitwise_or,
    bitwise_xor,
    clip,
    equal,
    fmax,
    fmin,
    greater,
    greater_equal,
    invert,
    isfinite,
    isinf,
    isnan,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    maximum,
    minimum,
    not_equal,
    signbit,
    where,
)
from tapegrad.ops._shape import (
    array_split,
    as_tensor,
    astype,
    atleast_1d,
    atleast_2d,
    broadcast_to,
    concatenate,
    expand_dims,
    flip,
    hstack,
    moveaxis,
    pad,
    ravel,
    repeat,
    reshape,
    roll,
    split,
    squeeze,
    stack,
    swapaxes,
    tile,
    transpose,
    vstack,
)
from tapegrad.ops._trigonometric import (
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctan2,
    arctanh,
    cos,
    cosh,
    deg2rad,
    rad2deg,
    sin,
    sinh,
    tan,
    tanh,
    tanh_grad,
)
from tapegrad.ops._update import adam_update, sgd_update

abs = absolute
cast = astype

__all__ = [name for name in dir() if not name.startswith("_")]
