"""Recurrent networks written in elementary operations, one step after the other.

The kernels run whole sequences forward and backward. What they do not have, the derivatives of
their gradients and those by what they keep, is had by differentiating these instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tapegrad._core.builtin import identity
from tapegrad._core.tape import Tape
from tapegrad.ops._activation import relu, sigmoid
from tapegrad.ops._inspection import zeros_like
from tapegrad.ops._linear_algebra import matmul
from tapegrad.ops._selection import where
from tapegrad.ops._shape import as_tensor, concatenate, expand_dims, reshape, split, stack
from tapegrad.ops._trigonometric import tanh

Cell = Callable[..., tuple[tuple[Any, ...], tuple[Any, ...]]]


def _walk(
    cell: Cell, products: Any, states: tuple[Any, ...], mask: Any, reverse: bool
) -> tuple[list[Any], tuple[Any, ...], list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Outputs, last states, the states after each step, and what cells keep, in x's order."""
    batch, steps, width = products.shape
    rows = [reshape(part, (batch, width)) for part in split(products, steps, axis=1)]
    output: Any = None
    outputs: list[Any] = []
    history: list[tuple[Any, ...]] = []
    kept: list[tuple[Any, ...]] = [()] * steps
    for t in reversed(range(steps)) if reverse else range(steps):
        new, extra = cell(rows[t], *states)
        shown = new[0]
        if mask is not None:
            valid = expand_dims(mask[:, t], -1)
            shown = where(valid, shown, zeros_like(shown) if output is None else output)
            new = tuple([where(valid, n, s) for n, s in zip(new, states, strict=True)])
            extra = tuple([where(valid, e, zeros_like(e)) for e in extra])
        output, states = shown, new
        outputs.append(output)
        history.append(states)
        kept[t] = extra
    return outputs, states, history, kept


def _recurrent_products(h: Any, u: Any, gates: int, dropped: Any) -> list[Any]:
    """The products of the state with each gate's part of U."""
    if dropped is not None and dropped.ndim == 3:
        parts = split(u, gates, axis=1)
        return [matmul(h * dropped[k], part) for k, part in enumerate(parts)]
    product = matmul(h if dropped is None else h * dropped, u)
    return list(split(product, gates, axis=1)) if gates > 1 else [product]


def lstm_steps(
    x: Any, w: Any, u: Any, b: Any, h0: Any, c0: Any, mask: Any, dropped: Any, *, reverse: bool
) -> tuple[Any, ...]:
    """What the kernel ``lstm_forward`` returns."""

    def cell(product: Any, h: Any, c: Any) -> Any:
        parts = _recurrent_products(h, u, 4, dropped)
        z = [a + r for a, r in zip(split(product, 4, axis=1), parts, strict=True)]
        i, f, g, o = sigmoid(z[0]), sigmoid(z[1]), tanh(z[2]), sigmoid(z[3])
        c = f * c + i * g
        return (o * tanh(c), c), (concatenate([i, f, g, o], axis=1),)

    states = h0, c0
    outputs, last, history, kept = _walk(cell, matmul(x, w) + b, states, mask, reverse)
    cells, gates = [c for _, c in history], [extra[0] for extra in kept]
    return stack(outputs, axis=1), last[0], stack(cells, axis=1), stack(gates, axis=1)


def gru_steps(
    x: Any,
    w: Any,
    u: Any,
    b: Any,
    h0: Any,
    mask: Any,
    dropped: Any,
    *,
    reset_after: bool,
    reverse: bool,
) -> tuple[Any, ...]:
    """What the kernel ``gru_forward`` returns."""
    units = u.shape[0]

    def gates_of(product: Any, parts: Sequence[Any]) -> Any:
        xz, xr, xa = split(product, 3, axis=1)
        return sigmoid(xz + parts[0]), sigmoid(xr + parts[1]), xa

    def cell_after(product: Any, h: Any) -> Any:
        parts = _recurrent_products(h, u, 3, dropped)
        parts = [p + bias for p, bias in zip(parts, split(b[1], 3, axis=0), strict=True)]
        z, r, a = gates_of(product, parts)
        a = tanh(a + r * parts[2])
        return (z * h + (1 - z) * a,), (concatenate([z, r, a], axis=1), parts[2])

    def cell_before(product: Any, h: Any) -> Any:
        first = candidate = dropped
        if dropped is not None and dropped.ndim == 3:
            first, candidate = dropped[:2], dropped[2]
        z, r, a = gates_of(product, _recurrent_products(h, u[:, : 2 * units], 2, first))
        inner = r * h if candidate is None else r * h * candidate
        a = tanh(a + matmul(inner, u[:, 2 * units :]))
        return (z * h + (1 - z) * a,), (concatenate([z, r, a], axis=1), inner)

    cell = cell_after if reset_after else cell_before
    products = matmul(x, w) + (b[0] if reset_after else b)
    outputs, last, _, kept = _walk(cell, products, (h0,), mask, reverse)
    gates, inner = ([extra[k] for extra in kept] for k in range(2))
    return stack(outputs, axis=1), last[0], stack(gates, axis=1), stack(inner, axis=1)


