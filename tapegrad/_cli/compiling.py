"""The bar that shows kernels being compiled, the first time on a machine."""

from __future__ import annotations

import sys
from collections.abc import Iterable

# A warm cache loads a kernel in milliseconds; a bar is for those who wait.
_PATIENCE_SECONDS = 0.5


def compile_kernels(only: Iterable[str] | None = None, *, always_show: bool = False) -> int:
    """Compile kernels that are not in the cache yet, with a progress bar on standard error.

    Parameters
    ----------
    only : iterable of str, optional
        Prefixes of the names of warm-up tasks; None means all.
    always_show : bool, default False
        Whether to show the bar also when all takes less than half a second.

    Returns
    -------
    int
        Number of tasks.
    """
    from tqdm.auto import tqdm

    import tapegrad_kernels.cpu  # noqa: F401 - registers the tasks of the kernels
    from tapegrad_kernels._compile.warmup import tasks, warmup

    total = len(tasks(only))
    with tqdm(
        total=total,
        desc="compiling kernels (once)",
        unit="task",
        delay=0.0 if always_show else _PATIENCE_SECONDS,
        leave=always_show,
        file=sys.stderr,
        dynamic_ncols=True,
    ) as bar:
        for name, done, _ in warmup(only):
            bar.n = done
            bar.set_postfix_str(name, refresh=False)
            bar.refresh()
        bar.n = total
        bar.set_postfix_str("")
    return total
