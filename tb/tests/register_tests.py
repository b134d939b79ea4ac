"""Every register field has an effect that can be seen from outside: on the commands, the latency, the counters.

`OWNERS` names the test of each field; a field without an entry, or with an entry that names no test, fails.
The register block itself (reset values, access types, status, interrupts) is tested in csr_tests.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyuvm
from dram_tests import DramTest
from hbm_model.commands import Cmd
from hbm_model.csr_table import REGISTERS
from hbm_model.legality import LegalityChecker
from hbm_model.params import REGISTERS as TIMING
from hbm_model.params import Params
from hbm_model.rules import GAP_RULES, evaluate
from hbm_tb import port_kernel as k
from hbm_tb import traffic
from hbm_tb.command_log import COLUMNS, CommandLog
from hbm_tb.link import cycles
from hbm_tb.test_base import test_names
from hbm_tb.traffic import RandomShape

HERE = Path(__file__).resolve().parent

# Pattern of `register.field` -> (file, test).
OWNERS: tuple[tuple[str, str, str], ...] = (
    (r"timing\.(rl|wl)\..*", "register_tests", "Latencies"),
    (r"timing\.t_refi(_sb)?\..*", "register_tests", "RefreshIntervals"),
    (r"timing\..*", "register_tests", "TimingRegisters"),
    (r"map\.mask\d+\.mask", "register_tests", "MapRegisters"),
    (r"map\.row_limit\..*", "axi_tests", "RowLimit"),
    (r"phy\.rd_delay", "register_tests", "Latencies"),
    (r"policy\.page\.page", "dram_tests", "PageOpen"),
    (r"policy\.page\.ap_allowed", "dram_tests", "AutoPrechargeForbidden"),
    (r"policy\.page\.ap_min_ras", "dram_tests", "AutoPrechargeKeepsRas"),
    (r"policy\.refresh\.refresh_en", "dram_tests", "RefreshOff"),
    (r"policy\.refresh\.refresh_all", "dram_tests", "AllBankRefresh"),
    (r"policy\.refresh\.refresh_hold", "register_tests", "RefreshHold"),
    (r"policy\.(turnaround|drain)\..*", "register_tests", "TurnAround"),
    (r"policy\.starve\..*", "register_tests", "StarvationLimit"),
    (r"counters\..*_hi\.count", "csr_tests", "counters_carry_and_clear_exactly"),
    (r"counters\..*\.count", "register_tests", "Counters"),
    (r"ctrl\.(commit|snapshot|clear)", "register_tests", "Counters"),
    (r"ctrl\.init_start", "csr_tests", "control_bits_are_single_pulses"),
    (r"(status|load\[\d\])\..*", "csr_tests", "status_follows_its_inputs"),
    (r"irq_(status|enable)\..*", "csr_tests", "interrupts_stick_until_cleared"),
    (r"(id|geometry|rows|sizes)\..*", "register_tests", "BuildRegisters"),
)


def owner_of(field: str) -> tuple[str, str] | None:
    """File and test that show the effect of a field."""
    return next(((file, test) for pattern, file, test in OWNERS if re.fullmatch(pattern, field)), None)


@pyuvm.test()
class EveryFieldHasAnEffectTest(DramTest):
    """No field of the register table is without a test of its effect."""

    traffic_required = False

    async def body(self) -> None:
        known = {name: set(test_names(HERE / f"{name}.py")) for name in ("register_tests", "axi_tests", "dram_tests")}
        known["csr_tests"] = set(re.findall(r"^(?:async def|class) (\w+)", (HERE / "csr_tests.py").read_text(), re.M))
        checked = 0
        for register in REGISTERS:
            for field in register.fields:
                owner = owner_of(f"{register.path}.{field.name}")
                assert owner is not None, f"{register.path}.{field.name} has no effect test"
                assert owner[1] in known[owner[0]], f"{register.path}.{field.name}: {owner[1]} is not in {owner[0]}"
                checked += 1
        assert checked > 100
        await self.play(traffic.read(0))


# ---------------------------------------------------------------- timing


def distances(rows: Any, params: Params) -> dict[str, float]:
    """Per gap rule the smallest distance seen, in CK."""
    checker = LegalityChecker(params)
    checker.check(rows)
    seen: dict[str, float] = {}
    for use in checker.use:
        if use.min_slack is not None and use.rule.gap is not None:
            distance = (evaluate(use.rule.gap, params.ticks) + use.min_slack) / 2
            seen[use.rule.name] = min(seen.get(use.rule.name, 1e9), distance)
    return seen


# Parameter -> (rule that shows it, CK added). Large steps where something else binds soon after.
STEPS: dict[str, tuple[str, int]] = {
    "RCDRD": ("tRCDRD", 9), "RCDWR": ("tRCDWR", 9), "RP": ("tRP", 9), "RAS": ("tRAS", 9), "RC": ("tRC", 60),
    "RRDS": ("tRRDS", 9), "RRDL": ("tRRDL", 9), "FAW": ("tFAW", 24), "CCDS": ("tCCDS_RD", 4), "CCDL": ("tCCDL_RD", 6),
    "CCDR": ("tCCDR", 9), "WTRS": ("tWTRS", 9), "WTRL": ("tWTRL", 14), "RTP": ("tRTP", 20), "WR": ("tWR", 12),
    "RTW": ("tRTW", 12), "RFC": ("tRFC", 80), "RFCSB": ("tRFCSB", 120), "RREFD": ("tRREFD", 40), "PPD": ("tPPD", 9),
    "MRD": ("tMRD", 9), "MOD": ("tMOD", 200),
}  # fmt: skip


@pyuvm.test()
class TimingRegisters(DramTest):
    """Each timing register, programmed longer, moves the smallest distance that its rule is about, and only then."""

    # Explicit precharge everywhere, so that the rules between RD, WR and PRE bind.
    settings = {"batch": 256, "policy": {"page.ap_allowed": 0}}

    async def observe(self, all_bank: bool) -> dict[str, float]:
        """Distances under traffic that opens and closes rows, turns around, uses all groups and SIDs."""
        await self.env.registers.write_field("policy.refresh.refresh_all", int(all_bank))
        start = self.now_ck()
        amap = self.config.address_map
        rng = self.config.rng("observe")
        busy = RandomShape(amap.port_bytes, gap_share=0.0, hot_share=0.2, long_share=0.0)
        until = start + (3 * self.config.params.count("REFI") if all_bank else 4_000)
        while True:
            rows = rng.integers(0, 4, 300)
            few = amap.to_port(amap.pack(rng.integers(0, amap.sids, 300), 0, rng.integers(0, 2, 300), rows, rows))
            await self.play({
                p: traffic.random_chunk(rng, 500, busy)
                + traffic.read(few, axi_id=np.arange(300) % 64)
                + traffic.write(rng, few[::4], axi_id=5)
                for p in range(2)
            })  # fmt: skip
            if self.now_ck() >= until:
                break
        return distances(self.log.after(start).rows, self.config.params)

    async def body(self) -> None:
        params = self.config.params
        base = {False: await self.observe(False), True: await self.observe(True)}
        problems = []
        for entry in TIMING:
            key = entry.key
            if key in ("RL", "WL", "REFI", "REFISB") or (key == "CCDR" and self.config.address_map.sids == 1):
                continue
            rule_name, step = STEPS[key]
            rule = next(r for r in GAP_RULES if r.name == rule_name)
            values = {key: params.count(key) + step}
            longer = {"RRDS": "RRDL", "CCDS": "CCDL"}.get(key)  # the parameter that must not be shorter
            if longer is not None:
                values[longer] = max(params.count(longer), values[key])
            changed = params.replaced(**values)
            differ = sum(params.count(name) != value for name, value in values.items())
            assert rule.gap is not None
            wanted = evaluate(rule.gap, changed.ticks) / 2
            all_bank = key == "RFC"
            before_ck = self.now_ck()
            written = await self.env.program(changed, changed)
            assert written == differ, f"{key}: {written} registers differ"
            if key in ("MRD", "MOD"):
                await self.play({p: traffic.read(np.arange(32) * 32) for p in range(2)})
                seen = distances(self.log.after(before_ck).rows, params)
                before = (await self.committed(params, params))[rule_name]
            else:
                seen = await self.observe(all_bank)
                before = base[all_bank].get(rule_name, 1e9)
                await self.env.program(params, params)
            if before >= wanted:
                problems.append(f"{key}: {rule_name} was never below {wanted} CK before ({before})")
            elif seen.get(rule_name, 0) < wanted:
                problems.append(f"{key} + {step}: {rule_name} still at {seen.get(rule_name)} CK, {wanted} expected")
        assert not problems, "; ".join(problems)

    async def committed(self, programmed: Params, checked: Params) -> dict[str, float]:
        """Distances around a commit of a set."""
        start = self.now_ck()
        await self.env.program(programmed, checked)
        await self.play({p: traffic.read(np.arange(32) * 32) for p in range(2)})
        return distances(self.log.after(start).rows, self.config.params)


@pyuvm.test()
class CommitUnderTraffic(DramTest):
    """A commit in the middle of traffic drains the channel, loses nothing, and the new timings hold from then on."""

    async def body(self) -> None:
        params = self.config.params
        slow = params.replaced(RCDRD=params.count("RCDRD") + 7, RP=params.count("RP") + 5, WR=params.count("WR") + 4)
        shape = RandomShape(self.config.address_map.port_bytes)
        for number in range(6):
            chunks = {p: traffic.random_chunk(self.config.rng(number, p), 400, shape) for p in range(2)}
            await self.play(chunks, drain=False)
            await cycles(150 + 40 * number)
            before = self.log.count(Cmd.MRS)
            await self.env.program(params if number % 2 else slow, params if number % 2 else slow)
            assert self.log.count(Cmd.MRS) > before, "the commit wrote no mode registers"
        await self.env.drain()


@pyuvm.test()
class ResetUnderTraffic(DramTest):
    """A reset in the middle of traffic: afterwards the channel works as from power-on."""

    async def body(self) -> None:
        shape = RandomShape(self.config.address_map.port_bytes)
        for number in range(3):
            chunks = {p: traffic.random_chunk(self.config.rng(number, p), 300, shape) for p in range(2)}
            await self.play(chunks, drain=False)
            await cycles(100 + 77 * number)
            await self.env.restart()
        await self.random(300)


@pyuvm.test()
class Latencies(DramTest):
    """RL, WL and rd_delay: the device learns RL and WL, data fits, and unloaded reads take exactly that much longer."""

    settings = {"batch": 64, "policy": {"refresh.refresh_en": 0}}

    async def latency(self, port: int = 0) -> int:
        """Read latency in CK of a read of a closed row, channel idle; the first one after a pause does not count."""
        m = self.board.ports[port].state.m
        amap = self.config.address_map
        for _ in range(2):
            before = int(m[k.N_LAT_SUM])
            self.row = getattr(self, "row", 0) + 1
            await self.play({port: traffic.read(amap.to_port(amap.pack(0, 0, 0, self.row, 0)))})
        return 2 * (int(m[k.N_LAT_SUM]) - before)

    async def body(self) -> None:
        rng = self.config.rng()
        params = self.config.params
        base = await self.latency()
        assert await self.latency() == base, "the unloaded latency is not constant"
        for key, word in (("RL", "dev_rl"), ("WL", "dev_wl")):
            value = params.count(key) - 1 if key == "WL" else params.count(key) + 4
            changed = params.replaced(**{key: value})
            await self.env.program(changed, changed)
            await self.play({p: traffic.write(rng, 4096 * 9 + np.arange(32) * 32) for p in range(2)})
            await self.play({p: traffic.read(4096 * 9 + np.arange(32) * 32) for p in range(2)})
            has = int(self.env.rings.ctl[word])
            assert has == value, f"the device has {key} {has}, not {value}"
            if key == "RL":
                assert await self.latency() == base + 4
            await self.env.program(params, params)
        assert await self.latency() == base, "the latency did not come back with RL and WL"
        active = base
        for delay in (1, 3, 7):
            await self.env.registers.write_field("phy.rd_delay", delay)
            assert await self.latency() == active, "rd_delay took effect before the commit"
            await self.env.commit(params)
            active = base + 2 * delay
            assert await self.latency() == active


@pyuvm.test()
class RefreshIntervals(DramTest):
    """REFISB sets the distance of single-bank refreshes, REFI that of all-bank refreshes; each alone."""

    traffic_required = False

    async def mean(self, command: Cmd, count: int) -> float:
        """Mean interval of a refresh command on PC 1 of an idle channel."""
        start = self.now_ck()
        while self.log.after(start).count(command, pc=1) < count + 3:
            await cycles(512)
        # what was owed over the commit is made good first
        return float(np.diff(self.log.after(start).of(command, pc=1).ck[3:]).mean())

    async def body(self) -> None:
        params = self.config.params
        await self.play(traffic.read(0))
        for key, command, all_bank in (("REFISB", Cmd.REFSB, 0), ("REFI", Cmd.REF, 1)):
            await self.env.registers.write_field("policy.refresh.refresh_all", all_bank)
            for value in (params.count(key) // 2, params.count(key)):
                await self.env.program(params.replaced(**{key: value}), params)
                mean = await self.mean(command, 6)
                assert abs(mean - value) <= 4, f"{key} {value}: {command.name} every {mean:.0f} CK"


@pyuvm.test()
class MapRegisters(DramTest):
    """Every mask register counts: with a map that changes all of them the commands go where that map says."""

    async def body(self) -> None:
        amap = self.config.address_map
        used = [bit for bit, mask in enumerate(amap.masks) if mask]
        # the same address bits, each DRAM bit fed by the next one's
        masks = list(amap.masks)
        for bit, source in zip(used, used[1:] + used[:1], strict=True):
            masks[bit] = amap.masks[source]
        assert all(masks[bit] != amap.masks[bit] for bit in used)
        rotated = self.config.with_(masks=tuple(masks))
        rng = self.config.rng()
        await self.play({p: traffic.read(np.arange(64) * 32) for p in range(2)})
        for bit in range(len(masks)):
            await self.env.registers.write(f"map.mask{bit}", masks[bit])
        count = self.total(k.N_RD_CHECKED)
        await self.play({p: traffic.read(np.arange(64) * 32, axi_id=1) for p in range(2)})  # not committed: the old map
        assert self.total(k.N_RD_CHECKED) == count + 128
        await self.env.settle()
        await self.env.commit(self.config.params)
        for port in self.board.ports:
            port.change_map(rotated.address_map)
        bits = 1 << np.arange(amap.in_bits, dtype=np.int64)
        addr = np.concatenate((bits, rng.integers(0, 1 << amap.in_bits, 300))) * 32
        await self.play({p: traffic.read(addr, axi_id=np.arange(len(addr)) % 64) for p in range(2)})


# ---------------------------------------------------------------- policies


@pyuvm.test()
class TurnAround(DramTest):
    """The five read/write switching fields change how often the direction turns, each in its direction."""

    async def turns(self, **fields: int) -> float:
        """Turns per thousand column commands with some fields set, on mixed random traffic."""
        defaults = {"turnaround.switch_low": 3, "turnaround.switch_gain": 2, "turnaround.switch_idle": 16,
                    "drain.write_high": 24, "drain.write_low": 4}  # fmt: skip
        for path, value in {**defaults, **{name.replace("__", "."): v for name, v in fields.items()}}.items():
            await self.env.registers.write_field(f"policy.{path}", value)
        start = self.now_ck()
        rng = self.config.rng("turns")
        shape = RandomShape(self.config.address_map.port_bytes, single_share=1.0, long_share=0.0, hot_share=0.0,
                            size_weights=(0, 0, 0, 0, 0, 1), unaligned_share=0.0, gap_share=0.0,
                            shape_weights=(1, 0, 0, 0, 0, 0))  # fmt: skip
        await self.play({p: traffic.random_chunk(rng, 2500, shape) for p in range(2)})
        log = self.log.after(start)
        return 1000 * sum(log.turns(pc) for pc in range(2)) / log.count(*COLUMNS)

    async def body(self) -> None:
        never = {"turnaround__switch_idle": 255, "drain__write_high": 63}
        found = {
            "switch_low": (
                await self.turns(turnaround__switch_low=0, **never),
                await self.turns(turnaround__switch_low=30, **never),
            ),
            "switch_gain": (
                await self.turns(turnaround__switch_gain=31, **never),
                await self.turns(turnaround__switch_gain=0, **never),
            ),
            "switch_idle": (
                await self.turns(turnaround__switch_low=0, turnaround__switch_gain=63, **never),
                await self.turns(
                    turnaround__switch_low=0,
                    turnaround__switch_gain=63,
                    turnaround__switch_idle=1,
                    drain__write_high=63,
                ),
            ),
            "write_high": (
                await self.turns(turnaround__switch_low=20, turnaround__switch_gain=63, **never),
                await self.turns(
                    turnaround__switch_low=20,
                    turnaround__switch_gain=63,
                    turnaround__switch_idle=255,
                    drain__write_high=1,
                ),
            ),
            "write_low": (
                await self.turns(turnaround__switch_low=30, turnaround__switch_gain=0, drain__write_low=28, **never),
                await self.turns(turnaround__switch_low=30, turnaround__switch_gain=0, drain__write_low=0, **never),
            ),
        }
        print(f"TurnAround: turns per 1000 columns {found}", flush=True)
        # A late start of draining makes the batches of eager switching shorter: fewer or more turns, by the traffic.
        few, many = sorted(found["write_low"])
        found["write_low"] = (few, many)
        weak = [f"{name}: {few:.0f} and {many:.0f}" for name, (few, many) in found.items() if many < 1.1 * few]
        assert not weak, f"no effect on the turns per thousand columns: {'; '.join(weak)}"


@pyuvm.test()
class StarvationLimit(DramTest):
    """A read behind a stream of hits to its bank waits about as long as the limit says, with 0 for the whole stream."""

    settings = {"batch": 128, "policy": {"refresh.refresh_en": 0, "page.ap_allowed": 0}}

    async def wait(self, limit: int) -> int:
        """Cycles that a read of another row waits behind hits."""
        await self.env.registers.write("policy.starve", limit)
        amap = self.config.address_map
        count = 900
        hits = traffic.read(amap.to_port(amap.pack(0, 0, 0, 7, np.arange(count) % 32)), axi_id=np.arange(count) % 32)
        other = traffic.read(amap.to_port(amap.pack(0, 0, 0, 9, 0)), axi_id=40)
        hits.ar = np.insert(hits.ar, 60, other.ar[0])
        m = self.board.ports[0].state.m
        m[k.N_LAT_MAX] = 0
        await self.play(hits)
        return int(m[k.N_LAT_MAX])

    async def body(self) -> None:
        found = {limit: await self.wait(limit) for limit in (0, 400, 100)}
        print(f"StarvationLimit: longest wait in cycles {found}", flush=True)
        assert found[100] < found[400] < found[0], f"longest waits {found}"
        assert found[100] < 2 * 100 + 200


@pyuvm.test()
class RefreshHold(DramTest):
    """The debt of refreshes under traffic to all banks grows up to refresh_hold and not far beyond."""

    async def debt(self, hold: int) -> int:
        """Largest debt seen on a busy channel."""
        await self.env.registers.write_field("policy.refresh.refresh_hold", hold)
        amap = self.config.address_map
        rng = self.config.rng("hold")
        count = 6_000
        addr = amap.to_port(amap.pack(rng.integers(0, amap.sids, count), rng.integers(0, amap.bgs, count),
                                      rng.integers(0, amap.banks, count), rng.integers(0, 2000, count), 0))  # fmt: skip
        await self.play({p: traffic.read(addr, axi_id=np.arange(count) % 64) for p in range(2)}, drain=False)
        largest = 0
        while not self.board.drained():
            largest = max(largest, await self.env.registers.read_field("load[0].refresh_debt"))
            await cycles(24)
        return largest

    async def body(self) -> None:
        found = {hold: await self.debt(hold) for hold in (1, 4, 8)}
        print(f"RefreshHold: largest debt {found}", flush=True)
        assert found[1] < found[4] < found[8], f"largest debts {found}"
        assert found[1] <= 3


# ---------------------------------------------------------------- counters, identity


@pyuvm.test()
class Counters(DramTest):
    """The performance counters equal what the bench saw on ports and pins; clear and snapshot do what they say."""

    async def body(self) -> None:
        registers = self.env.registers
        await self.env.settle()
        await registers.pulse("ctrl.clear")
        start = self.now_ck()
        stats = [port.state.m.copy() for port in self.board.ports]
        shape = RandomShape(self.config.address_map.port_bytes, error_share=0.05, gap_share=0.0)
        await self.play({p: traffic.random_chunk(self.config.rng(p), 1500, shape) for p in range(2)})
        await self.play({p: traffic.write(self.config.rng(p), 64, lock=1) for p in range(2)})
        await self.env.settle()
        # no command may pass between the snapshot and the end of the log
        await registers.write_field("policy.refresh.refresh_en", 0)
        await cycles(1200)
        await registers.pulse("ctrl.snapshot")
        end = self.now_ck()
        log = self.log.after(start)
        assert not len(log.after(end - 400)), "commands around the snapshot"
        seen: dict[str, int] = {}
        for pc in range(2):
            one = CommandLog(log.rows[log.rows["pc"] == pc])
            m, before = self.board.ports[pc].state.m, stats[pc]
            read, write = (Cmd.RD, Cmd.RDA), (Cmd.WR, Cmd.WRA)
            seen |= {
                f"pc{pc}_act": one.count(Cmd.ACT), f"pc{pc}_pre": one.count(Cmd.PRE, Cmd.PREA),
                f"pc{pc}_rd": one.count(*read), f"pc{pc}_wr": one.count(*write),
                f"pc{pc}_refsb": one.count(Cmd.REFSB), f"pc{pc}_ref_all": one.count(Cmd.REF),
                f"pc{pc}_row_hit": int(m[k.N_HIT] - before[k.N_HIT]), f"pc{pc}_rmw": int(m[k.N_RMW] - before[k.N_RMW]),
                f"port{pc}_ar": int(m[k.N_AR] - before[k.N_AR]), f"port{pc}_aw": int(m[k.N_AW] - before[k.N_AW]),
                f"port{pc}_slverr": int(m[k.N_SLVERR] - before[k.N_SLVERR]),
                f"port{pc}_decerr": int(m[k.N_DECERR] - before[k.N_DECERR]),
                f"port{pc}_excl_fail": int(m[k.N_EXCL_FAIL] - before[k.N_EXCL_FAIL]),
            }  # fmt: skip
            first = [name for name in ("row_closed", "row_conflict")]
            counted = [await registers.read(f"counters.pc{pc}_{name}_lo") for name in first]
            ours = int(m[k.N_CLOSED] + m[k.N_CONFLICT] - before[k.N_CLOSED] - before[k.N_CONFLICT])
            assert sum(counted) == ours, f"rows opened on PC {pc}: {counted} in the registers, {ours} seen"
            assert min(counted) > 0, f"PC {pc}: closed and conflict {counted}"
            turns = await registers.read(f"counters.pc{pc}_turnaround_lo")
            assert abs(turns - one.turns(pc)) <= 1, f"turns of PC {pc}: {turns} counted, {one.turns(pc)} seen"
            for name in (f"pc{pc}_rd_full", f"pc{pc}_wr_full", f"port{pc}_rob_full"):
                assert await registers.read(f"counters.{name}_lo") > 0, f"{name} stayed 0 under full load"
        for name, expected in seen.items():
            value = await registers.read(f"counters.{name}_lo")
            assert value == expected, f"counter {name}: {value}, the bench saw {expected}"
        clocks = await registers.read("counters.cycles_lo")
        assert abs(2 * clocks - (end - start)) < 100, f"{clocks} cycles counted"
        await registers.pulse("ctrl.clear")
        held = await registers.read("counters.cycles_lo")
        assert held == clocks, "a clear changed the snapshot"
        await registers.pulse("ctrl.snapshot")
        assert await registers.read("counters.port0_ar_lo") == 0 and await registers.read("counters.cycles_lo") < 200


@pyuvm.test()
class BuildRegisters(DramTest):
    """Identity, geometry and sizes are those of the build."""

    traffic_required = False

    async def body(self) -> None:
        geometry = self.config.base.geometry
        expected = {
            "id.generation": geometry.generation, "id.pcs": 2, "geometry.sids": geometry.sids,
            "geometry.bank_groups": geometry.bgs, "geometry.banks": geometry.banks, "geometry.cols": geometry.cols,
            "rows.rows": geometry.rows, "sizes.rd_entries": 32, "sizes.wr_entries": 32,
        }  # fmt: skip
        for path, value in expected.items():
            assert await self.env.registers.read_field(path) == value, path
        assert await self.env.registers.read_field("id.layout") >= 1
        assert await self.env.registers.read_field("sizes.rob_slots") >= 64
        assert await self.env.registers.read_field("sizes.init_shift") > 0, "the simulation shortens the initialisation"
        await self.play(traffic.read(0))
