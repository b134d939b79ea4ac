"""A build folder as regressions, coverage, tightness and benches leave it, small and made up, for tests of the site."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from hbm_model.counters import CAUSES, LATENCIES
from hbm_model.report import COMMAND, KINDS
from hbm_tb.job_store import About, JobStore
from hbm_tb.jobs import FAIL, PASS, TIMEOUT, Job, Outcome

ACT, PRE, RD, WR, REFSB = (KINDS.index(name) for name in ("ACT", "PRE", "RD", "WR", "REFSB"))
PRESETS = ("hbm2_2000_eng", "hbm3_6400_eng")
DAY = 86_400.0
START = 1_795_000_000.0
SIGNATURE = "difference:row:expected ACT got none:M5.5"
OLD_SIGNATURE = "violation:tRCDRD"
FAILURE = {
    "schema": 1,
    "kind": "difference",
    "signature": SIGNATURE,
    "headline": "PC1 bank 1/2: no ACT at CK 1500, the model expects ACT of row 77",
    "ck": 1500,
    "cycle": 750,
    "pc": 1,
    "where": "row commands of PC1",
    "expected": "ACT pc1 sid0 bg1 bank2 row 77 at CK 1500",
    "got": "nothing",
    "rule": None,
    "paragraph": "M5.5",
    "bank": {"sid": 0, "bg": 1, "bank": 2},
    "command": "PC1: expected ACT 0.1.2 row 0x4d at CK 1500, got nothing",
    "command_ck": 1500,
}
OLD_FAILURE = {
    **FAILURE,
    "kind": "violation",
    "signature": OLD_SIGNATURE,
    "headline": "tRCDRD: RD at CK 812 is too early",
    "ck": 812,
    "rule": "tRCDRD",
    "paragraph": None,
    "expected": "RD not before CK 815",
    "got": "RD at CK 812",
}


def commands(rounds: int) -> np.ndarray:
    """ACT, three RD, a WR, PRE, one bank after the other, on both PCs; now and then a refresh."""
    number = np.arange(rounds)
    bank = number % 16
    parts = []
    for pc in (0, 1):
        start = 40 + 64 * number + 2 * pc
        steps = [(1, ACT), *((30 + 4 * i, RD) for i in range(3)), (42, WR), (60, PRE)]
        for step, (offset, cmd) in enumerate(steps):
            rows = np.zeros(rounds, COMMAND)
            rows["time"], rows["cmd"], rows["pc"] = start + offset, cmd, pc
            rows["bg"], rows["bank"], rows["col"], rows["row"] = bank // 4, bank % 4, step, number % 16384
            parts.append(rows)
        refresh = parts[-1][::50].copy()
        refresh["cmd"] = REFSB
        refresh["time"] += 3
        parts.append(refresh)
    out = np.concatenate(parts)
    return out[np.argsort(out["time"], kind="stable")]


def counters(cycles: int) -> dict[str, Any]:
    """Counters whose causes add up."""
    share = cycles // len(CAUSES)
    causes = dict.fromkeys(CAUSES, share)
    causes[next(iter(CAUSES))] += cycles - share * len(CAUSES)
    events = ("rd_req", "wr_req", "forward", "rmw", "row_hit", "row_closed", "row_conflict", "turnaround", "act", "pre")
    others = ("rd", "wr", "refsb", "ref_all", "rd_full", "wr_full", "rob_full", *(f"lat_{name}" for name in LATENCIES))
    pc = {**causes, **dict.fromkeys((*events, *others), 10)}
    return {"cycles": cycles, "pcs": [pc, dict(pc)]}


def run_folder(folder: Path, preset: str, rounds: int, with_counters: bool = True) -> None:
    """What run_record leaves."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = commands(rounds)
    cycles = int(rows["time"][-1]) // 4 + 20
    result: dict[str, Any] = {
        "schema": 1,
        "status": "unfinished",
        "preset": preset,
        "test": "RandomSoak",
        "tck_ns": 1.0,
        "cycles": cycles,
        "requests": 8000,
        "read_requests": 6000,
        "write_requests": 2000,
        "bytes": {"read": 192000, "write": 64000},
        "latency_ck": {"count": 6000, "mean": 61.5, "p50": 60, "p99": 90, "max": 120},
        "row": {"hit": 6000, "closed": 2000, "conflict": 0},
        "row_hit_rate": 0.75,
        "violations": 0,
        "checked": {"read_beats": 6000},
    }
    if with_counters:
        result["counters"] = counters(cycles)
    (folder / "result.json").write_text(json.dumps(result))
    np.savez_compressed(folder / "commands.npz", commands=rows)
    windows = int(rows["time"][-1]) // 2 // 128 + 1
    names = ("read_bytes", "write_bytes", "latency_max_ck", "reads_done", "row_hit", "row_closed", "row_conflict")
    wave = 1 + np.abs(40 * np.sin(np.arange(windows) / 9)).astype(np.int64)
    arrays: dict[str, Any] = {name: np.stack([wave, wave[::-1]]) for name in names}
    arrays["latency_mean_ck"] = np.stack([60.0 + wave, 55.0 + wave])
    arrays["latency_max_ck"] = np.stack([90 + wave, 80 + wave])
    latencies = np.bincount((30 + np.abs(np.random.default_rng(1).normal(0, 20, 5000))).astype(int), minlength=4096)
    arrays["latency_histogram"] = np.stack([latencies, latencies])
    arrays["bucket_ck"] = np.array(128)
    np.savez_compressed(folder / "series.npz", **arrays)
    (folder / "sim.log").write_text("a line of the simulator\nthe last line\n")


