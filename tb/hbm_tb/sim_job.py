"""Kind of job: one cocotb test on one build. Make such jobs with `sim_job`.

Arguments: geometry, module, test (regular expression of the test's name), seed, bench (fields of BenchConfig that
differ from the defaults), reproduce (the command that repeats the run), timeout_s, waves (None, or [from, to] in CK,
either may be None), coverage (an instrumented build), files (of a user, that the run reads). Every run leaves its
functional coverage.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hbm_model.command_line import typed

from hbm_tb import coverage_files, run_record, sim, sources
from hbm_tb.config import ENVIRONMENT, BenchConfig
from hbm_tb.jobs import DIED, FAIL, PASS, STOPPED, TIMEOUT, Job, Outcome
from hbm_tb.run_job import REPRODUCE

KIND = "hbm_tb.sim_job"
CONTENT = ("geometry", "module", "coverage", "files")  # arguments that `content` depends on
COUNTS = "HBM_TB_COUNTS"  # a test prints further counts on lines that begin so
_COUNT = re.compile(r"(\w+)=(\d+)")
_STATUS = {"pass": PASS, "timeout": TIMEOUT, "stopped": STOPPED, "died": DIED}
Waves = tuple[int | None, int | None]


def sim_job(
    name: str,
    module: str,
    test: str,
    config: BenchConfig,
    *,
    timeout_s: float = 1800.0,
    cost: float = 1.0,
    reproduce: str = "",
    waves: Waves | None = None,
    files: Sequence[str] = (),
) -> Job:
    """A run of the test `test` of `module` on the build of the config's preset."""
    arguments = {
        "geometry": config.geometry,
        "module": module,
        "test": test,
        "seed": config.seed,
        "bench": json.loads(config.to_environment()[ENVIRONMENT]),
        "reproduce": reproduce,
        "timeout_s": timeout_s,
        "waves": list(waves) if waves is not None else None,
        **({"files": list(files)} if files else {}),
    }
    return Job(name, KIND, arguments, timeout_s, cost, reproduce)


def content(arguments: dict[str, Any]) -> str:
    """Build (made if it is missing), the Python sources that the test can import, further files."""
    built = sim.build(arguments["geometry"], coverage=arguments.get("coverage", False))
    return f"{built.folder.name} {sources.digest(arguments['module'])}{sources.content_of(arguments.get('files'))}"


def run(arguments: dict[str, Any], folder: Path) -> Outcome:
    """Run the test; a pass needs the positive evidence that sim.verdict asks for."""
    built = sim.build(arguments["geometry"], coverage=arguments.get("coverage", False))
    env = {
        ENVIRONMENT: json.dumps({**arguments["bench"], "coverage": True}),
        run_record.RECORD: "1",
        coverage_files.DIRECTORY: str(folder),
    }
    if arguments["reproduce"]:
        env |= reproduce_environment(typed(arguments["reproduce"]))
    found = sim.run(
        built,
        arguments["module"],
        rf"\b{arguments['test']}$",
        seed=arguments["seed"],
        run_dir=folder,
        env=env,
        waves=window_of(arguments),
        timeout=arguments["timeout_s"],
    )
    set_up_waves(folder)
    outcome = outcome_of(found)
    record = run_record.finish(folder, outcome.status, outcome.reason, wall_s=found.wall_s, cpu_s=found.cpu_s)
    return replace(outcome, counts={**counts_left(record), **outcome.counts})


def window_of(arguments: Mapping[str, Any]) -> bool | Waves:
    """`waves` of sim.run, from the arguments of a job."""
    given = arguments["waves"]
    if given is None or given == [None, None]:
        return given is not None
    return given[0], given[1]


def set_up_waves(folder: Path) -> None:
    """Write the set-ups for viewers beside the waves of a run; nothing where it wrote none."""
    if (folder / "waves.fst").exists():
        from hbm_tb.waves import write_setups

        write_setups(folder / "waves.fst")


def reproduce_environment(command: str) -> dict[str, str]:
    """Environment that tells a test the command that repeats it. The test fills in {test}; other braces stay."""
    return {REPRODUCE: command.replace("{", "{{").replace("}", "}}")}


def log_of(found: sim.Result) -> str:
    """The log of a simulation, as an outcome names it."""
    return str(found.log.relative_to(sim.ROOT)) if found.log.is_relative_to(sim.ROOT) else str(found.log)


def outcome_of(found: sim.Result) -> Outcome:
    """The outcome of a simulation, with the counts of its closing lines."""
    counts = closing_counts(found.log)
    return Outcome(_STATUS.get(found.status, FAIL), found.reason, counts, found.wall_s, found.cpu_s, log_of(found))


def counts_left(record: Mapping[str, Any] | None) -> dict[str, int]:
    """Counts of the record that a run left (run_record): of one that failed, which has no closing line."""
    checked = (record or {}).get("checked") or {}
    names = {"read_beats": "read_beats", "write_responses": "writes", "commands": "commands"}
    found = {name: checked.get(key) for key, name in names.items()} | {"cycles": (record or {}).get("cycles")}
    return {name: number for name, number in found.items() if isinstance(number, int)}


def closing_counts(log: Path, leave_out: Sequence[str] = ("seed",)) -> dict[str, int]:
    """Sums of the counts that the closing lines of the tests tell (read_beats, writes, commands, cycles ...)."""
    sums: dict[str, int] = {}
    if not log.exists():
        return sums
    with log.open(errors="replace") as lines:
        for line in lines:
            if sim.CLOSING in line or COUNTS in line:
                for name, number in _COUNT.findall(line):
                    if name not in leave_out:
                        sums[name] = sums.get(name, 0) + int(number)
    return sums
