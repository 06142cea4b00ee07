"""Print one line of totals from pytest's XML reports: ``python .ci/count_tests.py FILE…``."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree


def main(*files: str) -> int:
    """Add up the reports; fail where one holds a failure or no test."""
    total = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    empty = 0
    for file in files:
        counts = dict.fromkeys(total, 0)
        for suite in ElementTree.parse(file).iter("testsuite"):
            for name in total:
                counts[name] += int(suite.get(name, 0))
        for name, count in counts.items():
            total[name] += count
        empty += counts["tests"] == counts["skipped"]
    failed = total["failures"] + total["errors"]
    passed = total["tests"] - failed - total["skipped"]
    print(f"{passed} passed, {failed} failed, {total['skipped']} skipped")
    return int(failed > 0 or empty > 0 or not files)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
