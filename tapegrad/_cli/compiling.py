"""The bar that shows kernels being compiled, the first time on a machine."""

from __future__ import annotations

import sys
from collections.abc import Iterable


def compile_kernels(only: Iterable[str] | None = None, *, again: bool = False) -> int:
    """Compile kernels that are not in the cache yet, with a progress bar on standard error.

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
    import tapegrad_kernels.cpu.program.families  # noqa: F401 - registers all tasks
    from tapegrad_kernels._compile.warmup import cold_tasks, tasks, warmup

    names = [name for name, _ in tasks(only)] if again else cold_tasks(only)
    if not names:
        return 0
    from tqdm.auto import tqdm

    title = "compiling kernels (once)"
    with tqdm(
        total=len(names), desc=title, unit="task", file=sys.stderr, dynamic_ncols=True
    ) as bar:
        for name, done, _ in warmup(names):
            bar.set_postfix_str(name, refresh=False)
            bar.update(done - bar.n)
        bar.update(len(names) - bar.n)
    return len(names)
