"""Subcommands of `hbm` that show a finished run: report, waves, replay."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Annotated

import typer
from hbm_model.errors import InputError
from hbm_model.run_folder import RUNS

RunOption = Annotated[
    str, typer.Option("--run", help="name of a run in build/runs, or its folder (default: the latest)")
]


def run_folder(run: str, needs: str, runs: Path = RUNS) -> Path:
    """Folder of a run by name or path; without either the latest run that has the file `needs`."""
    if run:
        for folder in (runs / run, Path(run)):
            if folder.is_dir():
                return folder
        known = sorted(path.name for path in runs.iterdir() if path.is_dir()) if runs.is_dir() else []
        raise InputError(f"no run `{run}`; " + (f"known: {', '.join(known[:20])}" if known else "nothing was run yet"))
    found = sorted(runs.glob(f"*/{needs}"), key=lambda path: path.stat().st_mtime)
    if not found:
        hint = "make run WAVES=1" if needs.endswith(".fst") else "make run"
        raise InputError(f"no run has a {needs} yet; `{hint}` makes one")
    return found[-1].parent


def report_command(
    run: RunOption = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="page to write (default: in the run folder)")
    ] = None,
) -> None:
    """Write report.html of a run again from its result, commands and series."""
    from hbm_model.report import report_of_folder, write_report

    folder = run_folder(run, "result.json")
    path = output or folder / "report.html"
    report = report_of_folder(folder)
    try:
        write_report(path, report)
    except OSError as error:
        raise InputError(f"--output {path}: cannot be written ({error.strerror})") from None
    print(path)


def waves_command(
    run: RunOption = "",
    at: Annotated[float | None, typer.Option(help="CK to point at (default: the failure)")] = None,
    setup_only: Annotated[bool, typer.Option("--setup-only", help="write the viewer set-ups, open nothing")] = False,
) -> None:
    """Open the waves of a run in a viewer, with named groups of signals and command mnemonics."""
    from hbm_tb.replay import marker_of
    from hbm_tb.waves import open_viewer, setups_of, write_setups

    if at is not None and not (math.isfinite(at) and at >= 0):
        raise InputError(f"--at {at:g}: expected a CK, 0 or more")
    waves = run_folder(run, "waves.fst") / "waves.fst"
    if not waves.exists():
        raise InputError(f"{waves} does not exist; record it with WAVES=1")
    if setup_only or at is not None or not all(path.exists() for path in setups_of(waves)):
        for path in write_setups(waves, at if at is not None else marker_of(waves.parent)):
            print(path)
    if not setup_only:
        print(" ".join(open_viewer(waves)))


def replay_command(
    run: Annotated[str, typer.Argument(help="folder of a failed run, or its name in build/runs")],
    before: Annotated[int, typer.Option(min=0, help="CK of waves before the failure")] = 2000,
    after: Annotated[int, typer.Option(min=0, help="CK of waves after it, at least")] = 200,
    view: Annotated[bool, typer.Option("--open/--no-open", help="open a viewer, where there is a display")] = True,
) -> None:
    """Repeat a failed run with waves around its failure, and show them.

    Exit 0: it failed in the same way. 1: it did not; it cannot be reproduced. 2: there is nothing to replay.
    """
    from hbm_tb import failure, replay
    from hbm_tb.sim import SimError
    from hbm_tb.waves import can_show, open_viewer

    folder = run_folder(run, "")
    found = failure.read_failure(folder)
    try:
        made = replay.replay(folder, before=before, after=after)
    except SimError as error:
        print(f"hbm: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    for line in [*(failure.describe(found) if found is not None else []), made.note, *made.lines(folder)]:
        print(line)
    if made.waves and view and can_show():
        print(" ".join(open_viewer(folder / made.waves)))
    raise typer.Exit(0 if made.reproduced else 1)


def register(app: typer.Typer) -> None:
    """Add these subcommands to the `hbm` command."""
    app.command("replay")(replay_command)
    app.command("report")(report_command)
    app.command("waves")(waves_command)
