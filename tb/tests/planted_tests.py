"""Tests that must fail: one per planted defect of the RTL (tb/faults), made from what the starter names.

The environment variable `HBM_PLANTED` holds a JSON list of runs: name, number of the defect (0: none), workload and
settings of the bench. Each becomes a test of its own, so that defects share the start of a simulator and nothing else.
What told first is written to `planted.jsonl` in the run folder; hbm_tb.faults_job judges it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyuvm
from effect_tests import SID_TIMINGS, TIMINGS, EffectTest
from hbm_tb import axi, traffic
from hbm_tb.link import cycles
from hbm_tb.scoreboard import Mismatch
from hbm_tb.traffic import Chunk, RandomShape
from random_tests import RandomTraffic

PLANTED = "HBM_PLANTED"
CHOICE = Path("planted")  # read by the woven RTL whenever reset begins
RECORD = Path("planted.jsonl")


class Planted(EffectTest, RandomTraffic):
    """One defect under one workload."""

    item: dict[str, Any] = {}
    settings = {"batch": 64, "watchdog": 6_000, "keep_commands": True, "coverage": False, "policy": {}}

    def build_phase(self) -> None:
        """The same traffic for every defect of a workload, and for none."""
        super().build_phase()
        self.config = self.config.with_(test=self.item["workload"])

    # ------------------------------------------------------------ record

    async def run_phase(self) -> None:
        """As every test, but the first thing that tells is written down."""
        self.begun = 0
        CHOICE.write_text(f"{self.item['number']}\n")
        self.env.collect = self._recording(self.env.collect)
        self.raise_objection()
        try:
            await self.env.start(self.initialise)
            self.begun = self.env.rings.cycle()
            await getattr(self, self.item["workload"])(**self.item["how"])
            await self.end()
        except (Mismatch, TimeoutError) as problem:
            self._note(problem)
            self.env.checks.note(problem)
            raise
        self._note(None)
        self.drop_objection()

    def _recording(self, collect: Any) -> Any:
        def recorded() -> None:
            try:
                collect()
            except Mismatch as problem:
                self._note(problem)
                self._release()
                raise

        return recorded

    def final_phase(self) -> None:
        """The closing line; then the memory goes back."""
        super().final_phase()
        self._release()

    def _release(self) -> None:
        """Drop what takes memory: the process keeps the failures of all its tests, and they keep the benches."""
        checks = self.env.checks
        checks.exact = checks.legality = None
        checks.board.ports = []
        checks.kept.clear()
        self.batches.clear()

    def _note(self, problem: BaseException | None) -> None:
        """Write the outcome once."""
        if self.item.get("noted"):
            return
        self.item["noted"] = True
        board = self.env.checks.board
        line = {
            "name": self.item["name"],
            "number": self.item["number"],
            "message": "" if problem is None else str(problem),
            "cycle": self.env.rings.cycle(),
            "begun": self.begun,
            "commands": board.commands,
            "transactions": sum(int(port.state.m[name]) for port in board.ports for name in self._heads()),
        }
        with RECORD.open("a") as file:
            file.write(json.dumps(line) + "\n")

    @staticmethod
    def _heads() -> tuple[int, int]:
        from hbm_tb import port_kernel as k

        return k.S_AR_TAIL, k.S_AW_TAIL

    # ------------------------------------------------------------ random workloads

    async def soak(self, count: int = 2_000, **how: Any) -> None:
        """Mixed bursts in slices with other back-pressure each."""
        levels = how.pop("levels", (256, 256, 224, 96))
        rng = self.config.rng("slices")
        shape = RandomShape(self.config.address_map.port_bytes, **{"long_share": 0.005, "error_share": 0.002, **how})
        for number in range(4):
            ctl = self.env.rings.ctl
            for port in range(2):
                for name in ("ready_r", "ready_b"):
                    ctl[name][port] = int(rng.choice(levels))
            chunks = {p: traffic.random_chunk(self.config.rng(p, number), count // 8, shape) for p in range(2)}
            await self.play(chunks, drain=False)
        await self.env.drain()

    async def hazard(self, count: int = 3_000, **how: Any) -> None:
        """Everything in a few 32-byte blocks."""
        given = {"hot_share": 1.0, "hot_windows": 2, "hot_bytes": 64, "long_share": 0.0, "gap_share": 0.05, "ids": 32}
        await self.soak(count, **{**given, "levels": (256,), **how})

    async def narrow(self, count: int = 2_000, **how: Any) -> None:
        """Sizes below the bus, unaligned starts, sparse strobes, bursts of every type."""
        given = {
            "size_weights": (0.2, 0.2, 0.2, 0.2, 0.1, 0.1),
            "unaligned_share": 0.6,
            "single_share": 0.3,
            "burst_weights": (0.3, 0.3, 0.4),
            "shape_weights": (0.2, 0.1, 0.3, 0.2, 0.1, 0.1),
            "long_share": 0.0,
        }
        await self.soak(count, **{**given, **how})

    async def partial(self, count: int = 2_000, **how: Any) -> None:
        """Writes of a part of 32 bytes: read-modify-write where there are no mask pins."""
        await self.soak(count, **{"shape_weights": (0.2, 0.02, 0.4, 0.2, 0.1, 0.08), "write_share": 0.6, **how})

    async def few_ids(self, count: int = 2_000, **how: Any) -> None:
        """Few ids: responses wait for each other."""
        await self.soak(count, **{"ids": 2, "hot_share": 0.3, "write_share": 0.2, **how})

    async def errors(self, count: int = 1_500, **how: Any) -> None:
        """Many illegal bursts and addresses outside."""
        await self.soak(count, **{"error_share": 0.4, **how})

    async def idle(self, count: int = 400, **how: Any) -> None:
        """Little traffic with long pauses: the channel refreshes at leisure."""
        await self.soak(count, **{"gap_share": 1.0, "gap_most": 250, "long_share": 0.0, **how})

    # ------------------------------------------------------------ single beats

    async def rows(self, count: int = 3_000, cols: int = 32, **how: Any) -> None:
        """Single beats at random rows of all banks (or at few columns of few rows with `cols`), as fast as they go."""
        given = {
            "single_share": 1.0,
            "long_share": 0.0,
            "hot_share": 0.0,
            "unaligned_share": 0.0,
            "gap_share": 0.1,
            "size_weights": (0, 0, 0, 0, 0, 1),
            "shape_weights": (1, 0, 0, 0, 0, 0),
            "levels": (256,),
        }
        if cols < 32:
            await self._single(count, rows=64, cols=cols, write_share=0.5)
        else:
            await self.soak(count, **{**given, **how})

    async def hot_rows(self, count: int = 3_000, **how: Any) -> None:
        """A row of hits in each of a few banks, and now and then another row of them."""
        await self._single(
            count, rows=3, banks=4, write_share=0.3, rare=0.06, **{k: v for k, v in how.items() if k == "gap"}
        )

    async def stream(self, count: int = 2_000) -> None:
        """Reads of consecutive addresses on both ports."""
        at = np.arange(count // 2) * 32
        await self.play({p: traffic.read(at, axi_id=np.arange(len(at)) % 16) for p in range(2)})

    async def _single(
        self,
        count: int,
        rows: int,
        cols: int = 32,
        banks: int = 0,
        write_share: float = 0.5,
        rare: float = 0.5,
        gap: int = 0,
    ) -> None:
        amap = self.config.address_map
        chunks = {}
        for port in range(2):
            rng = self.config.rng("single", port)
            n = count // 2
            flat = rng.integers(0, banks or amap.banks * amap.bgs, n)
            row = np.where(rng.random(n) < rare, rng.integers(0, rows, n), 0)
            where = amap.pack(0, flat % amap.bgs, flat // amap.bgs, row, rng.integers(0, cols, n))
            addr = amap.to_port(where)
            write = rng.random(n) < write_share
            ids = rng.integers(0, 64, n)
            chunks[port] = traffic.read(addr[~write], axi_id=ids[~write], gap=gap) + traffic.write(
                rng, addr[write], axi_id=ids[write], gap=gap
            )
        await self.play(chunks)

    # ------------------------------------------------------------ directed

    async def start(self) -> None:
        """A few reads after the initialisation."""
        await self.play({p: traffic.read(np.arange(32) * 32, axi_id=np.arange(32)) for p in range(2)})

    async def exclusive(self, count: int = 120) -> None:
        """Exclusive accesses of few ids, shapes and places among plain writes, in order and in a race."""
        for number in range(count):
            rng = self.config.rng("exclusive", number)
            chunks = {}
            for port in range(2):
                chunk = Chunk()
                for _ in range(int(rng.integers(2, 8))):
                    where: dict[str, Any] = {
                        "addr": 32768 + 32 * int(rng.integers(0, 3)),
                        "axi_id": int(rng.integers(0, 3)),
                        "size": int(rng.choice([4, 5, 5])),
                        "burst": axi.INCR,
                    }
                    kind = rng.integers(0, 3)
                    if kind == 0:
                        chunk += traffic.read(**where, lock=1)
                    else:
                        shape = traffic.NONE if rng.integers(0, 3) == 0 else traffic.FULL
                        chunk += traffic.write(rng, **where, lock=int(kind == 1), shape=shape)
                chunks[port] = chunk
            await self.play(chunks, drain=bool(number % 3))
        await self.env.drain()

    async def both_errors(self, count: int = 60) -> None:
        """Bursts that are illegal and lie outside the memory."""
        rng = self.config.rng("both")
        addr = self.config.address_map.port_bytes + rng.integers(0, 1 << 20, count) * 4096
        await self.play({p: traffic.read(addr, 3, burst=axi.RESERVED, axi_id=np.arange(count) % 64) for p in range(2)})
        await self.start()

    async def at_limit(self, count: int = 400) -> None:
        """Bursts in the last row that is memory and in the first one that is not."""
        amap = self.config.address_map
        rng = self.config.rng("limit")
        limit = self.config.row_limit
        assert limit, "this workload wants a row limit"
        chunks = {}
        for port in range(2):
            row = limit - 1 + rng.integers(0, 2, count // 2)
            flat = rng.integers(0, amap.bgs * amap.banks, len(row))
            addr = amap.to_port(amap.pack(0, flat % amap.bgs, flat // amap.bgs, row, rng.integers(0, 32, len(row))))
            chunks[port] = traffic.read(addr, axi_id=np.arange(len(addr)) % 64)
        await self.play(chunks)

    async def page_end(self, count: int = 100) -> None:
        """Bursts that end at a 4 KiB border."""
        rng = self.config.rng("page")
        beats = rng.integers(1, 17, count)
        addr = rng.integers(1, 64, count) * 4096 - beats * 32
        await self.play({p: traffic.read(addr, beats - 1, axi_id=np.arange(count) % 64) for p in range(2)})

    async def commit(self, **_: Any) -> None:
        """Commits of other timings in the middle of traffic."""
        params = self.config.params
        slow = params.replaced(RCDRD=params.count("RCDRD") + 7, RP=params.count("RP") + 5, WR=params.count("WR") + 4)
        shape = RandomShape(self.config.address_map.port_bytes, long_share=0.0)
        for number in range(4):
            chunks = {p: traffic.random_chunk(self.config.rng(number, p), 300, shape) for p in range(2)}
            await self.play(chunks, drain=False)
            await cycles(150 + 40 * number)
            chosen = params if number % 2 else slow
            await self.env.program(chosen, chosen)
        await self.env.drain()

    async def retune(self) -> None:
        """Refreshes run ahead; then software moves the hold and the pull-in."""
        interval = self.config.params.count("REFI") // 2
        for hold, pull in ((2, 4), (6, 2), (1, 7), (1, 3)):
            await self.env.registers.write_field("policy.refresh.refresh_hold", hold)
            await self.env.registers.write_field("policy.refresh.pull_in", pull)
            await cycles(10 * interval)
        await self.start()

    async def change_kind(self) -> None:
        """Single-bank and all-bank refresh take turns under traffic."""
        shape = RandomShape(self.config.address_map.port_bytes, gap_share=0.0, hot_share=0.0)
        for number in range(4):
            chunks = {p: traffic.random_chunk(self.config.rng(number, p), 200, shape) for p in range(2)}
            await self.play(chunks, drain=False)
            await self.env.registers.write_field("policy.refresh.refresh_all", (number + 1) % 2)
        await self.env.drain()

    async def rd_delay(self, count: int = 1_000) -> None:
        """The longest read delay of the PHY."""
        await self.env.registers.write_field("phy.rd_delay", 7)
        self.env.rd_delay = 7
        await self.env.commit(self.config.params)
        await self.soak(count, levels=(256,))

    # ------------------------------------------------------------ timing registers

    async def timing(self, key: str, port: int) -> None:
        """The traffic of the effect test of a timing register, on one port."""
        found = {t.key: t for t in (*TIMINGS, *SID_TIMINGS)}
        self.words = {}
        self.params = self.config.params
        await found[key].traffic(self, port)

    async def wait(self, count: int) -> None:
        """A few reads, nothing for `count` cycles, a few reads."""
        await self.start()
        await cycles(count)
        await self.start()

    async def waiting(self) -> None:
        """Reads that wait at the ports while a commit runs."""
        self.env.next_set(self.config.params)
        await self.env.registers.pulse("ctrl.commit")
        await self.start()


def _make() -> None:
    """A test class per run that the environment names."""
    for item in json.loads(os.environ.get(PLANTED, "[]")):
        settings = {**Planted.settings, **item["config"]}
        made = type(item["name"], (Planted,), {"item": dict(item), "settings": settings, "__doc__": item["workload"]})
        made.__module__ = __name__
        globals()[item["name"]] = pyuvm.test()(made)


_make()
