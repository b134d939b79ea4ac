"""The exact controller model: every command with its CK and every response with its cycle, from what is offered.

Written from docs/microarchitecture.md alone. The loop is `_machine.run`; this module turns parameters and requests into
its tables and its lists back into commands and response cycles. Cycles count from the first one with reset high.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from hbm_model import _machine as m
from hbm_model.addrmap import DEFAULT_MAP, AddressMap, named_map
from hbm_model.commands import CMD_DTYPE, Cmd, CmdArray
from hbm_model.csr import ap_min_ras
from hbm_model.csr_table import REGISTERS
from hbm_model.errors import InputError
from hbm_model.params import Params
from hbm_model.requests import RequestTrace

I64 = npt.NDArray[np.int64]
Rows = npt.NDArray[np.void]
LAST_CYCLE: Final = 1 << 60

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
EV_REGISTER: Final = 1  # cycle of the APB handshake; a: byte address; b: data | PSTRB << 32 | PSLVERR << 36
EV_TEMP: Final = 2  # first cycle in which it holds; b: TEMP[2:0]
EV_READY: Final = 3  # first cycle; a: port * 2 + channel (0 R, 1 B); b: probability of READY in 1/256
EV_SEED: Final = 4  # first cycle; b: seed of the READY pattern (docs/bench.md, "Back-pressure")
EV_ROW: Final = np.dtype([("cycle", "<u8"), ("kind", "<u4"), ("a", "<u4"), ("b", "<u8")])

R_ROW: Final = np.dtype([("cycle", "<u8"), ("id", "<u2"), ("resp", "u1"), ("last", "u1"), ("pad", "u1", (4,))])
B_ROW: Final = np.dtype([("cycle", "<u8"), ("id", "<u2"), ("resp", "u1"), ("pad", "u1", (5,))])
AR: Final = 0  # places in Foreseen.accepted[port]
AW: Final = 1
W: Final = 2


@dataclass(frozen=True)
class Foreseen:
    """What a piece of a run brings. Lists per port; every cycle is that of a handshake."""

    commands: CmdArray  # CMD_DTYPE in pin order, MRS included: those decided before the end of the piece
    accepted: tuple[tuple[I64, I64, I64], tuple[I64, I64, I64]]  # [port][AR, AW, W]: cycles
    r: tuple[Rows, Rows]  # R_ROW
    b: tuple[Rows, Rows]  # B_ROW
_CHUNK: Final = 1 << 18  # commands between two looks at the clock


@dataclass(frozen=True)
class Policy:
    """The policy registers (docs/registers.md); the defaults are their values after reset."""

    page: int = 1
    ap_allowed: int = 1
    ap_min_ras: int = 0
    refresh_en: int = 1
    refresh_all: int = 0
    refresh_hold: int = 6
    switch_low: int = 3
    switch_gain: int = 2
    switch_idle: int = 16
    write_high: int = 24
    write_low: int = 4
    starve_limit: int = 1000

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
    beat: int = -1  # cycle of the first beat (M4.5), when starve_limit was not that of the reset; -1: starve_limit - 1


_FACTOR: Final = {0: (4, 1), 1: (2, 1), 3: (1, 1), 2: (1, 2), 6: (1, 4)}


def refresh_interval(setup: Setup) -> int:
    """M6.1: CK between two refreshes that fall due."""
    base = setup.params.count("REFI" if setup.policy.refresh_all else "REFISB")
    times, by = _FACTOR.get(setup.temp, (1, 1))
    return max(base * times // by, 2)


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
        m.K_ACT_RDA: max(policy.ap_min_ras - t["RTP"], 0),
        m.K_ACT_WRA: max(policy.ap_min_ras - end - t["WR"], 0),
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
        m.K_INTERVAL: refresh_interval(setup),
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
        m.K_FIRST: setup.first,
        m.K_PAUSE: LAST_CYCLE,
        m.K_RESUME: LAST_CYCLE,
        m.K_MERGE: 0 if shape.has_data_mask else 1,
        m.K_OUTSTANDING: setup.outstanding,
        m.K_OPEN: setup.opens,
        m.K_BEAT: policy.starve_limit - 1 if setup.beat < 0 else setup.beat,
    }
    for place, value in values.items():
        k[place] = value
    for pc in range(2):
        # M8.3: pick in p, registered in p + 1; both halves are back when the later one is.
        k[m.K_RD_DATA + pc] = 4 + (pc + rl) // 2 + setup.rd_delay + (pc + rl) % 2
        k[m.K_WR_DATA + pc] = 1 + (pc + wl) // 2
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


class Channel:
    """One channel with two PCs, run in pieces: timing sets may change between two pieces while it is quiet."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.k = constants(setup)
        self.clock = np.zeros(4, np.int64)
        self.state = np.zeros((2, m.X_SIZE), np.int64)
        self._out = np.zeros((_CHUNK + 8, 6), np.int64)
        self.table = np.zeros((0, m.Q_COLUMNS), np.int64)
        self.orders = np.zeros((2, 1), np.int64)
        self.earlier: list[CmdArray] = []  # commands of pieces run before
        for pc in range(2):
            _reset(self.state[pc], self.k)

    @staticmethod
    def from_reset(params: Params, init_shift: int = 16, auto_init: bool = True) -> Channel:
        """A channel in cycle 0, the first one with reset high; `params` are the values of its registers after reset.

        init_shift: shifts tINIT1 and tINIT3 right (M7.1); auto_init: it starts without being told.
        """
        raise NotImplementedError

    def offer_ax(self, port: int, write: bool, rows: Rows) -> None:
        """Append bursts (AX_ROW) to AW (`write`) or AR of a port."""
        raise NotImplementedError

    def offer_w(self, port: int, rows: Rows) -> None:
        """Append beats (W_ROW) to W of a port."""
        raise NotImplementedError

    def events(self, rows: Rows) -> None:
        """Append events (EV_ROW), none earlier than the cycle that the model has reached."""
        raise NotImplementedError

    def next_set(self, params: Params, address_map: AddressMap, row_limit: int, rd_delay: int) -> None:
        """The set that the next Load makes active (M7.3): the golden values, whatever was written."""
        raise NotImplementedError

    def step(self, until: int) -> Foreseen:
        """Run all cycles before `until`; every VALID, beat and event of those cycles has been given."""
        raise NotImplementedError

    def adopt(self, setup: Setup) -> None:
        """Go on with another set of values (M7.3), history kept."""
        self.setup = setup
        self.k = constants(setup)

    def offer(
        self, trace: RequestTrace, address_map: AddressMap, ids: I64 | None = None, partial: I64 | None = None
    ) -> None:
        """Set the requests of both ports: single-beat transactions, each port in the order of the trace."""
        at = address_map.decode(trace.address)
        shape = self.setup.params.geometry
        table = np.zeros((len(trace), m.Q_COLUMNS), np.int64)
        table[:, m.Q_WRITE] = trace.write
        table[:, m.Q_BANK] = (at.sid * shape.bgs + at.bg) * shape.banks + at.bank
        table[:, m.Q_ROW] = at.row
        table[:, m.Q_COL] = at.col
        table[:, m.Q_AT] = (trace.cycle + 1) // 2
        table[:, m.Q_ID] = 0 if ids is None else ids
        table[:, m.Q_PART] = 0 if partial is None else partial
        table[:, m.Q_LINK] = -1
        for column in (m.Q_OFFERED, m.Q_TAKEN, m.Q_DONE):
            table[:, column] = -1
        lists = [np.flatnonzero(at.pc == pc) for pc in range(2)]
        self.orders = np.zeros((2, max(1, *(len(each) for each in lists))), np.int64)
        for pc, each in enumerate(lists):
            self.orders[pc, : len(each)] = each
            self.state[pc, m.H_NEXT] = 0
            self.state[pc, m.H_END] = len(each)
            self.state[pc, m.H_ANSWERS] = 0
        self.table = table
        self._pc = at.pc

    def run(self, until: int = LAST_CYCLE, to_the_end: bool = True) -> CmdArray:
        """Run to cycle `until`, or until every request is answered."""
        parts = []
        self.clock[2] = int(to_the_end)
        while True:
            m.run(self.state, self.k, self.table, self.orders, self._out, self.clock, until)
            made = int(self.clock[3])
            parts.append(self._out[:made].copy())
            if made < _CHUNK:
                break
        return self._commands(np.concatenate(parts))

    def _commands(self, rows: I64) -> CmdArray:
        shape = self.setup.params.geometry
        out = np.zeros(len(rows), CMD_DTYPE)
        bank = rows[:, 3]
        out["time"] = rows[:, 0]
        out["cmd"] = rows[:, 1]
        out["pc"] = rows[:, 2]
        whole = (rows[:, 1] == Cmd.PREA) | (rows[:, 1] == Cmd.REF)
        bank = np.where(whole, 0, bank)
        out["sid"] = bank // (shape.bgs * shape.banks)
        out["bg"] = bank // shape.banks % shape.bgs
        out["bank"] = bank % shape.banks
        out["row"] = rows[:, 4]
        out["col"] = rows[:, 5]
        return in_order(out)

    def prediction(self, commands: CmdArray) -> Prediction:
        """Commands and the cycles of all requests so far."""
        q = self.table
        return Prediction(
            commands,
            q[:, m.Q_OFFERED].copy(),
            q[:, m.Q_TAKEN].copy(),
            q[:, m.Q_DONE].copy(),
            self._pc,
            int(self.clock[0]),
        )


