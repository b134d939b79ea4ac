"""Subcommands of `hbm` that look at the sources: lint, synth."""

from __future__ import annotations

from typing import Annotated

import typer

# Heavy imports stay inside the functions, so that `hbm --help` answers at once.


def lint_command(
    tool: Annotated[str, typer.Argument(help="verilator, slang, verible, ruff or mypy; all without it")] = "",
) -> None:
    """Run the linters over RTL, bench and Python; exit 0 when all are clean."""
    from hbm_tb import lint

    raise typer.Exit(lint.main(tool))


def synth_command(
    preset: Annotated[str, typer.Option("--preset", help="named value set whose geometry is built")] = "hbm2_2000_eng",
    top: Annotated[str, typer.Option("--top", help="module of the RTL")] = "",
    entries: Annotated[
        str, typer.Option("--entries", help="sizes of the queues to compare, 16,32,64; top is then hbm_pc")
    ] = "",
) -> None:
    """Synthesise with Yosys: gates, flops, latches, loops, undriven nets, longest path; exit 0 when all is well."""
    from hbm_model.presets import geometry_of

    from hbm_tb import synth

    sizes = []
    for word in entries.split(",") if entries else []:
        if not word.strip().isdecimal() or not 4 <= int(word) <= 64:
            raise typer.BadParameter(f"{word.strip()!r} is no number from 4 to 64", param_hint="--entries")
        sizes.append(int(word))
    raise typer.Exit(synth.main(geometry_of(preset).name, top or ("hbm_pc" if sizes else synth.TOP), entries=sizes))


def register(app: typer.Typer) -> None:
    """Add the subcommands to the command line."""
    app.command("lint")(lint_command)
    app.command("synth")(synth_command)
