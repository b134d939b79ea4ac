"""Pages of single runs: the report page (hbm_model.report) with links, verdict and history of the site around it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from hbm_model.errors import InputError
from hbm_model.presets import DEFAULT_PRESET, geometry_of
from hbm_model.report import COMMAND, PAGE, Report, Violation, lines_of, report_of_folder, write_report

from hbm_tb.own_job import KIND as OWN_JOB
from hbm_tb.results import RunResult
from hbm_tb.run_record import RESULT
from hbm_tb.site_data import ListView
from hbm_tb.site_views import bucket_slug, facts_of, hints_of, run_href, when

LOG_LINES: Final = 40
FILES: Final = (
    ("sim.log", "log of the simulator"),
    ("worker.log", "log of the worker"),
    ("sim.cmd", "command line and environment"),
    ("failure.json", "failure.json"),
    ("replay.json", "replay.json"),
    ("waves.fst", "waves"),
    ("waves.gtkw", "GTKWave set-up"),
    ("waves.surfer.sucl", "Surfer set-up"),
)


def page_key(one: ListView, run: RunResult, template: str) -> str:
    """Names everything that the page of a run is made of: a page with the same key is not written again."""
    folder = run.folder
    files = [f"{name}:{(folder / name).stat().st_mtime_ns}" for name, _ in FILES if (folder / name).exists()]
    past = [str(each.id) for each in one.history[run.name]]
    text = "\n".join([template, str(run.id), run.status, run.signature, *past, str(run.name in one.current), *files])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def template_key() -> str:
    """Changes when the looks of the pages do."""
    home = Path(__file__).parent
    parts = [PAGE, PAGE.with_name("report.py"), Path(__file__), home / "site_views.py"]
    return hashlib.sha256(b"".join(path.read_bytes() for path in parts)).hexdigest()[:16]


def _title(run: RunResult) -> str:
    return f"{run.name} on {run.preset}" if run.preset else run.name


def _bare(run: RunResult) -> Report:
    """The page of a run that left nothing but its verdict."""
    try:
        geometry = geometry_of(run.preset or DEFAULT_PRESET)
    except InputError:
        geometry = geometry_of(DEFAULT_PRESET)
    return Report(
        title=_title(run),
        verdict=run.status,
        commands=np.zeros(0, COMMAND),
        sids=geometry.sids,
        bgs=geometry.bgs,
        banks=geometry.banks,
    )


def _tail(path: Path, lines: int = LOG_LINES) -> str:
    """The end of a log."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 20_000))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.strip().splitlines()[-lines:])


def report_of_run(one: ListView, run: RunResult, page: Path, site: Path) -> Report:
    """Everything about a run of a list."""
    missing = []
    report = None
    if run.name not in one.current:
        missing.append("Its folder is gone or holds another result: what the run did is not known any more.")
    elif not (run.folder / RESULT).exists():
        missing.append("Commands, latency, bandwidth and stall causes: not measured, the run left no record.")
    else:
        try:
            report = report_of_folder(run.folder)
        except (InputError, OSError, KeyError, ValueError) as problem:
            missing.append(f"Its record cannot be read: {problem}")
    if report is None:
        report = _bare(run)
    elif not report.commands.size:
        missing.append("Commands: none were recorded.")
    # A controller that is not ours has no counters of ours.
    if report.commands.size and not report.stacks and run.kind != OWN_JOB:
        missing.append("Stall causes: not measured, the run ended before it read the performance counters.")
    to_root = os.path.relpath(site, page.parent)
    report.title = _title(run)
    report.verdict = run.status  # the list's verdict is the one that counts
    report.subtitle = " ".join(filter(None, (f"seed {run.seed}" if run.seed is not None else "", when(run.finished))))
    report.failure = "" if run.status == "pass" else run.reason or run.headline or run.status
    report.reproduce = run.reproduce
    report.missing = missing
    report.crumbs = [
        ("Overview", f"{to_root}/index.html"),
        ("Runs", f"{to_root}/runs.html"),
        (one.title, f"{to_root}/runs.html#list={one.title}"),
    ]
    if run.status != "pass":
        report.facts = facts_of(run.failure)
        if run.signature:
            report.links.append(
                (f"bucket {run.signature}", f"{to_root}/buckets.html#{bucket_slug(one, run.signature)}")
            )
        if isinstance(at := run.failure.get("ck"), int | float):
            report.violations = [Violation(float(at), run.headline)]
        if run.name in one.current:
            report.hints = hints_of(run)
            report.log = _tail(run.folder / "sim.log")
    if run.name in one.current:
        report.links += [
            (text, os.path.relpath(run.folder / name, page.parent))
            for name, text in FILES
            if (run.folder / name).exists() and (run.folder / name).stat().st_size
        ]
    report.headed.append(("History", history_rows(one.history[run.name])))
    more = {"wall time, s": round(run.wall_s, 1), "CPU time, s": round(run.cpu_s, 1), "attempts": run.attempts}
    report.tables.append(("Counts", lines_of({**run.counts, **more})))
    return report


def history_rows(history: Sequence[RunResult]) -> list[tuple[str, ...]]:
    """Newest first."""
    rows: list[tuple[str, ...]] = [("when", "status", "time, s", "build and sources")]
    for each in list(history)[:-13:-1]:
        rows.append((when(each.finished), each.status, f"{each.wall_s:.1f}", each.content[-16:]))
    return rows


def write_runs(site: Path, lists: Sequence[ListView], known: Mapping[str, str]) -> dict[str, str]:
    """Write the pages that are not there yet or not as they should be; page -> key of all. Others are removed."""
    template = template_key()
    keys: dict[str, str] = {}
    for one in lists:
        for run in one.runs:
            href = run_href(one, run.name)
            page, key = site / href, page_key(one, run, template)
            keys[href] = key
            if known.get(href) == key and page.exists():
                continue
            page.parent.mkdir(parents=True, exist_ok=True)
            try:
                write_report(page, report_of_run(one, run, page, site))
            except InputError as problem:  # commands that no page can show
                bare = _bare(run)
                bare.failure, bare.reproduce, bare.missing = run.reason, run.reproduce, [str(problem)]
                write_report(page, bare)
    for page in (site / "runs").rglob("*.html"):
        if str(page.relative_to(site)) not in keys:
            page.unlink()
    return keys
