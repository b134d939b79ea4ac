"""What the report site is made of: results of the lists, and what coverage, tightness and bench left as JSON.

Everything is optional: what was not measured is None (or empty), and its page says which command measures it.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hbm_model.errors import InputError

from hbm_tb import bench_history
from hbm_tb.coverage_runs import sources_now
from hbm_tb.job_store import DATABASE
from hbm_tb.results import ABANDONED, FOLDER, Bucket, Regression, Results, RunResult, result_folders
from hbm_tb.tight_state import problems_of, told


@dataclass(frozen=True)
class ListView:
    """One list: its newest regression that came to an end, and the ones before."""

    title: str
    folder: Path
    now: Regression
    running: Regression | None  # newer than `now`, and not at its end
    past: Sequence[Regression]  # oldest first, `now` included
    runs: Sequence[RunResult]
    buckets: Sequence[Bucket]
    history: Mapping[str, Sequence[RunResult]]  # of each run, oldest first
    current: frozenset[str]  # names of the runs whose folder holds the files of the result shown here

    @property
    def retried(self) -> list[RunResult]:
        """Runs that passed only when they were tried again."""
        return [run for run in self.runs if run.passed and run.attempts > 1]

    @property
    def slug(self) -> str:
        """Name for folders and anchors."""
        return slug(self.title)


@dataclass(frozen=True)
class Site:
    """All that is known."""

    lists: Sequence[ListView] = ()
    plan: Mapping[str, Any] | None = None
    coverage: Mapping[str, Any] | None = None
    tight: Mapping[str, Any] | None = None
    tight_problems: Sequence[str] = ()  # why the tightness is not that of the sources of now
    changed: bool = False  # the sources are others than those of the coverage
    benches: Sequence[tuple[float, Mapping[str, Any]]] = ()  # seconds since 1970, bench.json; oldest first
    notes: Sequence[str] = field(default_factory=tuple)  # files that are there and cannot be read


def slug(text: str) -> str:
    """Letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"


def list_view(folder: Path) -> ListView | None:
    """What the site shows of one list; None where nothing ran."""
    with Results(folder) as results:
        past = results.regressions()
        ended = [one for one in past if one.end is not None]
        whole = [one for one in ended if one.complete]
        now = whole[-1] if whole else results.latest()
        if now is None:
            return None
        underway = [one for one in past if one.end is None and one.verdict != ABANDONED and one.id > now.id]
        runs = results.runs(now.id)
        return ListView(
            results.title,
            folder,
            now,
            underway[-1] if underway else None,
            ended,
            runs,
            results.buckets(now.id),
            {run.name: results.history(run.name) for run in runs},
            frozenset(run.name for run in runs if results.current(run)),
        )


def _json(path: Path, notes: list[str]) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as problem:
        notes.append(f"{path} cannot be read: {problem}")
        return None
    return found


def benches_of(folder: Path, notes: list[str]) -> list[tuple[float, Mapping[str, Any]]]:
    """The dated benches, oldest first; without any, the last one with the time of its file."""
    found: list[tuple[float, Mapping[str, Any]]] = []
    for when, path in bench_history.kept(folder):
        if (document := _json(path, notes)) is not None:
            found.append((when, document))
    last = folder / "bench.json"
    if not found and (document := _json(last, notes)) is not None:
        found.append((last.stat().st_mtime, document))
    return found


def gather(build: Path) -> Site:
    """Everything below a build folder."""
    notes: list[str] = []
    lists = []
    for folder in result_folders(build / FOLDER.name):
        try:
            view = list_view(folder)
        except (InputError, sqlite3.Error, OSError, ValueError) as problem:  # one list must not hide the others
            notes.append(str(problem) if isinstance(problem, InputError) else f"{folder / DATABASE}: {problem}")
            continue
        if view is not None:
            lists.append(view)
    # What ran last stands first.
    lists.sort(key=lambda one: -one.now.start)
    coverage = _json(build / "coverage" / "coverage.json", notes)
    tight = _json(build / "tight" / "tight.json", notes)
    return Site(
        lists,
        _json(build / "coverage" / "plan.json", notes),
        coverage,
        tight,
        told(problems_of(tight)) if tight else (),
        coverage is not None and coverage.get("sources") != sources_now(),
        benches_of(build / "bench", notes),
        [note.replace(f"{build.parent}/", "") for note in notes],
    )
