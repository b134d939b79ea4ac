"""From the data of the report site to what its templates show: rows, tiles and charts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from hbm_model.command_line import typed

from hbm_tb.coverage_rtl import KINDS
from hbm_tb.results import Bucket, RunResult
from hbm_tb.site_data import ListView, Site, slug
from hbm_tb.tight import HOLE, TIGHT, UNREACHABLE

SHOWN_RUNS: Final = 60  # of a bucket
# What a failure tells, in this order: key of failure.json -> words.
FACTS: Final = (
    ("ck", "CK"),
    ("cycle", "cycle"),
    ("pc", "PC"),
    ("bank", "bank"),
    ("where", "where"),
    ("expected", "expected"),
    ("got", "got"),
    ("rule", "rule"),
    ("paragraph", "paragraph"),
    ("difference", "first difference from the exact model"),
    ("difference_ck", "at CK"),
    ("command", "first differing DRAM command"),
    ("command_ck", "at CK"),
)
VERDICTS: Final = (HOLE, TIGHT, UNREACHABLE)  # of a rule on a PC, the worst first
SPEED: Final = {
    "bare_cycles_per_s": "RTL alone, cycles",
    "cosim_cycles_per_s": "RTL with every check, cycles",
    "waves_cycles_per_s": "the same with waves, cycles",
    "legality_commands_per_s": "legality checker, commands",
}


# ---------------------------------------------------------------- words


def number(value: object) -> str:
    """A count with thousands separators; a dash where there is none."""
    if value is None or value == "":
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{float(str(value)):,.4g}"


def percent(value: float | None) -> str:
    """Never rounded up to 100: 99.996 is no 100."""
    if value is None:
        return "–"
    return "100 %" if value >= 100 else f"{min(value, 99.99):.2f} %" if value >= 99 else f"{value:.1f} %"


def when(seconds: float | None) -> str:
    """Date and time, UTC."""
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def stamp(seconds: float) -> str:
    """The same for a chart."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


# ---------------------------------------------------------------- lists


def run_href(one: ListView, name: str) -> str:
    """Page of a run, from the site's folder."""
    return f"runs/{one.slug}/{name}.html"


def bucket_slug(one: ListView, signature: str) -> str:
    """Anchor of a bucket; the digest keeps signatures apart that differ in punctuation only."""
    digest = hashlib.sha256(signature.encode()).hexdigest()[:8]
    return f"bucket-{one.slug}-{slug(signature)}-{digest}"


