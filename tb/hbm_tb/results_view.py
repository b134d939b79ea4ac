"""`hbm results`: runs, trends and buckets of a list on the terminal, read from its database."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hbm_model.command_line import typed_here, without_again
from hbm_model.errors import InputError
from hbm_model.run_folder import shown_path
from rich.console import Console
from rich.table import Table

from hbm_tb.job_store import DATABASE
from hbm_tb.job_view import duration, first_line, note, number, print_line, shown_log, waves_line
from hbm_tb.jobs import matches
from hbm_tb.results import Bucket, Regression, Results, RunResult, folder_named, result_folders

MOST_RUNS = 50  # shown of a bucket or a selection


@dataclass(frozen=True)
class View:
    """What is asked for."""

    name: str = ""  # of the list; empty: all lists in short
    history: bool = False
    bucket: str = ""  # signature, or a part of it
    failed: bool = False
    runs: tuple[str, ...] = ()  # shell patterns of run names
    regression: int = 0  # 0: the newest


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def results_command(view: View) -> int:
    """Print; 1 when the regression that was asked for failed, 2 when the results of a list cannot be read."""
    console = Console(width=max(128, Console().width))
    if not view.name:
        return _all_lists(console)
    folder = folder_named(view.name)
    try:
        return _one_list(console, view, folder)
    except (sqlite3.Error, OSError) as error:
        raise InputError(f"{folder / DATABASE}: {error}") from None


def _one_list(console: Console, view: View, folder: Path) -> int:
    with Results(folder) as results:
        found = results.regressions()
        if not found:
            raise InputError(f"--list {view.name}: no regression yet, only results of single runs")
        if view.history:
            if view.runs:
                _history_of_runs(console, results, view)
            else:
                _trend(console, view.name, found)
                for name in results.unsteady():
                    print_line(console, f"unsteady: {name} passed and failed on the same build and sources", "red")
            return 0
        chosen = _regression(results, found, view)
        runs = results.runs(chosen.id)
        buckets = results.buckets(chosen.id)
        if view.bucket:
            _one_bucket(console, view, buckets)
        elif view.failed or view.runs:
            _runs(console, [run for run in runs if _wanted(run, view)])
        else:
            _summary(console, chosen, runs)
            _buckets(console, results, buckets)
        return 0 if chosen.failed == 0 else 1


def _regression(results: Results, found: Sequence[Regression], view: View) -> Regression:
    if not view.regression:
        latest = results.latest()
        assert latest is not None
        return latest
    for one in found:
        if one.id == view.regression:
            return one
    raise InputError(f"--regression {view.regression}: {view.name} has {found[0].id} to {found[-1].id}")


def _wanted(run: RunResult, view: View) -> bool:
    return (not view.runs or matches(run.name, view.runs)) and not (view.failed and run.passed)


def _all_lists(console: Console) -> int:
    table = Table(title="lists", title_justify="left")
    for column in ("list", "when", "revision", "verdict", "runs", "failed", "buckets", "time"):
        table.add_column(column, justify="right" if column in ("runs", "failed", "buckets", "time") else "left")
    bad = unreadable = False
    for folder in result_folders():
        try:
            with Results(folder) as results:
                one = results.latest()
                if one is None:
                    continue
                table.add_row(
                    folder.name, _when(one.start), one.revision, one.verdict, f"{one.total}", f"{one.failed}",
                    f"{len(results.buckets(one.id))}", duration(one.wall_s),
                )  # fmt: skip
                bad = bad or one.failed > 0
        except (InputError, sqlite3.Error, OSError, ValueError) as error:  # one list must not hide the others
            unreadable = True
            note(str(error) if isinstance(error, InputError) else f"{folder / DATABASE}: {error}")
    if not table.row_count and not unreadable:
        raise InputError("no list was run yet: `hbm regress` runs one")
    if table.row_count:
        console.print(table)
    return 2 if unreadable else int(bad)


def _trend(console: Console, name: str, found: Sequence[Regression]) -> None:
    """A row for each regression, oldest first."""
    table = Table(title=f"{name}: regressions", title_justify="left")
    for column in ("no", "when", "revision", "verdict", "runs", "passed", "failed", "reused", "time", "cpu", "cycles"):
        table.add_column(column, justify="left" if column in ("when", "revision", "verdict") else "right")
    for one in found:
        table.add_row(
            str(one.id), _when(one.start), one.revision, one.verdict + (" (part)" if one.part else ""),
            str(one.total), str(one.passed), str(one.failed), str(one.reused), duration(one.wall_s),
            duration(one.cpu_s), f"{one.counts.get('cycles', 0):,}",
        )  # fmt: skip
    console.print(table)


def _history_of_runs(console: Console, results: Results, view: View) -> None:
    """Every result of the runs that were named."""
    names = dict.fromkeys(run.name for one in results.regressions() for run in results.runs(one.id))
    chosen = [name for name in names if matches(name, view.runs)]
    if not chosen:
        raise InputError(f"{' '.join(view.runs)}: matches none of the {len(names)} runs of {view.name}")
    for name in chosen[:MOST_RUNS]:
        print_line(console, name, "bold")
        for run in results.history(name):
            text = f"  {_when(run.finished)}  {run.status:7}  {run.wall_s:7.1f} s  {run.content}"
            print_line(console, text + (f"  {first_line(run.headline, 100)}" if not run.passed else ""))


def _summary(console: Console, one: Regression, runs: Sequence[RunResult]) -> None:
    took = f"{duration(one.wall_s)}, {duration(one.cpu_s)} of processors"
    part = f", {one.part}" if one.part else ""
    reused = f", {one.reused} taken over" if one.reused else ""
    print_line(
        console,
        f"{one.title} no {one.id}, {_when(one.start)}, {one.revision or 'no revision'}: {one.verdict}{part}; "
        f"{one.passed} of {one.total} passed{reused}; {took}",
        "bold",
    )
    for run in runs:
        if run.passed and run.attempts > 1:
            print_line(console, f"passed only at attempt {run.attempts}: {run.name}", "yellow")
    groups: dict[str, list[RunResult]] = {}
    for run in runs:
        groups.setdefault(run.name.partition("/")[0], []).append(run)
    table = Table()
    for column in ("entry", "runs", "passed", "failed", "commands", "cycles", "time"):
        table.add_column(column, justify="left" if column == "entry" else "right")
    for name, found in groups.items():
        good = sum(run.passed for run in found)
        sums = [f"{sum(run.counts.get(key, 0) for run in found):,}" for key in ("commands", "cycles")]
        bad = str(len(found) - good)
        table.add_row(
            name, str(len(found)), str(good), bad if bad == "0" else f"[red]{bad}[/]", *sums,
            duration(sum(run.wall_s for run in found)),
        )  # fmt: skip
    console.print(table)


def _buckets(console: Console, results: Results, buckets: Sequence[Bucket]) -> None:
    for bucket in buckets:
        new = "  NEW" if bucket.new else f"  since no {bucket.since}"
        print_line(console, f"{bucket.count:5}  {bucket.signature}{new}", "red")
        print_line(console, f"       {bucket.first.name}: {bucket.headline}")
        print_line(console, f"       again: {typed_here(bucket.first.reproduce)}")
        waves = waves_line([run.folder for run in bucket.runs if results.current(run)] or [bucket.first.folder])
        if waves:
            print_line(console, f"       {waves}")


def _one_bucket(console: Console, view: View, buckets: Sequence[Bucket]) -> None:
    exact = [bucket for bucket in buckets if bucket.signature == view.bucket]
    chosen = exact or [bucket for bucket in buckets if view.bucket in bucket.signature]
    if not chosen:
        known = "; ".join(bucket.signature for bucket in buckets[:5]) or "there are none"
        raise InputError(f"--bucket {view.bucket}: no such bucket: {known}")
    for bucket in chosen:
        print_line(console, f"{bucket.signature}: {number(bucket.count, 'run')}, since no {bucket.since}", "bold red")
        for line in without_again(bucket.first.reason).strip().splitlines()[:40]:
            print_line(console, f"  {line}")
        _runs(console, bucket.runs)


def _runs(console: Console, runs: Sequence[RunResult]) -> None:
    for run in runs[:MOST_RUNS]:
        if run.passed:
            print_line(console, f"pass  {run.name}  {run.wall_s:.1f} s  {run.counts.get('cycles', 0):,} cycles")
            continue
        print_line(console, f"{run.status.upper()}  {run.name}: {first_line(run.headline)}", "red")
        print_line(console, f"  log: {shown_log(run.log)}" if run.log else f"  folder: {shown_path(run.folder)}")
        print_line(console, f"  again: {typed_here(run.reproduce)}")
    if len(runs) > MOST_RUNS:
        print_line(console, f"... and {len(runs) - MOST_RUNS} more; --run PATTERN chooses")
    if not runs:
        print_line(console, "none")
