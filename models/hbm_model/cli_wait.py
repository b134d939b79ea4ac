"""Subcommand `hbm wait`: the longest time that a request can wait, and why."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from hbm_model.cli_check import ParamsOption, PresetOption, params_of_options
from hbm_model.errors import InputError

# Heavy imports stay inside the functions, so that `hbm --help` answers at once.


def wait_command(
    preset: PresetOption = None,
    params: ParamsOption = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE: a timing (RP=20) or policy (starve_limit=9) register")
    ] = None,
    hot: Annotated[int, typer.Option(help="1, 2 or 4: refreshes per interval that TEMP asks for")] = 1,
    requests: Annotated[int, typer.Option(min=1, max=128, help="32-byte requests of a burst, at most")] = 1,
    beats: Annotated[int, typer.Option(min=1, max=256, help="beats of a request, at most: 32 for narrow bursts")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """The longest wait of a request, derived from the registers. docs/waits.md.

    Exit 0: done. Exit 1: there is no bound for these registers. Exit 2: unusable input.
    """
    from rich.console import Console
    from rich.table import Table

    from hbm_model.controller import Policy
    from hbm_model.waits import longest_wait
    from hbm_model.workload import settings_of

    if hot not in (1, 2, 4):
        raise InputError(f"--hot {hot}: expected 1, 2 or 4")
    timing, policy = settings_of(settings or [])
    base = params_of_options(preset, params)
    try:
        values = base.replaced(**timing) if timing else base
    except ValueError as error:
        raise InputError(f"--set: {error}") from None
    registers = Policy.of(values, **{path.split(".")[-1]: number for path, number in policy.items()})
    bounds = {
        "whole requests": longest_wait(values, registers, merges=False, hot=hot, requests=requests, beats=beats),
        "partial writes": longest_wait(values, registers, merges=True, hot=hot, requests=requests, beats=beats),
    }
    if values.geometry.has_data_mask:
        del bounds["partial writes"]  # they are ordinary writes
    if as_json:
        print(json.dumps({name: each.as_dict() if each else None for name, each in bounds.items()}, indent=2))
    else:
        table = Table(title=f"longest wait, {values.name}")
        table.add_column("")
        for name in bounds:
            table.add_column(name, justify="right")
        rows = {
            "until starved, cycles": "interval",
            "services": "services",
            "one service, CK": "service",
            "refreshes meanwhile": "refreshes",
            "queue to column command, cycles": "queue",
            "ARVALID to the last R beat, cycles": "read",
            "AWVALID to BVALID, cycles": "write",
        }
        for text, key in rows.items():
            table.add_row(text, *(f"{getattr(each, key):,}" if each else "no bound" for each in bounds.values()))
        Console(highlight=False).print(table)
        if None in bounds.values():
            print("no bound: starve_limit is 0, or refresh leaves no time for traffic")
    if None in bounds.values():
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the subcommand of this module."""
    app.command("wait")(wait_command)
