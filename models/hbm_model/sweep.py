"""`hbm sim --sweep`: a grid of simulations over the processors, into one table, CSV and JSON, and a page of plots."""

from __future__ import annotations

import csv
import itertools
import json
import multiprocessing
import os
import shlex
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hbm_model.command_line import typed
from hbm_model.errors import InputError
from hbm_model.simulate import PlainProgress, SimOptions, load_model, make_plan, result_of, run_model

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event

    from rich.table import Table

MOST_CELLS: Final = 4096
# Options that a sweep may name besides registers, with their type.
OPTION_KEYS: Final[dict[str, type]] = {
    "requests": str,
    "preset": str,
    "params": str,
    "map": str,
    "count": int,
    "pcs": int,
    "outstanding": int,
    "load": float,
    "ids": int,
    "read_entries": int,
    "write_entries": int,
}
Value = str | int | float


@dataclass(frozen=True)
class Axis:
    """One key of the grid and its values."""

    key: str
    values: tuple[Value, ...]


@dataclass
class Cell:
    """One simulation of the grid: its values, and its result or what went wrong."""

    values: dict[str, Value]
    result: dict[str, Any] = field(default_factory=dict)
    error: str = ""


def _value(text: str, kind: type, where: str) -> Value:
    try:
        return text if kind is str else float(text) if kind is float else int(text, 0)
    except ValueError:
        raise InputError(f"{where}: `{text}` is not a {'whole ' if kind is int else ''}number") from None


def axis_of(text: str) -> Axis:
    """An axis from `KEY=A,B,C`; values that hold commas themselves are separated by `;`."""
    from hbm_model.workload import settings_of

    key, equals, rest = text.partition("=")
    key = key.strip().replace("-", "_") if key.strip().replace("-", "_") in OPTION_KEYS else key.strip()
    words = [word.strip() for word in rest.split(";" if ";" in rest else ",")]
    if not key or not equals or not all(words):
        raise InputError(f"--sweep {text}: write KEY=A,B,C, as page=0,1,2 or preset=hbm2_2000_eng,hbm3_6400_eng")
    if key in OPTION_KEYS:
        values = [_value(word, OPTION_KEYS[key], f"--sweep {text}") for word in words]
    else:
        for word in words:
            try:
                settings_of([f"{key}={word}"])
            except InputError as error:
                reason = str(error).partition(": ")[2]
                options = f" (options: {', '.join(OPTION_KEYS)})" if "neither" in reason else ""
                raise InputError(f"--sweep {text}: {reason}{options}") from None
        values = [float(word) if "." in word else int(word, 0) for word in words]
    if len(set(values)) != len(values):
        raise InputError(f"--sweep {text}: a value is given twice")
    return Axis(key, tuple(values))


def cell_options(base: SimOptions, values: Mapping[str, Value]) -> SimOptions:
    """The options of one cell."""
    options = base
    for key, value in values.items():
        if key == "preset":
            options = replace(options, preset=str(value), params="")
        elif key == "params":
            options = replace(options, preset="", params=str(value))
        elif key in OPTION_KEYS:
            options = replace(options, **{key: value})  # type: ignore[arg-type]
        else:
            options = replace(options, settings=(*options.settings, f"{key}={value}"))
    return options


def grid(axes: Sequence[Axis]) -> Iterator[dict[str, Value]]:
    """All combinations, the last key changing fastest."""
    keys = [axis.key for axis in axes]
    for values in itertools.product(*(axis.values for axis in axes)):
        yield dict(zip(keys, values, strict=True))


# ------------------------------------------------------------------ workers

_stop: Event | None = None


def _begin(stop: Event) -> None:
    """A worker leaves Ctrl-C to the parent, which asks it to stop."""
    global _stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _stop = stop


def _asked_to_stop() -> bool:
    return _stop is not None and _stop.is_set()


