"""Compile kernels ahead of their first use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

_tasks: list[tuple[str, Callable[[], object]]] = []


def on_warmup(name: str) -> Callable[[Callable[[], object]], Callable[[], object]]:
    """Register a function that makes its kernels compile, usually by calling them.

    Parameters
    ----------
    name : str
        What the progress bar shows, for instance ``"gemm float32"``.
    """

    def register(task: Callable[[], object]) -> Callable[[], object]:
        _tasks.append((name, task))
        return task

    return register


def tasks(only: Iterable[str] | None = None) -> list[tuple[str, Callable[[], object]]]:
    """The registered tasks, or those whose name starts with one of `only`."""
    if only is None:
        return list(_tasks)
    prefixes = tuple(only)
    return [(name, task) for name, task in _tasks if name.startswith(prefixes)]


def warmup(only: Iterable[str] | None = None) -> Iterator[tuple[str, int, int]]:
    """Compile every kernel, or those named, yielding ``(name, done, total)`` before each.

    A generator, so that the caller can show progress as it likes.
    """
    chosen = tasks(only)
    for done, (name, task) in enumerate(chosen):
        yield name, done, len(chosen)
        task()
