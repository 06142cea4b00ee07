"""Which edits make a compiled kernel stale."""

from __future__ import annotations

import os
import time

import pytest

from tapegrad_kernels._compile import cache


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of four modules: one imports two others, by both ways, the fourth stands alone."""
    root = tmp_path / "tapegrad_kernels"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "__init__.py").write_text("from tapegrad_kernels.alone import z\n")
    (root / "main.py").write_text(
        "from tapegrad_kernels.sub import (\n    module as m,  # why\n)\n\n"
        "def f():\n    return m.g()\n"
    )
    (root / "sub" / "module.py").write_text(
        "def g():\n    from tapegrad_kernels.last import h\n    return h()\n"
    )
    (root / "last.py").write_text("def h():\n    return 1\n")
    (root / "alone.py").write_text("z = 0\n")
    monkeypatch.setattr(cache, "_ROOT", root)
    yield root
    _forget()


def _forget() -> None:
    cache._read.cache_clear()
    cache.source_key.cache_clear()


def _key(path) -> str:
    _forget()
    return cache.source_key(path)


@pytest.mark.parametrize("edited", ["main.py", "sub/module.py", "last.py"])
def test_an_edit_of_what_a_kernel_imports_changes_its_key(package, edited):
    before = _key(package / "main.py")
    with (package / edited).open("a") as file:
        file.write("# changed\n")
    assert _key(package / "main.py") != before


@pytest.mark.parametrize("edited", ["alone.py", "sub/__init__.py"])
def test_an_edit_elsewhere_keeps_the_key(package, edited):
    before = _key(package / "main.py")
    with (package / edited).open("a") as file:
        file.write("# changed\n")
    assert _key(package / "main.py") == before


def test_the_softmax_kernels_depend_on_their_formulas_and_not_on_gemm():
    file = cache._ROOT / "cpu" / "_softmax_kernels.py"
    reached = {file}
    waiting = [file]
    while waiting:
        for imported in set(cache._read(waiting.pop())[1]) - reached:
            reached.add(imported)
            waiting.append(imported)
    names = {path.relative_to(cache._ROOT).as_posix() for path in reached}
    assert {"_scalar/functions.py", "cpu/_basis.py", "_compile/pointers.py"} <= names
    assert not any(name.startswith("cpu/gemm/") for name in names)


def test_code_that_nobody_used_for_long_is_removed(tmp_path):
    old, young = tmp_path / "old.nbc", tmp_path / "young.nbc"
    for file in (old, young):
        file.write_bytes(b"")
    long_ago = time.time() - 2 * cache.PRUNE_AFTER_DAYS * 86_400
    os.utime(old, (long_ago, long_ago))
    cache._prune_files.__wrapped__(tmp_path)
    assert not old.exists()
    assert young.exists()
