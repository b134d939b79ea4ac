"""Block tests of the pseudo-channels (bench: blk_pc): two PCs and their row arbiter, fed from request lists.

The bench checks every byte that is read, every byte that is left in the DRAM, and the CK of every data burst; here each
command of a run goes through the legality checker, and the run must have done what the test is about.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
import numpy.typing as npt
from cocotb.triggers import FallingEdge, Timer
from hbm_model.commands import Cmd, CmdArray
from hbm_model.legality import LegalityChecker, rule_of
from hbm_model.params import REGISTERS, Params
from hbm_model.presets import preset
from hbm_model.trace import read_commands
from hbm_tb.packed import layout_of

Ints = npt.NDArray[np.int64]

FULL_STRB = 0xFFFFFFFF
CYCLE_NS = 2
OPEN, LOOKAHEAD, CONFLICT, CLOSED, ADAPTIVE = range(5)
# Pulses of events_t, first member last in the counters.
EVENTS = (
    "act pre rd wr refsb ref_all row_hit row_closed row_conflict turnaround rmw rd_full wr_full forward rd_req wr_req "
    "busy stall_off stall_empty stall_column stall_turn stall_refresh stall_activate stall_bank stall_hazard"
).split()
POLICY = dict(
    page=LOOKAHEAD,
    ap_allowed=1,
    ap_min_ras=0,
    page_timeout=0,
    refresh_en=1,
    refresh_all=0,
    refresh_hold=6,
    pull_in=0,
    switch_low=2,
    switch_gain=4,
    switch_idle=16,
    write_high=24,
    write_low=0,
    forward=0,
    starve_limit=1000,
    qos_mid=16,
    qos_high=16,
)
PRESETS = {
    2: ("hbm2_2000_eng", "hbm2e_3200_eng", "hbm2e_3600_eng"),
    3: ("hbm3_6400_eng",),
    4: ("hbm4_8000_eng",),
}
# Values of shared test traffic: the sets that public simulators were compared with.
PEERS = {2: "peers_hbm2", 3: "peers_hbm3", 4: "peers_hbm3"}

_numbers = iter(range(10**9))


@dataclass(frozen=True)
class Sizes:
    """Geometry of the build."""

    generation: int
    sids: int
    bgs: int
    banks: int
    mask: int
    row_bits: int

    @property
    def name(self) -> str:
        """Folder of rtl/gen."""
        return f"hbm{self.generation}_s{self.sids}"

    def preset(self, index: int = 0) -> Params:
        """A preset that fits the build."""
        names = PRESETS[self.generation]
        return preset(f"{names[index % len(names)]}_s{self.sids}")

    def peers(self) -> Params:
        """The fitting preset with the timings of the simulators' comparison."""
        peer = preset(PEERS[self.generation])
        return self.preset().replaced(**{p.key: peer[p.key] for p in REGISTERS if p.key not in ("MRD", "MOD")})


@dataclass
class Requests:
    """One list of the bench: requests of one direction of one PC. gap in cycles; order: place among all of the PC."""

    sid: Ints
    bg: Ints
    bank: Ints
    row: Ints
    col: Ints
    gap: Ints | None = None
    strb: Ints | None = None
    order: Ints | None = None
    qos: Ints | None = None
    express: Ints | None = None  # 1: of the express lane

    def lines(self) -> list[str]:
        """128-bit words in the form of pc_side.sv."""
        zero = np.zeros_like(self.row)
        express = zero if self.express is None else self.express
        key = 1 << 31 | express << 30 | self.row << 12 | self.sid << 10 | self.bg << 8 | self.bank << 5 | self.col
        strb = zero + FULL_STRB if self.strb is None else self.strb
        gap = zero if self.gap is None else self.gap
        order = zero if self.order is None else self.order
        gap = gap if self.qos is None else gap | self.qos << 28
        rows = zip(strb.tolist(), gap.tolist(), order.tolist(), key.tolist(), strict=True)
        return [f"{s:08x}{g:08x}{o:08x}{k:08x}" for s, g, o, k in rows]

    def pick(self, where: npt.NDArray[np.bool_]) -> Requests:
        """Return a part, with the place of each request as its order."""
        part = np.flatnonzero(where)
        return Requests(self.sid[part], self.bg[part], self.bank[part], self.row[part], self.col[part], order=part)


Lists = dict[tuple[str, int], Requests]  # ("rd" or "wr", pc)


@dataclass
class Outcome:
    """What a run left in the bench, per PC."""

    reads: list[int]
    writes: list[int]
    first: list[int]
    last: list[int]
    worst: list[int]
    events: list[dict[str, int]]
    commands: CmdArray = field(repr=False)
    checker: LegalityChecker = field(repr=False)
    violations: list[str] = field(default_factory=list)

    def efficiency(self, pc: int) -> float:
        """Share of the peak bandwidth from the first acceptance to the last data."""
        return (self.reads[pc] + self.writes[pc]) / (self.last[pc] - self.first[pc] + 1)


