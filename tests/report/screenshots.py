"""Pictures of the report site for the documentation, from the site that is there; not a test.

python tests/report/screenshots.py [--site build/site] [--run runs/LIST/NAME.html] [--to docs/images]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from browser import WIDTH, started, watched

ROOT = Path(__file__).resolve().parents[2]
SETTLED_MS = 1500  # the charts move into place


def main() -> None:
    """Overview, and the page of a run."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--site", type=Path, default=ROOT / "build" / "site")
    arguments.add_argument("--run", help="page of the run (default: the first on the page of runs)")
    arguments.add_argument("--to", type=Path, default=ROOT / "docs" / "images")
    given = arguments.parse_args()
    with started() as browser, watched(browser) as tab:
        page = tab.open(given.site / "runs.html")
        run = given.run or page.locator("#runs tbody a").first.get_attribute("href")
        for name, file, height in (("site-overview", "index.html", 1250), ("site-run", str(run), 1500)):
            page = tab.open(given.site / file)
            page.set_viewport_size({"width": WIDTH, "height": height})
            page.wait_for_timeout(SETTLED_MS)
            page.screenshot(path=given.to / f"{name}.png")
            print(given.to / f"{name}.png")


if __name__ == "__main__":
    main()
