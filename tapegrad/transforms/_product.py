"""Products of Jacobians and Hessians with vectors, which never form the matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tapegrad._core.nest import flatten, map_structure
from tapegrad._core.operators import Operators
from tapegrad._core.tape import Tape
from tapegrad._core.tensor import Tensor, tensor
from tapegrad.transforms._argument import replace_arguments
from tapegrad.transforms._first import grad


def make_vjp(fun: Callable[..., Any], argnum: int = 0) -> Callable[..., Any]:
    """A function that returns the vector-Jacobian product of `fun`, and its value.

    Parameters
    ----------
    fun : callable
        Returns an array, or a nested structure of arrays.
    argnum : int, default 0
        Which positional argument to differentiate by.

    Returns
    -------
    callable
        Takes the arguments of `fun` and returns ``(vjp, value)``, where ``vjp(g)``
        is the product of `g`, of the shape of the value, and the Jacobian. It may
        be called several times.

    Examples
    --------
    >>> import tapegrad as tg
    >>> vjp, value = tg.make_vjp(lambda x: x * x)(3.0)
    >>> value, vjp(1.0)
    (np.float64(9.0), np.float64(6.0))
    """

    def vjp_maker(*args: Any, **kwargs: Any) -> tuple[Callable[[Any], Any], Any]:
        arguments, watched, in_kind = replace_arguments(args, argnum, "make_vjp")
        with Tape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(watched)
            value = fun(*arguments, **kwargs)
        value = map_structure(lambda v: v if isinstance(v, Operators) else tensor(v), value)

        def vjp(g: Any) -> Any:
            weights = [w if isinstance(w, Tensor) else tensor(w) for w in flatten(g)]
            gradients = tape.gradient(
                flatten(value), watched, output_gradients=weights, unconnected_gradients="zero"
            )
            return in_kind(gradients)

        return vjp, in_kind(value)

    return vjp_maker


def make_jvp(fun: Callable[..., Any], argnum: int = 0) -> Callable[..., Any]:
    """A function that returns the Jacobian-vector product of `fun`, and its value.

    Parameters
    ----------
    fun : callable
        Returns one array.
    argnum : int, default 0
        Which positional argument to differentiate by.

    Returns
    -------
    callable
        Takes the arguments of `fun` and returns a function ``jvp(v) -> (value,
        product)`` of a tangent `v` in the structure of the argument.

    Notes
    -----
    The vector-Jacobian product is linear in its weights, so differentiating it by
    them gives the product from the other side: reverse mode applied twice.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.make_jvp(lambda x: x * x)(3.0)(2.0)
    (np.float64(9.0), np.float64(12.0))
    """

    def jvp_maker(*args: Any, **kwargs: Any) -> Callable[[Any], tuple[Any, Any]]:
        def jvp(v: Any) -> tuple[Any, Any]:
            arguments, watched, in_kind = replace_arguments(args, argnum, "make_jvp")
            with Tape(persistent=True, watch_accessed_variables=False) as outer:
                with Tape(watch_accessed_variables=False) as inner:
                    inner.watch(watched)
                    value = fun(*arguments, **kwargs)
                value = value if isinstance(value, Operators) else tensor(value)
                weights = tensor(value) * 0.0
                outer.watch(weights)
                pulled = inner.gradient(
                    value, watched, output_gradients=weights, unconnected_gradients="zero"
                )
            tangents = [
                t if isinstance(t, Tensor) else tensor(t, dtype=leaf.dtype)
                for t, leaf in zip(flatten(v), flatten(watched), strict=True)
            ]
            product = outer.gradient(
                flatten(pulled),
                weights,
                output_gradients=tangents,
                unconnected_gradients="zero",
            )
            return in_kind(value), in_kind(product)

        return jvp

    return jvp_maker


def hessian_vector_product(fun: Callable[..., Any], argnum: int = 0) -> Callable[..., Any]:
    """A function that returns the product of the Hessian of a scalar function and a vector.

    Parameters
    ----------
    fun : callable
        Returns one number.
    argnum : int, default 0
        Which positional argument to differentiate by; one array.

    Returns
    -------
    callable
        Takes the arguments of `fun` and then the vector, of the argument's shape.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.hessian_vector_product(lambda x: x**3)(2.0, 1.0)
    np.float64(12.0)
    """
    gradient = grad(fun, argnum)

    def product(*args: Any, **kwargs: Any) -> Any:
        *arguments, vector = args
        constant = vector if isinstance(vector, Operators) else tensor(vector)

        def along(*inner: Any, **inner_kwargs: Any) -> Any:
            return (gradient(*inner, **inner_kwargs) * constant).sum()

        return grad(along, argnum)(*arguments, **kwargs)

    return product


hvp = hessian_vector_product


def make_hvp(fun: Callable[..., Any], argnum: int = 0) -> Callable[..., Any]:
    """As `hessian_vector_product`, with the arguments first and the vectors after.

    Examples
    --------
    >>> import tapegrad as tg
    >>> hvp = tg.make_hvp(lambda x: x**3)(2.0)
    >>> hvp(1.0)
    np.float64(12.0)
    """
    product = hessian_vector_product(fun, argnum)

    def hvp_maker(*args: Any, **kwargs: Any) -> Callable[[Any], Any]:
        return lambda vector: product(*args, vector, **kwargs)

    return hvp_maker