def job(name: str, test: str, preset: str, seed: int) -> Job:
    arguments = {"module": "random_tests", "test": test, "seed": seed, "bench": {"preset": preset}}
    again = f"hbm regress --list nightly --only {name} --waves"
    return Job(name, "hbm_tb.sim_job", arguments, reproduce=again)


def jobs(seeds: int) -> list[Job]:
    """Soak and errors on each preset and seed."""
    return [
        job(f"{group}/{preset}/seed_{seed}", test, preset, seed)
        for group, test in (("soak", "RandomSoak"), ("errors", "RandomErrors"))
        for preset in PRESETS
        for seed in range(1, seeds + 1)
    ]


def outcome(failure: Mapping[str, Any] | None, seed: int, content: str, status: str = FAIL) -> Outcome:
    counts = {"commands": 90_000 + seed, "cycles": 120_000 + 1000 * seed, "read_beats": 4_000}
    if failure is None and status != TIMEOUT:
        return Outcome(PASS, "", counts, 10.0 + seed, 9.0 + seed, "sim.log", content)
    reason = f"RandomSoak: {failure['headline']}" if failure else "the simulation took longer than 1800 s"
    return Outcome(status, reason, counts, 4.0, 3.5, "sim.log", content, failure=failure or {})


def regress(folder: Path, listed: Sequence[Job], failing: Mapping[str, Outcome], at: float, rounds: int) -> None:
    """One regression that makes every run anew."""
    content = f"tb_top-hbm2_s1-{int(at)} abcdef"
    with mock.patch("time.time", lambda: at), JobStore(folder) as store:
        about = About(folder.name, True, {}, "0123456789ab")
        store.begin({each.name: each.key(content) for each in listed}, {}, about)
        results = {}
        for number, each in enumerate(listed):
            seed = int(each.arguments["seed"])
            found = failing.get(each.name) or outcome(None, seed, content)
            results[each.name] = found
            if rounds:
                run_folder(folder / each.name, each.arguments["bench"]["preset"], rounds, found.passed)
            if number == 1:  # a worker that died early
                (folder / each.name / "result.json").unlink(missing_ok=True)
            if rounds and found.failure:
                (folder / each.name / "failure.json").write_text(json.dumps(found.failure))
                (folder / each.name / f"model_{found.failure.get('test', '')}.pkl.gz").touch()  # the state of the model
            store.add(each, found)
        store.end(results)


