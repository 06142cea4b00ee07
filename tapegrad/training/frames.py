"""Tables of pandas as arrays. pandas itself is never imported: a frame brings what is needed."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["frame_values", "is_frame"]


def is_frame(data: Any) -> bool:
    """Whether data is a DataFrame or a Series of pandas."""
    return type(data).__module__.partition(".")[0] == "pandas" and hasattr(data, "iloc")


def frame_values(data: Any, name: str) -> np.ndarray:
    """Return a table's numbers, one row a sample; a Series becomes a column, as in Keras.

    Parameters
    ----------
    data
        A DataFrame or Series.
    name
        What the argument is called, for errors.

    Raises
    ------
    TypeError
        If a column does not hold numbers.
    """
    series = data.ndim == 1
    columns = [(data.name, data)] if series else list(data.items())
    arrays = [_column(column, name, label, series) for label, column in columns]
    if not arrays:
        raise ValueError(f"{name} is a DataFrame without columns.")
    return np.stack(arrays, axis=1)


def _column(column: Any, name: str, label: Any, series: bool) -> np.ndarray:
    dtype = column.dtype
    kind = getattr(dtype, "kind", "O")
    if kind in "biuf" and isinstance(dtype, np.dtype):
        return column.to_numpy()
    if kind in "biuf" and hasattr(dtype, "numpy_dtype"):  # pandas' own types, which know of gaps
        if column.isna().any():
            return column.to_numpy(dtype=np.float64, na_value=np.nan)
        return column.to_numpy(dtype=dtype.numpy_dtype)
    where = name if series else f"{name}: the column {label!r}"
    if str(dtype) == "category":
        raise TypeError(
            f"{where} is categorical, but must hold numbers: make columns of it with "
            "pandas.get_dummies, or take its numbers with .cat.codes."
        )
    raise TypeError(f"{where} has dtype {dtype}, but must hold numbers: convert or drop it first.")
