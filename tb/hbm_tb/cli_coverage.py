"""Subcommands `hbm coverage` and `hbm plan`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hbm_tb.cli_options import Engine, Fresh, Jobs, ListName, Only, Rerun

# Heavy imports stay inside the functions, so that `hbm --help` answers at once.


def coverage_command(
    name: ListName = "",
    quick: Annotated[bool, typer.Option("--quick", help="a few runs on HBM2: shows that all of it works")] = False,
    take: Annotated[
        list[Path] | None, typer.Option("--take", help="run nothing: merge the runs below this folder; repeatable")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", help="JUnit file of `make test`: status of the pytest tests in the plan")
    ] = None,
    holes: Annotated[str, typer.Option("--holes", help="all holes of this module, or `all`")] = "",
    jobs: Jobs = 0,
    rerun: Rerun = False,
    fresh: Fresh = False,
    only: Only = None,
    engine: Engine = "local",
) -> None:
    """Merge functional coverage, rule tightness and RTL line, branch and toggle coverage; build/coverage.

    Exit 1: a run failed, an exclusion is not true, or a goal was missed (line and branch 98 %, toggle 95 %, functional
    100 %).
    """
    from hbm_tb.coverage_cmd import coverage_command as job
    from hbm_tb.job_list import ListOptions

    options = ListOptions(jobs=jobs, rerun=rerun, fresh=fresh, only=tuple(only or ()), engine=engine)
    raise typer.Exit(job(options, name, quick=quick, take=tuple(take or ()), junit=junit, holes=holes))


def plan_command(
    check: Annotated[bool, typer.Option("--check", help="only whether plan and code fit each other")] = False,
    write: Annotated[bool, typer.Option("--write", help="write docs/verification-plan.md")] = False,
) -> None:
    """Print the verification plan (tb/plan.yaml) with the status of the last `hbm coverage`."""
    from hbm_tb.coverage_cmd import plan_command as job

    raise typer.Exit(job(check, write))


def register(app: typer.Typer) -> None:
    """Add these subcommands to the `hbm` command."""
    app.command("coverage")(coverage_command)
    app.command("plan")(plan_command)
