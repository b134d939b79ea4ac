"""M6.7: refreshes ahead of their time, by hand from docs/microarchitecture.md. HBM2 2.0: REFISB 243.

A channel at rest: commands allowed from cycle 0, nothing picked since cycle 0, so idle is 32 in S(32).
"""

from __future__ import annotations

import numpy as np
import pytest
from hbm_model import _control as c7
from hbm_model import _places as m
from hbm_model.addrmap import DEFAULT_MAP, named_map
from hbm_model.commands import Cmd, CmdArray, describe
from hbm_model.controller import EV_REGISTER, EV_ROW, Channel, Policy, Setup
from hbm_model.legality import check_trace
from hbm_model.params import Params
from hbm_model.presets import preset
from test_controller import requests, traffic

HBM2 = preset("hbm2_2000_eng")


def idle(cycles: int, params: Params = HBM2, **policy: int) -> tuple[Channel, CmdArray]:
    channel = Channel(Setup(params, Policy.of(params, **policy)))
    return channel, channel.run(cycles, to_the_end=False)


def test_first_ones_in_an_idle_channel() -> None:
    """Early in S(32): REFSB picked in 32, granted in 33 (CK 72), PC0 in slot A, PC1 in B; the next ones RREFD later."""
    channel, commands = idle(100, pull_in=3)
    assert [describe(c) for c in commands[:2]] == [
        "REFSB pc0 sid0 bg0 bank0 at CK 72",
        "REFSB pc1 sid0 bg0 bank0 at CK 73",
    ]
    assert len(commands) == 6
    gaps = np.diff(commands["time"][::2].astype(np.int64)) // 2
    assert (gaps >= HBM2.count("RREFD")).all()
    assert (gaps <= HBM2.count("RREFD") + 3).all()  # the slot, and the pick of each on the debt that the last one left
    assert channel.state[0][m.DEBT] == -3


@pytest.mark.parametrize("ahead", [1, 5, 15])
def test_as_many_ahead_as_told_and_then_one_per_interval(ahead: int) -> None:
    cycles = 5000
    channel, commands = idle(cycles, pull_in=ahead)
    for pc in range(2):
        mine = commands[commands["pc"] == pc]
        due = (2 * cycles - 243) // 243 + 1
        assert abs(len(mine) - due - ahead) <= 1
        assert channel.state[pc][m.DEBT] == -ahead


def test_all_bank_ahead() -> None:
    """At most 8 - hold, and each takes all banks: REF after REF, RFC apart."""
    channel, commands = idle(4000, refresh_all=1, refresh_hold=3, pull_in=15)
    assert set(commands["cmd"]) == {Cmd.REF}
    mine = commands[commands["pc"] == 0]
    assert channel.state[0][m.DEBT] == -5
    assert len(mine) == 5 + 2 * 4000 // HBM2.count("REFI")
    assert int(mine["time"][1] - mine["time"][0]) // 2 <= HBM2.count("RFC") + 6


