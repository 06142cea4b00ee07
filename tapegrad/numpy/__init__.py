"""NumPy's functions, differentiable: ``import tapegrad.numpy as np``.

Names and meaning are NumPy's. Called with arrays and numbers these functions give
arrays; if an argument is a tensor they give tensors, and tapes record them. Inside
a function that `tapegrad.grad` differentiates, its arguments are tensors.

>>> import tapegrad.numpy as np
>>> from tapegrad import grad
>>> def logistic(x):
...     return 1 / (1 + np.exp(-x))
>>> grad(logistic)(0.0)
np.float64(0.25)
"""

from __future__ import annotations

from numpy import (
    arange,
    bool_,
    dtype,
    e,
    empty,
    euler_gamma,
    eye,
    float32,
    float64,
    full,
    identity,
    inf,
    int32,
    int64,
    linspace,
    logspace,
    meshgrid,
    nan,
    ndarray,
    newaxis,
    ones,
    pi,
    tri,
    uint8,
    zeros,
)

from tapegrad import ops as _ops
from tapegrad.numpy import linalg
from tapegrad.numpy._creation import array, asarray, full_like, ones_like, zeros_like
from tapegrad.numpy._in_kind import in_kind as _in_kind

# Arithmetic
add = _in_kind(_ops.add)
subtract = _in_kind(_ops.subtract)
multiply = _in_kind(_ops.multiply)
divide = true_divide = _in_kind(_ops.divide)
floor_divide = _in_kind(_ops.floor_divide)
remainder = mod = _in_kind(_ops.remainder)
fmod = _in_kind(_ops.fmod)
power = pow = _in_kind(_ops.power)
negative = _in_kind(_ops.negative)
positive = _in_kind(_ops.positive)
absolute = abs = _in_kind(_ops.absolute)
fabs = _in_kind(_ops.fabs)
sign = _in_kind(_ops.sign)
reciprocal = _in_kind(_ops.reciprocal)
square = _in_kind(_ops.square)
sqrt = _in_kind(_ops.sqrt)
cbrt = _in_kind(_ops.cbrt)
hypot = _in_kind(_ops.hypot)
floor = _in_kind(_ops.floor)
ceil = _in_kind(_ops.ceil)
rint = _in_kind(_ops.rint)
trunc = _in_kind(_ops.trunc)

# Exponentials and logarithms
exp = _in_kind(_ops.exp)
exp2 = _in_kind(_ops.exp2)
expm1 = _in_kind(_ops.expm1)
log = _in_kind(_ops.log)
log2 = _in_kind(_ops.log2)
log10 = _in_kind(_ops.log10)
log1p = _in_kind(_ops.log1p)
logaddexp = _in_kind(_ops.logaddexp)
logaddexp2 = _in_kind(_ops.logaddexp2)

# Trigonometric and hyperbolic functions
sin = _in_kind(_ops.sin)
cos = _in_kind(_ops.cos)
tan = _in_kind(_ops.tan)
arcsin = asin = _in_kind(_ops.arcsin)
arccos = acos = _in_kind(_ops.arccos)
arctan = atan = _in_kind(_ops.arctan)
arctan2 = atan2 = _in_kind(_ops.arctan2)
sinh = _in_kind(_ops.sinh)
cosh = _in_kind(_ops.cosh)
tanh = _in_kind(_ops.tanh)
arcsinh = asinh = _in_kind(_ops.arcsinh)
arccosh = acosh = _in_kind(_ops.arccosh)
arctanh = atanh = _in_kind(_ops.arctanh)
deg2rad = radians = _in_kind(_ops.deg2rad)
rad2deg = degrees = _in_kind(_ops.rad2deg)

# Comparisons, logic and selection
equal = _in_kind(_ops.equal)
not_equal = _in_kind(_ops.not_equal)
less = _in_kind(_ops.less)
less_equal = _in_kind(_ops.less_equal)
greater = _in_kind(_ops.greater)
greater_equal = _in_kind(_ops.greater_equal)
logical_and = _in_kind(_ops.logical_and)
logical_or = _in_kind(_ops.logical_or)
logical_xor = _in_kind(_ops.logical_xor)
logical_not = _in_kind(_ops.logical_not)
bitwise_and = _in_kind(_ops.bitwise_and)
bitwise_or = _in_kind(_ops.bitwise_or)
bitwise_xor = _in_kind(_ops.bitwise_xor)
invert = _in_kind(_ops.invert)
isnan = _in_kind(_ops.isnan)
isinf = _in_kind(_ops.isinf)
isfinite = _in_kind(_ops.isfinite)
signbit = _in_kind(_ops.signbit)
maximum = _in_kind(_ops.maximum)
minimum = _in_kind(_ops.minimum)
fmax = _in_kind(_ops.fmax)
fmin = _in_kind(_ops.fmin)
where = _in_kind(_ops.where)
clip = _in_kind(_ops.clip)

