"""What is known of lists of runs, read from their databases: regressions, runs, buckets, history. Nothing is written.

`Results` opens the database of one list, also while the list runs; `result_folders` names all that there are.
"""

from __future__ import annotations

import fcntl
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from hbm_model.errors import InputError
from hbm_model.home import BUILD

from hbm_tb.job_buckets import in_order, work_of
from hbm_tb.job_store import CHANGED, DATABASE, LOCK, SCHEMA_VERSION, signatures_before
from hbm_tb.jobs import FAIL, PASS, argument, preset_of

FOLDER: Final = BUILD / "regress"
OTHERS: Final = ("exact", "exact-quick", "faults", "faults-quick", "tight")  # lists of commands of their own
RUNNING, INTERRUPTED, ABANDONED = "running", "interrupted", "abandoned"


@dataclass(frozen=True)
class RunResult:
    """One run of a list."""

    id: int  # row of the database
    name: str  # its folder below that of the list
    status: str  # pass, fail, timeout, died, stopped
    reason: str  # full text of a failure
    signature: str  # its bucket; empty for a pass
    headline: str  # the failure in one line
    failure: Mapping[str, Any]  # failure.json of the run
    counts: Mapping[str, int]
    wall_s: float
    cpu_s: float
    attempts: int
    log: str
    folder: Path  # may be gone, or hold a newer run of this name
    arguments: Mapping[str, Any]  # of the job
    kind: str
    content: str  # build and sources that ran
    reproduce: str
    finished: float  # seconds since 1970
    reused: bool = False  # taken over from an earlier regression

    @property
    def passed(self) -> bool:
        """The only green."""
        return self.status == PASS

    @property
    def group(self) -> str:
        """The name without its last part."""
        return self.name.rpartition("/")[0]

    @property
    def preset(self) -> str:
        """Preset of the run; empty where there is none."""
        return preset_of(self.arguments)

    @property
    def seed(self) -> int | None:
        """Seed of the run."""
        seed = argument(self.arguments, "seed")
        return None if seed is None else int(seed)

    @property
    def module(self) -> str:
        """Module of cocotb tests; empty for recordings and patterns."""
        return str(self.arguments.get("module") or "")

    @property
    def test(self) -> str:
        """Cocotb test, or the recording or pattern."""
        names = (argument(self.arguments, name) for name in ("test", "trace", "pattern"))
        return str(next(filter(None, names), ""))


@dataclass(frozen=True)
class Regression:
    """A list from its start to its end, over any number of interruptions."""

    id: int
    title: str
    start: float  # seconds since 1970
    end: float | None
    revision: str  # of git; + behind it: files were changed
    complete: bool  # False: a part of the list was chosen
    verdict: str  # pass, fail, stopped; running, interrupted, abandoned
    total: int
    passed: int
    failed: int  # all that came to an end and is no pass
    statuses: Mapping[str, int]
    reused: int  # results taken over from earlier regressions
    wall_s: float  # while the runner was at it
    cpu_s: float  # of the runs made for it
    all_cpu_s: float  # of all its runs, those taken over included: what the list costs
    counts: Mapping[str, int]  # sums over all runs
    options: Mapping[str, Any]

    @property
    def part(self) -> str:
        """Why it does not stand for the whole list, in words; empty where it does."""
        if changed := self.options.get(CHANGED):
            return f"not one state of the sources: they were changed while it ran, {changed} runs saw others"
        return "" if self.complete else "only a part of the list was chosen"

    @property
    def speed(self) -> int | None:
        """Controller cycles a second of processor time; of all its runs, so that a few repeated ones change little."""
        cycles = self.counts.get("cycles", 0)
        return round(cycles / self.all_cpu_s) if cycles and self.all_cpu_s else None


@dataclass(frozen=True)
class Bucket:
    """Failures with one signature in one regression."""

    signature: str
    headline: str
    new: bool  # not in the complete regression before
    since: int  # first regression that had it
    runs: tuple[RunResult, ...]  # the cheapest to repeat first

    @property
    def count(self) -> int:
        """How many runs failed so."""
        return len(self.runs)

    @property
    def first(self) -> RunResult:
        """The run to repeat."""
        return self.runs[0]


def result_folders(home: Path | None = None) -> list[Path]:
    """Folders of all lists with results. `home`: that of the lists of `hbm regress`, beside which the others stand."""
    home = home or FOLDER
    folders = sorted(path.parent for path in home.glob(f"*/{DATABASE}"))
    return folders + [path for name in OTHERS if ((path := home.with_name(name)) / DATABASE).exists()]


def folder_named(name: str) -> Path:
    """Folder of the list of that name; InputError names those that there are."""
    folders = {folder.name: folder for folder in result_folders()}
    if name in folders:
        return folders[name]
    known = ", ".join(folders) or "none yet"
    raise InputError(f"--list {name}: no results in {FOLDER / name}; lists with results: {known}")


