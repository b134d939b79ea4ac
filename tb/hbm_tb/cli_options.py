"""Options that several subcommands have: of runs with their waves, and of lists of runs (job_list.ListOptions)."""

from __future__ import annotations

from typing import Annotated

import typer

WavesFrom = Annotated[int | None, typer.Option("--waves-from", help="first CK of the waves")]
WavesTo = Annotated[int | None, typer.Option("--waves-to", help="CK at which waves and run end")]

# Of `hbm run` and `hbm test`.
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="KEY=VALUE: a timing (RP=20) or policy (refresh_all=1) register")
]
Waves = Annotated[bool, typer.Option("--waves", help="write waves.fst and set-ups for viewers")]

# Of every list of runs.
ListName = Annotated[str, typer.Option("--list", help="a list of tb/lists, or the path of a .yaml file")]
Jobs = Annotated[int, typer.Option("--jobs", min=0, help="runs side by side (0: as many as processors)")]
Rerun = Annotated[bool, typer.Option("--rerun", help="repeat the failed runs; the passed ones hold")]
Fresh = Annotated[bool, typer.Option("--fresh", help="repeat all runs, whatever is known of them")]
Only = Annotated[list[str] | None, typer.Option("--only", help="only runs of this name, group or shell pattern")]
WavesOfOne = Annotated[bool, typer.Option("--waves", help="write waves.fst; with --only and the name of one run")]
Engine = Annotated[str, typer.Option("--engine", help="where runs go: local, slurm or lsf; with settings: slurm:FILE")]
