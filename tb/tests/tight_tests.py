"""Tightness: register sets and traffic that bring every reachable rule to its bound, chosen by what is still missing.

One simulation works through many trials: program, commit, traffic, measure (`hbm_tb.tight_plan`).
`job` of the settings: out (result file), trials (limit), only (rules), required (all goals must be reached, else the
test fails), late (timing registers that are programmed so many CK longer than checker and meter know).
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyuvm
from dram_tests import DramTest
from effect_tests import QUIET_POLICY, policy_words
from hbm_model.commands import Cmd
from hbm_model.csr import ap_min_ras
from hbm_model.tightness import TightnessMeter
from hbm_tb import traffic
from hbm_tb.agents import CommandBatch
from hbm_tb.env import Sink
from hbm_tb.link import cycles
from hbm_tb.tight_plan import Plan, Trial, found_json, status
from hbm_tb.traffic import Chunk


@pyuvm.test()
class TightRun(DramTest):
    """Trials until every goal was seen or the limit is reached; the numbers go to the result file."""

    settings = {"batch": 64, "coverage": False, "keep_commands": False, "policy": {"refresh.refresh_en": 0}}

    def connect_phase(self) -> None:
        """Commands reach the meter as they reach the checks."""
        self.meter = TightnessMeter(self.config.params)
        self.pending: TightnessMeter | None = None
        self.env.command_monitor.ap.connect(Sink("tight", self, self.take))

    def take(self, batch: CommandBatch) -> None:
        """Measure a batch; the first MRS after a commit ends one register set and begins the next."""
        rows = batch.cmd
        if self.pending is not None:
            at = np.flatnonzero(rows["cmd"] == Cmd.MRS) if len(rows) else []
            if len(at):
                self.meter.add(rows[: at[0] + 1])
                self.meter, self.pending = self.pending, None
                rows = rows[at[0] :]
        self.meter.add(rows)

    async def body(self) -> None:
        job = self.config.job
        plan = Plan(self.config.params, self.config.seed, tuple(job.get("only", ())))
        self.words: dict[str, int] = {}
        began = time.monotonic()
        limit = int(job.get("trials", 100))
        while plan.trials < limit and (trial := plan.next()) is not None:
            await self.begin(trial)
            await getattr(self, trial.style)(trial)
            await self.over(trial)
            plan.seen(trial, self.meter.found)
            print(f"{plan.trials}: {trial.goal} {trial.style}: {len(plan.open())} open", flush=True)
        seconds = round(time.monotonic() - began, 1)
        numbers = {**status(plan), "seconds": seconds, "cycles": self.env.rings.cycle(), "seed": self.config.seed}
        result = {"preset": self.config.preset, **numbers, "found": {k: found_json(v) for k, v in plan.found.items()}}
        if job.get("out"):
            Path(job["out"]).write_text(json.dumps(result, indent=1))
        print(f"HBM_TIGHT {json.dumps(numbers)}", flush=True)
        if job.get("required"):
            left = numbers["open"]
            assert not left, f"{len(left)} of {len(plan.goals)} bounds were not met: {', '.join(left[:8])}"

    # ------------------------------------------------------------ register sets

    async def begin(self, trial: Trial) -> None:
        """Program the register set without refresh, commit, then let refresh begin."""
        # The kind of refresh changes while nothing is owed (M6.1).
        if "policy.refresh" in self.words:
            await self.write_words({"policy.refresh": self.words["policy.refresh"] & ~1})
        policy = {**QUIET_POLICY, **trial.policy, "refresh_en": 0, "ap_min_ras": ap_min_ras(trial.params)}
        late = {key: trial.params.count(key) + more for key, more in self.config.job.get("late", {}).items()}
        words = {f"timing.{name}": value for name, value in trial.params.replaced(**late).timing.items()}
        await self.write_words({**policy_words(**policy), **words})
        await self.activate(trial)
        # A meter for this trial alone, from the MRS on: the bounds of the commit count too.
        await self.write_words(policy_words(**{**policy, "refresh_en": trial.refresh}))

    async def activate(self, trial: Trial) -> None:
        """Make the set active; checker and meter follow at its first MRS."""
        self.env.collect()
        self.pending = self.meter.continued(trial.params)
        await self.env.commit(trial.params)
        self.env.collect()
        assert self.pending is None, "the commit sent no MRS"

    async def write_words(self, words: dict[str, int]) -> None:
        """Write the registers that hold another word."""
        for path, word in words.items():
            if self.words.get(path) != word:
                await self.env.registers.write(path, word)
                self.words[path] = word

    async def over(self, trial: Trial) -> None:
        """Everything answered and on the pins, and the refreshes made up for that were put off (POSTPONE)."""
        await self.env.drain()
        for port in range(2 if trial.refresh else 0):
            for _ in range(2_000):
                if await self.env.registers.read_field(f"load[{port}].refresh_debt") <= 1:
                    break
        await self.env.settle()
        self.env.collect()

    # ------------------------------------------------------------ traffic

    def chunk(self, trial: Trial, port: int, rng: np.random.Generator, count: int) -> Chunk:
        """Random single accesses to the places of a trial."""
        amap = self.config.address_map
        col = rng.integers(0, 32, count)
        row = rng.integers(0, trial.rows, count)
        bank, bg, sid = (rng.integers(0, most, count) for most in (trial.banks, trial.groups, trial.sids))
        gap = np.where(rng.random(count) < 0.5, rng.integers(0, trial.gap + 1, count), 0)
        if burst := trial.more.get("burst"):
            number = np.arange(count) // burst
            row = number % trial.rows
            pause = int(rng.integers(80, 300))
            within = rng.integers(0, trial.more.get("pause", 0) + 1, count)
            gap = np.where(np.arange(count) % (burst * trial.more["group"]) == 0, pause, within)
        addr = amap.to_port(amap.pack(sid, bg, bank, row, col))
        at = int(self.env.rings.cycle()) + 24 + int(rng.integers(0, 8))
        is_write = rng.random(count) < trial.writes
        ids = np.arange(count) % 64
        reads = traffic.read(addr[~is_write], axi_id=ids[~is_write], at=at, gap=gap[~is_write])
        writes = traffic.write(rng, addr[is_write], axi_id=ids[is_write], at=at, gap=gap[is_write])
        return reads + writes

    async def mixed(self, trial: Trial) -> None:
        """Random accesses on both ports."""
        rng = np.random.default_rng(trial.seed)
        await self.play({port: self.chunk(trial, port, rng, trial.requests) for port in range(2)})

    async def sparse(self, trial: Trial) -> None:
        """The same, with long pauses in which refresh goes on."""
        await self.mixed(trial)

    async def idle(self, trial: Trial) -> None:
        """A few accesses, then nothing but refresh."""
        await self.mixed(trial)
        await cycles(trial.more["after"])

    async def release(self, trial: Trial) -> None:
        """All-bank refresh that is switched off and on again while requests wait."""
        rng = np.random.default_rng(trial.seed)
        chunks = {port: self.chunk(trial, port, rng, trial.requests) for port in range(2)}
        await self.play(chunks, drain=False)
        off, on = (policy_words(**{**trial.policy, "refresh_en": value})["policy.refresh"] for value in (0, 1))
        interval = trial.params.count("REFI") // 2
        for number in range(trial.more["toggles"]):
            await self.env.registers.write("policy.refresh", off)
            await cycles(int(rng.integers(8, 60)))
            await self.env.registers.write("policy.refresh", on)
            # The first refresh falls due an interval later (M6.1); PREA follows when every bank is legal.
            await cycles(interval + int(rng.integers(0, 60)) if number % 4 else 2 * interval)
        await self.env.drain()

    async def kinds(self, trial: Trial) -> None:
        """The kind of refresh changes, which a REF begins (M6.8), at any time after a REFSB."""
        rng = np.random.default_rng(trial.seed)
        await self.play({port: self.chunk(trial, port, rng, trial.requests) for port in range(2)}, drain=False)
        on = {**trial.policy, "refresh_en": 1}
        every, single = (policy_words(**{**on, "refresh_all": kind})["policy.refresh"] for kind in (1, 0))
        for _ in range(trial.more["changes"]):
            for word in (single, every):
                await self.env.registers.write("policy.refresh", word)
                await cycles(trial.params.count("RFC") // 2 + int(rng.integers(0, 2 * trial.params.count("REFISB"))))
        await self.env.drain()

    async def commit_often(self, trial: Trial) -> None:
        """Rows are open and single banks refreshed when a commit closes the channel."""
        rng = np.random.default_rng(trial.seed)
        for _ in range(trial.more["commits"]):
            await self.play({port: self.chunk(trial, port, rng, trial.requests) for port in range(2)})
            await cycles(int(rng.integers(1, 2 * trial.params.count("REFISB"))))
            self.env.collect()
            await self.env.commit(trial.params)
            self.env.collect()

    async def late_read(self, trial: Trial) -> None:
        """WR, then a read of its row that comes just when RDA becomes legal, with a conflict behind it."""
        rng = np.random.default_rng(trial.seed)
        amap, params = self.config.address_map, trial.params
        begin = int(self.env.rings.cycle()) + 40
        # WR -> RDA in cycles; the write waits for ACT and RCDWR, the reads take the path of the queue only.
        wait = (params.count("WL") + 2 + max(params.count("WR") - params.count("RTP"), params.count("WTRL"))) // 2
        open_ = params.count("RCDWR") // 2
        pause = 2 * (wait + open_ + (params.count("RAS") + params.count("RP") + params.count("WR")) // 2) + 60
        chunks = {}
        for port in range(2):
            parts = []
            for n in range(trial.requests):
                start = begin + n * pause + port * (pause // 2)
                late = start + open_ + wait + int(rng.integers(-4, 10))
                bank, bg = int(rng.integers(amap.banks)), int(rng.integers(amap.bgs))

                def place(row: int, col: int, bank: int = bank, bg: int = bg) -> Any:
                    return amap.to_port(amap.pack(0, bg, bank, row, col))

                row = 2 * n
                one = traffic.write(rng, place(row, 0), axi_id=n % 64, at=start)
                one += traffic.read([place(row + 1, 0), place(row, 1)], axi_id=[1, 2], at=[late, late + 1])
                parts.append(one)
            whole = Chunk()
            for part in parts:
                whole += part
            chunks[port] = whole
        await self.play(chunks)
