"""How elementwise operations are declared."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core.primitive import Primitive, primitive
from tapegrad._core.registry import numpy_functions, operations


def elementwise(
    function: np.ufunc | str,
    *,
    aliases: tuple[str, ...] = (),
    singular: str | None = None,
    summary: str | None = None,
    existing: Primitive | None = None,
    **options: Any,
) -> Primitive:
    """Declare an elementwise operation under the name of NumPy's function.

    Parameters
    ----------
    function : numpy.ufunc or str
        NumPy's function, whose calls with tensors then come here, or a name.
    aliases : tuple of str
        Other names that NumPy has for it.
    singular : str, optional
        What the derivative is where it does not exist, for the documentation.
    summary : str, optional
        First line of the documentation, if it is not to be NumPy's.
    existing : Primitive, optional
        Declare this one instead of making one.
    **options
        As for `tapegrad._core.primitive.Primitive`.
    """
    name = function if isinstance(function, str) else function.__name__
    made = existing or primitive(name, **options)
    if summary is None and not isinstance(function, str):
        summary = f"NumPy's ``{name}`` for tensors, elementwise, with broadcasting."
    paragraphs = [summary or f"Elementwise {name}."]
    if not made.differentiable:
        paragraphs.append("Piecewise constant: tapes do not record it.")
    if singular:
        paragraphs.append(f"Derivative: {singular}.")
    made.__doc__ = "\n\n".join(paragraphs)
    operations[name] = made
    for alias in aliases:
        operations[alias] = made
    if not isinstance(function, str):
        numpy_functions[function] = made
    return made