# Reductions
sum = _in_kind(_ops.sum)
mean = _in_kind(_ops.mean)
prod = _in_kind(_ops.prod)
max = amax = _in_kind(_ops.max)
min = amin = _in_kind(_ops.min)
var = _in_kind(_ops.var)
std = _in_kind(_ops.std)
any = _in_kind(_ops.any)
all = _in_kind(_ops.all)
argmax = _in_kind(_ops.argmax)
argmin = _in_kind(_ops.argmin)
count_nonzero = _in_kind(_ops.count_nonzero)
cumsum = _in_kind(_ops.cumsum)
cumprod = _in_kind(_ops.cumprod)
diff = _in_kind(_ops.diff)

# Shapes
reshape = _in_kind(_ops.reshape)
ravel = _in_kind(_ops.ravel)
transpose = _in_kind(_ops.transpose)
swapaxes = _in_kind(_ops.swapaxes)
moveaxis = _in_kind(_ops.moveaxis)
expand_dims = _in_kind(_ops.expand_dims)
squeeze = _in_kind(_ops.squeeze)
broadcast_to = _in_kind(_ops.broadcast_to)
concatenate = _in_kind(_ops.concatenate)
stack = _in_kind(_ops.stack)
vstack = _in_kind(_ops.vstack)
hstack = _in_kind(_ops.hstack)
split = _in_kind(_ops.split)
array_split = _in_kind(_ops.array_split)
pad = _in_kind(_ops.pad)
flip = _in_kind(_ops.flip)
roll = _in_kind(_ops.roll)
repeat = _in_kind(_ops.repeat)
tile = _in_kind(_ops.tile)
atleast_1d = _in_kind(_ops.atleast_1d)
atleast_2d = _in_kind(_ops.atleast_2d)

# Indexing
take = _in_kind(_ops.take)
take_along_axis = _in_kind(_ops.take_along_axis)
diag = _in_kind(_ops.diag)
diagonal = _in_kind(_ops.diagonal)
tril = _in_kind(_ops.tril)
triu = _in_kind(_ops.triu)
trace = _in_kind(_ops.trace)
sort = _in_kind(_ops.sort)
argsort = _in_kind(_ops.argsort)
bincount = _in_kind(_ops.bincount)

# Questions
shape = _ops.shape
ndim = _ops.ndim
size = _ops.size

# Products
matmul = _in_kind(_ops.matmul)
dot = _in_kind(_ops.dot)
inner = _in_kind(_ops.inner)
outer = _in_kind(_ops.outer)
vdot = _in_kind(_ops.vdot)
tensordot = _in_kind(_ops.tensordot)

__all__ = [
    "abs",
    "absolute",
    "acos",
    "acosh",
    "add",
    "all",
    "amax",
    "amin",
    "any",
    "arange",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "argmax",
    "argmin",
    "argsort",
    "array",
    "array_split",
    "asarray",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "atleast_1d",
    "atleast_2d",
    "bincount",
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "bool_",
    "broadcast_to",
    "cbrt",
    "ceil",
    "clip",
    "concatenate",
    "cos",
    "cosh",
    "count_nonzero",
    "cumprod",
    "cumsum",
    "deg2rad",
    "degrees",
    "diag",
    "diagonal",
    "diff",
    "divide",
    "dot",
    "dtype",
    "e",
    "empty",
    "equal",
    "euler_gamma",
    "exp",
    "exp2",
    "expand_dims",
    "expm1",
    "eye",
    "fabs",
    "flip",
    "float32",
    "float64",
    "floor",
    "floor_divide",
    "fmax",
    "fmin",
    "fmod",
    "full",
    "full_like",
    "greater",
    "greater_equal",
    "hstack",
    "hypot",
    "identity",
    "inf",
    "inner",
    "int32",
    "int64",
    "invert",
    "isfinite",
    "isinf",
    "isnan",
    "less",
    "less_equal",
    "linalg",
    "linspace",
    "log",
    "log10",
    "log1p",
    "log2",
    "logaddexp",
    "logaddexp2",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logspace",
    "matmul",
    "max",
    "maximum",
    "mean",
    "meshgrid",
    "min",
    "minimum",
    "mod",
    "moveaxis",
    "multiply",
    "nan",
    "ndarray",
    "ndim",
    "negative",
    "newaxis",
    "not_equal",
    "ones",
    "ones_like",
    "outer",
    "pad",
    "pi",
    "positive",
    "pow",
    "power",
    "prod",
    "rad2deg",
    "radians",
    "ravel",
    "reciprocal",
    "remainder",
    "repeat",
    "reshape",
    "rint",
    "roll",
    "shape",
    "sign",
    "signbit",
    "sin",
    "sinh",
    "size",
    "sort",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "subtract",
    "sum",
    "swapaxes",
    "take",
    "take_along_axis",
    "tan",
    "tanh",
    "tensordot",
    "tile",
    "trace",
    "transpose",
    "tri",
    "tril",
    "triu",
    "true_divide",
    "trunc",
    "uint8",
    "var",
    "vdot",
    "vstack",
    "where",
    "zeros",
    "zeros_like",
]
