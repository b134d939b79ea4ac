"""`hbm test FILE.py`: a user's own pyuvm tests, in a file anywhere, each in a simulation and a run folder of its own.

The file imports `hbm_tb` and `hbm_model` as the tests of tb/tests do, and modules of its own folder. Everything that
can be wrong with it and with the options is found before anything is built or written.
"""

from __future__ import annotations

import difflib
import importlib.machinery
import json
import keyword
import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hbm_model.command_line import option_words, typed, without_again
from hbm_model.errors import InputError
from hbm_model.run_folder import RUNS, check_name, shown_path, staging_folder
from hbm_model.startup import Waiting

from hbm_tb import coverage_files
from hbm_tb.run_job import (
    EXIT,
    STARTING,
    check_window,
    make_config,
    publish,
    tell_failure,
    window_part,
    write_junit,
)
from hbm_tb.sim_job import reproduce_environment
from hbm_tb.sources import FOLDERS, names_of_tests

if TYPE_CHECKING:
    from hbm_tb.config import BenchConfig
    from hbm_tb.sim import Build, Result

BASE = "HbmTest"  # what a test derives from
# Options whose flag is not their name.
_FLAGS = {"map_name": "--map", "settings": "--set"}


@dataclass(frozen=True)
class OwnOptions:
    """What a user can ask of own tests; the names are those of the options of `hbm test`."""

    file: Path
    preset: str = ""
    params: Path | None = None
    map_name: str = "peers"
    seed: int = 1
    settings: tuple[str, ...] = ()
    name: str = ""
    waves: bool = False
    waves_from: int | None = None
    waves_to: int | None = None
    timeout: float = 1800.0
    replay: bool = True  # a failing test is repeated with waves around its failure

    @property
    def window(self) -> bool | tuple[int | None, int | None]:
        """`waves` of sim.run."""
        if self.waves_from is not None or self.waves_to is not None:
            return (self.waves_from, self.waves_to)
        return self.waves


@dataclass(frozen=True)
class Plan:
    """Tests that can start: checked input."""

    options: OwnOptions
    config: BenchConfig
    tests: tuple[str, ...]

    def run_name(self, test: str) -> str:
        """Name of the run folder of a test."""
        o = self.options
        values = Path(o.params).stem if o.params else self.config.preset
        return (o.name or f"{o.file.stem}.{test}-{values}") + window_part(o.waves_from, o.waves_to)

    def reproduce(self, test: str) -> str:
        """The command line that repeats one test."""
        words = option_words(replace(self.options, replay=True), _FLAGS, always=("seed",))
        return shlex.join(["hbm", "test", shown_path(self.options.file.resolve()), test, *words])


# ---------------------------------------------------------------- input


def tests_of(path: Path) -> list[str]:
    """Names of the tests of a file; InputError when it cannot be read or has none."""
    try:
        found = names_of_tests(path)
    except SyntaxError as error:
        raise InputError(f"{path}:{error.lineno}: {error.msg}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {error}") from None
    if not found:
        raise InputError(f"{path}: holds no test, that is, no class derived from {BASE} under @pyuvm.test()")
    return found


def check_file(path: Path) -> None:
    """InputError unless the simulation can import the file under its name."""
    if path.suffix != ".py" or not path.is_file():
        raise InputError(f"{path}: no such file" if path.suffix == ".py" else f"{path}: a test file ends in .py")
    stem = path.stem
    if not stem.isidentifier() or keyword.iskeyword(stem):
        raise InputError(f"{path}: {stem!r} cannot be the name of a Python module; rename the file")
    if stem not in sys.builtin_module_names:
        other = importlib.machinery.PathFinder.find_spec(stem, [*map(str, FOLDERS), *(p for p in sys.path if p)])
        if other is None or (other.origin and Path(other.origin).resolve() == path.resolve()):
            return
    raise InputError(f"{path}: another module is called {stem}; rename the file")


def make_plan(options: OwnOptions, names: tuple[str, ...] = ()) -> Plan:
    """Check everything that the user gave; InputError with one line when something cannot be used."""
    check_file(options.file)
    known = tests_of(options.file)
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1) or known
            raise InputError(f"{options.file}: no test {name}; it has {', '.join(near)}")
    tests = tuple(dict.fromkeys(names)) or tuple(known)
    if options.name and len(tests) > 1:
        raise InputError(f"--name is for one test; {options.file} has {', '.join(tests)}")
    if options.name:
        check_name(options.name)
    if options.timeout <= 0:
        raise InputError("--timeout must be above 0 s")
    check_window(options.waves_from, options.waves_to)
    config = make_config(options.preset, options.params, options.map_name, options.seed, options.settings)
    return Plan(options, config, tests)


# ---------------------------------------------------------------- run


