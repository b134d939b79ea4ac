"""Builds and runs tests of a controller that is not ours, and writes the report of each run (docs/own-dut.md)."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hbm_model.report import Violation, report_of_folder, write_report

from hbm_tb import coverage_files, run_record, sim
from hbm_tb.failure import read_failure
from hbm_tb.own_config import ENVIRONMENT, REPRODUCE, OwnConfig
from hbm_tb.sim import Build, Design, Result

__all__ = ["Build", "Design", "Result", "build", "run"]


def build(
    design: Design,
    top: str,
    preset: str = "hbm2_2000_eng",
    *,
    parameters: Mapping[str, int] | None = None,
    coverage: bool = False,
    opt: str = "-O1",
) -> Build:
    """Compile a test top around the library's device for the geometry of a preset; found again while nothing changed.

    `parameters`: of the top module. `opt`: -O1 compiles fast, -O3 runs fast. SimError with one line when it fails.
    """
    return sim.build(
        OwnConfig(preset=preset).geometry, top, parameters=parameters, coverage=coverage, opt=opt, design=design
    )


def run(
    build: Build,
    tests: Path,
    test: str | None = None,
    *,
    folder: Path,
    settings: Mapping[str, Any] | None = None,
    seed: int = 1,
    plusargs: Sequence[str] = (),
    waves: bool | tuple[int | None, int | None] = False,
    env: Mapping[str, str] | None = None,
    reproduce: str = "",
    timeout: float = 600.0,
) -> Result:
    """Run the pyuvm tests of a .py file (those that match `test`, a regular expression) in `folder`.

    `settings`: OwnConfig fields. A pass is stated positively: exit code, results.xml, closing line of each test, no
    $error. The folder then has result.json, commands.csv, report.html, coverage_<Test>.json, sim.log and, with
    `waves`, waves.fst. `reproduce`: the command line that a failure prints, with {test} and {seed}.
    """
    given = {**(settings or {}), "seed": seed}
    again = reproduce or shlex.join([sys.executable, *sys.argv])
    for left in ("result.json", "report.html", "series.npz", "commands.npz", "commands.csv"):
        (folder / left).unlink(missing_ok=True)
    result = sim.run(
        build,
        str(tests),
        test,
        seed=seed,
        run_dir=folder,
        waves=waves,
        plusargs=plusargs,
        env={
            ENVIRONMENT: json.dumps(given),
            coverage_files.DIRECTORY: str(folder.resolve()),
            REPRODUCE: again,
            **(env or {}),
        },
        timeout=timeout,
    )
    finish(result)
    return result


def finish(result: Result) -> None:
    """Write verdict and report of a run into its folder."""
    folder = result.run_dir
    record = run_record.finish(
        folder, result.status, result.reason, folder.name, versions=sim.tool_versions(), command=result.command
    )
    if record is None:
        return  # the simulation ended before its test began; sim.log says why
    report = report_of_folder(folder)
    if result.status != "pass":
        found = read_failure(folder)
        report.violations.append(Violation((found.ck if found else None) or 0.0, result.reason))
    write_report(folder / "report.html", report)
