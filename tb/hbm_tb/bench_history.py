"""Dated copies of bench.json, so that the report site can show the course over the benches."""

from __future__ import annotations

import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

HISTORY: Final = "history"  # folder beside bench.json
STAMP: Final = "%Y%m%dT%H%M%SZ"  # names of the copies


def keep(path: Path, at: float | None = None) -> Path:
    """Copy a bench.json that was just written into the history; `at` in seconds since 1970 (default: now)."""
    stamp = datetime.fromtimestamp(time.time() if at is None else at, UTC).strftime(STAMP)
    copy = path.parent / HISTORY / f"{stamp}.json"
    copy.parent.mkdir(exist_ok=True)
    shutil.copyfile(path, copy)
    return copy


def kept(folder: Path) -> list[tuple[float, Path]]:
    """Seconds since 1970 and path of each copy, oldest first; files that are no copies are left out."""
    found = []
    for path in (folder / HISTORY).glob("*.json"):
        try:
            found.append((datetime.strptime(path.stem, STAMP).replace(tzinfo=UTC).timestamp(), path))
        except ValueError:
            continue
    return sorted(found)