def _environment(plan: Plan, test: str, folder: Path) -> dict[str, str]:
    from hbm_tb import run_record

    return {
        **plan.config.to_environment(),
        **reproduce_environment(typed(plan.reproduce(test))),
        run_record.RECORD: "1",
        coverage_files.DIRECTORY: str(folder),
    }


def _fill_folder(plan: Plan, test: str, build: Build, found: Result, folder: Path) -> dict[str, Any]:
    """Verdict, numbers and report page of a run, from what the simulator left; the content of result.json."""
    from hbm_model.report import report_of_folder, write_report

    from hbm_tb import run_record, sim

    more = {
        "file": shown_path(plan.options.file.resolve()),
        "test": test,
        "params": str(plan.options.params or ""),
        "map": plan.config.map_name,
        "wall_s": round(found.wall_s, 3),
        "cpu_s": round(found.cpu_s, 3),
        "build_s": round(build.seconds, 1) if build.fresh else 0.0,
        "versions": sim.tool_versions(),
        "reproduce": plan.reproduce(test),
        "command": found.command,
    }
    name = plan.run_name(test)
    result = run_record.finish(folder, found.status, found.reason, name, **more)
    if result is None:  # the simulation ended before its test did anything
        config = plan.config
        result = {"schema": 1, "name": name, "status": found.status, "reason": found.reason, "preset": config.preset}
        result |= {"geometry": config.geometry, "timing": config.timing, "policy": config.policy}
        result |= {"seed": config.seed, **more}
        (folder / run_record.RESULT).write_text(json.dumps(result, indent=1) + "\n")
    else:
        write_report(folder / "report.html", report_of_folder(folder))
    if found.status != "pass" and not (found.results_xml.exists() and "fail" in found.tests.values()):
        write_junit(found.results_xml, result, "hbm test")
    return dict(result)


def run_test(plan: Plan, test: str, build: Build) -> tuple[dict[str, Any], Path]:
    """Simulate one test and write its run folder; the content of result.json and the folder."""
    from hbm_tb import sim

    waiting = Waiting(STARTING)
    with staging_folder(RUNS) as staging:
        try:
            found = sim.run(
                build,
                str(plan.options.file.resolve()),
                rf"\b{test}$",
                seed=plan.options.seed,
                run_dir=staging,
                waves=plan.options.window,
                env=_environment(plan, test, staging),
                timeout=plan.options.timeout,
                poll=lambda: None if (staging / "sim.log").stat().st_size else waiting.tell(),
            )
        finally:
            waiting.end()
        result = _fill_folder(plan, test, build, found, staging)
        folder = publish(staging, plan.run_name(test))
    return result, folder


def _print_verdict(result: dict[str, Any], folder: Path) -> None:
    """One line of a test; of one that did not pass also why, and what to do next."""
    from hbm_model.run_summary import COLOURS
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False)
    status = str(result["status"])
    checked = result.get("checked", {})
    seen = f"{checked.get('read_beats', 0):,} read beats, {checked.get('commands', 0):,} commands checked"
    exact = result.get("exact") or {}
    foreseen = f", {sum(exact.values()):,} events as foreseen" if exact else ""
    verdict = f"[bold {COLOURS.get(status, 'red')}]{status:<7}[/]"
    console.print(f"{verdict} {result['test']}  {seen}{foreseen}, {result['wall_s']:.1f} s")
    if result["reason"]:
        console.print(
            without_again(str(result["reason"])), style="yellow" if status == "stopped" else "red", markup=False
        )
    names = ("report.html", "waves.gtkw", *(() if status == "pass" else ("sim.log",)))
    there = " ".join(name for name in names if (folder / name).exists())
    console.print(f"        {shown_path(folder)}/  {there}", markup=False)
    if status != "pass":
        console.print(f"        again: {typed(str(result['reproduce']))}", markup=False)


def test_command(options: OwnOptions, names: tuple[str, ...] = ()) -> int:
    """`hbm test`: the exit code (0: all passed, or cut off at the end of a wave window; 1: a test failed)."""
    from hbm_tb import sim

    plan = make_plan(options, names)
    count = len(plan.tests)
    values = f"{options.params} ({plan.config.preset})" if options.params else plan.config.preset
    print(f"{count} test{'s' if count > 1 else ''} of {options.file} on {values}, seed {options.seed}", flush=True)
    outcomes = []
    try:
        build = sim.build(plan.config.geometry)
        for test in plan.tests:
            result, folder = run_test(plan, test, build)
            outcomes.append(str(result["status"]))
            _print_verdict(result, folder)
            if result["status"] not in ("pass", "stopped"):
                tell_failure(folder, options.replay and not options.window)
    except sim.SimError as error:
        print(f"hbm: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nhbm: interrupted; the folders of finished tests are as they were", file=sys.stderr)
        return 130
    return max(EXIT.get(status, 1) for status in outcomes)
