"""Subcommands of `hbm` that make and convert traffic: record, convert, pattern, traces."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hbm_model.errors import InputError

if TYPE_CHECKING:
    from hbm_model.addrmap import AddressMap
    from hbm_model.requests import RequestTrace

# Heavy imports (numpy, numba) stay inside the functions, so that `hbm --help` answers at once.

PresetOption = Annotated[str, typer.Option("--preset", help="preset whose geometry the addresses belong to")]
MapOption = Annotated[
    str, typer.Option("--map", help="address map: a name, or a layout such as pc,bg,col,bank,sid,row")
]


def parse_size(text: str) -> int:
    """`32768`, `32K`, `1M` -> bytes."""
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    body = text.strip().upper().removesuffix("IB").removesuffix("B")
    scale = units.get(body[-1:], 1)
    digits = body[:-1] if scale > 1 else body
    if not digits.isdigit():
        raise InputError(f"`{text}` is no size; write bytes, or with K, M or G as in 256K")
    return int(digits) * scale


def address_map_of(preset: str, map_name: str) -> AddressMap:
    """The named map for the geometry of a preset."""
    from hbm_model.addrmap import named_map
    from hbm_model.presets import geometry_of

    return named_map(map_name, geometry_of(preset))


def _summary(path: Path, trace: RequestTrace) -> None:
    size = path.stat().st_size
    print(
        f"{path}: {len(trace)} requests ({trace.reads} reads, {trace.writes} writes), "
        f"footprint {trace.footprint / 1024:.0f} KiB, file {size / 1024:.0f} KiB"
    )


def record_command(
    program: Annotated[list[str], typer.Argument(help="the program and its arguments, after `--`")],
    output: Annotated[Path, typer.Option("--output", "-o", help="trace to write; .zst and .gz compress")],
    roi: Annotated[bool, typer.Option("--roi", help="only between the markers of traces/programs/roi.h")] = False,
    l1: Annotated[str, typer.Option(help="size of the first cache level")] = "32K",
    l1_ways: Annotated[int, typer.Option(help="its ways")] = 8,
    l2: Annotated[str, typer.Option(help="size of the second cache level")] = "256K",
    l2_ways: Annotated[int, typer.Option(help="its ways")] = 8,
    line: Annotated[int, typer.Option(help="cache line in bytes: 32, 64, 128 or 256")] = 64,
    skip: Annotated[int, typer.Option(min=0, help="requests to leave out at the start")] = 0,
    limit: Annotated[int, typer.Option(min=0, help="requests to record, then stop the program (0: no limit)")] = 0,
    ck_per_instruction: Annotated[
        float, typer.Option(min=0.0, help="give each request a CYCLE: instructions x this, in CK (0: none)")
    ] = 0.0,
    page: Annotated[str, typer.Option(help="page size for placing addresses in the channel")] = "4K",
    scatter: Annotated[int, typer.Option(help="seed of a random frame order (-1: in order of first use)")] = -1,
    flush: Annotated[bool, typer.Option("--flush", help="write dirty lines back at the end")] = False,
    full_environment: Annotated[
        bool, typer.Option("--env", help="pass the whole environment to the program (moves its stack)")
    ] = False,
    preset: PresetOption = "hbm2_2000_eng",
) -> None:
    """Record a program's DRAM requests (valgrind's lackey, filtered through a cache model)."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from hbm_model.record import CacheConfig, RecordOptions, record
    from hbm_model.requests import write_requests

    options = RecordOptions(
        caches=CacheConfig(parse_size(l1), l1_ways, parse_size(l2), l2_ways, line),
        roi=roi,
        skip=skip,
        limit=limit or None,
        ck_per_instruction=ck_per_instruction or None,
        page_bytes=parse_size(page),
        scatter=None if scatter < 0 else scatter,
        channel_bytes=address_map_of(preset, "peers").channel_bytes,
        flush=flush,
    )
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting valgrind")

        def show(instructions: int, requests: int) -> None:
            bar.update(task, description=f"{instructions / 1e6:.1f} M instructions, {requests} requests")

        trace, _ = record(program, options, show, clean_environment=not full_environment)
    write_requests(output, trace)
    _summary(output, trace)


