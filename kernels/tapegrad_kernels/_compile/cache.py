"""The folder in which compiled kernels are kept between runs.

Numba's own cache knows only the file of the function it compiles: after an edit
of a callee in another file, or under other debugging flags, it serves stale
code. Here the folder's name carries a hash of the versions of the compiler, its
flags and the CPU, and the name of each file a hash of the module that the kernel
stands in and of all modules of this package that it imports, so that code of two
kinds never meets. A release that changes one family of kernels compiles that
family again and no other.

Cache files are pickles, and loading one runs what it says. The folder is
therefore private to the user (mode 0700, owner checked).
"""

from __future__ import annotations

import functools
import hashlib
import os
import pickle
import re
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import llvmlite.binding
import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile
from numba.core.caching import _CacheLocator as CacheLocator

from tapegrad_kernels._compile import features

PRUNE_AFTER_DAYS = 30
"""Code of other versions, flags or sources that nobody used for so long is removed."""

_PREFIX = "kernels-"


def _base_folder() -> Path:
    """The user's cache folder for tapegrad, by the custom of the system."""
    if chosen := os.environ.get("TAPEGRAD_CACHE_DIR"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        root = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        root = Path.home() / "Library" / "Caches"
    else:
        root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "tapegrad"


@functools.cache
def build_key() -> str:
    """Hash of everything outside the sources that shapes machine code."""
    digest = hashlib.sha256()
    for part in (
        sys.version,
        numba.__version__,
        llvmlite.__version__,
        features.cpu_name(),
        ",".join(sorted(features.cpu_features())),
        str(features.vector_bits()),
        str(features.config.BOUNDSCHECK),
        str(features.config.OPT),
        str(features.config.DEBUGINFO_DEFAULT),
    ):
        digest.update(part.encode())
        digest.update(b"\0")
    return digest.hexdigest()[:16]


_ROOT = Path(__file__).parent.parent
_IMPORT = re.compile(
    r"^[ \t]*from (tapegrad_kernels[\w.]*) import (\([^)]*\)|[^\n]*)"
    r"|^[ \t]*import (tapegrad_kernels[\w.]*)",
    re.MULTILINE,
)
_NAME = re.compile(r"\w+")
_ALIAS = re.compile(r"\bas\s+\w+")
_COMMENT = re.compile(r"#[^\n]*")


def _file_of(module: str) -> Path | None:
    path = _ROOT.joinpath(*module.split(".")[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@functools.cache
def _read(path: Path) -> tuple[bytes, tuple[Path, ...]]:
    """Hash of a source file, and the files of this package that it imports."""
    text = path.read_text(encoding="utf-8")
    imported: dict[Path, None] = {}
    for package, names, module in _IMPORT.findall(text):
        found = _file_of(module or package)
        if found is None:
            continue
        if package and found.name == "__init__.py":
            # Submodules by their own files; the package's file only for names of its own.
            bare = _COMMENT.sub("", _ALIAS.sub("", names))
            files = [_file_of(f"{package}.{name}") for name in _NAME.findall(bare)]
            imported.update(dict.fromkeys(file or found for file in files))
        else:
            imported[found] = None
    return hashlib.sha256(text.encode()).digest(), tuple(imported)


@functools.cache
def source_key(path: Path) -> str:
    """Hash of a source file and of all of this package's that it imports, however far."""
    reached = {path: None}
    waiting = [path]
    while waiting:
        for file in _read(waiting.pop())[1]:
            if file not in reached:
                reached[file] = None
                waiting.append(file)
    digest = hashlib.sha256()
    for part in sorted(_read(file)[0] for file in reached):
        digest.update(part)
    return digest.hexdigest()[:16]


def _make_private(folder: Path) -> None:
    """Create `folder` for this user alone; raise OSError if another owns or may write it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if sys.platform != "win32":
        state = folder.stat()
        if state.st_uid != os.getuid():
            raise PermissionError(f"the kernel cache {folder} belongs to another user")
        if state.st_mode & 0o077:
            folder.chmod(0o700)
    tempfile.TemporaryFile(dir=folder).close()


def _prune(base: Path, keep: str) -> None:
    oldest = time.time() - PRUNE_AFTER_DAYS * 86_400
    for other in base.glob(_PREFIX + "*"):
        try:
            if other.name != keep and other.is_dir() and other.stat().st_mtime < oldest:
                shutil.rmtree(other, ignore_errors=True)
        except OSError:  # another process was faster
            continue


@functools.cache
def folder() -> Path | None:
    """Folder of this build's compiled kernels, or None where none can be written.

    ``TAPEGRAD_CACHE_DIR`` chooses the place. Without a writable place kernels
    still work; each process then compiles what it uses.
    """
    name = _PREFIX + build_key()
    try:
        base = _base_folder()
        chosen = base / name
        _make_private(chosen)
    except (OSError, RuntimeError) as error:  # RuntimeError: no home directory
        warnings.warn(
            f"compiled kernels cannot be kept ({error}); each run will compile them again. "
            "Set TAPEGRAD_CACHE_DIR to a folder that you can write",
            RuntimeWarning,
            stacklevel=2,
        )
        return None
    os.utime(chosen)  # pruning goes by the last use
    _prune(base, name)
    return chosen


@functools.cache
def _prune_files(path: Path) -> None:
    """Remove this build's code that was not used for long: that of other sources."""
    oldest = time.time() - PRUNE_AFTER_DAYS * 86_400
    for file in path.glob("*.nbc"):
        try:
            if file.stat().st_mtime < oldest:
                file.unlink()
        except OSError:  # another process was faster
            continue


class _KernelFile(IndexDataCacheFile):
    """One file for each kernel and signature, named by their hash.

    Numba keeps an index beside numbered files; two processes that compile at
    once can then file one's code under the other's signature. Without an index
    there is nothing to corrupt: each file is written whole under a temporary
    name and moved into place.
    """

    def _name_of(self, key: Any) -> str:
        return f"{self._index_name[:-4]}-{hashlib.sha256(repr(key).encode()).hexdigest()[:20]}.nbc"

    def save(self, key: Any, data: Any) -> None:
        _prune_files(Path(self._cache_path))  # beside a compilation its time does not count
        self._save_data(self._name_of(key), data)

    def load(self, key: Any) -> Any:
        name = self._name_of(key)
        try:
            data = self._load_data(name)
            os.utime(Path(self._cache_path) / name)  # pruning goes by the last use
            return data
        except FileNotFoundError:
            return None
        except (OSError, EOFError, pickle.UnpicklingError, ValueError):
            return None  # truncated by a full disk or a crash: compile again


class _Locator(CacheLocator):
    def __init__(self, path: Path, name: str, sources: str) -> None:
        self._path = path
        self._name = name
        self._sources = sources

    def get_cache_path(self) -> Any:
        return str(self._path)

    def get_source_stamp(self) -> Any:
        return self._sources

    def get_disambiguator(self) -> Any:
        return self._name


def _outline(names: Iterable[str]) -> bytes:
    """Bitcode that says only which functions there are."""
    definitions = [f'define void @"{name}"() {{\n  ret void\n}}' for name in names]
    return llvmlite.binding.parse_assembly("\n".join(definitions)).as_bitcode()


class _Implementation(CompileResultCacheImpl):
    def __init__(self, locator: _Locator, name: str, standalone: bool) -> None:
        self._locator = locator
        self._standalone = standalone
        self._filename_base = "".join(c if c.isalnum() or c in "._-" else "_" for c in name)

    def reduce(self, cres: Any) -> Any:
        # Beside the machine code Numba keeps bitcode, for callers to link with. What is called
        # by its address has none, and reading bitcode is half of the time that loading takes.
        library, *rest = super().reduce(cres)
        if self._standalone:
            name, kind, (code, _) = library
            described = cres.fndesc
            entries = (
                described.llvm_func_name,
                described.llvm_cpython_wrapper_name,
                described.llvm_cfunc_wrapper_name,
            )
            library = name, kind, (code, _outline(entries))
        return (library, *rest)

    def check_cachable(self, cres: Any) -> bool:
        # Code that holds an address of this process (a ctypes function, a large
        # global array) would crash the next one.
        return not cres.library.has_dynamic_globals


class KernelCache(FunctionCache):
    """Numba's function cache over this package's folder, keyed by name and signature."""

    def __init__(
        self, function: Callable[..., Any], name: str, path: Path, standalone: bool
    ) -> None:
        self._name = name
        self._py_func = function
        self._sources = source_key(Path(function.__code__.co_filename))
        self._impl = _Implementation(_Locator(path, name, self._sources), name, standalone)
        self._cache_path = str(path)
        self._cache_file = _KernelFile(str(path), self._impl.filename_base, self._sources)
        self.enable()

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        # Closures are left out on purpose: Numba would hash a pickle of them, which
        # differs from run to run. What they hold comes from the sources too.
        return (self._name, self._sources, sig, codegen.magic_tuple())


def cache_for(
    function: Callable[..., Any], name: str, *, standalone: bool = False
) -> KernelCache | None:
    """A cache for `function` under the unique `name`, or None where none can be had.

    `standalone` functions are called through their address alone, never by other kernels.
    """
    path = folder()
    return None if path is None else KernelCache(function, name, path, standalone)
