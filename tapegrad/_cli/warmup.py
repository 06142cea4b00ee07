"""The command ``warmup``: compile and keep every kernel."""

from __future__ import annotations

import time

from tapegrad._cli.compiling import compile_kernels


def run() -> int:
    """Compile all kernels and say where they are kept."""
    from tapegrad_kernels._compile.cache import folder

    started = time.perf_counter()
    total = compile_kernels(again=True)
    kept = folder()
    place = f"kept in {kept}" if kept else "not kept: no folder can be written"
    print(f"{total} groups of kernels ready in {time.perf_counter() - started:.1f} s, {place}")
    return 0
