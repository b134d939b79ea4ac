"""Kind of job: one test of a controller that is not ours. Make such jobs with `own_job`.

Arguments: dut and function (what builds it, own_build), build (the function's arguments), geometry (that the preset
needs), module (the .py file of the tests), test, files (further ones that the run reads), seed, bench (OwnConfig
fields), plusargs, reproduce (the command that repeats the run), timeout_s, waves (None, or [from, to] in CK), coverage
(an instrumented build).
Every run leaves its functional coverage.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from hbm_model.command_line import typed
from hbm_model.errors import InputError

from hbm_tb import coverage_files, own_run, run_record, sources
from hbm_tb.jobs import Job, Outcome
from hbm_tb.own_build import COVERAGE, Function, build_of, function_of
from hbm_tb.own_config import OwnConfig
from hbm_tb.sim import Build
from hbm_tb.sim_job import Waves, counts_left, outcome_of, set_up_waves, window_of

KIND: Final = "hbm_tb.own_job"
CONTENT: Final = ("dut", "function", "build", "geometry", "module", "files", "coverage")
JIT: Final = "HBM_MODEL_JIT"  # environment: 0 has the checker run as plain Python, faster for short runs


def own_job(
    name: str,
    dut: Function,
    module: str,
    test: str,
    config: Mapping[str, Any],
    *,
    seed: int,
    build: Mapping[str, Any] | None = None,
    plusargs: Sequence[str] = (),
    files: Sequence[str] = (),
    timeout_s: float = 600.0,
    cost: float = 1.0,
    waves: Waves | None = None,
) -> Job:
    """A run of the test `test` of the file `module`. `config`: OwnConfig fields; `build`: arguments of the function."""
    filled = {"preset": config["preset"], "timing": dict(config.get("timing") or {})}
    words = {**{key: value for key, value in filled.items() if dut.takes(key)}, **(build or {})}
    arguments = {
        "dut": str(dut.file),
        "function": dut.name,
        "build": words,
        "geometry": OwnConfig(**config).geometry,
        "module": module,
        "test": test,
        "files": list(files),
        "seed": seed,
        "bench": dict(config),
        "plusargs": list(plusargs),
        "reproduce": "",
        "timeout_s": timeout_s,
        "waves": list(waves) if waves is not None else None,
    }
    leaves = (f"coverage_{test}.json", *(coverage_files.LEAVES if words.get(COVERAGE) else ()))
    return Job(name, KIND, arguments, timeout_s, cost, leaves=leaves)


def content(arguments: dict[str, Any]) -> str:
    """Build (made if it is missing: it names the sources of the DUT), sources of the tests, further files."""
    built = _build(arguments)
    return f"{built.folder.name} {sources.digest(arguments['module'])}{sources.content_of(arguments.get('files'))}"


def _build(arguments: Mapping[str, Any], *, keep: bool = False) -> Build:
    file, name, words = Path(arguments["dut"]), str(arguments["function"]), dict(arguments["build"])
    function = function_of(file, name)
    if arguments.get("coverage"):
        if not function.takes(COVERAGE):
            raise InputError(f"{function.place} takes no parameter {COVERAGE}, which RTL coverage needs")
        words[COVERAGE] = True
    built = build_of(file, name, words, keep=keep)
    if built.geometry != arguments["geometry"]:
        raise InputError(
            f"{function.place} built {built.geometry}, but {arguments['bench']['preset']} needs "
            f"{arguments['geometry']}; expected a parameter preset that it builds for"
        )
    return built


def run(arguments: dict[str, Any], folder: Path) -> Outcome:
    """Run the test; a pass needs the positive evidence that sim.verdict asks for."""
    # This process runs nothing else: what the user's file sets in the environment holds for the simulation too.
    built = _build(arguments, keep=True)
    found = own_run.run(
        built,
        Path(arguments["module"]),
        rf"\b{arguments['test']}$",
        folder=folder,
        settings=arguments["bench"],
        seed=arguments["seed"],
        plusargs=[f"+{word}" for word in arguments["plusargs"]],
        waves=window_of(arguments),
        env={JIT: os.environ[JIT]} if JIT in os.environ else {},  # a replay has it from here
        reproduce=typed(arguments["reproduce"]),
        timeout=arguments["timeout_s"],
    )
    set_up_waves(folder)
    outcome = outcome_of(found)
    counts = {"read_beats" if name == "reads" else name: number for name, number in outcome.counts.items()}
    record = run_record.finish(folder, outcome.status, outcome.reason, wall_s=found.wall_s, cpu_s=found.cpu_s)
    return replace(outcome, counts={**counts_left(record), **counts})