def facts_of(failure: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The first difference in rows: what, where, expected, got."""
    rows = []
    for key, name in FACTS:
        value = failure.get(key)
        if value is None or value == "":
            continue
        if isinstance(value, Mapping):
            value = ", ".join(f"{part} {value[part]}" for part in ("sid", "bg", "bank") if part in value)
        rows.append((name, f"{value:,.10g}" if isinstance(value, int | float) else str(value)))
    return rows


def hints_of(run: RunResult) -> list[tuple[str, str]]:
    """What else to type about a failed simulation whose folder is there: its waves, or what makes them, and what it
    waited for.
    """
    from hbm_model.asked import knows_channel

    from hbm_tb import failure, replay

    found = failure.read_failure(run.folder)
    if run.passed or found is None:
        return []
    there = (run.folder / replay.WAVES).exists()
    hints = [("waves", replay.opens(run.folder)) if there else ("waves around it", replay.command_of(run.folder))]
    if knows_channel(run.folder):
        return [*hints, ("what it waits for", replay.why_of(run.folder, found))]
    if any((run.folder / name).exists() for name in ("commands.csv", "commands.npz")):
        hints.append(("the commands around it", typed(f"hbm timeline {replay.shown(run.folder)}")))
    return hints


def bucket_view(one: ListView, bucket: Bucket) -> dict[str, Any]:
    """A bucket for its page and the overview."""
    since = next((past.start for past in one.past if past.id == bucket.since), None)
    return {
        "slug": bucket_slug(one, bucket.signature),
        "signature": bucket.signature,
        "headline": bucket.headline,
        "count": bucket.count,
        "new": bucket.new,
        "since_when": when(since),
        "first": bucket.first,
        "facts": facts_of(bucket.first.failure),
        "hints": hints_of(bucket.first) if bucket.first.name in one.current else [],
        "shown": [{"name": run.name, "href": run_href(one, run.name)} for run in bucket.runs[:SHOWN_RUNS]],
    }


def list_views(site: Site) -> list[dict[str, Any]]:
    """The lists for the overview and the page of buckets."""
    out = []
    for one in site.lists:
        buckets = [bucket_view(one, bucket) for bucket in one.buckets]
        out.append(
            {
                "title": one.title,
                "slug": one.slug,
                "now": one.now,
                "running": one.running,
                "buckets": buckets,
                "retried": [{"name": run.name, "href": run_href(one, run.name)} for run in one.retried],
                "fresh": [b for b in buckets if b["new"]] if len(one.past) > 1 else [],
                "cycles_per_s": one.now.speed,
            }
        )
    return out


def run_row(one: ListView, run: RunResult) -> dict[str, Any]:
    """A line of the table of runs."""
    cycles = run.counts.get("cycles")
    return {
        "list": one.title,
        "name": run.name,
        "href": run_href(one, run.name),
        "status": run.status,
        "headline": "" if run.status == "pass" else run.headline,
        "preset": run.preset,
        "test": run.test,
        "seed": "" if run.seed is None else run.seed,
        "commands": run.counts.get("commands", ""),
        "cycles": "" if cycles is None else cycles,
        "wall_s": run.wall_s,
        "speed": round(cycles / run.cpu_s) if cycles and run.cpu_s else "",
        "more": f"{run.signature} {first_words(run.reason)}",
    }


def first_words(text: str, most: int = 400) -> str:
    """The begin of a reason, on one line."""
    return " ".join(text.split())[:most]


def choices_of(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """What the selectors above the table of runs offer."""
    return [(name, sorted({str(row[name]) for row in rows if row[name]})) for name in ("list", "preset", "test")]


# ---------------------------------------------------------------- tightness


def tight_view(tight: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Sums, and the verdict of each rule over all presets: the worst."""
    if not tight:
        return None
    presets = tight["presets"]
    rules = []
    for rule in tight["rules"]:
        seen = {cell["verdict"] for cells in rule["presets"].values() for cell in cells.values()}
        worst = next((verdict for verdict in VERDICTS if verdict in seen), UNREACHABLE)
        rules.append({**rule, "verdict": worst, "presets": {name: rule["presets"].get(name, {}) for name in presets}})
    met = sum(p["tight"] for p in presets.values())
    return {
        "presets": presets,
        "rules": rules,
        "tight": met,
        "reachable": met + sum(len(p["holes"]) for p in presets.values()),
        "unreachable": sum(p["unreachable"] for p in presets.values()),
    }


# ---------------------------------------------------------------- bench


def cases_of(bench: Mapping[str, Any]) -> Iterable[tuple[str, str, Mapping[str, Any]]]:
    """(preset, case, numbers) of the traffic of a bench."""
    for preset, ports in (bench.get("traffic") or {}).items():
        for port, cases in ports.items():
            if not isinstance(cases, Mapping):
                continue
            for name, found in cases.items():
                if isinstance(found, Mapping) and "efficiency" in found:
                    yield preset, f"{name}.{port}", found


def traffic_rows(benches: Sequence[tuple[float, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """The newest bench, with what changed since the one before."""
    if not benches:
        return []
    before = {(p, c): f["efficiency"] for p, c, f in cases_of(benches[-2][1])} if len(benches) > 1 else {}
    rows = []
    for preset, case, found in cases_of(benches[-1][1]):
        target, old = found.get("target"), before.get((preset, case))
        share = found.get("share_of_bound")
        rows.append(
            {
                "preset": preset,
                "case": case,
                "efficiency": f"{100 * found['efficiency']:.2f}",
                "share": "–" if share is None else f"{100 * share:.1f}",
                "mean": f"{found['mean_latency_ck']:.1f}",
                "p99": f"{found['p99_latency_ck']:,}",
                "hits": f"{100 * found['row_hit_rate']:.1f}",
                "target": f"{target['value']:g} % of {target['of']}" if target else "",
                "verdict": "none" if not target else "met" if found.get("met") else "missed",
                "change": None if old is None else 100 * (found["efficiency"] - old),
            }
        )
    return rows


def fairness_rows(bench: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Contests that have a limit."""
    return [
        {
            "preset": preset,
            "busy": name,
            "mean": f"{found['mean_cycles']:.1f}",
            "limit": f"{found['limit_cycles']:.1f}",
            "max": found["max_cycles"],
            "verdict": "met" if found["met"] else "missed",
        }
        for preset, contests in (bench.get("fairness") or {}).items()
        if isinstance(contests, Mapping)
        for name, found in contests.items()
        if isinstance(found, Mapping) and "limit_cycles" in found
    ]


def targets_of(traffic: Sequence[Mapping[str, Any]], fairness: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Targets met, of all."""
    verdicts = [row["verdict"] for row in (*traffic, *fairness) if row["verdict"] != "none"]
    return {"met": verdicts.count("met"), "total": len(verdicts)}


def speed_rows(bench: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Speeds of the simulation."""
    speed = bench.get("speed") or {}
    rows = [(text, speed[key]) for key, text in SPEED.items() if key in speed]
    for case, found in (speed.get("exact") or {}).items():
        rows += [
            (f"exact model, {case}, CK", found["ck_per_s"]),
            (f"exact model, {case}, requests", found["requests_per_s"]),
        ]
    return rows


# ---------------------------------------------------------------- charts


def chart(title: str, ytitle: str, series: Mapping[str, Sequence[tuple[float, float]]], **more: Any) -> dict[str, Any]:
    """What site.js draws: one line a series over time."""
    lines = [
        {"name": name, "x": [stamp(at) for at, _ in points], "y": [value for _, value in points]}
        for name, points in series.items()
        if points
    ]
    return {"title": title, "ytitle": ytitle, "series": lines, **more}


def pass_rate(site: Site) -> dict[str, Any]:
    """Share of passed runs of every complete regression."""
    return chart(
        "Passed runs, %",
        "%",
        {
            one.title: [
                (past.start, 100 * past.passed / past.total) for past in one.past if past.complete and past.total
            ]
            for one in site.lists
        },
        unit="%",
        percent=True,
    )


def regression_charts(site: Site) -> list[dict[str, Any]]:
    """Run time and speed of the complete regressions."""

    def over(value: Any) -> dict[str, list[tuple[float, float]]]:
        return {
            one.title: [
                (past.start, found) for past in one.past if past.complete and (found := value(past)) is not None
            ]
            for one in site.lists
        }

    charts = [
        chart(
            "Processor time of all runs of a regression, minutes",
            "minutes",
            over(lambda one: round(one.all_cpu_s / 60, 2)),
            zero=True,
        ),
        chart("Speed: controller cycles per second and processor", "cycles/s", over(lambda one: one.speed), zero=True),
        chart("Runs of a regression", "runs", over(lambda one: one.total), zero=True),
    ]
    return [one for one in charts if one["series"]]


def bench_charts(benches: Sequence[tuple[float, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Course of efficiency and speed over the benches."""
    efficiency: dict[str, dict[str, list[tuple[float, float]]]] = {}
    speed: dict[str, list[tuple[float, float]]] = {}
    for at, bench in benches:
        for preset, case, found in cases_of(bench):
            efficiency.setdefault(preset, {}).setdefault(case, []).append((at, round(100 * found["efficiency"], 3)))
        for key in ("bare_cycles_per_s", "cosim_cycles_per_s", "waves_cycles_per_s"):
            if (value := (bench.get("speed") or {}).get(key)) is not None:
                speed.setdefault(SPEED[key], []).append((at, value))
    charts = [
        chart(f"Efficiency on {preset}, %", "%", cases, unit="%", height=440) for preset, cases in efficiency.items()
    ]
    charts.append(chart("Speed of the simulation, cycles per second", "cycles/s", speed, zero=True))
    return [one for one in charts if one["series"]]


# ---------------------------------------------------------------- coverage


def module_views(coverage: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Modules with the address of their page, those with most holes first."""
    if not coverage:
        return []
    rtl = coverage["rtl"]
    out = []
    for module in rtl["modules"]:
        out.append(
            {
                **module,
                "href": f"coverage/{slug(module['module'])}.html",
                "excluded_here": [e for e in rtl["exclusions"] if e["module"] == module["module"]],
                **{
                    kind: module.get(kind) or {"hit": 0, "total": 0, "excluded": 0, "percent": None, "goal": 0}
                    for kind in KINDS
                },
            }
        )
    return sorted(out, key=lambda one: (one["kind"] != "rtl", -len(one["holes"]), one["module"]))
