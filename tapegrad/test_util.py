"""Checking derivatives against finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tapegrad._core.nest import flatten
from tapegrad.transforms import make_jvp, make_vjp

__all__ = ["check_grads"]

_STEP = {"float32": 1e-2, "float64": 1e-6}
_TOLERANCE = {"float32": 2e-2, "float64": 1e-5}


def check_grads(
    fun: Callable[..., Any],
    modes: Sequence[str] = ("rev",),
    order: int = 2,
    *,
    step: float | None = None,
    rtol: float | None = None,
    atol: float | None = None,
) -> Callable[..., None]:
    """Check the derivatives of a function against finite differences.

    Along a random direction the central difference quotient of `fun` is compared
    with the derivative that the tape gives; then the same is done with the
    derivative in place of `fun`, up to the given order.

    Parameters
    ----------
    fun : callable
        Takes floating arrays and returns an array.
    modes : sequence of {"rev", "fwd"}, default ("rev",)
        ``"rev"`` checks vector-Jacobian products, ``"fwd"`` Jacobian-vector products.
    order : int, default 2
        Highest order of derivative to check.
    step : float, optional
        Half the distance of the two points, by default 1e-6 for float64 and 1e-2
        for float32.
    rtol, atol : float, optional
        Tolerances, by default 1e-5 for float64 and 2e-2 for float32.

    Returns
    -------
    callable
        Takes the arguments at which to check, floating arrays or numbers; raises
        AssertionError, with the numbers, if a derivative is wrong.

    Examples
    --------
    >>> import tapegrad as tg
    >>> import tapegrad.numpy as np
    >>> tg.test_util.check_grads(np.tanh, order=2)(0.3)
    """
    unknown = set(modes) - {"rev", "fwd"}
    if unknown or order < 1:
        raise ValueError(
            f"check_grads: modes are 'rev' and 'fwd', order is at least 1; "
            f"got modes={list(modes)}, order={order}"
        )

    def check(*args: Any) -> None:
        arrays = [np.asarray(a) for a in args]
        narrow = any(a.dtype == np.float32 for a in arrays)
        kind = "float32" if narrow else "float64"
        settings = (
            step or _STEP[kind],
            _TOLERANCE[kind] if rtol is None else rtol,
            _TOLERANCE[kind] if atol is None else atol,
        )
        _check(fun, arrays, tuple(modes), order, settings, np.random.default_rng(0))

    return check


def _directional(fun: Any, args: list[Any], direction: list[Any], step: float) -> Any:
    """Central difference quotient of a function with one array as its value."""
    ahead = np.asarray(fun(*(a + step * d for a, d in zip(args, direction, strict=True))))
    behind = np.asarray(fun(*(a - step * d for a, d in zip(args, direction, strict=True))))
    return (ahead.astype(np.float64) - behind.astype(np.float64)) / (2 * step)


def _check(
    fun: Any,
    args: list[Any],
    modes: tuple[str, ...],
    order: int,
    settings: tuple[float, float, float],
    generator: np.random.Generator,
) -> None:
    step, rtol, atol = settings
    name = getattr(fun, "__name__", "function")

    def packed(arguments: tuple[Any, ...]) -> Any:
        return fun(*arguments)

    direction = [np.asarray(generator.standard_normal(a.shape)).astype(a.dtype) for a in args]
    numeric = _directional(fun, args, direction, step)
    weight = np.asarray(generator.standard_normal(numeric.shape)).astype(args[0].dtype)
    if "rev" in modes:
        vjp, _ = make_vjp(packed)(tuple(args))
        products = flatten(vjp(weight))
        for product, argument in zip(products, args, strict=True):
            if np.shape(product) != argument.shape:
                raise AssertionError(
                    f"check_grads: gradient of {name} has shape {np.shape(product)}, "
                    f"its argument {argument.shape}"
                )
        exact = sum(
            float(np.sum(np.asarray(p, np.float64) * d))
            for p, d in zip(products, direction, strict=True)
        )
        _compare(exact, float(np.sum(weight * numeric)), rtol, atol, f"vjp of {name}")
    if "fwd" in modes:
        _, product = make_jvp(packed)(tuple(args))(tuple(direction))
        _compare(product, numeric, rtol, atol, f"jvp of {name}")
    if order > 1:
        # The derivative, weighted, is a function again; check it in the same way.
        for position in range(len(args)):

            def derivative(*inner: Any, position: int = position) -> Any:
                vjp, _ = make_vjp(packed)(inner)
                return flatten(vjp(weight))[position]

            derivative.__name__ = f"derivative of {name} by argument {position}"
            _check(derivative, args, modes, order - 1, settings, generator)


def _compare(exact: Any, numeric: Any, rtol: float, atol: float, what: str) -> None:
    exact = np.asarray(exact, np.float64)
    numeric = np.asarray(numeric, np.float64)
    scale = max(1.0, float(np.max(np.abs(numeric), initial=0.0)))
    if not np.allclose(exact, numeric, rtol=rtol, atol=atol * scale, equal_nan=False):
        raise AssertionError(
            f"check_grads: {what} is wrong\n"
            f"  from the tape:           {exact}\n  by finite differences:   {numeric}"
        )
