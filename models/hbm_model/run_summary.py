"""The summary table that ends a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from hbm_model.command_line import typed, without_again
from hbm_model.counters import cause_rows, latency_rows
from hbm_model.run_folder import shown_path

COLOURS = {"pass": "green", "stopped": "yellow", "predicted": "cyan"}


def rows_of(result: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Lines of the table; what a run did not get to is left out."""
    if "requests" in result:
        reads, writes = result["read_requests"], result["write_requests"]
        yield "requests", f"{result['requests']:,} ({reads:,} reads, {writes:,} writes)"
        moved = result["bytes"]
        yield "bytes", f"{sum(moved.values()):,} ({moved['read']:,} read, {moved['write']:,} written)"
        yield "cycles", f"{result['cycles']:,} (first request to last data: {result['span_ck']:,} CK)"
        share, peak = 100 * result["share_of_peak"], result["peak_gb_per_s"]
        if peak:  # none before any traffic
            yield "bandwidth", f"{result['bandwidth_gb_per_s']:.2f} GB/s, {share:.1f} % of {peak:.1f} GB/s"
        latency = result["latency_ck"]
        text = f"mean {latency['mean']:.1f}, p50 {latency['p50']:,}, p99 {latency['p99']:,}, max {latency['max']:,} CK"
        yield "read latency", text if latency["count"] else "no reads"
        if arrival := result.get("arrival_latency_ck"):
            yield "from arrival", f"mean {arrival['mean']:.1f}, p50 {arrival['p50']:,}, p99 {arrival['p99']:,} CK"
        row = result["row"]
        hit, rate = row["hit"], 100 * result["row_hit_rate"]
        yield "rows", f"{hit:,} hits, {row['closed']:,} closed, {row['conflict']:,} conflicts ({rate:.1f} % hits)"
        kinds = ", ".join(f"{name} {count:,}" for name, count in result["commands"].items())
        if checked := result.get("checked"):
            yield "checked", f"{checked['read_beats']:,} read beats, {checked['write_responses']:,} write responses"
            yield "commands checked", f"{checked['commands']:,}: {kinds}"
            yield "violations", f"{result['violations']:,}"
            if exact := result.get("exact"):
                yield "exact model", f"{exact['commands']:,} commands and {exact['responses']:,} responses as foreseen"
        else:
            yield "commands", kinds
        yield "refreshes", f"{result['refreshes']:,}"
    if counters := result.get("counters"):
        pcs = counters["pcs"]
        turns, forwards = (sum(pc[name] for pc in pcs) for name in ("turnaround", "forward"))
        yield "turn-arounds", f"{turns:,}"
        if forwards:
            yield "forwarded", f"{forwards:,} reads took the data of a queued write"
    rate = result.get("cycles_per_s")
    yield "wall time", f"{result['wall_s']:.1f} s" + (f", {rate:,} cycles/s" if rate else "")
    if asked := result.get("requests_per_s"):
        yield "speed", f"{asked / 1000:,.0f} thousand requests/s"
    if "seed" in result:
        yield "seed", str(result["seed"])


BAR: Final = 20  # characters of a bar of 100 %


def cause_table(counters: Mapping[str, Any]) -> Table:
    """Where the cycles of each PC went, in percent, with bars."""
    head, *rows = cause_rows(counters)
    table = Table(title="stall causes per cycle (M9.3)", title_justify="left")
    table.add_column(head[0], style="bold", no_wrap=True)
    for name in head[1:]:
        table.add_column(name, justify="right", no_wrap=True, min_width=5)
    table.add_column("", no_wrap=True, min_width=BAR)
    for name, *cells in rows[:-1]:
        widest = max(float(cell) for cell in cells)
        if widest:
            table.add_row(name, *cells, "█" * max(round(widest * BAR / 100), 1))
    table.add_section()
    table.add_row(*rows[-1], "")
    return table


def latency_table(counters: Mapping[str, Any]) -> Table:
    """Reads by latency."""
    head, *rows = latency_rows(counters)
    table = Table(title="read latency (M9.4)", title_justify="left")
    table.add_column(head[0], style="bold", no_wrap=True)
    for name in head[1:]:
        table.add_column(name, justify="right")
    for row in rows:
        if any(cell != "0" for cell in row[1:]):
            table.add_row(*row)
    return table


def print_summary(console: Console, result: Mapping[str, Any], folder: Path) -> None:
    """The table, the verdict, and where to look next."""
    status = str(result["status"])
    table = Table(title=f"{result['name']} on {result['preset']}", title_justify="left", show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows_of(result):
        table.add_row(name, value)
    console.print(table)
    if counters := result.get("counters"):
        console.print(cause_table(counters))
        if result["read_requests"]:
            console.print(latency_table(counters))
    if result["reason"]:
        console.print(
            without_again(str(result["reason"])), style="red" if status != "stopped" else "yellow", markup=False
        )
    console.print(f"[bold {COLOURS.get(status, 'red')}]{status}[/]  {shown_path(folder)}/", highlight=False)
    names = [n for n in ("report.html", "waves.gtkw") if (folder / n).exists()]
    for name in names:
        console.print(f"  {shown_path(folder / name)}", highlight=False)
    console.print(f"  again: {typed(result['reproduce'])}", highlight=False, markup=False, soft_wrap=True)
