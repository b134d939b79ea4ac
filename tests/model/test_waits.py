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
from hbm_model.presets import preset
from hbm_model.requests import RequestTrace
from hbm_model.waits import longest_wait, service_ck
from typer.testing import CliRunner

HBM2 = preset("peers_hbm2")
MAP = named_map(DEFAULT_MAP, HBM2.geometry)
ENTRIES = 3  # host entries of each queue
LIMIT = 8  # starve_limit
REQUESTS = 1200
LETTERS = list(itertools.product((0, 1), (0, 1), (0, 1)))  # write, bank, row
ODD = 2  # place of the request that the traffic around it may hold up


def run(odd: int, tail: tuple[int, ...], limit: int, refresh: int) -> tuple[Prediction, int]:
    """(what the model foresees, cycles from the acceptance of the odd request to its column command).

    Two requests of the tail, the odd one (column 31), then the tail again and again (other columns).
    """
    body = [tail[place % len(tail)] for place in range(REQUESTS)]
    letters = np.array(LETTERS)[[*body[:ODD], odd, *body[ODD:]]]
    write, bank, row = letters.T
    column = np.arange(len(letters)) % 31
    column[ODD] = 31
    none = np.zeros(len(letters), np.int64)
    address = MAP.encode(Location(none, none, none, bank, row, column))
    policy = Policy.of(
        HBM2, starve_limit=limit, page=0, refresh_en=refresh, switch_idle=255, write_high=63, switch_gain=63
    )
    setup = Setup(HBM2, policy, read_entries=ENTRIES, write_entries=ENTRIES)
    ids = np.arange(len(letters)) % 15
    ids[ODD] = 15  # responses of the others do not wait for it
    seen = simulate(setup, RequestTrace(write.astype(np.bool_), address, none), MAP, ids)
    columns = (seen.commands["cmd"] >= Cmd.RD) & (seen.commands["cmd"] <= Cmd.WRA) & (seen.commands["col"] == 31)
    (command,) = np.flatnonzero(columns & (seen.commands["pc"] == 0))
    return seen, int(seen.commands["time"][command]) // 4 - 2 - int(seen.taken[ODD])


def tails(length: int) -> list[tuple[int, ...]]:
    """Every traffic with that period, one of each set of rotations."""
    return sorted(
        {min(each[i:] + each[:i] for i in range(length)) for each in itertools.product(range(8), repeat=length)}
    )


@pytest.mark.parametrize("refresh", [0, 1])
def test_every_periodic_traffic_keeps_the_bound(refresh: int) -> None:
    """Any odd request among any traffic of period 1 or 2 on two banks and two rows."""
    policy = Policy.of(HBM2, starve_limit=LIMIT, refresh_en=refresh)
    bound = longest_wait(HBM2, policy, read_entries=ENTRIES, write_entries=ENTRIES)
    assert bound is not None
    worst = max(run(odd, tail, LIMIT, refresh)[1] for odd in range(8) for tail in tails(1) + tails(2))
    assert 2 * LIMIT < worst <= bound.queue


def test_without_ageing_the_bound_does_not_hold() -> None:
    """A request behind endless hits of its bank waits for the end of the traffic."""
    bound = longest_wait(
        HBM2, Policy.of(HBM2, starve_limit=LIMIT, refresh_en=0), read_entries=ENTRIES, write_entries=ENTRIES
    )
    assert bound is not None
    assert run(1, (0,), 0, 0)[1] > bound.queue
    assert run(1, (0,), LIMIT, 0)[1] < bound.queue / 4


@pytest.mark.parametrize("name", ["peers_hbm2", "hbm2e_3600_eng", "hbm3_6400_eng", "hbm4_8000_eng"])
def test_the_bound_has_its_parts(name: str) -> None:
    """Less ageing, more entries, refresh and merges: each makes it longer; none of them can be forgotten."""
    params = preset(name)
    plain = longest_wait(params, Policy.of(params, refresh_en=0), merges=False)
    assert plain is not None
    assert plain.services == 2 * (38 + 32) + 1
    assert plain.queue == -(-(2 * plain.interval + plain.services * service_ck(params)) // 2)
    for policy, merges in (({"starve_limit": 2000, "refresh_en": 0}, False), ({}, False), ({"refresh_en": 0}, True)):
        longer = longest_wait(params, Policy.of(params, **policy), merges=merges)
        assert longer is not None
        assert longer.queue > plain.queue
    assert longest_wait(params, Policy.of(params, starve_limit=0)) is None
    assert longest_wait(params.replaced(REFISB=40), Policy.of(params)) is None


def test_service_typed_by_hand() -> None:
    """peers_hbm2, docs/waits.md 2."""
    t = HBM2.count
    assert (t("RC"), t("RAS"), t("RP"), t("WL"), t("WR")) == (48, 34, 14, 4, 16)
    row = max(48, max(34, t("RTP"), 4 + 2 + 16) + 14)
    assert (
        service_ck(HBM2)
        == row
        + (t("FAW") + t("RRDL") + t("PPD"))
        + 14
        + max(t("RTW"), t("RL") + 2 - 4, 6 + t("WTRL"), t("CCDL"), t("CCDR"))
        + 24
    )


def test_command_line() -> None:
    """A table or JSON; exit 1 where there is no bound, 2 for what it cannot read."""
    done = CliRunner().invoke(app, ["wait", "--preset", "peers_hbm3", "--json"])
    assert done.exit_code == 0
    shown = json.loads(done.output)
    assert shown["whole requests"]["services"] == 141
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
