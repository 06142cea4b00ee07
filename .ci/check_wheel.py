"""Check the list of files in a wheel: ``python .ci/check_wheel.py WHEEL CHECKOUT``."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

DATA = {
    "tapegrad/py.typed",
    "tapegrad/datasets/digits.npz",
    "tapegrad/datasets/digits.md",
    "tapegrad/datasets/sunspots.npz",
    "tapegrad/datasets/sunspots.md",
    "tapegrad_kernels/py.typed",
}
METADATA = {"METADATA", "WHEEL", "RECORD", "top_level.txt", "licenses/LICENSE"}


def modules(root: Path, package: str) -> set[str]:
    """The modules of a package, as a wheel names them."""
    return {file.relative_to(root).as_posix() for file in (root / package).rglob("*.py")}


def main(wheel: str, checkout: str) -> int:
    """Compare; print what differs."""
    with zipfile.ZipFile(wheel) as archive:
        found = set(archive.namelist())
    root = Path(checkout)
    name, version = Path(wheel).name.split("-")[:2]
    expected = DATA | {f"{name}-{version}.dist-info/{file}" for file in METADATA}
    expected |= modules(root, "tapegrad") | modules(root / "kernels", "tapegrad_kernels")
    for file in sorted(expected - found):
        print(f"missing from the wheel: {file}")
    for file in sorted(found - expected):
        print(f"in the wheel, but not expected: {file}")
    if found == expected:
        print(f"{Path(wheel).name}: {len(found)} files, as expected")
    return int(found != expected)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