def build_lists(build: Path, seeds: int = 5, rounds: int = 60, regressions: int = 3) -> None:
    """A nightly list that fails in two ways, the second one new; a quick list without a failure."""
    listed = jobs(seeds)
    folder = build / "regress" / "nightly"
    old = {listed[2].name: outcome(OLD_FAILURE, 3, "x")}
    new = {
        **old,
        **{each.name: outcome(FAILURE, 1, "x") for each in listed if "soak/hbm3" in each.name},
        listed[1].name: outcome(None, 1, "x", TIMEOUT),
    }
    for number in range(regressions):
        last = number == regressions - 1
        regress(folder, listed, new if last else old, START + number * DAY, rounds if last else 0)
    regress(build / "regress" / "quick", listed[:3], {}, START + DAY / 2, 0)


def measure(hit: int, total: int, goal: float, excluded: int = 0) -> dict[str, Any]:
    percent = 100 * hit / total if total else None
    return {"hit": hit, "total": total, "excluded": excluded, "percent": percent, "goal": goal}


def build_coverage(build: Path) -> None:
    """coverage.json and plan.json (docs/coverage.md)."""
    holes = [
        {"kind": "line", "line": 12, "what": "", "source": "logic a;", "builds": ["hbm2_s1"]},
        {
            "kind": "toggle",
            "line": 20,
            "what": "count_q[3]:0->1",
            "source": "count_q",
            "builds": ["hbm2_s1", "hbm3_s2"],
        },
    ]
    modules = [
        {
            "module": "hbm_gap_timer",
            "file": "rtl/sched/hbm_gap_timer.sv",
            "kind": "rtl",
            "line": measure(49, 50, 98),
            "branch": measure(20, 20, 98),
            "toggle": measure(90, 100, 95, 2),
            "holes": holes,
        },
        {
            "module": "hbm_banks",
            "file": "rtl/none/hbm_banks.sv",
            "kind": "rtl",
            "line": measure(100, 100, 98),
            "branch": measure(40, 40, 98),
            "toggle": measure(400, 400, 95),
            "holes": [],
        },
    ]
    coverage = {
        "schema": 1,
        "revision": "0123456789ab",
        "date": "2026-11-23 06:00 UTC",
        "sources": "of another time",
        "left_out": ["12 runs of other sources left out"],
        "wrong_exclusions": ["hbm_banks x: nothing there"],
        "list": "nightly",
        "runs": 20,
        "geometries": ["hbm2_s1"],
        "rtl": {
            "totals": {
                "line": measure(149, 150, 98),
                "branch": measure(60, 60, 98),
                "toggle": measure(470, 500, 95, 2),
            },
            "modules": modules,
            "exclusions": [
                {
                    "module": "hbm_gap_timer",
                    "what": "gap_i[7]",
                    "kind": "toggle",
                    "reason": "no preset needs it",
                    "points": 2,
                }
            ],
            "apart": [
                {
                    "files": "rtl/gen/*",
                    "reason": "a generator writes it",
                    "line": measure(9, 10, 98),
                    "branch": measure(0, 0, 98),
                    "toggle": measure(8, 10, 95),
                }
            ],
            "wide": [{"module": "hbm_reorder", "signal": "data_q", "bits": 32768}],
        },
        "functional": {
            "hit": 11,
            "total": 12,
            "percent": 91.67,
            "points": [
                {
                    "name": "axi.burst",
                    "title": "burst types",
                    "bins": 4,
                    "hit": 4,
                    "holes": [],
                    "counts": {"INCR": 9, "WRAP": 2},
                },
                {"name": "axi.ids", "title": "ids", "bins": 8, "hit": 7, "holes": ["id 63"], "counts": {}},
            ],
        },
        "tightness": {"hit": 1, "total": 2, "percent": 50.0, "source": "build/tight/tight.json", "presets": {}},
    }
    plan = {
        "schema": 1,
        "totals": {
            "features": 2,
            "complete": 1,
            "points": {"hit": 11, "total": 12},
            "tests": {"passed": 18, "failed": 1, "not_run": 1},
        },
        "features": [
            {
                "name": "axi.bursts",
                "title": "Burst types",
                "text": "All types and lengths.",
                "paragraphs": ["M2.4"],
                "status": "complete",
                "rules": [{"name": "tRAS", "tight": 4, "reachable": 4, "status": "tight"}],
                "tests": [
                    {"name": "axi_tests.AllShapes", "kind": "cocotb", "passed": 3, "failed": 0, "status": "passed"}
                ],
                "points": [
                    {
                        "name": "axi.burst",
                        "bins": 4,
                        "hit": 4,
                        "goal": 1,
                        "percent": 100.0,
                        "holes": [],
                        "status": "complete",
                    }
                ],
            },
            {
                "name": "axi.ids",
                "title": "Ids",
                "text": "",
                "paragraphs": [],
                "status": "open",
                "rules": [],
                "tests": [{"name": "list:nightly", "kind": "list", "passed": 0, "failed": 0, "status": "not run"}],
                "points": [
                    {
                        "name": "axi.ids",
                        "bins": 8,
                        "hit": 7,
                        "goal": 1,
                        "percent": 87.5,
                        "holes": ["id 63"],
                        "status": "open",
                    }
                ],
            },
        ],
    }
    folder = build / "coverage"
    folder.mkdir(parents=True)
    (folder / "coverage.json").write_text(json.dumps(coverage))
    (folder / "plan.json").write_text(json.dumps(plan))


