"""Batch systems as the cluster engine needs them: the jobs that dask-jobqueue submits, what became of them, their end.

All jobs of one list bear one name of their own, by which they are asked after and ended.
"""

from __future__ import annotations

import asyncio
import math
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import dask
from distributed import Status
from hbm_model.errors import InputError

from hbm_tb.engine_settings import CORES, MEMORY, WALLTIME, Settings

_interrupt = signal.getsignal(signal.SIGINT)
from dask_jobqueue.lsf import LSFCluster, LSFJob  # noqa: E402
from dask_jobqueue.slurm import SLURMCluster, SLURMJob  # noqa: E402

# dask-jobqueue 0.9.0 takes Ctrl-C for itself when it is imported, and ends the program with code 0.
signal.signal(signal.SIGINT, _interrupt)

ANSWER_S = 30.0  # a batch system that does not answer for so long is as good as one that does not know
PACKAGED_WALLTIME = {"slurm": "00:30:00", "lsf": "00:30"}  # of dask-jobqueue: too short for a list

Refused = Callable[[str], None]


async def _command(words: Sequence[str], stdin: str = "") -> str:
    """Run a command of the batch system; its output. RuntimeError with what it said."""
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the runner
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(stdin.encode()), ANSWER_S)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        raise RuntimeError(f"{words[0]}: no answer within {ANSWER_S:.0f} s") from None
    if process.returncode:
        said = (err or out).decode(errors="replace").strip().splitlines()
        raise RuntimeError(said[-1] if said else f"{words[0]}: exit code {process.returncode}")
    return out.decode(errors="replace")


class _Submission:
    """What both kinds of job have in common: a refusal is told, and a closed job counts as closed."""

    refused: Refused | None = None
    job_id: str | None
    cancel_command: str

    async def _told(self, words: Sequence[str], stdin: str = "") -> str:
        try:
            return await _command(words, stdin)
        except (RuntimeError, OSError) as error:
            if self.refused is not None:
                self.refused(str(error))
            raise

    async def close(self) -> None:
        """End the job; one that has ended is none to worry about."""
        if self.job_id:
            with suppress(RuntimeError, OSError):
                await _command([self.cancel_command, self.job_id])
        self.status = Status.closed


class _SlurmJob(_Submission, SLURMJob):  # type: ignore[misc]
    async def _submit_job(self, script: str) -> str:
        return await self._told(["sbatch", script])


class _LsfJob(_Submission, LSFJob):  # type: ignore[misc]
    async def _submit_job(self, script: str) -> str:
        # bsub reads the script from its input; dask-jobqueue's own call drops what bsub says when it refuses.
        with open(script) as file:
            return await self._told(["bsub"], file.read())


def _slurm_states(name: str) -> list[str]:
    return ["squeue", "--noheader", f"--name={name}", "--format=%i|%T|%r"]


def _lsf_states(name: str) -> list[str]:
    return ["bjobs", "-noheader", "-J", name, "-o", "jobid stat pend_reason delimiter='|'"]


@dataclass(frozen=True)
class BatchSystem:
    """One kind of batch system."""

    name: str
    cluster: Any  # class of dask-jobqueue
    job: Any  # class of its jobs
    tools: tuple[str, ...]
    account: str  # what dask-jobqueue calls it
    once: str  # directive: a job that was ended is not started again by the batch system itself
    states_command: Callable[[str], list[str]]
    cancel_command: Callable[[str], list[str]]
    leave_out: Callable[[Sequence[str]], str]  # directive: not on these nodes
    missing: str  # what it says where no job of the name is left

    def check_tools(self) -> None:
        """InputError unless its commands are there."""
        for tool in self.tools:
            if shutil.which(tool) is None:
                raise InputError(f"--engine {self.name}: `{tool}` is not found; run it where jobs can be submitted")

    def states(self, name: str) -> dict[str, str] | None:
        """Job number -> state, with the reason for waiting, of all jobs of that name; None: it does not say."""
        try:
            done = subprocess.run(
                self.states_command(name), capture_output=True, text=True, timeout=ANSWER_S, start_new_session=True
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        if done.returncode and not (self.missing and self.missing in done.stderr):
            return None
        found = {}
        for line in done.stdout.splitlines():
            number, state, reason = (*line.strip().split("|"), "", "")[:3]
            if number.isdigit():
                reason = reason.strip(" ;")
                found[number] = f"{state} ({reason})" if reason not in ("", "None", "-") else state
        return found

    def cancel(self, name: str) -> None:
        """End all jobs of that name; says nothing when there are none."""
        with suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(self.cancel_command(name), capture_output=True, timeout=ANSWER_S, start_new_session=True)

    def options(self, settings: Settings, job_name: str, folder: str) -> dict[str, Any]:
        """Keyword arguments of the cluster class: file before Dask's configuration before our defaults."""

        def configured(key: str) -> Any:
            return dask.config.get(f"jobqueue.{self.name}.{key}", None)

        walltime = configured("walltime")
        if walltime == PACKAGED_WALLTIME[self.name]:
            walltime = None
        options: dict[str, Any] = {
            "cores": cores_of(self.name, settings),
            "memory": settings.memory or configured("memory") or MEMORY,
            "walltime": settings.walltime or walltime or WALLTIME[self.name],
            "processes": 1,
            "nanny": False,  # a worker that dies ends its job; the engine submits another
            "job_name": job_name,
            "log_directory": folder,
            "shared_temp_directory": folder,
            "local_directory": settings.local_directory or configured("local-directory") or '"${TMPDIR:-/tmp}"',
            "job_extra_directives": [*(settings.directives or configured("job-extra-directives") or ()), self.once],
            # The worker takes the place of the script's shell: signals of the batch system reach it, and the job is
            # not over before the worker is.
            "python": f"exec {shlex.quote(settings.python or configured('python') or sys.executable)}",
            "worker_extra_args": [
                *(configured("worker-extra-args") or ()),
                "--no-dashboard",
                "--preload",
                "hbm_tb.engine_worker",
            ],
        }
        given = {
            "queue": settings.queue,
            self.account: settings.account,
            "interface": settings.interface,
            "job_script_prologue": list(settings.prologue),
            "job_directives_skip": list(settings.skip_directives),
        }
        return options | {key: value for key, value in given.items() if value}


def cores_of(system: str, settings: Settings) -> int:
    """Runs side by side in one job."""
    return int(settings.cores or dask.config.get(f"jobqueue.{system}.cores", None) or CORES)


SYSTEMS: Mapping[str, BatchSystem] = {
    "slurm": BatchSystem(
        "slurm",
        SLURMCluster,
        _SlurmJob,
        ("sbatch", "squeue", "scancel"),
        "account",
        "--no-requeue",
        _slurm_states,
        lambda name: ["scancel", f"--name={name}"],
        lambda nodes: f"--exclude={','.join(nodes)}",
        "",
    ),
    "lsf": BatchSystem(
        "lsf",
        LSFCluster,
        _LsfJob,
        ("bsub", "bjobs", "bkill"),
        "project",
        "-rn",
        _lsf_states,
        lambda name: ["bkill", "-J", name, "0"],
        lambda nodes: '-R "select[{}]"'.format(" && ".join(f"hname!='{node}'" for node in nodes)),
        "is not found",
    ),
}


def jobs_needed(runs: int, cores: int) -> int:
    """Jobs of the batch system for so many runs side by side."""
    return math.ceil(runs / cores)
