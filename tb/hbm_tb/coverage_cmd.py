"""`hbm coverage`: a list on instrumented builds, merged to one report; `hbm plan`: the status of the verification plan.

build/coverage/: coverage.json and plan.json (docs/coverage.md), coverage.xml (UCIS), coverage.info (lcov). The runs
stand below build/coverage/<list>. Rule tightness is that of the last `hbm tight`.
"""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from hbm_model.errors import InputError
from hbm_model.home import BUILD

from hbm_tb import coverage_files, coverage_rtl, sim, tight
from hbm_tb.coverage_plan import COMPLETE, FAILED, PLAN, Evidence, Feature, read_plan, status_of, wanted
from hbm_tb.job_list import ListOptions, run_list, shown
from hbm_tb.job_view import print_line
from hbm_tb.jobs import Job
from hbm_tb.results import FOLDER as REGRESS

FOLDER: Final = BUILD / "coverage"
COVERAGE, PLAN_STATUS, UCIS, LCOV = "coverage.json", "plan.json", "coverage.xml", "coverage.info"
LIST, QUICK_LIST = "coverage", "coverage_quick"
NIGHTLY: Final = REGRESS / "nightly"
BUILDS: Final = ("hbm2_s1", "hbm3_s2", "hbm4_s2", "blocks")  # all must be there before an exclusion may match nothing
HOLES_SHOWN: Final = 12  # of a module


# ---------------------------------------------------------------- what runs left


@dataclass
class Found:
    """What the run folders below some folders hold."""

    data: list[Path] = field(default_factory=list)  # Verilator's
    functional: list[Path] = field(default_factory=list)
    runs: dict[str, bool] = field(default_factory=dict)  # name -> passed
    tests: dict[str, tuple[int, int]] = field(default_factory=dict)  # module.Name -> runs passed, failed


def _count(sums: dict[str, tuple[int, int]], name: str, good: bool) -> None:
    """Add a run to (passed, failed) of a test."""
    passed, failed = sums.get(name, (0, 0))
    sums[name] = passed + good, failed + (not good)


def look(folders: Iterable[Path]) -> Found:
    """Find all runs with an outcome below the folders; a run that did not pass gives no coverage."""
    found = Found()
    for folder in folders:
        for outcome_file in sorted(folder.rglob("outcome.json")):
            run = outcome_file.parent
            try:
                passed = json.loads(outcome_file.read_text())["status"] == "pass"
            except (OSError, ValueError, KeyError):
                passed = False
            found.runs[str(run.relative_to(folder.parent))] = passed
            for test, good in _tests_of(run).items():
                _count(found.tests, test, good)
            if passed:
                found.data += [run / name for name in coverage_files.LEAVES if (run / name).exists()]
                found.functional += sorted(run.glob(coverage_files.FUNCTIONAL))
    return found


def _cases(path: Path) -> Iterator[tuple[str, str, bool]]:
    """(class, name, passed) of every test of a JUnit file that was not skipped."""
    for case in ET.parse(path).getroot().iter("testcase"):
        if case.find("skipped") is None:
            good = case.find("failure") is None and case.find("error") is None
            yield case.get("classname", ""), case.get("name", "?"), good


def _tests_of(run: Path) -> dict[str, bool]:
    """Tests of a run by its results.xml, passed or not."""
    try:
        return {
            f"{module.split('.')[-1]}.{name.split('.')[-1]}": good for module, name, good in _cases(run / "results.xml")
        }
    except (OSError, ET.ParseError):
        return {}


def functional_hits(files: Iterable[Path]) -> dict[str, dict[str, int]]:
    """Point -> bin -> count, over all files."""
    hits: dict[str, dict[str, int]] = {}
    for path in files:
        given = json.loads(path.read_text())
        for name, bins in given.get("points", {}).items():
            sums = hits.setdefault(name, {})
            for label, count in bins.items():
                sums[label] = sums.get(label, 0) + count
    return hits


def junit_tests(path: Path) -> dict[str, tuple[int, int]]:
    """Files and functions of a JUnit file of pytest -> passed, failed."""
    sums: dict[str, tuple[int, int]] = {}
    try:
        for module, function, good in _cases(path):
            file = module.replace(".", "/") + ".py"
            for name in (file, f"{file}::{function.partition('[')[0]}"):
                _count(sums, name, good)
    except (OSError, ET.ParseError) as problem:
        raise InputError(f"{path}: no JUnit file: {problem}") from None
    return sums