class Bench:
    """Runs request lists through the block."""

    def __init__(self, dut: Any) -> None:
        self.blk = getattr(dut, "u_pc", dut)
        self.sizes = Sizes(*(int(self.blk.sizes.value) >> 16 * i & 0xFFFF for i in range(5, -1, -1)))
        self.number = -1

    def packed(self, struct: str, values: Mapping[str, int]) -> int:
        """Return the bits of a packed struct."""
        word = 0
        for name, (lsb, width) in layout_of(struct, self.sizes.name).items():
            if not 0 <= values[name] < 1 << width:
                raise ValueError(f"{name} = {values[name]} does not fit in {width} bits")
            word |= values[name] << lsb
        return word

    def array(self, name: str, width: int = 32, count: int = 2) -> list[int]:
        """Elements of a packed array, the first from the lowest bits."""
        value = int(getattr(self.blk, name).value)
        return [value >> width * i & (1 << width) - 1 for i in range(count)]

    async def start(
        self,
        params: Params,
        lists: Lists | None = None,
        policy: Mapping[str, int] | None = None,
        *,
        ordered: bool = False,
        seed: int = 1,
        rd_delay: int = 0,
        temp: int = 0b011,
    ) -> None:
        """Load the lists, reset the block, let it run."""
        blk = self.blk
        self.params = params
        self.number = next(_numbers)
        for pc in range(2):
            for direction in ("rd", "wr"):
                requests = (lists or {}).get((direction, pc))
                text = "\n".join(requests.lines()) if requests else "0"
                Path(f"{direction}{pc}_{self.number}.hex").write_text(text + "\n")
        await FallingEdge(blk.clk_i)
        blk.rst_drv.value = 1
        blk.load_drv.value = 1
        blk.run_drv.value = 0
        blk.record_drv.value = 0
        blk.close_drv.value = 0
        blk.surplus_drv.value = 0
        blk.number_drv.value = self.number
        blk.seed_drv.value = seed
        blk.ordered_drv.value = int(ordered)
        blk.rd_delay_drv.value = rd_delay
        blk.temp_drv.value = temp
        blk.timing_drv.value = self.packed("timing_t", params.timing)
        blk.policy_drv.value = self.packed("policy_t", {**POLICY, **(policy or {})})
        await FallingEdge(blk.clk_i)
        blk.load_drv.value = 0
        await FallingEdge(blk.clk_i)
        blk.rst_drv.value = 0
        blk.record_drv.value = 1
        blk.enable_drv.value = 1
        blk.run_drv.value = 1

    async def finish(self, limit: int = 400_000) -> Outcome:
        """Wait for the end of the lists, then check data, commands and that something happened."""
        for _ in range(limit // 256):
            await Timer(256 * CYCLE_NS, unit="ns")
            if int(self.blk.done.value) == 3:
                break
        await FallingEdge(self.blk.clk_i)
        await FallingEdge(self.blk.clk_i)
        await FallingEdge(self.blk.clk_i)
        assert int(self.blk.done.value) == 3, f"not finished after {limit} cycles: read {self.array('reads')}"
        assert self.array("errors") == [0, 0], f"data errors: {self.array('errors')} (see the log)"
        assert self.array("differences") == [0, 0], f"the DRAM differs from the requests: {self.array('differences')}"
        assert int(self.blk.surplus.value) == int(self.blk.missing.value) == 0
        outcome = await self.stop()
        assert not outcome.violations, "\n".join(outcome.violations[:5])
        assert sum(outcome.reads) + sum(outcome.writes) > 0 and len(outcome.commands) > 0, "nothing was checked"
        for pc, count in enumerate(outcome.events):
            self.account(count, outcome.reads[pc], outcome.writes[pc])
        return outcome

    def account(self, count: Mapping[str, int], reads: int, writes: int) -> None:
        """M9.1, M9.3: the counts of one PC after all its requests agree with each other, and its causes with time."""
        columns = count["rd"] + count["wr"]
        assert count["busy"] == columns == count["row_hit"] + count["row_closed"] + count["row_conflict"], count
        assert count["rd_req"] == reads and count["wr_req"] == writes == count["wr"], count
        assert count["rd"] + count["forward"] == reads + count["rmw"], count
        causes = sum(number for name, number in count.items() if name == "busy" or name.startswith("stall_"))
        # The counts reach the counters after two cycles, and `cycle` is read a cycle after the counters.
        now = int(self.blk.cycle.value)
        assert now - 4 <= causes <= now, f"{causes} cycles have a cause, {now} passed: {count}"

    def events(self) -> list[dict[str, int]]:
        """Counts of the pulses per PC since the start, those of the last two cycles left out."""
        counts, size = int(self.blk.counts.value), len(EVENTS)
        return [
            {name: counts >> 32 * (size * pc + size - 1 - i) & 0xFFFFFFFF for i, name in enumerate(EVENTS)}
            for pc in range(2)
        ]

    async def stop(self) -> Outcome:
        """Stop recording, read what was recorded, check it."""
        blk = self.blk
        await FallingEdge(blk.clk_i)
        blk.record_drv.value = 0
        await FallingEdge(blk.clk_i)
        await FallingEdge(blk.clk_i)
        trace = read_commands(f"commands_{self.number}.csv", self.params)
        checker = LegalityChecker(self.params)
        found = checker.check(trace.commands)
        names = [
            f"{rule_of(v).name} at {v['time'] / 2} CK, legal from {v['rule_earliest'] / 2} (commands_{self.number}.csv,"
            f" line {trace.lines[v['seq']]})"
            for v in found
        ]
        for path in Path().glob(f"??[01]_{self.number}.hex"):
            path.unlink()
        if not names:
            Path(f"commands_{self.number}.csv").unlink()
        return Outcome(
            self.array("reads"),
            self.array("writes"),
            self.array("first"),
            self.array("last"),
            self.array("worst"),
            self.events(),
            trace.commands,
            checker,
            names,
        )


# ---------------------------------------------------------------- traffic


def random_lists(sizes: Sizes, rng: np.random.Generator, count: int) -> Lists:
    """Reads and writes that meet in phases: everywhere, few rows, few columns, one bank, the very same bytes."""
    rows = 1 << sizes.row_bits
    kinds = rng.integers(0, 5, 9)
    few = rng.integers(0, 4, 9)
    lists: Lists = {}
    for pc in range(2):
        for direction in ("rd", "wr"):
            n = int(count * rng.uniform(0.3, 1))
            sid = rng.integers(0, sizes.sids, n)
            bg = rng.integers(0, sizes.bgs, n)
            bank = rng.integers(0, sizes.banks, n)
            row = rng.integers(0, rows, n)
            col = rng.integers(0, 32, n)
            phase = np.arange(n) * 8 // n
            for p, kind in enumerate(kinds):
                here = phase == p
                if kind == 1:
                    row[here] = few[p]
                elif kind == 2:
                    row[here], col[here], bg[here], bank[here] = row[here] % 3, col[here] % 2, bg[here] % 2, 0
                elif kind == 3:
                    row[here], bank[here] = row[here] % 2, bank[here] % 2
                elif kind == 4:
                    row[here], col[here], bg[here], bank[here], sid[here] = 5, col[here] % 3, 0, 0, 0
            slow = rng.random(n) < rng.choice([0, 0.02, 0.3])
            partial = rng.random(n) < rng.choice([0, 0.1, 0.8])
            gap = np.where(slow, rng.integers(0, rng.choice([2, 10, 200]), n), 0)
            strb = np.where(partial, rng.integers(1, FULL_STRB, n), FULL_STRB)
            qos = rng.integers(0, 16, n)
            express = (rng.random(n) < rng.choice([0, 0.2])).astype(np.int64)
            lists[direction, pc] = Requests(sid, bg, bank, row, col, gap, strb, qos=qos, express=express)
    return lists


def placed(sizes: Sizes, number: Ints) -> Requests:
    """Requests by access number in the map BG, column, bank, SID, row (LSB first)."""
    bg, rest = number % sizes.bgs, number // sizes.bgs
    col, rest = rest % 32, rest // 32
    bank, rest = rest % sizes.banks, rest // sizes.banks
    sid, row = rest % sizes.sids, rest // sizes.sids % (1 << sizes.row_bits)
    return Requests(sid, bg, bank, row, col)


def split(requests: Requests, write: npt.NDArray[np.bool_], pc: int) -> Lists:
    """Reads and writes of one PC, to be offered in their common order."""
    return {("rd", pc): requests.pick(~write), ("wr", pc): requests.pick(write)}


def random_policy(rng: random.Random) -> dict[str, int]:
    """Policy registers anywhere in their useful ranges."""
    return dict(
        page=rng.choice([LOOKAHEAD, LOOKAHEAD, OPEN, CONFLICT, CLOSED, ADAPTIVE]),
        ap_allowed=int(rng.random() < 0.9),
        ap_min_ras=rng.choice([0, 0, 40, 70]),
        refresh_all=int(rng.random() < 0.3),
        refresh_hold=rng.randrange(9),
        switch_low=rng.randrange(8),
        switch_gain=rng.randrange(6),
        switch_idle=rng.randrange(20),
        write_high=rng.randrange(1, 33),
        write_low=rng.randrange(16),
        forward=int(rng.random() < 0.6),
        starve_limit=rng.choice([0, 16, 64, 200, 1000]),
        page_timeout=rng.choice([0, 1, 20, 100]),
        pull_in=rng.choice([0, 1, 15]),
        qos_mid=rng.randrange(17),
        qos_high=rng.randrange(17),
    )


def random_timing(params: Params, rng: random.Random) -> Params:
    """Some distances shorter or longer, from the smallest value on."""
    fixed = {"REFI", "REFISB", "MRD", "MOD"}
    least = {"RL": 4, "CCDS": 2, "WTRS": 0, "WTRL": 0, "RTP": 0, "WR": 0, "RTW": 0}
    value = {p.key: params.count(p.key) for p in REGISTERS}
    for key in value:
        if key not in fixed and rng.random() < 0.6:
            low = least.get(key, 1)
            value[key] = min(rng.randint(low, value[key] * 3 // 2 + 2), 4095 if key in ("RFC", "RFCSB") else 255)
    for long, short in (("CCDL", "CCDS"), ("RRDL", "RRDS"), ("WTRL", "WTRS"), ("CCDR", "CCDS"), ("FAW", "RRDS")):
        value[long] = max(value[long], value[short])
    return params.replaced(**value)


# ---------------------------------------------------------------- tests


@cocotb.test()
@cocotb.parametrize(case=list(range(10)))
async def random_traffic_keeps_order_and_rules(dut: Any, case: int) -> None:
    """Reads and writes to the same bytes in every policy, refresh mode and timing: right data, legal commands."""
    bench = Bench(dut)
    rng = random.Random(cocotb.RANDOM_SEED + case)
    params = bench.sizes.preset(case)
    if case % 2:
        params = random_timing(params, rng)
    policy = random_policy(rng) if case else POLICY
    cocotb.log.info("policy %s, timing %s", policy, params.timing)
    lists = random_lists(bench.sizes, np.random.default_rng(rng.getrandbits(64)), 700)
    await bench.start(params, lists, policy, seed=rng.getrandbits(64), rd_delay=rng.randrange(4))
    done = await bench.finish()
    for pc in range(2):
        for direction, seen in (("rd", done.reads), ("wr", done.writes)):
            assert seen[pc] == len(lists[direction, pc].row)
    kinds = done.checker.counts
    assert kinds.get("ACT", 0) > 0
    partial = any(np.any(lists["wr", pc].strb != FULL_STRB) for pc in range(2))
    rmw = sum(e["rmw"] for e in done.events)
    assert (rmw > 0) == (partial and not bench.sizes.mask), f"{rmw} read-modify-writes"


@cocotb.test()
async def traffic_reaches_its_share_of_peak(dut: Any) -> None:
    """Refresh on, both PCs: streams are close to the bus limit, random reads to the activation limit."""
    bench = Bench(dut)
    count = 6000
    sequence = np.arange(count)
    rng = np.random.default_rng(12345)
    anywhere = rng.integers(0, 1 << 24, count)
    mix = rng.random(count) < 0.3
    reads = np.zeros(count, bool)
    floors = {2: (0.97, 0.88, 0.44, 0.40), 3: (0.97, 0.82, 0.29, 0.25), 4: (0.6, 0.5, 0.29, 0.25)}
    found = []
    for number, write in ((sequence, reads), (sequence, mix), (anywhere, reads), (anywhere, mix)):
        lists: Lists = {}
        for pc in range(2):
            lists |= split(placed(bench.sizes, number), write, pc)
        await bench.start(bench.sizes.peers(), lists, ordered=True)
        done = await bench.finish()
        found.append(min(done.efficiency(pc) for pc in range(2)))
    cocotb.log.info("share of peak: stream, streammix, random, mixed: %s", [f"{x:.3f}" for x in found])
    assert all(x >= floor for x, floor in zip(found, floors[bench.sizes.generation], strict=True)), found


@cocotb.test()
async def page_policies_differ_as_they_say(dut: Any) -> None:
    """open: never RDA; closed: always; lookahead: the last queued hit; conflict: only with another row waiting."""
    bench = Bench(dut)
    sizes = bench.sizes
    number = np.arange(256)
    alone = placed(sizes, number)  # hits, nobody wants another row
    alone.gap = np.where(number % 16 == 15, 300, 0)
    share = {}
    for page in (OPEN, LOOKAHEAD, CONFLICT, CLOSED):
        await bench.start(sizes.preset(), {("rd", 0): alone}, {"page": page, "refresh_en": 0})
        kinds = (await bench.finish()).checker.counts
        share[page] = kinds.get("RDA", 0) / (kinds.get("RDA", 0) + kinds.get("RD", 0))
    assert share[OPEN] == 0 and share[CONFLICT] == 0 and share[CLOSED] == 1 and 0 < share[LOOKAHEAD] < 1, share
    await bench.start(sizes.preset(), {("rd", 0): alone}, {"page": CLOSED, "ap_allowed": 0, "refresh_en": 0})
    assert "RDA" not in (await bench.finish()).checker.counts
    zero = np.zeros(64, np.int64)
    rivals = Requests(zero, zero, zero, np.arange(64) % 2, np.arange(64) % 32)
    await bench.start(sizes.preset(), {("rd", 0): rivals}, {"page": CONFLICT, "refresh_en": 0})
    assert (await bench.finish()).checker.counts.get("RDA", 0) > 0


@cocotb.test()
async def auto_precharge_waits_for_its_least_row_time(dut: Any) -> None:
    """With ap_min_ras, no RDA or WRA whose internal precharge would fall before ACT + ap_min_ras."""
    bench = Bench(dut)
    params, least = bench.sizes.preset(), 66
    rng = np.random.default_rng(cocotb.RANDOM_SEED & 0xFFFFFFFF)
    lists = random_lists(bench.sizes, rng, 600)
    await bench.start(params, lists, {"ap_min_ras": least})
    done = await bench.finish()
    start = {Cmd.RDA: params.count("RTP"), Cmd.WRA: params.count("WL") + 2 + params.count("WR")}
    opened: dict[tuple[int, ...], float] = {}
    closest, seen = 10**9, 0
    for c in done.commands:
        bank = (int(c["pc"]), int(c["sid"]), int(c["bg"]), int(c["bank"]))
        if c["cmd"] == Cmd.ACT:
            opened[bank] = c["time"] / 2 + 1
        elif c["cmd"] in start:
            seen += 1
            closest = min(closest, c["time"] / 2 + start[Cmd(c["cmd"])] - opened[bank])
    assert seen and closest >= least, f"{seen} auto-precharges, one {closest} CK after ACT"


@cocotb.test()
@cocotb.parametrize(temp=[0b000, 0b001, 0b011, 0b010, 0b110, 0b111], every_bank=[0, 1])
async def temperature_scales_the_refresh_interval(dut: Any, temp: int, every_bank: int) -> None:
    """Idle, each due refresh goes out at once: as many as intervals have passed."""
    bench = Bench(dut)
    params = bench.sizes.preset()
    times = {0b000: 4.0, 0b001: 2.0, 0b010: 0.5, 0b110: 0.25}.get(temp, 1.0)
    interval = int(params.count("REFI" if every_bank else "REFISB") * times)
    await bench.start(params, policy={"refresh_all": every_bank}, temp=temp)
    cycles = interval * 10 // 2 + 200
    await Timer(cycles * CYCLE_NS, unit="ns")
    done = await bench.stop()
    assert not done.violations, done.violations[:3]
    for events in done.events:
        count = events["ref_all" if every_bank else "refsb"]
        # The pause after a set may hold back those that fall due meanwhile.
        late = 0 if every_bank else params.count("RFCSB") // interval
        due = 2 * cycles // interval
        assert due - late - 1 <= count <= due + 1 and count >= 10, f"{count} refreshes in {cycles} cycles, {due} due"


@cocotb.test()
@cocotb.parametrize(every_bank=[0, 1], temp=[0b011, 0b110])
async def refresh_debt_stays_bounded_under_load(dut: Any, every_bank: int, temp: int) -> None:
    """Saturating random reads push the debt to the hold level and little further, also at a quarter of the interval."""
    bench = Bench(dut)
    number = np.random.default_rng(3).integers(0, 1 << 24, 4000)
    lists: Lists = {}
    for pc in range(2):
        lists |= split(placed(bench.sizes, number), np.zeros(len(number), bool), pc)
    hold = 4
    policy = {"refresh_all": every_bank, "refresh_hold": hold}
    await bench.start(bench.sizes.preset(), lists, policy, ordered=True, temp=temp)
    await bench.finish()
    debts = bench.array("most_debt")
    # M6.5: a set beyond the level at which the rest of the set is held; all-bank: one more may fall due meanwhile.
    most = hold + 1 if every_bank else hold + 4 + (16 if temp == 0b110 else 0)
    assert all(1 <= debt <= most for debt in debts), f"debt {debts}"


@cocotb.test()
async def old_requests_overtake_a_hit_stream(dut: Any) -> None:
    """A read of another row waits about two age intervals behind hits to the open row; without a limit, longer."""
    bench = Bench(dut)
    count, every = 3000, 500
    zero = np.zeros(count, np.int64)
    row = np.where(np.arange(count) % every == every - 1, 1, 0)
    requests = Requests(zero, zero, zero, row, np.arange(count) % 32)
    worst = {}
    for limit in (0, 32):
        await bench.start(
            bench.sizes.preset(), {("rd", 0): requests}, {"starve_limit": limit, "page": OPEN, "refresh_en": 0}
        )
        worst[limit] = (await bench.finish()).worst[0]
    row_cycle = bench.sizes.preset().count("RC") // 2
    assert worst[32] <= 2 * 32 + 40 * 3 + 2 * row_cycle, worst
    assert worst[0] > 2 * worst[32], f"the limit has no effect: {worst}"


@cocotb.test()
async def quality_of_service_shortens_the_wait(dut: Any) -> None:
    """A read of another row behind hits: qos_high makes it urgent at once, qos_mid saves it one age interval (M4.5)."""
    bench = Bench(dut)
    count, every, limit = 6000, 500, 200
    zero = np.zeros(count, np.int64)
    rare = np.arange(count) % every == every - 1
    requests = Requests(zero, zero, zero, rare * 1, np.arange(count) % 32, qos=np.where(rare, 9, 3))
    worst = {}
    for name, policy in {
        "none": {"starve_limit": 0},
        "aged": {"starve_limit": limit},
        "mid": {"starve_limit": limit, "qos_mid": 9},
        "above": {"starve_limit": limit, "qos_mid": 10, "qos_high": 10},
        "high": {"starve_limit": 0, "qos_high": 9},
    }.items():
        await bench.start(
            bench.sizes.preset(), {("rd", 0): requests}, {"page": OPEN, "refresh_en": 0, "qos_high": 16, **policy}
        )
        worst[name] = (await bench.finish()).worst[0]
    # Entries in front of it, their columns 2 cycles apart at most, and two row cycles.
    row = bench.sizes.preset().count("RC") + 40 * 3
    assert worst["high"] <= row and worst["mid"] <= limit + row, worst
    assert limit + row < worst["aged"] <= 2 * limit + row < worst["none"], worst
    assert worst["above"] == worst["aged"], worst


@cocotb.test()
@cocotb.parametrize(stream=["rd", "wr"])
async def a_starved_read_gets_through_a_high_stream(dut: Any, stream: str) -> None:
    """Endless hits of high class keep their row and direction; a read of another row is champion in the end (M4.7)."""
    bench = Bench(dut)
    params, count, every, limit = bench.sizes.preset(), 4000, 400, 32
    number = np.arange(count)
    zero = np.zeros(count, np.int64)
    rare = number % every == every - 1
    high = np.where(rare, 0, 15)
    mixed = Requests(zero, zero, zero, rare * 1, number % 32, qos=high)
    lists: Lists = {("rd", 0): mixed}
    if stream == "wr":
        lists = split(mixed, ~rare, 0)
        lists["wr", 0].qos, lists["rd", 0].qos = high[~rare], high[rare]
    worst = {}
    for starve_limit in (limit, 0):
        # Nothing but age would ever turn to the reads or close the row.
        policy = {"page": OPEN, "refresh_en": 0, "qos_high": 8, "starve_limit": starve_limit, "write_low": 0}
        await bench.start(params, lists, policy, ordered=stream == "wr")
        worst[starve_limit] = (await bench.finish()).worst[0]
    # Two intervals; then the last write's data, precharge, activate, read; and a champion of the stream before it.
    row = sum(params.count(key) for key in ("WL", "WR", "RP", "RCDRD", "RL", "WTRL", "RAS"))
    assert worst[limit] <= 2 * limit + row, worst
    if stream == "rd":
        assert worst[0] > 4 * worst[limit], f"the limit has no effect: {worst}"


@cocotb.test()
async def adaptive_page_policy_learns(dut: Any) -> None:
    """Lone reads of a bank: ACT, PRE, RD and RDA come exactly as the predictor of M4.8 says, in all its states.

    ap_min_ras keeps a row open over its first column, so that another row can close it in every state; the time-out
    closes it without another row.
    """
    bench = Bench(dut)
    rng = np.random.default_rng(cocotb.RANDOM_SEED & 0xFFFFFFFF)
    count = 120
    # Now nearly always another row, now nearly always the same one.
    row = np.cumsum(rng.random(count) < np.repeat(np.tile([0.9, 0.1], 6), 10)) % 3
    far = rng.random(count) < 0.25
    zero = np.zeros(count, np.int64)
    lone = Requests(zero, zero, zero, row, rng.integers(0, 32, count), gap=np.where(far, 320, 60))
    policy = {"page": ADAPTIVE, "refresh_en": 0, "ap_min_ras": 66, "page_timeout": 100}
    await bench.start(bench.sizes.preset(), {("rd", 0): lone}, policy)
    done = await bench.finish()
    counter, last, opened, wanted, want, states = 2, -1, -1, False, [], set()
    for now, late in zip(row.tolist(), far.tolist(), strict=True):
        if late and opened >= 0:
            want.append(Cmd.PRE)
            opened = -1
        first = opened != now
        if first:
            if opened >= 0:
                want.append(Cmd.PRE)
                wanted = True
            want.append(Cmd.ACT)
            if last == now:
                counter = min(counter + 1, 3)
            elif last >= 0 and wanted:
                counter = max(counter - 1, 0)
            last, opened, wanted = now, now, False
        states.add(counter)
        want.append(Cmd.RDA if counter < 2 and not first else Cmd.RD)
        if want[-1] == Cmd.RDA:
            opened = -1
    seen = [int(command) for command in done.commands["cmd"]]
    assert seen[: len(want)] == [int(command) for command in want]
    assert states == {0, 1, 2, 3}, f"the test left out states: {states}"


@cocotb.test()
async def unused_rows_close_after_the_time_out(dut: Any) -> None:
    """A row that nobody wants is precharged one to two intervals after its last use (M4.8), and never with 0."""
    bench = Bench(dut)
    limit, count = 64, 100
    rng = np.random.default_rng(cocotb.RANDOM_SEED & 0xFFFFFFFF)
    zero = np.zeros(count, np.int64)
    # Two reads of a row, then a pause in which it closes: whatever the place in the interval.
    gap = np.where(np.arange(count) % 2, rng.integers(1, limit, count), 3 * limit + rng.integers(0, limit, count))
    flat = np.arange(count) // 2 % (bench.sizes.bgs * bench.sizes.banks)
    lone = Requests(zero, flat % bench.sizes.bgs, flat // bench.sizes.bgs, zero + 7, np.arange(count) % 32, gap=gap)
    for page_timeout in (limit, 0):
        policy = {"page": OPEN, "refresh_en": 0, "page_timeout": page_timeout}
        await bench.start(bench.sizes.preset(), {("rd", 0): lone}, policy)
        done = await bench.finish()
        used: dict[tuple[int, int], float] = {}
        waits = []
        for c in done.commands:
            bank, ck = (int(c["bg"]), int(c["bank"])), c["time"] / 2
            if c["cmd"] == Cmd.PRE:
                waits.append((ck - used[bank]) / 2)
            else:
                used[bank] = ck
        if not page_timeout:
            assert not waits
            continue
        assert len(waits) >= count // 2 - 1, f"{len(waits)} rows were closed"
        # Beat in the cycle after the pick, then one interval, pick, offer; or beat in the cycle of the pick and two.
        assert all(limit + 2 <= wait <= 2 * limit + 4 for wait in waits), sorted(waits)
        assert min(waits) < 1.25 * limit and max(waits) > 1.75 * limit, "all rows were used at the same beat count"


@cocotb.test()
@cocotb.parametrize(every_bank=[0, 1], pull_in=[0, 1, 3, 15])
async def refreshes_run_ahead_up_to_the_limit(dut: Any, every_bank: int, pull_in: int) -> None:
    """Idle, refreshes go early until pull_in are ahead (all-bank: hold and pull at most 8), and not one more (M6.7)."""
    bench = Bench(dut)
    params, hold = bench.sizes.preset(), 3
    policy = {"refresh_all": every_bank, "pull_in": pull_in, "refresh_hold": hold}
    await bench.start(params, policy=policy)
    limit = min(pull_in, 8 - hold) if every_bank else pull_in
    interval = params.count("REFI" if every_bank else "REFISB")
    cycles = 200 + limit * params.count("RFC") + 4 * interval
    await Timer(cycles * CYCLE_NS, unit="ns")
    done = await bench.stop()
    assert not done.violations, done.violations[:3]
    assert bench.array("most_early") == [limit] * 2
    for events in done.events:
        count, due = events["ref_all" if every_bank else "refsb"], 2 * cycles // interval
        assert due + limit - 1 <= count <= due + limit + 1, f"{count} refreshes, {due} due, {limit} may be ahead"


@cocotb.test()
@cocotb.parametrize(every_bank=[0, 1])
async def no_bank_waits_longer_than_nine_intervals(dut: Any, every_bank: int) -> None:
    """Idle with pull-in, then saturated with the highest hold, again and again: the gaps grow to the bound of M6.5."""
    bench = Bench(dut)
    params = bench.sizes.peers()
    hold, pull, temp = (4, 15, 0b110) if every_bank else (15, 15, 0b010)
    interval = params.count("REFI") // 4 if every_bank else params.count("REFISB") // 2
    count = 14_000
    gap = np.zeros(count, np.int64)
    gap[:: count // 2] = 4_000
    number = np.random.default_rng(3).integers(0, 1 << 24, count)
    lists: Lists = {}
    for pc in range(2):
        anywhere = placed(bench.sizes, number)
        anywhere.gap = gap
        lists["rd", pc] = anywhere
    policy = {"refresh_all": every_bank, "refresh_hold": hold, "pull_in": pull}
    await bench.start(params, lists, policy, temp=temp)
    done = await bench.finish()
    banks = bench.sizes.sids * bench.sizes.bgs * bench.sizes.banks
    most = 9 if every_bank else 2 * banks + hold + 4 + banks // bench.sizes.sids + pull
    least = 6 if every_bank else banks + hold  # what no controller without debt or pull-in shows
    longest = 0.0
    last: dict[tuple[int, ...], float] = {}
    for c in done.commands[np.isin(done.commands["cmd"], [Cmd.REF, Cmd.REFSB])]:
        bank = (int(c["pc"]), *(() if every_bank else (int(c["sid"]), int(c["bg"]), int(c["bank"]))))
        longest = max(longest, (c["time"] / 2 - last.get(bank, c["time"] / 2)) / interval)
        last[bank] = c["time"] / 2
    assert least < longest <= most, f"longest gap {longest:.1f} intervals, at most {most}"
    limit = min(pull, 8 - hold) if every_bank else pull
    assert bench.array("most_early") == [limit] * 2 and all(debt >= hold for debt in bench.array("most_debt"))


@cocotb.test()
async def writes_drain_without_starving(dut: Any) -> None:
    """Endless reads to open rows and some writes: the direction changes, be it by the rules on age and idle."""
    bench = Bench(dut)
    count = 2500
    reads = placed(bench.sizes, np.arange(count))
    writes = placed(bench.sizes, np.arange(0, count * 4, 40) + (1 << 20))
    for policy in ({}, {"switch_gain": 63, "write_high": 63, "starve_limit": 64}, {"switch_low": 0, "write_low": 63}):
        await bench.start(bench.sizes.preset(), {("rd", 0): reads, ("wr", 0): writes}, policy)
        done = await bench.finish()
        assert done.events[0]["turnaround"] >= 2, policy


# ---------------------------------------------------------------- forwarding (M3.6), express entries (M3.1)
def forwarded(done: Outcome, pc: int = 0) -> int:
    """Reads that were answered without a command of their own; no read-modify-writes may be among the commands."""
    assert done.events[pc]["rmw"] == 0
    return done.reads[pc] - done.events[pc]["rd"]


def sites(sizes: Sizes, count: int, each: int = 1) -> Requests:
    """`count` places in rows of their own, `each` requests to each."""
    place = np.repeat(np.arange(count), each)
    zero = np.zeros_like(place)
    return Requests(zero, place % sizes.bgs, place // sizes.bgs % sizes.banks, 7 + place, place % 32)


@cocotb.test()
async def a_read_is_forwarded_until_its_write_is_picked(dut: Any) -> None:
    """Write and read of the same bytes, the read 0, 1, 2 ... cycles later: forwarded up to the pick of the write."""
    bench = Bench(dut)
    count, pause = 60, 400
    policy = {"starve_limit": 0}
    found = {}
    for forward in (0, 1):
        writes, reads = sites(bench.sizes, count), sites(bench.sizes, count)
        writes.gap = np.full(count, pause)
        reads.gap = np.full(count, pause + 1)
        reads.gap[0] = pause
        await bench.start(bench.sizes.preset(), {("wr", 0): writes, ("rd", 0): reads}, {**policy, "forward": forward})
        done = await bench.finish()
        found[forward] = forwarded(done)
    # A write to a closed row takes at least tRCD from its enqueue to its pick.
    least = bench.sizes.preset().count("RCDWR") // 2
    assert found[0] == 0 and least <= found[1] < count, found


@cocotb.test()
async def only_a_full_youngest_write_is_forwarded(dut: Any) -> None:
    """Full, partial: the read waits for both. Partial, full: it is forwarded, also from a write of its own cycle."""
    bench = Bench(dut)
    if not bench.sizes.mask:
        return  # the reads of read-modify-writes would have to be told apart; the system tests do
    count = 24
    policy = {"forward": 1, "refresh_en": 0, "starve_limit": 0}
    full, part = FULL_STRB, 0x00FFFF01
    for pattern, expected in (((full, part), 0), ((part, full), count), ((part, part), 0), ((full, full), count)):
        writes, reads = sites(bench.sizes, count, each=2), sites(bench.sizes, count)
        writes.gap = np.where(np.arange(2 * count) % 2 == 0, 400, 0)
        writes.strb = np.tile(np.array(pattern), count)
        for late in (1, 2, 3):  # with the second write, after it
            reads.gap = np.full(count, 401)
            reads.gap[0] = 400 + late
            await bench.start(bench.sizes.preset(), {("wr", 0): writes, ("rd", 0): reads}, policy)
            assert forwarded(await bench.finish()) == expected, (pattern, late)


@cocotb.test()
async def forwarded_reads_find_their_way_between_the_data_of_others(dut: Any) -> None:
    """Reads saturate the data bus: all of queued writes are forwarded, in gaps of their own, and the stream goes on."""
    bench = Bench(dut)
    sizes = bench.sizes
    stay, before, count, every = 16, 300, 3000, 10
    policy = {"forward": 1, "starve_limit": 0, "switch_gain": 63, "switch_idle": 255, "write_high": 63, "page": OPEN}
    policy["refresh_en"] = 0
    number = np.arange(count)
    again = (number % every == every - 1) & (number >= before)
    # A queued write keeps its row open: it gets the last bank, which the stream leaves out.
    away = sizes.bgs * 32 * (sizes.banks - 1)
    number[again] = away + number[again] // every % stay
    lists: Lists = {}
    for pc in range(2):
        writes, reads = placed(sizes, away + np.arange(stay)), placed(sizes, number)
        reads.bank = np.where(again, reads.bank, reads.bank % (sizes.banks - 1))
        writes.gap = np.where(np.arange(stay) == 0, 200, 0)
        lists |= {("wr", pc): writes, ("rd", pc): reads}
    await bench.start(sizes.preset(), lists, policy)
    # A late start fills the read queue, and the stream keeps it filled: data comes back without a gap. Without gaps
    # made for them, three forwarded reads would keep all others out until the queue is empty.
    bench.blk.enable_drv.value = 0
    await Timer(100 * CYCLE_NS, unit="ns")
    await FallingEdge(bench.blk.clk_i)
    bench.blk.enable_drv.value = 1
    done = await bench.finish()
    for pc in range(2):
        assert forwarded(done, pc) == int(again.sum()), forwarded(done, pc)
        assert done.efficiency(pc) > 0.9, done.efficiency(pc)


@cocotb.test()
async def express_reads_have_two_entries_of_their_own(dut: Any) -> None:
    """Normal reads fill 32 entries of the read queue, express ones 34."""
    bench = Bench(dut)
    count = 120
    for express, most in ((0, 32), (1, 34)):
        zero = np.zeros(count, np.int64)
        slow = Requests(zero, zero, zero, np.arange(count), zero, express=zero + express)
        await bench.start(bench.sizes.preset(), {("rd", 0): slow}, {"refresh_en": 0})
        await bench.finish()
        assert bench.array("most_reads")[0] == most


@cocotb.test()
async def maintenance_closes_and_reopens(dut: Any) -> None:
    """While closed no command leaves and all banks are idle; afterwards traffic and refreshes go on."""
    bench = Bench(dut)
    blk = bench.blk
    lists = random_lists(bench.sizes, np.random.default_rng(5), 500)
    await bench.start(bench.sizes.preset(), lists, {"page": OPEN, "starve_limit": 0})
    await Timer(300 * CYCLE_NS, unit="ns")
    await FallingEdge(blk.clk_i)
    blk.run_drv.value = 0
    blk.close_drv.value = 1
    for _ in range(8000):
        await FallingEdge(blk.clk_i)
        if int(blk.closed.value) == 3:
            break
    assert int(blk.closed.value) == 3 and int(blk.idle.value) == 3
    before = bench.events()
    for _ in range(1500):
        await FallingEdge(blk.clk_i)
        assert int(blk.closed.value) == 3
    for pc, events in enumerate(bench.events()):
        passed = {name: count - before[pc][name] for name, count in events.items()}
        assert 1495 <= passed.pop("stall_off") <= 1500, passed
        assert not any(passed.values()), f"a command left a closed PC: {passed}"
    blk.close_drv.value = 0
    blk.run_drv.value = 1
    await bench.finish()


@cocotb.test()
async def surplus_read_data_is_reported(dut: Any) -> None:
    """Data that no read waits for raises the surplus output of that PC only."""
    bench = Bench(dut)
    await bench.start(bench.sizes.preset(), {("rd", 0): placed(bench.sizes, np.arange(4))})
    await Timer(200 * CYCLE_NS, unit="ns")
    assert int(bench.blk.surplus.value) == 0
    bench.blk.surplus_drv.value = 0b10
    await Timer(10 * CYCLE_NS, unit="ns")
    assert int(bench.blk.surplus.value) == 0b10
    await bench.stop()


@cocotb.test()
async def missing_read_data_is_reported(dut: Any) -> None:
    """A read whose data does not come back within 1023 quiet cycles raises the missing output."""
    bench = Bench(dut)
    await bench.start(bench.sizes.preset(), {("rd", 0): placed(bench.sizes, np.arange(1))}, rd_delay=255)
    await Timer(900 * CYCLE_NS, unit="ns")
    assert int(bench.blk.missing.value) == 0
    await bench.stop()
    bench.blk.mute_drv.value = 1
    await bench.start(bench.sizes.preset(), {("rd", 0): placed(bench.sizes, np.arange(1))})
    await Timer(1200 * CYCLE_NS, unit="ns")
    bench.blk.mute_drv.value = 0
    assert int(bench.blk.missing.value) == 0b01
    await bench.stop()


@cocotb.test()
async def a_short_register_is_seen_by_the_checker(dut: Any) -> None:
    """The bench can fail: a distance programmed too short gives violations of just that rule."""
    bench = Bench(dut)
    params = bench.sizes.preset()
    lists = random_lists(bench.sizes, np.random.default_rng(7), 200)
    await bench.start(params.replaced(RCDRD=params.count("RCDRD") - 4), lists)
    bench.params = params
    await Timer(4000 * CYCLE_NS, unit="ns")
    done = await bench.stop()
    assert done.violations and all(v.startswith("tRCDRD ") for v in done.violations), done.violations[:3]
