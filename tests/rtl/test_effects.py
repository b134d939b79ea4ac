"""Every register field has an effect test, and all of them see their effect."""

from __future__ import annotations

import sys

import pytest
from hbm_tb import sim
from system_runs import Case, SystemRuns, cases, params

sys.path.insert(0, str(sim.ROOT / "tb" / "tests"))
import effect_tests  # noqa: E402

CASES = [*cases("hbm2", "effect_tests"), *cases("hbm3", "effect_tests")]


@pytest.mark.parametrize("case", params(CASES))
def test_effects(case: Case, system_runs: SystemRuns) -> None:
    """The checks of one class see the effects of their fields."""
    system_runs.require(case)


def test_every_field_has_an_effect_test() -> None:
    """A field without one, or a test of a field that is gone, fails."""
    have = {*effect_tests.EFFECTS, *effect_tests.BLOCK_TESTS}
    fields = set(effect_tests.all_fields())
    assert not fields - have, f"fields without effect test: {', '.join(sorted(fields - have))}"
    assert not have - fields, f"effect tests of unknown fields: {', '.join(sorted(have - fields))}"
