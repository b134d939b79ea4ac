"""Subcommands of `hbm` for lists of runs: regress and results."""

from __future__ import annotations

from typing import Annotated

import typer

from hbm_tb.cli_options import Engine, Fresh, Jobs, ListName, Only, Rerun, WavesFrom, WavesOfOne, WavesTo

# Heavy imports stay inside the functions, so that `hbm --help` answers at once.


def regress_command(
    name: ListName = "smoke",
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="first seed, in place of the list's")] = None,
    seeds: Annotated[int | None, typer.Option("--seeds", help="so many seeds for every entry of the list")] = None,
    presets: Annotated[list[str] | None, typer.Option("--preset", help="only runs on these presets")] = None,
    transactions: Annotated[
        int | None, typer.Option("--transactions", help="of each random run, in place of the list's")
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="tell what the list holds, and run nothing")] = False,
    jobs: Jobs = 0,
    rerun: Rerun = False,
    fresh: Fresh = False,
    only: Only = None,
    waves: WavesOfOne = False,
    waves_from: WavesFrom = None,
    waves_to: WavesTo = None,
    engine: Engine = "local",
    replay: Annotated[
        bool, typer.Option("--replay/--no-replay", help="repeat failures, one a bucket, with waves around them")
    ] = True,
) -> None:
    """Run a list of tests, soaks, recordings and patterns (tb/lists/<name>.yaml); exit 1 when one fails.

    Finished runs are kept: the same command after an interruption goes on where it was. Results and history:
    `hbm results --list NAME`.
    """
    from hbm_tb.job_list import ListOptions
    from hbm_tb.list_file import Overrides
    from hbm_tb.regress import regress_command as job

    options = ListOptions(jobs, rerun, fresh, tuple(only or ()), waves, waves_from, waves_to, engine, replay)
    overrides = Overrides(seed, seeds, tuple(dict.fromkeys(presets or ())), transactions)
    raise typer.Exit(job(options, name, overrides, show))


def results_command(
    name: Annotated[str, typer.Option("--list", help="list with results; without it all lists in short")] = "",
    history: Annotated[bool, typer.Option("--history", help="all regressions; with --run: of runs")] = False,
    bucket: Annotated[str, typer.Option("--bucket", help="the runs of a bucket: its signature, or a part of it")] = "",
    failed: Annotated[bool, typer.Option("--failed", help="the failed runs")] = False,
    runs: Annotated[list[str] | None, typer.Option("--run", help="runs of this name, group or shell pattern")] = None,
    regression: Annotated[int, typer.Option("--regression", min=0, help="number of a regression (0: newest)")] = 0,
) -> None:
    """Show the results of lists from their databases: runs, trends, failures by bucket. Nothing is run.

    Exit 1 when the regression that is shown has failures.
    """
    from hbm_tb.results_view import View
    from hbm_tb.results_view import results_command as job

    raise typer.Exit(job(View(name, history, bucket, failed, tuple(runs or ()), regression)))


def register(app: typer.Typer) -> None:
    """Add these subcommands to the `hbm` command."""
    app.command("regress")(regress_command)
    app.command("results")(results_command)
