"""Subcommand `hbm sim`: the exact model alone, as a performance simulator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hbm_model.cli_check import ParamsOption, PresetOption, params_of_options
from hbm_model.errors import InputError

RUNS = Path("build/runs")


def settings_of(pairs: list[str]) -> dict[str, int]:
    """`KEY=VALUE` options as a mapping."""
    out = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        try:
            out[key.strip()] = int(value, 0)
        except ValueError:
            raise InputError(f"--set {pair}: expected KEY=VALUE with a whole number") from None
        if not equals:
            raise InputError(f"--set {pair}: expected KEY=VALUE")
    return out


def sim_command(
    requests: Annotated[str, typer.Argument(help="request trace, or the name of a recording")],
    preset: PresetOption = None,
    params: ParamsOption = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE: a timing (RP=20) or policy (page=2) register")
    ] = None,
    map_name: Annotated[str, typer.Option("--map", help="address map; `hbm map` shows it")] = "peers",
    fmt: Annotated[str, typer.Option("--from", help="auto, hbm, ramulator2, dramsim3, stl or rstl")] = "auto",
    fold: Annotated[bool, typer.Option("--fold", help="take addresses modulo the size of the channel")] = False,
    count: Annotated[int, typer.Option(min=0, help="requests of the trace (0: all)")] = 0,
    outstanding: Annotated[int, typer.Option(min=0, help="closed loop: requests open per port (0: open loop)")] = 0,
    ids: Annotated[int, typer.Option(min=1, max=1024, help="AXI ids that the requests of a port use by turns")] = 16,
    name: Annotated[str, typer.Option("--name", help="folder below build/runs")] = "",
) -> None:
    """Predict every command and response for a request trace; writes build/runs/<name>.

    Exit 0: done. Exit 2: input that cannot be used.
    """
    import json
    import time

    from hbm_model.addrmap import named_map
    from hbm_model.controller import Channel, Policy, Setup, port_ids, split_settings
    from hbm_model.recordings import trace_path
    from hbm_model.requests import read_requests
    from hbm_model.sim_summary import summary_of, summary_table
    from hbm_model.trace import write_commands

    values, policies = split_settings(params_of_options(preset, params), settings_of(settings or []))
    path = trace_path(requests)
    address_map = named_map(map_name, values.geometry)
    trace = read_requests(path, fmt)
    trace = trace.head(count) if count else trace
    trace = (trace.folded(address_map) if fold else trace).check_range(address_map)
    channel = Channel(Setup(values, Policy.of(values, **policies), outstanding=outstanding))
    channel.offer(trace, address_map, port_ids(trace, address_map, ids))
    Channel(channel.setup).run(1)  # loads the compiled loop, which is not the model's speed
    began = time.perf_counter()
    commands = channel.run()
    wall = time.perf_counter() - began
    folder = RUNS / (name or f"sim-{path.name.split('.')[0]}-{values.name.replace('/', '_')}")
    folder.mkdir(parents=True, exist_ok=True)
    write_commands(folder / "commands.csv", commands)
    result = summary_of(folder.name, values, trace, channel.prediction(commands), wall)
    given = settings_of(settings or [])
    timing = {key: value for key, value in given.items() if key not in policies}
    result |= {"map": map_name, "timing": timing, "policy": policies, "outstanding": outstanding, "trace": str(path)}
    (folder / "result.json").write_text(json.dumps(result, indent=1) + "\n")
    print(summary_table(result))
    print(f"{folder}/commands.csv, {folder}/result.json")


def register(app: typer.Typer) -> None:
    """Add the subcommand of this module."""
    app.command("sim")(sim_command)
