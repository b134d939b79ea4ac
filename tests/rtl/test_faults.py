"""Negative tests of the bench: each planted fault must make its test fail, with the message that names the fault."""

from __future__ import annotations

import ast
import re

import pytest
from hbm_tb import sim
from hbm_tb.failure import file_of_test, read_failure
from system_runs import Case, SystemRuns, cases, params


def _table(pattern: str) -> object:
    """A table of tb/tests/fault_tests.py, read without importing it: its tests run in the simulator."""
    text = (sim.ROOT / "tb" / "tests" / "fault_tests.py").read_text()
    table = re.search(pattern, text, re.S | re.M)
    assert table is not None
    return ast.literal_eval(table[1])


def expected() -> dict[str, str]:
    """What the message of each test must match."""
    value = _table(r"^EXPECTED: dict\[str, str\] = (\{.*?^\})")
    assert isinstance(value, dict)
    return value


def story() -> tuple[str, ...]:
    """What every message of the lock-step must match."""
    value = _table(r"^STORY = (\(.*?^\))")
    assert isinstance(value, tuple)
    return value


@pytest.mark.parametrize("case", params(cases("hbm2", "fault_tests")))
def test_the_bench_catches(case: Case, system_runs: SystemRuns) -> None:
    """The planted fault fails the test, and the message says what, where, expected and got."""
    run = system_runs.run_of(case)
    assert run.result.status == "fail", f"{run.result.status}: {run.result.reason}"
    assert case.test in run.messages, f"{case.test} passed although a fault was planted (log: {run.result.log})"
    message = run.messages[case.test]
    told = read_failure(run.result.run_dir, file_of_test(case.test))
    assert told is not None and told.test == case.test and told.seen_cycle, "no failure.json of this test"
    assert not re.search(r"\d{3}|0x", told.signature) and told.reproduce, told
    assert told.ck is not None or told.kind == "error", f"nothing to look at: {told}"
    exact = "channel and exact model differ" in message
    for pattern in (expected()[case.test], *(story() if exact else ())):
        flags = re.S if exact else 0
        assert re.search(pattern, message, flags), f"expected /{pattern}/, got:\n{message}"
    if exact:
        from_ck, to_ck = (int(each) for each in re.findall(r"WAVES_(?:FROM|TO)=(\d+)", message))
        at = re.search(r"differ in cycle \d+ \(CK (\d+) on the pins\)", message)
        assert at and from_ck < int(at[1]) < to_ck, "the waves of the replay must show the difference"


def test_every_fault_has_an_expectation() -> None:
    """The table and the tests name the same faults."""
    assert set(expected()) == {case.test for case in cases("hbm2", "fault_tests")}
