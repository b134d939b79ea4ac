"""M6.8: a change between single-bank and all-bank refresh, by hand from docs/microarchitecture.md."""

from __future__ import annotations

import numpy as np
import pytest
from hbm_model import _control as c7
from hbm_model import _places as m
from hbm_model.addrmap import DEFAULT_MAP, named_map
from hbm_model.commands import Cmd, describe
from hbm_model.controller import EV_TEMP, Channel, Policy, Setup
from hbm_model.legality import check_trace
from hbm_model.presets import preset
from test_controller import requests
from test_pull_in import HBM2, idle, register

ON = 1 << c7.EN_LSB


@pytest.mark.parametrize("every", [0, 1], ids=["to all-bank", "to single-bank"])
@pytest.mark.parametrize("pull_in", [0, 4])
def test_a_change_begins_with_one_ref(every: int, pull_in: int) -> None:
    """Change in n: owed from S(n+1), all banks held from n + 2, REF picked in n + 2, granted in n + 3 (CK 2n + 12)."""
    n = 3000 if every else 2062  # between two that fall due, and the last one is over
    channel, _ = idle(n, refresh_all=every, refresh_hold=2, pull_in=pull_in)
    word = ON | (1 - every) << c7.ALL_LSB | 2 << c7.HOLD_LSB | pull_in << c7.PULL_LSB
    channel.events(register(n, c7.REFRESH, word))
    channel.run(n + 1, to_the_end=False)
    assert [channel.state[pc][m.DEBT] for pc in range(2)] == [1, 1]
    after = channel.run(n + 4, to_the_end=False)
    assert sorted(describe(c)[:-1] for c in after) == [f"REF pc{pc} at CK {2 * n + 12}"[:-1] for pc in range(2)]
    assert sorted(int(t) for t in after["time"]) == [4 * n + 24, 4 * n + 26]  # slots A and B
    assert [channel.state[pc][m.DEBT] for pc in range(2)] == [0, 0]


def test_nothing_is_forced_before_refresh_begins_or_without_it() -> None:
    """refresh_all is written while refresh is off: no REF until an interval after it is on."""
    channel = Channel(Setup(HBM2, Policy.of(HBM2, refresh_en=0)))
    channel.events(register(300, c7.REFRESH, 1 << c7.ALL_LSB))
    channel.events(register(500, c7.REFRESH, ON | 1 << c7.ALL_LSB))
    commands = channel.run(500 + HBM2.count("REFI") // 2, to_the_end=False)
    assert len(commands) == 0


def test_refresh_off_ends_it() -> None:
    """The change is asked for, refresh is switched off before the REF is granted: none comes."""
    channel, _ = idle(2062, refresh_hold=2)
    channel.events(register(2062, c7.REFRESH, ON | 1 << c7.ALL_LSB))
    channel.events(register(2064, c7.REFRESH, 1 << c7.ALL_LSB))
    assert len(channel.run(4000, to_the_end=False)) == 0
    assert [channel.state[pc][m.DEBT] for pc in range(2)] == [0, 0]


@pytest.mark.parametrize("name", ["hbm2_2000_eng", "hbm4_8000_eng"])
@pytest.mark.parametrize("every", [0, 1], ids=["to all-bank", "to single-bank"])
def test_no_bank_waits_longer_across_a_change(name: str, every: int) -> None:
    """Both kinds under traffic: the last bank of a set, and eight REF put off. Found by the nightly list
    (PoliciesUnderTraffic on HBM4): the count of the new kind began anew, and banks waited for more than 9 tREFI."""
    params = preset(name)
    refi = params.count("REFI")
    change = 8 * refi // 2
    # Single banks at TEMP code 001 are refreshed half as often: the oldest of them waits for more than a tREFI.
    channel = Channel(Setup(params, Policy.of(params, refresh_all=every, refresh_hold=8), temp=3 if every else 1))
    rng = np.random.default_rng(1)
    length = 40 * refi
    lines = zip(*(rng.integers(0, most, length).tolist() for most in (2, 4, 4, 8)), strict=True)
    trace = requests(params, [("R", *line) for line in lines])
    channel.offer(trace, named_map(DEFAULT_MAP, params.geometry), np.arange(len(trace)) % 16)
    new = register(change, c7.REFRESH, ON | (1 - every) << c7.ALL_LSB | 8 << c7.HOLD_LSB)
    warm = register(change, 0, 3)
    warm["kind"] = EV_TEMP
    channel.events(np.concatenate([warm, new]))
    commands = channel.run(change + 12 * refi // 2, to_the_end=False)
    assert {Cmd.REF, Cmd.REFSB} <= set(commands["cmd"])
    assert [str(v) for v in check_trace(commands, params)] == []
