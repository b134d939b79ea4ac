"""Replay of a request trace: the test inside the simulator that `hbm run` and `hbm bench` start.

`job` of the settings: requests (npz of write, address, cycle), out (folder for the numbers), merge, outstanding (1: one
burst under way at a time), progress (file that is rewritten a few times a second), commands (keep them for the folder).
"""

from __future__ import annotations

import json
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyuvm
from hbm_model.requests import make_trace
from hbm_tb import port_kernel as k
from hbm_tb import records, stats
from hbm_tb.run_job import PROGRESS_FORMAT
from hbm_tb.sequences import ChannelSequence, SliceSequence
from hbm_tb.test_base import HbmTest
from hbm_tb.traffic import Chunk, from_trace

SLICE = 2048  # requests of a port given at a time: a ring holds four such slices
LEAD = 64  # cycles between the end of programming and the first request
PROGRESS_S = 0.25


def cpu_seconds() -> float:
    """CPU time of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def slices(chunk: Chunk, size: int = SLICE) -> Iterator[Chunk]:
    """The chunk in pieces of `size` ordered requests, so that reads and writes of a piece belong together.

    A piece by channel would not do: the ring of one channel could fill up with requests that wait for the other.
    """
    ends = np.concatenate(([0], np.cumsum(chunk.aw["len"].astype(np.int64) + 1)))
    total = chunk.transactions
    for start in range(0, total, size):
        ar0, ar1 = np.searchsorted(chunk.ar["order"], [start, start + size])
        aw0, aw1 = np.searchsorted(chunk.aw["order"], [start, start + size])
        yield Chunk(chunk.ar[ar0:ar1], chunk.aw[aw0:aw1], chunk.w[ends[aw0] : ends[aw1]], chunk.shape[aw0:aw1])


@pyuvm.test()
class TraceRun(HbmTest):
    """All requests of a trace, in order on each port, with every check on."""

    settings = {"batch": 1024, "coverage": False}

    def build_phase(self) -> None:
        super().build_phase()
        self.job: dict[str, Any] = self.config.job
        self.began = time.monotonic()
        self.before_s = cpu_seconds()
        self.total_bursts = 0
        self.said = 0.0
        name = self.job.get("progress")
        self.progress = os.open(name, os.O_WRONLY | os.O_CREAT, 0o644) if name else -1

    async def run_phase(self) -> None:
        try:
            await super().run_phase()
        finally:
            # Also when a check failed or the wave window ended: the folder then shows how far it came.
            self.save()

    async def body(self) -> None:
        loaded = np.load(self.job["requests"])
        trace = make_trace(loaded["write"], loaded["address"], loaded["cycle"])
        chunks = from_trace(trace, self.config.address_map, self.config.seed, bool(self.job.get("merge")))
        start = self.env.rings.cycle() + LEAD
        for chunk in chunks:
            for rows in (chunk.ar, chunk.aw):
                rows["at"] += start
                if self.job.get("outstanding"):
                    rows["flags"] |= records.FLAG_AFTER_R | records.FLAG_AFTER_B
        self.total_bursts = sum(chunk.transactions for chunk in chunks)
        self.env.on_batch.append(self.show)
        parts = {port: SliceSequence(f"trace{port}", slices(chunk)) for port, chunk in enumerate(chunks)}
        await ChannelSequence("trace", self.env, parts).start()
        await self.env.drain()

    def show(self) -> None:
        """Tell the parent how far the run is."""
        now = time.monotonic()
        if self.progress < 0 or now - self.said < PROGRESS_S:
            return
        self.said = now
        done = self.total(k.N_LAT_COUNT) + self.total(k.N_B)
        text = PROGRESS_FORMAT.format(done, self.total_bursts, self.env.rings.cycle())
        os.pwrite(self.progress, text.encode(), 0)

    def save(self) -> None:
        """Numbers, course over time and commands for the run folder."""
        out = Path(self.job["out"])
        numbers = {
            **stats.collect(self.board, self.config),
            "cycles": self.env.rings.cycle(),
            "loop_s": time.monotonic() - self.began,
            "loop_cpu_s": cpu_seconds() - self.before_s,
            "process_cpu_s": cpu_seconds(),
        }
        (out / "numbers.json").write_text(json.dumps(numbers, indent=1))
        np.savez_compressed(out / "series.npz", **stats.series(self.board))
        if self.job.get("commands", True):
            np.save(out / "commands.npy", self.env.checks.commands)