def tight_cells(path: Path) -> tuple[dict[str, tuple[int, int]], dict[str, Any]]:
    """Of a tightness result: rule -> cells tight, cells reachable; and the part of coverage.json."""
    try:
        given = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}, {"hit": 0, "total": 0, "percent": None, "source": "", "presets": {}}
    rules: dict[str, tuple[int, int]] = {}
    presets: dict[str, dict[str, Any]] = {
        name: {"tight": 0, "reachable": 0, "holes": one["holes"]} for name, one in given["presets"].items()
    }
    for row in given["rules"]:
        for name, cells in row["presets"].items():
            for cell in cells.values():
                if cell["verdict"] in (tight.TIGHT, tight.HOLE):
                    good = cell["verdict"] == tight.TIGHT
                    sums = rules.get(row["rule"], (0, 0))
                    rules[row["rule"]] = sums[0] + good, sums[1] + 1
                    presets[name]["tight"] += good
                    presets[name]["reachable"] += 1
    hit, total = (sum(values) for values in zip(*rules.values(), strict=True)) if rules else (0, 0)
    percent = round(100 * hit / total, 2) if total else None
    return rules, {"hit": hit, "total": total, "percent": percent, "source": shown(path), "presets": presets}


# ---------------------------------------------------------------- the report


@dataclass
class Report:
    """Merged coverage."""

    title: str
    found: Found
    merged: coverage_rtl.Merged
    exclusions: list[coverage_rtl.Exclusion]
    wrong: list[str]  # exclusions that are not true
    modules: list[coverage_rtl.Module]
    features: list[Feature]
    evidence: Evidence
    tightness: dict[str, Any]
    stale: bool

    @property
    def builds(self) -> list[str]:
        """Builds of the data."""
        return sorted({build for hits in self.merged.values() for build in hits.builds})

    def functional(self) -> dict[str, dict[str, int]]:
        """Point -> bin that the plan wants -> count."""
        return {
            name: {label: self.evidence.hits.get(name, {}).get(label, 0) for label in bins}
            for name, bins in wanted(self.features).items()
        }

    def as_json(self) -> dict[str, Any]:
        """The content of coverage.json."""
        from hbm_tb.coverage import POINTS

        sums = coverage_rtl.totals(self.modules)
        needed = wanted(self.features)
        points: list[dict[str, Any]] = []
        for name, bins in self.functional().items():
            holes = [label for label, count in bins.items() if count < needed[name][label]]
            points.append(
                {
                    "name": name,
                    "title": POINTS[name].title,
                    "bins": len(bins),
                    "hit": len(bins) - len(holes),
                    "holes": holes,
                    "counts": {label: count for label, count in bins.items() if count},
                }
            )
        hit, total = sum(p["hit"] for p in points), sum(p["bins"] for p in points)
        return {
            "schema": 1,
            "list": self.title,
            "runs": len(self.found.runs),
            "geometries": self.builds,
            "stale": self.stale,
            "wrong_exclusions": self.wrong,
            "rtl": {
                "totals": {kind: sums[kind].as_json(kind) for kind in coverage_rtl.KINDS},
                "modules": [_module_json(module) for module in self.modules],
                "exclusions": [
                    {
                        "module": one.module,
                        "what": ", ".join(one.what),
                        "kind": one.kind,
                        "source": one.source,
                        "reason": one.reason,
                        "points": len(one.points),
                    }
                    for one in self.exclusions
                ],
            },
            "functional": {
                "hit": hit,
                "total": total,
                "percent": round(100 * hit / total, 2) if total else None,
                "points": points,
            },
            "tightness": self.tightness,
        }


def _module_json(module: coverage_rtl.Module) -> dict[str, Any]:
    return {
        "module": module.name,
        "file": module.file,
        "kind": "generated" if module.generated else "rtl",
        **{kind: module.sums[kind].as_json(kind) for kind in coverage_rtl.KINDS},
        "holes": [
            {
                "kind": point.kind,
                "line": point.line,
                "what": point.what,
                "source": point.source,
                "builds": sorted(hits.builds),
            }
            for point, hits in module.holes
        ],
    }


