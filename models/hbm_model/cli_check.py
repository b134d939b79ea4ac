"""Subcommands of `hbm` on the specification: check, presets, rules."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hbm_model.errors import InputError
from hbm_model.run_folder import RUNS

if TYPE_CHECKING:
    from rich.console import Console

    from hbm_model.legality import ViolationArray
    from hbm_model.params import Params
    from hbm_model.trace import CommandTrace

# Up to this many commands plain Python is done before numba is imported.
_SMALL = 3000
_SHOWN = 50  # violations printed unless the user asks for another number
_RULES = 5  # broken rules named when not all violations are printed
_MANY = 0.02  # share of illegal commands above which the values are doubted

PresetOption = Annotated[str | None, typer.Option("--preset", help="named value set; `hbm presets` lists them")]
ParamsOption = Annotated[Path | None, typer.Option("--params", help="parameter file, JSON or YAML")]
# Of the commands that take requests.
MapOption = Annotated[str, typer.Option("--map", help="address map: a name, a layout or a file; `hbm map` shows it")]
FormatOption = Annotated[str, typer.Option("--from", help="auto, hbm, ramulator2, dramsim3, stl or rstl")]
FoldOption = Annotated[bool, typer.Option("--fold", help="take addresses modulo the size of the channel")]
CountOption = Annotated[int, typer.Option(min=0, help="requests of the trace or pattern (0: all)")]
PcsOption = Annotated[int, typer.Option(min=1, max=2, help="PCs that a pattern uses")]


def params_of_options(preset_name: str | None, file: Path | None) -> Params:
    """The value set that `--preset` or `--params` names; the default preset without either."""
    from hbm_model.params import load_params
    from hbm_model.presets import DEFAULT_PRESET, preset

    if preset_name and file:
        raise InputError("--preset and --params exclude each other; `base` in the file names a preset")
    return load_params(file) if file else preset(preset_name or DEFAULT_PRESET)


def read_result(folder: Path) -> dict[str, Any]:
    """The result.json of a run folder."""
    import json

    file = folder / "result.json"
    try:
        result: dict[str, Any] = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: cannot be read: {error}") from None
    for key in ("preset", "timing"):
        if key not in result:
            raise InputError(f"{file}: no `{key}`; expected the result of `hbm run` or `hbm sim`")
    return result


def params_of_result(folder: Path, result: Mapping[str, Any]) -> Params:
    """The values that the run of a folder had."""
    file = result.get("params")
    base = params_of_options(None if file else result["preset"], Path(file) if file else None)
    try:
        return base.replaced(**result["timing"]) if result["timing"] else base
    except ValueError as error:
        raise InputError(f"{folder / 'result.json'}: timing: {error}") from None


def _trace_file(given: Path) -> Path:
    """The command trace of a run (a folder, or a name in build/runs), or the file itself."""
    if not given.exists() and (RUNS / given).is_dir():
        given = RUNS / given
    if not given.is_dir():
        return given
    for name in ("commands.csv", "commands.npz"):
        if (given / name).exists():
            return given / name
    raise InputError(f"{given}: a folder without commands.csv or commands.npz; expected a run folder or a trace")


def check_command(
    trace: Annotated[
        Path, typer.Argument(help="command trace: CSV, also gzip or zstd, or .npz; or a run, by name or folder")
    ],
    preset: PresetOption = None,
    params: ParamsOption = None,
    show: Annotated[int, typer.Option("--show", min=0, help="violations to print (0: all)")] = _SHOWN,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document, with all violations")] = False,
) -> None:
    """Check the legality of a DRAM command trace.

    A trace in a run folder is checked with the values of that run unless --preset or --params names others.
    Exit 0: legal. Exit 1: one line per violation. Exit 2: input that cannot be used.
    """
    from hbm_model._jit import jit_enabled
    from hbm_model.legality import check_trace
    from hbm_model.trace import read_commands

    trace = _trace_file(trace)
    if not (preset or params) and (trace.parent / "result.json").exists():
        values = params_of_result(trace.parent, read_result(trace.parent))
    else:
        values = params_of_options(preset, params)
    if values.from_base:
        note = f"{values.name}: {', '.join(values.from_base)} taken from {values.base}"
        print(note, file=sys.stderr if as_json else sys.stdout)
    commands = read_commands(trace, values)
    violations = check_trace(commands.commands, values, jit=jit_enabled() and len(commands.commands) > _SMALL)
    if as_json:
        _print_json(commands, violations)
    else:
        _print_text(str(trace), commands, violations, values, show)
    if len(violations):
        raise typer.Exit(1)


def _print_text(name: str, trace: CommandTrace, violations: ViolationArray, params: Params, show: int) -> None:
    from collections import Counter

    from hbm_model.legality import explain, rule_of

    lines, commands = trace.lines.tolist(), trace.commands
    for violation in violations[: show or None]:
        seq, earlier = int(violation["seq"]), int(violation["earlier"])
        print(
            explain(
                violation,
                commands[seq],
                commands[earlier] if earlier >= 0 else None,
                f"{name}:{lines[seq]}",
                f"line {lines[earlier]}" if earlier >= 0 else "",
            )
        )
    total = f"{name}: {len(commands)} commands checked with {params.name}"
    if len(violations):
        illegal = len(set(violations["seq"].tolist()))
        short = 0 < show < len(violations)
        if short:
            rules = Counter(rule_of(violation).name for violation in violations)
            most = ", ".join(f"{rule} {count}" for rule, count in rules.most_common(_RULES))
            print(f"... {len(violations) - show} more (--show 0 prints all); most of all: {most}")
        print(f"{total}: {illegal} illegal, {len(violations)} violations")
        if short and illegal > _MANY * len(commands):
            print("so many: was this trace made with other values? --preset or --params names them")
    else:
        print(f"{total}: legal")


def _print_json(trace: CommandTrace, violations: ViolationArray) -> None:
    import json

    from hbm_model.commands import Cmd, ck_number
    from hbm_model.legality import rule_of

    def legal_ck(ticks: int) -> int | float | str:
        return "never" if ticks < 0 else ck_number(ticks)

    lines = trace.lines.tolist()
    found = [
        {
            "line": lines[int(v["seq"])],
            "ck": ck_number(int(v["time"])),
            "cmd": Cmd(int(trace.commands[int(v["seq"])]["cmd"])).name,
            "rule": rule_of(v).name,
            "earlier_line": lines[int(v["earlier"])] if v["earlier"] >= 0 else None,
            "rule_earliest_ck": legal_ck(int(v["rule_earliest"])),
            "earliest_ck": legal_ck(int(v["earliest"])),
        }
        for v in violations
    ]
    print(json.dumps({"commands": len(trace.commands), "legal": not found, "violations": found}))


def presets_command(
    name: Annotated[str | None, typer.Argument(help="a preset, to see every value with its source")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print as a parameter file")] = False,
    densities: Annotated[
        bool, typer.Option("--densities", help="print die densities, stack heights, refresh times, assumed pins")
    ] = False,
) -> None:
    """List the presets, or print all values of one with their sources."""
    import json

    from rich.table import Table

    from hbm_model.params import PARAMS
    from hbm_model.presets import DEFAULT_PRESET, PRESET_NAMES, legal_sids, preset

    if densities:
        _print_densities()
        return
    if as_json:
        wanted = [name] if name else list(PRESET_NAMES)
        files = {each: preset(each).as_file() for each in wanted}
        print(json.dumps(files[name] if name else files, indent=1))
        return
    if name:
        values = preset(name)
        table = Table(
            "parameter",
            "value",
            "unit",
            "meaning",
            "source",
            title=f"{name}: {values.std}, tCK {float(values.tck_ns)} ns",
        )
        for param in PARAMS:
            table.add_row(param.jedec, str(values[param.key]), param.unit, param.meaning, values.sources[param.key])
    else:
        table = Table(
            "preset",
            "std",
            "tCK ns",
            "GB/s per PC",
            "SIDs",
            "banks per PC",
            "rows",
            "RFC",
            "RTL geometry",
            title="Presets",
        )
        for each in PRESET_NAMES:
            values = preset(each)
            shape = values.geometry
            rate = values.peak_bytes_per_ck / float(values.tck_ns)
            sids = f"{shape.sids} (of {', '.join(f'_s{n}' for n in legal_sids(values.std))})"
            label = f"{each} (default)" if each == DEFAULT_PRESET else each
            cells = (f"{float(values.tck_ns):.4g}", f"{rate:.1f}", sids, str(shape.num_banks), str(shape.rows))
            table.add_row(label, values.std, *cells, str(values["RFC"]), shape.name)
    _console().print(table)


def _print_densities() -> None:
    from rich.table import Table

    from hbm_model.geometry import DENSITIES, HBM2E_EXTRA_PINS, STACKS
    from hbm_model.presets import RFC_NS, RFCSB_NS

    dies = Table("std", "Gb per die", "Gb per channel and SID", "rows per bank", "source", title="Dies")
    for die in DENSITIES:
        dies.add_row(die.std, str(die.die_gb), str(die.channel_gb), str(die.rows), die.source)
    stacks = Table("std", "dies high", "SIDs", "source", title="Stacks")
    for stack in STACKS:
        stacks.add_row(stack.std, str(stack.height), str(stack.sids), stack.source)
    refresh = Table("generation", "Gb per channel, up to", "RFC ns", "RFCSB ns", "source", title="Refresh times")
    for number, rows in RFC_NS.items():
        for gb, ns, source in rows:
            single = next(sb for limit, sb, _ in RFCSB_NS[number] if gb <= limit)
            refresh.add_row(f"HBM{number}", str(gb), ns, single, source)
    pins = Table("field", "command", "pin", "edge", "source", title="Further pins of 16 Gb HBM2E dies")
    for pin in HBM2E_EXTRA_PINS:
        pins.add_row(pin.field, pin.command, f"{pin.bus}{pin.pin}", pin.edge, pin.source)
    for table in (dies, stacks, refresh, pins):
        _console().print(table)


def rules_command(preset: PresetOption = None, params: ParamsOption = None) -> None:
    """Print the rule table with the gaps of a preset."""
    from rich.table import Table

    from hbm_model.rules import rule_cells, rules_of

    values = params_of_options(preset, params)
    rules = rules_of(values)
    table = Table("rule", "from", "to", "scope", "gap", "CK", "source", title=f"Rules of {values.name}: {len(rules)}")
    for rule in rules:
        cells = rule_cells(rule, values)
        table.add_row(cells.name, cells.before, cells.after, cells.scope, cells.gap, cells.ck, cells.source)
    _console().print(table)
    print("A gap is the least difference of two times. Time: first edge; ACT: first edge + 1 CK.")


def _console() -> Console:
    """A console that does not cut tables when the output is not a terminal."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=220)


def register(app: typer.Typer) -> None:
    """Add the subcommands of this module."""
    app.command("check")(check_command)
    app.command("presets")(presets_command)
    app.command("rules")(rules_command)
