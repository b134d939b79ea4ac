"""Negative tests of the bench: each planted fault must make its test fail, with the message that names the fault."""

from __future__ import annotations

import ast
import re

import pytest
from hbm_tb import sim
from system_runs import Case, SystemRuns, cases, params


def expected() -> dict[str, str]:
    """The table of tb/tests/fault_tests.py, read without importing it: its tests run in the simulator."""
    text = (sim.ROOT / "tb" / "tests" / "fault_tests.py").read_text()
    table = re.search(r"^EXPECTED: dict\[str, str\] = (\{.*?^\})", text, re.S | re.M)
    assert table is not None
    value = ast.literal_eval(table[1])
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize("case", params(cases("hbm2", "fault_tests")))
def test_the_bench_catches(case: Case, system_runs: SystemRuns) -> None:
    """The planted fault fails the test, and the message says what, where, expected and got."""
    run = system_runs.run_of(case)
    assert run.result.status == "fail", f"{run.result.status}: {run.result.reason}"
    assert case.test in run.messages, f"{case.test} passed although a fault was planted (log: {run.result.log})"
    pattern = expected()[case.test]
    assert re.search(pattern, run.messages[case.test]), f"expected /{pattern}/, got:\n{run.messages[case.test]}"


def test_every_fault_has_an_expectation() -> None:
    """The table and the tests name the same faults."""
    assert set(expected()) == {case.test for case in cases("hbm2", "fault_tests")}