def in_order(commands: CmdArray) -> CmdArray:
    """Commands by time; at the same time row commands first, then by PC."""
    column = (commands["cmd"] >= Cmd.RD) & (commands["cmd"] <= Cmd.WRA)
    return commands[np.lexsort((commands["pc"], column, commands["time"]))]


def _reset(x: I64, k: I64) -> None:
    for base in (m.B_RD, m.B_WR, m.B_RDA, m.B_WRA, m.B_PRE, m.B_ACT, m.G_ACTS, m.G_RD, m.G_WR):
        x[base : base + m.MAX_BANKS] = m.NEVER
    x[m.S_RD : m.S_RD + 8] = m.NEVER
    for place in (m.T_ACT, m.T_REFSB, m.T_COL, m.T_COL_W, m.T_PRE, m.T_PREA, m.T_REF):
        x[place] = m.NEVER
    x[m.WINDOW : m.WINDOW + 4] = m.NEVER
    x[m.B_ROW : m.B_ROW + m.MAX_BANKS] = -1
    x[m.B_LAST : m.B_LAST + m.MAX_BANKS] = -1 - np.arange(m.MAX_BANKS)
    x[m.RD_PICKED : m.RD_PICKED + 64] = m.NEVER
    x[m.WR_PICKED : m.WR_PICKED + 16] = m.NEVER
    x[m.ID_OLD : m.ID_OLD + m.IDS] = -1
    x[m.LAST] = -1
    x[m.LEFT] = (1 << k[m.K_PER_SID]) - 1
    x[m.DUE] = 2 * (k[m.K_FIRST] + 1) + k[m.K_INTERVAL]
    x[m.H_REG] = x[m.H_BEAT] = x[m.H_PUT] = -1
    x[m.H_CREDIT] = 32
    x[m.H_SOURCE] = 2


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


def split_settings(params: Params, settings: Mapping[str, int]) -> tuple[Params, dict[str, int]]:
    """Settings by name into timing (returned as parameters) and policy registers."""
    known = {each.name for each in fields(Policy)}
    timing = {key: value for key, value in settings.items() if key not in known}
    for key in timing:
        if key not in params.ticks:
            raise InputError(f"`{key}` is neither a timing parameter nor a policy register")
    try:
        changed = params.replaced(**timing) if timing else params
    except ValueError as error:
        raise InputError(str(error)) from None
    return changed, {key: value for key, value in settings.items() if key in known}
