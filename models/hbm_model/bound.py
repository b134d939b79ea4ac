"""Lower bounds on the time that a request trace takes, whatever the controller does (`hbm bound`).

Independent of the exact model: from parameters, address map and requests alone. Two bounds per PC:

* offline: everything is known from the start, any order is allowed, only requests to the same 32 bytes keep theirs;
* in order: requests arrive one by one in the order of their port, and wait in finite queues.

Time runs from the first edge of the first command (or the first acceptance) to the end of the last data on the pins, in
CK. What each component proves, and what the bounds neglect, is in docs/bounds.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hbm_model.addrmap import AddressMap
from hbm_model.bound_gaps import ActCost, Gaps, act_cost, act_span, columns_per_switch, gaps_of
from hbm_model.bound_queue import Capacity, most_merges, previous_of, refreshed, switch_count, window_bound
from hbm_model.commands import COLUMN_COMMANDS, Cmd, CmdArray
from hbm_model.params import BURST_CK, Params
from hbm_model.requests import RequestTrace

I64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

ENTRIES: Final = 32  # of each queue (M3.1)
FRONT: Final = 6  # reads that are accepted and wait in front of the read queue: 4 bursts, 2 registers (M2.1)
EXPRESS: Final = 5  # more of them with the express lane: 2 bursts, a register, 2 entries (M2.10, M3.1)
NEVER_EXPRESS: Final = 16  # qos_high from which the lane is unused (M4.5)

# In the order of the table.
COMPONENTS: Final = {
    "data bus": "column commands and changes of direction",
    "bank group columns": "tCCDL in the busiest bank group",
    "activates": "tRRD, tFAW; refreshes take their places",
    "bank group activates": "tRRDL in the busiest bank group",
    "bank rows": "row cycles and refreshes of the busiest bank",
    "same bytes": "order of accesses to the same 32 bytes",
    "arrival": "earliest CK of the requests, requests under way",
    "windows": "the best cut into windows of requests",
}


@dataclass(frozen=True)
class Limits:
    """What the controller may hold and does beside the traffic.

    reads, writes: requests that the scheduler sees; front: reads accepted before that; outstanding: requests that the
    port may have open, 0: no limit. grid: 2: the slots of this controller, 1: those of the DRAM. forward: a read after
    a write to its bytes may need no access (M3.6); pull_in: refreshes that may be ahead when the clock starts (M6.7).
    """

    reads: int = ENTRIES
    writes: int = ENTRIES
    front: int = FRONT
    outstanding: int = 0
    refresh_en: bool = True
    refresh_all: bool = False
    grid: int = 2
    forward: bool = False
    pull_in: int = 0

    def with_policy(self, settings: Mapping[str, int]) -> Limits:
        """With the registers that matter, by name (`refresh_en`, also `refresh.refresh_en`)."""
        plain = {key.rpartition(".")[2]: value for key, value in settings.items()}
        return replace(
            self,
            refresh_en=bool(plain.get("refresh_en", self.refresh_en)),
            refresh_all=bool(plain.get("refresh_all", self.refresh_all)),
            forward=bool(plain.get("forward", self.forward)),
            pull_in=plain.get("pull_in", self.pull_in),
            front=self.front + (EXPRESS if plain.get("qos_high", NEVER_EXPRESS) < NEVER_EXPRESS else 0),
        )


@dataclass(frozen=True)
class Side:
    """One bound of one PC (offline or in order): CK per component; the largest one is the bound."""

    parts: Mapping[str, float]
    openings: int  # rows opened at least
    switches: int  # changes of direction at least
    phases: Mapping[str, float] = field(default_factory=dict)  # what binds in the windows, share of the time

    @property
    def ck(self) -> float:
        """The bound."""
        return max(self.parts.values(), default=0.0)

    @property
    def binds(self) -> str:
        """Name of the component that binds."""
        return max(self.parts, key=lambda name: self.parts[name]) if self.parts else ""


@dataclass(frozen=True)
class PcBound:
    """Both bounds of one PC."""

    requests: int
    offline: Side
    in_order: Side

    def share(self, ck: float) -> float:
        """Share of peak of a run of that time."""
        return BURST_CK * self.requests / ck if ck else 0.0


@dataclass(frozen=True)
class Bound:
    """The bounds of a trace on one channel."""

    pcs: tuple[PcBound, ...]
    row_bus: tuple[float, float]  # CK of the channel's row bus, offline and in order
    act_ck: float  # long-run price of an ACT with the refreshes it has to share FAW with

    @property
    def used(self) -> tuple[int, ...]:
        """PCs that the trace uses."""
        return tuple(pc for pc, each in enumerate(self.pcs) if each.requests)

    def ck(self, pc: int, in_order: bool = True) -> float:
        """Bound of one PC; with one PC in use the row bus is its own."""
        side = self.pcs[pc].in_order if in_order else self.pcs[pc].offline
        return max(side.ck, self.row_bus[in_order]) if len(self.used) == 1 else side.ck

    def channel_ck(self, in_order: bool = True) -> float:
        """Bound from the first acceptance of either port to the last data of either PC."""
        return max([self.row_bus[in_order], *(self.ck(pc, in_order) for pc in self.used)])

    def share_of_peak(self, in_order: bool = True) -> float:
        """Upper bound of the efficiency (requests x nBL / CK, mean over the PCs in use).

        The row bus bounds the later end only, so with two PCs in use it enters where their loads are equal.
        """
        if not self.used:
            return 0.0
        shares = [self.pcs[pc].share(self.ck(pc, in_order)) for pc in self.used]
        mean = sum(shares) / len(shares)
        counts = {self.pcs[pc].requests for pc in self.used}
        if len(self.used) == 2 and len(counts) == 1:
            mean = min(mean, self._shared(counts.pop(), in_order))
        return mean

    def _shared(self, requests: int, in_order: bool) -> float:
        own = min(self.ck(pc, in_order) for pc in self.used)
        both = max(own, self.row_bus[in_order])
        # One PC may end early, the other one not before the row bus has served both.
        return (BURST_CK * requests / own + BURST_CK * requests / both) / 2

    def shares(self, ports: Sequence[Mapping[str, Any]]) -> dict[int, float]:
        """Share of its in-order bound that each PC of a run reached; `ports` as in result.json (`span_ck`)."""
        return {pc: self.ck(pc) / ports[pc]["span_ck"] for pc in self.used if ports[pc].get("span_ck")}

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""

        def side(each: Side, pc: int, in_order: bool) -> dict[str, Any]:
            ck = self.ck(pc, in_order)
            return {
                "ck": round(ck, 1),
                "binds": each.binds if ck <= each.ck else "row bus",
                "share_of_peak": self.pcs[pc].share(ck),
                "components_ck": {name: round(value, 1) for name, value in each.parts.items()},
                "openings": each.openings,
                "switches": each.switches,
                "windows": dict(each.phases),
            }

        return {
            "share_of_peak": {"offline": self.share_of_peak(False), "in_order": self.share_of_peak(True)},
            "channel_ck": {"offline": round(self.channel_ck(False), 1), "in_order": round(self.channel_ck(True), 1)},
            "row_bus_ck": {"offline": round(self.row_bus[0], 1), "in_order": round(self.row_bus[1], 1)},
            "act_ck": self.act_ck,
            "pcs": [
                {"requests": each.requests, "offline": side(each.offline, pc, False)}
                | {"in_order": side(each.in_order, pc, True)}
                if each.requests
                else {"requests": 0}
                for pc, each in enumerate(self.pcs)
            ],
        }


@dataclass(frozen=True)
class _Requests:
    """The requests of one PC in the order of its port."""

    write: Bools
    bank: I64  # of the PC, all SIDs
    group: I64  # {SID, BG}
    row: I64  # one number per bank and row
    block: I64  # one number per 32 bytes
    cycle: I64  # earliest CK

    def __len__(self) -> int:
        return len(self.write)


def bound_of(trace: RequestTrace, params: Params, address_map: AddressMap, limits: Limits | None = None) -> Bound:
    """Bounds of a trace; `limits` default to this controller's queues with single-bank refresh."""
    limits = limits or Limits()
    at = address_map.decode(trace.address)
    port = address_map.split(trace.address)[1].astype(np.int64) >> 5
    pcs, acts, refreshes = [], [0, 0], [0.0, 0.0]
    cost = ActCost.free()
    for pc in range(2):
        mine = np.flatnonzero(at.pc == pc)
        if limits.forward:
            mine = mine[~_forwarded(trace.write[mine], port[mine])]
        group = (at.sid * params.count("bgs") + at.bg)[mine]
        bank = group * params.count("banks") + at.bank[mine]
        rows = bank * params.count("rows") + at.row[mine]
        requests = _Requests(trace.write[mine], bank, group, rows, port[mine], trace.cycle[mine])
        gaps = _gaps(params, pc, limits)
        cost = act_cost(gaps)
        offline = _offline(requests, gaps, cost)
        in_order = _in_order(requests, gaps, cost, limits, offline)
        pcs.append(PcBound(len(requests), offline, in_order))
        for index, side in enumerate((offline, in_order)):
            acts[index] += side.openings
            if gaps.interval and len(requests):
                refreshes[index] += max(0.0, side.ck / gaps.interval - 1 - gaps.late)
    gaps = _gaps(params, 0, limits)
    return Bound(
        tuple(pcs),
        (_row_bus(gaps, acts[0], refreshes[0]), _row_bus(gaps, acts[1], refreshes[1])),
        _price_of_act(gaps, cost),
    )


