"""Subcommand `hbm gen`: writes the generated files."""

from __future__ import annotations

import sys
from typing import Annotated

import typer


def gen_command(
    check: Annotated[
        bool, typer.Option("--check", help="write nothing; exit 1 and name the files that are stale")
    ] = False,
) -> None:
    """Write all generated files: packages, registers, register model, C header, pages."""
    # The exporters take half a second to import.
    from hbm_model.emit import generate, stale

    before = stale()
    if check:
        for path in before:
            print(f"{path} is stale: run make gen", file=sys.stderr)
        raise typer.Exit(1 if before else 0)
    generate()
    left = stale()
    for path in before:
        print(f"left over, not generated any more: {path}" if path in left else f"written: {path}")
    if not before:
        print("all generated files are up to date")


def register(app: typer.Typer) -> None:
    """Add the subcommand to the command line."""
    app.command("gen")(gen_command)