class Results:
    """The database of one list."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        file = folder / DATABASE
        if not file.exists():
            raise InputError(f"{folder}: no results")
        # Not immutable: the list may be running. A reader of a WAL file needs no lock of its own.
        self._db = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)
        self._db.row_factory = sqlite3.Row
        try:
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.Error:
            self._db.close()
            raise
        if version != SCHEMA_VERSION:
            self._db.close()
            raise InputError(f"{file}: written by another version; run the list once more")

    def __enter__(self) -> Results:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @property
    def title(self) -> str:
        """Name of the list."""
        return self.folder.name

    @property
    def busy(self) -> bool:
        """True while a process runs the list."""
        with (self.folder / LOCK).open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    # ------------------------------------------------------------ regressions

    def regressions(self) -> list[Regression]:
        """All of them, oldest first.

        One without an end is `abandoned` when the whole list was begun anew after it: nobody goes on with it.
        """
        rows = self._db.execute("SELECT * FROM regression ORDER BY id").fetchall()
        found: list[Regression] = []
        over, open_verdict = False, RUNNING if self.busy else INTERRUPTED
        for row in reversed(rows):
            verdict = row["verdict"]
            if row["end"] is None:
                verdict = ABANDONED if over else open_verdict
                open_verdict = INTERRUPTED  # one at most is running
            over = over or bool(row["complete"])
            found.append(self._regression(row, verdict))
        return found[::-1]

    def latest(self) -> Regression | None:
        """The newest that is complete; else the newest."""
        found = self.regressions()
        whole = [one for one in found if one.complete and one.verdict != ABANDONED]
        return whole[-1] if whole else found[-1] if found else None

    def _regression(self, row: sqlite3.Row, verdict: str) -> Regression:
        runs = self._db.execute(
            "SELECT status, counts, cpu_s, reused FROM regression_run r JOIN result ON result.id = r.result "
            "WHERE r.regression = ?",
            (row["id"],),
        ).fetchall()
        statuses: dict[str, int] = {}
        counts: dict[str, int] = {}
        for run in runs:
            statuses[run["status"]] = statuses.get(run["status"], 0) + 1
            for name, number in json.loads(run["counts"]).items():
                counts[name] = counts.get(name, 0) + number
        passed = statuses.get(PASS, 0)
        return Regression(
            row["id"], row["title"], row["start"], row["end"], row["revision"], bool(row["complete"]), verdict,
            row["total"], passed, len(runs) - passed, statuses, sum(run["reused"] for run in runs), row["wall_s"],
            sum(run["cpu_s"] for run in runs if not run["reused"]), sum(run["cpu_s"] for run in runs), counts,
            json.loads(row["options"]),
        )  # fmt: skip

    # ------------------------------------------------------------ runs

    def names(self, regression: int) -> list[str]:
        """Names of all runs of a regression in list order, also of those without a result."""
        rows = self._db.execute("SELECT name FROM regression_run WHERE regression = ? ORDER BY position", (regression,))
        return [row["name"] for row in rows.fetchall()]

    def runs(self, regression: int) -> list[RunResult]:
        """Runs of a regression in list order, as far as they have a result."""
        rows = self._db.execute(
            "SELECT result.*, r.reused FROM regression_run r JOIN result ON result.id = r.result "
            "WHERE r.regression = ? ORDER BY position",
            (regression,),
        )
        return [self._run(row) for row in rows.fetchall()]

    def history(self, name: str) -> list[RunResult]:
        """All results of a run, oldest first."""
        rows = self._db.execute("SELECT *, 0 AS reused FROM result WHERE name = ? ORDER BY id", (name,))
        return [self._run(row) for row in rows.fetchall()]

    def run(self, name: str) -> RunResult | None:
        """The newest result of a run: what its folder holds."""
        found = self.history(name)
        return found[-1] if found else None

    def current(self, run: RunResult) -> bool:
        """True if the folder of a run still holds this result."""
        newest = self.run(run.name)
        return newest is not None and newest.id == run.id and run.folder.is_dir()

    def unsteady(self) -> list[str]:
        """Runs that both passed and failed with the same arguments, build and sources: they are not deterministic."""
        rows = self._db.execute(
            "SELECT DISTINCT name FROM result WHERE key IN (SELECT key FROM result WHERE status IN (?, ?) GROUP BY key "
            "HAVING count(DISTINCT status) > 1) ORDER BY name",
            (PASS, FAIL),
        )
        return [row["name"] for row in rows.fetchall()]

    def _run(self, row: sqlite3.Row) -> RunResult:
        return RunResult(
            row["id"], row["name"], row["status"], row["reason"], row["signature"], row["headline"],
            json.loads(row["failure"]), json.loads(row["counts"]), row["wall_s"], row["cpu_s"], row["attempts"],
            row["log"], self.folder / row["name"], json.loads(row["arguments"]), row["kind"], row["content"],
            row["reproduce"], row["finished"], bool(row["reused"]),
        )  # fmt: skip

    # ------------------------------------------------------------ buckets

    def buckets(self, regression: int) -> list[Bucket]:
        """Failures of a regression by signature, the largest bucket first; of a running one as far as it is."""
        failed = {run.name: run for run in self.runs(regression) if not run.passed}
        works = ((run.signature, name, work_of(run.failure, run.counts)) for name, run in failed.items())
        before = signatures_before(self._db, regression)
        since = {
            row["signature"]: row["first"]
            for row in self._db.execute("SELECT signature, min(regression) AS first FROM bucket GROUP BY signature")
        }
        found = []
        for signature, names in in_order(works).items():
            runs = tuple(failed[name] for name in names)
            new = before is not None and signature not in before
            first = min(since.get(signature, regression), regression)
            found.append(Bucket(signature, runs[0].headline, new, first, runs))
        return found


def open_results(name: str) -> Results:
    """The results of the list of that name, for a `with` statement."""
    return Results(folder_named(name))
