"""`python -m hbm_tb.job_worker FOLDER`: the process that carries out one job of a list (jobs.work)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hbm_tb.jobs import PARENT, work
from hbm_tb.processes import die_with_parent


def _follow(parent: str) -> None:
    """End with the process of that number, which may have gone already."""
    die_with_parent()
    if os.getppid() != int(parent):
        sys.exit("the process that started this worker is gone")


if __name__ == "__main__":
    if PARENT in os.environ:
        _follow(os.environ.pop(PARENT))
    sys.exit(work(Path(sys.argv[1])))
