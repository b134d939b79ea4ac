"""Runs on a cluster: dask-jobqueue submits jobs to the batch system, each job is a Dask worker, workers carry out runs.

The engine hands a run to a worker that is up, so that no run waits in a queue of Dask's. What a run came to is what it
left in the shared folder (`jobs`); Dask only tells that it is over, or that its worker is lost. Workers that are lost
are replaced; a node that cannot carry out runs is left out; a worker whose runner is gone ends its runs and itself.
"""

from __future__ import annotations

import itertools
import logging
import os
import signal
import sys
import threading
import time
import uuid
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dask
import dask.config
import distributed
from hbm_model import home
from hbm_model.errors import InputError

from hbm_tb.engine_queue import SYSTEMS, cores_of, jobs_needed
from hbm_tb.engine_settings import Settings
from hbm_tb.engine_ticket import DaskTicket
from hbm_tb.engine_worker import attempt_of, carry_out
from hbm_tb.jobs import KILL_S, EngineError

FOLDER = "workers"  # below the folder of the list: logs of the workers
ASK_S = 2.0  # between two questions to the batch system, which many share
SUBMIT_S = 60.0  # for the first submission
CLOSE_S = 30.0
MOST_LOGS = 400
PATIENCE_S = 300.0  # at most, between two submissions that come to nothing
BAD_STARTS = 3  # jobs in a row that end before their worker is up
PASSED_ON = ("HBM_", "VERILATOR", "COCOTB_", "PYTHONPATH", "NUMBA_")  # variables that a run gets from the runner

# Dask tells of every lost worker on stderr; here that is said once, by the list.
_LOGGERS = (
    "distributed", "distributed.core", "distributed.client", "distributed.worker", "distributed.scheduler",
    "distributed.batched", "distributed.comm", "distributed.deploy", "dask_jobqueue", "asyncio", "tornado",
    "tornado.application",
)  # fmt: skip
_CONFIG = {
    "distributed.scheduler.allowed-failures": 0,  # Dask repeats nothing: the runner does, in a fresh folder
    "distributed.scheduler.worker-ttl": "120 s",
    "distributed.comm.timeouts.connect": "30 s",
}


@dataclass
class _Worker:
    """A Dask worker that is up."""

    name: str
    host: str  # its address in the network
    busy: set[str] = field(default_factory=set)  # attempts


