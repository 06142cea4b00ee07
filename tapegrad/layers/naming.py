"""Default names of layers: dense, dense_1, dense_2 …."""

from __future__ import annotations

from collections import Counter

from tapegrad.utils.lookup import snake_case

__all__ = ["automatic_name", "count_anew"]

_counts: Counter[str] = Counter()


def automatic_name(class_name: str) -> str:
    """Return a name that no layer made before in this process got by itself."""
    stem = snake_case(class_name)
    count = _counts[stem]
    _counts[stem] += 1
    return f"{stem}_{count}" if count else stem


def count_anew() -> None:
    """Let automatic names begin without numbers again, as in a new process."""
    _counts.clear()
