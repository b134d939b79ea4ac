"""`hbm coverage`: a list on instrumented builds, merged to one report; `hbm plan`: the status of the verification plan.

build/coverage/: coverage.json and plan.json (docs/coverage.md), coverage.xml (UCIS), coverage.info (lcov). The runs
stand below build/coverage/<list>. Rule tightness is that of the last `hbm tight`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from hbm_model.errors import InputError
from hbm_model.home import BUILD

from hbm_tb import coverage_files, coverage_rtl, coverage_wide, sim_job, tight, tight_state, trace_job
from hbm_tb.coverage_plan import (
    COCOTB,
    COMPLETE,
    FAILED,
    NOT_RUN,
    PLAN,
    Evidence,
    Feature,
    read_plan,
    status_of,
    wanted,
)
from hbm_tb.coverage_runs import Found, functional_hits, junit_tests, look, sources_now
from hbm_tb.job_list import ListOptions, revision, run_list, shown
from hbm_tb.job_view import print_line
from hbm_tb.jobs import Job
from hbm_tb.results import FOLDER as REGRESS

FOLDER: Final = BUILD / "coverage"
COVERAGE, PLAN_STATUS, UCIS, LCOV = "coverage.json", "plan.json", "coverage.xml", "coverage.info"
LIST, QUICK_LIST = "coverage", "coverage_quick"
NIGHTLY: Final = REGRESS / "nightly"
BUILDS: Final = ("hbm2_s1", "hbm3_s2", "hbm4_s2", "blocks")  # all must be there before an exclusion may match nothing
HOLES_SHOWN: Final = 12  # of a module


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
    apart: list[coverage_rtl.Apart]
    wide: list[coverage_wide.Wide]  # signals whose toggles are not counted
    features: list[Feature]
    evidence: Evidence
    tightness: tight_state.Tightness

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

    @cached_property
    def of(self) -> dict[str, str]:
        """When it was merged, and the sources that it is of."""
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        return {"revision": revision(), "date": now, "sources": sources_now()}

    @cached_property
    def status(self) -> dict[str, Any]:
        """The content of plan.json."""
        found = status_of(self.features, self.evidence)
        return {**found, "list": self.title, **self.of, "tightness": {"problems": list(self.tightness.problems)}}

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
            **self.of,
            "runs": len(self.found.runs),
            "left_out": self.found.left_out,
            "geometries": self.builds,
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
                "apart": [self._apart_json(one) for one in self.apart],
                "wide": [one._asdict() for one in self.wide],
            },
            "functional": {
                "hit": hit,
                "total": total,
                "percent": round(100 * hit / total, 2) if total else None,
                "points": points,
            },
            "tightness": self.tightness.as_json(),
        }

    def _apart_json(self, one: coverage_rtl.Apart) -> dict[str, Any]:
        sums = coverage_rtl.totals(self.modules, one)
        return {"files": one.files, "reason": one.reason, **{kind: sums[kind].as_json(kind) for kind in sums}}


def _module_json(module: coverage_rtl.Module) -> dict[str, Any]:
    return {
        "module": module.name,
        "file": module.file,
        "kind": "apart" if module.apart else "rtl",
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
    also: Sequence[Path] = (),
    junit: Path | None = None,
    exclusions: Path = coverage_rtl.EXCLUSIONS,
    plan: Path = PLAN,
    tightness: Path = tight.FOLDER / tight.RESULT,
) -> Report:
    """Merge what is below the folders. InputError when there is nothing, or plan or exclusions cannot be read."""
    features = read_plan(plan)
    listed, apart = coverage_rtl.read_exclusions(exclusions), coverage_rtl.read_apart(exclusions)
    found = look(folders, also)
    if not found.runs:
        why = f" ({', '.join(found.left_out)})" if found.left_out else ""
        raise InputError(f"no run in {', '.join(shown(folder) for folder in folders)}: nothing to merge{why}")
    merged = coverage_rtl.merge(found.data)
    builds = {build for hits in merged.values() for build in hits.builds}
    complete = builds >= set(BUILDS)
    wrong = coverage_rtl.exclude(merged, listed, complete) if merged else []
    modules = coverage_rtl.modules_of(merged, listed, apart)
    unused = [one.files for one in apart if complete and one not in [module.apart for module in modules]]
    wrong += [f"apart {files}: matches no file" for files in unused]
    wide = coverage_wide.of_runs(found.data)
    if complete and not wide:
        wrong.append("the logs of the builds name no signal without toggles; they did (hbm_tb.coverage_wide)")
    cells = tight_state.read(tightness)
    tests = dict(found.tests)
    if junit is not None:
        tests |= junit_tests(junit)
    evidence = Evidence(functional_hits(found.functional), tests, cells.rules, frozenset(found.listed))
    return Report(
        title,
        found,
        merged,
        listed,
        wrong,
        modules,
        apart,
        wide,
        features,
        evidence,
        cells,
    )


def write(report: Report, folder: Path) -> None:
    """All four files."""
    from hbm_tb.coverage_export import write_lcov, write_ucis

    folder.mkdir(parents=True, exist_ok=True)
    (folder / COVERAGE).write_text(json.dumps(report.as_json(), indent=1) + "\n")
    (folder / PLAN_STATUS).write_text(json.dumps(report.status, indent=1) + "\n")
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
            name = f"{module.name} (apart)" if module.apart else module.name
            gone = sum(total.excluded for total in module.sums.values())
            words = [_percent(module.sums[kind]) for kind in coverage_rtl.KINDS]
            table.add_row(name, *words, str(len(module.holes)), str(gone or ""))
        for one in (None, *report.apart):
            sums = coverage_rtl.totals(report.modules, one)
            name = f"apart: {one.files}" if one else "all with goals"
            words = [_percent(sums[kind]) for kind in coverage_rtl.KINDS]
            left = sum(total.total - total.hit for total in sums.values())
            table.add_row(name, *words, str(left), str(sum(t.excluded for t in sums.values()) or ""), style="bold")
        console.print(table)
        for module in report.modules:
            if holes and holes not in (module.name, "all"):
                continue
            lines = coverage_rtl.grouped(point for point, _ in module.holes)
            most = len(lines) if holes else HOLES_SHOWN
            if not lines or (module.apart and not holes):
                continue
            console.print(f"[bold]{module.file}[/bold]")
            for line, text, source in lines[:most]:
                print_line(console, f"  {line:>5}  {text:<56} {source[:70]}")
            if len(lines) > most:
                console.print(f"         ... and {len(lines) - most} more: --holes {module.name}", markup=False)
    for text in report.wrong:
        print_line(console, text, "red")
    for text in report.found.left_out:
        print_line(console, text, "yellow")
    print_plan(report.status, console, brief=True)
    cells = report.tightness
    if cells.total:
        console.print(f"tightness: {cells.hit} of {cells.total} reachable bounds met ({cells.source})")
    for text in cells.problems:
        print_line(console, text, "yellow")
    if report.wide:
        names = sorted({one.module for one in report.wide})
        console.print(
            f"no toggles of {len(report.wide)} signals above 1,024 bits, in {', '.join(names)}", highlight=False
        )
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
    """The jobs of a list on instrumented builds, our own channel of another geometry on the ordinary one.

    The RTL of a geometry differs in sizes only: BUILDS have all of it, and a further build takes ten minutes.
    """
    from hbm_tb.list_file import jobs_of_list

    def instrumented(job: Job) -> Job:
        ours = job.kind in (sim_job.KIND, trace_job.KIND)
        if ours and job.arguments["geometry"] not in BUILDS:
            return job
        return replace(job, arguments={**job.arguments, "coverage": True}, leaves=(*job.leaves, *coverage_files.LEAVES))

    return [instrumented(job) for job in jobs_of_list(name, options)]


def verdict(report: Report) -> list[str]:
    """What is missing to the goals, one line each."""
    missed = list(report.wrong)
    if report.merged and (absent := [build for build in BUILDS if build not in report.builds]):
        missed.append(f"no RTL coverage of the builds {', '.join(absent)}")
    missed += coverage_rtl.goals_missed(coverage_rtl.totals(report.modules))
    hit, total = report.status["totals"]["points"]["hit"], report.status["totals"]["points"]["total"]
    if hit < total:
        missed.append(f"functional coverage {hit} of {total} bins")
    missed += report.tightness.missed
    idle = sorted(
        {
            test["name"]
            for feature in report.status["features"]
            for test in feature["tests"]
            if test["kind"] == COCOTB and test["status"] == NOT_RUN and test["name"] in report.found.listed
        }
    )
    if idle:
        missed.append(f"plan: {len(idle)} tests of the lists have no run that counts: {', '.join(idle[:4])}, ...")
    return missed + [f"plan: {one['name']} failed" for one in report.status["features"] if one["status"] == FAILED]


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
    listed = name or (QUICK_LIST if quick else LIST)
    folders, also = list(take), list[Path]()
    code = 0
    title = f"runs below {', '.join(map(shown, take))}"
    if not take:
        title = Path(listed).stem
        home = out / title
        ran = run_list(f"coverage {title}", home, coverage_jobs(listed, options), options)
        if ran.code not in (0, 1):
            return ran.code
        code = ran.code
        # Functional coverage of the nightly list counts too: it runs presets that have no instrumented build here.
        folders, also = [home], [NIGHTLY] if NIGHTLY.is_dir() and not quick else []
    # build/coverage itself holds the report of the whole list only.
    part = "take" if take else "only" if options.only else "quick" if quick else "" if title == LIST else title
    if part in ("only", "quick"):
        title += f", --{part}"
    report = report_of(title, folders, also=also, junit=junit)
    write(report, out / part)
    print_report(report, out / part, holes)
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
    for line in tight_state.read(tight.FOLDER / tight.RESULT).problems:
        print(line)
    if not path.exists():
        print("no coverage was measured yet: `make coverage`")
        return int(bool(found))
    print(f"status: {shown(path)}, {status.get('date', 'of unknown date')}, revision {status.get('revision') or '?'}")
    if status.get("sources") != sources_now():
        print("design, bench or plan have changed since then: `make coverage` measures them again")
    return int(bool(found))
