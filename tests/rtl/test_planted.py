"""A part of `make faults`: planted defects and wrong registers, each caught by the check that its entry names."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hbm_tb import faults, faults_job, jobs
from hbm_tb.faults_cmd import QUICK_BUILD, Group, all_groups, defect_items

pytestmark = pytest.mark.sim


@pytest.mark.parametrize("group", all_groups(quick=True), ids=lambda group: group.name)
def test_planted(group: Group, tmp_path: Path) -> None:
    """Every fault of the group is caught, and the unchanged design passes."""
    found, result = faults_job.simulate(group.geometry, group.items, tmp_path, timeout=900)
    wrong = [
        f"{item.name}: {caught.check}, expected {' or '.join(item.expect) or 'a pass'}: {caught.detail}"
        for item, caught in faults_job.judge(group.items, found)
        if not caught.good(item)
    ]
    assert not wrong, "\n".join([*wrong, f"log: {result.log}"])


def test_missed_and_timed_out_faults_fail(tmp_path: Path) -> None:
    """Nothing planted, a hang that only the watchdog sees, another check than expected: each fails the run."""
    by_id = {defect.id: defect for defect in faults.of_build(QUICK_BUILD)}
    (absent,) = defect_items(by_id["rtp-absent"])
    (leak,) = defect_items(by_id["credit-leaks"])
    items = [
        replace(absent, name="nothing", number=0),
        replace(leak, name="hangs", config={**leak.config, "check_exact": False, "watchdog": 2_000}),
        replace(absent, name="other", expect=("data",)),
        absent,
    ]
    arguments = {
        "geometry": QUICK_BUILD,
        "planted": True,
        "items": [asdict(item) for item in items],
        "seed": 1,
        "timeout_s": 600.0,
        "waves": None,
        "reproduce": "hbm faults --only rtp-absent",
    }
    outcome = faults_job.run(arguments, tmp_path)
    assert outcome.status == jobs.FAIL and outcome.reason.startswith("nothing: missed, expected legality"), outcome
    found = faults_job.read_caught(tmp_path)
    assert [caught.check for caught in found] == ["missed", "watchdog", "legality", "legality"]
    assert outcome.counts == {"runs": 4, "caught": 1}
    assert "reproduce: hbm faults --only rtp-absent" in found[3].message
