"""Check what two runs of ``train digits`` left: ``python .ci/check_run.py DIR DIR``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ACCURACY = 0.965
FIGURES = ["loss", "accuracy", "precision_macro", "recall_macro", "f1_macro"]
REPORT = ["data", "model", "epochs", "seconds", "train", "test"]
PLOTS = ["curves.png", "confusion_matrix.png", "predictions.png"]


def main(*folders: str) -> int:
    """Check files, figures, and that one seed gave the same weights; print what fails."""
    failures: list[str] = []
    weights: set[bytes] = set()
    for folder in map(Path, folders):
        report = json.loads((folder / "report.json").read_text())
        weights.add((folder / "model.safetensors").read_bytes())
        print(f"{folder}: test {report['test']}")
        if list(report) != REPORT or [*report["train"], *report["test"]] != FIGURES * 2:
            failures.append(f"{folder}: report.json has other entries than documented")
        if report["test"]["accuracy"] < ACCURACY:
            failures.append(f"{folder}: test accuracy is below {ACCURACY}")
        failures += [f"{folder}: no {plot}" for plot in PLOTS if not (folder / plot).stat().st_size]
    if len(weights) != 1:
        failures.append("runs with one seed left different weights")
    print("\n".join(failures) or f"{len(folders)} runs: identical weights")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
