"""An effect test for every register field: program it, run the traffic that it governs, see what changes.

`EFFECTS` names the check of each field; `tests/rtl/test_effects.py` compares it with the list of all fields. A timing
is programmed to two values, each of which binds (the others are small): the closest pair of the commands that it
separates stands exactly on the first slot that the value allows (contract M1.2, M1.4), on both PCs.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import numpy as np
import pyuvm
from dram_tests import DramTest
from hbm_model.commands import Cmd
from hbm_model.csr_table import REGISTERS
from hbm_model.params import PARAM, Params
from hbm_tb import traffic
from hbm_tb.command_log import COLUMNS, READS, WRITES, CommandLog
from hbm_tb.link import cycles
from hbm_tb.scoreboard import Mismatch
from hbm_tb.traffic import Chunk

SEEN = "HBM_EFFECT"  # printed with the field's name when its effect was seen

EFFECTS: dict[str, str] = {}  # register.field -> name of the check
Check = Callable[["EffectTest"], Awaitable[None]]
C = TypeVar("C", bound=Check)

# Fields whose effect only a block test can show, with the reason.
BLOCK_TESTS: dict[str, tuple[str, str]] = {}  # register.field -> (module.test, reason)


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
            words[register.path] = sum(
                left.pop(info.name, info.reset or 0) << info.lsb for info in register.fields
            )
    if left:
        raise ValueError(f"no policy field {', '.join(left)}")
    return words


# Every other timing is small when one is looked at. Refresh is off and far away.
FAST = {
    "RCDRD": 6, "RCDWR": 6, "RP": 4, "RAS": 6, "RC": 10, "RRDS": 2, "RRDL": 2, "FAW": 4, "CCDS": 2, "CCDL": 2, "CCDR": 2,
    "WTRS": 2, "WTRL": 2, "RTP": 2, "WR": 2, "RTW": 4, "RFC": 20, "RFCSB": 20, "RREFD": 4, "REFI": 65535,
    "REFISB": 65535, "PPD": 1,
}  # fmt: skip
QUIET_POLICY = {"page": 0, "refresh_en": 0}


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

    async def body(self) -> None:
        self.words: dict[str, int] = {}
        self.params: Params = self.config.params
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
        if commit:
            await self.commit()
        await self.write_words(policy_words(**policies))
        self.env.checks.kept.clear()
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

    async def run(self, port: int, chunk: Chunk) -> CommandLog:
        """Play on one port; the commands of its PC, writes included that go out after their B."""
        start = self.now_ck()
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
    Timing("RRDS", (9, 14), reads(*(Place(bg=n) for n in range(4))), (Cmd.ACT,), (Cmd.ACT,), "other_group", same=("RRDL",)),
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
