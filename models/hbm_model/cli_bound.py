"""Subcommand `hbm bound`: lower bounds on the time of a request trace, and how near a run came to them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hbm_model.cli_check import (
    CountOption,
    FoldOption,
    FormatOption,
    MapOption,
    ParamsOption,
    PcsOption,
    PresetOption,
    params_of_options,
    params_of_result,
    read_result,
)
from hbm_model.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

    from hbm_model.addrmap import AddressMap
    from hbm_model.bound import Bound, Limits
    from hbm_model.params import Params
    from hbm_model.requests import RequestTrace

# Heavy imports stay inside the functions, so that `hbm --help` answers at once.

_LONGEST_BURST = 128  # 32-byte requests in 4 KiB
_WIDTH = 150  # characters: numbers are not cut on narrow screens
_HELD_BURSTS = 4  # accepted AR bursts whose requests wait in front of the read queue (M2.1)


@dataclass(frozen=True)
class _Job:
    """What is bounded."""

    params: Params
    address_map: AddressMap
    trace: RequestTrace
    limits: Limits


def _requests(
    name: str, pcs: int, count: int, fmt: str, fold: bool, params: Params, address_map: AddressMap
) -> tuple[RequestTrace, int]:
    """(requests of a file, recording or pattern, limit of requests under way)."""
    from hbm_model.patterns import outstanding, pattern
    from hbm_model.workload import is_pattern, read_trace, trace_file, unknown_requests

    path = trace_file(name)
    if path is not None:
        if path.is_dir():
            raise InputError(f"{name}: a folder, expected a request trace (a run folder is given with --run)")
        return read_trace(path, address_map, fmt, fold, count), 0
    stem, dot, ending = name.rpartition(".p")
    if dot and ending in ("1", "2"):
        name, pcs = stem, int(ending)
    if not is_pattern(name):
        raise unknown_requests(name, patterns=True)
    return pattern(name, params.geometry, pcs, count or None).check_range(address_map), outstanding(name)


def _of_run(folder: Path, limits: Limits) -> tuple[_Job, dict[str, Any]]:
    """The job of a run folder (of the RTL or of the model) and its result.json."""
    from hbm_model.addrmap import named_map

    result, file = read_result(folder), folder / "result.json"
    missing = [key for key in ("trace", "trace_requests", "map", "policy", "ports") if key not in result]
    if missing:
        raise InputError(f"{file}: no `{missing[0]}`; expected the result of `hbm run` or `hbm sim`")
    done = sum(port["requests"] for port in result["ports"])
    if done != result["trace_requests"] or result.get("status") in ("timeout", "stopped"):
        raise InputError(
            f"{folder}: {done} of {result['trace_requests']} requests were carried out; expected all of them"
        )
    params = params_of_result(folder, result)
    address_map = named_map(result["map"], params.geometry)
    fold = "--fold" in result.get("reproduce", "")
    trace, under_way = _requests(result["trace"], 2, result["trace_requests"], "auto", fold, params, address_map)
    entries = result.get("entries", {})
    limits = replace(
        limits.with_policy(result["policy"]),
        reads=entries.get("read", limits.reads),
        writes=entries.get("write", limits.writes),
        outstanding=result.get("outstanding", under_way),
        front=_HELD_BURSTS * _LONGEST_BURST + 2 if result.get("merge") else limits.front,
    )
    return _Job(params, address_map, trace, limits), result


def bound_command(
    requests: Annotated[str, typer.Argument(help="request trace, recording or pattern; not needed with --run")] = "",
    preset: PresetOption = None,
    params: ParamsOption = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE: a timing (RP=20) or refresh (refresh_all=1) register")
    ] = None,
    map_name: MapOption = "peers",
    fmt: FormatOption = "auto",
    fold: FoldOption = False,
    count: CountOption = 0,
    pcs: PcsOption = 2,
    entries: Annotated[int, typer.Option(min=1, help="entries of each queue")] = 32,
    outstanding: Annotated[int, typer.Option(min=0, help="requests a port may have open (0: no limit)")] = 0,
    any_slot: Annotated[
        bool, typer.Option("--any-slot", help="bounds of the DRAM alone, without this controller's slot grid")
    ] = False,
    run: Annotated[Path | None, typer.Option("--run", help="run folder: bound its requests, show its share")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Lower bounds on the time of a request trace: no controller, however clever, is faster. docs/bounds.md.

    Exit 0: done. Exit 1: the run of --run beats its bound, so one of the two is wrong. Exit 2: unusable input.
    """
    from hbm_model.addrmap import named_map
    from hbm_model.bound import Limits, bound_of
    from hbm_model.workload import settings_of

    limits = Limits(reads=entries, writes=entries, outstanding=outstanding, grid=1 if any_slot else 2)
    result: dict[str, Any] | None = None
    if run is not None:
        if requests or preset or params or settings:
            raise InputError("--run tells requests, parameters and settings itself; leave the others out")
        job, result = _of_run(run, limits)
    else:
        if not requests:
            raise InputError("name the requests: a trace, a recording or a pattern; or a run folder with --run")
        timing, policy = settings_of(settings or [])
        try:
            values = params_of_options(preset, params).replaced(**timing)
        except ValueError as error:
            raise InputError(f"--set: {error}") from None
        address_map = named_map(map_name, values.geometry)
        trace, under_way = _requests(requests, pcs, count, fmt, fold, values, address_map)
        limits = replace(limits.with_policy(policy), outstanding=outstanding or under_way)
        job = _Job(values, address_map, trace, limits)
    bound = bound_of(job.trace, job.params, job.address_map, job.limits)
    beaten = [pc for pc, share in bound.shares(result["ports"]).items() if share > 1] if result else []
    if as_json:
        _print_json(job, bound, result)
    else:
        _print_text(job, bound, result)
    if beaten:
        print(f"PC{beaten[0]} of this run is faster than its bound: one of the two is wrong")
        raise typer.Exit(1)


