"""The DRAM side under traffic: refresh of both kinds, page policies, bandwidth, and what the command mix must show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyuvm
from hbm_model.commands import Cmd
from hbm_tb import port_kernel as k
from hbm_tb import records, stats, traffic
from hbm_tb.command_log import AUTO, COLUMNS, CommandLog
from hbm_tb.test_base import HbmTest
from hbm_tb.traffic import Chunk, RandomShape

TRACE = {"flags": records.FLAG_ORDERED}


def ordered(addr: Any) -> Chunk:
    """Single-beat reads in strict order, one a cycle at most, ids rotating over 16: how traces are fed."""
    count = len(addr)
    return traffic.read(addr, axi_id=np.arange(count) % traffic.TRACE_IDS, order=np.arange(count), **TRACE)


class DramTest(HbmTest):
    """Helpers for tests that look at the command log."""

    settings = {"batch": 512}

    @property
    def log(self) -> CommandLog:
        """All commands so far."""
        self.env.collect()
        return CommandLog(self.env.checks.commands)

    def now_ck(self) -> int:
        """Present time."""
        return 2 * self.env.rings.cycle()

    async def busy_until(self, ck: int, **how: Any) -> None:
        """Random traffic on both ports until a time."""
        shape = RandomShape(self.config.address_map.port_bytes, gap_share=0.0, **how)
        number = 0
        while self.now_ck() < ck:
            rng = self.config.rng("busy", number)
            await self.play({p: traffic.random_chunk(rng, 400, shape) for p in range(2)})
            number += 1


# ---------------------------------------------------------------- refresh


@pyuvm.test()
class SingleBankRefresh(DramTest):
    """Under saturating traffic every bank is refreshed in time, beyond 9 x tREFI, set after set."""

    async def body(self) -> None:
        params = self.config.params
        start = self.now_ck()
        await self.busy_until(start + 11 * params.count("REFI"))
        log = self.log.after(start)
        span = self.now_ck() - start
        banks = self.config.address_map.sids * self.config.address_map.bgs * self.config.address_map.banks
        assert log.count(Cmd.REF) == 0
        for pc in range(2):
            refreshes = log.of(Cmd.REFSB, pc=pc)
            owed = span // params.count("REFISB")
            assert len(refreshes) >= owed - params.count("POSTPONE") * banks // 8 - 8, f"{len(refreshes)} of {owed}"
            per_bank = np.unique(refreshes.bank, return_counts=True)[1]
            assert len(per_bank) == banks, f"only {len(per_bank)} of {banks} banks were refreshed"
            # whole sets differ by nothing; the first and the last set may be cut
            assert per_bank.max() - per_bank.min() <= 2, "some banks are refreshed more often than others"
            for bank in np.unique(refreshes.bank):
                gaps = np.diff(refreshes.ck[refreshes.bank == bank])
                assert len(gaps) and gaps.max() <= 9 * params.count("REFI")


@pyuvm.test()
class AllBankRefresh(DramTest):
    """The same with all-bank refresh."""

    settings = {"batch": 512, "policy": {"refresh.refresh_all": 1}}

    async def body(self) -> None:
        params = self.config.params
        # a single-bank set that was begun before the switch is left as it is
        start = self.now_ck() + 2 * params.count("REFI")
        await self.busy_until(start + 11 * params.count("REFI"))
        log = self.log.after(start)
        assert log.count(Cmd.REFSB) == 0, "single-bank refresh in all-bank mode"
        for pc in range(2):
            refreshes = log.of(Cmd.REF, pc=pc)
            assert len(refreshes) >= (self.now_ck() - start) // params.count("REFI") - 9
            assert log.longest_gap((Cmd.REF,), pc) <= 9 * params.count("REFI")


@pyuvm.test()
class RefreshWithoutTraffic(DramTest):
    """An idle channel refreshes on schedule."""

    traffic_required = False

    async def body(self) -> None:
        params = self.config.params
        start = self.now_ck()
        while self.now_ck() < start + 3 * params.count("REFI"):
            await self.env.heart.wait()
        for pc in range(2):
            # What fell due during the commit before the test is paid first.
            gaps = np.diff(self.log.after(start + 2 * params.count("REFISB")).of(Cmd.REFSB, pc=pc).ck)
            assert abs(gaps.mean() - params.count("REFISB")) <= 2, f"mean interval {gaps.mean()}"

    async def end(self) -> None:
        await super().end()
        assert self.board.commands > 0


@pyuvm.test()
class RefreshOff(DramTest):
    """Without refresh_en nothing is refreshed; switched on again, the debt is paid."""

    settings = {"batch": 512, "policy": {"refresh.refresh_en": 0}}

    async def body(self) -> None:
        params = self.config.params
        start = self.now_ck()
        await self.busy_until(start + 2 * params.count("REFI"))
        assert self.log.after(start).count(Cmd.REFSB, Cmd.REF) == 0
        await self.env.registers.write_field("policy.refresh.refresh_en", 1)
        again = self.now_ck()
        await self.busy_until(again + params.count("REFI"))
        assert self.log.after(again).count(Cmd.REFSB) > 4


@pyuvm.test()
class TemperatureScalesRefresh(DramTest):
    """The TEMP pins stretch and shrink the refresh interval: codes 000 to 110 are 4, 2, 1, 1/2, 1/4 x tREFI."""

    traffic_required = False

    async def body(self) -> None:
        interval = self.config.params.count("REFISB")
        for code, factor in ((0b011, 1.0), (0b001, 2.0), (0b000, 4.0), (0b010, 0.5), (0b110, 0.25)):
            self.env.rings.ctl["temp"] = code
            settle = self.now_ck() + 2 * interval * max(factor, 1)
            while self.now_ck() < settle + 24 * interval * factor:
                await self.env.heart.wait()
            times = self.log.after(settle).of(Cmd.REFSB, pc=0).ck
            mean = float(np.diff(times).mean())
            assert abs(mean / (interval * factor) - 1) < 0.1, f"TEMP {code:03b}: every {mean:.0f} CK"


# ---------------------------------------------------------------- page policies


class PagePolicy(DramTest):
    """Share of auto-precharge that a policy gives on random traffic."""

    low, high = 0.0, 1.0

    def share(self, log: CommandLog) -> float:
        """Share of column commands with auto-precharge."""
        return log.share_of_auto()

    async def body(self) -> None:
        start = self.now_ck()
        await self.busy_until(start + 6_000, hot_share=0.3)
        log = self.log.after(start)
        share = self.share(log)
        assert self.low <= share <= self.high, f"share of auto-precharge {share:.2f}"
        assert len(log.of(*COLUMNS)) > 500


@pyuvm.test()
class PageOpen(PagePolicy):
    """No auto-precharge at all."""

    settings = {"batch": 512, "policy": {"page.page": 0}}
    high = 0.0


@pyuvm.test()
class PageLookahead(PagePolicy):
    """Auto-precharge with the last queued hit only."""

    settings = {"batch": 512, "policy": {"page.page": 1}}
    low, high = 0.05, 0.9


@pyuvm.test()
class PageConflict(PagePolicy):
    """Auto-precharge when another row of the bank is wanted: less often than lookahead."""

    settings = {"batch": 512, "policy": {"page.page": 2}}
    low, high = 0.01, 0.6


@pyuvm.test()
class PageClosed(PagePolicy):
    """Auto-precharge always, as far as WR -> RDA and RAS allow."""

    settings = {"batch": 512, "policy": {"page.page": 3}}
    low = 0.8

    def share(self, log: CommandLog) -> float:
        """Without the reads whose internal precharge would fall before ACT + RAS (HBM4: RCDRD + RTP < RAS)."""
        least = self.config.params.count("RAS") - self.config.params.count("RTP")
        columns = [cmd for act, at, cmd in log.with_act(COLUMNS) if cmd != Cmd.RD or at - act >= least]
        return sum(cmd in AUTO for cmd in columns) / len(columns)


@pyuvm.test()
class AutoPrechargeForbidden(PagePolicy):
    """ap_allowed = 0 wins over every policy."""

    settings = {"batch": 512, "policy": {"page.page": 3, "page.ap_allowed": 0}}
    high = 0.0


@pyuvm.test()
class AutoPrechargeKeepsRas(DramTest):
    """With ap_min_ras no internal precharge falls before ACT + ap_min_ras; the bank is then closed by PRE."""

    settings = {"batch": 512, "policy": {"page.page": 3, "page.ap_min_ras": 90}}

    async def body(self) -> None:
        params = self.config.params
        start = self.now_ck()
        await self.busy_until(start + 5_000, hot_share=0.3)
        log = self.log.after(start)
        write_done = params.count("WL") + 2 + params.count("WR")
        for act, column, command in log.with_act(AUTO):
            end = column + (params.count("RTP") if command == Cmd.RDA else write_done)
            assert end >= act + 90, f"{command.name} at CK {column}: internal precharge {end - act} CK after ACT"
        assert log.count(*AUTO) > 0 and log.count(Cmd.RD, Cmd.WR) > 0 and log.count(Cmd.PRE) > 0


# ---------------------------------------------------------------- bandwidth and command mix


class Bandwidth(DramTest):
    """Achieved share of peak."""

    settings = {"batch": 1024}

    def slots(self) -> float:
        """Share of peak that a stream in one SID can have: column slots are even, so an odd tCCDL acts as one more
        (docs/decisions/0003-static-column-slots.md)."""
        params = self.config.params
        same_group = params.count("CCDL") + params.count("CCDL") % 2
        return min(1.0, self.config.address_map.bgs * params.count("CCDS") / same_group)

    def efficiency(self) -> float:
        """Mean over the PCs, first acceptance to the end of the last data, refresh included."""
        numbers = stats.collect(self.board, self.config)
        print(f"{type(self).__name__} {self.config.preset}: efficiency {numbers['efficiency']:.4f}, "
              f"latency {numbers['latency_ck']}", flush=True)  # fmt: skip
        return float(numbers["efficiency"])


@pyuvm.test()
class StreamingReads(Bandwidth):
    """Sequential reads on both PCs with refresh running reach at least 85 % of peak, or of what the slots allow."""

    async def body(self) -> None:
        count = 16_384
        await self.play({p: ordered(np.arange(count) * 32) for p in range(2)})
        assert self.log.count(Cmd.REFSB, Cmd.REF) > 20, "no refresh took place"
        await self.env.registers.pulse("ctrl.snapshot")
        for port in range(2):
            limited = await self.env.registers.read(f"counters.port{port}_rob_full_lo")
            assert limited == 0, f"the reorder buffer of port {port} limited the stream in {limited} cycles"
        assert self.efficiency() >= 0.85 * self.slots()


@pyuvm.test()
class StreamingWrites(Bandwidth):
    """Sequential writes on both PCs with refresh running reach at least 80 % of peak, or of what the slots allow."""

    async def body(self) -> None:
        rng = self.config.rng()
        count = 8_192
        number = np.arange(count)
        for port in range(2):
            chunk = traffic.write(rng, number * 32, axi_id=number % 16, order=number, **TRACE)
            chunk.w["flags"] = records.FLAG_ORDERED
            self.chunks = {**getattr(self, "chunks", {}), port: chunk}
        await self.play(self.chunks)
        assert self.efficiency() >= 0.80 * self.slots()


@pyuvm.test()
class RowConflicts(DramTest):
    """Reads of one bank, a new row each time: every access is a conflict or finds the bank closed."""

    async def body(self) -> None:
        amap = self.config.address_map
        rows = np.arange(200)
        addr = amap.to_port(amap.pack(0, 1, 2, rows * 5, rows % 32))
        await self.play({p: traffic.read(addr, axi_id=rows % 64) for p in range(2)})
        assert self.total(k.N_HIT) == 0
        assert self.total(k.N_CONFLICT) + self.total(k.N_CLOSED) == 400


@pyuvm.test()
class EveryBank(DramTest):
    """Reads and writes in every bank of every group and SID, on both PCs."""

    async def body(self) -> None:
        amap = self.config.address_map
        rng = self.config.rng()
        sid, bg, bank = (grid.ravel() for grid in np.meshgrid(
            np.arange(amap.sids), np.arange(amap.bgs), np.arange(amap.banks), indexing="ij"))  # fmt: skip
        count = len(sid)
        for row in (0, amap.rows // 2 + 1, amap.rows - 1):
            addr = amap.to_port(amap.pack(sid, bg, bank, np.full(count, row), rng.integers(0, 32, count)))
            ids = np.arange(count) % 64
            await self.play(
                {p: traffic.write(rng, addr, axi_id=ids) + traffic.read(addr, axi_id=ids) for p in range(2)}
            )
            await self.play({p: traffic.read(addr, axi_id=ids) for p in range(2)})
        log = self.log
        for commands in ((Cmd.ACT,), (Cmd.RD, Cmd.RDA), (Cmd.WR, Cmd.WRA)):
            for pc in range(2):
                assert len(np.unique(log.of(*commands, pc=pc).bank)) == count, f"{commands} of PC {pc}"


@pyuvm.test()
class ReadsAndWritesInTurn(DramTest):
    """A read and a write in turn, many times: grouped by direction, with correct data."""

    async def body(self) -> None:
        rng = self.config.rng()
        count = 1500
        addr = rng.integers(0, 4096, count) * 32
        chunks = {}
        for port in range(2):
            writes = traffic.write(
                rng, addr[::2], axi_id=np.arange(len(addr[::2])) % 16, order=2 * np.arange(len(addr[::2])), **TRACE
            )
            writes.w["flags"] = records.FLAG_ORDERED
            reads = traffic.read(
                addr[1::2], axi_id=np.arange(len(addr[1::2])) % 16, order=2 * np.arange(len(addr[1::2])) + 1, **TRACE
            )
            chunks[port] = writes + reads
        await self.play(chunks)
        turns = sum(self.log.turns(pc) for pc in range(2))
        assert turns < count, f"{turns} turns for {2 * count} requests: no grouping"


@pyuvm.test()
class ByteOrderOfTheBus(DramTest):
    """Data that was stored through the back door is read at the right lanes: the byte order of pins and AXI agree."""

    settings = {"check_legality": True}

    async def body(self) -> None:
        amap = self.config.address_map
        # through the front door: distinct bytes, narrow writes
        rng = self.config.rng()
        pattern = np.arange(32, dtype=np.uint8)[None, :] + 64
        await self.play({p: traffic.write(rng, 32 * 7, data=pattern) for p in range(2)})
        await self.play({p: traffic.read(32 * 7 + np.arange(32), 0, 0, axi_id=np.arange(32)) for p in range(2)})
        at = amap.unpack(0, amap.to_dram(np.array([32 * 7], np.uint64)))
        bank = int((at.sid[0] * amap.bgs + at.bg[0]) * amap.banks + at.bank[0])
        for pc in range(2):
            stored = self.env.rings.dump(pc, bank, int(at.row[0]), int(at.col[0]), 32)
            assert stored == pattern.tobytes(), f"PC {pc} stores {stored.hex()}"
