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

from hbm_model import home
from hbm_model.errors import InputError

from hbm_tb.processes import die_with_parent

if TYPE_CHECKING:
    from hbm_tb.job_store import About, JobStore

PASS = "pass"
FAIL = "fail"
TIMEOUT = "timeout"
DIED = "died"  # the worker ended without an outcome
STOPPED = "stopped"  # a wave window ended the run: no verdict
STATUSES = frozenset({PASS, FAIL, TIMEOUT, DIED, STOPPED})
FINAL = frozenset({PASS, FAIL})  # verdicts that a repetition would give again

JOB_FILE = "job.json"
OUTCOME_FILE = "outcome.json"
AGAIN = "again"  # folder below that of a list: runs repeated by themselves, with waves
FAILURE_FILE = "failure.json"  # what a run knows of its own failure; a worker takes it into its outcome
GRACE_S = 60.0  # what a worker may take beyond the limit of its job, which it watches itself
KILL_S = 5.0  # from a polite end to a hard one
POLL_S = 0.05
PARENT = "HBM_JOB_PARENT"  # environment: the process that a worker ends with; an engine may set it


@dataclass(frozen=True)
class Job:
    """One run of a list."""

    name: str  # unique in its list; also its folder: soak/hbm2_2000_eng_s1/seed_7
    kind: str  # module with `content` and `run`
    arguments: Mapping[str, Any]  # JSON
    timeout_s: float = 1800.0  # wall time
    cost: float = 1.0  # expected work, in any unit that the list keeps to: for the estimate
    reproduce: str = ""  # the command that repeats this run, with waves
    leaves: tuple[str, ...] = ()  # files in the folder of the run without which a pass is none

    def key(self, content: str) -> str:
        """Names the run and everything that its result depends on."""
        text = json.dumps([self.name, self.kind, self.arguments, content], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    def content(self) -> str:
        """What the kind says of build and sources, as they are now."""
        return str(import_module(self.kind).content(dict(self.arguments)))


def argument(arguments: Mapping[str, Any], name: str) -> Any:
    """An argument of a job by its name, also one of the bench or of the options of a run; None where it has none."""
    for part in (arguments, arguments.get("bench") or {}, arguments.get("options") or {}):
        if name in part:
            return part[name]
    return None


def preset_of(arguments: Mapping[str, Any]) -> str:
    """Preset of a run; what a bench is not told otherwise is the default one; empty for a run without a bench."""
    from hbm_model.presets import DEFAULT_PRESET

    return str(argument(arguments, "preset") or (DEFAULT_PRESET if "bench" in arguments else ""))


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
    failure: Mapping[str, Any] = field(default_factory=dict)  # what the run wrote into failure.json

    @property
    def passed(self) -> bool:
        """The only green."""
        return self.status == PASS


class Ticket(Protocol):
    """A run that an engine has under way."""

    def poll(self) -> bool:
        """True when nothing of the run is left; what it wrote can then be read here."""

    def ask(self) -> None:
        """Begin to end it; `cancel` waits for the end."""

    def cancel(self) -> None:
        """End it and wait until it is gone."""


class EngineError(RuntimeError):
    """An engine cannot go on; one line says what it lacks."""


class Engine(Protocol):
    """Starts workers. The port for other engines: a worker is a command, its input and output are files in a folder."""

    slots: int  # the most that it runs side by side
    retries: int  # how often a lost worker is replaced

    def open(self, folder: Path) -> None:
        """Called once before the first run; `folder` holds the folders of all runs."""

    def ready(self) -> int:
        """How many runs may be under way now. EngineError when there is nothing to hope for."""

    def waiting(self) -> str:
        """What it waits for; nothing: empty."""

    def start(self, command: Sequence[str], folder: Path) -> Ticket:
        """Start a worker; its output goes to folder/worker.log. Only called while fewer than `ready` are under way."""

    def close(self) -> None:
        """Called when the list has come to its end or was interrupted; nothing of the engine stays behind."""


# ---------------------------------------------------------------- this machine


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

    def ask(self) -> None:
        """A polite signal; simulators end with it."""
        self._signal(signal.SIGTERM)

    def cancel(self) -> None:
        """Ask, then kill the whole group."""
        self.ask()
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

    retries = 1

    def __init__(self, slots: int = 0) -> None:
        self.slots = slots or len(os.sched_getaffinity(0))

    def open(self, folder: Path) -> None:
        """Nothing to prepare."""

    def ready(self) -> int:
        """All slots are there at once."""
        return self.slots

    def waiting(self) -> str:
        """Never."""
        return ""

    def close(self) -> None:
        """Nothing is left but the runs, which their tickets end."""

    def start(self, command: Sequence[str], folder: Path) -> LocalTicket:
        """A session of its own: Ctrl-C reaches the runner only, which ends its workers in order."""
        path = os.pathsep.join(dict.fromkeys(p for p in sys.path if p))
        with (folder / "worker.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, **home.environment(), "PYTHONPATH": path, PARENT: str(os.getpid())},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,
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
    outcome = replace(
        outcome,
        wall_s=outcome.wall_s or time.monotonic() - started,
        cpu_s=_cpu_s() - cpu,
        failure=outcome.failure or ({} if outcome.passed else _read_failure(folder)),
    )
    fresh = folder / f"{OUTCOME_FILE}.new"
    fresh.write_text(json.dumps({"attempt": given["attempt"], **asdict(outcome)}) + "\n")
    fresh.rename(folder / OUTCOME_FILE)
    return 0


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _read_failure(folder: Path) -> dict[str, Any]:
    """What the run says of its own failure; nothing where it could not."""
    try:
        given = json.loads((folder / FAILURE_FILE).read_text())
    except (OSError, ValueError):
        return {}
    return given if isinstance(given, dict) else {}


def _read_outcome(folder: Path, attempt: str) -> Outcome | None:
    """The outcome of this attempt, None when there is none that can be read."""
    try:
        given = json.loads((folder / OUTCOME_FILE).read_text())
        if given.pop("attempt") != attempt:
            return None
        found = Outcome(**given)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return found if found.status in STATUSES else None


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

    def waits(self, text: str) -> None:
        """Called as often: what the engine waits for, empty for nothing."""

    def changed(self, names: Sequence[str]) -> None:
        """These runs saw other sources than the list began with: somebody edited them meanwhile."""

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


def matches(name: str, patterns: Iterable[str]) -> bool:
    """True if a name of a job fits one of the shell patterns; a bare name or folder also stands for all below it."""
    return any(fnmatch.fnmatchcase(name, p) or name.startswith(p.rstrip("/") + "/") for p in patterns)


def select(jobs: Iterable[Job], patterns: Sequence[str]) -> list[Job]:
    """The jobs whose name fits one of the patterns; all without any."""
    jobs = list(jobs)
    if not patterns:
        return jobs
    chosen = [job for job in jobs if matches(job.name, patterns)]
    if not chosen:
        some = ", ".join(job.name for job in jobs[:3])
        raise InputError(f"--only {' '.join(patterns)}: matches none of the {len(jobs)} runs ({some} ...)")
    return chosen


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+=,-]*(/[A-Za-z0-9][A-Za-z0-9._+=,-]*)*")
# What else stands in the folder of a list: its database, lock, JUnit files, tables of its command.
_TAKEN = re.compile(rf"{AGAIN}|lock|stimulus|[\w-]+\.(sqlite(-\w+)?|xml|json|html)")


def name_problem(name: str) -> str:
    """Why a run of a list cannot be called so; empty when it can."""
    if not _NAME.fullmatch(name):
        return f"{name!r} is no name for a run; expected letters, digits and any of . _ + = , - in words joined by /"
    first = name.partition("/")[0]
    return f"{first} is taken for files of the list; expected another name" if _TAKEN.fullmatch(first) else ""


def check_names(jobs: Sequence[Job]) -> None:
    """InputError unless every job has a folder of its own that holds no other job's folder."""
    seen: set[str] = set()
    for job in jobs:
        if problem := name_problem(job.name):
            raise InputError(problem)
        if job.name in seen:
            raise InputError(f"two runs of the list are called {job.name}; expected names of their own")
        seen.add(job.name)
    for name in seen:
        parts = name.split("/")
        for depth in range(1, len(parts)):
            if "/".join(parts[:depth]) in seen:
                raise InputError(f"{name} would run in the folder of {'/'.join(parts[:depth])}; expected another name")


def run_jobs(
    jobs: Sequence[Job],
    store: JobStore,
    engine: Engine,
    watcher: Watcher | None = None,
    *,
    rerun: bool = False,
    fresh: bool = False,
    retries: int | None = None,
    about: About | None = None,
) -> dict[str, Outcome]:
    """Bring a list to its end; name -> outcome. Results that hold are taken from the store.

    `rerun` repeats the failed ones, `fresh` all. `retries`: how often a lost worker is replaced, if not as often as
    the engine says. KeyboardInterrupt ends all workers and is raised again; what was finished is in the store.
    `about`: what the store keeps of the regression. One that did not come to its end is gone on with, unless `rerun` or
    `fresh` ask for a new one: then all that it has so far holds, whatever its status, as if nothing had come between.
    """
    from hbm_tb.job_store import About

    check_names(jobs)
    watcher = watcher or Watcher()
    keys = _keys(jobs)  # makes missing builds: here and once, wherever the runs go
    retries = engine.retries if retries is None else retries
    before, expected = store.last_status(), _expected(jobs, store)
    known = None if fresh or rerun else store.unfinished(keys)
    if known is None:
        held = {} if fresh else _held(jobs, keys, store, rerun)
        known = {name: outcome for name, (_, outcome) in held.items()}
        store.begin(keys, {name: row for name, (row, _) in held.items()}, about or About())
    else:
        lost = {job.name for job in jobs if _missing(job, store.folder / job.name)}
        known = {name: outcome for name, outcome in known.items() if not (outcome.passed and name in lost)}
    # What failed the last time runs first: it is what everybody waits for. Then the long ones, so that none of them is
    # alone at the end.
    left = [replace(job, cost=expected[job.name]) for job in jobs if job.name not in known]
    left.sort(key=lambda job: (before.get(job.name, PASS) == PASS, -job.cost))
    queue = [(job, 1) for job in left]
    results = dict(known)
    active: list[_Active] = []
    watcher.begin(len(jobs), sum(job.cost for job in left), engine.slots, known)
    try:
        if queue:
            engine.open(store.folder)
        while queue or active:
            ready = engine.ready()
            while queue and len(active) < ready:
                job, number = queue.pop(0)
                active.append(_start(job, number, store.folder / job.name, engine))
                watcher.started(job)
            watcher.waits(engine.waiting())
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
            if active or queue:
                time.sleep(POLL_S)  # between two looks at outcome files and clocks: workers report by file alone
    finally:
        try:
            for run in active:
                run.ticket.ask()
            for run in active:
                run.ticket.cancel()
        finally:
            engine.close()
            watcher.end()
    ordered = {job.name: results[job.name] for job in jobs}
    ran = {job.name: (job, ordered[job.name].content) for job in jobs}
    strayed = [name for name, (job, content) in ran.items() if content and job.key(content) != keys[name]]
    if strayed:
        watcher.changed(strayed)
    store.end(ordered, changed=len(strayed))
    return ordered


def _keys(jobs: Sequence[Job]) -> dict[str, str]:
    """Name -> key of each job, with build and sources as they are now."""
    contents: dict[str, str] = {}
    found = {}
    for job in jobs:
        # The content depends on build and test module, which most runs of a list share.
        shared = shared_content(job)
        if shared not in contents:
            contents[shared] = job.content()
        found[job.name] = job.key(contents[shared])
    return found


def _held(
    jobs: Sequence[Job], keys: Mapping[str, str], store: JobStore, rerun: bool
) -> dict[str, tuple[int, Outcome]]:  # fmt: skip
    """Results of the very same runs that hold, with their rows."""
    held = {}
    for job in jobs:
        found = store.find_row(keys[job.name])
        if found is None or found[1].status not in FINAL or (rerun and not found[1].passed):
            continue
        if not found[1].passed or not _missing(job, store.folder / job.name):
            held[job.name] = found
    return held


def _expected(jobs: Sequence[Job], store: JobStore) -> dict[str, float]:
    """Seconds that each job will take: what it took the last time, else by its cost beside those that are known."""
    took = store.last_wall_s()
    seen = [job for job in jobs if job.name in took]
    cost = sum(job.cost for job in seen)
    scale = sum(took[job.name] for job in seen) / cost if cost else 1.0
    return {job.name: took.get(job.name, job.cost * (scale or 1.0)) for job in jobs}


def _missing(job: Job, folder: Path) -> list[str]:
    """Files that the job should have left and that are not there."""
    return [name for name in job.leaves if not (folder / name).is_file()]


def shared_content(job: Job) -> str:
    """Jobs with the same text have the same content: its kind, and the arguments that the kind lists in CONTENT."""
    names: Sequence[str] | None = getattr(import_module(job.kind), "CONTENT", None)
    chosen = [dict(job.arguments)] if names is None else [job.arguments.get(name) for name in names]
    return json.dumps([job.kind, *chosen], sort_keys=True)


def _start(job: Job, number: int, folder: Path, engine: Engine) -> _Active:
    _clear(folder)
    attempt = uuid.uuid4().hex
    given = {"attempt": attempt, "name": job.name, "kind": job.kind, "arguments": dict(job.arguments)}
    (folder / JOB_FILE).write_text(json.dumps(given, indent=1) + "\n")
    ticket = engine.start([sys.executable, "-m", "hbm_tb.job_worker", str(folder)], folder)
    return _Active(job, ticket, folder, attempt, time.monotonic(), number)


def _clear(folder: Path) -> None:
    """An empty folder, also where a lost worker may still write into the old one."""
    for _ in range(3):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            break
    else:
        aside = folder.with_name(f"{folder.name}.lost-{uuid.uuid4().hex[:8]}")
        folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
    folder.mkdir(parents=True)


def _look(run: _Active) -> Outcome | None:
    """The outcome of a run that is over; None while it goes on."""
    took = time.monotonic() - run.started
    if run.ticket.poll():
        found = _read_outcome(run.folder, run.attempt)
        if found is None:
            return Outcome(DIED, f"the worker ended without an outcome ({_tail(run.folder)})", wall_s=took)
        missing = _missing(run.job, run.folder) if found.passed else []
        if missing:
            return Outcome(DIED, f"the run passed and left no {', '.join(missing)}", wall_s=took)
        return found
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
