"""Functions of functions: gradients, Jacobians, Hessians and products with them."""

from tapegrad.transforms._first import elementwise_grad, grad, value_and_grad
from tapegrad.transforms._matrix import hessian, jacobian
from tapegrad.transforms._product import (
    hessian_vector_product,
    hvp,
    make_hvp,
    make_jvp,
    make_vjp,
)

__all__ = [
    "elementwise_grad",
    "grad",
    "hessian",
    "hessian_vector_product",
    "hvp",
    "jacobian",
    "make_hvp",
    "make_jvp",
    "make_vjp",
    "value_and_grad",
]
