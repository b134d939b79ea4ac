"""Kind of job: the block tests of one module, all on the build that holds every wrapper of tb/hdl/blocks.

Arguments: module, seed, timeout_s, waves (None, or [from, to] in CK), coverage (an instrumented build).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from hbm_tb import sim, sources
from hbm_tb.jobs import FAIL, Job, Outcome
from hbm_tb.sim_job import Waves, outcome_of, window_of

KIND: Final = "hbm_tb.block_job"
CONTENT: Final = ("module", "coverage")
GEOMETRY, TOP = "hbm2_s1", "tb_blocks"
# Module of cocotb tests -> least number of tests it has, so that a lost test shows.
BLOCK_MODULES: Final = {
    "host_tests": 21, "phy_tests": 11, "sched_tests": 25, "csr_tests": 14, "device_tests": 27, "master_tests": 7,
}  # fmt: skip


def block_job(
    name: str,
    module: str,
    *,
    seed: int = 1,
    timeout_s: float = 900.0,
    cost: float = 1.0,
    reproduce: str = "",
    waves: Waves | None = None,
) -> Job:
    """A run of all block tests of a module."""
    if module not in BLOCK_MODULES:
        raise ValueError(f"{module} is no module of block tests: {', '.join(BLOCK_MODULES)}")
    arguments = {
        "module": module,
        "seed": seed,
        "timeout_s": timeout_s,
        "waves": list(waves) if waves is not None else None,
    }
    again = reproduce or f"make test TEST='test_block and {module}' SEED={seed} WAVES=1"
    return Job(name, KIND, arguments, timeout_s, cost, again)


def _build(arguments: dict[str, Any]) -> sim.Build:
    return sim.build(GEOMETRY, TOP, coverage=arguments.get("coverage", False))


def content(arguments: dict[str, Any]) -> str:
    """Build (made if it is missing) and the Python sources that the tests can import."""
    return f"{_build(arguments).folder.name} {sources.digest(arguments['module'])}"


def run(arguments: dict[str, Any], folder: Path) -> Outcome:
    """Run the tests; a pass needs as many of them as the module has at least."""
    found = sim.run(
        _build(arguments),
        arguments["module"],
        seed=arguments["seed"],
        run_dir=folder,
        waves=window_of(arguments),
        timeout=arguments["timeout_s"],
    )
    outcome = outcome_of(found)
    passed = sum(result == "pass" for result in found.tests.values())
    outcome = replace(outcome, counts={**outcome.counts, "tests": passed})
    least = BLOCK_MODULES[arguments["module"]]
    if found.passed and passed < least:
        return replace(outcome, status=FAIL, reason=f"only {passed} tests ran, {arguments['module']} has {least}")
    return outcome
