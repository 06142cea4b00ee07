"""Compile kernels ahead of their first use, on all cores.

Numba compiles one function at a time in a process. When compiling turns out to be
needed, further processes of Python therefore share the tasks: each claims the next
one by creating a file, the first process from the front of the list and the others
from its end. What they compile meets in the cache on disk.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tapegrad_kernels._compile import cache

Task = Callable[[], object]

ALONE_SECONDS = 2.5
"""Loading everything from the cache takes less: beyond it, kernels are being compiled."""
WORTH_SHARING = 4
"""Tasks left below which another process would come too late."""

_ALL = "tapegrad_kernels.cpu.program.families"
"""The module whose import registers every task."""

_tasks: list[tuple[str, Task]] = []


def on_warmup(name: str) -> Callable[[Task], Task]:
    """Register a function that makes its kernels compile, usually by calling them.

    Parameters
    ----------
    name : str
        What the progress bar shows, for instance ``"gemm float32"``; unique.
    """

    def register(task: Task) -> Task:
        _tasks.append((name, task))
        return task

    return register


def tasks(only: Iterable[str] | None = None) -> list[tuple[str, Task]]:
    """The registered tasks, or those whose name starts with one of `only`."""
    if only is None:
        return list(_tasks)
    prefixes = tuple(only)
    return [(name, task) for name, task in _tasks if name.startswith(prefixes)]


def _mark(folder: Path, name: str, task: Task) -> Path:
    """The empty file that tells that a task ran with the sources as they are now."""
    sources = cache.source_key(Path(task.__code__.co_filename))
    return folder / f"{name.replace(' ', '-')}-{sources}.done"


def cold_tasks(only: Iterable[str] | None = None) -> list[str]:
    """Names of the tasks, or of those named, whose kernels are not in the cache yet."""
    kept = cache.folder()
    return [
        name for name, task in tasks(only) if kept is None or not _mark(kept, name, task).exists()
    ]


def _run(name: str, task: Task) -> None:
    task()
    kept = cache.folder()
    if kept is not None:
        _mark(kept, name, task).touch()


class _Helpers:
    """Further processes that take tasks from the end of the list."""

    def __init__(self, names: list[str], taken: int, count: int) -> None:
        self._names = names
        self._folder = tempfile.TemporaryDirectory(prefix="tapegrad-warmup-")
        self._place = Path(self._folder.name)
        for position in range(taken):
            self.claim(position)
        paths = os.pathsep.join(path for path in sys.path if path)
        # Importing the kernels registers the tasks. Were it an import of this module's own, all
        # kernels would count among the sources of each.
        program = f"import {_ALL}; from {__name__} import help_out; help_out()"
        self._processes = []
        for _ in range(count):
            process = subprocess.Popen(
                [sys.executable, "-c", program],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": paths},
            )
            assert process.stdin is not None
            process.stdin.write(json.dumps([str(self._place), names]).encode())
            process.stdin.close()
            self._processes.append(process)

    def claim(self, position: int) -> bool:
        """Take a task; False if another process has it."""
        return _claim(self._place, position)

    def finished(self) -> int:
        """Tasks that the others have finished."""
        return len(list(self._place.glob("*.done")))

    def running(self) -> bool:
        """Whether any of them still works."""
        return any(process.poll() is None for process in self._processes)

    def left_over(self) -> list[str]:
        """Names of tasks that a process claimed and did not finish."""
        claimed = {int(path.stem) for path in self._place.glob("*.theirs")}
        done = {int(path.stem) for path in self._place.glob("*.done")}
        return [self._names[position] for position in sorted(claimed - done)]

    def close(self) -> None:
        """End them, also in the middle of a task."""
        for process in self._processes:
            if process.poll() is None:
                process.terminate()
            process.wait()
        self._folder.cleanup()


def _claim(place: Path, position: int) -> bool:
    try:
        (place / f"{position}.claim").open("x").close()
    except FileExistsError:
        return False
    return True


def help_out() -> None:
    """What a further process does: take tasks from the end until none is left."""
    where, names = json.load(sys.stdin)
    place, known = Path(where), dict(_tasks)
    for position in reversed(range(len(names))):
        if place.exists() and _claim(place, position):
            (place / f"{position}.theirs").touch()
            _run(names[position], known[names[position]])
            (place / f"{position}.done").touch()


def warmup(
    only: Iterable[str] | None = None, *, processes: int | None = None
) -> Iterator[tuple[str, int, int]]:
    """Compile every kernel, or those named, yielding ``(name, done, total)`` as it goes.

    A generator, so that the caller can show progress as it likes.

    Parameters
    ----------
    only : iterable of str, optional
        Prefixes of the names of tasks.
    processes : int, optional
        How many may compile; all cores if not given. One does all unless compiling turns
        out to be needed and there is a cache to share.
    """
    chosen = tasks(only)
    names = [name for name, _ in chosen]
    most = processes or os.cpu_count() or 1
    helpers: _Helpers | None = None
    started = time.perf_counter()
    own = 0
    try:
        for position, (name, task) in enumerate(chosen):
            if helpers is not None and not helpers.claim(position):
                continue
            yield name, own + (helpers.finished() if helpers else 0), len(chosen)
            _run(name, task)
            own += 1
            late = time.perf_counter() - started > ALONE_SECONDS
            left = len(chosen) - position - 1
            if helpers is None and late and most > 1 and left >= WORTH_SHARING and cache.folder():
                helpers = _Helpers(names, position + 1, min(most - 1, left // 2))
        while helpers is not None and helpers.running():
            yield "other processes", own + helpers.finished(), len(chosen)
            time.sleep(0.2)
        for name in helpers.left_over() if helpers is not None else ():
            yield name, own, len(chosen)
            _run(name, dict(chosen)[name])  # raises here what ended the other process
    finally:
        if helpers is not None:
            helpers.close()
