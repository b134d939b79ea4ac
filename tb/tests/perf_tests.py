"""Latency, fairness and longest waits of the RTL, in lock-step with the exact model.

What is offered comes from the model: a copy of the lock-step's channel runs the closed loop ahead, and the masters of
the bench raise every VALID in the cycle in which it did (hbm_model.shared_port). Were the RTL to answer in another
cycle, the lock-step would end the test; that no read is offered before the data of the one before is checked as well.

`job` of the settings: out (file for the numbers), contests (fields of Contest, each run in turn), cycles and seed (of
LongWait), qos_share, bursts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyuvm
from hbm_model.controller import AX_ROW, Policy
from hbm_model.long_waits import Adversary, PortLog, Waits, longest_waits, together, with_rows, write_beats
from hbm_model.shared_port import SLOW_ID, Contest, contest
from hbm_model.unloaded import latency, limit, pin_cycles, probe, stages
from hbm_tb import records
from hbm_tb.agents import PortBatch
from hbm_tb.env import Sink
from hbm_tb.link import cycles
from hbm_tb.sequences import ChannelSequence, SliceSequence
from hbm_tb.test_base import HbmTest
from hbm_tb.traffic import Chunk
from numpy.typing import NDArray

Rows = NDArray[np.void]
I64 = NDArray[np.int64]
AHEAD = 64  # cycles between the decision what to offer and the first VALID: the ring is filled meanwhile


def ax_records(rows: Rows) -> Rows:
    """Rows of the model as records of the master: VALID in exactly that cycle."""
    out = np.zeros(len(rows), records.AX)
    for name in ("addr", "id", "len", "size", "burst", "lock", "qos"):
        out[name] = rows[name]
    out["at"] = rows["cycle"]
    return out


def beats_of(aw: Rows, rng: np.random.Generator) -> Rows:
    """The W beats of each AW, offered as soon as it is."""
    beats = write_beats(aw, rng)
    w = np.zeros(len(beats), records.W)
    w["data"] = rng.integers(0, 256, (len(w), records.DATA_BYTES), dtype=np.uint8)
    w["strb"], w["last"], w["flags"] = beats["strb"], beats["last"], records.FLAG_ORDERED
    return w


class PerfTest(HbmTest):
    """Keeps handshakes and responses of both ports; writes numbers for whoever started it."""

    settings = {"batch": 512, "coverage": False}

    def build_phase(self) -> None:
        super().build_phase()
        self.seen: list[list[PortBatch]] = [[], []]
        self.seen_export = Sink("seen", self, self.keep)

    def connect_phase(self) -> None:
        super().connect_phase()
        for agent in self.env.agents:
            agent.monitor.ap.connect(self.seen_export)

    def keep(self, batch: PortBatch) -> None:
        """Copies: a batch may be the ring's own memory."""
        self.seen[batch.port].append(PortBatch(batch.port, batch.acc.copy(), batch.r.copy(), batch.b.copy()))

    def handshakes(self, port: int, kind: int) -> tuple[I64, I64, I64]:
        """(cycles in which VALID rose, cycles of the handshakes, ids) of AR, AW or W so far."""
        acc = np.concatenate([batch.acc for batch in self.seen[port]])
        mine = acc[acc["kind"] == kind]
        taken = mine["cycle"].astype(np.int64)
        return taken - mine["wait"].astype(np.int64), taken, mine["id"].astype(np.int64)

    def responses(self, port: int, name: str) -> Rows:
        """R beats or B responses so far."""
        return np.concatenate([getattr(batch, name) for batch in self.seen[port]])

    def forget(self) -> None:
        """Count from here on."""
        self.seen = [[], []]

    def begin(self) -> int:
        """A cycle in which the next traffic can begin; the lock-step has followed up to now."""
        self.env.collect()
        return int(self.env.rings.cycle()) + AHEAD

    def tell(self, numbers: dict[str, Any]) -> None:
        """Numbers for the bench."""
        out = self.config.job.get("out")
        if out:
            Path(out).write_text(json.dumps(numbers, indent=1))


@pyuvm.test()
class UnloadedLatency(PerfTest):
    """A lone read, on both PCs: the contract's stages, cycle by cycle, at the host and on the pins."""

    settings = {"policy": {"page.page": 0, "page.page_timeout": 0, "refresh.refresh_en": 0}}

    async def body(self) -> None:
        params, amap = self.config.params, self.config.address_map
        start = self.begin()
        probes = [probe(amap, port, start) for port in range(2)]
        await self.play({port: Chunk(ar=ax_records(each.rows)) for port, each in enumerate(probes)})
        await cycles(16)
        self.env.collect()
        found: dict[str, Any] = {}
        for port, each in enumerate(probes):
            risen, taken, _ = self.handshakes(port, records.ACC_AR)
            done = self.responses(port, "r")["cycle"].astype(np.int64)
            assert len(taken) == len(done) == len(each.rows)
            assert np.array_equal(risen, each.rows["cycle"].astype(np.int64)), "a VALID rose in another cycle"
            pins = pin_cycles(self.env.checks.commands, port)
            for hit in (False, True):
                chosen = each.hit == hit
                steps = {stage.name: stage.end for stage in stages(params, port, hit)}
                measured = sorted(set((done - taken)[chosen].tolist()))
                assert measured == [latency(params, port, hit)], f"port {port}, hit {hit}: {measured}, {steps}"
                assert measured[-1] <= limit(params, hit), f"port {port}, hit {hit}: {measured}"
                column = (pins["RD"] - taken)[chosen]
                assert set(column.tolist()) == {steps["command registered, on the DFI, on the pins"]}
                if not hit:
                    assert set((pins["ACT"] - taken[chosen]).tolist()) == {steps["ACT offered and granted"] + 3}
                kind = "hit" if hit else "closed"
                found[f"pc{port} {kind}"] = {"cycles": measured[0], "limit": limit(params, hit), "stages": steps}
        self.tell(found)


