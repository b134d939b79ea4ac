"""How a report page of very many commands opens and moves in a real browser; prints a table. Not a test.

python tests/report/measure_page.py [COMMANDS] [--report FILE]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from browser import started, watched
from hbm_model.report import Report, write_report
from test_report import DRAWN, example

VIEWS = {"all": (0.0, 1.0), "half": (0.0, 0.5), "an eighth": (0.5, 0.625), "a hundredth": (0.5, 0.51)}
REPEATS = 5


def shuffled(report: Report) -> Report:
    """With banks, rows and columns of random traffic, which pack worst."""
    rng, rows = np.random.default_rng(1), report.commands
    for name, limit in (("bg", report.bgs), ("bank", report.banks), ("col", 32), ("row", 16384)):
        rows[name] = rng.integers(limit, size=rows.size)
    rows["time"] += np.cumsum(rng.integers(3, size=rows.size)).astype(np.uint64)
    return report


def main() -> None:
    """Write the page (or take one), open it, and time what a reader does."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("commands", nargs="?", type=int, default=5_000_000)
    arguments.add_argument("--report", type=Path, help="a page that is there, in place of a made-up one")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder, started() as browser, watched(browser) as tab:
        page_file = given.report or Path(folder) / "report.html"
        if given.report is None:
            begin = time.monotonic()
            write_report(page_file, shuffled(example(rounds=given.commands // 12)))
            print(f"{'written in':<28}{time.monotonic() - begin:8.1f} s")
        print(f"{'size':<28}{page_file.stat().st_size / 1e6:8.1f} MB")
        begin = time.monotonic()
        page = tab.open(page_file)
        page.wait_for_function("Number(document.documentElement.dataset.drawn) > 0")
        print(f"{'open until all is drawn':<28}{time.monotonic() - begin:8.1f} s")
        count = page.evaluate("n")
        for name, (low, high) in VIEWS.items():
            times = []
            for _ in range(REPEATS):
                times.append(float(page.evaluate(DRAWN, [low, high])))
            drawn = page.evaluate("document.documentElement.dataset.drawn")
            print(f"{'draw ' + name:<28}{min(times):8.0f} ms  {int(drawn):>10,} commands")
        memory = page.evaluate("performance.memory.usedJSHeapSize") / 1e6
        print(f"{'memory of the page':<28}{memory:8.0f} MB  {count:>10,} commands")


if __name__ == "__main__":
    main()
