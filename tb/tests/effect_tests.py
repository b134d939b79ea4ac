"""An effect test for every register field: program it, run the traffic that it governs, see what changes.

`EFFECTS` names the check of each field; `tests/rtl/test_effects.py` compares it with the list of all fields. A timing
is programmed to two values, each of which binds (the others are small): the closest pair of the commands that it
separates stands exactly on the first slot that the value allows (contract M1.2, M1.4), on both PCs.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import numpy as np
import pyuvm
from dram_tests import DramTest
from hbm_model.addrmap import map_from_masks
from hbm_model.commands import Cmd
from hbm_model.csr import MASKS
from hbm_model.csr_table import REGISTERS
from hbm_model.errors import InputError
from hbm_model.params import PARAM, Params
from hbm_tb import axi, counters, records, traffic
from hbm_tb.agents import PortBatch
from hbm_tb.command_log import COLUMNS, READS, WRITES, CommandLog
from hbm_tb.config import BenchConfig, reset_params
from hbm_tb.env import Sink
from hbm_tb.link import cycles
from hbm_tb.scoreboard import Mismatch
from hbm_tb.traffic import Chunk

SEEN = "HBM_EFFECT"  # printed with the field's name when its effect was seen

EFFECTS: dict[str, str] = {}  # register.field -> name of the check
Check = Callable[["EffectTest"], Awaitable[None]]
C = TypeVar("C", bound=Check)

# Fields whose effect only a block test can show.
BLOCK_TESTS: dict[str, tuple[str, ...]] = {  # register.field -> module.test of the block benches
    # The channel of the system tests starts by itself.
    "ctrl.init_start": ("csr_tests.control_bits_are_single_pulses", "phy_tests.power_up_follows_the_sequence"),
    # Read data always comes as the channel asked for it, whatever the device does.
    **{
        f"irq_{register}.rdata{pc}": (
            "csr_tests.interrupts_stick_until_cleared",
            "sched_tests.surplus_read_data_is_reported",
            "sched_tests.missing_read_data_is_reported",
        )
        for register in ("status", "enable")
        for pc in range(2)
    },
    # 2^32 events take too long; the block bench carries across the border.
    **{
        f"{register.path}.count": ("csr_tests.counters_carry_through_every_stage",)
        for register in REGISTERS
        if register.path.startswith("counters.") and register.path.endswith("_hi")
    },
}


def effect(*fields: str) -> Callable[[C], C]:
    """Registers a check as the effect test of some fields."""

    def register(check: C) -> C:
        for name in fields:
            if name in EFFECTS:
                raise ValueError(f"{name} has two effect tests")
            EFFECTS[name] = check.__name__
        check.fields = fields  # type: ignore[attr-defined]
        return check

    return register


def all_fields() -> list[str]:
    """Every field of every register, `register.field`."""
    return [f"{register.path}.{info.name}" for register in REGISTERS for info in register.fields]


def policy_words(**given: int) -> dict[str, int]:
    """Words of the policy registers: reset values, with fields set by name (`page`, `refresh_en`)."""
    words, left = {}, dict(given)
    for register in REGISTERS:
        if register.path.startswith("policy."):
            words[register.path] = sum(left.pop(info.name, info.reset or 0) << info.lsb for info in register.fields)
    if left:
        raise ValueError(f"no policy field {', '.join(left)}")
    return words


# Every other timing is small when one is looked at. Refresh is off and far away.
FAST = {
    "RCDRD": 6, "RCDWR": 6, "RP": 4, "RAS": 6, "RC": 10, "RRDS": 2, "RRDL": 2, "FAW": 4, "CCDS": 2, "CCDL": 2,
    "CCDR": 2, "WTRS": 2, "WTRL": 2, "RTP": 2, "WR": 2, "RTW": 4, "RFC": 20, "RFCSB": 20, "RREFD": 4, "REFI": 65535,
    "REFISB": 65535, "PPD": 1,
}  # fmt: skip
# The simplest behaviour, whatever the values after reset are.
QUIET_POLICY = {
    "page": 0, "page_timeout": 0, "refresh_en": 0, "refresh_hold": 6, "pull_in": 0, "switch_low": 3, "switch_gain": 2,
    "switch_idle": 16, "write_high": 24, "write_low": 4, "forward": 0, "starve_limit": 1000, "qos_mid": 16,
    "qos_high": 16,
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A column of a bank of one PC."""

    row: int = 1
    bank: int = 0
    bg: int = 0
    sid: int = 0
    col: int = 0


class EffectTest(DramTest):
    """Runs the checks of its list one after the other, each from a quiet channel."""

    settings = {"batch": 32, "coverage": False, "policy": {"refresh.refresh_en": 0}}
    checks: ClassVar[tuple[Check, ...]] = ()
    failed: list[str]

    def connect_phase(self) -> None:
        """Keep what the ports answer."""
        self.batches: list[PortBatch] = []
        self.responses = Sink("responses", self, self.batches.append)
        for agent in self.env.agents:
            agent.monitor.ap.connect(self.responses)

    async def body(self) -> None:
        self.words: dict[str, int] = {}
        # Without `initialise` the build runs the values of its reset, whatever the preset.
        self.params: Params = self.config.params if self.initialise else reset_params(self.config.geometry)
        self.failed = []
        for check in self.checks:
            name = check.__name__
            try:
                await check(self)
            except Mismatch as problem:
                raise Mismatch(f"effect check {name}: {problem}") from problem
            except AssertionError as problem:
                self.failed.append(f"{name}: {problem}")
                continue
            for path in check.fields:  # type: ignore[attr-defined]
                print(f"{SEEN} {path}", flush=True)
        assert not self.failed, "no effect seen:\n  " + "\n  ".join(self.failed)

    # ------------------------------------------------------------ set-up

    async def apply(self, policy: dict[str, int] | None = None, commit: bool = True, **timing: int) -> Params:
        """Program the fast set with some values changed, and policies; commit. All banks are closed afterwards."""
        self.params = self.config.params.replaced(**{**FAST, **timing})
        words = {f"timing.{name}": value for name, value in self.params.timing.items()}
        policies = {**QUIET_POLICY, **(policy or {})}
        # Refresh starts after the commit: one that is counted already falls due by the interval that was active before.
        await self.write_words({**words, **policy_words(**{**policies, "refresh_en": 0})})
        self.env.checks.kept.clear()
        if commit:
            await self.commit()
        await self.write_words(policy_words(**policies))
        return self.params

    async def write_words(self, words: dict[str, int]) -> None:
        """Write the registers that hold another word."""
        for path, word in words.items():
            if self.words.get(path) != word:
                await self.env.registers.write(path, word)
                self.words[path] = word

    async def commit(self) -> None:
        """Commit what `apply` programmed; the checker of command rules follows."""
        await self.env.commit(self.params)
        self.env.collect()

    def read(self, places: Iterable[Place], at: int = 0, **how: Any) -> Chunk:
        """Single reads, each of its own id, offered from `at` cycles after now on."""
        return traffic.read(self.addresses(places), axi_id=self.ids(places), at=self.later(at), **how)

    def write(self, places: Iterable[Place], at: int = 0, **how: Any) -> Chunk:
        """Single writes."""
        rng = self.config.rng("data", self.env.rings.cycle())
        return traffic.write(rng, self.addresses(places), axi_id=self.ids(places), at=self.later(at), **how)

    def later(self, at: int) -> int:
        """Cycle number `at` cycles from now, with time to put records into the rings."""
        return int(self.env.rings.cycle()) + 8 + at

    @staticmethod
    def ids(places: Iterable[Place]) -> Any:
        """Rotating ids, so that responses need not wait for each other."""
        return np.arange(len(list(places))) % 64

    def addresses(self, places: Iterable[Place]) -> Any:
        """Port addresses."""
        amap = self.config.address_map
        given = list(places)
        sid, bg, bank, row, col = (
            np.array([getattr(p, name) for p in given], np.int64) for name in ("sid", "bg", "bank", "row", "col")
        )
        return amap.to_port(amap.pack(sid, bg, bank, row, col))

    def rows(self, name: str, port: int) -> Any:
        """R, B or ACC records of a port since the last `run`."""
        self.env.collect()
        return np.concatenate([getattr(batch, name) for batch in self.batches if batch.port == port])

    async def run(self, port: int, chunk: Chunk) -> CommandLog:
        """Play on one port; the commands of its PC, writes included that go out after their B."""
        start = self.now_ck()
        self.env.collect()
        self.batches.clear()
        await self.play({port: chunk})
        for _ in range(64):
            if not any(p.state.due.any() for p in self.board.ports):
                break
            await cycles(32)
            self.env.collect()
        log = self.log.after(start)
        return CommandLog(log.rows[log.rows["pc"] == port])


# ---------------------------------------------------------------- distances


def _same(*names: str) -> Callable[[Any, Any], bool]:
    return lambda a, b: all(a[name] == b[name] for name in names)


