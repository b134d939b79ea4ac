"""Subcommand `hbm site`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def site_command(
    output: Annotated[Path | None, typer.Option("--output", help="folder of the site (default: build/site)")] = None,
    open_it: Annotated[bool, typer.Option("--open", help="open it in the browser")] = False,
) -> None:
    """Write the report site from the results of regressions, coverage, tightness and bench that are there."""
    from hbm_tb.site import FOLDER, write_site

    page = write_site(output or FOLDER)
    print(page)
    if open_it:
        import webbrowser

        webbrowser.open(page.resolve().as_uri())


def register(app: typer.Typer) -> None:
    """Add this subcommand to the `hbm` command."""
    app.command("site")(site_command)
