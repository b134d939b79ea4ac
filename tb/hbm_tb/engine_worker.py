"""The part of a cluster engine that runs on a node, inside a Dask worker: start a command in the shared folder, look
after it, end it.

A run belongs to one attempt, which stands in its job.json. A node that was given up (cut off from the network, say)
finds another attempt there and ends what it still runs.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from hbm_tb.jobs import JOB_FILE, KILL_S, OUTCOME_FILE, PARENT

SEEN_S = 30.0  # a shared folder may show elsewhere what was just written only after so long
FENCE_S = 1.0  # between two looks whether the attempt is still the one that counts
POLL_S = 0.05

EXIT_S = 3.0  # for the end of a Dask worker, which sometimes waits for its connections for good

_unwanted: set[str] = set()  # attempts that are to end


class NodeError(RuntimeError):
    """This node cannot carry out runs: it does not see the shared folder, or cannot write there. (node, why)"""

    def __str__(self) -> str:
        return ": ".join(map(str, self.args))


def node_name() -> str:
    """This node as the batch system calls it."""
    hosts = os.environ.get("LSB_HOSTS", "").split()
    return os.environ.get("SLURMD_NODENAME") or (hosts[0] if hosts else socket.gethostname())


class Ended(RuntimeError):
    """The command of a run ended with a code that is not 0, or left no outcome."""


class CutOff(RuntimeError):
    """A run was ended from outside."""


def attempt_of(folder: Path) -> str | None:
    """The attempt that the folder stands for now; None when it cannot be read."""
    try:
        return str(json.loads((folder / JOB_FILE).read_text())["attempt"])
    except (OSError, ValueError, KeyError):
        return None


def carry_out(
    command: Sequence[str],
    folder: str,
    attempt: str,
    environment: Mapping[str, str],
    closing: Callable[[], bool] | None = None,
) -> None:
    """Run the command of an attempt to its end. Raises unless it leaves an outcome and exit code 0.

    `closing`: whether the Dask worker is at its end, as it is when its scheduler is gone.
    """
    place = Path(folder)
    here = node_name()
    closing = closing or _worker_is_closing
    _wait_until_seen(place, attempt, here)
    try:
        with (place / "worker.log").open("ab") as log:
            process = subprocess.Popen(
                list(command),
                cwd=place,
                env={**os.environ, **environment, PARENT: str(os.getpid())},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError as error:
        raise NodeError(here, str(error)) from None
    looked = time.monotonic()
    try:
        while not _ended_within(process, POLL_S):
            if attempt in _unwanted:
                raise CutOff(f"{here}: the runner ended it")
            if closing():
                raise CutOff(f"{here}: the worker was told to end")
            if time.monotonic() - looked > FENCE_S:
                looked = time.monotonic()
                if attempt_of(place) not in (attempt, None):
                    raise CutOff(f"{here}: another attempt took its place")
    finally:
        _end(process)
        _unwanted.discard(attempt)
    # Seen from the node itself: the runner need not wait for a file that was never written.
    if process.returncode or not (place / OUTCOME_FILE).exists():
        raise Ended(f"{here}: exit code {process.returncode}")


async def end_attempt(attempt: str) -> None:
    """Make `carry_out` end the run of an attempt; called in another thread of the same process.

    A coroutine, since Dask waits for anything else.
    """
    _unwanted.add(attempt)


def _ended_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """Nothing of the group is left when this returns."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(KILL_S)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _wait_until_seen(folder: Path, attempt: str, here: str) -> None:
    """The runner wrote job.json just now, perhaps on another machine."""
    until = time.monotonic() + SEEN_S
    while attempt_of(folder) != attempt:
        if time.monotonic() > until:
            raise NodeError(here, f"does not see {folder / JOB_FILE}")
        with suppress(OSError):
            os.listdir(folder.parent)  # makes a network file system look again
        time.sleep(POLL_S)  # a network file system tells nobody when another machine's file has come


def dask_teardown(_worker: object) -> None:
    """Called by Dask when the worker closes, since this module is preloaded there. Its runs end with the process."""
    timer = threading.Timer(EXIT_S, os._exit, (0,))
    timer.daemon = True
    timer.start()


def _worker_is_closing() -> bool:
    from distributed import Status, get_worker

    return get_worker().status not in (Status.running, Status.paused)