def test_a_request_ends_it() -> None:
    """A request in the queue: nothing more runs ahead, and its bank is not taken."""
    channel = Channel(Setup(HBM2, Policy.of(HBM2, pull_in=15, refresh_en=1), opens=35))
    trace = requests(HBM2, [("R", 0, i % 4, i // 4 % 4, i) for i in range(200)])
    channel.offer(trace, named_map(DEFAULT_MAP, HBM2.geometry), np.arange(len(trace)) % 16)
    commands = channel.run(120, to_the_end=False)
    mine = commands[(commands["pc"] == 0) & (commands["cmd"] == Cmd.REFSB)]
    assert len(mine) == 2  # granted in 33 and, RREFD later, in 37; AR in 35, so there is an entry from S(38) on
    assert len(commands[(commands["pc"] == 1) & (commands["cmd"] == Cmd.REFSB)]) > 3


def register(cycle: int, address: int, word: int) -> np.ndarray:
    rows = np.zeros(1, EV_ROW)
    rows["cycle"], rows["kind"], rows["a"], rows["b"] = cycle, EV_REGISTER, address, word
    return rows


def test_registers_while_ahead() -> None:
    """refresh_en = 0 sets what is ahead to 0; pull_in acts at once."""
    single = 1 << c7.EN_LSB | 6 << c7.HOLD_LSB
    channel, commands = idle(60, pull_in=0)
    assert len(commands) == 0
    channel.events(register(80, c7.REFRESH, single | 2 << c7.PULL_LSB))
    commands = channel.run(100, to_the_end=False)
    assert describe(commands[0]) == "REFSB pc0 sid0 bg0 bank0 at CK 168"  # granted in 81
    channel.events(register(110, c7.REFRESH, 0))
    channel.run(111, to_the_end=False)
    assert channel.state[0][m.DEBT] == 0


@pytest.mark.parametrize(
    ("hold", "pull_in", "debt"),
    [(1, 14, -7), (2, 15, 0), (8, 0, 0), (1, 6, 0)],
    ids=["the same pull", "less pull", "none", "less, the same hold"],
)
def test_new_values_of_all_bank_refresh(hold: int, pull_in: int, debt: int) -> None:
    """Seven ahead (8 - hold) when hold or pull changes: what ran ahead is given up, else 15 intervals would pass."""
    at = 3 * HBM2.count("REFI") // 2 + 1000  # cycles; between two that fall due
    channel, _ = idle(at, refresh_all=1, refresh_hold=1, pull_in=15)
    assert channel.state[0][m.DEBT] == -7
    word = 1 << c7.EN_LSB | 1 << c7.ALL_LSB | hold << c7.HOLD_LSB | pull_in << c7.PULL_LSB
    channel.events(register(at, c7.REFRESH, word))
    channel.run(at + 1, to_the_end=False)
    assert [channel.state[pc][m.DEBT] for pc in range(2)] == [debt, debt]


def test_a_change_under_traffic_keeps_the_debt_below_the_hold() -> None:
    """Seven ahead, traffic, three intervals later hold 8 and no pull: forced five intervals later, not twelve."""
    refi, start, change = HBM2.count("REFI"), 8000, 8000 + 3 * HBM2.count("REFI") // 2
    channel = Channel(Setup(HBM2, Policy.of(HBM2, refresh_all=1, refresh_hold=1, pull_in=15), opens=start))
    trace = requests(HBM2, [("R", n % 2, n % 4, n // 4 % 4, n % 40) for n in range(60_000)])
    channel.offer(trace, named_map(DEFAULT_MAP, HBM2.geometry), np.arange(len(trace)) % 16)
    channel.events(register(change, c7.REFRESH, 1 << c7.EN_LSB | 1 << c7.ALL_LSB | 8 << c7.HOLD_LSB))
    commands = channel.run(start + 14 * refi // 2, to_the_end=False)
    assert len(check_trace(commands, HBM2)) == 0
    for pc in range(2):
        times = commands["time"][(commands["pc"] == pc) & (commands["cmd"] == Cmd.REF)].astype(np.int64) // 2
        assert 7 * refi < np.diff(times).max() < 9 * refi


@pytest.mark.parametrize(("name", "all_bank"), [("hbm2_2000_eng", 0), ("hbm3_6400_eng", 1)])
def test_legal_with_pauses(name: str, all_bank: int) -> None:
    """Bursts of traffic with pauses, in which refreshes run ahead: every command legal, every bank in time."""
    params = preset(name)
    trace, ids, partial = traffic(params, 600, 4)
    trace.cycle[:] = np.arange(len(trace)) // 60 * 1500
    setup = Setup(params, Policy.of(params, pull_in=5, refresh_all=all_bank, refresh_hold=3))
    channel = Channel(setup)
    channel.offer(trace, named_map(DEFAULT_MAP, params.geometry), ids, partial)
    commands = channel.run()
    assert len(check_trace(commands, params)) == 0
    assert min(int(channel.state[pc][m.DEBT]) for pc in range(2)) < 0
