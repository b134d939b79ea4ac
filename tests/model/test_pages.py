"""M4.3 adaptive, M4.8 predictor and time-out, M5.6 (6): by hand, and restated on the commands of random traffic."""

from __future__ import annotations

import numpy as np
import pytest
from hbm_model import _control as c7
from hbm_model import _places as m
from hbm_model.addrmap import DEFAULT_MAP, named_map
from hbm_model.commands import Cmd, CmdArray
from hbm_model.controller import Channel, Policy, Setup
from hbm_model.legality import check_trace
from hbm_model.params import Params
from hbm_model.presets import preset
from hbm_model.requests import RequestTrace
from test_controller import OPENS, requests, run, traffic, words
from test_pull_in import register

HBM2 = preset("hbm2_2000_eng")
HBM3 = preset("hbm3_6400_eng")
PIPE = 3  # cycles from the pick or grant to the pins


def late(trace: RequestTrace, gap: int) -> RequestTrace:
    """The requests `gap` cycles apart."""
    trace.cycle[:] = np.arange(len(trace)) * 2 * gap
    return trace


def rows_of(rows: list[int], gap: int = 60, params: Params = HBM2, **policy: int) -> CmdArray:
    """One read after the other, each alone, of these rows of one bank."""
    trace = late(requests(params, [("R", 0, 1, 2, row) for row in rows]), gap)
    channel = Channel(Setup(params, Policy.of(params, **{"refresh_en": 0, "page_timeout": 0, **policy})))
    channel.offer(trace, named_map(DEFAULT_MAP, params.geometry), np.zeros(len(trace), np.int64))
    return channel.run()


def kinds(commands: CmdArray) -> list[str]:
    return [Cmd(int(c)).name for c in commands["cmd"]]


def test_adaptive_learns_to_close() -> None:
    """Rows that are never hit again: the count of 2 falls to 1 with the second ACT that an entry had to wait for."""
    seen = kinds(rows_of([1, 2, 3, 4, 5], page=4))
    assert seen == ["ACT", "RD", "PRE", "ACT", "RDA", "ACT", "RDA", "ACT", "RDA", "ACT", "RDA"]


def test_adaptive_learns_to_keep() -> None:
    """After the first lesson the same row comes again: one up with each ACT, and from 2 on the row stays open."""
    seen = kinds(rows_of([1, 2, 2, 2, 2, 2], page=7))
    assert seen == ["ACT", "RD", "PRE", "ACT", "RDA", "ACT", "RD", "RD", "RD", "RD"]


def test_the_predictor_counts_under_every_policy() -> None:
    """Policy open; then adaptive is written: the count is what the traffic before has made of it."""
    trace = late(requests(HBM2, [("R", 0, 1, 2, row) for row in (1, 2, 3, 4)]), 60)
    channel = Channel(Setup(HBM2, Policy.of(HBM2, refresh_en=0, page=0, page_timeout=0)))
    channel.offer(trace, named_map(DEFAULT_MAP, HBM2.geometry), np.zeros(len(trace), np.int64))
    channel.events(register(170, c7.PAGE, 4 | 1 << c7.AP_LSB))
    assert kinds(channel.run()) == ["ACT", "RD", "PRE"] * 2 + ["ACT", "RD", "PRE", "ACT", "RDA"]


def test_time_out() -> None:
    """Beats at 49, 99, 149: RD picked before 49, used up to that beat, stale in S(100), PRE picked 100, granted 101."""
    seen = run([("R", 0, 1, 2, 7)], page=0, page_timeout=50)
    assert words(seen.commands)[:2] == ["ACT 012 34", "RD 012 50"]
    channel = Channel(Setup(HBM2, Policy.of(HBM2, refresh_en=0, page=0, page_timeout=50), opens=OPENS))
    channel.offer(requests(HBM2, [("R", 0, 1, 2, 7)]), named_map(DEFAULT_MAP, HBM2.geometry), np.zeros(1, np.int64))
    commands = channel.run(400, to_the_end=False)
    assert words(commands) == ["ACT 012 34", "RD 012 50", "PRE 012 208"]
    assert channel.state[0][m.OPEN] == 0


