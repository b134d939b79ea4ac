"""Least distances between commands on the slot grid, and what a refresh costs the stream of activates.

Part of the bound calculator (`bound.py`, docs/bounds.md); knows parameters only, no controller and no traffic. All
times in CK. `grid` 2 is the slot grid of this controller (ACT starts at p0, the column commands of a PC stand in one
phase, so their distances are even); `grid` 1 asks what the DRAM alone permits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from hbm_model.params import BURST_CK, Params

BUS_CK = 2  # an ACT keeps the row bus for the whole cycle, an access the data bus for 2 CK


@dataclass(frozen=True)
class Gaps:
    """Least distances of two commands of one PC, in CK."""

    grid: int
    pc: int
    act_act: int  # any two ACTs
    act_act_group: int  # of one bank group
    act_act_bank: int  # of one bank
    window: int  # FAW; a REFSB may stand between two slots of ACT
    act_refsb: int
    refsb_act: int  # other bank
    refsb_bank: int  # REFSB to ACT or REFSB of its bank
    rcd_read: int  # ACT to RD, on the slots of this PC
    rcd_write: int
    column: int  # any two columns
    column_group: int  # two columns of one bank group
    read_write: int
    write_read: int
    write_read_group: int
    read_act: int  # RD to the next ACT of its bank
    write_act: int
    read_data: int  # RD to the end of its data
    write_data: int
    ref: int  # REF to the next ACT
    ref_gap: int  # last column before REF to first column after it, without tRFC itself
    ref_act: int  # what a REF costs the stream of ACTs
    interval: int  # between two refreshes that fall due; 0: no refresh
    refresh_all: bool
    banks: int  # of the PC, all SIDs
    banks_per_group: int
    rows: int  # per bank
    half_edges: bool  # PRE and refreshes take half a CK of the row bus
    late: int  # refreshes that may be owed at the end

    @property
    def first_column(self) -> int:
        """CK of the first column command when the first ACT has its first edge in CK 0."""
        return 1 + min(self.rcd_read, self.rcd_write)

    @property
    def window_acts(self) -> int:
        """FAW on the slots of ACT."""
        return self.window + -self.window % self.grid


def _most(*values: Fraction | int) -> Fraction:
    return Fraction(max(values))


def _least(*values: Fraction | int) -> Fraction:
    return Fraction(min(values))


def gaps_of(params: Params, pc: int, *, grid: int = 2, refresh_en: bool = True, refresh_all: bool = False) -> Gaps:
    """The distances of a parameter set. HBM4's .5 values are taken as they are and rounded where a slot ends them."""
    t = {key: Fraction(ticks, 2) for key, ticks in params.ticks.items()}

    def up(value: Fraction | int, phase: int = 0) -> int:
        """The least whole number of CK from `value` on whose rest by `grid` is `phase`."""
        at = max(0, math.ceil(value))
        return at + (phase - at) % grid

    # The time of ACT is odd, columns of PC0 stand on even CK, of PC1 on odd CK.
    odd = (1 + pc) % grid
    cycle = _most(t["RC"], t["RAS"] + t["RP"])
    sids = params.count("sids")
    near = _least(t["CCDS"], t["CCDL"], *([t["CCDR"]] if sids > 1 else []))
    end = t["WL"] + BURST_CK
    read_write = up(_most(t["RTW"], t["RL"] + BURST_CK - t["WL"], 1))
    write_read = up(_most(end + _least(t["WTRS"], t["WTRL"]), end - t["RL"], 1))
    write_read_group = up(_most(end + t["WTRL"], end - t["RL"], 1))
    rcd_read, rcd_write = up(t["RCDRD"], odd), up(t["RCDWR"], odd)
    banks = sids * params.count("bgs") * params.count("banks")
    return Gaps(
        grid=grid,
        pc=pc,
        act_act=up(_most(BUS_CK, _least(t["RRDS"], cycle))),
        act_act_group=up(_most(BUS_CK, _least(t["RRDL"], cycle))),
        act_act_bank=up(_most(BUS_CK, cycle)),
        window=math.ceil(t["FAW"]),
        act_refsb=math.ceil(_least(t["RRDS"], cycle)),
        refsb_act=math.ceil(_least(t["RREFD"], t["RFCSB"])),
        refsb_bank=math.ceil(t["RFCSB"]),
        rcd_read=rcd_read,
        rcd_write=rcd_write,
        column=min(up(_most(BURST_CK, near)), read_write, write_read),
        column_group=min(up(_most(BURST_CK, t["CCDL"])), read_write, write_read_group),
        read_write=read_write,
        write_read=write_read,
        write_read_group=write_read_group,
        read_act=up(t["RTP"] + t["RP"], odd),
        write_act=up(end + t["WR"] + t["RP"], odd),
        read_data=math.ceil(t["RL"]) + BURST_CK,
        write_data=math.ceil(end),
        ref=math.ceil(t["RFC"]),
        ref_gap=math.ceil(_least(t["RTP"], end + t["WR"]) + t["RP"]) + min(rcd_read, rcd_write),
        ref_act=max(0, math.ceil(t["RFC"] + _least(0, cycle - _most(t["FAW"], 4 * t["RRDS"]) + 3 * t["RRDS"]))),
        interval=params.count("REFI" if refresh_all else "REFISB") if refresh_en else 0,
        refresh_all=refresh_all,
        banks=banks,
        banks_per_group=params.count("banks"),
        rows=params.count("rows"),
        half_edges=params.generation.half_edges,
        late=params.count("POSTPONE") * (1 if refresh_all else banks),
    )