def _gaps(params: Params, pc: int, limits: Limits) -> Gaps:
    gaps = gaps_of(params, pc, grid=limits.grid, refresh_en=limits.refresh_en, refresh_all=limits.refresh_all)
    return replace(gaps, late=gaps.late + limits.pull_in)


def _forwarded(write: Bools, block: I64) -> Bools:
    """Reads that come after a write to their 32 bytes, so that a queue might answer them."""
    order = np.argsort(block, kind="stable")
    same = np.concatenate([[False], block[order][1:] == block[order][:-1]])
    count = np.cumsum(write[order])  # writes so far, all blocks
    begin = np.maximum.accumulate(np.where(~same, np.arange(len(order)), 0))
    before = count - write[order] > (count - write[order])[begin] if len(order) else same
    out = np.zeros(len(write), np.bool_)
    out[order] = before & ~write[order]
    return out


def _price_of_act(gaps: Gaps, cost: ActCost) -> float:
    act = float(cost.act)
    if not gaps.interval:
        return act
    lost = gaps.ref_act if gaps.refresh_all else float(cost.refsb)
    return act / (1 - lost / gaps.interval) if lost < gaps.interval else act


def _row_bus(gaps: Gaps, acts: int, refreshes: float) -> float:
    """Row-bus time: an ACT keeps it for a cycle (HBM3/4 alone: 1.5 CK), a refresh for half of one; PRE may be free."""
    act, refresh = (2.0, 1.0) if gaps.grid == 2 or not gaps.half_edges else (1.5, 0.5)
    if not acts:
        return 0.0
    return act * acts + refresh * refreshes + gaps.first_column - 1 + min(gaps.read_data, gaps.write_data) - act + 1