def report_of(
    title: str,
    folders: Sequence[Path],
    *,
    junit: Path | None = None,
    exclusions: Path = coverage_rtl.EXCLUSIONS,
    plan: Path = PLAN,
    tightness: Path = tight.FOLDER / tight.RESULT,
) -> Report:
    """Merge what is below the folders. InputError when there is nothing, or plan or exclusions cannot be read."""
    features = read_plan(plan)
    listed = coverage_rtl.read_exclusions(exclusions)
    found = look(folders)
    if not found.runs:
        raise InputError(f"no run in {', '.join(shown(folder) for folder in folders)}: nothing to merge")
    merged = coverage_rtl.merge(found.data)
    builds = {build for hits in merged.values() for build in hits.builds}
    wrong = coverage_rtl.exclude(merged, listed, complete=builds >= set(BUILDS)) if merged else []
    rules, cells = tight_cells(tightness)
    tests = dict(found.tests)
    if junit is not None:
        tests |= junit_tests(junit)
    newest = max((path.stat().st_mtime for path in (sim.ROOT / "rtl").rglob("*.sv")), default=0.0)
    stale = any(path.stat().st_mtime < newest for path in found.data)
    evidence = Evidence(functional_hits(found.functional), tests, rules)
    return Report(
        title,
        found,
        merged,
        listed,
        wrong,
        coverage_rtl.modules_of(merged, listed),
        features,
        evidence,
        cells,
        stale,
    )


def write(report: Report, folder: Path) -> None:
    """All four files."""
    from hbm_tb.coverage_export import write_lcov, write_ucis

    folder.mkdir(parents=True, exist_ok=True)
    (folder / COVERAGE).write_text(json.dumps(report.as_json(), indent=1) + "\n")
    (folder / PLAN_STATUS).write_text(json.dumps(status_of(report.features, report.evidence), indent=1) + "\n")
    gone = {point for one in report.exclusions for point in one.points}
    write_lcov(folder / LCOV, report.merged, gone)
    write_ucis(folder / UCIS, report.merged, gone, report.functional(), report.found.runs)


# ---------------------------------------------------------------- what a person reads


def _percent(total: coverage_rtl.Sum) -> str:
    return "-" if total.percent is None else f"{total.percent:.1f}"


