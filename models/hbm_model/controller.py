"""The exact controller model: every command with its CK and every response with its cycle, from what is offered.

Written from docs/microarchitecture.md alone. The loop is `_run.run`; this module turns parameters and requests into
its tables and its lists back into commands and response cycles. Cycles count from the first one with reset high.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from hbm_model import _places as m
from hbm_model import _port_places as p
from hbm_model import _run as r
from hbm_model._control import (
    C_LOADED,
    NO_REFRESH,
    control_adopt,
    control_at_rest,
    control_policies,
    control_reset,
    derive,
    derive_limits,
)
from hbm_model._port import port_idle
from hbm_model.addrmap import DEFAULT_MAP, OFFSET_BITS, AddressMap, named_map
from hbm_model.commands import CMD_DTYPE, Cmd, CmdArray
from hbm_model.csr import ap_min_ras
from hbm_model.csr_table import REGISTERS
from hbm_model.errors import InputError
from hbm_model.params import Params
from hbm_model.requests import RequestTrace

I64 = npt.NDArray[np.int64]
Rows = npt.NDArray[np.void]
LAST_CYCLE: Final = 1 << 60
COUNT_MASK: Final = (1 << 48) - 1
COUNTER_NAMES: Final = tuple(
    register.path.removeprefix("counters.").removesuffix("_lo")
    for register in REGISTERS
    if register.path.startswith("counters.") and register.path.endswith("_lo")
)

# ------------------------------------------------------------------ what the outside offers, and what is foreseen
# Cycles count from the first one with reset high (docs/bench.md, "Time").

# A burst on AR or AW. `cycle`: the first one in which its VALID is high; the rest as on the AXI channel.
AX_ROW: Final = np.dtype(
    [
        ("cycle", "<u8"),
        ("addr", "<u8"),
        ("id", "<u2"),
        ("len", "u1"),
        ("size", "u1"),
        ("burst", "u1"),
        ("lock", "u1"),
        ("qos", "u1"),
        ("pad", "u1"),
    ]
)
# A beat on W. Beats belong to the bursts of AW in their order; they may come before them.
W_ROW: Final = np.dtype([("cycle", "<u8"), ("strb", "<u4"), ("last", "u1"), ("pad", "u1", (3,))])

# What else comes from outside: changes only, in the order of `cycle`. Kinds and meaning of a and b:
EV_RESET: Final = 0  # ignored: a channel begins with the release of reset
EV_REGISTER: Final = 1  # cycle of the APB handshake; a: byte address; b: the whole word as it then is
EV_TEMP: Final = 2  # first cycle in which it holds; b: TEMP[2:0]
EV_READY: Final = 3  # first cycle; a: port * 2 + channel (0 R, 1 B); b: probability of READY in 1/256
EV_SEED: Final = 4  # first cycle; b: seed of the READY pattern (docs/bench.md, "Back-pressure")
EV_ROW: Final = np.dtype([("cycle", "<u8"), ("kind", "<u4"), ("a", "<u4"), ("b", "<u8")])

R_ROW: Final = np.dtype([("cycle", "<u8"), ("id", "<u2"), ("resp", "u1"), ("last", "u1"), ("pad", "u1", (4,))])
B_ROW: Final = np.dtype([("cycle", "<u8"), ("id", "<u2"), ("resp", "u1"), ("pad", "u1", (5,))])
AR: Final = 0  # places in Foreseen.accepted[port]
AW: Final = 1
W: Final = 2


_MOST: Final = 1 << 13  # cycles in one call of the loop: bounds all its lists
_COLUMNS: Final = (p.AX_COLUMNS, p.AX_COLUMNS, p.W_COLUMNS)  # of AR, AW, W
_IN_PLACES: Final = (p.AR_AT, p.AW_AT, p.W_AT)  # the end stands behind
_INPUTS: Final = (0, _MOST * p.AX_COLUMNS, 2 * _MOST * p.AX_COLUMNS)  # where the rows of AR, AW, W stand in the arena
_AX_FIELDS: Final = (
    (p.AX_CYCLE, "cycle"),
    (p.AX_ADDR, "addr"),
    (p.AX_ID, "id"),
    (p.AX_LEN, "len"),
    (p.AX_SIZE, "size"),
    (p.AX_BURST, "burst"),
    (p.AX_LOCK, "lock"),
    (p.AX_QOS, "qos"),
)
_W_FIELDS: Final = ((p.W_CYCLE, "cycle"), (p.W_STRB, "strb"), (p.W_LAST, "last"))


def _outputs() -> tuple[tuple[tuple[int, int, int], ...], int]:
    """(place of the pointer, first cell, columns) of what a port answers on AR, AW, W, R, B; size of the arena."""
    at = _INPUTS[2] + _MOST * p.W_COLUMNS
    lists = []
    for place, columns in (
        (p.AR_OUT, p.ACC_COLUMNS),
        (p.AW_OUT, p.ACC_COLUMNS),
        (p.W_OUT, p.ACC_COLUMNS),
        (p.R_OUT, p.R_COLUMNS),
        (p.B_OUT, p.B_COLUMNS),
    ):
        lists.append((place, at, columns))
        at += _MOST * columns
    return tuple(lists), at


_OUTPUTS, _ARENA = _outputs()


@dataclass(frozen=True)
class Foreseen:
    """What a piece of a run brings. Lists per port; every cycle is that of a handshake."""

    commands: CmdArray  # CMD_DTYPE in pin order, MRS included: those decided before the end of the piece
    accepted: tuple[tuple[I64, I64, I64], tuple[I64, I64, I64]]  # [port][AR, AW, W]: cycles
    r: tuple[Rows, Rows]  # R_ROW
    b: tuple[Rows, Rows]  # B_ROW


_FULL: Final = (1 << 32) - 1  # strobes of a whole beat


@dataclass(frozen=True)
class Policy:
    """The policy registers (docs/registers.md); the defaults are their values after reset."""

    page: int = 4
    ap_allowed: int = 1
    ap_min_ras: int = 0
    page_timeout: int = 40
    refresh_en: int = 1
    refresh_all: int = 0
    refresh_hold: int = 8
    pull_in: int = 0
    switch_low: int = 2
    switch_gain: int = 4
    switch_idle: int = 14
    write_high: int = 8
    write_low: int = 4
    forward: int = 1
    starve_limit: int = 1000
    qos_mid: int = 4
    qos_high: int = 8

    @staticmethod
    def of(params: Params, **values: int) -> Policy:
        """Values after reset for a preset, some of them changed; names are those of the register fields."""
        known = {each.name for each in fields(Policy)}
        limits = {each.name: (1 << each.width) - 1 for register in REGISTERS for each in register.fields}
        for name, value in values.items():
            if name not in known:
                raise InputError(f"`{name}` is no policy register; known: {', '.join(sorted(known))}")
            if not 0 <= value <= limits[name]:
                raise InputError(f"{name} is {value}, expected 0 to {limits[name]}")
        return replace(Policy(ap_min_ras=ap_min_ras(params)), **values)


@dataclass(frozen=True)
class Setup:
    """A channel at rest: parameters, policies, and when it begins.

    first: first cycle with commands allowed (M7.2); opens: first cycle in which a port may offer a request.
    """

    params: Params
    policy: Policy
    first: int = 0
    opens: int = 0
    rd_delay: int = 0
    outstanding: int = 0  # requests that a port may have open; 0: no limit
    temp: int = 3  # TEMP code (M6.1)
    read_entries: int = m.HOST_ENTRIES  # host entries of the queues (M3.1); other numbers are for studies only
    write_entries: int = m.HOST_ENTRIES
    address_map: AddressMap | None = None  # None: the default map; `offer` brings its own
    row_limit: int = 0  # first row that is no memory; 0: that of the geometry


def map_constants(k: I64, address_map: AddressMap, row_limit: int) -> None:
    """M2.6: the address map as the loop uses it."""
    at, widths = address_map.shifts, address_map.widths
    k[m.K_MAP_BITS] = address_map.in_bits
    k[m.K_ROW_LIMIT] = row_limit
    k[m.K_COL_MASK] = (1 << widths["col"]) - 1
    for place, name in ((m.K_ROW_AT, "row"), (m.K_BANK_AT, "bank"), (m.K_GROUP_AT, "bg"), (m.K_SID_AT, "sid")):
        k[place] = at[name]
        k[place + 1] = (1 << widths[name]) - 1
    inputs = np.arange(256, dtype=np.uint64)
    for table in range(4):
        addresses = (inputs << np.uint64(8 * table)) << np.uint64(OFFSET_BITS)
        inside = 8 * table < address_map.in_bits
        first = m.K_TABLE + 256 * table
        k[first : first + 256] = address_map.to_dram(addresses) if inside else 0


def constants(setup: Setup) -> I64:
    """M1.5 and M8 as the numbers that the loop uses."""
    params, policy = setup.params, setup.policy
    t = {key: params.count(key) for key in params.ticks}
    shape = params.geometry
    wl, rl = t["WL"], t["RL"]
    end = wl + 2
    k = np.zeros(m.K_SIZE, np.int64)
    per_sid = shape.bgs * shape.banks
    values = {
        m.K_GEN: shape.generation,
        m.K_BANKS: per_sid * shape.sids,
        m.K_PER_SID: per_sid,
        m.K_PER_GROUP: shape.banks,
        m.K_SIDS: shape.sids,
        m.K_RCDRD: t["RCDRD"],
        m.K_RCDWR: t["RCDWR"],
        m.K_RAS: t["RAS"],
        m.K_ACT_ACT: max(t["RC"], t["RAS"] + t["RP"]),
        m.K_RTP: t["RTP"],
        m.K_WR_PRE: end + t["WR"],
        m.K_WR_RDA: end + max(t["WR"] - t["RTP"], 0),
        m.K_RP: t["RP"],
        m.K_RFCSB: t["RFCSB"],
        m.K_RRDL: t["RRDL"],
        m.K_CCDL: t["CCDL"],
        m.K_WTRL: end + t["WTRL"],
        m.K_RRDS: t["RRDS"],
        m.K_FAW: t["FAW"],
        m.K_CCDS: t["CCDS"],
        m.K_CCDR: t["CCDR"],
        m.K_WTRS: end + t["WTRS"],
        m.K_RD_WR: max(t["RTW"], rl + 2 - wl),
        m.K_RREFD: t["RREFD"],
        m.K_RFC: t["RFC"],
        m.K_PPD: t["PPD"],
        m.K_PAGE: policy.page,
        m.K_AP: policy.ap_allowed,
        m.K_REFRESH: policy.refresh_en,
        m.K_ALL_BANK: policy.refresh_all,
        m.K_HOLD: policy.refresh_hold,
        m.K_LOW: policy.switch_low,
        m.K_GAIN: policy.switch_gain,
        m.K_IDLE: policy.switch_idle,
        m.K_WRITE_HIGH: policy.write_high,
        m.K_WRITE_LOW: policy.write_low,
        m.K_STARVE: policy.starve_limit,
        m.K_TIMEOUT: policy.page_timeout,
        m.K_PULL: policy.pull_in,
        m.K_FORWARD: policy.forward,
        m.K_QOS_MID: policy.qos_mid,
        m.K_QOS_HIGH: policy.qos_high,
        m.K_AP_MIN: policy.ap_min_ras,
        m.K_REFI: t["REFI"],
        m.K_REFISB: t["REFISB"],
        m.K_TEMP: setup.temp,
        m.K_MERGE: 0 if shape.has_data_mask else 1,
        m.K_OUTSTANDING: setup.outstanding,
        m.K_READ_ENTRIES: setup.read_entries,
        m.K_WRITE_ENTRIES: setup.write_entries,
    }
    for place, value in values.items():
        k[place] = value
    for pc in range(2):
        # M8.3: pick in p, registered in p + 1; both halves are back when the later one is.
        k[m.K_RD_DATA + pc] = 4 + (pc + rl) // 2 + setup.rd_delay + (pc + rl) % 2
        k[m.K_WR_DATA + pc] = 1 + (pc + wl) // 2
        k[m.K_WR_SENT + pc] = 1 + (pc + wl + 1) // 2
    derive(k)
    derive_limits(k)
    map_constants(k, setup.address_map or named_map(DEFAULT_MAP, shape), setup.row_limit or shape.rows)
    return k


@dataclass
class Prediction:
    """What the model foresees. Arrays of requests are in the order of the trace; cycles are controller cycles."""

    commands: CmdArray
    offered: I64  # cycle in which VALID rises
    taken: I64  # cycle of the (last) handshake of AR, or AW and W
    done: I64  # cycle of the handshake of R or B
    pc: I64
    cycles: int  # cycles run


class _Feed:
    """What was offered on one channel of a port and is not yet taken: rows of integers."""

    def __init__(self, columns: int) -> None:
        self.rows = np.zeros((0, columns), np.int64)
        self.at = 0

    def append(self, rows: I64) -> None:
        self.rows = np.concatenate((self.rows[self.at :], rows)) if self.at < len(self.rows) else rows
        self.at = 0


class Channel:
    """One channel with two PCs and their ports, run in pieces of any length.

    Two ways of offering: `offer` takes a request trace (`hbm sim`: single-beat, in the order of the trace, a VALID
    rises when the request before it is accepted); `offer_ax` and `offer_w` say when each VALID rises, as a test bench
    saw it.
    """

    def __init__(self, setup: Setup) -> None:
        if max(setup.read_entries, setup.write_entries) > m.RANKS:
            raise InputError(f"the model holds queues of at most {m.RANKS} entries")
        self.setup = setup
        # Deep queues of studies leave no room for the entries of merges and of the express lane.
        self._host_only = setup.read_entries + m.RESERVED_ENTRIES + m.EXPRESS_ENTRIES > m.RANKS
        self.k = constants(setup)
        policy = setup.policy
        self.control: I64 = control_at_rest(setup.params, setup.first, policy.starve_limit, policy.page_timeout)
        self._next: tuple[Params, AddressMap, int, int] | None = None
        self.clock = np.zeros(r.CLOCK_SIZE, np.int64)
        self.state = np.zeros((2, p.X_SIZE), np.int64)
        self.earlier: list[CmdArray] = []  # commands of pieces run before
        self._out = np.zeros((_MOST * r.PER_CYCLE, 6), np.int64)
        self._arena = np.zeros((2, _ARENA), np.int64)
        self._events = np.zeros((0, r.EV_COLUMNS), np.int64)
        self._feeds = [[_Feed(columns) for columns in _COLUMNS] for _ in range(2)]
        self._trace: tuple[npt.NDArray[np.bool_], I64] | None = None  # write, pc
        self._made: list[CmdArray] = []
        self._answers: list[list[list[I64]]] = [[[] for _ in _OUTPUTS] for _ in range(2)]
        for pc in range(2):
            _reset(self.state[pc], self.k)

    @staticmethod
    def from_reset(params: Params, init_shift: int = 16, auto_init: bool = True) -> Channel:
        """A channel in cycle 0, the first one with reset high; `params` are the values of its registers after reset.

        init_shift: shifts tINIT1 and tINIT3 right (M7.1); auto_init: it starts without being told.
        """
        policy = Policy.of(params)
        channel = Channel(Setup(params, policy))
        channel.control = control_reset(params, init_shift, auto_init, policy.starve_limit, policy.page_timeout)
        shape = params.geometry
        channel.next_set(params, named_map(DEFAULT_MAP, shape), shape.rows, 0)
        return channel

    def next_set(self, params: Params, address_map: AddressMap, row_limit: int, rd_delay: int) -> None:
        """The set that the next load makes active (M7.1, M7.3): the golden values, whatever was written."""
        self._next = (params, address_map, row_limit, rd_delay)

    def copy(self) -> Channel:
        """A channel in the same state that goes its own way; what the other one has yet to give out is not in it."""
        twin = copy.copy(self)
        for name in ("k", "control", "clock", "state"):
            setattr(twin, name, getattr(self, name).copy())
        twin._feeds = [[copy.copy(feed) for feed in port] for port in self._feeds]
        twin._made = []
        twin._answers = [[[] for _ in _OUTPUTS] for _ in range(2)]
        return twin

    _SCRATCH = ("_out", "_arena", "earlier", "_trace")  # not part of the state

    def __getstate__(self) -> dict[str, object]:
        """What a file of the channel holds (hbm_model.frozen)."""
        return {name: value for name, value in vars(self).items() if name not in self._SCRATCH}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state)
        self.earlier, self._trace = [], None
        self._out = np.zeros((_MOST * r.PER_CYCLE, 6), np.int64)
        self._arena = np.zeros((2, _ARENA), np.int64)

    # ------------------------------------------------------------------ offers

    def offer_ax(self, port: int, write: bool, rows: Rows) -> None:
        """Append bursts (AX_ROW) to AW (`write`) or AR of a port."""
        if len(rows) == 0:
            return
        if self._host_only:
            raise InputError(f"a channel with {self.setup.read_entries} read entries takes request traces only")
        if int(rows["id"].max()) >= p.IDS:
            raise InputError(f"id {int(rows['id'].max())}: the model holds ids below {p.IDS}")
        table = np.empty((len(rows), p.AX_COLUMNS), np.int64)
        for place, name in _AX_FIELDS:
            table[:, place] = rows[name]
        table[:, p.AX_ORDER] = 0
        self._feeds[port][AW if write else AR].append(table)

    def offer_w(self, port: int, rows: Rows) -> None:
        """Append beats (W_ROW) to W of a port."""
        if len(rows) == 0:
            return
        table = np.empty((len(rows), p.W_COLUMNS), np.int64)
        for place, name in _W_FIELDS:
            table[:, place] = rows[name]
        self._feeds[port][W].append(table)

    def offer(
        self, trace: RequestTrace, address_map: AddressMap, ids: I64 | None = None, partial: I64 | None = None
    ) -> None:
        """Set the requests of both ports: single-beat transactions, each port in the order of the trace."""
        if self._host_only and (partial is not None or self.setup.policy.qos_high == 0):
            raise InputError(f"{self.setup.read_entries} read entries leave none for merges and the express lane")
        map_constants(self.k, address_map, address_map.rows)
        pc, address = address_map.split(trace.address)
        write = np.asarray(trace.write, np.bool_)
        self._trace = (write, pc)
        self._answers = [[[] for _ in _OUTPUTS] for _ in range(2)]
        table = np.zeros((len(trace), p.AX_COLUMNS), np.int64)
        table[:, p.AX_CYCLE] = np.maximum((trace.cycle + 1) // 2, self.setup.opens)
        table[:, p.AX_ADDR] = address
        table[:, p.AX_ID] = 0 if ids is None else ids
        table[:, p.AX_SIZE] = 5
        table[:, p.AX_BURST] = 1
        for port in range(2):
            x = self.state[port]
            if self._feeds[port][AR].rows[self._feeds[port][AR].at :].size or not port_idle(x):
                raise InputError("requests are offered while others are still to be answered")
            mine = np.flatnonzero(pc == port)
            table[mine, p.AX_ORDER] = np.arange(len(mine)) + int(x[p.AR_TAKEN] + x[p.AW_TAKEN])
            writes = mine[write[mine]]
            beats = np.ones((len(writes), p.W_COLUMNS), np.int64)
            beats[:, p.W_CYCLE] = table[writes, p.AX_CYCLE]
            beats[:, p.W_STRB] = _FULL if partial is None else np.where(np.asarray(partial)[writes], 1, _FULL)
            for channel, rows in ((AR, table[mine[~write[mine]]]), (AW, table[writes]), (W, beats)):
                self._feeds[port][channel].append(rows)
            x[p.ORDERED] = 1

    def events(self, rows: Rows) -> None:
        """Append events (EV_ROW), none earlier than the cycle that the model has reached."""
        table = np.empty((len(rows), r.EV_COLUMNS), np.int64)
        for column, name in enumerate(("cycle", "kind", "a")):
            table[:, column] = rows[name]
        table[:, 3] = rows["b"].astype(np.int64)
        if len(table) and int(table[:, 0].min()) < int(self.clock[r.CYCLE]):
            raise InputError(f"an event of cycle {int(rows['cycle'].min())} comes late: the model is past it")
        both = np.concatenate((self._events[int(self.clock[r.EVENT]) :], table))
        self._events = both[np.argsort(both[:, 0], kind="stable")]
        self.clock[r.EVENT] = 0
        self.clock[r.EVENTS] = len(both)

    # ------------------------------------------------------------------ runs

    def _advance(self, until: int) -> None:
        """One call of the loop: at most _MOST cycles that are not skipped, so that no list can run over."""
        clock = self.clock
        for port in range(2):
            x, t = self.state[port], self._arena[port]
            for channel, feed in enumerate(self._feeds[port]):
                count = min(len(feed.rows) - feed.at, _MOST)
                base = _INPUTS[channel]
                columns = _COLUMNS[channel]
                if count:
                    t[base : base + count * columns] = feed.rows[feed.at : feed.at + count].reshape(-1)
                x[_IN_PLACES[channel]] = base
                x[_IN_PLACES[channel] + 1] = base + count * columns
            for place, base, _ in _OUTPUTS:
                x[place] = base
        r.run(self.state, self.k, self.control, self._arena, self._events, self._out, clock, until, _MOST)
        if self.control[C_LOADED]:
            self._load()
        made = int(clock[r.COMMANDS])
        words = np.empty((made, 2), np.int64)
        r.pack(self._out, made, self.k, words)
        self._made.append(words.view(CMD_DTYPE)[:, 0])
        for port in range(2):
            x, t = self.state[port], self._arena[port]
            for channel, feed in enumerate(self._feeds[port]):
                feed.at += (int(x[_IN_PLACES[channel]]) - _INPUTS[channel]) // _COLUMNS[channel]
            for answers, (place, base, columns) in zip(self._answers[port], _OUTPUTS, strict=True):
                end = int(x[place])
                if end > base:
                    answers.append(t[base:end].reshape(-1, columns).copy())

    def step(self, until: int) -> Foreseen:
        """Run all cycles before `until`; every VALID, beat and event of those cycles has been given."""
        self.clock[r.TO_THE_END] = 0
        while int(self.clock[r.CYCLE]) < until:
            self._advance(until)
        lists = [
            [
                np.concatenate(answers) if answers else np.zeros((0, columns), np.int64)
                for answers, (_, _, columns) in zip(port, _OUTPUTS, strict=True)
            ]
            for port in self._answers
        ]
        self._answers = [[[] for _ in _OUTPUTS] for _ in range(2)]
        accepted, r_rows, b_rows = zip(
            *(
                (
                    (port[AR][:, 0], port[AW][:, 0], port[W][:, 0]),
                    _rows(port[3], R_ROW, ("cycle", "id", "resp", "last")),
                    _rows(port[4], B_ROW, ("cycle", "id", "resp")),
                )
                for port in lists
            ),
            strict=True,
        )
        return Foreseen(self._take_commands(), accepted, r_rows, b_rows)

    def run(self, until: int = LAST_CYCLE, to_the_end: bool = True) -> CmdArray:
        """Run to cycle `until`, or until every request is answered."""
        self.clock[r.TO_THE_END] = int(to_the_end)
        self.clock[r.ENDED] = 0
        while int(self.clock[r.CYCLE]) < until and not self.clock[r.ENDED]:
            self._advance(until)
        return self._take_commands()

    def _take_commands(self) -> CmdArray:
        commands = np.concatenate(self._made) if self._made else np.zeros(0, CMD_DTYPE)
        self._made = []
        return commands

    # ------------------------------------------------------------------ counters (M9)

    def counters(self) -> dict[str, int]:
        """The counts of the cycles run so far: what a snapshot whose write ends in the next cycle would hold.

        Keys are the names of the registers (csr_table) without `counters.` and `_lo`.
        """
        clock = self.clock
        return _counts(int(clock[r.CYCLE] - clock[r.CLEARED]), self.state[:, m.COUNTERS : m.COUNTERS_END])

    def snapshot(self) -> dict[str, int] | None:
        """The counts of the last snapshot (a write of ctrl.snapshot), None before the first one."""
        if not self.clock[r.SNAPSHOTS]:
            return None
        return _counts(int(self.clock[r.SNAPSHOT]), self.state[:, m.SNAPSHOT : m.X_SIZE])

    # ------------------------------------------------------------------ sets of values

    def _load(self) -> None:
        """M7.3: the next set becomes the active one; policies stay."""
        if self._next is None:
            raise ValueError("a load without a next set")
        params, address_map, row_limit, rd_delay = self._next
        self.setup = replace(self.setup, params=params, rd_delay=rd_delay, address_map=address_map, row_limit=row_limit)
        old = self.k
        self.k = constants(self.setup)
        control_policies(old, self.k)
        control_adopt(self.control, params)

    def prediction(self, commands: CmdArray) -> Prediction:
        """Commands and the cycles of all requests of `offer` so far; -1 for what has not happened."""
        if self._trace is None:
            raise ValueError("no trace was offered")
        write, pc = self._trace
        offered, taken, done = (np.full(len(write), -1, np.int64) for _ in range(3))
        for port in range(2):
            answers = [
                np.concatenate(each) if each else np.zeros((0, columns), np.int64)
                for each, (_, _, columns) in zip(self._answers[port], _OUTPUTS, strict=True)
            ]
            x = self.state[port]
            reads = np.flatnonzero((pc == port) & ~write)
            writes = np.flatnonzero((pc == port) & write)
            offered[reads[: len(answers[AR])]] = answers[AR][:, 1]
            taken[reads[: len(answers[AR])]] = answers[AR][:, 0]
            offered[writes[: len(answers[AW])]] = answers[AW][:, 1]
            taken[writes[: len(answers[W])]] = answers[W][:, 0]  # W is not offered before its AW
            both = min(len(answers[AW]), len(answers[W]))
            taken[writes[:both]] = np.maximum(answers[AW][:both, 0], answers[W][:both, 0])
            first = int(x[p.AR_TAKEN]) - len(answers[AR])  # reads of traces offered before
            done[reads[answers[3][:, 4] - first]] = answers[3][:, 0]
            done[writes[: len(answers[4])]] = answers[4][:, 0]
        return Prediction(commands, offered, taken, done, pc, int(self.clock[r.CYCLE]))


def _counts(cycles: int, rows: I64) -> dict[str, int]:
    """Rows of both PCs by name, as the registers of 48 bits show them."""
    parts = (rows[:, : m.PC_COUNTERS], rows[:, m.PC_COUNTERS :])
    values = [cycles, *(int(each) for part in parts for pc in part for each in pc)]
    return {name: value & COUNT_MASK for name, value in zip(COUNTER_NAMES, values, strict=True)}


def _rows(table: I64, dtype: np.dtype[np.void], names: tuple[str, ...]) -> Rows:
    out = np.zeros(len(table), dtype)
    for column, name in enumerate(names):
        out[name] = table[:, column]
    return out


def in_order(commands: CmdArray) -> CmdArray:
    """Commands by time; at the same time row commands first, then by PC."""
    column = (commands["cmd"] >= Cmd.RD) & (commands["cmd"] <= Cmd.WRA)
    return commands[np.lexsort((commands["pc"], column, commands["time"]))]


def _reset(x: I64, k: I64) -> None:
    for base in (m.B_RD, m.B_WR, m.B_RDA, m.B_WRA, m.B_PRE, m.B_ACT, m.G_ACTS, m.G_RD, m.G_WR):
        x[base : base + m.MAX_BANKS] = m.NEVER
    x[m.S_RD : m.S_RD + 16] = m.NEVER
    for place in (m.T_ACT, m.T_COL, m.T_COL_W, m.T_PRE, m.T_PREA, m.T_REF):
        x[place] = m.NEVER
    x[m.WINDOW : m.WINDOW + 4] = m.NEVER
    x[m.B_ROW : m.B_ROW + m.MAX_BANKS] = -1
    x[m.B_OLD : m.B_OLD + m.MAX_BANKS] = -1
    x[m.B_COUNT : m.B_COUNT + m.MAX_BANKS] = 2  # M4.8
    x[m.B_LAST : m.B_LAST + m.MAX_BANKS] = -1 - np.arange(m.MAX_BANKS)
    x[m.RD_PICKED : m.RD_PICKED + 64] = m.NEVER
    x[m.WR_PICKED : m.WR_PICKED + 16] = m.NEVER
    x[m.LAST] = -1
    x[m.GAP] = -1
    x[m.CHAMP_QUEUE] = m.WRITE  # M4.7: the read queue goes first
    x[m.LEFT] = (1 << k[m.K_PER_SID]) - 1
    x[m.DUE] = NO_REFRESH
    p.reset_port(x, k)


def port_ids(trace: RequestTrace, address_map: AddressMap, ids: int = 16) -> I64:
    """The AXI ids of `hbm run`: the number of the request on its port, modulo `ids`."""
    pc = address_map.split(trace.address)[0]
    out = np.zeros(len(trace), np.int64)
    for each in range(2):
        mine = np.flatnonzero(pc == each)
        out[mine] = np.arange(len(mine)) % ids
    return out


def simulate(
    setup: Setup,
    trace: RequestTrace,
    address_map: AddressMap | None = None,
    ids: I64 | None = None,
    partial: I64 | None = None,
) -> Prediction:
    """Predict a whole trace on a channel that begins at rest."""
    channel = Channel(setup)
    channel.offer(trace, address_map or named_map(DEFAULT_MAP, setup.params.geometry), ids, partial)
    return channel.prediction(channel.run())
