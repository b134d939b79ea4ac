"""Subcommand `hbm tight`."""

from __future__ import annotations

from typing import Annotated

import typer

from hbm_tb.cli_options import Engine, Fresh, Jobs, Only, WavesOfOne

# Heavy imports stay inside the functions, so that `hbm --help` answers at once.


def tight_command(
    presets: Annotated[
        list[str] | None, typer.Option("--preset", help="one or several times; HBM2, HBM2E, HBM3 and HBM4 without it")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="seed of the guided-random trials")] = 1,
    trials: Annotated[int, typer.Option("--trials", help="trials per preset, at most; 0: enough")] = 0,
    jobs: Jobs = 0,
    fresh: Fresh = False,
    only: Only = None,
    waves: WavesOfOne = False,
    engine: Engine = "local",
) -> None:
    """Bring every reachable rule to its bound in RTL simulation; exit 1 when a bound was not met."""
    from hbm_tb import tight
    from hbm_tb.job_list import ListOptions

    options = ListOptions(jobs=jobs, rerun=True, fresh=fresh, only=tuple(only or ()), waves=waves, engine=engine)
    raise typer.Exit(tight.tight_command(options, tuple(presets or tight.PRESETS), seed, trials or tight.TRIALS))


def register(app: typer.Typer) -> None:
    """Add the subcommand to the command line."""
    app.command("tight")(tight_command)
