"""Compiles the loops of chains in the background, and keeps them on disk by their content."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import sys
import tempfile
import threading
import time
from collections import deque
from pathlib import Path

from tapegrad_kernels._compile import Block, cache
from tapegrad_kernels.cpu.program.chains.description import Chain
from tapegrad_kernels.cpu.program.chains.source import source_of

_blocks: dict[str, Block] = {}
"""Blocks of which the machine code is in memory, by source."""


@functools.cache
def _folder() -> Path:
    """Where sources are written: beside the compiled kernels, which only the user can write."""
    kept = cache.folder()
    if kept is None:
        return Path(tempfile.mkdtemp(prefix="tapegrad-chains-"))
    place = kept / "chains"
    place.mkdir(mode=0o700, exist_ok=True)
    _prune(place)
    return place


def _prune(place: Path) -> None:
    oldest = time.time() - cache.PRUNE_AFTER_DAYS * 86_400
    for file in place.glob("*.py"):
        try:
            if file.stat().st_mtime < oldest:
                file.unlink()
        except OSError:  # another process was faster
            continue


def _write(source: str) -> Path:
    """The file of a source, named by its content."""
    path = _folder() / f"chain_{hashlib.sha256(source.encode()).hexdigest()[:24]}.py"
    try:
        if path.read_text(encoding="utf-8") == source:
            os.utime(path)  # pruning goes by the last use
            return path
    except OSError:  # not there yet
        pass
    # Written whole and moved into place: any number of processes may do so at once.
    descriptor, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(source)
    Path(name).replace(path)
    return path


@functools.cache
def _block(source: str) -> Block:
    """The block of a source, not compiled yet."""
    path = _write(source)
    spec = importlib.util.spec_from_file_location(f"tapegrad_kernels.{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where Numba looks for it when it loads machine code
    spec.loader.exec_module(module)
    # With the key of the sources in its name, a file of that name is the present code.
    return Block(module.chain, f"{path.stem}.{cache.source_key(path)}")


@functools.lru_cache(1)
def _kept_names(folder: Path, changed: int) -> frozenset[str]:
    """Names of the chains of which the machine code is on disk."""
    with os.scandir(folder) as files:
        names = [file.name for file in files]
    return frozenset(name.rpartition("-")[0] for name in names if name.startswith("chain_"))


def _is_kept(block: Block) -> bool:
    kept = cache.folder()
    return kept is not None and block.name in _kept_names(kept, kept.stat().st_mtime_ns)


def compiled_block(chain: Chain) -> Block | None:
    """The block of a chain if its machine code is in memory or on disk."""
    source = source_of(chain)
    found = _blocks.get(source)
    if found is None:
        block = _block(source)
        if not _is_kept(block):
            return None
        block.address  # noqa: B018
        found = _blocks[source] = block
    return found


def is_compiled(chain: Chain) -> bool:
    """Whether a chain's loop is in memory or on disk."""
    return compiled_block(chain) is not None


class _Worker:
    """Compiles one source after the other, on a thread that lives while there are any."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.compiling = threading.Lock()
        self.waiting: deque[str] = deque()
        self.known: set[str] = set()
        self.thread: threading.Thread | None = None
        self.failure: BaseException | None = None

    def add(self, source: str) -> None:
        """Have a source compiled, unless it was added before."""
        with self.lock:
            if source in self.known:
                return
            self.known.add(source)
            self.waiting.append(source)
            if self.thread is None:
                # Not a daemon: at the end of the interpreter it is joined, since a thread that
                # compiles must not be cut off.
                self.thread = threading.Thread(target=self._work, name="tapegrad chains")
                self.thread.start()

    def _work(self) -> None:
        main = threading.main_thread()
        while True:
            with self.lock:
                if not self.waiting or not main.is_alive():
                    self.thread = None
                    return
                source = self.waiting.popleft()
            try:
                with self.compiling:
                    block = _block(source)
                    block.address  # noqa: B018
                    _blocks[source] = block
            except BaseException as error:
                self.failure = error

    def wait(self, timeout: float | None) -> bool:
        """Wait until nothing is left."""
        thread = self.thread
        if thread is not None:
            thread.join(timeout)
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure
        return self.thread is None

    def before_fork(self) -> None:
        """Let no process be copied in the middle of a compilation, whose locks it would keep."""
        self.compiling.acquire()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self.compiling.release()

    def after_fork_in_child(self) -> None:
        """Begin anew: threads are not copied."""
        self.__init__()


_worker = _Worker()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_worker.before_fork,
        after_in_parent=_worker.after_fork_in_parent,
        after_in_child=_worker.after_fork_in_child,
    )


def compile_chain(chain: Chain) -> None:
    """Have the loop of a chain compiled in the background, if it is nowhere yet.

    One thread does so for all chains, and for each that is given again nothing. Programs that
    run a chain in blocks meanwhile get the loop when they are laid out again.
    """
    if compiled_block(chain) is None:
        _worker.add(source_of(chain))


def wait(timeout: float | None = None) -> bool:
    """Wait until all chains given to `compile_chain` are compiled.

    Parameters
    ----------
    timeout : float, optional
        Seconds after which to give up.

    Returns
    -------
    bool
        Whether all are compiled.

    Raises
    ------
    Exception
        What stopped a compilation, if something did.
    """
    return _worker.wait(timeout)
