"""`python -m hbm_tb.job_worker FOLDER`: the process that carries out one job of a list (jobs.work)."""

from __future__ import annotations

import sys
from pathlib import Path

from hbm_tb.jobs import work

if __name__ == "__main__":
    sys.exit(work(Path(sys.argv[1])))
