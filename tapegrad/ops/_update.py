"""Optimizer updates, in place on flat buffers."""

from __future__ import annotations

from typing import Any

from tapegrad._core.primitive import primitive

sgd_update: Any = primitive("sgd_update", mutates=(0, 2))
adam_update: Any = primitive("adam_update", mutates=(0, 2, 3))