SCOPES: dict[str, Callable[[Any, Any], bool]] = {
    "bank": _same("sid", "bg", "bank"),
    "group": _same("sid", "bg"),
    "other_group": lambda a, b: not _same("sid", "bg")(a, b),
    "other_bank": lambda a, b: not _same("sid", "bg", "bank")(a, b),
    "sid": lambda a, b: a["sid"] != b["sid"],
    "pc": lambda a, b: True,
}
ACTIVATES = (Cmd.ACT, Cmd.REFSB)


def _time(row: Any, first: bool, then: int) -> int:
    """Time of a command in CK as M1.4 counts it; `first`: it is the earlier one of a pair that ends with `then`."""
    half = int(row["time"])
    up = first and then not in (Cmd.PRE, Cmd.PREA)  # a falling edge counts as the next CK for ACT and refresh
    return (half + up) // 2 + (int(row["cmd"]) == Cmd.ACT)


def slacks(
    log: CommandLog, first: Iterable[Cmd], then: Iterable[Cmd], least: int, scope: str = "bank", last: int = 1
) -> list[int]:
    """CK by which each `then` stands later than the first slot that `least` CK after its latest `first` allow.

    `last`: which one counts, 4 for the fourth latest.
    """
    out = []
    rows = log.rows
    starts, ends = {int(c) for c in first}, {int(c) for c in then}
    for at, row in enumerate(rows):
        command = int(row["cmd"])
        if command not in ends:
            continue
        left = last
        for earlier in rows[:at][::-1]:
            if int(earlier["cmd"]) in starts and earlier["pc"] == row["pc"] and SCOPES[scope](earlier, row):
                left -= 1
                if not left:
                    slot = _time(earlier, True, command) + least
                    # ACT stands at odd times, columns of PC0 at even and of PC1 at odd ones, all else at any (M1.2).
                    grid = 1 if command == Cmd.ACT else int(row["pc"]) if command in COLUMNS else None
                    slot += 0 if grid is None else (slot - grid) % 2
                    out.append(_time(row, False, command) - slot)
                    break
    return out


@dataclass(frozen=True)
class Timing:
    """How one timing register is made to bind, and the pair of commands that it separates."""

    key: str
    values: tuple[int, int]
    traffic: Callable[[EffectTest, int], Awaitable[CommandLog]]
    first: tuple[Cmd, ...]
    then: tuple[Cmd, ...]
    scope: str = "bank"
    last: int = 1
    plus: Callable[[Params], int] = lambda p: 0  # what the rule adds to the value
    timing: dict[str, int] = field(default_factory=dict)
    policy: dict[str, int] = field(default_factory=dict)
    same: tuple[str, ...] = ()  # keys that get the same value (CCDS may not exceed CCDL)

    async def check(self, test: EffectTest) -> None:
        """Both values, on both PCs."""
        for value in self.values:
            given = {**self.timing, self.key: value, **{key: value for key in self.same}}
            for port in range(2):
                params = await test.apply(self.policy, **given)
                log = await self.traffic(test, port)
                least = value + self.plus(params)
                found = slacks(log, self.first, self.then, least, self.scope, self.last)
                pair = f"{'/'.join(c.name for c in self.first)} to {'/'.join(c.name for c in self.then)}"
                assert found, f"{self.key} = {value}, PC {port}: no pair {pair}"
                assert min(found) == 0, f"{self.key} = {value}, PC {port}: closest pair {pair} is {min(found)} CK off"


# ---------------------------------------------------------------- traffic


def one_after_the_other(*steps: tuple[str, Place, int]) -> Callable[[EffectTest, int], Awaitable[CommandLog]]:
    """Rows are opened by reads; then the steps: ("read" or "write", where, cycle at which it is offered)."""

    async def play(test: EffectTest, port: int) -> CommandLog:
        opened = {(p.sid, p.bg, p.bank): p for _, p, _ in reversed(steps)}
        await test.run(port, test.read(list(opened.values())))
        chunk = Chunk()
        for kind, place, at in steps:
            chunk += (test.read if kind == "read" else test.write)([place], at)
        return await test.run(port, chunk)

    return play


def reads(*places: Place) -> Callable[[EffectTest, int], Awaitable[CommandLog]]:
    """Reads as fast as the port takes them, from closed banks."""

    async def play(test: EffectTest, port: int) -> CommandLog:
        return await test.run(port, test.read(places))

    return play


def writes(*places: Place) -> Callable[[EffectTest, int], Awaitable[CommandLog]]:
    """Writes likewise."""

    async def play(test: EffectTest, port: int) -> CommandLog:
        return await test.run(port, test.write(places))

    return play


async def conflicts_of_four_banks(test: EffectTest, port: int) -> CommandLog:
    """Four open rows, then reads of other rows of the four banks at once."""
    places = [Place(1, bank=n % 4, bg=n % test.config.address_map.bgs) for n in range(4)]
    await test.run(port, test.read(places))
    return await test.run(port, test.read([Place(2, p.bank, p.bg) for p in places]))


async def random_reads(test: EffectTest, port: int) -> CommandLog:
    """Reads of random rows in all banks, without a pause."""
    amap = test.config.address_map
    rng = test.config.rng("random reads", port)
    places = [
        Place(*(int(rng.integers(n)) for n in (amap.rows, amap.banks, amap.bgs, amap.sids, amap.cols)))
        for _ in range(700)
    ]
    return await test.run(port, test.read(places))


