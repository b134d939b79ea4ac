"""From a list of jobs to an exit code: what `hbm exact`, `hbm regress` and their like have in common.

Exit 0: all passed, or a wave window ended the run. 1: something failed. 2: unusable input. 130: interrupted; the same
command goes on.
"""

from __future__ import annotations

import signal
import sqlite3
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from hbm_model.errors import InputError
from hbm_model.run_folder import shown_path

from hbm_tb import sim
from hbm_tb.engines import engine_named
from hbm_tb.job_buckets import Bucket, buckets_of
from hbm_tb.job_store import DATABASE, About, JobStore
from hbm_tb.job_view import LiveView, note, print_buckets, print_line, print_summary, write_junit
from hbm_tb.jobs import AGAIN, STOPPED, Engine, EngineError, Job, Outcome, run_jobs, select

JUNIT = "results.xml"
JUNIT_PART = "results-part.xml"  # of a part of the list, so that its green is not taken for that of the list


@dataclass(frozen=True)
class ListOptions:
    """Options that every list has; the names are those of the command line."""

    jobs: int = 0  # runs side by side; 0: as many as processors
    rerun: bool = False  # repeat the failed ones
    fresh: bool = False  # repeat all
    only: tuple[str, ...] = ()  # shell patterns of names
    waves: bool = False
    waves_from: int | None = None
    waves_to: int | None = None
    engine: str = "local"  # where runs go: engines.engine_named
    replay: bool = True  # repeat failures, one a bucket, with waves around them

    @property
    def window(self) -> tuple[int | None, int | None] | None:
        """`waves` of sim_job."""
        if self.waves or self.waves_from is not None or self.waves_to is not None:
            return self.waves_from, self.waves_to
        return None


def check_options(options: ListOptions) -> None:
    """InputError when the options contradict each other."""
    at = [value for value in (options.waves_from, options.waves_to) if value is not None]
    if any(value < 0 for value in at) or (len(at) == 2 and at[1] <= at[0]):
        raise InputError("the wave window must have 0 <= --waves-from < --waves-to, in CK")
    if options.window is not None and not options.only:
        raise InputError("waves of a whole list would fill the disk: name one run with --only")


@dataclass(frozen=True)
class ListResult:
    """A list at its end."""

    code: int
    results: Mapping[str, Outcome]
    buckets: Sequence[Bucket] = field(default_factory=tuple)


def run_list(
    title: str,
    folder: Path,
    jobs: Sequence[Job],
    options: ListOptions,
    *,
    counts: Sequence[str] = (),
    engine: Engine | None = None,
    about: Mapping[str, Any] | None = None,
    replay: bool = True,
    home: Path = sim.ROOT,
    whole: bool = True,
) -> ListResult:
    """Run the jobs that the options choose, show progress and summary, write the JUnit file.

    A run with a wave window goes to a folder and a database of its own below `folder`: what the list found, the folder
    of the failed run above all, stays as it was.
    `whole`: False when `jobs` are only a part of the list already; results of a part never stand for the list.
    `replay`: failures of this kind of list can be repeated by themselves with waves, and are if the options want it.
    `about`: what else the database keeps of this regression (JSON): the options that made the list.
    `home`: folder whose git revision is that of the regression.
    """
    from rich.console import Console

    check_options(options)
    chosen = select(jobs, options.only)
    if not chosen:
        raise InputError(f"{title}: nothing to run, the list is empty")
    if options.window is not None:
        if len(chosen) > 1:
            raise InputError(f"waves are written for one run, --only names {len(chosen)}")
        folder = folder / AGAIN
    whole = whole and len(chosen) == len(jobs) and options.window is None
    view = LiveView(title)
    engine = engine or engine_named(options.engine, options.jobs)
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        with JobStore(folder) as store:
            # Waves are asked for to look at them: the run is repeated.
            fresh = options.fresh or options.window is not None
            told = {"engine": options.engine, "only": list(options.only), **(about or {})}
            of = About(title, whole, told, revision(home))
            results = run_jobs(chosen, store, engine, view, rerun=options.rerun, fresh=fresh, about=of)
            buckets = buckets_of(results, store.signatures_before())
    except KeyboardInterrupt:
        note("interrupted; what is finished is kept, and the same command goes on from here")
        return ListResult(130, {})
    except (sim.SimError, EngineError) as error:
        note(str(error))
        return ListResult(1, {})
    except (OSError, sqlite3.Error) as error:  # the disk is full, or the folder is gone
        note(f"{shown(folder)}: {error}; what is finished is kept, and the same command goes on from here")
        return ListResult(1, {})
    finally:
        signal.signal(signal.SIGTERM, before)
    # Numbers are worth more than the fold of a narrow terminal.
    console = Console(width=max(128, Console().width))
    print_summary(console, title, chosen, results, counts)
    instrumented = any(job.arguments.get("coverage") for job in chosen)  # their replays would need other builds
    if replay and options.replay and buckets and options.window is None and not instrumented:
        # What nobody has seen before is worth a replay most.
        ordered = sorted(buckets, key=lambda bucket: not bucket.new)
        _replay([folder / name for bucket in ordered for name in bucket.names])
    print_buckets(console, buckets, {job.name: job.reproduce for job in chosen}, folder)
    junit = folder / (JUNIT if whole or options.window is not None else JUNIT_PART)
    write_junit(junit, title, chosen, results)
    bad = [outcome for outcome in results.values() if not outcome.passed]
    passed = len(results) - len(bad)
    print_line(console, f"{passed} of {len(results)} passed; {shown(junit)}, {shown(folder / DATABASE)}")
    if view.strayed:
        print_line(
            console,
            f"NOT ONE STATE OF THE SOURCES: they were changed while the list ran, {len(view.strayed)} runs saw others; "
            "this does not count as a run of the whole list",
            "red",
        )
    if options.window is not None and not buckets:  # a bucket has told where the waves are
        for job in chosen:
            print_line(console, f"waves: {shown(folder / job.name / 'waves.fst')}")
    # Only a wave window that the user asked for stops a run: no pass, and no failure either.
    return ListResult(int(any(outcome.status != STOPPED for outcome in bad)), results, buckets)


def _replay(folders: Sequence[Path]) -> None:
    """Failures once more with waves around them: the first of each bucket, a few at most."""
    from hbm_tb.replay import allowed, choose, replay_failures

    chosen = choose(folders, allowed())
    if not chosen:
        return
    note(f"{len(chosen)} of the failures run once more, with waves around them")
    try:
        replay_failures(folders)
    except KeyboardInterrupt:
        note("no further replays; the results are kept")


def revision(home: Path = sim.ROOT) -> str:
    """Git revision of the repository around a folder, with + behind it where files were changed; empty without git."""
    try:
        head, changes = (
            subprocess.run(
                ["git", "-C", str(home), *words], capture_output=True, text=True, check=True, timeout=20
            ).stdout.strip()
            for words in (("rev-parse", "--short=12", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return f"{head}+" if changes else head


def shown(path: Path) -> str:
    """A path as it works in the folder that the user is in: relative below it, else absolute."""
    return shown_path(path.resolve())


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
