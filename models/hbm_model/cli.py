"""The command line `hbm`. Each subcommand lives in a module of its own that is imported when it is asked for."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from hbm_model.errors import InputError

# Name -> (module with `register(app)`, line for `hbm --help`), in the order of the help text.
_CHECK = "hbm_model.cli_check"
_TRAFFIC = "hbm_model.cli_traffic"
_JOBS = "hbm_tb.cli_jobs"
_WHY = "hbm_model.cli_why"
_REGRESS = "hbm_tb.cli_regress"
SUBCOMMANDS: Final[dict[str, tuple[str, str]]] = {
    "run": (_JOBS, "the main job: a request trace through the RTL with every check on"),
    "test": ("hbm_tb.cli_test", "pyuvm tests of your own, in a .py file anywhere"),
    "sim": ("hbm_model.cli_sim", "the exact model alone: commands, latency and bandwidth of a request trace"),
    "bound": ("hbm_model.cli_bound", "lower bounds on the time of a request trace, and a run's share of them"),
    "wait": ("hbm_model.cli_wait", "the longest time that a request can wait, from the registers alone"),
    "check": (_CHECK, "legality of a DRAM command trace"),
    "presets": (_CHECK, "the named value sets, or all values of one with their sources"),
    "rules": (_CHECK, "the rule table, with the gaps of a preset"),
    "record": (_TRAFFIC, "record a program's memory requests"),
    "convert": (_TRAFFIC, "convert request traces of other tools"),
    "pattern": (_TRAFFIC, "write a defined traffic pattern"),
    "traces": (_TRAFFIC, "list or rebuild the recorded traces"),
    "map": ("hbm_model.cli_map", "explain an address map: where addresses go, how strides spread"),
    "report": ("hbm_tb.cli_view", "write the report page of a run again"),
    "waves": ("hbm_tb.cli_view", "open the waves of a run in a viewer"),
    "replay": ("hbm_tb.cli_view", "repeat a failed run with waves around its failure"),
    "why": (_WHY, "what a bank, a request or a PC waits for at a CK"),
    "timeline": (_WHY, "draw the commands of a run by bank, with what bound each"),
    "lint": ("hbm_tb.cli_build", "Verilator -Wall, slang, Verible, ruff, mypy"),
    "synth": ("hbm_tb.cli_build", "synthesis check and report of the channel or of one module"),
    "bench": (_JOBS, "speed and traffic tables, build/bench/bench.json"),
    "regress": (_REGRESS, "a list of tests, soaks, recordings and patterns: resumable, with buckets and history"),
    "results": (_REGRESS, "what is known of a list: runs, trends, failures by bucket"),
    "site": ("hbm_tb.cli_site", "the report site: plan, coverage, rules, trends, failures and a page for each run"),
    "coverage": ("hbm_tb.cli_coverage", "functional, tightness and RTL coverage of a list, merged; holes by module"),
    "plan": ("hbm_tb.cli_coverage", "the verification plan and its status"),
    "tight": ("hbm_tb.cli_tight", "every reachable rule at its bound in RTL simulation, with a report page"),
    "faults": ("hbm_tb.cli_faults", "planted defects and wrong timing registers: which check tells first"),
    "exact": (_JOBS, "RTL and exact model in lock-step: recordings, patterns, random soaks"),
    "doctor": (_JOBS, "the tools in use and what is missing"),
    "docs": ("hbm_tb.cli_docs", "the documentation site, into build/docs-site"),
    "gen": ("hbm_model.cli_gen", "write the generated files: packages, registers, register model, pages"),
}


class _LazyGroup(TyperGroup):
    """Knows all subcommands by name and help line; loads the module of the one that is run."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in table order."""
        return list(SUBCOMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A stand-in with the help line; `resolve_command` gives the real one."""
        if cmd_name not in SUBCOMMANDS:
            return None
        return TyperCommand(cmd_name, help=SUBCOMMANDS[cmd_name][1])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Load the subcommand that the arguments name."""
        name, command, rest = super().resolve_command(ctx, args)
        if name is None or command is None:
            return name, command, rest
        return name, _load(name), rest


def _load(name: str) -> Any:
    module = import_module(SUBCOMMANDS[name][0])
    part = typer.Typer()
    part.callback()(lambda: None)  # keeps a group even when the module has one command
    module.register(part)
    return typer.main.get_command(part).commands[name]  # type: ignore[attr-defined]


app = typer.Typer(cls=_LazyGroup, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def _root() -> None:
    """Open HBM controller: golden model, checks and simulations."""


def main() -> None:
    """Run the command line; unusable input ends with one line and exit code 2."""
    try:
        app()
    except InputError as error:
        print(f"hbm: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(1)


if __name__ == "__main__":
    main()
