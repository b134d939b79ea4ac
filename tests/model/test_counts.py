"""M9.1 and M9.3 restated: the counters of a PC from the commands and from what each cycle's state says."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hbm_model import _control as c7
from hbm_model import _places as m
from hbm_model.addrmap import DEFAULT_MAP, named_map
from hbm_model.commands import Cmd
from hbm_model.controller import Channel, Policy, Setup
from hbm_model.presets import preset
from test_controller import OPENS, requests, traffic
from test_pull_in import register

PIPE = 3  # cycles from the pick or grant to the pins
STALLS = {
    "off": m.N_STALL_OFF,
    "empty": m.N_STALL_EMPTY,
    "column": m.N_STALL_COLUMN,
    "turn": m.N_STALL_TURN,
    "refresh": m.N_STALL_REFRESH,
    "activate": m.N_STALL_ACTIVATE,
    "bank": m.N_STALL_BANK,
    "hazard": m.N_STALL_HAZARD,
}


def cause(channel: Channel, pc: int, n: int, refreshed: dict[int, tuple[bool, int]]) -> str:
    """M9.3 without a pick in n. refreshed: bank -> (its last of REFSB, REF, ACT was a refresh, CK of its end)."""
    x, k = channel.state[pc], channel.k
    if not channel.control[c7.C_ALLOWED] or x[m.STOPPED]:
        return "off"
    entries = [(d, r) for d in range(2) for r in range(m.RANKS) if (int(x[m.ALL + d]) >> r) & 1]
    if not entries:
        return "empty"

    def at(place: int, d: int, r: int) -> int:
        return int(x[place + d * 64 + r])

    def has(place: int, d: int, r: int) -> bool:
        return bool((int(x[place + d]) >> r) & 1)

    def opened(d: int, r: int) -> int:
        return int(x[m.B_ROW + at(m.E_BANK, d, r)])

    def held(b: int) -> bool:
        per_sid = int(k[m.K_PER_SID])
        return bool(x[m.ALL_HELD]) or (b // per_sid == x[m.SET] and bool((int(x[m.HELD]) >> (b % per_sid)) & 1))

    able = [(d, r) for d, r in entries if at(m.E_WAITS, d, r) == 0 and not has(m.RAW, d, r)]
    conflicts = {
        at(m.E_BANK, d, r)
        for d, r in able
        if has(m.URGENT, d, r) and opened(d, r) >= 0 and opened(d, r) != at(m.E_ROW, d, r)
    }
    champion = next(((d, r) for d, r in entries if has(m.CHAMP, d, r)), None)

    def masked(d: int, r: int) -> bool:
        b = at(m.E_BANK, d, r)
        if held(b) or (b in conflicts and not has(m.URGENT, d, r)):
            return True
        if champion is None:
            return False
        claims = opened(*champion) != at(m.E_ROW, *champion)
        return (claims and b == at(m.E_BANK, *champion)) or (bool(x[m.SERVED]) and (d, r) != champion)

    rcd = (m.B_RD, m.B_WR)
    ready = [
        d
        for d, r in able
        if opened(d, r) == at(m.E_ROW, d, r)
        and has(m.WHOLE, d, r)
        and not masked(d, r)
        and x[rcd[d] + at(m.E_BANK, d, r)] <= 2 * n + pc
    ]
    if int(x[m.DIRECTION]) in ready:
        return "column"
    if ready:
        return "turn"
    banks = {at(m.E_BANK, d, r) for d, r in able}
    soon = 2 * n + 3
    if any(held(b) or (refreshed.get(b, (False, 0))[0] and refreshed[b][1] > soon) for b in banks):
        return "refresh"
    if any(x[m.B_ROW + b] < 0 and x[m.B_ACT + b] <= soon for b in banks):
        return "activate"
    return "bank" if able else "hazard"


CASES = [
    ("hbm2_2000_eng", {"page": 0, "starve_limit": 300}, False),
    ("hbm3_6400_eng", {"page": 4, "page_timeout": 20, "refresh_hold": 1}, True),
    ("hbm4_8000_eng", {"refresh_all": 1, "refresh_hold": 1, "pull_in": 2, "switch_idle": 60}, True),
]


@pytest.mark.parametrize(("name", "policy", "sparse"), CASES)
def test_every_cycle(name: str, policy: dict[str, int], sparse: bool) -> None:
    params = preset(name)
    trace, ids, partial = traffic(params, 600, 5, rows=4)
    if sparse:
        trace.cycle[:] = np.arange(len(trace)) * 4 + np.arange(len(trace)) // 100 * 600
    channel = Channel(Setup(params, Policy.of(params, **policy), first=10, opens=20))
    channel.offer(trace, named_map(DEFAULT_MAP, params.geometry), ids, partial)
    shape, pc = params.geometry, 0
    banks = shape.sids * shape.bgs * shape.banks
    x = channel.state[pc]
    want: Counter[str] = Counter()
    refreshed: dict[int, tuple[bool, int]] = {}
    picked = dict.fromkeys(range(banks), False)
    parted = dict.fromkeys(range(banks), False)
    direction = 0
    end = 2600
    for n in range(end):
        before = cause(channel, pc, n, refreshed)
        others = {
            int(x[m.E_BANK + d * 64 + r])
            for d in range(2)
            for r in range(m.RANKS)
            if (int(x[m.FREE + d] & ~x[m.RAW + d]) >> r) & 1
            and x[m.E_ROW + d * 64 + r] != x[m.B_ROW + x[m.E_BANK + d * 64 + r]]
        }
        pick = False
        for c in (each for each in channel.run(n + 1, to_the_end=False) if each["pc"] == pc):
            cmd, b = Cmd(int(c["cmd"])), (int(c["sid"]) * shape.bgs + int(c["bg"])) * shape.banks + int(c["bank"])
            ck = int(c["time"]) // 2 - 2 * PIPE
            if cmd == Cmd.ACT:
                want["act"] += 1
                picked[b] = False
                refreshed[b] = (False, 0)
            elif cmd in (Cmd.PRE, Cmd.PREA):
                want["pre"] += 1
                for each in range(banks) if cmd == Cmd.PREA else [b]:
                    parted[each] |= each in others
            elif cmd == Cmd.REFSB:
                want["refsb"] += 1
                refreshed[b] = (True, ck + params.count("RFCSB"))
            elif cmd == Cmd.REF:
                want["ref_all"] += 1
                refreshed = {each: (True, ck + params.count("RFC")) for each in range(banks)}
            else:
                pick = True
                write = int(cmd >= Cmd.WR)
                want["wr" if write else "rd"] += 1
                want["turnaround"] += write != direction
                direction = write
                want["row_hit" if picked[b] else "row_conflict" if parted[b] else "row_closed"] += 1
                if not picked[b]:
                    picked[b], parted[b] = True, False
        want["busy" if pick else before] += 1
        got = "busy" if x[m.N_BUSY] != want["busy"] - pick else before
        assert x[m.N_BUSY] == want["busy"], n
        assert pick or x[STALLS[before]] == want[before], (n, before, got)
    seen = {name: int(x[place]) for name, place in STALLS.items()} | {
        "busy": int(x[m.N_BUSY]),
        "act": int(x[m.N_ACTS]),
        "pre": int(x[m.N_PRE]),
        "refsb": int(x[m.N_REFSB]),
        "ref_all": int(x[m.N_REF_ALL]),
        "rd": int(x[m.N_RD]),
        "wr": int(x[m.N_WR]),
        "turnaround": int(x[m.N_TURNAROUND]),
        "row_hit": int(x[m.N_ROW_HIT]),
        "row_conflict": int(x[m.N_ROW_CONFLICT]),
        "row_closed": int(x[m.N_ROW_CLOSED]),
    }
    assert seen == {name: want[name] for name in seen}
    assert sum(seen[name] for name in (*STALLS, "busy")) == end
    assert seen["busy"] == seen["rd"] + seen["wr"] == seen["row_hit"] + seen["row_conflict"] + seen["row_closed"]
    assert seen["off"] == 10
    common = ("column", "turn", "row_conflict", "row_closed", "row_hit")
    for each in (*common, "refresh", "activate", "bank") if sparse else common:
        assert seen[each] > 0, seen


def test_hazard() -> None:
    """A partial write alone, without mask pins: unstarted in one cycle, then its read is able (M3.3)."""
    params = preset("hbm3_6400_eng")
    for partial, cycles in ((True, 1), (False, 0)):
        channel = Channel(Setup(params, Policy.of(params, refresh_en=0), opens=OPENS))
        trace = requests(params, [("W", 0, 0, 0, 1)])
        channel.offer(trace, named_map(DEFAULT_MAP, params.geometry), partial=np.array([partial]))
        channel.run()
        assert channel.state[0][m.N_STALL_HAZARD] == cycles
        assert channel.state[0][m.N_BUSY] == 1 + partial


def test_skipped_cycles_count() -> None:
    """The nine add up to the cycles, over skipped ones, the time before the first command and a maintenance too."""
    params = preset("hbm2_2000_eng")
    for pull in (0, 4):
        channel = Channel(Setup(params, Policy.of(params, pull_in=pull), first=1000, opens=1200))
        trace = requests(params, [("R", i % 2, 0, i % 4, 1) for i in range(40)])
        trace.cycle[:] = np.arange(40) * 777
        channel.offer(trace, named_map(DEFAULT_MAP, params.geometry))
        channel.events(register(40_000, c7.PAGE, 0))
        channel.run(100_000, to_the_end=False)
        for x in channel.state:
            assert int(x[m.N_BUSY]) + sum(int(x[place]) for place in STALLS.values()) == 100_000
            assert x[m.N_STALL_OFF] == 1000
