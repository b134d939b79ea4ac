"""Subcommands of `hbm` that run simulations: run, bench, exact; and doctor. Options that all lists have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

# Heavy imports stay inside the functions, so that `hbm --help` answers at once.


def run_command(
    trace: Annotated[str, typer.Option("--trace", help="request trace, or the name of a recording")] = "",
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
    waves_to: Annotated[int | None, typer.Option("--waves-to", help="CK at which waves and run end")] = None,
    replay: Annotated[
        bool, typer.Option("--replay/--no-replay", help="repeat a failing run with waves around its failure")
    ] = True,
) -> None:
    """Send a request trace through the RTL with every check on; writes build/runs/<name>.

    Exit 0: pass, or cut off at --waves-to (`stopped`: no verdict). 1: fail. 2: input that cannot be used.
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
        replay=replay,
    )
    raise typer.Exit(job(options))


def bench_command(
    full: Annotated[bool, typer.Option("--full", help="1,048,576 requests a pattern")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="very short, HBM2 only: shows that all of it works")] = False,
    only: Annotated[
        str,
        typer.Option(
            "--only", help="a part (speed, traffic, latency, fairness, waits), or patterns and recordings: `p1 r*,bfs`"
        ),
    ] = "",
    presets: Annotated[list[str] | None, typer.Option("--preset", help="peers_hbm2 or peers_hbm3 (both)")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="register of the traffic runs, KEY=VALUE")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="interleaved repeats of the speed runs")] = 5,
    jobs: Annotated[int, typer.Option("--jobs", min=0, help="traffic runs side by side (0: one a processor)")] = 0,
    shares: Annotated[
        bool, typer.Option(help="also tell the channel's share of the bare time (needs one more build)")
    ] = True,
) -> None:
    """Print the speed and traffic tables and write build/bench/bench.json."""
    from hbm_tb.bench import BenchOptions
    from hbm_tb.bench import bench_command as job
    from hbm_tb.bench_cases import PRESETS

    chosen = tuple(presets or (PRESETS[:1] if quick else PRESETS))
    options = BenchOptions(
        full=full,
        quick=quick,
        only=only,
        presets=chosen,
        settings=tuple(settings or ()),
        jobs=jobs,
        repeats=repeats,
        shares=shares,
    )
    raise typer.Exit(job(options))


# Options of every list of runs (job_list.ListOptions).
Jobs = Annotated[int, typer.Option("--jobs", min=0, help="runs side by side (0: as many as processors)")]
Rerun = Annotated[bool, typer.Option("--rerun", help="repeat the failed runs; the passed ones hold")]
Fresh = Annotated[bool, typer.Option("--fresh", help="repeat all runs, whatever is known of them")]
Only = Annotated[list[str] | None, typer.Option("--only", help="only runs of this name, group or shell pattern")]
Waves = Annotated[bool, typer.Option("--waves", help="write waves.fst; with --only and the name of one run")]
WavesFrom = Annotated[int | None, typer.Option("--waves-from", help="first CK of the waves")]
WavesTo = Annotated[int | None, typer.Option("--waves-to", help="CK at which waves and run end")]
Engine = Annotated[str, typer.Option("--engine", help="where runs go: local, slurm or lsf; with settings: slurm:FILE")]


def exact_command(
    quick: Annotated[bool, typer.Option("--quick", help="a small part on three builds, about a minute")] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="first seed of the soak")] = 1,
    seeds: Annotated[int, typer.Option("--seeds", min=0, help="seeds per preset (0: 20; quick: 2)")] = 0,
    presets: Annotated[list[str] | None, typer.Option("--preset", help="presets of the soak")] = None,
    transactions: Annotated[int, typer.Option("--transactions", min=0, help="of a soak run (0: 20,000)")] = 0,
    jobs: Jobs = 0,
    rerun: Rerun = False,
    fresh: Fresh = False,
    only: Only = None,
    waves: Waves = False,
    waves_from: WavesFrom = None,
    waves_to: WavesTo = None,
    engine: Engine = "local",
) -> None:
    """Compare RTL and exact model cycle by cycle over recordings, patterns and random soaks; exit 1 at a difference.

    Finished runs are kept: the same command after an interruption goes on where it was.
    """
    from hbm_tb.exact import exact_command as job
    from hbm_tb.job_list import ListOptions

    options = ListOptions(jobs, rerun, fresh, tuple(only or ()), waves, waves_from, waves_to, engine)
    raise typer.Exit(job(options, quick, seed, seeds, tuple(presets or ()), transactions))


def doctor_command() -> None:
    """Show the tools in use and what is missing."""
    from hbm_tb.doctor import main

    raise typer.Exit(main())


def register(app: typer.Typer) -> None:
    """Add these subcommands to the `hbm` command."""
    app.command("run")(run_command)
    app.command("bench")(bench_command)
    app.command("exact")(exact_command)
    app.command("doctor")(doctor_command)