class DaskEngine:
    """Slurm or LSF. `runs`: side by side; 0: as the settings say."""

    def __init__(self, system: str, settings: Settings, runs: int = 0) -> None:
        self.system = SYSTEMS[system]
        self.system.check_tools()
        self.settings = settings
        self.retries = settings.retries
        self.cores = cores_of(system, settings)
        self.wanted = jobs_needed(runs, self.cores) if runs else settings.workers
        self.slots = runs or self.wanted * self.cores
        self.job_name = f"hbm-{uuid.uuid4().hex[:8]}"
        self._cluster: Any = None
        self._client: Any = None
        self._up: dict[str, _Worker] = {}  # by address
        self._seen: set[str] = set()  # jobs whose worker has been up
        self._losses: dict[str, int] = {}  # address in the network -> runs in a row that came to no outcome
        self._dropped: set[str] = set()  # addresses of workers that were ended
        self._left_out: dict[str, tuple[str, str]] = {}  # address in the network -> node, why
        self._exclusion = ""  # the directive that keeps jobs off those nodes
        self._refusals: list[str] = []
        self._lock = threading.Lock()
        self._waiting = ""
        self._alone_since = time.monotonic()  # since when no worker has been up
        self._bad_starts = 0
        self._patience_s = ASK_S  # between two submissions
        self._asked = self._submitted = self._submit_from = 0.0
        self._log = logging.getLogger(__name__)

    # ------------------------------------------------------------ jobs.Engine

    def open(self, folder: Path) -> None:
        """Submit the jobs. InputError when the batch system refuses them."""
        place = (folder / FOLDER).resolve()
        place.mkdir(parents=True, exist_ok=True)
        _tidy(place)
        self.folder = place
        for name in _LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        source = f"{self.settings.source}: " if self.settings.source else ""
        job = type("Job", (self.system.job,), {"refused": staticmethod(self._refuse)})
        # A name is not used again: Dask refuses a worker while it still knows another one of that name.
        numbers = itertools.count(1)
        cluster = type("Cluster", (self.system.cluster,), {"_new_worker_name": lambda *_: f"worker-{next(numbers)}"})
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                dask.config.set(_CONFIG)
                self._cluster = cluster(
                    job_cls=job,
                    security=True,
                    silence_logs=logging.CRITICAL,
                    scheduler_options={"dashboard": False, "dashboard_address": None},
                    **self.system.options(self.settings, self.job_name, str(place)),
                )
                self._client = distributed.Client(self._cluster, set_as_default=False)  # type: ignore[no-untyped-call]
        except Exception as error:
            self.close()
            line = " ".join(str(error).split())
            raise InputError(f"{source}{self.system.name} cannot be used so: {line}") from None
        self._cluster.scale(jobs=self.wanted)
        self._submitted = self._alone_since = time.monotonic()
        until = time.monotonic() + SUBMIT_S
        while not self._jobs() and len(self._refusals) < self.wanted and time.monotonic() < until:
            time.sleep(0.05)  # dask-jobqueue submits in a thread of its own and tells nobody when it has
        if not self._jobs():
            self.close()
            said = self._refusals[0] if self._refusals else f"no answer to a submission within {SUBMIT_S:.0f} s"
            raise InputError(f"{source}{self.system.name} refuses the jobs of the workers: {said}")

    def ready(self) -> int:
        """As many runs as the workers that are up have places for."""
        if self._cluster is None:
            return 0
        self._look_at_workers()
        usable = [worker for worker in self._up.values() if worker.host not in self._left_out]
        now = time.monotonic()
        if usable:
            self._alone_since = now
        if len(usable) < self.wanted:
            if now - self._asked > ASK_S:
                self._asked = now
                self._replace(now, bool(usable))
        else:
            self._waiting = ""
        if not usable:
            waited = now - self._alone_since
            if waited > self.settings.wait_s:
                raise EngineError(f"no worker came up within {waited:.0f} s; {self._waiting}")
        return min(self.slots, len(usable) * self.cores)

    def waiting(self) -> str:
        """What the workers that are not up wait for."""
        return self._waiting

    def start(self, command: Sequence[str], folder: Path) -> DaskTicket:
        """Hand the run to the worker with most free places, on a node that lost no run of late if there is one."""
        attempt = attempt_of(folder)
        usable = {address: w for address, w in self._up.items() if w.host not in self._left_out}
        if attempt is None or not usable:
            raise EngineError(f"{self.system.name}: no worker for {folder}")
        free = {address: w for address, w in usable.items() if len(w.busy) < self.cores} or usable
        address = min(free, key=lambda each: (self._losses.get(free[each].host, 0), len(free[each].busy)))
        words = list(command)
        if self.settings.python and words[0] == sys.executable:
            words[0] = self.settings.python
        future = self._client.submit(
            carry_out,
            words,
            str(folder.resolve()),
            attempt,
            self._environment(),
            key=f"{folder.name}-{attempt}",
            workers=[address],
            allow_other_workers=False,
            pure=False,
            retries=0,
        )
        usable[address].busy.add(attempt)
        return DaskTicket(self, folder, attempt, address, future)

    def close(self) -> None:
        """End all jobs and wait until the batch system has none of them."""
        with _undisturbed():
            if self._client is not None:
                with suppress(Exception):
                    self._client.close(timeout=KILL_S)
            if self._cluster is not None:
                with suppress(Exception):
                    self._cluster.close(timeout=CLOSE_S)
                self._end_jobs()
                for name in ("_job_ca_file", "_job_cert", "_job_key"):
                    with suppress(AttributeError, OSError):
                        getattr(self._cluster, name).close()  # removes the file
            self._client = self._cluster = None
            self._up = {}

    # ------------------------------------------------------------ for tickets

    def is_up(self, address: str) -> bool:
        """Whether Dask still knows the worker, and it was not given up."""
        return self._cluster is not None and address not in self._dropped and address in self._cluster.scheduler.workers

    def tell(self, address: str, function: Any, *words: str) -> None:
        """Call a function in the worker's process, without waiting for a worker that may not answer."""
        client = self._client
        if client is None or not self.is_up(address):
            return

        def call() -> None:
            with suppress(Exception):
                client.run(function, *words, workers=[address], wait=False, on_error="ignore")

        threading.Thread(target=call, daemon=True).start()

    def free(self, address: str, attempt: str) -> None:
        """The run is over."""
        if address in self._up:
            self._up[address].busy.discard(attempt)

    def judge(self, address: str, good: bool) -> None:
        """A run came to an outcome on that worker's node, or to none: nodes that lose runs get others last."""
        worker = self._up.get(address)
        if worker is not None:
            self._losses[worker.host] = 0 if good else self._losses.get(worker.host, 0) + 1

    def leave_out(self, address: str, node: str, why: str) -> None:
        """Use the node of that worker no more; what it is at may come to its end."""
        worker = self._up.get(address)
        if worker is None or worker.host in self._left_out:
            return
        self._left_out[worker.host] = (node, why)
        options = self._cluster.new_spec["options"]
        others = [each for each in options["job_extra_directives"] if each != self._exclusion]
        self._exclusion = self.system.leave_out(sorted(node for node, _ in self._left_out.values()))
        options["job_extra_directives"] = [*others, self._exclusion]

    def drop(self, address: str) -> None:
        """End a worker and its job."""
        worker = self._up.pop(address, None)
        if worker is not None:
            self._dropped.add(address)
            self._scale_down([worker.name])

    # ------------------------------------------------------------ workers

    def _refuse(self, text: str) -> None:
        with self._lock:
            self._refusals.append(text)

    def _jobs(self) -> dict[str, str]:
        """Name of a worker -> number of its job, of all that are submitted."""
        return {
            str(name): str(job.job_id) for name, job in list(self._cluster.workers.items()) if job.job_id is not None
        }

    def _look_at_workers(self) -> None:
        found = {
            address: state
            for address, state in list(self._cluster.scheduler.workers.items())
            if state.status == distributed.Status.running and address not in self._dropped
        }
        if new := set(found) - set(self._up):
            jobs = self._jobs()
            for address in new:
                name = str(found[address].name)
                self._up[address] = _Worker(name, str(found[address].host))
                self._seen.add(jobs.get(name, ""))
            self._bad_starts, self._patience_s = 0, ASK_S
        for address in set(self._up) - set(found):
            if not self.is_up(address):
                del self._up[address]

    def _replace(self, now: float, some: bool) -> None:
        """Find out what became of the workers that are not up, and submit others for those that never will be."""
        states = self.system.states(self.job_name)
        if states is None:
            self._waiting = f"{self.system.name} does not answer"
            return
        up = {worker.name for worker in self._up.values()}
        jobs = self._jobs()
        waiting = [f"job {jobs[n]} {states[jobs[n]]}" for n in jobs if n not in up and jobs[n] in states]
        # A job that was submitted a moment ago need not be listed yet.
        settled = now - self._submitted > 2 * ASK_S
        lost = [n for n in jobs if n not in up and jobs[n] in self._seen]
        unborn = [n for n in jobs if n not in up and jobs[n] not in self._seen and jobs[n] not in states and settled]
        refused = [str(name) for name, job in list(self._cluster.workers.items()) if job.job_id is None]
        # Workers of nodes that are left out go as soon as they have nothing under way.
        unfit = [w.name for w in self._up.values() if w.host in self._left_out and not w.busy]
        if unborn:
            self._bad_starts += len(unborn)
            if not some and not waiting and self._bad_starts >= BAD_STARTS:
                last = jobs[unborn[-1]]
                raise EngineError(
                    f"{self.system.name}: {self._bad_starts} jobs in a row ended before their worker was up; "
                    f"the last one, {last}, says: {self._last_words(last)} ({self.folder})"
                )
        if unborn or refused:
            # A cluster that does not take jobs, or does not bring them up, is asked ever less often.
            self._patience_s = min(2 * self._patience_s, PATIENCE_S)
            self._submit_from = now + self._patience_s
        self._scale_down([*lost, *unborn, *refused, *unfit])
        if len(self._cluster.worker_spec) < self.wanted and now >= self._submit_from:
            self._cluster.scale(jobs=self.wanted)
            self._submitted = now
        text = f"{self.system.name}: {len(up)} of {self.wanted} workers are up"
        text += "".join(f"; {each}" for each in waiting[:3]) + (" ..." if len(waiting) > 3 else "")
        if refused:
            text += f"; more are refused: {self._refusals[-1]}"
        text += "".join(f"; {node} is left out ({why})" for node, why in self._left_out.values())
        self._waiting = text

    def _scale_down(self, names: Sequence[str]) -> None:
        if names and self._cluster is not None:
            with suppress(Exception):
                self._cluster.sync(self._cluster.scale_down, list(names), callback_timeout=CLOSE_S)

    def _last_words(self, number: str) -> str:
        """What the log of a job ends with."""
        for path in sorted(self.folder.glob(f"*-{number}.*")):
            lines = [line.strip() for line in path.read_text(errors="replace").splitlines() if line.strip()]
            if lines:
                return lines[-1][:200]
        return "nothing"

    def _end_jobs(self) -> None:
        """What the cluster object may have missed: jobs that were being submitted."""
        until = time.monotonic() + CLOSE_S
        while (left := self.system.states(self.job_name)) and time.monotonic() < until:
            self.system.cancel(self.job_name)
            time.sleep(0.2)  # each round asks the batch system, which needs a moment to end a job
        if left or left is None:
            what = f"jobs {', '.join(left)} are" if left else f"{self.system.name} does not answer; perhaps jobs are"
            cancel = " ".join(self.system.cancel_command(self.job_name))
            print(f"hbm: {what} not ended yet; `{cancel}` ends them", file=sys.stderr, flush=True)

    def _environment(self) -> dict[str, str]:
        chosen = {
            name: value
            for name, value in os.environ.items()
            if name.startswith(PASSED_ON) or name in self.settings.pass_environment
        }
        chosen["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(p for p in sys.path if p))
        return {**chosen, **home.environment()}


def _tidy(folder: Path) -> None:
    """Remove what a killed runner left, and all but the newest logs."""
    with suppress(OSError):
        for left in folder.glob(".dask-jobqueue.*"):
            left.unlink()
        logs = sorted(folder.glob("hbm-*"), key=lambda path: path.stat().st_mtime)
        logs += sorted(folder.glob("worker-*"), key=lambda path: path.stat().st_mtime)  # as LSF names them
        for old in logs[:-MOST_LOGS]:
            old.unlink()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C does not leave jobs behind: the end takes seconds and is bounded."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
