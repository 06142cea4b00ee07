"""What a step of training gets: inputs, targets and sample weights in one tuple."""

from __future__ import annotations

from typing import Any

__all__ = ["pack_x_y_sample_weight", "unpack_x_y_sample_weight"]


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """Return inputs, targets and weights of a batch; None where there are none.

    Parameters
    ----------
    data
        ``(x,)``, ``(x, y)`` or ``(x, y, sample_weight)``, or the inputs alone: what `train_step`
        and `test_step` get.

    Raises
    ------
    ValueError
        If it is a tuple of another length.

    Examples
    --------
    >>> unpack_x_y_sample_weight(("inputs", "targets"))
    ('inputs', 'targets', None)
    """
    if isinstance(data, list):
        data = tuple(data)
    if not isinstance(data, tuple):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ValueError(
            f"expected (x,), (x, y) or (x, y, sample_weight), got a tuple of {len(data)}."
        )
    x, y, sample_weight = (*data, None, None)[:3]
    return x, y, sample_weight


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """Return inputs, targets and weights in the form that `unpack_x_y_sample_weight` takes apart.

    Examples
    --------
    >>> pack_x_y_sample_weight("inputs", "targets")
    ('inputs', 'targets')
    >>> pack_x_y_sample_weight("inputs")
    'inputs'
    """
    if sample_weight is not None:
        return x, y, sample_weight
    if y is not None:
        return x, y
    # Inputs in a list or tuple by themselves could be taken for more than inputs.
    return (x,) if isinstance(x, list | tuple) else x
