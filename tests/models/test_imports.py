"""Importing models is light: compilers and writers of files come when they are needed."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
import tapegrad.callbacks, tapegrad.datasets, tapegrad.layers, tapegrad.models, tapegrad.utils
heavy = ("numba", "scipy", "matplotlib", "tqdm", "safetensors", "tapegrad_kernels.cpu")
print([name for name in heavy if name in sys.modules])
"""


def test_nothing_heavy_is_imported():
    run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
