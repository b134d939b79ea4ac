"""Lists of runs, carried out side by side: what a run is, where it runs, and the loop that brings a list to its end.

A `Job` is data: a kind (a module that knows how to run it), JSON arguments and a time limit. Each runs in a process
and a folder of its own, reads `job.json` and leaves `outcome.json`, so that any engine that can start a command in a
folder can carry out a list (`Engine`; `LocalEngine` is the one for this machine). Results go into a database as they
come (`job_store`): a list that was interrupted or killed goes on where it was, and comes to the result that it would
have had undisturbed. Only an outcome that the worker wrote itself counts; a worker that dies costs a retry, never a
wrong green.

A kind is a module with two functions: `content(arguments) -> str` names what is run (build and sources: a result is
only reused for the same content), and `run(arguments, folder) -> Outcome`. Where its content depends on some of the
arguments only, the module names them in CONTENT, so that it is formed once for all jobs that share them.
"""

from __future__ import annotations

import ctypes
import fnmatch
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from hbm_model.errors import InputError

if TYPE_CHECKING:
    from hbm_tb.job_store import JobStore

PASS = "pass"
FAIL = "fail"
TIMEOUT = "timeout"
DIED = "died"  # the worker ended without an outcome
STOPPED = "stopped"  # a wave window ended the run: no verdict
FINAL = frozenset({PASS, FAIL})  # verdicts that a repetition would give again

JOB_FILE = "job.json"
OUTCOME_FILE = "outcome.json"
GRACE_S = 60.0  # what a worker may take beyond the limit of its job, which it watches itself
KILL_S = 5.0  # from a polite end to a hard one
POLL_S = 0.05


@dataclass(frozen=True)
class Job:
    """One run of a list."""

    name: str  # unique in its list; also its folder: soak/hbm2_2000_eng_s1/seed_7
    kind: str  # module with `content` and `run`
    arguments: Mapping[str, Any]  # JSON
    timeout_s: float = 1800.0  # wall time
    cost: float = 1.0  # expected work, in any unit that the list keeps to: for the estimate
    reproduce: str = ""  # the command that repeats this run, with waves

    def key(self, content: str) -> str:
        """Names the run and everything that its result depends on."""
        text = json.dumps([self.name, self.kind, self.arguments, content], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    def content(self) -> str:
        """What the kind says of build and sources, as they are now."""
        return str(import_module(self.kind).content(dict(self.arguments)))


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    status: str
    reason: str = ""  # why it did not pass
    counts: Mapping[str, int] = field(default_factory=dict)  # what was done and compared
    wall_s: float = 0.0
    cpu_s: float = 0.0
    log: str = ""
    content: str = ""  # build and sources that really ran
    attempts: int = 1

    @property
    def passed(self) -> bool:
        """The only green."""
        return self.status == PASS


class Ticket(Protocol):
    """A run that an engine has under way."""

    def poll(self) -> bool:
        """True when nothing of the run is left."""

    def cancel(self) -> None:
        """End it and wait until it is gone."""


class Engine(Protocol):
    """Starts workers. The port for other engines: a worker is a command, its input and output are files in a folder."""

    slots: int

    def start(self, command: Sequence[str], folder: Path) -> Ticket:
        """Start a worker; its output goes to folder/worker.log."""


# ---------------------------------------------------------------- this machine


_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    """In the child: a parent that is killed takes its workers along."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class LocalTicket:
    """A worker process and its group."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def poll(self) -> bool:
        """True when the worker ended; what it left behind is ended too."""
        if self.process.poll() is None:
            return False
        self._signal(signal.SIGKILL)
        return True

    def cancel(self) -> None:
        """Ask, then kill the whole group."""
        self._signal(signal.SIGTERM)
        try:
            self.process.wait(KILL_S)
        except subprocess.TimeoutExpired:
            pass
        self._signal(signal.SIGKILL)
        self.process.wait()

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)


