"""Subcommands of `hbm` that run simulations: run, bench, exact; and doctor."""

from __future__ import annotations

from typing import Annotated

import typer
from hbm_model.cli_check import CountOption, FoldOption, FormatOption, MapOption, ParamsOption, PcsOption, PresetOption

from hbm_tb.cli_options import Engine, Fresh, Jobs, Only, Rerun, Settings, Waves, WavesFrom, WavesOfOne, WavesTo

# Heavy imports stay inside the functions, so that `hbm --help` answers at once.


def run_command(
    trace: Annotated[str, typer.Option("--trace", help="request trace, or the name of a recording")] = "",
    pattern: Annotated[str, typer.Option("--pattern", help="a defined pattern in place of a trace: stream ...")] = "",
    pcs: PcsOption = 2,
    count: CountOption = 0,
    preset: PresetOption = None,
    params: ParamsOption = None,
    map_name: MapOption = "peers",
    from_format: FormatOption = "auto",
    fold: FoldOption = False,
    merge: Annotated[bool, typer.Option("--merge", help="join consecutive requests to AXI bursts")] = False,
    seed: Annotated[int, typer.Option(min=0, help="seed of write data and of memory never written")] = 1,
    settings: Settings = None,
    name: Annotated[str, typer.Option("--name", help="run folder below build/runs")] = "",
    waves: Waves = False,
    waves_from: WavesFrom = None,
    waves_to: WavesTo = None,
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
        preset=preset or "",
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
    waves: WavesOfOne = False,
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
