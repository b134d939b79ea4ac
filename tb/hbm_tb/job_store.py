"""Results of lists of runs, in one SQLite file per list.

Rows are only added: the newest row of a key is its result, the rest is history. Each row is committed before the next
run starts, so that a kill loses nothing but the runs under way. A lock keeps two runners off the same folder.
"""

from __future__ import annotations

import fcntl
import json
import sqlite3
import time
from pathlib import Path
from types import TracebackType

from hbm_model.errors import InputError

from hbm_tb.jobs import Job, Outcome

DATABASE = "results.sqlite"
SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS result (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL,          -- job, arguments and content
  name TEXT NOT NULL,
  content TEXT NOT NULL,      -- build and sources that ran
  status TEXT NOT NULL,       -- pass, fail, timeout, died, stopped
  reason TEXT NOT NULL,
  counts TEXT NOT NULL,       -- JSON object
  wall_s REAL NOT NULL,
  cpu_s REAL NOT NULL,
  attempts INTEGER NOT NULL,
  log TEXT NOT NULL,
  arguments TEXT NOT NULL,    -- JSON object
  finished REAL NOT NULL      -- seconds since 1970
);
CREATE INDEX IF NOT EXISTS result_key ON result (key, id);
CREATE INDEX IF NOT EXISTS result_name ON result (name, id);
"""


class JobStore:
    """The results of one list; `folder` also holds the folders of its runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = (folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{folder}: another process is running this list") from None
        self._db = sqlite3.connect(folder / DATABASE)
        # A run of a list writes some hundred rows: durable beats fast.
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, SCHEMA_VERSION):
            raise InputError(f"{folder / DATABASE}: written by another version; remove it to begin anew")
        self._db.executescript(_SCHEMA)
        self._db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    def __enter__(self) -> JobStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and let others run the list."""
        self._db.close()
        self._lock.close()

    def add(self, job: Job, outcome: Outcome) -> None:
        """Keep the outcome of a run; durable when this returns."""
        with self._db:
            self._db.execute(
                "INSERT INTO result (key, name, content, status, reason, counts, wall_s, cpu_s, attempts, log, "
                "arguments, finished) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    job.key(outcome.content),
                    job.name,
                    outcome.content,
                    outcome.status,
                    outcome.reason,
                    json.dumps(dict(outcome.counts)),
                    outcome.wall_s,
                    outcome.cpu_s,
                    outcome.attempts,
                    outcome.log,
                    json.dumps(dict(job.arguments)),
                    time.time(),
                ),
            )

    def find(self, key: str) -> Outcome | None:
        """The newest outcome of a key."""
        row = self._db.execute(
            "SELECT status, reason, counts, wall_s, cpu_s, log, content, attempts FROM result WHERE key = ? "
            "ORDER BY id DESC LIMIT 1",
            (key,),
        ).fetchone()
        if row is None:
            return None
        status, reason, counts, wall_s, cpu_s, log, content, attempts = row
        return Outcome(status, reason, json.loads(counts), wall_s, cpu_s, log, content, attempts)

    def last_status(self) -> dict[str, str]:
        """Name -> status of its newest row, whatever was run."""
        rows = self._db.execute(
            "SELECT name, status FROM result WHERE id IN (SELECT max(id) FROM result GROUP BY name)"
        )
        return dict(rows.fetchall())