def test_time_out_while_all_is_quiet() -> None:
    """page_timeout written long after the traffic: two beats later the rows go, and skipping does not lose them."""
    trace = requests(HBM2, [("R", 0, 1, 2, 7), ("R", 1, 0, 0, 7)])
    channel = Channel(Setup(HBM2, Policy.of(HBM2, refresh_en=0, page=0, page_timeout=0), opens=OPENS))
    channel.offer(trace, named_map(DEFAULT_MAP, HBM2.geometry), np.zeros(2, np.int64))
    channel.run(5000, to_the_end=False)
    channel.events(register(6000, c7.PAGE, 40 << c7.TIMEOUT_LSB))
    commands = channel.run(7000, to_the_end=False)
    # Counting from 6000: beats in 6039 (the use is taken away) and 6079; stale in 6080, granted in 6081.
    assert [(Cmd(int(c["cmd"])).name, int(c["pc"]), int(c["time"]) // 4 - PIPE) for c in commands] == [
        ("PRE", 0, 6081),
        ("PRE", 1, 6081),
    ]


def test_a_use_is_in_time() -> None:
    """Requests that come again before the second beat keep the row; policy open, one row."""
    commands = rows_of([7] * 12, gap=45, page=0, page_timeout=50)
    assert kinds(commands) == ["ACT"] + ["RD"] * 12
    commands = rows_of([7] * 12, gap=130, page=0, page_timeout=50)
    assert kinds(commands).count("PRE") == 11


@pytest.mark.parametrize(("params", "policy"), [(HBM2, {"page": 4}), (HBM3, {"page": 0}), (HBM3, {"page": 5})])
def test_restated(params: Params, policy: dict[str, int]) -> None:
    """Used, stale and predictor of every bank in every cycle, from the commands alone; every PRE has a reason."""
    limit = 15
    trace, ids, partial = traffic(params, 700, 8, rows=2)
    trace.cycle[:] = np.arange(len(trace)) * 5
    channel = Channel(Setup(params, Policy.of(params, page_timeout=limit, refresh_en=0, **policy)))
    channel.offer(trace, named_map(DEFAULT_MAP, params.geometry), ids, partial)
    shape = params.geometry
    banks = shape.sids * shape.bgs * shape.banks
    used, stale, count = [False] * banks, [False] * banks, [2] * banks
    last: list[int | None] = [None] * banks
    asked = [False] * banks
    timed_out = lessons = 0
    x = channel.state[0]
    for n in range(2600):
        opened = [int(x[m.B_ROW + b]) >= 0 for b in range(banks)]
        for b in range(banks):
            assert not opened[b] or bool(x[m.B_STALE + b]) == stale[b], (n, b)
            assert x[m.B_COUNT + b] == count[b], (n, b)
        assert x[m.STALE] == sum(int(x[m.B_STALE + b]) for b in range(banks))
        wanted = [
            any(
                int(x[m.E_BANK + d * 64 + r]) == b and int(x[m.E_ROW + d * 64 + r]) != int(x[m.B_ROW + b])
                for d in range(2)
                for r in range(m.RANKS)
                if (int(x[m.ALL + d]) >> r) & 1
            )
            for b in range(banks)
        ]
        by_entry = bool(x[m.P_SHORT_ASKED])
        commands = [c for c in channel.run(n + 1, to_the_end=False) if c["pc"] == 0]
        now = [False] * banks
        for c in commands:
            b = (int(c["sid"]) * shape.bgs + int(c["bg"])) * shape.banks + int(c["bank"])
            if c["cmd"] == Cmd.PRE:
                asked[b] = by_entry
                timed_out += not by_entry
                assert not by_entry or wanted[b] or x[m.P_SHORT] == m.PRE, (n, b)
            elif Cmd.RD <= c["cmd"] <= Cmd.WRA:
                now[b] = True
            elif c["cmd"] == Cmd.ACT:
                now[b] = True
                if last[b] == c["row"]:
                    count[b] = min(count[b] + 1, 3)
                    lessons += 1
                elif last[b] is not None and asked[b]:
                    count[b] = max(count[b] - 1, 0)
                    lessons += 1
                last[b], asked[b] = int(c["row"]), False
        beat = n % limit == limit - 1
        before = used
        used = [now[b] or (before[b] and not beat) for b in range(banks)]
        stale = [opened[b] and not used[b] and (stale[b] or (beat and not before[b])) for b in range(banks)]
    assert timed_out > 5
    assert lessons > 10


@pytest.mark.parametrize("name", ["hbm2_2000_eng", "hbm3_6400_eng", "hbm4_8000_eng"])
def test_legal(name: str) -> None:
    params = preset(name)
    for policy in ({"page": 4, "page_timeout": 12}, {"page": 0, "page_timeout": 1}):
        trace, ids, partial = traffic(params, 500, 6)
        trace.cycle[:] = np.arange(len(trace)) * 3
        channel = Channel(Setup(params, Policy.of(params, pull_in=3, **policy)))
        channel.offer(trace, named_map(DEFAULT_MAP, params.geometry), ids, partial)
        assert len(check_trace(channel.run(), params)) == 0
