"""Replay of a request trace: the test inside the simulator that `hbm run` and `hbm bench` start.

`job` of the settings: stimulus (folder with the request records of both ports, run_job.write_stimulus), out (folder for
the numbers), progress (file that is rewritten a few times a second), commands (keep them for the run folder), events
(keep what came from outside besides requests: register writes, TEMP, READY).
"""

from __future__ import annotations

import gc
import json
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyuvm
from hbm_model.controller import Policy, Setup
from hbm_model.counters import as_result
from hbm_model.simulate import load_model
from hbm_tb import port_kernel as k
from hbm_tb import records, stats
from hbm_tb.env import Sink
from hbm_tb.link import cycles
from hbm_tb.run_job import FIRST_CYCLE, PROGRESS_FORMAT
from hbm_tb.sequences import ChannelSequence, SliceSequence
from hbm_tb.test_base import HbmTest
from hbm_tb.traffic import Chunk

SLICE = 2048  # requests of a port given at a time: a ring holds four such slices
PROGRESS_S = 0.25
CLEAR_BEFORE = 64  # cycles before the first request: time for a register write


def slices(chunk: Chunk, size: int = SLICE) -> Iterator[Chunk]:
    """The chunk in pieces of `size` ordered requests, so that reads and writes of a piece belong together.

    A piece by channel would not do: the ring of one channel could fill up with requests that wait for the other.
    """
    ends = np.concatenate(([0], np.cumsum(chunk.aw["len"].astype(np.int64) + 1)))
    borders = np.arange(0, chunk.transactions + size, size)
    ar, aw = (np.searchsorted(rows["order"].astype(np.int64), borders) for rows in (chunk.ar, chunk.aw))
    for i in range(len(borders) - 1):
        w = chunk.w[ends[aw[i]] : ends[aw[i + 1]]]
        yield Chunk(chunk.ar[ar[i] : ar[i + 1]], chunk.aw[aw[i] : aw[i + 1]], w, chunk.shape[aw[i] : aw[i + 1]])


@pyuvm.test()
class TraceRun(HbmTest):
    """All requests of a trace, in order on each port, with every check on."""

    settings = {"batch": 1024, "coverage": False}

    def build_phase(self) -> None:
        super().build_phase()
        self.job: dict[str, Any] = self.config.job
        if self.config.check_exact:
            # Compiled here, where it is told, and not in the middle of a batch.
            load_model(Setup(self.config.params, Policy.of(self.config.params)))
        # When the first batch with answers was checked, and its last cycle: the speed counts from there, since by then
        # all that checks is compiled.
        self.began, self.first = math.nan, 0
        # What is there stays; what comes is numpy arrays without cycles. Collecting costs a tenth of the run.
        gc.collect()
        gc.freeze()
        gc.disable()
        self.evaluated = 0  # cycle of the last look at what came, from the first request on
        self.total_bursts = 0
        self.said = 0.0
        self.events: list[Any] = []
        if self.job.get("events"):
            self.events_export = Sink("events", self, lambda batch: self.events.append(batch.events.copy()))
        name = self.job.get("progress")
        self.progress = os.open(name, os.O_WRONLY | os.O_CREAT, 0o644) if name else -1

    def connect_phase(self) -> None:
        super().connect_phase()
        if self.job.get("events"):
            self.env.outside_monitor.ap.connect(self.events_export)

    async def run_phase(self) -> None:
        try:
            await super().run_phase()
        finally:
            # Also when a check failed or the wave window ended: the folder then shows how far it came.
            self.save()

    async def body(self) -> None:
        start = self.env.rings.cycle()
        assert start < FIRST_CYCLE, f"programming took until cycle {start}; the records begin at {FIRST_CYCLE}"
        # The counters are those of the traffic, without initialisation and programming.
        await cycles(max(1, FIRST_CYCLE - CLEAR_BEFORE - start))
        await self.env.clear_counters(unused=True)
        assert self.env.rings.cycle() < FIRST_CYCLE
        # Mapped, not read: pages come in as the run gets to them.
        given = {
            name: np.load(Path(self.job["stimulus"]) / f"{name}.npy", mmap_mode="r")
            for name in (f"{stream}{port}" for stream in ("ar", "aw", "w") for port in range(records.PORTS))
        }
        parts = {}
        for port in range(records.PORTS):
            ar, aw, w = (given[f"{stream}{port}"] for stream in ("ar", "aw", "w"))
            chunk = Chunk(ar, aw, w, np.zeros(len(aw), np.int64))
            self.total_bursts += chunk.transactions
            parts[port] = SliceSequence(f"trace{port}", slices(chunk))
        self.env.on_batch.append(self.show)
        await ChannelSequence("trace", self.env, parts).start()
        await self.env.drain()

    def show(self) -> None:
        """Tell the parent how far the run is."""
        self.evaluated = self.env.rings.cycle()
        now = time.monotonic()
        done = self.total(k.N_LAT_COUNT) + self.total(k.N_B)
        if math.isnan(self.began) and done:
            self.began, self.first = now, self.env.rings.cycle()
        if math.isnan(self.began) or self.progress < 0 or now - self.said < PROGRESS_S:
            return
        self.said = now
        text = PROGRESS_FORMAT.format(done, self.total_bursts, self.env.rings.cycle())
        os.pwrite(self.progress, text.encode(), 0)

    def save(self) -> None:
        """Numbers, course over time and commands for the run folder."""
        out = Path(self.job["out"])
        exact = self.env.checks.exact
        numbers = {
            **stats.collect(self.board, self.config),
            **({"exact": exact.compared} if exact else {}),
            **({"counters": as_result(self.env.counts)} if self.env.counts else {}),
            "cycles": self.env.rings.cycle(),
            "evaluated_ck": 2 * self.evaluated,  # a window may end the run in the middle of a batch
        }
        if not math.isnan(self.began):
            numbers["loop"] = {"s": time.monotonic() - self.began, "cycles": numbers["cycles"] - self.first}
        (out / "numbers.json").write_text(json.dumps(numbers, indent=1))
        np.savez_compressed(out / "series.npz", **stats.series(self.board))
        if self.job.get("commands", True):
            np.save(out / "commands.npy", self.env.checks.commands)
        if self.job.get("events"):
            np.save(out / "events.npy", np.concatenate(self.events))