# ------------------------------------------------------------------ one PC


def _ends(r: _Requests, gaps: Gaps) -> tuple[int, int]:
    """(CK of the first column at least, CK from the last column to the end of its data at least)."""
    rcd = [gaps.rcd_write] * bool(r.write.any()) + [gaps.rcd_read] * bool((~r.write).any())
    data = [gaps.write_data] * bool(r.write.any()) + [gaps.read_data] * bool((~r.write).any())
    return 1 + min(rcd), min(data)


def _scalar(base: float, per_refresh: float, interval: float, late: int) -> float:
    return float(refreshed(np.array([base], np.float64), per_refresh, interval, late)[0])


def _columns(r: _Requests, gaps: Gaps, switches: int) -> float:
    """Data bus: all column commands of the PC, with so many changes of direction."""
    first, tail = _ends(r, gaps)
    base = float(first + gaps.column * (len(r) - 1) + columns_per_switch(gaps, switches) + tail)
    if gaps.interval and gaps.refresh_all:
        # Refreshes can be done in bunches of late + 1; each bunch closes and opens rows once.
        lost = gaps.ref + max(0, gaps.ref_gap - gaps.column) / (gaps.late + 1)
        base = _scalar(base, lost, gaps.interval, gaps.late)
    return base


def _group_columns(r: _Requests, gaps: Gaps) -> float:
    first, tail = _ends(r, gaps)
    base = float(first + gaps.column_group * (int(np.bincount(r.group).max()) - 1) + tail)
    return _scalar(base, gaps.ref, gaps.interval, gaps.late) if gaps.refresh_all else base


