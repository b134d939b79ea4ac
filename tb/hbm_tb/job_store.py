"""Results of lists of runs, in one SQLite file per list.

Rows of results are only added: the newest row of a key is its result, the rest is history. Each row is committed before
the next run starts, so that a kill loses nothing but the runs under way. A lock keeps two runners off the same folder.

A regression is one way of the list from its start to its end, over any number of interruptions: it names the runs of
the list in order and the result of each, whether that was made for it or held from before. One without an end is
continued by whoever asks for the same runs again, unless the whole list was begun anew since.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from hbm_model.errors import InputError

from hbm_tb.job_buckets import buckets_of, headline_of, signature_of
from hbm_tb.jobs import FAIL, PASS, STOPPED, Job, Outcome

DATABASE = "results.sqlite"
LOCK = "lock"
CHANGED = "sources_changed"  # among the options of a regression: so many runs saw other sources than the first ones
LOCK_S = 1.0  # a reader that looks whether a list runs holds the lock for an instant
SCHEMA_VERSION = 2
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
  finished REAL NOT NULL,     -- seconds since 1970
  kind TEXT NOT NULL DEFAULT '',
  reproduce TEXT NOT NULL DEFAULT '',
  failure TEXT NOT NULL DEFAULT '{}',   -- failure.json of the run
  signature TEXT NOT NULL DEFAULT '',   -- bucket of a failure
  headline TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS result_key ON result (key, id);
CREATE INDEX IF NOT EXISTS result_name ON result (name, id);
CREATE TABLE IF NOT EXISTS regression (
  id INTEGER PRIMARY KEY,
  identity TEXT NOT NULL,     -- digest of the keys of its runs
  title TEXT NOT NULL,
  complete INTEGER NOT NULL,  -- 0: a part of the list was chosen
  options TEXT NOT NULL,      -- JSON object
  revision TEXT NOT NULL,     -- of git; + behind it: files were changed
  start REAL NOT NULL,        -- seconds since 1970
  end REAL,                   -- NULL: not at its end
  wall_s REAL NOT NULL,       -- while the runner was at it
  verdict TEXT NOT NULL,      -- pass, fail, stopped; empty: not at its end
  total INTEGER NOT NULL,
  passed INTEGER NOT NULL,
  failed INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS regression_run (
  regression INTEGER NOT NULL REFERENCES regression (id),
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  result INTEGER REFERENCES result (id),  -- NULL: not yet there
  reused INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (regression, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bucket (
  regression INTEGER NOT NULL REFERENCES regression (id),
  signature TEXT NOT NULL,
  headline TEXT NOT NULL,
  count INTEGER NOT NULL,
  first TEXT NOT NULL,        -- run that is the cheapest to repeat
  new INTEGER NOT NULL,       -- 1: not in the complete regression before
  PRIMARY KEY (regression, signature)
) WITHOUT ROWID;
"""
# Columns that databases of version 1 lack.
_ADDED = (
    "kind TEXT NOT NULL DEFAULT ''", "reproduce TEXT NOT NULL DEFAULT ''", "failure TEXT NOT NULL DEFAULT '{}'",
    "signature TEXT NOT NULL DEFAULT ''", "headline TEXT NOT NULL DEFAULT ''",
)  # fmt: skip
_OUTCOME = "status, reason, counts, wall_s, cpu_s, log, content, attempts, failure"


@dataclass(frozen=True)
class About:
    """What a regression is told of itself."""

    title: str = ""
    complete: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)
    revision: str = ""


def _outcome(row: Sequence[Any]) -> Outcome:
    status, reason, counts, wall_s, cpu_s, log, content, attempts, failure = row
    return Outcome(
        status, reason, json.loads(counts), wall_s, cpu_s, log, content, attempts, json.loads(failure)
    )  # fmt: skip