def run_cell(options: SimOptions) -> tuple[dict[str, Any], str]:
    """(result, error) of one cell; whatever goes wrong in it stays in it."""
    try:
        plan = make_plan(options)
        outcome, wall_s, cpu_s = run_model(plan, stop=_asked_to_stop)
        return result_of(plan, outcome, plan.name, wall_s, cpu_s), ""
    except KeyboardInterrupt:
        if _stop is None:
            raise
        return {}, "interrupted"
    except InputError as error:
        return {}, str(error)
    except Exception as error:  # a defect in one cell must not lose the hours of the others
        return {}, f"{type(error).__name__}: {error}"


def run_cells(cells: Sequence[Cell], base: SimOptions, jobs: int) -> None:
    """Fill in all cells, `jobs` at a time; KeyboardInterrupt leaves no process behind."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    screen = Console(stderr=True)
    bar = Progress(
        TextColumn("sweep"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=screen,
        transient=True,
        disable=not screen.is_terminal,
    )
    options = [cell_options(base, cell.values) for cell in cells]
    task = bar.add_task("", total=len(cells))
    plain = PlainProgress("sweep", len(cells), "simulations")
    ended = itertools.count(1)

    def note(cell: Cell, found: tuple[dict[str, Any], str]) -> None:
        cell.result, cell.error = found
        if screen.is_terminal:
            bar.advance(task)
        else:
            plain(next(ended))

    if jobs == 1 or len(cells) == 1:
        with bar:
            for cell, each in zip(cells, options, strict=True):
                note(cell, run_cell(each))
        return
    stop = multiprocessing.Event()
    with ProcessPoolExecutor(min(jobs, len(cells)), initializer=_begin, initargs=(stop,)) as pool:
        waiting: dict[Future[tuple[dict[str, Any], str]], Cell] = {
            pool.submit(run_cell, each): cell for cell, each in zip(cells, options, strict=True)
        }
        try:
            with bar:
                for done in as_completed(waiting):
                    try:
                        note(waiting[done], done.result())
                    except BrokenProcessPool:
                        note(waiting[done], ({}, "the process died (out of memory?)"))
        except KeyboardInterrupt:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


# ------------------------------------------------------------------ results


def metrics_of(result: Mapping[str, Any]) -> dict[str, float]:
    """What a sweep compares: one number a name."""
    latency = result.get("arrival_latency_ck") or result["latency_ck"]
    tck = result["tck_ns"]
    return {
        "share_of_peak": result["share_of_peak"],
        "bandwidth_gb_per_s": result["bandwidth_gb_per_s"],
        "latency_mean_ck": latency["mean"],
        "latency_p99_ck": latency["p99"],
        "latency_mean_ns": latency["mean"] * tck,
        "latency_p99_ns": latency["p99"] * tck,
        "row_hit_rate": result["row_hit_rate"],
        "span_us": result["span_us"],
        "requests_per_s": result["requests_per_s"],
    }


def clock_unit(cells: Sequence[Cell]) -> str:
    """Unit of latencies: CK, or ns when the cells have different clocks."""
    return "ns" if len({cell.result["tck_ns"] for cell in cells if not cell.error}) > 1 else "CK"


def table_of(axes: Sequence[Axis], cells: Sequence[Cell]) -> Table:
    """The table that ends a sweep."""
    from rich.table import Table

    table = Table(title=f"{len(cells)} simulations", title_justify="left")
    for axis in axes:
        table.add_column(axis.key, justify="right", no_wrap=True)
    unit = clock_unit(cells)
    for column in ("share of peak", "GB/s", f"mean latency, {unit}", f"p99, {unit}", "row hits"):
        table.add_column(column, justify="right")
    for cell in cells:
        keys = [
            f"{cell.values[axis.key]:g}" if not isinstance(cell.values[axis.key], str) else str(cell.values[axis.key])
            for axis in axes
        ]
        if cell.error:
            table.add_row(*keys, f"[red]{cell.error}[/]")
            continue
        m = metrics_of(cell.result)
        table.add_row(
            *keys,
            f"{100 * m['share_of_peak']:.2f} %",
            f"{m['bandwidth_gb_per_s']:.2f}",
            f"{m[f'latency_mean_{unit.lower()}']:,.1f}",
            f"{m[f'latency_p99_{unit.lower()}']:,.0f}",
            f"{100 * m['row_hit_rate']:.1f} %",
        )
    return table


def write_sweep(folder: Path, axes: Sequence[Axis], cells: Sequence[Cell], title: str, line: str) -> None:
    """sweep.json, sweep.csv and sweep.html."""
    from hbm_model.sweep_plot import write_page

    document = {
        "schema": 1,
        "name": title,
        "reproduce": line,
        "keys": {axis.key: list(axis.values) for axis in axes},
        "cells": [{"values": cell.values, "error": cell.error, "result": cell.result} for cell in cells],
    }
    (folder / "sweep.json").write_text(json.dumps(document, indent=1) + "\n")
    names = list(metrics_of(next(cell.result for cell in cells if not cell.error)))
    with (folder / "sweep.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(axis.key for axis in axes), *names, "error"])
        for cell in cells:
            numbers = metrics_of(cell.result) if not cell.error else dict.fromkeys(names, "")
            writer.writerow([*cell.values.values(), *numbers.values(), cell.error])
    write_page(folder / "sweep.html", axes, cells, title, line)


def sweep_job(base: SimOptions, sweeps: Sequence[str], jobs: int, svg: Path | None) -> int:
    """A whole sweep; the exit code (0 done, 1 some simulations failed, 130 interrupted)."""
    from rich.console import Console

    from hbm_model import run_folder
    from hbm_model.sweep_plot import write_svg

    axes = [axis_of(text) for text in sweeps]
    keys = [axis.key for axis in axes]
    if len(set(keys)) != len(keys):
        raise InputError(f"--sweep: {next(key for key in keys if keys.count(key) > 1)} is given twice")
    cells = [Cell(values) for values in grid(axes)]
    if len(cells) > MOST_CELLS:
        raise InputError(f"--sweep: {len(cells)} simulations, expected at most {MOST_CELLS}")
    if svg is not None and (svg.suffix != ".svg" or not svg.parent.is_dir()):
        raise InputError(f"--svg {svg}: expected a file that ends in .svg, in a folder that exists")
    what = [Path(base.requests).name] if "requests" not in keys else []
    name = run_folder.check_name(base.name or run_folder.name_part("-".join(["sweep", *what, *keys])))
    problems = []
    for cell in cells:
        try:
            plan = make_plan(cell_options(base, cell.values))
            break
        except InputError as error:
            problems.append(error)
    else:
        raise problems[0]
    words = base.words() + [word for text in sweeps for word in ("--sweep", text)]
    line = shlex.join(words)
    try:
        load_model(plan.setup)  # so that the workers find it compiled
        with run_folder.staging_folder(run_folder.RUNS) as staging:
            run_cells(cells, base, jobs or os.cpu_count() or 1)
            if all(cell.error for cell in cells):
                raise InputError(cells[0].error)
            write_sweep(staging, axes, cells, name, line)
            if svg is not None:
                write_svg(svg, axes, cells)
            run_folder.put_in_place(staging, run_folder.RUNS / name)
    except KeyboardInterrupt:
        print("\nhbm: interrupted; nothing was written, earlier run folders are as they were", file=sys.stderr)
        return 130
    console = Console()
    (console if console.is_terminal else Console(width=160)).print(table_of(axes, cells))
    failed = sum(bool(cell.error) for cell in cells)
    if failed:
        console.print(f"[red]{failed} of {len(cells)} simulations failed[/]", highlight=False)
    for each in ("sweep.html", "sweep.csv", "sweep.json"):
        console.print(f"  {run_folder.shown_path(run_folder.RUNS / name / each)}", highlight=False)
    console.print(f"  again: {typed(line)}", highlight=False, markup=False, soft_wrap=True)
    return 1 if failed else 0