class LocalEngine:
    """Processes on this machine, one a processor unless told otherwise."""

    def __init__(self, slots: int = 0) -> None:
        self.slots = slots or len(os.sched_getaffinity(0))

    def start(self, command: Sequence[str], folder: Path) -> LocalTicket:
        """A session of its own: Ctrl-C reaches the runner only, which ends its workers in order."""
        path = os.pathsep.join(dict.fromkeys(p for p in sys.path if p))
        with (folder / "worker.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, "PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        return LocalTicket(process)


# ---------------------------------------------------------------- the worker


def work(folder: Path) -> int:
    """What a worker does: run the job of its folder, write the outcome in one step."""
    given = json.loads((folder / JOB_FILE).read_text())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends simulators on the way out
    started, cpu = time.monotonic(), _cpu_s()
    try:
        kind = import_module(given["kind"])
        content = str(kind.content(given["arguments"]))
        outcome: Outcome = kind.run(given["arguments"], folder)
        outcome = replace(outcome, content=content)
    except Exception as error:
        import traceback

        traceback.print_exc()
        line = str(error).strip().splitlines()[:1]
        outcome = Outcome(DIED, f"{type(error).__name__}: {line[0] if line else ''}")
    outcome = replace(outcome, wall_s=outcome.wall_s or time.monotonic() - started, cpu_s=_cpu_s() - cpu)
    fresh = folder / f"{OUTCOME_FILE}.new"
    fresh.write_text(json.dumps({"attempt": given["attempt"], **asdict(outcome)}) + "\n")
    fresh.rename(folder / OUTCOME_FILE)
    return 0


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _read_outcome(folder: Path, attempt: str) -> Outcome | None:
    """The outcome of this attempt, None when there is none that can be read."""
    try:
        given = json.loads((folder / OUTCOME_FILE).read_text())
        if given.pop("attempt") != attempt:
            return None
        return Outcome(**given)
    except (OSError, ValueError, TypeError, KeyError):
        return None


# ---------------------------------------------------------------- the runner


class Watcher:
    """What is told while a list runs; this one says nothing."""

    def begin(self, total: int, cost: float, slots: int, known: Mapping[str, Outcome]) -> None:
        """The list starts; `known` are the results of earlier runs that hold."""

    def started(self, job: Job) -> None:
        """A run starts."""

    def finished(self, job: Job, outcome: Outcome) -> None:
        """A run ended."""

    def retry(self, job: Job, reason: str) -> None:
        """A worker was lost; the run is repeated."""

    def tick(self, running: Mapping[str, float]) -> None:
        """Called many times a second with the seconds that each run has been going."""

    def end(self) -> None:
        """The list came to its end or was interrupted."""


@dataclass
class _Active:
    job: Job
    ticket: Ticket
    folder: Path
    attempt: str
    started: float
    number: int


def select(jobs: Iterable[Job], patterns: Sequence[str]) -> list[Job]:
    """The jobs whose name matches one of the shell patterns (a bare name or folder also stands for all below it)."""
    jobs = list(jobs)
    if not patterns:
        return jobs
    chosen = [
        job
        for job in jobs
        if any(fnmatch.fnmatchcase(job.name, p) or job.name.startswith(p.rstrip("/") + "/") for p in patterns)
    ]
    if not chosen:
        some = ", ".join(job.name for job in jobs[:3])
        raise InputError(f"--only {' '.join(patterns)}: matches none of the {len(jobs)} runs ({some} ...)")
    return chosen


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+=,-]*(/[A-Za-z0-9][A-Za-z0-9._+=,-]*)*")


def check_names(jobs: Sequence[Job]) -> None:
    """Raise unless every job has a folder of its own that holds no other job's folder."""
    seen: set[str] = set()
    for job in jobs:
        if not _NAME.fullmatch(job.name):
            raise ValueError(f"{job.name!r} is no name for a job: words of letters and digits, joined by /")
        if job.name in seen:
            raise ValueError(f"the list names {job.name} twice")
        seen.add(job.name)
    for name in seen:
        parts = name.split("/")
        for depth in range(1, len(parts)):
            if "/".join(parts[:depth]) in seen:
                raise ValueError(f"{name} would run in the folder of {'/'.join(parts[:depth])}")


