"""Forwarding, QoS and express lane, champion, adaptive pages, time-out and refreshes ahead, in lock-step (M2.10, M3.6,
M4.3 to M4.8, M6.7). What must happen is asked of the counters, so that no test passes without its feature at work.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pyuvm
from dram_tests import DramTest
from hbm_model.commands import Cmd
from hbm_model.csr import ap_min_ras
from hbm_tb import records, traffic
from hbm_tb.agents import PortBatch
from hbm_tb.command_log import READS
from hbm_tb.config import BenchConfig
from hbm_tb.counters import take_snapshot
from hbm_tb.env import Sink
from hbm_tb.link import cycles
from hbm_tb.traffic import Chunk, RandomShape


class PolicyTest(DramTest):
    """Random traffic with policies, and the counters of the end."""

    def connect_phase(self) -> None:
        """Keep what the ports do."""
        self.batches: list[PortBatch] = []
        self.ports_seen = Sink("ports_seen", self, self._keep)
        for agent in self.env.agents:
            agent.monitor.ap.connect(self.ports_seen)

    def _keep(self, batch: PortBatch) -> None:
        # The arrays of a batch may be the ring's own memory.
        self.batches.append(PortBatch(batch.port, batch.acc.copy(), batch.r.copy(), batch.b.copy()))

    async def policy(self, **fields: int) -> None:
        """Write policy fields by `register_field` names, e.g. drain_forward."""
        for name, value in fields.items():
            register, _, field = name.partition("_")
            await self.env.registers.write_field(f"policy.{register}.{field}", value)

    async def traffic(
        self, count: int, salt: object, port_shape: dict[int, RandomShape] | None = None, **how: Any
    ) -> None:
        """`count` random bursts on each port; both ports at once."""
        shapes = port_shape or dict.fromkeys(range(2), RandomShape(self.config.address_map.port_bytes, **how))
        await self.play({p: traffic.random_chunk(self.config.rng(salt, p), count, shapes[p]) for p in shapes})

    async def counts(self) -> dict[str, int]:
        """All counters, compared with the exact model."""
        await self.env.settle()
        if not self.config.check_counters:
            return await take_snapshot(self.env.registers)
        return await self.env.compare_counters()

    def both(self, counts: dict[str, int], name: str) -> list[int]:
        """A counter of PC or port 0 and 1."""
        unit = "pc" if f"pc0_{name}" in counts else "port"
        return [counts[f"{unit}{n}_{name}"] for n in range(2)]

    def waits(self, port: int) -> dict[int, list[int]]:
        """Cycles from the AR handshake to the last R beat, per id, in order."""
        self.env.collect()
        asked: dict[int, list[int]] = {}
        found: dict[int, list[int]] = {}
        rows = [(int(row["cycle"]), int(row["id"]), 0) for batch in self.batches if batch.port == port
                for row in batch.acc[batch.acc["kind"] == records.ACC_AR]]  # fmt: skip
        rows += [(int(row["cycle"]), int(row["id"]), 1) for batch in self.batches if batch.port == port
                 for row in batch.r[batch.r["last"] != 0]]  # fmt: skip
        for cycle, axi_id, answer in sorted(rows):
            if answer:
                found.setdefault(axi_id, []).append(cycle - asked[axi_id].pop(0))
            else:
                asked.setdefault(axi_id, []).append(cycle)
        return found

    def address(self, row: Any, bank: Any = 0, bg: Any = 0, col: Any = 0) -> Any:
        """Port addresses of columns of SID 0."""
        amap = self.config.address_map
        at = np.broadcast_arrays(np.atleast_1d(row), bank, bg, col)
        return amap.to_port(amap.pack(np.zeros(len(at[0]), np.int64), at[2], at[1], at[0], at[3]))


# ---------------------------------------------------------------- forwarding


@pyuvm.test()
class ForwardHammer(PolicyTest):
    """Reads of what was just written, a few blocks only: full and partial writes, bursts, reordering, back-pressure."""

    settings: ClassVar[dict[str, Any]] = {"policy": {"drain.forward": 1}}

    async def body(self) -> None:
        for number, (partial, ready) in enumerate(((0.0, 256), (0.3, 256), (0.7, 60), (0.1, 20))):
            for port in range(2):
                self.env.rings.ctl["ready_r"][port] = ready
            full = (1 - partial, 0.02 * partial, 0.4 * partial, 0.2 * partial, 0.2 * partial, 0.18 * partial)
            before = self.both(await self.counts(), "forward")
            await self.traffic(
                700, number, hot_share=1.0, hot_windows=2, hot_bytes=96, long_share=0.0, single_share=0.8,
                gap_share=0.1, size_weights=(0, 0, 0, 0, 0.1, 0.9), unaligned_share=0.05, shape_weights=full,
            )  # fmt: skip
            now = self.both(await self.counts(), "forward")
            assert all(b - a > 30 for a, b in zip(before, now, strict=True)), f"forwarded: {before} to {now}"


@pyuvm.test()
class ForwardAtAnyMoment(PolicyTest):
    """A write and a read of its bytes, from 8 cycles apart to none and the other way round, full and partial ones; the
    switch is thrown between them."""

    settings: ClassVar[dict[str, Any]] = {"batch": 64, "policy": {"drain.forward": 1}}

    async def body(self) -> None:
        rng = self.config.rng("moments")
        total = [0, 0]
        for shape in (traffic.FULL, traffic.ONE_BYTE, traffic.ALL_BUT_ONE):
            before = self.both(await self.counts(), "forward")
            for distance in range(-8, 9):
                at = int(self.env.rings.cycle()) + 40
                chunks = {}
                for port in range(2):
                    blocks = self.address(40 + distance, port, 0, np.arange(6))
                    first = traffic.write(rng, blocks[:3], axi_id=np.arange(3), shape=traffic.FULL, at=at - 6)
                    again = traffic.write(rng, blocks, axi_id=np.arange(6), shape=shape, at=at)
                    reads = traffic.read(blocks, axi_id=np.arange(6), at=max(at + distance, 0))
                    chunks[port] = first + again + reads
                await self.play(chunks)
            now = self.both(await self.counts(), "forward")
            total = [t + b - a for t, a, b in zip(total, before, now, strict=True)]
        assert min(total) >= 40, f"forwarded: {total}"
        # The register decides in the cycle of acceptance.
        for number in range(24):
            chunks = {}
            for port in range(2):
                blocks = self.address(90 + number, port, 0, np.arange(12) % 4)
                writes = traffic.write(rng, blocks, axi_id=np.arange(12))
                chunks[port] = writes + traffic.read(blocks, axi_id=np.arange(12), gap=rng.integers(0, 4, 12))
            await self.play(chunks, drain=False)
            await cycles(int(rng.integers(1, 20)))
            await self.policy(drain_forward=number & 1)
            await self.env.drain()


@pyuvm.test()
class ForwardedBeforeTheWrite(PolicyTest):
    """Reads behind a write whose row is far away: answered before it, without RD; those of other bytes wait."""

    settings: ClassVar[dict[str, Any]] = {
        "policy": {"drain.forward": 1, "refresh.refresh_en": 0},
        "timing": {"RCDWR": 60},
    }

    async def body(self) -> None:
        rng = self.config.rng("early")
        for port in range(2):
            start = self.now_ck()
            self.batches.clear()
            block = self.address(7)
            at = int(self.env.rings.cycle()) + 40
            reads = traffic.read(np.repeat(block, 8), axi_id=np.arange(8), at=at + 8)
            await self.play({port: traffic.write(rng, block, at=at) + reads})
            await self.env.settle()
            log = self.log.after(start)
            assert log.count(*READS, pc=port) == 0, "RD although all reads were forwarded"
            write = log.of(Cmd.WR, Cmd.WRA, pc=port).ck[0] / 2
            last = max(int(batch.r["cycle"].max()) for batch in self.batches if batch.port == port and len(batch.r))
            assert last < write, (
                f"the last of eight forwarded reads is answered in cycle {last}, the write goes in {write}"
            )


# ---------------------------------------------------------------- QoS


def with_qos(chunk: Chunk, qos: Any) -> Chunk:
    """The chunk with AxQOS."""
    chunk.ar["qos"] = chunk.aw["qos"] = qos
    return chunk


@pyuvm.test()
class QosClasses(PolicyTest):
    """Random AxQOS against every pair of limits; few ids, so that their order matters in both lanes."""

    async def body(self) -> None:
        for number, (mid, high, ids) in enumerate(
            ((4, 12, 64), (0, 8, 3), (16, 1, 8), (8, 16, 4), (0, 0, 16), (9, 2, 2))
        ):
            await self.policy(qos_qos_mid=mid, qos_qos_high=high, starve_starve_limit=(1000, 60, 0, 20, 200, 7)[number])
            await self.traffic(500, number, ids=ids, gap_share=0.05, hot_share=0.5, long_share=0.01)
        await self.counts()


@pyuvm.test()
class ExpressLaneOvertakes(PolicyTest):
    """A high read every now and then among saturating normal ones of other ids: its mean wait is a fraction of theirs,
    and within one id the order holds though AxQOS changes from burst to burst."""

    settings: ClassVar[dict[str, Any]] = {"policy": {"qos.qos_high": 12, "refresh.refresh_en": 0}}
    HIGH_ID: ClassVar[int] = 60

    async def body(self) -> None:
        for port in range(2):
            self.batches.clear()
            rng = self.config.rng("overtake", port)
            amap = self.config.address_map
            rows = rng.integers(0, amap.rows, 2000)
            where = self.address(rows, rng.integers(0, amap.banks, 2000), rng.integers(0, amap.bgs, 2000))
            qos = np.zeros(2000, np.int64)
            ids = np.arange(2000) % 48
            special = np.arange(30, 2000, 40)
            qos[special], ids[special] = 12 + special % 4, self.HIGH_ID
            await self.play({port: traffic.read(where, axi_id=ids, qos=qos)})
            waits = self.waits(port)
            high = np.mean(waits.pop(self.HIGH_ID))
            normal = np.mean([wait for each in waits.values() for wait in each])
            assert 2.5 * high < normal, f"port {port}: high reads wait {high:.0f} cycles, normal ones {normal:.0f}"
            # One id, any AxQOS: the masters check the order of R per id, the scoreboard the data.
            mixed = traffic.read(where[:400], axi_id=np.arange(400) % 2, qos=rng.integers(0, 16, 400))
            await self.play({port: mixed})


@pyuvm.test()
class StarvationHasALimit(PolicyTest):
    """A stream of high reads that hit, against single normal reads and writes elsewhere: none waits for ever."""

    settings: ClassVar[dict[str, Any]] = {
        "policy": {"qos.qos_high": 8, "starve.starve_limit": 60, "refresh.refresh_en": 0, "page.page": 0}
    }
    NORMAL_ID: ClassVar[int] = 61

    async def body(self) -> None:
        for port in range(2):
            self.batches.clear()
            count = 3000
            rng = self.config.rng("starve", port)
            where = self.address(np.full(count, 3), 0, np.arange(count) % 2, np.arange(count) // 2 % 32)
            qos, ids = np.full(count, 15), np.arange(count) % 32
            few = np.arange(50, count, 150)
            where[few] = self.address(rng.integers(10, 90, len(few)), 1, few % 2)
            qos[few], ids[few] = 0, self.NORMAL_ID
            reads = traffic.read(where, axi_id=ids, qos=qos)
            writes = traffic.write(rng, self.address(np.arange(20) + 200, 0, 1), axi_id=5, gap=120, qos=1)
            await self.play({port: reads + writes})
            longest = max(self.waits(port)[self.NORMAL_ID])
            assert longest <= 2 * 60 + 300, f"port {port}: a normal read waited for {longest} cycles"


@pyuvm.test()
class ChampionUnderPressure(PolicyTest):
    """Everything is starved at once: the champion goes from queue to queue, with refreshes forced in between."""

    settings: ClassVar[dict[str, Any]] = {"policy": {"refresh.refresh_hold": 2}}

    async def body(self) -> None:
        for number, (limit, how) in enumerate(
            (
                (1, {"hot_share": 0.9, "hot_windows": 6, "hot_bytes": 4096}),
                (3, {"hot_share": 0.0}),
                (12, {"hot_share": 1.0, "hot_windows": 2, "hot_bytes": 64}),
                (40, {"hot_share": 0.5, "write_share": 0.9}),
                (25, {"hot_share": 0.0, "write_share": 0.1}),
            )
        ):
            await self.policy(starve_starve_limit=limit, qos_qos_high=(16, 12)[number % 2], page_page=number % 5)
            await self.traffic(500, number, gap_share=0.0, long_share=0.01, **how)
            if number % 2:
                await self.counts()


# ---------------------------------------------------------------- pages


@pyuvm.test()
class AdaptivePages(PolicyTest):
    """Phases of rows that come back and of rows that do not, all adaptive codes: auto-precharge follows."""

    settings: ClassVar[dict[str, Any]] = {"policy": {"refresh.refresh_hold": 4, "page.page_timeout": 0}}

    async def body(self) -> None:
        share = {}
        rng = self.config.rng("pages")
        params = self.config.params
        # Where the device does not know RAS, a first read is too early for an RDA (M1.5): writes show the policy.
        by_writes = ap_min_ras(params) > params.count("RCDRD") + params.count("RTP")
        amap = self.config.address_map
        for number, page in enumerate((4, 5, 6, 7)):
            await self.policy(page_page=page)
            for phase, rows in (("same", 1), ("other", 400)):
                start = self.now_ck()
                count = 400
                chunks = {}
                for port in range(2):
                    # One at a time: the row is alone in the queues when its column is picked.
                    bank = rng.integers(0, amap.banks, count)
                    where = self.address(rng.integers(0, rows, count) + 7 * number, bank, bank % amap.bgs)
                    ids = np.arange(count) % 16
                    if by_writes:
                        chunks[port] = traffic.write(rng, where, axi_id=ids, flags=records.FLAG_AFTER_B, gap=60)
                    else:
                        chunks[port] = traffic.read(where, axi_id=ids, flags=records.FLAG_AFTER_R)
                await self.play(chunks)
                share[phase] = self.log.after((start + self.now_ck()) / 2).share_of_auto()
            assert share["same"] < 0.3 < 0.7 < share["other"], f"page {page}: share of auto-precharge {share}"
        await self.traffic(500, "random", gap_share=0.3)


@pyuvm.test()
class UnusedPagesTimeOut(PolicyTest):
    """Rows are left open with pauses of all lengths around the time-out, under several page policies."""

    async def body(self) -> None:
        for number, (limit, page) in enumerate(((1, 0), (7, 2), (40, 0), (150, 4), (600, 0), (0, 0))):
            await self.policy(page_page=page, page_page_timeout=limit, starve_starve_limit=(1000, 30)[number & 1])
            start = self.now_ck()
            await self.traffic(150, number, gap_share=0.7, gap_most=2 * limit + 20, hot_share=0.5, long_share=0.0)
            await cycles(2 * limit + 200)
            log = self.log.after(start)
            idle = self.now_ck() - 2 * 100
            closed = [await self.env.registers.read_field("status.closed")]
            assert closed == [3] or not 0 < limit <= 600, f"page_timeout {limit}: status.closed {closed} by CK {idle}"
            assert log.count(Cmd.PRE) > 0


# ---------------------------------------------------------------- refreshes ahead


@pyuvm.test()
class RefreshAhead(PolicyTest):
    """Idle stretches, in which refreshes run ahead, and load, in which they are put off: every bank stays within
    9 x tREFI (legality checker), the debt reaches both ends."""

    settings: ClassVar[dict[str, Any]] = {"policy": {"refresh.pull_in": 15, "refresh.refresh_hold": 15}}
    PULL: ClassVar[int] = 15

    def build_phase(self) -> None:
        super().build_phase()
        self.most_early = [0, 0]

    async def watch(self) -> None:
        for pc in range(2):
            self.most_early[pc] = max(
                self.most_early[pc], await self.env.registers.read_field(f"load[{pc}].refresh_early")
            )

    async def body(self) -> None:
        params = self.config.params
        interval = params.count("REFI" if self.config.policy.get("refresh.refresh_all") else "REFISB") // 2
        rng = self.config.rng("ahead")
        for number in range(14):
            idle = int(rng.choice((20, 33, 70, interval, 8 * interval)))
            for _ in range(4):
                await cycles(idle // 4)
                await self.watch()
            port = {0: (0, 1), 1: (0,), 2: (1,)}[number % 3]
            shape = RandomShape(
                self.config.address_map.port_bytes, gap_share=0.02, hot_share=float(rng.choice((0, 0.9)))
            )
            await self.traffic(int(rng.integers(20, 400)), number, dict.fromkeys(port, shape))
        await self.traffic(1200, "load", gap_share=0.0)
        await cycles(10 * interval + 100)
        await self.watch()
        assert self.most_early == [self.PULL] * 2, f"at most {self.most_early} refreshes were ahead, of {self.PULL}"


@pyuvm.test()
class AllBankRefreshAhead(RefreshAhead):
    """The same for all banks at once: hold and pull-in are eight together (M6.7)."""

    PULL: ClassVar[int] = 3

    def build_phase(self) -> None:
        refi = BenchConfig.from_environment().base.count("REFI")
        self.settings = {
            "policy": {"refresh.pull_in": 15, "refresh.refresh_hold": 5, "refresh.refresh_all": 1},
            "timing": {"REFI": refi // 2},
        }
        super().build_phase()


# ---------------------------------------------------------------- all of it


@pyuvm.test()
class EverythingChanges(PolicyTest):
    """All policies of this file are changed at any moment under traffic; the counters are compared in between."""

    words: ClassVar[dict[str, tuple[int, ...]]] = {
        "policy.page": (0x10, 0x11, 0x14, 0x17, 0x05_0014, 0x40_0010, 0x01_0014, 0x14_2813),
        "policy.refresh": (0x11, 0x61, 0xF21, 0x341, 0x181, 0xF01),
        "policy.drain": (0x0418, 0x1_0418, 0x1_0001, 0x1_0820, 0x0008),
        "policy.starve": (0, 1, 5, 30, 100, 1000),
        "policy.qos": (0x1010, 0x0C04, 0x0800, 0x0101, 0x0000, 0x100F),
        "policy.turnaround": (0x10_02_03, 0x01_01_00, 0xFF_05_08, 0x05_00_02),
    }

    async def body(self) -> None:
        rng = self.config.rng("everything")
        registers = self.env.registers
        shape = RandomShape(self.config.address_map.port_bytes, gap_share=0.05, hot_share=0.6, hot_windows=2, ids=12)
        for number in range(16):
            chunks = {p: traffic.random_chunk(self.config.rng(number, p), 180, shape) for p in range(2)}
            await self.play(chunks, drain=False)
            for _ in range(14):
                path = str(rng.choice(list(self.words)))
                await registers.write(path, int(rng.choice(self.words[path])))
                await cycles(int(rng.integers(1, 40)))
            self.env.rings.ctl["temp"] = int(rng.choice((2, 3, 5, 7)))
            await self.counts()
            if number % 5 == 4:
                await self.env.drain()
                await cycles(int(rng.integers(40, 900)))
        self.env.rings.ctl["temp"] = self.config.temp
