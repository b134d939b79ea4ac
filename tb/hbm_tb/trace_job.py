"""Kind of job: a request trace or a pattern through the RTL, as `hbm run` does it, without its report.

Arguments: options (fields of run_job.RunOptions), bench (further fields of BenchConfig), timeout_s, coverage (an
instrumented build), files (of a user, that the run reads). Every run leaves its functional coverage.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from hbm_tb import run_record, sim, sources
from hbm_tb.jobs import FAIL, Job, Outcome
from hbm_tb.run_job import Plan, RunOptions, make_plan, reproduce_line, simulate, verdict_of
from hbm_tb.sim_job import counts_left, outcome_of, set_up_waves

KIND = "hbm_tb.trace_job"
CONTENT = ("geometry", "coverage", "files")
SLOW = {"conflict": 20.0, "chase": 20.0}  # patterns whose requests wait for each other: work of one, of others 1


def trace_job(
    name: str,
    options: RunOptions,
    *,
    bench: Mapping[str, Any] | None = None,
    timeout_s: float = 3600.0,
    cost: float = 1.0,
    files: Sequence[str] = (),
) -> Job:
    """A run of a trace or pattern; the command that repeats it is `hbm run` with waves."""
    given = {key: value for key, value in asdict(options).items() if value != getattr(RunOptions(), key)}
    from hbm_model.presets import geometry_of

    arguments = {
        "geometry": geometry_of(options.preset).name,
        "options": given,
        "bench": dict(bench or {}),
        "timeout_s": timeout_s,
        **({"files": list(files)} if files else {}),
    }
    again = reproduce_line(replace(options, waves=True))
    return Job(name, KIND, arguments, timeout_s, cost, again)


def content(arguments: dict[str, Any]) -> str:
    """Build and sources, those of the requests' reader and of the recordings included."""
    built = sim.build(arguments["geometry"], coverage=arguments.get("coverage", False))
    manifest = sim.ROOT / "traces" / "manifest.json"  # holds the digests of the recordings; not in the wheel
    traces = hashlib.sha256(manifest.read_bytes()).hexdigest()[:8] if manifest.exists() else "-"
    ours = sources.digest("run_tests", "hbm_tb.run_job")
    return f"{built.folder.name} {ours} {traces}{sources.content_of(arguments.get('files'))}"


def plan_of(arguments: Mapping[str, Any]) -> Plan:
    """The checked input of the run."""
    given: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in arguments["options"].items()}
    plan = make_plan(RunOptions(**given))
    plan.config = plan.config.with_(**arguments["bench"], keep_commands=False, coverage=True)
    plan.job["commands"] = False
    return plan


def run(arguments: dict[str, Any], folder: Path) -> Outcome:
    """Simulate; a pass also needs every request of the trace answered once."""
    plan = plan_of(arguments)
    built = sim.build(plan.config.geometry, coverage=arguments.get("coverage", False))
    result = simulate(plan, built, folder, timeout=arguments["timeout_s"], quiet=True, record=True)
    outcome = outcome_of(result)
    set_up_waves(folder)
    numbers_file = folder / "numbers.json"
    numbers = json.loads(numbers_file.read_text()) if numbers_file.exists() else {}
    if result.passed and not numbers:
        return replace(outcome, status=FAIL, reason="the run left no numbers")
    status, reason = verdict_of(plan, result, numbers) if result.passed else (outcome.status, outcome.reason)
    record = run_record.finish(folder, status, reason, wall_s=outcome.wall_s, cpu_s=outcome.cpu_s)
    counts = {**counts_left(record), **outcome.counts, "transactions": len(plan.trace)}
    return replace(outcome, status=status, reason=reason, counts=counts)