@pyuvm.test()
class Fairness(PerfTest):
    """Two masters on one port: contests of `job`, one after the other, each beside the slow master alone."""

    async def body(self) -> None:
        job = self.config.job
        found = []
        for fields in job.get("contests", [{"busy": "", "reads": 20}, {"busy": "stream", "reads": 20}]):
            found.append(await self.one(Contest(**fields)))
        self.tell({"contests": found})

    async def one(self, what: Contest) -> dict[str, Any]:
        """One contest; its numbers are those of the RTL."""
        start = self.begin()
        exact = self.env.checks.exact
        assert exact is not None, "contests follow the model of the lock-step"
        meant = contest(exact.channel.copy(), what, start, self.config.params.geometry)
        rng = self.config.rng("data", start)
        aw = ax_records(meant.aw)
        self.forget()
        await self.play({what.port: Chunk(ax_records(meant.ar), aw, beats_of(aw, rng), np.zeros(len(aw), np.int64))})
        await self.env.settle()
        risen, taken, ids = self.handshakes(what.port, records.ACC_AR)
        r = self.responses(what.port, "r")
        slow, done = ids == SLOW_ID, r["cycle"][r["id"] == SLOW_ID].astype(np.int64)
        risen, taken = risen[slow], taken[slow]
        assert len(done) == len(taken) == what.reads + what.warm
        # The host was one that waits for its data.
        assert (risen[1:] > done[:-1]).all(), "a read was offered before the data of the one before"
        wait = (done - risen)[what.warm :]
        assert np.array_equal(wait, meant.latency), "the RTL served the slow master in other cycles than the model"
        return {
            **asdict(what),
            "mean_cycles": float(wait.mean()),
            "p99_cycles": int(np.percentile(wait, 99, method="inverted_cdf")),
            "max_cycles": int(wait.max()),
            "mean_wanted_cycles": meant.mean_wanted,
            "mean_before_handshake_cycles": float((taken - risen)[what.warm :].mean()),
            "busy_requests": meant.busy_done,
            "cycles": meant.cycles,
        }


@pyuvm.test()
class LongWait(PerfTest):
    """Adversarial traffic on both ports; the longest wait of any request."""

    settings = {"batch": 1024, "keep_commands": True}

    async def body(self) -> None:
        job = self.config.job
        total, segment = int(job.get("cycles", 20_000)), int(job.get("segment", 50_000))
        begun = int(self.env.rings.cycle())
        longest: Waits | None = None
        number = 0
        while (left := begun + total - int(self.env.rings.cycle())) > 0:
            number += 1
            found = await self.segment(min(segment, left), int(job.get("seed", 1)) + number)
            longest = found if longest is None else together(longest, found)
        assert longest is not None and longest.reads + longest.writes
        print(f"HBM_TB_COUNTS reads={longest.reads} writes={longest.writes} valid={longest.read_valid}", flush=True)
        self.tell(asdict(longest))

    async def segment(self, length: int, seed: int) -> Waits:
        """Traffic for so many cycles, until all of it is carried out."""
        share = float(self.config.job.get("qos_share", 0.0))
        policy = Policy.of(self.config.params, **{k.split(".")[1]: v for k, v in self.config.policy.items()})
        end = int(self.env.rings.cycle()) + length
        bursts = bool(self.config.job.get("bursts", False))
        made = [Adversary(self.config.address_map, port, seed, share, bursts) for port in range(2)]
        asked: list[tuple[list[Rows], list[Rows]]] = [([], []), ([], [])]
        self.forget()
        before = len(self.env.checks.commands)  # rows may stay open from one segment to the next

        def chunks(port: int) -> Iterator[Chunk]:
            rng = self.config.rng("data", port, seed)
            while int(self.env.rings.cycle()) < end:
                rows = made[port].chunk(int(self.env.rings.cycle()) + AHEAD)
                for kept, each in zip(asked[port], rows, strict=True):
                    kept.append(each)
                ar, aw = (ax_records(each) for each in rows)
                yield Chunk(ar, aw, beats_of(aw, rng), np.zeros(len(aw), np.int64))

        parts = {port: SliceSequence(f"adversary{port}", chunks(port)) for port in range(2)}
        await ChannelSequence("adversaries", self.env, parts).start()
        await self.env.drain()
        await self.env.settle()
        self.env.collect()
        logs = []
        for port in range(2):
            ar, aw = (np.concatenate(each) if each else np.zeros(0, AX_ROW) for each in asked[port])
            ar_up, ar_taken, _ = self.handshakes(port, records.ACC_AR)
            aw_up, aw_taken, _ = self.handshakes(port, records.ACC_AW)
            w_up, w_taken, _ = self.handshakes(port, records.ACC_W)
            r, b = self.responses(port, "r"), self.responses(port, "b")
            r = r[r["last"] == 1]
            logs.append(
                PortLog(
                    ar, ar_up, ar_taken, r["cycle"].astype(np.int64), r["id"].astype(np.int64), aw, aw_up, w_up,
                    aw_taken, w_taken, b["cycle"].astype(np.int64),
                )
            )  # fmt: skip
        lanes = bool(policy.forward or policy.qos_high < 16)
        commands = with_rows(self.env.checks.commands)[before:]
        return longest_waits(logs, commands, self.config.address_map, lanes)
