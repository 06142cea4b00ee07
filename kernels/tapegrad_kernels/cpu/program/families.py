"""Imports all lowerings, for those who want to know or compile all of them."""

from __future__ import annotations

import importlib

from tapegrad_kernels.cpu.program.lowering import FAMILIES

for _family in (*FAMILIES, "batches", "executor"):
    importlib.import_module(f"tapegrad_kernels.cpu.program.{_family}")
