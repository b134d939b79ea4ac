"""Subcommand `hbm docs`: the documentation site."""

from __future__ import annotations

from typing import Annotated

import typer

# Heavy imports stay inside the function, so that `hbm --help` answers at once.


def docs_command(
    serve: Annotated[
        bool, typer.Option("--serve", help="show it at a local address and follow changes of docs/, until Ctrl-C")
    ] = False,
) -> None:
    """Write the generated pages and build the documentation site into build/docs-site.

    Exit 0: built. 1: a link, an anchor or the navigation is wrong. 2: MkDocs is not installed.
    """
    from hbm_tb.docs_site import docs_command as job

    raise typer.Exit(job(serve))


def register(app: typer.Typer) -> None:
    """Add the subcommand to the command line."""
    app.command("docs")(docs_command)