def print_report(report: Report, folder: Path, holes: str = "") -> None:
    """Tables of modules, the holes of those that `holes` names (or the first ones of all), the totals."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=max(140, Console().width))
    if report.merged:
        table = Table(title="RTL coverage by module, percent", title_justify="left")
        table.add_column("module")
        for kind in coverage_rtl.KINDS:
            table.add_column(kind, justify="right")
        table.add_column("holes", justify="right")
        table.add_column("excluded", justify="right")
        for module in report.modules:
            name = f"{module.name} (generated)" if module.generated else module.name
            gone = sum(total.excluded for total in module.sums.values())
            words = [_percent(module.sums[kind]) for kind in coverage_rtl.KINDS]
            table.add_row(name, *words, str(len(module.holes)), str(gone or ""))
        for generated in (False, True):
            sums = coverage_rtl.totals(report.modules, generated)
            name = "all generated" if generated else "all written by hand"
            words = [_percent(sums[kind]) for kind in coverage_rtl.KINDS]
            left = sum(total.total - total.hit for total in sums.values())
            table.add_row(name, *words, str(left), str(sum(t.excluded for t in sums.values()) or ""), style="bold")
        console.print(table)
        for module in report.modules:
            if holes and holes not in (module.name, "all"):
                continue
            lines = coverage_rtl.grouped(point for point, _ in module.holes)
            most = len(lines) if holes else HOLES_SHOWN
            if not lines or (module.generated and not holes):
                continue
            console.print(f"[bold]{module.file}[/bold]")
            for line, text, source in lines[:most]:
                print_line(console, f"  {line:>5}  {text:<56} {source[:70]}")
            if len(lines) > most:
                console.print(f"         ... and {len(lines) - most} more: --holes {module.name}", markup=False)
    for one in report.wrong:
        print_line(console, one, "red")
    if report.stale:
        console.print("some of the data is older than the RTL: lines may not fit; run it again", style="yellow")
    print_plan(status_of(report.features, report.evidence), console, brief=True)
    cells = report.tightness
    if cells["total"]:
        console.print(f"tightness: {cells['hit']} of {cells['total']} reachable bounds met ({cells['source']})")
    else:
        console.print("tightness: not measured; `make tight` does")
    for name in (COVERAGE, PLAN_STATUS, UCIS, LCOV):
        print_line(console, shown(folder / name))


def print_plan(status: Mapping[str, Any], console: Any = None, *, brief: bool = False) -> None:
    """The status table; `brief`: open features only."""
    from rich.console import Console
    from rich.table import Table

    console = console or Console(width=max(140, Console().width))
    totals = status["totals"]
    title = f"verification plan: {totals['complete']} of {totals['features']} features complete"
    table = Table(title=title, title_justify="left")
    for column in ("feature", "title", "tests", "rules", "bins", "status"):
        table.add_column(column, justify="right" if column in ("tests", "rules", "bins") else "left")
    style = {COMPLETE: "green", FAILED: "red"}
    for feature in status["features"]:
        if brief and feature["status"] == COMPLETE:
            continue
        ran = sum(test["status"] == "passed" for test in feature["tests"])
        reachable = [rule for rule in feature["rules"] if rule["reachable"]]
        met = sum(rule["status"] == "tight" for rule in reachable)
        hit, bins = (sum(point[key] for point in feature["points"]) for key in ("hit", "bins"))
        table.add_row(
            feature["name"],
            feature["title"],
            f"{ran}/{len(feature['tests'])}",
            f"{met}/{len(reachable)}" if reachable else "",
            f"{hit}/{bins}" if bins else "",
            feature["status"],
            style=style.get(feature["status"]),
        )
    if table.row_count or not brief:
        console.print(table)
    for feature in status["features"]:
        for point in feature["points"]:
            if point["holes"]:
                some = ", ".join(point["holes"][:6]) + (" ..." if len(point["holes"]) > 6 else "")
                print_line(console, f"  {feature['name']}: {point['name']} {point['hit']}/{point['bins']}: {some}")
    hit, total = totals["points"]["hit"], totals["points"]["total"]
    console.print(f"functional coverage of the plan: {hit} of {total} bins", highlight=False)


# ---------------------------------------------------------------- commands


def coverage_jobs(name: str, options: ListOptions) -> list[Job]:
    """The jobs of a list on instrumented builds."""
    from hbm_tb.list_file import jobs_of_list

    return [
        replace(job, arguments={**job.arguments, "coverage": True}, leaves=(*job.leaves, *coverage_files.LEAVES))
        for job in jobs_of_list(name, options)
    ]


def verdict(report: Report) -> list[str]:
    """What is missing to the goals, one line each."""
    missed = list(report.wrong)
    missed += coverage_rtl.goals_missed(coverage_rtl.totals(report.modules))
    status = status_of(report.features, report.evidence)
    hit, total = status["totals"]["points"]["hit"], status["totals"]["points"]["total"]
    if hit < total:
        missed.append(f"functional coverage {hit} of {total} bins")
    return missed + [f"plan: {one['name']} failed" for one in status["features"] if one["status"] == FAILED]


def coverage_command(
    options: ListOptions,
    name: str = "",
    *,
    quick: bool = False,
    take: Sequence[Path] = (),
    junit: Path | None = None,
    holes: str = "",
    out: Path = FOLDER,
) -> int:
    """Run the list, or take what other lists left; merge and report.

    1: a run failed, an exclusion is not true, or (not with `quick` or `only`) a goal is missed.
    """
    _need_the_plan()
    read_plan()  # before hours of simulation
    coverage_rtl.read_exclusions()
    if missing := [folder for folder in take if not folder.is_dir()]:
        raise InputError(f"{missing[0]}: no such folder")
    title = name or (QUICK_LIST if quick else LIST)
    folders = list(take)
    code = 0
    if not take:
        title = Path(title).stem
        home = out / title
        ran = run_list(f"coverage {title}", home, coverage_jobs(name or title, options), options)
        if ran.code not in (0, 1):
            return ran.code
        code = ran.code
        # Functional coverage of the nightly list counts too: it runs presets that have no instrumented build here.
        folders = [home, *([NIGHTLY] if NIGHTLY.is_dir() and not quick else [])]
    report = report_of(title, folders, junit=junit)
    write(report, out)
    print_report(report, out, holes)
    missed = report.wrong if quick or options.only else verdict(report)
    for line in missed:
        print(f"coverage: {line}", file=sys.stderr)
    return 1 if code or missed else 0


def _need_the_plan() -> None:
    """InputError where only the library is installed."""
    if not PLAN.is_file():
        raise InputError("the verification plan comes with the repository; runs of a list leave coverage_*.json")


def plan_command(check: bool = False, write_page: bool = False, *, folder: Path = FOLDER) -> int:
    """Print the plan with the status of the last `hbm coverage`; `check`: only whether plan and code fit."""
    _need_the_plan()
    from hbm_tb.coverage_plan import left_out

    features = read_plan()
    found = left_out(features)
    if write_page:
        from hbm_tb import coverage_docs

        changed = coverage_docs.write_page(features)
        print(f"{'written' if changed else 'up to date'}: {shown(coverage_docs.PAGE)}")
        return 0
    for line in found:
        print(f"plan: {line}", file=sys.stderr)
    if check:
        if not found:
            print(f"plan: {len(features)} features fit the code")
        return int(bool(found))
    path = folder / PLAN_STATUS
    status = json.loads(path.read_text()) if path.exists() else status_of(features, Evidence())
    print_plan(status)
    print(f"status: {shown(path)}" if path.exists() else "no coverage was measured yet: `make coverage`")
    return int(bool(found))