def build_tight(build: Path) -> None:
    """tight.json with one hole."""

    def cell(verdict: str, slack: float | None, missing: str = "") -> dict[str, Any]:
        return {
            "verdict": verdict,
            "uses": 10,
            "slack": slack,
            "skipped": 0,
            "alone": slack,
            "alone_least": 0.0,
            "missing": missing,
            "reason": "always later than tRAS" if verdict == "unreachable" else "",
        }

    rules = [
        {
            "rule": "tRCDRD",
            "owner": ["hbm_banks"],
            "before": ["ACT"],
            "after": ["RD", "RDA"],
            "scope": "same bank",
            "distance": "RCDRD",
            "presets": {"hbm2_2000_eng": {"0": cell("tight", 0.0), "1": cell("hole", 1.0, "slack 0")}},
        },
        {
            "rule": "tRC",
            "owner": ["hbm_banks"],
            "before": ["ACT"],
            "after": ["ACT"],
            "scope": "same bank",
            "distance": "RC",
            "presets": {"hbm2_2000_eng": {"0": cell("unreachable", None), "1": cell("unreachable", None)}},
        },
    ]
    preset = {
        "tight": 1,
        "holes": ["hbm2_2000_eng tRCDRD PC1: slack 0"],
        "unreachable": 2,
        "failure": "",
        "goals": 2,
        "reached": 1,
        "trials": 10,
        "cycles": 1000,
        "seconds": 1.0,
        "seed": 1,
    }
    (build / "tight").mkdir(parents=True)
    (build / "tight" / "tight.json").write_text(json.dumps({"presets": {"hbm2_2000_eng": preset}, "rules": rules}))


def build_bench(build: Path) -> None:
    """Three benches, the last one slower on one pattern."""
    history = build / "bench" / "history"
    history.mkdir(parents=True)
    for number, efficiency in enumerate((0.95, 0.96, 0.93)):
        case = {
            "efficiency": efficiency,
            "mean_latency_ck": 66.3,
            "p99_latency_ck": 72,
            "max_latency_ck": 194,
            "row_hit_rate": 0.97,
            "share_of_bound": 0.99,
            "target": {"of": "peak", "value": 94},
            "met": efficiency > 0.94,
        }
        document = {
            "speed": {"bare_cycles_per_s": 300_000 + number, "cosim_cycles_per_s": 220_000, "exact": {}},
            "traffic": {"peers_hbm2": {"p1": {"stream": case}, "p2": {}, "mean": 0.9}},
            "about": {"machine": "two processors", "complete": True},
        }
        (history / f"2026112{number}T101500Z.json").write_text(json.dumps(document))


def build_all(build: Path, **how: int) -> None:
    """Everything."""
    build_lists(build, **how)
    build_coverage(build)
    build_tight(build)
    build_bench(build)
