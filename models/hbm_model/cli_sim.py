"""Subcommand `hbm sim`: the exact model alone, as a performance simulator; one simulation, or a grid of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hbm_model.cli_check import CountOption, FoldOption, FormatOption, MapOption, ParamsOption, PcsOption, PresetOption
from hbm_model.errors import InputError

# Heavy imports stay inside the functions, so that `hbm --help` answers at once.


def sim_command(
    requests: Annotated[str, typer.Argument(help="request trace, name of a recording, or name of a pattern")] = "",
    preset: PresetOption = None,
    params: ParamsOption = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE: a timing (RP=20) or policy (page=2) register")
    ] = None,
    map_name: MapOption = "peers",
    fmt: FormatOption = "auto",
    fold: FoldOption = False,
    count: CountOption = 0,
    pcs: PcsOption = 2,
    outstanding: Annotated[int, typer.Option(min=0, help="closed loop: requests open per port (0: open loop)")] = 0,
    load: Annotated[
        float, typer.Option(help="open loop: requests arrive evenly at this % of peak (0: as the trace says)")
    ] = 0.0,
    ids: Annotated[int, typer.Option(min=1, max=1024, help="AXI ids that the requests of a port use by turns")] = 16,
    read_entries: Annotated[int, typer.Option(help="entries of the read queue, 4 to 64 (the RTL has 32)")] = 32,
    write_entries: Annotated[int, typer.Option(help="entries of the write queue, 4 to 64 (the RTL has 32)")] = 32,
    sweep: Annotated[
        list[str] | None,
        typer.Option("--sweep", help="KEY=A,B,C: one simulation per value; several make a grid. docs/studies.md"),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=0, help="with --sweep: processes (0: one a processor)")] = 0,
    svg: Annotated[Path | None, typer.Option("--svg", help="with --sweep: also draw the plots into this file")] = None,
    name: Annotated[str, typer.Option("--name", help="folder below build/runs")] = "",
) -> None:
    """Predict every command and response for a request trace; writes build/runs/<name>. Needs no simulator.

    Exit 0: done. 1: simulations of a sweep failed. 2: input that cannot be used. 130: interrupted.
    """
    from hbm_model.simulate import SimOptions

    options = SimOptions(
        requests=requests,
        preset=preset or "",
        params=str(params or ""),
        settings=tuple(settings or ()),
        map=map_name,
        fmt=fmt,
        fold=fold,
        count=count,
        pcs=pcs,
        outstanding=outstanding,
        load=load,
        ids=ids,
        read_entries=read_entries,
        write_entries=write_entries,
        name=name,
    )
    if sweep:
        if not requests and not any(text.strip().startswith("requests=") for text in sweep):
            raise InputError("REQUESTS: name a request trace, a recording or a pattern, or sweep requests=A,B")
        from hbm_model.sweep import sweep_job

        raise typer.Exit(sweep_job(options, sweep, jobs, svg))
    if not requests:
        raise InputError("REQUESTS: name a request trace, a recording (hbm traces) or a pattern")
    if jobs or svg:
        raise InputError("--jobs and --svg belong to --sweep")
    from hbm_model.simulate import sim_job

    raise typer.Exit(sim_job(options))


def register(app: typer.Typer) -> None:
    """Add the subcommand of this module."""
    app.command("sim")(sim_command)
