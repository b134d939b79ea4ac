"""The system tests: RTL, PHY pins, device and scoreboard together, on HBM2 and HBM3 (HBM4 for what only it has)."""

from __future__ import annotations

import pytest
from system_runs import Case, SystemRuns, cases, params

MODULES = ("smoke_tests", "axi_tests", "dram_tests", "control_tests", "policy_tests", "random_tests")


@pytest.mark.parametrize(
    "case", params([*cases("hbm2", *MODULES), *cases("hbm3", *MODULES), *cases("hbm4", "smoke_tests", "hbm4_tests")])
)
def test_system(case: Case, system_runs: SystemRuns) -> None:
    """The cocotb test of that name passes, with every check of the bench on."""
    system_runs.require(case)
