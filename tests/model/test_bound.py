"""The bound calculator: never above what is possible, sharp where it is known, and blind to nothing it names."""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hbm_model import bound_queue
from hbm_model.addrmap import DEFAULT_MAP, Location, named_map
from hbm_model.bound import FRONT, Bound, Limits, bound_of, data_end_ck
from hbm_model.bound_gaps import act_cost, act_span, columns_per_switch, gaps_of
from hbm_model.bound_queue import Capacity, most_merges, previous_of, switch_count
from hbm_model.cli import app
from hbm_model.commands import Cmd
from hbm_model.controller import Policy, Setup, simulate
from hbm_model.params import Params
from hbm_model.patterns import pattern
from hbm_model.presets import PRESET_NAMES, preset
from hbm_model.requests import RequestTrace, make_trace
from optimum import Request, Search, distances
from typer.testing import CliRunner

HBM2, HBM3 = preset("peers_hbm2"), preset("peers_hbm3")
ONE_SID = ("hbm2_2000_eng", "hbm3_6400_eng_s1", "hbm4_8000_eng_s1")


def trace_of(params: Params, requests: list[Request]) -> RequestTrace:
    """Requests of PC0 as a trace."""
    bank, row, col = (np.array([getattr(r, name) for r in requests]) for name in ("bank", "row", "col"))
    zero, per = np.zeros(len(requests), np.int64), params.count("banks")
    at = Location(zero, zero, bank // per, bank % per, row, col)
    return make_trace([r.write for r in requests], named_map(DEFAULT_MAP, params.geometry).encode(at))


def bound(params: Params, trace: RequestTrace, **limits: int) -> Bound:
    return bound_of(trace, params, named_map(DEFAULT_MAP, params.geometry), Limits(**limits))  # type: ignore[arg-type]


# ------------------------------------------------------------------ never above the optimum


def small_set(rng: random.Random, base: str) -> Params:
    """Timings so small that every rule binds now and then."""
    near = rng.randint(1, 6)
    top = {"RL": 9, "WL": 5, "RCDRD": 7, "RCDWR": 7, "RP": 7, "RAS": 12, "RC": 20, "FAW": 30, "CCDL": 6, "WTRS": 4}
    top |= {"WTRL": 6, "RTP": 5, "WR": 8, "RTW": 9}
    values = {key: rng.randint(2, high) for key, high in top.items()}
    return preset(base).replaced(**values, RRDS=near, RRDL=near + rng.randint(0, 3))


@pytest.mark.parametrize("seed", range(100, 148))
def test_no_schedule_is_faster(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exhaustive search over all orders of commands finds nothing below the bounds; docs/bounds.md tells of more."""
    monkeypatch.setattr(bound_queue, "LEAF", 1 + seed % 3)  # so that such short traces are cut into windows, too
    rng = random.Random(seed)
    params = small_set(rng, ONE_SID[seed % 3])
    banks = rng.sample(range(16), rng.randint(1, 3))
    share, rows = rng.choice([0, 0.3, 0.5]), rng.choice([1, 2, 3, 8])
    entries = rng.choice([None, 1, 2])
    requests = [
        Request(rng.random() < share, rng.choice(banks), rng.randrange(rows), rng.randrange(2))
        for _ in range(rng.choice([3, 4, 4 if entries is None else 5]))
    ]
    best = Search(params, requests, entries).run()
    size = 32 if entries is None else entries
    seen = bound(params, trace_of(params, requests), reads=size, writes=size, front=0, refresh_en=False)
    assert seen.ck(0, in_order=entries is not None) <= best


@pytest.mark.parametrize(
    ("requests", "ck"),
    [
        # HBM2 peers, typed by hand: ACT in CK 0 (time 1), RD at the first even CK from 15, data RL 14 + 2 later.
        ([Request(False, 0, 0)], 16 + 16),
        # Two rows of a bank: ACT to ACT 48.
        ([Request(False, 0, 0), Request(False, 0, 1)], 48 + 16 + 16),
        # Three columns of a row: CCDL 4.
        ([Request(False, 0, 0, c) for c in range(3)], 16 + 2 * 4 + 16),
        # Two banks of a group: RRDL 6; the second RD at the first even CK from 7 + 14.
        ([Request(False, 0, 0), Request(False, 1, 0)], 22 + 16),
        # Five rows in five banks of other groups: FAW 16.
        ([Request(False, b, 0) for b in (0, 4, 8, 12, 1)], 16 + 16 + 16),
        # A write and a read of the same 32 bytes: WR at 12 (RCDWR 10), RD WL + 2 + WTRL = 14 later.
        ([Request(True, 0, 0), Request(False, 0, 0)], 12 + 14 + 16),
    ],
)
def test_small_cases_are_met_exactly(requests: list[Request], ck: int) -> None:
    """Bound = optimum = the number computed by hand."""
    seen = bound(HBM2, trace_of(HBM2, requests), refresh_en=False)
    assert (seen.ck(0, in_order=False), Search(HBM2, requests).run()) == (ck, ck)


def test_the_search_sees_every_rule() -> None:
    """The oracle itself: a rule taken away from it makes it faster, so it was in force."""
    requests = [Request(False, b, 0) for b in (0, 4, 8, 12, 1)]
    # ACT 0, 4, 8, 12, and FAW 24; the last RD at the first even CK from 25 + 31; RL 20 + 2.
    assert Search(HBM3, requests).run() == 56 + 22
    search = Search(HBM3, requests)
    search.faw = 0
    assert search.run() == 48 + 22


# ------------------------------------------------------------------ parts


@pytest.mark.parametrize("name", PRESET_NAMES)
@pytest.mark.parametrize("grid", [1, 2])
def test_activates_and_refreshes_have_their_price(name: str, grid: int) -> None:
    """All orders of up to 11 ACTs and REFSBs: none is shorter than its price, and the price is met up to a constant."""
    params = preset(name)
    gaps = gaps_of(params, 0, grid=grid)
    cost = act_cost(gaps)
    table, faw = distances(params)
    near = {
        key: min(table.get((*key, n), 1 << 30) for n in ("bank", "group", "other"))
        for key in itertools.product((Cmd.ACT, Cmd.REFSB), repeat=2)
    }
    near = {key: max(gap, 4 if key[1] is Cmd.ACT and key[0] is Cmd.ACT else 2) for key, gap in near.items()}
    least: dict[tuple[int, int], int] = {}
    for order in itertools.product((Cmd.ACT, Cmd.REFSB), repeat=11):
        if order.count(Cmd.REFSB) > 3:
            continue
        times: list[int] = []
        for i, cmd in enumerate(order):
            at = 0 if not times else times[-1] + near[order[i - 1], cmd]
            at = max(at, times[i - 4] + faw) if i >= 4 else at
            step = 2 * grid if cmd is Cmd.ACT else 2
            times.append(at + -at % step)
        acts = order.count(Cmd.ACT)
        key = (acts, len(order) - acts)
        least[key] = min(least.get(key, 1 << 30), times[-1])
    assert least[11, 0] == 2 * act_span(gaps, 11)
    for (acts, refs), span in least.items():
        assert cost.act * acts + cost.refsb * refs - cost.start <= span / 2


def test_prices_typed_by_hand() -> None:
    """HBM2: FAW 16 / 4 an ACT; a REFSB takes RREFD 8 = two places. HBM3: 24 / 4; a REFSB takes its place, 6, and 2
    more: ACT 0 4 8, REFSB 12, ACT 26 (RREFD 13, even) where 24 was next.
    """
    for params, act, refsb, share in ((HBM2, 4, 8, 48.354), (HBM3, 6, 8, 32.650)):
        cost = act_cost(gaps_of(params, 0))
        assert (cost.act, cost.refsb) == (act, refsb)
        seen = bound(params, pattern("random", params.geometry, 1, 64))
        assert 200 / seen.act_ck == pytest.approx(share, abs=5e-4)


def test_changes_of_direction_have_their_price() -> None:
    """HBM2: RD to WR 14, WR to RD WL + 2 + WTRS = 12, where two columns are 2 apart; HBM3: 20, and 19 acts as 20."""
    for params, pair, single in ((HBM2, 12 + 10, 10), (HBM3, 18 + 18, 18)):
        gaps = gaps_of(params, 0)
        assert [columns_per_switch(gaps, n) for n in range(4)] == [0, single, pair, pair + single]
        assert gaps.column == 2
    # 3 in 10 requests are writes, 32 of them and 38 reads can wait: 161 requests between two changes and back.
    seen = bound(HBM2, pattern("streammix", HBM2.geometry, 1)).pcs[0].in_order
    assert seen.switches == pytest.approx(2 * 131072 / 161, rel=0.03)
    assert seen.parts["data bus"] == pytest.approx(2 * 131072 + 11 * seen.switches, abs=50)


def test_odd_ccdl_acts_as_even() -> None:
    """CCDL 5 on the slot grid is 6: one bank group gives a third of peak, two groups two thirds (else 40, 80 %)."""
    params = preset("hbm4_8000_eng_s1")
    assert params["CCDL"] == 5
    for groups in (1, 2):
        requests = [Request(False, 8 * (i % groups), 0, (i // groups) % 32) for i in range(3000)]
        trace = trace_of(params, requests)
        for grid, gap in ((2, 6), (1, 5)):
            seen = bound(params, trace, grid=grid, refresh_en=False)
            assert seen.share_of_peak(False) == pytest.approx(min(1, 2 * groups / gap), rel=0.02)


def brute_merges(previous: list[int], capacity: int) -> int:
    pairs = [(p, j) for j, p in enumerate(previous) if p >= 0]
    best = 0
    for mask in range(1 << len(pairs)):
        chosen = [pair for bit, pair in enumerate(pairs) if mask >> bit & 1]
        over = max((sum(i < m < j for i, j in chosen) for m in range(len(previous))), default=0)
        if over <= capacity:
            best = max(best, len(chosen))
    return best


@pytest.mark.parametrize("seed", range(40))
def test_merges_are_the_most_possible(seed: int) -> None:
    """The greedy choice of intervals against all subsets."""
    rng = random.Random(seed)
    keys = np.array([rng.randrange(rng.choice([3, 5, 8])) for _ in range(14)])
    previous = previous_of(keys)
    capacity = rng.randrange(4)
    assert most_merges(previous, capacity) == brute_merges(previous.tolist(), capacity)


def least_switches(write: list[bool], reads: int, writes: int) -> int:
    """Shortest path over (reads done, writes done, direction)."""
    at = {False: [i for i, w in enumerate(write) if not w], True: [i for i, w in enumerate(write) if w]}
    room = {False: reads, True: writes}
    front = {(0, 0, False): 0, (0, 0, True): 0}
    for _ in range(len(write)):
        after: dict[tuple[int, int, bool], int] = {}
        for (r, w, side), turns in front.items():
            done = {False: r, True: w}
            stop = min(
                [at[k][done[k] + room[k]] for k in (False, True) if done[k] + room[k] < len(at[k])] + [len(write)]
            )
            for kind in (False, True):
                if done[kind] < len(at[kind]) and at[kind][done[kind]] < stop:
                    key = (r + (not kind), w + kind, kind)
                    cost = turns + (kind != side)
                    after[key] = min(after.get(key, 99), cost)
        front = after
    return min(front.values())


@pytest.mark.parametrize("seed", range(30))
def test_changes_of_direction_are_the_fewest(seed: int) -> None:
    rng = random.Random(seed)
    write = [rng.random() < 0.4 for _ in range(40)]
    reads, writes = rng.randint(1, 6), rng.randint(1, 6)
    start = np.zeros(1, np.int64)
    seen = switch_count(np.array(write), Capacity(reads, writes), start, start + 40)
    assert int(seen[0]) == least_switches(write, reads, writes)


def test_every_component_can_bind() -> None:
    """Traffic made for each component: it is the one that binds, so none of them is idle."""
    geometry = HBM2.geometry
    address_map = named_map(DEFAULT_MAP, geometry)
    number = np.arange(512)
    zero = np.zeros(512, np.int64)

    def at(**fields: np.ndarray) -> RequestTrace:
        base = {name: zero for name in Location._fields} | fields
        return make_trace(False, address_map.encode(Location(**base)))

    one_row = at(bg=number % 4, col=number // 4 % 32, row=number // 128)
    slow_group = HBM2.replaced(RRDL=20)
    cases = {
        "data bus": (HBM2, one_row),
        "bank group columns": (HBM2, at(col=number % 32, bank=number % 2)),
        "activates": (HBM2, at(bg=number % 4, bank=number // 4 % 4, row=number)),
        "bank group activates": (slow_group, at(bank=number % 4, row=number)),
        "bank rows": (HBM2, at(row=number)),
        "same bytes": (HBM2, replace(at(col=zero), write=number % 2 == 1)),
        "arrival": (HBM2, replace(one_row, cycle=9 * number)),
        # Bank after bank: no bank has much to do, and yet only one of them is busy at a time.
        "windows": (HBM2, at(bank=number // 128 % 4, row=number)),
    }
    for name, (params, trace) in cases.items():
        seen = bound(params, trace)
        assert seen.pcs[0].in_order.binds == name
        assert seen.pcs[0].offline.binds == name or name == "windows"


def test_refreshes_count() -> None:
    """More refreshes, later ends: each way of refreshing, on the component that it hurts."""
    params = HBM2.replaced(REFI=1000, REFISB=60, POSTPONE=1)
    for name, pcs in (("random", 1), ("conflict", 1), ("stream", 2)):
        trace = pattern(name, params.geometry, pcs, 8192)
        none = bound(params, trace, refresh_en=False).channel_ck()
        assert bound(params, trace, refresh_all=True).channel_ck() > 1.2 * none
        assert (bound(params, trace).channel_ck() > 1.02 * none) == (name != "stream")


@pytest.mark.parametrize(
    ("name", "component", "refresh_all", "ck"),
    [
        # ACT to ACT 48, and RFCSB 160 every 16 REFISB of 243.
        ("conflict", "bank rows", False, 48 / (1 - 160 / (16 * 243))),
        # RFC 260 every REFI 3900.
        ("conflict", "bank rows", True, 48 / (1 - 260 / 3900)),
        # ACT to ACT 4; the row cycle before a REF (48) is more than the FAW time that passes meanwhile: RFC alone.
        ("conflict", "activates", True, 4 / (1 - 260 / 3900)),
        # RFC, and once per nine REFs RTP 5 + RP 14 + ACT to WR 11 - 2.
        ("stream", "data bus", True, 2 / (1 - (260 + 28 / 9) / 3900)),
    ],
)
def test_refreshes_have_their_price(name: str, component: str, refresh_all: bool, ck: float) -> None:
    """CK per request in the long run, HBM2, typed by hand."""
    # Below the 16,384 rows of `conflict`; so long that no refresh can wait for the end.
    counts = (12_000, 16_000) if name == "conflict" else (60_000, 120_000)
    traces = [pattern(name, HBM2.geometry, 1, count) for count in counts]
    low, high = (bound(HBM2, trace, refresh_all=refresh_all).pcs[0].offline.parts[component] for trace in traces)
    assert (high - low) / (counts[1] - counts[0]) == pytest.approx(ck, rel=1e-5)


def test_row_bus_of_both_pcs() -> None:
    """Without the other limits, two PCs share one ACT a cycle: half of peak each when each request opens a row."""
    params = HBM2.replaced(RRDS=1, RRDL=1, FAW=1, RC=2, RAS=1, RP=1)
    trace = pattern("random", params.geometry, 2, 4096)
    seen = bound(params, trace, refresh_en=False)
    assert seen.row_bus[0] == pytest.approx(2 * (seen.pcs[0].offline.openings + seen.pcs[1].offline.openings), rel=0.02)
    assert seen.channel_ck(False) == seen.row_bus[0] > 1.9 * seen.ck(0, False)


# ------------------------------------------------------------------ the exact model never beats it


PATTERNS = ("stream", "random", "mixed", "streammix", "conflict", "chase", "hotrow", "stride_4096", "stride_16384")


@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize("params", [HBM2, HBM3, preset("hbm4_8000_eng")], ids=lambda each: each.name)
def test_the_exact_model_is_not_faster(name: str, params: Params) -> None:
    limit = 1 if name == "chase" else 0
    trace = pattern(name, params.geometry, 2, 1500)
    for policy in ({}, {"refresh_all": 1}):
        seen = simulate(Setup(params, Policy.of(params, **policy), outstanding=limit), trace)
        limits = replace(Limits(outstanding=limit), refresh_all="refresh_all" in policy)
        found = bound_of(trace, params, named_map(DEFAULT_MAP, params.geometry), limits)
        for pc in found.used:
            first = 2 * int(seen.taken[seen.pc == pc].min())
            assert found.ck(pc, False) <= found.ck(pc) <= data_end_ck(seen.commands, params, pc) - first


def test_accepted_reads_fit_into_front_and_queue() -> None:
    """FRONT holds for the exact model: never more reads accepted and not picked than 32 + FRONT, and nearly so many."""
    trace = pattern("conflict", HBM2.geometry, 1, 400)
    seen = simulate(Setup(HBM2, Policy.of(HBM2)), trace)
    columns = seen.commands[seen.commands["cmd"] == Cmd.RDA]["time"] // 4 - 1  # cycle of the pick
    most = max(int((seen.taken <= n).sum() - (columns < n).sum()) for n in seen.taken.tolist())
    assert 32 + FRONT - 1 <= most <= 32 + FRONT


# ------------------------------------------------------------------ command line


def hbm(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(words))
    return done.exit_code, done.output + (f"{done.exception}" if done.exception else "")


def test_command_line() -> None:
    code, text = hbm("bound", "random.p1", "--preset", "peers_hbm2", "--count", "3000", "--json")
    assert code == 0, text
    seen = json.loads(text)
    assert seen["pcs"][0]["in_order"]["binds"] == "activates"
    assert 0.45 < seen["share_of_peak"]["in_order"] < 0.51
    assert seen["pcs"][1] == {"requests": 0}
    code, text = hbm("bound", "random", "--preset", "peers_hbm2", "--count", "3000")
    assert code == 0 and "row bus of both PCs" in text and "48.35 % of peak" in text


def test_share_of_a_run(tmp_path: Path) -> None:
    """A run folder tells its requests; a run that beats its bound is refused, one that did not finish too."""
    ports = [{"requests": 2000, "span_ck": 9000}, {"requests": 0, "span_ck": 0}]
    result = {"name": "r", "status": "pass", "preset": "peers_hbm2", "trace": "random.p1", "trace_requests": 2000}
    result |= {"map": "peers", "timing": {}, "policy": {"refresh.refresh_all": 0}, "ports": ports, "efficiency": 0.44}
    file = tmp_path / "result.json"
    file.write_text(json.dumps(result))
    code, text = hbm("bound", "--run", str(tmp_path))
    assert code == 0 and "% of its bound" in text, text
    ports[0]["span_ck"] = 7000
    file.write_text(json.dumps(result))
    code, text = hbm("bound", "--run", str(tmp_path))
    assert code == 1 and "one of the two is wrong" in text
    ports[0]["requests"] = 1999
    file.write_text(json.dumps(result))
    code, text = hbm("bound", "--run", str(tmp_path))
    assert code != 0 and "1999 of 2000 requests" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["bound"], "name the requests"),
        (["bound", "nowhere"], "nowhere: no such file, no recording"),
        (["bound", "random", "--run", "."], "leave the others out"),
        (["bound", "random", "--set", "CCDL=1"], "CCDL is 1"),
    ],
)
def test_bad_input(words: list[str], message: str) -> None:
    code, text = hbm(*words)
    assert code != 0 and message in text


def test_reads_after_writes_may_cost_nothing() -> None:
    """With forwarding only reads behind a write to the same 32 bytes drop out; pull-in takes refreshes off."""
    from hbm_model.bound import _forwarded

    rng = np.random.default_rng(5)
    for _ in range(50):
        size = int(rng.integers(1, 40))
        write, block = rng.random(size) < 0.4, rng.integers(0, 6, size)
        naive = [not w and any(write[:i] & (block[:i] == b)) for i, (w, b) in enumerate(zip(write, block, strict=True))]
        assert _forwarded(write, block).tolist() == naive
    params = preset("peers_hbm2")
    address_map = named_map("peers", params.geometry)
    address = np.zeros(2000, np.uint64)
    trace = RequestTrace(np.arange(2000) == 0, address, np.zeros(2000, np.int64))
    plain = bound_of(trace, params, address_map).ck(0)
    assert bound_of(trace, params, address_map, Limits().with_policy({"drain.forward": 1})).ck(0) < plain / 100
    random = RequestTrace(
        np.zeros(20000, np.bool_), np.arange(20000, dtype=np.uint64) * 65536 % 2**28, np.zeros(20000, np.int64)
    )
    assert bound_of(random, params, address_map, Limits().with_policy({"pull_in": 8})).ck(0) < bound_of(
        random, params, address_map
    ).ck(0)