def _print_json(job: _Job, bound: Bound, result: dict[str, Any] | None) -> None:
    import json

    out: dict[str, Any] = {
        "schema": 1,
        "preset": job.params.name,
        "map": job.address_map.name,
        "trace": job.trace.source,
        "requests": len(job.trace),
        "limits": vars(job.limits),
        **bound.as_dict(),
    }
    if result is not None:
        out["run"] = {
            "name": result.get("name"),
            "status": result.get("status"),
            "efficiency": result.get("efficiency"),
            "span_ck": {f"pc{pc}": result["ports"][pc]["span_ck"] for pc in bound.used},
            "share_of_bound": {f"pc{pc}": share for pc, share in bound.shares(result["ports"]).items()},
        }
    print(json.dumps(out, indent=1))


def _table(job: _Job, bound: Bound) -> Table:
    from rich.table import Table

    from hbm_model.bound import COMPONENTS

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("CK at least", no_wrap=True)
    for pc in bound.used:
        table.add_column(f"PC{pc} offline", justify="right", no_wrap=True)
        table.add_column("in order", justify="right", no_wrap=True)
        table.add_column("of peak", justify="right", no_wrap=True)
    table.add_column("what", no_wrap=True)
    for name, what in COMPONENTS.items():
        cells = []
        for pc in bound.used:
            each = bound.pcs[pc]
            for side in (each.offline, each.in_order):
                value = side.parts.get(name)
                mark = " *" if value is not None and value == side.ck else "  "
                cells.append(f"{value:,.0f}{mark}" if value is not None else "-  ")
            value = each.in_order.parts.get(name)
            share = each.share(value) if value else 0.0
            cells.append("-" if not value else f"{100 * share:.2f} %" if share <= 1 else "> 100 %")
        if any(not cell.startswith("-") for cell in cells):
            table.add_row(name, *cells, what)
    for name, number in (("rows opened", "openings"), ("changes of direction", "switches")):
        cells = []
        for pc in bound.used:
            each = bound.pcs[pc]
            cells += [f"{getattr(each.offline, number):,}  ", f"{getattr(each.in_order, number):,}  ", ""]
        table.add_row(name, *cells, "at least")
    return table


def _print_text(job: _Job, bound: Bound, result: dict[str, Any] | None) -> None:
    from rich.console import Console

    from hbm_model.params import BURST_CK

    limits = job.limits
    refresh = "no refresh" if not limits.refresh_en else "REF" if limits.refresh_all else "REFSB"
    slots = "any slot" if limits.grid == 1 else "slots of the controller"
    print(f"{job.trace.source}: {len(job.trace)} requests, {job.params.name}, map {job.address_map.name}")
    print(f"{limits.reads} + {limits.writes} entries, {refresh}, {slots}; * binds")
    Console(width=_WIDTH, highlight=False).print(_table(job, bound))
    offline, in_order = bound.row_bus
    if len(bound.used) == 2:
        print(f"row bus of both PCs: {offline:,.0f} CK offline, {in_order:,.0f} in order")
    for pc in bound.used:
        phases = bound.pcs[pc].in_order.phases
        if bound.pcs[pc].in_order.binds == "windows":
            print(
                f"PC{pc} windows: "
                + ", ".join(f"{100 * share:.0f} % {name}" for name, share in phases.items() if share > 0.005)
            )
    print(
        f"an ACT costs {bound.act_ck:.3f} CK with its share of the refreshes: "
        f"{100 * BURST_CK / bound.act_ck:.2f} % of peak when each request opens a row"
    )
    print(
        f"at most {100 * bound.share_of_peak(False):.2f} % of peak offline, "
        f"{100 * bound.share_of_peak(True):.2f} % in order"
    )
    if result is not None:
        shares = bound.shares(result["ports"])
        text = ", ".join(
            f"PC{pc} {result['ports'][pc]['span_ck']:,} CK = {100 * share:.2f} % of its bound"
            for pc, share in shares.items()
        )
        print(f"run {result.get('name')}: {100 * result.get('efficiency', 0.0):.2f} % of peak; {text}")


def register(app: typer.Typer) -> None:
    """Add the subcommand of this module."""
    app.command("bound")(bound_command)
