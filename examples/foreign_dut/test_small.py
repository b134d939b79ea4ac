"""Tests of the small controller: it passes as it is, and each planted bug is found by the check that it breaks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small import run_small

# +bug=NAME -> the test that meets it, and words that its failure must say.
BUGS = {
    "rcd": ("RandomTraffic", "breaks tRCDRD after ACT"),
    "wtr": ("ReadAfterWrite", "breaks tWTRL after WRA"),
    "wr": ("RandomTraffic", "breaks tWRA_ACT after WRA"),
    "refresh": ("QuietForLong", "breaks tREFImax"),
    "bank": ("RandomTraffic", "32 of 32 bytes differ"),
    "parity": ("RandomTraffic", "odd parity on the column pins"),
    "latency": ("RandomTraffic", "programmed RL is 21, the test expects 20"),
    "hang": ("RandomTraffic", "no request, answer or column command for"),
}


@pytest.mark.parametrize("test", ["RandomTraffic", "ReadAfterWrite", "QuietForLong"])
def test_the_controller_is_right(test: str, tmp_path: Path) -> None:
    """No rule broken, all data right, and the files of a run are there."""
    result = run_small(test, folder=tmp_path)
    assert result.passed, result.reason
    record = json.loads((tmp_path / "result.json").read_text())
    assert record["status"] == "pass" and record["checked"]["read_beats"] and record["checked"]["commands"]
    assert "<script" in (tmp_path / "report.html").read_text()


def test_coverage_tells_what_was_seen(tmp_path: Path) -> None:
    """Every bank was used, and the rules that decide in this controller were met at their bound."""
    assert run_small("RandomTraffic", folder=tmp_path).passed
    coverage = json.loads((tmp_path / "coverage_RandomTraffic.json").read_text())
    commands = coverage["points"]["dram.command"]
    assert sum(name.split("/")[1] == "ACT" for name in commands) == 32
    tight = {rule["rule"] for rule in coverage["rules"] if rule["least_slack_ck"] == 0}
    assert {"tRCDRD", "tRCDWR", "tRC", "tWTRL", "tRTW", "tWRA_ACT"} <= tight


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str, tmp_path: Path) -> None:
    """The run fails, and says why."""
    test, words = BUGS[bug]
    result = run_small(test, bug, folder=tmp_path)
    assert not result.passed and words in result.reason, result.reason
    record = json.loads((tmp_path / "result.json").read_text())
    assert record["status"] == "fail" and words in record["reason"]


def test_the_same_tests_at_the_dfi(tmp_path: Path) -> None:
    """Behind the PHY interface of the library, without pins: the same traffic, and the same bug found."""
    result = run_small("RandomTraffic", folder=tmp_path / "right", top="small_dfi_top")
    assert result.passed, result.reason
    result = run_small("RandomTraffic", "rcd", folder=tmp_path / "wrong", top="small_dfi_top")
    assert not result.passed and "breaks tRCDRD" in result.reason, result.reason
