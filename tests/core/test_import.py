"""What importing tapegrad loads, and that imports point down."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import tapegrad

HEAVY = ["numba", "llvmlite", "scipy", "matplotlib", "tqdm", "safetensors", "tapegrad_kernels.cpu"]

FLOORS = [
    ["tapegrad_kernels"],
    ["tapegrad._core"],
    ["tapegrad.ops"],
    [
        "tapegrad.numpy",
        "tapegrad.transforms",
        "tapegrad._jit",
        "tapegrad.random",
        "tapegrad.test_util",
    ],
    [
        "tapegrad.layers",
        "tapegrad.losses",
        "tapegrad.metrics",
        "tapegrad.optimizers",
        "tapegrad.initializers",
        "tapegrad.regularizers",
        "tapegrad.constraints",
        "tapegrad.activations",
    ],
    [
        "tapegrad.models",
        "tapegrad.training",
        "tapegrad.callbacks",
        "tapegrad.data",
        "tapegrad.datasets",
    ],
    ["tapegrad.plot", "tapegrad._cli", "tapegrad.__main__"],
]


def test_importing_tapegrad_is_light():
    code = f"""
import sys
import tapegrad
assert not [name for name in {HEAVY!r} if name in sys.modules]
x = tapegrad.Variable([1.0, 2.0])  # nor does a Variable need a compiler
assert "numba" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_names_that_are_announced_exist():
    for name in tapegrad.__all__:
        assert getattr(tapegrad, name) is not None
    assert set(tapegrad.__all__) <= set(dir(tapegrad))


def _floor(module: str) -> int | None:
    for number, prefixes in enumerate(FLOORS):
        if any(module == p or module.startswith(p + ".") for p in prefixes):
            return number
    return None


def test_imports_point_down():
    root = Path(tapegrad.__file__).parent
    checked = 0
    for source in sorted(root.rglob("*.py")):
        module = ".".join(["tapegrad", *source.relative_to(root).with_suffix("").parts])
        floor = _floor(module.removesuffix(".__init__"))
        if floor is None:
            continue
        checked += 1
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                targets = [node.module] + [f"{node.module}.{a.name}" for a in node.names]
            elif isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            else:
                continue
            for target in targets:
                height = _floor(target)
                assert height is None or height <= floor, f"{module} imports {target}"
    assert checked > 30


def test_the_guard_against_upward_imports_can_fail():
    assert _floor("tapegrad._core.tape") == 1
    assert _floor("tapegrad.layers.base") == 4
    assert _floor("os.path") is None
