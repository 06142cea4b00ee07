"""Kernels compiled ahead of their use, by several processes that share the work."""

from __future__ import annotations

import importlib
import time
from typing import Any

import pytest

from tapegrad_kernels import cpu  # noqa: F401 - registers the tasks
from tapegrad_kernels._compile import cache

warmup: Any = importlib.import_module("tapegrad_kernels._compile.warmup")


def test_names_of_tasks_are_unique():
    names = [name for name, _ in warmup.tasks()]
    assert len(set(names)) == len(names)


@pytest.fixture
def shared(monkeypatch):
    """Real names with tasks of our own, which note that they ran; the helpers run the real ones."""
    names = [name for name, _ in warmup.tasks(["relu", "sigmoid float", "tanh float"])][:6]
    assert len(names) == 6
    here: list[str] = []

    def task(name: str):
        def run() -> None:
            here.append(name)
            if name == names[1]:  # until another process has done something
                limit = time.monotonic() + 120
                while not started or not started[0].finished():
                    assert time.monotonic() < limit
                    time.sleep(0.05)

        return run

    started: list[warmup._Helpers] = []

    class Helpers(warmup._Helpers):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            started.append(self)

    monkeypatch.setattr(warmup, "_Helpers", Helpers)
    monkeypatch.setattr(warmup, "ALONE_SECONDS", -1.0)
    monkeypatch.setattr(warmup, "WORTH_SHARING", 1)
    monkeypatch.setattr(warmup, "_tasks", [(name, task(name)) for name in names])
    monkeypatch.setattr(warmup, "_mark", lambda folder, name, task: folder / "test.done")
    return names, here, started


@pytest.mark.skipif(cache.folder() is None, reason="helpers meet in the cache")
def test_other_processes_take_tasks_from_the_end(shared):
    names, here, started = shared
    seen = list(warmup.warmup(processes=2))
    assert here[:2] == names[:2]
    assert 2 <= len(here) < 6
    assert here == names[: len(here)]
    assert len(started) == 1
    assert not started[0].running()
    assert not started[0]._place.exists()
    assert [total for _, _, total in seen] == [6] * len(seen)
    assert max(done for _, done, _ in seen) <= 6


@pytest.mark.skipif(cache.folder() is None, reason="helpers meet in the cache")
def test_what_another_process_fails_at_is_done_here(shared, monkeypatch):
    names, here, started = shared
    # A name that the other process does not know ends it.
    unknown = [*names[:5], "no such kernels"]
    table = dict(warmup._tasks)
    monkeypatch.setattr(
        warmup,
        "_tasks",
        [
            (name, (lambda name=name: here.append(name)) if i else table[name])
            for i, name in enumerate(unknown)
        ],
    )

    def wait() -> None:
        here.append(names[1])
        while started[0].running():
            time.sleep(0.05)

    warmup._tasks[1] = (names[1], wait)
    list(warmup.warmup(processes=2))
    assert here == unknown


def test_one_process_does_all_where_nothing_is_compiled(shared, monkeypatch):
    names, here, started = shared
    monkeypatch.setattr(warmup, "ALONE_SECONDS", 60.0)
    monkeypatch.setattr(
        warmup, "_tasks", [(name, lambda name=name: here.append(name)) for name in names]
    )
    list(warmup.warmup())
    assert here == names
    assert started == []
