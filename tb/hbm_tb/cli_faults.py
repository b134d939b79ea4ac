"""Subcommand `hbm faults`."""

from __future__ import annotations

from typing import Annotated

import typer

from hbm_tb.cli_options import Engine, Fresh, Jobs, Rerun, WavesFrom, WavesOfOne, WavesTo


def faults_command(
    only: Annotated[
        list[str] | None, typer.Option("--only", help="only this fault (id, register, group or shell pattern)")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="a small part on one build, about a minute")] = False,
    seed: Annotated[int, typer.Option("--seed", min=1, help="seed of the traffic")] = 1,
    docs: Annotated[bool, typer.Option("--docs", help="write docs/faults.md from the whole list")] = False,
    jobs: Jobs = 0,
    rerun: Rerun = False,
    fresh: Fresh = False,
    replay: Annotated[
        bool, typer.Option("--replay", help="ten defects in ten modules, from failure to waves, one command each")
    ] = False,
    waves: WavesOfOne = False,
    waves_from: WavesFrom = None,
    waves_to: WavesTo = None,
    engine: Engine = "local",
) -> None:
    """Plant every defect of tb/faults and program every timing register wrong: something must tell, and say what.

    Exit 1 when a fault is missed, or caught by another check than its entry names. Finished runs are kept: the same
    command after an interruption goes on where it was.
    """
    if replay:
        from hbm_tb.fault_replays import replay_command

        raise typer.Exit(replay_command(tuple(only or ()), seed))
    from hbm_tb.faults_cmd import faults_command as job
    from hbm_tb.job_list import ListOptions

    options = ListOptions(jobs, rerun, fresh, tuple(only or ()), waves, waves_from, waves_to, engine)
    raise typer.Exit(job(options, quick, seed, docs))


def register(app: typer.Typer) -> None:
    """Add the subcommand to the `hbm` command."""
    app.command("faults")(faults_command)
