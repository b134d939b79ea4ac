"""Subcommand `hbm test`: a user's own pyuvm tests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from hbm_model.cli_check import MapOption, ParamsOption, PresetOption

from hbm_tb.cli_options import Settings, Waves, WavesFrom, WavesTo

# Heavy imports stay inside the function, so that `hbm --help` answers at once.


def test_command(
    file: Annotated[Path, typer.Argument(help="a .py file with pyuvm tests, anywhere")],
    tests: Annotated[list[str] | None, typer.Argument(help="only these of its tests")] = None,
    preset: PresetOption = None,
    params: ParamsOption = None,
    map_name: MapOption = "peers",
    seed: Annotated[int, typer.Option(min=0, help="seed of random traffic and of memory never written")] = 1,
    settings: Settings = None,
    name: Annotated[str, typer.Option("--name", help="run folder below build/runs, with one test")] = "",
    waves: Waves = False,
    waves_from: WavesFrom = None,
    waves_to: WavesTo = None,
    timeout: Annotated[float, typer.Option("--timeout", help="longest time of one test, in s")] = 1800.0,
    replay: Annotated[
        bool, typer.Option("--replay/--no-replay", help="repeat a failing test with waves around its failure")
    ] = True,
) -> None:
    """Run the pyuvm tests of a file, each in a simulation and a run folder of its own (build/runs/<file>.<test>-...).

    Exit 0: all passed, or cut off at --waves-to (no verdict). 1: a test failed. 2: input that cannot be used.
    """
    from hbm_tb.own_tests import OwnOptions
    from hbm_tb.own_tests import test_command as job

    options = OwnOptions(
        file=file,
        preset=preset or "",
        params=params,
        map_name=map_name,
        seed=seed,
        settings=tuple(settings or ()),
        name=name,
        waves=waves,
        waves_from=waves_from,
        waves_to=waves_to,
        timeout=timeout,
        replay=replay,
    )
    raise typer.Exit(job(options, tuple(tests or ())))


def register(app: typer.Typer) -> None:
    """Add the subcommand to the command line."""
    app.command("test")(test_command)
