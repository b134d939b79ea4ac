"""What runs left that counts for coverage, and what is left out.

A run counts when it ran what it would run now: its content (build and sources, jobs.Job.content) is what its kind says
now. So a change of docs or of tests/ leaves a nightly list valid, and one of the RTL or of the bench does not. In the
folder of a list its database names the runs; elsewhere each folder with an outcome is one. What does not count is
counted, and told in one line.
"""

from __future__ import annotations

import json
import re
import sqlite3
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hbm_model.errors import InputError

from hbm_tb import coverage_files, sim, sources
from hbm_tb.coverage_plan import known
from hbm_tb.job_store import DATABASE
from hbm_tb.jobs import AGAIN, JOB_FILE, OUTCOME_FILE, PASS, Job, shared_content
from hbm_tb.results import Results


class Contents:
    """What kinds of jobs say of build and sources now, asked once for all jobs that share it; nothing is built."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def of(self, job: Job) -> str:
        """Empty: what it ran is not there any more, or cannot be named here."""
        try:
            shared = shared_content(job)
            if shared not in self._known:
                self._known[shared] = ""
                with sim.names_only():
                    self._known[shared] = job.content()
        except (ImportError, OSError, LookupError, ValueError, TypeError, AttributeError, sim.SimError):
            return ""
        return self._known[shared]


@dataclass
class Found:
    """What the runs that count left."""

    data: list[Path] = field(default_factory=list)  # Verilator's
    functional: list[Path] = field(default_factory=list)
    runs: dict[str, bool] = field(default_factory=dict)  # name -> passed
    tests: dict[str, tuple[int, int]] = field(default_factory=dict)  # module.Name -> runs passed, failed
    listed: set[str] = field(default_factory=set)  # tests that must have run
    other: int = 0  # runs of other builds or sources
    unnamed: int = 0  # folders with an outcome that their list does not name
    gone: int = 0  # runs of a list that have no result, or whose folder holds another one
    unread: list[str] = field(default_factory=list)  # lists that cannot be read, and why

    @property
    def left_out(self) -> list[str]:
        """What does not count, one line each."""
        kinds = (
            (self.other, "of other sources"),
            (self.unnamed, "that no list names"),
            (self.gone, "of the lists without a result"),
        )
        lines = [f"{count:,} run{'s' if count > 1 else ''} {what} left out" for count, what in kinds if count]
        return lines + [f"left out: {line}" for line in self.unread]


def look(folders: Iterable[Path], also: Iterable[Path] = ()) -> Found:
    """All runs below the folders that count; a run that did not pass gives no coverage.

    `also`: folders whose runs are welcome; of `folders` every test must have a run that counts.
    """
    seeker = _Seeker()
    for folder in folders:
        seeker.below(folder, required=True)
    for folder in also:
        seeker.below(folder, required=False)
    return seeker.found


class _Seeker:
    """Takes runs folder by folder."""

    def __init__(self) -> None:
        self.found = Found()
        self.contents = Contents()

    def below(self, folder: Path, required: bool) -> None:
        """All lists below a folder, and the runs that are of none; not those repeated for their waves."""
        named: set[Path] = set()
        found = sorted(path.parent for path in folder.rglob(DATABASE))
        again = [home for home in found if home.name == AGAIN and home != folder]
        homes = [home for home in found if home not in again]
        for home in homes:
            try:
                named |= self._list(home, required)
            except (InputError, sqlite3.Error) as problem:
                if required:
                    raise InputError(str(problem)) from None
                self.found.unread.append(str(problem))
        for file in sorted(folder.rglob(OUTCOME_FILE)):
            run = file.parent
            if any(run.is_relative_to(home) for home in again):
                continue
            if any(run.is_relative_to(home) for home in homes):
                self.found.unnamed += run not in named
            else:
                self._alone(folder, run, required)

    def _list(self, home: Path, required: bool) -> set[Path]:
        """The runs of a list, by its newest regression; their folders."""
        with Results(home) as results:
            regression = results.latest()
            if regression is None:
                return set()
            names, runs = results.names(regression.id), results.runs(regression.id)
            self.found.gone += len(names) - len(runs)
            for one in runs:
                run = results.run(one.name) or one  # of the folder: a part of the list may have been repeated since
                self._add(home, run.folder, Job(run.name, run.kind, run.arguments), run.status, run.content, required)
        return {home / name for name in names}

    def _alone(self, home: Path, run: Path, required: bool) -> None:
        """A run without a list, by what its worker wrote."""
        try:
            given, outcome = (json.loads((run / name).read_text()) for name in (JOB_FILE, OUTCOME_FILE))
            job = Job(given["name"], given["kind"], given["arguments"])
            status, content = str(outcome["status"]), str(outcome["content"])
        except (OSError, ValueError, LookupError, TypeError):
            self.found.other += 1  # nothing says what it ran
            return
        self._add(home, run, job, status, content, required)

    def _add(self, home: Path, run: Path, job: Job, status: str, content: str, required: bool) -> None:
        found, tests = self.found, tests_of(job.arguments)
        if required:
            found.listed |= tests
        passed = status == PASS
        lost = not passed and not content  # its worker died before it could tell
        if not lost and content != self.contents.of(job):
            found.other += 1
            return
        if passed and _content_in(run) != content:
            found.gone += 1
            return
        found.runs[f"{home.name}/{run.relative_to(home)}"] = passed
        ran = _tests_of(run)
        if not passed and all(ran.values()):  # it failed without the word of a test
            ran = dict.fromkeys(tests, False)
        for test, good in ran.items():
            count(found.tests, test, good)
        if passed:
            found.data += [run / name for name in coverage_files.LEAVES if (run / name).exists()]
            found.functional += sorted(run.glob(coverage_files.FUNCTIONAL))


def _content_in(run: Path) -> str:
    """What the outcome in a folder says that it ran; empty where there is none."""
    try:
        return str(json.loads((run / OUTCOME_FILE).read_text())["content"])
    except (OSError, ValueError, LookupError, TypeError):
        return ""


def tests_of(arguments: Mapping[str, Any]) -> set[str]:
    """Tests that a job runs: the one that it names, or all of its module; none where it is of no module of tb/tests."""
    module = str(arguments.get("module") or "")
    names = {name for name in known().tests if name.partition(".")[0] == module}
    if test := arguments.get("test"):
        wanted = re.compile(rf"\b(?:{test})$")
        names = {name for name in names if wanted.search(name)}
    return names


_CODE = {".sv", ".svh", ".f", ".vlt", ".cpp", ".h", ".py", ".yaml"}


def sources_now() -> str:
    """Digest of design, model and bench, plan and lists: a report of another one is old."""
    folders = (sim.ROOT / name for name in ("rtl", "models", "tb"))
    return sources.files_digest(sorted(file for one in folders for file in one.rglob("*") if file.suffix in _CODE))


# ---------------------------------------------------------------- what the files say


def count(sums: dict[str, tuple[int, int]], name: str, good: bool) -> None:
    """Add a run to (passed, failed) of a test."""
    passed, failed = sums.get(name, (0, 0))
    sums[name] = passed + good, failed + (not good)


def _cases(path: Path) -> Iterator[tuple[str, str, bool]]:
    """(class, name, passed) of every test of a JUnit file that was not skipped."""
    for case in ET.parse(path).getroot().iter("testcase"):
        if case.find("skipped") is None:
            good = case.find("failure") is None and case.find("error") is None
            yield case.get("classname", ""), case.get("name", "?"), good


def _tests_of(run: Path) -> dict[str, bool]:
    """Tests of a run by its results.xml; one with parameters (`name/what=3`) passed when it did with all of them."""
    tests: dict[str, bool] = {}
    try:
        for module, case, good in _cases(run / "results.xml"):
            name = f"{module.split('.')[-1]}.{case.partition('/')[0].split('.')[-1]}"
            tests[name] = tests.get(name, True) and good
    except (OSError, ET.ParseError):
        return {}
    return tests


def functional_hits(files: Iterable[Path]) -> dict[str, dict[str, int]]:
    """Point -> bin -> count, over all files; InputError for one of another schema."""
    from hbm_tb.coverage import SCHEMA

    hits: dict[str, dict[str, int]] = {}
    for path in files:
        try:
            given = json.loads(path.read_text())
            schema, points = given["schema"], given["points"]
        except (OSError, ValueError, LookupError, TypeError):
            raise InputError(f"{path}: no functional coverage; run the list once more") from None
        if schema != SCHEMA:
            raise InputError(f"{path}: schema {schema}, expected {SCHEMA}; run the list once more")
        for name, bins in points.items():
            sums = hits.setdefault(name, {})
            for label, number in bins.items():
                sums[label] = sums.get(label, 0) + number
    return hits


def junit_tests(path: Path) -> dict[str, tuple[int, int]]:
    """Files and functions of a JUnit file of pytest -> passed, failed."""
    sums: dict[str, tuple[int, int]] = {}
    try:
        for module, function, good in _cases(path):
            file = module.replace(".", "/") + ".py"
            for name in (file, f"{file}::{function.partition('[')[0]}"):
                count(sums, name, good)
    except (OSError, ET.ParseError) as problem:
        raise InputError(f"{path}: no JUnit file: {problem}") from None
    return sums
