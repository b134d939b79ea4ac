"""Every register field has an effect test, and all of them see their effect."""

from __future__ import annotations

import re
import sys

import pytest
from hbm_tb import sim
from system_runs import Case, SystemRuns, cases, params

TESTS = sim.ROOT / "tb" / "tests"
sys.path.insert(0, str(TESTS))
import effect_tests  # noqa: E402

CASES = [*cases("hbm2", "effect_tests"), *cases("hbm3", "effect_tests")]
BLOCK_TESTS = {test for tests in effect_tests.BLOCK_TESTS.values() for test in tests}


def test_every_field_has_an_effect_test() -> None:
    """A field without one, a field with two, or a test of a field that is gone fails."""
    fields = set(effect_tests.all_fields())
    system, block = set(effect_tests.EFFECTS), set(effect_tests.BLOCK_TESTS)
    assert not fields - system - block, f"fields without effect test: {', '.join(sorted(fields - system - block))}"
    assert not (system | block) - fields, f"tests of unknown fields: {', '.join(sorted((system | block) - fields))}"
    assert not system & block, f"fields with two entries: {', '.join(sorted(system & block))}"


def test_every_check_is_run() -> None:
    """The check of each field stands in the list of a class that pytest starts."""
    run = {check.__name__ for case in CASES for check in getattr(effect_tests, case.test).checks}
    run |= {check.__name__ for check in effect_tests.SID_CHECKS}
    missing = set(effect_tests.EFFECTS.values()) - run
    assert not missing, f"checks that no test runs: {', '.join(sorted(missing))}"


@pytest.mark.parametrize("name", sorted(BLOCK_TESTS))
def test_block_tests_exist(name: str) -> None:
    """The block tests that show what the system cannot are there (test_blocks.py runs all of them)."""
    module, test = name.split(".")
    assert re.search(rf"^(async def|class) {test}\(", (TESTS / f"{module}.py").read_text(), re.M), f"no {name}"


@pytest.mark.parametrize("case", params(CASES))
def test_effects(case: Case, system_runs: SystemRuns) -> None:
    """The checks of a class see the effect of each of their fields, and say so."""
    system_runs.require(case)
    checks = getattr(effect_tests, case.test).checks
    seen = set(re.findall(rf"^{effect_tests.SEEN} (\S+)$", system_runs.run_of(case).result.log.read_text(), re.M))
    missing = {path for check in checks for path in check.fields} - seen
    assert not missing, f"passed without having looked at {', '.join(sorted(missing))}"
    if case == Case("hbm3", "effect_tests", "TimingEffects"):
        assert "timing.t_ccd_r.ck" in seen, "the build with two stack ids did not look at t_ccd_r"
