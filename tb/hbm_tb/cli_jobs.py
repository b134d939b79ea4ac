"""Subcommands of `hbm` that run simulations and tools: run, bench, regress, doctor, lint, synth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

# Heavy imports stay inside the functions, so that `hbm --help` answers at once.


def run_command(
    trace: Annotated[str, typer.Option("--trace", help="request trace, or the name of a recording (`hbm traces`)")] = "",
    pattern: Annotated[str, typer.Option("--pattern", help="a defined pattern in place of a trace: stream ...")] = "",
    pcs: Annotated[int, typer.Option(help="PCs that the pattern uses: 1 or 2")] = 2,
    count: Annotated[int, typer.Option(min=0, help="requests of the pattern or trace (0: all)")] = 0,
    preset: Annotated[str, typer.Option("--preset", help="named value set; `hbm presets` lists them")] = "",
    params: Annotated[Path | None, typer.Option("--params", help="parameter file, JSON or YAML")] = None,
    map_name: Annotated[str, typer.Option("--map", help="address map; `hbm map` shows it")] = "peers",
    from_format: Annotated[
        str, typer.Option("--from", help="format of the trace: auto, hbm, ramulator2, dramsim3, stl or rstl")
    ] = "auto",
    fold: Annotated[bool, typer.Option("--fold", help="take addresses modulo the size of the channel")] = False,
    merge: Annotated[bool, typer.Option("--merge", help="join consecutive requests to AXI bursts")] = False,
    seed: Annotated[int, typer.Option(min=0, help="seed of write data and of memory never written")] = 1,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE: a timing (RP=20) or policy (refresh_all=1) register")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="run folder below build/runs")] = "",
    waves: Annotated[bool, typer.Option("--waves", help="write waves.fst and set-ups for viewers")] = False,
    waves_from: Annotated[int | None, typer.Option("--waves-from", help="first CK of the waves")] = None,
    waves_to: Annotated[int | None, typer.Option("--waves-to", help="CK at which waves and run end (`stopped`)")] = None,
) -> None:
    """Send a request trace through the RTL with every check on; writes build/runs/<name>.

    Exit 0: pass. 1: fail. 2: input that cannot be used. 3: stopped at the end of the wave window.
    """
    from hbm_tb.run_job import RunOptions
    from hbm_tb.run_job import run_command as job

    options = RunOptions(
        trace=trace,
        pattern=pattern,
        pcs=pcs,
        count=count,
        preset=preset,
        params=params,
        map_name=map_name,
        from_format=from_format,
        fold=fold,
        merge=merge,
        seed=seed,
        settings=tuple(settings or ()),
        name=name,
        waves=waves,
        waves_from=waves_from,
        waves_to=waves_to,
    )
    raise typer.Exit(job(options))


def doctor_command() -> None:
    """Show the tools in use and what is missing."""
    from hbm_tb.doctor import main

    raise typer.Exit(main())


def register(app: typer.Typer) -> None:
    """Add these subcommands to the `hbm` command."""
    app.command("run")(run_command)
    app.command("doctor")(doctor_command)
