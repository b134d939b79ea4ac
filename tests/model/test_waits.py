"""The longest wait (docs/waits.md): its parts, and every small traffic held against it."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hbm_model.addrmap import DEFAULT_MAP, Location, named_map
from hbm_model.cli import app
from hbm_model.commands import Cmd
from hbm_model.controller import Policy, Prediction, Setup, simulate
from hbm_model.params import Params
from hbm_model.presets import preset
from hbm_model.requests import RequestTrace
from hbm_model.waits import longest_wait, service_ck
from typer.testing import CliRunner

HBM2 = preset("peers_hbm2")
HBM3 = preset("peers_hbm3")
MAP = named_map(DEFAULT_MAP, HBM2.geometry)
ENTRIES = 3  # host entries of each queue
LIMIT = 8  # starve_limit
REQUESTS = 1200  # of each port
LETTERS = list(itertools.product((0, 1), (0, 1), (0, 1)))  # write, bank, row
ODD = 2  # place of the request that the traffic around it may hold up


def policy_of(params: Params, limit: int, refresh: int) -> Policy:
    """Open pages, and turns as seldom as the registers allow. Without the express lane 3 + 3 entries are all."""
    return Policy.of(
        params, starve_limit=limit, page=0, page_timeout=0, refresh_en=refresh, forward=0, qos_mid=16, qos_high=16,
        switch_idle=255, write_high=63, switch_gain=63,
    )  # fmt: skip


def run(
    odd: int, tail: tuple[int, ...], limit: int, refresh: int, params: Params = HBM2, pc: int = 0, both: bool = False
) -> tuple[Prediction, int]:
    """(what the model foresees, cycles from the acceptance of the odd request to its column command).

    Port `pc`: two requests of the tail, the odd one (column 31), then the tail again and again (other columns).
    both: the other port has the tail alone, a request later.
    """
    address_map = named_map(DEFAULT_MAP, params.geometry)
    body = [tail[place % len(tail)] for place in range(REQUESTS)]
    letters = np.array(LETTERS)[[*body[:ODD], odd, *body[ODD:]]]
    column = np.arange(len(letters)) % 31
    column[ODD] = 31
    ports = np.full(len(letters), pc)
    if both:
        letters = np.repeat(letters, 2, axis=0)
        column = np.repeat(column, 2)
        ports = np.repeat(ports, 2)
        ports[1::2] = 1 - pc
        letters[2 * ODD + 1], column[2 * ODD + 1] = LETTERS[body[ODD]], ODD
    write, bank, row = letters.T
    none = np.zeros(len(letters), np.int64)
    address = address_map.encode(Location(ports, none, none, bank, row, column))
    setup = Setup(params, policy_of(params, limit, refresh), read_entries=ENTRIES, write_entries=ENTRIES)
    ids = np.arange(len(letters)) % 15
    (place,) = np.flatnonzero((column == 31) & (ports == pc))
    ids[place] = 15  # responses of the others do not wait for it
    seen = simulate(setup, RequestTrace(write.astype(np.bool_), address, none), address_map, ids)
    columns = (seen.commands["cmd"] >= Cmd.RD) & (seen.commands["cmd"] <= Cmd.WRA) & (seen.commands["col"] == 31)
    (command,) = np.flatnonzero(columns & (seen.commands["pc"] == pc))
    return seen, int(seen.commands["time"][command]) // 4 - 2 - int(seen.taken[place])


def tails(length: int) -> list[tuple[int, ...]]:
    """Every traffic with that period, one of each set of rotations."""
    return sorted(
        {min(each[i:] + each[:i] for i in range(length)) for each in itertools.product(range(8), repeat=length)}
    )


def small_bound(params: Params, refresh: int) -> int:
    """Cycles in the queue, of the small configuration."""
    policy = policy_of(params, LIMIT, refresh)
    bound = longest_wait(params, policy, merges=False, read_entries=ENTRIES, write_entries=ENTRIES)
    assert bound is not None and bound.services == 2 * (ENTRIES + ENTRIES) + 1
    return bound.queue


@pytest.mark.parametrize("refresh", [0, 1])
@pytest.mark.parametrize(
    ("name", "pc", "both"), [("peers_hbm2", 0, False), ("peers_hbm2", 1, True), ("peers_hbm3", 0, True)]
)
def test_every_periodic_traffic_keeps_the_bound(name: str, pc: int, both: bool, refresh: int) -> None:
    """Any odd request among any traffic of period 1 or 2 on two banks and two rows; the other PC idle or as busy."""
    params = preset(name)
    most = small_bound(params, refresh)
    worst = max(run(odd, tail, LIMIT, refresh, params, pc, both)[1] for odd in range(8) for tail in tails(1) + tails(2))
    assert 2 * LIMIT < worst <= most


@pytest.mark.parametrize("params", [HBM2, HBM3], ids=lambda params: params.name)
def test_without_ageing_the_bound_does_not_hold(params: Params) -> None:
    """A request behind endless hits of its bank waits for the end of the traffic."""
    assert run(1, (0,), 0, 0, params, 1, True)[1] > small_bound(params, 0)
    assert run(1, (0,), LIMIT, 0, params, 1, True)[1] < small_bound(params, 0) / 4


@pytest.mark.parametrize("name", ["peers_hbm2", "hbm2e_3600_eng", "hbm3_6400_eng", "hbm4_8000_eng"])
def test_the_bound_has_its_parts(name: str) -> None:
    """Less ageing, more entries, refresh and merges: each makes it longer; none of them can be forgotten."""
    params = preset(name)
    plain = longest_wait(params, Policy.of(params, refresh_en=0), merges=False)
    service = service_ck(params)
    assert plain is not None and service is not None
    assert plain.services == 2 * (32 + 2 + 32) + 1
    assert plain.queue == -(-(2 * plain.interval + plain.services * service) // 2)
    assert plain.queue < plain.slot < plain.read and plain.queue < plain.write
    for policy, merges in (({"starve_limit": 2000, "refresh_en": 0}, False), ({}, False), ({"refresh_en": 0}, True)):
        longer = longest_wait(params, Policy.of(params, **policy), merges=merges)
        assert longer is not None
        assert longer.queue > plain.queue and longer.read > plain.read and longer.write > plain.write
    for more in ({"requests": 2}, {"beats": 2}):
        longer = longest_wait(params, Policy.of(params, refresh_en=0), merges=False, **more)
        assert longer is not None
        assert longer.queue == plain.queue and longer.read > plain.read and longer.write > plain.write
    alone = longest_wait(params, Policy.of(params, refresh_en=0, forward=0, qos_high=16), merges=False)
    assert alone is not None
    assert alone.service == plain.service - 6 and alone.services == plain.services - 4 and alone.read < plain.read
    assert longest_wait(params, Policy.of(params, starve_limit=0)) is None
    assert longest_wait(params.replaced(REFISB=40), Policy.of(params)) is None
    assert longest_wait(params.replaced(REFI=200), Policy.of(params, refresh_all=1)) is None


def test_acts_in_every_cycle_leave_no_place() -> None:
    """HBM3: own ACTs go before the PRE; tRRD and tFAW must leave a cycle (docs/waits.md, 2)."""
    assert service_ck(HBM3.replaced(RRDS=2, FAW=8)) is None
    tight, wide = service_ck(HBM3.replaced(RRDS=2, FAW=10)), service_ck(HBM3.replaced(RRDS=3, FAW=12))
    assert tight is not None and wide is not None
    assert longest_wait(HBM3.replaced(RRDS=2, FAW=8), Policy.of(HBM3)) is None
    assert service_ck(HBM2.replaced(RRDS=2, FAW=8)) is not None


def test_service_typed_by_hand() -> None:
    """peers_hbm2, docs/waits.md 2."""
    t = HBM2.count
    assert [t(name) for name in ("RC", "RAS", "RP", "RTP", "PPD")] == [48, 34, 14, 5, 1]
    assert [t(name) for name in ("WL", "RL", "WR", "RTW", "WTRL")] == [4, 14, 16, 14, 8]
    assert [t(name) for name in ("FAW", "RRDS", "RRDL", "RCDRD")] == [16, 4, 6, 14]
    closed = (5 + 34) - 1 + 4 + 2
    activated = (closed + 14) + 5 + 6 + 4
    column = max(14, 14 + 1) + 1
    assert service_ck(HBM2, forward=False) == activated + column == 89
    assert service_ck(HBM2) == 95


def test_command_line() -> None:
    """A table or JSON; exit 1 where there is no bound, 2 for what it cannot read."""
    done = CliRunner().invoke(app, ["wait", "--preset", "peers_hbm3", "--json"])
    assert done.exit_code == 0
    shown = json.loads(done.output)
    assert shown["whole requests"]["services"] == 133
    assert shown["partial writes"]["queue_cycles"] > shown["whole requests"]["queue_cycles"]
    assert "longest wait" in CliRunner().invoke(app, ["wait", "--preset", "peers_hbm2"]).output
    assert CliRunner().invoke(app, ["wait", "--preset", "peers_hbm2", "--set", "starve_limit=0"]).exit_code == 1
    assert CliRunner().invoke(app, ["wait", "--preset", "peers_hbm2", "--hot", "3"]).exit_code != 0


@pytest.mark.parametrize(("limit", "hits", "odd"), [(48, (11, 20), 35), (8, (23,), 37)])
def test_acts_of_both_pcs_do_not_keep_a_bank_open(limit: int, hits: tuple[int, ...], odd: int) -> None:
    """HBM2, M5.1: PCs whose ACTs fill every cycle of the row bus; the champion's PRE goes before them.

    Both PCs read new rows of 13 banks in turn, all of them starved; PC0 has hits in a 14th bank, then one request to
    another row of it.
    """
    count = 4000
    turn = [(place % 4, place // 4) for place in range(13)]
    rows = np.zeros((count, 2, 4), np.int64)  # per PC: group, bank, row, column
    for pc, start in ((0, 0), (1, 14)):
        number = start
        for place in range(count):
            if pc == 0 and place in (*hits, odd):
                rows[place, pc] = (3, 3, int(place == odd), 31 if place == odd else place)
                continue
            rows[place, pc] = (*turn[number % 13], 10 + number, number % 31)
            number += 1
    flat = rows.reshape(-1, 4).T
    none = np.zeros(2 * count, np.int64)
    address = MAP.encode(Location(none + np.arange(2 * count) % 2, none, flat[0], flat[1], flat[2], flat[3]))
    policy = Policy.of(HBM2, starve_limit=limit, refresh_en=0)
    ids = np.arange(2 * count) % 15
    ids[2 * odd] = 15
    seen = simulate(Setup(HBM2, policy), RequestTrace(np.zeros(2 * count, np.bool_), address, none), MAP, ids)
    bound = longest_wait(HBM2, policy, merges=False)
    assert bound is not None
    assert int(seen.done[2 * odd] - seen.taken[2 * odd]) <= bound.queue
    assert int(seen.done[2 * odd] - seen.taken[2 * odd]) < 4 * limit + 300
