"""Runs of the system tests: many cocotb tests of one module share one simulator process.

A pytest item names one cocotb test; the process of its module is started by the first item that asks, with just those
tests that pytest selected. Builds are cached by content (tb/hbm_tb/sim.py), so a session needs one per geometry.

All tests of a module and preset stand in one test file: `make test JOBS=n` gives each file to one worker (pytest-xdist,
`--dist loadfile`). A process that finds the run folder in the hands of another one fails instead of wiping it.
"""

from __future__ import annotations

import fcntl
import json
import os
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pytest
from hbm_model.presets import preset
from hbm_tb import coverage_files, replay, sim
from hbm_tb.config import ENVIRONMENT
from hbm_tb.sim_job import set_up_waves
from hbm_tb.sources import names_of_tests
from hbm_tb.test_base import REPRODUCE

TESTS = sim.ROOT / "tb" / "tests"
RUNS = sim.ROOT / "build" / "runs" / "test"

# Name in test ids -> preset; one build each.
PRESETS = {"hbm2": "hbm2_2000_eng", "hbm3": "hbm3_6400_eng", "hbm4": "hbm4_8000_eng"}


@dataclass(frozen=True)
class Case:
    """One cocotb test on one preset."""

    group: str
    module: str
    test: str

    @property
    def name(self) -> str:
        """Id of the pytest item."""
        return f"{self.group}-{self.module}-{self.test}"


def cases(group: str, *modules: str) -> list[Case]:
    """All tests of some modules on a preset."""
    return [Case(group, module, test) for module in modules for test in names_of_tests(TESTS / f"{module}.py")]


def params(items: list[Case]) -> list[object]:
    """Pytest parameters of one test file."""
    return [pytest.param(case, id=case.name, marks=pytest.mark.sim) for case in items]


@dataclass
class Run:
    """Outcome of one process."""

    result: sim.Result
    messages: dict[str, str] = field(default_factory=dict)  # test -> failure text


def own(folder: Path) -> IO[str]:
    """Make a run folder and take it until this process ends or the file is closed; fails while another one has it."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / ".lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        pytest.fail(
            f"{folder} is in use by another pytest: either a second one runs, or the tests of one simulator process "
            "were given to several workers (they go by file: `make test JOBS=n`, or -n with --dist loadfile)",
            pytrace=False,
        )
    return lock


def _flag(name: str) -> bool:
    return os.environ.get(name, "0") not in ("", "0", "no")


def _number(name: str) -> int | None:
    return int(os.environ[name], 0) if os.environ.get(name) else None


class SystemRuns:
    """Starts processes on demand and keeps their outcomes for the session."""

    def __init__(self, selected: list[Case]) -> None:
        self.selected = selected
        self.runs: dict[tuple[str, str], Run] = {}
        self.locks: list[IO[str]] = []
        self.replays = 0

    def run_of(self, case: Case, timeout: float = 1500.0) -> Run:
        """The process that ran this case."""
        key = (case.group, case.module)
        if key not in self.runs:
            self.runs[key] = self._start(case, timeout)
        return self.runs[key]

    def _start(self, case: Case, timeout: float) -> Run:
        tests = [c.test for c in self.selected if (c.group, c.module) == (case.group, case.module)]
        preset_name = os.environ.get("PRESET") or PRESETS[case.group]
        if preset(preset_name).geometry.generation != preset(PRESETS[case.group]).geometry.generation:
            pytest.skip(f"{preset_name} is another generation")
        built = sim.build(preset(preset_name).geometry.name)
        seed = _number("SEED") or 1
        folder = RUNS / f"{case.group}-{case.module}"
        self.locks.append(own(folder))
        waves: bool | tuple[int | None, int | None] = _flag("WAVES")
        window = (_number("WAVES_FROM"), _number("WAVES_TO"))
        if waves and window != (None, None):
            waves = window
        extra = f" PRESET={preset_name}" if os.environ.get("PRESET") else ""
        result = sim.run(
            built,
            case.module,
            rf"^{case.module}\.({'|'.join(tests)})$",
            seed=seed,
            run_dir=folder,
            waves=waves,
            env={
                ENVIRONMENT: json.dumps({"preset": preset_name, "seed": seed}),
                REPRODUCE: f"make test TEST={case.group}-{case.module}-{{test}} SEED={{seed}}{extra}",
                coverage_files.DIRECTORY: str(folder),
            },
            timeout=timeout,
        )
        if waves:
            set_up_waves(folder)
        return Run(result, _messages(result.results_xml))

    def require(self, case: Case) -> None:
        """Fail unless this case passed, and the process as a whole raised no error of its own."""
        run = self.run_of(case)
        result = run.result
        if result.status == "stopped":
            pytest.skip(f"stopped: {result.reason} ({result.log})")
        if case.test in run.messages:
            told = f"{run.messages[case.test]}\n  log: {result.log}{self._waves(case, result)}"
            pytest.fail(told, pytrace=False)
        outcome = result.tests.get(case.test)
        if outcome != "pass":
            pytest.fail(f"{case.name} did not finish: {result.reason or outcome}\n  log: {result.log}", pytrace=False)
        # The process failed although every test says pass: assertions of the simulator, a missing closing line.
        if not result.passed and not run.messages:
            pytest.fail(f"{result.reason}\n  log: {result.log}", pytrace=False)

    def _waves(self, case: Case, result: sim.Result) -> str:
        """Replay a failed test by itself, with waves around its failure; the first few of a session."""
        if _flag("WAVES"):
            return ""
        folder = replay.isolate(result.run_dir, case.test)
        if self.replays >= replay.allowed():
            return f"\n  waves: {replay.command_of(folder)}"
        self.replays += 1
        made = replay.try_replay(folder)
        return "".join(f"\n  {line}" for line in (made.lines(folder) if made else ()))


def _messages(path: Path) -> dict[str, str]:
    """Failure text per test."""
    if not path.exists():
        return {}
    try:
        root = ET.parse(path).getroot()
    except ET.ParseError:
        return {}
    found = {}
    for item in root.iter("testcase"):
        for tag in ("failure", "error"):
            node = item.find(tag)
            if node is not None:
                found[item.get("name", "?")] = node.get("message") or (node.text or "failed").strip()
    return found