# ------------------------------------------------------------------ activates and single-bank refreshes


@dataclass(frozen=True)
class ActCost:
    """A stream of n ACTs and m REFSBs takes at least `act` n + `refsb` m - `start` CK from its first to its last."""

    act: Fraction
    refsb: Fraction
    start: Fraction

    @staticmethod
    def free() -> ActCost:
        """No cost."""
        return ActCost(Fraction(0), Fraction(0), Fraction(0))


def act_span(gaps: Gaps, acts: int) -> int:
    """Least CK between the first and the last of so many ACTs, without refresh (exact for one bank each)."""
    if acts <= 1:
        return 0
    full, rest = divmod(acts - 1, 4)
    window = max(gaps.window_acts, 4 * gaps.act_act)
    return full * window + rest * gaps.act_act


def act_cost(gaps: Gaps) -> ActCost:
    """Price of an ACT and of a REFSB in CK.

    All distances are least ones, so for a given order of ACTs and REFSBs each is best as early as possible: its time
    follows from the last four. The orders are the walks of a finite graph (`_act_graph`). An ACT is priced at the mean
    distance in an endless stream of ACTs; the price of a REFSB is the largest one for which no closed walk is shorter
    than the price of its events. The shortest walk from rest gives `start`. So the bound is exact up to a constant.
    """
    act = max(gaps.window_acts, 4 * gaps.act_act)  # in quarters of a CK, as all weights below
    edges = _act_graph(gaps)
    refsb = Fraction(4 * gaps.refsb_bank)  # of a closed walk of REFSBs at most; improved until none is cheaper
    while True:
        shortest, cheaper = _shortest(edges, act, refsb)
        if cheaper is None:
            return ActCost(Fraction(act, 4), refsb / 4, -min(shortest) / 4)
        refsb = cheaper


_Edge = tuple[int, int, int, int]  # from, to, CK, 1 for a REFSB


def _act_graph(gaps: Gaps) -> list[_Edge]:
    """States: the last three distances (capped at FAW), kind of the last event and its phase; state 0 is rest."""
    cap = gaps.window
    rest = ((cap, cap, cap), "", 0)
    number = {rest: 0}
    edges: list[_Edge] = []
    todo = [rest]
    while todo:
        state = todo.pop()
        last, before, phase = state
        for kind in "AR":
            if before == "":
                step = 0
            else:
                pair = gaps.act_act if kind == "A" else gaps.act_refsb
                step = max(gaps.refsb_act if before == "R" else pair, gaps.window - sum(last))
                if kind == "A":
                    step += -(phase + step) % gaps.grid
            then = ((last[1], last[2], min(step, cap) if before else cap), kind, (phase + step) % gaps.grid)
            if then not in number:
                number[then] = len(number)
                todo.append(then)
            edges.append((number[state], number[then], step, int(kind == "R")))
    return edges


def _shortest(edges: list[_Edge], act: int, refsb: Fraction) -> tuple[list[Fraction], Fraction | None]:
    """Bellman-Ford from rest with what is paid taken off: distances, or a price of a REFSB that a closed walk shows."""
    size = 1 + max(max(a, b) for a, b, _, _ in edges)
    scale = refsb.denominator
    weight = [(4 * ck - (0 if r else act)) * scale - (refsb.numerator if r else 0) for _, _, ck, r in edges]
    far = 1 << 60
    distance, came = [0] + [far] * (size - 1), [-1] * size
    for _ in range(size + 1):
        moved = -1
        for i, (a, b, _, _) in enumerate(edges):
            if distance[a] < far and distance[a] + weight[i] < distance[b]:
                distance[b], came[b], moved = distance[a] + weight[i], i, b
        if moved < 0:
            return [Fraction(each, scale) for each in distance if each < far], None
    for _ in range(size):  # certainly onto the closed walk
        moved = edges[came[moved]][0]
    ck, acts, refs, at = 0, 0, 0, moved
    while True:
        a, _, step, r = edges[came[at]]
        ck, acts, refs, at = ck + step, acts + 1 - r, refs + r, a
        if at == moved:
            return [], Fraction(4 * ck - act * acts, refs)


def columns_per_switch(gaps: Gaps, switches: int) -> int:
    """CK that so many changes of direction cost at least, beyond the distance of two columns."""
    pair = gaps.read_write + gaps.write_read - 2 * gaps.column
    single = min(gaps.read_write, gaps.write_read) - gaps.column
    return max(0, (switches // 2) * pair + (switches % 2) * single)