TWO_ROWS = (Place(1), Place(2))
COLUMNS_OF_TWO_GROUPS = tuple(Place(1, bg=n % 2, col=n // 2) for n in range(16))
COLUMNS_OF_TWO_SIDS = tuple(Place(1, bg=n % 2, sid=n % 2, col=n // 2) for n in range(16))


def end_of_write(params: Params) -> int:
    """CK from WR to the end of its data."""
    return params.count("WL") + 2


# One bank with two rows in turn, and what its commands wait for; then banks, groups and the bus.
TIMINGS = (
    Timing("RCDRD", (21, 30), reads(Place()), (Cmd.ACT,), READS),
    Timing("RCDWR", (21, 30), writes(Place()), (Cmd.ACT,), WRITES),
    Timing("RP", (25, 34), reads(*TWO_ROWS), (Cmd.PRE,), (Cmd.ACT,)),
    Timing("RAS", (45, 52), reads(*TWO_ROWS), (Cmd.ACT,), (Cmd.PRE,)),
    Timing("RC", (75, 82), reads(*TWO_ROWS), (Cmd.ACT,), (Cmd.ACT,)),
    Timing("RTP", (30, 37), reads(*TWO_ROWS), READS, (Cmd.PRE,)),
    Timing("WR", (30, 37), writes(*TWO_ROWS), WRITES, (Cmd.PRE,), plus=end_of_write),
    Timing("RRDS", (9, 14), reads(*(Place(bg=n) for n in range(4))), (Cmd.ACT,), (Cmd.ACT,), "other_group",
           same=("RRDL",)),
    Timing("RRDL", (15, 22), reads(*(Place(bank=n) for n in range(4))), (Cmd.ACT,), (Cmd.ACT,), "group"),
    Timing("FAW", (41, 50), reads(*(Place(bg=n % 4, bank=n // 4) for n in range(8))), (Cmd.ACT,), (Cmd.ACT,), "pc", 4),
    Timing("CCDS", (6, 9), reads(*COLUMNS_OF_TWO_GROUPS), READS, READS, "other_group", same=("CCDL",)),
    Timing("CCDL", (11, 16), reads(*(Place(col=n) for n in range(8))), READS, READS, "group"),
    Timing("WTRS", (40, 47), one_after_the_other(("write", Place(), 0), ("read", Place(bg=1), 14)),
           WRITES, READS, "other_group", plus=end_of_write, same=("WTRL",)),
    Timing("WTRL", (40, 47), one_after_the_other(("write", Place(), 0), ("read", Place(bank=1), 14)),
           WRITES, READS, "group", plus=end_of_write),
    Timing("RTW", (40, 47), one_after_the_other(("read", Place(), 0), ("write", Place(bg=1), 8)), READS, WRITES, "pc"),
    Timing("PPD", (20, 27), conflicts_of_four_banks, (Cmd.PRE,), (Cmd.PRE,), "pc"),
    Timing("RFC", (120, 151), random_reads, (Cmd.REF,), (Cmd.ACT,), "pc",
           timing={"REFI": 500}, policy={"refresh_en": 1, "refresh_all": 1, "refresh_hold": 1}),
    Timing("RFCSB", (120, 151), random_reads, (Cmd.REFSB,), (Cmd.ACT,),
           timing={"REFISB": 100}, policy={"refresh_en": 1, "refresh_hold": 1}),
    Timing("RREFD", (40, 53), random_reads, (Cmd.REFSB,), (Cmd.ACT,), "other_bank",
           timing={"REFISB": 150}, policy={"refresh_en": 1, "refresh_hold": 1}),
)  # fmt: skip

# With two stack ids only.
SID_TIMINGS = (Timing("CCDR", (9, 14), reads(*COLUMNS_OF_TWO_SIDS), READS, READS, "sid"),)


def _timing_check(timing: Timing) -> Check:
    async def check(test: EffectTest) -> None:
        await timing.check(test)

    check.__name__ = PARAM[timing.key].jedec
    return effect(f"timing.{PARAM[timing.key].snake}.ck")(check)


TIMING_CHECKS = tuple(_timing_check(timing) for timing in TIMINGS)
SID_CHECKS = tuple(_timing_check(timing) for timing in SID_TIMINGS)


@pyuvm.test()
class TimingEffects(EffectTest):
    """Distances between commands."""

    checks = TIMING_CHECKS

    async def body(self) -> None:
        if self.config.address_map.sids > 1:
            self.checks = (*TIMING_CHECKS, *SID_CHECKS)
        await super().body()


# ---------------------------------------------------------------- refresh intervals


async def _interval(test: EffectTest, key: str, command: Cmd, refresh_all: int, values: tuple[int, int]) -> None:
    for value in values:
        await test.apply({"refresh_en": 1, "refresh_all": refresh_all}, **{key: value})
        start = test.now_ck()
        await cycles(value * 4)
        for pc in range(2):
            gaps = np.diff(test.log.after(start).of(command, pc=pc).ck)
            assert len(gaps) >= 5, f"{key} = {value}, PC {pc}: {len(gaps) + 1} {command.name} in {8 * value} CK"
            assert abs(gaps - value).max() <= 3 and abs(gaps.mean() - value) <= 1, f"{key} = {value}, PC {pc}: {gaps}"


@effect("timing.t_refi.ck")
async def interval_of_all_bank_refresh(test: EffectTest) -> None:
    """REF of an idle channel every REFI."""
    await _interval(test, "REFI", Cmd.REF, 1, (700, 900))


@effect("timing.t_refi_sb.ck")
async def interval_of_single_bank_refresh(test: EffectTest) -> None:
    """REFSB of an idle channel every REFISB."""
    await _interval(test, "REFISB", Cmd.REFSB, 0, (200, 330))


# ---------------------------------------------------------------- mode registers and commit


@effect("timing.t_mrd.ck")
async def distance_of_mode_registers(test: EffectTest) -> None:
    """All MRS of a commit stand ceil(MRD / 2) cycles apart."""
    for value in (20, 31):
        await test.apply(MRD=value)
        gaps = np.diff(np.unique(test.log.of(Cmd.MRS).ck))
        assert len(gaps) > 4 and (gaps == 2 * math.ceil(value / 2)).all(), f"MRD = {value}: {gaps}"


@effect("timing.t_mod.ck")
async def distance_after_mode_registers(test: EffectTest) -> None:
    """A read that waits out a commit is served MOD after the last MRS, and the same few cycles."""
    late = []
    await test.apply(RFC=200)
    for value in (60, 91):
        # The settle time of the commit (RFC) leaves the read time to wait at the port.
        await test.apply(commit=False, MOD=value, RFC=200)
        await test.play({0: test.read([Place()], at=80)}, drain=False)
        await test.commit()
        await test.env.drain()
        log = test.log
        last = log.of(Cmd.MRS).ck.max()
        first = log.after(last).of(Cmd.ACT).ck.min() + 1
        late.append(first - last - 2 * math.ceil(value / 2))
        assert 0 <= late[-1] <= 20, f"MOD = {value}: ACT {first - last} CK after the last MRS"
    assert late[0] == late[1], f"ACT follows MOD with {late} CK: not the same"


async def _latency(test: EffectTest, port: int, place: Place) -> float:
    """CK from the RD of one read on an idle channel to its R handshake."""
    log = await test.run(port, test.read([place]))
    return float(2 * int(test.rows("r", port)["cycle"][0]) - log.of(*READS).ck[0])


@effect("timing.rl.ck")
async def read_latency(test: EffectTest) -> None:
    """The mode registers tell the device RL; data comes that much later, and is right."""
    base = test.config.params.count("RL")
    found = {}
    for value in (base, base + 6):
        await test.apply(RL=value)
        found[value] = [await _latency(test, port, Place(3)) for port in range(2)]
        assert int(test.env.rings.ctl["dev_rl"]) == value, (
            f"RL = {value}: the device has {test.env.rings.ctl['dev_rl']}"
        )
    moved = [long - short for short, long in zip(found[base], found[base + 6], strict=True)]
    assert moved == [6, 6], f"6 CK more of RL: data comes {moved} CK later"


@effect("timing.wl.ck")
async def write_latency(test: EffectTest) -> None:
    """The device, told WL, finds the data at that time; the precharge after a write moves with it."""
    for value in (6, 9):
        wait = {"WR": 20}
        plus = lambda params: 2 + params.count("WR")  # noqa: E731
        await Timing("WL", (value, value), writes(*TWO_ROWS), WRITES, (Cmd.PRE,), plus=plus, timing=wait).check(test)
        assert int(test.env.rings.ctl["dev_wl"]) == value, (
            f"WL = {value}: the device has {test.env.rings.ctl['dev_wl']}"
        )


@effect("phy.rd_delay")
async def read_delay(test: EffectTest) -> None:
    """Each step hands read data over a cycle later, from the commit on."""
    await test.apply()
    base = [await _latency(test, port, Place(1)) for port in range(2)]
    try:
        for row, delay in enumerate((1, 2, 4, 7), 2):
            before = [await _latency(test, port, Place(10 * row)) for port in range(2)]
            await test.env.registers.write_field("phy.rd_delay", delay)
            early = [await _latency(test, port, Place(20 * row)) for port in range(2)]
            assert early == before, "rd_delay took effect before the commit"
            test.env.rd_delay = delay
            await test.commit()
            now = [await _latency(test, port, Place(1)) for port in range(2)]
            assert now == [ck + 2 * delay for ck in base], f"rd_delay {delay}: latency {now}, {base} with 0"
    finally:
        await test.env.registers.write_field("phy.rd_delay", 0)
        test.env.rd_delay = 0
        await test.commit()


@effect("ctrl.commit")
async def commit_makes_the_shadow_set_active(test: EffectTest) -> None:
    """A timing that was written takes effect at the commit and not before."""
    await test.apply(RCDRD=21)
    await test.apply(commit=False, RCDRD=34)
    for least in (21, 34):
        log = await test.run(0, test.read([Place(bank=1)]))
        assert slacks(log, (Cmd.ACT,), READS, least) == [0], f"ACT to RD is not {least}"
        await test.commit()
    assert len(np.unique(test.log.of(Cmd.MRS).ck)) > 8, "a commit writes the mode registers"


@pyuvm.test()
class CommitEffects(EffectTest):
    """Refresh intervals, and what a commit writes into the device and the PHY."""

    checks = (
        interval_of_all_bank_refresh,
        interval_of_single_bank_refresh,
        distance_of_mode_registers,
        distance_after_mode_registers,
        read_latency,
        write_latency,
        read_delay,
        commit_makes_the_shadow_set_active,
    )


# ---------------------------------------------------------------- identity, status


@effect(
    "id.generation", "id.layout", "id.pcs", "id.auto_init", "geometry.sids", "geometry.bank_groups", "geometry.banks",
    "geometry.cols", "rows.rows", "sizes.rd_entries", "sizes.wr_entries", "sizes.rob_slots", "sizes.init_shift",
)  # fmt: skip
async def identity_is_that_of_the_build(test: EffectTest) -> None:
    """Generation, geometry and sizes."""
    geometry = test.config.base.geometry
    expected = {
        "id.generation": geometry.generation, "id.layout": 1, "id.pcs": 2, "id.auto_init": 1,
        "geometry.sids": geometry.sids, "geometry.bank_groups": geometry.bgs, "geometry.banks": geometry.banks,
        "geometry.cols": geometry.cols, "rows.rows": geometry.rows, "sizes.rd_entries": 32, "sizes.wr_entries": 32,
        "sizes.rob_slots": 128, "sizes.init_shift": 16,
    }  # fmt: skip
    for path, value in expected.items():
        found = await test.env.registers.read_field(path)
        assert found == value, f"{path} is {found}, expected {value}"


@effect("status.init_done")
async def init_done_rises_once(test: EffectTest) -> None:
    """Low after reset, high after the mode registers; a commit leaves it high."""
    assert test.early[0] & 1 == 0, "init_done is high right after reset"
    changes = np.diff([word & 1 for word in test.early])
    assert changes.sum() == 1 and (changes >= 0).all(), "init_done did not rise once"
    mode, run = 5, 6
    states = [word >> 4 & 15 for word in test.early]
    assert mode in states and states[-1] == run and states == sorted(states), f"states of the initialisation: {states}"


@effect("status.busy", "status.state", "status.idle")
async def status_of_a_commit(test: EffectTest) -> None:
    """A read whose data is not taken holds the drain; then settle and mode registers take their time."""
    drain, settle, mode, run = 7, 9, 5, 6
    await test.apply(RFC=2000, MRD=200)
    for port in range(2):
        assert await test.env.registers.read_field("status.idle") == 3
        test.env.rings.ctl["ready_r"][port] = 0
        await test.play({port: test.read([Place()])}, drain=False)
        await cycles(64)
        word = await test.env.registers.read("status")
        assert word >> 16 & 3 == 3 & ~(1 << port), f"idle reads {word >> 16 & 3} with a read open on port {port}"
        await test.env.registers.pulse("ctrl.commit")
        await cycles(16)
        word = await test.env.registers.read("status")
        assert (word >> 4 & 15, word >> 1 & 1) == (drain, 1), f"status {word:#x} while a response is owed"
        test.env.next_set(test.params)
        test.env.rings.ctl["ready_r"][port] = 256
        seen = []
        for _ in range(2000):
            seen.append(await test.env.registers.read("status"))
            if not seen[-1] >> 1 & 1:
                break
        states = [word >> 4 & 15 for word in seen]
        assert settle in states and mode in states and states[-1] == run, f"states of a commit: {sorted(set(states))}"
        assert all(word & 1 for word in seen), "init_done fell"
        await test.env.drain()
        test.env.collect()


@effect("status.closed")
async def closed_follows_the_banks(test: EffectTest) -> None:
    """Low on the PC that has a bank open, high when all are precharged."""
    await test.apply({"page": 0})
    for port in range(2):
        assert await test.env.registers.read_field("status.closed") == 3, "not closed after a commit"
        await test.run(port, test.read([Place(bg=2, bank=1)]))
        found = await test.env.registers.read_field("status.closed")
        assert found == 3 & ~(1 << port), f"closed is {found} with a bank of PC {port} open"
        await test.commit()


@effect("status.temp")
async def status_shows_the_temperature(test: EffectTest) -> None:
    """All codes of the TEMP pins."""
    for code in range(8):
        test.env.rings.ctl["temp"] = code
        await cycles(4)
        assert await test.env.registers.read_field("status.temp") == code
    test.env.rings.ctl["temp"] = test.config.temp


@effect(
    *(f"load[{pc}].{name}" for pc in range(2) for name in ("rd_level", "wr_level", "refresh_debt", "writing",
      "refresh_early"))
)  # fmt: skip
async def load_of_each_pc(test: EffectTest) -> None:
    """Queued requests that wait for a row count exactly; the debt counts held refreshes; writing follows WR."""
    registers = test.env.registers
    for port in range(2):
        await test.apply({"refresh_hold": 15}, RCDRD=250, RCDWR=250)
        other = f"load[{1 - port}]"
        for kind, level in (("read", "rd_level"), ("write", "wr_level")):
            for count in (5, 21):
                await test.commit()
                places = [Place(col=n) for n in range(count)]
                chunk = test.read(places) if kind == "read" else test.write(places)
                await test.play({port: chunk}, drain=False)
                await cycles(50)
                found = await registers.read_field(f"load[{port}].{level}")
                assert found == count, f"load[{port}].{level} is {found} with {count} waiting"
                assert await registers.read(other) == 0, f"{other} is not 0 without traffic"
                assert await registers.read_field(f"load[{port}].writing") == (kind == "write")
                await test.env.drain()
                await cycles(200)
                assert await registers.read_field(f"load[{port}].{level}") == 0
        # Every bank open and nothing forced: the debt grows by one in each interval.
        amap = test.config.address_map
        await test.apply({"refresh_en": 1, "refresh_hold": 15}, REFISB=400)
        start = test.now_ck()
        banks = [Place(1, n % amap.banks, n // amap.banks % amap.bgs, n // amap.banks // amap.bgs)
                 for n in range(amap.sids * amap.bgs * amap.banks)]  # fmt: skip
        await test.play({port: test.read(banks)})
        while test.now_ck() < start + 400 * 5 + 200:
            await cycles(16)
        debt = await registers.read_field(f"load[{port}].refresh_debt")
        assert debt in (4, 5), f"load[{port}].refresh_debt is {debt} after five intervals"
        assert await registers.read_field(f"{other}.refresh_debt") == 0, "an idle PC owes refreshes"
        # The PC that is idle runs ahead; the one with a read in its queue does not.
        for pull in (3, 6):
            await test.apply({"pull_in": pull}, REFISB=400, RCDRD=250)
            for number in range(8):
                await test.play({port: test.read([Place(n) for n in range(8)])}, drain=False)
                await cycles(100)
                if not number:
                    await registers.write_field("policy.refresh.refresh_en", 1)
                    test.words.pop("policy.refresh")
            early = [await registers.read_field(f"load[{pc}].refresh_early") for pc in range(2)]
            assert early[port] == 0 and early[1 - port] in (pull - 1, pull), f"pull_in {pull}: {early} of PCs 0 and 1"
            await test.env.drain()


@pyuvm.test()
class StatusEffects(EffectTest):
    """Identity and status; starts right after reset to see the initialisation."""

    initialise = False
    checks = (
        identity_is_that_of_the_build,
        init_done_rises_once,
        status_of_a_commit,
        closed_follows_the_banks,
        status_shows_the_temperature,
        load_of_each_pc,
    )

    async def body(self) -> None:
        self.early = [await self.env.registers.read("status")]
        while not self.early[-1] & 1:
            self.early.append(await self.env.registers.read("status"))
        await super().body()


# ---------------------------------------------------------------- page policy


def _names(log: CommandLog) -> list[str]:
    """Column commands in their order."""
    return [Cmd(int(code)).name for code in log.of(*COLUMNS).rows["cmd"]]


async def _adaptive(test: EffectTest, port: int, page: int) -> None:
    """The predictor learns from rows that come back or do not; below 2 the last hit closes its row (M4.3, M4.8)."""
    bank = Place(bank=2)

    async def one(row: int) -> list[str]:
        return _names(await test.run(port, test.read([Place(row, bank.bank)])))

    await test.apply({"page": 0})
    for row in range(1, 6):  # five rows in turn, each closed for the next: down to 0
        await one(row)
    await test.write_words(policy_words(**{**QUIET_POLICY, "page": page}))
    found = await one(20)
    assert found == ["RDA"], f"page {page}, PC {port}: {found} after rows that did not come back"
    await test.write_words(policy_words(**{**QUIET_POLICY, "page": 3}))
    for _ in range(5):  # the same row, closed each time: up to 3
        await one(20)
    await test.write_words(policy_words(**{**QUIET_POLICY, "page": page}))
    found = await one(20)
    assert found == ["RD"], f"page {page}, PC {port}: {found} after a row that came back"
    await test.apply({"page": page}, RCDRD=40)
    found = _names(
        await test.run(port, test.read([Place(20, bank.bank), Place(20, bank.bank, col=1), Place(21, bank.bank)]))
    )
    assert found[:2] == ["RD", "RDA"], f"page {page}, PC {port}: {found} before another row"


@effect("policy.page.page", "policy.page.ap_allowed")
async def page_policies(test: EffectTest) -> None:
    """Two hits of a row, alone and before another row of the bank: who gets the auto-precharge."""
    two, conflict = [Place(1, col=0), Place(1, col=1)], [Place(1, col=0), Place(1, col=1), Place(2)]
    expected = {
        (0, 1): (["RD", "RD"], ["RD", "RD", "RD"]),
        (1, 1): (["RD", "RDA"], ["RD", "RDA", "RDA"]),
        (2, 1): (["RD", "RD"], ["RD", "RDA", "RD"]),
        (3, 1): (["RDA", "RDA"], ["RDA", "RDA", "RDA"]),
        (1, 0): (["RD", "RD"], ["RD", "RD", "RD"]),
        (3, 0): (["RD", "RD"], ["RD", "RD", "RD"]),
    }
    for (page, allowed), wanted in expected.items():
        for port in range(2):
            for places, names in zip((two, conflict), wanted, strict=True):
                # The row opens late, so that all requests are queued when the first is picked.
                await test.apply({"page": page, "ap_allowed": allowed}, RCDRD=40)
                found = _names(await test.run(port, test.read(places)))
                assert found == names, f"page {page}, ap_allowed {allowed}, PC {port}: {found}, expected {names}"
                writes = _names(await test.run(port, test.write([Place(7, bank=1)])))
                auto = allowed and page in (1, 3)
                assert writes == ["WRA" if auto else "WR"], f"page {page}, ap_allowed {allowed}: {writes}"
    for page in (4, 7):
        for port in range(2):
            await _adaptive(test, port, page)


@effect("policy.page.page_timeout")
async def unused_rows_are_closed(test: EffectTest) -> None:
    """An open row without use is precharged after one to two intervals; never with 0."""
    for port in range(2):
        for limit in (0, 100, 240):
            await test.apply({"page": 0, "page_timeout": limit})
            log = await test.run(port, test.read([Place(1), Place(1, col=1), Place(3, bg=1)]))
            used = {int(row["bg"]): int(ck) for row, ck in zip(log.of(*READS).rows, log.of(*READS).ck, strict=True)}
            start = test.now_ck()
            await cycles(800)
            test.env.collect()
            closed = test.log.after(min(used.values())).of(Cmd.PRE, pc=port)
            if not limit:
                assert not len(closed.ck), f"PC {port}: PRE without page_timeout"
                continue
            assert len(closed.ck) == 2, (
                f"page_timeout {limit}, PC {port}: {len(closed.ck)} PRE of two rows from {start}"
            )
            for row, ck in zip(closed.rows, closed.ck, strict=True):
                waited = (int(ck) - used[int(row["bg"])]) / 2
                assert limit - 1 <= waited <= 2 * limit + 6, f"page_timeout {limit}, PC {port}: closed after {waited}"


@effect("policy.page.ap_min_ras")
async def auto_precharge_waits_for_ras(test: EffectTest) -> None:
    """RDA only when ACT to RDA + RTP reaches the limit: exactly so at its bound; a PRE closes the row otherwise."""
    for port in range(2):
        await test.apply({"page": 3}, RCDRD=20, RTP=5)
        log = await test.run(port, test.read([Place()]))
        wait = int(log.of(Cmd.RDA).ck[0] - log.of(Cmd.ACT).ck[0]) - 1
        for limit, name in ((wait + 5, "RDA"), (wait + 6, "RD"), (255, "RD")):
            await test.apply({"page": 3, "ap_min_ras": limit}, RCDRD=20, RTP=5)
            found = _names(await test.run(port, test.read([Place()])))
            assert found == [name], f"ap_min_ras {limit}, PC {port}: {found}, ACT to RD {wait}, RTP 5"


# ---------------------------------------------------------------- refresh policy


@effect("policy.refresh.refresh_en", "policy.refresh.refresh_all")
async def kinds_of_refresh(test: EffectTest) -> None:
    """Nothing without refresh_en; REFSB, or REF with refresh_all, at their own interval."""
    for enable, everything, wanted in ((0, 0, {}), (1, 0, {Cmd.REFSB: 10}), (1, 1, {Cmd.REF: 5}), (0, 1, {})):
        # Single-bank refresh of many banks takes longer than nine times a short REFI.
        refi = 400 if everything else FAST["REFI"]
        await test.apply({"refresh_en": enable, "refresh_all": everything}, REFI=refi, REFISB=200)
        start = test.now_ck()
        await cycles(1050)
        for pc in range(2):
            for command in (Cmd.REF, Cmd.REFSB):
                found = test.log.after(start).count(command, pc=pc)
                assert abs(found - wanted.get(command, 0)) <= (command in wanted), (
                    f"refresh_en {enable}, refresh_all {everything}, PC {pc}: {found} {command.name}"
                )


@effect("policy.refresh.refresh_hold")
async def refresh_waits_up_to_hold(test: EffectTest) -> None:
    """With every bank open a refresh is forced when the debt reaches refresh_hold, not earlier."""
    amap = test.config.address_map
    banks = [Place(1, n % amap.banks, n // amap.banks % amap.bgs, n // amap.banks // amap.bgs)
             for n in range(amap.sids * amap.bgs * amap.banks)]  # fmt: skip
    for hold in (2, 5):
        for port in range(2):
            await test.apply({"refresh_en": 1, "refresh_hold": hold}, REFISB=600)
            start = test.now_ck()
            await test.play({port: test.read(banks)})
            while test.now_ck() < start + 600 * (hold + 1):
                await cycles(64)
            first = test.log.after(start).of(Cmd.REFSB, pc=port).ck[0] - start
            assert abs(first - 600 * hold) < 60, (
                f"refresh_hold {hold}, PC {port}: first REFSB after {first} CK of 600 each"
            )


@effect("policy.refresh.pull_in")
async def refreshes_run_ahead(test: EffectTest) -> None:
    """An idle PC sends pull_in refreshes more than fall due, of either kind; 8 - refresh_hold at most of all banks."""
    for everything, command, given in ((0, Cmd.REFSB, (0, 4, 9)), (1, Cmd.REF, (0, 3, 9))):
        for pull in given:
            policy = {"refresh_en": 1, "refresh_all": everything, "refresh_hold": 4, "pull_in": pull}
            await test.apply(policy, REFI=400 if everything else FAST["REFI"], REFISB=200)
            start = test.now_ck()
            await cycles(1600)
            test.env.collect()
            due = 3200 // (400 if everything else 200)
            ahead = min(pull, 4) if everything else pull
            for pc in range(2):
                found = test.log.after(start).count(command, pc=pc)
                assert abs(found - due - ahead) <= 1, (
                    f"pull_in {pull}, PC {pc}: {found} {command.name}, {due} fell due and {ahead} run ahead"
                )


# ---------------------------------------------------------------- turn-around and age


NEVER = {"switch_low": 0, "switch_gain": 63, "switch_idle": 255, "write_high": 63, "write_low": 0, "starve_limit": 0}


async def _reads_after_turn(test: EffectTest, port: int, **policy: int) -> int:
    """16 reads and 16 writes wait for one row; reads are served first: how many stay behind the first write."""
    await test.apply({**NEVER, **policy}, RCDRD=120, RCDWR=120)
    # A read of another bank first: after a longer silence than switch_idle the direction would change at once.
    chunk = test.read([Place(bg=1)]) + test.read([Place(col=n) for n in range(16)], at=80)
    log = await test.run(port, chunk + test.write([Place(col=16 + n) for n in range(16)], at=88))
    return log.after(log.of(*WRITES).ck[0]).count(*READS)


@effect("policy.turnaround.switch_low")
async def hits_left_at_a_turn(test: EffectTest) -> None:
    """The direction changes when at most switch_low hits are left; one more is served in that cycle."""
    for port in range(2):
        found = [await _reads_after_turn(test, port, switch_low=low, switch_gain=1) for low in (2, 9)]
        assert found == [1, 8], f"PC {port}: {found} reads left with switch_low 2 and 9"


@effect("policy.turnaround.switch_gain")
async def gain_of_a_turn(test: EffectTest) -> None:
    """With 16 writes waiting, reads go on until switch_gain fewer of them are left."""
    for port in range(2):
        found = [await _reads_after_turn(test, port, switch_low=63, switch_gain=gain) for gain in (4, 11)]
        assert found == [11, 4], f"PC {port}: {found} reads left with switch_gain 4 and 11"


@effect("policy.turnaround.switch_idle")
async def idle_cycles_before_a_turn(test: EffectTest) -> None:
    """A write behind reads whose row is not ready yet goes out switch_idle cycles after the last command."""
    for port in range(2):
        late = []
        for idle in (20, 71):
            await test.apply({**NEVER, "switch_gain": 2, "switch_idle": idle}, RCDRD=250)
            await test.run(port, test.read([Place(bg=1)]))
            chunk = test.read([*(Place(bg=1, col=n) for n in range(24)), Place(col=0), Place(col=1)])
            log = await test.run(port, chunk + test.write([Place(col=9)], at=26))
            write = log.of(*WRITES).ck[0]
            late.append(int(write - log.of(*READS).before(write).ck[-1]))
        assert late[1] - late[0] == 2 * 51 and 0 <= late[0] - 40 <= 12, f"PC {port}: {late} CK for 20 and 71 cycles"


async def _writes_at_turn(test: EffectTest, port: int, log: CommandLog) -> int:
    """AW handshakes before the first WR."""
    first = log.of(*WRITES).ck[0] / 2
    taken = test.rows("acc", port)
    return int(((taken["kind"] == records.ACC_AW) & (taken["cycle"] < first)).sum())


@effect("policy.drain.write_high")
async def queued_writes_end_reading(test: EffectTest) -> None:
    """During an endless stream of hits, draining starts with the write_high-th queued write."""
    for port in range(2):
        found = []
        for high in (5, 9):
            await test.apply({**NEVER, "switch_low": 63, "write_high": high}, CCDL=8)
            writes_ = test.write([Place(col=16 + n) for n in range(12)])
            writes_.aw["at"] = test.later(40) + 24 * np.arange(12)
            log = await test.run(port, test.read([Place(col=n % 16) for n in range(110)]) + writes_)
            found.append(await _writes_at_turn(test, port, log))
        assert found == [5, 9], f"PC {port}: draining began with {found} writes, write_high 5 and 9"


@effect("policy.drain.write_low")
async def too_few_writes_do_not_end_reading(test: EffectTest) -> None:
    """While a read waits for its row, writes that hit are served from the write_low-th on."""
    for port in range(2):
        found = []
        for low in (3, 7):
            await test.apply({**NEVER, "switch_low": 63, "switch_gain": 0, "write_low": low}, RP=255)
            opening = test.read([Place(), Place(bg=1)]) + test.read([Place(2, bg=1)], at=24)
            opening.ar["id"] = np.arange(3)
            writes_ = test.write([Place(col=16 + n) for n in range(9)])
            writes_.aw["at"] = test.later(48) + 12 * np.arange(9)
            log = await test.run(port, opening + writes_)
            found.append(await _writes_at_turn(test, port, log))
        assert found == [3, 7], f"PC {port}: writes began with {found} queued, write_low 3 and 7"


@effect("policy.starve.starve_limit")
async def old_requests_become_urgent(test: EffectTest) -> None:
    """A read of another row waits between one and two intervals behind a stream of hits; with 0 for all of it."""
    for port in range(2):
        for limit in (100, 240, 0):
            await test.apply({**NEVER, "starve_limit": limit}, CCDL=8)
            chunk = test.read([Place(col=n % 32) for n in range(180)])
            chunk.ar["id"] %= 32
            other = test.read([Place(2)])
            other.ar["id"] = 60
            chunk.ar = np.insert(chunk.ar, 40, other.ar[0])
            log = await test.run(port, chunk)
            taken = test.rows("acc", port)
            since = int(taken["cycle"][taken["id"] == 60][0])
            opened = log.of(Cmd.ACT)
            served = opened.ck[opened.rows["row"] == 2][0] / 2
            if limit:
                assert limit <= served - since <= 2 * limit + 40, f"limit {limit}, PC {port}: {served - since} cycles"
            else:
                before = log.before(2 * served).count(*READS)
                assert before == 180, f"limit 0, PC {port}: {before} of 180 hits went first"


@effect("policy.drain.forward")
async def reads_take_queued_data(test: EffectTest) -> None:
    """A read behind a write of all its bytes that waits for its row: answered before the write, without RD."""
    for port in range(2):
        for forward in (1, 0):
            await test.apply({"forward": forward}, RCDWR=250)
            log = await test.run(port, test.write([Place(3)]) + test.read([Place(3)], at=30))
            answered = 2 * int(test.rows("r", port)["cycle"][0])
            early = answered < log.of(*WRITES).ck[0]
            found = (log.count(*READS), early)
            assert found == (1 - forward, bool(forward)), f"forward {forward}, PC {port}: {found[0]} RD, early {early}"


async def _wait_behind_hits(test: EffectTest, port: int, qos: int, **policy: int) -> tuple[int, int]:
    """A read of another row behind a stream of hits: cycles from its AR to its row's ACT, and hits served before."""
    await test.apply({**NEVER, **policy}, CCDL=8)
    chunk = test.read([Place(col=n % 32) for n in range(180)])
    chunk.ar["id"] %= 32
    other = test.read([Place(2)], qos=qos)
    other.ar["id"] = 60
    chunk.ar = np.insert(chunk.ar, 60, other.ar[0])
    log = await test.run(port, chunk)
    taken = test.rows("acc", port)
    since = int(taken["cycle"][taken["id"] == 60][0])
    opened = log.of(Cmd.ACT)
    served = opened.ck[opened.rows["row"] == 2][0]
    return int(served / 2 - since), log.before(served).count(*READS)


@effect("policy.qos.qos_mid")
async def middle_qos_enters_as_aged(test: EffectTest) -> None:
    """From qos_mid on a request is urgent at the next beat of starve_limit; one below waits for one more."""
    for port in range(2):
        for qos, low, high in ((5, 0, 240), (6, 0, 240), (4, 240, 480)):
            waited, _ = await _wait_behind_hits(test, port, qos, starve_limit=240, qos_mid=5)
            assert low <= waited <= high + 40, f"AxQOS {qos}, qos_mid 5, PC {port}: {waited} cycles"


@effect("policy.qos.qos_high")
async def high_qos_is_urgent_at_once(test: EffectTest) -> None:
    """From qos_high on a request goes before all hits; one below, without a starvation limit, after them."""
    for port in range(2):
        for qos, limit in ((9, 9), (15, 9), (8, 9), (15, 16)):
            waited, before = await _wait_behind_hits(test, port, qos, qos_high=limit)
            if qos >= limit:
                assert waited <= 40, f"AxQOS {qos}, qos_high {limit}, PC {port}: {waited} cycles"
            else:
                assert before == 180, f"AxQOS {qos}, qos_high {limit}, PC {port}: {before} of 180 hits went first"


@pyuvm.test()
class PolicyEffects(EffectTest):
    """Page, refresh, turn-around, draining, age."""

    checks = (
        page_policies,
        unused_rows_are_closed,
        auto_precharge_waits_for_ras,
        kinds_of_refresh,
        refresh_waits_up_to_hold,
        refreshes_run_ahead,
        hits_left_at_a_turn,
        gain_of_a_turn,
        idle_cycles_before_a_turn,
        queued_writes_end_reading,
        too_few_writes_do_not_end_reading,
        old_requests_become_urgent,
        reads_take_queued_data,
        middle_qos_enters_as_aged,
        high_qos_is_urgent_at_once,
    )


# ---------------------------------------------------------------- address map


def unlike_masks(config: BenchConfig) -> tuple[int, ...]:
    """A one-to-one map in which every DRAM address bit is another XOR than in the default map."""
    amap = config.address_map
    rng = np.random.default_rng(zlib.crc32(config.preset.encode()))
    while True:
        masks = tuple(int(m) for m in rng.integers(1, 1 << amap.in_bits, amap.out_bits))
        # A field that the geometry does not have stays without a mask.
        masks = tuple(new if old else 0 for new, old in zip(masks, amap.masks, strict=True))
        try:
            map_from_masks("unlike", masks, config.params.geometry)
        except InputError:
            continue
        if all(new != old for new, old in zip(masks, amap.masks, strict=True) if old):
            return masks


@effect(*(f"map.mask{bit}.mask" for bit in range(MASKS)))
async def every_mask_names_its_address_bits(test: EffectTest) -> None:
    """Reads one by one; each bit of the DRAM address on the pins is the parity of its mask and the port address.

    Masks past the DRAM address have no effect, whatever they hold.
    """
    amap = test.config.address_map
    rng = test.config.rng("map")
    blocks = np.concatenate(([0], 1 << np.arange(amap.in_bits), rng.integers(0, 1 << amap.in_bits, 60))).astype(
        np.uint64
    )
    for spare in (0, 0xFFFFFFFF):
        for bit in range(amap.out_bits, MASKS):
            await test.env.registers.write(f"map.mask{bit}", spare)
        await test.apply()
        for port in range(2):
            chunk = traffic.read(blocks * np.uint64(32), flags=records.FLAG_AFTER_R)
            log = await test.run(port, chunk)
            row: dict[tuple[int, ...], int] = {}
            seen = []
            for one in log.rows:
                bank = tuple(int(one[name]) for name in ("sid", "bg", "bank"))
                if one["cmd"] == Cmd.ACT:
                    row[bank] = int(one["row"])
                elif int(one["cmd"]) in READS:
                    seen.append((*bank, row[bank], int(one["col"])))
            assert len(seen) == len(blocks), f"{len(seen)} RD for {len(blocks)} reads"
            packed = amap.pack(*np.array(seen).T)
            for bit, mask in enumerate(amap.masks):
                wanted = np.bitwise_count(blocks & np.uint64(mask)) & 1
                found = packed >> np.uint64(bit) & np.uint64(1)
                wrong = int((found != wanted).sum())
                assert not wrong, (
                    f"map.mask{bit} = {mask:#x}: DRAM address bit wrong for {wrong} of {len(blocks)} reads"
                )


@pyuvm.test()
class MapEffects(EffectTest):
    """A map that shares no mask with the default one; the scoreboard follows it."""

    checks = (every_mask_names_its_address_bits,)

    def build_phase(self) -> None:
        self.settings = {**self.settings, "masks": unlike_masks(BenchConfig.from_environment())}
        super().build_phase()


@effect("map.row_limit.rows")
async def rows_past_the_limit_do_not_exist(test: EffectTest) -> None:
    """The last row below the limit answers, the first one at it is DECERR, for reads and writes."""
    await test.apply()
    limit = test.config.row_limit
    shape = test.config.base.geometry
    assert 0 < limit < shape.rows
    amap = BenchConfig(preset=test.config.preset).address_map  # names all rows
    for port in range(2):
        for row, wanted in ((limit - 1, 0), (limit, axi.DECERR), (shape.rows - 1, axi.DECERR)):
            at = int(amap.to_port(amap.pack(0, 0, 0, np.array([row]), 0))[0])
            await test.run(port, traffic.read(at) + traffic.write(test.config.rng(row), at + 32))
            for name in ("r", "b"):
                found = int(test.rows(name, port)["resp"][0])
                assert found == wanted, f"row {row} of {limit}: {name.upper()}RESP is {found}, expected {wanted}"


@pyuvm.test()
class RowLimitEffects(EffectTest):
    """A limit that is no power of two."""

    checks = (rows_past_the_limit_do_not_exist,)

    def build_phase(self) -> None:
        rows = BenchConfig.from_environment().base.geometry.rows
        self.settings = {**self.settings, "row_limit": rows - rows // 8 - 3}
        super().build_phase()


# ---------------------------------------------------------------- interrupts


def _bad_bursts(test: EffectTest, address: int) -> Chunk:
    """A read and a write of a reserved burst code."""
    return traffic.read(address, burst=axi.RESERVED) + traffic.write(
        test.config.rng("bad"), address, burst=axi.RESERVED
    )


@effect(
    *(f"irq_{register}.{name}" for register in ("status", "enable")
      for name in ("aerr", "derr0", "derr1", "slverr0", "slverr1", "decerr0", "decerr1", "init_done", "commit_done"))
)  # fmt: skip
async def interrupts_reach_the_pin(test: EffectTest) -> None:
    """Each cause sets its own bit; the pin rises with the bit's own enable only, and falls when it is cleared."""
    registers, ctl = test.env.registers, test.env.rings.ctl
    outside = test.config.address_map.port_bytes + 64

    async def alert(bits: int) -> None:
        ctl["alert"] = bits
        await cycles(3)
        ctl["alert"] = 0
        await cycles(8)

    causes: dict[str, Callable[[], Awaitable[Any]]] = {
        "init_done": lambda: cycles(1),  # happened: the first that is looked at
        "aerr": lambda: alert(1),
        "derr0": lambda: alert(2),
        "derr1": lambda: alert(4),
        "slverr0": lambda: test.play({0: _bad_bursts(test, 64)}),
        "slverr1": lambda: test.play({1: _bad_bursts(test, 64)}),
        "decerr0": lambda: test.play({0: traffic.read(outside)}),
        "decerr1": lambda: test.play({1: traffic.write(test.config.rng("out"), outside)}),
        "commit_done": test.commit,
    }
    info = next(register for register in REGISTERS if register.path == "irq_status")
    everything = sum(one.mask for one in info.fields)
    for name, cause in causes.items():
        mask = info.field(name).mask
        if name != "init_done":
            await registers.write("irq_status", everything)
        await cause()
        await cycles(4)
        found = await registers.read("irq_status")
        assert found == mask, f"{name}: irq_status is {found:#x}, expected {mask:#x}"
        for enable, pin in ((0, 0), (everything & ~mask, 0), (mask, 1)):
            await registers.write("irq_enable", enable)
            await cycles(4)
            assert int(ctl["irq"]) == pin, f"{name}: irq_o is {int(ctl['irq'])} with irq_enable {enable:#x}"
        await registers.write("irq_status", everything & ~mask)
        assert await registers.read("irq_status") == mask and int(ctl["irq"]) == 1, f"{name} was cleared by other bits"
        await registers.write("irq_status", mask)
        await cycles(4)
        assert await registers.read("irq_status") == 0 and int(ctl["irq"]) == 0, f"{name} cannot be cleared"
        await registers.write("irq_enable", 0)


@pyuvm.test()
class InterruptEffects(EffectTest):
    """Every cause that the system shows, from its source to the pin."""

    checks = (interrupts_reach_the_pin,)
    initialise = False

    async def body(self) -> None:
        # The initialisation leaves its bit; the commit that programs the preset would add another.
        await self.env.registers.wait_for("status.init_done", 1, 200_000)
        await super().body()


# ---------------------------------------------------------------- counters


async def counts(test: EffectTest) -> dict[str, int]:
    """All counters after a snapshot; names without `counters.` and `_lo`."""
    found = await counters.take_snapshot(test.env.registers)
    wrong = counters.contradictions(found, idle=False)
    assert not wrong, "; ".join(wrong)
    return found


async def counted(
    test: EffectTest, port: int, make: Callable[[], Chunk], **how: Any
) -> tuple[dict[str, int], CommandLog]:
    """Counts of some traffic alone, after a read, and its commands; the other port and PC must count nothing."""
    await test.apply(**how)
    await test.run(port, test.read([Place()]))
    await test.commit()
    await test.env.registers.pulse("ctrl.clear")
    log = await test.run(port, make())
    await cycles(32)
    found = await counts(test)
    other = {
        name: count for name, count in found.items() if name.startswith((f"pc{1 - port}", f"port{1 - port}")) and count
    }
    assert other.pop(f"pc{1 - port}_stall_empty", 0) == found["cycles"], f"PC {1 - port} is not empty all the time"
    assert not other, f"traffic on port {port} counts elsewhere: {other}"
    mine = {name.split("_", 1)[1]: n for name, n in found.items() if name.startswith((f"pc{port}", f"port{port}"))}
    return mine, log


def per_unit(*names: str) -> list[str]:
    """Counter fields of both ports or PCs."""
    return [
        f"counters.{unit}{n}_{name}_lo.count"
        for n in range(2)
        for name in names
        for unit in ("pc", "port")
        if f"{unit}{n}_{name}" in counters.COUNTERS
    ]


@effect(
    *per_unit("act", "pre", "rd", "wr", "row_hit", "row_closed", "row_conflict", "turnaround", "ar", "aw", "busy",
              "rd_req", "wr_req")
)  # fmt: skip
async def counters_of_commands(test: EffectTest) -> None:
    """Two hits and a row change, writes and a read after it: exact counts, and those of the command record."""
    for port in range(2):

        def chunk() -> Chunk:
            rows = test.read([Place(1), Place(1, col=1), Place(1, col=2), Place(2), Place(5, bg=1)])
            late = test.write([Place(7, bg=2), Place(7, bg=2, col=3)], at=200)
            return rows + late + test.read([Place(8, bg=3)], at=300)

        found, log = await counted(test, port, chunk)
        wanted = {
            "act": 5, "pre": 1, "rd": 6, "wr": 2, "row_hit": 3, "row_closed": 4, "row_conflict": 1, "turnaround": 2,
            "ar": 6, "aw": 2, "refsb": 0, "ref_all": 0, "rmw": 0, "rd_full": 0, "wr_full": 0, "rob_full": 0,
            "excl_fail": 0, "decerr": 0, "slverr": 0, "busy": 8, "rd_req": 6, "wr_req": 2, "forward": 0, "stall_off": 0,
        }  # fmt: skip
        wrong = {name: (count, found[name]) for name, count in wanted.items() if found[name] != count}
        assert not wrong, f"PC {port}: expected and counted {wrong}"
        logged = {"act": (Cmd.ACT,), "pre": (Cmd.PRE, Cmd.PREA), "rd": READS, "wr": WRITES}
        assert all(log.count(*commands) == wanted[name] for name, commands in logged.items())


@effect(*per_unit("slverr", "decerr", "excl_fail"))
async def counters_of_errors(test: EffectTest) -> None:
    """Each erroneous burst counts once, reads and writes; so does an exclusive write that finds no monitor."""
    outside = test.config.address_map.port_bytes
    for port in range(2):
        chunk = _bad_bursts(test, 64) + _bad_bursts(test, 128) + traffic.read(outside + np.arange(3) * 4096)
        chunk += traffic.write(test.config.rng("lock"), 64 + np.arange(5) * 32, lock=1)
        found, _ = await counted(test, port, lambda chunk=chunk: chunk)
        wanted = {"slverr": 4, "decerr": 3, "excl_fail": 5, "ar": 5, "aw": 7, "wr": 0}
        wrong = {name: (count, found[name]) for name, count in wanted.items() if found[name] != count}
        assert not wrong, f"port {port}: expected and counted {wrong}"


@effect(*per_unit("refsb", "ref_all"))
async def counters_of_refreshes(test: EffectTest) -> None:
    """The counts are those of the record."""
    for everything, name, command in ((0, "refsb", Cmd.REFSB), (1, "ref_all", Cmd.REF)):
        interval = 800 if everything else 300  # counters are read within 9 x tREFI
        await test.apply({"refresh_all": everything}, REFI=800 if everything else FAST["REFI"], REFISB=300)
        await test.env.registers.pulse("ctrl.clear")
        start = test.now_ck()
        await test.env.registers.write_field("policy.refresh.refresh_en", 1)
        await cycles(interval * 4)
        await test.env.registers.write_field("policy.refresh.refresh_en", 0)
        await cycles(64)
        found = await counts(test)
        for pc in range(2):
            logged = test.log.after(start).count(command, pc=pc)
            other = "ref_all" if name == "refsb" else "refsb"
            assert logged >= 7 and found[f"pc{pc}_{name}"] == logged, f"{found[f'pc{pc}_{name}']} {name}, {logged} seen"
            assert found[f"pc{pc}_{other}"] == 0, f"PC {pc}: {other} counts too"
        test.words.pop("policy.refresh")


@effect(*per_unit("rd_full", "wr_full", "rob_full", "rmw"))
async def counters_of_full_queues(test: EffectTest) -> None:
    """Each queue is filled alone: reads or writes that wait for a row, responses that are not taken; partial writes."""
    slow = {"RCDRD": 250, "RCDWR": 250}
    columns = [Place(col=n % 32) for n in range(45)]
    for port in range(2):
        full = ("rd_full", "wr_full", "rob_full")
        found, _ = await counted(test, port, lambda: test.read(columns), **slow)
        assert [bool(found[name]) for name in full] == [True, False, False], (
            f"45 reads of one row, port {port}: {found}"
        )
        found, _ = await counted(test, port, lambda: test.write(columns), **slow)
        assert [bool(found[name]) for name in full] == [False, True, False], (
            f"45 writes of one row, port {port}: {found}"
        )
        await test.apply()
        await test.env.registers.pulse("ctrl.clear")
        test.env.rings.ctl["ready_r"][port] = 0
        await test.play({port: test.read([Place(col=n % 32) for n in range(150)])}, drain=False)
        await cycles(400)
        test.env.rings.ctl["ready_r"][port] = 256
        await test.env.drain()
        everything = await counts(test)
        found = {name: everything[f"{'port' if name == 'rob_full' else 'pc'}{port}_{name}"] for name in full}
        assert [bool(found[name]) for name in full] == [False, False, True], f"150 reads left, port {port}: {found}"
        six = [Place(col=n) for n in range(6)]
        found, _ = await counted(test, port, lambda six=six: test.write(six, shape=traffic.ONE_BYTE))
        wanted = 0 if test.config.base.geometry.has_data_mask else 6
        assert found["rmw"] == wanted, f"six partial writes, port {port}: {found['rmw']} read-modify-writes"


@effect("counters.cycles_lo.count", "ctrl.snapshot", "ctrl.clear")
async def snapshot_and_clear(test: EffectTest) -> None:
    """The registers hold the last snapshot; a clear starts all counts again; cycles count time."""
    await test.apply()
    first, start = await counts(test), test.env.rings.cycle()
    await test.run(0, test.read([Place(3)]))
    assert await counters.read_snapshot(test.env.registers) == first, "counters change without a snapshot"
    await test.env.registers.pulse("ctrl.snapshot")
    passed = test.env.rings.cycle() - start
    second = await counters.read_snapshot(test.env.registers)
    assert second["port0_ar"] == first["port0_ar"] + 1, "a snapshot does not bring the new counts"
    # `start` was taken after all counters were read, two accesses each.
    assert passed < second["cycles"] - first["cycles"] < passed + 40 * len(first), f"{passed} cycles passed"
    begin = test.env.rings.cycle()
    await test.env.registers.pulse("ctrl.clear")
    await test.env.registers.pulse("ctrl.snapshot")
    passed = test.env.rings.cycle() - begin
    third = await counters.read_snapshot(test.env.registers)
    assert 0 < third["cycles"] <= passed, f"{third['cycles']} cycles after a clear {passed} cycles ago"
    quiet = {name: count for name, count in third.items() if name != "cycles" and not name.endswith("stall_empty")}
    assert not any(quiet.values()), f"counts after a clear: {quiet}"


@effect(*per_unit("forward"))
async def counters_of_forwarding(test: EffectTest) -> None:
    """Reads behind a full write of their bytes count once each, others do not."""
    for port in range(2):

        def chunk() -> Chunk:
            places = [Place(col=n) for n in range(3)]
            return test.write(places) + test.read([*places, Place(col=0), Place(col=9)], at=24)

        for forward, wanted in ((1, 4), (0, 0)):
            found, log = await counted(test, port, chunk, policy={"forward": forward}, RCDWR=200, RCDRD=200)
            assert (found["forward"], found["rd_req"], found["rd"]) == (wanted, 5, 5 - wanted), f"PC {port}: {found}"
            assert log.count(*READS) == 5 - wanted


def latency_classes(test: EffectTest, port: int) -> dict[str, int]:
    """Classes of M9.4 of single reads, each of its own id, that found a free slot and RREADY high at once.

    The slot is given in the cycle after the AR handshake; data moves into the R register in the one before R's.
    """
    taken, data = test.rows("acc", port), test.rows("r", port)
    asked = {int(row["id"]): int(row["cycle"]) + 1 for row in taken[taken["kind"] == records.ACC_AR]}
    waits = np.array([int(row["cycle"]) - 1 - asked[int(row["id"])] for row in data])
    assert len(asked) == len(data)
    ends = [int(name) for name in counters.LATENCIES[:-1]]
    found = np.bincount(np.searchsorted(ends, waits, side="right"), minlength=len(counters.LATENCIES))
    return {f"lat_{name}": int(count) for name, count in zip(counters.LATENCIES, found, strict=True)}


@effect(*per_unit(*(f"lat_{name}" for name in counters.LATENCIES)))
async def counters_of_latency(test: EffectTest) -> None:
    """One read alone in a closed bank, hits after it, and thirty rows of one bank: classes as the handshakes tell."""
    for port in range(2):
        seen = dict.fromkeys((f"lat_{name}" for name in counters.LATENCIES), 0)
        for rcd, places, step in (
            (6, [Place(), Place(col=1), Place(col=2)], 200),
            (60, [Place(), Place(bank=1)], 200),
            (200, [Place(), Place(bank=1)], 300),
            (6, [Place(row) for row in range(30)], 0),
        ):
            # Forwarded reads are the fastest: a write of their bytes waits for its row.
            quick = test.config.params.count("RL") > 16 and rcd == 60

            def chunk(places: list[Place] = places, step: int = step, quick: bool = quick) -> Chunk:
                reads_ = test.read(places)
                reads_.ar["at"] += np.arange(len(places), dtype=np.uint64) * np.uint64(step)
                if not quick:
                    return reads_
                late = test.read([Place(9, 2)], at=1024)
                late.ar["id"] = 50
                return reads_ + test.write([Place(9, 2)], at=1000) + late

            found, _ = await counted(test, port, chunk, policy={"forward": 1}, RCDRD=rcd, RCDWR=200, RC=255, RAS=200)
            wanted = latency_classes(test, port)
            wrong = {name: (count, found[name]) for name, count in wanted.items() if found[name] != count}
            assert not wrong, f"port {port}: expected and counted {wrong}"
            seen = {name: count + wanted[name] for name, count in seen.items()}
        missed = [name for name, count in seen.items() if not count]
        assert not missed, f"port {port}: no read in {', '.join(missed)}"


@effect(*per_unit(*(name for name in counters.CAUSES if name != "busy")))
async def counters_of_stalls(test: EffectTest) -> None:
    """Each cause alone for a time that a register sets; the nine add up to all cycles (`counts`)."""
    amap = test.config.address_map
    one = [Place()]
    hits, partial = [Place(col=n) for n in range(20)], [Place(col=n) for n in range(6)]
    groups = [Place(bg=n % amap.bgs, bank=n // amap.bgs) for n in range(8)]

    def turn() -> Chunk:
        # A write hits an open row while a read of another bank waits for its row; reading goes on until it was idle.
        waits = test.read([Place(bg=1)]) + test.read([Place(bg=1, col=1), Place(1, bg=2)], at=200)
        return waits + test.write([Place(bg=1, col=5)], at=206)

    def alone() -> Chunk:
        chunk = test.write(partial, shape=traffic.ONE_BYTE)
        chunk.aw["at"] += np.arange(6, dtype=np.uint64) * np.uint64(200)
        return chunk

    def between(least: int, most: int) -> Callable[[int], bool]:
        return lambda count: least <= count <= most

    for port in range(2):
        cases: list[tuple[str, Callable[[], Chunk], dict[str, Any], Callable[[int], bool]]] = [
            # 19 times the 8 cycles of CCDL, one of which is the pick.
            ("stall_column", lambda: test.read(hits), {"CCDL": 16}, between(125, 140)),
            # From ACT to RD.
            ("stall_bank", lambda: test.read(one), {"RCDRD": 200}, between(95, 106)),
            # ACT 5 to 8 wait for the window.
            ("stall_activate", lambda: test.read(groups), {"FAW": 240, "RRDS": 2}, between(90, 130)),
            ("stall_turn", turn, {"policy": {**NEVER, "switch_idle": 90}, "RCDRD": 255}, between(40, 120)),
        ]  # fmt: skip
        for name, make, how, right in cases:
            found, _ = await counted(test, port, make, **how)
            assert right(found[name]), f"PC {port}: {name} {found[name]}, of {found}"
        # A read of a bank that is being refreshed.
        await test.apply({"refresh_en": 0, "refresh_all": 1, "refresh_hold": 1}, RFC=900, REFI=4000)
        await test.env.registers.pulse("ctrl.clear")
        start = test.now_ck()
        await test.env.registers.write_field("policy.refresh.refresh_en", 1)
        while not test.log.after(start).count(Cmd.REF, pc=port):
            await cycles(16)
            test.env.collect()
        await test.env.registers.write_field("policy.refresh.refresh_en", 0)
        test.words.pop("policy.refresh")
        await test.run(port, test.read(one))
        found = await counts(test)
        assert 300 <= found[f"pc{port}_stall_refresh"] <= 450, f"PC {port}: RFC 900, {found}"
        assert found[f"pc{1 - port}_stall_refresh"] == 0, f"PC {1 - port} has no request, {found}"
        # A partial write without mask pins is unstarted for one cycle, and nothing else is there (M3.3).
        found, _ = await counted(test, port, alone)
        wanted = 0 if test.config.base.geometry.has_data_mask else 6
        assert found["stall_hazard"] == wanted, f"PC {port}: stall_hazard {found['stall_hazard']}, expected {wanted}"
        # An idle channel, then a commit: commands are off at least for its settle time.
        await test.apply(RFC=2000)
        await test.env.registers.pulse("ctrl.clear")
        found = await counts(test)
        assert found[f"pc{port}_stall_empty"] == found["cycles"] > 0, f"PC {port}: {found}"
        await test.commit()
        found = await counts(test)
        assert 1000 <= found[f"pc{port}_stall_off"] <= found["cycles"], f"PC {port}: RFC 2000, {found}"


@pyuvm.test()
class CounterEffects(EffectTest):
    """Every event, alone where it can be, and in the counter of its own port or PC."""

    checks = (
        counters_of_commands,
        counters_of_errors,
        counters_of_refreshes,
        counters_of_full_queues,
        counters_of_forwarding,
        counters_of_latency,
        counters_of_stalls,
        snapshot_and_clear,
    )