class JobStore:
    """The results of one list; `folder` also holds the folders of its runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.regression: int | None = None  # that `add` belongs to
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = (folder / LOCK).open("w")
        self._take_lock()
        self._db = sqlite3.connect(folder / DATABASE)
        try:
            self._prepare()
        except sqlite3.OperationalError:  # the disk is full, the file cannot be written
            self.close()
            raise
        except sqlite3.DatabaseError as error:
            self.close()
            raise InputError(f"{folder / DATABASE}: {error}; remove it to begin anew") from None
        self._began = time.monotonic()
        self._wall_before = 0.0

    def _prepare(self) -> None:
        """The tables of this version, in a new file and in one of the version before."""
        # A run of a list writes some hundred rows: durable beats fast.
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise InputError(f"{self.folder / DATABASE}: written by another version; remove it to begin anew")
        with self._db:
            if version == 1:
                for column in _ADDED:
                    self._db.execute(f"ALTER TABLE result ADD COLUMN {column}")
            for statement in _SCHEMA.split(";\n"):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    def _take_lock(self) -> None:
        end = time.monotonic() + LOCK_S
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > end:
                    self._lock.close()
                    raise InputError(f"{self.folder}: another process is running this list") from None
                time.sleep(0.05)  # flock waits for ever or not at all

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

    # ------------------------------------------------------------ results

    def add(self, job: Job, outcome: Outcome) -> None:
        """Keep the outcome of a run; durable when this returns."""
        values = {
            "key": job.key(outcome.content),
            "name": job.name,
            "content": outcome.content,
            "status": outcome.status,
            "reason": outcome.reason,
            "counts": json.dumps(dict(outcome.counts)),
            "wall_s": outcome.wall_s,
            "cpu_s": outcome.cpu_s,
            "attempts": outcome.attempts,
            "log": outcome.log,
            "arguments": json.dumps(dict(job.arguments)),
            "finished": time.time(),
            "kind": job.kind,
            "reproduce": job.reproduce,
            "failure": json.dumps(dict(outcome.failure)),
            "signature": signature_of(outcome),
            "headline": headline_of(outcome),
        }
        with self._db:
            marks = ", ".join(f":{name}" for name in values)
            row = self._db.execute(f"INSERT INTO result ({', '.join(values)}) VALUES ({marks})", values).lastrowid
            if self.regression is not None:
                self._db.execute(
                    "UPDATE regression_run SET result = ?, reused = 0 WHERE regression = ? AND name = ?",
                    (row, self.regression, job.name),
                )
                self._db.execute("UPDATE regression SET wall_s = ? WHERE id = ?", (self._wall(), self.regression))

    def find_row(self, key: str) -> tuple[int, Outcome] | None:
        """The newest row of a key: its number and the outcome."""
        row = self._db.execute(
            f"SELECT id, {_OUTCOME} FROM result WHERE key = ? ORDER BY id DESC LIMIT 1", (key,)
        ).fetchone()
        return None if row is None else (int(row[0]), _outcome(row[1:]))

    def last_status(self) -> dict[str, str]:
        """Name -> status of its newest row, whatever was run."""
        rows = self._db.execute(
            "SELECT name, status FROM result WHERE id IN (SELECT max(id) FROM result GROUP BY name)"
        )
        return dict(rows.fetchall())

    def last_wall_s(self) -> dict[str, float]:
        """Name -> seconds that it took the last time it came to a verdict."""
        rows = self._db.execute(
            "SELECT name, wall_s FROM result WHERE id IN (SELECT max(id) FROM result WHERE status IN (?, ?) "
            "GROUP BY name)",
            (PASS, FAIL),
        )
        return dict(rows.fetchall())

    # ------------------------------------------------------------ regressions

    def unfinished(self, keys: Mapping[str, str]) -> dict[str, Outcome] | None:
        """Go on with the regression of the same runs that did not come to its end: what it has so far, by name.

        A part of the list that ran meanwhile does not matter; after a whole one nobody asks for the old one any more.
        """
        row = self._db.execute(
            "SELECT id, wall_s FROM regression AS one WHERE identity = ? AND end IS NULL AND NOT EXISTS (SELECT 1 FROM "
            "regression AS later WHERE later.id > one.id AND (later.complete = 1 OR later.identity = one.identity))",
            (_identity(keys),),
        ).fetchone()
        if row is None:
            return None
        self.regression, self._wall_before, self._began = row[0], row[1], time.monotonic()
        rows = self._db.execute(
            f"SELECT r.name, {_OUTCOME} FROM regression_run r JOIN result ON result.id = r.result "
            "WHERE r.regression = ? ORDER BY position",
            (self.regression,),
        )
        return {name: _outcome(values) for name, *values in rows.fetchall()}

    def begin(self, keys: Mapping[str, str], known: Mapping[str, int], about: About) -> None:
        """Start a regression of the runs `keys`: name -> key, in list order.

        `known`: name -> row of results that hold. Where nothing is left to do and the newest regression has all of it
        already, there is no new one.
        """
        identity = _identity(keys)
        newest = self._db.execute("SELECT id, identity, end FROM regression ORDER BY id DESC LIMIT 1").fetchone()
        if len(known) == len(keys) and newest is not None and newest[1] == identity and newest[2] is not None:
            self.regression = newest[0]
            return
        self._began, self._wall_before = time.monotonic(), 0.0
        with self._db:
            self.regression = self._db.execute(
                "INSERT INTO regression (identity, title, complete, options, revision, start, wall_s, verdict, total, "
                "passed, failed) VALUES (?, ?, ?, ?, ?, ?, 0, '', ?, 0, 0)",
                (
                    identity,
                    about.title,
                    int(about.complete),
                    json.dumps(dict(about.options)),
                    about.revision,
                    time.time(),
                    len(keys),
                ),
            ).lastrowid
            self._db.executemany(
                "INSERT INTO regression_run (regression, position, name, result, reused) VALUES (?, ?, ?, ?, ?)",
                [
                    (self.regression, position, name, known.get(name), int(name in known))
                    for position, name in enumerate(keys)
                ],
            )

    def end(self, results: Mapping[str, Outcome], changed: int = 0) -> None:
        """The regression is at its end: verdict, counts and buckets.

        `changed`: so many runs saw other sources than the first ones. It is then a run of no state of the sources, and
        never stands for the whole list.
        """
        assert self.regression is not None
        if self._db.execute("SELECT end FROM regression WHERE id = ?", (self.regression,)).fetchone()[0] is not None:
            return  # nothing was to be done
        bad = [outcome for outcome in results.values() if not outcome.passed]
        verdict = FAIL if any(outcome.status != STOPPED for outcome in bad) else STOPPED if bad else PASS
        if not results:
            verdict = FAIL  # nothing was shown
        with self._db:
            self._db.executemany(
                "INSERT INTO bucket (regression, signature, headline, count, first, new) VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (self.regression, one.signature, one.headline, one.count, one.names[0], int(one.new))
                    for one in buckets_of(results, self.signatures_before())
                ],
            )
            self._db.execute(
                "UPDATE regression SET end = ?, wall_s = ?, verdict = ?, passed = ?, failed = ? WHERE id = ?",
                (time.time(), self._wall(), verdict, len(results) - len(bad), len(bad), self.regression),
            )
            if changed:
                self._db.execute(
                    "UPDATE regression SET complete = 0, options = json_set(options, ?, ?) WHERE id = ?",
                    (f"$.{CHANGED}", changed, self.regression),
                )

    def signatures_before(self) -> set[str] | None:
        """Buckets of the last complete regression before this one; None where there was none."""
        assert self.regression is not None
        return signatures_before(self._db, self.regression)

    def _wall(self) -> float:
        return self._wall_before + time.monotonic() - self._began


def signatures_before(db: sqlite3.Connection, regression: int) -> set[str] | None:
    """Buckets of the last complete regression before that one; None where there was none."""
    row = db.execute(
        "SELECT max(id) FROM regression WHERE complete = 1 AND end IS NOT NULL AND id < ?", (regression,)
    ).fetchone()
    if row[0] is None:
        return None
    rows = db.execute("SELECT signature FROM bucket WHERE regression = ?", (row[0],))
    return {signature for (signature,) in rows.fetchall()}


def _identity(keys: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(list(keys.items())).encode()).hexdigest()[:24]
