"""The bar that shows kernels being compiled, the first time on a machine."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path


def compile_kernels(only: Iterable[str] | None = None, *, again: bool = False) -> int:
    """Compile kernels that are not in the cache yet, with a progress bar on standard error.

    Each finished task leaves an empty file beside the compiled code. The folder's
    name stands for sources, versions and CPU, so such a file holds as long as the
    folder does, and a warm start costs a look at the disk.

    Parameters
    ----------
    only : iterable of str, optional
        Prefixes of the names of warm-up tasks; None means all.
    again : bool, default False
        Whether to run also tasks that ran before, which loads what they compiled.

    Returns
    -------
    int
        Number of tasks that ran.
    """
    import tapegrad_kernels.cpu  # noqa: F401 - registers the tasks of the kernels
    from tapegrad_kernels._compile.cache import folder
    from tapegrad_kernels._compile.warmup import tasks

    kept = folder()
    cold = [
        (name, task)
        for name, task in tasks(only)
        if again or kept is None or not _mark(kept, name).exists()
    ]
    if not cold:
        return 0
    from tqdm.auto import tqdm

    with tqdm(
        cold, desc="compiling kernels (once)", unit="task", file=sys.stderr, dynamic_ncols=True
    ) as bar:
        for name, task in bar:
            bar.set_postfix_str(name)
            task()
            if kept is not None:
                _mark(kept, name).touch()
    return len(cold)


def _mark(folder: Path, task: str) -> Path:
    return folder / f"{task.replace(' ', '-')}.done"
