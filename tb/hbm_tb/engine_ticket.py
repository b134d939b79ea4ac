"""A run on a worker of a cluster: when it is over, how it is ended, and what that says of the worker's node."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hbm_tb.engine_worker import SEEN_S, CutOff, Ended, NodeError, end_attempt
from hbm_tb.jobs import KILL_S, OUTCOME_FILE

if TYPE_CHECKING:
    from hbm_tb.engine_dask import DaskEngine


class DaskTicket:
    """A run on a worker."""

    def __init__(self, engine: DaskEngine, folder: Path, attempt: str, address: str, future: Any) -> None:
        self.engine = engine
        self.folder = folder
        self.attempt = attempt
        self.address = address
        self.future = future
        self.over = False
        self.done_at: float | None = None
        self.asked_at: float | None = None

    def poll(self) -> bool:
        """True when the run is over, or its worker is lost: then its outcome can be read, if there is one."""
        if not self.over:
            self._look()
        return self.over

    def ask(self) -> None:
        """The worker is told; it ends the run at once."""
        if not self.over:
            self.asked_at = self.asked_at or time.monotonic()
            self.engine.tell(self.address, end_attempt, self.attempt)

    def cancel(self) -> None:
        """A worker that does not end its run within seconds is ended with its job."""
        if self.asked_at is None:
            self.ask()
        asked_at = self.asked_at or time.monotonic()
        while not self.poll():
            if time.monotonic() > asked_at + 2 * KILL_S:
                self.engine.drop(self.address)
                self._end("it did not end when told to; its worker was ended")
                return
            time.sleep(0.05)  # over is what Dask and a file on another machine say together: no one event tells it

    def _look(self) -> None:
        status = self.future.status
        if status == "finished":
            # The node has seen the outcome; here another machine's file may take a while to show.
            self.done_at = self.done_at or time.monotonic()
            with suppress(OSError):
                os.listdir(self.folder)
            seen = (self.folder / OUTCOME_FILE).exists()
            if seen or time.monotonic() - self.done_at > SEEN_S:
                self.engine.judge(self.address, good=seen)
                self._end()
        elif status in ("error", "cancelled", "lost"):
            error = None
            with suppress(Exception):
                error = self.future.exception(timeout=KILL_S)
            if isinstance(error, NodeError):
                self.engine.leave_out(self.address, *error.args)
            elif not isinstance(error, CutOff):
                self.engine.judge(self.address, good=False)
            if isinstance(error, Ended):
                self._end()  # what the process said itself tells more
            elif isinstance(error, (NodeError, CutOff)):
                self._end(str(error))
            else:
                self._end("the worker was lost")
        elif not self.engine.is_up(self.address):
            self._end("the worker was lost")

    def _end(self, reason: str = "") -> None:
        self.over = True
        if reason:
            with suppress(OSError), (self.folder / "worker.log").open("a") as log:
                log.write(f"\n{self.engine.system.name}: {reason}\n")
        self.future.release()
        self.engine.free(self.address, self.attempt)
