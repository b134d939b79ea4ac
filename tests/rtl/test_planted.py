"""A part of `make faults`: planted defects and wrong registers, each caught by the check that its entry names."""

from __future__ import annotations

from pathlib import Path

import pytest
from hbm_tb import faults_job
from hbm_tb.faults_cmd import Group, all_groups

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