def simple_rnn_steps(
    x: Any,
    w: Any,
    u: Any,
    b: Any,
    h0: Any,
    mask: Any,
    dropped: Any,
    *,
    activation: str,
    reverse: bool,
) -> tuple[Any, ...]:
    """What the kernel ``simple_rnn_forward`` returns."""
    function = {"tanh": tanh, "relu": relu}[activation]

    def cell(product: Any, h: Any) -> Any:
        return (function(product + _recurrent_products(h, u, 1, dropped)[0]),), ()

    outputs, last, _, _ = _walk(cell, matmul(x, w) + b, (h0,), mask, reverse)
    return stack(outputs, axis=1), last[0]


Steps = Callable[..., tuple[Any, ...]]


def _aliases(arguments: Sequence[Any], states: int) -> list[Any]:
    """Fresh tensors, which only what is computed here depends on; zeros for no state."""
    x, w, u = arguments[:3]
    aliases = []
    for position, argument in enumerate(arguments):
        if argument is None and 4 <= position < 4 + states:
            argument = zeros_like(matmul(x[:, 0], w)[:, : u.shape[0]])
        is_real = argument is not None and as_tensor(argument).dtype.kind == "f"
        aliases.append(identity(as_tensor(argument)) if is_real else argument)
    return aliases


def gradients_of_steps(
    steps: Steps,
    states: int,
    arguments: Sequence[Any],
    by_results: Sequence[Any],
    needs: Sequence[bool],
    **params: Any,
) -> list[Any]:
    """Gradients of the results of a forward kernel by the arguments that `needs` marks.

    Parameters
    ----------
    steps : callable
        The network, one step after the other.
    states : int
        Number of initial states among the arguments, from position 4 on.
    arguments : sequence
        Arguments of the forward kernel.
    by_results : sequence of Tensor or None
        Gradients by what it returns.
    needs : sequence of bool
        Which arguments to differentiate by.
    **params
        Parameters of the forward kernel.
    """
    aliases = _aliases(arguments, states)
    sources = [alias for alias, needed in zip(aliases, needs, strict=True) if needed]
    with Tape() as tape:
        tape.watch(sources)
        results = steps(*aliases, **params)
    pairs = [(r, g) for r, g in zip(results, by_results, strict=True) if g is not None]
    found = iter(tape.gradient([r for r, _ in pairs], sources, [g for _, g in pairs]))
    return [next(found) if needed else None for needed in needs]


def gradients_of_gradients(
    steps: Steps,
    states: int,
    arguments: Sequence[Any],
    by_results: Sequence[Any],
    results_of: Sequence[int],
    positions: Sequence[int],
    by_gradients: Sequence[Any],
    **params: Any,
) -> tuple[list[Any], list[Any]]:
    """Gradients of a backward kernel, by the forward kernel's arguments and `by_results`.

    Parameters
    ----------
    steps, states, arguments, by_results
        As in `gradients_of_steps`; `by_results` are arguments of the backward kernel.
    results_of : sequence of int
        The results that these are gradients by.
    positions : sequence of int
        The arguments whose gradients the backward kernel returned.
    by_gradients : sequence of Tensor or None
        Gradients by these.
    **params
        Parameters of the forward kernel.
    """
    aliases = _aliases(arguments, states)
    weights = [None if g is None else identity(as_tensor(g)) for g in by_results]
    inner_sources = [aliases[position] for position in positions]
    smooth = [a for a in aliases if a is not None and as_tensor(a).dtype.kind == "f"]
    outer_sources = smooth + [g for g in weights if g is not None]
    with Tape() as outer:
        outer.watch(outer_sources)
        with Tape() as inner:
            inner.watch(inner_sources)
            results = steps(*aliases, **params)
        chosen = zip([results[k] for k in results_of], weights, strict=True)
        pairs = [(r, g) for r, g in chosen if g is not None]
        gradients = inner.gradient(
            [r for r, _ in pairs],
            inner_sources,
            [g for _, g in pairs],
            unconnected_gradients="zero",
        )
    wanted = [
        (gradient, h) for gradient, h in zip(gradients, by_gradients, strict=True) if h is not None
    ]
    found = outer.gradient([g for g, _ in wanted], outer_sources, [h for _, h in wanted])
    by_tensor = dict(zip(map(id, outer_sources), found, strict=True))
    return (
        [by_tensor.get(id(alias)) for alias in aliases],
        [None if g is None else by_tensor[id(g)] for g in weights],
    )