def _activates(gaps: Gaps, cost: ActCost, r: _Requests, openings: int) -> float:
    """The PC's ACTs, with the refreshes that share FAW and RRD with them."""
    first, tail = _ends(r, gaps)
    plain = float(act_span(gaps, openings) + first + tail)
    if not gaps.interval:
        return plain
    if gaps.refresh_all:
        return _scalar(plain, gaps.ref_act, gaps.interval, gaps.late)
    paid = float(cost.act * openings - cost.start) + first + tail
    return max(plain, _scalar(paid, float(cost.refsb), gaps.interval, gaps.late))


def _group_activates(gaps: Gaps, r: _Requests, openings: I64) -> float:
    """openings: per bank."""
    first, tail = _ends(r, gaps)
    per_group = openings.reshape(-1, gaps.banks_per_group).sum(axis=1)
    return float(max(0, int(per_group.max()) - 1) * gaps.act_act_group + first + tail)


def _in_bank(gaps: Gaps, base: float) -> float:
    """Row cycles of a bank with its refreshes."""
    if not gaps.interval:
        return base
    if gaps.refresh_all:
        return _scalar(base, gaps.ref, gaps.interval, gaps.late)
    return _scalar(base, gaps.refsb_bank, gaps.interval * gaps.banks, -(-gaps.late // gaps.banks) + 1)


def _same_bytes(r: _Requests, gaps: Gaps) -> tuple[float, int]:
    """(CK, changes of direction) that accesses to one 32-byte block force: reads and writes keep their order."""
    order = np.argsort(r.block, kind="stable")
    block, write = r.block[order], r.write[order]
    begins = np.flatnonzero(np.concatenate([[True], block[1:] != block[:-1]]))
    ends = np.append(begins[1:], len(order)) - 1
    turn = np.concatenate([[False], write[1:] != write[:-1]])
    gap = np.where(turn, np.where(write, gaps.read_write, gaps.write_read_group), gaps.column_group)
    gap[begins], turn[begins] = 0, False
    chains = (
        1
        + np.where(write[begins], gaps.rcd_write, gaps.rcd_read)
        + np.add.reduceat(gap, begins)
        + np.where(write[ends], gaps.write_data, gaps.read_data)
    )
    # Reads (and writes) alone may change places; they begin and end a chain in any order of theirs.
    return float(chains.max()), int(np.add.reduceat(turn, begins).max())


def _rows_of_banks(r: _Requests, gaps: Gaps) -> float:
    """Offline: each row of a bank is opened once; the bank that takes longest.

    An opening with reads and writes has columns of both; the cheapest of the four ways to begin and end it counts.
    """
    rows, which = np.unique(r.row, return_inverse=True)
    count = np.bincount(which)
    writes = np.bincount(which, weights=r.write).astype(np.int64)
    reads = count - writes
    between = gaps.column_group
    turn = {
        ("R", "W"): gaps.read_write - between,
        ("W", "R"): gaps.write_read_group - between,
        ("R", "R"): gaps.read_write + gaps.write_read_group - 2 * between,
        ("W", "W"): gaps.read_write + gaps.write_read_group - 2 * between,
    }
    rcd = {"R": gaps.rcd_read, "W": gaps.rcd_write}
    close = {"R": gaps.read_act, "W": gaps.write_act}
    data = {"R": gaps.read_data, "W": gaps.write_data}
    mixed = [(a, b, rcd[a] + turn[a, b]) for a in "RW" for b in "RW"]
    inside = between * (count - 1)
    pure = (reads == 0) | (writes == 0)
    kind = np.where(writes > 0, "W", "R")
    until_close = np.where(
        pure,
        np.where(kind == "W", rcd["W"] + close["W"], rcd["R"] + close["R"]),
        min(way + close[b] for _, b, way in mixed),
    )
    until_data = np.where(
        pure,
        np.where(kind == "W", rcd["W"] + data["W"], rcd["R"] + data["R"]),
        min(way + data[b] for _, b, way in mixed),
    )
    occupied = np.maximum(gaps.act_act_bank, inside + until_close)
    occupied += -occupied % gaps.grid
    ending = inside + until_data
    bank = r.bank[np.unique(which, return_index=True)[1]]
    total = np.bincount(bank, weights=occupied, minlength=gaps.banks)
    spared = np.full(gaps.banks, -np.inf)
    np.maximum.at(spared, bank, (occupied - ending).astype(np.float64))
    used = total > 0
    return max(_in_bank(gaps, 1 + float(each)) for each in (total[used] - spared[used]))


def _timed(r: _Requests, gaps: Gaps, in_order: bool) -> float:
    """Requests have an earliest CK: what comes from there on takes its time on the data bus."""
    first, tail = _ends(r, gaps)
    cycle = np.maximum.accumulate(r.cycle) if in_order else np.sort(r.cycle)
    after = gaps.column * np.arange(len(r) - 1, -1, -1)
    # The clock of the bound starts with the first request; a row may be open already when a later one comes.
    start = int(cycle[0])
    return float((cycle - start + after)[cycle > start].max(initial=0) + tail) if cycle[-1] > start else 0.0


def _offline(r: _Requests, gaps: Gaps, cost: ActCost) -> Side:
    if not len(r):
        return Side({}, 0, 0)
    rows = np.unique(r.row)
    per_bank = np.bincount(rows // gaps.rows, minlength=gaps.banks)
    chain, turns = _same_bytes(r, gaps)
    both = bool(r.write.any()) and not bool(r.write.all())
    switches = max(turns, int(both))
    parts = {
        "data bus": _columns(r, gaps, switches),
        "bank group columns": _group_columns(r, gaps),
        "activates": _activates(gaps, cost, r, len(rows)),
        "bank group activates": _group_activates(gaps, r, per_bank),
        "bank rows": _rows_of_banks(r, gaps),
        "same bytes": chain,
    }
    if (r.cycle > r.cycle.min()).any():
        parts["arrival"] = _timed(r, gaps, False)
    return Side(parts, len(rows), switches)


def _in_order(r: _Requests, gaps: Gaps, cost: ActCost, limits: Limits, offline: Side) -> Side:
    """Everything that holds offline, and what the queues force."""
    if not len(r):
        return Side({}, 0, 0)
    reads, writes = limits.reads + limits.front, limits.writes
    if limits.outstanding:
        reads = min(reads, limits.outstanding)  # a write is answered before it is carried out
    capacity = Capacity(reads, writes)
    others = capacity.total(r.write) - 1
    previous = previous_of(r.row)
    per_bank = np.zeros(gaps.banks, np.int64)
    for bank in np.unique(r.bank).tolist():
        mine = np.flatnonzero(r.bank == bank)
        per_bank[bank] = len(mine) - _merges_in(previous, mine, others + 1)
    openings = max(int(per_bank.sum()), len(r) - most_merges(previous, others + gaps.banks), offline.openings)
    whole = np.zeros(1, np.int64)
    switches = max(offline.switches, int(switch_count(r.write, capacity, whole, whole + len(r))[0]))
    first, tail = _ends(r, gaps)
    counts = np.bincount(r.bank, minlength=gaps.banks)
    rcd = first - 1
    close = min([gaps.read_act] * bool((~r.write).any()) + [gaps.write_act] * bool(r.write.any()))
    single = max(rcd + close, gaps.column_group)
    used = counts > 0
    by_cycle = gaps.act_act_bank * (per_bank[used] - 1) + rcd
    by_columns = single * (per_bank[used] - 1) + rcd + gaps.column_group * (counts[used] - per_bank[used])
    in_bank = max(_in_bank(gaps, float(1 + each + tail)) for each in np.maximum(by_cycle, by_columns).tolist())
    windows = window_bound(gaps, cost, r.write, r.group, r.bank, previous, capacity)
    parts = {
        "data bus": max(offline.parts["data bus"], _columns(r, gaps, switches)),
        "bank group columns": offline.parts["bank group columns"],
        "activates": _activates(gaps, cost, r, openings),
        "bank group activates": max(offline.parts["bank group activates"], _group_activates(gaps, r, per_bank)),
        "bank rows": max(offline.parts["bank rows"], in_bank),
        "same bytes": offline.parts["same bytes"],
    }
    arrival = _timed(r, gaps, True) if (r.cycle > r.cycle.min()).any() else 0.0
    if limits.outstanding:
        arrival = max(arrival, _under_way(r, gaps, limits.outstanding, openings))
    if arrival:
        parts["arrival"] = arrival
    parts["windows"] = windows.ck + tail
    return Side(parts, openings, switches, windows.parts)


def _merges_in(previous: I64, mine: I64, capacity: int) -> int:
    """`most_merges` for the requests of one bank, numbers of requests kept (arrivals of other banks count too)."""
    mapped = previous[mine]
    gap = np.flatnonzero(mapped >= 0)
    if not len(gap):
        return 0
    sparse = np.full(int(mine[-1]) + 1, -1, np.int64)
    sparse[mine[gap]] = mapped[gap]
    return most_merges(sparse, capacity)


def _under_way(r: _Requests, gaps: Gaps, outstanding: int, openings: int) -> float:
    """At most `outstanding` requests are under way, and a row is opened only for a request that was accepted.

    A read is under way for its data at least, that of the first one in an opening also for RCDRD and the ACT. Writes
    are answered before they are carried out, so they count nothing.
    """
    reads = int((~r.write).sum())
    opened = max(0, openings - int(r.write.sum()))
    return (reads * gaps.read_data + min(opened, reads) * (1 + gaps.rcd_read)) / outstanding


# ------------------------------------------------------------------ what a run took


def data_end_ck(commands: CmdArray, params: Params, pc: int) -> float:
    """CK in which the last data of a PC ends on the pins."""
    column = (commands["pc"] == pc) & np.isin(commands["cmd"], [int(each) for each in COLUMN_COMMANDS])
    if not column.any():
        return 0.0
    write = np.isin(commands["cmd"][column], [int(Cmd.WR), int(Cmd.WRA)])
    delay = np.where(write, params.ticks["WL"], params.ticks["RL"])
    return float((commands["time"][column] + delay).max()) / 2 + BURST_CK