def run_jobs(
    jobs: Sequence[Job],
    store: JobStore,
    engine: Engine,
    watcher: Watcher | None = None,
    *,
    rerun: bool = False,
    fresh: bool = False,
    retries: int = 1,
) -> dict[str, Outcome]:
    """Bring a list to its end; name -> outcome. Results that hold are taken from the store.

    `rerun` repeats the failed ones, `fresh` all. `retries`: how often a lost worker is replaced. KeyboardInterrupt
    ends all workers and is raised again; what was finished is in the store.
    """
    check_names(jobs)
    watcher = watcher or Watcher()
    known = {} if fresh else _known(jobs, store, rerun)
    before = store.last_status()
    # What failed the last time runs first: it is what everybody waits for.
    left = [job for job in jobs if job.name not in known]
    left.sort(key=lambda job: before.get(job.name, PASS) == PASS)
    queue = [(job, 1) for job in left]
    results = dict(known)
    active: list[_Active] = []
    watcher.begin(len(jobs), sum(job.cost for job in left), engine.slots, known)
    try:
        while queue or active:
            while queue and len(active) < engine.slots:
                job, number = queue.pop(0)
                active.append(_start(job, number, store.folder / job.name, engine))
                watcher.started(job)
            watcher.tick({run.job.name: time.monotonic() - run.started for run in active})
            for run in list(active):
                outcome = _look(run)
                if outcome is None:
                    continue
                active.remove(run)
                if outcome.status == DIED and run.number <= retries:
                    watcher.retry(run.job, outcome.reason)
                    queue.insert(0, (run.job, run.number + 1))
                    continue
                outcome = replace(outcome, attempts=run.number)
                results[run.job.name] = outcome
                store.add(run.job, outcome)
                watcher.finished(run.job, outcome)
            if active:
                time.sleep(POLL_S)  # between two looks at outcome files and clocks: workers report by file alone
    finally:
        for run in active:
            run.ticket.cancel()
        watcher.end()
    return {job.name: results[job.name] for job in jobs}


def _known(jobs: Sequence[Job], store: JobStore, rerun: bool) -> dict[str, Outcome]:
    """Results of the very same runs that hold."""
    contents: dict[str, str] = {}
    known = {}
    for job in jobs:
        # The content depends on build and test module, which most runs of a list share.
        shared = json.dumps([job.kind, *_content_arguments(job)], sort_keys=True)
        if shared not in contents:
            contents[shared] = job.content()
        found = store.find(job.key(contents[shared]))
        if found is not None and found.status in FINAL and not (rerun and not found.passed):
            known[job.name] = found
    return known


def _content_arguments(job: Job) -> list[Any]:
    """What the content of a job depends on: the arguments that its kind lists in CONTENT, or all."""
    kind = import_module(job.kind)
    names: Sequence[str] | None = getattr(kind, "CONTENT", None)
    return [dict(job.arguments)] if names is None else [job.arguments.get(name) for name in names]


def _start(job: Job, number: int, folder: Path, engine: Engine) -> _Active:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    attempt = uuid.uuid4().hex
    given = {"attempt": attempt, "name": job.name, "kind": job.kind, "arguments": dict(job.arguments)}
    (folder / JOB_FILE).write_text(json.dumps(given, indent=1) + "\n")
    ticket = engine.start([sys.executable, "-m", "hbm_tb.job_worker", str(folder)], folder)
    return _Active(job, ticket, folder, attempt, time.monotonic(), number)


def _look(run: _Active) -> Outcome | None:
    """The outcome of a run that is over; None while it goes on."""
    took = time.monotonic() - run.started
    if run.ticket.poll():
        found = _read_outcome(run.folder, run.attempt)
        if found is not None:
            return found
        return Outcome(DIED, f"the worker ended without an outcome ({_tail(run.folder)})", wall_s=took)
    if took > run.job.timeout_s + GRACE_S:
        run.ticket.cancel()
        return Outcome(DIED, f"the worker did not answer within {took:.0f} s", wall_s=took)
    return None


def _tail(folder: Path) -> str:
    """Last line that a worker said."""
    with suppress(OSError):
        lines = (folder / "worker.log").read_text(errors="replace").strip().splitlines()
        if lines:
            return lines[-1][:200]
    return "it said nothing"