def convert_command(
    source: Annotated[Path, typer.Argument(help="trace to read; plain, gzip or zstd")],
    output: Annotated[Path, typer.Argument(help="trace to write; .zst and .gz compress")],
    fmt: Annotated[str, typer.Option("--from", help="auto, hbm, ramulator2, dramsim3, stl or rstl")] = "auto",
    access_bytes: Annotated[int, typer.Option(help="bytes of an access whose line gives no size")] = 32,
    cycle_scale: Annotated[float, typer.Option(help="CK per clock of the trace's cycle column")] = 1.0,
    fold: Annotated[bool, typer.Option("--fold", help="take addresses modulo the size of the channel")] = False,
    limit: Annotated[int, typer.Option(min=0, help="requests to keep (0: all)")] = 0,
    preset: PresetOption = "hbm2_2000_eng",
    map_name: MapOption = "peers",
) -> None:
    """Turn a trace of Ramulator 2, DRAMsim3 or DRAMSys into one of 32-byte requests to one channel."""
    from hbm_model.requests import read_requests, write_requests

    address_map = address_map_of(preset, map_name)
    trace = read_requests(source, fmt, access_bytes, cycle_scale)
    if limit:
        trace = trace.head(limit)
    trace = (trace.folded(address_map) if fold else trace).check_range(address_map)
    write_requests(output, trace, [*trace.header, f"converted by `hbm convert` from {source.name}"])
    _summary(output, trace)


def pattern_command(
    name: Annotated[
        str, typer.Argument(help="stream, streammix, random, mixed, conflict, chase, ... (wrong: lists all)")
    ],
    output: Annotated[Path, typer.Argument(help="trace to write; .zst and .gz compress")],
    pcs: Annotated[int, typer.Option(help="pseudo-channels used: 1 or 2")] = 2,
    count: Annotated[int, typer.Option(help="requests (0: as `hbm bench`)")] = 0,
    preset: PresetOption = "hbm2_2000_eng",
) -> None:
    """Write one of the standard traffic patterns as a request trace."""
    from hbm_model.patterns import pattern
    from hbm_model.presets import geometry_of
    from hbm_model.requests import write_requests

    trace = pattern(name, geometry_of(preset), pcs, count or None)
    write_requests(output, trace)
    _summary(output, trace)


def traces_command(
    names: Annotated[list[str] | None, typer.Argument(help="recordings (default: all)")] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="compile the programs and record them again")] = False,
    output: Annotated[Path, typer.Option("--output", "-o", help="folder for --rebuild")] = Path("build/traces"),
) -> None:
    """List the committed recordings, or make them again."""
    from hbm_model import recordings as store

    known = store.recordings()
    unknown = set(names or ()) - {entry.name for entry in known}
    if unknown:
        raise InputError(f"no recording `{sorted(unknown)[0]}`; known: {', '.join(entry.name for entry in known)}")
    if not rebuild:
        print(f"{'trace':<28} {'reads':>8} {'writes':>8} {'footprint':>10} {'file':>8}  what")
    for entry in known:
        if names and entry.name not in names:
            continue
        path = entry.path
        if rebuild:
            print(f"recording {entry.name} ...", file=sys.stderr)
            path, trace = store.rebuild(entry, output)
            same = (trace.reads, trace.writes, trace.footprint) == (entry.reads, entry.writes, entry.footprint)
            identical = store.text_digest(path) == entry.sha256
            verdict = "identical" if identical else "same counts" if same else "differs (another compiler or C library)"
            print(f"{path}: {trace.reads} reads, {trace.writes} writes: {verdict}")
            continue
        footprint, size = f"{entry.footprint / 1024:.0f} KiB", f"{path.stat().st_size >> 10} KiB"
        shown = f"traces/{path.name}"
        print(f"{shown:<28} {entry.reads:>8} {entry.writes:>8} {footprint:>10} {size:>8}  {entry.about}")


def register(app: typer.Typer) -> None:
    """Add these subcommands to the `hbm` command."""
    app.command("record")(record_command)
    app.command("convert")(convert_command)
    app.command("pattern")(pattern_command)
    app.command("traces")(traces_command)
