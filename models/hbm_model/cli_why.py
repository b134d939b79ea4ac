"""Subcommands that ask the exact model about a finished run: `hbm why`, `hbm timeline` (docs/debugging.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hbm_model.errors import InputError

RunArgument = Annotated[str, typer.Argument(help="name of a run in build/runs, or the folder of a run")]
BankOption = Annotated[str, typer.Option("--bank", help="SID.GROUP.BANK, as 0.2.1")]
PcOption = Annotated[int | None, typer.Option("--pc", min=0, max=1, help="pseudo-channel (default: both)")]


def bank_of(text: str) -> tuple[int, int, int] | None:
    """SID, group, bank; None for no text."""
    if not text:
        return None
    parts = text.split(".")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        raise InputError(f"--bank {text}: expected SID.GROUP.BANK, as 0.2.1")
    return int(parts[0]), int(parts[1]), int(parts[2])


def why_command(
    run: RunArgument,
    at: Annotated[float | None, typer.Option("--at", min=0, help="CK on the pins (default: the failure)")] = None,
    bank: BankOption = "",
    request: Annotated[int, typer.Option("--request", min=0, help="number in the request trace, from 1")] = 0,
    pc: PcOption = None,
) -> None:
    """What a bank, a request or a PC waits for at a CK: which rule, until when, since which command.

    Exit 0: told. 2: input that cannot be used.
    """
    from hbm_model.asked import folder_of, open_run
    from hbm_model.run_folder import failure_ck
    from hbm_model.why import answer

    if request and bank:
        raise InputError("--request and --bank exclude each other")
    folder = folder_of(run)
    asked = open_run(folder)
    at = failure_ck(folder) if at is None else at
    if at is None:
        raise InputError(f"{run}: this run did not fail; say --at CK")
    for line in answer(asked, at, pc=pc, bank=bank_of(bank), request=request):
        print(line)


def timeline_command(
    run: RunArgument,
    first: Annotated[
        float | None, typer.Option("--from", min=0, help="first CK (default: around the failure, or the first command)")
    ] = None,
    last: Annotated[float | None, typer.Option("--to", min=0, help="last CK (default: 200 CK on)")] = None,
    bank: BankOption = "",
    pc: PcOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="picture to write, .svg or .html (default: timeline.html)")
    ] = None,
    text: Annotated[bool, typer.Option("--text/--no-text", help="draw it on the terminal too")] = True,
) -> None:
    """Draw the commands of a run by bank, with the rule that bound each command and the command it counts from."""
    from hbm_model.asked import folder_of
    from hbm_model.timeline import timeline_job

    raise typer.Exit(timeline_job(folder_of(run), first, last, bank_of(bank), pc, output, text))


def register(app: typer.Typer) -> None:
    """Add the subcommands of this module."""
    app.command("why")(why_command)
    app.command("timeline")(timeline_command)
